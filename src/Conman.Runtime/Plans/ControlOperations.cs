// Where the new process stops, goes on, and changes namespaces.

using Conman.Linux;

namespace Conman.Runtime.Plans;

/// <summary>The points at which the new process waits for the runtime.</summary>
public enum SyncPoint
{
    /// <summary>In its new user namespace, which needs id maps.</summary>
    IdMaps,

    /// <summary>A new process has gone on in place of the first.</summary>
    Reborn,

    /// <summary>In its new time namespace, which needs offsets.</summary>
    TimeOffsets,

    /// <summary>It holds a new file system, which the runtime fills, or looks at, before it is mounted.</summary>
    Held,

    /// <summary>It holds a tree that was copied from its own mounts, which the runtime prepares before it is mounted.</summary>
    Copied,

    /// <summary>In its network namespace, into which interfaces are to be moved.</summary>
    NetDevices,

    /// <summary>In its root, of which Landlock is to allow parts.</summary>
    Landlock,

    /// <summary>Everything is mounted, the host is still visible: hooks run.</summary>
    Hooks,

    /// <summary>Done but for the program.</summary>
    Ready,

    /// <summary>Done but for the program, and nobody will say "start": startContainer hooks run.</summary>
    StartHooks,
}

/// <summary>Reports a point and waits until the runtime has done its part.</summary>
public sealed record Sync(SyncPoint Point) : Operation
{
    /// <summary>The file system of <see cref="SyncPoint.Held"/>.</summary>
    public MountFileSystem? Mount { get; init; }

    /// <summary>The tree of <see cref="SyncPoint.Copied"/>.</summary>
    public HostTree? Tree { get; init; }

    public override string Describe() => Point switch
    {
        SyncPoint.IdMaps => "wait until the runtime has written the id maps of the user namespace",
        SyncPoint.Reborn => "wait until the runtime knows this process",
        SyncPoint.TimeOffsets => "wait until the runtime has written the clock offsets of the time namespace",
        SyncPoint.Held when Mount is { CopyUp: true } => $"wait until the runtime has copied what is in {Mount.Path}",
        SyncPoint.Held => "wait until the runtime has recorded it",
        SyncPoint.Copied => "wait until the runtime has set its attributes",
        SyncPoint.NetDevices => "wait until the runtime has moved the network devices here",
        SyncPoint.Landlock => "wait until the runtime has added the rules of the Landlock ruleset",
        SyncPoint.Hooks => "wait until the runtime has run the prestart, createRuntime and createContainer hooks",
        SyncPoint.StartHooks => "wait until the runtime has run the startContainer hooks",
        _ => "tell the runtime that the container is created, and wait until it has been recorded",
    };

    internal override void Encode(PlanEncoder encoder) => encoder.Add(PlanCode.Sync);
}

/// <summary>Waits until the runtime has recorded the container, without telling it anything.</summary>
public sealed record Gate : Operation
{
    public override string Describe() => "wait until the runtime has recorded the container";

    internal override void Encode(PlanEncoder encoder) => encoder.Add(PlanCode.Gate);
}

/// <summary>Waits for <c>start</c>.</summary>
public sealed record AwaitStart(HostHandle Listener) : Operation
{
    public override string Describe() => "wait for start";

    internal override void Encode(PlanEncoder encoder) => encoder.Add(PlanCode.Await, Listener.Descriptor);
}

/// <summary>Goes on as a new process, a sibling, in new namespaces.</summary>
public sealed record ContinueIn(Namespaces New) : Operation
{
    public override string Describe() => New == 0 ? "go on as a new process" : $"go on as a new process in new {Words.List(New)} namespaces";

    internal override void Encode(PlanEncoder encoder) => encoder.Add(PlanCode.Fork, x0: (ulong)New);
}

/// <summary>setns(2).</summary>
public sealed record JoinNamespace(HostNamespace Namespace) : Operation
{
    public override string Describe() => $"join the {Words.Namespace(Namespace.Type)} namespace {Namespace.Path}";

    internal override void Encode(PlanEncoder encoder) =>
        encoder.Call(SyscallNumbers.setns, (ulong)Namespace.Descriptor, (ulong)Namespace.Type);
}

/// <summary>
/// Joins a cgroup. On v1 its own thread, by 0 in the file <c>tasks</c>: the kernel then need not stop the others of the host from forking, as it
/// must when a process is moved by number. The process has only this thread.
/// </summary>
/// <param name="Tasks">That file, or <c>cgroup.procs</c> of cgroup v2.</param>
/// <param name="Which">The cgroup in words.</param>
public sealed record JoinCgroup(HostHandle Tasks, string Which) : Operation
{
    public static JoinCgroup OfHierarchy(HostHandle tasks, string name) => new(tasks, $"the cgroup of the {name} hierarchy");

    public override string Describe() => "join " + Which;

    internal override void Encode(PlanEncoder encoder) => encoder.CallWith("0"u8, SyscallNumbers.write, 0b10, (ulong)Tasks.Descriptor, 0, 1);
}

/// <summary>setns(2) with a pidfd: into the namespaces of a running process, all at once.</summary>
public sealed record JoinProcess(HostHandle Process, Namespaces Types) : Operation
{
    public override string Describe() => $"join the {Words.List(Types)} namespaces of {Process.Describe()}";

    internal override void Encode(PlanEncoder encoder) => encoder.Call(SyscallNumbers.setns, (ulong)Process.Descriptor, (ulong)Types);
}

/// <summary>unshare(2) of a namespace that a process can only enter by itself.</summary>
public sealed record NewNamespace(Namespaces Type) : Operation
{
    public override string Describe() => $"enter a new {Words.Namespace(Type)} namespace";

    internal override void Encode(PlanEncoder encoder) => encoder.Call(SyscallNumbers.unshare, (ulong)Type);
}

/// <summary>Enters the time namespace made before, now that its clocks are set: only then may a process be in it (time_namespaces(7)).</summary>
public sealed record EnterTimeNamespace : Operation
{
    public override string Describe() => "enter the new time namespace";

    internal override void Encode(PlanEncoder encoder)
    {
        encoder.CallWith("/proc/self/ns/time_for_children\0"u8, SyscallNumbers.openat, 0b10, unchecked((ulong)Files.CurrentDirectory), 0,
            (ulong)(OpenFlags.ReadOnly | OpenFlags.CloseOnExec), into: PlanEncoder.Hold);
        encoder.CallWith([], SyscallNumbers.setns, PlanEncoder.HeldFirst, 0, (ulong)Namespaces.Time);
        encoder.CloseHeld();
    }
}

/// <summary>Takes root's ids of a user namespace, all of them, as its first process must.</summary>
public sealed record BecomeRoot : Operation
{
    public override string Describe() => "become root of the user namespace";

    internal override void Encode(PlanEncoder encoder)
    {
        encoder.Call(SyscallNumbers.setresgid);
        encoder.Call(SyscallNumbers.setresuid);
    }
}

/// <summary>setsid(2).</summary>
public sealed record NewSession : Operation
{
    public override string Describe() => "begin a new session";

    internal override void Encode(PlanEncoder encoder) => encoder.Call(SyscallNumbers.setsid, forgive: Errno.EPERM);
}

/// <summary>prctl(PR_SET_PDEATHSIG): killed when the runtime ends. One that ended before this is met at the next <see cref="Sync"/>.</summary>
public sealed record DieWithRuntime : Operation
{
    public override string Describe() => "be killed when the runtime ends";

    internal override void Encode(PlanEncoder encoder) => encoder.Call(SyscallNumbers.prctl, 1 /* PR_SET_PDEATHSIG */, (ulong)Signals.SIGKILL);
}

/// <summary>prctl(PR_SET_DUMPABLE, 1): an ordinary user's runtime may go on looking at a process that has changed its ids (proc(5), ptrace(2)).</summary>
public sealed record ShowToRuntime : Operation
{
    public override string Describe() => "stay within reach of the runtime (dumpable)";

    internal override void Encode(PlanEncoder encoder) => encoder.Call(SyscallNumbers.prctl, 4 /* PR_SET_DUMPABLE */, 1);
}

/// <summary>prctl(PR_SET_DUMPABLE, 0): a process of the container that sees this one must not reach into it.</summary>
public sealed record HideFromContainer : Operation
{
    public override string Describe() => "be out of reach of the container's processes (not dumpable)";

    internal override void Encode(PlanEncoder encoder) => encoder.Call(SyscallNumbers.prctl, 4 /* PR_SET_DUMPABLE */);
}
