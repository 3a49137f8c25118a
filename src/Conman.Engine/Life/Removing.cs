// rm: a container's end as a record.

using Conman.Engine.Rootfs;
using Conman.Engine.Store;
using Conman.Engine.Volumes;

namespace Conman.Engine.Life;

public static class Removing
{
    /// <summary>Removes a locked container.</summary>
    /// <param name="force">Kill it first if it runs.</param>
    /// <param name="volumes">The anonymous volumes that were made for it as well.</param>
    public static void Remove(ContainerEngine engine, Container container, bool force, bool volumes)
    {
        var status = container.Record is null ? ContainerStatus.Dead : container.Status(static () => false);
        if (!force && status is ContainerStatus.Running or ContainerStatus.Paused)
            throw new EngineException($"cannot remove container {Shown(container)}: it is running: stop it before, or use --force");
        if (!force && status is ContainerStatus.Restarting)
            throw new EngineException($"cannot remove container {Shown(container)}: it is restarting: stop it before, or use --force");
        if (container.Init is not null)
        {
            engine.Tell(container, "kill", ("signal", "9"));
            engine.Tell(container, "die", ("exitCode", "137"));
        }
        // First the monitor: it has nothing to say about this end.
        container.KillMonitor();
        Ending.Release(engine, container);
        if (container.HalfMade || container.Record?.HostConfig is not { NetworkMode: "none" or "host" })
            engine.Networks.LeaveAll(container.Id); // a start that was killed has not always written down what it got
        Erase(engine, container, volumes);
    }

    /// <summary>Removes what lies in folders; the kernel holds nothing of it any more.</summary>
    public static void Erase(ContainerEngine engine, Container container, bool volumes = true)
    {
        // One that was killed while it was made may have some of which no record speaks.
        if (container.HalfMade || (volumes && container.Record is not { OwnVolumes: null }))
            VolumeUsers.RemoveOwn(engine, container.Id);
        ContainerMounts.Unmount(container);
        engine.Tell(container, "destroy");
        engine.Containers.Remove(container);
    }

    private static string Shown(Container container) => container.Record?.Name ?? container.ShortId;
}
