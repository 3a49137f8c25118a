// config.json: the whole document (runtime-spec config.md).

namespace Conman.Oci.RuntimeSpec;

/// <summary>config.json of a bundle.</summary>
[OciObject]
public sealed partial class Spec
{
    /// <summary>Version of runtime-spec that the bundle follows, semantic versioning.</summary>
    public string? OciVersion { get; set; }

    /// <summary>The container's program and what it runs as.</summary>
    public Process? Process { get; set; }

    /// <summary>The root file system.</summary>
    public Root? Root { get; set; }

    /// <summary>Host name in the container's UTS namespace.</summary>
    public string? Hostname { get; set; }

    /// <summary>NIS domain name in the container's UTS namespace.</summary>
    public string? Domainname { get; set; }

    /// <summary>Mounts, in the order in which they are made.</summary>
    public List<Mount>? Mounts { get; set; }

    /// <summary>Programs to run at points of the container's life.</summary>
    public Hooks? Hooks { get; set; }

    /// <summary>Metadata; names should be in reverse domain notation.</summary>
    public Dictionary<string, string>? Annotations { get; set; }

    /// <summary>What only Linux has.</summary>
    public Linux? Linux { get; set; }
}

/// <summary><c>root</c>: the root file system.</summary>
[OciObject]
public sealed partial class Root
{
    /// <summary>Absolute, or relative to the bundle.</summary>
    public string? Path { get; set; }

    /// <summary>The container cannot write to it.</summary>
    public bool Readonly { get; set; }
}
