// Filters that were compiled before, by the content of their profiles: <root>/@filters/<hash>, a name that no container can have.
//
// An entry holds the profile as well, and counts only if that is the same to the last byte. It appears complete or not at all; one that
// cannot be read or written is no error, for the compiler makes the same again.

using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Conman.Linux;

namespace Conman.Runtime.Seccomp;

/// <summary>The cache of one root folder. Only who may create containers there can write it.</summary>
internal static class FilterCache
{
    internal const string Folder = "@filters";
    private const int HeaderSize = 12; // size of the profile, flags, whether it needs a listener: 32 bits each

    /// <summary>The filter of a profile, from the cache or from the compiler.</summary>
    /// <exception cref="RuntimeException">The profile says what cannot be done.</exception>
    public static SeccompFilter? Compile(Oci.RuntimeSpec.Seccomp profile, string root)
    {
        var content = profile.ToUtf8(false);
        var path = root + "/" + Folder + "/" + Hash(content);
        if (TryRead(path, content) is { } known)
            return known;
        var filter = SeccompCompiler.Compile(profile);
        if (filter is not null)
            Keep(root, Path.GetFileName(path), content, filter);
        return filter;
    }

    private static SeccompFilter? TryRead(string path, ReadOnlySpan<byte> content)
    {
        using var file = Files.TryOpen(path, OpenFlags.ReadOnly | Files.NoFollow, out _);
        if (file is null)
            return null;
        var entry = Files.ReadAll(file, path).AsSpan();
        if (entry.Length < HeaderSize || BinaryPrimitives.ReadUInt32LittleEndian(entry) != content.Length || entry.Length < HeaderSize + content.Length
            || !entry.Slice(HeaderSize, content.Length).SequenceEqual(content))
        {
            return null;
        }
        return new SeccompFilter(
            entry[(HeaderSize + content.Length)..].ToArray(),
            BinaryPrimitives.ReadUInt32LittleEndian(entry[4..]),
            BinaryPrimitives.ReadUInt32LittleEndian(entry[8..]) != 0);
    }

    private static void Keep(string root, string name, byte[] content, SeccompFilter filter)
    {
        var entry = new byte[HeaderSize + content.Length + filter.Program.Length];
        BinaryPrimitives.WriteUInt32LittleEndian(entry, (uint)content.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(entry.AsSpan(4), filter.Flags);
        BinaryPrimitives.WriteUInt32LittleEndian(entry.AsSpan(8), filter.NeedsListener ? 1u : 0);
        content.CopyTo(entry, HeaderSize);
        filter.Program.CopyTo(entry, HeaderSize + content.Length);
        try
        {
            var folder = root + "/" + Folder;
            Files.MakeDirectories(folder, 0x1c0 /* 0700 */);
            using var directory = Files.Open(folder, OpenFlags.ReadOnly | Files.Directory);
            Files.Publish(directory.Number, name, entry, 0x180 /* 0600 */);
        }
        catch (LinuxException)
        {
            // a full or read-only file system: the next one compiles again
        }
    }

    // FNV-1a over 64-bit words: names an entry, proves nothing.
    private static string Hash(ReadOnlySpan<byte> content)
    {
        var hash = 14695981039346656037ul;
        foreach (var word in MemoryMarshal.Cast<byte, ulong>(content))
            hash = (hash ^ word) * 1099511628211;
        foreach (var last in content[(content.Length & ~7)..])
            hash = (hash ^ last) * 1099511628211;
        hash ^= hash >> 32;
        return hash.ToString("x16", System.Globalization.CultureInfo.InvariantCulture);
    }
}
