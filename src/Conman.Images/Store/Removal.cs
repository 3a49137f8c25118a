// Removal: what no record and no lease refers to goes. There are no counters that could be wrong: what is used is found out each time.

using Conman.Linux;

namespace Conman.Images.Store;

/// <summary>What was removed.</summary>
/// <param name="Blobs">Blobs, by digest.</param>
/// <param name="Layers">Unpacked layers, by chain id.</param>
/// <param name="Freed">What they took on the disk.</param>
/// <param name="Kept">Why nothing was removed, where that is so.</param>
public sealed record Removed(List<Digest> Blobs, List<Digest> Layers, DiskUse Freed, string? Kept = null);

/// <summary>Mark and sweep over the store.</summary>
public static class Removal
{
    // A download that was cut is worth going on with for so long, seconds.
    private const long PartialLifetime = 24 * 3600;

    /// <summary>Removes what nothing refers to.</summary>
    /// <param name="partial">Unfinished downloads too, however young.</param>
    public static Removed Collect(ImageStore store, bool partial = false)
    {
        using var exclusive = store.Leases.LockStore();
        var removed = new Removed([], [], default);
        var used = new HashSet<string>(StringComparer.Ordinal);
        var damaged = new List<string>();
        try
        {
            foreach (var record in store.Images.All(damaged))
                AddTo(used, store, record);
        }
        catch (ImageException e)
        {
            return removed with { Kept = e.Message };
        }
        if (damaged.Count > 0)
            return removed with { Kept = $"the record images/{damaged[0]} is damaged: run 'conman image check --repair'" };
        store.Leases.AddTo(used);
        foreach (var use in store.Uses())
            used.UnionWith([use.Image.ToString(), .. use.Layers.Select(layer => layer.ToString())]);

        store.Layers.RemoveHalfMade();
        store.Images.RemoveHalfWritten();
        foreach (var chainId in store.Layers.All().Where(id => !used.Contains(id.ToString())).ToList())
        {
            removed = removed with { Freed = removed.Freed + Trees.Measure(store.Layers.Folder.Number, chainId.Hex) };
            store.Layers.Remove(chainId);
            removed.Layers.Add(chainId);
        }
        foreach (var digest in store.Blobs.All().Where(d => !used.Contains(d.ToString())).ToList())
        {
            removed = removed with { Freed = removed.Freed + Trees.Measure(store.Blobs.Folder(digest).Number, digest.Hex) };
            store.Blobs.Remove(digest);
            removed.Blobs.Add(digest);
        }
        return removed with { Freed = removed.Freed + RemovePartial(store, partial) };
    }

    /// <summary>Everything that an image consists of: documents, blobs and chain ids.</summary>
    public static void AddTo(HashSet<string> used, ImageStore store, ImageRecord record)
    {
        used.Add(record.Target!.Digest!);
        used.Add(record.Manifest!.Digest!);
        used.Add(record.Config!.Digest!);
        foreach (var layer in ImageDocuments.Manifest(store, record).Layers ?? [])
            used.Add(layer.Digest ?? "");
        foreach (var chainId in ImageDocuments.ChainIds(ImageDocuments.Image(store, record)))
            used.Add(chainId.ToString());
    }

    private static DiskUse RemovePartial(ImageStore store, bool all)
    {
        var freed = default(DiskUse);
        using var reading = Files.Open(".", OpenFlags.ReadOnly | Files.Directory, store.Blobs.Ingest.Number);
        foreach (var name in Files.List(reading, "ingest"))
        {
            using var file = Files.TryOpen(name, OpenFlags.ReadOnly | Files.NoFollow, out _, store.Blobs.Ingest.Number);
            if (file is null || !Files.Lock(file, wait: false, name))
                continue;
            if (!all && DateTimeOffset.UtcNow.ToUnixTimeSeconds() - Storage.Modified(file) < PartialLifetime)
                continue;
            freed += Trees.Measure(store.Blobs.Ingest.Number, name);
            Files.TryUnlink(name, store.Blobs.Ingest.Number);
        }
        return freed;
    }
}
