// Named files that an image is read from: those of a folder, or the members of an archive.

using Conman.Images.Registry;
using Conman.Linux;

namespace Conman.Images.Archives;

/// <summary>Files by their relative names. Used by several threads at a time.</summary>
public interface IFileSet : IDisposable
{
    /// <summary>What the set is called in errors: a path, or "standard input".</summary>
    string Name { get; }

    /// <summary>Bytes of a file; null if there is none of that name.</summary>
    long? Size(string name);

    /// <summary>Reads up to so many bytes of a file from an offset on; 0 at its end.</summary>
    int Read(string name, Span<byte> buffer, long offset);
}

public static class FileSetReading
{
    private const int Piece = 256 << 10;

    /// <summary>Reads a whole document.</summary>
    /// <exception cref="ImageException">There is none, or it is longer than documents may be.</exception>
    public static byte[] ReadDocument(this IFileSet files, string name)
    {
        var size = files.Size(name) ?? throw new ImageException($"{files.Name} has no {name}");
        if (size > Store.BlobStore.LongestDocument)
            throw new ImageException($"{files.Name}: {name} has {size} bytes: the limit is {Store.BlobStore.LongestDocument}");
        var content = new byte[size];
        var used = 0;
        for (int n; used < content.Length && (n = files.Read(name, content.AsSpan(used), used)) > 0;)
            used += n;
        return used == content.Length ? content : throw new ImageException($"{files.Name}: {name} ends after {used} of {size} bytes");
    }

    /// <summary>Hands a file to a sink, from what the sink has on.</summary>
    public static void CopyTo(this IFileSet files, string name, IBlobSink sink)
    {
        if (files.Size(name) is null)
            throw new ImageException($"{files.Name} has no {name}");
        var buffer = GC.AllocateUninitializedArray<byte>(Piece);
        for (int n; (n = files.Read(name, buffer, sink.Written)) > 0;)
            sink.Write(buffer.AsSpan(0, n));
    }

    /// <summary>The digest of a file, by SHA-256.</summary>
    public static Digest DigestOf(this IFileSet files, string name)
    {
        using var hash = System.Security.Cryptography.IncrementalHash.CreateHash(System.Security.Cryptography.HashAlgorithmName.SHA256);
        var buffer = GC.AllocateUninitializedArray<byte>(Piece);
        long offset = 0;
        for (int n; (n = files.Read(name, buffer, offset)) > 0; offset += n)
            hash.AppendData(buffer, 0, n);
        return Digest.Sha256(hash.GetHashAndReset());
    }
}

/// <summary>The files below a folder. Symbolic links in it lead nowhere out of it.</summary>
public sealed class FolderFiles(string path) : IFileSet
{
    private readonly FileDescriptor _folder = Files.TryOpen(path, OpenFlags.ReadOnly | Files.Directory, out var errno)
        ?? throw new ImageException($"cannot open {path}: {LinuxException.Describe(errno)}");

    private readonly Dictionary<string, FileDescriptor?> _open = [];

    public string Name => path;

    public long? Size(string name) => Open(name) is { } file ? (long)Files.Status(file, name).Size : null;

    public int Read(string name, Span<byte> buffer, long offset) => Storage.ReadAt(Open(name)!, buffer, offset, $"{path}/{name}");

    public void Dispose()
    {
        foreach (var file in _open.Values)
            file?.Dispose();
        _folder.Dispose();
    }

    private FileDescriptor? Open(string name)
    {
        lock (_open)
        {
            if (_open.TryGetValue(name, out var known))
                return known;
            // Not blocking: a FIFO in the place of a file would hold everything up.
            var file = Files.TryOpenResolved(_folder.Number, name, OpenFlags.ReadOnly | OpenFlags.NonBlock, Resolve.InRoot | Resolve.NoMagicLinks, out _);
            if (file is not null && Files.Status(file, name).Type != FileType.Regular)
            {
                file.Dispose();
                file = null;
            }
            return _open[name] = file;
        }
    }
}
