// hooks: programs run at points of the container's life (runtime-spec config.md, "POSIX-platform Hooks").

namespace Conman.Oci.RuntimeSpec;

/// <summary><c>hooks</c>, by the point at which they run.</summary>
[OciObject]
public sealed partial class Hooks
{
    /// <summary>Deprecated: as createRuntime, before it.</summary>
    public List<Hook>? Prestart { get; set; }

    /// <summary>After the namespaces are made, before pivot_root; on the host.</summary>
    public List<Hook>? CreateRuntime { get; set; }

    /// <summary>As createRuntime, but in the container's namespaces.</summary>
    public List<Hook>? CreateContainer { get; set; }

    /// <summary>Before the program is executed; in the container.</summary>
    public List<Hook>? StartContainer { get; set; }

    /// <summary>After the program was started; on the host.</summary>
    public List<Hook>? Poststart { get; set; }

    /// <summary>After the container was deleted; on the host.</summary>
    public List<Hook>? Poststop { get; set; }
}

/// <summary>One program.</summary>
[OciObject]
public sealed partial class Hook
{
    /// <summary>Absolute.</summary>
    public string? Path { get; set; }

    /// <summary>As of execv(3), the first is the name.</summary>
    public List<string>? Args { get; set; }

    /// <summary>NAME=VALUE.</summary>
    public List<string>? Env { get; set; }

    /// <summary>Seconds until it is killed.</summary>
    public int? Timeout { get; set; }
}
