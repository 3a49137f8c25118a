// exec: another process in a container that runs. It is a child of this command: its streams are ours, and so is its exit code.

using Conman.CommandLine;
using Conman.Engine;
using Conman.Engine.Life;
using Conman.Engine.Specs;
using Conman.Engine.Store;
using Conman.Linux;
using Conman.Oci.RuntimeSpec;
using Conman.Runtime;
using Conman.Runtime.Containers;
using Container = Conman.Engine.Store.Container;
using ContainerStatus = Conman.Engine.Store.ContainerStatus;
using OciContainer = Conman.Runtime.Containers.Container;

namespace Conman;

internal static class ContainerExec
{
    public static Command Of(ManagerContext context) => new("exec", "CONTAINER COMMAND [ARG...]", "Run a command in a container that runs",
        [
            new("detach", "do not wait for it", Short: 'd'),
            new("detach-keys", "what is typed to leave it", "KEYS"),
            new("env", "set a variable", "NAME=VALUE", 'e', Repeats: true),
            new("env-file", "set variables from a file", "FILE", Repeats: true),
            new("interactive", "it reads what this command reads", Short: 'i'),
            new("privileged", "with all capabilities"),
            new("tty", "with a terminal", Short: 't'),
            new("user", "name or number, and perhaps a group", "USER[:GROUP]", 'u'),
            new("workdir", "working directory", "DIR", 'w'),
        ],
        arguments =>
        {
            var engine = context.Engine;
            if (arguments.Get("detach-keys") is not null)
                throw new UsageException("--detach-keys: a command that exec starts ends with it: it cannot be left and found again");
            if (arguments.Has("tty") && arguments.Has("interactive") && !arguments.Has("detach") && !Terminals.IsTerminal(0))
                throw new EngineException("the input device is not a TTY");
            using var container = engine.Containers.Open(arguments.Words[0]);
            var name = container.NeedRecord().Name;
            switch (ContainerView.Status(engine, container))
            {
                case ContainerStatus.Paused:
                    throw new EngineException($"container {name} is paused, unpause the container before exec");
                case not ContainerStatus.Running:
                    throw new EngineException($"container {name} is not running");
            }
            using var runtime = OciContainer.Open(engine.RuntimeRoot, container.Id);
            var process = Process(runtime, container, arguments);
            var exec = ContainerNames.NewId();
            engine.Tell(container, "exec_create: " + string.Join(' ', process.Args!), ("execID", exec));
            if (arguments.Has("detach"))
                return Detached(runtime, process, () => Started(engine, container, process, exec));
            var code = Attached(runtime, process, arguments.Has("interactive"), () => Started(engine, container, process, exec));
            engine.Tell(container, "exec_die", ("execID", exec), ("exitCode", code.ToString(System.Globalization.CultureInfo.InvariantCulture)));
            return code;
        }) { Count = (2, int.MaxValue), StopAfter = 1 };

    private static void Started(ContainerEngine engine, Container container, Process process, string exec) =>
        engine.Tell(container, "exec_start: " + string.Join(' ', process.Args!), ("execID", exec));

    private static int Attached(OciContainer runtime, Process process, bool interactive, Action tell)
    {
        using var foreground = new Foreground(process.Terminal);
        using var none = interactive || process.Terminal ? null : Files.Open("/dev/null", OpenFlags.ReadOnly);
        using var started = Start(runtime, new ExecRequest
        {
            Process = process,
            ConsoleReceiver = foreground.ConsoleSocket,
            Streams = (none?.Number ?? -1, -1, -1),
        });
        tell();
        return foreground.Wait(started).Code;
    }

    private static int Detached(OciContainer runtime, Process process, Action tell)
    {
        process.Terminal = false; // there would be nobody at it
        using var none = Files.Open("/dev/null", OpenFlags.ReadWrite);
        using var started = Start(runtime, new ExecRequest { Process = process, Streams = (none.Number, none.Number, none.Number) });
        tell();
        return 0;
    }

    private static ProcessHandle Start(OciContainer runtime, ExecRequest request)
    {
        try
        {
            return Execution.Start(runtime, request);
        }
        catch (RuntimeException e) when (e.ProgramErrno != 0)
        {
            throw new StartException(e.Message, Starting.CodeOf(e), e);
        }
    }

    // The container's own process, with another program.
    private static Process Process(OciContainer runtime, Container container, Arguments arguments)
    {
        var process = runtime.TryReadSpec()?.Process ?? throw new EngineException($"container {container.ShortId} is not running");
        process.Args = arguments.Words[1..];
        process.Terminal = arguments.Has("tty");
        process.ConsoleSize = null;
        process.OomScoreAdj = null; // it may not be lowered again, and is inherited anyway
        var variables = new List<string>();
        foreach (var file in arguments.All("env-file"))
            variables.AddRange(EnvironmentValues.Lines("env-file", file, inherit: true));
        variables.AddRange(arguments.All("env").ConvertAll(EnvironmentValues.Variable));
        process.Env = [.. process.Env ?? [], .. process.Terminal ? ["TERM=xterm"] : (List<string>)[], .. variables];
        if (arguments.Get("workdir") is { Length: > 0 } folder)
            process.Cwd = folder.StartsWith('/') ? folder : throw new UsageException($"--workdir: {folder} is not an absolute path");
        if (arguments.Get("user") is { Length: > 0 } user)
        {
            using var root = Files.Open($"/proc/{runtime.Record!.Pid}/root", OpenFlags.Path | Files.Directory);
            var found = UserLookup.Find(root, user, container.NeedRecord().HostConfig!.GroupAdd);
            process.User = new User { Uid = found.Uid, Gid = found.Gid, AdditionalGids = found.Groups, Umask = process.User?.Umask };
            process.Env.RemoveAll(v => v.StartsWith("HOME=", StringComparison.Ordinal));
            process.Env.Add("HOME=" + found.Home);
            if (found.Uid != 0 && !arguments.Has("privileged") && process.Capabilities is { } sets)
                (sets.Effective, sets.Permitted, sets.Ambient) = ([], [], []);
        }
        if (arguments.Has("privileged"))
        {
            var all = CapabilityList.Of(null, null, privileged: true, Processes.KnownCapabilities);
            process.Capabilities = new Capabilities { Bounding = all, Effective = all, Permitted = all };
            process.NoNewPrivileges = false;
        }
        return process;
    }
}
