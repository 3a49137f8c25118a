// Named files that an image is written to: a folder, or an archive.

using Conman.Linux;

namespace Conman.Images.Archives;

/// <summary>Takes files by their relative names, each once.</summary>
public interface IFileSink
{
    void Add(string name, ReadOnlySpan<byte> content);

    /// <summary>Adds what is left to read of an open file.</summary>
    void Add(string name, FileDescriptor file, long size);

    /// <summary>Nothing more comes; all of it is there, and lasts, when this returns.</summary>
    void Finish();
}

/// <summary>A folder that does not exist yet, or is empty.</summary>
public sealed class FolderSink : IFileSink, IDisposable
{
    private readonly string _path;
    private readonly FileDescriptor _folder;

    public FolderSink(string path)
    {
        _path = path;
        Files.MakeDirectories(path, 0x1ed /* 0755 */);
        _folder = Files.Open(path, OpenFlags.ReadOnly | Files.Directory);
        if (Files.List(_folder, path).Count > 0)
            throw new ImageException($"cannot save to {path}: it is not empty");
    }

    public void Add(string name, ReadOnlySpan<byte> content)
    {
        using var file = Create(name);
        Files.Write(file.Number, content, name);
    }

    public void Add(string name, FileDescriptor file, long size)
    {
        using var to = Create(name);
        var errno = Files.TryCopy(file, to);
        if (errno != 0)
            throw new LinuxException(errno, $"write {_path}/{name}");
    }

    public void Finish() => Storage.SyncFileSystem(_folder, _path);

    public void Dispose() => _folder.Dispose();

    private FileDescriptor Create(string name)
    {
        for (var slash = name.IndexOf('/'); slash >= 0; slash = name.IndexOf('/', slash + 1))
            Files.TryMakeDirectory(name[..slash], 0x1ed /* 0755 */, _folder.Number);
        return Files.Open(name, OpenFlags.WriteOnly | OpenFlags.Create | OpenFlags.Exclusive, _folder.Number, 0x1a4 /* 0644 */);
    }
}
