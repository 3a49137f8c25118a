// The devices: a network's bridge, and what connects a container to it. A device in a container ends with the container's network
// namespace, and so does its other end: nothing has to be undone when a container ends.

using System.Globalization;
using Conman.Linux;
using Conman.Network.Addresses;
using Conman.Network.Store;

namespace Conman.Network.Links;

internal static class Attachment
{
    private const uint Up = 1 /* IFF_UP */;

    /// <summary>The index of a network's bridge; null: it is not there, or not whole.</summary>
    public static int? TryBridge(NetlinkSocket route, NetworkRecord network) =>
        RouteNetlink.TryFind(route, network.Device) is { } found && (found.Flags & Up) != 0 ? found.Index : null;

    /// <summary>Makes a network's bridge, or what is missing of it. It is set up last: one that is up is whole.</summary>
    /// <returns>Its index.</returns>
    public static int MakeBridge(NetlinkSocket route, NetworkRecord network)
    {
        var (pool4, pool6) = (network.Pool(false), network.Pool(true));
        var made = new NetlinkBatch().AddBridge(network.Device, Mac(pool4?.Gateway, pool6?.Gateway), network.Mtu);
        Ensure(route, made, Errno.EEXIST);
        var index = route.TryIndex(network.Device) ?? throw new LinuxException(Errno.ENODEV, "find bridge " + network.Device);
        foreach (var pool in network.Pools ?? [])
        {
            if (pool.Gateway.Length == 0)
                continue;
            var subnet = Subnet.Parse(pool.Subnet);
            Ensure(route, new NetlinkBatch().AddAddress(network.Device, index, Subnet.Bytes(pool.Gateway), subnet.Length, Broadcast(subnet)), Errno.EEXIST);
        }
        HostSettings.Forward(pool4 is not null && !network.Internal, pool6 is not null && !network.Internal);
        route.Send(new NetlinkBatch().SetUp(network.Device, index));
        return index;
    }

    /// <summary>Connects a container to a bridge.</summary>
    /// <param name="bridge">The bridge's index.</param>
    /// <param name="pid">A process in the container's network namespace, which waits.</param>
    /// <param name="reflects">It has published ports: as <see cref="Reflect"/>.</param>
    public static void Connect(NetlinkSocket route, NetworkRecord network, Endpoint endpoint, int bridge, int pid, bool reflects)
    {
        var errno = route.TrySend(Pair(), out var place, out var words);
        if (errno == Errno.EEXIST)
        {
            // That of its last run, which the kernel has not come round to removing.
            Ensure(route, new NetlinkBatch().Delete(endpoint.HostDevice), Errno.ENODEV);
            errno = route.TrySend(Pair(), out place, out words);
        }
        if (errno != 0)
            throw Pair().Refused(errno, place, words);
        Configure(endpoint, pid);

        NetlinkBatch Pair()
        {
            var batch = new NetlinkBatch().AddPair(endpoint.HostDevice, bridge, network.Mtu, endpoint.Device, pid, Mac(endpoint.MacAddress));
            if (reflects)
                batch.SetPort(endpoint.HostDevice, Rtnetlink.IFLA_BRPORT_MODE);
            return network.Talks ? batch : batch.SetPort(endpoint.HostDevice, Rtnetlink.IFLA_BRPORT_ISOLATED);
        }
    }

    /// <summary>What a container sends to a port of its own by way of the host comes back: where the host filters bridged packets (bridge-nf-call-iptables),
    /// they never leave the bridge, which sends nothing back to where it came from unless it is told to.</summary>
    public static void Reflect(NetlinkSocket route, Endpoint endpoint) => route.Send(new NetlinkBatch().SetPort(endpoint.HostDevice, Rtnetlink.IFLA_BRPORT_MODE));

    /// <summary>Gives a container a device of its own on the wire of one of the host's.</summary>
    public static void ConnectMacvlan(NetlinkSocket route, NetworkRecord network, Endpoint endpoint, int pid)
    {
        var parent = route.TryIndex(network.Device) ?? throw new NetworkException($"network {network.Name}: the host has no device {network.Device}");
        uint mode = network.Option(NetworkRecord.ModeOption) switch { "private" => 1, "vepa" => 2, "passthru" => 8, _ => Rtnetlink.MACVLAN_MODE_BRIDGE };
        route.Send(new NetlinkBatch().AddMacvlan(endpoint.Device, parent, mode, network.Mtu, pid, Mac(endpoint.MacAddress)));
        Configure(endpoint, pid);
    }

    /// <summary>Removes a container's device, where its network namespace lives on.</summary>
    /// <param name="pid">A process in it; 0: unknown.</param>
    public static void Disconnect(NetlinkSocket route, Endpoint endpoint, int pid)
    {
        if (endpoint.HostDevice.Length > 0)
        {
            Ensure(route, new NetlinkBatch().Delete(endpoint.HostDevice), Errno.ENODEV);
        }
        else if (pid != 0)
        {
            using var there = Enter(pid);
            Ensure(there, new NetlinkBatch().Delete(endpoint.Device), Errno.ENODEV);
        }
    }

    public static void DeleteLink(NetlinkSocket route, string device) => Ensure(route, new NetlinkBatch().Delete(device), Errno.ENODEV);

    /// <summary>Makes default routes of a container lead over another of its networks.</summary>
    public static void Lead(Endpoint endpoint, int pid)
    {
        using var there = Enter(pid);
        var index = there.TryIndex(endpoint.Device) ?? throw new LinuxException(Errno.ENODEV, "find " + endpoint.Device);
        foreach (var gateway in (ReadOnlySpan<string>)[endpoint.Gateway4, endpoint.Gateway6])
        {
            if (gateway.Length > 0)
                Ensure(there, new NetlinkBatch().AddDefaultRoute(endpoint.Device, index, Subnet.Bytes(gateway)), Errno.EEXIST);
        }
    }

    /// <summary>A MAC address that follows from the IP address: nobody's neighbour table is wrong when the IP address is given to another.</summary>
    public static string MacOf(string ipv4, string ipv6)
    {
        var text = new char[17];
        var bytes = Mac(ipv4, ipv6);
        for (var i = 0; i < 6; i++)
        {
            (text[i * 3], text[(i * 3) + 1]) = ("0123456789abcdef"[bytes[i] >> 4], "0123456789abcdef"[bytes[i] & 15]);
            if (i < 5)
                text[(i * 3) + 2] = ':';
        }
        return new string(text);
    }

    // All in one go: the device's addresses and routes, in the network namespace of the container.
    private static void Configure(Endpoint endpoint, int pid)
    {
        using var there = Enter(pid);
        var index = there.TryIndex(endpoint.Device) ?? throw new LinuxException(Errno.ENODEV, "find " + endpoint.Device);
        var batch = new NetlinkBatch().SetUp(endpoint.Device, index);
        if (endpoint.IPv4.Length > 0)
        {
            Subnet.TryNumber(endpoint.IPv4, out var number, out _);
            batch.AddAddress(endpoint.Device, index, Subnet.Bytes(endpoint.IPv4), endpoint.PrefixLength4, Broadcast(Subnet.Of(number, endpoint.PrefixLength4, false)));
        }
        if (endpoint.IPv6.Length > 0)
            batch.AddAddress(endpoint.Device, index, Subnet.Bytes(endpoint.IPv6), endpoint.PrefixLength6);
        if (endpoint.Leads && endpoint.Gateway4.Length > 0)
            batch.AddDefaultRoute(endpoint.Device, index, Subnet.Bytes(endpoint.Gateway4));
        if (endpoint.Leads && endpoint.Gateway6.Length > 0)
            batch.AddDefaultRoute(endpoint.Device, index, Subnet.Bytes(endpoint.Gateway6));
        there.Send(batch);
    }

    private static NetlinkSocket Enter(int pid)
    {
        using var process = Files.Open("/proc/" + pid.ToString(CultureInfo.InvariantCulture) + "/ns/net", OpenFlags.ReadOnly);
        return NetlinkSocket.Open(NetlinkSocket.Route, process);
    }

    private static void Ensure(NetlinkSocket socket, NetlinkBatch batch, int harmless)
    {
        var errno = socket.TrySend(batch, out var place, out var words);
        if (errno != 0 && errno != harmless)
            throw batch.Refused(errno, place, words);
    }

    private static byte[]? Broadcast(Subnet subnet) => subnet.IsV6 || subnet.Length > 30 ? null : Subnet.Bytes(subnet.Last, false);

    private static byte[] Mac(string? ipv4, string? ipv6)
    {
        var mac = new byte[6];
        (mac[0], mac[1]) = (0x02, 0x42); // of local administration
        if (Subnet.TryNumber(ipv4 is { Length: > 0 } ? ipv4 : ipv6 is { Length: > 0 } ? ipv6 : "0.0.0.0", out var number, out _))
            Subnet.Bytes((uint)number, false).CopyTo(mac, 2);
        return mac;
    }

    private static byte[] Mac(string text)
    {
        var mac = new byte[6];
        for (var i = 0; i < 6; i++)
            mac[i] = byte.Parse(text.AsSpan(i * 3, 2), NumberStyles.HexNumber, CultureInfo.InvariantCulture);
        return mac;
    }
}
