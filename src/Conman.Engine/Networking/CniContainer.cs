// A container whose network the plugins of CNI make: what they are to be told again at its end is kept (cni.json in its folder of this boot).

using System.Text;
using System.Text.Json.Nodes;
using Conman.Engine.Store;
using Conman.Linux;
using Conman.Network.Addresses;
using Conman.Network.Cni;
using Conman.Network.Store;

namespace Conman.Engine.Networking;

internal static class CniContainer
{
    /// <summary>What a network's name begins with.</summary>
    public const string Prefix = "cni:";

    private const string CacheFile = "cni.json";

    /// <summary>Finds the network, and notes that the container is about to be attached to it.</summary>
    public static CniNetwork Prepare(Container container, string name, Endpoints endpoints)
    {
        var network = CniNetwork.Find(name[Prefix.Length..]);
        network.Status();
        endpoints.Networks.Add(new Endpoint { Network = name, NetworkId = name, Device = "eth0", Leads = true });
        Keep(container, network, null, Ports(endpoints));
        return network;
    }

    /// <summary>Attaches it; its addresses are known afterwards.</summary>
    public static void Attach(Container container, CniNetwork network, Endpoints endpoints, int pid)
    {
        var (endpoint, ports) = (endpoints.Networks[0], Ports(endpoints));
        var result = network.Add(new CniAttachment(container.Id, $"/proc/{pid}/ns/net", endpoint.Device), ports);
        Keep(container, network, result, ports);
        foreach (var ip in result["ips"] as JsonArray ?? [])
        {
            if (ip?["address"]?.GetValue<string>() is not { } address || !Subnet.TryParse(address, out var subnet))
                continue;
            var (text, gateway) = (address[..address.IndexOf('/')], ip["gateway"]?.GetValue<string>() ?? "");
            if (subnet.IsV6)
                (endpoint.IPv6, endpoint.PrefixLength6, endpoint.Gateway6) = (text, subnet.Length, gateway);
            else
                (endpoint.IPv4, endpoint.PrefixLength4, endpoint.Gateway4) = (text, subnet.Length, gateway);
        }
        foreach (var device in result["interfaces"] as JsonArray ?? [])
        {
            if (device?["name"]?.GetValue<string>() == endpoint.Device)
                endpoint.MacAddress = device["mac"]?.GetValue<string>() ?? "";
        }
    }

    /// <summary>Detaches a container that has ended; nothing to do for one that was not attached.</summary>
    public static void Detach(ContainerEngine engine, Container container)
    {
        if (Cached(container) is not var (network, result, ports))
            return;
        try
        {
            network.Delete(new CniAttachment(container.Id, "", "eth0"), result, ports);
        }
        catch (Network.NetworkException e)
        {
            engine.Warn(e.Message);
        }
        Files.TryUnlink(CacheFile, container.RunFolder!.Number);
    }

    /// <summary>Asks the plugins whether a container that runs is attached as it should be.</summary>
    public static void Check(Container container)
    {
        if (container.Init is { } init && Cached(container) is (var network, { } result, var ports))
            network.Check(new CniAttachment(container.Id, $"/proc/{init.Pid}/ns/net", "eth0"), result, ports);
    }

    /// <summary>Lets plugins give back what no container that runs has.</summary>
    public static void CollectGarbage(ContainerEngine engine)
    {
        var networks = new Dictionary<string, (CniNetwork Network, List<CniAttachment> Valid)>();
        foreach (var id in engine.Containers.Ids())
        {
            using var container = engine.Containers.TryOpen(id);
            if (container?.Init is not { } init || Cached(container) is not var (network, _, _))
                continue;
            if (!networks.TryGetValue(network.Name, out var known))
                networks[network.Name] = known = (network, []);
            known.Valid.Add(new CniAttachment(id, $"/proc/{init.Pid}/ns/net", "eth0"));
        }
        foreach (var (network, valid) in networks.Values)
            network.CollectGarbage(valid);
    }

    private static (CniNetwork, JsonObject? Result, JsonArray? Ports)? Cached(Container container)
    {
        using var file = container.RunFolder is { } run ? Files.TryOpen(CacheFile, OpenFlags.ReadOnly | Files.NoFollow, out _, run.Number) : null;
        return file is not null && JsonNode.Parse(Files.ReadAll(file, CacheFile)) is JsonObject cache
            ? (CniNetwork.Restore((JsonObject)cache["network"]!), cache["result"] as JsonObject, cache["ports"] as JsonArray) : null;
    }

    private static void Keep(Container container, CniNetwork network, JsonObject? result, JsonArray? ports) =>
        Files.Replace(container.MakeRunFolder().Number, CacheFile,
            Encoding.UTF8.GetBytes(new JsonObject { ["network"] = network.Document, ["result"] = result?.DeepClone(), ["ports"] = ports?.DeepClone() }.ToJsonString()));

    private static JsonArray? Ports(Endpoints endpoints) => endpoints.Ports is not { Count: > 0 } ports ? null
        : new JsonArray([.. ports.Select(p => (JsonNode)new JsonObject { ["hostPort"] = p.HostPort, ["containerPort"] = p.Port, ["protocol"] = p.Protocol, ["hostIP"] = p.HostIp })]);
}
