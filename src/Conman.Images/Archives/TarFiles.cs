// The members of an archive as files: where each lies is found out once, then they are read from there.

using Conman.Images.Compression;
using Conman.Images.Tar;
using Conman.Linux;

namespace Conman.Images.Archives;

/// <summary>An archive in a file. What comes by a pipe, or compressed, is written to a file without a name first.</summary>
public sealed class TarFiles : IFileSet
{
    // An archive of images has few members; one of a million is something else.
    private const int MostMembers = 100_000;

    private readonly FileDescriptor _file;
    private readonly Dictionary<string, (long Offset, long Size)> _members = new(StringComparer.Ordinal);
    private readonly Dictionary<string, string> _links = new(StringComparer.Ordinal);

    /// <param name="file">Taken over.</param>
    /// <param name="name">What to call it in errors.</param>
    /// <param name="temporary">A folder with room for the archive.</param>
    public TarFiles(FileDescriptor file, string name, FileDescriptor temporary)
    {
        Name = name;
        _file = Seekable(file, name, temporary);
        Files.Rewind(_file);
        try
        {
            Index();
        }
        catch (ImageException e)
        {
            _file.Dispose();
            throw new ImageException($"cannot read {name}: {e.Message}", e);
        }
    }

    public string Name { get; }

    public long? Size(string name) => Find(name)?.Size;

    public int Read(string name, Span<byte> buffer, long offset)
    {
        var (start, size) = Find(name)!.Value;
        return offset >= size ? 0 : Storage.ReadAt(_file, buffer[..(int)Math.Min(buffer.Length, size - offset)], start + offset, Name);
    }

    public void Dispose() => _file.Dispose();

    private void Index()
    {
        using var stream = Files.Duplicate(_file.Number).ToStream(FileAccess.Read);
        var reader = new TarReader(stream);
        while (reader.Next() is { } entry)
        {
            var path = Normalise(entry.ToString());
            if (entry.Type == TarType.File && entry.Segments is null)
                _members[path] = (reader.DataOffset, entry.Size);
            else if (entry.Type is TarType.SymbolicLink or TarType.HardLink)
                _links[path] = Target(path, TarEntry.Text(entry.Link), entry.Type);
            if (_members.Count + _links.Count > MostMembers)
                throw new ImageException($"it has more than {MostMembers} members: that is no archive of images");
        }
    }

    // Old archives have a layer once and links to it.
    private (long Offset, long Size)? Find(string name)
    {
        name = Normalise(name);
        for (var hops = 0; hops < 8; hops++)
        {
            if (_members.TryGetValue(name, out var member))
                return member;
            if (!_links.TryGetValue(name, out name!))
                return null;
        }
        return null;
    }

    private static string Target(string path, string link, TarType type) =>
        Normalise(type == TarType.HardLink || !path.Contains('/') ? link : path[..(path.LastIndexOf('/') + 1)] + link);

    // Without "." and with ".." taken out; it names a member, never a file.
    private static string Normalise(string path)
    {
        var parts = new List<string>();
        foreach (var part in path.Split('/'))
        {
            if (part == ".." && parts.Count > 0)
                parts.RemoveAt(parts.Count - 1);
            else if (part is not ("" or "." or ".."))
                parts.Add(part);
        }
        return string.Join('/', parts);
    }

    private static FileDescriptor Seekable(FileDescriptor file, string name, FileDescriptor temporary)
    {
        Span<byte> magic = stackalloc byte[4];
        if (Files.Status(file, name).Type == FileType.Regular
            && Storage.ReadAt(file, magic, 0, name) == 4 && magic is not ([0x1f, 0x8b, _, _] or [0x28, 0xb5, 0x2f, 0xfd]))
            return file;
        var spool = Files.Temporary(temporary);
        using var from = file.ToStream(FileAccess.Read);
        using var plain = Decompression.Open(from);
        using var to = Files.Duplicate(spool.Number).ToStream(FileAccess.Write);
        plain.CopyTo(to, 256 << 10);
        return spool;
    }
}
