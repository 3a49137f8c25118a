// Pods: containers that share namespaces.
//
// A pod is one more container, which runs nothing but a few kilobytes that hold the namespaces. Its record is the pod's, its name the pod's
// name, its life begins before that of the others and ends after it; so a pod needs no record, no lock and no clean-up of its own.

using Conman.Engine.Life;
using Conman.Engine.Settings;
using Conman.Engine.Store;

namespace Conman.Engine.Pods;

/// <summary>What a pod is to be.</summary>
/// <param name="Name">Null: any.</param>
/// <param name="Config">Host name and labels.</param>
/// <param name="HostConfig">What the shared namespaces are: the network and its ports, names, kernel parameters.</param>
/// <param name="Networking">What is asked of networks; null: nothing.</param>
public sealed record PodRequest(string? Name, ContainerConfig Config, HostConfig HostConfig, List<string> Shares, NetworkingConfig? Networking);

/// <summary>There is no such pod.</summary>
public sealed class NoSuchPodException(string text) : EngineException($"no such pod: {text}");

public static class PodStore
{
    /// <summary>What pods share if nobody says otherwise.</summary>
    public static readonly string[] DefaultShares = ["ipc", "net", "uts"];

    /// <summary>Makes a pod, which runs nothing yet; its id.</summary>
    public static string Create(ContainerEngine engine, PodRequest request)
    {
        foreach (var share in request.Shares)
        {
            if (share is not ("ipc" or "net" or "uts" or "pid"))
                throw new EngineException($"--share {share}: there is no such namespace to share: it is ipc, net, uts, pid or none");
        }
        request.HostConfig.Init = true;
        using var container = Creating.Create(engine, new CreateRequest { Name = request.Name, Config = request.Config, HostConfig = request.HostConfig, Networking = request.Networking, Holds = new StoredPod { Shares = request.Shares } });
        return container.Id;
    }

    /// <summary>The id of a pod, by its name, its id or the beginning of that.</summary>
    public static string Resolve(ContainerEngine engine, string text) => TryResolve(engine, text) ?? throw new NoSuchPodException(text);

    /// <summary>As <see cref="Resolve"/>; null if there is none.</summary>
    public static string? TryResolve(ContainerEngine engine, string text)
    {
        using var container = engine.Containers.TryResolve(text) is { } id ? engine.Containers.TryOpen(id) : null;
        return container?.Record?.Holds is null ? null : container.Id;
    }

    /// <summary>The ids of all pods.</summary>
    public static List<string> Ids(ContainerEngine engine) => engine.Containers.Ids().FindAll(id =>
    {
        using var container = engine.Containers.TryOpen(id);
        return container?.Record?.Holds is not null;
    });

    /// <summary>The ids of a pod's containers, without the one that holds it together.</summary>
    public static List<string> Members(ContainerEngine engine, string pod) => engine.Containers.Ids().FindAll(id =>
    {
        using var container = engine.Containers.TryOpen(id);
        return container?.Record?.Pod == pod;
    });

    /// <summary>Settles that a container which is to be made is in a pod: it gets the pod's namespaces.</summary>
    /// <exception cref="EngineException">It was asked to have others.</exception>
    public static void Join(ContainerEngine engine, string pod, HostConfig host)
    {
        using var holder = engine.Containers.Open(pod);
        var mode = "container:" + pod;
        foreach (var share in holder.Record?.Holds?.Shares ?? throw new NoSuchPodException(pod))
        {
            switch (share)
            {
                case "net":
                    if (host.NetworkMode.Length > 0 || host.PortBindings is { Count: > 0 } || host.PublishAllPorts)
                        throw new EngineException("--pod: the network and the published ports are the pod's: give them to 'conman pod create'");
                    host.NetworkMode = mode;
                    break;
                case "ipc" when host.IpcMode.Length == 0: host.IpcMode = mode; break;
                case "uts" when host.UTSMode.Length == 0: host.UTSMode = mode; break;
                case "pid" when host.PidMode.Length == 0: host.PidMode = mode; break;
            }
        }
    }

    /// <summary>Starts what holds a pod together, unless it runs.</summary>
    internal static void Hold(ContainerEngine engine, string pod)
    {
        using var holder = engine.Containers.TryOpenLocked(pod) ?? throw new EngineException($"pod {pod[..12]} is gone: its containers can only be removed");
        Starting.Start(engine, holder);
    }

    /// <summary>Podman's word for what a pod is doing.</summary>
    public static string Status(ContainerEngine engine, string pod)
    {
        var counts = new int[Enum.GetValues<ContainerStatus>().Length];
        List<string> all = [pod, .. Members(engine, pod)];
        foreach (var id in all)
        {
            using var container = engine.Containers.TryOpen(id);
            if (container is not null)
                counts[(int)container.Status(() => Stopping.IsFrozen(engine, id))]++;
        }
        var (created, running, paused) = (counts[(int)ContainerStatus.Created], counts[(int)ContainerStatus.Running], counts[(int)ContainerStatus.Paused]);
        return created == all.Count ? "Created" : running == all.Count ? "Running" : paused == all.Count ? "Paused" : running > 0 ? "Degraded" : paused > 0 ? "Degraded" : "Exited";
    }
}
