// create and run: a bundle becomes a container.

using Conman.CommandLine;
using Conman.Linux;
using Conman.Runtime;
using Conman.Runtime.Checkpoints;
using Conman.Runtime.Compiling;
using Conman.Runtime.Containers;

namespace Conman.Runc;

internal static class CreateCommand
{
    public static int Create(OciContext context, Arguments arguments)
    {
        RefuseClosed(arguments);
        using var creation = Creation.Begin(LoadBundle(arguments), Request(context, arguments, awaitStart: true, null));
        creation.Commit();
        return 0;
    }

    /// <param name="image">The image that the process comes from; null: the bundle's program.</param>
    public static int Run(OciContext context, Arguments arguments, CheckpointOptions? image = null)
    {
        var bundle = LoadBundle(arguments);
        RefuseClosed(arguments); // before any descriptor of our own has their numbers
        var detach = arguments.Has("detach");
        var terminal = !detach && arguments.Get("console-socket") is null && bundle.Spec.Process is { Terminal: true };
        // In the foreground signals are caught before there is a container: one that comes early is passed on late, not lost.
        using var foreground = detach ? null : new Foreground(terminal);
        using var creation = Creation.Begin(bundle, Request(context, arguments, awaitStart: false, foreground?.ConsoleSocket, image));
        creation.Share();

        creation.Container.RunPoststartHooks(bundle.Spec.Hooks);
        if (foreground is null)
        {
            creation.Commit();
            creation.Notify?.ForwardUntilReady(creation.Process.Descriptor, creation.Process.Pid);
            return 0;
        }
        var exit = foreground.Wait(creation.Process, creation.Notify);
        if (arguments.Has("keep"))
            creation.Commit();
        return exit.Code;
    }

    private static CreateRequest Request(OciContext context, Arguments arguments, bool awaitStart, FileDescriptor? receiver, CheckpointOptions? image = null)
    {
        var listening = ListeningDescriptors();
        return new CreateRequest
        {
            Root = context.Root,
            Id = arguments.Words[0],
            ConsoleSocket = arguments.Get("console-socket"),
            ConsoleReceiver = receiver,
            PidfdSocket = arguments.Get("pidfd-socket"),
            PidFile = arguments.Get("pid-file"),
            NoPivot = arguments.Has("no-pivot"),
            NoNewKeyring = arguments.Has("no-new-keyring"),
            PreservedDescriptors = listening + arguments.Number("preserve-fds", 0),
            ListeningDescriptors = listening,
            ListeningNames = ListeningNames,
            ServiceManager = ServiceManager,
            CgroupManager = context.CgroupManager,
            AwaitStart = awaitStart,
            Image = image,
            Rootless = context.Rootless ?? HostRights.Current.Rootless,
            Warn = context.Warn,
        };
    }

    /// <summary>The descriptors to hand on must be open.</summary>
    internal static void RefuseClosed(Arguments arguments)
    {
        var end = 3 + ListeningDescriptors() + arguments.Number("preserve-fds", 0);
        for (var fd = 3; fd < end; fd++)
        {
            if (!Files.IsOpen(fd))
                throw new RuntimeException($"cannot preserve descriptor {fd}: it is not open");
        }
    }

    // sd_listen_fds(3): the variables count only if they are meant for this process.
    internal static int ListeningDescriptors() =>
        int.TryParse(Environment.GetEnvironmentVariable("LISTEN_PID"), out var pid) && pid == Environment.ProcessId
        && int.TryParse(Environment.GetEnvironmentVariable("LISTEN_FDS"), out var count) && count > 0 ? count : 0;

    internal static string? ListeningNames => Environment.GetEnvironmentVariable("LISTEN_FDNAMES");

    /// <summary>The socket to tell of a service's state (sd_notify(3)).</summary>
    internal static string? ServiceManager => Environment.GetEnvironmentVariable("NOTIFY_SOCKET") is { Length: > 1 } path ? path : null;

    public static Bundle LoadBundle(Arguments arguments) => 
        Bundle.Load(arguments.Get("bundle") is { Length: > 0 } path ? path : ".", arguments.Get("config"));
}
