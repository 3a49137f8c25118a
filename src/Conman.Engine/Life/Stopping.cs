// stop, kill, wait, pause: what is done to a container that runs.

using Conman.Engine.Store;
using Conman.Linux;
using OciContainer = Conman.Runtime.Containers.Container;

namespace Conman.Engine.Life;

public static class Stopping
{
    /// <summary>Seconds between the stop signal and SIGKILL where nothing else is asked, as Docker's.</summary>
    public const int DefaultTimeout = 10;

    /// <summary>Notes that somebody wants a container stopped, and signals it: no policy starts it again. False: it did not run.</summary>
    /// <param name="signal">Null: the container's own.</param>
    /// <param name="withHost">Nobody wants this one stopped: the host is.</param>
    public static bool Begin(ContainerEngine engine, Container container, int? signal = null, bool withHost = false)
    {
        var record = container.NeedRecord();
        var waits = container.State.RestartsAt is not null;
        // Or it has just ended, and its policy has not been asked yet: it shall know of this.
        var runs = container.Init is not null || waits || container.State is { StartedAt: not null, FinishedAt: null };
        if (runs)
        {
            container.State.Stopped = true;
            container.State.StoppedWithHost = withHost;
            container.State.RestartsAt = null;
            if (!container.Transient || container.RunFolder is not null)
                container.WriteState();
        }
        if (container.Init is null && !waits)
        {
            Ending.Settle(engine, container);
            return false;
        }
        if (container.Init is null)
        {
            container.KillMonitor(); // which sleeps until the restart
            container.ClearRunFolder();
            return false;
        }
        Signal(engine, container, signal ?? StopSignal(record));
        Thaw(engine, container);
        return true;
    }

    /// <summary>Waits for the end of a container that was told to stop; kills it when the time is over. It must not be locked by this process.</summary>
    /// <param name="seconds">Null: as long as it takes.</param>
    public static void Finish(ContainerEngine engine, string id, int? seconds)
    {
        using (var container = engine.Containers.TryOpen(id))
        {
            if (container?.Init is { } init)
            {
                using var process = Processes.TryOpen(init.Pid, init.StartTime);
                if (process is not null && !Waiting.Readable(process, seconds is { } limit and >= 0 ? (int)Math.Min(limit * 1000L, int.MaxValue) : -1))
                {
                    Kill(engine, id, process);
                    Waiting.Readable(process, -1);
                }
            }
        }
        AwaitSettled(engine, id);
    }

    /// <summary>Kills every process of a container, and does not wait for their end.</summary>
    public static void Kill(ContainerEngine engine, Container container)
    {
        using var process = container.Init is { } init ? Processes.TryOpen(init.Pid, init.StartTime) : null;
        if (process is not null)
            Kill(engine, container.Id, process);
    }

    private static void Kill(ContainerEngine engine, string id, FileDescriptor process)
    {
        using var runtime = OciContainer.TryOpen(engine.RuntimeRoot, id);
        if (runtime is not null)
            runtime.SignalAll(Signals.SIGKILL);
        else
            Processes.TrySignal(process, Signals.SIGKILL);
    }

    /// <summary>Waits until the end of a container is written down: by its monitor, or, if that was killed, here.</summary>
    public static void AwaitSettled(ContainerEngine engine, string id)
    {
        using (var container = engine.Containers.TryOpen(id))
        {
            if (container?.Monitor is { } monitor)
            {
                using var process = Processes.TryOpen(monitor.Pid, monitor.StartTime);
                if (process is not null)
                    Waiting.Readable(process, -1);
            }
        }
        using var locked = engine.Containers.TryOpenLocked(id);
        if (locked is not null)
            Ending.Settle(engine, locked);
    }

    /// <summary>Signals the first process of a container that runs.</summary>
    public static void Signal(ContainerEngine engine, Container container, int signal)
    {
        if (container.Init is not { } init)
            throw new EngineException($"container {container.ShortId} is not running");
        engine.Tell(container, "kill", ("signal", signal.ToString(System.Globalization.CultureInfo.InvariantCulture)));
        if (signal == Signals.SIGKILL && OciContainer.TryOpen(engine.RuntimeRoot, container.Id) is { } runtime)
        {
            using (runtime)
                runtime.Signal(signal);
            return;
        }
        using var process = Processes.TryOpen(init.Pid, init.StartTime);
        var errno = process is null ? Errno.ESRCH : Processes.TrySignal(process, signal);
        if (errno is not (0 or Errno.ESRCH))
            throw new LinuxException(errno, $"signal container {container.ShortId}");
    }

    /// <summary>Stops every process of a container where it is, or lets them go on.</summary>
    /// <param name="briefly">Until this command has done something: if it is killed before, `system recover` lets them go on.</param>
    public static void Freeze(ContainerEngine engine, Container container, bool freeze, bool briefly = false)
    {
        using var runtime = container.Init is null ? null : OciContainer.TryOpen(engine.RuntimeRoot, container.Id);
        if (runtime is null)
            throw new EngineException($"container {container.ShortId} is not running");
        if (freeze)
            container.NotePaused(true, briefly);
        runtime.Freeze(freeze);
        engine.Tell(container, freeze ? "pause" : "unpause");
        if (!freeze)
            container.NotePaused(false);
    }

    /// <summary>Whether its cgroup is frozen.</summary>
    public static bool IsFrozen(ContainerEngine engine, string id)
    {
        using var runtime = OciContainer.TryOpen(engine.RuntimeRoot, id);
        return runtime?.Cgroup is { Frozen: true };
    }

    // A signal is not taken by who is frozen.
    private static void Thaw(ContainerEngine engine, Container container)
    {
        if (container.Status(() => IsFrozen(engine, container.Id)) == ContainerStatus.Paused)
            Freeze(engine, container, false);
    }

    private static int StopSignal(StoredContainer record) =>
        record.Config!.StopSignal is { Length: > 0 } text && Signals.Parse(text) is > 0 and var signal ? signal : Signals.SIGTERM;
}
