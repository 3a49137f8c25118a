// A place where datagrams arrive: the host's journal, syslog or service manager, as a program sees it.
using System.Net.Sockets;
using System.Text;

namespace Conman.Integration.Tests;

public sealed class DatagramSocket : IDisposable
{
    private readonly Socket _socket = new(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);

    public DatagramSocket(string path)
    {
        Path = path;
        _socket.Bind(new UnixDomainSocketEndPoint(path));
    }

    public string Path { get; }

    /// <summary>The next datagram, as text.</summary>
    public string Receive()
    {
        Assert.True(Wait.ForInput((int)_socket.Handle), $"nothing arrives on {Path}");
        byte[] buffer = new byte[65536];
        return Encoding.UTF8.GetString(buffer, 0, _socket.Receive(buffer));
    }

    /// <summary>Whether there is a datagram now.</summary>
    public bool HasMore => _socket.Available > 0;

    public void Dispose() => _socket.Dispose();
}
