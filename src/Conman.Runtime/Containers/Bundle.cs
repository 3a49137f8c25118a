// A bundle: a folder with config.json and, mostly, the root file system that it names.

using Conman.Linux;
using Conman.Oci.RuntimeSpec;
using Conman.Runtime.Cgroups;
using Conman.Runtime.Compiling;
using Conman.Runtime.Seccomp;

namespace Conman.Runtime.Containers;

/// <summary>A bundle that has been read.</summary>
/// <param name="Path">Its folder, absolute.</param>
/// <param name="Json">config.json as it is.</param>
/// <param name="Spec">config.json as it is understood.</param>
public sealed record Bundle(string Path, byte[] Json, Spec Spec)
{
    /// <summary>Reads and parses a folder's config.json.</summary>
    /// <param name="folder">The bundle.</param>
    /// <param name="config">Another file to read in its place, by the caller's working folder.</param>
    /// <exception cref="RuntimeException">It is not there, or makes no sense.</exception>
    public static Bundle Load(string folder, string? config = null)
    {
        folder = System.IO.Path.TrimEndingDirectorySeparator(System.IO.Path.GetFullPath(folder));
        var path = config is { Length: > 0 } ? System.IO.Path.GetFullPath(config) : folder + "/config.json";
        using var file = Files.TryOpen(path, OpenFlags.ReadOnly, out var errno);
        if (file is null)
        {
            if (errno == Errno.ENOENT && !Files.Exists(folder))
                throw new RuntimeException($"cannot open bundle {folder}: {LinuxException.Describe(errno)}");
            throw new RuntimeException(errno == Errno.ENOENT && config is null
                ? $"JSON specification file config.json not found in bundle {folder}"
                : $"cannot open {path}: {LinuxException.Describe(errno)}");
        }
        var json = Files.ReadAll(file, path);
        try
        {
            return new Bundle(folder, json, Spec.Parse(json));
        }
        catch (FormatException e)
        {
            throw new RuntimeException($"config.json: {e.Message}", e);
        }
    }

    /// <summary>Compiles the spec for a request.</summary>
    public CompiledSpec Compile(CreateRequest request) => PlanCompiler.Compile(Spec, Facts(request.NoPivot), new CompileOptions
    {
        Id = request.Id,
        Bundle = Path,
        NoPivot = request.NoPivot,
        NoNewKeyring = request.NoNewKeyring,
        PreservedDescriptors = request.PreservedDescriptors,
        ListeningDescriptors = request.ListeningDescriptors,
        ListeningNames = request.ListeningNames,
        Filter = request.Root.Length > 0 && Spec.Linux?.Seccomp is { } profile ? FilterCache.Compile(profile, request.Root) : null,
        AwaitStart = request.AwaitStart,
        WithoutCgroup = request.CgroupManager == CgroupManager.Disabled
            || (request.Rootless && request.CgroupManager != CgroupManager.Systemd && RootlessCgroup.Missing(Spec.Linux?.CgroupsPath, request.Id)),
        CgroupsDisabled = request.CgroupManager == CgroupManager.Disabled,
    });

    private HostFacts Facts(bool noPivot) => new()
    {
        Capabilities = Processes.KnownCapabilities,
        Rights = HostRights.Current,
        Home = NeedsHome(Spec.Process) ? Home() : null,
        ForeignStreams = Spec.Linux?.Namespaces?.Exists(static n => n.Type == "user") is true ? [] : StandardStreams.Foreign(Spec.Process?.User?.Uid ?? 0),
        AppArmor = Spec.Process?.ApparmorProfile is { Length: > 0 } && SecurityModules.AppArmor,
        Selinux = (Spec.Linux?.MountLabel is { Length: > 0 } || Spec.Process?.SelinuxLabel is { Length: > 0 }) && Mounts.SelinuxEnabled,
        Landlock = Spec.Annotations is { Count: > 0 } ? Landlock.Version : 0,
        MountOfRoot = Spec.Linux?.RootfsPropagation is "shared" or "rshared" ? Files.MountPointOf(Full(Spec.Root?.Path ?? "")) : "/",
        KernelFileSystems = noPivot ? Mounts.PointsOf("proc", "sysfs") : [],
        Hierarchies = CgroupHierarchy.UnifiedOnly ? null : CgroupHierarchy.List(),
    };

    // The last one counts, and an empty one is as good as none, as with runc.
    internal static bool NeedsHome(Process? process) =>
        process?.Env?.FindLast(v => v.StartsWith("HOME=", StringComparison.Ordinal)) is null or "HOME=";

    private string Full(string path) => System.IO.Path.GetFullPath(path, Path);

    // /etc/passwd as the container will see it: of a bind mount over it if there is one, else of the root file system.
    private string? Home()
    {
        var (folder, path) = (Full(Spec.Root?.Path ?? "rootfs"), "/etc/passwd");
        foreach (var mount in Spec.Mounts ?? [])
        {
            var destination = System.IO.Path.TrimEndingDirectorySeparator(mount.Destination ?? "");
            if (destination == "/etc/passwd" && mount.Source is not null)
                (folder, path) = (System.IO.Path.GetDirectoryName(Full(mount.Source))!, System.IO.Path.GetFileName(mount.Source));
            else if (destination == "/etc" && mount.Source is not null)
                (folder, path) = (Full(mount.Source), "passwd");
        }
        using var root = Files.TryOpen(folder, OpenFlags.Path | Files.Directory, out _);
        return root is null ? null : UserDatabase.HomeOf(root, path, Spec.Process?.User?.Uid ?? 0);
    }
}
