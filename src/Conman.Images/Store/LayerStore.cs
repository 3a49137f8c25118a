// Unpacked layers: each a lower directory of overlayfs, named by its chain id (image-spec config.md, "Layer ChainID"), for a layer's files are
// what they are by the layers below it too: a directory that it only passes through is that of those.

using System.Text;
using Conman.Linux;
using Conman.Oci;

namespace Conman.Images.Store;

/// <summary>What is known of an unpacked layer: the file <c>layer.json</c>.</summary>
[OciObject]
public sealed partial class LayerRecord
{
    /// <summary>The digest of its uncompressed archive.</summary>
    public string? DiffId { get; set; }

    /// <summary>The chain id of the layer below; absent for the lowest.</summary>
    public string? Parent { get; set; }

    /// <summary>The blob that it was unpacked from.</summary>
    public string? Blob { get; set; }

    /// <summary>Bytes of its files.</summary>
    public long Size { get; set; }

    /// <summary>Files, directories, links and whiteouts in its archive.</summary>
    public long Entries { get; set; }
}

/// <summary>The folder <c>layers</c>.</summary>
public sealed class LayerStore(FileDescriptor folder) : IDisposable
{
    private const string RecordFile = "layer.json";

    internal FileDescriptor Folder => folder;

    public void Dispose() => folder.Dispose();

    /// <summary>The chain ids of a stack of layers, the lowest first.</summary>
    public static Digest[] ChainIds(IReadOnlyList<Digest> diffIds)
    {
        var chain = new Digest[diffIds.Count];
        for (var i = 0; i < chain.Length; i++)
            chain[i] = i == 0 ? diffIds[0] : Digest.Of(Encoding.UTF8.GetBytes($"{chain[i - 1]} {diffIds[i]}"));
        return chain;
    }

    public bool Contains(Digest chainId) => Files.Exists(chainId.Hex, folder.Number);

    /// <summary>What is known of a layer; null if it is not there, or cannot be read.</summary>
    public LayerRecord? Find(Digest chainId)
    {
        using var file = Files.TryOpen($"{chainId.Hex}/{RecordFile}", OpenFlags.ReadOnly | Files.NoFollow, out _, folder.Number);
        try
        {
            return file is null ? null : LayerRecord.Parse(Files.ReadAll(file, RecordFile));
        }
        catch (OciFormatException)
        {
            return null;
        }
    }

    /// <summary>Opens the directory that overlayfs takes as a lower one.</summary>
    public FileDescriptor OpenDiff(Digest chainId) =>
        Files.TryOpen($"{chainId.Hex}/diff", OpenFlags.ReadOnly | Files.Directory | Files.NoFollow, out var errno, folder.Number)
        ?? throw new ImageException($"cannot open layer {chainId}: {LinuxException.Describe(errno)}");

    /// <summary>Begins a layer; waits while another process is at it. Null: it is there (by now).</summary>
    /// <param name="waiting">Called once if there is another.</param>
    public LayerMaking? Begin(Digest chainId, Action? waiting = null)
    {
        var name = "." + chainId.Hex;
        while (!Contains(chainId))
        {
            var errno = Files.TryMakeDirectory(name, 0x1c0 /* 0700 */, folder.Number);
            if (errno is not (0 or Errno.EEXIST))
                throw new LinuxException(errno, $"make directory layers/{name}");
            var directory = Files.TryOpen(name, OpenFlags.ReadOnly | Files.Directory | Files.NoFollow, out errno, folder.Number);
            if (directory is null)
                continue; // finished or removed just now
            if (!Files.Lock(directory, wait: false, name))
            {
                waiting?.Invoke();
                waiting = null;
                Files.Lock(directory, wait: true, name);
            }
            if (Storage.IsStill(directory, folder.Number, name))
                return new LayerMaking(this, chainId, directory, name);
            directory.Dispose();
        }
        return null;
    }

    /// <summary>Removes a layer, if it is there: first its name, then its files.</summary>
    public void Remove(Digest chainId)
    {
        var name = "." + chainId.Hex;
        Trees.Remove(folder.Number, name);
        try
        {
            Storage.Rename(folder.Number, chainId.Hex, folder.Number, name);
        }
        catch (LinuxException e) when (e.Errno == Errno.ENOENT)
        {
            return;
        }
        Trees.Remove(folder.Number, name);
    }

    /// <summary>The chain ids of all layers.</summary>
    public IEnumerable<Digest> All()
    {
        using var reading = Files.Open(".", OpenFlags.ReadOnly | Files.Directory, folder.Number);
        foreach (var name in Files.List(reading, "layers"))
        {
            if (Digest.TryParse("sha256:" + name, out var digest))
                yield return digest;
        }
    }

    /// <summary>Removes what killed commands left half made. The store's lock is held.</summary>
    internal void RemoveHalfMade()
    {
        using var reading = Files.Open(".", OpenFlags.ReadOnly | Files.Directory, folder.Number);
        foreach (var name in Files.List(reading, "layers"))
        {
            if (name[0] != '.')
                continue;
            using var directory = Files.TryOpen(name, OpenFlags.ReadOnly | Files.Directory | Files.NoFollow, out _, folder.Number);
            if (directory is not null && Files.Lock(directory, wait: false, name))
                Trees.Remove(folder.Number, name);
        }
    }

    internal static void WriteRecord(FileDescriptor directory, LayerRecord record)
    {
        using var file = Files.Open(RecordFile, OpenFlags.WriteOnly | OpenFlags.Create | OpenFlags.Truncate, directory.Number, 0x180 /* 0600 */);
        Files.Write(file.Number, record.ToUtf8(indented: true), RecordFile);
    }
}

/// <summary>The folder <c>layers/.HEX</c>, locked. Disposed before <see cref="Publish"/> it is removed.</summary>
public sealed class LayerMaking : IDisposable
{
    private readonly LayerStore _store;
    private readonly Digest _chainId;
    private readonly FileDescriptor _directory;
    private readonly string _name;
    private bool _published;

    internal LayerMaking(LayerStore store, Digest chainId, FileDescriptor directory, string name) =>
        (_store, _chainId, _directory, _name) = (store, chainId, directory, name);

    /// <summary>An empty directory to unpack into; what was unpacked before is removed.</summary>
    public FileDescriptor NewDiff()
    {
        Trees.Empty(_directory);
        var errno = Files.TryMakeDirectory("diff", 0x1ed /* 0755 */, _directory.Number);
        if (errno != 0)
            throw new LinuxException(errno, "make directory diff");
        return Files.Open("diff", OpenFlags.ReadOnly | Files.Directory, _directory.Number);
    }

    /// <summary>Gives directories that the archive has no entry for what those of the layers below have: owner, mode, attributes and times.</summary>
    /// <param name="directories">Paths within the layer, parents first.</param>
    /// <param name="below">The chain ids of the layers below, the uppermost first.</param>
    public void CopyFromBelow(FileDescriptor diff, IEnumerable<string> directories, IReadOnlyList<Digest> below)
    {
        foreach (var path in directories)
        {
            foreach (var layer in below)
            {
                using var lower = _store.OpenDiff(layer);
                using var like = Files.TryOpenResolved(lower.Number, path, OpenFlags.ReadOnly | Files.Directory, Resolve.InRoot | Resolve.NoSymlinks, out _);
                if (like is null)
                    continue;
                using var directory = Files.TryOpenResolved(diff.Number, path, OpenFlags.ReadOnly | Files.Directory, Resolve.InRoot | Resolve.NoSymlinks, out var errno)
                    ?? throw new LinuxException(errno, $"open {path}");
                Copy(like, directory, path);
                break;
            }
        }
    }

    /// <summary>Writes what is known of the layer; the caller syncs the file system before <see cref="Publish"/>.</summary>
    public void Complete(LayerRecord record) => LayerStore.WriteRecord(_directory, record);

    /// <summary>Gives it its name.</summary>
    public void Publish()
    {
        Storage.Rename(_store.Folder.Number, _name, _store.Folder.Number, _chainId.Hex);
        _published = true;
    }

    public void Dispose()
    {
        if (!_published)
            Trees.Remove(_store.Folder.Number, _name);
        _directory.Dispose();
    }

    private static void Copy(FileDescriptor from, FileDescriptor to, string path)
    {
        var status = Files.Status(from, path);
        var errno = Files.TryChangeOwner(to.Number, "", status.Uid, status.Gid);
        if (errno == 0)
            errno = Files.TryChangeMode(to, status.Permissions);
        foreach (var (name, value) in Files.Attributes(from))
        {
            if (errno == 0 && !name.StartsWith("trusted.overlay.", StringComparison.Ordinal))
                errno = Files.TrySetAttribute($"/proc/self/fd/{to.Number}", name, value);
        }
        if (errno == 0)
            errno = Files.TryCopyTimes(from, to);
        if (errno != 0)
            throw new LinuxException(errno, $"give {path} what it has in the layer below");
    }
}
