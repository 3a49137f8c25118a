// From decisions to the program: a binary search over ranges of numbers, and the questions about arguments.

namespace Conman.Runtime.Seccomp;

/// <summary>
/// Writes the part of the program that decides about the calls of one architecture: one AUDIT_ARCH, that is, so x32 belongs to x86_64.
/// </summary>
internal sealed class FilterWriter(BpfAssembler assembler, RuleChains chains, uint defaultAction)
{
    // struct seccomp_data (linux/seccomp.h).
    private const uint NumberOffset = 0, ArgumentsOffset = 16;

    private readonly List<Range> _ranges = [];
    private readonly int[] _labels = new int[chains.Count];
    private uint _low, _high;

    /// <summary>How the architecture has its arguments that the decisions added from now on are for.</summary>
    public void SetLayout(SeccompArchitecture architecture) =>
        (_low, _high) = architecture.Is(SeccompArchitecture.Trait.BigEndian) ? (4u, 0u) : (0u, 4u);

    /// <summary>Appends what becomes of the calls from a number on, up to the next that is added.</summary>
    public void Add(uint first, Decision decision)
    {
        if (_ranges.Count > 0 && _ranges[^1].First == first)
            _ranges.RemoveAt(_ranges.Count - 1);
        if (_ranges.Count == 0 || _ranges[^1].Decision != decision)
            _ranges.Add(new Range(first, decision));
    }

    /// <summary>Writes all that was added, and forgets it.</summary>
    public int Write()
    {
        Array.Fill(_labels, -1);
        for (var i = _ranges.Count - 1; i >= 0; i--)
        {
            var chain = _ranges[i].Decision.Chain;
            if (chain != 0 && _labels[chain] < 0)
                _labels[chain] = WriteChain(chain);
        }
        var start = _ranges.Count == 1 ? Leaf(0) : assembler.Load(NumberOffset, Search(0, _ranges.Count));
        _ranges.Clear();
        return start;
    }

    private int Search(int from, int to)
    {
        // One number between others that all have the same decision needs one test, not two.
        if (to - from == 3 && _ranges[from].Decision == _ranges[from + 2].Decision && _ranges[from + 2].First - _ranges[from + 1].First == 1)
        {
            int it = Leaf(from + 1), others = Leaf(from);
            return assembler.Jump(BpfAssembler.Code.JumpIfEqual, _ranges[from + 1].First, it, others);
        }
        var middle = (from + to) / 2;
        var above = to - middle > 1 ? Search(middle, to) : -1;
        var below = middle - from > 1 ? Search(from, middle) : Leaf(from);
        // As late as can be: a return is then near, or written anew here.
        if (above < 0)
            above = Leaf(middle);
        return assembler.Jump(BpfAssembler.Code.JumpIfNotLess, _ranges[middle].First, above, below);
    }

    private int Leaf(int range) =>
        _ranges[range].Decision.Chain == 0 ? assembler.Return(_ranges[range].Decision.Action) : _labels[_ranges[range].Decision.Chain];

    private int WriteChain(int chain)
    {
        var rules = chains.Ordered(chain);
        var otherwise = assembler.Return(defaultAction);
        for (var i = rules.Count - 1; i >= 0; i--)
        {
            var then = assembler.Return(rules[i].Action);
            for (var j = rules[i].Conditions.Length - 1; j >= 0; j--)
                then = WriteCondition(rules[i].Conditions[j], then, otherwise);
            otherwise = then;
        }
        return otherwise;
    }

    // 64 bits are compared as two words, the higher first; of 32 there is only the lower.
    private int WriteCondition(Condition condition, int yes, int no)
    {
        uint low = ArgumentsOffset + 8 * condition.Argument + _low, high = ArgumentsOffset + 8 * condition.Argument + _high;
        uint value = (uint)condition.Value, highValue = (uint)(condition.Value >> 32), mask = (uint)condition.Mask, highMask = (uint)(condition.Mask >> 32);
        switch (condition.Comparison)
        {
            case Comparison.NotEqual:
                return WriteCondition(condition with { Comparison = Comparison.Equal }, no, yes);
            case Comparison.Less:
                return WriteCondition(condition with { Comparison = Comparison.GreaterOrEqual }, no, yes);
            case Comparison.LessOrEqual:
                return WriteCondition(condition with { Comparison = Comparison.Greater }, no, yes);
            case Comparison.Greater or Comparison.GreaterOrEqual:
                var test = condition.Comparison == Comparison.Greater ? BpfAssembler.Code.JumpIfGreater : BpfAssembler.Code.JumpIfNotLess;
                var next = assembler.Load(low, assembler.Jump(test, value, yes, no));
                if (highMask == 0)
                    return next;
                next = assembler.Jump(BpfAssembler.Code.JumpIfEqual, highValue, next, no);
                return assembler.Load(high, assembler.Jump(BpfAssembler.Code.JumpIfGreater, highValue, yes, next));
            default:
                if (mask != 0)
                    yes = assembler.Load(low, assembler.And(mask, assembler.Jump(BpfAssembler.Code.JumpIfEqual, value, yes, no)));
                if (highMask != 0)
                    yes = assembler.Load(high, assembler.And(highMask, assembler.Jump(BpfAssembler.Code.JumpIfEqual, highValue, yes, no)));
                return yes;
        }
    }

    private readonly record struct Range(uint First, Decision Decision);
}
