// linux.seccomp of config.json as a program for the kernel (seccomp(2)), without libseccomp.
//
// The program asks for the architecture, then finds the number by binary search, then looks at arguments where rules do. What it decides is
// what libseccomp's would, as runc drives it (the tests compare the two, call by call):
//
// - An architecture that the profile does not name is killed (SCMP_ACT_KILL). The native one is always named. x32 is x86_64 with a bit set
//   in the number; where the profile does not name it, such numbers are killed too, but for -1.
// - Of several rules for one call, the first without conditions counts, even after rules with conditions. Else any rule whose conditions
//   hold; if rules of different actions hold at once, ConditionalRule.Order says which, and what is the same but for the action is refused.
// - Conditions on different arguments must all hold. Once two of a rule are on the same argument, each is a rule of its own (as in runc).
// - Rules with the default action do nothing; names that an architecture lacks are passed over there.
//
// A program that meets "not permitted" where its kernel would say "no such call" does not fall back to an older call. So numbers above the
// highest that the profile names on an architecture get ENOSYS, unless the default action lets calls through: calls that are newer than the
// profile are not there. (On s390 newer calls come as number 0, so 0 gets it as well.) This is runc's rule too, but here the private calls
// of 32-bit ARM are apart: with runc, one that is named makes the rule vain for all others.

using Conman.Oci.RuntimeSpec;

namespace Conman.Runtime.Seccomp;

/// <summary>A compiled filter.</summary>
/// <param name="Program">The instructions (struct sock_filter), in the byte order of this machine.</param>
/// <param name="Flags">For seccomp(2).</param>
/// <param name="NeedsListener">Whether somebody must take the descriptor that seccomp(2) then returns.</param>
public sealed record SeccompFilter(byte[] Program, uint Flags, bool NeedsListener);

/// <summary>Compiles profiles.</summary>
public static class SeccompCompiler
{
    private const uint ArchitectureOffset = 4;

    /// <summary>Compiles a profile for this machine; one that is empty, <c>{}</c>, is no filter.</summary>
    /// <exception cref="RuntimeException">The profile says what cannot be done.</exception>
    public static SeccompFilter? Compile(Oci.RuntimeSpec.Seccomp profile) =>
        string.IsNullOrEmpty(profile.DefaultAction) && profile.Syscalls is not { Count: > 0 } ? null : Compile(profile, SeccompArchitecture.Native);

    internal static SeccompFilter Compile(Oci.RuntimeSpec.Seccomp profile, string native)
    {
        var defaultAction = SeccompWords.Action(profile.DefaultAction, profile.DefaultErrnoRet);
        if (defaultAction == SeccompWords.Notify)
            throw new RuntimeException("linux.seccomp.defaultAction: SCMP_ACT_NOTIFY cannot be used as default action");
        var flags = SeccompWords.Flags(profile.Flags);
        var chains = new RuleChains();
        var decisions = Architectures(profile, native, defaultAction, chains);

        var needsListener = false;
        for (var i = 0; i < (profile.Syscalls?.Count ?? 0); i++)
            needsListener |= AddCalls(profile.Syscalls![i], i, defaultAction, decisions, chains) == SeccompWords.Notify;

        // The kernel has no use for the one without a listener, and does not take the other with one.
        flags = needsListener ? (flags | SeccompWords.NewListener) & ~SeccompWords.Tsync : flags & ~SeccompWords.WaitKillable;
        return new SeccompFilter(Write(decisions, defaultAction, chains), flags, needsListener);
    }

    private static List<CallDecisions> Architectures(Oci.RuntimeSpec.Seccomp profile, string native, uint defaultAction, RuleChains chains)
    {
        var first = SeccompArchitecture.Find(native);
        var decisions = new List<CallDecisions> { new(first, defaultAction, chains) };
        for (var i = 0; i < (profile.Architectures?.Count ?? 0); i++)
        {
            var name = profile.Architectures![i];
            var architecture = SeccompArchitecture.Find(name);
            if (architecture.Audit == 0)
                throw new RuntimeException($"linux.seccomp.architectures[{i}]: unknown architecture {name}");
            if (architecture.Is(SeccompArchitecture.Trait.BigEndian) != first.Is(SeccompArchitecture.Trait.BigEndian))
                throw new RuntimeException($"linux.seccomp.architectures[{i}]: {name} has not the byte order of this machine, {native}");
            if (!decisions.Exists(d => d.Architecture == architecture))
                decisions.Add(new(architecture, defaultAction, chains));
        }
        return decisions;
    }

    /// <summary>Adds what one entry of <c>syscalls</c> says, and returns its action.</summary>
    private static uint AddCalls(SeccompSyscall calls, int place, uint defaultAction, List<CallDecisions> decisions, RuleChains chains)
    {
        var action = SeccompWords.Action(calls.Action, calls.ErrnoRet, place);
        var rules = Rules(calls.Args ?? [], action, place, chains);
        foreach (var name in calls.Names ?? [])
        {
            // As with runc, which itself must write once the filter is loaded: what works with one works with the other.
            if (name == "write" && action == SeccompWords.Notify)
                throw new RuntimeException($"linux.seccomp.syscalls[{place}]: SCMP_ACT_NOTIFY cannot be used for the write syscall");
            if (name.Length == 0)
                throw new RuntimeException($"linux.seccomp.syscalls[{place}].names: an empty name");
            var row = SyscallTable.Row(name);
            if (row < 0)
                continue;
            var (multiplexer, number) = SyscallTable.Multiplexed(name);
            var call = new NamedCall(name, row, multiplexer, number);
            foreach (var architecture in decisions)
            {
                architecture.Name(call);
                if (action == defaultAction)
                    continue;
                foreach (var rule in rules)
                    architecture.Add(call, rule);
            }
        }
        return action;
    }

    /// <summary>One rule, or one for each condition if an argument has several.</summary>
    private static List<ConditionalRule> Rules(List<SeccompArg> args, uint action, int place, RuleChains chains)
    {
        var conditions = new Condition[args.Count];
        uint seen = 0;
        var each = false;
        for (var i = 0; i < args.Count; i++)
        {
            conditions[i] = SeccompWords.Condition(args[i], place, i);
            each |= (seen & 1u << (int)args[i].Index) != 0;
            seen |= 1u << (int)args[i].Index;
        }
        var rules = new List<ConditionalRule>();
        if (each)
        {
            foreach (var condition in conditions)
                rules.Add(chains.Rule([condition], action, place));
        }
        else
        {
            Array.Sort(conditions, static (a, b) => a.Argument.CompareTo(b.Argument));
            rules.Add(chains.Rule(conditions, action, place));
        }
        return rules;
    }

    private static byte[] Write(List<CallDecisions> decisions, uint defaultAction, RuleChains chains)
    {
        var assembler = new BpfAssembler();
        var writer = new FilterWriter(assembler, chains, defaultAction);
        // Backwards, so that the native architecture ends up first, and nearest.
        Span<int> labels = stackalloc int[decisions.Count];
        for (var i = decisions.Count - 1; i >= 0; i--)
        {
            var architecture = decisions[i].Architecture;
            if (architecture.Column == SyscallTable.Column.X32 && decisions.Exists(static d => d.Architecture.Column == SyscallTable.Column.X64))
            {
                labels[i] = -1;
                continue;
            }
            if (architecture.Column is SyscallTable.Column.X64 or SyscallTable.Column.X32)
                AddX86(decisions, defaultAction, writer);
            else
                AddCalls(decisions[i], defaultAction, writer);
            labels[i] = writer.Write();
        }
        var dispatch = assembler.Return(SeccompWords.KillThread);
        for (var i = decisions.Count - 1; i >= 0; i--)
        {
            if (labels[i] >= 0)
                dispatch = assembler.Jump(BpfAssembler.Code.JumpIfEqual, decisions[i].Architecture.Audit, labels[i], dispatch);
        }
        assembler.Load(ArchitectureOffset, dispatch);
        if (assembler.Count > BpfAssembler.MostInstructions)
            throw new RuntimeException($"linux.seccomp: the filter would have {assembler.Count} instructions, the kernel takes {BpfAssembler.MostInstructions}");
        return assembler.Assemble();
    }

    private static void AddX86(List<CallDecisions> decisions, uint defaultAction, FilterWriter writer)
    {
        var kill = new Decision(0, SeccompWords.KillThread);
        if (decisions.Find(static d => d.Architecture.Column == SyscallTable.Column.X64) is { } x64)
            AddCalls(x64, defaultAction, writer);
        else
            writer.Add(0, kill);
        if (decisions.Find(static d => d.Architecture.Column == SyscallTable.Column.X32) is { } x32)
        {
            AddCalls(x32, defaultAction, writer);
        }
        else
        {
            writer.Add(SeccompArchitecture.X32Bit, kill);
            writer.Add(uint.MaxValue, new Decision(0, defaultAction));
        }
    }

    private static void AddCalls(CallDecisions calls, uint defaultAction, FilterWriter writer)
    {
        var architecture = calls.Architecture;
        var otherwise = new Decision(0, defaultAction);
        var beyond = SeccompWords.LetsThrough(defaultAction) || calls.Highest < 0 ? otherwise : new Decision(0, SeccompWords.NoSuchCall);
        writer.SetLayout(architecture);
        writer.Add(architecture.IsX32 ? architecture.First : 0, otherwise);
        var newerAreZero = architecture.Column is SyscallTable.Column.S390 or SyscallTable.Column.S390X;
        for (var index = 0; index <= calls.Highest; index++)
            writer.Add(architecture.First + (uint)index, index == 0 && newerAreZero ? beyond : calls[index]);
        writer.Add(architecture.First + (uint)calls.Highest + 1, beyond);
        if (architecture.Column == SyscallTable.Column.Arm)
        {
            for (var index = 0; index < SyscallTable.PrivateCount; index++)
                writer.Add(ArmPrivate + (uint)index, calls[SyscallTable.PrivateCalls + index]);
            writer.Add(ArmPrivate + SyscallTable.PrivateCount, beyond);
        }
    }

    /// <summary>__ARM_NR_BASE (asm/unistd.h).</summary>
    private const uint ArmPrivate = 0xf0000;
}
