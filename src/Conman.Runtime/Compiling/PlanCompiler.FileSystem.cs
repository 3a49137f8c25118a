// Compiling the container's file system: root, mounts, devices, terminal.

using Conman.Linux;
using Conman.Oci.RuntimeSpec;
using Conman.Runtime.Cgroups;
using Conman.Runtime.Plans;

namespace Conman.Runtime.Compiling;

public sealed partial class PlanCompiler
{
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
        });
        _plan.Root = root;
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

    private static bool IsBind(Mount mount, MountOptions options) => mount.Type == "bind" || options.Bind;

    private void AddMount(Mount mount, MountOptions options, bool shared, int index)
    {
        var path = "/" + mount.Destination!.TrimStart('/');
        var destination = path is "/proc" or "/sys" or "/dev" ? Destination.NoFollow : Destination.None;
        if (mount.UidMappings is { Count: > 0 } || mount.GidMappings is { Count: > 0 })
            throw new RuntimeException($"mounts[{index}].uidMappings: id-mapped mounts are not supported yet");

        if (IsBind(mount, options))
        {
            CheckBindOnProc(mount, path);
            if (string.IsNullOrEmpty(mount.Source))
                throw new RuntimeException($"mounts[{index}].source: a bind mount needs a source");
            _plan.Add(new BindTree(BindSource(mount, options, shared), path) { Destination = destination | AllowedOnProc(path) });
            return;
        }

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
                var tree = _plan.Prepare(new HostTree(source, recursive: true) { SetRecursive = options.Set, Propagation = Propagation.Private });
                _plan.Add(new BindTree(tree, path) { Destination = destination });
                return;
            }
            type = "cgroup2";
            options.FileSystem.Clear();
        }
        if (type is "proc" or "sysfs")
            destination |= Destination.NoFollow | Destination.OnProc;
        _plan.Add(new MountFileSystem(type, path, options.Set | options.SetRecursive)
        {
            Options = Options(mount, options),
            Propagation = options.Propagation,
            CopyMode = type == "tmpfs" && !options.FileSystem.Contains("mode"),
            Destination = destination | Destination.Directory,
        });
    }

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

    private static List<string> Options(Mount mount, MountOptions options)
    {
        // What a mount of tmpfs, proc or sysfs calls its source is only a name, but one that `mount` and `df` show.
        if (!string.IsNullOrEmpty(mount.Source))
            options.FileSystem.InsertRange(0, ["source", mount.Source]);
        return options.FileSystem;
    }

    private HostTree BindSource(Mount mount, MountOptions options, bool shared)
    {
        // The copy is a peer of the host's mount until it is told otherwise. Only a root that is shared may keep it so.
        var wantsShared = options.Propagation == Propagation.Shared;
        var first = wantsShared && shared ? Propagation.Unchanged : Propagation.Slave;
        return _plan.Prepare(new HostTree(Path.GetFullPath(mount.Source!, _options.Bundle), options.BindRecursive)
        {
            Set = options.Set,
            Clear = options.Clear,
            SetRecursive = options.SetRecursive,
            ClearRecursive = options.ClearRecursive,
            Propagation = first,
            Then = options.Propagation == first ? Propagation.Unchanged : options.Propagation,
            ThenRecursive = options.PropagationRecursive,
        });
    }

    // What container managers emulate with files of their own (lxcfs), and what cannot hurt.
    private static Destination AllowedOnProc(string path) => path is
        "/proc/cpuinfo" or "/proc/diskstats" or "/proc/meminfo" or "/proc/stat" or "/proc/swaps" or "/proc/uptime" or "/proc/loadavg"
        or "/proc/slabinfo" or "/proc/net/dev" or "/proc/sys/kernel/ns_last_pid" or "/proc/sys/crypto/fips_enabled"
        ? Destination.OnProc
        : Destination.None;

    // By name here, for a clear sentence; by the file system's type when the plan runs, for safety.
    private static void CheckBindOnProc(Mount mount, string path)
    {
        if (path == "/proc" || !path.StartsWith("/proc/", StringComparison.Ordinal) || AllowedOnProc(path) != Destination.None)
            return;
        throw new RuntimeException($"cannot mount {mount.Source} on {path}: {path} is inside /proc");
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
                device.FileMode ?? 0x1b6, device.Uid ?? 0, device.Gid ?? 0);
        }
        foreach (var (path, target) in DeviceLinks)
            _plan.Add(new MakeLink(path, target));
        _plan.Add(new MakeLink("/dev/ptmx", "pts/ptmx"));
    }

    private void AddDevice(string path, char type, uint major, uint minor, uint mode, uint uid, uint gid)
    {
        if ((_newUser || _joinedUser || _facts.Rights.InUserNamespace) && type != 'p')
        {
            // A user namespace may not make devices; it may be given the host's.
            var tree = _plan.Prepare(new HostTree(path, recursive: false) { IsDirectory = false, Propagation = Propagation.Private });
            _plan.Add(new BindTree(tree, path));
            return;
        }
        _plan.Add(new MakeNode(path, type, major, minor, mode, uid, gid));
    }
}
