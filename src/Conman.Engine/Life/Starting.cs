// start: a monitor, a root file system, a spec, and the program in it.
//
// Everything that is killed on the way dies with whoever made it: until the monitor is told to watch, the end of this process is the end of
// what it spawned; the mount is attached nowhere; the rest is found by the id.

using Conman.Engine.Monitoring;
using Conman.Engine.Networking;
using Conman.Engine.Pods;
using Conman.Engine.Rootfs;
using Conman.Engine.Specs;
using Conman.Engine.Store;
using Conman.Engine.Volumes;
using Conman.Linux;
using Conman.Network;
using Conman.Runtime;
using Conman.Runtime.Containers;
using Container = Conman.Engine.Store.Container;
using ContainerStatus = Conman.Engine.Store.ContainerStatus;
using OciContainer = Conman.Runtime.Containers.Container;

namespace Conman.Engine.Life;

/// <summary>A container's program could not be executed.</summary>
/// <param name="exitCode">As Docker's: 126 where it may not be, 127 where it is not there, else 125.</param>
public sealed class StartException(string message, int exitCode, Exception inner) : EngineException(message, inner)
{
    public int ExitCode { get; } = exitCode;
}

public static class Starting
{
    /// <summary>Starts a locked container. One that runs stays as it is.</summary>
    /// <param name="listening">Called when clients may connect, before the program runs: what it writes first is theirs too.</param>
    /// <param name="byPolicy">Its restart policy does this, nobody else.</param>
    public static void Start(ContainerEngine engine, Container container, Action? listening = null, bool byPolicy = false)
    {
        switch (container.Status(() => Stopping.IsFrozen(engine, container.Id)))
        {
            case ContainerStatus.Running:
                return;
            case ContainerStatus.Paused:
                throw new EngineException($"cannot start a paused container, try unpause instead: {container.Record!.Name}");
        }
        var record = container.NeedRecord();
        var state = container.State;
        if (state is { StartedAt: not null, FinishedAt: null } && container.Init is null && container.Monitor is null)
            Ending.Settle(engine, container); // the last run ended and nobody wrote it down
        if (!byPolicy)
            container.KillMonitor(); // which waits for the time of the next restart
        Ending.Release(engine, container);
        container.RemoveExit();
        if (record.Pod is { } pod)
            PodStore.Hold(engine, pod);
        (state.RestartsAt, state.Stopped, state.StoppedWithHost, state.Error) = (null, false, false, null);
        if (!byPolicy)
            (state.RestartCount, state.RestartDelay) = (0, 0);
        try
        {
            Launch(engine, container, record, listening);
        }
        catch (Exception e) when (e is EngineException or RuntimeException or LinuxException or NetworkException)
        {
            var code = CodeOf(e);
            (state.Error, state.ExitCode) = (e.Message, code);
            if (state.StartedAt is not null)
                state.FinishedAt = Time.Now;
            container.WriteState();
            ContainerNetworks.Release(engine, container);
            container.ClearRunFolder();
            throw e as StartException ?? new StartException(e.Message, code, e);
        }
    }

    /// <summary>Starts a locked container because its restart policy wants it.</summary>
    /// <returns>Milliseconds until the next attempt, where this one failed; null: it runs, or it is given up.</returns>
    public static int? Restart(ContainerEngine engine, Container container)
    {
        if (container.State.RestartsAt is null)
            return null; // somebody has stopped or started it meanwhile
        try
        {
            Start(engine, container, byPolicy: true);
            return null;
        }
        catch (StartException)
        {
            var delay = RestartPolicies.Delay(container.NeedRecord().HostConfig!.RestartPolicy, container.State);
            container.State.RestartsAt = delay is { } wait ? Time.Format(DateTime.UtcNow.AddMilliseconds(wait), 0) : null;
            if (delay is not null)
                container.MakeRunFolder(); // where a monitor is looked for: this process becomes one
            container.WriteState();
            return delay;
        }
    }

    private static void Launch(ContainerEngine engine, Container container, StoredContainer record, Action? listening)
    {
        var run = container.MakeRunFolder();
        using var root = RootFileSystem.Mount(container, engine.Images);
        using var volumes = VolumeMounts.Prepare(engine, record, root);
        var networks = ContainerNetworks.Join(engine, container, record);
        var spec = SpecBuilder.Build(new SpecInputs
        {
            Id = container.Id,
            Name = record.Name!,
            Config = record.Config!,
            Host = record.HostConfig!,
            Root = root,
            Volumes = volumes,
            LibFolder = container.Path,
            LimitsProcesses = CgroupHierarchy.Has("pids"),
            PidOf = text => PidOf(engine, text),
            FolderOf = text => engine.Containers.Path + "/" + engine.Containers.Resolve(text),
            SecretOf = engine.Secrets.Read,
            SharedMemoryOf = text => volumes.Hold(SharedMemory(engine, text)),
            Holds = record.Holds is not null,
            OwnAddresses = networks?.Hosts ?? [],
            Gateways = networks?.Gateways ?? [],
            HostsEnd = networks?.HostsEnd ?? "",
        });
        // Opened anew: the lock on the container's folder goes with the descriptor that has it, and must not live on in the monitor.
        using var exit = Files.Open(".", OpenFlags.ReadOnly | Files.Directory, container.ExitFolder.Number);
        using var monitor = Monitoring.Monitor.Start(MonitorSettings.Of(engine, container, record, run, exit));
        listening?.Invoke();
        using var creation = Runtime.Containers.Creation.Begin(new Bundle(container.RunPath, spec.ToUtf8(false), spec), new Runtime.Containers.CreateRequest
        {
            Root = engine.RuntimeRoot,
            Id = container.Id,
            RootTree = root,
            ConsoleReceiver = monitor.ConsoleReceiver,
            Spawner = monitor.Spawn,
            Spawned = networks is null ? null : networks.Connect,
            Warn = engine.Warn,
        });
        var init = creation.Container.Record!;
        container.WriteProcesses((init.Pid, init.StartTime), (monitor.Pid, monitor.StartTime));
        (container.State.StartedAt, container.State.FinishedAt, container.State.OomKilled) = (Time.Now, null, false);
        container.WriteState();
        monitor.Watch(init.Pid);
        creation.Commit();
        networks?.Introduce();
        if (networks is { HasPorts: true })
            RulesKeeper.Need(engine, container.Id);
        engine.Tell(container, "start");
    }

    /// <summary>The first process of another container, whose namespaces are to be joined.</summary>
    private static int PidOf(ContainerEngine engine, string text)
    {
        using var other = engine.Containers.Open(text);
        return other.Init?.Pid ?? throw new EngineException($"cannot join the namespaces of container {text}: it is not running");
    }

    // Whoever shares System V's memory shares POSIX's too, which is files.
    private static FileDescriptor SharedMemory(ContainerEngine engine, string text)
    {
        const long TmpfsMagic = 0x01021994;
        var id = engine.Containers.Resolve(text);
        using var runtime = OciContainer.TryOpen(engine.RuntimeRoot, id) ?? throw new EngineException($"cannot join the IPC namespace of container {text}: it is not running");
        FileDescriptor tree;
        try
        {
            tree = SharedTree.Copy(runtime, "/dev/shm");
        }
        catch (RuntimeException e)
        {
            throw new EngineException($"cannot join the IPC namespace of container {text}: it has no /dev/shm to share", e);
        }
        if (Files.FileSystemType(tree, "/dev/shm") == TmpfsMagic)
            return tree;
        tree.Dispose();
        throw new EngineException($"cannot join the IPC namespace of container {text}: it has no /dev/shm to share");
    }

    /// <summary>Docker's exit code for a program that could not be started: 126 where it may not be executed, 127 where it is not there, else 125.</summary>
    public static int CodeOf(Exception e) => e switch
    {
        RuntimeException { ProgramErrno: Errno.ENOENT or Errno.ENOTDIR } => 127,
        RuntimeException { ProgramErrno: not 0 } => 126,
        _ => 125,
    };
}
