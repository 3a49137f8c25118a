// stats: what containers use, once or until it is enough, as Docker shows it.

using System.Globalization;
using System.Text.Json.Nodes;
using Conman.CommandLine;
using Conman.Engine;
using Conman.Engine.Statistics;
using Conman.Engine.Store;
using Conman.Formatting;
using Conman.Linux;

namespace Conman;

internal static class StatsCommand
{
    private static readonly Column[] Shown =
    [
        new("CONTAINER ID", "ID"), new("NAME", "Name"), new("CPU %", "CPUPerc"), new("MEM USAGE / LIMIT", "MemUsage"), new("MEM %", "MemPerc"), new("NET I/O", "NetIO"),
        new("BLOCK I/O", "BlockIO"), new("PIDS", "PIDs"),
    ];

    private static readonly Dictionary<string, string> Headings = new(Shown.Select(c => KeyValuePair.Create(c.Field, c.Heading))) { ["Container"] = "CONTAINER" };

    public static Command Of(ManagerContext context) => new("stats", "[CONTAINER...]", "Show what containers use",
        [
            new("all", "also those that do not run", Short: 'a'),
            new("format", "table, json or a Go template", "FORMAT"),
            new("interval", "seconds between two looks (default 1)", "SECONDS", 'i'),
            new("no-reset", "do not clear the screen before each look"),
            new("no-stream", "look once"),
            new("no-trunc", "show whole ids"),
        ],
        arguments =>
        {
            var engine = context.Engine;
            var words = arguments.Words.ConvertAll(word => (Word: word, Id: engine.Containers.Resolve(word)));
            var once = arguments.Has("no-stream");
            var interval = Math.Max(1, arguments.Number("interval", 1)) * 1000;
            var clears = !once && !arguments.Has("no-reset") && arguments.Get("format") is null && Terminals.IsTerminal(1);
            var before = Look(engine, words, arguments.Has("all"));
            for (; ; )
            {
                if (ReaderLeaves(interval))
                    return 0;
                var now = Look(engine, words, arguments.Has("all"));
                if (clears)
                    Output.Write("\x1b[H\x1b[2J");
                var whole = arguments.Has("no-trunc");
                Table.Write(now.ConvertAll(one => Row(one, before.Find(b => b.Id == one.Id).Usage, whole)), arguments.Get("format"), null, Shown, Headings);
                // Whoever named containers has seen all when they have ended.
                if (once || (words.Count > 0 && !arguments.Has("all") && now.TrueForAll(one => one.Usage is null)))
                    return 0;
                before = now;
            }
        }) { Count = (0, int.MaxValue) };

    // Waits, and only as long as there is somebody who reads.
    private static bool ReaderLeaves(int milliseconds)
    {
        Span<PollEntry> entries = [new(1, PollEvents.None)]; // tells of errors alone: a pipe without a reader
        return Waiting.Poll(entries, milliseconds);
    }

    // Those that were named, running or not; else those that run.
    private static List<(string Word, string Id, string Name, ContainerUsage? Usage)> Look(ContainerEngine engine, List<(string Word, string Id)> words, bool all)
    {
        var result = new List<(string, string, string, ContainerUsage?)>();
        foreach (var (word, id) in words.Count > 0 ? words : engine.Containers.Ids().ConvertAll(id => (Word: "", Id: id)))
        {
            using var container = engine.Containers.TryOpen(id);
            if (container is null)
                continue;
            var usage = ContainerUsage.TryRead(engine, container);
            if (usage is not null || all || words.Count > 0)
                result.Add((word.Length > 0 ? word : container.ShortId, id, container.Record?.Name ?? "", usage));
        }
        return result;
    }

    private static JsonObject Row((string Word, string Id, string Name, ContainerUsage? Usage) one, ContainerUsage? before, bool whole)
    {
        var cgroup = one.Usage?.Cgroup ?? default;
        var limit = cgroup.MemoryLimit ?? (one.Usage is null ? 0 : (ulong)GC.GetGCMemoryInfo().TotalAvailableMemoryBytes);
        return new JsonObject
        {
            ["BlockIO"] = Humane.Size(cgroup.Read ?? 0) + " / " + Humane.Size(cgroup.Written ?? 0),
            ["CPUPerc"] = Percent(one.Usage?.CpuPercent(before) ?? 0),
            ["Container"] = one.Word,
            ["ID"] = whole ? one.Id : one.Id[..12],
            ["MemPerc"] = Percent(limit == 0 ? 0 : (cgroup.Memory ?? 0) * 100.0 / limit),
            ["MemUsage"] = Humane.BinarySize(cgroup.Memory ?? 0) + " / " + Humane.BinarySize(limit),
            ["Name"] = one.Name,
            ["NetIO"] = Humane.Size(one.Usage?.Received ?? 0) + " / " + Humane.Size(one.Usage?.Sent ?? 0),
            ["PIDs"] = cgroup.Processes.ToString(CultureInfo.InvariantCulture),
        };
    }

    private static string Percent(double value) => value.ToString("0.00", CultureInfo.InvariantCulture) + "%";
}
