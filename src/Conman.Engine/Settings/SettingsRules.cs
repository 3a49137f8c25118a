// What of a container's settings cannot be together, or cannot be at all; in Docker's words where it has any.

using Conman.Engine.Specs;

namespace Conman.Engine.Settings;

public static class SettingsRules
{
    private const long LeastMemory = 6 << 20; // with less no runtime can start a program

    /// <summary>Checks, so that what cannot be started is not created.</summary>
    /// <returns>True, always.</returns>
    /// <exception cref="EngineException">A rule is broken; the message says which.</exception>
    public static bool Check(ContainerConfig config, HostConfig host)
    {
        CheckResources(host);
        CheckNamespaces(config, host);
        CapabilityList.Of(host.CapAdd, host.CapDrop, host.Privileged, 0);
        SecurityOptions.Parse(host.SecurityOpt);
        foreach (var rule in host.DeviceCgroupRules ?? [])
            HostDevices.Rule(rule);
        foreach (var name in host.LogConfig?.Config?.Keys ?? Enumerable.Empty<string>())
        {
            if (name is not ("max-size" or "max-file" or "tag"))
                throw new EngineException($"--log-opt {name}: there is no such option: it is max-size, max-file or tag");
        }
        if (host.Runtime is not ("" or "conman" or "conman-runc"))
            throw new EngineException($"unknown runtime {host.Runtime}: conman is its own");
        if (host.StorageOpt is { Count: > 0 })
            throw new EngineException($"--storage-opt {host.StorageOpt.Keys.First()}: there is no such option of storage");
        return true;
    }

    /// <summary>Refuses what needs networks of conman's own, which there are not yet.</summary>
    /// <exception cref="EngineException">It is asked for.</exception>
    public static void RefuseNetworks(HostConfig host, NetworkingConfig? networking)
    {
        var network = NamespaceMode.ParseNetwork(host.NetworkMode);
        if (network is { Kind: NamespaceKind.Network, Argument: not "bridge" })
            throw new EngineException($"network {network.Argument} not found: conman has no networks yet: --network is none, host, container:NAME or ns:PATH");
        if (host.PortBindings is { Count: > 0 } || host.PublishAllPorts)
            throw new EngineException("--publish: conman has no networks yet, and so no ports to publish: --network host shares the host's");
        if (host.ExtraHosts?.Find(static h => h.EndsWith(":host-gateway", StringComparison.Ordinal)) is { } gateway)
            throw new EngineException($"--add-host {gateway}: conman has no networks yet, and so no gateway");
        foreach (var (name, endpoint) in networking?.EndpointsConfig ?? [])
        {
            if (endpoint is not { IPAMConfig: null, Aliases: null, Links: null, MacAddress: "", DriverOpts: null, GwPriority: 0 })
                throw new EngineException($"network {name}: conman has no networks yet, and so no addresses or names in them");
        }
    }

    private static void CheckResources(HostConfig host)
    {
        if (host.Memory is > 0 and < LeastMemory)
            throw new EngineException("minimum memory limit allowed is 6MB");
        if (host.MemorySwap > 0 && host.Memory == 0)
            throw new EngineException("you should always set the memory limit when using memory-swap, see usage");
        if (host.MemorySwap > 0 && host.MemorySwap < host.Memory)
            throw new EngineException("minimum memoryswap limit should be larger than memory limit, see usage");
        if (host.Memory > 0 && host.MemoryReservation > host.Memory)
            throw new EngineException("minimum memory limit can not be less than memory reservation limit, see usage");
        if (host.NanoCpus > 0 && (host.CpuPeriod > 0 || host.CpuQuota > 0))
            throw new EngineException($"conflicting options: nano cpus and cpu {(host.CpuPeriod > 0 ? "period" : "quota")} cannot both be set");
        if (host.NanoCpus < 0 || host.NanoCpus > Environment.ProcessorCount * 1_000_000_000L)
            throw new EngineException($"range of CPUs is from 0.01 to {Environment.ProcessorCount}.00, as there are only {Environment.ProcessorCount} CPUs available");
        if (host.CpuQuota is > 0 and < 1000)
            throw new EngineException("CPU cfs quota can not be less than 1ms (i.e. 1000)");
    }

    private static void CheckNamespaces(ContainerConfig config, HostConfig host)
    {
        var network = NamespaceMode.ParseNetwork(host.NetworkMode);
        NamespaceMode.Parse("pid", host.PidMode);
        NamespaceMode.ParseIpc(host.IpcMode);
        NamespaceMode.Parse("cgroupns", host.CgroupnsMode);
        NamespaceMode.Parse("userns", host.UsernsMode);
        if (NamespaceMode.Parse("uts", host.UTSMode) is { IsNew: false } && config.Hostname.Length + config.Domainname.Length > 0)
            throw new EngineException("conflicting options: hostname and the UTS mode");
        if (network.Kind != NamespaceKind.Container)
            return;
        if (config.Hostname.Length > 0)
            throw new EngineException("conflicting options: hostname and the network mode");
        if (host.Dns is { Count: > 0 })
            throw new EngineException("conflicting options: dns and the network mode");
        if (host.ExtraHosts is { Count: > 0 })
            throw new EngineException("conflicting options: custom host-to-IP mapping and the network mode");
        if (host.PortBindings is { Count: > 0 } || host.PublishAllPorts)
            throw new EngineException("conflicting options: port publishing and the container type network mode");
        if (config.ExposedPorts is { Count: > 0 })
            throw new EngineException("conflicting options: port exposing and the container type network mode");
    }
}
