// The first floor: system calls under their C names, for what Tmds.LibC lacks or takes only as raw pointers. Errno stays below the wrappers.

using System.Runtime.InteropServices;

namespace Conman.Linux;

internal static unsafe partial class Native
{
    private const string Libc = "libc";

    // Text goes in as UTF-8; the marshaller uses the stack for all but very long paths.
    [LibraryImport(Libc, SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int openat(int dirfd, string path, int flags, uint mode);

    [LibraryImport(Libc, SetLastError = true)]
    internal static partial int getrlimit(int resource, ulong* limits);

    [LibraryImport(Libc, SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int setenv(string name, string value, int overwrite);

    [LibraryImport(Libc, SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int mkdirat(int dirfd, string path, uint mode);

    [LibraryImport(Libc, SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int fchmodat(int dirfd, string path, uint mode, int flags);

    [LibraryImport(Libc, SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int regcomp(void* compiled, string pattern, int flags);

    [LibraryImport(Libc, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int regexec(void* compiled, string text, nuint count, void* matches, int flags);

    [LibraryImport(Libc)]
    internal static partial nuint regerror(int error, void* compiled, byte* text, nuint size);

    [LibraryImport(Libc)]
    internal static partial void regfree(void* compiled);

    [LibraryImport(Libc, SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int unlinkat(int dirfd, string path, int flags);

    [LibraryImport(Libc, SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int renameat(int from, string oldPath, int to, string newPath);

    [LibraryImport(Libc, SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int linkat(int from, string oldPath, int to, string newPath, int flags);

    [LibraryImport(Libc, SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int symlinkat(string target, int dirfd, string path);

    [LibraryImport(Libc, SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial nint readlinkat(int dirfd, string path, byte* buffer, nint size);

    [LibraryImport(Libc, SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int faccessat(int dirfd, string path, int mode, int flags);

    [LibraryImport(Libc, SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int memfd_create(string name, uint flags);

    [LibraryImport(Libc, SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial nint getxattr(string path, string name, byte* value, nint size);

    [LibraryImport(Libc, SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int setxattr(string path, string name, byte* value, nint size, int flags);

    [LibraryImport(Libc, SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial nint listxattr(string path, byte* names, nint size);

    [LibraryImport(Libc, SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int fchownat(int dirfd, string path, uint uid, uint gid, int flags);

    [LibraryImport(Libc, SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int chmod(string path, uint mode);

    [LibraryImport(Libc, SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int mknodat(int dirfd, string path, uint mode, ulong device);

    [LibraryImport(Libc, SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int utimensat(int dirfd, string path, ulong* times, int flags);

    [LibraryImport(Libc, SetLastError = true)]
    internal static partial nint sendfile(int to, int from, long* offset, nint count);

    // Names as bytes: those in a tree that is not ours need not be UTF-8.
    [LibraryImport(Libc, SetLastError = true)]
    internal static partial int openat(int dirfd, byte* path, int flags, uint mode);

    [LibraryImport(Libc, SetLastError = true)]
    internal static partial int unlinkat(int dirfd, byte* path, int flags);

    // By its number, as the other.
    internal static int statx(int dirfd, byte* path, int flags, uint mask, StatX* result) =>
        (int)syscall(SyscallNumber.statx, dirfd, (nint)path, flags, (nint)mask, (nint)result, 0);

    [LibraryImport(Libc, SetLastError = true)]
    internal static partial int renameat(int from, byte* oldPath, int to, byte* newPath);

    [LibraryImport(Libc, SetLastError = true)]
    internal static partial int mkdirat(int dirfd, byte* path, uint mode);

    [LibraryImport(Libc, SetLastError = true)]
    internal static partial int mknodat(int dirfd, byte* path, uint mode, ulong device);

    [LibraryImport(Libc, SetLastError = true)]
    internal static partial int symlinkat(byte* target, int dirfd, byte* path);

    [LibraryImport(Libc, SetLastError = true)]
    internal static partial int linkat(int from, byte* oldPath, int to, byte* newPath, int flags);

    [LibraryImport(Libc, SetLastError = true)]
    internal static partial nint readlinkat(int dirfd, byte* path, byte* buffer, nint size);

    [LibraryImport(Libc, SetLastError = true)]
    internal static partial int fchownat(int dirfd, byte* path, uint uid, uint gid, int flags);

    [LibraryImport(Libc, SetLastError = true)]
    internal static partial int fchmodat(int dirfd, byte* path, uint mode, int flags);

    [LibraryImport(Libc, SetLastError = true)]
    internal static partial int utimensat(int dirfd, byte* path, ulong* times, int flags);

    [LibraryImport(Libc, SetLastError = true)]
    internal static partial int fchown(int fd, uint uid, uint gid);

    [LibraryImport(Libc, SetLastError = true)]
    internal static partial int fchmod(int fd, uint mode);

    [LibraryImport(Libc, SetLastError = true)]
    internal static partial int fsetxattr(int fd, byte* name, byte* value, nint size, int flags);

    [LibraryImport(Libc, SetLastError = true)]
    internal static partial long lseek(int fd, long offset, int whence);

    [LibraryImport(Libc, SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial nint getxattr(string path, byte* name, byte* value, nint size);

    [LibraryImport(Libc, SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int setxattr(string path, byte* name, byte* value, nint size, int flags);

    [LibraryImport(Libc, SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int umount2(string path, int flags);

    [LibraryImport(Libc, SetLastError = true)]
    internal static partial int pipe2(int* ends, int flags);

    [LibraryImport(Libc, SetLastError = true)]
    internal static partial int fsync(int fd);

    [LibraryImport(Libc, SetLastError = true)]
    internal static partial int syncfs(int fd);

    [LibraryImport(Libc, SetLastError = true)]
    internal static partial int sync_file_range(int fd, long offset, long count, uint flags);

    [LibraryImport(Libc, SetLastError = true)]
    internal static partial int ftruncate(int fd, long length);

    [LibraryImport(Libc, SetLastError = true)]
    internal static partial nint pread64(int fd, byte* buffer, nint size, long offset);

    [LibraryImport(Libc, SetLastError = true)]
    internal static partial nint pwrite64(int fd, byte* buffer, nint size, long offset);

    [LibraryImport(Libc, SetLastError = true)]
    internal static partial int flock(int fd, int operation);

    [LibraryImport(Libc)]
    internal static partial nint strsignal(int number);

    [LibraryImport(Libc, SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int statfs(string path, StatFs* result);

    [LibraryImport(Libc, SetLastError = true)]
    internal static partial int fstatfs(int fd, StatFs* result);

    [LibraryImport(Libc, SetLastError = true)]
    internal static partial nint getdents64(int fd, byte* buffer, nint size);

    [LibraryImport(Libc, SetLastError = true)]
    internal static partial int waitid(int type, int id, SigInfo* info, int options);

    [LibraryImport(Libc, SetLastError = true)]
    internal static partial int ioctl(int fd, nuint request, void* argument);

    [LibraryImport(Libc, SetLastError = true)]
    internal static partial int inotify_init1(int flags);

    [LibraryImport(Libc, SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int inotify_add_watch(int fd, string path, uint mask);

    [LibraryImport(Libc, SetLastError = true)]
    internal static partial int eventfd(uint count, int flags);

    // Tmds.LibC has it too, but loses errno.
    [LibraryImport(Libc, SetLastError = true)]
    internal static partial int poll(PollEntry* entries, nuint count, int milliseconds);

    [LibraryImport(Libc, SetLastError = true)]
    internal static partial uint geteuid();

    [LibraryImport(Libc, SetLastError = true)]
    internal static partial uint getegid();

    // The variadic syscall(2), always with six register arguments: harmless for calls that take fewer.
    [LibraryImport(Libc, EntryPoint = "syscall", SetLastError = true)]
    internal static partial nint syscall(nint number, nint a, nint b, nint c, nint d, nint e, nint f);

    // Calls that glibc 2.36 or musl 1.2.3 has no function for, by their names; the first argument is the number.
    internal static int statx(int dirfd, string path, int flags, uint mask, StatX* result) =>
        (int)statx(SyscallNumber.statx, dirfd, path, flags, mask, result);

    [LibraryImport(Libc, EntryPoint = "syscall", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial nint statx(nint number, nint dirfd, string path, nint flags, nuint mask, StatX* result);

    [LibraryImport(Libc, EntryPoint = "syscall", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial nint openat2(nint number, nint dirfd, string path, ulong* how, nint size);

    [LibraryImport(Libc, EntryPoint = "syscall", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial nint open_tree(nint number, nint dirfd, string path, nint flags);

    [LibraryImport(Libc, EntryPoint = "syscall", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial nint fsopen(nint number, string type, nint flags);

    [LibraryImport(Libc, EntryPoint = "syscall", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial nint fsconfig(nint number, nint fd, nint command, string? key, string? value, nint aux);

    // native/spawn.c, linked into the binary.
    [LibraryImport("conman")]
    internal static partial nint conman_spawn(SpawnRequest* request);

    [LibraryImport("conman")]
    internal static partial byte* conman_helper(nint* size);
}

/// <summary>struct statx (statx(2)), 256 bytes.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct StatX
{
    public uint stx_mask;
    public uint stx_blksize;
    public ulong stx_attributes;
    public uint stx_nlink;
    public uint stx_uid;
    public uint stx_gid;
    public ushort stx_mode;
    private readonly ushort _spare0;
    public ulong stx_ino;
    public ulong stx_size;
    public ulong stx_blocks;
    public ulong stx_attributes_mask;
    /// <summary>Last access, birth, last change of the inode and of the content: seconds and nanoseconds of each.</summary>
    public fixed ulong _times[8];
    public uint stx_rdev_major;
    public uint stx_rdev_minor;
    public uint stx_dev_major;
    public uint stx_dev_minor;
    public ulong stx_mnt_id;
    private fixed ulong _spare[13];
}

/// <summary>struct statfs (statfs(2)), 64-bit: only the type is of interest.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct StatFs
{
    public nint f_type;
    private fixed long _rest[14];
}

/// <summary>siginfo_t as waitid(2) fills it; 128 bytes.</summary>
[StructLayout(LayoutKind.Explicit, Size = 128)]
internal struct SigInfo
{
    [FieldOffset(0)] public int si_signo;
    [FieldOffset(8)] public int si_code;
    [FieldOffset(16)] public int si_pid;
    [FieldOffset(20)] public uint si_uid;
    [FieldOffset(24)] public int si_status;
}

/// <summary>struct spawn_request of native/spawn.h.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct SpawnRequest
{
    public ulong flags;
    public int cgroup;
    public int pid_namespace;
    public int own_pid_namespace;
    public int executable;
    public fixed int stdio[3];
    public int keep_count;
    public int* keep;
    public int* from;
    public byte** argv;
    public byte** envp;
    public int pidfd;
    public int error;
}

/// <summary>System call numbers for what glibc 2.36 or musl 1.2.3 has no function for.</summary>
internal static class SyscallNumber
{
    // The numbers above 423 are the same on every architecture.
    public const int pidfd_send_signal = 424;
    public const int open_tree = 428;
    public const int move_mount = 429;
    public const int fsopen = 430;
    public const int fsconfig = 431;
    public const int fsmount = 432;
    public const int pidfd_open = 434;
    public const int openat2 = 437;
    public const int pidfd_getfd = 438;
    public const int mount_setattr = 442;
    public const int landlock_create_ruleset = 444;
    public const int landlock_add_rule = 445;

    public static readonly int statx = RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? 291 : 332;
    public static readonly int bpf = RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? 280 : 321;
}
