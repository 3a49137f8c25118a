// update: changes what containers may use, and when they are started again.

using Conman.CommandLine;
using Conman.Engine.Life;
using Conman.Engine.Networking;
using Conman.Engine.Settings;

namespace Conman;

internal static class ContainerUpdate
{
    public static Command Of(ManagerContext context) => new("update", "CONTAINER...", "Change the limits, the restart policy or the health check of containers, also while they run; 0 takes a limit away",
        [
            .. RunOptions.Changeable(),
            new("publish-add", "make a port reachable from outside, also of a container that runs", "[[IP:]HOST:]CONTAINER[/PROTOCOL]", Repeats: true),
            new("publish-rm", "make it unreachable again", "[[IP:]HOST:]CONTAINER[/PROTOCOL]", Repeats: true),
        ],
        arguments =>
        {
            var (added, removed) = (PortsOf(arguments, "publish-add"), PortsOf(arguments, "publish-rm"));
            var limits = arguments.Without("publish-add", "publish-rm");
            if (arguments.Given.Count == 0)
                throw new UsageException("you must provide one or more flags when using this command");
            var engine = context.Engine;
            return Targets.Each(arguments.Words, word =>
            {
                using var container = engine.Containers.OpenLocked(word);
                if (removed is not null)
                    Changes.Unpublish(engine, container, removed);
                if (added is not null)
                    Changes.Publish(engine, container, added);
                if (limits.Given.Count == 0)
                    return;
                Updating.Update(engine, container, (config, host) =>
                {
                    // A list that is given takes the place of the one that was.
                    foreach (var (name, _) in limits.Given)
                    {
                        switch (name)
                        {
                            case "blkio-weight-device": host.BlkioWeightDevice = null; break;
                            case "device-read-bps": host.BlkioDeviceReadBps = null; break;
                            case "device-read-iops": host.BlkioDeviceReadIOps = null; break;
                            case "device-write-bps": host.BlkioDeviceWriteBps = null; break;
                            case "device-write-iops": host.BlkioDeviceWriteIOps = null; break;
                            case "cpus": (host.CpuPeriod, host.CpuQuota) = (0, 0); break; // two ways to say the same
                            case "cpu-period" or "cpu-quota": host.NanoCpus = 0; break;
                        }
                    }
                    RunOptions.Change(limits, config, host);
                });
            });
        }) { Count = (1, int.MaxValue) };

    // By port of the container; null: none.
    private static Dictionary<string, List<PortBinding>>? PortsOf(Arguments arguments, string name)
    {
        var host = new HostConfig();
        foreach (var text in arguments.All(name))
            PortValues.Publish(text, new ContainerConfig(), host);
        return host.PortBindings;
    }
}
