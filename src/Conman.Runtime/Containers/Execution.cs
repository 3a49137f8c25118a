// `exec`: another process in a container that exists.
//
// One process, no intermediate one: born into the container's pid namespace and cgroup, it joins the other namespaces by the pidfd of
// the container's init, and executes.

using Conman.Linux;
using Conman.Oci.RuntimeSpec;
using Conman.Runtime.Cgroups;
using Conman.Runtime.Compiling;
using Conman.Runtime.Plans;

namespace Conman.Runtime.Containers;

/// <summary>What a caller of <c>exec</c> says.</summary>
public sealed class ExecRequest
{
    public required Process Process { get; init; }

    /// <summary>What the program is told that its arguments are; null: the process's.</summary>
    public List<string>? Arguments { get; init; }

    /// <summary>Descriptors that become standard input, output and error; -1: the caller's.</summary>
    public (int, int, int) Streams { get; init; } = (-1, -1, -1);

    /// <summary>It is killed when this command ends.</summary>
    public bool EndsWithRuntime { get; init; }
    public string? ConsoleSocket { get; init; }
    public FileDescriptor? ConsoleReceiver { get; init; }
    public string? PidfdSocket { get; init; }
    public string? PidFile { get; init; }
    public int PreservedDescriptors { get; init; }

    /// <summary>So many of them, the first, are sockets to listen on (sd_listen_fds(3)).</summary>
    public int ListeningDescriptors { get; init; }

    /// <summary>Their names, as LISTEN_FDNAMES has them; null: none.</summary>
    public string? ListeningNames { get; init; }

    /// <summary>Cgroups below the container's (<see cref="ContainerCgroup.Below(IReadOnlyList{string})"/>), to be born in; empty: its own.</summary>
    public IReadOnlyList<string> Cgroups { get; init; } = [];

    /// <summary>A paused container is no error: the process waits in it until it is resumed.</summary>
    public bool IgnorePaused { get; init; }
    public Action<string> Warn { get; init; } = _ => { };
}

/// <summary>Starting a process in a container.</summary>
public static class Execution
{
    /// <summary>Starts it; it has executed its program when this returns. The caller waits for it, or lets it be.</summary>
    public static ProcessHandle Start(Container container, ExecRequest request)
    {
        switch (container.Status)
        {
            case ContainerStatus.Stopped or ContainerStatus.Creating:
                throw new RuntimeException("cannot exec in a stopped container");
            case ContainerStatus.Paused when !request.IgnorePaused:
                throw new RuntimeException("cannot exec in a paused container (use --ignore-paused to override)");
        }
        // A cgroup that is frozen from above holds whoever is born in it as well, in the middle of vfork (THREATS C13).
        if (!request.IgnorePaused && container.Cgroup is { Folder.Stopped: true })
            throw new RuntimeException("cannot exec in a container whose cgroup is frozen (use --ignore-paused to override)");
        SpecValidator.ValidateProcess(request.Process);
        var spec = container.TryReadSpec() ?? throw new RuntimeException($"cannot exec in container {container.Id}: its config.json is gone");
        using var init = container.TryOpenInit() ?? throw new RuntimeException("cannot exec in a stopped container");
        using var host = new HostPreparer();

        var plan = new Plan();
        var joined = Joined(spec);
        // The right to be born into a pid namespace comes, for an ordinary user, only with the user namespace: he joins both, and goes on as a child.
        var reborn = HostRights.Current.OrdinaryUser && (joined & Namespaces.Pid) != 0;
        if (reborn)
            plan.Add(new Sync(SyncPoint.Reborn)); // while its settings in /proc are still the user's to write
        plan.Add(new HideFromContainer());
        plan.Add(new NewSession());
        var cgroup = request.Cgroups is { Count: > 0 } paths ? container.Cgroup?.Below(paths)
            : CgroupDelegation.PathOf(spec) is not null ? container.Cgroup?.OfFirstProcess(container.Record!.Pid)
            : container.Cgroup;
        foreach (var (hierarchy, file) in cgroup?.OpenTasks() ?? [])
        {
            var tasks = plan.Prepare(new RuntimeDescriptor(hierarchy));
            host.Give(tasks, file);
            plan.Add(JoinCgroup.OfHierarchy(tasks, hierarchy));
        }
        var affinity = request.Process.ExecCPUAffinity ?? spec.Process?.ExecCPUAffinity;
        AddAffinity(plan, affinity);
        var process = plan.Prepare(new RuntimeDescriptor("the container's first process"));
        host.Give(process, Files.Duplicate(init.Number));
        var byJoining = reborn ? joined : joined & ~Namespaces.Pid;
        if (byJoining != 0)
            plan.Add(new JoinProcess(process, byJoining));
        if (reborn)
        {
            plan.Add(new ContinueIn(Namespaces.None));
            plan.Add(new Sync(SyncPoint.Reborn));
        }
        if (request.Process.Terminal)
            AddConsole(plan, host, request);
        var warnings = new List<string>();
        var facts = new HostFacts
        {
            Capabilities = Processes.KnownCapabilities,
            Rights = HostRights.Current,
            Home = HomeOf(container, request.Process),
            ForeignStreams = request.Streams == (-1, -1, -1) && (joined & Namespaces.User) == 0 ? StandardStreams.Foreign(request.Process.User?.Uid ?? 0) : [],
            AppArmor = request.Process.ApparmorProfile is { Length: > 0 } && SecurityModules.AppArmor,
            Selinux = request.Process.SelinuxLabel is { Length: > 0 } && Mounts.SelinuxEnabled,
            Landlock = spec.Annotations is { Count: > 0 } ? Landlock.Version : 0,
        };
        var filter = spec.Linux!.Seccomp is null ? null : Seccomp.FilterCache.Compile(spec.Linux.Seccomp, container.Folder.Root);
        var landlock = PlanCompiler.PrepareLandlock(plan, spec, facts, warnings);
        PlanCompiler.AddExecutionDomain(plan, spec.Linux);
        PlanCompiler.AddProcess(plan, request.Process, facts, filter, landlock, PlanCompiler.KeepsGroups(spec), warnings);
        if (request.EndsWithRuntime)
            plan.Add(new DieWithRuntime()); // who changes his ids before that has it taken from him (prctl(2))
        plan.Add(new Gate());
        PlanCompiler.AddProgram(
            plan, request.Process, facts, filter, request.PreservedDescriptors, request.ListeningDescriptors, request.ListeningNames, request.Arguments);
        foreach (var warning in warnings)
            request.Warn(warning);
        host.Open(plan);
        if (landlock is not null)
        {
            using var root = Files.Open("/proc/" + container.Record!.Pid + "/root", OpenFlags.Path | Files.Directory);
            landlock.AddRules(root);
        }

        var keep = new List<int>(host.Numbers);
        for (var fd = 3; fd < 3 + request.PreservedDescriptors; fd++)
            keep.Add(fd);
        using var pid = (joined & Namespaces.Pid) != 0 && !reborn ? Files.Open("/proc/" + container.Record!.Pid + "/ns/pid", OpenFlags.ReadOnly) : null;
        // "A list of CPUs a runtime parent process to be run on initially, before the transition to container's cgroup" (config.md).
        if (SpecValidator.Affinity(affinity?.Initial, "initial") is { } initial && Processes.TrySetAffinity(initial) is not 0 and var error)
            throw new RuntimeException($"error setting initial CPU affinity {affinity!.Initial}: {LinuxException.Describe(error)}");
        using var agent = filter is { NeedsListener: true } ? SeccompAgent.Connect(spec.Linux.Seccomp!) : null;
        if (request.Streams == (-1, -1, -1) && !request.Process.Terminal && (joined & Namespaces.User) != 0)
            StandardStreams.Give(request.Process.User?.Uid ?? 0, spec.Linux.UidMappings);
        var started = Begin(plan, keep, cgroup, pid, request, container);
        if (agent is not null)
            started.TakeListener = listener => agent.Deliver(listener, started.Process.Pid, container.State(ContainerStatus.Running));
        try
        {
            if (ResourceControl.GroupOf(spec.Linux.IntelRdt, container.Id) is { } resctrl)
                ResourceControl.Enter(resctrl, started.Process.Pid);
            if (reborn)
                started.Advance();
            if (request.Process.OomScoreAdj is { } score)
                Creation.WriteOomScore(started.Process.Pid, score);
            if (reborn)
            {
                started.Go();
                started.Advance();
                started.Go();
            }
            if (request.PidfdSocket is { } socket)
                Creation.SendPidfd(socket, started.Process.Descriptor, "setns"u8);
            if (request.PidFile is { } file)
                Creation.WritePidFile(file, started.Process.Pid);
            if (!started.GoAndFinish())
                throw new RuntimeException("the process was killed before it could execute its program");
            return started.Process;
        }
        catch
        {
            started.Process.TrySignal(Signals.SIGKILL);
            started.Process.Wait();
            started.Dispose();
            throw;
        }
    }

    // A container may have put its processes into cgroups of its own and handed its controllers down to them: then none may be in its cgroup
    // itself any more, and the new one goes where the first one is.
    private static InitProcess Begin(Plan plan, List<int> keep, ContainerCgroup? cgroup, FileDescriptor? pid, ExecRequest request, Container container)
    {
        FileDescriptor? opened = null;
        try
        {
            opened = cgroup?.Open();
        }
        catch (LinuxException e) when (e.Errno == Errno.ENOENT && request.Cgroups is not { Count: > 0 } && cgroup!.OfProcess(container.Record!.Pid) is { } own)
        {
            opened = own.Open(); // the first process has moved out of its own, and someone has removed that
        }
        using var folder = opened;
        try
        {
            return InitProcess.Start(plan, keep, folder, pid, request.Streams);
        }
        catch (LinuxException e) when (folder is not null && HostRights.Current.Rootless && e.Errno is Errno.EACCES or Errno.EPERM)
        {
            // Delegation ends where the caller's cgroup and the container's have nothing of the user's above them (cgroup-v2.rst, "Delegation
            // Containment"): the process stays in the caller's, as runc leaves it there.
            return InitProcess.Start(plan, keep, null, pid, request.Streams);
        }
        catch (LinuxException e) when (cgroup is not null)
        {
            if (e.Errno == Errno.EBUSY && request.Cgroups is not { Count: > 0 } && cgroup.OfProcess(container.Record!.Pid) is { } own)
            {
                using var ownFolder = own.Open();
                return InitProcess.Start(plan, keep, ownFolder, pid, request.Streams);
            }
            throw cgroup.WhyNotJoined(e.Errno) is { } words ? new RuntimeException(words, e) : e;
        }
    }

    // Without a final list the kernel decides; without any list it is as if nobody had pinned the caller.
    private static void AddAffinity(Plan plan, ExecCpuAffinity? affinity)
    {
        if (SpecValidator.Affinity(affinity?.Final, "final") is { } final)
            plan.Add(new SetAffinity("CPUs " + affinity!.Final, final));
        else if (string.IsNullOrEmpty(affinity?.Initial))
            plan.Add(SetAffinity.All);
    }

    // What the spec made new or joined is the container's; the rest is the host's, where we are already.
    private static Namespaces Joined(Spec spec)
    {
        var joined = Namespaces.None;
        for (var i = 0; i < (spec.Linux?.Namespaces?.Count ?? 0); i++)
            joined |= SpecValidator.NamespaceType(spec.Linux!.Namespaces![i].Type, i);
        return joined;
    }

    private static void AddConsole(Plan plan, HostPreparer host, ExecRequest request)
    {
        var receiver = plan.Prepare(new RuntimeDescriptor("the console socket"));
        if (request.ConsoleReceiver is { } own)
        {
            host.Give(receiver, Files.Duplicate(own.Number));
        }
        else
        {
            host.Give(receiver, Sockets.TryConnect(request.ConsoleSocket!, out var errno)
                ?? throw new RuntimeException($"cannot connect to console socket {request.ConsoleSocket}: {LinuxException.Describe(errno)}"));
        }
        var size = request.Process.ConsoleSize;
        plan.Add(new OpenConsole(receiver, Bind: false, (uint)(size?.Height ?? 0), (uint)(size?.Width ?? 0), request.Process.User?.Uid ?? 0));
        plan.Add(new TakeTerminal());
    }

    private static string? HomeOf(Container container, Process process)
    {
        if (!Bundle.NeedsHome(process))
            return null;
        using var root = Files.TryOpen("/proc/" + container.Record!.Pid + "/root", OpenFlags.Path | Files.Directory, out _);
        return root is null ? null : UserDatabase.HomeOf(root, "/etc/passwd", process.User?.Uid ?? 0);
    }
}
