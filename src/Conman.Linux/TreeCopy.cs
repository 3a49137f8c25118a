// Copying trees of files by descriptor, from and to places that may be hostile and may change meanwhile.
//
// Each name is opened once, without following a link, and looked at by descriptor; only what was seen to be a regular file or a folder is opened
// to be read. What is made is made new, below an open folder: no link that lies there leads elsewhere.

using System.Text;

namespace Conman.Linux;

/// <summary>Copies types, modes, owners, times, extended attributes, holes and links. Hard links become copies; sockets are left out.</summary>
public sealed class TreeCopy
{
    // Two descriptors a level. Nobody's folders are so deep but those of somebody who looks for a limit.
    private const int MostLevels = 128;

    /// <summary>
    /// Owners are copied. Else everything belongs to who copies, and what would then lend him to others is left out: set-id bits, and attributes
    /// but those of users; a device is refused.
    /// </summary>
    public bool Owners { get; init; } = true;

    /// <summary>A folder and a file of one name give way to each other; else that is an error.</summary>
    public bool Replace { get; init; }

    /// <summary>Bytes of the files that were copied.</summary>
    public long Bytes { get; private set; }

    /// <summary>What lies at a folder goes into another, which may hold something: folders are merged, other files replaced.</summary>
    /// <param name="place">Its path, for what is said of a failure.</param>
    public void Content(FileDescriptor from, FileDescriptor to, string place) => Content(from, to, place, 0);

    /// <summary>Copies one file, or a folder with all that is in it, under a name in a folder.</summary>
    /// <param name="entry">Opened with O_PATH and O_NOFOLLOW.</param>
    /// <param name="name">One component, with a zero byte at its end.</param>
    public void Entry(FileDescriptor entry, FileDescriptor to, ReadOnlySpan<byte> name, string place) => Entry(entry, to, name, place, 0);

    /// <summary>Makes one file's owner, mode, times and extended attributes another's.</summary>
    public static void Attributes(FileDescriptor from, FileDescriptor to, string place) => new TreeCopy().Finish(from, to, Files.Status(from, place), place);

    private void Content(FileDescriptor from, FileDescriptor to, string place, int level)
    {
        if (level == MostLevels)
            throw new LinuxException(Errno.ELOOP, $"copy {place}, which is more than {MostLevels} folders deep");
        foreach (var (name, _) in Trees.List(from))
        {
            var errno = Nodes.TryOpen(from.Number, name, OpenFlags.Path, out var fd);
            var path = place + "/" + Encoding.UTF8.GetString(name.AsSpan(..^1));
            if (errno == Errno.ENOENT)
                continue; // removed meanwhile
            Check(errno, path);
            using var entry = new FileDescriptor(fd);
            Entry(entry, to, name, path, level);
        }
    }

    private void Entry(FileDescriptor entry, FileDescriptor to, ReadOnlySpan<byte> name, string place, int level)
    {
        var status = Files.Status(entry, place);
        if (!Owners && status.Type is FileType.CharacterDevice or FileType.BlockDevice)
            throw new LinuxException(Errno.EPERM, $"copy the device {place} without its owner");
        var inPlace = false;
        if (status.Type is not (FileType.Directory or FileType.Socket))
            inPlace = MakeWay(to, name, status.Type, place);
        int errno;
        switch (status.Type)
        {
            case FileType.Directory:
                errno = Nodes.TryMakeDirectory(to.Number, name, 0x1c0 /* 0700 */);
                if (errno == Errno.EEXIST && Replace && Nodes.TryStatus(to.Number, name, out var other) == 0 && other.File.Type != FileType.Directory && !other.IsMountRoot && Nodes.TryUnlink(to.Number, name) == 0)
                    errno = Nodes.TryMakeDirectory(to.Number, name, 0x1c0 /* 0700 */);
                Check(errno == Errno.EEXIST ? 0 : errno, place);
                using (var source = Open(".", OpenFlags.ReadOnly | Files.Directory, entry.Number, place))
                using (var folder = Open(to, name, OpenFlags.ReadOnly | Files.Directory, place))
                {
                    Content(source, folder, place, level + 1);
                    Finish(entry, folder, status, place);
                }
                break;
            case FileType.Regular:
                using (var source = Open("/proc/self/fd/" + entry.Number, OpenFlags.ReadOnly | OpenFlags.NonBlock, Files.CurrentDirectory, place))
                using (var file = Open(to, name, inPlace ? OpenFlags.WriteOnly | OpenFlags.NonBlock : OpenFlags.WriteOnly | OpenFlags.Create | OpenFlags.Exclusive, place))
                {
                    if (inPlace)
                        Empty(file, place);
                    Data(source, file, (long)status.Size, place);
                    Finish(entry, file, status, place);
                }
                break;
            case FileType.SymbolicLink:
                Check(Nodes.TryReadLink(entry.Number, "\0"u8, out var target), place);
                Check(Nodes.TrySymlink([.. target, 0], to.Number, name), place);
                Finish(entry, to, name, status, place);
                break;
            case FileType.Socket:
                break; // it is nothing without its owner
            default:
                Check(Nodes.TryMakeNode(to.Number, name, status.Type, 0x180 /* 0600 */, status.DeviceMajor, status.DeviceMinor), place);
                Finish(entry, to, name, status, place);
                break;
        }
    }

    // What is there by the name goes. True: it cannot, for something is mounted on it, and what comes is to be written into that.
    private bool MakeWay(FileDescriptor to, ReadOnlySpan<byte> name, FileType type, string place)
    {
        var errno = Nodes.TryStatus(to.Number, name, out var old);
        if (errno == 0 && old.IsMountRoot)
            return type == FileType.Regular ? true : throw new LinuxException(Errno.EBUSY, $"write the copy of {place}");
        if (errno == 0)
            errno = Nodes.TryUnlink(to.Number, name);
        if (errno is Errno.EISDIR or Errno.EPERM && Replace)
        {
            Trees.Remove(to.Number, name);
            return false;
        }
        return errno is 0 or Errno.ENOENT ? false : throw new LinuxException(errno, $"write the copy of {place}");
    }

    private static void Empty(FileDescriptor file, string place)
    {
        if (Files.Status(file, place).Type != FileType.Regular)
            throw new LinuxException(Errno.EBUSY, $"write the copy of {place}");
        Check(Nodes.TrySetLength(file.Number, 0), place);
    }

    // Only what is there: holes stay holes.
    private void Data(FileDescriptor from, FileDescriptor to, long size, string place)
    {
        for (long at = 0; Nodes.NextData(from.Number, at) is var (start, end); at = end)
        {
            Check(Nodes.TrySeek(from.Number, start), place);
            Check(Nodes.TrySeek(to.Number, start), place);
            Check(Files.TryCopy(from, to, end - start), place);
        }
        Check(Nodes.TrySetLength(to.Number, size), place);
        Bytes += size;
    }

    private void Finish(FileDescriptor from, FileDescriptor to, ReadOnlySpan<byte> name, FileStatus status, string place)
    {
        using var made = Open(to, name, OpenFlags.Path, place);
        Finish(from, made, status, place);
    }

    // The owner first: a change of it takes away set-id bits and file capabilities.
    private void Finish(FileDescriptor from, FileDescriptor to, FileStatus status, string place)
    {
        if (Owners)
            Check(Files.TryChangeOwner(to.Number, "", status.Uid, status.Gid), place);
        foreach (var (attribute, value) in Files.Attributes(from))
        {
            var kept = Owners ? !attribute.StartsWith("trusted.overlay.", StringComparison.Ordinal) : attribute.StartsWith("user.", StringComparison.Ordinal);
            var errno = !kept ? 0 : Files.TrySetAttribute("/proc/self/fd/" + to.Number, attribute, value);
            if (errno != Errno.EOPNOTSUPP) // what a file system has no place for (tmpfs user.* before Linux 6.6)
                Check(errno, place);
        }
        if (status.Type != FileType.SymbolicLink)
            Check(Files.TryChangeMode(to, Owners ? status.Permissions : status.Permissions & ~0xc00u /* S_ISUID | S_ISGID */), place);
        Check(Files.TryCopyTimes(from, to), place);
    }

    private static FileDescriptor Open(string path, OpenFlags flags, int at, string place) =>
        Files.TryOpen(path, flags, out var errno, at) ?? throw new LinuxException(errno, $"copy {place}");

    private static FileDescriptor Open(FileDescriptor folder, ReadOnlySpan<byte> name, OpenFlags flags, string place)
    {
        Check(Nodes.TryOpen(folder.Number, name, flags, out var fd, 0x180 /* 0600 */), place);
        return new FileDescriptor(fd);
    }

    private static void Check(int errno, string place)
    {
        if (errno != 0)
            throw new LinuxException(errno, $"copy {place}");
    }
}
