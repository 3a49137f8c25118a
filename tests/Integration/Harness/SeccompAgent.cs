// A seccomp agent as linux.seccomp.listenerPath wants one: it takes listeners with the state of whose they are, and answers every call.
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Text.Json.Nodes;

namespace Conman.Integration.Tests;

/// <summary>Answers with an errno, or lets the call go on (0). A connection that brings more or less than one state and one descriptor is an error.</summary>
public sealed unsafe class SeccompAgent : IDisposable
{
    private const nuint SECCOMP_IOCTL_NOTIF_RECV = 0xc0502100, SECCOMP_IOCTL_NOTIF_SEND = 0xc0182101;
    private const short POLLIN = 1;

    private readonly Socket _socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
    private readonly Thread _thread;
    private readonly int _errno;
    private readonly List<int> _listeners = [];
    private volatile bool _ended;

    public SeccompAgent(string path, int errno = 0)
    {
        (Path, _errno) = (path, errno);
        _socket.Bind(new UnixDomainSocketEndPoint(path[0] == '@' ? "\0" + path[1..] : path));
        _socket.Listen();
        _thread = new Thread(Serve);
        _thread.Start();
    }

    public string Path { get; }

    /// <summary>What came with each listener.</summary>
    public List<JsonObject> States { get; } = [];

    /// <summary>The numbers of the calls that were answered.</summary>
    public List<int> Calls { get; } = [];

    public void Dispose()
    {
        _ended = true;
        _thread.Join();
        _socket.Dispose();
        _listeners.ForEach(fd => Libc.close(fd));
        if (Path[0] != '@')
            File.Delete(Path);
    }

    private void Serve()
    {
        while (!_ended)
        {
            Libc.PollFd entry = new() { fd = (int)_socket.Handle, events = POLLIN };
            if (Libc.poll(ref entry, 1, 5) > 0)
                Take();
            for (int i = 0; i < _listeners.Count; i++)
            {
                entry = new() { fd = _listeners[i], events = POLLIN };
                if (Libc.poll(ref entry, 1, 0) > 0 && (entry.revents & POLLIN) != 0)
                    Answer(_listeners[i]);
            }
        }
    }

    private void Take()
    {
        using Socket connection = _socket.Accept();
        byte[] bytes = new byte[4096];
        long* control = stackalloc long[8];
        int n;
        fixed (byte* p = bytes)
        {
            Libc.IoVec data = new() { iov_base = p, iov_len = (nuint)bytes.Length };
            Libc.MsgHdr message = new() { msg_iov = &data, msg_iovlen = 1, msg_control = control, msg_controllen = 64 };
            n = (int)Libc.recvmsg((int)connection.Handle, &message, 0);
            if (n <= 0 || message.msg_controllen != 24)
                return; // who asks for this connection's state will not find it
        }
        if (connection.Receive(new byte[1]) != 0)
            return; // "exactly one container process state per connection"
        lock (States)
            States.Add((JsonObject)JsonNode.Parse(bytes.AsSpan(0, n))!);
        _listeners.Add(((int*)control)[4]);
    }

    private void Answer(int listener)
    {
        Notification notification = default;
        if (Libc.ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &notification) < 0)
            return; // killed meanwhile
        lock (Calls)
            Calls.Add(notification.nr);
        Response response = new() { id = notification.id, error = -_errno, flags = _errno == 0 ? 1u /* SECCOMP_USER_NOTIF_FLAG_CONTINUE */ : 0 };
        Libc.ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &response);
    }

    /// <summary>struct seccomp_notif.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Notification
    {
        public ulong id;
        public uint pid, flags;
        public int nr;
        public uint arch;
        public ulong instruction_pointer;
        private fixed ulong _args[6];
    }

    /// <summary>struct seccomp_notif_resp.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Response
    {
        public ulong id;
        public long val;
        public int error;
        public uint flags;
    }
}
