// A blob on its way: hashed as it comes, and renamed to its place when all of it has come and is what its digest says.

using System.Security.Cryptography;
using Conman.Images.Registry;
using Conman.Linux;
using Conman.Oci.ImageSpec;

namespace Conman.Images.Store;

/// <summary>The file <c>ingest/ALGORITHM-HEX</c>, locked. Disposed before <see cref="Commit"/> it stays, for a later pull to go on with.</summary>
public sealed class BlobIngest : IBlobSink, IDisposable
{
    private const int Piece = 256 << 10;

    // The disk begins with so many bytes while the next come: less to wait for at the end.
    private const long WriteBack = 8 << 20;

    private readonly BlobStore _store;
    private readonly FileDescriptor _file;
    private readonly string _name;
    private readonly Digest _digest;
    private readonly IncrementalHash _hash;
    private long _writtenBack;

    internal BlobIngest(BlobStore store, Descriptor descriptor, FileDescriptor file, string name)
    {
        (_store, Descriptor, _file, _name) = (store, descriptor, file, name);
        _digest = Digest.Parse(descriptor.Digest);
        _hash = _digest.NewHash();
    }

    public Descriptor Descriptor { get; }

    /// <summary>So many bytes are there and hashed; 0 before <see cref="Resume"/>.</summary>
    public long Written { get; private set; }

    /// <summary>Gets every byte too, in order, from the first on: who unpacks while it comes.</summary>
    public IBlobSink? Tee { get; set; }

    /// <summary>Hashes what an earlier pull left, and hands it to <see cref="Tee"/>.</summary>
    public void Resume()
    {
        var length = (long)Files.Status(_file, _name).Size;
        if (length > Descriptor.Size)
        {
            Storage.SetLength(_file, 0, _name);
            return;
        }
        var buffer = GC.AllocateUninitializedArray<byte>((int)Math.Min(Math.Max(length, 1), Piece));
        while (Written < length)
        {
            var n = Storage.ReadAt(_file, buffer, Written, _name);
            if (n == 0)
                break;
            Took(buffer.AsSpan(0, n));
        }
    }

    public void Write(ReadOnlySpan<byte> bytes)
    {
        if (Written + bytes.Length > Descriptor.Size)
            throw BlobStore.WrongSize(Descriptor, Written + bytes.Length);
        Storage.WriteAt(_file, bytes, Written, _name);
        Took(bytes);
        if (Written - _writtenBack >= WriteBack)
        {
            Storage.BeginWriting(_file, _writtenBack, Written - _writtenBack);
            _writtenBack = Written;
        }
    }

    public void Restart()
    {
        Storage.SetLength(_file, 0, _name);
        _hash.GetHashAndReset();
        (Written, _writtenBack) = (0, 0);
        Tee?.Restart();
    }

    /// <summary>Whether all of it is there and is what its digest says.</summary>
    public bool IsWhole => Written == Descriptor.Size && _digest.Is(_hash.GetCurrentHash());

    /// <summary>Sees to it that all of it is there and is what its digest says.</summary>
    /// <exception cref="ImageException">It is not. What was there is removed: nothing of it can be trusted.</exception>
    public void Verify()
    {
        if (IsWhole)
            return;
        Files.TryUnlink(_name, _store.Ingest.Number);
        throw Written != Descriptor.Size ? BlobStore.WrongSize(Descriptor, Written) : BlobStore.WrongContent(Descriptor);
    }

    /// <summary>Lets go of the lock of one that is verified: who waits for it may finish it as well.</summary>
    public void Release() => Files.Unlock(_file);

    /// <summary>Puts it in its place; the caller has verified it and synced the file system, and syncs the folder by <see cref="BlobStore"/>.</summary>
    public void Publish()
    {
        try
        {
            Storage.Rename(_store.Ingest.Number, _name, _store.Folder(_digest).Number, _digest.Hex);
        }
        catch (LinuxException e) when (e.Errno == Errno.ENOENT && _store.Contains(Descriptor))
        {
            // another has
        }
    }

    /// <summary>Verifies it and puts it in its place, to last.</summary>
    public void Commit()
    {
        Verify();
        Storage.Sync(_file, _name);
        Publish();
        Storage.Sync(_store.Folder(_digest), "blobs");
    }

    public void Dispose()
    {
        _hash.Dispose();
        _file.Dispose();
    }

    private void Took(ReadOnlySpan<byte> bytes)
    {
        _hash.AppendData(bytes);
        Written += bytes.Length;
        Tee?.Write(bytes);
    }
}
