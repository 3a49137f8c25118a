// Unix sockets: pairs, listeners in a directory that is known by descriptor, and descriptors in flight.

using System.Runtime.InteropServices;
using System.Text;
using Tmds.Linux;
using static Tmds.Linux.LibC;

namespace Conman.Linux;

/// <summary>AF_UNIX sockets, close-on-exec.</summary>
public static unsafe class Sockets
{
    private const int CloseOnExec = 0x80000, NoSignal = 0x4000, DontWait = 0x40, NonBlock = 0x800, CmsgCloseOnExec = 0x40000000;

    /// <summary>A connected pair that keeps packet boundaries.</summary>
    public static (FileDescriptor, FileDescriptor) Pair()
    {
        var pair = stackalloc int[2];
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | CloseOnExec, 0, pair) < 0)
            LinuxException.Throw(Marshal.GetLastPInvokeError(), "create a socket pair");
        return (new FileDescriptor(pair[0]), new FileDescriptor(pair[1]));
    }

    /// <summary>A listening stream socket. A path may be of any length: it is reached through its directory's descriptor.</summary>
    public static FileDescriptor Listen(FileDescriptor directory, string name)
    {
        var fd = FileDescriptor.Check(socket(AF_UNIX, SOCK_STREAM | CloseOnExec, 0), "create a socket");
        sockaddr_un address;
        var size = Address(&address, "/proc/self/fd/" + directory.Number + "/" + name);
        if (bind(fd.Number, (sockaddr*)&address, size) < 0)
            LinuxException.Throw(Marshal.GetLastPInvokeError(), $"bind {name}");
        if (listen(fd.Number, 16) < 0)
            LinuxException.Throw(Marshal.GetLastPInvokeError(), $"listen on {name}");
        return fd;
    }

    /// <summary>A listening socket that keeps packet boundaries. One of that name, which nobody listens on any more, is replaced.</summary>
    public static FileDescriptor ListenForPackets(FileDescriptor directory, string name)
    {
        var fd = FileDescriptor.Check(socket(AF_UNIX, SOCK_SEQPACKET | CloseOnExec | NonBlock, 0), "create a socket");
        sockaddr_un address;
        var size = Address(&address, "/proc/self/fd/" + directory.Number + "/" + name);
        Files.TryUnlink(name, directory.Number);
        if (bind(fd.Number, (sockaddr*)&address, size) < 0)
            LinuxException.Throw(Marshal.GetLastPInvokeError(), $"bind {name}");
        if (listen(fd.Number, 128) < 0)
            LinuxException.Throw(Marshal.GetLastPInvokeError(), $"listen on {name}");
        return fd;
    }

    /// <summary>Connects to such a socket; null and errno on failure.</summary>
    public static FileDescriptor? TryConnectPackets(FileDescriptor directory, string name, out int errno) =>
        TryConnect("/proc/self/fd/" + directory.Number + "/" + name, SOCK_SEQPACKET, out errno);

    /// <summary>A datagram socket that anybody may send to, in a directory that is known by descriptor. One of that name is replaced.</summary>
    public static FileDescriptor BindDatagram(FileDescriptor directory, string name)
    {
        var fd = FileDescriptor.Check(socket(AF_UNIX, SOCK_DGRAM | CloseOnExec, 0), "create a socket");
        sockaddr_un address;
        var size = Address(&address, "/proc/self/fd/" + directory.Number + "/" + name);
        Files.TryUnlink(name, directory.Number);
        if (bind(fd.Number, (sockaddr*)&address, size) < 0 || Native.fchmodat(directory.Number, name, 0x1b6 /* 0666 */, 0) < 0)
            LinuxException.Throw(Marshal.GetLastPInvokeError(), $"bind {name}");
        return fd;
    }

    /// <summary>Connects to a stream socket in a directory; null and errno on failure.</summary>
    public static FileDescriptor? TryConnect(FileDescriptor directory, string name, out int errno) =>
        TryConnect("/proc/self/fd/" + directory.Number + "/" + name, out errno);

    /// <summary>Connects to a stream socket; null and errno on failure.</summary>
    public static FileDescriptor? TryConnect(string path, out int errno) => TryConnect(path, SOCK_STREAM, out errno);

    /// <summary>Connects to a datagram socket; null and errno on failure. A path that begins with @ is an abstract name (unix(7)).</summary>
    public static FileDescriptor? TryConnectDatagram(string path, out int errno) => TryConnect(path, SOCK_DGRAM, out errno);

    private static FileDescriptor? TryConnect(string path, int type, out int errno)
    {
        errno = 0;
        if (Encoding.UTF8.GetByteCount(path) >= 108)
        {
            // sun_path is short; a descriptor of the directory makes any path short.
            using var directory = Files.TryOpen(Path.GetDirectoryName(path)!, OpenFlags.Path, out errno);
            return directory is null ? null : TryConnect("/proc/self/fd/" + directory.Number + "/" + Path.GetFileName(path), type, out errno);
        }
        var fd = FileDescriptor.Check(socket(AF_UNIX, type | CloseOnExec, 0), "create a socket");
        sockaddr_un address;
        var size = Address(&address, path);
        if (type == SOCK_DGRAM && path.StartsWith('@'))
        {
            ((byte*)&address)[2] = 0;
            size--; // an abstract name ends with its length, not with a NUL
        }
        int result;
        do result = connect(fd.Number, (sockaddr*)&address, size);
        while (result < 0 && Marshal.GetLastPInvokeError() == Errno.EINTR);
        if (result == 0)
            return fd;
        errno = Marshal.GetLastPInvokeError();
        fd.Dispose();
        return null;
    }

    /// <summary>A sender waits so many seconds at most, then there is EAGAIN (socket(7), SO_SNDTIMEO, which is 21).</summary>
    public static void LimitSending(FileDescriptor socket, int seconds)
    {
        var time = stackalloc long[2] { seconds, 0 };
        if (setsockopt(socket.Number, 1 /* SOL_SOCKET */, 21, time, 16) < 0)
            LinuxException.Throw(Marshal.GetLastPInvokeError(), "limit the time to send");
    }

    /// <summary>Sends bytes; errno or 0. A peer that is gone gives EPIPE, never a signal.</summary>
    /// <param name="wait">False: EAGAIN where there is no room.</param>
    public static int TrySend(FileDescriptor socket, ReadOnlySpan<byte> data, bool wait = true)
    {
        nint n;
        fixed (byte* p = data)
        {
            do n = (nint)LibC.send(socket.Number, p, (size_t)(ulong)data.Length, NoSignal | (wait ? 0 : DontWait));
            while (n < 0 && Marshal.GetLastPInvokeError() == Errno.EINTR);
        }
        return n < 0 ? Marshal.GetLastPInvokeError() : 0;
    }

    /// <summary>Receives a packet or some bytes; 0 at the end, also where the peer was killed.</summary>
    public static int Receive(FileDescriptor socket, Span<byte> buffer)
    {
        var unread = false;
        return Receive(socket, buffer, ref unread);
    }

    /// <param name="unread">Becomes true where the peer has ended with something of ours unread.</param>
    public static int Receive(FileDescriptor socket, Span<byte> buffer, ref bool unread)
    {
        nint n;
        fixed (byte* p = buffer)
        {
            do n = (nint)recv(socket.Number, p, (size_t)(ulong)buffer.Length, 0);
            while (n < 0 && TryAgain(ref unread));
        }
        if (n < 0)
            LinuxException.Throw(Marshal.GetLastPInvokeError(), "receive");
        return (int)n;
    }

    // ECONNRESET is said once; what the peer sent before is still to be had.
    private static bool TryAgain(ref bool unread)
    {
        var errno = Marshal.GetLastPInvokeError();
        unread |= errno == Errno.ECONNRESET;
        return errno is Errno.EINTR or Errno.ECONNRESET;
    }

    /// <summary>Receives one descriptor (SCM_RIGHTS), or null at the end.</summary>
    public static FileDescriptor? ReceiveDescriptor(FileDescriptor socket)
    {
        Receive(socket, stackalloc byte[256], out var passed);
        return passed;
    }

    /// <summary>Receives a packet or some bytes, and the descriptor that came with them (SCM_RIGHTS), if one did; 0 at the end.</summary>
    public static int Receive(FileDescriptor socket, Span<byte> buffer, out FileDescriptor? passed)
    {
        var unread = false;
        return Receive(socket, buffer, out passed, ref unread);
    }

    /// <param name="unread">As of <see cref="Receive(FileDescriptor, Span{byte}, ref bool)"/>.</param>
    public static int Receive(FileDescriptor socket, Span<byte> buffer, out FileDescriptor? passed, ref bool unread)
    {
        var control = stackalloc long[8];
        fixed (byte* p = buffer)
            return Receive(socket, p, buffer.Length, control, out passed, ref unread);
    }

    private static int Receive(FileDescriptor socket, byte* buffer, int size, long* control, out FileDescriptor? passed, ref bool unread)
    {
        iovec data = default;
        data.iov_base = buffer;
        data.iov_len = (size_t)(ulong)size;
        msghdr message = default;
        message.msg_iov = &data;
        message.msg_iovlen = 1;
        message.msg_control = control;
        message.msg_controllen = 64;
        nint n;
        do n = (nint)recvmsg(socket.Number, &message, CmsgCloseOnExec);
        while (n < 0 && TryAgain(ref unread));
        if (n < 0)
            LinuxException.Throw(Marshal.GetLastPInvokeError(), "receive a descriptor");
        // struct cmsghdr: length (8 bytes), level, type; then the descriptor.
        passed = n == 0 || (uint)message.msg_controllen < 20 ? null : new FileDescriptor(((int*)control)[4]);
        return (int)n;
    }

    /// <summary>Sends one descriptor with a few bytes (SCM_RIGHTS); errno or 0.</summary>
    public static int TrySendDescriptor(FileDescriptor socket, int fd, ReadOnlySpan<byte> text) => TrySendDescriptors(socket, [fd], text);

    /// <summary>Sends a packet with descriptors, at most 253 (SCM_MAX_FD); errno or 0.</summary>
    public static int TrySendDescriptors(FileDescriptor socket, ReadOnlySpan<int> fds, ReadOnlySpan<byte> packet)
    {
        var control = stackalloc long[2 + ((fds.Length + 1) / 2)];
        control[0] = 16 + (4 * fds.Length);
        ((int*)control)[2] = 1 /* SOL_SOCKET */;
        ((int*)control)[3] = 1 /* SCM_RIGHTS */;
        fds.CopyTo(new Span<int>((int*)control + 4, fds.Length));
        fixed (byte* p = packet)
        {
            iovec data = default;
            data.iov_base = p;
            data.iov_len = (size_t)(ulong)packet.Length;
            msghdr message = default;
            message.msg_iov = &data;
            message.msg_iovlen = 1;
            message.msg_control = fds.Length == 0 ? null : control;
            message.msg_controllen = fds.Length == 0 ? 0u : (uint)(16 + (8 * ((fds.Length + 1) / 2)));
            nint n;
            do n = (nint)sendmsg(socket.Number, &message, NoSignal);
            while (n < 0 && Marshal.GetLastPInvokeError() == Errno.EINTR);
            return n < 0 ? Marshal.GetLastPInvokeError() : 0;
        }
    }

    private static int Address(sockaddr_un* address, string path)
    {
        *address = default;
        address->sun_family = (ushort)AF_UNIX;
        var name = new Span<byte>((byte*)address + 2, 107);
        var length = Encoding.UTF8.GetBytes(path, name);
        if (path[0] != '@')
            return 2 + length + 1;
        name[0] = 0; // the length says where such a name ends (unix(7), "abstract")
        return 2 + length;
    }
}
