// An image's configuration (image-spec config.md), with the members that Docker adds.

namespace Conman.Oci.ImageSpec;

/// <summary>How to run an image, and what its layers are once unpacked. Its digest is the image's id.</summary>
[OciObject]
public sealed partial class Image
{
    /// <summary>RFC 3339.</summary>
    public string? Created { get; set; }

    public string? Author { get; set; }

    [OciRequired]
    public string? Architecture { get; set; }

    [OciRequired]
    public string? Os { get; set; }

    [OciName("os.version")]
    public string? OsVersion { get; set; }

    [OciName("os.features")]
    public List<string>? OsFeatures { get; set; }

    public string? Variant { get; set; }

    public ImageConfig? Config { get; set; }

    public RootFs? Rootfs { get; set; }

    public List<History>? History { get; set; }
}

/// <summary>What a container of the image starts from (member names as Docker's).</summary>
[OciObject]
public sealed partial class ImageConfig
{
    [OciName("User")]
    public string? User { get; set; }

    /// <summary>Keys such as <c>80/tcp</c>.</summary>
    [OciName("ExposedPorts")]
    public Dictionary<string, Nothing>? ExposedPorts { get; set; }

    [OciName("Env")]
    public List<string>? Env { get; set; }

    [OciName("Entrypoint")]
    public List<string>? Entrypoint { get; set; }

    [OciName("Cmd")]
    public List<string>? Cmd { get; set; }

    [OciName("Volumes")]
    public Dictionary<string, Nothing>? Volumes { get; set; }

    [OciName("WorkingDir")]
    public string? WorkingDir { get; set; }

    [OciName("Labels")]
    public Dictionary<string, string>? Labels { get; set; }

    [OciName("StopSignal")]
    public string? StopSignal { get; set; }

    [OciName("ArgsEscaped")]
    public bool ArgsEscaped { get; set; }

    [OciName("Healthcheck")]
    public Healthcheck? Healthcheck { get; set; }

    [OciName("OnBuild")]
    public List<string>? OnBuild { get; set; }

    [OciName("Shell")]
    public List<string>? Shell { get; set; }
}

/// <summary>Docker's health check; times in nanoseconds.</summary>
[OciObject]
public sealed partial class Healthcheck
{
    /// <summary><c>NONE</c>, or <c>CMD</c> or <c>CMD-SHELL</c> and what follows it.</summary>
    [OciName("Test")]
    public List<string>? Test { get; set; }

    [OciName("Interval")]
    public long? Interval { get; set; }

    [OciName("Timeout")]
    public long? Timeout { get; set; }

    [OciName("StartPeriod")]
    public long? StartPeriod { get; set; }

    [OciName("StartInterval")]
    public long? StartInterval { get; set; }

    [OciName("Retries")]
    public int? Retries { get; set; }
}

/// <summary>The layers by the digests of their uncompressed archives.</summary>
[OciObject]
public sealed partial class RootFs
{
    /// <summary><c>layers</c>.</summary>
    public string? Type { get; set; }

    /// <summary>The lowest first.</summary>
    [OciName("diff_ids")]
    public List<string>? DiffIds { get; set; }
}

/// <summary>How a layer came to be.</summary>
[OciObject]
public sealed partial class History
{
    public string? Created { get; set; }

    [OciName("created_by")]
    public string? CreatedBy { get; set; }

    public string? Author { get; set; }

    public string? Comment { get; set; }

    /// <summary>There is no layer for this step.</summary>
    [OciName("empty_layer")]
    public bool EmptyLayer { get; set; }
}

/// <summary>The empty object that stands for "in the set".</summary>
[OciObject]
public sealed partial class Nothing;
