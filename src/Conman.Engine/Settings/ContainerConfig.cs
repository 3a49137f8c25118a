// What a container is asked to run, wherever it runs: "Config" in Docker's inspect.

using Conman.Oci;
using Conman.Oci.ImageSpec;

namespace Conman.Engine.Settings;

/// <summary>The portable half of a container's settings, in the shape of Docker's API. Null or empty: of the image, or the default.</summary>
[OciObject(Docker = true)]
public sealed partial class ContainerConfig
{
    /// <summary>Host name; empty: the first 12 digits of the id.</summary>
    public string Hostname { get; set; } = "";

    /// <summary>NIS domain name.</summary>
    public string Domainname { get; set; } = "";

    /// <summary>User, by name or number, and perhaps a group: <c>user[:group]</c>. Empty: root.</summary>
    public string User { get; set; } = "";

    public bool AttachStdin { get; set; }

    public bool AttachStdout { get; set; }

    public bool AttachStderr { get; set; }

    /// <summary>Keys such as <c>80/tcp</c>.</summary>
    public Dictionary<string, Nothing>? ExposedPorts { get; set; }

    /// <summary>It has a terminal.</summary>
    public bool Tty { get; set; }

    /// <summary>Its standard input is open, though nobody is attached.</summary>
    public bool OpenStdin { get; set; }

    /// <summary>Its standard input ends with the first client that was attached to it.</summary>
    public bool StdinOnce { get; set; }

    /// <summary>NAME=VALUE.</summary>
    public List<string>? Env { get; set; }

    /// <summary>Arguments of the entrypoint, or the program where there is none.</summary>
    public List<string>? Cmd { get; set; }

    public Healthcheck? Healthcheck { get; set; }

    /// <summary>The image as it was asked for.</summary>
    public string Image { get; set; } = "";

    /// <summary>Where anonymous volumes are mounted.</summary>
    public Dictionary<string, Nothing>? Volumes { get; set; }

    /// <summary>Working directory; empty: the root.</summary>
    public string WorkingDir { get; set; } = "";

    public List<string>? Entrypoint { get; set; }

    public bool NetworkDisabled { get; set; }

    public string MacAddress { get; set; } = "";

    public List<string>? OnBuild { get; set; }

    public Dictionary<string, string>? Labels { get; set; }

    /// <summary>A name or number; empty: SIGTERM.</summary>
    public string StopSignal { get; set; } = "";

    /// <summary>Seconds between the stop signal and SIGKILL; null: 10.</summary>
    public int? StopTimeout { get; set; }

    /// <summary>What runs the shell form of a health check; null: <c>/bin/sh -c</c>.</summary>
    public List<string>? Shell { get; set; }

    // What Docker has no name for: Podman's.

    /// <summary>Seconds after which the container is killed; 0: never.</summary>
    public long Timeout { get; set; }

    /// <summary>Octal; empty: 0022.</summary>
    public string Umask { get; set; } = "";

    /// <summary>A file below the host's zoneinfo, or <c>local</c>; empty: as in the image.</summary>
    public string Timezone { get; set; } = "";

    /// <summary>Secrets that the container gets.</summary>
    public List<SecretUse>? Secrets { get; set; }

    /// <summary>What happens when the container becomes unhealthy: none, kill, restart or stop; empty: none.</summary>
    public string HealthcheckOnFailureAction { get; set; } = "";
}

/// <summary>A secret, and how a container gets it.</summary>
[OciObject(Docker = true)]
public sealed partial class SecretUse
{
    /// <summary>The secret's name.</summary>
    public string Name { get; set; } = "";

    /// <summary><c>env</c>, or empty: a file.</summary>
    public string Type { get; set; } = "";

    /// <summary>The file, relative to /run/secrets, or the variable; empty: the name.</summary>
    public string Target { get; set; } = "";

    /// <summary>Owner of the file.</summary>
    public uint UID { get; set; }

    /// <summary>Group of the file.</summary>
    public uint GID { get; set; }

    /// <summary>Permission bits of the file; null: 0444.</summary>
    public uint? Mode { get; set; }
}
