// What the confined unpacker tells the process that started it, which does not trust it: records of a kind and fields, each behind its length.

using System.Buffers.Binary;
using System.Text;
using Conman.Linux;

namespace Conman.Images.Layers;

/// <summary>The report of one layer. Either it has failed, or all of the rest is told.</summary>
internal sealed class UnpackReport
{
    /// <summary>Bytes that a report may have.</summary>
    public const int MaximalSize = 64 << 20;

    private const byte Implied = (byte)'I', Attribute = (byte)'A', Done = (byte)'D', Failed = (byte)'F';
    private const int LongestError = 1000, LongestPath = 64 << 10, LongestName = 255, LongestValue = 64 << 10 /* XATTR_NAME_MAX, XATTR_SIZE_MAX */;

    public string? Failure { get; private init; }

    public Digest DiffId { get; private init; }

    public ExtractedLayer Layer { get; private init; } = new(0, 0, [], []);

    public static byte[] Write(ReadOnlySpan<byte> hash, ExtractedLayer layer)
    {
        using var report = new MemoryStream();
        foreach (var path in layer.ImpliedDirectories)
            Add(report, Implied, path);
        foreach (var (path, name, value) in layer.LateAttributes)
            Add(report, Attribute, path, name, value);
        Span<byte> numbers = stackalloc byte[16];
        BinaryPrimitives.WriteInt64LittleEndian(numbers, layer.Size);
        BinaryPrimitives.WriteInt64LittleEndian(numbers[8..], layer.Entries);
        Add(report, Done, hash, numbers);
        return report.ToArray();
    }

    public static byte[] Write(string failure)
    {
        using var report = new MemoryStream();
        var text = Encoding.UTF8.GetBytes(failure);
        Add(report, Failed, text.AsSpan(0, Math.Min(text.Length, LongestError)));
        return report.ToArray();
    }

    /// <summary>Null: it is none, or none that is whole.</summary>
    public static UnpackReport? Parse(ReadOnlySpan<byte> report)
    {
        var (implied, attributes) = (new List<byte[]>(), new List<LateAttribute>());
        while (report.Length > 0)
        {
            var kind = report[0];
            report = report[1..];
            switch (kind)
            {
                case Implied when Take(ref report, LongestPath, out var path):
                    implied.Add(path.ToArray());
                    break;
                case Attribute when Take(ref report, LongestPath, out var path) && Take(ref report, LongestName, out var name) && Take(ref report, LongestValue, out var value):
                    attributes.Add(new LateAttribute(path.ToArray(), name.ToArray(), value.ToArray()));
                    break;
                case Done when Take(ref report, 32, out var hash) && Take(ref report, 16, out var numbers) && hash.Length == 32 && numbers.Length == 16 && report.IsEmpty:
                    var (size, entries) = (BinaryPrimitives.ReadInt64LittleEndian(numbers), BinaryPrimitives.ReadInt64LittleEndian(numbers[8..]));
                    return size < 0 || entries < 0 ? null : new UnpackReport { DiffId = Digest.Sha256(hash), Layer = new ExtractedLayer(size, entries, implied, attributes) };
                case Failed when Take(ref report, LongestError, out var text) && report.IsEmpty:
                    return new UnpackReport { Failure = string.Concat(Encoding.UTF8.GetString(text).Where(c => !char.IsControl(c))) };
                default:
                    return null;
            }
        }
        return null;
    }

    private static void Add(MemoryStream report, byte kind, ReadOnlySpan<byte> first, ReadOnlySpan<byte> second = default, ReadOnlySpan<byte> third = default)
    {
        report.WriteByte(kind);
        AddField(report, first);
        if (kind != Implied && kind != Failed)
            AddField(report, second);
        if (kind == Attribute)
            AddField(report, third);
    }

    private static void AddField(MemoryStream report, ReadOnlySpan<byte> field)
    {
        Span<byte> length = stackalloc byte[4];
        BinaryPrimitives.WriteInt32LittleEndian(length, field.Length);
        report.Write(length);
        report.Write(field);
    }

    private static bool Take(ref ReadOnlySpan<byte> report, int longest, out ReadOnlySpan<byte> field)
    {
        field = default;
        if (report.Length < 4)
            return false;
        var length = BinaryPrimitives.ReadInt32LittleEndian(report);
        if (length < 0 || length > longest || length > report.Length - 4)
            return false;
        field = report.Slice(4, length);
        report = report[(4 + length)..];
        return true;
    }
}
