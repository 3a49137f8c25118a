// The container's cgroup: where it lies, what it limits, and which devices may be opened in it.

using Conman.Engine.Settings;
using Conman.Linux;
using Conman.Oci.RuntimeSpec;

namespace Conman.Engine.Specs;

public sealed partial class SpecBuilder
{
    private const long MostProcesses = 2048, Billion = 1_000_000_000, Period = 100_000;

    private void AddResources()
    {
        var host = _in.Host;
        var resources = _linux.Resources = Limits(host, _in.LimitsProcesses);
        resources.Devices = [new DeviceCgroup { Allow = _privileged, Access = "rwm" }];

        _linux.Devices = [];
        if (_privileged)
            HostDevices.AddAll(_linux.Devices);
        foreach (var device in host.Devices ?? [])
            HostDevices.Add(device, _linux.Devices, resources.Devices);
        foreach (var rule in host.DeviceCgroupRules ?? [])
            resources.Devices.Add(HostDevices.Rule(rule));
        if (_privileged)
            resources.Devices = [new DeviceCgroup { Allow = true, Access = "rwm" }];
        if (_linux.Devices.Count == 0)
            _linux.Devices = null;

        if (host.CgroupParent.Length > 0)
            _linux.CgroupsPath = System.IO.Path.TrimEndingDirectorySeparator(host.CgroupParent) + "/conman-" + _in.Id;
    }

    /// <summary>What may be used: all of a container's resources but its devices.</summary>
    /// <param name="limitsProcesses">The host can limit how many processes there are.</param>
    internal static Resources Limits(HostConfig host, bool limitsProcesses)
    {
        var resources = new Resources
        {
            Pids = host.PidsLimit is null && !limitsProcesses ? null : new PidsResources { Limit = host.PidsLimit switch { null => MostProcesses, 0 => -1, var limit => limit } },
        };
        AddMemory(resources, host);
        AddCpu(resources, host);
        AddBlockIo(resources, host);
        foreach (var (file, value) in host.CgroupConf ?? [])
            (resources.Unified ??= [])[file] = value;
        return resources;
    }

    private static void AddMemory(Resources resources, HostConfig host)
    {
        if (host is { Memory: 0, MemoryReservation: 0, MemorySwap: 0, MemorySwappiness: null, OomKillDisable: not true })
            return;
        resources.Memory = new MemoryResources
        {
            Limit = host.Memory > 0 ? host.Memory : null,
            Reservation = host.MemoryReservation > 0 ? host.MemoryReservation : null,
            // As much swap as memory, unless it is said how much of both.
            Swap = host.MemorySwap != 0 ? host.MemorySwap : host.Memory > 0 ? host.Memory * 2 : null,
            Swappiness = host.MemorySwappiness is >= 0 and var swappiness ? (ulong)swappiness : null,
            DisableOOMKiller = host.OomKillDisable is true ? true : null,
        };
        // Half a container is of no use to anybody: out of memory, all of it goes.
        if (host.Memory > 0 && CgroupHierarchy.UnifiedOnly)
            resources.Unified = new Dictionary<string, string> { ["memory.oom.group"] = "1" };
    }

    private static void AddCpu(Resources resources, HostConfig host)
    {
        if (host is { CpuShares: 0, NanoCpus: 0, CpuPeriod: 0, CpuQuota: 0, CpuRealtimePeriod: 0, CpuRealtimeRuntime: 0, CpusetCpus: "", CpusetMems: "" })
            return;
        resources.Cpu = new CpuResources
        {
            Shares = host.CpuShares > 0 ? (ulong)host.CpuShares : null,
            Period = host.NanoCpus > 0 ? (ulong)Period : host.CpuPeriod > 0 ? (ulong)host.CpuPeriod : null,
            Quota = host.NanoCpus > 0 ? (long)((decimal)host.NanoCpus * Period / Billion) : host.CpuQuota != 0 ? host.CpuQuota : null,
            RealtimePeriod = host.CpuRealtimePeriod > 0 ? (ulong)host.CpuRealtimePeriod : null,
            RealtimeRuntime = host.CpuRealtimeRuntime > 0 ? host.CpuRealtimeRuntime : null,
            Cpus = host.CpusetCpus.Length > 0 ? host.CpusetCpus : null,
            Mems = host.CpusetMems.Length > 0 ? host.CpusetMems : null,
        };
    }

    private static void AddBlockIo(Resources resources, HostConfig host)
    {
        if (host is { BlkioWeight: 0, BlkioWeightDevice: null, BlkioDeviceReadBps: null, BlkioDeviceWriteBps: null, BlkioDeviceReadIOps: null, BlkioDeviceWriteIOps: null })
            return;
        var weights = new List<WeightDevice>();
        foreach (var device in host.BlkioWeightDevice ?? [])
        {
            var (major, minor) = HostDevices.Number("blkio-weight-device", device.Path);
            weights.Add(new WeightDevice { Major = major, Minor = minor, Weight = device.Weight });
        }
        resources.BlockIO = new BlockIo
        {
            Weight = host.BlkioWeight > 0 ? host.BlkioWeight : null,
            WeightDevice = weights.Count > 0 ? weights : null,
            ThrottleReadBpsDevice = Rates("device-read-bps", host.BlkioDeviceReadBps),
            ThrottleWriteBpsDevice = Rates("device-write-bps", host.BlkioDeviceWriteBps),
            ThrottleReadIOPSDevice = Rates("device-read-iops", host.BlkioDeviceReadIOps),
            ThrottleWriteIOPSDevice = Rates("device-write-iops", host.BlkioDeviceWriteIOps),
        };
    }

    private static List<ThrottleDevice>? Rates(string flag, List<DeviceRate>? rates)
    {
        if (rates is not { Count: > 0 })
            return null;
        var result = new List<ThrottleDevice>();
        foreach (var rate in rates)
        {
            var (major, minor) = HostDevices.Number(flag, rate.Path);
            result.Add(new ThrottleDevice { Major = major, Minor = minor, Rate = rate.Rate });
        }
        return result;
    }
}
