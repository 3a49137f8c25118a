// The commands of the OCI runtime: what each takes. What each does is in the file of its name.

using Conman.CommandLine;

namespace Conman.Runc;

internal static class OciCommands
{
    public static readonly string[] Names =
        ["checkpoint", "create", "delete", "events", "exec", "features", "kill", "list", "mounts", "pause", "plan", "ps", "restore", "resume", "run", "spec", "start", "state", "update"];

    public static IEnumerable<Command> All(OciContext context) => Names.Select(name => Find(name, context)!);

    /// <summary>Only the command that is asked for is built.</summary>
    public static Command? Find(string name, OciContext context) => name switch
    {
        "create" => new("create", "ID", "Create a container from a bundle; its program waits for start", CreateOptions, a => CreateCommand.Create(context, a)),
        "run" => new("run", "ID", "Create a container and start it; wait for its end unless detached",
            [.. CreateOptions, new("detach", "do not wait for the container's end", Short: 'd'), new("keep", "keep the container after its end")],
            a => CreateCommand.Run(context, a)),
        "start" => new("start", "ID", "Start a container that was created", [], a => LifeCommands.Start(context, a)),
        "kill" => new("kill", "ID [SIGNAL]", "Send a signal to a container's first process (default: SIGTERM)",
            [
                new("all", "send it to every process of the container, also when the first has ended", Short: 'a'),
                new("regex", "ID is an extended regular expression: send it to each container whose id matches", Short: 'r'),
            ],
            a => LifeCommands.Kill(context, a)) { Count = (1, 2) },
        "pause" => new("pause", "ID", "Stop every process of a container where it is", [], a => LifeCommands.Freeze(context, a, true)),
        "resume" => new("resume", "ID", "Let a paused container go on", [], a => LifeCommands.Freeze(context, a, false)),
        "update" => UpdateCommand.Declare(context),
        "checkpoint" => CheckpointCommand.DeclareCheckpoint(context),
        "restore" => CheckpointCommand.DeclareRestore(context),
        "mounts" => MountsCommand.Declare(context),
        "ps" => new("ps", "ID [PS-OPTION...]", "List a container's processes, by the host's pids",
            [new("format", "table or json (default: table)", "FORMAT", 'f')], a => PsCommand.Run(context, a)) { Count = (1, int.MaxValue), StopAfter = 1 },
        "events" => new("events", "ID", "Print what a container uses, and word of kills for want of memory, a JSON document a line",
            [new("interval", "time between two documents, such as 5s or 1m30s (default: 5s)", "DURATION"), new("stats", "print what it uses now, once")],
            a => EventsCommand.Run(context, a)),
        "delete" => new("delete", "ID", "Remove a container and everything that was made for it",
            [
                new("force", "kill the container first if it runs; no error if there is none", Short: 'f'),
                new("regex", "ID is an extended regular expression: remove each container whose id matches", Short: 'r'),
            ],
            a => LifeCommands.Delete(context, a)),
        "state" => new("state", "ID", "Print the state of a container as JSON", [], a => StateCommands.State(context, a)),
        "list" => new("list", "", "List containers",
            [new("format", "table or json (default: table)", "FORMAT", 'f'), new("quiet", "ids only", Short: 'q')], a => StateCommands.List(context, a)) { Count = (0, 0) },
        "spec" => new("spec", "", "Write a config.json to start from",
            [
                new("bundle", "folder to write it to (default: the current one)", "DIR", 'b'),
                new("file", "file to write, in place of the bundle's config.json", "FILE", 'f'),
                new("rootless", "for an ordinary user"),
            ],
            a => DocumentCommands.Spec(a)) { Count = (0, 0) },
        "features" => new("features", "", "Print what this runtime can do as JSON", [], _ => DocumentCommands.Features()) { Count = (0, 0) },
        "plan" => new("plan", "[ID]", "Print, in words, what create would do",
            [BundleOption, new("no-pivot", "as of create"), new("no-new-keyring", "as of create")], a => DocumentCommands.Plan(a)) { Count = (0, 1) },
        "exec" => new("exec", "ID COMMAND [ARG...]", "Execute another program in a container", ExecOptions, a => ExecCommand.Run(context, a)) { Count = (1, int.MaxValue), StopAfter = 1 },
        _ => null,
    };

    private static Option BundleOption => new("bundle", "folder with config.json (default: the current one)", "DIR", 'b');

    private static Option[] CreateOptions =>
    [
        BundleOption,
        new("config", "file to read in place of the bundle's config.json", "FILE", 'f'),
        new("console-socket", "Unix socket that gets the master of the container's terminal", "PATH"),
        new("pidfd-socket", "Unix socket that gets a pidfd of the container's first process", "PATH"),
        new("pid-file", "file that gets the pid of the container's first process", "FILE"),
        new("no-subreaper", "adopt no orphans: so it is always"),
        new("no-pivot", "enter the root file system by chroot: for hosts that run from a ramdisk"),
        new("no-new-keyring", "keep the caller's session keyring"),
        new("preserve-fds", "hand so many descriptors from 3 on to the container", "N"),
    ];

    private static Option[] ExecOptions =>
    [
        new("console-socket", "Unix socket that gets the master of the process's terminal", "PATH"),
        new("pidfd-socket", "Unix socket that gets a pidfd of the process", "PATH"),
        new("cwd", "working directory", "DIR"),
        new("env", "NAME=VALUE for the environment", "VAR", 'e', Repeats: true),
        new("tty", "give the process a terminal", Short: 't'),
        new("user", "UID[:GID]", "USER", 'u'),
        new("additional-gids", "an additional group", "GID", 'g', Repeats: true),
        new("process", "file with a process as in config.json", "FILE", 'p'),
        new("detach", "do not wait for the process's end", Short: 'd'),
        new("pid-file", "file that gets the process's pid", "FILE"),
        new("cap", "an additional capability", "CAP", 'c', Repeats: true),
        new("no-new-privs", "gain no privileges by executing a program"),
        new("apparmor", "AppArmor profile", "PROFILE"),
        new("process-label", "SELinux label", "LABEL"),
        new("cgroup", "cgroup below the container's to run in", "[CONTROLLER:]PATH", Repeats: true),
        new("ignore-paused", "into a paused container too: wait there until it is resumed"),
        new("preserve-fds", "hand so many descriptors from 3 on to the process", "N"),
        new("cgroup", "start in a cgroup below the container's: [CONTROLLER[,CONTROLLER...]:]PATH", "PATH", Repeats: true),
    ];
}
