// The mount API by descriptor: file systems and trees that are prepared detached, then handed to the process that puts them in place.

using System.Runtime.InteropServices;

namespace Conman.Linux;

/// <summary>MOUNT_ATTR_* of mount_setattr(2) and fsmount(2).</summary>
[Flags]
public enum MountAttributes : ulong
{
    None = 0,
    ReadOnly = 0x1,
    NoSuid = 0x2,
    NoDev = 0x4,
    NoExec = 0x8,
    /// <summary>The field of the three access-time modes; relatime is none of its bits.</summary>
    AccessTimeMask = 0x70,
    NoAccessTime = 0x10,
    StrictAccessTime = 0x20,
    NoDirectoryAccessTime = 0x80,
    IdMap = 0x100000,
    NoSymlinkFollow = 0x200000,
}

/// <summary>Propagation types of mount(2).</summary>
[Flags]
public enum Propagation : ulong
{
    Unchanged = 0,
    Unbindable = 1 << 17,
    Private = 1 << 18,
    Slave = 1 << 19,
    Shared = 1 << 20,
}

/// <summary>open_tree, mount_setattr, move_mount, fsopen as thin wrappers.</summary>
public static unsafe class Mounts
{
    private const int AtEmptyPath = 0x1000, AtRecursive = 0x8000, AtNoFollow = 0x100;
    private const long SelinuxMagic = 0xf97cff8c;

    /// <summary>A detached copy of the mount tree at a path (open_tree(2) with OPEN_TREE_CLONE); null and errno on failure.</summary>
    public static FileDescriptor? TryCloneTree(string path, bool recursive, out int errno, int at = Files.CurrentDirectory, bool follow = true)
    {
        var flags = 1 /* OPEN_TREE_CLONE */ | (int)OpenFlags.CloseOnExec
            | (recursive ? AtRecursive : 0) | (path.Length == 0 ? AtEmptyPath : 0) | (follow ? 0 : AtNoFollow);
        var fd = Native.open_tree(SyscallNumber.open_tree, at, path, flags);
        errno = fd < 0 ? Marshal.GetLastPInvokeError() : 0;
        return fd < 0 ? null : new FileDescriptor((int)fd);
    }

    /// <summary>mount_setattr(2) on a tree; errno or 0.</summary>
    public static int TrySetAttributes(
        FileDescriptor tree, bool recursive, MountAttributes set, MountAttributes clear, Propagation propagation = Propagation.Unchanged, int userNamespace = 0)
    {
        var attr = stackalloc ulong[4] { (ulong)set, (ulong)clear, (ulong)propagation, (ulong)userNamespace };
        byte empty = 0;
        var result = Native.syscall(
            SyscallNumber.mount_setattr, tree.Number, (nint)(&empty), AtEmptyPath | (recursive ? AtRecursive : 0), (nint)attr, 32, 0);
        return result < 0 ? Marshal.GetLastPInvokeError() : 0;
    }

    /// <summary>A new, detached tmpfs that is empty and read-only: one block, one inode (fsopen(2), fsmount(2)).</summary>
    public static FileDescriptor CreateEmptyDirectory()
    {
        const MountAttributes Attributes = MountAttributes.ReadOnly | MountAttributes.NoSuid | MountAttributes.NoDev | MountAttributes.NoExec;
        using var context = FileDescriptor.Check(Native.fsopen(SyscallNumber.fsopen, "tmpfs", 1 /* FSOPEN_CLOEXEC */), "open file system tmpfs");
        Check(Native.fsconfig(SyscallNumber.fsconfig, context.Number, 1 /* FSCONFIG_SET_STRING */, "nr_blocks", "1", 0), "set nr_blocks of tmpfs");
        Check(Native.fsconfig(SyscallNumber.fsconfig, context.Number, 1 /* FSCONFIG_SET_STRING */, "nr_inodes", "1", 0), "set nr_inodes of tmpfs");
        Check(Native.fsconfig(SyscallNumber.fsconfig, context.Number, 6 /* FSCONFIG_CMD_CREATE */, null, null, 0), "create file system tmpfs");
        return FileDescriptor.Check(
            Native.syscall(SyscallNumber.fsmount, context.Number, 1 /* FSMOUNT_CLOEXEC */, (nint)Attributes, 0, 0, 0), "mount file system tmpfs");
    }

    /// <summary>Whether this process may change its mount namespace: the kernel asks that first, and only then for the paths.</summary>
    public static bool MayCopy
    {
        get
        {
            byte empty = 0;
            return Native.syscall(SyscallNumbers.pivot_root, (nint)(&empty), (nint)(&empty), 0, 0, 0, 0) < 0 && Marshal.GetLastPInvokeError() != Errno.EPERM;
        }
    }

    /// <summary>A new, detached file system (fsopen(2), fsconfig(2), fsmount(2)); null and errno on failure.</summary>
    /// <param name="options">An empty value: the option is a flag.</param>
    public static FileDescriptor? TryCreate(string type, ReadOnlySpan<(string Key, string Value)> options, out int errno)
    {
        var context = Native.fsopen(SyscallNumber.fsopen, type, 1 /* FSOPEN_CLOEXEC */);
        if (context < 0)
        {
            errno = Marshal.GetLastPInvokeError();
            return null;
        }
        using var owned = new FileDescriptor((int)context);
        nint result = 0;
        for (var i = 0; i < options.Length && result >= 0; i++)
            result = options[i].Value.Length == 0
                ? Native.fsconfig(SyscallNumber.fsconfig, context, 0 /* FSCONFIG_SET_FLAG */, options[i].Key, null, 0)
                : Native.fsconfig(SyscallNumber.fsconfig, context, 1 /* FSCONFIG_SET_STRING */, options[i].Key, options[i].Value, 0);
        if (result >= 0)
            result = Native.fsconfig(SyscallNumber.fsconfig, context, 6 /* FSCONFIG_CMD_CREATE */, null, null, 0);
        if (result >= 0)
            result = Native.syscall(SyscallNumber.fsmount, context, 1 /* FSMOUNT_CLOEXEC */, 0, 0, 0, 0);
        errno = result < 0 ? Marshal.GetLastPInvokeError() : 0;
        return result < 0 ? null : new FileDescriptor((int)result);
    }

    /// <summary>Where file systems of some types are mounted in this namespace, in the order of mounting (/proc/self/mountinfo, proc(5)).</summary>
    public static List<string> PointsOf(params ReadOnlySpan<string> types)
    {
        var found = new List<string>();
        foreach (var line in System.Text.Encoding.UTF8.GetString(Files.ReadAll("/proc/self/mountinfo")).Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            var end = line.IndexOf(" - ", StringComparison.Ordinal) + 3; // of what has any number of fields
            if (types.Contains(line[end..line.IndexOf(' ', end)]))
                found.Add(Unescape(line.Split(' ', 6)[4]));
        }
        return found;
    }

    // What would end a field or a line is written as its octal number.
    private static string Unescape(string path) =>
        path.Replace("\\040", " ").Replace("\\011", "\t").Replace("\\012", "\n").Replace("\\134", "\\");

    /// <summary>Attaches a detached mount at a directory (move_mount(2)); errno or 0.</summary>
    public static int TryAttach(FileDescriptor mount, FileDescriptor directory)
    {
        byte empty = 0;
        return Native.syscall(SyscallNumber.move_mount, mount.Number, (nint)(&empty), directory.Number, (nint)(&empty), 4 | 0x40 /* MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH */, 0) < 0
            ? Marshal.GetLastPInvokeError() : 0;
    }

    /// <summary>
    /// Gives the calling thread a mount namespace of its own, in which it mounts what nobody else sees: with the thread all of that ends (unshare(2)).
    /// What was open before lies on mounts of the old one.
    /// </summary>
    public static void LeaveNamespace()
    {
        Check(Native.syscall(SyscallNumbers.unshare, (nint)Namespaces.Mount, 0, 0, 0, 0, 0), "make a mount namespace");
        using var root = Files.Open("/", OpenFlags.Path | Files.Directory);
        var errno = TrySetAttributes(root, recursive: true, MountAttributes.None, MountAttributes.None, Propagation.Private);
        if (errno != 0)
            LinuxException.Throw(errno, "make the mounts private");
    }

    /// <summary>Takes the calling thread into another mount namespace, at its root, for good (setns(2)).</summary>
    public static void EnterNamespace(FileDescriptor mountNamespace)
    {
        Check(Native.syscall(SyscallNumbers.unshare, 0x200 /* CLONE_FS: root and directory are this thread's alone */, 0, 0, 0, 0, 0), "part with the other threads' root");
        Check(Native.syscall(SyscallNumbers.setns, mountNamespace.Number, (nint)Namespaces.Mount, 0, 0, 0, 0), "enter a mount namespace");
    }

    /// <summary>umount2(2), never through a symbolic link; errno or 0.</summary>
    public static int TryDetach(string path) => Native.umount2(path, 2 | 8 /* MNT_DETACH | UMOUNT_NOFOLLOW */) < 0 ? Marshal.GetLastPInvokeError() : 0;

    /// <summary>Whether SELinux is at work: it then has its file system mounted, writable, where libselinux looks for it.</summary>
    public static bool SelinuxEnabled
    {
        get
        {
            using var folder = Files.TryOpen("/sys/fs/selinux", OpenFlags.Path | Files.Directory, out _);
            return folder is not null && Files.FileSystemType(folder, "/sys/fs/selinux") == SelinuxMagic;
        }
    }

    private static void Check(nint result, string operation)
    {
        if (result < 0)
            LinuxException.Throw(Marshal.GetLastPInvokeError(), operation);
    }
}
