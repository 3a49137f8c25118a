// Conditional rules, and chains of them: what is to be asked, in turn, about one system call.
//
// Calls that are asked the same share one chain, so that the program has its code only once. A chain is therefore made like a path in a
// tree: each step adds a rule, and the same rules in the same order lead to the same place.

namespace Conman.Runtime.Seccomp;

/// <summary>A condition on one argument.</summary>
/// <param name="Mask">The bits that count: all 64, or 32 where arguments have no more, or those of <see cref="Comparison.MaskedEqual"/>.</param>
internal readonly record struct Condition(uint Argument, Comparison Comparison, ulong Mask, ulong Value);

/// <summary>Conditions that must all hold, in the order of the arguments, and the action then.</summary>
/// <param name="Call">Where the profile first says so: <c>syscalls[call]</c>.</param>
internal sealed record ConditionalRule(Condition[] Conditions, uint Action, int Call)
{
    private ConditionalRule? _narrow;

    /// <summary>The rule where arguments have 32 bits: the upper half of what they are compared with is passed over, as libseccomp does.</summary>
    public ConditionalRule Narrow(RuleChains chains)
    {
        if (_narrow is null)
        {
            var conditions = new Condition[Conditions.Length];
            for (var i = 0; i < conditions.Length; i++)
                conditions[i] = Conditions[i] with { Mask = (uint)Conditions[i].Mask, Value = (uint)Conditions[i].Value };
            _narrow = chains.Rule(conditions, Action, Call);
        }
        return _narrow;
    }

    /// <summary>Whether these conditions are the first or all of the other's.</summary>
    public bool Begins(ConditionalRule other) =>
        Conditions.Length <= other.Conditions.Length && other.Conditions.AsSpan(0, Conditions.Length).SequenceEqual(Conditions);

    /// <summary>
    /// The order that libseccomp tries rules of different actions in. It matters only to calls that several of them match: later
    /// arguments before earlier ones, then equality before "less" before "greater", then the narrower range.
    /// </summary>
    public int Order(ConditionalRule other)
    {
        for (var i = 0; i < Math.Min(Conditions.Length, other.Conditions.Length); i++)
        {
            Condition a = Conditions[i], b = other.Conditions[i];
            if (a.Argument != b.Argument)
                return b.Argument.CompareTo(a.Argument);
            if (Class(a.Comparison) != Class(b.Comparison))
                return Class(a.Comparison) - Class(b.Comparison);
            if (a.Value != b.Value)
                return Class(a.Comparison) == 1 ? a.Value.CompareTo(b.Value) : b.Value.CompareTo(a.Value);
        }
        return Conditions.Length - other.Conditions.Length;

        static int Class(Comparison comparison) => comparison switch
        {
            Comparison.Less or Comparison.LessOrEqual => 1,
            Comparison.Greater or Comparison.GreaterOrEqual => 2,
            _ => 0,
        };
    }
}

/// <summary>Every chain of a profile. Chain 0 is the empty one.</summary>
internal sealed class RuleChains
{
    private readonly List<ConditionalRule> _rules = [];
    private readonly List<Step> _steps = [default];

    public int Count => _steps.Count;

    /// <summary>A rule; one that says the same as an earlier one is the same. A condition that looks at no bit always holds, and goes.</summary>
    public ConditionalRule Rule(Condition[] conditions, uint action, int call)
    {
        if (Array.Exists(conditions, static c => c.Mask == 0))
            conditions = Array.FindAll(conditions, static c => c.Mask != 0);
        foreach (var rule in _rules)
        {
            if (rule.Action == action && rule.Conditions.AsSpan().SequenceEqual(conditions))
                return rule;
        }
        _rules.Add(new(conditions, action, call));
        return _rules[^1];
    }

    /// <summary>The chain with a further rule, as far as that adds anything.</summary>
    public int Append(int chain, ConditionalRule rule, string name)
    {
        for (var step = chain; step != 0; step = _steps[step].Before)
        {
            var earlier = _steps[step].Rule;
            if (earlier.Begins(rule))
            {
                // With fewer conditions it has the say, unless both say the same.
                if (earlier.Action != rule.Action && earlier.Conditions.Length == rule.Conditions.Length && !IsNeedless(earlier, chain))
                    throw Contradiction(rule, earlier, name);
                return chain;
            }
            if (earlier.Action != rule.Action && rule.Begins(earlier) && !IsNeedless(earlier, chain))
                throw Contradiction(rule, earlier, name);
        }
        for (var next = _steps[chain].FirstAfter; next != 0; next = _steps[next].Sibling)
        {
            if (ReferenceEquals(_steps[next].Rule, rule))
                return next;
        }
        _steps.Add(new Step(rule, chain, 0, _steps[chain].FirstAfter));
        _steps[chain] = _steps[chain] with { FirstAfter = _steps.Count - 1 };
        return _steps.Count - 1;
    }

    /// <summary>The rules of a chain in the order they are to be tried.</summary>
    public List<ConditionalRule> Ordered(int chain)
    {
        var rules = new List<ConditionalRule>();
        var mixed = false;
        for (var step = chain; step != 0; step = _steps[step].Before)
        {
            mixed |= _steps[step].Rule.Action != _steps[chain].Rule.Action;
            rules.Add(_steps[step].Rule);
        }
        rules.Reverse();
        // By insertion, which keeps equals as they were.
        for (var i = 1; mixed && i < rules.Count; i++)
        {
            for (var j = i; j > 0 && rules[j].Order(rules[j - 1]) < 0; j--)
                (rules[j], rules[j - 1]) = (rules[j - 1], rules[j]);
        }
        return rules;
    }

    // Whether another rule of the chain has the same action for fewer of the same conditions. Then nothing hangs on this one.
    private bool IsNeedless(ConditionalRule rule, int chain)
    {
        for (var step = chain; step != 0; step = _steps[step].Before)
        {
            var other = _steps[step].Rule;
            if (other.Action == rule.Action && other.Conditions.Length < rule.Conditions.Length && Array.TrueForAll(other.Conditions, c => Array.IndexOf(rule.Conditions, c) >= 0))
                return true;
        }
        return false;
    }

    // runc fails here too, with EEXIST from libseccomp: nothing says which of the two was meant.
    private static RuntimeException Contradiction(ConditionalRule rule, ConditionalRule earlier, string name) =>
        new($"linux.seccomp.syscalls[{rule.Call}]: {name}: syscalls[{earlier.Call}] has another action for the same arguments");

    private readonly record struct Step(ConditionalRule Rule, int Before, int FirstAfter, int Sibling);
}
