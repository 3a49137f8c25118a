// What a container writes, and what it reads: logs and attach.

using Conman.CommandLine;
using Conman.Engine;
using Conman.Engine.Life;
using Conman.Engine.Monitoring;
using Conman.Linux;

namespace Conman;

internal static class OutputCommands
{
    public static List<Command> Of(ManagerContext context) => [Logs(context), Attach(context)];

    private static Command Logs(ManagerContext context) => new("logs", "CONTAINER", "Show what a container wrote",
        [
            new("follow", "wait for more, until it ends", Short: 'f'),
            new("since", "only what is not older: a time, or how long ago (10m)", "TIME"),
            new("tail", "only so many lines at the end (default: all)", "N", 'n'),
            new("timestamps", "the time before each line", Short: 't'),
            new("until", "only what is older: a time, or how long ago (10m)", "TIME"),
        ],
        arguments =>
        {
            using var container = context.Engine.Containers.Open(arguments.Words[0]);
            var record = container.NeedRecord();
            var now = DateTimeOffset.UtcNow;
            var options = new LogOptions
            {
                Tail = arguments.Get("tail") is not { } text || text == "all" ? -1
                    : long.TryParse(text, out var lines) ? lines : throw new UsageException($"--tail: {text} is not a number of lines"),
                Since = arguments.Get("since") is { } since ? Nanoseconds(ImageFilters.Until(since, now, "--since ")) : long.MinValue,
                Until = arguments.Get("until") is { } until ? Nanoseconds(ImageFilters.Until(until, now, "--until ")) : long.MaxValue,
            };
            using var reader = new LogReader(MonitorSettings.FormatOf(record.HostConfig!.LogConfig), MonitorSettings.LogPath(container) ?? "", options);
            var printer = new LogPrinter(arguments.Has("timestamps"));
            reader.Read(printer.Print, arguments.Has("follow") && container.Init is not null ? container.RunFolder : null, printer.Flush);
            printer.Flush();
            return 0;
        });

    private static Command Attach(ManagerContext context) => new("attach", "CONTAINER", "Be at a container's streams",
        [
            new("detach-keys", "what is typed to leave it (default: ctrl-p,ctrl-q)", "KEYS"),
            new("no-stdin", "do not pass on what is typed"),
            new("sig-proxy", "=false: do not pass on signals"),
        ],
        arguments =>
        {
            var engine = context.Engine;
            using var container = engine.Containers.Open(arguments.Words[0]);
            var record = container.NeedRecord();
            if (container.Init is not { } init)
                throw new EngineException("you cannot attach to a stopped container, start it first");
            if (Stopping.IsFrozen(engine, container.Id))
                throw new EngineException("you cannot attach to a paused container, unpause it first");
            using var process = Processes.TryOpen(init.Pid, init.StartTime) ?? throw new EngineException("you cannot attach to a stopped container, start it first");
            using var client = AttachClient.Connect(container.RunFolder!, new AttachOptions
            {
                Stdin = record.Config!.OpenStdin && !arguments.Has("no-stdin"),
                Terminal = record.Config.Tty,
                SignalProxy = arguments.Get("sig-proxy") is null || arguments.Has("sig-proxy"),
                DetachKeys = arguments.Get("detach-keys") ?? DetachKeys.Default,
            });
            var end = client.Run(process);
            return end.Detached ? 0 : end.Exit is { } exit ? exit.Code : throw new EngineException($"the monitor of container {record.Name} was killed: run 'conman system recover'");
        });

    private static long Nanoseconds(DateTimeOffset time) => (time.UtcTicks - DateTime.UnixEpoch.Ticks) * 100;
}
