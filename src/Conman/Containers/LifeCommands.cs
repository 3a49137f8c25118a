// What is done to containers that are there: stop, kill, restart, rm, wait, pause, unpause, rename, prune.

using Conman.CommandLine;
using Conman.Engine;
using Conman.Engine.Life;
using Conman.Engine.Networking;
using Conman.Engine.Pods;
using Conman.Engine.Store;
using Conman.Formatting;
using Conman.Linux;

namespace Conman;

internal static class LifeCommands
{
    private static readonly Option All = new("all", "all containers", Short: 'a');

    public static List<Command> Of(ManagerContext context) =>
    [
        Stop(context), Kill(context), Restart(context), Remove(context), Wait(context),
        Freeze(context, "pause", "Stop every process of containers where it is", true), Freeze(context, "unpause", "Let paused containers go on", false), Rename(context),
    ];

    private static Command Stop(ManagerContext context) => new("stop", "CONTAINER...", "Stop containers: a signal, and after a while SIGKILL",
        [
            All,
            new("ignore", "one that does not exist is no error", Short: 'i'),
            new("signal", "the first signal (default: the container's, or SIGTERM)", "SIGNAL", 's'),
            new("time", "seconds until SIGKILL, -1: never (default: the container's, or 10)", "SECONDS", 't'),
            new("timeout", "as --time", "SECONDS"),
        ],
        arguments =>
        {
            var engine = context.Engine;
            var seconds = Seconds(arguments);
            var signal = SignalOf(arguments);
            var stopping = new Dictionary<string, (Container Container, bool Ran, int? Seconds)>();
            // All are told first, so that they take their time together.
            var words = Targets.Of(engine, arguments.Words, arguments.Has("all"), c => c.Init is not null || c.State.RestartsAt is not null);
            if (arguments.Has("ignore"))
                words = words.FindAll(w => engine.Containers.TryResolve(w) is not null);
            var code = Targets.Each(words, word =>
            {
                using var container = engine.Containers.OpenLocked(word);
                var (ran, patience) = (Stopping.Begin(engine, container, signal), Timeout(container, seconds));
                if (ran && patience == 0)
                    Stopping.Kill(engine, container); // all of them before any is waited for
                stopping[word] = (container, ran, patience);
            }, print: false);
            return Math.Max(code, Targets.Each(words.Where(stopping.ContainsKey), word =>
            {
                var (container, ran, patience) = stopping[word];
                Stopping.Finish(engine, container.Id, patience);
                if (ran)
                    engine.Tell(container, "stop");
            }));
        }) { Count = (0, int.MaxValue) };

    private static Command Kill(ManagerContext context) => new("kill", "CONTAINER...", "Send a signal to the first process of containers",
        [new("signal", "by name or number (default: KILL)", "SIGNAL", 's'), All],
        arguments =>
        {
            var engine = context.Engine;
            var signal = SignalOf(arguments) ?? Signals.SIGKILL;
            return Targets.Each(Targets.Of(engine, arguments.Words, arguments.Has("all"), c => c.Init is not null), word =>
            {
                string id;
                using (var container = engine.Containers.OpenLocked(word))
                {
                    id = container.Id;
                    if (container.Init is null)
                        throw new EngineException($"cannot kill container {word}: it is not running");
                    if (signal != Signals.SIGKILL)
                    {
                        Stopping.Signal(engine, container, signal);
                        return;
                    }
                    Stopping.Begin(engine, container, signal);
                }
                Stopping.Finish(engine, id, null);
            });
        }) { Count = (0, int.MaxValue) };

    private static Command Restart(ManagerContext context) => new("restart", "CONTAINER...", "Stop containers, if they run, and start them",
        [
            All,
            new("running", "only those that run"),
            new("signal", "the first signal (default: the container's, or SIGTERM)", "SIGNAL", 's'),
            new("time", "seconds until SIGKILL, -1: never (default: the container's, or 10)", "SECONDS", 't'),
            new("timeout", "as --time", "SECONDS"),
        ],
        arguments =>
        {
            var engine = context.Engine;
            var running = arguments.Has("running");
            return Targets.Each(Targets.Of(engine, arguments.Words, arguments.Has("all") || (running && arguments.Words.Count == 0), c => !running || c.Init is not null), word =>
            {
                string id;
                bool runs;
                int? seconds;
                using (var container = engine.Containers.OpenLocked(word))
                {
                    if (container.Transient)
                        throw new EngineException($"cannot restart container {word}: it was run with --rm, and is removed when it ends");
                    id = container.Id;
                    seconds = Timeout(container, Seconds(arguments));
                    runs = Stopping.Begin(engine, container, SignalOf(arguments));
                }
                if (runs)
                    Stopping.Finish(engine, id, seconds);
                using var stopped = engine.Containers.OpenLocked(id);
                Starting.Start(engine, stopped);
                engine.Tell(stopped, "restart");
            });
        }) { Count = (0, int.MaxValue) };

    private static Command Remove(ManagerContext context) => new("rm", "CONTAINER...", "Remove containers",
        [
            All,
            new("force", "also those that run, and those that are damaged; one that does not exist is no error", Short: 'f'),
            new("ignore", "one that does not exist is no error", Short: 'i'),
            new("volumes", "their anonymous volumes as well", Short: 'v'),
        ],
        arguments =>
        {
            var engine = context.Engine;
            var force = arguments.Has("force");
            return Targets.Each(Targets.Of(engine, arguments.Words, arguments.Has("all"), _ => true), word =>
            {
                if (engine.Containers.TryResolve(word) is not { } id)
                {
                    if (force || arguments.Has("ignore"))
                        return;
                    throw new NoSuchContainerException(word);
                }
                using var container = engine.Containers.TryOpenLocked(id);
                if (container?.Record is { Holds: not null, Name: var pod } && PodStore.Members(engine, id).Count > 0)
                    throw new EngineException($"container {word} holds pod {pod} together: it is removed with the pod: 'conman pod rm {pod}'");
                if (container is not null)
                    Removing.Remove(engine, container, force, arguments.Has("volumes"));
            });
        }) { Count = (0, int.MaxValue) };

    private static Command Wait(ManagerContext context) => new("wait", "CONTAINER...", "Wait until containers have ended, and print their exit codes",
        [new("ignore", "one that does not exist is no error: -1", Short: 'i')],
        arguments =>
        {
            var engine = context.Engine;
            return Targets.Each(arguments.Words, word =>
            {
                if (arguments.Has("ignore") && engine.Containers.TryResolve(word) is null)
                    Output.Write("-1\n");
                else
                    Output.Write(Waits.ForExit(engine, engine.Containers.Resolve(word)) + "\n");
            }, print: false);
        }) { Count = (1, int.MaxValue) };

    private static Command Freeze(ManagerContext context, string name, string help, bool freeze) => new(name, "CONTAINER...", help, [All],
        arguments =>
        {
            var engine = context.Engine;
            return Targets.Each(Targets.Of(engine, arguments.Words, arguments.Has("all"), c => c.Init is not null && Stopping.IsFrozen(engine, c.Id) != freeze), word =>
            {
                using var container = engine.Containers.OpenLocked(word);
                Stopping.Freeze(engine, container, freeze);
            });
        }) { Count = (0, int.MaxValue) };

    private static Command Rename(ManagerContext context) => new("rename", "CONTAINER NAME", "Give a container another name", [],
        arguments =>
        {
            using var container = context.Engine.Containers.OpenLocked(arguments.Words[0]);
            var before = container.Record?.Name;
            context.Engine.Containers.Rename(container, arguments.Words[1].TrimStart('/'));
            Members.Renamed(context.Engine, container);
            context.Engine.Tell(container, "rename", ("oldName", "/" + before));
            return 0;
        }) { Count = (2, 2) };

    /// <summary><c>container prune</c>.</summary>
    public static Command Prune(ManagerContext context) => new("prune", "", "Remove all containers that do not run",
        [new("filter", "only those with label=KEY[=VALUE], label!=KEY[=VALUE] or until=TIME", "FILTER", Repeats: true), new("force", "do not ask", Short: 'f')],
        arguments =>
        {
            if (!arguments.Has("force") && !Prompt.Confirms("WARNING! This will remove all stopped containers."))
                return 0;
            Output.Write($"Total reclaimed space: {Humane.Size(RemoveStopped(context.Engine, arguments.All("filter")).Bytes)}\n");
            return 0;
        }) { Count = (0, 0) };

    /// <summary>Removes containers that do not run; tells of each, and returns what they took.</summary>
    public static DiskUse RemoveStopped(ContainerEngine engine, List<string> filters)
    {
        var removed = new List<string>();
        var freed = default(DiskUse);
        foreach (var id in ContainerFilters.ForPrune(engine, filters))
        {
            using var container = engine.Containers.TryOpenLocked(id);
            if (container is null || container.Record?.Holds is not null || container.Status(() => false) is not (ContainerStatus.Exited or ContainerStatus.Created or ContainerStatus.Dead))
                continue;
            freed += Trees.Measure(Files.CurrentDirectory, container.Path);
            Removing.Remove(engine, container, force: false, volumes: true);
            removed.Add(id);
        }
        if (removed.Count > 0)
            Output.Write("Deleted Containers:\n" + string.Join('\n', removed) + "\n\n");
        return freed;
    }

    private static int? Seconds(Arguments arguments) => (arguments.Get("time") ?? arguments.Get("timeout")) is not { } text ? null
        : int.TryParse(text, out var seconds) && seconds >= -1 ? seconds
        : throw new UsageException($"--time: {text} is not a number of seconds");

    // What is asked now, else what was asked when it was made; never where that is -1.
    private static int? Timeout(Container container, int? asked) =>
        (asked ?? container.Record?.Config?.StopTimeout ?? Stopping.DefaultTimeout) is >= 0 and var seconds ? seconds : null;

    private static int? SignalOf(Arguments arguments) => arguments.Get("signal") is not { } text ? null
        : Signals.Parse(text) is > 0 and var signal ? signal
        : throw new UsageException($"--signal: there is no signal {text}");
}
