// Runs two filters over every call that could make a difference.

using Conman.Oci.RuntimeSpec;
using Conman.Runtime.Seccomp;
using Profile = Conman.Oci.RuntimeSpec.Seccomp;

namespace Conman.Runtime.Tests.Seccomp;

internal static class FilterComparison
{
    private const uint NoSuchCall = 0x00050000 | 38;

    /// <summary>Compiles with conman and with libseccomp and compares what the two decide; false if libseccomp refuses the profile.</summary>
    /// <param name="referee">
    /// Says who is right if they differ. Without one, that is libseccomp; with one, conman need not refuse either what libseccomp does: for
    /// some of its contradictions it matters which rule came first, or no call meets both.
    /// </param>
    public static bool AssertSame(Profile profile, string native = "SCMP_ARCH_X86_64", Func<Profile, SeccompArchitecture, Call, uint>? referee = null)
    {
        // Names that this version of libseccomp has not heard of: it cannot be asked about them.
        foreach (var calls in profile.Syscalls ?? [])
            calls.Names!.RemoveAll(name => SyscallTable.Row(name) >= 0 && Libseccomp.Number(name) == -1);
        var architectures = (profile.Architectures ?? []).Append(native).Distinct().ToArray();
        // Where the first rule that it writes is for a call that an architecture lacks, libseccomp (2.5 and 2.6) leaves out the load of
        // the number, and compares the architecture instead. A rule without conditions for a call that all have comes before those.
        if (architectures.Any(a => (profile.Syscalls ?? []).Exists(c => c.Names!.Exists(n => Libseccomp.Number(n, a) < -1))))
            profile.Syscalls!.Add(Profiles.Errno(77, "getpid"));

        var expectedProgram = Libseccomp.Compile(profile, native);
        if (expectedProgram is null)
        {
            if (referee is null)
                Assert.Throws<RuntimeException>(() => SeccompCompiler.Compile(profile, native));
            return false;
        }
        var bigEndian = SeccompArchitecture.Find(native).Is(SeccompArchitecture.Trait.BigEndian);
        var expected = new BpfInterpreter(expectedProgram, bigEndian, swapped: bigEndian);
        var compiled = Record.Exception(() => SeccompCompiler.Compile(profile, native));
        if (compiled is not null)
            Assert.Fail($"libseccomp takes it, conman says {compiled.Message}, of {Profiles.Describe(profile)}");
        var actual = new BpfInterpreter(SeccompCompiler.Compile(profile, native).Program, bigEndian);

        var names = (profile.Syscalls ?? []).SelectMany(c => c.Names!).Distinct().Where(n => SyscallTable.Row(n) >= 0).ToArray();
        var vectors = Arguments(profile);
        foreach (var name in architectures)
        {
            var architecture = SeccompArchitecture.Find(name);
            var indices = names.Select(n => SyscallTable.Index(SyscallTable.Row(n), architecture.Column)).Where(i => i != SyscallTable.None).ToList();
            if (architecture.Is(SeccompArchitecture.Trait.Multiplexed))
                indices.AddRange(names.Select(n => (ushort)SyscallTable.Multiplexed(n).Multiplexer).Where(m => m != 0));
            // Where the two have different headers: calls that are newer, and what libseccomp 2.5 took for calls of 64-bit PA-RISC.
            var unknown = names.Select(n => (Index: (int)SyscallTable.Index(SyscallTable.Row(n), architecture.Column), Number: Libseccomp.Number(n, name)))
                .Where(c => c.Index == SyscallTable.None ? c.Number >= 0 : c.Number is < 0 and not (> -300 and <= -100))
                .Select(c => c.Index == SyscallTable.None ? (uint)c.Number : Number(architecture, c.Index)).ToHashSet();
            var asked = names.Where(n => profile.Syscalls!.Exists(c => c.Names!.Contains(n) && c.Args is { Count: > 0 })).ToHashSet();
            var numbersAsked = asked.Select(n => SyscallTable.Index(SyscallTable.Row(n), architecture.Column)).Where(i => i != SyscallTable.None)
                .Select(i => Number(architecture, i)).ToHashSet();
            if (architecture.Is(SeccompArchitecture.Trait.Multiplexed))
                numbersAsked.UnionWith([architecture.First + SyscallTable.SocketCall, architecture.First + SyscallTable.Ipc]);

            foreach (var number in Numbers(architecture))
            {
                // x32 and x86_64 have their numbers apart.
                if (unknown.Contains(number) || architecture.IsX32 && number < SeccompArchitecture.X32Bit
                    || architecture.Column == SyscallTable.Column.X64 && number >= SeccompArchitecture.X32Bit && architectures.Contains("SCMP_ARCH_X32"))
                    continue;
                var newer = IsNewer(profile, architecture, indices, number);
                foreach (var arguments in numbersAsked.Contains(number) ? vectors : vectors.Take(3))
                {
                    var call = new Call(number, architecture.Audit, arguments);
                    uint want = newer ? NoSuchCall : expected.Run(call), got = actual.Run(call);
                    if (want != got && (referee is null || referee(profile, architecture, call) != got))
                        Assert.Fail($"{name}: {call}: libseccomp {want:x8}, conman {got:x8}, of {Profiles.Describe(profile)}");
                }
            }
        }
        foreach (var foreign in SeccompArchitecture.Names.Select(n => SeccompArchitecture.Find(n).Audit).Append(0u).Except(architectures.Select(a => SeccompArchitecture.Find(a).Audit)))
        {
            var call = new Call(1, foreign, vectors[0]);
            Assert.Equal(expected.Run(call), actual.Run(call));
        }
        return true;
    }

    /// <summary>The rule that is not libseccomp's: a call beyond all that the profile names is none, unless the default lets calls through.</summary>
    private static bool IsNewer(Profile profile, SeccompArchitecture architecture, List<ushort> named, uint number)
    {
        if (profile.DefaultAction is "SCMP_ACT_ALLOW" or "SCMP_ACT_LOG" or "SCMP_ACT_TRACE")
            return false;
        var highest = named.Where(i => i < SyscallTable.PrivateCalls).Select(i => (int)i).DefaultIfEmpty(-1).Max();
        if (highest < 0)
            return false;
        if (architecture.Column == SyscallTable.Column.X64 && number >= SeccompArchitecture.X32Bit)
            return false;
        if (architecture.Column == SyscallTable.Column.Arm && number is >= 0xf0000 and < 0xf0010)
            return false;
        return number > architecture.First + (uint)highest
            || number == 0 && architecture.Column is SyscallTable.Column.S390 or SyscallTable.Column.S390X;
    }

    public static uint Number(SeccompArchitecture architecture, int index) =>
        index >= SyscallTable.PrivateCalls ? 0xf0000 + (uint)(index - SyscallTable.PrivateCalls) : architecture.First + (uint)index;

    private static IEnumerable<uint> Numbers(SeccompArchitecture architecture)
    {
        for (uint i = 0; i < 620; i++)
            yield return architecture.First + i;
        foreach (var number in (uint[])[0, 1, 102, 117, 3999, 4001, 4102, 5001, 5999, 6500, 7000, 0xeffff, 0xf0010, 0x3fffffff, 0x7fffffff, 0x80000000, 0xfffffffe, uint.MaxValue])
            yield return number;
        for (uint i = 0; i < 8; i++)
            yield return 0xf0000 + i;
        // x32 has its numbers above those of x86_64; where it is not named they are killed. Its own numbers without the bit are x86_64's.
        if (architecture.Column == SyscallTable.Column.X64)
        {
            foreach (var i in (uint[])[0, 1, 59, 512, 547])
                yield return SeccompArchitecture.X32Bit + i;
        }
    }

    /// <summary>Arguments at the edges of each condition, and combinations of those.</summary>
    public static List<ulong[]> Arguments(Profile profile, int each = 4)
    {
        var edges = new SortedSet<ulong>[6];
        for (var i = 0; i < 6; i++)
            edges[i] = [0, 1, uint.MaxValue, ulong.MaxValue];
        foreach (var arg in (profile.Syscalls ?? []).SelectMany(c => c.Args ?? []))
        {
            foreach (var value in (ulong[])[arg.Value, arg.ValueTwo ?? arg.Value, (arg.ValueTwo ?? 0) & arg.Value])
                edges[arg.Index].UnionWith([value, value - 1, value + 1, value ^ 1ul << 32, value + (1ul << 32), value - (1ul << 32), (uint)value, ~value]);
        }
        // Multiplexed calls have their number as the first argument.
        edges[0].UnionWith([1, 3, 11, 18, 23, 24]);
        var random = new Random(1);
        var vectors = new List<ulong[]> { new ulong[6], Enumerable.Repeat(ulong.MaxValue, 6).ToArray() };
        var lists = edges.Select(e => e.ToArray()).ToArray();
        for (var argument = 0; argument < 6; argument++)
        {
            foreach (var value in lists[argument])
            {
                for (var i = 0; i < each; i++)
                {
                    var vector = lists.Select(l => l[random.Next(l.Length)]).ToArray();
                    vector[argument] = value;
                    vectors.Add(vector);
                }
            }
        }
        return vectors;
    }
}
