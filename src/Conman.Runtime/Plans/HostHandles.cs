// What a plan needs from the host: each is opened outside, by the runtime, and used inside by descriptor.

using Conman.Linux;
using Conman.Oci.RuntimeSpec;
using Conman.Runtime.Compiling;

namespace Conman.Runtime.Plans;

/// <summary>A detached copy of a mount tree of the host: the root file system, or the source of a bind mount.</summary>
public sealed class HostTree(string path, bool recursive) : HostHandle
{
    public string Path { get; } = path;

    /// <summary>With what is mounted below it.</summary>
    public bool Recursive { get; } = recursive;

    /// <summary>False: the path itself, though it be a symbolic link.</summary>
    public bool Follow { get; init; } = true;

    /// <summary>Set and cleared on the top mount only.</summary>
    public MountAttributes Set { get; init; }
    public MountAttributes Clear { get; init; }

    /// <summary>Set and cleared on the whole tree.</summary>
    public MountAttributes SetRecursive { get; init; }
    public MountAttributes ClearRecursive { get; init; }

    /// <summary>Propagation of every mount in the tree, before <see cref="Then"/>.</summary>
    public Propagation Propagation { get; init; } = Propagation.Slave;

    /// <summary>A second propagation type for the top mount or the whole tree.</summary>
    public Propagation Then { get; init; }
    public bool ThenRecursive { get; init; }

    /// <summary>The user namespace whose maps its files are seen through (MOUNT_ATTR_IDMAP); null: they are seen as they are.</summary>
    public HostHandle? IdMap { get; init; }

    /// <summary>The mounts below the top one are mapped as well.</summary>
    public bool IdMapRecursive { get; init; }

    /// <summary>Only a procfs will do.</summary>
    public bool MustBeProc { get; init; }

    /// <summary>The tree is not the path's own but an overlay over it; null: it is a copy of the path's mount.</summary>
    public RootOverlay? Overlay { get; init; }

    /// <summary>Only this device will do; null: any file.</summary>
    public DeviceNode? Device { get; init; }

    /// <summary>A symbolic link is not mounted but made again, see <see cref="Link"/>.</summary>
    public bool CopyLink { get; init; }

    /// <summary>Known once it is open.</summary>
    public bool IsDirectory { get; set; } = true;

    /// <summary>What a link that is to be made again names; known once it is open.</summary>
    public string? Link { get; set; }

    /// <summary>The calls of mount_setattr(2) that the copy needs, in order: attributes of the whole tree and its first propagation travel together.</summary>
    internal List<(bool Recursive, MountAttributes Set, MountAttributes Clear, Propagation Propagation)> AttributeCalls()
    {
        var calls = new List<(bool, MountAttributes, MountAttributes, Propagation)>(3);
        if ((SetRecursive | ClearRecursive) != 0 || Propagation != Propagation.Unchanged)
            calls.Add((true, SetRecursive, ClearRecursive, Propagation));
        if ((Set | Clear) != 0 || (Then != Propagation.Unchanged && !ThenRecursive))
            calls.Add((false, Set, Clear, ThenRecursive ? Propagation.Unchanged : Then));
        if (Then != Propagation.Unchanged && ThenRecursive)
            calls.Add((true, MountAttributes.None, MountAttributes.None, Then));
        return calls;
    }

    public override string Describe() =>
        Overlay is not null ? $"an overlay over {Path}, written to {Overlay.Describe()}"
        : Device is { Made: true } ? $"a new device, {Device.Describe()}" + Words.InParentheses(Words.Attributes(SetRecursive))
        : (CopyLink ? "the link, or " : "") + $"a copy of the {(Recursive ? "mounts" : "mount")} at {Path}" + Words.InParentheses(
            Words.Attributes(Set | SetRecursive, SetRecursive != 0), Words.Propagation(Propagation, Recursive), Words.Then(Then, ThenRecursive),
            IdMap is null ? "" : (IdMapRecursive ? "all " : "") + "id-mapped by " + IdMap.Describe());
}

/// <summary>What lies over a root file system and takes all that is written to it (overlayfs, by the annotation <c>org.conman.rootfs.overlay</c>).</summary>
/// <param name="Folder">A folder of the host for its upper layer, which stays; null: a tmpfs, which goes with the container.</param>
/// <param name="Size">Of the tmpfs, as tmpfs(5) reads it; null: half of the memory.</param>
public sealed record RootOverlay(string? Folder, string? Size)
{
    /// <summary>The annotation that asks for one.</summary>
    public const string Annotation = "org.conman.rootfs.overlay";

    /// <summary>Where it is written to, in words.</summary>
    public string Describe() => Folder is not null ? Folder + "/upper" : "a tmpfs of its own" + (Size is null ? "" : $" (size={Size})");
}

/// <summary>A device in a user namespace, which may not make one (mknod(2)): it is given the host's, or one that is made for it outside.</summary>
/// <param name="Type">Character or block device.</param>
public sealed record DeviceNode(FileType Type, uint Major, uint Minor)
{
    /// <summary>It is made, with this mode and these owners, as the host numbers them.</summary>
    public bool Made { get; init; }
    public uint Mode { get; init; }
    public uint Uid { get; init; }
    public uint Gid { get; init; }

    /// <summary>It in words.</summary>
    public string Describe() => $"{(Type == FileType.BlockDevice ? 'b' : 'c')} {Major}:{Minor}" + (Made ? $", mode {Words.Octal(Mode)}, owner {Uid}:{Gid} of the host" : "");
}

/// <summary>A user namespace without a process: it only lends its id maps to mounts (mount_setattr(2), MOUNT_ATTR_IDMAP).</summary>
public sealed class MappingNamespace(List<IdMapping> uids, List<IdMapping> gids) : HostHandle
{
    public List<IdMapping> Uids { get; } = uids;
    public List<IdMapping> Gids { get; } = gids;

    public override bool StaysOutside => true;

    public bool Maps(List<IdMapping> uids, List<IdMapping> gids) => Same(Uids, uids) && Same(Gids, gids);

    public override string Describe() => $"a user namespace that maps users {Words.Maps(Uids)} and groups {Words.Maps(Gids)}";

    private static bool Same(List<IdMapping> one, List<IdMapping> other)
    {
        for (var i = 0; i < one.Count && i < other.Count; i++)
        {
            if ((one[i].ContainerID, one[i].HostID, one[i].Size) != (other[i].ContainerID, other[i].HostID, other[i].Size))
                return false;
        }
        return one.Count == other.Count;
    }
}

/// <summary>An empty, read-only tmpfs, mounted on every folder that is masked.</summary>
public sealed class EmptyDirectory : HostHandle
{
    public override string Describe() => "an empty read-only directory, to mask others with";
}

/// <summary>The null device, verified by its number, mounted on every file that is masked.</summary>
public sealed class NullDevice : HostHandle
{
    public override string Describe() => "the null device (1:3), to mask files with";
}

/// <summary>/proc/sys or /proc of the host, on a real procfs.</summary>
public sealed class HostProc(string path) : HostHandle
{
    public string Path { get; } = path;

    public override string Describe() => $"{Path}, a real procfs, to write settings through";
}

/// <summary>A namespace that exists already.</summary>
public sealed class HostNamespace(string path, Namespaces type) : HostHandle
{
    public string Path { get; } = path;
    public Namespaces Type { get; } = type;

    public override string Describe() => $"the {Words.Namespace(Type)} namespace {Path}";
}

/// <summary>A Landlock ruleset, to which rules are added once the paths that they are about can be seen.</summary>
/// <param name="version">Of the kernel's Landlock.</param>
public sealed class LandlockRuleset(LandlockPolicy policy, int version) : HostHandle
{
    public LandlockPolicy Policy { get; } = policy;

    /// <summary>Allows what the policy allows, once the ruleset is open.</summary>
    /// <param name="root">The root that its paths are of.</param>
    public void AddRules(FileDescriptor root) => Policy.Allow(Descriptor, root, version);

    /// <summary>Makes it.</summary>
    public FileDescriptor Open() => Policy.Create(version);

    public override string Describe() => $"a Landlock ruleset ({Policy.Describe()})";
}

/// <summary>A socket or a pidfd that the runtime opens itself.</summary>
public sealed class RuntimeDescriptor(string purpose) : HostHandle
{
    public override string Describe() => purpose;
}
