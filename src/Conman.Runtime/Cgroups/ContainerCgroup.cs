// The container's cgroup: where it lies, its limits, its end. What the unified hierarchy and those of cgroup v1 have in common.

using Conman.Linux;

namespace Conman.Runtime.Cgroups;

/// <summary>A container's cgroup. Its path follows from the spec and the id alone.</summary>
public abstract class ContainerCgroup
{
    /// <summary>Milliseconds for killed processes to be gone: only a process stuck in the kernel takes longer.</summary>
    protected const int Patience = 10_000;

    /// <summary>The folder that is marked with the owner, and through which processes are listed, frozen and killed.</summary>
    public abstract CgroupFolder Folder { get; }

    /// <summary>What <see cref="At"/> finds it again by.</summary>
    public abstract string Record { get; }

    /// <summary>Whether it lies in the hierarchies of cgroup v1.</summary>
    public bool IsLegacy => !IsUnified;

    /// <summary>Bytes of memory that it uses now; null without the controller.</summary>
    public long? MemoryUsage =>
        long.TryParse(FolderOf("memory")?.TryRead(IsLegacy ? "memory.usage_in_bytes" : "memory.current"), out var bytes) ? bytes : null;

    /// <summary>How many of its processes the kernel killed for want of memory; 0 too where no controller counts them.</summary>
    public int OutOfMemoryKills
    {
        get
        {
            foreach (var line in (FolderOf("memory")?.TryRead(IsLegacy ? "memory.oom_control" : "memory.events") ?? "").Split('\n'))
            {
                if (line.StartsWith("oom_kill ", StringComparison.Ordinal) && int.TryParse(line.AsSpan(9), out var count))
                    return count;
            }
            return 0;
        }
    }

    /// <summary>Where linux.cgroupsPath leads: absolute from a hierarchy's root; relative to the caller's own cgroup; absent: a name from the id.</summary>
    /// <param name="hierarchies">Those of a hybrid or v1 host; null: there is the unified one alone.</param>
    public static ContainerCgroup Locate(string? cgroupsPath, string id, IReadOnlyList<CgroupHierarchy>? hierarchies)
    {
        var path = Normal(cgroupsPath, id);
        return hierarchies is null ? UnifiedCgroup.Locate(path) : LegacyCgroup.Locate(path, hierarchies);
    }

    /// <summary>The cgroup that a record of a container names.</summary>
    public static ContainerCgroup At(string record) => record.StartsWith('/') ? new UnifiedCgroup(CgroupHierarchy.Root, record)
        : SystemdCgroup.Owns(record) ? SystemdCgroup.Parse(record)
        : LegacyCgroup.Parse(record);

    /// <summary>linux.cgroupsPath without what says nothing.</summary>
    internal static string Normal(string? cgroupsPath, string id)
    {
        if (string.IsNullOrEmpty(cgroupsPath))
            return "/conman-" + id;
        if (cgroupsPath.Split('/').Contains("..", StringComparer.Ordinal))
            throw new RuntimeException($"linux.cgroupsPath: {cgroupsPath} must not contain ..");
        return Path.TrimEndingDirectorySeparator(cgroupsPath);
    }

    /// <summary>A cgroup left by nobody may be taken over; one that holds processes or is frozen belongs to somebody.</summary>
    public abstract void RefuseOccupied();

    /// <summary>Makes the folders and those above them.</summary>
    /// <param name="owner">What the cgroup is marked with before there is a process in it.</param>
    public abstract void Make(string owner);

    /// <summary>The folder to be born in (CLONE_INTO_CGROUP); null where there is no unified hierarchy.</summary>
    public abstract FileDescriptor? Open();

    /// <summary>The files through which a process joins the v1 hierarchies, in the order of <see cref="CgroupHierarchy.List"/>.</summary>
    public abstract IEnumerable<(string Hierarchy, FileDescriptor Tasks)> OpenTasks();

    /// <summary>There is a process of the container in it now.</summary>
    public virtual void HasProcess()
    {
    }

    /// <summary>Makes a cgroup below it for the container to administer, and opens its cgroup.procs.</summary>
    /// <param name="owner">Whose it shall be; null: root's.</param>
    public FileDescriptor OpenDelegated(string path, uint? owner)
    {
        var below = new CgroupFolder(Folder.Path + "/" + path);
        MakeFolder(below, Folder.Path);
        if (owner is not null)
            ChangeOwner(below, owner.Value);
        return Files.Open(below.Path + "/cgroup.procs", OpenFlags.WriteOnly);
    }

    /// <summary>Lets a user administer what is below it (cgroup-v2.rst, "Model of Delegation"): the folder and the files of /sys/kernel/cgroup/delegate.</summary>
    public void ChangeOwner(uint owner) => ChangeOwner(Folder, owner);

    private static void ChangeOwner(CgroupFolder folder, uint owner)
    {
        var names = System.Text.Encoding.UTF8.GetString(Files.ReadAll("/sys/kernel/cgroup/delegate")).Split('\n');
        foreach (var name in names) // the last is empty: the folder itself
        {
            var path = name.Length == 0 ? folder.Path : folder.Path + "/" + name;
            if (Files.TryChangeOwner(Files.CurrentDirectory, path, owner, uint.MaxValue) is not (0 or Errno.ENOENT) and var errno)
                throw new RuntimeException($"cannot give cgroup {path} to user {owner}: {LinuxException.Describe(errno)}");
        }
    }

    /// <summary>Writes the first limits of a new cgroup.</summary>
    public virtual void Limit(IReadOnlyList<CgroupWrite> limits) => Apply(limits);

    /// <summary>Whether its processes are frozen, or asked to be.</summary>
    public virtual bool Frozen => Folder.Frozen;

    /// <summary>Freezes or thaws every process, and waits until the kernel says that it is so; errno or 0.</summary>
    public virtual int TryFreeze(bool freeze) => Folder.TryFreeze(freeze, Patience);

    /// <summary>Kills whatever is in it and removes it. A cgroup that is gone already is success.</summary>
    /// <param name="owner">
    /// Whom it must be marked with, if there is a process in it; null: it is known that there was a process of ours. A create that was
    /// killed early has recorded a cgroup that it did not make, and another may have made it since.
    /// </param>
    public abstract void Destroy(string? owner);

    /// <summary>Writes the limits; a limit that no controller can enforce is an error.</summary>
    public virtual void Apply(IReadOnlyList<CgroupWrite> limits)
    {
        // What does not fit the others' old values may fit their new ones: it gets a second chance.
        List<CgroupWrite>? refused = null;
        foreach (var limit in limits)
        {
            if (TryApply(limit) != 0)
                (refused ??= []).Add(limit);
        }
        foreach (var limit in refused ?? [])
        {
            var errno = TryApply(limit);
            if (errno != 0)
                throw Refusal(limit, errno);
        }
    }

    /// <summary>As <see cref="Apply"/>, but when one is refused, those before it are taken back.</summary>
    public void Change(IReadOnlyList<CgroupWrite> limits)
    {
        var before = new List<CgroupWrite>();
        foreach (var limit in limits)
        {
            if (Present(limit) is { } old)
                before.Add(old);
        }
        try
        {
            Apply(limits);
        }
        catch (RuntimeException)
        {
            before.Reverse();
            // Twice, for those that only fit when others are back.
            for (var i = 0; i < 2; i++)
            {
                foreach (var old in before)
                    FolderOf(old.Controller)?.TryWrite(old.File, old.Value);
            }
            throw;
        }
    }

    // The write that would restore what a limit is about to change; null if there is no such file, or no way back.
    private CgroupWrite? Present(CgroupWrite limit)
    {
        if (FolderOf(limit.Controller)?.TryRead(limit.File) is not { } content)
            return limit.Otherwise is { } other ? Present(other) : null;
        var lines = content.Split('\n');
        var space = limit.Value.IndexOf(' ');
        var key = space > 0 && (limit.Value.AsSpan(0, space).Contains(':') || limit.File == "rdma.max") ? limit.Value[..(space + 1)] : "";
        // "oom_kill_disable 0", of which the number is written
        if (limit.File == "memory.oom_control")
            return limit with { Value = lines[0][(lines[0].LastIndexOf(' ') + 1)..] };
        if (key.Length == 0)
            return limit with { Value = lines[0].Length == 0 ? "\n" : lines[0] };
        if (Array.Find(lines, line => line.StartsWith(key, StringComparison.Ordinal)) is { } old)
            return limit with { Value = old };
        return limit.File switch
        {
            "io.max" => limit with { Value = key + "rbps=max wbps=max riops=max wiops=max" },
            "rdma.max" => limit with { Value = key + "hca_handle=max hca_object=max" },
            "io.weight" => limit with { Value = key + "default" },
            _ when limit.File.StartsWith("blkio.", StringComparison.Ordinal) || limit.File == "io.bfq.weight" => limit with { Value = key + "0" },
            _ => null,
        };
    }

    /// <summary>
    /// The part of it below which a process of <c>exec --cgroup</c> goes.
    /// </summary>
    /// <param name="paths">Each <c>[CONTROLLER[,CONTROLLER…]:]PATH</c>, from the container's own cgroup; without controllers, in every hierarchy.</param>
    public abstract ContainerCgroup Below(IReadOnlyList<string> paths);

    /// <summary>Where the container's first process has gone, in or below this; this itself if it is not to be known.</summary>
    public ContainerCgroup OfFirstProcess(int pid) =>
        OfProcess(pid) is { } folder && folder.Path.StartsWith(Folder.Path + "/", StringComparison.Ordinal) ? new UnifiedCgroup(CgroupHierarchy.Root, folder.Path) : this;

    /// <summary>The cgroup of the unified hierarchy that a process is in; null if that is not to be known.</summary>
    public CgroupFolder? OfProcess(int pid)
    {
        foreach (var line in System.Text.Encoding.UTF8.GetString(Files.ReadAll("/proc/" + pid + "/cgroup")).Split('\n'))
        {
            if (line.StartsWith("0::/", StringComparison.Ordinal))
                return new CgroupFolder((IsLegacy ? CgroupHierarchy.Root + "/unified" : CgroupHierarchy.Root) + line[3..]);
        }
        return null;
    }

    /// <summary>Why the kernel does not let a process be born in it, in words; null if it is not the cgroup's fault.</summary>
    public virtual string? WhyNotJoined(int errno) => errno switch
    {
        Errno.EOPNOTSUPP => $"cannot join cgroup {Folder.Path}: its type is {Folder.TryRead("cgroup.type")}",
        Errno.EBUSY => $"cannot join cgroup {Folder.Path}: it hands down controllers ({Folder.TryRead("cgroup.subtree_control")}), so no process may be in it",
        Errno.EAGAIN => $"cannot start a process in cgroup {Folder.Path}: pids.max of it, or of one above it, is reached",
        _ => null,
    };

    /// <summary>A path of <c>exec --cgroup</c>, below a folder.</summary>
    protected static CgroupFolder Below(CgroupFolder folder, string path)
    {
        if (path.Split('/').Contains("..", StringComparer.Ordinal))
            throw new RuntimeException($"bad sub cgroup path: {path}");
        path = path.Trim('/');
        var below = path.Length == 0 ? folder : new CgroupFolder(folder.Path + "/" + path);
        if (!Files.Exists(below.Path))
            throw new RuntimeException($"error adding pid of the new process to cgroup {below.Path}: {LinuxException.Describe(Errno.ENOENT)}");
        return below;
    }

    /// <summary>The folder that has a controller's files; null if no hierarchy has the controller.</summary>
    public abstract CgroupFolder? FolderOf(ReadOnlySpan<char> controller);

    /// <summary>Whether its files are those of cgroup v2.</summary>
    public virtual bool IsUnified => true;

    /// <summary>Its path from the root of the hierarchy that has a controller; null if none has.</summary>
    public string? PathOf(string controller) => FolderOf(controller) is not { } folder ? null
        : folder.Path[(IsUnified ? CgroupHierarchy.Root.Length : folder.Path.IndexOf('/', CgroupHierarchy.Root.Length + 1))..];

    // EINVAL, EBUSY or 0; any other errno is an error at once.
    private int TryApply(CgroupWrite limit)
    {
        var folder = FolderOf(limit.Controller);
        var errno = folder is null ? Errno.ENOENT : folder.Value.TryWrite(limit.File, limit.Value);
        if (errno == Errno.ENOENT && limit.Otherwise is { } other)
            return TryApply(other);
        if (errno == Errno.ENOENT && limit.IfThere && folder is not null)
            return 0;
        return errno is 0 or Errno.EINVAL or Errno.EBUSY ? errno : throw Refusal(limit, errno);
    }

    private RuntimeException Refusal(CgroupWrite limit, int errno) => new(
        $"cannot set {limit.File} of cgroup {(FolderOf(limit.Controller) ?? Folder).Path} to {limit.Value}: "
        + (errno == Errno.ENOENT ? $"the {limit.Controller} controller is not available" : LinuxException.Describe(errno)));

    /// <summary>A cgroup of threads, or one made invalid by such, holds no container: it has no memory of its own, and does not list its processes.</summary>
    protected static void RefuseThreaded(CgroupFolder folder)
    {
        if (folder.TryRead("cgroup.type") is { } type and not "domain")
            throw new RuntimeException($"cannot join cgroup {folder.Path}: its type is {type}");
    }

    /// <summary>Makes a folder and those above it; false if it was there.</summary>
    protected static bool MakeFolder(CgroupFolder folder, string mount)
    {
        var errno = folder.TryMake();
        if (errno == Errno.ENOENT && folder.Path.Length > mount.Length)
        {
            MakeFolder(new CgroupFolder(Path.GetDirectoryName(folder.Path)!), mount);
            errno = folder.TryMake();
        }
        if (errno is not (0 or Errno.EEXIST))
        {
            throw new RuntimeException($"cannot make cgroup {folder.Path}: "
                + (errno == Errno.EAGAIN ? "cgroup.max.descendants or cgroup.max.depth of one above it is reached" : LinuxException.Describe(errno)));
        }
        return errno == 0;
    }
}

/// <summary>One write to a control file.</summary>
/// <param name="File">Its name, which begins with its controller's.</param>
/// <param name="Value">What is written.</param>
public sealed record CgroupWrite(string File, string Value)
{
    /// <summary>What is written instead where there is no such file.</summary>
    public CgroupWrite? Otherwise { get; init; }

    /// <summary>A controller that lacks the file has nothing there to limit.</summary>
    public bool IfThere { get; init; }

    /// <summary>The controller.</summary>
    public string Controller => File[..File.IndexOf('.')];
}
