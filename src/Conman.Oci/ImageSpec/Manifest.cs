// Manifests and indexes (image-spec manifest.md, image-index.md; Docker's schema 2 has the same members under other media types).

namespace Conman.Oci.ImageSpec;

/// <summary>One image for one platform: its configuration and its layers, the lowest first.</summary>
[OciObject]
public sealed partial class Manifest
{
    /// <summary>2.</summary>
    public int SchemaVersion { get; set; }

    public string? MediaType { get; set; }

    /// <summary>What an artifact is; null for an image.</summary>
    public string? ArtifactType { get; set; }

    public Descriptor? Config { get; set; }

    public List<Descriptor>? Layers { get; set; }

    /// <summary>The manifest that this one says something about.</summary>
    public Descriptor? Subject { get; set; }

    public Dictionary<string, string>? Annotations { get; set; }
}

/// <summary>A list of manifests: one image for several platforms, a layout's content, or what refers to a subject.</summary>
[OciObject]
public sealed partial class ImageIndex
{
    /// <summary>2.</summary>
    public int SchemaVersion { get; set; }

    public string? MediaType { get; set; }

    public string? ArtifactType { get; set; }

    public List<Descriptor>? Manifests { get; set; }

    public Descriptor? Subject { get; set; }

    public Dictionary<string, string>? Annotations { get; set; }
}

/// <summary>The file <c>oci-layout</c> (image-spec image-layout.md).</summary>
[OciObject]
public sealed partial class ImageLayout
{
    /// <summary><c>1.0.0</c>.</summary>
    public string? ImageLayoutVersion { get; set; }
}
