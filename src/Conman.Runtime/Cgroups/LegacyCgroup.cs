// The container's cgroup on a hybrid or v1 host: one folder in each hierarchy, all of one path (cgroups(7), "Cgroups version 1").
//
// Where the unified hierarchy is mounted as well, though without controllers, it does what no other can: a process is born in it, is frozen
// with an event, and killed with all its kin by one write. Without it that is the freezer's part.

using System.Text;
using Conman.Linux;

namespace Conman.Runtime.Cgroups;

internal sealed class LegacyCgroup : ContainerCgroup
{
    private readonly record struct Part(string Name, string Mount, CgroupFolder Folder);

    private readonly List<Part> _parts;
    private readonly Part _main;
    private readonly CgroupFolder? _freezer;

    private LegacyCgroup(List<Part> parts)
    {
        _parts = parts;
        _freezer = FolderOf("freezer");
        _main = parts[0].Name.Length == 0 || _freezer is null ? parts[0] : parts.Find(p => p.Folder == _freezer);
    }

    public override CgroupFolder Folder => _main.Folder;

    public override bool IsUnified => false;

    /// <summary>A line for each hierarchy, <c>NAME:FOLDER</c>; a cgroup's name cannot hold a newline.</summary>
    public override string Record
    {
        get
        {
            var text = new StringBuilder(512);
            foreach (var part in _parts)
                text.Append(text.Length == 0 ? "" : "\n").Append(part.Name).Append(':').Append(part.Folder.Path);
            return text.ToString();
        }
    }

    private bool HasUnified => _main.Name.Length == 0;

    public static LegacyCgroup Locate(string path, IReadOnlyList<CgroupHierarchy> hierarchies)
    {
        if (hierarchies.Count == 0)
            throw new RuntimeException($"cannot use cgroups: no cgroup file system is mounted on {CgroupHierarchy.Root}");
        var parts = new List<Part>(hierarchies.Count);
        foreach (var hierarchy in hierarchies)
            parts.Add(new Part(hierarchy.Name, hierarchy.Mount, new CgroupFolder(PathIn(hierarchy, path))));
        return new LegacyCgroup(parts);
    }

    /// <summary>The folder in one hierarchy; a relative path lies below the caller's own cgroup, as runc has it.</summary>
    internal static string PathIn(CgroupHierarchy hierarchy, string path) =>
        path[0] == '/' ? hierarchy.Mount + path : hierarchy.Mount + hierarchy.Own.TrimEnd('/') + "/" + path;

    public static LegacyCgroup Parse(string record)
    {
        var parts = new List<Part>(16);
        foreach (var line in record.Split('\n'))
        {
            var colon = line.IndexOf(':');
            if (colon < 0)
                throw new RuntimeException($"cannot tell the container's cgroup from {Plans.Words.Quote(record)}");
            parts.Add(new Part(line[..colon], "", new CgroupFolder(line[(colon + 1)..])));
        }
        return new LegacyCgroup(parts);
    }

    public override void RefuseOccupied()
    {
        if (!Files.Exists(Folder.Path))
            return;
        RefuseThreaded(Folder);
        foreach (var part in _parts)
            RefuseOccupied(part);
        if (Frozen)
            throw new RuntimeException($"container's cgroup unexpectedly frozen: {Folder.Path}");
    }

    public override void Make(string owner)
    {
        Make(_main);
        Folder.TryMark(owner);
        foreach (var part in _parts)
        {
            if (part != _main)
                Make(part);
        }
    }

    /// <summary>Makes what is not there of a cgroup that somebody else has made, with a process of his in it.</summary>
    public void MakeMissing()
    {
        foreach (var part in _parts)
            MakeFolder(part);
    }

    public override FileDescriptor? Open() => HasUnified ? Folder.Open() : null;

    public override IEnumerable<(string, FileDescriptor)> OpenTasks()
    {
        foreach (var part in _parts)
        {
            if (part.Name.Length > 0)
                yield return (part.Name, Files.Open(part.Folder.Path + "/tasks", OpenFlags.WriteOnly));
        }
    }

    public override ContainerCgroup Below(IReadOnlyList<string> paths)
    {
        var parts = new List<Part>(_parts);
        var named = new HashSet<string>();
        foreach (var argument in paths)
        {
            var colon = argument.IndexOf(':');
            if (colon < 0 && paths.Count > 1)
                throw new RuntimeException($"invalid --cgroup argument: {argument} (multiple paths, missing <controller> prefix)");
            foreach (var controller in colon < 0 ? [] : argument[..colon].Split(','))
            {
                if (!named.Add(controller))
                    throw new RuntimeException($"invalid --cgroup argument: {argument} (controller {controller} specified multiple times)");
                // A hierarchy of the name systemd is asked for by that name.
                var i = parts.FindIndex(p => p.Name == "name=" + controller || p.Name.Split(',').Contains(controller));
                if (i < 0 || controller.Length == 0)
                    throw new RuntimeException($"unknown controller {Plans.Words.Quote(controller)} in --cgroup {argument}");
                parts[i] = parts[i] with { Folder = Below(_parts[i].Folder, argument[(colon + 1)..]) };
            }
            for (var i = 0; colon < 0 && i < parts.Count; i++)
                parts[i] = parts[i] with { Folder = Below(_parts[i].Folder, argument) };
        }
        return new LegacyCgroup(parts);
    }

    public override bool Frozen => (HasUnified && Folder.Frozen) || _freezer?.TryRead("freezer.state") is "FROZEN" or "FREEZING";

    public override int TryFreeze(bool freeze)
    {
        if (!HasUnified)
            return _freezer is null ? Errno.ENOENT : TryFreezeLegacy(freeze, Patience);
        var errno = Folder.TryFreeze(freeze, Patience);
        return errno == 0 && !freeze && _freezer is not null ? TryFreezeLegacy(false, Patience) : errno; // a stranger may have frozen it there
    }

    public override void Destroy(string? owner)
    {
        if (owner is not null && Folder.Owner != owner && Occupied(_main))
            return;
        if (Files.TryRemoveDirectory(Folder.Path) is not (0 or Errno.ENOENT))
        {
            Kill(Folder);
            Remove(_main);
        }
        foreach (var part in _parts)
        {
            if (part == _main || Files.TryRemoveDirectory(part.Folder.Path) is 0 or Errno.ENOENT)
                continue;
            // Whoever is still there was put there by its number. Before there was a process of ours, a stranger had it before us.
            if (owner is null)
                Kill(part.Folder);
            else if (Occupied(part))
                continue;
            Remove(part);
        }
    }

    public override CgroupFolder? FolderOf(ReadOnlySpan<char> controller)
    {
        foreach (var part in _parts)
        {
            foreach (var name in part.Name.AsSpan().Split(','))
            {
                if (controller.SequenceEqual(part.Name.AsSpan(name)) && controller.Length > 0)
                    return part.Folder;
            }
        }
        return null;
    }

    private static void Make(Part part)
    {
        if (!MakeFolder(part))
            RefuseOccupied(part);
    }

    private static bool MakeFolder(Part part)
    {
        var made = MakeFolder(part.Folder, part.Mount);
        if (part.Name.Split(',').Contains("cpuset"))
        {
            // Nobody can join a cpuset without processors or memory nodes, and a new one has none.
            InheritCpuset(part.Folder.Path, part.Mount, "cpuset.cpus");
            InheritCpuset(part.Folder.Path, part.Mount, "cpuset.mems");
        }
        return made;
    }

    private static string InheritCpuset(string path, string mount, string file)
    {
        var folder = new CgroupFolder(path);
        var value = folder.TryRead(file) ?? "";
        if (value.Length == 0 && path.Length > mount.Length)
        {
            value = InheritCpuset(Path.GetDirectoryName(path)!, mount, file);
            folder.TryWrite(file, value);
        }
        return value;
    }

    private static bool Occupied(Part part) => part.Name.Length == 0 ? part.Folder.Populated : part.Folder.Processes().Count > 0;

    private static void RefuseOccupied(Part part)
    {
        if (Occupied(part))
            throw new RuntimeException($"container's cgroup is not empty: {part.Folder.Path}");
    }

    private static void Remove(Part part)
    {
        var errno = part.Folder.TryRemove(Patience);
        if (errno != 0)
            throw new RuntimeException($"cannot remove cgroup {part.Folder.Path}: {LinuxException.Describe(errno)}");
    }

    // All at once where the kernel can. Otherwise: frozen, none of them forks while they are listed and signalled; thawed, they die of it.
    private void Kill(CgroupFolder folder)
    {
        var deadline = Environment.TickCount64 + Patience;
        if (folder.TryKill() == 0)
        {
            _freezer?.TryWrite("freezer.state", "THAWED");
            return;
        }
        for (int left; (left = (int)(deadline - Environment.TickCount64)) > 0;)
        {
            if (_freezer is not null)
                TryFreezeLegacy(true, Math.Min(left, 100));
            var killed = folder.Signal(Signals.SIGKILL);
            _freezer?.TryWrite("freezer.state", "THAWED");
            foreach (var process in killed)
            {
                using (process)
                    Waiting.Readable(process, Math.Max(left, 0));
            }
            if (killed.Count == 0)
                return;
        }
    }

    // The old freezer has no event: it is asked again after a millisecond (Documentation/admin-guide/cgroup-v1/freezer-subsystem.rst).
    private int TryFreezeLegacy(bool freeze, int patience)
    {
        var wanted = freeze ? "FROZEN" : "THAWED";
        var deadline = Environment.TickCount64 + patience;
        for (; ; )
        {
            var errno = _freezer!.Value.TryWrite("freezer.state", wanted);
            if (errno != 0 || _freezer.Value.TryRead("freezer.state") == wanted)
                return errno;
            if (Environment.TickCount64 >= deadline)
                return Errno.ETIMEDOUT;
            Waiting.Poll([], 1);
        }
    }
}
