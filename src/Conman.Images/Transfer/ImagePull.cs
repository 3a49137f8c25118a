// A pull: documents first, then every layer at once, each downloaded, hashed, unpacked and stored in one go; the record last.
//
// Killed at any moment, it leaves blobs that are whole, layers that are whole, and downloads that the next pull goes on with. An image's record is
// written when everything that it names is on the disk.

using Conman.Images.Store;
using Conman.Oci;
using Conman.Oci.ImageSpec;

namespace Conman.Images.Transfer;

/// <summary>Takes images from a source into the store.</summary>
public sealed class ImagePull(ImageStore store, IImageSource source, UnpackLayer unpack, ITransferProgress progress)
{
    /// <summary>An index in an index in an index is no deeper than this.</summary>
    public const int DeepestIndex = 4;

    /// <summary>Layers on their way at a time: enough to keep the network and every core at work.</summary>
    private static readonly int Parallel = Math.Clamp(Environment.ProcessorCount + 1, 3, 8);

    /// <summary>Pulls an image and records it under a name.</summary>
    /// <param name="name">The canonical reference.</param>
    /// <param name="platform">What it is to run on; null: this machine, and an image for another one is taken too where there is no choice.</param>
    /// <param name="fromRegistry">The name is that of a registry, which has the image under its digest too.</param>
    /// <returns>The record, and whether there was something to do.</returns>
    public (ImageRecord Record, bool Newer) Run(string name, Platform? platform, bool fromRegistry)
    {
        if (store.Images.Find(name) is { } known && source.CurrentDigest() is { } current && known.Target!.Digest == current.ToString() && Complete(known, platform))
            return (known, false);
        var root = source.Root();
        var manifest = Choose(root, platform ?? Platforms.Host, 0);
        var document = Read(manifest, Manifest.Parse);
        if (document.Config is not { Digest: not null } config || document.ArtifactType is not null || config.MediaType is not (MediaTypes.Config or MediaTypes.DockerConfig))
            throw new ImageException($"{name} is no image but an artifact ({document.ArtifactType ?? document.Config?.MediaType ?? "of no type"})");
        var layers = document.Layers ?? [];
        foreach (var layer in layers)
            Check(layer, name);

        // From here on nobody may remove what this relies on.
        using var lease = store.Leases.Take([Digest.Parse(root.Descriptor.Digest), Digest.Parse(manifest.Descriptor.Digest), Digest.Parse(config.Digest), .. layers.Select(l => Digest.Parse(l.Digest))]);
        Fetch(config);
        var image = Read(new Document(config, store.Blobs.ReadDocument(config)), Image.Parse);
        var runsOn = new Platform { Os = image.Os, Architecture = image.Architecture, Variant = image.Variant };
        if (platform is not null && !Platforms.Matches(runsOn, platform))
            throw new ImageException($"{name} is for {Platforms.Format(runsOn)}, not for {Platforms.Format(platform)}");
        var diffIds = (image.Rootfs?.DiffIds ?? []).ConvertAll(Digest.Parse);
        if (diffIds.Count != layers.Count)
            throw new ImageException($"{name} has {layers.Count} layers, but its configuration lists {diffIds.Count}");
        var chain = LayerStore.ChainIds(diffIds);
        using var chainLease = store.Leases.Take(chain);
        new LayerTransfers(store, source, unpack, progress, layers, diffIds, chain).Run(Parallel);

        store.Blobs.Write(manifest.Descriptor, manifest.Content);
        store.Blobs.Write(root.Descriptor, root.Content);
        var record = new ImageRecord
        {
            Name = name,
            Target = Bare(root.Descriptor),
            Manifest = Bare(manifest.Descriptor),
            Config = Bare(config),
            Created = image.Created,
            Size = chain.Sum(id => store.Layers.Find(id)?.Size ?? 0),
            Platform = Platforms.Format(runsOn),
            Pulled = fromRegistry,
            Tagged = ImageRecord.Now,
        };
        var newer = store.Images.Find(name)?.Config?.Digest != record.Config!.Digest;
        store.Images.Write(record);
        return (record, newer);
    }

    /// <summary>Follows indexes to the manifest for a platform.</summary>
    private Document Choose(Document document, Platform platform, int depth)
    {
        BlobStore.Verify(document.Descriptor, document.Content);
        var type = document.Descriptor.MediaType;
        if (MediaTypes.IsManifest(type))
        {
            CheckType(document, Read(document, Manifest.Parse).MediaType);
            return document;
        }
        if (!MediaTypes.IsIndex(type))
            throw new ImageException($"{document.Descriptor.Digest} has the media type {type}, which is no image's");
        if (depth == DeepestIndex)
            throw new ImageException($"{document.Descriptor.Digest} is an index within {DeepestIndex} others: that is too deep");
        var index = Read(document, ImageIndex.Parse);
        CheckType(document, index.MediaType);
        var choices = index.Manifests ?? [];
        var chosen = Platforms.Choose(choices, platform)
            // An index without platforms, as layouts have it, with one image.
            ?? (choices is [{ Platform: null } only] ? only : null)
            ?? throw new ImageException($"there is no image for {Platforms.Format(platform)}: there are "
                + string.Join(", ", choices.Where(c => c.Platform is { Os: not "unknown" }).Select(c => Platforms.Format(c.Platform!)).Distinct()));
        return Choose(new Document(chosen, source.Manifest(chosen)), platform, depth + 1);
    }

    // A document that is one thing by its descriptor and another by what it says is taken for neither.
    private static void CheckType(Document document, string? says)
    {
        if (says is not null && says != document.Descriptor.MediaType)
            throw new ImageException($"{document.Descriptor.Digest} says that it is {says}, and came as {document.Descriptor.MediaType}");
    }

    private static void Check(Descriptor layer, string name)
    {
        _ = Digest.Parse(layer.Digest);
        if (!MediaTypes.IsLayer(layer.MediaType))
            throw new ImageException($"{name} has a layer of the media type {layer.MediaType}, which cannot be unpacked");
        if (layer.Size < 0)
            throw new ImageException($"{name} has a layer of {layer.Size} bytes");
    }

    private void Fetch(Descriptor config)
    {
        if (config.Size is < 0 or > BlobStore.LongestDocument)
            throw new ImageException($"the configuration has {config.Size} bytes: the limit is {BlobStore.LongestDocument}");
        if (config.Digest is null)
            throw new ImageException("the manifest names no configuration");
        using var blob = store.Blobs.Begin(config);
        if (blob is null)
            return;
        blob.Restart();
        source.Download(config, blob);
        blob.Commit();
    }

    // Whether all of an image is there, for the platform that is asked for.
    private bool Complete(ImageRecord record, Platform? platform)
    {
        if (platform is not null && (record.Platform is null || !Platforms.Matches(Platforms.Parse(record.Platform), platform)))
            return false;
        try
        {
            return (ImageDocuments.Manifest(store, record).Layers ?? []).TrueForAll(store.Blobs.Contains)
                && ImageDocuments.ChainIds(ImageDocuments.Image(store, record)).All(store.Layers.Contains);
        }
        catch (ImageException)
        {
            return false;
        }
    }

    private static T Read<T>(Document document, Parser<T> parse)
    {
        try
        {
            return parse(document.Content);
        }
        catch (OciFormatException e)
        {
            throw new ImageException($"{document.Descriptor.Digest} is damaged: {e.Message}", e);
        }
    }

    private delegate T Parser<T>(ReadOnlySpan<byte> json);

    private static Descriptor Bare(Descriptor descriptor) => new() { MediaType = descriptor.MediaType, Digest = descriptor.Digest, Size = descriptor.Size };
}
