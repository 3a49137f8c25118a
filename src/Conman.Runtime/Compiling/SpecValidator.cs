// What must be true of a spec before it is worth compiling: each rule's violation is one sentence that names the member.

using Conman.Linux;
using Conman.Oci.RuntimeSpec;
using Conman.Runtime.Containers;
using Conman.Runtime.Plans;

namespace Conman.Runtime.Compiling;

/// <summary>The rules of runtime-spec that concern more than one member, and those that JSON types cannot express.</summary>
internal static class SpecValidator
{
    public static void Validate(Spec spec)
    {
        if (!(spec.OciVersion ?? "").StartsWith("1.", StringComparison.Ordinal))
            throw new RuntimeException($"ociVersion: unsupported version {Words.Quote(spec.OciVersion ?? "")}: conman reads 1.x");
        if (spec.Root is null || string.IsNullOrEmpty(spec.Root.Path))
            throw new RuntimeException("root.path: the root file system must be given");
        ValidateProcess(spec.Process ?? RuntimeException.Throw<Process>("process: must be given"));
        var linux = spec.Linux ?? RuntimeException.Throw<Conman.Oci.RuntimeSpec.Linux>("linux: must be given");

        var present = Namespaces.None;
        for (var i = 0; i < (linux.Namespaces?.Count ?? 0); i++)
        {
            var type = NamespaceType(linux.Namespaces![i].Type, i);
            if ((present & type) != 0)
                throw new RuntimeException($"linux.namespaces[{i}]: {linux.Namespaces[i].Type} is given twice");
            if (linux.Namespaces[i].Path is { Length: > 0 } path && path[0] != '/')
                throw new RuntimeException($"linux.namespaces[{i}].path: {path} is not absolute");
            present |= type;
        }

        if ((present & Namespaces.Mount) == 0)
            throw new RuntimeException("linux.namespaces: a mount namespace is required");
        if (!string.IsNullOrEmpty(spec.Hostname) && (present & Namespaces.Uts) == 0)
            throw new RuntimeException("unable to set hostname without a private UTS namespace");
        if (!string.IsNullOrEmpty(spec.Domainname) && (present & Namespaces.Uts) == 0)
            throw new RuntimeException("unable to set domainname without a private UTS namespace");
        ValidateUserNamespace(linux, present);
        if (linux.TimeOffsets is { Count: > 0 } && (present & Namespaces.Time) == 0)
            throw new RuntimeException("linux.timeOffsets: time namespace offsets specified, but time namespace isn't enabled in the config");
        if (linux.TimeOffsets is { Count: > 0 } && linux.Namespaces!.Exists(static n => n is { Type: "time", Path.Length: > 0 }))
            throw new RuntimeException("linux.timeOffsets: time namespace enabled, but both namespace path and time offsets specified -- you may only provide one");
        ValidateNetDevices(linux, present);
        if (linux.IntelRdt is { ClosID: { Length: > 0 } clos } && clos != "/" && (clos is "." or ".." || clos.AsSpan().ContainsAny("/\n\0")))
            throw new RuntimeException($"linux.intelRdt: invalid intelRdt.ClosID {Words.Quote(clos.Replace("\0", "\\0"))}");
        foreach (var name in linux.Sysctl?.Keys ?? Enumerable.Empty<string>())
            ValidateSysctl(name, present);
        if (spec.Domainname is { Length: > 0 } domain && linux.Sysctl is { Count: > 0 })
        {
            foreach (var (name, value) in linux.Sysctl)
            {
                if (name.Replace('/', '.') == "kernel.domainname" && value != domain)
                    Conflict(name, "domainname");
            }
        }
        ValidateMounts(spec.Mounts ?? []);
        if (linux.Seccomp is { ListenerPath: null or "" } seccomp)
        {
            if (SeccompAgent.IsNeeded(seccomp))
                throw new RuntimeException("linux.seccomp: seccomp listenerPath is not set, but SCMP_ACT_NOTIFY needs it");
            if (!string.IsNullOrEmpty(seccomp.ListenerMetadata))
                throw new RuntimeException("linux.seccomp.listenerMetadata: must not be set without listenerPath");
        }
        RefuseNuls(spec, linux);
    }

    public static void ValidateMounts(IReadOnlyList<Mount> mounts)
    {
        for (var i = 0; i < mounts.Count; i++)
        {
            var mount = mounts[i];
            if (string.IsNullOrEmpty(mount.Destination))
                throw new RuntimeException($"mounts[{i}].destination: must be given");
            RefuseNul(mount.Destination, i, "destination");
            RefuseNul(mount.Source, i, "source");
            RefuseNul(mount.Type, i, "type");
            for (var j = 0; j < (mount.Options?.Count ?? 0); j++)
                RefuseNul(mount.Options![j], i, "options");
        }
    }

    // The words are put together only for an error.
    private static void RefuseNul(string? text, int mount, string member)
    {
        if (text is not null && text.Contains('\0'))
            RefuseNul(text, $"mounts[{mount}].{member}");
    }

    public static Namespaces NamespaceType(string? name, int index) => name switch
    {
        "mount" => Namespaces.Mount,
        "pid" => Namespaces.Pid,
        "network" => Namespaces.Network,
        "ipc" => Namespaces.Ipc,
        "uts" => Namespaces.Uts,
        "user" => Namespaces.User,
        "cgroup" => Namespaces.Cgroup,
        "time" => Namespaces.Time,
        _ => RuntimeException.Throw<Namespaces>($"linux.namespaces[{index}].type: unknown namespace {Words.Quote(name ?? "")}"),
    };

    public static void ValidateProcess(Process process)
    {
        if (process.Args is not { Count: > 0 } || process.Args[0].Length == 0)
            throw new RuntimeException("process.args: args must not be empty");
        if (string.IsNullOrEmpty(process.Cwd) || process.Cwd[0] != '/')
            throw new RuntimeException($"process.cwd: Cwd must be an absolute path, not {Words.Quote(process.Cwd ?? "")}");
        RefuseNul(process.Cwd, "process.cwd");
        if (process.ExecCPUAffinity is { } affinity)
        {
            Affinity(affinity.Initial, "initial");
            Affinity(affinity.Final, "final");
        }
        RefuseNul(process.ApparmorProfile ?? "", "process.apparmorProfile");
        RefuseNul(process.SelinuxLabel ?? "", "process.selinuxLabel");
        foreach (var text in process.Args)
            RefuseNul(text, "process.args");
        foreach (var text in process.Env ?? [])
        {
            RefuseNul(text, "process.env");
            if (text.IndexOf('=') <= 0)
                throw new RuntimeException($"process.env: invalid environment variable {Words.Quote(text)}: " + (text.StartsWith('=') ? "name cannot be empty" : "missing '='"));
        }
        if (process.User is { } user && (user.Uid == uint.MaxValue || user.Gid == uint.MaxValue))
            throw new RuntimeException("process.user: 4294967295 is no user or group id");
        var seen = new List<string>();
        foreach (var limit in process.Rlimits ?? [])
        {
            if (seen.Contains(limit.Type ?? ""))
                throw new RuntimeException($"process.rlimits: {limit.Type} is given twice");
            seen.Add(limit.Type ?? "");
            if (limit.Soft > limit.Hard)
                throw new RuntimeException($"process.rlimits: {limit.Type}: the soft limit {limit.Soft} is above the hard one, {limit.Hard}");
        }
    }

    /// <summary>A list of process.execCPUAffinity as a mask; null if it is not given.</summary>
    public static byte[]? Affinity(string? list, string member) =>
        string.IsNullOrEmpty(list) ? null : BitList.Parse(list, $"CPU list in process.execCPUAffinity.{member}");

    // The kernel takes a text to its first NUL: what lies behind it would silently count for nothing.
    private static void RefuseNuls(Spec spec, Conman.Oci.RuntimeSpec.Linux linux)
    {
        RefuseNul(spec.Root!.Path!, "root.path");
        RefuseNul(spec.Hostname ?? "", "hostname");
        RefuseNul(spec.Domainname ?? "", "domainname");
        RefuseNul(linux.CgroupsPath ?? "", "linux.cgroupsPath");
        RefuseNul(linux.Seccomp?.ListenerPath ?? "", "linux.seccomp.listenerPath");
        foreach (var ns in linux.Namespaces ?? [])
            RefuseNul(ns.Path ?? "", "linux.namespaces");
        foreach (var device in linux.Devices ?? [])
            RefuseNul(device.Path ?? "", "linux.devices");
        foreach (var (name, value) in linux.Sysctl ?? [])
            RefuseNul(name + value, "linux.sysctl");
        foreach (var path in linux.MaskedPaths ?? [])
            RefuseNul(path, "linux.maskedPaths");
        foreach (var path in linux.ReadonlyPaths ?? [])
            RefuseNul(path, "linux.readonlyPaths");
    }

    private static void RefuseNul(string text, string member)
    {
        if (text.Contains('\0'))
            throw new RuntimeException($"{member}: a NUL character in {Words.Quote(text.Replace("\0", "\\0"))}");
    }

    private static void ValidateUserNamespace(Conman.Oci.RuntimeSpec.Linux linux, Namespaces present)
    {
        var mapped = linux.UidMappings is { Count: > 0 } || linux.GidMappings is { Count: > 0 };
        var user = linux.Namespaces!.Find(n => n.Type == "user");
        if (user is null && mapped)
            throw new RuntimeException("linux.uidMappings: User namespace mappings specified, but USER namespace isn't enabled in the config");
        if (user is not null && string.IsNullOrEmpty(user.Path))
        {
            if (linux.UidMappings is not { Count: > 0 })
                throw new RuntimeException("linux.uidMappings: User namespaces enabled, but no uid mappings found");
            if (linux.GidMappings is not { Count: > 0 })
                throw new RuntimeException("linux.gidMappings: User namespaces enabled, but no gid mappings found");
        }
    }

    private static void ValidateNetDevices(Conman.Oci.RuntimeSpec.Linux linux, Namespaces present)
    {
        if (linux.NetDevices is not { Count: > 0 } devices)
            return;
        if ((present & Namespaces.Network) == 0)
            throw new RuntimeException("linux.netDevices: unable to move network devices without a NET namespace");
        foreach (var (name, device) in devices)
        {
            foreach (var text in (string[])[name, device?.Name is { Length: > 0 } newName ? newName : name])
            {
                // dev_valid_name of the kernel: at most 15 bytes (IFNAMSIZ), no slash, no colon, no space.
                if (text.Length is 0 or > 15 || text is "." or ".." || text.AsSpan().IndexOfAny("/: \t\n\0") >= 0)
                    throw new RuntimeException($"linux.netDevices: invalid network device name {Words.Quote(text.Replace("\0", "\\0"))}");
            }
        }
    }

    // A sysctl that no namespace keeps to the container would change the host.
    private static void ValidateSysctl(string name, Namespaces present)
    {
        var dotted = name.Replace('/', '.');
        if (name.Contains("..", StringComparison.Ordinal) || name.StartsWith('/'))
            throw new RuntimeException($"linux.sysctl: {Words.Quote(name)} is no name of a sysctl");
        var needed = dotted switch
        {
            "kernel.msgmax" or "kernel.msgmnb" or "kernel.msgmni" or "kernel.sem" or "kernel.shmall" or "kernel.shmmax" or "kernel.shmmni"
                or "kernel.shm_rmid_forced" => Namespaces.Ipc,
            "kernel.domainname" => Namespaces.Uts,
            "kernel.hostname" => Conflict(name, "hostname"),
            _ when dotted.StartsWith("fs.mqueue.", StringComparison.Ordinal) => Namespaces.Ipc,
            _ when dotted.StartsWith("net.", StringComparison.Ordinal) => Namespaces.Network,
            _ when dotted.StartsWith("user.", StringComparison.Ordinal) => Namespaces.User,
            _ => RuntimeException.Throw<Namespaces>($"sysctl {Words.Quote(name)} is not in a separate kernel namespace"),
        };
        if ((present & needed) == 0)
            throw new RuntimeException($"sysctl {Words.Quote(name)} is not allowed in the hosts {Words.Namespace(needed)} namespace");
    }

    private static Namespaces Conflict(string sysctl, string member) =>
        throw new RuntimeException($"sysctl \"{sysctl}\" is not allowed as it conflicts with the OCI \"{member}\" field");
}
