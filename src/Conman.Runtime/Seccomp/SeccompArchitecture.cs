// The architectures of a profile: how the kernel tells them apart and where a filter finds the arguments.

using System.Runtime.InteropServices;

namespace Conman.Runtime.Seccomp;

/// <summary>One architecture, or rather one way to make system calls.</summary>
/// <param name="Audit">What the kernel calls it: AUDIT_ARCH_* (linux/audit.h).</param>
/// <param name="Column">Its column of the table.</param>
/// <param name="Traits">How it differs from the others.</param>
/// <param name="First">Its lowest number.</param>
internal readonly record struct SeccompArchitecture(uint Audit, SyscallTable.Column Column, SeccompArchitecture.Trait Traits, uint First = 0)
{
    /// <summary>Bit 30 of a number: the call is one of x32 (asm/unistd.h).</summary>
    public const uint X32Bit = 0x40000000;

    [Flags]
    public enum Trait : byte
    {
        None = 0,

        /// <summary>Arguments have 64 bits. Of the others only the lower half is looked at, as libseccomp does.</summary>
        Wide = 1,

        BigEndian = 2,

        /// <summary>Sockets and System V IPC may also be called through socketcall and ipc.</summary>
        Multiplexed = 4,
    }

    private const uint Bits64 = 0x80000000, Little = 0x40000000, N32 = 0x20000000;
    private const uint EM_386 = 3, EM_68K = 4, EM_MIPS = 8, EM_PARISC = 15, EM_PPC = 20, EM_PPC64 = 21, EM_S390 = 22, EM_ARM = 40, EM_SH = 42,
        EM_X86_64 = 62, EM_AARCH64 = 183, EM_RISCV = 243, EM_LOONGARCH = 258;

    public static string[] Names =>
    [
        "SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM", "SCMP_ARCH_LOONGARCH64", "SCMP_ARCH_M68K", "SCMP_ARCH_MIPS", "SCMP_ARCH_MIPS64",
        "SCMP_ARCH_MIPS64N32", "SCMP_ARCH_MIPSEL", "SCMP_ARCH_MIPSEL64", "SCMP_ARCH_MIPSEL64N32", "SCMP_ARCH_PARISC", "SCMP_ARCH_PARISC64",
        "SCMP_ARCH_PPC", "SCMP_ARCH_PPC64", "SCMP_ARCH_PPC64LE", "SCMP_ARCH_RISCV64", "SCMP_ARCH_S390", "SCMP_ARCH_S390X", "SCMP_ARCH_SH",
        "SCMP_ARCH_SHEB", "SCMP_ARCH_X32", "SCMP_ARCH_X86", "SCMP_ARCH_X86_64",
    ];

    /// <summary>Whether it is x32, which the kernel takes for x86_64 with a bit set in the number.</summary>
    public bool IsX32 => Column == SyscallTable.Column.X32;

    public bool Is(Trait trait) => (Traits & trait) != 0;

    /// <summary>What the processor of this process makes calls as.</summary>
    public static string Native => RuntimeInformation.ProcessArchitecture switch
    {
        Architecture.X64 => "SCMP_ARCH_X86_64",
        Architecture.X86 => "SCMP_ARCH_X86",
        Architecture.Arm64 => "SCMP_ARCH_AARCH64",
        Architecture.Arm or Architecture.Armv6 => "SCMP_ARCH_ARM",
        Architecture.S390x => "SCMP_ARCH_S390X",
        Architecture.Ppc64le => "SCMP_ARCH_PPC64LE",
        Architecture.RiscV64 => "SCMP_ARCH_RISCV64",
        Architecture.LoongArch64 => "SCMP_ARCH_LOONGARCH64",
        _ => RuntimeException.Throw<string>($"linux.seccomp: not supported on {RuntimeInformation.ProcessArchitecture}"),
    };

    /// <summary>The architecture of a name; none has <see cref="Audit"/> 0.</summary>
    public static SeccompArchitecture Find(string? name) => name switch
    {
        "SCMP_ARCH_X86" => new(EM_386 | Little, SyscallTable.Column.I386, Trait.Multiplexed),
        "SCMP_ARCH_X86_64" => new(EM_X86_64 | Bits64 | Little, SyscallTable.Column.X64, Trait.Wide),
        "SCMP_ARCH_X32" => new(EM_X86_64 | Bits64 | Little, SyscallTable.Column.X32, Trait.None, X32Bit),
        "SCMP_ARCH_ARM" => new(EM_ARM | Little, SyscallTable.Column.Arm, Trait.None),
        "SCMP_ARCH_AARCH64" => new(EM_AARCH64 | Bits64 | Little, SyscallTable.Column.Arm64, Trait.Wide),
        "SCMP_ARCH_MIPS" => new(EM_MIPS, SyscallTable.Column.MipsO32, Trait.BigEndian | Trait.Multiplexed, 4000),
        "SCMP_ARCH_MIPSEL" => new(EM_MIPS | Little, SyscallTable.Column.MipsO32, Trait.Multiplexed, 4000),
        "SCMP_ARCH_MIPS64" => new(EM_MIPS | Bits64, SyscallTable.Column.MipsN64, Trait.Wide | Trait.BigEndian, 5000),
        "SCMP_ARCH_MIPSEL64" => new(EM_MIPS | Bits64 | Little, SyscallTable.Column.MipsN64, Trait.Wide, 5000),
        "SCMP_ARCH_MIPS64N32" => new(EM_MIPS | Bits64 | N32, SyscallTable.Column.MipsN32, Trait.BigEndian, 6000),
        "SCMP_ARCH_MIPSEL64N32" => new(EM_MIPS | Bits64 | Little | N32, SyscallTable.Column.MipsN32, Trait.None, 6000),
        "SCMP_ARCH_PPC" => new(EM_PPC, SyscallTable.Column.Ppc, Trait.BigEndian | Trait.Multiplexed),
        "SCMP_ARCH_PPC64" => new(EM_PPC64 | Bits64, SyscallTable.Column.Ppc64, Trait.Wide | Trait.BigEndian | Trait.Multiplexed),
        "SCMP_ARCH_PPC64LE" => new(EM_PPC64 | Bits64 | Little, SyscallTable.Column.Ppc64, Trait.Wide | Trait.Multiplexed),
        "SCMP_ARCH_S390" => new(EM_S390, SyscallTable.Column.S390, Trait.BigEndian | Trait.Multiplexed),
        "SCMP_ARCH_S390X" => new(EM_S390 | Bits64, SyscallTable.Column.S390X, Trait.Wide | Trait.BigEndian | Trait.Multiplexed),
        "SCMP_ARCH_PARISC" => new(EM_PARISC, SyscallTable.Column.Parisc, Trait.BigEndian),
        "SCMP_ARCH_PARISC64" => new(EM_PARISC | Bits64, SyscallTable.Column.Parisc64, Trait.Wide | Trait.BigEndian),
        "SCMP_ARCH_RISCV64" => new(EM_RISCV | Bits64 | Little, SyscallTable.Column.RiscV64, Trait.Wide),
        "SCMP_ARCH_LOONGARCH64" => new(EM_LOONGARCH | Bits64 | Little, SyscallTable.Column.LoongArch64, Trait.Wide),
        "SCMP_ARCH_M68K" => new(EM_68K, SyscallTable.Column.M68K, Trait.BigEndian | Trait.Multiplexed),
        "SCMP_ARCH_SH" => new(EM_SH | Little, SyscallTable.Column.SuperH, Trait.Multiplexed),
        "SCMP_ARCH_SHEB" => new(EM_SH, SyscallTable.Column.SuperH, Trait.BigEndian | Trait.Multiplexed),
        _ => default,
    };
}
