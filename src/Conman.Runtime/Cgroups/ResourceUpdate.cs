// `update`: what is given replaces what was, member by member; what is not given stays.

using Conman.Oci.RuntimeSpec;

namespace Conman.Runtime.Cgroups;

/// <summary>A change of linux.resources.</summary>
internal static class ResourceUpdate
{
    /// <summary>Puts a change into the resources that a container has.</summary>
    /// <returns>
    /// The change with what belongs to it: limits that the kernel takes only together (quota and period, memory and swap). Device rules are
    /// neither changed nor returned: callers send them along as they were.
    /// </returns>
    public static Resources Merge(Resources into, Resources change)
    {
        var written = new Resources
        {
            Pids = change.Pids,
            BlockIO = change.BlockIO,
            HugepageLimits = change.HugepageLimits,
            Network = change.Network,
            Rdma = change.Rdma,
            Unified = change.Unified,
        };
        if (change.Memory is { } memory)
            written.Memory = Memory(into.Memory ??= new MemoryResources(), memory);
        if (change.Cpu is { } cpu)
            written.Cpu = Cpu(into.Cpu ??= new CpuResources(), cpu);
        into.Pids = change.Pids?.Limit is null ? into.Pids : change.Pids;
        if (change.BlockIO is { } io)
            BlockIo(into.BlockIO ??= new BlockIo(), io);
        foreach (var limit in change.HugepageLimits ?? [])
        {
            (into.HugepageLimits ??= []).RemoveAll(l => l.PageSize == limit.PageSize);
            into.HugepageLimits.Add(limit);
        }
        if (change.Network is { } network)
        {
            into.Network ??= new NetworkResources();
            into.Network.ClassID = network.ClassID ?? into.Network.ClassID;
            into.Network.Priorities = network.Priorities ?? into.Network.Priorities;
        }
        foreach (var (device, limit) in change.Rdma ?? [])
            (into.Rdma ??= [])[device] = limit;
        foreach (var (file, value) in change.Unified ?? [])
            (into.Unified ??= [])[file] = value;
        return written;
    }

    private static MemoryResources Memory(MemoryResources into, MemoryResources change)
    {
        var limited = change.Limit is not null and not 0;
        var swapped = change.Swap is not null and not 0;
        if (limited)
            into.Limit = change.Limit;
        if (swapped)
            into.Swap = change.Swap;
        else if (change.Limit == -1)
            into.Swap = -1; // no limit on memory: none on memory and swap together
        into.Reservation = change.Reservation ?? into.Reservation;
        into.Swappiness = change.Swappiness ?? into.Swappiness;
        into.DisableOOMKiller = change.DisableOOMKiller ?? into.DisableOOMKiller;
        into.KernelTCP = change.KernelTCP ?? into.KernelTCP;
        into.CheckBeforeUpdate = change.CheckBeforeUpdate ?? into.CheckBeforeUpdate;
        return new MemoryResources
        {
            // The limit on both counts from that on memory: the one is not changed without the other.
            Limit = limited || swapped ? into.Limit : null,
            Swap = limited || swapped ? into.Swap : null,
            Reservation = change.Reservation,
            Swappiness = change.Swappiness,
            DisableOOMKiller = change.DisableOOMKiller,
            KernelTCP = change.KernelTCP,
            CheckBeforeUpdate = into.CheckBeforeUpdate,
        };
    }

    private static CpuResources Cpu(CpuResources into, CpuResources change)
    {
        var banded = change.Quota is not null and not 0 || change.Period is not null and not 0;
        into.Shares = change.Shares ?? into.Shares;
        into.Quota = change.Quota is null or 0 ? into.Quota : change.Quota;
        into.Period = change.Period is null or 0 ? into.Period : change.Period;
        into.Burst = change.Burst ?? into.Burst;
        into.RealtimeRuntime = change.RealtimeRuntime ?? into.RealtimeRuntime;
        into.RealtimePeriod = change.RealtimePeriod ?? into.RealtimePeriod;
        into.Cpus = string.IsNullOrEmpty(change.Cpus) ? into.Cpus : change.Cpus;
        into.Mems = string.IsNullOrEmpty(change.Mems) ? into.Mems : change.Mems;
        into.Idle = change.Idle ?? into.Idle;
        return new CpuResources
        {
            Shares = change.Shares,
            Quota = banded ? into.Quota : null,
            Period = banded ? into.Period : null,
            Burst = change.Burst,
            RealtimeRuntime = change.RealtimeRuntime,
            RealtimePeriod = change.RealtimePeriod,
            Cpus = change.Cpus,
            Mems = change.Mems,
            Idle = change.Idle,
        };
    }

    private static void BlockIo(BlockIo into, BlockIo change)
    {
        into.Weight = change.Weight ?? into.Weight;
        into.LeafWeight = change.LeafWeight ?? into.LeafWeight;
        foreach (var device in change.WeightDevice ?? [])
        {
            var old = into.WeightDevice?.Find(d => (d.Major, d.Minor) == (device.Major, device.Minor));
            (into.WeightDevice ??= []).RemoveAll(d => d == old);
            into.WeightDevice.Add(new WeightDevice
            {
                Major = device.Major, Minor = device.Minor, Weight = device.Weight ?? old?.Weight, LeafWeight = device.LeafWeight ?? old?.LeafWeight,
            });
        }
        into.ThrottleReadBpsDevice = Throttle(into.ThrottleReadBpsDevice, change.ThrottleReadBpsDevice);
        into.ThrottleWriteBpsDevice = Throttle(into.ThrottleWriteBpsDevice, change.ThrottleWriteBpsDevice);
        into.ThrottleReadIOPSDevice = Throttle(into.ThrottleReadIOPSDevice, change.ThrottleReadIOPSDevice);
        into.ThrottleWriteIOPSDevice = Throttle(into.ThrottleWriteIOPSDevice, change.ThrottleWriteIOPSDevice);
    }

    private static List<ThrottleDevice>? Throttle(List<ThrottleDevice>? into, List<ThrottleDevice>? change)
    {
        foreach (var device in change ?? [])
        {
            (into ??= []).RemoveAll(d => (d.Major, d.Minor) == (device.Major, device.Minor));
            into.Add(device);
        }
        return into;
    }
}
