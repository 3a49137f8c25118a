// container.json: everything that was asked for when a container was created. With the image's layers it is all that a start needs.

using Conman.Engine.Pods;
using Conman.Engine.Settings;
using Conman.Engine.Volumes;
using Conman.Oci;

namespace Conman.Engine.Store;

/// <summary>The record of a container. What becomes of it later is in <see cref="StoredState"/>, and what it is doing now only the kernel knows.</summary>
[OciObject]
public sealed partial class StoredContainer
{
    /// <summary>64 hexadecimal digits.</summary>
    public string? Id { get; set; }

    /// <summary>Without a slash before it.</summary>
    public string? Name { get; set; }

    /// <summary>When it was created, RFC 3339 with nanoseconds, in UTC.</summary>
    public string? Created { get; set; }

    /// <summary>The image's digest; null for a root file system of the user's own.</summary>
    public string? ImageId { get; set; }

    /// <summary>The name that the image had, canonical; null where it had none.</summary>
    public string? ImageName { get; set; }

    /// <summary>Chain ids of the image's layers, the lowest first; null for a root file system of the user's own.</summary>
    public List<string>? Layers { get; set; }

    /// <summary>A folder of the host in place of an image (<c>--rootfs</c>), absolute.</summary>
    public string? Rootfs { get; set; }

    /// <summary>The id of the pod that it belongs to; null: none.</summary>
    public string? Pod { get; set; }

    /// <summary>It runs nothing, and holds a pod together; null: it does not.</summary>
    public StoredPod? Holds { get; set; }

    /// <summary>The anonymous volumes that were made for it and go with it.</summary>
    public List<string>? OwnVolumes { get; set; }

    /// <summary>Binds and volumes, settled; null: none.</summary>
    public List<MountPoint>? Mounts { get; set; }

    public ContainerConfig? Config { get; set; }

    public HostConfig? HostConfig { get; set; }

    /// <summary>What is asked of the networks that it is in; null: of the one that <see cref="Settings.HostConfig.NetworkMode"/> names, nothing besides.</summary>
    public NetworkingConfig? Networking { get; set; }
}
