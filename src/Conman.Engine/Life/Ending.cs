// The end of a container: what the kernel still holds of it goes, what is known of the end is written down, and its policy is asked.
//
// Whoever finds that a container has ended does this, under its lock: the client that ran it in the foreground, its monitor (which becomes
// `conman container-exit` for it), or the next command that comes by where both were killed. To do it twice does no harm.

using Conman.Engine.Networking;
using Conman.Engine.Store;
using Conman.Linux;
using OciContainer = Conman.Runtime.Containers.Container;

namespace Conman.Engine.Life;

public static class Ending
{
    /// <summary>Of a container of whose end nobody knows: the host was reset, or its monitor killed. As Docker's.</summary>
    private const int UnknownExit = 255;

    /// <summary>Cleans up after a locked container that has ended and decides what becomes of it; nothing to do if that is done.</summary>
    /// <returns>Milliseconds after which its restart policy wants it started; null: it does not.</returns>
    public static int? Settle(ContainerEngine engine, Container container)
    {
        if (container.Record is null || container.Init is not null)
            return null;
        var exit = container.TryReadExit();
        if (exit is null && container.Monitor is not null)
            return null; // it is about to say
        var killed = Release(engine, container);
        var state = container.State;
        var unsettled = state is { StartedAt: not null, FinishedAt: null };
        int? delay = null;
        if (unsettled)
        {
            state.FinishedAt = exit is { } known ? Time.Format(known.At.UtcDateTime, known.Nanoseconds) : Time.Now;
            state.ExitCode = exit?.Exit.Code ?? UnknownExit;
            state.OomKilled = killed;
            if (killed)
                engine.Tell(container, "oom");
            engine.Tell(container, "die", ("exitCode", state.ExitCode.ToString(System.Globalization.CultureInfo.InvariantCulture)));
            delay = RestartPolicies.Delay(container.NeedRecord().HostConfig!.RestartPolicy, state);
        }
        if (container.Transient && state.StartedAt is not null)
        {
            Removing.Erase(engine, container);
            return null;
        }
        if (unsettled)
        {
            state.RestartsAt = delay is { } wait ? Time.Format(DateTime.UtcNow.AddMilliseconds(wait), 0) : null;
            container.WriteState();
        }
        if (state.RestartsAt is null)
            container.ClearRunFolder();
        return delay;
    }

    /// <summary>Kills what is left of it and gives back what the kernel holds for it: processes, cgroup, the runtime's own record, addresses and ports.</summary>
    /// <returns>Whether memory ran out in it.</returns>
    internal static bool Release(ContainerEngine engine, Container container)
    {
        var killed = false;
        using (var runtime = OciContainer.TryOpenLocked(engine.RuntimeRoot, container.Id))
        {
            killed = runtime?.Cgroup is { OutOfMemoryKills: > 0 };
            foreach (var warning in runtime?.Destroy() ?? [])
                engine.Warn(warning);
        }
        ContainerNetworks.Release(engine, container);
        return killed;
    }
}
