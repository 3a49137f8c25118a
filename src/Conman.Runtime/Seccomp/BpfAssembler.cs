// Classic BPF, assembled from its end to its beginning: jumps only go forward, so every target is known when a jump is written, and
// whether it can be reached in the 8 bits that a conditional jump has.

using System.Runtime.InteropServices;

namespace Conman.Runtime.Seccomp;

/// <summary>Writes a program backwards. A label is how many instructions were there before the one it names.</summary>
internal sealed class BpfAssembler
{
    /// <summary>BPF_MAXINSNS (linux/bpf_common.h).</summary>
    public const int MostInstructions = 4096;

    private const int Farthest = byte.MaxValue;

    private Instruction[] _code = new Instruction[512];
    private int _count;

    // The last place of each action that was returned so far: a profile has a handful of them.
    private readonly List<(uint Action, int Label)> _returns = [];

    /// <summary>BPF_LD|BPF_W|BPF_ABS, BPF_ALU|BPF_AND|BPF_K, BPF_JMP|…|BPF_K and BPF_RET|BPF_K (linux/bpf_common.h).</summary>
    public enum Code : ushort
    {
        Load = 0x20,
        And = 0x54,
        Jump = 0x05,
        JumpIfEqual = 0x15,
        JumpIfGreater = 0x25,
        JumpIfNotLess = 0x35,
        Return = 0x06,
    }

    /// <summary>Instructions so far.</summary>
    public int Count => _count;

    /// <summary>The program as the kernel takes it (struct sock_filter, in the byte order of this machine).</summary>
    public byte[] Assemble()
    {
        var code = _code.AsSpan(0, _count);
        code.Reverse();
        return MemoryMarshal.AsBytes(code).ToArray();
    }

    /// <summary>Ends with an action; one that is still within reach is used again.</summary>
    public int Return(uint action)
    {
        for (var i = 0; i < _returns.Count; i++)
        {
            if (_returns[i].Action != action)
                continue;
            // A jump that is about to be written must reach it, past another that may have to be put between.
            if (Distance(_returns[i].Label) > Farthest - 8)
                _returns[i] = (action, Emit(new(Code.Return, action)));
            return _returns[i].Label;
        }
        _returns.Add((action, Emit(new(Code.Return, action))));
        return _count - 1;
    }

    /// <summary>Compares the accumulator and goes to one of two labels.</summary>
    public int Jump(Code test, uint value, int whenTrue, int whenFalse)
    {
        if (whenTrue == whenFalse)
            return whenTrue;
        if (Distance(whenTrue) > Farthest - 1)
            whenTrue = Go(whenTrue);
        if (Distance(whenFalse) > Farthest)
            whenFalse = Go(whenFalse);
        return Emit(new(test, value, (byte)Distance(whenTrue), (byte)Distance(whenFalse)));
    }

    /// <summary>Loads a word of struct seccomp_data, then goes on at a label.</summary>
    public int Load(uint offset, int next) => Before(next, new(Code.Load, offset));

    /// <summary>Masks the accumulator, then goes on at a label.</summary>
    public int And(uint mask, int next) => mask == uint.MaxValue ? next : Before(next, new(Code.And, mask));

    private int Before(int next, Instruction instruction)
    {
        if (next != _count - 1)
            Go(next);
        return Emit(instruction);
    }

    private int Go(int label) => Emit(new(Code.Jump, (uint)Distance(label)));

    // From the instruction that comes next (and so before all others) to a label.
    private int Distance(int label) => _count - label - 1;

    private int Emit(Instruction instruction)
    {
        if (_count == _code.Length)
            Array.Resize(ref _code, 2 * _count);
        _code[_count] = instruction;
        return _count++;
    }

    /// <summary>struct sock_filter (linux/filter.h).</summary>
    [StructLayout(LayoutKind.Sequential)]
    private readonly struct Instruction(Code code, uint k, byte jt = 0, byte jf = 0)
    {
        public readonly Code Code = code;
        public readonly byte WhenTrue = jt, WhenFalse = jf;
        public readonly uint Operand = k;
    }
}
