// Networks and ports of a container that is there already, and may run: joined, left, added, removed.

using Conman.Engine.Settings;
using Conman.Engine.Specs;
using Conman.Engine.Store;
using Conman.Network;
using Conman.Network.Store;

namespace Conman.Engine.Networking;

/// <summary>Each works on a locked container, and on its record first: what is not in the kernel yet comes at its next start.</summary>
public static class Changes
{
    /// <summary>Connects a container to one more network.</summary>
    public static void Connect(ContainerEngine engine, Container container, string name, EndpointSettings settings)
    {
        var record = NeedOwn(container);
        var network = engine.Networks.Find(name);
        var wanted = Wanted(record);
        if (wanted.ContainsKey(network.Name))
            throw new EngineException($"endpoint with name {record.Name} already exists in network {network.Name}");
        if (network.IsDefault && settings.Aliases is { Count: > 0 })
            throw new EngineException("network-scoped aliases are only supported for user-defined networks");
        if (container.Init is not { } init)
        {
            wanted[network.Name] = settings;
            container.WriteRecord(record);
            return;
        }
        var endpoints = ContainerNetworks.Read(container) ?? new Endpoints();
        var number = 0;
        while (endpoints.Networks.Exists(e => Number(e) == number))
            number++;
        var endpoint = engine.Networks.Join(network, ContainerNetworks.RequestOf(container.Id, settings, number, leads: endpoints.Networks.Count == 0));
        try
        {
            endpoints.Networks.Add(endpoint);
            ContainerNetworks.Write(container, endpoints);
            engine.Networks.Connect(network, endpoint, init.Pid, endpoints.Ports is { Count: > 0 });
        }
        catch
        {
            endpoints.Networks.Remove(endpoint);
            engine.Networks.Leave(endpoint, container.Id);
            ContainerNetworks.Write(container, endpoints);
            throw;
        }
        wanted[network.Name] = settings;
        container.WriteRecord(record);
        Members.Refresh(engine, [endpoint]);
        engine.Events.Append("network", "connect", network.Id, Attributes(container, network.Name));
    }

    /// <summary>Takes a container out of a network.</summary>
    /// <param name="name">The network; it may be gone.</param>
    public static void Disconnect(ContainerEngine engine, Container container, string name)
    {
        var record = NeedOwn(container);
        var network = engine.Networks.Store.TryFind(name)?.Name ?? name;
        var wanted = Wanted(record);
        if (!wanted.Remove(network))
            throw new EngineException($"container {record.Name} is not connected to network {network}");
        var endpoints = container.Init is null ? null : ContainerNetworks.Read(container);
        if (endpoints?.Networks.Find(e => e.Network == network) is { } endpoint)
        {
            var ports = endpoints.Ports ?? [];
            var before = (endpoints.Target(false), endpoints.Target(true));
            var left = new Endpoints { Networks = endpoints.Networks.FindAll(e => e != endpoint), Ports = ports };
            var moved = (left.Target(false), left.Target(true)) != before;
            if (moved)
                engine.Networks.Unpublish(endpoints, ports, container.Id);
            engine.Networks.Disconnect(endpoint, container.Init!.Value.Pid);
            engine.Networks.Leave(endpoint, container.Id);
            if (endpoint.Leads && left.Networks is [var next, ..])
            {
                next.Leads = true;
                HostNetworks.Lead(next, container.Init.Value.Pid);
            }
            ContainerNetworks.Write(container, left);
            if (moved && left.Target(false) is not null)
                engine.Networks.Publish(left, ports, container.Id);
            Members.Refresh(engine, [endpoint]);
            Members.Forget(engine, container.Id, left);
        }
        container.WriteRecord(record);
        engine.Events.Append("network", "disconnect", network, Attributes(container, network));
    }

    /// <summary>Publishes more ports of a container.</summary>
    /// <param name="ports">By port of the container, e.g. <c>80/tcp</c>.</param>
    public static void Publish(ContainerEngine engine, Container container, IReadOnlyDictionary<string, List<PortBinding>> ports)
    {
        var record = NeedOwn(container);
        if (container.Init is { } && ContainerNetworks.Read(container) is { Networks: [var first, ..] } endpoints)
        {
            var requests = new List<PortRequest>();
            foreach (var (text, bindings) in ports)
                requests.AddRange(bindings.ConvertAll(b => Ports.Request(text, b.HostIp, b.HostPort)));
            var chosen = HostNetworks.Choose(engine.Networks.Find(first.Network), requests);
            var all = new Endpoints { Networks = endpoints.Networks, Ports = [.. endpoints.Ports ?? [], .. chosen] };
            ContainerNetworks.Write(container, all);
            try
            {
                engine.Networks.RestoreIfGone();
                engine.Networks.Publish(endpoints, chosen, container.Id);
                engine.Networks.Reflect(first);
                RulesKeeper.Need(engine, container.Id);
            }
            catch
            {
                ContainerNetworks.Write(container, endpoints);
                throw;
            }
        }
        var bound = record.HostConfig!.PortBindings ??= [];
        foreach (var (text, bindings) in ports)
        {
            bound[text] = [.. bound.GetValueOrDefault(text) ?? [], .. bindings];
            (record.Config!.ExposedPorts ??= [])[text] = new Oci.ImageSpec.Nothing();
        }
        container.WriteRecord(record);
    }

    /// <summary>Publishes ports of a container no more.</summary>
    /// <param name="ports">By port of the container; a binding without a port of the host stands for all of that port's.</param>
    public static void Unpublish(ContainerEngine engine, Container container, IReadOnlyDictionary<string, List<PortBinding>> ports)
    {
        var record = NeedOwn(container);
        var bound = record.HostConfig!.PortBindings ?? [];
        foreach (var (text, bindings) in ports)
        {
            foreach (var binding in bindings)
            {
                if (bound.GetValueOrDefault(text)?.RemoveAll(b => Fits(binding, b.HostIp, b.HostPort)) is not > 0)
                    throw new EngineException($"container {record.Name} has no published port {(binding.HostPort.Length > 0 ? binding.HostPort + ":" : "")}{text}");
                if (bound[text].Count == 0)
                    bound.Remove(text);
            }
        }
        if (container.Init is not null && ContainerNetworks.Read(container) is { Ports: { } live } endpoints)
        {
            var gone = live.FindAll(p => ports.TryGetValue($"{p.Port}/{p.Protocol}", out var bindings)
                && bindings.Exists(b => Fits(b, p.HostIp, p.HostPort.ToString(System.Globalization.CultureInfo.InvariantCulture))));
            engine.Networks.Unpublish(endpoints, gone, container.Id);
            endpoints.Ports = live.FindAll(p => !gone.Contains(p));
            ContainerNetworks.Write(container, endpoints);
        }
        container.WriteRecord(record);
    }

    /// <summary>Lets the plugins of CNI check the containers that they have attached.</summary>
    public static void CheckPlugins(ContainerEngine engine)
    {
        foreach (var id in engine.Containers.Ids())
        {
            using var container = engine.Containers.TryOpen(id);
            if (container is not null)
                CniContainer.Check(container);
        }
    }

    /// <summary>Lets the plugins of CNI give back what no container that runs has.</summary>
    public static void CollectPluginGarbage(ContainerEngine engine) => CniContainer.CollectGarbage(engine);

    private static bool Fits(PortBinding wanted, string hostIp, string hostPort) =>
        (wanted.HostPort.Length == 0 || wanted.HostPort == hostPort) && (wanted.HostIp.Length == 0 || wanted.HostIp == hostIp);

    private static StoredContainer NeedOwn(Container container)
    {
        var record = container.NeedRecord();
        return NamespaceMode.ParseNetwork(record.HostConfig!.NetworkMode).Kind == NamespaceKind.Network
            ? record : throw new EngineException($"container {record.Name} has no networks of its own to change: it was made with --network {record.HostConfig.NetworkMode}");
    }

    // From here on the record names each network, the first one too.
    private static Dictionary<string, EndpointSettings> Wanted(StoredContainer record)
    {
        record.Networking ??= new NetworkingConfig();
        return record.Networking.EndpointsConfig ??= new() { [NamespaceMode.ParseNetwork(record.HostConfig!.NetworkMode).Argument] = new EndpointSettings() };
    }

    private static int Number(Endpoint endpoint)
    {
        var digits = endpoint.Device.AsSpan().LastIndexOfAnyExcept("0123456789") + 1;
        return int.TryParse(endpoint.Device.AsSpan(digits), out var number) ? number : -1;
    }

    private static Dictionary<string, string> Attributes(Container container, string network) => new() { ["container"] = container.Id, ["name"] = network, ["type"] = "bridge" };
}
