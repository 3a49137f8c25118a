// Checking the store: every blob against its digest, every record against the blobs and layers that it names, every layer's files against its archive.

using Conman.Images.Layers;
using Conman.Images.Transfer;
using Conman.Linux;
using Conman.Oci.ImageSpec;

namespace Conman.Images.Store;

/// <summary>What a check found: a line for each thing that is wrong, and how much was looked at.</summary>
/// <param name="Repaired">How many of the findings are no more.</param>
public sealed record CheckResult(List<string> Findings, int Repaired, int Images, int Blobs, int Layers);

/// <summary>Looks at everything in the store.</summary>
/// <param name="repair">Layers are unpacked again from their blobs. What cannot be mended is removed, and with it images that cannot be whole any more: a pull brings them back.</param>
/// <param name="deep">Blobs are hashed, and layers unpacked beside theirs and compared; else only what there should be is looked for.</param>
public sealed class StoreCheck(ImageStore store, UnpackLayer unpack, bool repair, bool deep)
{
    private readonly List<string> _findings = [];
    private readonly HashSet<string> _damaged = [];
    private int _repaired;

    // What images say of a layer: the digest of its archive, its blob, and the layers below it, the lowest first.
    private sealed record Known(Digest ChainId, Digest DiffId, Descriptor Blob, Digest[] Below);

    public CheckResult Run()
    {
        using var exclusive = store.Leases.LockStore();
        if (repair)
        {
            store.Layers.RemoveHalfMade();
            store.Images.RemoveHalfWritten();
        }
        var blobs = store.Blobs.All().ToList();
        blobs.ForEach(CheckBlob);
        var damaged = new List<string>();
        var records = store.Images.All(damaged);
        foreach (var file in damaged)
            Found($"images/{file}: the record cannot be read", () => store.Images.RemoveFile(file));
        var known = new Dictionary<Digest, Known>();
        records.ForEach(record => CheckRecord(record, known));
        // The lower ones first: the upper ones' directories are as they have them.
        foreach (var layer in known.Values.OrderBy(k => k.Below.Length))
            CheckLayer(layer);
        var layers = store.Layers.All().ToList();
        foreach (var chainId in layers.Where(id => !known.ContainsKey(id) && store.Layers.Find(id) is null))
            Found($"layer {chainId}: layer.json cannot be read", () => store.Layers.Remove(chainId));
        return new CheckResult(_findings, _repaired, records.Count + damaged.Count, blobs.Count, layers.Count);
    }

    private void Found(string finding, Action mend)
    {
        _findings.Add(finding);
        if (!repair)
            return;
        mend();
        _repaired++;
    }

    private void CheckBlob(Digest digest)
    {
        if (deep && !Intact(digest))
            Found($"blob {digest}: its content is not what its digest says", () => store.Blobs.Remove(digest));
    }

    private bool Intact(Digest digest)
    {
        using var file = store.Blobs.Open(digest);
        using var hash = digest.NewHash();
        var buffer = GC.AllocateUninitializedArray<byte>(1 << 20);
        try
        {
            for (int n; (n = Files.Read(file.Number, buffer, digest.ToString())) > 0;)
                hash.AppendData(buffer, 0, n);
        }
        catch (LinuxException e) when (e.Errno == Errno.EIO)
        {
            _damaged.Add(digest.ToString());
            return false;
        }
        return digest.Is(hash.GetHashAndReset()) || !_damaged.Add(digest.ToString());
    }

    private void CheckRecord(ImageRecord record, Dictionary<Digest, Known> known)
    {
        try
        {
            var layers = ImageDocuments.Manifest(store, record).Layers ?? [];
            var image = ImageDocuments.Image(store, record);
            var chain = ImageDocuments.ChainIds(image);
            if (chain.Length != layers.Count)
                throw new ImageException($"{layers.Count} layers, but {chain.Length} in the configuration");
            foreach (var digest in layers.Select(l => l.Digest!).Prepend(record.Target!.Digest!))
            {
                if (store.Blobs.Size(Digest.Parse(digest)) is null || _damaged.Contains(digest))
                    throw new ImageException($"blob {digest} is {(_damaged.Contains(digest) ? "damaged" : "missing")}");
            }
            for (var i = 0; i < chain.Length; i++)
            {
                if (!store.Blobs.Contains(layers[i]))
                    throw new ImageException($"blob {layers[i].Digest} is missing");
                known[chain[i]] = new Known(chain[i], Digest.Parse(image.Rootfs!.DiffIds![i]), layers[i], chain[..i]);
            }
        }
        catch (ImageException e)
        {
            Found($"image {record.Name}: {e.Message}", () => store.Images.Remove(record.Name!));
        }
    }

    private void CheckLayer(Known layer)
    {
        var wrong = !store.Layers.Contains(layer.ChainId) ? "is missing"
            : store.Layers.Find(layer.ChainId) is not { } record ? "layer.json cannot be read"
            : record.DiffId != layer.DiffId.ToString() ? $"it is of {record.DiffId}, the image says {layer.DiffId}"
            : null;
        if (wrong is null && !deep)
            return;
        // Beside it, and in its place if it is not the same.
        using var making = store.Layers.Begin();
        making.ChainId = layer.ChainId;
        try
        {
            Unpack(layer, making, out var asPacked);
            if (wrong is null && !asPacked)
                wrong = "its files are not those of its archive";
        }
        catch (ImageException e)
        {
            _findings.Add($"layer {layer.ChainId}: {e.Message}");
            return;
        }
        if (wrong is null)
            return;
        var user = store.Uses().FirstOrDefault(use => use.IsRunning && use.Layers.Contains(layer.ChainId));
        if (user is not null && repair)
            _findings.Add($"layer {layer.ChainId}: {wrong}; container {user.Container} runs on it, so it stays until that has stopped");
        else
            Found($"layer {layer.ChainId}: {wrong}", () => Replace(making));
    }

    private void Unpack(Known layer, LayerMaking making, out bool asPacked)
    {
        using var diff = making.NewDiff();
        using var archive = store.Blobs.Open(Digest.Parse(layer.Blob.Digest));
        var unpacked = unpack(diff, archive, layer.Blob.Size);
        if (unpacked.DiffId != layer.DiffId)
            throw new ImageException($"{layer.Blob.Digest} unpacks to {unpacked.DiffId}, the image's configuration says {layer.DiffId}");
        LayerMaking.CopyFromBelow(diff, unpacked.ImpliedDirectories, store.Layers.OpenDiffs(layer.Below));
        making.Complete(new LayerRecord
        {
            DiffId = layer.DiffId.ToString(),
            Parent = layer.Below.Length == 0 ? null : layer.Below[^1].ToString(),
            Blob = layer.Blob.Digest,
            Size = unpacked.Size,
            Entries = unpacked.Entries,
        });
        using var present = store.Layers.TryOpenDiff(layer.ChainId);
        asPacked = present is not null && LayerPacker.DigestOf(present) == LayerPacker.DigestOf(diff);
    }

    private void Replace(LayerMaking making)
    {
        Storage.SyncFileSystem(store.Root, "the image store");
        store.Layers.Remove(making.ChainId);
        making.Publish();
        Storage.SyncFileSystem(store.Root, "the image store");
    }
}
