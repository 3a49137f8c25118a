// create and run: a bundle becomes a container.

using Conman.CommandLine;
using Conman.Linux;
using Conman.Runtime;
using Conman.Runtime.Containers;

namespace Conman.Oci;

internal static class CreateCommand
{
    public static int Create(OciContext context, Arguments arguments)
    {
        using var creation = Creation.Begin(Request(context, arguments, awaitStart: true, null));
        creation.Commit();
        return 0;
    }

    public static int Run(OciContext context, Arguments arguments)
    {
        var detach = arguments.Has("detach");
        var terminal = !detach && arguments.Get("console-socket") is null && WantsTerminal(arguments);
        // In the foreground signals are caught before there is a container: one that comes early is passed on late, not lost.
        using var foreground = detach ? null : new Foreground(terminal);
        using var creation = Creation.Begin(Request(context, arguments, awaitStart: false, foreground?.ConsoleSocket));

        using (var container = Container.Open(context.Root, arguments.Words[0]))
        {
            foreach (var warning in container.RunHooks("poststart", creation.Spec.Hooks?.Poststart, ContainerStatus.Running))
                context.Warn(warning);
        }
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

    private static CreateRequest Request(OciContext context, Arguments arguments, bool awaitStart, FileDescriptor? receiver)
    {
        var preserved = arguments.Number("preserve-fds", 0);
        if (Environment.GetEnvironmentVariable("LISTEN_FDS") is { Length: > 0 } listen && int.TryParse(listen, out var sockets) && sockets > 0)
            preserved += sockets;
        for (var fd = 3; fd < 3 + preserved; fd++)
        {
            if (!Files.IsOpen(fd))
                throw new RuntimeException($"cannot preserve descriptor {fd}: it is not open");
        }
        return new CreateRequest
        {
            Root = context.Root,
            Id = arguments.Words[0],
            Bundle = Bundle(arguments),
            ConsoleSocket = arguments.Get("console-socket"),
            ConsoleReceiver = receiver,
            PidFile = arguments.Get("pid-file"),
            NoPivot = arguments.Has("no-pivot"),
            NoNewKeyring = arguments.Has("no-new-keyring"),
            PreservedDescriptors = preserved,
            AwaitStart = awaitStart,
            Warn = context.Warn,
        };
    }

    public static string Bundle(Arguments arguments) =>
        Path.TrimEndingDirectorySeparator(Path.GetFullPath(arguments.Get("bundle") is { Length: > 0 } path ? path : "."));

    private static bool WantsTerminal(Arguments arguments) => Bundles.Parse(Bundles.ReadSpec(Bundle(arguments))).Process?.Terminal ?? false;
}
