// What is to become of each system call of one architecture.

namespace Conman.Runtime.Seccomp;

/// <summary>An action, or, where there is a chain of rules, the chain.</summary>
internal readonly struct Decision(int chain, uint action) : IEquatable<Decision>
{
    public readonly int Chain = chain;
    public readonly uint Action = action;

    public static bool operator ==(Decision left, Decision right) => left.Chain == right.Chain && left.Action == right.Action;

    public static bool operator !=(Decision left, Decision right) => !(left == right);

    public bool Equals(Decision other) => this == other;

    public override bool Equals(object? obj) => obj is Decision other && this == other;

    public override int GetHashCode() => HashCode.Combine(Chain, Action);
}

/// <summary>A call that a profile names, and how a multiplexer knows it (0 if none does).</summary>
internal readonly record struct NamedCall(string Name, int Row, int Multiplexer, uint Number);

/// <summary>The decisions by index (<see cref="SyscallTable"/>).</summary>
internal sealed class CallDecisions
{
    private readonly Decision[] _decisions = new Decision[SyscallTable.Indices];
    private readonly Decision _default;
    private readonly RuleChains _chains;

    public CallDecisions(SeccompArchitecture architecture, uint defaultAction, RuleChains chains)
    {
        Architecture = architecture;
        _default = new Decision(0, defaultAction);
        _chains = chains;
        Array.Fill(_decisions, _default);
    }

    public SeccompArchitecture Architecture { get; }

    /// <summary>The highest index below the private calls that the profile names, itself or through a multiplexer; or -1.</summary>
    public int Highest { get; private set; } = -1;

    public Decision this[int index] => _decisions[index];

    /// <summary>Notes that the profile knows a call, whatever it says of it.</summary>
    public void Name(NamedCall call)
    {
        var index = SyscallTable.Index(call.Row, Architecture.Column);
        if (index < SyscallTable.PrivateCalls && index > Highest)
            Highest = index;
        if (Architecture.Is(SeccompArchitecture.Trait.Multiplexed) && call.Multiplexer > Highest)
            Highest = call.Multiplexer;
    }

    /// <summary>Adds a rule for a call: an action, and the conditions for it, if any.</summary>
    public void Add(NamedCall call, ConditionalRule rule)
    {
        var wide = Architecture.Is(SeccompArchitecture.Trait.Wide);
        var here = wide ? rule : rule.Narrow(_chains);
        if (SyscallTable.Index(call.Row, Architecture.Column) is var index and not SyscallTable.None)
            Decide(index, call.Name, here);
        if (call.Multiplexer == 0 || !Architecture.Is(SeccompArchitecture.Trait.Multiplexed) || !IsOpen(call.Multiplexer))
            return;
        // A multiplexer has the number as its first argument. The call's own are elsewhere, in memory, where no filter can look: like
        // libseccomp, drop the condition on the first and ask the others all the same.
        var others = here.Conditions is [{ Argument: 0 }, .. var rest] ? rest : here.Conditions;
        Condition isIt = new(0, Comparison.Equal, wide ? ulong.MaxValue : uint.MaxValue, call.Number);
        Decide(call.Multiplexer, call.Name, _chains.Rule([isIt, .. others], rule.Action, rule.Call));
    }

    // Of rules without conditions the first counts, and it outweighs all that have some.
    private void Decide(int index, string name, ConditionalRule rule)
    {
        if (!IsOpen(index))
            return;
        _decisions[index] = rule.Conditions.Length == 0
            ? new Decision(0, rule.Action)
            : new Decision(_chains.Append(_decisions[index].Chain, rule, name), 0);
    }

    // No rule has the default's action, so what has it is still without a rule.
    private bool IsOpen(int index) => _decisions[index].Chain != 0 || _decisions[index] == _default;
}
