// The file a log is written to.

using Conman.Linux;

namespace Conman.Engine.Monitoring;

internal static class LogFile
{
    // No line of a log is longer: 16 KiB, each byte escaped, and what stands around them.
    private const int LongestLine = 100 << 10;

    /// <summary>Cuts off a last line that is not whole: its monitor was killed while it wrote.</summary>
    public static void Mend(string path)
    {
        using var file = Files.TryOpen(path, OpenFlags.ReadWrite | Files.NoFollow, out _);
        if (file is null)
            return;
        var size = (long)Files.Status(file, path).Size;
        var tail = new byte[(int)Math.Min(size, LongestLine)];
        var n = Storage.ReadAt(file, tail, size - tail.Length, path);
        var end = tail.AsSpan(0, n).LastIndexOf((byte)'\n') + 1;
        if (end < n)
            Storage.SetLength(file, size - tail.Length + end, path);
    }
}
