// create and run: a bundle becomes a container.

using Conman.CommandLine;
using Conman.Linux;
using Conman.Runtime;
using Conman.Runtime.Checkpoints;
using Conman.Runtime.Compiling;
using Conman.Runtime.Containers;

namespace Conman.Oci;

internal static class CreateCommand
{
    public static int Create(OciContext context, Arguments arguments)
    {
        using var creation = Creation.Begin(LoadBundle(arguments), Request(context, arguments, awaitStart: true, null));
        creation.Commit();
        return 0;
    }

    /// <param name="image">The image that the process comes from; null: the bundle's program.</param>
    public static int Run(OciContext context, Arguments arguments, CheckpointOptions? image = null)
    {
        var bundle = LoadBundle(arguments);
        var detach = arguments.Has("detach");
        var terminal = !detach && arguments.Get("console-socket") is null && bundle.Spec.Process is { Terminal: true };
        // In the foreground signals are caught before there is a container: one that comes early is passed on late, not lost.
        using var foreground = detach ? null : new Foreground(terminal);
        using var creation = Creation.Begin(bundle, Request(context, arguments, awaitStart: false, foreground?.ConsoleSocket, image));

        creation.Container.RunPoststartHooks(bundle.Spec.Hooks);
        if (foreground is null)
        {
            creation.Commit();
            return 0;
        }
        var exit = foreground.Wait(creation.Process);
        if (arguments.Has("keep"))
            creation.Commit();
        return exit.Code;
    }

    private static CreateRequest Request(OciContext context, Arguments arguments, bool awaitStart, FileDescriptor? receiver, CheckpointOptions? image = null)
    {
        var listening = ListeningDescriptors();
        var preserved = listening + arguments.Number("preserve-fds", 0);
        for (var fd = 3; fd < 3 + preserved; fd++)
        {
            if (!Files.IsOpen(fd))
                throw new RuntimeException($"cannot preserve descriptor {fd}: it is not open");
        }
        return new CreateRequest
        {
            Root = context.Root,
            Id = arguments.Words[0],
            ConsoleSocket = arguments.Get("console-socket"),
            ConsoleReceiver = receiver,
            PidFile = arguments.Get("pid-file"),
            CgroupManager = context.CgroupManager,
            NoPivot = arguments.Has("no-pivot"),
            NoNewKeyring = arguments.Has("no-new-keyring"),
            PreservedDescriptors = preserved,
            ListeningDescriptors = listening,
            AwaitStart = awaitStart,
            Image = image,
            Rootless = context.Rootless ?? HostRights.Current.Rootless,
            Warn = context.Warn,
        };
    }

    // sd_listen_fds(3): the variables count only if they are meant for this process.
    private static int ListeningDescriptors() =>
        int.TryParse(Environment.GetEnvironmentVariable("LISTEN_PID"), out var pid) && pid == Environment.ProcessId
        && int.TryParse(Environment.GetEnvironmentVariable("LISTEN_FDS"), out var count) && count > 0 ? count : 0;

    public static Bundle LoadBundle(Arguments arguments) => Bundle.Load(arguments.Get("bundle") is { Length: > 0 } path ? path : ".");
}
