// The compiler: a spec and facts of the host become a plan. Pure: no system call, the same input gives the same plan.
//
// The order is the meaning. A process first enters its namespaces, then builds its file system while it still sees the host's, then cuts
// itself off (pivot_root), then gives up privileges from the least to the most restrictive, and at last executes the program.

using Conman.Linux;
using Conman.Oci.RuntimeSpec;
using Conman.Runtime.Cgroups;
using Conman.Runtime.Plans;

namespace Conman.Runtime.Compiling;

/// <summary>A compiled spec: the plan, what the init process needs of the runtime meanwhile, and what a user should be warned of.</summary>
public sealed class CompiledSpec
{
    public required Plan Plan { get; init; }

    /// <summary>A pid namespace that the process must be born into; null: a new one, or the host's.</summary>
    public HostNamespace? PidNamespace { get; init; }

    /// <summary>The socket on which the container waits for start; null if it does not wait.</summary>
    public RuntimeDescriptor? StartListener { get; init; }

    /// <summary>The socket that gets the terminal's master; null if there is no terminal.</summary>
    public RuntimeDescriptor? ConsoleReceiver { get; init; }

    /// <summary>The cgroup hierarchies of a hybrid or v1 host; null: the unified one is all there is.</summary>
    public IReadOnlyList<CgroupHierarchy>? Hierarchies { get; init; }

    /// <summary>The files through which the process joins the v1 hierarchies, in their order.</summary>
    public required IReadOnlyList<RuntimeDescriptor> Tasks { get; init; }

    /// <summary>The file through which the process joins a cgroup below its own (<see cref="CgroupDelegation.PathOf"/>); null: it does not.</summary>
    public RuntimeDescriptor? Delegated { get; init; }

    /// <summary>The user of the host who is to own the cgroup; null: it is left as it is.</summary>
    public uint? CgroupOwner { get; init; }

    /// <summary>There is no cgroup (<see cref="CompileOptions.WithoutCgroup"/>).</summary>
    public bool WithoutCgroup { get; init; }

    /// <summary>The filter asks an agent: its listener must be handed over.</summary>
    public bool NeedsAgent { get; init; }

    /// <summary>What Landlock leaves the container; null: it is not used.</summary>
    public LandlockRuleset? Landlock { get; init; }

    /// <summary>What is written to the cgroup's control files, in order.</summary>
    public required IReadOnlyList<CgroupWrite> Limits { get; init; }

    /// <summary>What is written to the devices controller of cgroup v1, before there is a process; empty if all may be opened.</summary>
    public required IReadOnlyList<CgroupWrite> DeviceList { get; init; }

    /// <summary>The eBPF program that decides which devices may be opened; empty if all may.</summary>
    public required byte[] DeviceProgram { get; init; }

    public List<string> Warnings { get; init; } = [];
}

/// <summary>Spec → plan.</summary>
public sealed partial class PlanCompiler
{
    private readonly Spec _spec;
    private readonly Oci.RuntimeSpec.Linux _linux;
    private readonly Process _process;
    private readonly HostFacts _facts;
    private readonly CompileOptions _options;
    private readonly Plan _plan;
    private readonly List<string> _warnings = [];

    private readonly List<HostNamespace> _joined = [];
    private readonly List<RuntimeDescriptor> _tasks = [];
    private readonly List<string> _readOnlyMounts = [];
    private RuntimeDescriptor? _delegated;
    private Namespaces _new;
    private bool _newUser, _joinedUser;
    private int _inPlace; // the operation before which the process is where its mounts will be, and still the caller

    private PlanCompiler(Spec spec, HostFacts facts, CompileOptions options, Plan plan)
    {
        (_spec, _facts, _options, _plan) = (spec, facts, options, plan);
        (_linux, _process) = (spec.Linux!, spec.Process!);
    }

    /// <summary>Compiles.</summary>
    /// <exception cref="RuntimeException">The spec is invalid or asks for what conman does not support; the message names the member.</exception>
    public static CompiledSpec Compile(Spec spec, HostFacts facts, CompileOptions options)
    {
        SpecValidator.Validate(spec);
        if (facts.Rights.OrdinaryUser)
            RootlessRules.Validate(spec);
        return new PlanCompiler(spec, facts, options, new Plan()).Compile();
    }

    private CompiledSpec Compile()
    {
        var console = _process.Terminal ? new RuntimeDescriptor("the console socket") : null;
        var listener = _options.AwaitStart ? new RuntimeDescriptor("the socket on which start is awaited") : null;
        if (console is not null)
            _plan.Prepare(console);
        if (listener is not null)
            _plan.Prepare(listener);

        SortNamespaces();
        var pid = EnterNamespaces();
        BuildFileSystem(console);
        if (HasEarlyHooks)
            _plan.Add(new Sync(SyncPoint.Hooks));
        CutOff();
        BecomeProcess(console is not null);
        if (listener is not null)
        {
            AddBeforeFilter(_plan, new LetGoOfHost(listener, 3 + _options.PreservedDescriptors));
            _plan.Add(new Sync(SyncPoint.Ready));
            _plan.Add(new AwaitStart(listener));
        }
        else
        {
            if (_spec.Hooks?.StartContainer is { Count: > 0 })
                _plan.Add(new Sync(SyncPoint.StartHooks));
            _plan.Add(new Gate());
        }
        ExecuteProgram();
        var limits = CgroupLimits.Compile(_linux.Resources, legacy: _facts.Hierarchies is not null);
        if (_options.WithoutCgroup && limits.Count > 0)
        {
            throw new RuntimeException((_options.CgroupsDisabled
                ? "--cgroup-manager disabled needs no limits: cannot set " : "rootless needs no limits + no cgrouppath when no permission is granted for cgroups: cannot set ") + limits[0].File);
        }
        if (_options.CgroupsDisabled && !_facts.Rights.Rootless && _linux.Resources?.Devices is { Count: > 0 })
            _warnings.Add("linux.resources.devices has no effect with --cgroup-manager disabled: devices are open to whoever has the right to their files");
        if (_linux.Resources?.Memory is not null)
            _warnings.AddRange(CgroupLimits.Warnings(_linux.Resources, legacy: _facts.Hierarchies is not null));
        if (!_facts.Rights.CopiesMounts)
            OpenInside();
        return new CompiledSpec
        {
            Plan = _plan,
            PidNamespace = pid,
            StartListener = listener,
            ConsoleReceiver = console,
            Landlock = _landlock,
            NeedsAgent = _filter is { NeedsListener: true },
            Hierarchies = _facts.Hierarchies,
            Tasks = _tasks,
            Delegated = _delegated,
            CgroupOwner = _facts.Hierarchies is not null || _options.WithoutCgroup || _facts.Rights.Rootless ? null : CgroupDelegation.Owner(_spec),
            Limits = limits,
            WithoutCgroup = _options.WithoutCgroup,
            DeviceProgram = _facts.Hierarchies is null ? DeviceRules.Compile(_linux.Resources) : [],
            DeviceList = _facts.Hierarchies is null ? [] : DeviceRules.CompileLegacy(_linux.Resources),
            Warnings = _warnings,
        };
    }

    private bool HasEarlyHooks => _spec.Hooks is { } hooks
        && (hooks.Prestart is { Count: > 0 } || hooks.CreateRuntime is { Count: > 0 } || hooks.CreateContainer is { Count: > 0 });

    // ---- namespaces ----

    private void SortNamespaces()
    {
        for (var i = 0; i < _linux.Namespaces!.Count; i++)
        {
            var entry = _linux.Namespaces[i];
            var type = SpecValidator.NamespaceType(entry.Type, i);
            if (string.IsNullOrEmpty(entry.Path))
                _new |= type;
            else
                _joined.Add(new HostNamespace(entry.Path, type));
        }
        _newUser = (_new & Namespaces.User) != 0;
        _joinedUser = _joined.Exists(static n => n.Type == Namespaces.User);
        // Root may join any namespace, whoever owns it, as long as it is root of the host; an ordinary user only those that belong to the
        // user namespace, once in it.
        if (_joinedUser)
            _joined.Sort((a, b) => (a.Type == Namespaces.User).CompareTo(b.Type == Namespaces.User) * (_facts.Rights.OrdinaryUser ? -1 : 1));
    }

    private HostNamespace? EnterNamespaces()
    {
        // Namespaces that one enters for oneself: a cgroup namespace shows the cgroup one is in, and the clocks of a time namespace must be
        // set before anyone is in it.
        const Namespaces ByUnshare = Namespaces.Cgroup | Namespaces.Time;
        HostNamespace? pid = null;
        foreach (var ns in _joined)
            _plan.Prepare(ns);

        _plan.Add(new NewSession());
        JoinCgroups();
        _plan.Add(SetAffinity.All);
        if (_newUser || _joinedUser)
        {
            // The user namespace must own the others, so the process is made twice: first to join, then to be born inside.
            foreach (var ns in _joined)
                _plan.Add(new JoinNamespace(ns));
            _plan.Add(new ContinueIn(_new & ~ByUnshare));
            _plan.Add(new NewSession());
            _plan.Add(new Sync(_newUser ? SyncPoint.IdMaps : SyncPoint.Reborn));
            _inPlace = _plan.Operations.Count;
            _plan.Add(new BecomeRoot());
            if (_facts.Rights.OrdinaryUser)
                _plan.Add(new ShowToRuntime());
        }
        else
        {
            _plan.New = _new & ~ByUnshare;
            foreach (var ns in _joined)
            {
                if (ns.Type == Namespaces.Pid)
                    pid = ns;
                else
                    _plan.Add(new JoinNamespace(ns));
            }
            _inPlace = _plan.Operations.Count;
        }
        if (_joined.Exists(n => n.Type == Namespaces.Pid))
            _plan.Add(new HideFromContainer());
        if ((_new & Namespaces.Time) != 0)
        {
            _plan.Add(new NewNamespace(Namespaces.Time));
            if (_linux.TimeOffsets is { Count: > 0 })
                _plan.Add(new Sync(SyncPoint.TimeOffsets));
            _plan.Add(new EnterTimeNamespace());
        }
        if ((_new & Namespaces.Cgroup) != 0)
            _plan.Add(new NewNamespace(Namespaces.Cgroup));
        JoinDelegated();
        if (!_options.NoNewKeyring)
            AddKeyring();
        if (_linux.NetDevices is { Count: > 0 })
            _plan.Add(new Sync(SyncPoint.NetDevices));
        if ((_new & Namespaces.Network) != 0)
            _plan.Add(new LoopbackUp());
        return pid;
    }

    // Before anything of it is there to be counted, and before a cgroup namespace shows where it is.
    private void JoinCgroups()
    {
        foreach (var hierarchy in _facts.Hierarchies ?? [])
        {
            if (hierarchy.IsUnified || _options.WithoutCgroup)
                continue;
            var tasks = _plan.Prepare(new RuntimeDescriptor($"the file tasks of the cgroup of the {hierarchy.Name} hierarchy"));
            _tasks.Add(tasks);
            _plan.Add(JoinCgroup.OfHierarchy(tasks, hierarchy.Name));
        }
    }

    private void JoinDelegated()
    {
        var whyNot = _options.WithoutCgroup ? "there is no cgroup" : _facts.Hierarchies is not null ? "this host has not the unified hierarchy alone (cgroup v2)" : null;
        if (CgroupDelegation.Require(_spec, whyNot) is not { } path)
            return;
        _delegated = _plan.Prepare(new RuntimeDescriptor("cgroup.procs of the delegated cgroup " + path));
        _plan.Add(new JoinCgroup(_delegated, "the delegated cgroup " + path));
    }

    private void OpenInside()
    {
        foreach (var handle in _plan.Preparations)
        {
            if (handle is not (HostTree or EmptyDirectory or NullDevice))
                continue;
            handle.Inside = true;
            _plan.Operations.Insert(_inPlace++, new OpenInside(handle));
        }
    }

    private void AddKeyring()
    {
        if (string.IsNullOrEmpty(_process.SelinuxLabel))
        {
            _plan.Add(new NewKeyring("_ses." + _options.Id));
            return;
        }
        RequireSelinux(_facts);
        var proc = _plan.Prepare(new HostProc("/proc"));
        _plan.Add(new SetLabel(proc, "keycreate", _process.SelinuxLabel, "label new keyrings " + _process.SelinuxLabel));
        _plan.Add(new NewKeyring("_ses." + _options.Id));
        _plan.Add(new SetLabel(proc, "keycreate", "\n", "label new keyrings as usual again")); // "a newline character … clears" (proc(5))
    }

    // ---- after pivot_root: what the mounts were needed for, and what only the container should see ----

    private void CutOff()
    {
        var root = (HostTree)_plan.Root!;
        var shared = root.Propagation == Propagation.Unchanged;
        if (_options.NoPivot)
            LeaveKernelFileSystems(root, shared);
        _plan.Add(new PivotRoot(root, _options.NoPivot, shared));
        if (_linux.RootfsPropagation is { Length: > 0 } text)
        {
            var (propagation, recursive) = RootPropagation(text);
            _plan.Add(new SetRootPropagation(propagation, recursive));
        }
        if (_spec.Root!.Readonly && root.Overlay is null)
            _plan.Add(new MakeRootReadOnly());
        foreach (var path in _readOnlyMounts)
            _plan.Add(new MakeMountReadOnly(path));
        if (!string.IsNullOrEmpty(_spec.Hostname))
            _plan.Add(new SetName(_spec.Hostname, false));
        if (!string.IsNullOrEmpty(_spec.Domainname))
            _plan.Add(new SetName(_spec.Domainname, true));
        if (_linux.Sysctl is { Count: > 0 } sysctls)
        {
            var proc = _plan.Prepare(new HostProc("/proc/sys"));
            foreach (var (name, value) in sysctls)
                _plan.Add(new WriteSetting(proc, SysctlFile(name), value, $"set the sysctl {name} to {Words.Quote(value)}"));
        }
        foreach (var path in _linux.ReadonlyPaths ?? [])
            _plan.Add(new MakeReadOnly(path));
        if (_linux.MaskedPaths is { Count: > 0 } masked)
        {
            var directory = _plan.Prepare(new EmptyDirectory());
            var file = _plan.Prepare(new NullDevice());
            for (var i = 0; i < masked.Count; i++)
            {
                if (masked.IndexOf(masked[i]) == i) // callers join lists: once is enough
                    _plan.Add(new MaskPath(masked[i], directory, file));
            }
        }
    }

    // Without pivot_root the host's mounts stay in the namespace, out of sight. But whoever has a procfs there without anything masked may, in a
    // user namespace of his own, mount another such, as the kernel takes it (mount_namespaces(7)): so none may stay.
    private void LeaveKernelFileSystems(HostTree root, bool shared)
    {
        if (HasEarlyHooks)
            _plan.Add(new PlaceRoot(root, "/"));
        // What came with a mount namespace of another owner cannot be unmounted, only covered.
        var locked = _newUser || _joinedUser || _facts.Rights.InUserNamespace;
        for (var i = _facts.KernelFileSystems.Count - 1; i >= 0; i--)
            _plan.Add(new LeaveKernelFileSystem(_facts.KernelFileSystems[i], locked, shared));
    }

    // Dots separate, unless slashes do: an interface may have a dot in its name (net/ipv4/conf/eth0.100/forwarding).
    private static string SysctlFile(string name)
    {
        var separator = name.AsSpan().IndexOfAny('.', '/');
        return separator >= 0 && name[separator] == '/' ? name : string.Create(name.Length, name, static (to, from) =>
        {
            for (var i = 0; i < from.Length; i++)
                to[i] = from[i] switch { '.' => '/', '/' => '.', var c => c };
        });
    }

    private static (Propagation, bool Recursive) RootPropagation(string text) => text switch
    {
        "private" => (Propagation.Private, false),
        "rprivate" => (Propagation.Private, true),
        "slave" => (Propagation.Slave, false),
        "rslave" => (Propagation.Slave, true),
        "shared" => (Propagation.Shared, false),
        "rshared" => (Propagation.Shared, true),
        "unbindable" => (Propagation.Unbindable, false),
        "runbindable" => (Propagation.Unbindable, true),
        _ => RuntimeException.Throw<(Propagation, bool)>($"linux.rootfsPropagation: unknown value {Words.Quote(text)}"),
    };
}
