// Compiling the container's file system: root, mounts, devices, terminal.

using Conman.Linux;
using Conman.Oci.RuntimeSpec;
using Conman.Runtime.Cgroups;
using Conman.Runtime.Plans;

namespace Conman.Runtime.Compiling;

public sealed partial class PlanCompiler
{
    private readonly List<string> _places = []; // where mounts of the spec lie so far
    private string? _rootPath;

    private void BuildFileSystem(RuntimeDescriptor? console)
    {
        var (propagation, _) = RootPropagation(_linux.RootfsPropagation is { Length: > 0 } text ? text : "rslave");
        var shared = propagation == Propagation.Shared;
        var path = Path.GetFullPath(_spec.Root!.Path!, _options.Bundle);
        // Hooks that enter the mount namespace look for the root file system where their state says that it is.
        var place = HasEarlyHooks ? path : "/";
        // Mounts of a shared root still reach the host, but for the root itself: only the mount that it is put on leaves.
        if (shared)
            _plan.Add(new LeaveHostMounts(HasEarlyHooks ? _facts.MountOfRoot : "/", Propagation.Private, Recursive: false));
        else
            _plan.Add(new LeaveHostMounts("/", propagation == Propagation.Private ? Propagation.Private : Propagation.Slave, Recursive: true));

        // pivot_root(2) takes no shared mount; SetRootPropagation comes later.
        var root = _plan.Prepare(new HostTree(path, recursive: true)
        {
            Propagation = shared ? Propagation.Unchanged : Propagation.Slave,
            Then = shared ? Propagation.Private : Propagation.Unchanged,
            Overlay = Overlay(_spec.Annotations),
        });
        _plan.Root = root;
        _rootPath = path;
        _plan.Add(new PlaceRoot(root, place));

        var bindsDev = false;
        for (var i = 0; i < (_spec.Mounts?.Count ?? 0); i++)
        {
            var mount = _spec.Mounts![i];
            var options = MountOptions.Parse(mount.Options);
            bindsDev |= IsBind(mount, options) && Path.TrimEndingDirectorySeparator(mount.Destination!) == "/dev";
            AddMount(mount, options, shared, i);
        }
        if (!bindsDev)
            AddDevices();
        if (console is not null)
        {
            _plan.Add(new OpenConsole(
                console, !bindsDev, (uint)(_process.ConsoleSize?.Height ?? 0), (uint)(_process.ConsoleSize?.Width ?? 0), _process.User?.Uid ?? 0));
        }
        if (_process.Cwd != "/")
            _plan.Add(new MakeDirectory(_process.Cwd!, 0x1ed /* 0755 */));
    }

    // Whoever asks for one wants to write: root.readonly then speaks of the folder below, which an overlay never changes.
    private static RootOverlay? Overlay(Dictionary<string, string>? annotations)
    {
        if (annotations is null)
            return null;
        const string Size = RootOverlay.Annotation + ".size";
        foreach (var name in annotations.Keys)
        {
            if (name.StartsWith("org.conman.rootfs.", StringComparison.Ordinal) && name is not (RootOverlay.Annotation or Size))
                throw new RuntimeException($"annotations: unknown name {name}");
        }
        annotations.TryGetValue(RootOverlay.Annotation, out var where);
        annotations.TryGetValue(Size, out var size);
        if (where is null)
            return size is null ? null : RuntimeException.Throw<RootOverlay>($"annotations: {Size} without {RootOverlay.Annotation}");
        if (where != "tmpfs" && !where.StartsWith('/'))
            throw new RuntimeException($"annotations: {RootOverlay.Annotation}: {Words.Quote(where)} is neither tmpfs nor an absolute path");
        if (where != "tmpfs" && size is not null)
            throw new RuntimeException($"annotations: {Size} is for a tmpfs, not for {where}");
        return new RootOverlay(where == "tmpfs" ? null : Path.TrimEndingDirectorySeparator(where), size);
    }

    /// <summary>Compiles mounts for a container that runs already; each becomes one <see cref="BindTree"/> or <see cref="MountFileSystem"/>, in order.</summary>
    /// <param name="plan">A plan whose process has joined the container.</param>
    /// <param name="spec">The container's, with the path of its user namespace.</param>
    internal static void CompileMounts(Plan plan, Spec spec, HostFacts facts, CompileOptions options, IReadOnlyList<Mount> mounts)
    {
        var compiler = new PlanCompiler(spec, facts, options, plan);
        compiler.SortNamespaces();
        if (compiler._joinedUser)
            plan.Prepare(compiler._joined[0]);
        var shared = RootPropagation(spec.Linux!.RootfsPropagation is { Length: > 0 } text ? text : "rslave").Item1 == Propagation.Shared;
        for (var i = 0; i < mounts.Count; i++)
            compiler.AddMount(mounts[i], MountOptions.Parse(mounts[i].Options), shared, i);
    }

    private static bool IsBind(Mount mount, MountOptions options) => mount.Type == "bind" || options.Bind;

    private void AddMount(Mount mount, MountOptions options, bool shared, int index)
    {
        var path = "/" + (InRoot(mount.Destination!) ?? mount.Destination!).TrimStart('/');
        var destination = path is "/proc" or "/sys" or "/dev" ? Destination.NoFollow : Destination.None;
        if (options.DestinationNoFollow)
            destination |= Destination.Link;
        CheckOnProc(mount, options, path);

        if (IsBind(mount, options))
        {
            if (string.IsNullOrEmpty(mount.Source))
                throw new RuntimeException($"mounts[{index}].source: a bind mount needs a source");
            if (options.CopyLink && (options.SourceNoFollow || options.DestinationNoFollow))
                throw new RuntimeException($"mounts[{index}].options: copy-symlink is mutually exclusive with src-nofollow and dest-nofollow");
            if (options.CopyUp)
                throw new RuntimeException($"mounts[{index}].options: tmpcopyup can be used only with tmpfs");
            destination |= AllowedOnProc(path) | (path == "/proc" ? Destination.OnProc : Destination.None);
            var tree = BindSource(mount, options, shared, path, index);
            if (InRoot(tree.Path) is { } inside && _places.Exists(place => Below(inside, place) || (tree.Recursive && Below(place, inside))))
            {
                // Part of it comes of mounts before this one, which only the new process sees.
                _plan.Add(new CopyTree(tree, _plan.Root!, inside));
                _plan.Add(new Sync(SyncPoint.Copied) { Tree = tree });
                _plan.Add(new AttachTree(tree, path) { Destination = destination });
            }
            else
            {
                _plan.Add(new BindTree(_plan.Prepare(tree), path) { Destination = destination });
            }
            _places.Add(path);
            return;
        }
        if (options.IdMap || mount.UidMappings is { Count: > 0 } || mount.GidMappings is { Count: > 0 })
            throw new RuntimeException($"mounts[{index}]: id-mapped mounts are only supported for bind-mounts");
        if (options.CopyLink || options.SourceNoFollow)
            throw new RuntimeException($"mounts[{index}].options: {(options.CopyLink ? "copy-symlink" : "src-nofollow")} can be used only with bind mounts");

        var type = mount.Type is { Length: > 0 } t ? t : RuntimeException.Throw<string>($"mounts[{index}].type: must be given for {path}");
        if (type == "cgroup" && _facts.Hierarchies is not null && (HasCgroupNamespace || !_options.WithoutCgroup))
        {
            AddHierarchies(path, options);
            return;
        }
        if (type is "cgroup" or "cgroup2")
        {
            if (!HasCgroupNamespace)
            {
                // Mounted in the host's cgroup namespace, cgroup2 takes its options from the last mount and so changes the host's: a copy instead.
                // All of it read-only if it is to be so at all: a hierarchy below that is not would be the host's to write (CVE-2023-25809).
                var source = _facts.Hierarchies?.FirstOrDefault(h => h.IsUnified)?.Mount ?? CgroupHierarchy.Root;
                var tree = _plan.Prepare(new HostTree(source, recursive: true) { SetRecursive = options.Set | options.SetRecursive, Propagation = Propagation.Private });
                _plan.Add(new BindTree(tree, path) { Destination = destination });
                return;
            }
            type = "cgroup2";
            options.FileSystem.Clear();
        }
        if (type is "proc" or "sysfs")
            destination |= Destination.NoFollow;
        if (type == "proc" && path == "/proc")
            destination |= Destination.OnProc;
        if (options.CopyUp && type != "tmpfs")
            throw new RuntimeException($"mounts[{index}].options: tmpcopyup can be used only with tmpfs");
        var attributes = options.Set | options.SetRecursive;
        if (Path.TrimEndingDirectorySeparator(path) == "/dev" && (attributes & MountAttributes.ReadOnly) != 0)
        {
            attributes &= ~MountAttributes.ReadOnly; // devices, links and mount points have yet to be made in it
            _readOnlyMounts.Add(path);
        }
        var held = options.CopyUp || _options.HoldFileSystems;
        var copyMode = type == "tmpfs" && !options.FileSystem.Contains("mode");
        var made = new MountFileSystem(type, path, options.CopyUp ? attributes & ~MountAttributes.ReadOnly : attributes)
        {
            Options = Options(mount, options, type),
            Propagation = options.Propagation,
            CopyMode = copyMode,
            Destination = destination | Destination.Directory | (copyMode ? Destination.Shared : Destination.None),
            Held = held,
            CopyUp = options.CopyUp,
            Later = options.CopyUp ? attributes & MountAttributes.ReadOnly : MountAttributes.None,
        };
        _plan.Add(made);
        _places.Add(path);
        if (held)
        {
            _plan.Add(new Sync(SyncPoint.Held) { Mount = made });
            _plan.Add(new AttachHeld(made));
        }
    }

    // The path of the host below the root file system, as one in that; null: it lies elsewhere. Destinations are taken so too, as runc takes them.
    private string? InRoot(string path) =>
        _rootPath is { Length: > 1 } root && path.StartsWith(root, StringComparison.Ordinal) && path.Length > root.Length && path[root.Length] == '/' ? path[root.Length..] : null;

    private static bool Below(string path, string folder) =>
        path.StartsWith(folder, StringComparison.Ordinal) && (path.Length == folder.Length || path[folder.Length] == '/');

    private bool HasCgroupNamespace => (_new & Namespaces.Cgroup) != 0 || _joined.Exists(n => n.Type == Namespaces.Cgroup);

    // A mount of type cgroup where cgroup v1 is: a folder for each hierarchy. In a cgroup namespace each is mounted, and shows the container's
    // cgroup as its root; without one it is the container's cgroup that is bound there.
    private void AddHierarchies(string path, MountOptions options)
    {
        var attributes = options.Set | options.SetRecursive;
        _plan.Add(new MountFileSystem("tmpfs", path, attributes & ~MountAttributes.ReadOnly) { Options = ["source", "tmpfs", "mode", "755"] });
        foreach (var hierarchy in _facts.Hierarchies!)
        {
            if (hierarchy.IsUnified)
                continue;
            var folder = path + hierarchy.Mount[CgroupHierarchy.Root.Length..];
            var controllers = hierarchy.Name.Split(',');
            if (HasCgroupNamespace)
            {
                var named = hierarchy.Name.StartsWith("name=", StringComparison.Ordinal);
                _plan.Add(new MountFileSystem("cgroup", folder, attributes)
                {
                    Options = ["source", "cgroup", .. named ? (string[])["none", "", "name", hierarchy.Name[5..]] : controllers.SelectMany(c => (string[])[c, ""])],
                });
            }
            else
            {
                var own = LegacyCgroup.PathIn(hierarchy, ContainerCgroup.Normal(_linux.CgroupsPath, _options.Id));
                _plan.Add(new BindTree(_plan.Prepare(new HostTree(own, recursive: false) { Set = attributes, Propagation = Propagation.Private }), folder));
            }
            foreach (var controller in controllers.Length > 1 ? controllers : [])
                _plan.Add(new MakeLink(path + "/" + controller, Path.GetFileName(folder)));
        }
        if ((attributes & MountAttributes.ReadOnly) != 0)
            _readOnlyMounts.Add(path);
    }

    private List<string> Options(Mount mount, MountOptions options, string type)
    {
        if (_linux.MountLabel is { Length: > 0 } label && type is not ("proc" or "sysfs" or "cgroup2"))
        {
            if (!_facts.Selinux)
                throw new RuntimeException("linux.mountLabel: SELinux is not enabled on this host");
            options.FileSystem.AddRange(["context", label]);
        }
        // What a mount of tmpfs, proc or sysfs calls its source is only a name, but one that `mount` and `df` show.
        if (!string.IsNullOrEmpty(mount.Source))
            options.FileSystem.InsertRange(0, ["source", mount.Source]);
        return options.FileSystem;
    }

    private HostTree BindSource(Mount mount, MountOptions options, bool shared, string path, int index)
    {
        var map = IdMapOf(mount, options, index);
        // The copy is a peer of the host's mount until it is told otherwise. Only a root that is shared may keep it so.
        var wantsShared = options.Propagation == Propagation.Shared;
        var first = wantsShared && shared ? Propagation.Unchanged : Propagation.Slave;
        return new HostTree(Path.GetFullPath(mount.Source!, _options.Bundle), options.BindRecursive)
        {
            Set = options.Set,
            Clear = options.Clear,
            SetRecursive = options.SetRecursive,
            ClearRecursive = options.ClearRecursive,
            Propagation = first,
            Then = options.Propagation == first ? Propagation.Unchanged : options.Propagation,
            ThenRecursive = options.PropagationRecursive,
            Follow = !options.SourceNoFollow,
            CopyLink = options.CopyLink,
            IdMap = map,
            IdMapRecursive = options.IdMapRecursive,
            MustBeProc = path == "/proc",
        };
    }

    // The maps of the mount itself, those of the option (crun), or else those of the container's user namespace.
    private HostHandle? IdMapOf(Mount mount, MountOptions options, int index)
    {
        var (uids, gids) = (mount.UidMappings ?? [], mount.GidMappings ?? []);
        if (!options.IdMap && uids.Count == 0 && gids.Count == 0)
            return null;
        if (options.IdMaps is { } text)
        {
            if (uids.Count + gids.Count > 0)
                throw new RuntimeException($"mounts[{index}]: maps are given twice, as members and as an option");
            (uids, gids) = IdMapOption.Parse(text, _linux);
        }
        if (uids.Count + gids.Count == 0)
        {
            if (_joinedUser)
                return _joined[0];
            (uids, gids) = (_linux.UidMappings ?? [], _linux.GidMappings ?? []);
        }
        if (uids.Count == 0 || gids.Count == 0)
            throw new RuntimeException($"mounts[{index}]: id-mapped mounts must have both uid and gid mappings specified");
        return _plan.Preparations.Find(p => p is MappingNamespace m && m.Maps(uids, gids)) ?? _plan.Prepare(new MappingNamespace(uids, gids));
    }

    // What container managers emulate with files of their own (lxcfs), and what cannot hurt.
    private static Destination AllowedOnProc(string path) => path is
        "/proc/cpuinfo" or "/proc/diskstats" or "/proc/meminfo" or "/proc/stat" or "/proc/swaps" or "/proc/uptime" or "/proc/loadavg"
        or "/proc/slabinfo" or "/proc/net/dev" or "/proc/sys/kernel/ns_last_pid" or "/proc/sys/crypto/fips_enabled"
        ? Destination.OnProc
        : Destination.None;

    // By name here, for a clear sentence; by the file system's type when the plan runs, for safety.
    private static void CheckOnProc(Mount mount, MountOptions options, string path)
    {
        var what = mount.Source is { Length: > 0 } source ? source : mount.Type;
        if (Path.TrimEndingDirectorySeparator(path) == "/proc" && mount.Type != "proc" && !IsBind(mount, options))
            throw new RuntimeException($"cannot mount {what} on {path}: \"/proc\" cannot be mounted because it is not of type proc");
        if (path.StartsWith("/proc/", StringComparison.Ordinal) && path.TrimEnd('/') != "/proc" && AllowedOnProc(path) == Destination.None)
            throw new RuntimeException($"cannot mount {what} on {path}: \"{path}\" cannot be mounted because it is inside /proc");
    }

    private static readonly (string Path, uint Major, uint Minor)[] DefaultDevices =
    [
        ("/dev/null", 1, 3), ("/dev/random", 1, 8), ("/dev/full", 1, 7), ("/dev/tty", 5, 0), ("/dev/zero", 1, 5), ("/dev/urandom", 1, 9),
    ];

    private static readonly (string Path, string Target)[] DeviceLinks =
    [
        ("/dev/fd", "/proc/self/fd"), ("/dev/stdin", "/proc/self/fd/0"), ("/dev/stdout", "/proc/self/fd/1"), ("/dev/stderr", "/proc/self/fd/2"),
    ];

    private void AddDevices()
    {
        foreach (var (path, major, minor) in DefaultDevices)
        {
            if (_linux.Devices?.Exists(d => d.Path == path) is not true)
                AddDevice(path, 'c', major, minor, 0x1b6 /* 0666 */, 0, 0);
        }
        for (var i = 0; i < (_linux.Devices?.Count ?? 0); i++)
        {
            var device = _linux.Devices![i];
            if (device.Type is not ("c" or "u" or "b" or "p"))
                throw new RuntimeException($"linux.devices[{i}].type: unknown type {Words.Quote(device.Type ?? "")}");
            if (string.IsNullOrEmpty(device.Path) || device.Path[0] != '/')
                throw new RuntimeException($"linux.devices[{i}].path: {Words.Quote(device.Path ?? "")} is not absolute");
            if (device.Type != "p" && (device.Major is < 0 or > 0xfff || device.Minor is < 0 or > 0xfffff))
                throw new RuntimeException($"linux.devices[{i}]: {device.Major}:{device.Minor} is no device number");
            AddDevice(
                device.Path, device.Type[0] == 'u' ? 'c' : device.Type[0], (uint)device.Major, (uint)device.Minor,
                device.FileMode ?? 0x1b6, device.Uid ?? 0, device.Gid ?? 0, i);
        }
        foreach (var (path, target) in DeviceLinks)
            _plan.Add(new MakeLink(path, target));
        _plan.Add(new MakeLink("/dev/ptmx", "pts/ptmx"));
    }

    /// <param name="index">Of linux.devices; -1: it is one that every container has.</param>
    private void AddDevice(string path, char type, uint major, uint minor, uint mode, uint uid, uint gid, int index = -1)
    {
        if ((_newUser || _joinedUser || _facts.Rights.InUserNamespace) && type != 'p')
        {
            var device = new DeviceNode(type == 'b' ? FileType.BlockDevice : FileType.CharacterDevice, major, minor);
            // Where the runtime may make one, and its maps tell whose it is to be.
            if (index >= 0 && !_facts.Rights.Rootless && _linux.UidMappings is { Count: > 0 } uids && _linux.GidMappings is { Count: > 0 } gids)
                device = device with { Made = true, Mode = mode, Uid = Outside(uid, uids, "uid"), Gid = Outside(gid, gids, "gid") };
            // No program of the host's is run by its set-id bits here, though somebody put one in the place of a device.
            var tree = _plan.Prepare(new HostTree(path, recursive: false)
            {
                IsDirectory = false, Propagation = Propagation.Private, SetRecursive = MountAttributes.NoSuid | MountAttributes.NoExec, Device = device,
            });
            _plan.Add(new BindTree(tree, path));
            return;
        }
        _plan.Add(new MakeNode(path, type, major, minor, mode, uid, gid));

        uint Outside(uint id, List<IdMapping> maps, string member) =>
            HostIds.Of(id, maps) ?? throw new RuntimeException($"linux.devices[{index}].{member}: {id} has no id of the host in linux.{member}Mappings");
    }
}
