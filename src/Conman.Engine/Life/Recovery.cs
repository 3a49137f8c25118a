// Putting right what killed commands, killed monitors and a reset of the host have left. No command depends on it: each finds what it needs by itself.

using Conman.Engine.Monitoring;
using Conman.Engine.Store;
using Conman.Linux;
using OciContainer = Conman.Runtime.Containers.Container;

namespace Conman.Engine.Life;

/// <summary>What was done, by the containers' ids.</summary>
/// <param name="Adopted">They run, and have a monitor again.</param>
/// <param name="Settled">They had ended, and nobody had written it down.</param>
/// <param name="Started">Their restart policy wanted it.</param>
/// <param name="Removed">They were half made or half removed.</param>
/// <param name="Resumed">A command that was killed had paused them for a moment.</param>
public sealed record Recovered(List<string> Adopted, List<string> Settled, List<string> Started, List<string> Removed, List<string> Resumed);

public static class Recovery
{
    /// <summary>Looks after every container, each under its lock.</summary>
    /// <param name="failed">Hears of one that nothing could be done for; the others go on.</param>
    public static Recovered Recover(ContainerEngine engine, Action<string> failed)
    {
        var done = new Recovered([], [], [], [], []);
        ForEach(engine, failed, container =>
        {
            if (container is { Init: not null, PauseForgotten: true })
            {
                Stopping.Freeze(engine, container, false);
                done.Resumed.Add(container.Id);
            }
            if (container.HalfMade)
            {
                Removing.Remove(engine, container, force: true, volumes: true);
                done.Removed.Add(container.Id);
            }
            else if (container.Record is null || container.Monitor is not null)
            {
                return; // damaged: to be looked at by a person; or well
            }
            else if (container.Init is { } init)
            {
                if (Adopt(engine, container, init.Pid, init.StartTime))
                    done.Adopted.Add(container.Id);
            }
            else
            {
                Settle(engine, container, done);
            }
        });
        engine.Containers.RemoveStaleNames();
        engine.Volumes.RemoveHalfRemoved();
        engine.Networks.PutRight();
        RemoveStrayRuntimes(engine);
        return done;
    }

    /// <summary>Starts, after the host has, what should run by its restart policy; the ids.</summary>
    /// <param name="failed">Hears of one that cannot be started.</param>
    public static List<string> StartWithHost(ContainerEngine engine, Action<string> failed)
    {
        var started = new List<string>();
        ForEach(engine, failed, container =>
        {
            if (container.Record is null || container.Init is not null || !RestartPolicies.AtBoot(container.NeedRecord().HostConfig!.RestartPolicy, container.State))
                return;
            Starting.Start(engine, container);
            started.Add(container.Id);
        });
        return started;
    }

    private static void ForEach(ContainerEngine engine, Action<string> failed, Action<Container> act)
    {
        foreach (var id in engine.Containers.Ids())
        {
            using var container = engine.Containers.TryOpenLocked(id);
            try
            {
                if (container is not null)
                    act(container);
            }
            catch (Exception e) when (e is EngineException or LinuxException or Runtime.RuntimeException or Images.ImageException or Network.NetworkException)
            {
                failed(e.Message);
            }
        }
    }

    private static bool Adopt(ContainerEngine engine, Container container, int pid, ulong startTime)
    {
        using var exit = Files.Open(".", OpenFlags.ReadOnly | Files.Directory, container.ExitFolder.Number);
        using var monitor = Monitoring.Monitor.Adopt(MonitorSettings.Of(engine, container, container.NeedRecord(), container.MakeRunFolder(), exit), pid, startTime);
        if (monitor is null)
            return false; // it has ended meanwhile
        container.WriteMonitor(monitor.Pid, monitor.StartTime);
        return true;
    }

    private static void Settle(ContainerEngine engine, Container container, Recovered done)
    {
        var state = container.State;
        var unsettled = state is { StartedAt: not null, FinishedAt: null };
        // The one who slept until the time of its restart may have been killed as well.
        Ending.Settle(engine, container);
        if (unsettled)
            done.Settled.Add(container.Id);
        // It was to be started now, or later by one who has been killed as well. After a reset of the host `system start` decides.
        if (state.RestartsAt is null || container.RunFolder is null)
            return;
        Starting.Start(engine, container, byPolicy: true);
        done.Started.Add(container.Id);
    }

    // A container whose folder is gone has nothing for the runtime to hold: its folder is removed last.
    private static void RemoveStrayRuntimes(ContainerEngine engine)
    {
        foreach (var id in OciContainer.Ids(engine.RuntimeRoot))
        {
            if (!ContainerNames.IsId(id) || engine.Containers.TryResolve(id) is not null)
                continue;
            using var runtime = OciContainer.TryOpenLocked(engine.RuntimeRoot, id);
            foreach (var warning in runtime?.Destroy() ?? [])
                engine.Warn(warning);
        }
    }
}
