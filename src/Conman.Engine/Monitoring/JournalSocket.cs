// The way to systemd's journal: a socket that gives up after a while.

using Conman.Linux;

namespace Conman.Engine.Monitoring;

internal static class JournalSocket
{
    /// <summary>Where journald listens for its native protocol (systemd-journald.socket).</summary>
    private const string Path = "/run/systemd/journal/socket";

    /// <summary>A datagram socket whose sender waits a second at most: a journal that hangs loses lines, and does not hang the container.</summary>
    public static FileDescriptor Connect()
    {
        var socket = Sockets.TryConnectDatagram(Path, out var errno) ?? throw new EngineException($"cannot log to the journal at {Path}: {LinuxException.Describe(errno)}");
        Sockets.LimitSending(socket, seconds: 1);
        return socket;
    }
}
