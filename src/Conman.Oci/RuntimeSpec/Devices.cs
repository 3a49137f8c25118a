// linux.devices and linux.resources.devices (runtime-spec config-linux.md, "Devices").

namespace Conman.Oci.RuntimeSpec;

/// <summary>A device to be made.</summary>
[OciObject]
public sealed partial class Device
{
    /// <summary>c, u, b or p.</summary>
    public string? Type { get; set; }

    /// <summary>Where, in the container.</summary>
    public string? Path { get; set; }

    /// <summary>Major number.</summary>
    public long Major { get; set; }

    /// <summary>Minor number.</summary>
    public long Minor { get; set; }

    /// <summary>Permission bits.</summary>
    public uint? FileMode { get; set; }

    /// <summary>Owner.</summary>
    public uint? Uid { get; set; }

    /// <summary>Group.</summary>
    public uint? Gid { get; set; }
}

/// <summary>A rule on which devices may be opened; a later one overrides an earlier one.</summary>
[OciObject]
public sealed partial class DeviceCgroup
{
    /// <summary>Allowed, or denied.</summary>
    [OciRequired]
    public bool Allow { get; set; }

    /// <summary>a (all), c or b.</summary>
    public string? Type { get; set; }

    /// <summary>Major number; absent or -1: any.</summary>
    public long? Major { get; set; }

    /// <summary>Minor number; absent or -1: any.</summary>
    public long? Minor { get; set; }

    /// <summary>Of r, w, m.</summary>
    public string? Access { get; set; }
}
