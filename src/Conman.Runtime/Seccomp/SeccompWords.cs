// The words of a profile as the kernel's numbers (linux/seccomp.h), and the line that names a word it does not know.

using Conman.Linux;
using Conman.Oci.RuntimeSpec;

namespace Conman.Runtime.Seccomp;

/// <summary>What a call's argument is compared for.</summary>
internal enum Comparison : byte
{
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    MaskedEqual,
}

internal static class SeccompWords
{
    public const uint KillThread = 0, NoSuchCall = 0x00050000 | Errno.ENOSYS, Notify = 0x7fc00000;
    public const uint NewListener = 1 << 3, WaitKillable = 1 << 5, Tsync = 1 << 0, SpeculationAllowed = 1 << 2;
    private const uint NotPermitted = 1 /* EPERM */, MostErrno = 4095;

    /// <summary>SECCOMP_RET_* with its data: the action of <c>syscalls[call]</c>, or the default action where there is no call.</summary>
    public static uint Action(string? action, uint? errno, int? call = null)
    {
        switch (action)
        {
            case "SCMP_ACT_ERRNO":
                // The kernel would silently make 4095 of more.
                if (errno > MostErrno)
                    throw new RuntimeException($"{ErrnoMember(call)}: {errno} is no errno, they end at {MostErrno}");
                return 0x00050000 | (errno ?? NotPermitted);
            case "SCMP_ACT_TRACE":
                if (errno > ushort.MaxValue)
                    throw new RuntimeException($"{ErrnoMember(call)}: {errno} does not fit the 16 bits that a tracer gets");
                return 0x7ff00000 | (errno ?? NotPermitted);
        }
        uint value = action switch
        {
            "SCMP_ACT_ALLOW" => 0x7fff0000,
            "SCMP_ACT_KILL" or "SCMP_ACT_KILL_THREAD" => KillThread,
            "SCMP_ACT_KILL_PROCESS" => 0x80000000,
            "SCMP_ACT_TRAP" => 0x00030000,
            "SCMP_ACT_LOG" => 0x7ffc0000,
            "SCMP_ACT_NOTIFY" => Notify,
            null or "" => RuntimeException.Throw<uint>($"{ActionMember(call)}: must be set"),
            _ => RuntimeException.Throw<uint>($"{ActionMember(call)}: unknown action {action}"),
        };
        // "When the action doesn't support an errno, the runtime MUST print an error and fail" (config-linux.md).
        return errno is null ? value : RuntimeException.Throw<uint>($"{ErrnoMember(call)}: {action} takes no errno");
    }

    private static string ActionMember(int? call) => call is null ? "linux.seccomp.defaultAction" : $"linux.seccomp.syscalls[{call}].action";

    private static string ErrnoMember(int? call) => call is null ? "linux.seccomp.defaultErrnoRet" : $"linux.seccomp.syscalls[{call}].errnoRet";

    /// <summary>Whether a call goes through that has this action: its kernel then says for itself which calls it lacks.</summary>
    public static bool LetsThrough(uint action) => (action & 0xffff0000) is 0x7fff0000 or 0x7ffc0000 or 0x7ff00000;

    /// <summary>SECCOMP_FILTER_FLAG_*. Where a profile has no flags at all, speculation is not restricted, as with runc.</summary>
    public static uint Flags(List<string>? flags)
    {
        if (flags is null)
            return SpeculationAllowed;
        uint bits = 0;
        for (var i = 0; i < flags.Count; i++)
        {
            bits |= flags[i] switch
            {
                "SECCOMP_FILTER_FLAG_TSYNC" => Tsync,
                "SECCOMP_FILTER_FLAG_LOG" => 1u << 1,
                "SECCOMP_FILTER_FLAG_SPEC_ALLOW" => SpeculationAllowed,
                "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV" => WaitKillable,
                _ => RuntimeException.Throw<uint>($"linux.seccomp.flags[{i}]: unknown flag {flags[i]}"),
            };
        }
        return bits;
    }

    /// <summary>A condition of <c>syscalls[call].args[argument]</c>.</summary>
    public static Condition Condition(SeccompArg arg, int call, int argument)
    {
        if (arg.Index > 5)
            throw new RuntimeException($"linux.seccomp.syscalls[{call}].args[{argument}].index: {arg.Index}, but arguments are 0 to 5");
        var comparison = arg.Op switch
        {
            "SCMP_CMP_EQ" => Comparison.Equal,
            "SCMP_CMP_NE" => Comparison.NotEqual,
            "SCMP_CMP_LT" => Comparison.Less,
            "SCMP_CMP_LE" => Comparison.LessOrEqual,
            "SCMP_CMP_GT" => Comparison.Greater,
            "SCMP_CMP_GE" => Comparison.GreaterOrEqual,
            "SCMP_CMP_MASKED_EQ" => Comparison.MaskedEqual,
            null or "" => RuntimeException.Throw<Comparison>($"linux.seccomp.syscalls[{call}].args[{argument}].op: must be set"),
            _ => RuntimeException.Throw<Comparison>($"linux.seccomp.syscalls[{call}].args[{argument}].op: unknown operator {arg.Op}"),
        };
        return comparison == Comparison.MaskedEqual
            ? new(arg.Index, comparison, arg.Value, (arg.ValueTwo ?? 0) & arg.Value)
            : new(arg.Index, comparison, ulong.MaxValue, arg.Value);
    }
}
