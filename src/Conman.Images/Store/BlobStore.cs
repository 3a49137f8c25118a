// Blobs: content by its digest, whole and verified, or not there at all.

using Conman.Linux;
using Conman.Oci.ImageSpec;

namespace Conman.Images.Store;

/// <summary>The folders <c>blobs</c> and <c>ingest</c>.</summary>
public sealed class BlobStore(FileDescriptor blobs, FileDescriptor ingest) : IDisposable
{
    /// <summary>A manifest, an index or a configuration is no longer than this, bytes.</summary>
    public const int LongestDocument = 4 << 20;

    private FileDescriptor?[] _folders = new FileDescriptor?[2];

    /// <summary>The folder of unfinished blobs.</summary>
    internal FileDescriptor Ingest => ingest;

    public void Dispose()
    {
        foreach (var folder in _folders)
            folder?.Dispose();
        blobs.Dispose();
        ingest.Dispose();
    }

    /// <summary>Whether the blob is there, with the size that its descriptor says.</summary>
    /// <exception cref="ImageException">It is there with another size: the descriptor lies.</exception>
    public bool Contains(Descriptor descriptor)
    {
        var size = Size(Digest.Parse(descriptor.Digest));
        return size is not null && (size == descriptor.Size ? true : throw WrongSize(descriptor, size.Value));
    }

    /// <summary>The blob's size in bytes, or null if it is not there.</summary>
    public long? Size(Digest digest) => Files.TryStatus(digest.Hex, out _, Folder(digest).Number) is { Type: FileType.Regular } status ? (long)status.Size : null;

    /// <summary>Opens a blob for reading.</summary>
    public FileDescriptor Open(Digest digest) =>
        Files.TryOpen(digest.Hex, OpenFlags.ReadOnly | Files.NoFollow, out var errno, Folder(digest).Number)
        ?? throw new ImageException($"cannot open blob {digest}: {LinuxException.Describe(errno)}");

    /// <summary>Reads a document, and verifies it: what a disk or somebody's editor did to it since is found here.</summary>
    public byte[] ReadDocument(Descriptor descriptor)
    {
        var digest = Digest.Parse(descriptor.Digest);
        if (descriptor.Size > LongestDocument)
            throw new ImageException($"cannot read {digest}: {descriptor.Size} bytes are too long for a document (the limit is {LongestDocument})");
        using var file = Open(digest);
        var content = Files.ReadAll(file, digest.ToString(), LongestDocument);
        Verify(descriptor, content);
        return content;
    }

    /// <summary>Adds a document that is in memory; it lasts before this returns.</summary>
    public Descriptor Write(ReadOnlySpan<byte> content, string mediaType)
    {
        var descriptor = Describe(content, mediaType);
        Write(descriptor, content);
        return descriptor;
    }

    /// <summary>What points at these bytes.</summary>
    public static Descriptor Describe(ReadOnlySpan<byte> content, string mediaType) => new() { MediaType = mediaType, Digest = Digest.Of(content).ToString(), Size = content.Length };

    /// <summary>Adds a document whose descriptor came from elsewhere.</summary>
    public void Write(Descriptor descriptor, ReadOnlySpan<byte> content)
    {
        Verify(descriptor, content);
        if (Contains(descriptor))
            return;
        using var blob = Begin(descriptor);
        if (blob is null)
            return;
        blob.Restart();
        blob.Write(content);
        blob.Commit();
    }

    /// <summary>Begins, or goes on with, a blob; waits while another process is at it. Null: the blob is there (by now).</summary>
    /// <param name="waiting">Called once if there is another.</param>
    public BlobIngest? Begin(Descriptor descriptor, Action? waiting = null)
    {
        var digest = Digest.Parse(descriptor.Digest);
        var name = $"{digest.Algorithm}-{digest.Hex}";
        while (!Contains(descriptor))
        {
            var file = Files.Open(name, OpenFlags.ReadWrite | OpenFlags.Create | Files.NoFollow, ingest.Number, 0x180 /* 0600 */);
            if (!Files.Lock(file, wait: false, name))
            {
                waiting?.Invoke();
                waiting = null;
                Files.Lock(file, wait: true, name);
            }
            // The one before may have finished it, or given it up.
            if (Storage.IsStill(file, ingest.Number, name) && !Contains(descriptor))
                return new BlobIngest(this, descriptor, file, name);
            file.Dispose();
        }
        return null;
    }

    /// <summary>Begins a blob whose digest is not known yet.</summary>
    public NewBlob Begin() => new(this);

    /// <summary>Removes a blob, if it is there.</summary>
    public void Remove(Digest digest) => Files.TryUnlink(digest.Hex, Folder(digest).Number);

    /// <summary>The digests of all blobs.</summary>
    public IEnumerable<Digest> All()
    {
        foreach (var algorithm in (string[])["sha256", "sha512"])
        {
            using var folder = Files.TryOpen(algorithm, OpenFlags.ReadOnly | Files.Directory, out _, blobs.Number);
            foreach (var hex in folder is null ? [] : Files.List(folder, algorithm))
            {
                if (Digest.TryParse($"{algorithm}:{hex}", out var digest))
                    yield return digest;
            }
        }
    }

    /// <summary>The folder of a digest's algorithm.</summary>
    internal FileDescriptor Folder(Digest digest)
    {
        var index = digest.Algorithm == "sha512" ? 1 : 0;
        if (_folders[index] is { } folder)
            return folder;
        var errno = Files.TryMakeDirectory(digest.Algorithm, 0x1c0 /* 0700 */, blobs.Number);
        if (errno is not (0 or Errno.EEXIST))
            throw new LinuxException(errno, $"make directory blobs/{digest.Algorithm}");
        folder = Files.Open(digest.Algorithm, OpenFlags.ReadOnly | Files.Directory | Files.NoFollow, blobs.Number);
        // Of two threads that open it one keeps the other's.
        return Interlocked.CompareExchange(ref _folders[index], folder, null) ?? folder;
    }

    internal static ImageException WrongContent(Descriptor descriptor) => new($"blob {descriptor.Digest} has other content than its digest says");

    internal static ImageException WrongSize(Descriptor descriptor, long size) =>
        new($"blob {descriptor.Digest} has {size} bytes, its descriptor says {descriptor.Size}");

    /// <exception cref="ImageException">The content is not what the descriptor says.</exception>
    internal static void Verify(Descriptor descriptor, ReadOnlySpan<byte> content)
    {
        if (content.Length != descriptor.Size)
            throw WrongSize(descriptor, content.Length);
        if (!Digest.Parse(descriptor.Digest).IsOf(content))
            throw WrongContent(descriptor);
    }
}
