// The store of images on one host: folders of files, and nothing else. No daemon, no index: what is there is what the folders hold.
//
//     blobs/ALGORITHM/HEX    what registries gave, as it came: documents and compressed layers, each named by its digest
//     ingest/                blobs on their way; a lock on the file makes one download of however many pulls want it
//     layers/HEX/            an unpacked layer by its chain id: diff/ is a lower directory of overlayfs, layer.json says what it is
//     images/                a record for each name of an image
//     leases/                what commands at work rely on before a record names it
//     lock                   held while something is removed, and while a lease is written

using Conman.Linux;

namespace Conman.Images.Store;

/// <summary>A store; any number of processes may have it open.</summary>
public sealed class ImageStore : IDisposable
{
    /// <summary>Where the host's images are.</summary>
    public const string DefaultRoot = "/var/lib/conman";

    private ImageStore(string path, FileDescriptor root)
    {
        Path = path;
        Root = root;
        Blobs = new BlobStore(Folder("blobs"), Folder("ingest"));
        Layers = new LayerStore(Folder("layers"));
        Images = new ImageRecords(Folder("images"));
        Leases = new Leases(root, Folder("leases"));
    }

    /// <summary>The folder, an absolute path.</summary>
    public string Path { get; }

    public FileDescriptor Root { get; }

    public BlobStore Blobs { get; }

    public LayerStore Layers { get; }

    public ImageRecords Images { get; }

    public Leases Leases { get; }

    /// <summary>Tells of every container; asked when something is to be removed. What containers lie on is never removed.</summary>
    public Func<IEnumerable<ImageUse>> Uses { get; set; } = () => [];

    /// <summary>Opens the store, and makes it if there is none.</summary>
    /// <exception cref="ImageException">It belongs to another user, or others may write to it: whoever can write there decides what containers run.</exception>
    public static ImageStore Open(string path)
    {
        path = System.IO.Path.GetFullPath(path);
        Files.MakeDirectories(path, 0x1c0 /* 0700 */);
        var root = Files.Open(path, OpenFlags.ReadOnly | Files.Directory);
        var status = Files.Status(root, path);
        if (status.Uid != Processes.EffectiveUser || (status.Permissions & 0x12 /* 0022 */) != 0)
        {
            root.Dispose();
            throw new ImageException($"cannot use {path}: it must belong to user {Processes.EffectiveUser} and be writable by no other (it is user {status.Uid}'s, mode {Convert.ToString(status.Permissions, 8)})");
        }
        return new ImageStore(path, root);
    }

    public void Dispose()
    {
        Blobs.Dispose();
        Layers.Dispose();
        Images.Dispose();
        Leases.Dispose();
        Root.Dispose();
    }

    private FileDescriptor Folder(string name)
    {
        var errno = Files.TryMakeDirectory(name, 0x1c0 /* 0700 */, Root.Number);
        if (errno is not (0 or Errno.EEXIST))
            throw new LinuxException(errno, $"make directory {Path}/{name}");
        return Files.Open(name, OpenFlags.ReadOnly | Files.Directory | Files.NoFollow, Root.Number);
    }
}
