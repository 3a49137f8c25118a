// update: changes what containers may use, and when they are started again.

using Conman.CommandLine;
using Conman.Engine.Life;

namespace Conman;

internal static class ContainerUpdate
{
    public static Command Of(ManagerContext context) => new("update", "CONTAINER...", "Change the limits, the restart policy or the health check of containers, also while they run; 0 takes a limit away",
        RunOptions.Changeable(),
        arguments =>
        {
            if (arguments.Given.Count == 0)
                throw new UsageException("you must provide one or more flags when using this command");
            var engine = context.Engine;
            return Targets.Each(arguments.Words, word =>
            {
                using var container = engine.Containers.OpenLocked(word);
                Updating.Update(engine, container, (config, host) =>
                {
                    // A list that is given takes the place of the one that was.
                    foreach (var (name, _) in arguments.Given)
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
                    RunOptions.Change(arguments, config, host);
                });
            });
        }) { Count = (1, int.MaxValue) };
}
