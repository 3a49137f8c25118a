// update: other limits, another restart policy, another health check, of a container that is there. What runs is changed first, then what is
// written down: killed in between, the command can be given again.

using Conman.Engine.Settings;
using Conman.Engine.Specs;
using Conman.Engine.Store;
using Conman.Linux;
using Conman.Oci.ImageSpec;
using Conman.Oci.RuntimeSpec;
using Container = Conman.Engine.Store.Container;
using OciContainer = Conman.Runtime.Containers.Container;

namespace Conman.Engine.Life;

public static class Updating
{
    /// <summary>Changes a locked container.</summary>
    /// <param name="change">Puts what is new into its settings, and refuses what makes no sense.</param>
    public static void Update(ContainerEngine engine, Container container, Action<ContainerConfig, HostConfig> change)
    {
        var record = container.NeedRecord();
        var before = HostConfig.Parse(record.HostConfig!.ToUtf8(indented: false));
        var check = record.Config!.Healthcheck is { } old ? Healthcheck.Parse(old.ToUtf8(indented: false)) : null;
        change(record.Config, record.HostConfig);
        var after = record.HostConfig;
        if (after is { AutoRemove: true, RestartPolicy.Name: not ("" or "no") })
            throw new EngineException($"cannot update container {record.Name}: restart policy cannot be updated because AutoRemove is enabled for the container");
        if (container.Init is not null)
        {
            // The clock of these is the monitor's, which was told when it started.
            if (Clock(check) != Clock(record.Config.Healthcheck))
                throw new EngineException($"cannot update container {record.Name}: when its health is checked can be changed only while it does not run");
            Apply(engine, container, before, after);
        }
        container.WriteRecord(record);
        engine.Tell(container, "update");
    }

    private static (bool, long?, long?, long?) Clock(Healthcheck? check) => (check?.Test is { Count: > 0 } and not ["NONE"], check?.Interval, check?.StartInterval, check?.StartPeriod);

    private static void Apply(ContainerEngine engine, Container container, HostConfig before, HostConfig after)
    {
        var limits = SpecBuilder.Limits(after, CgroupHierarchy.Has("pids"));
        var was = SpecBuilder.Limits(before, CgroupHierarchy.Has("pids"));
        if (limits.ToUtf8(false).AsSpan().SequenceEqual(was.ToUtf8(false)))
            return;
        Lift(limits, was);
        using var runtime = OciContainer.OpenLocked(engine.RuntimeRoot, container.Id);
        foreach (var warning in runtime.Update(limits))
            engine.Warn(warning);
    }

    // What is no longer limited has to be said: the runtime leaves alone what it is not told of.
    private static void Lift(Resources now, Resources was)
    {
        if (was.Memory is { } memory)
        {
            var to = now.Memory ??= new MemoryResources();
            to.Limit ??= memory.Limit is null ? null : -1;
            to.Swap ??= memory.Swap is null ? null : -1;
            to.Reservation ??= memory.Reservation is null ? null : CgroupHierarchy.UnifiedOnly ? 0 : -1; // memory.low protects, the soft limit of v1 limits
        }
        if (was.Cpu is { } cpu)
        {
            var to = now.Cpu ??= new CpuResources();
            to.Shares ??= cpu.Shares is null ? null : 1024;
            to.Quota ??= cpu.Quota is null ? null : -1;
        }
        if (was.BlockIO is { } io)
        {
            var to = now.BlockIO ??= new BlockIo();
            to.Weight ??= io.Weight is null ? null : (ushort)(CgroupHierarchy.UnifiedOnly ? 100 : 500); // what the kernel begins with
            (to.ThrottleReadBpsDevice, to.ThrottleWriteBpsDevice) = (Unthrottled(to.ThrottleReadBpsDevice, io.ThrottleReadBpsDevice), Unthrottled(to.ThrottleWriteBpsDevice, io.ThrottleWriteBpsDevice));
            (to.ThrottleReadIOPSDevice, to.ThrottleWriteIOPSDevice) = (Unthrottled(to.ThrottleReadIOPSDevice, io.ThrottleReadIOPSDevice), Unthrottled(to.ThrottleWriteIOPSDevice, io.ThrottleWriteIOPSDevice));
        }
    }

    private static List<ThrottleDevice>? Unthrottled(List<ThrottleDevice>? now, List<ThrottleDevice>? was)
    {
        foreach (var device in was ?? [])
        {
            if (now?.Exists(d => (d.Major, d.Minor) == (device.Major, device.Minor)) is not true)
                (now ??= []).Add(new ThrottleDevice { Major = device.Major, Minor = device.Minor, Rate = 0 });
        }
        return now;
    }
}
