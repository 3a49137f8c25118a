// What the store takes on the disk, as du(1) counts it, and how much of that a prune of all unused images would give back.

using Conman.Linux;

namespace Conman.Images.Store;

/// <summary>Counted: images and unfinished downloads.</summary>
/// <param name="Total">All of the store but what is mounted in it.</param>
/// <param name="Partial">Unfinished downloads.</param>
/// <param name="Reclaimable">What only images have that no container uses, what nothing has, and unfinished downloads.</param>
public sealed record StoreUse(int Images, int ActiveImages, int Downloads, DiskUse Total, DiskUse Partial, DiskUse Reclaimable)
{
    public static StoreUse Measure(ImageStore store)
    {
        var uses = store.Uses().ToList();
        var active = uses.Select(use => use.Image).ToHashSet();
        var kept = new HashSet<string>(uses.SelectMany(use => use.Layers).Concat(active).Select(digest => digest.ToString()));
        var records = store.Images.All([]);
        foreach (var record in records.Where(r => active.Contains(r.Id)))
            Removal.AddTo(kept, store, record);
        var total = Of(store, "blobs") + Of(store, "layers") + Of(store, "images") + Of(store, "leases") + Of(store, "ingest");
        using var ingest = Files.Open("ingest", OpenFlags.ReadOnly | Files.Directory, store.Root.Number);
        var downloads = Files.List(ingest, "ingest");
        var partial = downloads.Aggregate(default(DiskUse), (sum, name) => sum + Of(store, "ingest/" + name));
        var reclaimable = partial;
        foreach (var chainId in store.Layers.All().Where(id => !kept.Contains(id.ToString())))
            reclaimable += Of(store, "layers/" + chainId.Hex);
        foreach (var digest in store.Blobs.All().Where(d => !kept.Contains(d.ToString())))
            reclaimable += Of(store, digest.BlobPath);
        return new StoreUse(records.DistinctBy(r => r.Id).Count(), records.DistinctBy(r => r.Id).Count(r => active.Contains(r.Id)), downloads.Count, total, partial, reclaimable);
    }

    /// <summary>What each image takes, bytes: what no other has, and what it shares.</summary>
    public static Dictionary<Digest, (long Own, long Shared)> OfImages(ImageStore store)
    {
        var parts = new Dictionary<Digest, HashSet<string>>();
        foreach (var record in store.Images.All())
            Removal.AddTo(parts.TryGetValue(record.Id, out var known) ? known : parts[record.Id] = [], store, record);
        var holders = parts.Values.SelectMany(p => p).CountBy(part => part).ToDictionary();
        var sizes = holders.Keys.ToDictionary(part => part, part => Digest.Parse(part) is var digest
            ? (Of(store, "layers/" + digest.Hex) + Of(store, digest.BlobPath)).Bytes : 0);
        return parts.ToDictionary(p => p.Key, p => (p.Value.Where(part => holders[part] == 1).Sum(part => sizes[part]), p.Value.Where(part => holders[part] > 1).Sum(part => sizes[part])));
    }

    private static DiskUse Of(ImageStore store, string path) => Trees.Measure(store.Root.Number, path);
}
