// The networks of one container: joined before its first process is there, connected while that waits, left when it has ended.
//
// What the container has is written down (network.json in its folder of this boot) before anything of it is in the kernel. Its devices end with
// its network namespace; leases and ports are given back by whoever settles its end, and are nobody's from the moment it does not run.

using Conman.Engine.Settings;
using Conman.Engine.Specs;
using Conman.Engine.Store;
using Conman.Linux;
using Conman.Network;
using Conman.Network.Cni;
using Conman.Network.Store;
using Conman.Oci;

namespace Conman.Engine.Networking;

/// <summary>What a container has of networks while it starts.</summary>
public sealed class ContainerNetworks
{
    private const string RecordFile = "network.json", SharedMark = "network-shared";

    private readonly ContainerEngine _engine;
    private readonly Container _container;
    private readonly List<NetworkRecord> _networks = [];
    private readonly Endpoints _endpoints = new();
    private CniNetwork? _cni;

    private ContainerNetworks(ContainerEngine engine, Container container) => (_engine, _container) = (engine, container);

    /// <summary>Its addresses and what it is called by itself, and whom else it knows by name: for /etc/hosts.</summary>
    public List<(string Address, string Names)> Hosts { get; } = [];

    /// <summary>The lines of the members of its networks; empty: it knows nobody by name.</summary>
    public string HostsEnd { get; private set; } = "";

    /// <summary>Some of its ports are published.</summary>
    public bool HasPorts => _cni is null && _endpoints.Ports is { Count: > 0 };

    /// <summary>The host's addresses in its networks.</summary>
    public List<string> Gateways { get; } = [];

    /// <summary>Joins the networks that a container is to be in; null: it has none of its own.</summary>
    public static ContainerNetworks? Join(ContainerEngine engine, Container container, StoredContainer record)
    {
        var host = record.HostConfig!;
        var mode = NamespaceMode.ParseNetwork(host.NetworkMode);
        if (mode.Kind != NamespaceKind.Network || record.Config!.NetworkDisabled)
        {
            if (host.PortBindings is { Count: > 0 } || host.PublishAllPorts)
                engine.Warn($"published ports are discarded: a container with --network {host.NetworkMode} has none of its own");
            if (mode.Kind == NamespaceKind.Container)
                NoteShared(engine, mode.Argument);
            return null;
        }
        var joined = new ContainerNetworks(engine, container);
        try
        {
            joined.Join(record, mode.Argument);
            return joined;
        }
        catch
        {
            Leave(engine, container.Id, joined._endpoints);
            throw;
        }
    }

    /// <summary>Gives the container its devices.</summary>
    /// <param name="pid">Its first process, which waits.</param>
    public void Connect(int pid)
    {
        if (_cni is not null)
        {
            CniContainer.Attach(_container, _cni, _endpoints, pid);
            Write(_container, _endpoints);
            return;
        }
        for (var i = 0; i < _networks.Count; i++)
            _engine.Networks.Connect(_networks[i], _endpoints.Networks[i], pid, HasPorts);
    }

    /// <summary>The others get to know of it. It runs.</summary>
    public void Introduce()
    {
        if (_cni is null)
            Members.Refresh(_engine, _endpoints.Networks);
        else
            Members.Forget(_engine, _container.Id, _endpoints); // its own addresses, which are known by now
    }

    /// <summary>What a container has of networks; null: nothing, or it does not run.</summary>
    public static Endpoints? Read(Container container)
    {
        using var file = container.RunFolder is { } run ? Files.TryOpen(RecordFile, OpenFlags.ReadOnly | Files.NoFollow, out _, run.Number) : null;
        try
        {
            return file is null ? null : Endpoints.Parse(Files.ReadAll(file, RecordFile));
        }
        catch (OciFormatException)
        {
            return null; // half written: all that it speaks of is found by other ways
        }
    }

    /// <summary>Gives back what an ended container had of networks. To do it twice does no harm.</summary>
    public static void Release(ContainerEngine engine, Container container)
    {
        if (container.RunFolder is not { } run || !Files.Exists(RecordFile, run.Number))
            return;
        var endpoints = Read(container);
        CniContainer.Detach(engine, container);
        if (endpoints is null)
            engine.Networks.LeaveAll(container.Id);
        else
            Leave(engine, container.Id, endpoints);
        if (endpoints is { Ports.Count: > 0 })
            RulesKeeper.Spare(engine, container.Id);
        // The namespace lives on with whoever shares it: its addresses are soon somebody else's.
        if (Files.TryUnlink(SharedMark, run.Number) == 0)
            endpoints?.Networks.ForEach(endpoint => engine.Networks.Disconnect(endpoint, 0));
        Files.TryUnlink(RecordFile, run.Number);
        if (endpoints is not null)
            Members.Refresh(engine, endpoints.Networks);
    }

    // Its ports are mapped by a plugin, if it has one that can.
    private void JoinCni(StoredContainer record, string name)
    {
        if (record.Networking?.EndpointsConfig is { Count: > 1 })
            throw new EngineException($"--network {name}: a container with a network of CNI cannot be in another besides");
        _endpoints.Ports = HostNetworks.Choose(new NetworkRecord { Name = name, Driver = NetworkRecord.BridgeDriver }, Ports.Requested(record.Config!, record.HostConfig!));
        _cni = CniContainer.Prepare(_container, name, _endpoints);
        Write(_container, _endpoints);
    }

    private static void NoteShared(ContainerEngine engine, string text)
    {
        using var other = engine.Containers.Open(text);
        if (other.RunFolder is { } run)
            Files.TrySymlink("1", SharedMark, run.Number);
    }

    internal static void Write(Container container, Endpoints endpoints) => Files.Replace(container.MakeRunFolder().Number, RecordFile, endpoints.ToUtf8(indented: false));

    private void Join(StoredContainer record, string first)
    {
        if (first.StartsWith(CniContainer.Prefix, StringComparison.Ordinal))
        {
            JoinCni(record, first);
            return;
        }
        var networks = _engine.Networks;
        var wanted = record.Networking?.EndpointsConfig ?? new Dictionary<string, EndpointSettings> { [first] = new() };
        var way = WayOut(wanted, first);
        foreach (var (name, settings) in wanted)
        {
            var network = networks.Find(name);
            _networks.Add(network);
            _endpoints.Networks.Add(networks.Join(network, RequestOf(_container.Id, settings, _endpoints.Networks.Count, name == way)));
        }
        var ports = Ports.Requested(record.Config!, record.HostConfig!);
        if (ports.Count > 0 && _networks.Count > 0)
            _endpoints.Ports = HostNetworks.Choose(_networks[0], ports);
        Write(_container, _endpoints);
        networks.Publish(_endpoints, _endpoints.Ports ?? [], _container.Id);
        if (_networks.Exists(static n => !n.IsDefault))
            HostsEnd = Members.Lines(_endpoints, _container.Id, record.Name!, Members.Running(_engine));
        foreach (var endpoint in _endpoints.Networks)
        {
            foreach (var (address, gateway) in (ReadOnlySpan<(string, string)>)[(endpoint.IPv4, endpoint.Gateway4), (endpoint.IPv6, endpoint.Gateway6)])
            {
                if (address.Length > 0)
                    Hosts.Add((address, NameLine.Own(record, _container.Id)));
                if (endpoint.Leads && gateway.Length > 0)
                    Gateways.Add(gateway);
            }
        }
    }

    internal static JoinRequest RequestOf(string id, EndpointSettings settings, int number, bool leads) => new()
    {
        ContainerId = id,
        Number = number,
        IPv4 = settings.IPAMConfig is { IPv4Address.Length: > 0 } four ? four.IPv4Address : null,
        IPv6 = settings.IPAMConfig is { IPv6Address.Length: > 0 } six ? six.IPv6Address : null,
        MacAddress = settings.MacAddress.Length > 0 ? settings.MacAddress : null,
        Aliases = settings.Aliases,
        Leads = leads,
    };

    // The one with the highest priority; of several, the first.
    private static string? WayOut(Dictionary<string, EndpointSettings> wanted, string first)
    {
        var way = wanted.ContainsKey(first) ? first : null;
        foreach (var (name, settings) in wanted)
        {
            if (way is null || settings.GwPriority > wanted[way].GwPriority)
                way = name;
        }
        return way;
    }

    private static void Leave(ContainerEngine engine, string id, Endpoints endpoints)
    {
        endpoints.Networks.RemoveAll(static e => e.NetworkId.StartsWith(CniContainer.Prefix, StringComparison.Ordinal));
        if (endpoints.Ports is { Count: > 0 } ports && endpoints.Networks.Count > 0)
            engine.Networks.Unpublish(endpoints, ports, id);
        foreach (var endpoint in endpoints.Networks)
            engine.Networks.Leave(endpoint, id);
    }
}
