// tmpcopyup: what a tmpfs is about to cover is copied into it, while nobody else can reach it.
//
// The source lies in a root file system that may be hostile and may change meanwhile (Conman.Linux/TreeCopy.cs).

using Conman.Linux;

namespace Conman.Runtime.Containers;

internal static class CopyUp
{
    /// <summary>Fills the file system that a process holds at <see cref="Plans.SyncPoint.Held"/>.</summary>
    /// <param name="root">The container's root: the mounts of the process below it are seen through this descriptor.</param>
    public static void Fill(InitProcess process, int root)
    {
        var mount = process.At!.Mount!;
        using var to = Processes.Descriptor(process.Process.Descriptor, process.Held);
        using (var from = Files.TryOpenResolved(root, mount.Path, OpenFlags.ReadOnly | Files.Directory, Resolve.InRoot | Resolve.NoMagicLinks, out var errno)
            ?? throw new RuntimeException($"cannot copy {mount.Path} to a tmpfs: {LinuxException.Describe(errno)}"))
        {
            using var folder = Files.Open(".", OpenFlags.ReadOnly | Files.Directory, to.Number);
            var owner = Files.Status(folder, mount.Path);
            using var _ = Processes.MakeFilesAs(owner.Uid, owner.Gid);
            Copy(from, folder, mount.Path);
            CopyOwner(from, folder, mount.Path, mount);
        }
        if (mount.Later != MountAttributes.None)
        {
            var errno = Mounts.TrySetAttributes(to, false, mount.Later, MountAttributes.None);
            if (errno != 0)
                throw new RuntimeException($"cannot make the tmpfs on {mount.Path} read-only: {LinuxException.Describe(errno)}");
        }
    }

    private static void Copy(FileDescriptor from, FileDescriptor to, string path)
    {
        try
        {
            new TreeCopy().Content(from, to, path);
        }
        catch (LinuxException e)
        {
            throw new RuntimeException($"cannot {e.Operation} to a tmpfs: {LinuxException.Describe(e.Errno)}", e);
        }
    }

    // Of the folder itself only what no option of the mount says otherwise.
    private static void CopyOwner(FileDescriptor from, FileDescriptor to, string path, Plans.MountFileSystem mount)
    {
        var status = Files.Status(from, path);
        if (!mount.Options.Contains("uid") && !mount.Options.Contains("gid"))
            Check(Files.TryChangeOwner(to.Number, "", status.Uid, status.Gid), path);
        if (mount.CopyMode)
            Check(Files.TryChangeMode(to, status.Permissions), path);
    }

    private static void Check(int errno, string path)
    {
        if (errno != 0)
            throw new RuntimeException($"cannot copy {path} to a tmpfs: {LinuxException.Describe(errno)}");
    }
}
