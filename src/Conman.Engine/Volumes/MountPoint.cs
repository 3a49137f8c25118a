// What is mounted into a container besides what every container has: an entry of "Mounts" in Docker's inspect, and of the record.

using Conman.Oci;

namespace Conman.Engine.Volumes;

/// <summary>A bind, a volume or an image whose source is settled.</summary>
[OciObject(Docker = true)]
public sealed partial class MountPoint
{
    /// <summary>bind, volume or image.</summary>
    public string Type { get; set; } = "";

    /// <summary>Of a volume.</summary>
    public string Name { get; set; } = "";

    /// <summary>A path of the host.</summary>
    public string Source { get; set; } = "";

    /// <summary>Where, in the container.</summary>
    public string Destination { get; set; } = "";

    /// <summary><c>local</c>, of a volume.</summary>
    public string Driver { get; set; } = "";

    /// <summary>The options as they were written.</summary>
    public string Mode { get; set; } = "";

    /// <summary>It can be written to.</summary>
    public bool RW { get; set; }

    public string Propagation { get; set; } = "";

    // What Docker's has no place for.

    /// <summary>Further options for the runtime.</summary>
    public List<string>? Options { get; set; }

    /// <summary>The image's id.</summary>
    public string Image { get; set; } = "";

    /// <summary>Chain ids of the image's layers, the lowest first.</summary>
    public List<string>? Layers { get; set; }

    /// <summary>A folder of the volume or image in place of the whole.</summary>
    public string Subpath { get; set; } = "";

    /// <summary>The image's files are not copied into a new volume.</summary>
    public bool NoCopy { get; set; }
}
