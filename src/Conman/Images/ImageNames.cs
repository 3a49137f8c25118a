// Giving names to images and taking them: what tag, untag and rmi do to records.

using Conman.CommandLine;
using Conman.Images;
using Conman.Images.References;
using Conman.Images.Store;

namespace Conman;

internal static class ImageNames
{
    /// <summary>A canonical name with a tag, from what was typed.</summary>
    public static string Tagged(string text)
    {
        var reference = ImageReference.Parse(text);
        if (reference.Digest is not null)
            throw new ImageException($"cannot name an image {text}: a digest is not given but found");
        return $"{reference.Name}:{reference.Tag ?? "latest"}";
    }

    public static Lease Lease(ImageStore store, ImageRecord record)
    {
        var used = new HashSet<string>(StringComparer.Ordinal);
        Removal.AddTo(used, store, record);
        return store.Leases.Take(used.Select(Digest.Parse));
    }

    /// <summary>Writes a record under another name.</summary>
    public static void Give(ImageStore store, ImageRecord like, string name) => store.Images.Write(new ImageRecord
    {
        Name = name,
        Target = like.Target,
        Manifest = like.Manifest,
        Config = like.Config,
        Created = like.Created,
        Size = like.Size,
        Platform = like.Platform,
        // Where the registry has it under this digest is known of the old repository only.
        Pulled = like.Pulled && name.StartsWith(like.Repository + ":", StringComparison.Ordinal),
        Tagged = ImageRecord.Now,
    });

    /// <summary>Sees to it that an image has a name left when it loses these.</summary>
    public static void Keep(ImageStore store, FoundImage found, List<string> names)
    {
        if (found.Records.Exists(r => !names.Contains(r.Name!)))
            return;
        var record = found.Record;
        Give(store, record, $"{(record.Pulled ? record.Repository : "<none>")}@{record.Target!.Digest}");
    }

    /// <summary>What rmi does to one word: a tag loses its record; an id, or the last tag, all of the image's.</summary>
    public static void Untag(ImageStore store, FoundImage found, bool force)
    {
        var tags = found.Records.Where(r => r.Tag is not null).ToList();
        List<ImageRecord> gone;
        if (found.Named is { Tag: not null } named && tags.Count > 1)
        {
            gone = [named];
        }
        else
        {
            if (found.Named is null && !force && found.Records.Select(r => r.Repository).Distinct().Count() > 1)
                throw new ImageException($"cannot remove image {found.Id.Short}: it has names in several repositories ({string.Join(", ", ImageView.Tags(found.Records))}): remove them by name, or use --force");
            gone = found.Records;
            if (store.Uses().FirstOrDefault(use => use.Image == found.Id) is { } use)
            {
                if (!force || use.IsRunning)
                    throw new ImageException($"cannot remove image {found.Id.Short}: container {use.Container} {(use.IsRunning ? "runs on" : "was made from")} it: remove that first{(use.IsRunning ? "" : ", or use --force to take only the image's names")}");
                Keep(store, found, [.. gone.Select(r => r.Name!)]);
            }
        }
        var digests = gone.Count == found.Records.Count ? ImageView.Digests(gone).ToList() : [];
        foreach (var record in gone)
        {
            if (store.Images.Remove(record.Name!) && record.Tag is not null)
                Output.Write($"Untagged: {ImageView.Familiar(record.Name!)}\n");
        }
        foreach (var digest in digests)
            Output.Write($"Untagged: {digest}\n");
    }
}
