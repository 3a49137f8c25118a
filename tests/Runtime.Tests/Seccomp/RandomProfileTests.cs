// Random profiles against the plain meaning of their words, where libseccomp cannot be trusted with it.

using Conman.Oci.RuntimeSpec;
using Conman.Runtime.Seccomp;
using CsCheck;
using static Conman.Runtime.Tests.Seccomp.Profiles;

namespace Conman.Runtime.Tests.Seccomp;

public sealed class RandomProfileTests
{
    private static readonly Gen<ulong> Values = Gen.OneOf(
        Gen.OneOf<ulong>(0, 1, 5, uint.MaxValue, 1ul << 32, 5ul << 32 | 5, ulong.MaxValue), Gen.ULong[0, 20], Gen.ULong);

    private static readonly Gen<SeccompArg> Args = Gen.Select(
        Gen.UInt[0, 5], Gen.OneOf("EQ", "NE", "LT", "LE", "GT", "GE", "MASKED_EQ"), Values, Values).Select((i, o, a, b) => Arg(i, o, a, o == "MASKED_EQ" ? b : null));

    private static readonly Gen<SeccompSyscall> Rules = Gen.Select(Gen.OneOf("read", "write", "close", "read write").Array[1, 3], Args.Array[1, 5])
        .Select((names, args) => Rule("SCMP_ACT_LOG", string.Join(' ', names), args));

    [Theory]
    [InlineData("SCMP_ARCH_X86_64")]
    [InlineData("SCMP_ARCH_X86")]
    [InlineData("SCMP_ARCH_PPC64")]
    [InlineData("SCMP_ARCH_MIPS")]
    public void Every_condition_means_what_it_says(string native)
    {
        var architecture = SeccompArchitecture.Find(native);
        Rules.Array[1, 10].Sample(rules =>
        {
            var profile = Default("SCMP_ACT_ALLOW", rules);
            var program = new BpfInterpreter(SeccompCompiler.Compile(profile, native).Program, architecture.Is(SeccompArchitecture.Trait.BigEndian));
            foreach (var name in (string[])["read", "write", "close", "open"])
            {
                var number = FilterComparison.Number(architecture, SyscallTable.Index(SyscallTable.Row(name), architecture.Column));
                foreach (var arguments in FilterComparison.Arguments(profile, 2))
                {
                    var call = new Call(number, architecture.Audit, arguments);
                    if (program.Run(call) != PlainMeaning.Of(profile, architecture, call))
                        Assert.Fail($"{call}: {program.Run(call):x8} of {Describe(profile)}");
                }
            }
        }, iter: 60);
    }
}
