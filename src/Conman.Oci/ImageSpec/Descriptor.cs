// What points at content: its media type, digest and size (image-spec descriptor.md).

namespace Conman.Oci.ImageSpec;

/// <summary>A reference to content by its digest.</summary>
[OciObject]
public sealed partial class Descriptor
{
    /// <summary>What the content is; see <see cref="MediaTypes"/>.</summary>
    public string? MediaType { get; set; }

    /// <summary><c>sha256:…</c> or <c>sha512:…</c>.</summary>
    public string? Digest { get; set; }

    /// <summary>Bytes.</summary>
    public long Size { get; set; }

    /// <summary>Where else the content may be had.</summary>
    public List<string>? Urls { get; set; }

    public Dictionary<string, string>? Annotations { get; set; }

    /// <summary>The content itself, in base64, if it is small.</summary>
    public string? Data { get; set; }

    /// <summary>What an artifact is.</summary>
    public string? ArtifactType { get; set; }

    /// <summary>Of a manifest in an index: what it runs on.</summary>
    public Platform? Platform { get; set; }
}

/// <summary>What an image runs on (image-spec image-index.md; names as Go has them).</summary>
[OciObject]
public sealed partial class Platform
{
    /// <summary><c>amd64</c>, <c>arm64</c>, …</summary>
    public string? Architecture { get; set; }

    /// <summary><c>linux</c>.</summary>
    public string? Os { get; set; }

    [OciName("os.version")]
    public string? OsVersion { get; set; }

    [OciName("os.features")]
    public List<string>? OsFeatures { get; set; }

    /// <summary>Of the architecture: <c>v7</c>, <c>v8</c>.</summary>
    public string? Variant { get; set; }
}
