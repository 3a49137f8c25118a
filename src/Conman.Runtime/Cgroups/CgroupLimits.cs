// linux.resources as writes to control files of the unified hierarchy. Pure: what is written, in order, and nothing else.

using Conman.Oci.RuntimeSpec;

namespace Conman.Runtime.Cgroups;

/// <summary>Resources → (control file, value), as Documentation/admin-guide/cgroup-v2.rst names them.</summary>
internal static class CgroupLimits
{
    public static List<(string File, string Value)> Compile(Resources? resources)
    {
        var writes = new List<(string, string)>();
        if (resources is null)
            return writes;
        Memory(writes, resources.Memory);
        Cpu(writes, resources.Cpu);
        if (resources.Pids?.Limit is { } pids && pids != 0)
            writes.Add(("pids.max", pids < 0 ? "max" : pids.ToString()));
        BlockIo(writes, resources.BlockIO);
        foreach (var limit in resources.HugepageLimits ?? [])
        {
            if (string.IsNullOrEmpty(limit.PageSize) || !limit.PageSize.All(char.IsAsciiLetterOrDigit))
                throw new RuntimeException($"linux.resources.hugepageLimits: {Plans.Words.Quote(limit.PageSize ?? "")} is no size of pages");
            writes.Add(($"hugetlb.{limit.PageSize}.max", limit.Limit.ToString()));
            writes.Add(($"hugetlb.{limit.PageSize}.rsvd.max", limit.Limit.ToString()));
        }
        foreach (var (device, limit) in resources.Rdma ?? [])
        {
            writes.Add(("rdma.max", device
                + (limit.HcaHandles is { } handles ? $" hca_handle={handles}" : "")
                + (limit.HcaObjects is { } objects ? $" hca_object={objects}" : "")));
        }
        foreach (var (file, value) in resources.Unified ?? [])
        {
            if (file.Contains('/') || file.IndexOf('.') <= 0)
                throw new RuntimeException($"linux.resources.unified: {file} is no control file");
            writes.Add((file, value));
        }
        return writes;
    }

    private static void Memory(List<(string, string)> writes, MemoryResources? memory)
    {
        if (memory is null)
            return;
        // memory.swap.max counts swap alone; the spec's limit counts memory and swap together.
        if (memory.Swap is { } swap && swap != 0)
        {
            if (swap > 0 && memory.Limit is not > 0)
                throw new RuntimeException("linux.resources.memory.swap: unable to set swap limit without memory limit");
            if (swap > 0 && swap < memory.Limit)
                throw new RuntimeException("linux.resources.memory.swap: memory+swap limit should be >= memory limit");
            writes.Add(("memory.swap.max", swap < 0 ? "max" : (swap - memory.Limit!.Value).ToString()));
        }
        if (memory.Limit is { } limit && limit != 0)
            writes.Add(("memory.max", limit < 0 ? "max" : limit.ToString()));
        if (memory.Reservation is { } low && low != 0)
            writes.Add(("memory.low", low < 0 ? "max" : low.ToString()));
    }

    private static void Cpu(List<(string, string)> writes, CpuResources? cpu)
    {
        if (cpu is null)
            return;
        if (cpu.RealtimeRuntime is not null and not 0 || cpu.RealtimePeriod is not null and not 0)
            throw new RuntimeException("linux.resources.cpu.realtimeRuntime: the unified hierarchy has no realtime limits");
        if (cpu.Idle is { } idle)
            writes.Add(("cpu.idle", idle.ToString()));
        if (cpu.Shares is { } shares && shares != 0)
            writes.Add(("cpu.weight", Weight(shares).ToString()));
        // Old burst may be above the new quota, the new one above the old: lowered first, set last.
        if (cpu.Quota is { } quota && quota != 0 || cpu.Period is { } period && period != 0)
        {
            var limit = cpu.Quota is > 0 ? cpu.Quota.Value.ToString() : "max";
            writes.Add(("cpu.max", cpu.Period is { } p and not 0 ? $"{limit} {p}" : limit));
        }
        if (cpu.Burst is { } burst)
            writes.Add(("cpu.max.burst", burst.ToString()));
        if (!string.IsNullOrEmpty(cpu.Cpus))
            writes.Add(("cpuset.cpus", cpu.Cpus));
        if (!string.IsNullOrEmpty(cpu.Mems))
            writes.Add(("cpuset.mems", cpu.Mems));
    }

    /// <summary>
    /// cpu.shares (2 to 262144, default 1024) as cpu.weight (1 to 10000, default 100): the curve through both minima, both defaults and both
    /// maxima that the runtimes agreed on in 2025, so that a default container has the default weight.
    /// </summary>
    internal static ulong Weight(ulong shares)
    {
        if (shares <= 2)
            return 1;
        if (shares >= 262144)
            return 10000;
        var l = Math.Log2(shares);
        return (ulong)Math.Ceiling(Math.Pow(10, ((l * l) + (125 * l)) / 612.0 - (7.0 / 34.0)));
    }

    private static void BlockIo(List<(string, string)> writes, BlockIo? io)
    {
        if (io is null)
            return;
        if (io.LeafWeight is not null and not 0)
            throw new RuntimeException("linux.resources.blockIO.leafWeight: the unified hierarchy has no leaf weight");
        if (io.Weight is { } weight && weight != 0)
            writes.Add(("io.bfq.weight", weight.ToString()));
        foreach (var device in io.WeightDevice ?? [])
            writes.Add(("io.bfq.weight", $"{device.Major}:{device.Minor} {device.Weight}"));
        Throttle("rbps", io.ThrottleReadBpsDevice);
        Throttle("wbps", io.ThrottleWriteBpsDevice);
        Throttle("riops", io.ThrottleReadIOPSDevice);
        Throttle("wiops", io.ThrottleWriteIOPSDevice);

        void Throttle(string what, List<ThrottleDevice>? devices)
        {
            foreach (var device in devices ?? [])
                writes.Add(("io.max", $"{device.Major}:{device.Minor} {what}={device.Rate}"));
        }
    }
}
