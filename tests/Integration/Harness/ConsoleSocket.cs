// The caller's end of --console-socket and --pidfd-socket: a listening socket on which the runtime hands over a descriptor.
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Text;

namespace Conman.Integration.Tests;

public sealed class ConsoleSocket : IDisposable
{
    private readonly Socket _listener = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);

    public ConsoleSocket(string path)
    {
        Path = path;
        _listener.Bind(new UnixDomainSocketEndPoint(path));
        _listener.Listen();
    }

    public string Path { get; }

    /// <summary>Accepts the runtime's connection and takes the terminal it sends.</summary>
    public Terminal Receive() => new(ReceiveDescriptor().Descriptor);

    /// <summary>Accepts the runtime's connection and takes the descriptor it sends, with the words beside it.</summary>
    public (string Text, int Descriptor) ReceiveDescriptor()
    {
        Assert.True(Wait.ForInput((int)_listener.Handle), $"nobody connects to {Path}");
        using Socket connection = _listener.Accept();
        Assert.True(Wait.ForInput((int)connection.Handle), $"no descriptor arrives on {Path}");
        return ReceiveDescriptor((int)connection.Handle);
    }

    public void Dispose() => _listener.Dispose();

    private static unsafe (string, int) ReceiveDescriptor(int socket)
    {
        byte* text = stackalloc byte[4096];
        byte* control = stackalloc byte[64];
        var vector = new Libc.IoVec { iov_base = text, iov_len = 4096 };
        var message = new Libc.MsgHdr { msg_iov = &vector, msg_iovlen = 1, msg_control = control, msg_controllen = 64 };
        nint length = Libc.recvmsg(socket, &message, 0x40000000 /* MSG_CMSG_CLOEXEC */);
        Libc.Check(length, "receive a descriptor");
        // cmsghdr: length (8 bytes), level SOL_SOCKET, type SCM_RIGHTS, then the one descriptor.
        Assert.Equal((20u, 1, 1), ((uint)*(ulong*)control, *(int*)(control + 8), *(int*)(control + 12)));
        return (Encoding.UTF8.GetString(text, (int)length), *(int*)(control + 16));
    }
}

/// <summary>The master's side of a container's terminal.</summary>
public sealed class Terminal(int fd) : IDisposable
{
    private readonly StringBuilder _seen = new();

    public (int Rows, int Columns) Size
    {
        get
        {
            Libc.WinSize size = default;
            Libc.Check(Libc.ioctl(fd, 0x5413 /* TIOCGWINSZ */, ref size), "ask for the size of a terminal");
            return (size.ws_row, size.ws_col);
        }
    }

    public void Write(string text)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(text);
        Libc.Check(Libc.write(fd, ref MemoryMarshal.GetArrayDataReference(bytes), (nuint)bytes.Length), "write to the terminal");
    }

    /// <summary>Reads until the text has come; tells all that was read so far.</summary>
    public string ReadUntil(string text) => Read(() => _seen.ToString().Contains(text, StringComparison.Ordinal), text);

    /// <summary>Reads until the last process has closed its side.</summary>
    public string ReadToEnd() => Read(() => false, null);

    public void Dispose() => _ = Libc.close(fd);

    private string Read(Func<bool> enough, string? text)
    {
        byte[] buffer = new byte[4096];
        while (!enough())
        {
            Assert.True(Wait.ForInput(fd), $"the terminal is silent after: {_seen}");
            nint count = Libc.read(fd, ref MemoryMarshal.GetArrayDataReference(buffer), (nuint)buffer.Length);
            if (count <= 0)
            {
                // EIO: nobody holds the other side any more.
                Assert.True(text is null, $"the terminal closed before '{text}' came, after: {_seen}");
                break;
            }
            _seen.Append(Encoding.UTF8.GetString(buffer, 0, (int)count));
        }
        return _seen.ToString();
    }
}
