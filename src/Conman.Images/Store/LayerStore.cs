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
            chain[i] = i == 0 ? diffIds[0] : ChainId(chain[i - 1], diffIds[i]);
        return chain;
    }

    /// <summary>The chain id of a layer on the one of another chain id.</summary>
    public static Digest ChainId(Digest below, Digest diffId) => Digest.Of(Encoding.UTF8.GetBytes($"{below} {diffId}"));

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

    /// <summary>As <see cref="OpenDiff"/>; null if there is none.</summary>
    public FileDescriptor? TryOpenDiff(Digest chainId) => TryOpenDiff(chainId, out _);

    private FileDescriptor? TryOpenDiff(Digest chainId, out int errno) => Files.TryOpen($"{chainId.Hex}/diff", OpenFlags.ReadOnly | Files.Directory | Files.NoFollow, out errno, folder.Number);

    /// <summary>Opens the directory that overlayfs takes as a lower one.</summary>
    public FileDescriptor OpenDiff(Digest chainId) =>
        TryOpenDiff(chainId, out var errno)
        ?? throw new ImageException($"cannot open layer {chainId}: {LinuxException.Describe(errno)}");

    /// <summary>Opens a stack of layers' directories, the uppermost first; each is closed when the next is asked for.</summary>
    /// <param name="chain">Chain ids, the lowest first.</param>
    public IEnumerable<FileDescriptor> OpenDiffs(IReadOnlyList<Digest> chain)
    {
        for (var i = chain.Count - 1; i >= 0; i--)
        {
            using var diff = OpenDiff(chain[i]);
            yield return diff;
        }
    }

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

    /// <summary>Begins a layer whose chain id is not known yet: it is set before it is published.</summary>
    public LayerMaking Begin()
    {
        var name = ".new-" + Guid.NewGuid().ToString("N");
        var errno = Files.TryMakeDirectory(name, 0x1c0 /* 0700 */, folder.Number);
        if (errno != 0)
            throw new LinuxException(errno, $"make directory layers/{name}");
        var directory = Files.Open(name, OpenFlags.ReadOnly | Files.Directory | Files.NoFollow, folder.Number);
        Files.Lock(directory, wait: true, name);
        return new LayerMaking(this, default, directory, name);
    }

    /// <summary>What is to be seen of a stack of layers: an opaque top hides all below it, which overlayfs has no word for.</summary>
    /// <param name="chain">Chain ids, the lowest first; so is the result, from the uppermost opaque one on.</param>
    public Digest[] Visible(IReadOnlyList<Digest> chain)
    {
        var lowest = chain.Count - 1;
        while (lowest > 0 && !IsOpaque(chain[lowest]))
            lowest--;
        return [.. chain.Skip(Math.Max(lowest, 0))];
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

    private bool IsOpaque(Digest chainId)
    {
        using var diff = OpenDiff(chainId);
        return IsOpaque(diff);
    }

    internal static bool IsOpaque(FileDescriptor diff) => Files.TryGetAttribute($"/proc/self/fd/{diff.Number}", "trusted.overlay.opaque") == "y";

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
    private readonly FileDescriptor _directory;
    private readonly string _name;
    private bool _published;

    internal LayerMaking(LayerStore store, Digest chainId, FileDescriptor directory, string name) => (_store, ChainId, _directory, _name) = (store, chainId, directory, name);

    public Digest ChainId { get; set; }

    /// <summary>An empty directory to unpack into; what was unpacked before is removed.</summary>
    public FileDescriptor NewDiff()
    {
        Trees.Empty(_directory);
        var errno = Files.TryMakeDirectory("diff", 0x1ed /* 0755 */, _directory.Number);
        if (errno != 0)
            throw new LinuxException(errno, "make directory diff");
        return Files.Open("diff", OpenFlags.ReadOnly | Files.Directory, _directory.Number);
    }

    /// <summary>Gives directories that the archive has no entry for what those of the layers below have: owner, mode, attributes and times. Where there is
    /// none below the times are 0: the same archives make the same layer.</summary>
    /// <param name="directories">Paths within the layer, parents first; the empty one is its top.</param>
    /// <param name="below">Opened layers below, the uppermost first; asked for as far as it takes.</param>
    public static void CopyFromBelow(FileDescriptor diff, IReadOnlyList<byte[]> directories, IEnumerable<FileDescriptor> below)
    {
        var (missing, alone) = (directories.ToList(), new List<byte[]>());
        foreach (var lower in missing.Count == 0 || LayerStore.IsOpaque(diff) ? [] : below)
        {
            missing.RemoveAll(path =>
            {
                var copied = TryCopyFrom(lower, diff, path.Length == 0 ? "."u8 : path, out var hidden);
                if (hidden)
                    alone.Add(path);
                return copied || hidden;
            });
            if (missing.Count == 0 || LayerStore.IsOpaque(lower))
                break;
        }
        foreach (var path in missing.Concat(alone))
        {
            using var directory = OpenDirectory(diff, path.Length == 0 ? "."u8 : path);
            _ = Nodes.TrySetTimes(directory.Number, (0, 0), (0, 0));
        }
    }

    /// <summary>Writes what is known of the layer; the caller syncs the file system before <see cref="Publish"/>.</summary>
    public void Complete(LayerRecord record) => LayerStore.WriteRecord(_directory, record);

    /// <summary>Gives it its name; where there is such a layer by now, that one stays.</summary>
    public void Publish()
    {
        try
        {
            Storage.Rename(_store.Folder.Number, _name, _store.Folder.Number, ChainId.Hex);
            _published = true;
        }
        catch (LinuxException e) when (e.Errno is Errno.EEXIST or Errno.ENOTEMPTY)
        {
            // the same layer, made by somebody else meanwhile
        }
    }

    public void Dispose()
    {
        if (!_published)
            Trees.Remove(_store.Folder.Number, _name);
        _directory.Dispose();
    }

    // False: the lower layer does not have it, or has something else there (a whiteout, a file), by which all below is hidden.
    private static bool TryCopyFrom(FileDescriptor lower, FileDescriptor diff, ReadOnlySpan<byte> path, out bool hidden)
    {
        using var like = Files.TryOpenResolved(lower.Number, path, OpenFlags.ReadOnly | Files.Directory, Resolve.InRoot | Resolve.NoSymlinks, out var errno);
        hidden = errno is Errno.ENOTDIR or Errno.ELOOP;
        if (like is null)
            return false;
        var name = Tar.TarEntry.Text(path);
        using var directory = OpenDirectory(diff, path);
        var status = Files.Status(like, name);
        errno = Files.TryChangeOwner(directory.Number, "", status.Uid, status.Gid);
        if (errno == 0)
            errno = Files.TryChangeMode(directory, status.Permissions);
        foreach (var (attribute, value) in Files.RawAttributes(like))
        {
            if (errno == 0 && !attribute.AsSpan().StartsWith("trusted.overlay."u8))
                errno = Files.TrySetAttribute(directory, [.. attribute, 0], value);
        }
        if (errno == 0)
            errno = Files.TryCopyTimes(like, directory);
        return errno == 0 ? true : throw new LinuxException(errno, $"give {name} what it has in the layer below");
    }

    private static FileDescriptor OpenDirectory(FileDescriptor diff, ReadOnlySpan<byte> path) =>
        Files.TryOpenResolved(diff.Number, path, OpenFlags.ReadOnly | Files.Directory, Resolve.InRoot | Resolve.NoSymlinks, out var errno)
        ?? throw new LinuxException(errno, $"open {Tar.TarEntry.Text(path)}");
}
