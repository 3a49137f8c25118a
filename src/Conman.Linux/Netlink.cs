// netlink(7): messages written one after another, sent together, and answered with the kernel's own words where it refuses one.

using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;

namespace Conman.Linux;

/// <summary>Messages to be sent in one go: each a struct nlmsghdr, a fixed body, and attributes (struct nlattr), all on boundaries of four bytes.</summary>
public sealed class NetlinkBatch
{
    /// <summary>Flags of a message (NLM_F_*).</summary>
    public const ushort Request = 1 /* NLM_F_REQUEST */, Acknowledge = 4 /* NLM_F_ACK */, Dump = 0x300 /* NLM_F_DUMP */, Create = 0x400 /* NLM_F_CREATE */, Exclusive = 0x200 /* NLM_F_EXCL */,
        Append = 0x800 /* NLM_F_APPEND */;

    internal const int HeaderSize = 16;

    private const int NestedFlag = 0x8000 /* NLA_F_NESTED */, FirstSize = 1024;

    private readonly List<(string Verb, string Object)> _operations = [];
    private byte[] _bytes = new byte[FirstSize];
    private int _end, _message;

    /// <summary>How many bytes there are so far.</summary>
    public int Length => _end;

    /// <summary>How many messages.</summary>
    public int Count => _operations.Count;

    /// <summary>Begins a message; what is added next is its own.</summary>
    /// <param name="verb">What it does, for the error that may come of it: <c>give</c>.</param>
    /// <param name="subject">To what: <c>address 10.0.0.2 to eth0</c>.</param>
    public NetlinkBatch Begin(ushort type, int flags, string verb, string subject)
    {
        Close();
        _message = _end;
        var header = Grow(HeaderSize);
        BinaryPrimitives.WriteUInt16LittleEndian(header[4..], type);
        BinaryPrimitives.WriteUInt16LittleEndian(header[6..], (ushort)(flags | Request));
        BinaryPrimitives.WriteInt32LittleEndian(header[8..], Count); // its place, until it is sent
        _operations.Add((verb, subject));
        return this;
    }

    /// <summary>So many zero bytes, to be filled.</summary>
    public Span<byte> Grow(int size)
    {
        if (_bytes.Length - _end < size + 3)
            Array.Resize(ref _bytes, Math.Max(_bytes.Length * 2, _end + size + 3));
        var place = _bytes.AsSpan(_end, size);
        _end += (size + 3) & ~3;
        return place;
    }

    public NetlinkBatch Add(ushort type, ReadOnlySpan<byte> value)
    {
        var place = Grow(4 + value.Length);
        BinaryPrimitives.WriteUInt16LittleEndian(place, (ushort)(4 + value.Length));
        BinaryPrimitives.WriteUInt16LittleEndian(place[2..], type);
        value.CopyTo(place[4..]);
        return this;
    }

    /// <summary>Text, with the NUL that ends it.</summary>
    public NetlinkBatch Add(ushort type, string text)
    {
        var size = Encoding.UTF8.GetByteCount(text);
        var place = Grow(4 + size + 1);
        BinaryPrimitives.WriteUInt16LittleEndian(place, (ushort)(4 + size + 1));
        BinaryPrimitives.WriteUInt16LittleEndian(place[2..], type);
        Encoding.UTF8.GetBytes(text, place[4..]);
        return this;
    }

    /// <summary>A number in the order of this processor, as rtnetlink has them.</summary>
    public NetlinkBatch Add(ushort type, uint number)
    {
        Span<byte> value = stackalloc byte[4];
        BinaryPrimitives.WriteUInt32LittleEndian(value, number);
        return Add(type, value);
    }

    /// <summary>A number in the order of the network, as nf_tables has them.</summary>
    public NetlinkBatch AddBig(ushort type, uint number)
    {
        Span<byte> value = stackalloc byte[4];
        BinaryPrimitives.WriteUInt32BigEndian(value, number);
        return Add(type, value);
    }

    /// <summary>An attribute that holds others: those that are added until the result is disposed.</summary>
    public Nest Nested(ushort type)
    {
        var at = _end;
        BinaryPrimitives.WriteUInt16LittleEndian(Grow(4)[2..], (ushort)(type | NestedFlag));
        return new Nest(this, at);
    }

    /// <summary>The messages, numbered from <paramref name="sequence"/> on; the last is acknowledged.</summary>
    internal ReadOnlySpan<byte> Finish(uint sequence, int acknowledged)
    {
        Close();
        for (var at = 0; at < _end; at += (BinaryPrimitives.ReadInt32LittleEndian(_bytes.AsSpan(at)) + 3) & ~3)
        {
            var place = BinaryPrimitives.ReadInt32LittleEndian(_bytes.AsSpan(at + 8));
            BinaryPrimitives.WriteUInt32LittleEndian(_bytes.AsSpan(at + 8), sequence + (uint)place);
            if (place == acknowledged)
                _bytes[at + 6] |= (byte)Acknowledge;
        }
        return _bytes.AsSpan(0, _end);
    }

    /// <summary>What to say of a message that the kernel refused.</summary>
    public LinuxException Refused(int errno, int place, string? words) => new(errno, _operations[place].Verb + " " + _operations[place].Object, words);

    private void Close()
    {
        if (_end > _message)
            BinaryPrimitives.WriteInt32LittleEndian(_bytes.AsSpan(_message), _end - _message);
    }

    /// <summary>The end of its scope is the end of the attribute.</summary>
    public readonly ref struct Nest(NetlinkBatch batch, int at)
    {
        public void Dispose() => BinaryPrimitives.WriteUInt16LittleEndian(batch._bytes.AsSpan(at), (ushort)(batch._end - at));
    }
}

/// <summary>A netlink socket. It speaks for the network namespace that it was made in, wherever its owner is later.</summary>
public sealed unsafe class NetlinkSocket : IDisposable
{
    /// <summary>The protocols.</summary>
    public const int Route = 0 /* NETLINK_ROUTE */, Netfilter = 12 /* NETLINK_NETFILTER */;

    private const int MessageError = 2 /* NLMSG_ERROR */, MessageDone = 3 /* NLMSG_DONE */, BufferSize = 32 << 10;

    private readonly FileDescriptor _socket;
    private byte[]? _buffer;
    private uint _sequence = 1;

    private NetlinkSocket(FileDescriptor socket) => _socket = socket;

    /// <summary>For the network namespace of this thread.</summary>
    public static NetlinkSocket Open(int protocol)
    {
        var socket = FileDescriptor.Check(Tmds.Linux.LibC.socket(16 /* AF_NETLINK */, 3 | 0x80000 /* SOCK_RAW | SOCK_CLOEXEC */, protocol), "open a netlink socket");
        Set(socket, 10 /* NETLINK_CAP_ACK */, 1); // an error need not repeat what was asked,
        Set(socket, 11 /* NETLINK_EXT_ACK */, 1); // but is to say why
        return new NetlinkSocket(socket);
    }

    /// <summary>For the network namespace of a process: this thread enters it for as long as the socket takes to make.</summary>
    /// <param name="process">A pidfd, or a descriptor of the namespace itself.</param>
    public static NetlinkSocket Open(int protocol, FileDescriptor process)
    {
        using var own = Files.Open("/proc/thread-self/ns/net", OpenFlags.ReadOnly);
        Processes.EnterNetwork(process);
        try
        {
            return Open(protocol);
        }
        finally
        {
            Processes.EnterNetwork(own);
        }
    }

    /// <summary>A socket that is readable once somebody has removed packet rules, chains, sets or tables (not mere elements of sets) from this network namespace.</summary>
    /// <remarks>A filter on the socket looks at the type of the first message that the kernel sends at once: what is of no interest wakes nobody.</remarks>
    public static FileDescriptor WatchRemovals()
    {
        // struct sock_filter: code, jumps, k. The type, two bytes after the length, is read in the order of the network: the message's number first.
        ReadOnlySpan<byte> wanted = [(byte)Nftables.NFT_MSG_DELRULE, (byte)Nftables.NFT_MSG_DELTABLE, (byte)Nftables.NFT_MSG_DELCHAIN, (byte)Nftables.NFT_MSG_DELSET];
        var code = stackalloc ulong[wanted.Length + 3];
        code[0] = Instruction(0x28 /* BPF_LD | BPF_H | BPF_ABS */, 0, 0, 4);
        for (var i = 0; i < wanted.Length; i++)
            code[i + 1] = Instruction(0x15 /* BPF_JMP | BPF_JEQ | BPF_K */, (byte)(wanted.Length - i), 0, (uint)((wanted[i] << 8) | Nftables.NFNL_SUBSYS_NFTABLES));
        code[wanted.Length + 1] = Instruction(6 /* BPF_RET | BPF_K */, 0, 0, 0);
        code[wanted.Length + 2] = Instruction(6, 0, 0, uint.MaxValue);
        using var socket = Open(Netfilter);
        var program = stackalloc ulong[2] { (ulong)wanted.Length + 3, (ulong)code }; // struct sock_fprog
        // struct sockaddr_nl: family, no port of its own choice, groups. One that is not bound hears nothing, whatever groups it is in.
        var address = stackalloc uint[3] { 16 /* AF_NETLINK */, 0, 1u << (Nftables.NFNLGRP_NFTABLES - 1) };
        if (Tmds.Linux.LibC.setsockopt(socket._socket.Number, 1 /* SOL_SOCKET */, 26 /* SO_ATTACH_FILTER */, program, 16) < 0
            || Tmds.Linux.LibC.bind(socket._socket.Number, (Tmds.Linux.sockaddr*)address, 12) < 0)
        {
            LinuxException.Throw(Marshal.GetLastPInvokeError(), "watch the host's packet rules");
        }
        return Files.Duplicate(socket._socket.Number);

        static ulong Instruction(ushort code, byte ifTrue, byte ifFalse, uint k) => code | ((ulong)ifTrue << 16) | ((ulong)ifFalse << 24) | ((ulong)k << 32);
    }

    public void Dispose() => _socket.Dispose();

    /// <summary>Sends the messages and waits until the kernel has worked on all of them.</summary>
    /// <exception cref="LinuxException">It refused one: the first of those.</exception>
    public void Send(NetlinkBatch batch)
    {
        var errno = TrySend(batch, out var place, out var words);
        if (errno != 0)
            throw batch.Refused(errno, place, words);
    }

    /// <summary>As <see cref="Send"/>; errno or 0.</summary>
    /// <param name="place">Which message was refused, the first of them.</param>
    /// <param name="words">The kernel's own about it; null: it has none.</param>
    /// <param name="transaction">The first message begins one and the last ends it, as in nf_tables: neither is acknowledged, but a refusal of the first is all that there is to hear.</param>
    public int TrySend(NetlinkBatch batch, out int place, out string? words, bool transaction = false)
    {
        (place, words) = (0, null);
        var (first, awaited) = (_sequence, batch.Count - (transaction ? 2 : 1));
        _sequence += (uint)batch.Count;
        var errno = Transmit(batch.Finish(first, awaited));
        if (errno != 0)
            return errno;
        for (; ; )
        {
            var rest = Receive();
            while (rest.Length >= NetlinkBatch.HeaderSize)
            {
                var message = Next(ref rest);
                var at = (int)(BinaryPrimitives.ReadUInt32LittleEndian(message[8..]) - first);
                if (BinaryPrimitives.ReadUInt16LittleEndian(message[4..]) != MessageError || (uint)at >= (uint)batch.Count)
                    continue;
                var code = -BinaryPrimitives.ReadInt32LittleEndian(message[NetlinkBatch.HeaderSize..]);
                if (code != 0 && errno == 0)
                    (errno, place, words) = (code, at, Words(message));
                if (at >= awaited || (transaction && at == 0 && code != 0))
                    return errno;
            }
        }
    }

    /// <summary>Asks one question and hears each message of the answer.</summary>
    /// <param name="visit">Gets the message's type and what follows its header.</param>
    /// <returns>Errno or 0.</returns>
    public int TryAsk(NetlinkBatch question, Visitor visit)
    {
        var sequence = _sequence++;
        var bytes = question.Finish(sequence, -1);
        var dump = (BinaryPrimitives.ReadUInt16LittleEndian(bytes[6..]) & NetlinkBatch.Dump) == NetlinkBatch.Dump;
        var errno = Transmit(bytes);
        while (errno == 0)
        {
            var rest = Receive();
            while (rest.Length >= NetlinkBatch.HeaderSize)
            {
                var message = Next(ref rest);
                if (BinaryPrimitives.ReadUInt32LittleEndian(message[8..]) != sequence)
                    continue;
                var type = BinaryPrimitives.ReadUInt16LittleEndian(message[4..]);
                if (type is MessageError or MessageDone)
                    return message.Length < NetlinkBatch.HeaderSize + 4 ? 0 : -BinaryPrimitives.ReadInt32LittleEndian(message[NetlinkBatch.HeaderSize..]);
                visit(type, message[NetlinkBatch.HeaderSize..]);
                if (!dump)
                    return 0;
            }
        }
        return errno;
    }

    public delegate void Visitor(ushort type, ReadOnlySpan<byte> body);

    /// <summary>The next attribute of a row of them.</summary>
    /// <returns>False at their end.</returns>
    public static bool NextAttribute(ref ReadOnlySpan<byte> rest, out ushort type, out ReadOnlySpan<byte> value)
    {
        type = 0;
        value = default;
        if (rest.Length < 4)
            return false;
        int size = BinaryPrimitives.ReadUInt16LittleEndian(rest);
        if (size < 4 || size > rest.Length)
            return false;
        type = (ushort)(BinaryPrimitives.ReadUInt16LittleEndian(rest[2..]) & 0x3fff); // the two bits above say how it is to be read
        value = rest[4..size];
        rest = rest[Math.Min((size + 3) & ~3, rest.Length)..];
        return true;
    }

    private int Transmit(ReadOnlySpan<byte> bytes)
    {
        // A message is one packet: the kernel takes none that is larger than half the socket's buffer.
        if (bytes.Length > 100_000)
            Set(_socket, 32 /* SO_SNDBUFFORCE */, bytes.Length * 2, 1 /* SOL_SOCKET */);
        return Sockets.TrySend(_socket, bytes);
    }

    private ReadOnlySpan<byte> Receive()
    {
        _buffer ??= new byte[BufferSize];
        return _buffer.AsSpan(0, Sockets.Receive(_socket, _buffer));
    }

    private static ReadOnlySpan<byte> Next(ref ReadOnlySpan<byte> rest)
    {
        var size = BinaryPrimitives.ReadInt32LittleEndian(rest);
        if (size < NetlinkBatch.HeaderSize || size > rest.Length)
            throw new LinuxException(Errno.EIO, "read netlink's answer");
        var message = rest[..size];
        rest = rest[Math.Min((size + 3) & ~3, rest.Length)..];
        return message;
    }

    // struct nlmsgerr: errno, the header of the message it is about, and, where the flags say so, attributes.
    private static string? Words(ReadOnlySpan<byte> message)
    {
        var flags = BinaryPrimitives.ReadUInt16LittleEndian(message[6..]);
        if ((flags & 0x200 /* NLM_F_ACK_TLVS */) == 0 || message.Length < 36)
            return null;
        var asked = (flags & 0x100 /* NLM_F_CAPPED */) != 0 ? NetlinkBatch.HeaderSize : BinaryPrimitives.ReadInt32LittleEndian(message[20..]);
        for (var rest = message[Math.Min(20 + ((asked + 3) & ~3), message.Length)..]; NextAttribute(ref rest, out var type, out var value);)
        {
            if (type == 1 /* NLMSGERR_ATTR_MSG */)
                return Encoding.UTF8.GetString(value.TrimEnd((byte)0));
        }
        return null;
    }

    private static void Set(FileDescriptor socket, int option, int value, int level = 270 /* SOL_NETLINK */) =>
        _ = Tmds.Linux.LibC.setsockopt(socket.Number, level, option, &value, 4);
}
