// What is conman's own: the rule for newer calls, limits, flags, and the lines that refuse a profile.

using Conman.Oci.RuntimeSpec;
using Conman.Runtime.Seccomp;
using Profile = Conman.Oci.RuntimeSpec.Seccomp;
using static Conman.Runtime.Tests.Seccomp.Profiles;

namespace Conman.Runtime.Tests.Seccomp;

public sealed class SeccompCompilerTests
{
    private const uint X64 = 0xc000003e, I386 = 0x40000003, Arm = 0x40000028, Aarch64 = 0xc00000b7, S390X = 0x80000016;
    private const uint Allow_ = 0x7fff0000, NotPermitted = 0x00050001, NoSuchCall = 0x00050026, Kill = 0;

    private static uint Decide(Profile profile, uint number, uint architecture = X64, string native = "SCMP_ARCH_X86_64", params ulong[] arguments) =>
        new BpfInterpreter(SeccompCompiler.Compile(profile, native).Program, SeccompArchitecture.Find(native).Is(SeccompArchitecture.Trait.BigEndian))
            .Run(new Call(number, architecture, [.. arguments, .. new ulong[6 - arguments.Length]]));

    private static Profile List(string defaultAction, string names, params string[] architectures)
    {
        var profile = Default(defaultAction, Allow(names));
        profile.Architectures = [.. architectures];
        return profile;
    }

    [Theory]
    [InlineData(257u, Allow_)] // openat, the last that is named
    [InlineData(256u, NotPermitted)]
    [InlineData(258u, NoSuchCall)]
    [InlineData(472u, NoSuchCall)]
    [InlineData(0x3fffffffu, NoSuchCall)]
    [InlineData(0x40000000u, Kill)]
    [InlineData(0xfffffffeu, Kill)]
    [InlineData(uint.MaxValue, NotPermitted)]
    public void A_call_beyond_all_that_are_named_does_not_exist(uint number, uint action) =>
        Assert.Equal(action, Decide(List("SCMP_ACT_ERRNO", "read openat"), number));

    [Fact]
    public void A_call_counts_as_named_by_a_rule_of_the_default_action() =>
        Assert.Equal(NotPermitted, Decide(Default("SCMP_ACT_ERRNO", Allow("read"), Errno(1, "openat")), 200));

    [Theory]
    [InlineData("SCMP_ACT_ALLOW")]
    [InlineData("SCMP_ACT_LOG")]
    [InlineData("SCMP_ACT_TRACE")]
    public void A_default_that_lets_calls_through_does_so_for_newer_ones(string action) =>
        Assert.Equal(SeccompWords.Action(action, null), Decide(Default(action, Rule("SCMP_ACT_KILL", "read")), 472));

    [Fact]
    public void Each_architecture_has_its_own_newest_call()
    {
        var profile = List("SCMP_ACT_ERRNO", "openat", "SCMP_ARCH_X86", "SCMP_ARCH_X32");
        Assert.Equal((NotPermitted, NoSuchCall), (Decide(profile, 294, I386), Decide(profile, 296, I386)));
        Assert.Equal((Allow_, NoSuchCall), (Decide(profile, 295, I386), Decide(profile, 258)));
        Assert.Equal((Allow_, NoSuchCall), (Decide(profile, 0x40000101), Decide(profile, 0x40000102)));
    }

    [Fact]
    public void A_private_call_of_Arm_does_not_make_newer_calls_old()
    {
        var profile = List("SCMP_ACT_ERRNO", "openat set_tls", "SCMP_ARCH_ARM");
        uint Of(uint number) => Decide(profile, number, Arm, "SCMP_ARCH_AARCH64");
        Assert.Equal((NoSuchCall, Allow_, NotPermitted, NoSuchCall), (Of(400), Of(0xf0005), Of(0xf0002), Of(0xf0010)));
        Assert.Equal(NoSuchCall, Decide(profile, 400, Aarch64, "SCMP_ARCH_AARCH64"));
    }

    [Fact]
    public void On_s390x_a_newer_call_comes_as_number_0() =>
        Assert.Equal(NoSuchCall, Decide(List("SCMP_ACT_ERRNO", "read"), 0, S390X, "SCMP_ARCH_S390X"));

    [Fact]
    public void Without_a_name_nothing_is_newer() => Assert.Equal(NotPermitted, Decide(List("SCMP_ACT_ERRNO", "no_such_call"), 472));

    [Fact]
    public void An_architecture_that_is_not_named_is_killed()
    {
        Assert.Equal(Kill, Decide(List("SCMP_ACT_ALLOW", "read"), 3, I386));
        Assert.Equal(Kill, Decide(List("SCMP_ACT_ALLOW", "read"), 0x40000000));
        Assert.Equal(Allow_, Decide(List("SCMP_ACT_ERRNO", "read", "SCMP_ARCH_X86"), 0));
    }

    [Fact]
    public void A_big_program_jumps_right()
    {
        // A question of its own for each call: far more than the 255 instructions that a conditional jump can pass.
        var names = "read write open close stat fstat lstat poll lseek mmap mprotect munmap brk rt_sigaction rt_sigprocmask ioctl pread64 pwrite64 readv writev".Split(' ');
        var profile = Default("SCMP_ACT_KILL_PROCESS", [.. names.Select((name, i) => Errno((uint)i + 100, name, [.. Enumerable.Range(0, 6).Select(a => Arg((uint)a, "EQ", (ulong)i << 32 | (uint)a))]))]);
        var program = new BpfInterpreter(SeccompCompiler.Compile(profile, "SCMP_ARCH_X86_64").Program);
        Assert.InRange(program.Length, 240, 800);
        for (var i = 0; i < names.Length; i++)
        {
            var number = SyscallTable.Index(SyscallTable.Row(names[i]), SyscallTable.Column.X64);
            var arguments = Enumerable.Range(0, 6).Select(a => (ulong)i << 32 | (uint)a).ToArray();
            Assert.Equal(0x00050000u | (uint)(i + 100), program.Run(new Call(number, X64, arguments)));
            arguments[5]++;
            Assert.Equal(0x80000000, program.Run(new Call(number, X64, arguments)));
        }
    }

    [Fact]
    public void Calls_with_the_same_conditions_share_them()
    {
        var one = SeccompCompiler.Compile(Default("SCMP_ACT_KILL", Allow("read", Arg(0, "GT", 1), Arg(1, "LE", 2))), "SCMP_ARCH_X86_64").Program;
        var many = SeccompCompiler.Compile(Default("SCMP_ACT_KILL", Allow("read write open close stat fstat", Arg(0, "GT", 1), Arg(1, "LE", 2))), "SCMP_ARCH_X86_64").Program;
        Assert.Equal(one.Length, many.Length);
    }

    [Fact]
    public void A_profile_that_is_too_big_for_the_kernel_is_refused()
    {
        var rules = Enumerable.Range(0, 900).Select(i => Allow("read", Arg(0, "GT", (ulong)i << 32 | 7), Arg(1, "EQ", (ulong)i))).ToArray();
        var error = Assert.Throws<RuntimeException>(() => SeccompCompiler.Compile(Default("SCMP_ACT_ERRNO", rules), "SCMP_ARCH_X86_64"));
        Assert.Matches("^linux\\.seccomp: the filter would have [0-9]+ instructions, the kernel takes 4096$", error.Message);
    }

    [Fact]
    public void An_empty_profile_is_no_filter() => Assert.Null(SeccompCompiler.Compile(new Profile()));

    [Theory]
    [InlineData(null, 4u)]
    [InlineData("", 0u)]
    [InlineData("LOG", 2u)]
    [InlineData("TSYNC LOG SPEC_ALLOW", 7u)]
    [InlineData("WAIT_KILLABLE_RECV", 0u)]
    [Proves("linux.seccomp.flags[]")]
    public void Flags_are_the_kernels(string? flags, uint bits)
    {
        var profile = Default("SCMP_ACT_ALLOW");
        profile.Flags = flags?.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(f => "SECCOMP_FILTER_FLAG_" + f).ToList();
        Assert.Equal((bits, false), (SeccompCompiler.Compile(profile)!.Flags, SeccompCompiler.Compile(profile)!.NeedsListener));
    }

    [Fact]
    public void A_rule_that_notifies_needs_a_listener()
    {
        var profile = Default("SCMP_ACT_ALLOW", Rule("SCMP_ACT_NOTIFY", "mount"));
        profile.Flags = ["SECCOMP_FILTER_FLAG_TSYNC", "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"];
        Assert.Equal((8u | 32u, true), (SeccompCompiler.Compile(profile)!.Flags, SeccompCompiler.Compile(profile)!.NeedsListener));
    }

    public static TheoryData<string, string> Refused => new()
    {
        { "defaultAction", "linux.seccomp.defaultAction: unknown action SCMP_ACT_FLAVOUR" },
        { "no defaultAction", "linux.seccomp.defaultAction: must be set" },
        { "notify of write", "linux.seccomp.syscalls[0]: SCMP_ACT_NOTIFY cannot be used for the write syscall" },
        { "notify by default", "linux.seccomp.defaultAction: SCMP_ACT_NOTIFY cannot be used as default action" },
        { "action", "linux.seccomp.syscalls[1].action: unknown action SCMP_ACT_FLAVOUR" },
        { "operator", "linux.seccomp.syscalls[1].args[1].op: unknown operator SCMP_CMP_FLAVOUR" },
        { "index", "linux.seccomp.syscalls[0].args[0].index: 6, but arguments are 0 to 5" },
        { "architecture", "linux.seccomp.architectures[1]: unknown architecture SCMP_ARCH_FLAVOUR" },
        { "byte order", "linux.seccomp.architectures[0]: SCMP_ARCH_S390X has not the byte order of this machine, SCMP_ARCH_X86_64" },
        { "flag", "linux.seccomp.flags[0]: unknown flag SECCOMP_FILTER_FLAG_FLAVOUR" },
        { "errno", "linux.seccomp.syscalls[0].errnoRet: 4096 is no errno, they end at 4095" },
        { "errno of another action", "linux.seccomp.syscalls[0].errnoRet: SCMP_ACT_KILL takes no errno" },
        { "empty name", "linux.seccomp.syscalls[0].names: an empty name" },
        { "contradiction", "linux.seccomp.syscalls[2]: read: syscalls[0] has another action for the same arguments" },
    };

    [Theory]
    [MemberData(nameof(Refused))]
    public void What_cannot_be_done_is_refused_in_one_line(string what, string line)
    {
        var profile = what switch
        {
            "defaultAction" => Default("SCMP_ACT_FLAVOUR"),
            "no defaultAction" => Default(null!, Allow("read")),
            "notify of write" => Default("SCMP_ACT_ALLOW", Rule("SCMP_ACT_NOTIFY", "write")),
            "notify by default" => Default("SCMP_ACT_NOTIFY"),
            "action" => Default("SCMP_ACT_ERRNO", Allow("read"), Rule("SCMP_ACT_FLAVOUR", "read")),
            "operator" => Default("SCMP_ACT_ERRNO", Allow("read"), Allow("read", Arg(0, "EQ", 1), Arg(0, "FLAVOUR", 1))),
            "index" => Default("SCMP_ACT_ERRNO", Allow("read", Arg(6, "EQ", 1))),
            "architecture" => List("SCMP_ACT_ERRNO", "read", "SCMP_ARCH_X86", "SCMP_ARCH_FLAVOUR"),
            "byte order" => List("SCMP_ACT_ERRNO", "read", "SCMP_ARCH_S390X"),
            "flag" => new Profile { DefaultAction = "SCMP_ACT_ALLOW", Flags = ["SECCOMP_FILTER_FLAG_FLAVOUR"] },
            "errno" => Default("SCMP_ACT_ALLOW", Errno(4096, "read")),
            "errno of another action" => Default("SCMP_ACT_ALLOW", new SeccompSyscall { Names = ["read"], Action = "SCMP_ACT_KILL", ErrnoRet = 0 }),
            "empty name" => Default("SCMP_ACT_ERRNO", new SeccompSyscall { Names = ["read", ""], Action = "SCMP_ACT_ALLOW" }),
            _ => Default("SCMP_ACT_ALLOW", Errno(1, "read", Arg(0, "EQ", 1)), Errno(1, "write"), Errno(2, "read", Arg(0, "EQ", 1))),
        };
        Assert.Equal(line, Assert.Throws<RuntimeException>(() => SeccompCompiler.Compile(profile, "SCMP_ARCH_X86_64")).Message);
    }
}
