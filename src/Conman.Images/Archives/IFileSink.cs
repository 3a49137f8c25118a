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

/// <summary>
/// A folder that does not exist yet, or is empty. Until all is there it has the name <c>FOLDER.part</c>; what a killed command left of that name is
/// removed.
/// </summary>
public sealed class FolderSink : IFileSink, IDisposable
{
    private readonly string _path, _partial;
    private readonly FileDescriptor _folder;
    private bool _finished;

    public FolderSink(string path)
    {
        _path = Path.GetFullPath(path).TrimEnd('/');
        _partial = _path + ".part";
        using (var present = Files.TryOpen(path, OpenFlags.ReadOnly | Files.Directory, out var errno))
        {
            if (errno is not (0 or Errno.ENOENT))
                throw new ImageException($"cannot save to {path}: {LinuxException.Describe(errno)}");
            if (present is not null && Files.List(present, path).Count > 0)
                throw new ImageException($"cannot save to {path}: it is not empty");
        }
        Files.MakeDirectories(_partial, 0x1ed /* 0755 */);
        _folder = Files.Open(_partial, OpenFlags.ReadOnly | Files.Directory);
        if (!Files.Lock(_folder, wait: false, _partial))
            throw new ImageException($"cannot save to {path}: another command is at it");
        Trees.Empty(_folder);
    }

    public void Add(string name, ReadOnlySpan<byte> content)
    {
        using var file = Create(name);
        Files.Write(file.Number, content, $"{_path}/{name}");
    }

    public void Add(string name, FileDescriptor file, long size)
    {
        using var to = Create(name);
        var errno = Files.TryCopy(file, to);
        if (errno != 0)
            throw new LinuxException(errno, $"write {_path}/{name}");
    }

    public void Finish()
    {
        Storage.SyncFileSystem(_folder, _path);
        Storage.Rename(Files.CurrentDirectory, _partial, Files.CurrentDirectory, _path);
        _finished = true;
    }

    public void Dispose()
    {
        if (!_finished)
            Trees.Remove(Files.CurrentDirectory, _partial);
        _folder.Dispose();
    }

    private FileDescriptor Create(string name)
    {
        for (var slash = name.IndexOf('/'); slash >= 0; slash = name.IndexOf('/', slash + 1))
            Files.TryMakeDirectory(name[..slash], 0x1ed /* 0755 */, _folder.Number);
        return Files.Open(name, OpenFlags.WriteOnly | OpenFlags.Create | OpenFlags.Exclusive, _folder.Number, 0x1a4 /* 0644 */);
    }
}
