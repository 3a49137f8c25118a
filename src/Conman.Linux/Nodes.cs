// What is in a directory that is not ours, made and asked by the directory's descriptor and one name in bytes. Links are never followed.

using System.Runtime.InteropServices;

namespace Conman.Linux;

/// <summary>What statx(2) says of a node in a tree.</summary>
/// <param name="IsMountRoot">Something is mounted there: in another mount namespace it could be unlinked all the same, and the mount would go.</param>
public readonly record struct NodeStatus(FileStatus File, ulong Inode, uint Links, ulong Blocks, long Seconds, uint Nanoseconds, bool IsMountRoot)
{
    /// <summary>How overlayfs keeps that something in the layers below is removed.</summary>
    public bool IsWhiteout => File is { Type: FileType.CharacterDevice, DeviceMajor: 0, DeviceMinor: 0 };
}

/// <summary>
/// Thin wrappers over raw descriptors, for a hundred thousand files in a row: no object a file. A name is one component and ends with a zero byte.
/// All return errno or 0; EINTR is retried where it can come.
/// </summary>
public static unsafe class Nodes
{
    private const int EmptyPath = 0x1000 /* AT_EMPTY_PATH */, NoFollow = 0x100 /* AT_SYMLINK_NOFOLLOW */;

    /// <summary>openat(2) with O_NOFOLLOW and O_CLOEXEC; the caller closes the descriptor by <see cref="Close"/>.</summary>
    public static int TryOpen(int at, ReadOnlySpan<byte> name, OpenFlags flags, out int fd, uint mode = 0)
    {
        fixed (byte* p = Checked(name))
        {
            do fd = Native.openat(at, p, (int)(flags | Files.NoFollow | OpenFlags.CloseOnExec), mode);
            while (fd < 0 && Marshal.GetLastPInvokeError() == Errno.EINTR);
        }
        return fd < 0 ? Marshal.GetLastPInvokeError() : 0;
    }

    /// <summary>close(2).</summary>
    public static void Close(int fd) => _ = Tmds.Linux.LibC.close(fd);

    /// <summary>mkdirat(2).</summary>
    public static int TryMakeDirectory(int at, ReadOnlySpan<byte> name, uint mode)
    {
        fixed (byte* p = Checked(name))
            return Result(Native.mkdirat(at, p, mode));
    }

    /// <summary>mknodat(2): a device or a fifo.</summary>
    public static int TryMakeNode(int at, ReadOnlySpan<byte> name, FileType type, uint mode, uint major = 0, uint minor = 0)
    {
        var device = (minor & 0xff) | ((ulong)major << 8) | ((ulong)(minor & ~0xffu) << 12);
        fixed (byte* p = Checked(name))
            return Result(Native.mknodat(at, p, (uint)type | mode, device));
    }

    /// <summary>symlinkat(2); the target ends with a zero byte too.</summary>
    public static int TrySymlink(ReadOnlySpan<byte> target, int at, ReadOnlySpan<byte> name)
    {
        fixed (byte* t = Checked(target), p = Checked(name))
            return Result(Native.symlinkat(t, at, p));
    }

    /// <summary>linkat(2).</summary>
    public static int TryLink(int from, ReadOnlySpan<byte> oldName, int to, ReadOnlySpan<byte> newName)
    {
        fixed (byte* o = Checked(oldName), n = Checked(newName))
            return Result(Native.linkat(from, o, to, n, 0));
    }

    /// <summary>unlinkat(2), of what is no directory.</summary>
    public static int TryUnlink(int at, ReadOnlySpan<byte> name)
    {
        fixed (byte* p = Checked(name))
            return Result(Native.unlinkat(at, p, 0));
    }

    /// <summary>readlinkat(2): the target, without a zero byte.</summary>
    public static int TryReadLink(int at, ReadOnlySpan<byte> name, out byte[] target)
    {
        var buffer = stackalloc byte[4096];
        fixed (byte* p = Checked(name))
        {
            var n = Native.readlinkat(at, p, buffer, 4096);
            target = n < 0 ? [] : new Span<byte>(buffer, (int)n).ToArray();
            return Result((int)n);
        }
    }

    /// <summary>statx(2).</summary>
    public static int TryStatus(int at, ReadOnlySpan<byte> name, out NodeStatus status)
    {
        StatX x = default;
        int errno;
        fixed (byte* p = Checked(name))
            errno = Result(Native.statx(at, p, NoFollow | EmptyPath, 0x7ff /* STATX_BASIC_STATS */, &x));
        status = new NodeStatus(
            new FileStatus((FileType)(x.stx_mode & 0xf000), x.stx_mode & 0xfffu, x.stx_uid, x.stx_gid, x.stx_size, x.stx_rdev_major, x.stx_rdev_minor),
            x.stx_ino, x.stx_nlink, x.stx_blocks, (long)x._times[6], (uint)x._times[7], (x.stx_attributes & 0x2000 /* STATX_ATTR_MOUNT_ROOT */) != 0);
        return errno;
    }

    /// <summary>fchown(2).</summary>
    public static int TryChangeOwner(int fd, uint uid, uint gid) => Result(Native.fchown(fd, uid, gid));

    /// <summary>fchownat(2).</summary>
    public static int TryChangeOwner(int at, ReadOnlySpan<byte> name, uint uid, uint gid)
    {
        fixed (byte* p = Checked(name))
            return Result(Native.fchownat(at, p, uid, gid, NoFollow));
    }

    /// <summary>fchmod(2).</summary>
    public static int TryChangeMode(int fd, uint mode) => Result(Native.fchmod(fd, mode));

    /// <summary>fchmodat(2), which follows a link: the caller has just made the node, and it is none.</summary>
    public static int TryChangeMode(int at, ReadOnlySpan<byte> name, uint mode)
    {
        fixed (byte* p = Checked(name))
            return Result(Native.fchmodat(at, p, mode, 0));
    }

    /// <summary>utimensat(2) without a path: the times of last access and change.</summary>
    public static int TrySetTimes(int fd, (long Seconds, uint Nanoseconds) accessed, (long Seconds, uint Nanoseconds) modified)
    {
        var times = stackalloc ulong[4] { (ulong)accessed.Seconds, accessed.Nanoseconds, (ulong)modified.Seconds, modified.Nanoseconds };
        return Result((int)Native.syscall(SyscallNumbers.utimensat, fd, 0, (nint)times, 0, 0, 0)); // C libraries want a path
    }

    /// <summary>utimensat(2).</summary>
    public static int TrySetTimes(int at, ReadOnlySpan<byte> name, (long Seconds, uint Nanoseconds) accessed, (long Seconds, uint Nanoseconds) modified)
    {
        var times = stackalloc ulong[4] { (ulong)accessed.Seconds, accessed.Nanoseconds, (ulong)modified.Seconds, modified.Nanoseconds };
        fixed (byte* p = Checked(name))
            return Result(Native.utimensat(at, p, times, NoFollow));
    }

    /// <summary>fsetxattr(2); the name ends with a zero byte.</summary>
    public static int TrySetAttribute(int fd, ReadOnlySpan<byte> name, ReadOnlySpan<byte> value)
    {
        fixed (byte* n = Checked(name), v = value)
            return Result(Native.fsetxattr(fd, n, v, value.Length, 0));
    }

    /// <summary>ftruncate(2).</summary>
    public static int TrySetLength(int fd, long length) => Result(Native.ftruncate(fd, length));

    /// <summary>lseek(2), SEEK_SET.</summary>
    public static int TrySeek(int fd, long offset) => Result(Native.lseek(fd, offset, 0 /* SEEK_SET */) < 0 ? -1 : 0);

    /// <summary>The next part of a file that has data, from an offset on (lseek(2), SEEK_DATA and SEEK_HOLE); null if there is none.</summary>
    public static (long Start, long End)? NextData(int fd, long offset)
    {
        var start = Native.lseek(fd, offset, 3 /* SEEK_DATA */);
        if (start < 0)
            return null;
        var end = Native.lseek(fd, start, 4 /* SEEK_HOLE */);
        return end < 0 ? null : (start, end);
    }

    private static int Result(int result) => result < 0 ? Marshal.GetLastPInvokeError() : 0;

    private static ReadOnlySpan<byte> Checked(ReadOnlySpan<byte> name) =>
        name.Length > 0 && name[^1] == 0 ? name : throw new ArgumentException("a name must end with a zero byte", nameof(name));
}
