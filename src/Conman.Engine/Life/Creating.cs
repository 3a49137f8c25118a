// create: a container's folder, its name and its record. Nothing runs, and nothing is mounted.

using Conman.Engine.Pods;
using Conman.Engine.Rootfs;
using Conman.Engine.Settings;
using Conman.Engine.Store;
using Conman.Engine.Volumes;
using Conman.Images;
using Conman.Images.Store;
using Conman.Linux;

namespace Conman.Engine.Life;

/// <summary>What a container is to be.</summary>
public sealed record CreateRequest
{
    /// <summary>Null: any.</summary>
    public string? Name { get; init; }

    /// <summary>A folder of the host in place of an image, absolute.</summary>
    public string? Rootfs { get; init; }

    /// <summary>What is asked for; completed from the image.</summary>
    public required ContainerConfig Config { get; init; }

    public required HostConfig HostConfig { get; init; }

    /// <summary>What is asked of networks; null: nothing.</summary>
    public NetworkingConfig? Networking { get; init; }

    /// <summary>The id of a pod; null: none.</summary>
    public string? Pod { get; init; }

    /// <summary>It is what holds a pod together, with no image and no program; null: it is not.</summary>
    public StoredPod? Holds { get; init; }
}

/// <summary>There is no such image here.</summary>
public sealed class NoSuchImageException(string text) : EngineException($"no such image: {text}");

public static class Creating
{
    /// <summary>Makes a container, locked.</summary>
    /// <exception cref="NoSuchImageException">The image is not here.</exception>
    public static Container Create(ContainerEngine engine, CreateRequest request)
    {
        var record = new StoredContainer
        {
            Id = ContainerNames.NewId(),
            Created = Time.Now,
            Rootfs = request.Rootfs,
            Pod = request.Pod,
            Holds = request.Holds,
            Config = request.Config,
            HostConfig = request.HostConfig,
            Networking = request.Networking,
        };
        // From here until the record names the image's layers nobody removes them.
        var ofImage = request.Rootfs is null && request.Holds is null;
        using var shared = ofImage || request.HostConfig.Mounts?.Exists(m => m.Type == "image") is true ? engine.Images.Leases.Share() : null;
        if (ofImage)
            TakeImage(engine.Images, record);
        else if (request.Holds is not null)
            record.Layers = [];
        if (request.Holds is null && record.Config.Entrypoint is not { Count: > 0 } && record.Config.Cmd is not { Count: > 0 })
            throw new EngineException("no command specified: neither the image nor the command line has one");

        RefuseMissing(engine, record);
        var container = Make(engine, record, request.Name);
        try
        {
            if (record.Rootfs is null)
                RootFileSystem.Prepare(container, engine.Images);
            engine.Tell(container, "create");
            return container;
        }
        catch
        {
            engine.Containers.Remove(container);
            container.Dispose();
            throw;
        }
    }

    // A container is not made that could never start.
    private static void RefuseMissing(ContainerEngine engine, StoredContainer record)
    {
        var host = record.HostConfig!;
        if (host.NetworkMode is "" or "default")
            host.NetworkMode = "bridge";
        SettingsRules.CheckNetworks(engine.Networks, host, record.Networking);
    }

    private static void TakeImage(ImageStore images, StoredContainer record)
    {
        var found = ImageLookup.FindRecord(images, record.Config!.Image) ?? throw new NoSuchImageException(record.Config.Image);
        var image = ImageDocuments.Image(images, found);
        ImageDefaults.Apply(record.Config, image.Config);
        record.ImageId = found.Id.ToString();
        record.ImageName = found.Name;
        var layers = new List<string>(image.Rootfs?.DiffIds?.Count ?? 0);
        foreach (var chainId in images.Layers.Visible(ImageDocuments.ChainIds(image)))
        {
            if (!images.Layers.Contains(chainId))
                throw new EngineException($"image {record.Config.Image} is damaged: layer {chainId} is missing: run 'conman image check --repair'");
            layers.Add(chainId.ToString());
        }
        record.Layers = layers;
    }

    private static Container Make(ContainerEngine engine, StoredContainer record, string? name)
    {
        // Of the few thousand pairs of words one may be taken; digits of the id make any name free.
        record.Name = name?.TrimStart('/') ?? ContainerNames.NewName();
        if (name is null && engine.Containers.TryResolve(record.Name) is not null)
            record.Name += "_" + record.Id![..6];
        try
        {
            return engine.Containers.Create(record, () => VolumeMounts.Settle(engine, record));
        }
        catch
        {
            VolumeUsers.RemoveOwn(engine, record.Id!);
            throw;
        }
    }
}
