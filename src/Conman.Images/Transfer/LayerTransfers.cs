// The layers of one image on their way in: each is downloaded, hashed and unpacked in one go, several at a time, the lowest first.
//
// A layer's lock is taken before its blob's, and nobody waits for a layer while he holds a blob: so pulls that share layers never wait in a circle.

using Conman.Images.Layers;
using Conman.Images.Registry;
using Conman.Images.Store;
using Conman.Linux;
using Conman.Oci.ImageSpec;

namespace Conman.Images.Transfer;

/// <summary>Unpacks a layer: the compressed archive is read from a descriptor to its end, its files are written to a directory.</summary>
public delegate UnpackedLayer UnpackLayer(FileDescriptor directory, FileDescriptor archive, long compressedSize);

internal sealed class LayerTransfers(
    ImageStore store, IImageSource source, UnpackLayer unpack, ITransferProgress progress,
    IReadOnlyList<Descriptor> layers, IReadOnlyList<Digest> diffIds, IReadOnlyList<Digest> chain)
{
    private readonly GroupCommit _commit = new(store);
    private readonly TransferItem[] _items = [.. layers.Select(l => new TransferItem(Digest.Parse(l.Digest), l.Size))];
    private readonly Lock _settling = new();
    private readonly Made?[] _made = new Made?[layers.Count];
    private Workers _workers = new(1);
    private int _settled;

    /// <summary>Returns when all are in the store, or throws what the first of them failed by.</summary>
    public void Run(int parallel)
    {
        progress.Begin(_items);
        _workers = new Workers(parallel);
        try
        {
            _workers.Run(layers.Count, Transfer);
        }
        finally
        {
            foreach (var made in _made)
                made?.Dispose();
        }
    }

    private void Transfer(int i)
    {
        var item = _items[i];
        void Waiting() => Tell(item, TransferState.Waiting);
        if (store.Layers.Contains(chain[i]) && store.Blobs.Contains(layers[i]))
        {
            Tell(item, TransferState.Exists);
            Settle(i, new Made());
            return;
        }
        var made = new Made();
        try
        {
            made.Layer = store.Layers.Begin(chain[i], Waiting);
            made.Blob = store.Blobs.Begin(layers[i], Waiting);
            if (made.Layer is not null)
                Fill(i, made);
            else if (made.Blob is not null)
                Download(made.Blob, item, null);
            made.Blob?.Release();
            Settle(i, made);
        }
        catch
        {
            made.Dispose();
            throw;
        }
    }

    private void Fill(int i, Made made)
    {
        made.Diff = made.Layer!.NewDiff();
        var unpacked = made.Blob is null ? Unpack(made.Diff, layers[i], _items[i]) : Download(made.Blob, _items[i], made.Diff)!;
        if (unpacked.DiffId != diffIds[i])
            throw new ImageException($"layer {layers[i].Digest} unpacks to {unpacked.DiffId}, the image's configuration says {diffIds[i]}");
        made.Implied = unpacked.ImpliedDirectories;
        made.Layer.Complete(new LayerRecord
        {
            DiffId = diffIds[i].ToString(),
            Parent = i == 0 ? null : chain[i - 1].ToString(),
            Blob = layers[i].Digest,
            Size = unpacked.Size,
            Entries = unpacked.Entries,
        });
    }

    // A layer is finished when all below it are: what its archive says nothing of is as they have it. Nobody waits for that; whoever comes last does it.
    private void Settle(int i, Made made)
    {
        var settled = new List<int>();
        lock (_settling)
        {
            _made[i] = made;
            for (; _settled < layers.Count && _made[_settled] is { } next; _settled++)
            {
                if (next.Layer is not null)
                    LayerMaking.CopyFromBelow(next.Diff!, next.Implied, Below(_settled));
                if (next.Layer is not null || next.Blob is not null)
                    settled.Add(_settled);
            }
        }
        if (settled.Count == 0)
            return;
        _commit.Commit(settled.ConvertAll(s => (_made[s]!.Blob, _made[s]!.Layer)));
        foreach (var s in settled)
        {
            _made[s]!.Release();
            Tell(_items[s], TransferState.Done);
        }
    }

    private IEnumerable<FileDescriptor> Below(int i)
    {
        while (--i >= 0)
            yield return _made[i]!.Diff ??= store.Layers.OpenDiff(chain[i]);
    }

    // A blob that is there, and whose files are not.
    private UnpackedLayer Unpack(FileDescriptor diff, Descriptor layer, TransferItem item)
    {
        Tell(item, TransferState.Unpacking);
        using var archive = store.Blobs.Open(Digest.Parse(layer.Digest));
        return unpack(diff, archive, layer.Size);
    }

    // Downloads and verifies a blob; unpacks it meanwhile if there is a directory for it. What an earlier pull left is tried first, and thrown away if
    // it turns out not to be what it should.
    private UnpackedLayer? Download(BlobIngest blob, TransferItem item, FileDescriptor? diff)
    {
        using var unpacking = diff is null ? null : new Unpacking(unpack, diff, blob.Descriptor.Size);
        blob.Tee = unpacking;
        Tell(item, TransferState.Downloading);
        blob.Resume();
        var resumed = blob.Written > 0;
        var watched = new Watched(this, blob, item);
        source.Download(blob.Descriptor, watched);
        if (resumed && !blob.IsWhole)
        {
            watched.Restart();
            source.Download(blob.Descriptor, watched);
        }
        blob.Verify();
        if (unpacking is null)
            return null;
        Tell(item, TransferState.Unpacking);
        return unpacking.Finish();
    }

    private void Tell(TransferItem item, TransferState state)
    {
        item.State = state;
        progress.Update(item);
    }

    /// <summary>Counts what comes, and stops it when another layer has failed.</summary>
    private sealed class Watched(LayerTransfers transfers, BlobIngest blob, TransferItem item) : IBlobSink
    {
        public long Written => blob.Written;

        public void Write(ReadOnlySpan<byte> bytes)
        {
            if (transfers._workers.Failure is { } failure)
                throw new ImageException(failure.Message, failure);
            blob.Write(bytes);
            item.Bytes = blob.Written;
            transfers.Tell(item, TransferState.Downloading);
        }

        public void Restart()
        {
            blob.Restart();
            item.Bytes = 0;
        }
    }
    /// <summary>A layer that is in the store, or is whole and verified and on its way there.</summary>
    private sealed class Made : IDisposable
    {
        public LayerMaking? Layer { get; set; }

        public BlobIngest? Blob { get; set; }

        /// <summary>Its files, for the layers above.</summary>
        public FileDescriptor? Diff { get; set; }

        public IReadOnlyList<byte[]> Implied { get; set; } = [];

        /// <summary>Lets go of its locks.</summary>
        public void Release()
        {
            Layer?.Dispose();
            Blob?.Dispose();
        }

        public void Dispose()
        {
            Release();
            Diff?.Dispose();
        }
    }
}
