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
    private readonly ManualResetEventSlim[] _done = [.. layers.Select(_ => new ManualResetEventSlim())];
    private Workers _workers = new(1);

    /// <summary>Returns when all are in the store, or throws what the first of them failed by.</summary>
    public void Run(int parallel)
    {
        progress.Begin(_items);
        _workers = new Workers(parallel);
        _workers.Run(layers.Count, i =>
        {
            try
            {
                Transfer(i);
            }
            finally
            {
                _done[i].Set();
            }
        });
    }

    private void Transfer(int i)
    {
        var item = _items[i];
        void Waiting() => Tell(item, TransferState.Waiting);
        if (store.Layers.Contains(chain[i]) && store.Blobs.Contains(layers[i]))
        {
            Tell(item, TransferState.Exists);
            return;
        }
        using var making = store.Layers.Begin(chain[i], Waiting);
        using var blob = store.Blobs.Begin(layers[i], Waiting);
        if (making is null)
        {
            if (blob is not null)
            {
                Download(blob, item, null);
                _commit.Commit(blob, null);
            }
            Tell(item, TransferState.Done);
            return;
        }
        using var diff = making.NewDiff();
        var unpacked = blob is null ? Unpack(diff, layers[i], item) : Download(blob, item, diff)!;
        if (unpacked.DiffId != diffIds[i])
            throw new ImageException($"layer {item.Digest} unpacks to {unpacked.DiffId}, the image's configuration says {diffIds[i]}");
        var record = new LayerRecord
        {
            DiffId = diffIds[i].ToString(),
            Parent = i == 0 ? null : chain[i - 1].ToString(),
            Blob = layers[i].Digest,
            Size = unpacked.Size,
            Entries = unpacked.Entries,
        };
        making.Complete(record);
        if (i > 0 && unpacked.ImpliedDirectories.Count > 0)
        {
            if (blob is not null)
                _commit.Commit(blob, null);
            for (var below = 0; below < i; below++)
                _done[below].Wait();
            if (_workers.Failure is not null)
                return;
            making.CopyFromBelow(diff, unpacked.ImpliedDirectories, [.. chain.Take(i).Reverse()]);
            _commit.Commit(null, making);
        }
        else
        {
            _commit.Commit(blob, making);
        }
        Tell(item, TransferState.Done);
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
}
