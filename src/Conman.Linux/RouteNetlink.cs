// Network interfaces and their addresses through rtnetlink(7): found, moved to another network namespace, given addresses, set up.

using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;

namespace Conman.Linux;

/// <summary>A network interface, as struct ifinfomsg and IFLA_IFNAME say it.</summary>
public readonly record struct NetworkInterface(int Index, string Name, uint Flags);

/// <summary>An address of an interface: struct ifaddrmsg, and its attributes as the kernel sent them.</summary>
public sealed record InterfaceAddress(byte Family, byte PrefixLength, uint Flags, byte Scope, IReadOnlyList<(ushort Type, byte[] Value)> Attributes);

/// <summary>A netlink socket, which speaks for the network namespace that it was made in, wherever its owner is later.</summary>
public sealed unsafe class RouteNetlink : IDisposable
{
    private const ushort Request = 1, Acknowledge = 4, Dump = 0x300, Create = 0x400, Exclusive = 0x200;
    private const ushort MessageError = 2, MessageDone = 3;
    private const ushort NewLink = 16, GetLink = 18, NewAddress = 20, GetAddress = 22;
    private const ushort LinkName = 3, LinkNamespace = 28, AddressFlags = 8, AddressLabel = 3, AddressCacheInfo = 6;
    private const uint Up = 1;
    private const int HeaderSize = 16, LinkSize = 16, AddressSize = 8, BufferSize = 32 << 10;

    private readonly FileDescriptor _socket;
    private uint _sequence;

    private RouteNetlink(FileDescriptor socket) => _socket = socket;

    /// <summary>IFA_F_PERMANENT: an address that somebody gave, and no router's advertisement.</summary>
    public const uint Permanent = 0x80;

    /// <summary>For the network namespace of this thread.</summary>
    public static RouteNetlink Open() => new(FileDescriptor.Check(
        Tmds.Linux.LibC.socket(16 /* AF_NETLINK */, 3 | 0x80000 /* SOCK_RAW | SOCK_CLOEXEC */, 0), "open a netlink socket"));

    /// <summary>For another network namespace: this thread enters it for as long as the socket takes to make.</summary>
    public static RouteNetlink Open(FileDescriptor networkNamespace)
    {
        using var own = Files.Open("/proc/thread-self/ns/net", OpenFlags.ReadOnly);
        Enter(networkNamespace);
        try
        {
            return Open();
        }
        finally
        {
            Enter(own);
        }
    }

    public void Dispose() => _socket.Dispose();

    /// <summary>The interface of that name, or null.</summary>
    public NetworkInterface? TryFind(string name)
    {
        var request = new Message(GetLink, Request, new byte[LinkSize]);
        request.Add(LinkName, name);
        NetworkInterface? found = null;
        var errno = Exchange(request, (type, body) =>
        {
            if (type == NewLink)
                found = new NetworkInterface(BinaryPrimitives.ReadInt32LittleEndian(body[4..]), name, BinaryPrimitives.ReadUInt32LittleEndian(body[8..]));
        });
        return errno is 0 or Errno.ENODEV ? found : Throw<NetworkInterface?>(errno, $"look for the network interface {name}");
    }

    /// <summary>The addresses of an interface, of every family.</summary>
    public List<InterfaceAddress> Addresses(int index)
    {
        var addresses = new List<InterfaceAddress>();
        var errno = Exchange(new Message(GetAddress, Request | Dump, new byte[AddressSize]), (type, body) =>
        {
            if (type != NewAddress || BinaryPrimitives.ReadInt32LittleEndian(body[4..]) != index)
                return;
            var attributes = new List<(ushort, byte[])>();
            uint flags = body[2];
            for (var rest = body[AddressSize..]; rest.Length >= 4;)
            {
                var (size, kind) = (BinaryPrimitives.ReadUInt16LittleEndian(rest), BinaryPrimitives.ReadUInt16LittleEndian(rest[2..]));
                if (size < 4 || size > rest.Length)
                    break;
                if (kind == AddressFlags)
                    flags = BinaryPrimitives.ReadUInt32LittleEndian(rest[4..]); // all of them: the header has room for eight
                attributes.Add((kind, rest[4..size].ToArray()));
                rest = rest[Math.Min(Align(size), rest.Length)..];
            }
            addresses.Add(new InterfaceAddress(body[0], body[1], flags, body[3], attributes));
        });
        return errno == 0 ? addresses : Throw<List<InterfaceAddress>>(errno, "list the addresses of network interfaces");
    }

    /// <summary>Sets an interface up or down; errno or 0.</summary>
    public int TrySetUp(int index, bool up) => Exchange(Change(index, up ? Up : 0, Up));

    /// <summary>Moves an interface to another network namespace, under another name or its own; errno or 0.</summary>
    public int TryMove(int index, FileDescriptor networkNamespace, string? name)
    {
        var request = Change(index, 0, 0);
        request.Add(LinkNamespace, networkNamespace.Number);
        if (name is not null)
            request.Add(LinkName, name);
        return Exchange(request);
    }

    /// <summary>Gives an interface an address; errno or 0.</summary>
    public int TryAdd(int index, InterfaceAddress address)
    {
        Span<byte> body = stackalloc byte[AddressSize];
        (body[0], body[1], body[2], body[3]) = (address.Family, address.PrefixLength, (byte)address.Flags, address.Scope);
        BinaryPrimitives.WriteInt32LittleEndian(body[4..], index);
        var request = new Message(NewAddress, Request | Acknowledge | Create | Exclusive, body);
        foreach (var (type, value) in address.Attributes)
        {
            // Its ages are those of another time, its label begins with the name of another interface.
            if (type is not (AddressCacheInfo or AddressLabel))
                request.Add(type, value);
        }
        return Exchange(request);
    }

    private static Message Change(int index, uint flags, uint mask)
    {
        Span<byte> body = stackalloc byte[LinkSize];
        body.Clear();
        BinaryPrimitives.WriteInt32LittleEndian(body[4..], index);
        BinaryPrimitives.WriteUInt32LittleEndian(body[8..], flags);
        BinaryPrimitives.WriteUInt32LittleEndian(body[12..], mask);
        return new Message(NewLink, Request | Acknowledge, body);
    }

    private delegate void Visitor(ushort type, ReadOnlySpan<byte> body);

    // Sends, and reads to the answer's end: its one message, an acknowledgement, or the end of a dump. Errno or 0.
    private int Exchange(Message request, Visitor? visit = null)
    {
        var dump = (request.Flags & Dump) == Dump;
        var errno = Sockets.TrySend(_socket, request.Finish(++_sequence));
        if (errno != 0)
            return errno;
        var buffer = new byte[BufferSize];
        for (; ; )
        {
            var rest = buffer.AsSpan(0, Sockets.Receive(_socket, buffer));
            while (rest.Length >= HeaderSize)
            {
                var size = BinaryPrimitives.ReadInt32LittleEndian(rest);
                var type = BinaryPrimitives.ReadUInt16LittleEndian(rest[4..]);
                if (size < HeaderSize || size > rest.Length)
                    return Errno.EIO;
                if (BinaryPrimitives.ReadUInt32LittleEndian(rest[8..]) == _sequence)
                {
                    if (type is MessageError or MessageDone)
                        return -BinaryPrimitives.ReadInt32LittleEndian(rest[HeaderSize..]);
                    visit?.Invoke(type, rest[HeaderSize..size]);
                    if (!dump)
                        return 0;
                }
                rest = rest[Math.Min(Align(size), rest.Length)..];
            }
        }
    }

    private static int Align(int size) => (size + 3) & ~3;

    private static void Enter(FileDescriptor networkNamespace)
    {
        if (Native.syscall(SyscallNumbers.setns, networkNamespace.Number, (nint)Namespaces.Network, 0, 0, 0, 0) < 0)
            LinuxException.Throw(Marshal.GetLastPInvokeError(), "enter a network namespace");
    }

    private static T Throw<T>(int errno, string operation)
    {
        LinuxException.Throw(errno, operation);
        return default!;
    }

    /// <summary>struct nlmsghdr, a body, and attributes (struct nlattr), each on a boundary of four bytes.</summary>
    private sealed class Message
    {
        private readonly List<byte> _bytes = [];

        public Message(ushort type, int flags, ReadOnlySpan<byte> body)
        {
            Flags = (ushort)flags;
            Span<byte> header = stackalloc byte[HeaderSize];
            header.Clear();
            BinaryPrimitives.WriteUInt16LittleEndian(header[4..], type);
            BinaryPrimitives.WriteUInt16LittleEndian(header[6..], Flags);
            _bytes.AddRange(header);
            _bytes.AddRange(body);
        }

        public ushort Flags { get; }

        public void Add(ushort type, string text) => Add(type, [.. Encoding.UTF8.GetBytes(text), 0]);

        public void Add(ushort type, int number) => Add(type, BitConverter.GetBytes(number));

        public void Add(ushort type, ReadOnlySpan<byte> value)
        {
            Span<byte> header = stackalloc byte[4];
            BinaryPrimitives.WriteUInt16LittleEndian(header, (ushort)(4 + value.Length));
            BinaryPrimitives.WriteUInt16LittleEndian(header[2..], type);
            _bytes.AddRange(header);
            _bytes.AddRange(value);
            while (_bytes.Count % 4 != 0)
                _bytes.Add(0);
        }

        public byte[] Finish(uint sequence)
        {
            var bytes = _bytes.ToArray();
            BinaryPrimitives.WriteInt32LittleEndian(bytes, bytes.Length);
            BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(8), sequence);
            return bytes;
        }
    }
}
