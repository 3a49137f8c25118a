// The generated tables against libseccomp's, name by name.

using Conman.Runtime.Seccomp;

namespace Conman.Runtime.Tests.Seccomp;

public sealed class SyscallTableTests
{
    public static TheoryData<string> Architectures => [.. SyscallTable.Architectures];

    [SkippableTheory]
    [MemberData(nameof(Architectures))]
    public void Every_number_is_the_one_that_libseccomp_has(string name)
    {
        Skip.IfNot(Libseccomp.IsInstalled && Libseccomp.Knows(name), "this libseccomp does not know the architecture");
        var architecture = SeccompArchitecture.Find(name);
        var compared = 0;
        foreach (var call in SyscallTable.All())
        {
            int index = SyscallTable.Index(SyscallTable.Row(call), architecture.Column), number = Libseccomp.Number(call, name);
            // What it has no number for is newer than it, or made through a multiplexer.
            if (index == SyscallTable.None || number < 0)
                continue;
            Assert.Equal((call, number), (call, (int)(index >= SyscallTable.PrivateCalls ? 0xf0000 + index - SyscallTable.PrivateCalls : index + architecture.First)));
            compared++;
        }
        Assert.InRange(compared, 300, 500);
    }

    [SkippableTheory]
    [MemberData(nameof(Architectures))]
    public void No_number_that_libseccomp_has_is_missing(string name)
    {
        Skip.IfNot(Libseccomp.IsInstalled && Libseccomp.Knows(name), "this libseccomp does not know the architecture");
        Skip.If(name == "SCMP_ARCH_PARISC64" && Libseccomp.Number("_llseek", name) >= 0, "libseccomp 2.5 takes what 32-bit PA-RISC has for calls of the 64-bit one");
        var column = SeccompArchitecture.Find(name).Column;
        Assert.DoesNotContain(SyscallTable.All(), call => Libseccomp.Number(call, name) >= 0 && SyscallTable.Index(SyscallTable.Row(call), column) == SyscallTable.None);
    }

    [Theory]
    [InlineData("")]
    [InlineData("rea")]
    [InlineData("reads")]
    [InlineData("read\n")]
    [InlineData("READ")]
    [InlineData("no_such_call")]
    [InlineData("réad")]
    public void What_is_no_call_has_no_row(string name) => Assert.Equal(-1, SyscallTable.Row(name));

    [Fact]
    public void Every_name_is_found_again()
    {
        Assert.All(SyscallTable.All(), name => Assert.True(SyscallTable.Row(name) >= 0));
        Assert.Equal(SyscallTable.All().Count, SyscallTable.All().Select(SyscallTable.Row).Distinct().Count());
    }

    [Fact]
    public void Young_calls_are_known()
    {
        Assert.Equal(463, SyscallTable.Index(SyscallTable.Row("setxattrat"), SyscallTable.Column.X64));
        Assert.Equal(471, SyscallTable.Index(SyscallTable.Row("rseq_slice_yield"), SyscallTable.Column.Arm64));
    }
}
