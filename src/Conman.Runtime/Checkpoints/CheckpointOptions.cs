// What callers of `checkpoint` and `restore` may ask of CRIU.

namespace Conman.Runtime.Checkpoints;

/// <summary>How cgroups are treated (criu_cg_mode of CRIU's rpc.proto).</summary>
public enum CgroupsMode
{
    Ignore = 0,
    Soft = 3,
    Full = 4,
    Strict = 5,
}

/// <summary>The options that both commands share, and those of one.</summary>
public sealed class CheckpointOptions
{
    /// <summary>The folder of the image.</summary>
    public required string ImagePath { get; init; }

    /// <summary>The folder of logs and of what CRIU needs meanwhile.</summary>
    public required string WorkPath { get; init; }

    /// <summary>An earlier image, relative to this one, of which this one keeps only the difference.</summary>
    public string? ParentPath { get; init; }
    public bool LeaveRunning { get; init; }
    public bool TcpEstablished { get; init; }
    public bool TcpSkipInFlight { get; init; }

    /// <summary>Restored TCP connections are closed.</summary>
    public bool TcpClose { get; init; }

    /// <summary>How packets are kept away meanwhile; null: CRIU's own choice, iptables.</summary>
    public NetworkLock? NetworkLock { get; init; }
    public bool LinkRemap { get; init; }
    public bool ExternalUnixSockets { get; init; }
    public bool ShellJob { get; init; }
    public bool LazyPages { get; init; }
    public bool FileLocks { get; init; }
    public bool AutoDedup { get; init; }

    /// <summary>Only the memory, while the container runs on: the parent of a later image.</summary>
    public bool PreDump { get; init; }

    /// <summary>Where memory goes instead of the image.</summary>
    public (string Address, int Port)? PageServer { get; init; }

    /// <summary>A descriptor of this process that gets a byte once a lazy restore can begin.</summary>
    public int? StatusDescriptor { get; init; }

    /// <summary>Null: CRIU's own choice, soft.</summary>
    public CgroupsMode? Cgroups { get; init; }

    /// <summary>Kinds of namespaces (CLONE_NEW*) that are restored empty: the network, to be filled by hooks.</summary>
    public ulong EmptyNamespaces { get; init; }

    /// <summary>The labels that AppArmor or SELinux restore with, as CRIU writes them.</summary>
    public string? LsmProfile { get; init; }
    public string? LsmMountContext { get; init; }
}

/// <summary>criu_network_lock_method of CRIU's rpc.proto.</summary>
public enum NetworkLock
{
    Iptables = 1,
    Nftables = 2,
    Skip = 3,
}
