// What is mounted over the root file system, and what of the kernel's own file systems cannot be seen or written.

using Conman.Linux;
using Conman.Oci.RuntimeSpec;

namespace Conman.Engine.Specs;

public sealed partial class SpecBuilder
{
    private const long DefaultShmSize = 64 << 20;

    // What tells of the host or reaches it (linux.maskedPaths), beside thermal_throttle of each CPU.
    private static readonly string[] Masked =
    [
        "/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/sched_debug", "/proc/scsi",
        "/proc/timer_list", "/proc/timer_stats", "/sys/devices/virtual/powercap", "/sys/firmware", "/sys/fs/selinux",
    ];

    private static readonly string[] ReadOnly = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

    private void AddFileSystem()
    {
        var mounts = DefaultMounts();
        var own = new List<Mount>();
        EtcFiles.Add(_in, _network, _hostname, IsCovered, own);
        AddTimeZone(own);
        AddSecrets(own);
        foreach (var (destination, options) in _in.Host.Tmpfs ?? [])
            own.Add(Tmpfs(destination, options));
        foreach (var mount in _in.Host.Mounts ?? [])
        {
            if (mount.Type == "tmpfs")
                own.Add(Tmpfs(mount.Target, Options(mount)));
        }
        own.AddRange(_in.Volumes);
        InsertByDepth(own);

        // What is asked for takes the place of what is there by default, with all below it.
        mounts.RemoveAll(m => own.Exists(o => Clean(o.Destination!) is var d && (d == m.Destination || m.Destination!.StartsWith(d + "/", StringComparison.Ordinal))));
        mounts.AddRange(own);
        _spec.Mounts = mounts;

        if (_privileged || _security.UnmaskAll)
        {
            (_linux.MaskedPaths, _linux.ReadonlyPaths) = (_security.Mask.Count > 0 ? _security.Mask : null, null);
            return;
        }
        var masked = _in.Host.MaskedPaths ?? MaskedByDefault();
        masked.AddRange(_security.Mask);
        var readOnly = _in.Host.ReadonlyPaths ?? [.. ReadOnly];
        if (_security.Unmask.Count > 0)
        {
            masked.RemoveAll(_security.IsUnmasked);
            readOnly.RemoveAll(_security.IsUnmasked);
        }
        (_linux.MaskedPaths, _linux.ReadonlyPaths) = (masked, readOnly);
    }

    private List<Mount> DefaultMounts()
    {
        var kernel = _privileged ? "rw" : "ro";
        var mounts = new List<Mount>
        {
            new() { Destination = "/proc", Type = "proc", Source = "proc", Options = ["nosuid", "noexec", "nodev"] },
            new() { Destination = "/dev", Type = "tmpfs", Source = "tmpfs", Options = ["nosuid", "strictatime", "mode=755", "size=65536k"] },
            new() { Destination = "/dev/pts", Type = "devpts", Source = "devpts", Options = ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"] },
            new() { Destination = "/sys", Type = "sysfs", Source = "sysfs", Options = ["nosuid", "noexec", "nodev", kernel] },
            new() { Destination = "/sys/fs/cgroup", Type = "cgroup", Source = "cgroup", Options = ["nosuid", "noexec", "nodev", _security.WritableCgroups ? "rw" : kernel] },
        };
        if (_ipc.Kind == NamespaceKind.Host)
        {
            mounts.Add(new Mount { Destination = "/dev/shm", Type = "bind", Source = "/dev/shm", Options = ["bind", "nosuid", "noexec", "nodev"] });
            mounts.Add(new Mount { Destination = "/dev/mqueue", Type = "bind", Source = "/dev/mqueue", Options = ["bind", "nosuid", "noexec", "nodev"] });
            return mounts;
        }
        mounts.Add(new Mount { Destination = "/dev/mqueue", Type = "mqueue", Source = "mqueue", Options = ["nosuid", "noexec", "nodev"] });
        if (_ipc.Kind == NamespaceKind.None)
            return mounts;
        if (_ipc.Kind == NamespaceKind.Container && _in.SharedMemoryOf is { } sharedMemoryOf)
        {
            mounts.Add(new Mount { Destination = "/dev/shm", Type = "bind", Source = sharedMemoryOf(_ipc.Argument), Options = ["bind", "nosuid", "noexec", "nodev"] });
            return mounts;
        }
        var size = _in.Host.ShmSize > 0 ? _in.Host.ShmSize : DefaultShmSize;
        mounts.Add(new Mount { Destination = "/dev/shm", Type = "tmpfs", Source = "shm", Options = ["nosuid", "noexec", "nodev", "mode=1777", "size=" + size] });
        return mounts;
    }

    private static List<string> MaskedByDefault()
    {
        var masked = new List<string>(Masked);
        for (var cpu = 0; cpu < System.Environment.ProcessorCount; cpu++)
        {
            var path = "/sys/devices/system/cpu/cpu" + cpu + "/thermal_throttle";
            if (!Files.Exists(path))
                break; // a virtual machine's have none
            masked.Add(path);
        }
        return masked;
    }

    // A later word overrides an earlier one: "exec" gives back what the default takes.
    private static Mount Tmpfs(string destination, string options)
    {
        var mount = new Mount { Destination = destination, Type = "tmpfs", Source = "tmpfs", Options = ["noexec", "nosuid", "nodev"] };
        if (options.Length > 0)
            mount.Options.AddRange(options.Split(','));
        return mount;
    }

    private static string Options(Settings.MountSetting mount)
    {
        var options = mount.ReadOnly ? "ro" : "rw";
        if (mount.TmpfsOptions is { SizeBytes: > 0 } sized)
            options += ",size=" + sized.SizeBytes;
        if (mount.TmpfsOptions?.Mode is { } mode)
            options += ",mode=" + Convert.ToString(mode, 8);
        return options;
    }

    private void AddTimeZone(List<Mount> own)
    {
        var zone = _in.Config.Timezone;
        if (zone.Length == 0)
            return;
        var path = zone == "local" ? "/etc/localtime" : "/usr/share/zoneinfo/" + zone;
        if (zone.Split('/').Contains("..") || !Files.Exists(path))
            throw new EngineException($"--tz {zone}: the host has no time zone of this name");
        own.Add(new Mount { Destination = "/etc/localtime", Type = "bind", Source = path, Options = ["bind", "ro", "rprivate"] });
    }

    private void AddSecrets(List<Mount> own)
    {
        const string Folder = "secrets";
        foreach (var secret in _in.Config.Secrets ?? [])
        {
            if (secret.Type == "env")
                continue;
            using var lib = Files.Open(_in.LibFolder, OpenFlags.Path | Files.Directory);
            Files.TryMakeDirectory(Folder, 0x1c0 /* 0700 */, lib.Number);
            using var folder = Files.Open(Folder, OpenFlags.Path | Files.Directory | Files.NoFollow, lib.Number);
            var name = own.Count + "-" + secret.Name; // one secret may be asked for twice
            Files.TryUnlink(name, folder.Number);
            EtcFiles.Put(folder, name, Secret(secret.Name), secret.Mode ?? 0x124 /* 0444 */);
            if (Files.TryChangeOwner(folder.Number, name, secret.UID, secret.GID) is var errno and not 0)
                throw new LinuxException(errno, $"give secret {secret.Name} to {secret.UID}:{secret.GID}");
            var target = secret.Target.Length > 0 ? secret.Target : secret.Name;
            own.Add(new Mount
            {
                Destination = target.StartsWith('/') ? target : "/run/secrets/" + target, Type = "bind", Source = _in.LibFolder + "/" + Folder + "/" + name,
                Options = ["bind", "ro", "rprivate", "nosuid", "nodev", "noexec"],
            });
        }
    }

    // Whether somebody asked for something else at this very path.
    private bool IsCovered(string path)
    {
        foreach (var mount in _in.Volumes)
        {
            if (Clean(mount.Destination!) == path)
                return true;
        }
        return _in.Host.Tmpfs is { } tmpfs && tmpfs.ContainsKey(path);
    }

    private static string Clean(string destination) => System.IO.Path.TrimEndingDirectorySeparator(destination);

    // What lies deeper is mounted later, else in the order given.
    private static void InsertByDepth(List<Mount> mounts)
    {
        for (var i = 1; i < mounts.Count; i++)
        {
            for (var j = i; j > 0 && Depth(mounts[j]) < Depth(mounts[j - 1]); j--)
                (mounts[j], mounts[j - 1]) = (mounts[j - 1], mounts[j]);
        }

        static int Depth(Mount mount) => Clean(mount.Destination!).AsSpan().Count('/');
    }
}
