// mounts: what is mounted where (runtime-spec config.md, "Mounts").

namespace Conman.Oci.RuntimeSpec;

/// <summary>One mount.</summary>
[OciObject]
public sealed partial class Mount
{
    /// <summary>Where, in the container.</summary>
    public string? Destination { get; set; }

    /// <summary>File system type; <c>bind</c> or absent for a bind mount.</summary>
    public string? Type { get; set; }

    /// <summary>A path of the host (relative to the bundle) for a bind mount; else a name.</summary>
    public string? Source { get; set; }

    /// <summary>Options as of mount(8).</summary>
    public List<string>? Options { get; set; }

    /// <summary>User ids of the mount's files, mapped.</summary>
    public List<IdMapping>? UidMappings { get; set; }

    /// <summary>Group ids of the mount's files, mapped.</summary>
    public List<IdMapping>? GidMappings { get; set; }
}

/// <summary>A range of ids (user_namespaces(7)).</summary>
[OciObject]
public sealed partial class IdMapping
{
    /// <summary>First id inside.</summary>
    public uint ContainerID { get; set; }

    /// <summary>First id outside.</summary>
    public uint HostID { get; set; }

    /// <summary>How many.</summary>
    public uint Size { get; set; }
}
