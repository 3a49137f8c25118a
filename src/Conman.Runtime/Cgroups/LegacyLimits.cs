// linux.resources as writes to control files of cgroup v1. Pure, as CgroupLimits is for the unified hierarchy.

using Conman.Oci.RuntimeSpec;

namespace Conman.Runtime.Cgroups;

/// <summary>Resources → (control file, value), as Documentation/admin-guide/cgroup-v1 names them.</summary>
internal static class LegacyLimits
{
    public static List<CgroupWrite> Compile(Resources? resources)
    {
        var writes = new List<CgroupWrite>();
        if (resources is null)
            return writes;
        if (resources.Unified is { Count: > 0 })
            throw new RuntimeException("linux.resources.unified: invalid configuration: cannot use unified on cgroup v1");
        Memory(writes, resources.Memory);
        Cpu(writes, resources.Cpu);
        if (resources.Pids?.Limit is { } pids)
            writes.Add(new("pids.max", CgroupLimits.Pids(pids)));
        BlockIo(writes, resources.BlockIO);
        CgroupLimits.HugePages(writes, resources.HugepageLimits, "limit_in_bytes");
        CgroupLimits.Rdma(writes, resources.Rdma);
        if (resources.Network?.ClassID is { } classId)
            writes.Add(new("net_cls.classid", classId.ToString()));
        foreach (var priority in resources.Network?.Priorities ?? [])
            writes.Add(new("net_prio.ifpriomap", $"{priority.Name} {priority.Priority}"));
        return writes;
    }

    private static void Memory(List<CgroupWrite> writes, MemoryResources? memory)
    {
        if (memory is null)
            return;
        if (memory.Limit is > 0 && memory.Swap is > 0 && memory.Swap < memory.Limit)
            throw new RuntimeException("linux.resources.memory.swap: memory+swap limit should be >= memory limit");
        // Whichever of the two does not fit the other's old value is written again after it.
        if (memory.Limit is { } limit && limit != 0)
            writes.Add(new("memory.limit_in_bytes", limit.ToString()));
        if (memory.Swap is { } swap && swap != 0)
            writes.Add(new("memory.memsw.limit_in_bytes", swap.ToString()) { IfThere = swap < 0 });
        else if (memory.Limit == -1)
            writes.Add(new("memory.memsw.limit_in_bytes", "-1") { IfThere = true });
        if (memory.Reservation is { } reservation && reservation != 0)
            writes.Add(new("memory.soft_limit_in_bytes", reservation.ToString()));
        if (memory.KernelTCP is { } tcp && tcp != 0)
            writes.Add(new("memory.kmem.tcp.limit_in_bytes", tcp.ToString()));
        if (memory.DisableOOMKiller is true)
            writes.Add(new("memory.oom_control", "1"));
        if (memory.Swappiness is { } swappiness)
        {
            if (swappiness > 100)
                throw new RuntimeException($"linux.resources.memory.swappiness: invalid memory swappiness value: {swappiness} (valid range is 0-100)");
            writes.Add(new("memory.swappiness", swappiness.ToString()));
        }
    }

    private static void Cpu(List<CgroupWrite> writes, CpuResources? cpu)
    {
        if (cpu is null)
            return;
        Add("cpu.rt_period_us", cpu.RealtimePeriod ?? 0);
        if (cpu.RealtimeRuntime is { } runtime && runtime != 0)
            writes.Add(new("cpu.rt_runtime_us", runtime.ToString()));
        if (cpu.Idle is { } idle)
            writes.Add(new("cpu.idle", idle.ToString()));
        if (cpu.Shares is { } shares && shares != 0)
        {
            // The kernel would take what is out of bounds for the bound, and say nothing.
            if (shares is < 2 or > 262144)
                throw new RuntimeException($"linux.resources.cpu.shares: the {(shares < 2 ? "minimum" : "maximum")} allowed cpu-shares is {(shares < 2 ? 2 : 262144)}");
            Add("cpu.shares", shares);
        }
        Add("cpu.cfs_period_us", cpu.Period ?? 0);
        if (cpu.Quota is { } quota && quota != 0)
            writes.Add(new("cpu.cfs_quota_us", quota.ToString()));
        if (cpu.Burst is { } burst)
            writes.Add(new("cpu.cfs_burst_us", burst.ToString()));
        if (!string.IsNullOrEmpty(cpu.Cpus))
            writes.Add(new("cpuset.cpus", cpu.Cpus));
        if (!string.IsNullOrEmpty(cpu.Mems))
            writes.Add(new("cpuset.mems", cpu.Mems));

        void Add(string file, ulong value)
        {
            if (value != 0)
                writes.Add(new(file, value.ToString()));
        }
    }

    // The weights are those of whichever scheduler the kernel has: CFQ (until Linux 5.0) or BFQ, which knows no leaves.
    private static void BlockIo(List<CgroupWrite> writes, BlockIo? io)
    {
        if (io is null)
            return;
        if (io.Weight is { } weight && weight != 0)
            writes.Add(new("blkio.weight", weight.ToString()) { Otherwise = new("blkio.bfq.weight", weight.ToString()) });
        if (io.LeafWeight is { } leaf && leaf != 0)
            writes.Add(new("blkio.leaf_weight", leaf.ToString()));
        foreach (var device in io.WeightDevice ?? [])
        {
            var name = $"{device.Major}:{device.Minor} ";
            if (device.Weight is { } own)
                writes.Add(new("blkio.weight_device", name + own) { Otherwise = new("blkio.bfq.weight_device", name + own) });
            if (device.LeafWeight is { } ownLeaf)
                writes.Add(new("blkio.leaf_weight_device", name + ownLeaf));
        }
        Throttle("read_bps", io.ThrottleReadBpsDevice);
        Throttle("write_bps", io.ThrottleWriteBpsDevice);
        Throttle("read_iops", io.ThrottleReadIOPSDevice);
        Throttle("write_iops", io.ThrottleWriteIOPSDevice);

        void Throttle(string what, List<ThrottleDevice>? devices)
        {
            foreach (var device in devices ?? [])
                writes.Add(new($"blkio.throttle.{what}_device", $"{device.Major}:{device.Minor} {device.Rate}"));
        }
    }
}
