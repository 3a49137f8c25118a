// Lists of CPUs and memory nodes, "0-3,7" (cpuset(7), "List format"), as the bit masks that the kernel takes.

using System.Numerics;
using Conman.Runtime.Plans;

namespace Conman.Runtime.Compiling;

internal static class BitList
{
    /// <summary>More CPUs or nodes than any kernel is built for.</summary>
    private const int Most = 8192;

    /// <summary>One bit a number, the lowest in the first byte; as many bytes as the highest needs, in eights.</summary>
    /// <param name="what">What the member is called in the sentence that refuses it.</param>
    public static byte[] Parse(string text, string what)
    {
        var bits = new byte[Most / 8];
        var used = 0;
        foreach (var range in text.Split(','))
        {
            var dash = range.IndexOf('-');
            if (!int.TryParse(dash < 0 ? range : range[..dash], out var first) || !int.TryParse(dash < 0 ? range : range[(dash + 1)..], out var last)
                || first < 0 || last < first || last >= Most)
                throw new RuntimeException($"invalid {what} {Words.Quote(text)}: {Words.Quote(range)} is no number from 0 to {Most - 1}, and no range of them");
            for (var n = first; n <= last; n++)
                bits[n / 8] |= (byte)(1 << (n % 8));
            used = Math.Max(used, (last / 64 + 1) * 8);
        }
        return bits[..used];
    }

    public static int Count(ReadOnlySpan<byte> bits)
    {
        var count = 0;
        foreach (var b in bits)
            count += BitOperations.PopCount(b);
        return count;
    }
}
