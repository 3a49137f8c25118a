// What a container uses at this moment: the few numbers that a person wants to see, of either version of cgroups.

using Conman.Linux;

namespace Conman.Runtime.Cgroups;

/// <summary>Numbers of one cgroup; null where no controller tells them.</summary>
/// <param name="Cpu">CPU time so far, nanoseconds.</param>
/// <param name="Memory">Bytes, without what the kernel can drop at once (inactive file pages).</param>
/// <param name="MemoryLimit">Bytes; null: none.</param>
/// <param name="Read">Bytes read from block devices so far.</param>
/// <param name="Written">Bytes written to them.</param>
/// <param name="Processes">Processes, and their threads where the controller is there.</param>
public readonly record struct CgroupUsage(ulong? Cpu, ulong? Memory, ulong? MemoryLimit, ulong? Read, ulong? Written, ulong Processes)
{
    // What v1 shows as no limit: the largest number of pages, in bytes.
    private const ulong Unlimited = long.MaxValue / 4096 * 4096;

    /// <summary>Asks the kernel.</summary>
    public static CgroupUsage Of(ContainerCgroup cgroup) => cgroup.IsLegacy ? Legacy(cgroup) : Unified(cgroup);

    private static CgroupUsage Unified(ContainerCgroup cgroup)
    {
        var io = Text(cgroup, "io", "io.stat");
        return new CgroupUsage(
            Entry(Text(cgroup, "cpu", "cpu.stat"), "usage_usec") * 1000,
            Without(Number(cgroup, "memory", "memory.current"), Entry(Text(cgroup, "memory", "memory.stat"), "inactive_file")),
            Number(cgroup, "memory", "memory.max"),
            Sum(io, "rbytes="),
            Sum(io, "wbytes="),
            Count(cgroup));
    }

    private static CgroupUsage Legacy(ContainerCgroup cgroup)
    {
        var io = Text(cgroup, "blkio", "blkio.throttle.io_service_bytes_recursive");
        return new CgroupUsage(
            Number(cgroup, "cpuacct", "cpuacct.usage"),
            Without(Number(cgroup, "memory", "memory.usage_in_bytes"), Entry(Text(cgroup, "memory", "memory.stat"), "total_inactive_file")),
            Number(cgroup, "memory", "memory.limit_in_bytes") is var limit and < Unlimited ? limit : null,
            Sum(io, "Read "),
            Sum(io, "Write "),
            Count(cgroup));
    }

    // Threads too, where a controller counts them.
    private static ulong Count(ContainerCgroup cgroup) => Number(cgroup, "pids", "pids.current") ?? (ulong)cgroup.Folder.Processes().Count;

    private static ulong? Without(ulong? usage, ulong? part) => usage is { } all ? all - Math.Min(all, part ?? 0) : null;

    private static ulong? Number(ContainerCgroup cgroup, string controller, string file) => ulong.TryParse(Text(cgroup, controller, file), out var number) ? number : null;

    private static ulong? Entry(string? table, string name)
    {
        foreach (var line in (table ?? "").Split('\n'))
        {
            if (line.StartsWith(name, StringComparison.Ordinal) && line.Length > name.Length && line[name.Length] == ' ' && ulong.TryParse(line.AsSpan(name.Length + 1), out var number))
                return number;
        }
        return null;
    }

    // The numbers after a word, of all devices: "8:0 rbytes=4096 wbytes=0 …" or "8:0 Read 4096".
    private static ulong? Sum(string? lines, string word)
    {
        if (lines is null)
            return null;
        var sum = 0ul;
        for (var at = 0; (at = lines.IndexOf(" " + word, at, StringComparison.Ordinal)) >= 0;)
        {
            at += word.Length + 1;
            var digits = lines.AsSpan(at).IndexOfAnyExceptInRange('0', '9');
            if (ulong.TryParse(digits < 0 ? lines.AsSpan(at) : lines.AsSpan(at, digits), out var number))
                sum += number;
        }
        return sum;
    }

    private static string? Text(ContainerCgroup cgroup, string controller, string file)
    {
        try
        {
            return cgroup.FolderOf(controller)?.TryRead(file);
        }
        catch (LinuxException)
        {
            return null; // a file that the kernel has and does not answer
        }
    }
}
