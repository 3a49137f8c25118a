// What a profile says, word by word: the referee where conman and libseccomp differ.

using Conman.Oci.RuntimeSpec;
using Conman.Runtime.Seccomp;
using Profile = Conman.Oci.RuntimeSpec.Seccomp;

namespace Conman.Runtime.Tests.Seccomp;

internal static class PlainMeaning
{
    /// <summary>The action for a call of a profile whose rules with conditions all have one action, so that their order says nothing.</summary>
    public static uint Of(Profile profile, SeccompArchitecture architecture, Call call)
    {
        var defaultAction = SeccompWords.Action(profile.DefaultAction, profile.DefaultErrnoRet);
        uint? conditional = null;
        foreach (var rule in profile.Syscalls!)
        {
            var action = SeccompWords.Action(rule.Action, rule.ErrnoRet);
            foreach (var name in rule.Names!.Where(n => action != defaultAction && SyscallTable.Row(n) >= 0))
            {
                foreach (var args in Alternatives(rule.Args ?? []))
                {
                    var (unconditional, holds) = Match(name, [.. args.Where(a => !IsIdle(a, architecture))], architecture, call);
                    if (unconditional)
                        return action;
                    if (holds)
                        conditional = action;
                }
            }
        }
        return conditional ?? defaultAction;
    }

    // As runc has it: once there are several conditions on one argument, each is a rule of its own.
    private static IEnumerable<List<SeccompArg>> Alternatives(List<SeccompArg> args) =>
        args.DistinctBy(a => a.Index).Count() == args.Count ? [args] : args.Select(a => new List<SeccompArg> { a });

    private static (bool Unconditional, bool Holds) Match(string name, List<SeccompArg> args, SeccompArchitecture architecture, Call call)
    {
        int index = SyscallTable.Index(SyscallTable.Row(name), architecture.Column);
        if (index != SyscallTable.None && call.Number == FilterComparison.Number(architecture, index))
            return (args.Count == 0, args.TrueForAll(Holds));
        var (multiplexer, number) = SyscallTable.Multiplexed(name);
        return multiplexer != 0 && architecture.Is(SeccompArchitecture.Trait.Multiplexed) && call.Number == architecture.First + multiplexer
            ? (false, (call.Arguments[0] & Bits(architecture)) == number && args.Where(a => a.Index != 0).All(Holds))
            : default;

        bool Holds(SeccompArg arg)
        {
            ulong value = arg.Value & Bits(architecture), argument = call.Arguments[arg.Index] & Bits(architecture);
            return arg.Op switch
            {
                "SCMP_CMP_EQ" => argument == value,
                "SCMP_CMP_NE" => argument != value,
                "SCMP_CMP_LT" => argument < value,
                "SCMP_CMP_LE" => argument <= value,
                "SCMP_CMP_GT" => argument > value,
                "SCMP_CMP_GE" => argument >= value,
                _ => (argument & value) == (arg.ValueTwo & value),
            };
        }
    }

    private static bool IsIdle(SeccompArg arg, SeccompArchitecture architecture) => arg.Op == "SCMP_CMP_MASKED_EQ" && (arg.Value & Bits(architecture)) == 0;

    private static ulong Bits(SeccompArchitecture architecture) => architecture.Is(SeccompArchitecture.Trait.Wide) ? ulong.MaxValue : uint.MaxValue;
}
