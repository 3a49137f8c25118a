// The networks of one host: made, used and taken away. There is no daemon: each command opens what it needs, and is gone.

using Conman.Linux;
using Conman.Network.Addresses;
using Conman.Network.Firewall;
using Conman.Network.Links;
using Conman.Network.Store;

namespace Conman.Network;

/// <summary>What a container asks of a network that it joins.</summary>
public sealed record JoinRequest
{
    /// <summary>64 hexadecimal digits.</summary>
    public required string ContainerId { get; init; }

    /// <summary>The number of its device in the container.</summary>
    public int Number { get; init; }

    /// <summary>The address that it is to be; null: any.</summary>
    public string? IPv4 { get; init; }

    public string? IPv6 { get; init; }

    /// <summary>Null: one that follows from the address.</summary>
    public string? MacAddress { get; init; }

    /// <summary>Null: none.</summary>
    public List<string>? Aliases { get; init; }

    /// <summary>The container's way out is by this network.</summary>
    public bool Leads { get; init; }
}

/// <summary>A port that is to be published.</summary>
/// <param name="HostIp">Empty: any address.</param>
/// <param name="First">The first of the host's ports that it may be; 0: any that is free.</param>
public readonly record struct PortRequest(string Protocol, string HostIp, int First, int Last, int Port);

/// <summary>Networks, in the network namespace of the thread that uses it.</summary>
public sealed class HostNetworks : IDisposable
{
    private readonly Func<string, bool> _holds;
    private readonly Func<IEnumerable<(Endpoints Endpoints, string Id)>> _running;
    private NetlinkSocket? _route;
    private PacketRules? _rules;

    /// <param name="root">What lasts.</param>
    /// <param name="runRoot">What dies with the boot.</param>
    /// <param name="holds">Whether a container, by its id, still holds addresses and ports that it once got.</param>
    /// <param name="running">What the containers that run have of networks.</param>
    public HostNetworks(string root, string runRoot, Func<string, bool> holds, Func<IEnumerable<(Endpoints Endpoints, string Id)>> running)
    {
        (Store, _holds, _running) = (new NetworkStore(root, runRoot), holds, running);
    }

    public NetworkStore Store { get; }

    private NetlinkSocket Route => _route ??= NetlinkSocket.Open(NetlinkSocket.Route);

    private PacketRules Rules => _rules ??= PacketRules.Open();

    public void Dispose()
    {
        _route?.Dispose();
        _rules?.Dispose();
    }

    /// <summary>A network by name or id. The default one is there always: it gets its record when it is first looked for.</summary>
    /// <exception cref="NetworkException">There is none.</exception>
    public NetworkRecord Find(string text)
    {
        if (Store.TryFind(text) is { } found)
            return found;
        if (text != NetworkRecord.DefaultName)
            throw new NetworkException($"network {text} not found");
        using var exclusive = Store.Lock();
        if (Store.TryFind(text) is { } made)
            return made;
        var network = new NetworkRecord { Name = text, Driver = NetworkRecord.BridgeDriver, EnableIPv4 = true, EnableIPv6 = HostSettings.HasV6 };
        Complete(network);
        Store.Add(network);
        return network;
    }

    /// <summary>Makes a network: a record. Its device is made when the first container comes.</summary>
    /// <param name="network">What is asked for; completed.</param>
    public void Create(NetworkRecord network)
    {
        using var exclusive = Store.Lock();
        if (network.Name is "host" or "none" or "default" or "container" or "ns" or "pod" or "private")
            throw new NetworkException($"operation is not permitted on predefined {network.Name} network");
        Complete(network);
        Store.Add(network);
    }

    /// <summary>Removes a network that no container is in.</summary>
    public void Remove(NetworkRecord network)
    {
        using var exclusive = Store.Lock();
        RemoveDevice(network);
        Store.Remove(network);
    }

    /// <summary>Removes from the kernel what no container uses: bridges, and, if none is left, the rules.</summary>
    public void RemoveUnused()
    {
        using var exclusive = Store.Lock();
        var used = new HashSet<string>();
        foreach (var (endpoints, _) in _running())
            used.UnionWith(endpoints.Networks.ConvertAll(static e => e.NetworkId));
        var bridges = 0;
        foreach (var network in Store.All())
        {
            using (var leases = Leases.Open(Store, network, _holds))
            {
                if (leases.Sweep() > 0)
                    used.Add(network.Id); // of one that is about to start
            }
            if (!used.Contains(network.Id))
                RemoveDevice(network);
            else if (network.Driver == NetworkRecord.BridgeDriver)
                bridges++;
        }
        Store.RemoveHalfMade();
        if (bridges == 0 && Rules.AreThere)
            Rules.RemoveTable();
    }

    /// <summary>Sees to it that what a container needs of a network is there, and takes its addresses.</summary>
    public Endpoint Join(NetworkRecord network, JoinRequest request)
    {
        if (network.Driver == NetworkRecord.BridgeDriver)
            Raise(network);
        var endpoint = new Endpoint
        {
            Network = network.Name,
            NetworkId = network.Id,
            Id = NewId(),
            Device = network.DevicePrefix + request.Number,
            HostDevice = network.Driver == NetworkRecord.BridgeDriver ? HostDevice(request.ContainerId, request.Number) : "",
            Aliases = request.Aliases,
            Leads = request.Leads,
        };
        using var leases = Leases.Open(Store, network, _holds);
        try
        {
            if (network.Pool(false) is { } pool4)
                (endpoint.IPv4, endpoint.PrefixLength4, endpoint.Gateway4) = (leases.Take(pool4, request.ContainerId, request.IPv4), Subnet.Parse(pool4.Subnet).Length, Way(network, pool4));
            else if (request.IPv4 is not null)
                throw new NetworkException($"network {network.Name} has no IPv4 addresses: --ip {request.IPv4} cannot be in it");
            if (network.Pool(true) is { } pool6)
                (endpoint.IPv6, endpoint.PrefixLength6, endpoint.Gateway6) = (leases.Take(pool6, request.ContainerId, request.IPv6), Subnet.Parse(pool6.Subnet).Length, Way(network, pool6));
            else if (request.IPv6 is not null)
                throw new NetworkException($"network {network.Name} has no IPv6 addresses: --ip6 {request.IPv6} cannot be in it");
        }
        catch
        {
            Return(leases, endpoint, request.ContainerId);
            throw;
        }
        endpoint.MacAddress = request.MacAddress ?? Attachment.MacOf(endpoint.IPv4, endpoint.IPv6);
        return endpoint;
    }

    /// <summary>Gives the addresses of an endpoint back.</summary>
    public void Leave(Endpoint endpoint, string containerId)
    {
        if (!Files.Exists(Store.LeasesPath(endpoint.NetworkId)))
            return;
        using var leases = Leases.Open(Store, new NetworkRecord { Name = endpoint.Network, Id = endpoint.NetworkId }, _holds);
        Return(leases, endpoint, containerId);
    }

    /// <summary>Gives back all addresses of a container of which nobody has written down what it has.</summary>
    public void LeaveAll(string containerId)
    {
        foreach (var network in Store.All())
        {
            if (!Files.Exists(Store.LeasesPath(network.Id)))
                continue;
            using var leases = Leases.Open(Store, network, _holds);
            leases.ReturnAll(containerId);
        }
    }

    /// <summary>Gives a container its device. Its first process waits, or runs.</summary>
    /// <param name="pid">A process in the container's network namespace.</param>
    /// <param name="hasPorts">Some of its ports are published.</param>
    public void Connect(NetworkRecord network, Endpoint endpoint, int pid, bool hasPorts)
    {
        if (network.Driver == NetworkRecord.MacvlanDriver)
            Attachment.ConnectMacvlan(Route, network, endpoint, pid);
        else
            Attachment.Connect(Route, network, endpoint, Attachment.TryBridge(Route, network) ?? Raise(network), pid, hasPorts);
    }

    /// <summary>Takes the device away from a container that runs on.</summary>
    /// <param name="pid">A process in the container's network namespace; 0: there is none that is known.</param>
    public void Disconnect(Endpoint endpoint, int pid) => Attachment.Disconnect(Route, endpoint, pid);

    /// <summary>A container that had no published port has one now.</summary>
    public void Reflect(Endpoint endpoint) => Attachment.Reflect(Route, endpoint);

    /// <summary>The container's way out is by this one from now on.</summary>
    public static void Lead(Endpoint endpoint, int pid) => Attachment.Lead(endpoint, pid);

    /// <summary>Chooses ports of the host, where that is left open, and asks the kernel whether they are free.</summary>
    /// <exception cref="NetworkException">One is not.</exception>
    public static List<PublishedPort> Choose(NetworkRecord network, IReadOnlyList<PortRequest> requests)
    {
        if (requests.Count > 0 && network.Driver != NetworkRecord.BridgeDriver)
            throw new NetworkException($"cannot publish ports: network {network.Name} is a {network.Driver}, its containers are reached at their own addresses");
        var ports = new List<PublishedPort>(requests.Count);
        var taken = new HashSet<(string Protocol, string Ip, int Port)>(requests.Count);
        foreach (var request in requests)
        {
            var port = new PublishedPort { Protocol = request.Protocol, HostIp = request.HostIp.Length == 0 ? network.Option(NetworkRecord.HostBindingOption) ?? "" : request.HostIp, Port = request.Port };
            if (port.HostIp == "0.0.0.0" && request.HostIp.Length == 0)
                port.HostIp = "";
            if (port.HostIp == "::1")
                throw new NetworkException("cannot publish a port on ::1: the kernel leads nothing from there to a container: 127.0.0.1 can be had");
            Choose(port, request, taken);
            ports.Add(port);
        }
        return ports;
    }

    /// <summary>Leads ports of the host to a container.</summary>
    public void Publish(Endpoints endpoints, IReadOnlyList<PublishedPort> ports, string containerId)
    {
        if (ports.Count == 0)
            return;
        var network = Find(endpoints.Networks.Find(static e => e.HostDevice.Length > 0)?.Network ?? throw new NetworkException("cannot publish ports: the container is in no bridge network"));
        foreach (var port in ports)
        {
            if (port.Is(false) && (port.IsAny || port.HostIp.StartsWith("127.", StringComparison.Ordinal)))
            {
                HostSettings.RouteLoopback(network.Device);
                break;
            }
        }
        Rules.Lead(endpoints, ports, containerId, _holds);
    }

    /// <summary>Leads them there no more.</summary>
    public void Unpublish(Endpoints endpoints, IReadOnlyList<PublishedPort> ports, string containerId)
    {
        if (ports.Count > 0)
            Rules.Unlead(endpoints, ports, containerId);
    }

    /// <summary>Removes what killed commands have left: half-made networks, leases and published ports of containers that do not run.</summary>
    public void PutRight()
    {
        if (Store.All().Count == 0)
            return;
        using var exclusive = Store.Lock();
        foreach (var network in Store.All())
        {
            using var leases = Leases.Open(Store, network, _holds);
            leases.Sweep();
        }
        Store.RemoveHalfMade();
        if (Rules.AreThere)
            RestoreRules();
    }

    /// <summary>Makes bridges and rules again as the containers that run need them.</summary>
    public void Restore()
    {
        using var exclusive = Store.Lock();
        RestoreRules();
    }

    /// <summary>As <see cref="Restore"/>, where the rules are gone.</summary>
    public void RestoreIfGone()
    {
        if (Rules.AreThere)
            return;
        using var exclusive = Store.Lock();
        if (!Rules.AreThere)
            RestoreRules();
    }

    /// <summary>A free name for a device of the host, by a container's id and the number of its network: found again by the id alone.</summary>
    private static string HostDevice(string containerId, int number) => "cm" + containerId[..11] + (char)(number < 10 ? '0' + number : 'a' + number - 10);

    private static string NewId()
    {
        Span<byte> random = stackalloc byte[32];
        Randomness.Fill(random);
        return Convert.ToHexStringLower(random);
    }

    private static string Way(NetworkRecord network, NetworkPool pool) => network.Internal ? "" : pool.Gateway;

    private static void Return(Leases leases, Endpoint endpoint, string containerId)
    {
        if (endpoint.IPv4.Length > 0)
            leases.Return(endpoint.IPv4, containerId);
        if (endpoint.IPv6.Length > 0)
            leases.Return(endpoint.IPv6, containerId);
    }

    // The bridge and the rules, if they are not there.
    private int Raise(NetworkRecord network)
    {
        if (Attachment.TryBridge(Route, network) is { } there && Rules.AreThere)
            return there;
        using var exclusive = Store.Lock();
        if (Rules.AreThere)
            Rules.Add(network);
        else
            RestoreRules(network);
        return Attachment.TryBridge(Route, network) ?? Attachment.MakeBridge(Route, network);
    }

    private void RestoreRules(NetworkRecord? more = null)
    {
        var networks = new List<NetworkRecord>();
        foreach (var network in Store.All())
        {
            if (network.Driver == NetworkRecord.BridgeDriver && (network.Id == more?.Id || Route.TryIndex(network.Device) is not null))
                networks.Add(network);
        }
        Rules.Restore(networks, _running());
    }

    private void RemoveDevice(NetworkRecord network)
    {
        if (network.Driver != NetworkRecord.BridgeDriver)
            return;
        if (Rules.AreThere)
            Rules.Remove(network);
        Attachment.DeleteLink(Route, network.Device);
    }

    // What was not asked for: id, addresses, device.
    private void Complete(NetworkRecord network)
    {
        network.Id = NewId();
        network.Created = DateTime.UtcNow.ToString("yyyy-MM-dd'T'HH:mm:ss.fffffff'Z'", System.Globalization.CultureInfo.InvariantCulture);
        if (network.Driver == NetworkRecord.BridgeDriver && network.Device.Length == 0)
            network.Device = network.Option(NetworkRecord.DeviceOption) ?? (network.IsDefault ? NetworkRecord.DefaultDevice : "cm-" + network.Id[..12]);
        var taken = HostRoutes.All(Route);
        foreach (var other in Store.All())
            taken.AddRange((other.Pools ?? []).ConvertAll(static p => Subnet.Parse(p.Subnet)));
        var pools = network.Pools ??= [];
        foreach (var pool in pools)
            Check(network, pool, taken);
        if (network.EnableIPv4 && network.Pool(false) is null && network.Driver == NetworkRecord.BridgeDriver)
            pools.Insert(0, new NetworkPool { Subnet = AddressPools.Free4(network.IsDefault, taken).ToString() });
        if (network.EnableIPv6 && network.Pool(true) is null && network.Driver == NetworkRecord.BridgeDriver)
            pools.Add(new NetworkPool { Subnet = AddressPools.Free6(taken).ToString() });
        foreach (var pool in pools)
        {
            var subnet = Subnet.Parse(pool.Subnet);
            if (pool.Gateway.Length == 0 && (network.Driver == NetworkRecord.BridgeDriver || !network.Internal))
                pool.Gateway = Subnet.Text(subnet.First + 1, subnet.IsV6);
        }
    }

    private static void Check(NetworkRecord network, NetworkPool pool, List<Subnet> taken)
    {
        var subnet = Subnet.Parse(pool.Subnet);
        pool.Subnet = subnet.ToString();
        if (subnet.Bits - subnet.Length < 2)
            throw new NetworkException($"subnet {subnet} of network {network.Name} has no room for a container");
        if (network.Driver == NetworkRecord.BridgeDriver && taken.FindIndex(subnet.Overlaps) is >= 0 and var i)
            throw new NetworkException($"subnet {subnet} of network {network.Name} overlaps {taken[i]}, which another network or a route of the host leads to");
        if (pool.Gateway.Length > 0 && (!Subnet.TryNumber(pool.Gateway, out var gateway, out var v6) || v6 != subnet.IsV6 || !subnet.Contains(gateway)))
            throw new NetworkException($"gateway {pool.Gateway} is not in subnet {subnet}");
        if (pool.IPRange.Length == 0)
            return;
        var range = Subnet.Parse(pool.IPRange);
        if (!subnet.Contains(range.First) || !subnet.Contains(range.Last))
            throw new NetworkException($"range {range} is not in subnet {subnet}");
        pool.IPRange = range.ToString();
    }

    private static void Choose(PublishedPort port, PortRequest request, HashSet<(string Protocol, string Ip, int Port)> taken)
    {
        byte protocol = port.Protocol switch { "udp" => InternetPorts.Udp, "sctp" => InternetPorts.Sctp, _ => InternetPorts.Tcp };
        var address = port.HostIp.Length == 0 ? new byte[16] : Subnet.Bytes(port.HostIp);
        for (var candidate = request.First; ; candidate++)
        {
            var number = (ushort)candidate;
            var errno = InternetPorts.TryUse(protocol, address, ref number);
            port.HostPort = number;
            if (errno == 0 && taken.Add((port.Protocol, port.HostIp, number)))
                return;
            if (errno == 0)
                errno = Errno.EADDRINUSE; // by another of its own
            if (errno != Errno.EADDRINUSE || (candidate >= request.Last && request.First != 0))
                throw new NetworkException($"failed to bind host port {port}: {LinuxException.Describe(errno)}");
            if (request.First == 0)
                candidate--; // the kernel chose it: it will choose another
        }
    }
}
