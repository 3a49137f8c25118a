// Landlock (landlock(7)): a process gives up, for itself and all that it starts, what a ruleset does not allow.

using System.Runtime.InteropServices;

namespace Conman.Linux;

/// <summary>LANDLOCK_ACCESS_FS_*.</summary>
[Flags]
public enum LandlockFileRights : ulong
{
    None = 0,
    Execute = 1 << 0,
    WriteFile = 1 << 1,
    ReadFile = 1 << 2,
    ReadDirectory = 1 << 3,
    RemoveDirectory = 1 << 4,
    RemoveFile = 1 << 5,
    MakeCharacterDevice = 1 << 6,
    MakeDirectory = 1 << 7,
    MakeFile = 1 << 8,
    MakeSocket = 1 << 9,
    MakeFifo = 1 << 10,
    MakeBlockDevice = 1 << 11,
    MakeSymbolicLink = 1 << 12,
    /// <summary>Link and rename between directories; since ABI 2.</summary>
    Refer = 1 << 13,
    /// <summary>Since ABI 3.</summary>
    Truncate = 1 << 14,
    /// <summary>ioctl(2) on devices; since ABI 5.</summary>
    DeviceControl = 1 << 15,
}

/// <summary>LANDLOCK_ACCESS_NET_*, since ABI 4.</summary>
[Flags]
public enum LandlockNetworkRights : ulong
{
    None = 0,
    BindTcp = 1 << 0,
    ConnectTcp = 1 << 1,
}

/// <summary>LANDLOCK_SCOPE_*, since ABI 6: what reaches nothing outside the process's own domain.</summary>
[Flags]
public enum LandlockScopes : ulong
{
    None = 0,
    AbstractUnixSocket = 1 << 0,
    Signal = 1 << 1,
}

/// <summary>Making rulesets.</summary>
public static unsafe class Landlock
{
    /// <summary>The version of the kernel's interface; 0 where Landlock is missing or off.</summary>
    public static int Version
    {
        get
        {
            var version = Native.syscall(SyscallNumber.landlock_create_ruleset, 0, 0, 1 /* LANDLOCK_CREATE_RULESET_VERSION */, 0, 0, 0);
            return version < 0 ? 0 : (int)version;
        }
    }

    /// <summary>A ruleset that handles these rights, and as yet allows none of them.</summary>
    public static FileDescriptor Create(LandlockFileRights files, LandlockNetworkRights network, LandlockScopes scopes)
    {
        // struct landlock_ruleset_attr: a kernel takes a longer one than its own if what it does not know is zero.
        var attributes = stackalloc ulong[3] { (ulong)files, (ulong)network, (ulong)scopes };
        return FileDescriptor.Check(
            Native.syscall(SyscallNumber.landlock_create_ruleset, (nint)attributes, 24, 0, 0, 0, 0), "create a Landlock ruleset");
    }

    /// <summary>Allows rights on a file, or on a directory and all below it; errno or 0.</summary>
    public static int TryAllow(int ruleset, FileDescriptor path, LandlockFileRights rights)
    {
        // struct landlock_path_beneath_attr, packed: the rights, and a descriptor in the four bytes after them.
        var attributes = stackalloc ulong[2] { (ulong)rights, (uint)path.Number };
        return Add(ruleset, 1 /* LANDLOCK_RULE_PATH_BENEATH */, attributes);
    }

    /// <summary>Allows rights on a TCP port; errno or 0.</summary>
    public static int TryAllow(int ruleset, ushort port, LandlockNetworkRights rights)
    {
        var attributes = stackalloc ulong[2] { (ulong)rights, port }; // struct landlock_net_port_attr
        return Add(ruleset, 2, attributes); // LANDLOCK_RULE_NET_PORT
    }

    /// <summary>This thread, and what it starts, keeps to the ruleset from now on (landlock_restrict_self(2)); errno or 0.</summary>
    public static int TryRestrictSelf(FileDescriptor ruleset) =>
        Native.syscall(SyscallNumbers.landlock_restrict_self, ruleset.Number, 0, 0, 0, 0, 0) < 0 ? Marshal.GetLastPInvokeError() : 0;

    private static int Add(int ruleset, int type, ulong* attributes) =>
        Native.syscall(SyscallNumber.landlock_add_rule, ruleset, type, (nint)attributes, 0, 0, 0) < 0 ? Marshal.GetLastPInvokeError() : 0;
}
