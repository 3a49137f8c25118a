// What the new process becomes: its names, limits, ids, capabilities, filter, and at last the program.

using System.Buffers.Binary;
using System.Text;
using Conman.Linux;

namespace Conman.Runtime.Plans;

/// <summary>sethostname(2) or setdomainname(2).</summary>
public sealed record SetName(string Name, bool Domain) : Operation
{
    public override string Describe() => $"set the {(Domain ? "domain name" : "host name")} to {Name}";

    internal override void Encode(PlanEncoder encoder) => encoder.CallWith(
        Encoding.UTF8.GetBytes(Name), Domain ? SyscallNumbers.setdomainname : SyscallNumbers.sethostname, 1, 0, (ulong)Encoding.UTF8.GetByteCount(Name));
}

/// <summary>Brings up the loopback interface of a new network namespace.</summary>
public sealed record LoopbackUp : Operation
{
    public override string Describe() => "bring up the loopback interface";

    internal override void Encode(PlanEncoder encoder)
    {
        Span<byte> request = stackalloc byte[40]; // struct ifreq (netdevice(7))
        request.Clear();
        "lo"u8.CopyTo(request);
        request[16] = 1; // IFF_UP
        encoder.Call(SyscallNumbers.socket, 2 /* AF_INET */, 2 /* SOCK_DGRAM */ | (ulong)OpenFlags.CloseOnExec, into: PlanEncoder.Hold);
        encoder.CallWith(request, SyscallNumbers.ioctl, PlanEncoder.HeldFirst | 0b100, 0, 0x8914 /* SIOCSIFFLAGS */);
        encoder.CloseHeld();
    }
}

/// <summary>keyctl(KEYCTL_JOIN_SESSION_KEYRING): the host's session keys stay with the host.</summary>
public sealed record NewKeyring(string Name) : Operation
{
    public override string Describe() => $"take a new session keyring {Name}";

    internal override void Encode(PlanEncoder encoder) =>
        encoder.CallWith(Encoding.UTF8.GetBytes(Name + "\0"), SyscallNumbers.keyctl, 2, 1 /* KEYCTL_JOIN_SESSION_KEYRING */, 0, forgive: Errno.ENOSYS);
}

/// <summary>Opens a terminal of the container's devpts; the master goes to whoever listens.</summary>
public sealed record OpenConsole(HostHandle Receiver, bool Bind, uint Rows, uint Columns, uint Uid) : Operation
{
    public override string Describe() => "open a terminal" + (Bind ? ", put it on /dev/console" : "") + ", and send its master to the console socket"
        + (Rows != 0 || Columns != 0 ? $" ({Rows} rows, {Columns} columns)" : "");

    internal override void Encode(PlanEncoder encoder) =>
        encoder.Add(PlanCode.Console, Receiver.Descriptor, Bind ? 1 : 0, (int)Rows, (int)Columns, x0: Uid);
}

/// <summary>
/// fchown(2) of standard streams: the program may open them again by name (/dev/stdout), as the permissions of a pipe are its owner's. Where
/// that cannot be (a read-only file system, an owner without a number in the user namespace), the program has what it was given.
/// </summary>
public sealed record OwnStreams(IReadOnlyList<int> Streams, uint Uid) : Operation
{
    public override string Describe() => $"give the standard streams ({string.Join(", ", Streams)}) to user {Uid}";

    internal override void Encode(PlanEncoder encoder)
    {
        foreach (var stream in Streams)
            encoder.Call(SyscallNumbers.fchown, (ulong)stream, Uid, uint.MaxValue, forgive: PlanEncoder.ForgiveAll);
    }
}

/// <summary>Makes the terminal standard input, output and error, and the controlling one.</summary>
public sealed record TakeTerminal : Operation
{
    public override string Describe() => "make the terminal standard input, output and error";

    internal override void Encode(PlanEncoder encoder) => encoder.Add(PlanCode.Terminal);
}

/// <summary>prlimit(2) on itself.</summary>
public sealed record SetLimit(string Name, int Resource, ulong Soft, ulong Hard) : Operation
{
    public override string Describe() =>
        $"set the limit {Name} to {Number(Soft)}" + (Hard == Soft ? "" : Hard == ulong.MaxValue ? " (may be raised without limit)" : $" (may be raised to {Hard})");

    internal override void Encode(PlanEncoder encoder)
    {
        Span<byte> limits = stackalloc byte[16];
        BinaryPrimitives.WriteUInt64LittleEndian(limits, Soft);
        BinaryPrimitives.WriteUInt64LittleEndian(limits[8..], Hard);
        encoder.CallWith(limits, SyscallNumbers.prlimit64, 0b100, 0, (ulong)Resource);
    }

    private static string Number(ulong limit) => limit == ulong.MaxValue ? "unlimited" : limit.ToString();
}

/// <summary>sched_setattr(2).</summary>
public sealed record SetScheduler(string Policy, uint Number, ulong Flags, int Nice, uint Priority, ulong Runtime, ulong Deadline, ulong Period) : Operation
{
    public override string Describe() => $"set the scheduling policy to {Policy}" + Words.InParentheses(
        Nice != 0 ? $"nice {Nice}" : "", Priority != 0 ? $"priority {Priority}" : "", Deadline != 0 ? $"{Runtime} ns within {Deadline} ns of every {Period} ns" : "");

    internal override void Encode(PlanEncoder encoder)
    {
        Span<byte> attributes = stackalloc byte[48]; // struct sched_attr, its first version
        BinaryPrimitives.WriteUInt32LittleEndian(attributes, 48);
        BinaryPrimitives.WriteUInt32LittleEndian(attributes[4..], Number);
        BinaryPrimitives.WriteUInt64LittleEndian(attributes[8..], Flags);
        BinaryPrimitives.WriteInt32LittleEndian(attributes[16..], Nice);
        BinaryPrimitives.WriteUInt32LittleEndian(attributes[20..], Priority);
        BinaryPrimitives.WriteUInt64LittleEndian(attributes[24..], Runtime);
        BinaryPrimitives.WriteUInt64LittleEndian(attributes[32..], Deadline);
        BinaryPrimitives.WriteUInt64LittleEndian(attributes[40..], Period);
        encoder.CallWith(attributes, SyscallNumbers.sched_setattr, 0b10);
    }
}

/// <summary>ioprio_set(2) on itself.</summary>
public sealed record SetIoPriority(string Class, int Number, int Priority) : Operation
{
    public override string Describe() => $"set the I/O priority to {Class} {Priority}";

    internal override void Encode(PlanEncoder encoder) =>
        encoder.Call(SyscallNumbers.ioprio_set, 1 /* IOPRIO_WHO_PROCESS */, 0, (ulong)((Number << 13) | Priority));
}

/// <summary>sched_setaffinity(2) on itself.</summary>
public sealed record SetAffinity(string List, byte[] Cpus) : Operation
{
    /// <summary>The caller's own affinity is none of the container's business. The kernel leaves what its cpuset allows.</summary>
    public static SetAffinity All { get; } = new("every CPU of the cgroup", EveryCpu());

    public override string Describe() => "be run on " + List;

    // Without a CPU that may be used, the mask of before stays.
    internal override void Encode(PlanEncoder encoder) =>
        encoder.CallWith(Cpus, SyscallNumbers.sched_setaffinity, 0b100, 0, (ulong)Cpus.Length, forgive: ReferenceEquals(this, All) ? Errno.EINVAL : 0);

    private static byte[] EveryCpu()
    {
        var cpus = new byte[1024]; // the most that a kernel is built for, 8192
        cpus.AsSpan().Fill(0xff);
        return cpus;
    }
}

/// <summary>set_mempolicy(2).</summary>
/// <param name="Number">The mode with its flags.</param>
/// <param name="Bits">One bit a node; empty: none.</param>
public sealed record SetMemoryPolicy(string Mode, string Nodes, string Flags, int Number, byte[] Bits) : Operation
{
    public override string Describe() => "set the memory policy to " + Mode + Words.InParentheses(Nodes.Length == 0 ? "" : "nodes " + Nodes, Flags);

    public override string Failure(int errno, string kernelWords) => errno == Errno.EINVAL
        ? "cannot " + Describe() + ": invalid memory policy: this kernel, or this host's nodes, do not allow it"
        : base.Failure(errno, kernelWords);

    // The kernel takes one bit less than it is told of (set_mempolicy(2), BUGS, and libnuma).
    internal override void Encode(PlanEncoder encoder)
    {
        if (Bits.Length == 0)
            encoder.Call(SyscallNumbers.set_mempolicy, (ulong)Number);
        else
            encoder.CallWith(Bits, SyscallNumbers.set_mempolicy, 0b10, (ulong)Number, 0, ((ulong)Bits.Length * 8) + 1);
    }
}

/// <summary>Writes one of the process's own attributes of /proc/PID/attr, through the host's procfs (CVE-2025-52881).</summary>
public sealed record SetLabel(HostProc Proc, string File, string Value, string Words) : Operation
{
    public override string Describe() => Words;

    // Podman looks for the file's name in backquotes, and for these words of runc's.
    public override string Failure(int errno, string kernelWords) =>
        "cannot " + Words + ": " + (File.StartsWith("apparmor", StringComparison.Ordinal) ? "apparmor failed to apply profile: " : "") + "write `/proc/thread-self/attr/" + File + "`: " + LinuxException.Describe(errno).ToLowerInvariant();

    internal override void Encode(PlanEncoder encoder) =>
        encoder.WriteFile(Proc.Descriptor, "thread-self/attr/" + File, Value);
}

/// <summary>landlock_restrict_self(2): from here on, only what the ruleset allows.</summary>
public sealed record RestrictSelf(LandlockRuleset Ruleset) : Operation
{
    public override string Describe() => $"give up, by Landlock, all but: {Ruleset.Policy.Describe()}";

    public override string Failure(int errno, string kernelWords) => errno == Errno.EPERM
        ? "cannot restrict the process by Landlock: without process.noNewPrivileges this needs CAP_SYS_ADMIN"
        : "cannot restrict the process by Landlock: " + LinuxException.Describe(errno);

    internal override void Encode(PlanEncoder encoder) => encoder.Call(SyscallNumbers.landlock_restrict_self, (ulong)Ruleset.Descriptor);
}

/// <summary>personality(2).</summary>
public sealed record SetPersonality(string Domain, uint Number) : Operation
{
    public override string Describe() => $"take the personality {Domain}";

    internal override void Encode(PlanEncoder encoder) => encoder.Call(SyscallNumbers.personality, Number);
}

/// <summary>umask(2).</summary>
public sealed record SetUmask(uint Mask) : Operation
{
    public override string Describe() => $"set the umask to {Words.Octal(Mask)}";

    internal override void Encode(PlanEncoder encoder) => encoder.Call(SyscallNumbers.umask, Mask);
}

/// <summary>Drops from the bounding set what the container may never gain.</summary>
public sealed record BoundCapabilities(ulong Kept) : Operation
{
    public override string Describe() =>
        "put every capability out of reach for good" + (Kept == 0 ? "" : $", except {CapabilityNames.List(Kept)}");

    internal override void Encode(PlanEncoder encoder) => encoder.Add(PlanCode.Bound, x0: Kept);
}

/// <summary>The user, the group and the additional groups. Capabilities are kept across the change, to be set exactly afterwards.</summary>
/// <param name="GroupsMayStay">
/// The caller's additional groups stay where the kernel does not let them go: a user who mapped only himself may not drop a group, since
/// there are files that groups are kept from (user_namespaces(7), "The /proc/PID/setgroups file").
/// </param>
public sealed record BecomeUser(uint Uid, uint Gid, IReadOnlyList<uint> Groups, bool GroupsMayStay) : Operation
{
    /// <summary>The caller's additional groups are the process's.</summary>
    public bool KeepsGroups { get; init; }

    public override string Describe() =>
        $"become user {Uid}, group {Gid}" + (KeepsGroups ? ", keep the additional groups" : Groups.Count == 0 ? "" : $", additional groups {string.Join(", ", Groups)}");

    public override string Failure(int errno, string kernelWords) => errno == Errno.EPERM && GroupsMayStay && Groups.Count > 0
        ? "cannot set any additional groups in a rootless container"
        : base.Failure(errno, kernelWords);

    internal override void Encode(PlanEncoder encoder)
    {
        encoder.Call(SyscallNumbers.prctl, 8 /* PR_SET_KEEPCAPS */, 1);
        Span<byte> groups = Groups.Count <= 256 ? stackalloc byte[Groups.Count * 4] : new byte[Groups.Count * 4];
        for (var i = 0; i < Groups.Count; i++)
            BinaryPrimitives.WriteUInt32LittleEndian(groups[(i * 4)..], Groups[i]);
        if (!KeepsGroups)
            encoder.CallWith(groups, SyscallNumbers.setgroups, 0b10, (ulong)Groups.Count, forgive: GroupsMayStay && Groups.Count == 0 ? Errno.EPERM : 0);
        encoder.Call(SyscallNumbers.setresgid, Gid, Gid, Gid);
        encoder.Call(SyscallNumbers.setresuid, Uid, Uid, Uid);
        encoder.Call(SyscallNumbers.prctl, 8 /* PR_SET_KEEPCAPS */, 0);
    }
}

/// <summary>capset(2), then the ambient set.</summary>
public sealed record SetCapabilities(ulong Effective, ulong Permitted, ulong Inheritable, ulong Ambient) : Operation
{
    public override string Describe()
    {
        var text = Permitted == Effective
            ? $"set the capabilities: effective and permitted {CapabilityNames.List(Effective)}"
            : $"set the capabilities: effective {CapabilityNames.List(Effective)}; permitted {CapabilityNames.List(Permitted)}";
        if (Inheritable != 0)
            text += $"; inheritable {CapabilityNames.List(Inheritable)}";
        if (Ambient != 0)
            text += $"; ambient {CapabilityNames.List(Ambient)}";
        return text;
    }

    internal override void Encode(PlanEncoder encoder)
    {
        Span<byte> data = stackalloc byte[32];
        data.Clear();
        BinaryPrimitives.WriteUInt32LittleEndian(data, 0x20080522 /* _LINUX_CAPABILITY_VERSION_3 */); // then pid 0: this thread
        for (var half = 0; half < 2; half++)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(data[(8 + (half * 12))..], (uint)(Effective >> (half * 32)));
            BinaryPrimitives.WriteUInt32LittleEndian(data[(12 + (half * 12))..], (uint)(Permitted >> (half * 32)));
            BinaryPrimitives.WriteUInt32LittleEndian(data[(16 + (half * 12))..], (uint)(Inheritable >> (half * 32)));
        }
        encoder.CallWith(data, SyscallNumbers.capset, 0b11, 0, 8);
        for (var capability = 0; capability < 64; capability++)
        {
            if ((Ambient >> capability & 1) != 0)
                encoder.Call(SyscallNumbers.prctl, 47 /* PR_CAP_AMBIENT */, 2 /* PR_CAP_AMBIENT_RAISE */, (ulong)capability);
        }
    }
}

/// <summary>prctl(PR_SET_NO_NEW_PRIVS).</summary>
public sealed record NoNewPrivileges : Operation
{
    public override string Describe() => "gain no privileges by executing a program, ever (no_new_privs)";

    internal override void Encode(PlanEncoder encoder) => encoder.Call(SyscallNumbers.prctl, 38 /* PR_SET_NO_NEW_PRIVS */, 1);
}

/// <summary>seccomp(SECCOMP_SET_MODE_FILTER).</summary>
public sealed record LoadFilter(byte[] Program, uint Flags) : Operation
{
    private const uint NewListener = 8 /* SECCOMP_FILTER_FLAG_NEW_LISTENER */, WaitKillable = 32; // since Linux 5.19

    public override string Describe() =>
        "load the system call filter (" + Program.Length / 8 + " instructions)" + ((Flags & NewListener) != 0 ? ", and hand over its listener for the agent" : "");

    public override string Failure(int errno, string kernelWords) => errno == Errno.EINVAL && (Flags & WaitKillable) != 0
        ? "cannot load the system call filter: this kernel does not know SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, Linux 5.19 does"
        : errno == Errno.EBUSY && (Flags & NewListener) != 0
            ? "cannot load the system call filter: the caller's own filter has a listener, and the kernel allows one"
            : base.Failure(errno, kernelWords);

    internal override void Encode(PlanEncoder encoder) => encoder.AddBytes(PlanCode.Seccomp, Flags, (ulong)(Program.Length / 8), Program);
}

/// <summary>chdir(2), and a check that the directory lies in the root.</summary>
public sealed record ChangeDirectory(string Path) : Operation
{
    public override string Describe() => $"change to the directory {Path}";

    public override string Failure(int errno, string kernelWords) => $"cannot chdir to cwd ({Words.Quote(Path)}) set in config.json: {LinuxException.Describe(errno)}";

    internal override void Encode(PlanEncoder encoder) => encoder.Add(PlanCode.Chdir, texts: Path);
}

/// <summary>Looks for the program as execvp(3) does.</summary>
public sealed record FindProgram(string Name, IReadOnlyList<string> Candidates, bool OnPath) : Operation
{
    public override string Describe() => $"find {Words.Quote(Name)}" + (OnPath ? " in $PATH" : "");

    public override string Failure(int errno, string kernelWords) => errno switch
    {
        Errno.ENOENT when OnPath => $"exec: \"{Name}\": executable file not found in $PATH",
        Errno.ENOENT or Errno.ENOTDIR => $"exec: \"{Name}\": stat {Name}: no such file or directory",
        Errno.EISDIR => $"exec: \"{Name}\": is a directory",
        Errno.EACCES => $"exec: \"{Name}\": permission denied",
        _ => $"exec: \"{Name}\": {LinuxException.Describe(errno)}",
    };

    internal override void Encode(PlanEncoder encoder) => encoder.AddTexts(PlanCode.Find, Candidates.Count, 0, [], Candidates);
}

/// <summary>Marks every descriptor but the given first ones to be closed when the program is executed (close_range(2)).</summary>
public sealed record CloseDescriptors(int First) : Operation
{
    public override string Describe() => $"let no descriptor from {First} on reach the program";

    internal override void Encode(PlanEncoder encoder) => encoder.Call(SyscallNumbers.close_range, (ulong)First, uint.MaxValue, 4 /* CLOSE_RANGE_CLOEXEC */);
}

/// <summary>Takes back <see cref="CloseDescriptors"/> for one: the program of the runtime's own that follows works with it (fcntl(2), F_SETFD).</summary>
public sealed record HandOver(HostHandle Handle) : Operation
{
    public override string Describe() => $"hand over {Handle.Describe()}";

    internal override void Encode(PlanEncoder encoder) => encoder.Call(SyscallNumbers.fcntl, (ulong)Handle.Descriptor, 2 /* F_SETFD */);
}

/// <summary>Closes what was opened on the host, so that a container waiting for <c>start</c> holds nothing of it (close_range(2)).</summary>
/// <param name="Kept">The one handle that is still needed.</param>
/// <param name="First">Descriptors below are the program's.</param>
public sealed record LetGoOfHost(HostHandle Kept, int First) : Operation
{
    public override string Describe() => "let go of everything of the host";

    internal override void Encode(PlanEncoder encoder)
    {
        // Three calls whatever the numbers are: start, which compiles the plan again to know a failure's words, counts as many. An empty range is EINVAL.
        var (low, high) = (Math.Min(Kept.Descriptor, encoder.Status), Math.Max(Kept.Descriptor, encoder.Status));
        Close(First, low - 1);
        Close(low + 1, high - 1);
        Close(high + 1, int.MaxValue);

        void Close(int from, int to) =>
            encoder.Call(SyscallNumbers.close_range, (ulong)Math.Max(from, First), (ulong)Math.Max(to, 0), forgive: Errno.EINVAL);
    }
}

/// <summary>execve(2).</summary>
public sealed record Execute(IReadOnlyList<string> Arguments, IReadOnlyList<string> Environment) : Operation
{
    public override string Describe()
    {
        var line = "";
        foreach (var argument in Arguments)
            line += " " + Words.Quote(argument);
        return $"execute{line}";
    }

    public override string Failure(int errno, string kernelWords) => $"exec {Arguments[0]}: {LinuxException.Describe(errno).ToLowerInvariant()}";

    internal override void Encode(PlanEncoder encoder) =>
        encoder.AddTexts(PlanCode.Exec, Arguments.Count, Environment.Count, [], Arguments, Environment);
}
