// linux.seccomp: which system calls the container's processes may make (runtime-spec config-linux.md, "Seccomp").

namespace Conman.Oci.RuntimeSpec;

/// <summary><c>linux.seccomp</c>: a default action and the rules that differ from it.</summary>
[OciObject]
public sealed partial class Seccomp
{
    /// <summary>The action for what no rule names, e.g. <c>SCMP_ACT_ERRNO</c>.</summary>
    public string? DefaultAction { get; set; }

    /// <summary>The errno of the default action where it is <c>SCMP_ACT_ERRNO</c> or <c>SCMP_ACT_TRACE</c>; EPERM if absent.</summary>
    public uint? DefaultErrnoRet { get; set; }

    /// <summary>Architectures besides the native one, e.g. <c>SCMP_ARCH_X86</c>.</summary>
    public List<string>? Architectures { get; set; }

    /// <summary>Flags of seccomp(2), e.g. <c>SECCOMP_FILTER_FLAG_LOG</c>.</summary>
    public List<string>? Flags { get; set; }

    /// <summary>A Unix socket that receives the notify descriptor when a rule has <c>SCMP_ACT_NOTIFY</c>.</summary>
    public string? ListenerPath { get; set; }

    /// <summary>Opaque text handed to the listener with the descriptor.</summary>
    public string? ListenerMetadata { get; set; }

    /// <summary>The rules; a later rule does not override an earlier one.</summary>
    public List<SeccompSyscall>? Syscalls { get; set; }
}

/// <summary>One rule: system calls by name, an action, and conditions on the arguments that must all hold.</summary>
[OciObject]
public sealed partial class SeccompSyscall
{
    /// <summary>Names as in the kernel's tables; one that an architecture does not have is skipped there.</summary>
    public List<string>? Names { get; set; }

    /// <summary>The action, e.g. <c>SCMP_ACT_ALLOW</c>.</summary>
    public string? Action { get; set; }

    /// <summary>The errno for <c>SCMP_ACT_ERRNO</c> and <c>SCMP_ACT_TRACE</c>; EPERM if absent.</summary>
    public uint? ErrnoRet { get; set; }

    /// <summary>Conditions on the arguments; all must hold.</summary>
    public List<SeccompArg>? Args { get; set; }
}

/// <summary>A condition on one argument of a system call.</summary>
[OciObject]
public sealed partial class SeccompArg
{
    /// <summary>Which argument, 0 to 5.</summary>
    public uint Index { get; set; }

    /// <summary>What it is compared with; the mask for <c>SCMP_CMP_MASKED_EQ</c>.</summary>
    public ulong Value { get; set; }

    /// <summary>The second operand: what the masked value must equal for <c>SCMP_CMP_MASKED_EQ</c>.</summary>
    public ulong? ValueTwo { get; set; }

    /// <summary>The comparison, e.g. <c>SCMP_CMP_EQ</c>.</summary>
    public string? Op { get; set; }
}
