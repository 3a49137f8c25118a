// checkpoint and restore: a container into a folder, and back, by CRIU.

using Conman.CommandLine;
using Conman.Runtime;
using Conman.Runtime.Checkpoints;
using Conman.Runtime.Containers;

namespace Conman.Runc;

internal static class CheckpointCommand
{
    public static Command DeclareCheckpoint(OciContext context) => new("checkpoint", "ID", "Save a running container to a folder (needs criu)",
    [
        .. Shared,
        new("parent-path", "an earlier image, relative to this one, of which only the difference is saved", "DIR"),
        new("leave-running", "let the container run on"),
        new("page-server", "send memory to a page server", "ADDRESS:PORT"),
        new("pre-dump", "save memory only, and let the container run on"),
        new("status-fd", "descriptor that gets a byte once lazy pages may be asked for", "FD"),
    ], a => Checkpoint(context, a));

    public static Command DeclareRestore(OciContext context) => new("restore", "ID", "Restore a container from a folder that checkpoint made (needs criu)",
    [
        .. Shared,
        new("bundle", "folder with config.json (default: the current one)", "DIR", 'b'),
        new("console-socket", "Unix socket that gets the master of the container's terminal", "PATH"),
        new("detach", "do not wait for the container's end", Short: 'd'),
        new("pid-file", "file that gets the pid of the container's first process", "FILE"),
        new("no-subreaper", "taken for runc's callers: conman never is the container's subreaper"),
        new("no-pivot", "taken for runc's callers: CRIU makes the root as it was"),
        new("lsm-profile", "label to restore with, TYPE:NAME", "LABEL"),
        new("lsm-mount-context", "SELinux context of the restored mounts", "CONTEXT"),
    ], a => Restore(context, a));

    private static Option[] Shared =>
    [
        new("image-path", "folder of the image (default: checkpoint)", "DIR"),
        new("work-path", "folder of logs (default: that of the image)", "DIR"),
        new("tcp-established", "allow open TCP connections"),
        new("tcp-skip-in-flight", "leave out TCP connections that are being made"),
        new("tcp-close", "restore TCP connections as closed ones"),
        new("network-lock", "keeps packets away meanwhile: iptables, nftables or skip (default: iptables)", "METHOD"),
        new("link-remap", "allow files that have been unlinked"),
        new("ext-unix-sk", "allow Unix sockets whose other end is outside"),
        new("shell-job", "allow a terminal that is not the container's"),
        new("lazy-pages", "bring memory when it is asked for (userfaultfd)"),
        new("file-locks", "allow file locks"),
        new("manage-cgroups-mode", "soft, full, strict or ignore (default: soft)", "MODE"),
        new("empty-ns", "restore a namespace without what was in it: network", "KIND"),
        new("auto-dedup", "drop memory from the image once it is not needed any more"),
    ];

    private static int Checkpoint(OciContext context, Arguments arguments)
    {
        using var container = Container.OpenLocked(context.Root, arguments.Words[0]);
        var options = Options(arguments);
        Runtime.Checkpoints.Checkpoint.Dump(container, options);
        if (options is { LeaveRunning: false, PreDump: false })
        {
            foreach (var warning in container.Destroy())
                context.Warn(warning);
        }
        return 0;
    }

    private static int Restore(OciContext context, Arguments arguments) => CreateCommand.Run(context, arguments, Options(arguments));

    private static CheckpointOptions Options(Arguments arguments)
    {
        var image = Path.GetFullPath(arguments.Get("image-path") is { Length: > 0 } path ? path : "checkpoint");
        return new CheckpointOptions
        {
            ImagePath = image,
            WorkPath = arguments.Get("work-path") is { Length: > 0 } work ? Path.GetFullPath(work) : image,
            ParentPath = arguments.Get("parent-path") is { Length: > 0 } parent ? parent : null,
            LeaveRunning = arguments.Has("leave-running"),
            TcpEstablished = arguments.Has("tcp-established"),
            TcpSkipInFlight = arguments.Has("tcp-skip-in-flight"),
            TcpClose = arguments.Has("tcp-close"),
            NetworkLock = arguments.Get("network-lock") switch
            {
                null or "" => null,
                "iptables" => NetworkLock.Iptables,
                "nftables" => NetworkLock.Nftables,
                "skip" => NetworkLock.Skip,
                var other => throw new UsageException($"--network-lock: {other} is not one of iptables, nftables, skip"),
            },
            LinkRemap = arguments.Has("link-remap"),
            ExternalUnixSockets = arguments.Has("ext-unix-sk"),
            ShellJob = arguments.Has("shell-job"),
            LazyPages = arguments.Has("lazy-pages"),
            FileLocks = arguments.Has("file-locks"),
            AutoDedup = arguments.Has("auto-dedup"),
            PreDump = arguments.Has("pre-dump"),
            PageServer = arguments.Get("page-server") is { Length: > 0 } server ? Server(server) : null,
            StatusDescriptor = arguments.Get("status-fd") is null ? null : arguments.Number("status-fd", 0),
            Cgroups = arguments.Get("manage-cgroups-mode") switch
            {
                null or "" => null,
                "soft" => CgroupsMode.Soft,
                "full" => CgroupsMode.Full,
                "strict" => CgroupsMode.Strict,
                "ignore" => CgroupsMode.Ignore,
                _ => throw new RuntimeException("Invalid manage-cgroups-mode value"),
            },
            EmptyNamespaces = arguments.Get("empty-ns") switch
            {
                null or "" => 0,
                "network" => (ulong)Linux.Namespaces.Network,
                var other => throw new RuntimeException($"namespace {other} is not supported"),
            },
            LsmProfile = arguments.Get("lsm-profile"),
            LsmMountContext = arguments.Get("lsm-mount-context"),
        };
    }

    private static (string, int) Server(string text)
    {
        var colon = text.LastIndexOf(':');
        return colon > 0 && int.TryParse(text.AsSpan(colon + 1), out var port) && port is > 0 and < 65536
            ? (text[..colon], port)
            : throw new RuntimeException("Use --page-server ADDRESS:PORT to specify page server");
    }
}
