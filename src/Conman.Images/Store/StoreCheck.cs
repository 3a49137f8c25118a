// Checking the store: every blob against its digest, every record against the blobs and layers that it names, every layer against its archive.

using Conman.Linux;
using Conman.Oci;
using Conman.Oci.ImageSpec;

namespace Conman.Images.Store;

/// <summary>What a check found: a line for each thing that is wrong, and how much was looked at.</summary>
public sealed record CheckResult(List<string> Findings, int Images, int Blobs, int Layers);

/// <summary>Looks at everything in the store.</summary>
/// <param name="repair">Damaged blobs, layers and records are removed, and with them images that cannot be whole any more: a pull brings them back.</param>
/// <param name="deep">Blobs are read and hashed; else only their sizes are looked at.</param>
public sealed class StoreCheck(ImageStore store, bool repair, bool deep)
{
    private readonly List<string> _findings = [];

    public CheckResult Run()
    {
        using var exclusive = store.Leases.LockStore();
        var blobs = store.Blobs.All().ToList();
        blobs.ForEach(CheckBlob);
        var damaged = new List<string>();
        var records = store.Images.All(damaged);
        foreach (var file in damaged)
        {
            _findings.Add($"images/{file}: the record cannot be read");
            if (repair)
                store.Images.RemoveFile(file);
        }
        var chains = new Dictionary<Digest, (Digest DiffId, Descriptor Blob)>();
        records.ForEach(record => CheckRecord(record, chains));
        var layers = store.Layers.All().ToList();
        foreach (var chainId in layers)
            CheckLayer(chainId, chains);
        if (repair)
            store.Layers.RemoveHalfMade();
        return new CheckResult(_findings, records.Count + damaged.Count, blobs.Count, layers.Count);
    }

    private void CheckBlob(Digest digest)
    {
        if (!deep || Intact(digest))
            return;
        _findings.Add($"blob {digest}: its content is not what its digest says");
        if (repair)
            store.Blobs.Remove(digest);
    }

    private bool Intact(Digest digest)
    {
        using var file = store.Blobs.Open(digest);
        using var hash = digest.NewHash();
        var buffer = GC.AllocateUninitializedArray<byte>(1 << 20);
        for (int n; (n = Files.Read(file.Number, buffer, digest.ToString())) > 0;)
            hash.AppendData(buffer, 0, n);
        return digest.Is(hash.GetHashAndReset());
    }

    private void CheckRecord(ImageRecord record, Dictionary<Digest, (Digest, Descriptor)> chains)
    {
        try
        {
            var layers = ImageDocuments.Manifest(store, record).Layers ?? [];
            var image = ImageDocuments.Image(store, record);
            var chain = ImageDocuments.ChainIds(image);
            if (chain.Length != layers.Count)
                throw new ImageException($"{layers.Count} layers, but {chain.Length} in the configuration");
            if (store.Blobs.Size(Digest.Parse(record.Target!.Digest)) is null)
                throw new ImageException($"blob {record.Target.Digest} is missing");
            for (var i = 0; i < chain.Length; i++)
            {
                chains[chain[i]] = (Digest.Parse(image.Rootfs!.DiffIds![i]), layers[i]);
                if (!store.Blobs.Contains(layers[i]))
                    throw new ImageException($"blob {layers[i].Digest} is missing");
                if (!store.Layers.Contains(chain[i]))
                    throw new ImageException($"layer {chain[i]} is missing");
            }
        }
        catch (ImageException e)
        {
            _findings.Add($"image {record.Name}: {e.Message}");
            if (repair)
                store.Images.Remove(record.Name!);
        }
    }

    private void CheckLayer(Digest chainId, Dictionary<Digest, (Digest DiffId, Descriptor Blob)> chains)
    {
        var record = store.Layers.Find(chainId);
        var wrong = record is null ? "layer.json cannot be read"
            : chains.TryGetValue(chainId, out var known) && record.DiffId != known.DiffId.ToString() ? $"it is of {record.DiffId}, the image says {known.DiffId}"
            : null;
        if (wrong is null)
            return;
        _findings.Add($"layer {chainId}: {wrong}");
        if (repair)
            store.Layers.Remove(chainId);
    }
}
