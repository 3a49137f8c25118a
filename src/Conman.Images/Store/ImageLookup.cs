// Finding images by what people type: a name, a name and a digest, an id or its first digits.

using Conman.Images.References;

namespace Conman.Images.Store;

/// <summary>An image as a user sees it: every record that stands for the same id.</summary>
/// <param name="Records">By name; never empty.</param>
/// <param name="Named">The one whose name was asked for; null where it was the id.</param>
public sealed record FoundImage(List<ImageRecord> Records, ImageRecord? Named)
{
    public ImageRecord Record => Named ?? Records[0];

    public Digest Id => Record.Id;
}

public static class ImageLookup
{
    /// <summary>The image that a text names; null if there is none.</summary>
    /// <exception cref="ImageException">Several images' ids begin so.</exception>
    public static FoundImage? Find(ImageStore store, string text)
    {
        List<ImageRecord> all = store.Images.All();
        if (ImageReference.TryParse(text, out var reference) && ByName(all, reference) is { } named)
            return new FoundImage(all.FindAll(r => r.Config!.Digest == named.Config!.Digest), named);
        var hex = text.StartsWith("sha256:", StringComparison.Ordinal) ? text[7..] : text;
        if (hex.Length == 0 || hex.AsSpan().ContainsAnyExcept("0123456789abcdef"))
            return null;
        var byId = all.FindAll(r => r.Id.Hex.StartsWith(hex, StringComparison.Ordinal));
        if (byId.Select(r => r.Id).Distinct().Count() > 1)
            throw new ImageException($"{text} is the beginning of several images' ids: give more of it");
        return byId.Count == 0 ? null : new FoundImage(byId, null);
    }

    /// <summary>As <see cref="Find"/>, for who needs one record only: a name leads straight to its own.</summary>
    public static ImageRecord? FindRecord(ImageStore store, string text) =>
        (ImageReference.TryParse(text, out var plain) && plain.Digest is null ? store.Images.Find($"{plain.Name}:{plain.Tag ?? "latest"}") : null) ?? Find(store, text)?.Record;

    private static ImageRecord? ByName(List<ImageRecord> all, ImageReference reference)
    {
        // A digest may be that of the index, of the manifest, or, as Docker allows, of a tagged image of the repository.
        if (reference.Digest is { } digest)
            return all.Find(r => r.Repository == reference.Name && (r.Target!.Digest == digest.ToString() || r.Manifest!.Digest == digest.ToString()));
        return all.Find(r => r.Name == $"{reference.Name}:{reference.Tag ?? "latest"}");
    }
}
