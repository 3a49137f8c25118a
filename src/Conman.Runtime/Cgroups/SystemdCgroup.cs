// The container's cgroup as a scope of systemd: systemd knows it, shows it and counts it in its slice; what lies in it is ours (Delegate=,
// systemd.resource-control(5)).
//
// On a hybrid or v1 host systemd puts the scope only into its own hierarchy and those whose controllers it uses: the others get a folder of the same
// path from us, as with runc, and the process joins them all.
//
// A scope cannot be empty. So a process that does nothing, a keeper, is what systemd makes it for; the container's first process is then born
// in it like in any other cgroup, and the keeper goes. It ends with this process too: a create that is killed leaves a scope that is empty,
// and systemd removes those by itself.

using System.Globalization;
using Conman.Linux;
using Conman.Runtime.Containers;
using Conman.Runtime.Plans;
using Conman.Runtime.Systemd;

namespace Conman.Runtime.Cgroups;

internal sealed class SystemdCgroup : ContainerCgroup
{
    private const string Mark = "systemd:";

    private readonly bool _user;
    private readonly string _unit;
    private readonly ContainerCgroup _folder;
    private readonly CgroupFolder _scope; // the unit's own: the folder, or, of crun's annotation, what is above it
    private List<(string Name, BusValue Value)> _properties = [];
    private ServiceManager? _manager;
    private InitProcess? _keeper;

    private SystemdCgroup(bool user, string unit, ContainerCgroup folder)
    {
        (_user, _unit, _folder) = (user, unit, folder);
        var end = Folder.Path.IndexOf("/" + unit + "/", StringComparison.Ordinal);
        _scope = end < 0 ? Folder : new CgroupFolder(Folder.Path[..(end + 1 + unit.Length)]);
    }

    public override CgroupFolder Folder => _folder.Folder;

    public override bool IsUnified => _folder.IsUnified;

    public override string Record => Mark + (_user ? "user:" : "system:") + _unit + ":" + _folder.Record;

    /// <summary>Where linux.cgroupsPath leads as <c>slice:prefix:name</c>.</summary>
    /// <param name="annotations"><c>org.systemd.property.*</c> among them.</param>
    /// <param name="hierarchies">Those of a hybrid or v1 host; null: there is the unified one alone.</param>
    public static SystemdCgroup Locate(string? cgroupsPath, string id, Dictionary<string, string>? annotations, IReadOnlyList<CgroupHierarchy>? hierarchies)
    {
        var user = IsUser;
        if (hierarchies is not null && user)
            throw new RuntimeException("cannot use systemd cgroups: the systemd of a user has controllers only where there is the unified hierarchy alone (cgroup v2)");
        var name = UnitName.Parse(cgroupsPath, id, user);
        var manager = ServiceManager.Connect(user);
        var path = manager.ControlGroup() + name.Path + UnitName.Subgroup(annotations);
        ContainerCgroup folder = hierarchies is null ? new UnifiedCgroup(CgroupHierarchy.Root, CgroupHierarchy.Root + path) : LegacyCgroup.Locate(path, hierarchies);
        return new SystemdCgroup(user, name.Scope, folder)
        {
            _manager = manager,
            _properties =
            [
                ("Description", BusValue.Of("conman container " + id)),
                ("Slice", BusValue.Of(name.Slice)),
                ("Delegate", BusValue.Of(true)),
                ("DefaultDependencies", BusValue.Of(false)),
                ("CollectMode", BusValue.Of("inactive-or-failed")),
                ("CPUAccounting", BusValue.Of(true)),
                ("MemoryAccounting", BusValue.Of(true)),
                ("IOAccounting", BusValue.Of(true)),
                ("TasksAccounting", BusValue.Of(true)),
                .. UnitProperties.Of(annotations),
            ],
        };
    }

    /// <summary>Whether a record is of this kind.</summary>
    public static bool Owns(string record) => record.StartsWith(Mark, StringComparison.Ordinal);

    public static SystemdCgroup Parse(string record)
    {
        var parts = record.Split(':', 4);
        return new SystemdCgroup(parts[1] == "user", parts[2], At(parts[3]));
    }

    // An ordinary user, or root of a user namespace, has the systemd of the user.
    private static bool IsUser =>
        Processes.EffectiveUser != 0 || !System.Text.Encoding.ASCII.GetString(Files.ReadAll("/proc/self/uid_map")).TrimEnd().EndsWith(" 4294967295", StringComparison.Ordinal);

    public override void RefuseOccupied()
    {
        _folder.RefuseOccupied();
        if (_scope.Populated)
            throw new RuntimeException($"container's cgroup is not empty: {_scope.Path}");
    }

    public override void Make(string owner)
    {
        var plan = new Plan();
        plan.Add(new Gate());
        _keeper = InitProcess.Start(plan, [], null, null, (-1, -1, -1));
        Manager.Start(_unit, [.. _properties, ("PIDs", BusValue.Of([(uint)_keeper.Process.Pid]))]);
        if (_scope == Folder)
        {
            Folder.TryMark(owner);
            (_folder as LegacyCgroup)?.MakeMissing();
            return;
        }
        _folder.Make(owner);
        // A cgroup that hands down controllers has no process of its own.
        var errno = Folder.TryWrite("cgroup.procs", _keeper.Process.Pid.ToString(CultureInfo.InvariantCulture));
        if (errno != 0)
            throw new RuntimeException($"cannot move a process to cgroup {Folder.Path}: {LinuxException.Describe(errno)}");
    }

    public override FileDescriptor? Open() => _folder.Open();

    public override IEnumerable<(string, FileDescriptor)> OpenTasks() => _folder.OpenTasks();

    public override bool Frozen => _folder.Frozen;

    public override int TryFreeze(bool freeze) => _folder.TryFreeze(freeze);

    public override ContainerCgroup Below(IReadOnlyList<string> paths) => _folder.Below(paths);

    public override void HasProcess() => Release();

    public override void Limit(IReadOnlyList<CgroupWrite> limits)
    {
        Tell(limits);
        HangUp();
        _folder.Limit(limits);
    }

    // systemd hears of the limits first, since it writes its own values of what it has not heard of; then ours are written, in full.
    public override void Apply(IReadOnlyList<CgroupWrite> limits)
    {
        Tell(limits);
        _folder.Apply(limits);
    }

    public override void Destroy(string? owner)
    {
        Release();
        if (owner is not null && Folder.Owner != owner && _scope.Populated)
            return;
        _folder.Destroy(owner);
        try
        {
            Manager.Stop(_unit);
        }
        catch (RuntimeException)
        {
            // The scope is empty: systemd removes it whether or not it can be spoken to.
        }
        HangUp();
    }

    public override CgroupFolder? FolderOf(ReadOnlySpan<char> controller) => _folder.FolderOf(controller);

    private void Tell(IReadOnlyList<CgroupWrite> limits)
    {
        var properties = UnitProperties.Of(limits);
        if (properties.Count > 0)
            Manager.Change(_unit, properties);
    }

    private ServiceManager Manager => _manager ??= ServiceManager.Connect(_user);

    // Once the container runs there is nothing more to say, and `run` may wait for days.
    private void HangUp()
    {
        _manager?.Dispose();
        _manager = null;
    }

    private void Release()
    {
        if (_keeper is null)
            return;
        _keeper.Process.TrySignal(Signals.SIGKILL);
        _keeper.Process.Wait();
        _keeper.Dispose();
        _keeper = null;
    }
}
