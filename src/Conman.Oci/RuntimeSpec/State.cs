// The state of a container (runtime-spec runtime.md, "State").

namespace Conman.Oci.RuntimeSpec;

/// <summary>What <c>state</c> prints and hooks read.</summary>
[OciObject]
public sealed partial class State
{
    /// <summary>Version of runtime-spec.</summary>
    public string? OciVersion { get; set; }

    /// <summary>The container's id.</summary>
    public string? Id { get; set; }

    /// <summary>creating, created, running or stopped.</summary>
    public string? Status { get; set; }

    /// <summary>The first process; 0 if there is none.</summary>
    public int Pid { get; set; }

    /// <summary>The bundle's absolute path.</summary>
    public string? Bundle { get; set; }

    /// <summary>Those of the spec.</summary>
    public Dictionary<string, string>? Annotations { get; set; }
}

/// <summary>What a seccomp listener gets with its descriptors (runtime-spec config-linux.md, "The Container Process State").</summary>
[OciObject]
public sealed partial class ContainerProcessState
{
    /// <summary>Version of runtime-spec.</summary>
    public string? OciVersion { get; set; }

    /// <summary>What each descriptor is.</summary>
    public List<string>? Fds { get; set; }

    /// <summary>The process.</summary>
    public int Pid { get; set; }

    /// <summary>linux.seccomp.listenerMetadata.</summary>
    public string? Metadata { get; set; }

    /// <summary>The container's state.</summary>
    public State? State { get; set; }
}
