// process: the program, its environment, ids, capabilities and limits (runtime-spec config.md, "Process").

namespace Conman.Oci.RuntimeSpec;

/// <summary><c>process</c>: what is executed, and as whom.</summary>
[OciObject]
public sealed partial class Process
{
    /// <summary>It gets a terminal of its own.</summary>
    public bool Terminal { get; set; }

    /// <summary>The terminal's size in characters; ignored without a terminal.</summary>
    public Box? ConsoleSize { get; set; }

    /// <summary>The user it runs as.</summary>
    public User? User { get; set; }

    /// <summary>Program and arguments.</summary>
    public List<string>? Args { get; set; }

    /// <summary>Of Windows.</summary>
    public string? CommandLine { get; set; }

    /// <summary>NAME=VALUE.</summary>
    public List<string>? Env { get; set; }

    /// <summary>Working directory, absolute in the container.</summary>
    public string? Cwd { get; set; }

    /// <summary>The five sets (capabilities(7)).</summary>
    public Capabilities? Capabilities { get; set; }

    /// <summary>Resource limits (getrlimit(2)).</summary>
    public List<Rlimit>? Rlimits { get; set; }

    /// <summary>No execution may gain privileges (prctl(2), PR_SET_NO_NEW_PRIVS).</summary>
    public bool NoNewPrivileges { get; set; }

    /// <summary>AppArmor profile.</summary>
    public string? ApparmorProfile { get; set; }

    /// <summary>-1000 to 1000 (proc(5), oom_score_adj).</summary>
    public int? OomScoreAdj { get; set; }

    /// <summary>Scheduling policy (sched_setattr(2)).</summary>
    public Scheduler? Scheduler { get; set; }

    /// <summary>SELinux label.</summary>
    public string? SelinuxLabel { get; set; }

    /// <summary>I/O priority (ioprio_set(2)).</summary>
    public IoPriority? IoPriority { get; set; }

    /// <summary>CPUs of a process that is executed in the container later.</summary>
    public ExecCpuAffinity? ExecCPUAffinity { get; set; }
}

/// <summary>A size in characters.</summary>
[OciObject]
public sealed partial class Box
{
    /// <summary>Rows.</summary>
    public uint Height { get; set; }

    /// <summary>Columns.</summary>
    public uint Width { get; set; }
}

/// <summary><c>process.user</c>: numeric ids in the container.</summary>
[OciObject]
public sealed partial class User
{
    /// <summary>User id.</summary>
    public uint Uid { get; set; }

    /// <summary>Group id.</summary>
    public uint Gid { get; set; }

    /// <summary>File mode creation mask (umask(2)).</summary>
    public uint? Umask { get; set; }

    /// <summary>Additional groups.</summary>
    public List<uint>? AdditionalGids { get; set; }

    /// <summary>Of Windows.</summary>
    public string? Username { get; set; }
}

/// <summary><c>process.capabilities</c>: names such as <c>CAP_KILL</c>.</summary>
[OciObject]
public sealed partial class Capabilities
{
    /// <summary>What can never be exceeded.</summary>
    public List<string>? Bounding { get; set; }

    /// <summary>What is checked.</summary>
    public List<string>? Effective { get; set; }

    /// <summary>What is kept across an execution, with the file's consent.</summary>
    public List<string>? Inheritable { get; set; }

    /// <summary>What may become effective.</summary>
    public List<string>? Permitted { get; set; }

    /// <summary>What is kept across an execution by itself.</summary>
    public List<string>? Ambient { get; set; }
}

/// <summary>One resource limit.</summary>
[OciObject]
public sealed partial class Rlimit
{
    /// <summary>E.g. <c>RLIMIT_NOFILE</c>.</summary>
    public string? Type { get; set; }

    /// <summary>The ceiling.</summary>
    public ulong Hard { get; set; }

    /// <summary>What is enforced.</summary>
    public ulong Soft { get; set; }
}

/// <summary><c>process.scheduler</c> (sched_setattr(2)).</summary>
[OciObject]
public sealed partial class Scheduler
{
    /// <summary>E.g. <c>SCHED_BATCH</c>.</summary>
    public string? Policy { get; set; }

    /// <summary>-20 to 19.</summary>
    public int? Nice { get; set; }

    /// <summary>Static priority of a real-time policy.</summary>
    public int? Priority { get; set; }

    /// <summary>E.g. <c>SCHED_FLAG_RESET_ON_FORK</c>.</summary>
    public List<string>? Flags { get; set; }

    /// <summary>Nanoseconds, for SCHED_DEADLINE.</summary>
    public ulong? Runtime { get; set; }

    /// <summary>Nanoseconds, for SCHED_DEADLINE.</summary>
    public ulong? Deadline { get; set; }

    /// <summary>Nanoseconds, for SCHED_DEADLINE.</summary>
    public ulong? Period { get; set; }
}

/// <summary><c>process.ioPriority</c>.</summary>
[OciObject]
public sealed partial class IoPriority
{
    /// <summary>E.g. <c>IOPRIO_CLASS_BE</c>.</summary>
    public string? Class { get; set; }

    /// <summary>0 (first) to 7.</summary>
    public int Priority { get; set; }
}

/// <summary><c>process.execCPUAffinity</c>: lists such as <c>0-3,7</c>.</summary>
[OciObject]
public sealed partial class ExecCpuAffinity
{
    /// <summary>Before the process enters the container's cgroup.</summary>
    public string? Initial { get; set; }

    /// <summary>Afterwards.</summary>
    public string? Final { get; set; }
}
