// A connection to a D-Bus: calls and their answers, and the signals that come in between.

using System.Buffers.Binary;
using System.Text;
using Conman.Linux;

namespace Conman.Runtime.Systemd;

/// <summary>An error that the called program answered with.</summary>
/// <param name="name">E.g. <c>org.freedesktop.systemd1.NoSuchUnit</c>.</param>
/// <param name="message">Its words.</param>
internal sealed class BusException(string name, string message) : Exception(message)
{
    public string Name { get; } = name;
}

/// <summary>A message that has arrived.</summary>
internal readonly record struct BusMessage(byte Type, uint ReplyTo, string Member, string Signature, string Error, byte[] Body)
{
    public const byte Call = 1, Return = 2, Failure = 3, Signal = 4;
}

/// <summary>One connection, used by one thread. Every wait is bounded.</summary>
internal sealed class Bus : IDisposable
{
    private const int Patience = 30_000; // ms: systemd may be at work on a thousand units
    private const int LargestMessage = 16 << 20;

    private readonly FileDescriptor _socket;
    private byte[] _buffer = new byte[4096];
    private int _start, _end;
    private uint _serial;

    private Bus(FileDescriptor socket) => _socket = socket;

    /// <summary>Connects; null and errno if nobody listens there.</summary>
    /// <param name="path">A Unix socket.</param>
    /// <param name="daemon">There is a message bus, which wants to be greeted; false: the other program itself.</param>
    public static Bus? TryConnect(string path, bool daemon, out int errno)
    {
        var socket = Sockets.TryConnect(path, out errno);
        if (socket is null)
            return null;
        var bus = new Bus(socket);
        try
        {
            bus.Authenticate();
            if (daemon)
                bus.Send("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "Hello", "", null);
            return bus;
        }
        catch
        {
            bus.Dispose();
            throw;
        }
    }

    public void Dispose() => _socket.Dispose();

    /// <summary>Signals that nobody has asked for yet.</summary>
    public List<BusMessage> Signals { get; } = [];

    /// <summary>Calls a method and waits for the answer.</summary>
    /// <param name="signature">Of the arguments.</param>
    /// <param name="arguments">Writes them; null: there are none.</param>
    /// <exception cref="BusException">The answer is an error.</exception>
    public BusMessage Call(string destination, string path, string member, string signature, Action<BusWriter>? arguments)
    {
        var dot = member.LastIndexOf('.');
        var serial = Send(destination, path, member[..dot], member[(dot + 1)..], signature, arguments);
        for (; ; )
        {
            var message = Receive();
            if (message.Type == BusMessage.Signal)
                Signals.Add(message);
            else if (message.ReplyTo == serial && message.Type == BusMessage.Return)
                return message;
            else if (message.ReplyTo == serial && message.Type == BusMessage.Failure)
                throw new BusException(message.Error, message.Signature.StartsWith('s') ? new BusReader(message.Body).Text() : message.Error);
        }
    }

    /// <summary>Waits for the next message.</summary>
    public BusMessage Receive()
    {
        // The fixed part: byte order, type, flags, version, length of the body, serial, length of the fields.
        Fill(16);
        var head = _buffer.AsSpan(_start, 16);
        if (head[0] != 'l')
            throw new RuntimeException("cannot talk to systemd: its messages have the other byte order");
        var (body, fields) = (BinaryPrimitives.ReadUInt32LittleEndian(head[4..]), BinaryPrimitives.ReadUInt32LittleEndian(head[12..]));
        if (body > LargestMessage || fields > LargestMessage)
            throw new RuntimeException("cannot talk to systemd: a message of the bus is too long");
        var header = (16 + (int)fields + 7) / 8 * 8;
        Fill(header + (int)body);
        var type = _buffer[_start + 1];
        var bytes = _buffer.AsSpan(_start, header + (int)body);
        _start += bytes.Length;
        return Parse(type, bytes[..(16 + (int)fields)], bytes[header..].ToArray());
    }

    private static BusMessage Parse(byte type, ReadOnlySpan<byte> header, byte[] body)
    {
        var message = new BusMessage(type, 0, "", "", "", body);
        var reader = new BusReader(header);
        for (var i = 0; i < 16; i++)
            reader.Byte();
        while (!reader.AtEnd)
        {
            reader.Align(8);
            var field = reader.Byte();
            switch (reader.Signature())
            {
                case "u":
                    var number = reader.Number();
                    if (field == Field.ReplySerial)
                        message = message with { ReplyTo = number };
                    break;
                case "g":
                    message = message with { Signature = reader.Signature() };
                    break;
                case "s" or "o":
                    var text = reader.Text();
                    if (field == Field.Member)
                        message = message with { Member = text };
                    else if (field == Field.ErrorName)
                        message = message with { Error = text };
                    break;
                default:
                    throw new RuntimeException("cannot talk to systemd: a message of the bus has a field of an unknown type");
            }
        }
        return message;
    }

    // Field codes of a header.
    private static class Field
    {
        public const byte Path = 1, Interface = 2, Member = 3, ErrorName = 4, ReplySerial = 5, Destination = 6, Signature = 8;
    }

    private uint Send(string destination, string path, string type, string member, string signature, Action<BusWriter>? arguments)
    {
        var body = new BusWriter();
        arguments?.Invoke(body);
        var message = new BusWriter();
        message.Number((byte)'l');
        message.Number(BusMessage.Call);
        message.Number((byte)0);
        message.Number((byte)1);
        message.Number((uint)body.Written.Length);
        message.Number(++_serial);
        message.Array(8, () =>
        {
            AddField(message, Field.Path, "o", path);
            AddField(message, Field.Interface, "s", type);
            AddField(message, Field.Member, "s", member);
            AddField(message, Field.Destination, "s", destination);
            if (signature.Length > 0)
                AddField(message, Field.Signature, "g", signature);
        });
        message.Align(8);
        message.Raw(body.Written);
        Write(message.Written);
        return _serial;
    }

    private static void AddField(BusWriter message, byte field, string type, string value)
    {
        message.Align(8);
        message.Number(field);
        message.Variant(new BusValue(type, w =>
        {
            if (type == "g")
                w.Signature(value);
            else
                w.Text(value);
        }));
    }

    // D-Bus specification, "Authentication Protocol": EXTERNAL without a name means whom the kernel says this process belongs to, which is
    // right in a user namespace too. All is said at once; what the other side answers comes in its order.
    private void Authenticate()
    {
        Write("\0AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n"u8);
        for (; ; )
        {
            var line = Line();
            if (line.StartsWith("OK", StringComparison.Ordinal))
                return;
            if (line != "DATA")
                throw new RuntimeException($"cannot talk to systemd: the bus does not let this user in ({line})");
        }
    }

    private string Line()
    {
        for (var length = 2; ; length++)
        {
            Fill(length);
            if (_buffer.AsSpan(_start + length - 2, 2).SequenceEqual("\r\n"u8))
            {
                var line = Encoding.ASCII.GetString(_buffer, _start, length - 2);
                _start += length;
                return line;
            }
        }
    }

    // So many bytes are in the buffer, from _start on.
    private void Fill(int count)
    {
        if (_start + count > _buffer.Length)
        {
            var larger = new byte[Math.Max(_buffer.Length, count * 2)];
            _buffer.AsSpan(_start, _end - _start).CopyTo(larger);
            (_buffer, _end, _start) = (larger, _end - _start, 0);
        }
        while (_end - _start < count)
        {
            if (!Waiting.Readable(_socket, Patience))
                throw new RuntimeException("cannot talk to systemd: it does not answer");
            var n = Sockets.Receive(_socket, _buffer.AsSpan(_end));
            if (n == 0)
                throw new RuntimeException("cannot talk to systemd: it has closed the connection");
            _end += n;
        }
    }

    private void Write(ReadOnlySpan<byte> bytes)
    {
        var errno = Files.TryWrite(_socket.Number, bytes);
        if (errno != 0)
            throw new RuntimeException($"cannot talk to systemd: {LinuxException.Describe(errno)}");
    }
}
