// What of a container's settings cannot be together, or cannot be at all; in Docker's words where it has any.

using Conman.Engine.Specs;
using Conman.Network;
using Conman.Network.Cni;
using Conman.Network.Store;

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

    /// <summary>Whether the networks are there, and can give what is asked of them.</summary>
    /// <exception cref="NetworkException">One is not there.</exception>
    public static void CheckNetworks(HostNetworks networks, HostConfig host, NetworkingConfig? networking)
    {
        var mode = NamespaceMode.ParseNetwork(host.NetworkMode);
        if (mode.Kind != NamespaceKind.Network)
        {
            if (mode.Kind != NamespaceKind.Host && host.ExtraHosts?.Find(static h => h.EndsWith(":host-gateway", StringComparison.Ordinal)) is { } gateway)
                throw new EngineException($"--add-host {gateway}: a container with --network {host.NetworkMode} has no gateway");
            return;
        }
        if (mode.Argument.StartsWith(Networking.CniContainer.Prefix, StringComparison.Ordinal))
        {
            CniNetwork.Find(mode.Argument[Networking.CniContainer.Prefix.Length..]);
            if (networking?.EndpointsConfig?.GetValueOrDefault(mode.Argument) is { } asked && asked is not { IPAMConfig: null, Aliases: null, MacAddress: "" })
                throw new EngineException($"--network {mode.Argument}: addresses and names in it are its plugins' to give");
            return;
        }
        foreach (var (name, endpoint) in networking?.EndpointsConfig ?? new Dictionary<string, EndpointSettings> { [mode.Argument] = new() })
        {
            var network = name == NetworkRecord.DefaultName ? null : networks.Find(name);
            if (network is null && endpoint.Aliases is { Count: > 0 })
                throw new EngineException("network-scoped aliases are only supported for user-defined networks");
            if (endpoint.IPAMConfig is { LinkLocalIPs: { Count: > 0 } links })
                throw new EngineException($"--link-local-ip {links[0]}: a container's link-local addresses are the kernel's to choose");
            if (endpoint.DriverOpts is { Count: > 0 } options)
                throw new EngineException($"--network {name}: there is no driver option {options.Keys.First()} of a container's place in a network");
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
