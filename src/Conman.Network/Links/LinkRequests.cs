// What is asked of rtnetlink(7): links made and removed, addresses and routes given. A row of requests is one message to the kernel.

using System.Buffers.Binary;
using Conman.Linux;
using static Conman.Linux.Rtnetlink;

namespace Conman.Network.Links;

/// <summary>Each method adds one request to a batch.</summary>
internal static class LinkRequests
{
    private const int LinkSize = 16, AddressSize = 8, RouteSize = 12;
    private const byte Inet = 2 /* AF_INET */, Inet6 = 10 /* AF_INET6 */;

    /// <summary>Makes a bridge, up.</summary>
    public static NetlinkBatch AddBridge(this NetlinkBatch batch, string name, byte[] mac, int mtu)
    {
        Link(batch.Begin(RTM_NEWLINK, NetlinkBatch.Create | NetlinkBatch.Exclusive, "make bridge", name), 0, IFF_UP);
        batch.Add(IFLA_IFNAME, name).Add(IFLA_ADDRESS, mac);
        if (mtu > 0)
            batch.Add(IFLA_MTU, (uint)mtu);
        using (batch.Nested(IFLA_LINKINFO))
            batch.Add(IFLA_INFO_KIND, "bridge");
        return batch;
    }

    /// <summary>Makes a pair of devices: one, up, is a port of a bridge, the other is born in the network namespace of a process.</summary>
    /// <param name="master">The bridge's index.</param>
    /// <param name="pid">The process.</param>
    public static NetlinkBatch AddPair(this NetlinkBatch batch, string name, int master, int mtu, string peer, int pid, byte[] mac)
    {
        Link(batch.Begin(RTM_NEWLINK, NetlinkBatch.Create | NetlinkBatch.Exclusive, "make network device", name), 0, IFF_UP);
        batch.Add(IFLA_IFNAME, name).Add(IFLA_MASTER, (uint)master);
        if (mtu > 0)
            batch.Add(IFLA_MTU, (uint)mtu);
        using (batch.Nested(IFLA_LINKINFO))
        {
            batch.Add(IFLA_INFO_KIND, "veth");
            using (batch.Nested(IFLA_INFO_DATA))
            using (batch.Nested(VETH_INFO_PEER))
            {
                Link(batch, 0, 0);
                batch.Add(IFLA_IFNAME, peer).Add(IFLA_ADDRESS, mac).Add(IFLA_NET_NS_PID, (uint)pid);
                if (mtu > 0)
                    batch.Add(IFLA_MTU, (uint)mtu);
            }
        }
        return batch;
    }

    /// <summary>Makes a device with an address of its own on the wire of another, in the network namespace of a process.</summary>
    /// <param name="parent">The other's index.</param>
    /// <param name="mode">MACVLAN_MODE_*.</param>
    public static NetlinkBatch AddMacvlan(this NetlinkBatch batch, string name, int parent, uint mode, int mtu, int pid, byte[] mac)
    {
        Link(batch.Begin(RTM_NEWLINK, NetlinkBatch.Create | NetlinkBatch.Exclusive, "make macvlan device", name), 0, IFF_UP);
        batch.Add(IFLA_IFNAME, name).Add(IFLA_LINK, (uint)parent).Add(IFLA_NET_NS_PID, (uint)pid).Add(IFLA_ADDRESS, mac);
        if (mtu > 0)
            batch.Add(IFLA_MTU, (uint)mtu);
        using (batch.Nested(IFLA_LINKINFO))
        {
            batch.Add(IFLA_INFO_KIND, "macvlan");
            using (batch.Nested(IFLA_INFO_DATA))
                batch.Add(IFLA_MACVLAN_MODE, mode);
        }
        return batch;
    }

    /// <summary>Sets a device up.</summary>
    public static NetlinkBatch SetUp(this NetlinkBatch batch, string name, int index) =>
        Link(batch.Begin(RTM_NEWLINK, 0, "set up", name), index, IFF_UP);

    /// <summary>Sets a switch of a bridge's port: IFLA_BRPORT_*.</summary>
    public static NetlinkBatch SetPort(this NetlinkBatch batch, string name, ushort which)
    {
        Link(batch.Begin(RTM_NEWLINK, 0, "set up bridge port", name), 0, 0);
        batch.Add(IFLA_IFNAME, name);
        using (batch.Nested(IFLA_LINKINFO))
        {
            batch.Add(IFLA_INFO_SLAVE_KIND, "bridge");
            using (batch.Nested(IFLA_INFO_SLAVE_DATA))
                batch.Add(which, [1]);
        }
        return batch;
    }

    public static NetlinkBatch Delete(this NetlinkBatch batch, string name)
    {
        Link(batch.Begin(RTM_DELLINK, 0, "remove network device", name), 0, 0);
        return batch.Add(IFLA_IFNAME, name);
    }

    /// <summary>Gives a device an address.</summary>
    /// <param name="address">4 or 16 bytes.</param>
    /// <param name="broadcast">Of IPv4; null: none.</param>
    public static NetlinkBatch AddAddress(this NetlinkBatch batch, string device, int index, byte[] address, int length, byte[]? broadcast = null)
    {
        batch.Begin(RTM_NEWADDR, NetlinkBatch.Create | NetlinkBatch.Exclusive, "give an address to", device);
        var body = batch.Grow(AddressSize);
        (body[0], body[1]) = (Family(address), (byte)length);
        if (address.Length == 16)
            body[2] = IFA_F_NODAD; // it is leased to nobody else
        BinaryPrimitives.WriteInt32LittleEndian(body[4..], index);
        batch.Add(IFA_LOCAL, address).Add(IFA_ADDRESS, address);
        return broadcast is null ? batch : batch.Add(IFA_BROADCAST, broadcast);
    }

    /// <summary>Leads everything that no other route leads elsewhere to a gateway.</summary>
    public static NetlinkBatch AddDefaultRoute(this NetlinkBatch batch, string device, int index, byte[] gateway)
    {
        batch.Begin(RTM_NEWROUTE, NetlinkBatch.Create | NetlinkBatch.Exclusive, "route to the gateway of", device);
        var body = batch.Grow(RouteSize); // struct rtmsg
        (body[0], body[4], body[5], body[6], body[7]) = (Family(gateway), RT_TABLE_MAIN, RTPROT_STATIC, RT_SCOPE_UNIVERSE, RTN_UNICAST);
        return batch.Add(RTA_GATEWAY, gateway).Add(RTA_OIF, (uint)index);
    }

    /// <summary>The index of a device; null: there is none of that name.</summary>
    public static int? TryIndex(this NetlinkSocket socket, string name) => RouteNetlink.TryFind(socket, name)?.Index;

    // struct ifinfomsg.
    private static NetlinkBatch Link(NetlinkBatch batch, int index, uint flags)
    {
        var body = batch.Grow(LinkSize);
        BinaryPrimitives.WriteInt32LittleEndian(body[4..], index);
        BinaryPrimitives.WriteUInt32LittleEndian(body[8..], flags);
        BinaryPrimitives.WriteUInt32LittleEndian(body[12..], flags);
        return batch;
    }

    private static byte Family(byte[] address) => address.Length == 4 ? Inet : Inet6;
}
