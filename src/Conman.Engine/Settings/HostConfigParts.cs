// The parts of HostConfig that have members of their own.

using Conman.Oci;

namespace Conman.Engine.Settings;

/// <summary>Where the output goes.</summary>
[OciObject(Docker = true)]
public sealed partial class LogConfig
{
    /// <summary>json-file, k8s-file, journald or none; empty: json-file.</summary>
    public string Type { get; set; } = "";

    public Dictionary<string, string>? Config { get; set; }
}

/// <summary>A port of the host.</summary>
[OciObject(Docker = true)]
public sealed partial class PortBinding
{
    /// <summary>Empty: all addresses.</summary>
    public string HostIp { get; set; } = "";

    /// <summary>A port or a range; empty: any free one.</summary>
    public string HostPort { get; set; } = "";
}

/// <summary>What happens when the container has ended.</summary>
[OciObject(Docker = true)]
public sealed partial class RestartPolicy
{
    /// <summary>no, always, unless-stopped or on-failure; empty: no.</summary>
    public string Name { get; set; } = "";

    /// <summary>Of on-failure; 0: without end.</summary>
    public int MaximumRetryCount { get; set; }
}

/// <summary>Weight of a block device.</summary>
[OciObject(Docker = true)]
public sealed partial class DeviceWeight
{
    public string Path { get; set; } = "";

    /// <summary>10 to 1000.</summary>
    public ushort Weight { get; set; }
}

/// <summary>Limit of a block device.</summary>
[OciObject(Docker = true)]
public sealed partial class DeviceRate
{
    public string Path { get; set; } = "";

    /// <summary>Bytes or operations a second.</summary>
    public ulong Rate { get; set; }
}

/// <summary>A device of the host.</summary>
[OciObject(Docker = true)]
public sealed partial class DeviceMapping
{
    public string PathOnHost { get; set; } = "";

    public string PathInContainer { get; set; } = "";

    /// <summary>Of r, w, m.</summary>
    public string CgroupPermissions { get; set; } = "";
}

/// <summary>A limit of getrlimit(2).</summary>
[OciObject(Docker = true)]
public sealed partial class Ulimit
{
    /// <summary>Such as <c>nofile</c>.</summary>
    public string Name { get; set; } = "";

    /// <summary>-1: no limit.</summary>
    public long Hard { get; set; }

    /// <summary>-1: no limit.</summary>
    public long Soft { get; set; }
}

/// <summary>What <c>--mount</c> asks for.</summary>
[OciObject(Docker = true)]
public sealed partial class MountSetting
{
    /// <summary>bind, volume, tmpfs or image.</summary>
    public string Type { get; set; } = "";

    /// <summary>A path of the host, a volume's name, or an image; empty for an anonymous volume.</summary>
    public string Source { get; set; } = "";

    public string Target { get; set; } = "";

    public bool ReadOnly { get; set; }

    public BindOptions? BindOptions { get; set; }

    public VolumeOptions? VolumeOptions { get; set; }

    public TmpfsOptions? TmpfsOptions { get; set; }

    public ImageOptions? ImageOptions { get; set; }
}

[OciObject(Docker = true)]
public sealed partial class BindOptions
{
    /// <summary>private, rprivate, shared, rshared, slave or rslave; empty: rprivate.</summary>
    public string Propagation { get; set; } = "";

    /// <summary>Without the mounts below it.</summary>
    public bool NonRecursive { get; set; }

    /// <summary>The folder of the host is made if it is not there.</summary>
    public bool CreateMountpoint { get; set; }

    /// <summary>Read-only, but not the mounts below it.</summary>
    public bool ReadOnlyNonRecursive { get; set; }

    /// <summary>Read-only with all below it, or not at all.</summary>
    public bool ReadOnlyForceRecursive { get; set; }
}

[OciObject(Docker = true)]
public sealed partial class VolumeOptions
{
    /// <summary>The image's files are not copied into a new volume.</summary>
    public bool NoCopy { get; set; }

    public Dictionary<string, string>? Labels { get; set; }

    /// <summary>A folder of the volume that is mounted in place of the whole.</summary>
    public string Subpath { get; set; } = "";

    public VolumeDriver? DriverConfig { get; set; }
}

[OciObject(Docker = true)]
public sealed partial class VolumeDriver
{
    public string Name { get; set; } = "";

    public Dictionary<string, string>? Options { get; set; }
}

[OciObject(Docker = true)]
public sealed partial class TmpfsOptions
{
    /// <summary>0: no limit of its own.</summary>
    public long SizeBytes { get; set; }

    /// <summary>Permission bits; null: 1777.</summary>
    public uint? Mode { get; set; }
}

[OciObject(Docker = true)]
public sealed partial class ImageOptions
{
    public string Subpath { get; set; } = "";
}
