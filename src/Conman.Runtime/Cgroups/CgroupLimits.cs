// linux.resources as writes to control files of the unified hierarchy. Pure: what is written, in order, and nothing else.

using Conman.Oci.RuntimeSpec;

namespace Conman.Runtime.Cgroups;

/// <summary>Resources → (control file, value), as Documentation/admin-guide/cgroup-v2.rst names them.</summary>
internal static class CgroupLimits
{
    /// <summary>For the hierarchies that a host has.</summary>
    /// <param name="legacy">A hybrid or v1 host.</param>
    public static List<CgroupWrite> Compile(Resources? resources, bool legacy) => legacy ? LegacyLimits.Compile(resources) : Compile(resources);

    public static List<CgroupWrite> Compile(Resources? resources)
    {
        var writes = new List<CgroupWrite>();
        if (resources is null)
            return writes;
        Memory(writes, resources.Memory);
        Cpu(writes, resources.Cpu);
        if (resources.Pids?.Limit is { } pids)
            writes.Add(new("pids.max", Pids(pids)));
        BlockIo(writes, resources.BlockIO);
        HugePages(writes, resources.HugepageLimits, "max");
        Rdma(writes, resources.Rdma);
        if (resources.Network is { } network && (network.ClassID is not null || network.Priorities is { Count: > 0 }))
        {
            throw new RuntimeException(network.ClassID is not null
                ? "linux.resources.network.classID: the net_cls controller is not available"
                : "linux.resources.network.priorities: the net_prio controller is not available");
        }
        foreach (var (file, value) in resources.Unified ?? [])
        {
            if (file.Contains('/') || file.IndexOf('.') <= 0)
                throw new RuntimeException($"linux.resources.unified: {file} is no control file");
            writes.Add(new(file, value));
        }
        return writes;
    }

    /// <summary>What callers give though the kernel has nothing like it, or no more: a sentence for each.</summary>
    public static IEnumerable<string> Warnings(Resources? resources, bool legacy)
    {
        var memory = resources?.Memory;
        if (memory is null)
            yield break;
        if (memory.Kernel is not null and not 0 || (!legacy && memory.KernelTCP is not null and not 0))
            yield return "Kernel memory settings are ignored: linux.resources.memory.kernel, kernelTCP";
        if (!legacy && memory.Swappiness is not null)
            yield return "linux.resources.memory.swappiness has no effect: the unified hierarchy has no such setting";
        if (!legacy && memory.DisableOOMKiller is true)
            yield return "linux.resources.memory.disableOOMKiller has no effect: the unified hierarchy has no such setting";
    }

    private static void Memory(List<CgroupWrite> writes, MemoryResources? memory)
    {
        if (memory is null)
            return;
        // memory.swap.max counts swap alone; the spec's limit counts memory and swap together. No limit on memory, none on swap, unless one is given.
        var swap = memory.Swap is null or 0 && memory.Limit == -1 ? -1 : memory.Swap ?? 0;
        if (swap != 0)
        {
            if (swap > 0 && memory.Limit is null or 0)
                throw new RuntimeException("linux.resources.memory.swap: unable to set swap limit without memory limit");
            if (swap > 0 && swap < memory.Limit)
                throw new RuntimeException("linux.resources.memory.swap: memory+swap limit should be >= memory limit");
            var value = swap < 0 ? "max" : (memory.Limit < 0 ? swap : swap - memory.Limit!.Value).ToString();
            // A kernel without swap has no file, and keeps to these without.
            writes.Add(new("memory.swap.max", value) { IfThere = value is "max" or "0" });
        }
        if (memory.Limit is { } limit && limit != 0)
            writes.Add(new("memory.max", limit < 0 ? "max" : limit.ToString()));
        if (memory.Reservation is { } low && low != 0)
            writes.Add(new("memory.low", low < 0 ? "max" : low.ToString()));
    }

    private static void Cpu(List<CgroupWrite> writes, CpuResources? cpu)
    {
        if (cpu is null)
            return;
        if (cpu.RealtimeRuntime is not null and not 0 || cpu.RealtimePeriod is not null and not 0)
            throw new RuntimeException("linux.resources.cpu.realtimeRuntime: the unified hierarchy has no realtime limits");
        if (cpu.Idle is { } idle)
            writes.Add(new("cpu.idle", idle.ToString()));
        if (cpu.Shares is { } shares && shares != 0)
            writes.Add(new("cpu.weight", Weight(shares).ToString()));
        if (cpu.Quota is { } quota && quota != 0 || cpu.Period is { } period && period != 0)
        {
            var limit = cpu.Quota is > 0 ? cpu.Quota.Value.ToString() : "max";
            writes.Add(new("cpu.max", cpu.Period is { } p and not 0 ? $"{limit} {p}" : limit));
        }
        if (cpu.Burst is { } burst)
            writes.Add(new("cpu.max.burst", burst.ToString()));
        if (!string.IsNullOrEmpty(cpu.Cpus))
            writes.Add(new("cpuset.cpus", cpu.Cpus));
        if (!string.IsNullOrEmpty(cpu.Mems))
            writes.Add(new("cpuset.mems", cpu.Mems));
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

    /// <summary>pids.max: below 0 no limit; 0 is 1, as systemd has it, which knows no 0 (the process itself is there already).</summary>
    internal static string Pids(long limit) => limit < 0 ? "max" : Math.Max(limit, 1).ToString();

    private static void BlockIo(List<CgroupWrite> writes, BlockIo? io)
    {
        if (io is null)
            return;
        if (io.LeafWeight is not null and not 0)
            throw new RuntimeException("linux.resources.blockIO.leafWeight: the unified hierarchy has no leaf weight");
        if (io.Weight is { } weight && weight != 0)
            writes.Add(Weight("", weight));
        foreach (var device in io.WeightDevice ?? [])
        {
            if (device.LeafWeight is not null and not 0)
                throw new RuntimeException("linux.resources.blockIO.weightDevice: the unified hierarchy has no leaf weight");
            if (device.Weight is { } own)
                writes.Add(Weight($"{device.Major}:{device.Minor} ", own));
        }
        Throttle("rbps", io.ThrottleReadBpsDevice);
        Throttle("wbps", io.ThrottleWriteBpsDevice);
        Throttle("riops", io.ThrottleReadIOPSDevice);
        Throttle("wiops", io.ThrottleWriteIOPSDevice);

        // The BFQ scheduler's weight (1 to 1000) is the spec's (10 to 1000); without that scheduler, the io.cost model's (1 to 10000).
        static CgroupWrite Weight(string device, ushort weight) => new("io.bfq.weight", $"{device}{weight}")
        {
            Otherwise = new("io.weight", $"{device}{1 + (Math.Max((int)weight, 10) - 10) * 9999 / 990}"),
        };

        void Throttle(string what, List<ThrottleDevice>? devices)
        {
            foreach (var device in devices ?? [])
                writes.Add(new("io.max", $"{device.Major}:{device.Minor} {what}={(device.Rate == 0 ? "max" : device.Rate)}"));
        }
    }

    /// <summary>The limit on what is used, and that on what is reserved (Linux 5.7), of which the first fault would otherwise be a SIGBUS.</summary>
    internal static void HugePages(List<CgroupWrite> writes, List<HugepageLimit>? limits, string file)
    {
        foreach (var limit in limits ?? [])
        {
            if (string.IsNullOrEmpty(limit.PageSize) || !limit.PageSize.All(char.IsAsciiLetterOrDigit))
                throw new RuntimeException($"linux.resources.hugepageLimits: {Plans.Words.Quote(limit.PageSize ?? "")} is no size of pages");
            writes.Add(new($"hugetlb.{limit.PageSize}.{file}", limit.Limit.ToString()));
            writes.Add(new($"hugetlb.{limit.PageSize}.rsvd.{file}", limit.Limit.ToString()) { IfThere = true });
        }
    }

    /// <summary>rdma.max is the same in both versions.</summary>
    internal static void Rdma(List<CgroupWrite> writes, Dictionary<string, RdmaLimit>? limits)
    {
        foreach (var (device, limit) in limits ?? [])
        {
            writes.Add(new("rdma.max", device
                + (limit.HcaHandles is { } handles ? $" hca_handle={handles}" : "")
                + (limit.HcaObjects is { } objects ? $" hca_object={objects}" : "")));
        }
    }
}
