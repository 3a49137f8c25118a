// sd_notify(3) for a container: it gets a socket of its own, and what it sends there goes on to the service manager of the host.
//
//   <root>/<id>/notify/             bound read-only on /run/notify of the container
//   <root>/<id>/notify/notify.sock  made by the command that starts the program, and heard as long as that lives

using System.Text;
using Conman.Linux;
using Conman.Oci.RuntimeSpec;

namespace Conman.Runtime.Containers;

/// <summary>The container's socket while a command hears it.</summary>
public sealed class NotifySocket : IDisposable
{
    internal const string FolderName = "notify";
    private const string SocketName = "notify.sock", Inside = "/run/notify";

    private readonly string _manager;
    private FileDescriptor? _host;

    private NotifySocket(FileDescriptor descriptor, string manager) => (Descriptor, _manager) = (descriptor, manager);

    /// <summary>Readable when there is a message.</summary>
    public FileDescriptor Descriptor { get; }

    /// <summary>What a container with such a socket has more than its config.json says.</summary>
    /// <param name="spec">It is changed.</param>
    /// <param name="folder">The container's folder.</param>
    internal static void AddTo(Spec spec, string folder)
    {
        (spec.Mounts ??= []).Add(new Mount
        {
            Destination = Inside,
            Type = "bind",
            Source = folder + "/" + FolderName,
            Options = ["bind", "nosuid", "noexec", "nodev", "ro"],
        });
        (spec.Process!.Env ??= []).Add("NOTIFY_SOCKET=" + Inside + "/" + SocketName);
    }

    /// <summary>Makes the folder that is bound into the container.</summary>
    internal static void MakeFolder(ContainerFolder folder)
    {
        var errno = Files.TryMakeDirectory(FolderName, 0x1ed /* 0755 */, folder.Descriptor.Number);
        if (errno != 0)
            throw new RuntimeException($"cannot make {folder.Path}/{FolderName}: {LinuxException.Describe(errno)}");
    }

    /// <summary>From here on messages arrive; null if the container was created without such a folder.</summary>
    /// <param name="manager">The host's NOTIFY_SOCKET.</param>
    internal static NotifySocket? TryBind(ContainerFolder folder, string manager)
    {
        using var directory = Files.TryOpen(FolderName, OpenFlags.Path | Files.Directory, out _, folder.Descriptor.Number);
        return directory is null ? null : new NotifySocket(Sockets.BindDatagram(directory, SocketName), manager);
    }

    /// <summary>Passes on what comes until the program is ready, or has ended.</summary>
    /// <param name="init">Its pidfd.</param>
    /// <param name="pid">Its pid.</param>
    public void ForwardUntilReady(FileDescriptor init, int pid)
    {
        Span<PollEntry> entries = [new(Descriptor.Number, PollEvents.In), new(init.Number, PollEvents.In)];
        do
        {
            Waiting.Poll(entries);
            if (entries[0].Returned != 0 && Forward(pid))
                return;
        }
        while (entries[0].Returned != 0 || entries[1].Returned == 0);
    }

    /// <summary>Passes on one message. The manager knows the program by the host's pid, not by that of the container's own namespace.</summary>
    /// <returns>Whether it said that the program is ready.</returns>
    public bool Forward(int pid)
    {
        Span<byte> buffer = stackalloc byte[4096];
        var n = Sockets.Receive(Descriptor, buffer);
        var message = new StringBuilder();
        var ready = false;
        foreach (var line in Encoding.UTF8.GetString(buffer[..n]).Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            if (!MayPass(line))
                continue;
            ready |= line == "READY=1";
            message.Append(line).Append('\n');
        }
        if (ready)
            message.Append("MAINPID=").Append(pid).Append('\n');
        _host ??= Sockets.TryConnectDatagram(_manager, out _);
        if (message.Length > 0 && _host is not null)
            Sockets.TrySend(_host, Encoding.UTF8.GetBytes(message.ToString()));
        return ready;
    }

    // What a program says of itself. Not who it is, who may speak for it, or what the manager shall keep for it; descriptors that came along
    // have been closed, which is what a barrier waits for.
    private static bool MayPass(string line) => line[..Math.Max(line.IndexOf('='), 0)] is
        "READY" or "RELOADING" or "STOPPING" or "MONOTONIC_USEC" or "STATUS" or "ERRNO" or "BUSERROR" or "EXIT_STATUS" or "WATCHDOG" or "EXTEND_TIMEOUT_USEC";

    public void Dispose()
    {
        _host?.Dispose();
        Descriptor.Dispose();
    }
}
