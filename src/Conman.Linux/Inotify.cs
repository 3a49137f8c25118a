// Being told that a file or a folder changes.

using System.Runtime.InteropServices;

namespace Conman.Linux;

/// <summary>inotify(7): the descriptor is readable when something that is watched has changed.</summary>
public sealed unsafe class Inotify : IDisposable
{
    private const uint IN_MODIFY = 2, IN_MOVED_TO = 0x80, IN_CREATE = 0x100;

    /// <summary>For poll(2).</summary>
    public FileDescriptor Descriptor { get; } = FileDescriptor.Check(Native.inotify_init1(0x80000 | 0x800 /* O_CLOEXEC | O_NONBLOCK */), "watch files");

    /// <summary>Watches an open file's content, or a folder for names that appear.</summary>
    public void Watch(FileDescriptor file, string name)
    {
        if (Native.inotify_add_watch(Descriptor.Number, "/proc/self/fd/" + file.Number, IN_MODIFY | IN_MOVED_TO | IN_CREATE) < 0)
            LinuxException.Throw(Marshal.GetLastPInvokeError(), $"watch {name}");
    }

    /// <summary>Forgets what has been told so far.</summary>
    public void Clear()
    {
        var events = stackalloc byte[4096];
        while ((int)Tmds.Linux.LibC.read(Descriptor.Number, events, 4096) > 0)
        {
        }
    }

    public void Dispose() => Descriptor.Dispose();
}
