// events: what a container uses, at intervals or once, and word of each kill for want of memory; a JSON document a line, as runc prints them.

using System.Globalization;
using Conman.CommandLine;
using Conman.Linux;
using Conman.Oci;
using Conman.Runtime;
using Conman.Runtime.Cgroups;
using Conman.Runtime.Containers;

namespace Conman.Runc;

internal static class EventsCommand
{
    public static int Run(OciContext context, Arguments arguments)
    {
        var interval = Milliseconds(arguments.Get("interval") ?? "5s");
        using var container = Container.Open(context.Root, arguments.Words[0]);
        using var init = container.TryOpenInit();
        if (init is null || container.Status == ContainerStatus.Stopped)
            throw new RuntimeException($"container with id {container.Id} is not running");
        var cgroup = container.Cgroup ?? throw new RuntimeException($"container {container.Id} has no cgroup");
        if (arguments.Has("stats"))
        {
            PrintStatistics(container.Id, cgroup, () =>
            {
                using var log = KernelLog.TryOpen(fromNow: false);
                return log?.Read(cgroup) ?? [];
            });
            return 0;
        }
        Follow(container.Id, cgroup, init, interval);
        return 0;
    }

    // Until the container ends, or nobody reads any more. Between two intervals only the kernel wakes this.
    private static void Follow(string id, ContainerCgroup cgroup, FileDescriptor init, long interval)
    {
        using var watch = OomWatch.Begin(cgroup);
        using var log = KernelLog.TryOpen(fromNow: true);
        var killed = new List<OomKill>();
        var next = Environment.TickCount64 + interval;
        Span<PollEntry> entries = stackalloc PollEntry[3];
        for (; ; )
        {
            entries[0] = new(init.Number, PollEvents.In);
            entries[1] = watch.Entry;
            entries[2] = new(1, PollEvents.None); // tells of errors alone: a pipe without a reader
            Waiting.Poll(entries, (int)Math.Clamp(next - Environment.TickCount64, 0, int.MaxValue));
            if (watch.Killed() is > 0 and var count)
            {
                var now = log?.Await(cgroup, 1000) ?? []; // it names the process before it kills; v1 speaks before either
                killed.AddRange(now);
                PrintKill(id, count, now);
            }
            if (entries[0].Returned != 0 || entries[2].Returned != 0)
                return;
            if (Environment.TickCount64 < next)
                continue;
            PrintStatistics(id, cgroup, () => killed);
            next += interval;
        }
    }

    private static void PrintStatistics(string id, ContainerCgroup cgroup, Func<IReadOnlyList<OomKill>> killed)
    {
        var json = new OciWriter();
        json.WriteStartObject();
        json.WriteString("type"u8, "stats");
        json.WriteString("id"u8, id);
        json.WritePropertyName("data"u8);
        CgroupStatistics.Write(json, cgroup, killed);
        json.WriteEndObject();
        Print(json);
    }

    // runc's document, and two members more: how many, and who, where the kernel's log can be read and says it.
    private static void PrintKill(string id, ulong count, List<OomKill> killed)
    {
        var json = new OciWriter();
        json.WriteStartObject();
        json.WriteString("type"u8, "oom");
        json.WriteString("id"u8, id);
        json.WriteNumber("count"u8, (long)count);
        if (killed.Count > 0)
            OomKill.Write(json, killed);
        json.WriteEndObject();
        Print(json);
    }

    private static void Print(OciWriter json) => Output.Write([.. json.Written, (byte)'\n']);

    // A duration as Go writes it: 5s, 1m30s, 500ms.
    internal static long Milliseconds(string text)
    {
        double total = 0;
        var rest = text.AsSpan();
        var valid = !rest.IsEmpty;
        while (valid && !rest.IsEmpty)
        {
            var digits = rest.IndexOfAnyExcept("0123456789.");
            if (digits < 0 && text == "0")
                break;
            valid = digits > 0 && double.TryParse(rest[..digits], NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out _);
            if (!valid)
                break;
            var number = double.Parse(rest[..digits], CultureInfo.InvariantCulture);
            rest = rest[digits..];
            var letters = rest.IndexOfAny("0123456789.");
            var unit = letters < 0 ? rest : rest[..letters];
            double factor = unit switch { "h" => 3_600_000, "m" => 60_000, "s" => 1000, "ms" => 1, "us" or "µs" => 1e-3, "ns" => 1e-6, _ => 0 };
            valid = factor > 0;
            total += number * factor;
            rest = rest[unit.Length..];
        }
        if (!valid)
            throw new UsageException($"--interval: {text} is no duration, such as 5s or 1m30s");
        return total > 0 ? Math.Max(1, (long)Math.Min(total, int.MaxValue)) : throw new RuntimeException("duration interval must be greater than 0");
    }
}
