// tmpcopyup: what a tmpfs is about to cover is copied into it, while nobody else can reach it.
//
// The source lies in a root file system that may be hostile and may change meanwhile. Each name is opened once, without following a link,
// and looked at by descriptor; only what was seen to be a regular file or a folder is opened to be read.

using Conman.Linux;

namespace Conman.Runtime.Containers;

/// <summary>A copy of a folder's content: types, modes, owners, times, extended attributes, links. Hard links become copies; sockets are left out.</summary>
internal static class TreeCopy
{
    // Two descriptors a level. Nobody's folders are so deep but those of somebody who looks for a limit.
    private const int MostLevels = 128;

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
            CopyContent(from, folder, mount.Path, 0);
            CopyOwner(from, folder, mount.Path, mount);
        }
        if (mount.Later != MountAttributes.None)
        {
            var errno = Mounts.TrySetAttributes(to, false, mount.Later, MountAttributes.None);
            if (errno != 0)
                throw new RuntimeException($"cannot make the tmpfs on {mount.Path} read-only: {LinuxException.Describe(errno)}");
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

    private static void CopyContent(FileDescriptor from, FileDescriptor to, string path, int level)
    {
        if (level == MostLevels)
            throw new RuntimeException($"cannot copy {path} to a tmpfs: more than {MostLevels} folders deep");
        foreach (var name in Files.List(from, path))
        {
            var place = $"{path}/{name}";
            using var entry = Files.TryOpen(name, OpenFlags.Path | Files.NoFollow, out var errno, from.Number);
            if (entry is null)
            {
                if (errno == Errno.ENOENT)
                    continue; // removed meanwhile
                throw Failed(place, errno);
            }
            CopyEntry(entry, to, name, place, level);
        }
    }

    private static void CopyEntry(FileDescriptor entry, FileDescriptor to, string name, string place, int level)
    {
        var status = Files.Status(entry, place);
        switch (status.Type)
        {
            case FileType.Directory:
                Check(Files.TryMakeDirectory(name, 0x1c0 /* 0700 */, to.Number), place);
                using (var source = Files.Open(".", OpenFlags.ReadOnly | Files.Directory, entry.Number))
                using (var folder = Files.Open(name, OpenFlags.ReadOnly | Files.Directory | Files.NoFollow, to.Number))
                {
                    CopyContent(source, folder, place, level + 1);
                    Finish(entry, folder, status, place);
                }
                break;
            case FileType.Regular:
                using (var source = Files.Open("/proc/self/fd/" + entry.Number, OpenFlags.ReadOnly | OpenFlags.NonBlock))
                using (var file = Files.Open(name, OpenFlags.WriteOnly | OpenFlags.Create | OpenFlags.Exclusive, to.Number, 0x180 /* 0600 */))
                {
                    Check(Files.TryCopy(source, file), place);
                    Finish(entry, file, status, place);
                }
                break;
            case FileType.SymbolicLink:
                Check(Files.TrySymlink(Files.TryReadLink("", entry.Number) ?? throw Failed(place, Errno.EINVAL), name, to.Number), place);
                using (var link = Files.Open(name, OpenFlags.Path | Files.NoFollow, to.Number))
                    Finish(entry, link, status, place);
                break;
            case FileType.Socket:
                break; // it is nothing without its owner
            default:
                Check(Files.TryMakeNode(name, status, to.Number), place);
                using (var node = Files.Open(name, OpenFlags.Path | Files.NoFollow, to.Number))
                    Finish(entry, node, status, place);
                break;
        }
    }

    /// <summary>Makes one file's owner, mode, times and extended attributes another's.</summary>
    public static void Attributes(FileDescriptor from, FileDescriptor to, string place) => Finish(from, to, Files.Status(from, place), place);

    // The owner first: a change of it takes away set-id bits and file capabilities.
    private static void Finish(FileDescriptor from, FileDescriptor to, FileStatus status, string place)
    {
        Check(Files.TryChangeOwner(to.Number, "", status.Uid, status.Gid), place);
        foreach (var (attribute, value) in Files.Attributes(from))
        {
            var errno = Files.TrySetAttribute("/proc/self/fd/" + to.Number, attribute, value);
            if (errno != Errno.EOPNOTSUPP) // what tmpfs has no place for (user.* before Linux 6.6)
                Check(errno, place);
        }
        if (status.Type != FileType.SymbolicLink)
            Check(Files.TryChangeMode(to, status.Permissions), place);
        Check(Files.TryCopyTimes(from, to), place);
    }

    private static void Check(int errno, string place)
    {
        if (errno != 0)
            throw Failed(place, errno);
    }

    private static RuntimeException Failed(string place, int errno) => new($"cannot copy {place} to a tmpfs: {LinuxException.Describe(errno)}");
}
