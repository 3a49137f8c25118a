// Capabilities by name (capabilities(7)).

namespace Conman.Runtime.Plans;

/// <summary>Names and numbers of capabilities, as bits of a 64-bit set.</summary>
public static class CapabilityNames
{
    // The order is the kernel's: a name's place is its number (linux/capability.h).
    private static readonly string[] Names =
    [
        "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_SETGID", "CAP_SETUID",
        "CAP_SETPCAP", "CAP_LINUX_IMMUTABLE", "CAP_NET_BIND_SERVICE", "CAP_NET_BROADCAST", "CAP_NET_ADMIN", "CAP_NET_RAW", "CAP_IPC_LOCK",
        "CAP_IPC_OWNER", "CAP_SYS_MODULE", "CAP_SYS_RAWIO", "CAP_SYS_CHROOT", "CAP_SYS_PTRACE", "CAP_SYS_PACCT", "CAP_SYS_ADMIN",
        "CAP_SYS_BOOT", "CAP_SYS_NICE", "CAP_SYS_RESOURCE", "CAP_SYS_TIME", "CAP_SYS_TTY_CONFIG", "CAP_MKNOD", "CAP_LEASE",
        "CAP_AUDIT_WRITE", "CAP_AUDIT_CONTROL", "CAP_SETFCAP", "CAP_MAC_OVERRIDE", "CAP_MAC_ADMIN", "CAP_SYSLOG", "CAP_WAKE_ALARM",
        "CAP_BLOCK_SUSPEND", "CAP_AUDIT_READ", "CAP_PERFMON", "CAP_BPF", "CAP_CHECKPOINT_RESTORE",
    ];

    /// <summary>Every capability that has a name here.</summary>
    public static IReadOnlyList<string> All => Names;

    /// <summary>The bit of a capability, or 0 if there is none of that name.</summary>
    public static ulong Bit(string name)
    {
        var number = Array.IndexOf(Names, name);
        return number < 0 ? 0 : 1ul << number;
    }

    /// <summary>"none", "all", "all but sys_admin", or the names in lower case without their prefix: whichever is shortest to read.</summary>
    internal static string List(ulong set)
    {
        var all = (1ul << Names.Length) - 1;
        if ((set & all) == 0)
            return "none";
        if ((set & all) == all)
            return "all";
        return System.Numerics.BitOperations.PopCount(set & all) > Names.Length / 2 ? "all but " + Join(all & ~set) : Join(set);
    }

    private static string Join(ulong set)
    {
        var text = "";
        for (var number = 0; number < Names.Length; number++)
        {
            if ((set >> number & 1) != 0)
                text += (text.Length == 0 ? "" : ", ") + Names[number][4..].ToLowerInvariant();
        }
        return text;
    }
}
