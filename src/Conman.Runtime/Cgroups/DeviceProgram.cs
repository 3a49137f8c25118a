// Device rules as an eBPF program of type BPF_PROG_TYPE_CGROUP_DEVICE (linux/bpf.h, bpf(2)).

using System.Buffers.Binary;

namespace Conman.Runtime.Cgroups;

/// <summary>Device types (BPF_DEVCG_DEV_*).</summary>
internal enum DeviceType
{
    All = 0,
    Block = 1,
    Character = 2,
}

/// <summary>Access that is asked for (BPF_DEVCG_ACC_*).</summary>
[Flags]
internal enum DeviceAccess
{
    None = 0,
    MakeNode = 1,
    Read = 2,
    Write = 4,
    All = 7,
}

/// <summary>
/// Writes the program: the last rule first. Each that matches the device takes the access that it allows off what is still asked for, or
/// denies; when nothing is left, the answer is yes.
/// </summary>
internal ref struct DeviceProgram
{
    // Registers: the result, the context (struct bpf_cgroup_dev_ctx), and what is read from it.
    private const int Result = 0, Context = 1, Type = 2, Asked = 3, Major = 4, Minor = 5;

    // Instruction codes: class, operation, and BPF_K (an immediate operand) unless a register is named.
    private const byte LoadWord = 0x61, MoveRegister = 0xbf, Move = 0xb7, And = 0x57, ShiftRight = 0x77, Exit = 0x95, Jump = 0x05,
        JumpIfNotEqual = 0x56, JumpIfSet = 0x46;

    private Span<byte> _code;
    private int _used;

    /// <summary>The instructions, 8 bytes each.</summary>
    public static byte[] Assemble(List<DeviceRules.Rule> rules)
    {
        var bytes = new byte[(8 + (rules.Count * 7)) * 8];
        var program = new DeviceProgram { _code = bytes };
        program.Emit(LoadWord, Type, Context, 0); // access in the upper half, type in the lower
        program.Emit(MoveRegister, Asked, Type);
        program.Emit(And, Type, immediate: 0xffff);
        program.Emit(ShiftRight, Asked, immediate: 16);
        program.Emit(LoadWord, Major, Context, 4);
        program.Emit(LoadWord, Minor, Context, 8);
        for (var i = rules.Count - 1; i >= 0; i--)
            program.Emit(rules[i]);
        program.Return(0);
        return bytes[..program._used];
    }

    private void Emit(DeviceRules.Rule rule)
    {
        var conditions = (rule.Type != DeviceType.All ? 1 : 0) + (rule.Major >= 0 ? 1 : 0) + (rule.Minor >= 0 ? 1 : 0);
        // How many instructions there are to pass over from each condition: the conditions after it, then four.
        if (rule.Type != DeviceType.All)
            Emit(JumpIfNotEqual, Type, offset: --conditions + 4, immediate: (int)rule.Type);
        if (rule.Major >= 0)
            Emit(JumpIfNotEqual, Major, offset: --conditions + 4, immediate: rule.Major);
        if (rule.Minor >= 0)
            Emit(JumpIfNotEqual, Minor, offset: 4, immediate: rule.Minor);
        if (rule.Allow)
        {
            Emit(And, Asked, immediate: (int)~rule.Access);
            Emit(JumpIfNotEqual, Asked, offset: 2);
        }
        else
        {
            Emit(JumpIfSet, Asked, offset: 1, immediate: (int)rule.Access);
            Emit(Jump, 0, offset: 2);
        }
        Return(rule.Allow ? 1 : 0);
    }

    private void Return(int value)
    {
        Emit(Move, Result, immediate: value);
        Emit(Exit, 0);
    }

    // struct bpf_insn: code, destination and source register, offset, immediate.
    private void Emit(byte code, int destination, int source = 0, int offset = 0, int immediate = 0)
    {
        var instruction = _code.Slice(_used, 8);
        instruction[0] = code;
        instruction[1] = (byte)(destination | (source << 4));
        BinaryPrimitives.WriteInt16LittleEndian(instruction[2..], (short)offset);
        BinaryPrimitives.WriteInt32LittleEndian(instruction[4..], immediate);
        _used += 8;
    }
}
