// A container that exists: its record, and the truth about it, which only the kernel knows.

using Conman.Linux;
using Conman.Oci.RuntimeSpec;
using Conman.Runtime.Cgroups;

namespace Conman.Runtime.Containers;

/// <summary>runtime-spec runtime.md, "State", and paused.</summary>
public enum ContainerStatus
{
    Creating,
    Created,
    Running,
    Paused,
    Stopped,
}

/// <summary>One container below a root folder. Open it, use it, dispose it; nothing about it is kept between commands.</summary>
public sealed class Container : IDisposable
{
    private readonly ContainerFolder _folder;
    private Spec? _spec;

    internal Container(ContainerFolder folder, ContainerRecord? record) => (_folder, Record) = (folder, record);

    /// <summary>The id.</summary>
    public string Id => _folder.Id;

    /// <summary>Null where a create was killed before it had a process, or the record cannot be read.</summary>
    public ContainerRecord? Record { get; internal set; }

    internal ContainerFolder Folder => _folder;

    public void Dispose() => _folder.Dispose();

    /// <summary>Opens a container.</summary>
    /// <exception cref="RuntimeException">There is none of that id.</exception>
    public static Container Open(string root, string id) => TryOpen(root, id) ?? throw new RuntimeException("container does not exist");

    /// <summary>Opens a container, or null.</summary>
    public static Container? TryOpen(string root, string id)
    {
        var folder = ContainerFolder.TryOpen(root, id);
        return folder is null ? null : new Container(folder, ReadRecord(folder));
    }

    /// <summary>As <see cref="TryOpenLocked"/>.</summary>
    /// <exception cref="RuntimeException">There is none of that id.</exception>
    public static Container OpenLocked(string root, string id) => TryOpenLocked(root, id) ?? throw new RuntimeException("container does not exist");

    /// <summary>
    /// Waits until no other command changes this container, then opens it as it is now, or null; until this object is disposed, no other
    /// command will change it.
    /// </summary>
    public static Container? TryOpenLocked(string root, string id)
    {
        for (; ; )
        {
            var folder = ContainerFolder.TryOpen(root, id);
            if (folder is null)
                return null;
            folder.Lock();
            if (!folder.Removed)
                return new Container(folder, ReadRecord(folder));
            folder.Dispose(); // removed while this waited; another may have been made in its place
        }
    }

    /// <summary>Every container below a root folder, by id. Folders that hold none are passed over.</summary>
    public static IEnumerable<Container> All(string root)
    {
        foreach (var name in Ids(root))
        {
            if (TryOpen(root, name) is { } container)
                yield return container;
        }
    }

    /// <summary>The names of the folders below a root folder, in order.</summary>
    public static List<string> Ids(string root)
    {
        using var directory = Files.TryOpen(root, OpenFlags.ReadOnly | Files.Directory, out var errno);
        if (directory is null)
        {
            if (errno != Errno.ENOENT)
                throw new RuntimeException($"cannot open {root}: {LinuxException.Describe(errno)}");
            return [];
        }
        var names = Files.List(directory, root);
        names.RemoveAll(name => !ContainerIds.Valid(name));
        names.Sort(string.CompareOrdinal);
        return names;
    }

    // A record that cannot be read is as good as none: the container can still be removed, by its id alone.
    private static ContainerRecord? ReadRecord(ContainerFolder folder)
    {
        try
        {
            return folder.TryReadRecord() is { Length: > 0 } json && ContainerRecord.Parse(json) is { Pid: > 0 } record ? record : null;
        }
        catch (FormatException)
        {
            return null;
        }
    }

    /// <summary>A pidfd of the init process; null if it has ended.</summary>
    public FileDescriptor? TryOpenInit() => Record is null || !OfThisBoot ? null : Processes.TryOpen(Record.Pid, Record.StartTime);

    // Pids and times begin anew with each boot: by those of another one an innocent process would be found.
    private bool OfThisBoot => Record?.Boot is null || Record.Boot == Processes.BootId;

    private FileDescriptor? TryOpenUnrecorded() => Record is null && _folder.Process is { } process ? Processes.TryOpen(process.Pid, process.StartTime) : null;

    /// <summary>Asks the kernel.</summary>
    public ContainerStatus Status
    {
        get
        {
            if (Record is null)
                return _folder.TryLock() ? ContainerStatus.Stopped : ContainerStatus.Creating;
            var (state, started) = Processes.Stat(Record.Pid);
            if (started != Record.StartTime || state is 'Z' or 'X' || !OfThisBoot)
                return ContainerStatus.Stopped;
            if (Cgroup is { Frozen: true })
                return ContainerStatus.Paused;
            return IsWaitingForStart ? ContainerStatus.Created : ContainerStatus.Running;
        }
    }

    // While init waits it accepts connections; one without a byte is only this question.
    private bool IsWaitingForStart
    {
        get
        {
            if (!Files.Exists(ContainerFolder.StartSocket, _folder.Descriptor.Number))
                return false;
            using var connection = Sockets.TryConnect(_folder.Descriptor, ContainerFolder.StartSocket, out _);
            return connection is not null;
        }
    }

    /// <summary>The state document of runtime-spec, at this moment.</summary>
    /// <param name="status">Null: as the kernel says.</param>
    /// <param name="pid">The init process, where it is not recorded yet.</param>
    public State State(ContainerStatus? status = null, int pid = 0)
    {
        var now = status ?? Status;
        return new State
        {
            OciVersion = Record?.OciVersion ?? SpecVersion,
            Id = Id,
            Status = Name(now),
            Pid = now == ContainerStatus.Stopped ? 0 : Record?.Pid ?? pid,
            Bundle = Record?.Bundle ?? "",
            Annotations = Record?.Annotations,
        };
    }

    /// <summary>The version of runtime-spec that conman implements.</summary>
    public const string SpecVersion = "1.3.0";

    /// <summary>As runtime-spec writes it.</summary>
    public static string Name(ContainerStatus status) => status switch
    {
        ContainerStatus.Creating => "creating",
        ContainerStatus.Created => "created",
        ContainerStatus.Running => "running",
        ContainerStatus.Paused => "paused",
        _ => "stopped",
    };

    /// <summary>The spec that the container was created from; null if it was killed before it had one.</summary>
    /// <exception cref="RuntimeException">It makes no sense.</exception>
    public Spec? TryReadSpec()
    {
        try
        {
            return _spec ??= _folder.TryReadSpec() is { Length: > 0 } json ? Spec.Parse(json) : null;
        }
        catch (FormatException e)
        {
            throw new RuntimeException($"config.json of container {Id}: {e.Message}", e);
        }
    }

    /// <summary>Sends a signal to the init process.</summary>
    /// <exception cref="RuntimeException">The container is not running.</exception>
    public void Signal(int signal)
    {
        using var init = TryOpenInit();
        var gone = init is null || Status == ContainerStatus.Stopped;
        // Without a pid namespace of its own nothing else ends with the first process.
        if (signal == Signals.SIGKILL && Record?.Cgroup is not null && !HasOwnPidNamespace && !(gone && AllProcesses().Count == 0))
        {
            SignalAll(signal);
            return;
        }
        if (gone)
            throw new RuntimeException("container not running");
        var errno = Processes.TrySignal(init!, signal);
        if (errno == Errno.ESRCH)
            throw new RuntimeException("container not running");
        if (errno != 0)
            throw new RuntimeException($"unable to signal init of container {Id}: {LinuxException.Describe(errno)}");
    }

    /// <summary>Sends a signal to every process of the container; if there is none, that is no error.</summary>
    public void SignalAll(int signal)
    {
        if (signal == Signals.SIGKILL && Cgroup?.Folder.TryKill() == 0)
            return;
        // What is born meanwhile is found by looking again; whoever has been told is not told again.
        var told = new HashSet<int>();
        for (var fresh = AllProcesses(); (fresh = fresh.FindAll(told.Add)).Count > 0; fresh = AllProcesses())
        {
            foreach (var pid in fresh)
            {
                using var process = Processes.TryOpen(pid);
                var errno = process is null ? 0 : Processes.TrySignal(process, signal);
                if (errno is not (0 or Errno.ESRCH))
                    throw new RuntimeException($"cannot signal process {pid} of container {Id}: {LinuxException.Describe(errno)}");
            }
        }
    }

    private bool HasOwnPidNamespace
    {
        get
        {
            try
            {
                return TryReadSpec()?.Linux?.Namespaces?.Exists(n => n.Type == "pid" && string.IsNullOrEmpty(n.Path)) is not false;
            }
            catch (FormatException)
            {
                return true; // a spec that cannot be read must not keep anybody from killing
            }
        }
    }

    /// <summary>Stops every process of the container where it is, or lets them go on (cgroup v2 freezer).</summary>
    public void Freeze(bool freeze)
    {
        var status = Status;
        if (freeze && status is not (ContainerStatus.Running or ContainerStatus.Created))
            throw new RuntimeException($"container not running: it is {Name(status)}");
        if (!freeze && status != ContainerStatus.Paused)
            throw new RuntimeException($"container not paused: it is {Name(status)}");
        var cgroup = NeedCgroup(freeze ? "pause" : "resume");
        var errno = cgroup.TryFreeze(freeze);
        if (errno != 0)
            throw new RuntimeException($"cannot {(freeze ? "freeze" : "thaw")} cgroup {cgroup.Folder.Path}: {LinuxException.Describe(errno)}");
    }

    /// <summary>Its cgroup, by its record; null if it has none.</summary>
    public ContainerCgroup? Cgroup => Record?.Cgroup is { Length: > 0 } record ? ContainerCgroup.At(record) : null;

    /// <summary>Every process in the container's cgroup, by the host's pids.</summary>
    /// <exception cref="RuntimeException">It has none.</exception>
    public List<int> AllProcesses() => Record is null ? [] : NeedCgroup("list the processes of").Folder.Processes();

    /// <summary>
    /// Changes limits. What is not given stays; when one is refused, all stay. The cgroup is changed first, then the container's config.json
    /// follows: a command that is killed in between has changed limits that config.json does not tell of yet, and may be repeated.
    /// </summary>
    /// <returns>Warnings.</returns>
    public IEnumerable<string> Update(Resources change)
    {
        if (Status == ContainerStatus.Stopped)
            throw new RuntimeException("container not running");
        var cgroup = NeedCgroup("update");
        var spec = TryReadSpec() ?? throw new RuntimeException($"cannot update container {Id}: its config.json is gone");
        var written = ResourceUpdate.Merge((spec.Linux ??= new()).Resources ??= new Resources(), change);
        if (written.Memory is { CheckBeforeUpdate: true, Limit: > 0 and var limit } && cgroup.MemoryUsage is { } usage && usage > limit)
            throw new RuntimeException($"unable to set memory limit: rejecting memory limit {limit} < usage {usage}");
        cgroup.Change(CgroupLimits.Compile(written, cgroup.IsLegacy));
        _folder.ReplaceSpec(spec.ToUtf8(false));
        return CgroupLimits.Warnings(change, cgroup.IsLegacy);
    }

    // An ordinary user's container may have none (RootlessCgroup), and one of --cgroup-manager disabled has none.
    private ContainerCgroup NeedCgroup(string command) => Cgroup ?? throw new RuntimeException(
        $"cannot {command} container {Id}: it has no cgroup: none was delegated to the user who created it, or he had cgroups disabled");

    /// <summary>Starts a container that waits.</summary>
    public void Start()
    {
        // A connection is the proof that init waits; frozen, it would not answer.
        using var connection = Sockets.TryConnect(_folder.Descriptor, ContainerFolder.StartSocket, out var errno);
        if (connection is null || Record is null || Cgroup is { Frozen: true })
        {
            throw new RuntimeException(Status switch
            {
                ContainerStatus.Stopped => "cannot start a container that has stopped",
                ContainerStatus.Running => "cannot start an already running container",
                ContainerStatus.Created => $"cannot start container {Id}: {LinuxException.Describe(errno)}",
                var other => $"cannot start a container in the {Name(other)} state",
            });
        }
        if (Record.Hooks?.StartContainer is { Count: > 0 } hooks)
            OrStop(() => HookRunner.RunStartContainer(hooks, this));
        using var agent = Record.AsksAgentAtStart ? SeccompAgent.Connect(TryReadSpec()!.Linux!.Seccomp!) : null;
        if (!InitProcess.Start(connection, Operation, agent is null ? null : listener => Deliver(agent, listener)))
            throw new RuntimeException("cannot start container " + Id + ": its first process was killed");
        Files.TryUnlink(ContainerFolder.StartSocket, _folder.Descriptor.Number);
    }

    // "If sending to this socket fails, the runtime MUST generate an error" (config-linux.md): a program without its agent must not run on.
    private void Deliver(SeccompAgent agent, FileDescriptor listener)
    {
        try
        {
            agent.Deliver(listener, Record!.Pid, State(ContainerStatus.Created));
        }
        catch (RuntimeException)
        {
            using var init = TryOpenInit();
            if (init is not null)
                Processes.TrySignal(init, Signals.SIGKILL);
            throw;
        }
    }

    /// <summary>Runs what is to run once the program has been started; a hook that fails is the end of the container, as with runc.</summary>
    public void RunPoststartHooks(Hooks? hooks)
    {
        if (hooks?.Poststart is { Count: > 0 } poststart)
            OrStop(() => HookRunner.Run("poststart", poststart, State(ContainerStatus.Running).ToUtf8(false)));
    }

    // "The runtime MUST … stop the container" (runtime-spec runtime.md, "Lifecycle").
    private void OrStop(Action runHooks)
    {
        try
        {
            runHooks();
        }
        catch (RuntimeException)
        {
            using var init = TryOpenInit();
            if (init is not null)
                Processes.TrySignal(init, Signals.SIGKILL);
            throw;
        }
    }

    // Those that an earlier delete has run before it was killed are not run again; the one that died with it is. What they say becomes warnings.
    private List<string> RunPoststopHooks()
    {
        var warnings = new List<string>();
        if (Record?.Hooks?.Poststop is not { Count: > 0 } hooks)
            return warnings;
        var state = State(ContainerStatus.Stopped).ToUtf8(false);
        for (var i = 0; i < hooks.Count; i++)
        {
            if (_folder.HasRunPoststop(i))
                continue;
            if (HookRunner.TryRun("poststop", hooks, i, state) is { } failure)
                warnings.Add(failure);
            _folder.NotePoststop(i);
        }
        return warnings;
    }

    /// <summary>Hears what the program tells the service manager once it is started; null if it was created with nobody to tell.</summary>
    /// <param name="manager">The host's NOTIFY_SOCKET.</param>
    public NotifySocket? TryHear(string manager) => NotifySocket.TryBind(_folder, manager);

    // A failure names an operation by its place; the plan is compiled again to know its words. What comes before the wait for start may have
    // been more or less then (descriptors, facts of the host): the place is counted from the end.
    private Plans.Operation Operation(int index)
    {
        // What the host had when the container was created: else it would not be there.
        var facts = new Compiling.HostFacts
        {
            Hierarchies = CgroupHierarchy.UnifiedOnly ? null : CgroupHierarchy.List(),
            Rights = Compiling.HostRights.Current,
            AppArmor = true,
            Selinux = true,
            Landlock = Landlock.Version,
        };
        var plan = Plans.PlanEncoder.Encode(Compiling.PlanCompiler.Compile(TryReadSpec()!, facts, new Compiling.CompileOptions
        {
            Id = Id,
            Bundle = Record!.Bundle is ['/', ..] bundle ? bundle : "/",
            AwaitStart = true,
            WithoutCgroup = Record.Cgroup is null,
        }).Plan, -1);
        return plan.Origin(plan.Count - Record.Operations + index);
    }

    /// <summary>Kills what is left of it and removes every trace: its processes and cgroup; then poststop hooks run; the folder goes last.</summary>
    /// <returns>Warnings of those hooks.</returns>
    /// <param name="alive">The init process may be; false: it is known to have ended.</param>
    public List<string> Destroy(bool alive = true)
    {
        if (_folder.Cgroup is { Length: > 0 } cgroup)
            ContainerCgroup.At(cgroup).Destroy(Record is null || !OfThisBoot ? _folder.Path : null);
        if (alive && (TryOpenInit() ?? TryOpenUnrecorded()) is { } init)
        {
            // Without a cgroup of its own (or in a cgroup that lost it) the process is still known by pid and time.
            using (init)
            {
                Processes.TrySignal(init, Signals.SIGKILL);
                Waiting.Readable(init, 10_000);
            }
        }
        var warnings = RunPoststopHooks();
        _folder.Remove();
        return warnings;
    }
}
