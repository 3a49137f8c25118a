// Files and directories by descriptor: every call takes the directory that the path starts from.

using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;

namespace Conman.Linux;

/// <summary>Flags of open(2), asm-generic values except those that differ on arm64.</summary>
[Flags]
public enum OpenFlags
{
    ReadOnly = 0,
    WriteOnly = 1,
    ReadWrite = 2,
    Create = 0x40,
    Exclusive = 0x80,
    NoTerminal = 0x100,
    Truncate = 0x200,
    Append = 0x400,
    NonBlock = 0x800,
    Path = 0x200000,
    CloseOnExec = 0x80000,
}

/// <summary>RESOLVE_* of openat2(2).</summary>
[Flags]
public enum Resolve : ulong
{
    NoXdev = 1,
    NoMagicLinks = 2,
    NoSymlinks = 4,
    Beneath = 8,
    InRoot = 16,
}

/// <summary>What a path is (the S_IFMT part of a mode).</summary>
public enum FileType
{
    Fifo = 0x1000,
    CharacterDevice = 0x2000,
    Directory = 0x4000,
    BlockDevice = 0x6000,
    Regular = 0x8000,
    SymbolicLink = 0xa000,
    Socket = 0xc000,
}

/// <summary>What statx(2) says of a file.</summary>
public readonly record struct FileStatus(FileType Type, uint Permissions, uint Uid, uint Gid, ulong Size, uint DeviceMajor, uint DeviceMinor);

/// <summary>A mount, by its number in statx(2).</summary>
/// <param name="Kind">STATX_MNT_ID_UNIQUE, or STATX_MNT_ID where the kernel does not have that.</param>
public readonly record struct MountId(ulong Id, uint Kind);

/// <summary>Thin wrappers: EINTR is retried, a failure throws <see cref="LinuxException"/> unless the name begins with Try.</summary>
public static unsafe class Files
{
    /// <summary>The current directory, as a directory to start from.</summary>
    public const int CurrentDirectory = -100;

    private const int O_DIRECTORY_X64 = 0x10000, O_NOFOLLOW_X64 = 0x20000;

    /// <summary>O_DIRECTORY, whose value differs between architectures.</summary>
    public static OpenFlags Directory => (OpenFlags)(RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? 0x4000 : O_DIRECTORY_X64);

    /// <summary>O_NOFOLLOW, whose value differs between architectures.</summary>
    public static OpenFlags NoFollow => (OpenFlags)(RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? 0x8000 : O_NOFOLLOW_X64);

    // O_TMPFILE, which includes O_DIRECTORY.
    private static OpenFlags TemporaryFile => (OpenFlags)0x400000 | Directory;

    /// <summary>openat(2), close-on-exec.</summary>
    public static FileDescriptor Open(string path, OpenFlags flags, int at = CurrentDirectory, uint mode = 0)
    {
        var fd = TryOpen(path, flags, out var errno, at, mode);
        if (fd is null)
            LinuxException.Throw(errno, $"open {path}");
        return fd;
    }

    /// <summary>openat(2), close-on-exec; null and errno on failure.</summary>
    public static FileDescriptor? TryOpen(string path, OpenFlags flags, out int errno, int at = CurrentDirectory, uint mode = 0)
    {
        int fd;
        do fd = Native.openat(at, path, (int)(flags | OpenFlags.CloseOnExec), mode);
        while (fd < 0 && Interrupted());
        errno = fd < 0 ? Marshal.GetLastPInvokeError() : 0;
        return fd < 0 ? null : new FileDescriptor(fd);
    }

    /// <summary>openat2(2): a path that the kernel resolves under the given rules; null and errno on failure.</summary>
    public static FileDescriptor? TryOpenResolved(int at, string path, OpenFlags flags, Resolve resolve, out int errno)
    {
        var how = stackalloc ulong[3] { (ulong)(flags | OpenFlags.CloseOnExec), 0, (ulong)resolve };
        nint fd;
        do
        {
            fd = Native.openat2(SyscallNumber.openat2, at, path, how, 24);
            errno = fd < 0 ? Marshal.GetLastPInvokeError() : 0;
        }
        while (errno is Errno.EINTR or Errno.EAGAIN);
        return fd < 0 ? null : new FileDescriptor((int)fd);
    }

    /// <summary>As the other, with a path in bytes that need be no text.</summary>
    public static FileDescriptor? TryOpenResolved(int at, ReadOnlySpan<byte> path, OpenFlags flags, Resolve resolve, out int errno)
    {
        var how = stackalloc ulong[3] { (ulong)(flags | OpenFlags.CloseOnExec), 0, (ulong)resolve };
        byte[] text = [.. path, 0];
        nint fd;
        fixed (byte* p = text)
        {
            do
            {
                fd = Native.syscall(SyscallNumber.openat2, at, (nint)p, (nint)how, 24, 0, 0);
                errno = fd < 0 ? Marshal.GetLastPInvokeError() : 0;
            }
            while (errno is Errno.EINTR or Errno.EAGAIN);
        }
        return fd < 0 ? null : new FileDescriptor((int)fd);
    }

    /// <summary>Reads a file to its end.</summary>
    /// <param name="limit">More bytes than this are an error (EFBIG), whatever the file says its size is.</param>
    public static byte[] ReadAll(FileDescriptor file, string name, int limit = 16 << 20)
    {
        // A file that says its size gets that much and a byte to find its end by; those of /proc and /sys say nothing true. No pooled buffer:
        // the pool's first use costs more than a container's whole configuration.
        var size = (int)Math.Min(Status(file, name).Size, (ulong)limit);
        var buffer = GC.AllocateUninitializedArray<byte>(Math.Max(size + 1, 1024));
        var used = 0;
        for (int n; (n = Read(file.Number, buffer.AsSpan(used), name)) > 0;)
        {
            used += n;
            if (used > limit)
                LinuxException.Throw(27 /* EFBIG */, $"read {name}");
            if (used == buffer.Length)
                Array.Resize(ref buffer, used * 2);
        }
        return buffer.AsSpan(0, used).ToArray();
    }

    /// <summary>Opens and reads a file to its end.</summary>
    public static byte[] ReadAll(string path, int at = CurrentDirectory)
    {
        using var file = Open(path, OpenFlags.ReadOnly, at);
        return ReadAll(file, path);
    }

    /// <summary>read(2); 0 at the end of the file.</summary>
    public static int Read(int fd, Span<byte> buffer, string name)
    {
        nint n;
        fixed (byte* p = buffer)
        {
            do n = (nint)Tmds.Linux.LibC.read(fd, p, (Tmds.Linux.size_t)(ulong)buffer.Length);
            while (n < 0 && Interrupted());
        }
        if (n < 0)
            LinuxException.Throw(Marshal.GetLastPInvokeError(), $"read {name}");
        return (int)n;
    }

    /// <summary>Writes everything.</summary>
    public static void Write(int fd, ReadOnlySpan<byte> data, string name)
    {
        var errno = TryWrite(fd, data);
        if (errno != 0)
            LinuxException.Throw(errno, $"write {name}");
    }

    /// <summary>Writes everything; errno or 0.</summary>
    public static int TryWrite(int fd, ReadOnlySpan<byte> data)
    {
        while (data.Length > 0)
        {
            nint n;
            fixed (byte* p = data)
                n = (nint)Tmds.Linux.LibC.write(fd, p, (Tmds.Linux.size_t)(ulong)data.Length);
            if (n >= 0)
                data = data[(int)n..];
            else if (!Interrupted())
                return Marshal.GetLastPInvokeError();
        }
        return 0;
    }

    /// <summary>Writes a whole small file in one write(2), as the kernel's control files want it; errno or 0.</summary>
    public static int TryWriteFile(string path, ReadOnlySpan<byte> data, int at = CurrentDirectory)
    {
        using var file = TryOpen(path, OpenFlags.WriteOnly, out var errno, at);
        return file is null ? errno : TryWrite(file.Number, data);
    }

    /// <summary>Replaces a file: a temporary one is written beside it and renamed over it, so that a reader sees the old or the new.</summary>
    public static void Replace(int directory, string name, ReadOnlySpan<byte> data, uint mode = 0x180 /* 0600 */)
    {
        var temporary = "." + name + ".new";
        using (var file = Open(temporary, OpenFlags.WriteOnly | OpenFlags.Create | OpenFlags.Truncate, directory, mode))
            Write(file.Number, data, name);
        if (Native.renameat(directory, temporary, directory, name) < 0)
            LinuxException.Throw(Marshal.GetLastPInvokeError(), $"rename {temporary} to {name}");
    }

    /// <summary>renameat(2); errno or 0.</summary>
    public static int TryRename(string from, string to, int at = CurrentDirectory) => Native.renameat(at, from, at, to) < 0 ? Marshal.GetLastPInvokeError() : 0;

    /// <summary>
    /// Puts a file into a directory that is not ours: it has no name until it is complete (open(2), O_TMPFILE), so a command that is killed
    /// leaves neither half a file nor one under another name. An older file of that name is removed first.
    /// </summary>
    public static void Publish(int directory, string name, ReadOnlySpan<byte> data, uint mode)
    {
        using var file = TryOpen(".", TemporaryFile | OpenFlags.WriteOnly, out var errno, directory, mode);
        if (file is null)
        {
            if (errno is not (Errno.EOPNOTSUPP or Errno.EISDIR or Errno.EINVAL))
                LinuxException.Throw(errno, $"make {name}");
            Replace(directory, name, data, mode); // a file system that has no such files
            return;
        }
        Write(file.Number, data, name);
        Publish(file, directory, name);
    }

    /// <summary>Gives a <see cref="Temporary"/> file a name. An older file of that name is removed first.</summary>
    public static void Publish(FileDescriptor file, int directory, string name)
    {
        for (int errno; (errno = TryPublish(file, directory, name)) != 0;)
        {
            if (errno != Errno.EEXIST || TryUnlink(name, directory) is not (0 or Errno.ENOENT))
                LinuxException.Throw(errno, $"make {name}");
        }
    }

    /// <summary>Gives a <see cref="Temporary"/> file a name that no other has (linkat(2)); errno or 0.</summary>
    public static int TryPublish(FileDescriptor file, int directory, string name) =>
        Native.linkat(CurrentDirectory, "/proc/self/fd/" + file.Number, directory, name, 0x400 /* AT_SYMLINK_FOLLOW */) < 0 ? Marshal.GetLastPInvokeError() : 0;

    /// <summary>mkdirat(2); errno or 0.</summary>
    public static int TryMakeDirectory(string path, uint mode, int at = CurrentDirectory) =>
        Native.mkdirat(at, path, mode) < 0 ? Marshal.GetLastPInvokeError() : 0;

    /// <summary>Makes a directory and what is missing above it.</summary>
    public static void MakeDirectories(string path, uint mode)
    {
        var errno = TryMakeDirectory(path, mode);
        if (errno == Errno.ENOENT && Path.GetDirectoryName(path) is { Length: > 0 } parent)
        {
            MakeDirectories(parent, mode);
            errno = TryMakeDirectory(path, mode);
        }
        if (errno is not (0 or Errno.EEXIST))
            LinuxException.Throw(errno, $"make directory {path}");
    }

    /// <summary>unlinkat(2); errno or 0.</summary>
    public static int TryUnlink(string path, int at = CurrentDirectory) =>
        Native.unlinkat(at, path, 0) < 0 ? Marshal.GetLastPInvokeError() : 0;

    /// <summary>rmdir(2); errno or 0.</summary>
    public static int TryRemoveDirectory(string path, int at = CurrentDirectory) =>
        Native.unlinkat(at, path, 0x200 /* AT_REMOVEDIR */) < 0 ? Marshal.GetLastPInvokeError() : 0;

    /// <summary>symlinkat(2); errno or 0.</summary>
    public static int TrySymlink(string target, string path, int at = CurrentDirectory) =>
        Native.symlinkat(target, at, path) < 0 ? Marshal.GetLastPInvokeError() : 0;

    /// <summary>readlinkat(2), or null.</summary>
    public static string? TryReadLink(string path, int at = CurrentDirectory)
    {
        var buffer = stackalloc byte[4096];
        var n = Native.readlinkat(at, path, buffer, 4096);
        return n < 0 ? null : Encoding.UTF8.GetString(buffer, (int)n);
    }

    /// <summary>getxattr(2), or null.</summary>
    public static string? TryGetAttribute(string path, string name)
    {
        var buffer = stackalloc byte[4096];
        var n = Native.getxattr(path, name, buffer, 4096);
        return n < 0 ? null : Encoding.UTF8.GetString(buffer, (int)n);
    }

    /// <summary>setxattr(2); errno or 0.</summary>
    public static int TrySetAttribute(string path, string name, string value)
    {
        var bytes = Encoding.UTF8.GetBytes(value);
        fixed (byte* p = bytes)
            return Native.setxattr(path, name, p, bytes.Length, 0) < 0 ? Marshal.GetLastPInvokeError() : 0;
    }

    /// <summary>setxattr(2); errno or 0.</summary>
    public static int TrySetAttribute(string path, string name, ReadOnlySpan<byte> value)
    {
        fixed (byte* p = value)
            return Native.setxattr(path, name, p, value.Length, 0) < 0 ? Marshal.GetLastPInvokeError() : 0;
    }

    /// <summary>Every extended attribute of an open file, though it be opened for nothing (O_PATH), or be a link (listxattr(2), getxattr(2)).</summary>
    public static List<(string Name, byte[] Value)> Attributes(FileDescriptor file)
    {
        var path = "/proc/self/fd/" + file.Number;
        var attributes = new List<(string, byte[])>();
        Span<byte> names = new byte[64 << 10]; // XATTR_LIST_MAX, and XATTR_SIZE_MAX below
        nint n;
        fixed (byte* p = names)
            n = Native.listxattr(path, p, names.Length);
        if (n <= 0)
            return attributes; // none, or a file system that has no such thing
        var buffer = new byte[64 << 10];
        foreach (var range in names[..(int)n].Split((byte)0))
        {
            var name = Encoding.UTF8.GetString(names[range]);
            if (name.Length == 0)
                continue;
            nint size;
            fixed (byte* p = buffer)
                size = Native.getxattr(path, name, p, buffer.Length);
            if (size >= 0)
                attributes.Add((name, buffer[..(int)size]));
        }
        return attributes;
    }

    /// <summary>setxattr(2) of an open file, though it be opened for nothing (O_PATH), or be a link; the name ends with a zero byte. errno or 0.</summary>
    public static int TrySetAttribute(FileDescriptor file, ReadOnlySpan<byte> name, ReadOnlySpan<byte> value)
    {
        fixed (byte* n = name, v = value)
            return Native.setxattr("/proc/self/fd/" + file.Number, n, v, value.Length, 0) < 0 ? Marshal.GetLastPInvokeError() : 0;
    }

    /// <summary>As <see cref="Attributes"/>, with the names in bytes, in their order, without a zero byte.</summary>
    public static List<(byte[] Name, byte[] Value)> RawAttributes(FileDescriptor file)
    {
        var path = "/proc/self/fd/" + file.Number;
        var attributes = new List<(byte[], byte[])>();
        var probe = stackalloc byte[1024];
        var n = Native.listxattr(path, probe, 1024);
        if (n == 0 || (n < 0 && Marshal.GetLastPInvokeError() != 34 /* ERANGE */))
            return attributes; // none, or a file system that has no such thing
        var names = new byte[64 << 10]; // XATTR_LIST_MAX, and XATTR_SIZE_MAX below
        var buffer = new byte[64 << 10];
        fixed (byte* p = names, b = buffer)
        {
            n = Native.listxattr(path, p, names.Length);
            for (nint i = 0; i < n;)
            {
                var name = MemoryMarshal.CreateReadOnlySpanFromNullTerminated(p + i);
                var size = Native.getxattr(path, p + i, b, buffer.Length);
                if (size >= 0)
                    attributes.Add((name.ToArray(), buffer[..(int)size]));
                i += name.Length + 1;
            }
        }
        attributes.Sort((x, y) => x.Item1.AsSpan().SequenceCompareTo(y.Item1));
        return attributes;
    }

    /// <summary>fchownat(2); an empty path is the open file itself, a symbolic link is not followed. errno or 0.</summary>
    public static int TryChangeOwner(int at, string path, uint uid, uint gid) =>
        Native.fchownat(at, path, uid, gid, 0x1000 | 0x100 /* AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW */) < 0 ? Marshal.GetLastPInvokeError() : 0;

    /// <summary>chmod(2) of an open file, though it be opened for nothing (O_PATH); errno or 0.</summary>
    public static int TryChangeMode(FileDescriptor file, uint mode) =>
        Native.chmod("/proc/self/fd/" + file.Number, mode) < 0 ? Marshal.GetLastPInvokeError() : 0;

    /// <summary>mknodat(2): a fifo or a device as another is; errno or 0.</summary>
    public static int TryMakeNode(string path, FileStatus like, int at)
    {
        var device = (like.DeviceMinor & 0xff) | ((ulong)like.DeviceMajor << 8) | ((ulong)(like.DeviceMinor & ~0xffu) << 12);
        return Native.mknodat(at, path, (uint)like.Type | 0x180 /* 0600 */, device) < 0 ? Marshal.GetLastPInvokeError() : 0;
    }

    /// <summary>mkfifo(3); one that is there stays.</summary>
    public static void MakeFifo(string name, int at, uint mode)
    {
        if (Native.mknodat(at, name, (uint)FileType.Fifo | mode, 0) < 0 && Marshal.GetLastPInvokeError() is not Errno.EEXIST and var errno)
            LinuxException.Throw(errno, $"make FIFO {name}");
    }

    /// <summary>Gives a file the times of last access and change of another (utimensat(2)); errno or 0.</summary>
    public static int TryCopyTimes(FileDescriptor from, FileDescriptor to)
    {
        StatX x;
        if (Native.statx(from.Number, "", 0x1000 /* AT_EMPTY_PATH */, 0x7ff /* STATX_BASIC_STATS */, &x) < 0)
            return Marshal.GetLastPInvokeError();
        var times = stackalloc ulong[4] { x._times[0], (uint)x._times[1], x._times[6], (uint)x._times[7] };
        return Native.utimensat(to.Number, "", times, 0x1000 | 0x100 /* AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW */) < 0 ? Marshal.GetLastPInvokeError() : 0;
    }

    /// <summary>Copies so many bytes of a regular file, or what there is, from where both stand (sendfile(2)); errno or 0.</summary>
    public static int TryCopy(FileDescriptor from, FileDescriptor to, long count = long.MaxValue)
    {
        while (count > 0)
        {
            var n = Native.sendfile(to.Number, from.Number, null, (nint)Math.Min(count, 1 << 30));
            if (n == 0)
                return 0;
            if (n < 0 && !Interrupted())
                return Marshal.GetLastPInvokeError();
            count -= Math.Max(n, 0);
        }
        return 0;
    }

    /// <summary>access(2) with the effective ids.</summary>
    public static bool Exists(string path, int at = CurrentDirectory) => Native.faccessat(at, path, 0, 0) == 0;

    /// <summary>access(2), W_OK, with the effective ids: false also where there is nothing, or on a read-only file system.</summary>
    public static bool MayWrite(string path, int at = CurrentDirectory) => Native.faccessat(at, path, 2, 0x200 /* AT_EACCESS */) == 0;

    /// <summary>statx(2) of an open file.</summary>
    public static FileStatus Status(FileDescriptor file, string name)
    {
        var status = TryStatus("", out var errno, file.Number, 0x1000 /* AT_EMPTY_PATH */);
        if (status is null)
            LinuxException.Throw(errno, $"stat {name}");
        return status.Value;
    }

    /// <summary>statx(2); null and errno on failure.</summary>
    public static FileStatus? TryStatus(string path, out int errno, int at = CurrentDirectory, int flags = 0)
    {
        StatX x;
        errno = Native.statx(at, path, flags, 0x7ff /* STATX_BASIC_STATS */, &x) < 0 ? Marshal.GetLastPInvokeError() : 0;
        return errno != 0
            ? null
            : new FileStatus((FileType)(x.stx_mode & 0xf000), x.stx_mode & 0xfffu, x.stx_uid, x.stx_gid, x.stx_size, x.stx_rdev_major, x.stx_rdev_minor);
    }

    /// <summary>The mount point that an absolute path lies on; the path itself if it is one.</summary>
    public static string MountPointOf(string path)
    {
        // A mount has an id (statx(2), STATX_MNT_ID): the last ancestor with the same one is its root.
        for (var mount = NumberOfMount(path); path.Length > 1; path = Path.GetDirectoryName(path)!)
        {
            if (NumberOfMount(Path.GetDirectoryName(path)!) != mount)
                break;
        }
        return path;
    }

    /// <summary>The id of the mount that an open file lies on, of the best kind that the kernel has.</summary>
    public static MountId MountOf(FileDescriptor file, string name)
    {
        const uint Reused = 0x1000 /* STATX_MNT_ID */, Unique = 0x4000; // STATX_MNT_ID_UNIQUE: since Linux 6.8 no mount gets the number of another
        StatX x;
        if (Native.statx(file.Number, "", 0x1000 /* AT_EMPTY_PATH */, Unique, &x) < 0)
            LinuxException.Throw(Marshal.GetLastPInvokeError(), $"stat {name}");
        if ((x.stx_mask & Unique) != 0)
            return new MountId(x.stx_mnt_id, Unique);
        if (Native.statx(file.Number, "", 0x1000 /* AT_EMPTY_PATH */, Reused, &x) < 0)
            LinuxException.Throw(Marshal.GetLastPInvokeError(), $"stat {name}");
        return new MountId(x.stx_mnt_id, Reused);
    }

    private static ulong NumberOfMount(string path)
    {
        StatX x;
        return Native.statx(CurrentDirectory, path, 0, 0x1000 /* STATX_MNT_ID */, &x) < 0 ? 0 : x.stx_mnt_id;
    }

    /// <summary>f_type of statfs(2), e.g. PROC_SUPER_MAGIC.</summary>
    public static long FileSystemType(FileDescriptor file, string name)
    {
        StatFs fs;
        if (Native.fstatfs(file.Number, &fs) < 0)
            LinuxException.Throw(Marshal.GetLastPInvokeError(), $"statfs {name}");
        return fs.f_type;
    }

    /// <summary>f_type of statfs(2) at a path; 0 if there is nothing, or it may not be seen.</summary>
    public static long FileSystemType(string path)
    {
        StatFs fs;
        return Native.statfs(path, &fs) < 0 ? 0 : fs.f_type;
    }

    /// <summary>Names in a directory, without . and .., in the kernel's order; none in one that has been removed meanwhile.</summary>
    public static List<string> List(FileDescriptor directory, string name)
    {
        var names = new List<string>();
        var buffer = stackalloc byte[16 << 10];
        for (; ; )
        {
            var n = Native.getdents64(directory.Number, buffer, 16 << 10);
            if (n < 0 && Marshal.GetLastPInvokeError() is var errno and not Errno.ENOENT)
                LinuxException.Throw(errno, $"list {name}");
            if (n <= 0)
                return names;
            for (nint i = 0; i < n; i += Unsafe.ReadUnaligned<ushort>(buffer + i + 16))
            {
                var entry = MemoryMarshal.CreateReadOnlySpanFromNullTerminated(buffer + i + 19);
                if (!entry.SequenceEqual("."u8) && !entry.SequenceEqual(".."u8))
                    names.Add(Encoding.UTF8.GetString(entry));
            }
        }
    }

    /// <summary>flock(2). False where another process holds it and <paramref name="wait"/> is false.</summary>
    /// <param name="shared">Any number of processes may hold it so; else exclusive.</param>
    public static bool Lock(FileDescriptor file, bool wait, string name, bool shared = false)
    {
        int result;
        do result = Native.flock(file.Number, (shared ? 1 /* LOCK_SH */ : 2 /* LOCK_EX */) | (wait ? 0 : 4 /* LOCK_NB */));
        while (result < 0 && Interrupted());
        if (result == 0)
            return true;
        var errno = Marshal.GetLastPInvokeError();
        if (errno != Errno.EAGAIN)
            LinuxException.Throw(errno, $"lock {name}");
        return false;
    }

    /// <summary>flock(2), LOCK_UN.</summary>
    public static void Unlock(FileDescriptor file) => _ = Native.flock(file.Number, 8 /* LOCK_UN */);

    /// <summary>A file without a name in a directory's file system, gone when it is closed (open(2), O_TMPFILE).</summary>
    public static FileDescriptor Temporary(FileDescriptor directory) => Open(".", TemporaryFile | OpenFlags.ReadWrite, directory.Number, 0x180 /* 0600 */);

    /// <summary>As <see cref="Temporary"/>; null where the file system has no such files.</summary>
    public static FileDescriptor? TryTemporary(string folder)
    {
        var file = TryOpen(folder, TemporaryFile | OpenFlags.ReadWrite, out var errno, mode: 0x180 /* 0600 */);
        return file is not null || errno is Errno.EOPNOTSUPP or Errno.EISDIR or Errno.EINVAL ? file : throw new LinuxException(errno, $"write to {folder}");
    }

    /// <summary>A pipe that holds so many bytes, or as many as this user may have (pipe(7)): what is written to the second end is read from the first.</summary>
    public static (FileDescriptor Read, FileDescriptor Write) Pipe(int size)
    {
        var ends = stackalloc int[2];
        if (Native.pipe2(ends, (int)OpenFlags.CloseOnExec) < 0)
            LinuxException.Throw(Marshal.GetLastPInvokeError(), "make a pipe");
        _ = Tmds.Linux.LibC.fcntl(ends[1], 1031 /* F_SETPIPE_SZ */, size);
        return (new FileDescriptor(ends[0]), new FileDescriptor(ends[1]));
    }

    /// <summary>A memfd with this content, sealed against every change.</summary>
    public static FileDescriptor SealedMemory(string name, ReadOnlySpan<byte> content, bool executable = false)
    {
        const uint Sealable = 1 | 2 /* MFD_CLOEXEC | MFD_ALLOW_SEALING */;
        var memory = Native.memfd_create(name, executable ? Sealable | 0x10 /* MFD_EXEC */ : Sealable);
        if (memory < 0 && executable && Marshal.GetLastPInvokeError() == Errno.EINVAL)
            memory = Native.memfd_create(name, Sealable); // before Linux 6.3 every memfd could be executed
        var file = FileDescriptor.Check(memory, $"create memfd {name}");
        Write(file.Number, content, name);
        Rewind(file);
        const int Everything = 1 | 2 | 4 | 8 /* F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE */;
        if (Tmds.Linux.LibC.fcntl(file.Number, 1033 /* F_ADD_SEALS */, Everything) < 0)
            LinuxException.Throw(Marshal.GetLastPInvokeError(), $"seal memfd {name}");
        return file;
    }

    /// <summary>An empty memfd: a file without a name, to collect output in.</summary>
    public static FileDescriptor Memory(string name) =>
        FileDescriptor.Check(Native.memfd_create(name, 1 /* MFD_CLOEXEC */), $"create memfd {name}");

    /// <summary>lseek(2) to the beginning.</summary>
    public static void Rewind(FileDescriptor file) => _ = Tmds.Linux.LibC.lseek(file.Number, 0, 0 /* SEEK_SET */);

    /// <summary>Goes to the end of a file.</summary>
    public static void SeekToEnd(FileDescriptor file) => _ = Tmds.Linux.LibC.lseek(file.Number, 0, 2 /* SEEK_END */);

    /// <summary>fcntl(F_DUPFD_CLOEXEC).</summary>
    public static FileDescriptor Duplicate(int fd) =>
        FileDescriptor.Check(Tmds.Linux.LibC.fcntl(fd, 1030 /* F_DUPFD_CLOEXEC */, 3), "duplicate a descriptor");

    /// <summary>Whether a descriptor is open.</summary>
    public static bool IsOpen(int fd) => Tmds.Linux.LibC.fcntl(fd, 1 /* F_GETFD */) >= 0;

    private static bool Interrupted() => Marshal.GetLastPInvokeError() == Errno.EINTR;
}
