// Whole trees of files that somebody else made: what they take on the disk, and their removal. Names are bytes, links are never followed.

using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;

namespace Conman.Linux;

/// <summary>The bytes and inodes that files take, each counted once however many names it has.</summary>
public record struct DiskUse(long Bytes, long Inodes)
{
    public static DiskUse operator +(DiskUse a, DiskUse b) => new(a.Bytes + b.Bytes, a.Inodes + b.Inodes);

    public static DiskUse operator -(DiskUse a, DiskUse b) => new(a.Bytes - b.Bytes, a.Inodes - b.Inodes);
}

/// <summary>Measuring and removing trees.</summary>
public static unsafe class Trees
{
    // One descriptor a level is held: what is deeper is moved up to the top, and removed from there.
    private const int MaximalDepth = 128;

    private const int RemoveDirectory = 0x200 /* AT_REMOVEDIR */;

    // d_type of getdents(2): the type of a mode without its lower bits; 0 where the file system does not tell.
    private const byte TypeDirectory = (int)FileType.Directory >> 12, TypeUnknown = 0;

    private static readonly int OpenDirectory = (int)(OpenFlags.ReadOnly | Files.Directory | Files.NoFollow | OpenFlags.CloseOnExec);

    /// <summary>What a tree takes on the disk, its top included, as du(1) counts it; what is removed meanwhile counts for nothing.</summary>
    public static DiskUse Measure(int at, string name)
    {
        var use = default(DiskUse);
        fixed (byte* path = Encoding.UTF8.GetBytes(name + '\0'))
            Measure(at, path, [], ref use);
        return use;
    }

    /// <summary>Removes a file or a whole tree; nothing to do if it is not there.</summary>
    public static void Remove(int at, string name) => Remove(at, Encoding.UTF8.GetBytes(name + '\0'));

    /// <summary>As the other, with a name in bytes that ends with a zero byte.</summary>
    public static void Remove(int at, ReadOnlySpan<byte> name)
    {
        fixed (byte* path = name)
        {
            if (Native.unlinkat(at, path, 0) == 0)
                return;
            var errno = Marshal.GetLastPInvokeError();
            if (errno == Errno.ENOENT)
                return;
            if (errno is not (Errno.EISDIR or Errno.EPERM))
                throw new LinuxException(errno, $"remove {Text(path)}");
            using (var top = Open(at, path))
            {
                if (top is null)
                    return;
                Empty(top);
            }
            RemoveEmpty(at, path);
        }
    }

    /// <summary>Removes everything in a directory.</summary>
    public static void Empty(FileDescriptor directory)
    {
        while (!Empty(directory, directory, 0))
        {
        }
    }

    private static void Measure(int at, byte* name, HashSet<ulong> linked, ref DiskUse use)
    {
        StatX x;
        if (Native.statx(at, name, 0x100 /* AT_SYMLINK_NOFOLLOW */, 0x7ff /* STATX_BASIC_STATS */, &x) < 0)
            return;
        var isDirectory = (x.stx_mode & 0xf000) == (int)FileType.Directory;
        if (!isDirectory && x.stx_nlink > 1 && !linked.Add(x.stx_ino))
            return;
        use += new DiskUse((long)x.stx_blocks * 512, 1);
        if (!isDirectory)
            return;
        using var directory = Open(at, name);
        foreach (var (child, _) in directory is null ? [] : List(directory))
        {
            fixed (byte* path = child)
                Measure(directory!.Number, path, linked, ref use);
        }
    }

    // False: some of it has been moved to the top.
    private static bool Empty(FileDescriptor directory, FileDescriptor top, int depth)
    {
        var done = true;
        foreach (var (child, type) in List(directory))
        {
            fixed (byte* path = child)
            {
                if (type is not (TypeDirectory or TypeUnknown) || Native.unlinkat(directory.Number, path, RemoveDirectory) < 0)
                {
                    if (type is not TypeDirectory && Native.unlinkat(directory.Number, path, 0) == 0)
                        continue;
                    if (depth == MaximalDepth)
                    {
                        MoveUp(directory, path, top);
                        done = false;
                        continue;
                    }
                    using (var below = Open(directory.Number, path))
                        done &= below is null || Empty(below, top, depth + 1);
                    RemoveEmpty(directory.Number, path);
                }
            }
        }
        return done;
    }

    private static void MoveUp(FileDescriptor directory, byte* name, FileDescriptor top)
    {
        fixed (byte* path = Encoding.UTF8.GetBytes($".deep-{Guid.NewGuid():N}\0"))
        {
            if (Native.renameat(directory.Number, name, top.Number, path) < 0)
                throw new LinuxException(Marshal.GetLastPInvokeError(), $"remove {Text(name)}");
        }
    }

    private static void RemoveEmpty(int at, byte* name)
    {
        if (Native.unlinkat(at, name, RemoveDirectory) < 0 && Marshal.GetLastPInvokeError() is var errno and not Errno.ENOENT)
            throw new LinuxException(errno, $"remove {Text(name)}");
    }

    private static FileDescriptor? Open(int at, byte* name)
    {
        int fd;
        do fd = Native.openat(at, name, OpenDirectory, 0);
        while (fd < 0 && Marshal.GetLastPInvokeError() == Errno.EINTR);
        if (fd >= 0)
            return new FileDescriptor(fd);
        var errno = Marshal.GetLastPInvokeError();
        return errno == Errno.ENOENT ? null : throw new LinuxException(errno, $"open {Text(name)}");
    }

    /// <summary>What is in a directory, without . and ..: each name with its closing zero, and its type (getdents(2)).</summary>
    public static List<(byte[] Name, byte Type)> List(FileDescriptor directory)
    {
        var entries = new List<(byte[], byte)>();
        _ = Tmds.Linux.LibC.lseek(directory.Number, 0, 0 /* SEEK_SET */);
        var buffer = stackalloc byte[16 << 10];
        for (; ; )
        {
            var n = Native.getdents64(directory.Number, buffer, 16 << 10);
            if (n < 0 && Marshal.GetLastPInvokeError() is var errno and not Errno.ENOENT)
                throw new LinuxException(errno, "list a directory");
            if (n <= 0)
                return entries;
            for (nint i = 0; i < n; i += Unsafe.ReadUnaligned<ushort>(buffer + i + 16))
            {
                var name = MemoryMarshal.CreateReadOnlySpanFromNullTerminated(buffer + i + 19);
                if (!name.SequenceEqual("."u8) && !name.SequenceEqual(".."u8))
                    entries.Add((new Span<byte>(buffer + i + 19, name.Length + 1).ToArray(), buffer[i + 18]));
            }
        }
    }

    private static string Text(byte* name) => Encoding.UTF8.GetString(MemoryMarshal.CreateReadOnlySpanFromNullTerminated(name));
}
