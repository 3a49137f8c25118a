// Runs a filter as the kernel would, and refuses what the kernel's verifier would refuse.

using System.Buffers.Binary;

namespace Conman.Runtime.Tests.Seccomp;

/// <summary>A system call as a filter sees it (struct seccomp_data).</summary>
internal readonly record struct Call(uint Number, uint Architecture, ulong[] Arguments)
{
    public override string ToString() => $"call {(int)Number} of {Architecture:x8} ({string.Join(", ", Arguments.Select(a => $"0x{a:x}"))})";
}

/// <summary>Classic BPF, as far as seccomp(2) takes it.</summary>
internal sealed class BpfInterpreter
{
    private readonly (ushort Code, byte True, byte False, uint K)[] _program;
    private readonly bool _bigEndian;

    /// <param name="program">struct sock_filter in this machine's byte order, or the other where <paramref name="swapped"/>.</param>
    /// <param name="bigEndian">Whether the calls have their words as a big-endian machine would.</param>
    /// <param name="swapped">Whether the instructions themselves have the other byte order.</param>
    public BpfInterpreter(byte[] program, bool bigEndian = false, bool swapped = false)
    {
        Assert.True(program.Length % 8 == 0 && program.Length > 0);
        _bigEndian = bigEndian;
        _program = new (ushort, byte, byte, uint)[program.Length / 8];
        for (var i = 0; i < _program.Length; i++)
        {
            var at = program.AsSpan(8 * i, 8);
            ushort code = BinaryPrimitives.ReadUInt16LittleEndian(at);
            uint k = BinaryPrimitives.ReadUInt32LittleEndian(at[4..]);
            _program[i] = swapped
                ? (BinaryPrimitives.ReverseEndianness(code), at[2], at[3], BinaryPrimitives.ReverseEndianness(k))
                : (code, at[2], at[3], k);
        }
        Verify();
    }

    public int Length => _program.Length;

    public uint Run(in Call call)
    {
        uint accumulator = 0;
        for (var at = 0; ; at++)
        {
            var (code, whenTrue, whenFalse, k) = _program[at];
            switch (code)
            {
                case 0x20: accumulator = Word(call, k); break;
                case 0x54: accumulator &= k; break;
                case 0x05: at += (int)k; break;
                case 0x15: at += accumulator == k ? whenTrue : whenFalse; break;
                case 0x25: at += accumulator > k ? whenTrue : whenFalse; break;
                case 0x35: at += accumulator >= k ? whenTrue : whenFalse; break;
                case 0x45: at += (accumulator & k) != 0 ? whenTrue : whenFalse; break;
                case 0x06: return _bigEndian && !IsAction(k) ? BinaryPrimitives.ReverseEndianness(k) : k;
                default: throw new InvalidOperationException($"instruction {code:x}");
            }
        }
    }

    // libseccomp leaves some actions in this machine's byte order when it writes for another.
    private static bool IsAction(uint k) => k >> 16 is 0x7fff or 0x7ffc or 0x7ff0 or 0x7fc0 or 5 or 3 || k is 0 or 0x80000000;

    private uint Word(in Call call, uint offset)
    {
        switch (offset)
        {
            case 0: return call.Number;
            case 4: return call.Architecture;
            case < 16 or >= 64: throw new InvalidOperationException($"load from {offset}");
        }
        var argument = call.Arguments[(offset - 16) / 8];
        return (offset & 4) != 0 == _bigEndian ? (uint)argument : (uint)(argument >> 32);
    }

    private void Verify()
    {
        Assert.InRange(_program.Length, 1, 4096);
        for (var at = 0; at < _program.Length; at++)
        {
            var (code, whenTrue, whenFalse, k) = _program[at];
            Assert.Contains(code, new ushort[] { 0x20, 0x54, 0x05, 0x15, 0x25, 0x35, 0x45, 0x06 });
            if (code == 0x05)
                Assert.True(at + 1 + k < _program.Length);
            else if ((code & 7) == 5)
                Assert.True(at + 1 + Math.Max(whenTrue, whenFalse) < _program.Length);
            else if (code == 0x20)
                Assert.True(k < 64 && k % 4 == 0);
        }
        Assert.Equal(0x06, _program[^1].Code);
    }
}
