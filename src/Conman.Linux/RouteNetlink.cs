// Network interfaces and their addresses through rtnetlink(7): found, moved to another network namespace, given addresses, set up.

using System.Buffers.Binary;

namespace Conman.Linux;

/// <summary>A network interface, as struct ifinfomsg and IFLA_IFNAME say it.</summary>
public readonly record struct NetworkInterface(int Index, string Name, uint Flags);

/// <summary>An address of an interface: struct ifaddrmsg, and its attributes as the kernel sent them.</summary>
public sealed record InterfaceAddress(byte Family, byte PrefixLength, uint Flags, byte Scope, IReadOnlyList<(ushort Type, byte[] Value)> Attributes);

/// <summary>The interfaces of one network namespace.</summary>
public sealed class RouteNetlink : IDisposable
{
    private const ushort AddressFlags = 8 /* IFA_FLAGS */, AddressLabel = 3 /* IFA_LABEL */, AddressCacheInfo = 6 /* IFA_CACHEINFO */;
    private const int LinkSize = 16, AddressSize = 8;

    private readonly NetlinkSocket _socket;

    private RouteNetlink(NetlinkSocket socket) => _socket = socket;

    /// <summary>IFA_F_PERMANENT: an address that somebody gave, and no router's advertisement.</summary>
    public const uint Permanent = 0x80;

    /// <summary>For the network namespace of this thread.</summary>
    public static RouteNetlink Open() => new(NetlinkSocket.Open(NetlinkSocket.Route));

    /// <summary>For another network namespace.</summary>
    public static RouteNetlink Open(FileDescriptor networkNamespace) => new(NetlinkSocket.Open(NetlinkSocket.Route, networkNamespace));

    public void Dispose() => _socket.Dispose();

    /// <summary>The interface of that name, or null.</summary>
    public NetworkInterface? TryFind(string name) => TryFind(_socket, name);

    /// <summary>The interface of that name, or null.</summary>
    public static NetworkInterface? TryFind(NetlinkSocket socket, string name)
    {
        var request = new NetlinkBatch().Begin(Rtnetlink.RTM_GETLINK, 0, "look for", name);
        request.Grow(LinkSize);
        request.Add(Rtnetlink.IFLA_IFNAME, name);
        NetworkInterface? found = null;
        var errno = socket.TryAsk(request, (type, body) =>
        {
            if (type == Rtnetlink.RTM_NEWLINK)
                found = new NetworkInterface(BinaryPrimitives.ReadInt32LittleEndian(body[4..]), name, BinaryPrimitives.ReadUInt32LittleEndian(body[8..]));
        });
        return errno is 0 or Errno.ENODEV ? found : throw new LinuxException(errno, $"look for the network interface {name}");
    }

    /// <summary>The addresses of an interface, of every family.</summary>
    public List<InterfaceAddress> Addresses(int index)
    {
        var addresses = new List<InterfaceAddress>();
        var request = new NetlinkBatch().Begin(Rtnetlink.RTM_GETADDR, NetlinkBatch.Dump, "list", "addresses");
        request.Grow(AddressSize);
        var errno = _socket.TryAsk(request, (type, body) =>
        {
            if (type != Rtnetlink.RTM_NEWADDR || BinaryPrimitives.ReadInt32LittleEndian(body[4..]) != index)
                return;
            var attributes = new List<(ushort, byte[])>();
            uint flags = body[2];
            for (var rest = body[AddressSize..]; NetlinkSocket.NextAttribute(ref rest, out var kind, out var value);)
            {
                if (kind == AddressFlags)
                    flags = BinaryPrimitives.ReadUInt32LittleEndian(value); // all of them: the header has room for eight
                attributes.Add((kind, value.ToArray()));
            }
            addresses.Add(new InterfaceAddress(body[0], body[1], flags, body[3], attributes));
        });
        return errno == 0 ? addresses : throw new LinuxException(errno, "list the addresses of network interfaces");
    }

    /// <summary>Sets an interface up or down; errno or 0.</summary>
    public int TrySetUp(int index, bool up) => _socket.TrySend(Change(index, up ? Rtnetlink.IFF_UP : 0, Rtnetlink.IFF_UP), out _, out _);

    /// <summary>Moves an interface to another network namespace, under another name or its own; errno or 0.</summary>
    public int TryMove(int index, FileDescriptor networkNamespace, string? name)
    {
        var request = Change(index, 0, 0);
        request.Add(Rtnetlink.IFLA_NET_NS_FD, (uint)networkNamespace.Number);
        if (name is not null)
            request.Add(Rtnetlink.IFLA_IFNAME, name);
        return _socket.TrySend(request, out _, out _);
    }

    /// <summary>Gives an interface an address; errno or 0.</summary>
    public int TryAdd(int index, InterfaceAddress address)
    {
        var request = new NetlinkBatch().Begin(Rtnetlink.RTM_NEWADDR, NetlinkBatch.Create | NetlinkBatch.Exclusive, "give", "an address");
        var body = request.Grow(AddressSize);
        (body[0], body[1], body[2], body[3]) = (address.Family, address.PrefixLength, (byte)address.Flags, address.Scope);
        BinaryPrimitives.WriteInt32LittleEndian(body[4..], index);
        foreach (var (type, value) in address.Attributes)
        {
            // Its ages are those of another time, its label begins with the name of another interface.
            if (type is not (AddressCacheInfo or AddressLabel))
                request.Add(type, value);
        }
        return _socket.TrySend(request, out _, out _);
    }

    private static NetlinkBatch Change(int index, uint flags, uint mask)
    {
        var request = new NetlinkBatch().Begin(Rtnetlink.RTM_NEWLINK, 0, "change", "a network interface");
        var body = request.Grow(LinkSize);
        BinaryPrimitives.WriteInt32LittleEndian(body[4..], index);
        BinaryPrimitives.WriteUInt32LittleEndian(body[8..], flags);
        BinaryPrimitives.WriteUInt32LittleEndian(body[12..], mask);
        return request;
    }
}
