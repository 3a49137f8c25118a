// Writes a plan in the format that native/plan.h describes.

using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;
using Conman.Linux;

namespace Conman.Runtime.Plans;

/// <summary>enum plan_code of native/plan.h.</summary>
internal enum PlanCode : uint
{
    Sync = 1, Gate, Await, Fork,
    Call,
    Mount, Attach, Directory, Node, Symlink, Mask, ReadOnly,
    Console, Terminal, Bound, Seccomp, Chdir, Find, Exec, Unmount,
}

/// <summary>enum plan_dest of native/plan.h: how a mount point is found.</summary>
[Flags]
internal enum Destination : ulong
{
    None = 0,
    Directory = 1,
    File = 2,
    NoFollow = 4,
    OnProc = 8,
    Link = 16,
    Shared = 32,
}

/// <summary>struct plan_header of native/plan.h.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct PlanHeader
{
    public uint magic, version, size, count;
    public int status, root;
}

/// <summary>The fixed part of struct plan_op of native/plan.h.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct PlanOp
{
    public uint code, size;
    public int a, b, c, d;
    public Operands x;
}

[InlineArray(6)]
internal struct Operands
{
    private ulong _first;
}

/// <summary>A plan as bytes, and which operation each encoded one belongs to.</summary>
public sealed class EncodedPlan(byte[] bytes, int length, Operation[] origins)
{
    /// <summary>The bytes for conman-init.</summary>
    public ReadOnlySpan<byte> Bytes => bytes.AsSpan(0, length);

    /// <summary>How many operations it has.</summary>
    public int Count => origins.Length;

    /// <summary>The operation that the <paramref name="index"/>-th encoded one was made from.</summary>
    public Operation Origin(int index) => origins[index];
}

/// <summary>Grows a plan's bytes; operations append themselves through it.</summary>
internal sealed class PlanEncoder
{
    private const uint Magic = 0x4e4c5043, Version = 1;

    /// <summary>Every errno is forgiven.</summary>
    public const int ForgiveAll = -1;

    /// <summary>The result of a call is held for those that follow; among the pointers of a call: its first argument is what is held.</summary>
    public const int Hold = -1, HeldFirst = 1 << 8;

    private byte[] _bytes = new byte[8192];
    private int _used = Unsafe.SizeOf<PlanHeader>();
    private readonly List<Operation> _origins = new(96);
    private Operation? _current;

    /// <summary>The new process's end of the socket to the runtime.</summary>
    public required int Status { get; init; }

    /// <param name="plan">Every handle in it must be open.</param>
    /// <param name="status">The new process's end of the socket to the runtime.</param>
    public static EncodedPlan Encode(Plan plan, int status)
    {
        var encoder = new PlanEncoder { Status = status };
        foreach (var operation in plan.Operations)
        {
            encoder._current = operation;
            operation.Encode(encoder);
        }
        var header = new PlanHeader
        {
            magic = Magic,
            version = Version,
            size = (uint)encoder._used,
            count = (uint)encoder._origins.Count,
            status = status,
            root = plan.Root?.Descriptor ?? Files.CurrentDirectory,
        };
        MemoryMarshal.Write(encoder._bytes, header);
        return new EncodedPlan(encoder._bytes, encoder._used, [.. encoder._origins]);
    }

    /// <summary>Appends an operation with text operands.</summary>
    public void Add(PlanCode code, int a = 0, int b = 0, int c = 0, int d = 0, ulong x0 = 0, ulong x1 = 0, ulong x2 = 0, params ReadOnlySpan<string> texts)
    {
        var op = new PlanOp { a = a, b = b, c = c, d = d };
        op.x[0] = x0;
        op.x[1] = x1;
        op.x[2] = x2;
        var start = Begin();
        foreach (var text in texts)
            AddText(text);
        End(start, code, op);
    }

    /// <summary>Appends an operation with bytes.</summary>
    public void AddBytes(PlanCode code, ulong x0, ulong x1, ReadOnlySpan<byte> bytes)
    {
        var op = default(PlanOp);
        op.x[0] = x0;
        op.x[1] = x1;
        var start = Begin();
        bytes.CopyTo(Reserve(bytes.Length));
        End(start, code, op);
    }

    /// <summary>Appends an operation whose texts come in several lists.</summary>
    public void AddTexts(PlanCode code, int a, int b, ReadOnlySpan<ulong> x, params ReadOnlySpan<IReadOnlyList<string>> lists)
    {
        var op = new PlanOp { a = a, b = b };
        for (var i = 0; i < x.Length; i++)
            op.x[i] = x[i];
        var start = Begin();
        foreach (var list in lists)
        {
            for (var i = 0; i < list.Count; i++)
                AddText(list[i]);
        }
        End(start, code, op);
    }

    /// <summary>A plain system call with numbers as arguments.</summary>
    /// <param name="forgive">An errno that counts as success.</param>
    /// <param name="into">The descriptor that its result becomes, or <see cref="Hold"/>; 0: the result is of no interest.</param>
    public void Call(int number, ulong x0 = 0, ulong x1 = 0, ulong x2 = 0, ulong x3 = 0, ulong x4 = 0, int forgive = 0, int into = 0)
    {
        var op = new PlanOp { a = number, c = forgive, d = into };
        op.x[0] = x0;
        op.x[1] = x1;
        op.x[2] = x2;
        op.x[3] = x3;
        op.x[4] = x4;
        End(Begin(), PlanCode.Call, op);
    }

    /// <summary>A system call some of whose arguments point to bytes.</summary>
    /// <param name="pointers">Bit i: argument i is an offset into <paramref name="bytes"/>; <see cref="HeldFirst"/>.</param>
    public void CallWith(
        ReadOnlySpan<byte> bytes, int number, int pointers, ulong x0 = 0, ulong x1 = 0, ulong x2 = 0, ulong x3 = 0, ulong x4 = 0, int forgive = 0, int into = 0)
    {
        var op = new PlanOp { a = number, b = pointers, c = forgive, d = into };
        op.x[0] = x0;
        op.x[1] = x1;
        op.x[2] = x2;
        op.x[3] = x3;
        op.x[4] = x4;
        var start = Begin();
        bytes.CopyTo(Reserve(bytes.Length));
        End(start, PlanCode.Call, op);
    }

    /// <summary>Closes what is held.</summary>
    public void CloseHeld() => CallWith([], SyscallNumbers.close, HeldFirst);

    /// <summary>Opens a file below a directory (openat2(2)) and holds it.</summary>
    public void Open(int directory, string path, OpenFlags flags, Resolve resolve)
    {
        const int How = 24; // struct open_how
        RefuseNul(path);
        var bytes = new byte[How + Encoding.UTF8.GetByteCount(path) + 1];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, (ulong)(flags | OpenFlags.CloseOnExec));
        BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(16), (ulong)resolve);
        Encoding.UTF8.GetBytes(path, bytes.AsSpan(How));
        CallWith(bytes, SyscallNumbers.openat2, 0b110, (ulong)directory, How, 0, How, into: Hold);
    }

    /// <summary>Writes a file below a directory; no link on the way may leave it, nor another file system lie there.</summary>
    public void WriteFile(int directory, string path, string content)
    {
        RefuseNul(content);
        Open(directory, path, OpenFlags.WriteOnly, Resolve.Beneath | Resolve.NoXdev | Resolve.NoMagicLinks);
        var text = Encoding.UTF8.GetBytes(content);
        CallWith(text, SyscallNumbers.write, HeldFirst | 0b10, 0, 0, (ulong)text.Length);
        CloseHeld();
    }

    private int Begin()
    {
        var start = _used;
        Reserve(Unsafe.SizeOf<PlanOp>()).Clear();
        return start;
    }

    private void End(int start, PlanCode code, PlanOp op)
    {
        var padding = -_used & 7;
        Reserve(padding).Clear();
        op.code = (uint)code;
        op.size = (uint)(_used - start);
        MemoryMarshal.Write(_bytes.AsSpan(start), op);
        _origins.Add(_current!);
    }

    private void AddText(string text)
    {
        RefuseNul(text);
        var span = Reserve(Encoding.UTF8.GetByteCount(text) + 1);
        Encoding.UTF8.GetBytes(text, span);
        span[^1] = 0;
    }

    // It would end the text there, and conman-init would read the rest as the next one.
    private void RefuseNul(string text)
    {
        if (text.Contains('\0'))
            throw new RuntimeException($"cannot {_current!.Describe().Replace("\0", "\\0")}: a NUL character in {Words.Quote(text.Replace("\0", "\\0"))}");
    }

    private Span<byte> Reserve(int count)
    {
        if (_used + count > _bytes.Length)
            Array.Resize(ref _bytes, Math.Max(_bytes.Length * 2, _used + count));
        _used += count;
        return _bytes.AsSpan(_used - count, count);
    }
}
