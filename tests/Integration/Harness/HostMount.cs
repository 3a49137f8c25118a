// A tmpfs that a test mounts on the host, inside a bundle's folder, and takes away again.
namespace Conman.Integration.Tests;

public sealed class HostMount : IDisposable
{
    public HostMount(string path, bool shared = false)
    {
        Directory.CreateDirectory(path);
        Path = path;
        Libc.Check(Libc.mount("tmpfs", path, "tmpfs", 0, "mode=755"), "mount " + path);
        Libc.Check(Libc.mount(null, path, null, shared ? Libc.MS_SHARED : Libc.MS_PRIVATE, null), "set the propagation of " + path);
    }

    public string Path { get; }

    public void Dispose() => Libc.Check(Libc.umount2(Path, Libc.MNT_DETACH), "unmount " + Path);
}
