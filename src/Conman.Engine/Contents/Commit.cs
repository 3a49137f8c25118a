// commit: an image from what a container has written, on top of the image that it was made from.
//
// The new layer is an archive without a name, and unpacked under one that counts for nothing, until both are on the disk; the record, which makes
// an image of it, comes last. Who is killed before leaves what the next removal of anything takes away.

using Conman.Engine.Life;
using Conman.Engine.Settings;
using Conman.Engine.Store;
using Conman.Images;
using Conman.Images.Building;
using Conman.Images.Compression;
using Conman.Images.Layers;
using Conman.Images.Store;
using Conman.Images.Transfer;
using Conman.Linux;
using Conman.Oci.ImageSpec;
using ContainerStatus = Conman.Engine.Store.ContainerStatus;

namespace Conman.Engine.Contents;

/// <summary>What the image is to be.</summary>
public sealed record CommitSettings
{
    /// <summary>Its canonical name with a tag; null: none.</summary>
    public string? Name { get; init; }

    public string? Author { get; init; }

    /// <summary>Stands in its history.</summary>
    public string? Message { get; init; }

    /// <summary>Instructions of a Dockerfile that change its configuration.</summary>
    public IReadOnlyList<string> Changes { get; init; } = [];

    /// <summary>The container stands still while its files are read.</summary>
    public bool Pause { get; init; } = true;

    /// <summary>All in one layer, with no image below.</summary>
    public bool Squash { get; init; }
}

public static class Commit
{
    /// <summary>Makes an image of a locked container.</summary>
    public static ImageRecord Run(ContainerEngine engine, Container container, CommitSettings settings)
    {
        var record = container.NeedRecord();
        var images = engine.Images;
        var alone = settings.Squash || record.Rootfs is not null;
        var parent = alone && record.Rootfs is not null ? null : images.Images.All().Find(r => r.Id.ToString() == record.ImageId);
        if (parent is null && !alone)
            throw new EngineException($"cannot commit container {container.ShortId}: its image {record.ImageName ?? record.ImageId} is not here any more: use --squash");
        using var lease = parent is null ? null : Lease(images, parent);
        var image = parent is null ? new Image { Os = Platforms.Host.Os, Architecture = Platforms.Host.Architecture, Variant = Platforms.Host.Variant } : ImageDocuments.Image(images, parent);
        var blobs = parent is null || alone ? [] : new List<Descriptor>(ImageDocuments.Manifest(images, parent).Layers ?? []);
        var below = parent is null || alone ? [] : ImageDocuments.ChainIds(image);
        if (alone)
            (image.Rootfs, image.History) = (null, null);

        image.Config = Configuration(record.Config!);
        var changes = new ConfigChanges(image.Config);
        foreach (var change in settings.Changes)
            changes.Apply(change);
        (image.Created, image.Author) = (ImageRecord.Now, settings.Author);
        var history = new History { Created = image.Created, CreatedBy = string.Join(' ', record.Config!.Cmd ?? []), Author = settings.Author, Comment = settings.Message };
        (image.History ??= []).Add(history);
        image.Rootfs ??= new RootFs { Type = "layers" };

        using var archive = images.Blobs.Begin();
        history.EmptyLayer = !Pack(engine, container, settings, alone, archive);
        using var layer = history.EmptyLayer ? null : NewLayer.Add(images, archive, below, new LayerUnpacker().Unpack);
        if (layer is not null)
        {
            blobs.Add(layer.Blob);
            (image.Rootfs.DiffIds ??= []).Add(layer.DiffId.ToString());
        }
        var made = NewImage.Record(images, settings.Name, image, blobs, (alone ? 0 : parent?.Size ?? 0) + (layer?.Size ?? 0));
        engine.Tell(container, "commit", ("imageID", made.Id.ToString()), ("comment", settings.Message ?? ""));
        return made;
    }

    // False: there is nothing to make a layer of.
    private static bool Pack(ContainerEngine engine, Container container, CommitSettings settings, bool alone, NewBlob archive)
    {
        var pause = settings.Pause && container.Status(() => Stopping.IsFrozen(engine, container.Id)) == ContainerStatus.Running;
        if (pause)
            Stopping.Freeze(engine, container, true, briefly: true);
        try
        {
            using var compressed = Decompression.Compress(archive.OpenWriter(), CompressionKind.Gzip, level: 1);
            if (container.Record!.Rootfs is { } rootfs)
            {
                using var tree = Files.Open(rootfs, OpenFlags.ReadOnly | Files.Directory);
                return LayerPacker.PackMerged([tree], compressed, isLive: true) > 0;
            }
            using var layers = ContainerLayers.Open(engine, container);
            return (alone ? LayerPacker.PackMerged(layers, compressed, isLive: true) : LayerPacker.PackLayer(layers[0], compressed, ContainerLayers.IsMountPoint)) > 0;
        }
        finally
        {
            if (pause)
                Stopping.Freeze(engine, container, false);
        }
    }

    private static Lease Lease(ImageStore images, ImageRecord record)
    {
        var used = new HashSet<string>(StringComparer.Ordinal);
        Removal.AddTo(used, images, record);
        return images.Leases.Take(used.Select(Digest.Parse));
    }

    // What an image can say of a container.
    private static ImageConfig Configuration(ContainerConfig config) => new()
    {
        User = config.User is { Length: > 0 } user ? user : null,
        ExposedPorts = config.ExposedPorts,
        Env = config.Env,
        Entrypoint = config.Entrypoint,
        Cmd = config.Cmd,
        Volumes = config.Volumes,
        WorkingDir = config.WorkingDir is { Length: > 0 } folder ? folder : null,
        Labels = config.Labels,
        StopSignal = config.StopSignal is { Length: > 0 } signal ? signal : null,
        Healthcheck = config.Healthcheck,
        OnBuild = config.OnBuild,
        Shell = config.Shell,
    };
}
