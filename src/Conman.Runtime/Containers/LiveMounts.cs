// Mounts of a container that runs: added, listed, removed.
//
// A mount is made detached, outside, and put in its place by a process that joins the container's namespaces and does nothing else. Its
// record is written before it is in its place and names it by the kernel's own number: whoever is killed between the two leaves a record
// of nothing, and what `list` shows is what is really there.

using Conman.Linux;
using Conman.Oci;
using Conman.Oci.RuntimeSpec;
using Conman.Runtime.Compiling;
using Conman.Runtime.Plans;

namespace Conman.Runtime.Containers;

/// <summary>The record of a mount that was added to a running container.</summary>
[OciObject]
public sealed partial class AddedMount
{
    public Mount? Mount { get; set; }

    /// <summary>The mount's number in statx(2), and which of the two kinds it is.</summary>
    public ulong Id { get; set; }
    public uint Kind { get; set; }
}

/// <summary>What <c>mounts</c> does; the container must be locked, except to list.</summary>
public static class LiveMounts
{
    /// <summary>Adds mounts in the order given: all of them, or none.</summary>
    /// <param name="folder">Where relative sources begin.</param>
    public static void Add(Container container, IReadOnlyList<Mount> mounts, string folder)
    {
        var spec = Join(container, out var namespaces);
        SpecValidator.ValidateMounts(mounts);
        using var host = new HostPreparer();
        var inPidNamespace = mounts.Any(m => m.Type == "proc");
        var plan = Begin(container, host, namespaces, inPidNamespace, out var inside);
        var facts = new HostFacts { Selinux = spec.Linux!.MountLabel is { Length: > 0 } && Mounts.SelinuxEnabled };
        PlanCompiler.CompileMounts(plan, spec, facts, new CompileOptions { Id = container.Id, Bundle = folder, HoldFileSystems = true }, mounts);
        if (inside > 0)
            OpenInside(plan, inside);
        host.Open(plan);

        var added = new List<AddedMount>();
        try
        {
            var made = mounts.Zip(plan.Operations.Where(o => o is BindTree or MountFileSystem));
            void RecordTrees(Func<HostTree, MountId> opened)
            {
                foreach (var (mount, operation) in made)
                {
                    if (operation is BindTree { Tree: { Link: null } tree })
                        Record(container, mount, opened(tree), added);
                }
            }
            if (inside == 0)
                RecordTrees(tree => Files.MountOf(host.Opened(tree), tree.Path));
            var held = new Queue<Mount>(made.Where(p => p.Second is MountFileSystem).Select(p => p.First));
            Run(container, plan, host, inPidNamespace && inside == 0, process =>
            {
                if (process.At!.Mount is null)
                {
                    RecordTrees(tree =>
                    {
                        using var opened = Processes.Descriptor(process.Process.Descriptor, tree.Descriptor);
                        return Files.MountOf(opened, tree.Path);
                    });
                    return;
                }
                using (var system = Processes.Descriptor(process.Process.Descriptor, process.Held))
                {
                    var mount = held.Dequeue();
                    Record(container, mount, Files.MountOf(system, mount.Destination!), added);
                }
                if (process.At.Mount.CopyUp)
                {
                    using var root = Root(container);
                    CopyUp.Fill(process, root.Number);
                }
            });
        }
        catch
        {
            foreach (var mount in Enumerable.Reverse(added))
                Withdraw(container, mount);
            throw;
        }
    }

    /// <summary>What was added and is in its place.</summary>
    public static List<Mount> List(Container container) =>
        Lives(container) && container.TryOpenInit() is { } init ? Listed(container, init) : [];

    /// <summary>Removes a mount that was added; processes that use it keep what they have open.</summary>
    public static void Remove(Container container, string destination)
    {
        Join(container, out _);
        using var root = Root(container);
        var found = Records(container).FindLast(m => Normal(m.Mount!.Destination!) == Normal(destination) && IsInPlace(m, root))
            ?? throw new RuntimeException($"cannot remove the mount on {destination}: none was added there");
        Remove(container, found);
    }

    private static List<Mount> Listed(Container container, FileDescriptor init)
    {
        using (init)
        using (var root = Root(container))
            return Records(container).FindAll(m => IsInPlace(m, root)).ConvertAll(m => m.Mount!);
    }

    private static void Remove(Container container, AddedMount mount)
    {
        Join(container, out var namespaces);
        using var host = new HostPreparer();
        var plan = Begin(container, host, namespaces & (Namespaces.Mount | Namespaces.User), false, out _);
        plan.Add(new Unmount(plan.Prepare(new HostProc("/proc")), Normal(mount.Mount!.Destination!), new MountId(mount.Id, mount.Kind)));
        host.Open(plan);
        Run(container, plan, host, false, _ => { });
        container.Folder.RemoveMount(mount.Id);
    }

    // After a failure: what is in its place goes, and a second failure must not hide the first.
    private static void Withdraw(Container container, AddedMount mount)
    {
        try
        {
            using var root = Root(container);
            if (IsInPlace(mount, root))
                Remove(container, mount);
            else
                container.Folder.RemoveMount(mount.Id);
        }
        catch (Exception e) when (e is RuntimeException or LinuxException)
        {
        }
    }

    private static void Record(Container container, Mount mount, MountId id, List<AddedMount> added)
    {
        var record = new AddedMount { Mount = mount, Id = id.Id, Kind = id.Kind };
        container.Folder.WriteMount(id.Id, record.ToUtf8(false));
        added.Add(record);
    }

    private static List<AddedMount> Records(Container container)
    {
        var records = new List<AddedMount>();
        foreach (var json in container.Folder.ReadMounts())
        {
            if (json.Length > 0) // else its writer was killed
                records.Add(AddedMount.Parse(json));
        }
        records.Sort((a, b) => a.Id.CompareTo(b.Id)); // younger mounts have larger numbers
        return records;
    }

    private static bool IsInPlace(AddedMount mount, FileDescriptor root)
    {
        var link = mount.Mount!.Options?.Contains("dest-nofollow") is true ? Files.NoFollow : default;
        using var place = Files.TryOpenResolved(root.Number, Normal(mount.Mount.Destination!), OpenFlags.Path | link, Resolve.InRoot | Resolve.NoMagicLinks, out _);
        return place is not null && Files.MountOf(place, "") == new MountId(mount.Id, mount.Kind);
    }

    private static bool Lives(Container container) => container.Status is ContainerStatus.Created or ContainerStatus.Running or ContainerStatus.Paused;

    private static string Normal(string destination) => "/" + destination.Trim('/');

    private static FileDescriptor Root(Container container) => Files.Open("/proc/" + container.Record!.Pid + "/root", OpenFlags.Path | Files.Directory);

    // The spec, as one whose namespaces are all there already, and which of them the mounts are made in.
    private static Spec Join(Container container, out Namespaces namespaces)
    {
        if (!Lives(container))
            throw new RuntimeException("container not running");
        var spec = container.TryReadSpec() ?? throw new RuntimeException($"cannot mount in container {container.Id}: its config.json is gone");
        namespaces = Namespaces.None;
        for (var i = 0; i < spec.Linux!.Namespaces!.Count; i++)
        {
            var ns = spec.Linux.Namespaces[i];
            namespaces |= SpecValidator.NamespaceType(ns.Type, i);
            if (ns.Type == "user")
                ns.Path = "/proc/" + container.Record!.Pid + "/ns/user";
        }
        return spec;
    }

    // Who may not copy mounts of the host's namespace may those of a copy of it that the container's user namespace owns: there the process opens what is to be
    // bound, while it is still the caller. `inside`: the operation before which it is there; 0: the runtime opens it.
    private static Plan Begin(Container container, HostPreparer host, Namespaces namespaces, bool inPidNamespace, out int inside)
    {
        var plan = new Plan();
        var process = plan.Prepare(new RuntimeDescriptor("the container's first process"));
        host.Give(process, container.TryOpenInit() ?? throw new RuntimeException("container not running"));
        var rights = HostRights.Current;
        inside = 0;
        if (!rights.OrdinaryUser)
            plan.Add(new HideFromContainer());
        var joined = namespaces & ~Namespaces.Pid;
        if (!rights.CopiesMounts)
        {
            if ((joined & Namespaces.User) != 0)
                plan.Add(new JoinProcess(process, Namespaces.User));
            if (rights.OrdinaryUser)
                plan.Add(new ShowToRuntime());
            plan.Add(new NewNamespace(Namespaces.Mount));
            inside = plan.Operations.Count;
            joined = (joined & ~Namespaces.User) | (inPidNamespace ? namespaces & Namespaces.Pid : 0);
        }
        plan.Add(new JoinProcess(process, joined));
        if ((joined & Namespaces.Pid) != 0)
            plan.Add(new ContinueIn(Namespaces.None));
        if ((namespaces & Namespaces.User) != 0)
            plan.Add(new BecomeRoot());
        if (rights.OrdinaryUser)
            plan.Add(new ShowToRuntime());
        plan.Add(new DieWithRuntime());
        return plan;
    }

    private static void OpenInside(Plan plan, int at)
    {
        var first = at;
        foreach (var handle in plan.Preparations)
        {
            if (handle is not HostTree)
                continue;
            handle.Inside = true;
            plan.Operations.Insert(at++, new OpenInside(handle));
        }
        if (at > first)
            plan.Operations.Insert(at, new Sync(SyncPoint.Held));
    }

    // Not in the container's cgroup: that may be frozen, or full.
    private static void Run(Container container, Plan plan, HostPreparer host, bool inPidNamespace, Action<InitProcess> atSync)
    {
        using var pid = inPidNamespace ? Files.Open("/proc/" + container.Record!.Pid + "/ns/pid", OpenFlags.ReadOnly) : null;
        using var process = InitProcess.Start(plan, host.Numbers, null, pid, (-1, -1, -1));
        try
        {
            while (process.Advance() is not null)
            {
                atSync(process);
                process.Go();
            }
            if (process.Process.Wait().Code != 0)
                throw new RuntimeException($"cannot mount in container {container.Id}: the process that does it was killed");
        }
        catch
        {
            process.Process.TrySignal(Signals.SIGKILL);
            process.Process.Wait();
            throw;
        }
    }
}
