// `restore`: CRIU makes the processes of an image again, in a container that is otherwise made as `create` makes one.

using Conman.Linux;
using Conman.Oci.RuntimeSpec;
using Conman.Runtime.Containers;
using Conman.Runtime.Plans;

namespace Conman.Runtime.Checkpoints;

/// <summary>Bringing a container back.</summary>
internal static class Restore
{
    private const string Log = "restore.log";

    /// <summary>Starts CRIU in the container's cgroup and sees it through. The process is a child of this one.</summary>
    /// <param name="place">A folder to mount the root file system on, for CRIU alone to see: it takes only a mount point for a root.</param>
    /// <param name="joins">How it gets into the cgroups of v1 hierarchies.</param>
    /// <param name="notified">Hears of setup-namespaces, post-restore and orphan-pts-master.</param>
    /// <returns>The pid of the init process.</returns>
    public static int Run(Spec spec, Bundle bundle, CheckpointOptions options, string place, FileDescriptor? cgroup, IEnumerable<JoinCgroup> joins, Action<CriuNotice> notified)
    {
        if (!Files.Exists(options.ImagePath))
            throw new RuntimeException($"cannot open image {options.ImagePath}: {LinuxException.Describe(Errno.ENOENT)}");
        Files.MakeDirectories(options.WorkPath, 0x1c0 /* 0700 */);
        using var host = new HostPreparer();
        var plan = new Plan { New = Namespaces.Mount };
        var root = plan.Prepare(new HostTree(Path.GetFullPath(spec.Root!.Path!, bundle.Path), recursive: true));
        foreach (var join in joins)
        {
            plan.Add(join);
            host.Numbers.Add(join.Tasks.Descriptor);
        }
        plan.Add(new LeaveHostMounts("/", Propagation.Slave, Recursive: true));
        plan.Add(new PlaceRoot(root, place));
        var inherited = new List<HostHandle>();
        foreach (var (ns, _, _) in ImageFacts.ExternalNamespaces(spec))
            inherited.Add(plan.Prepare(new HostNamespace(ns.Path!, Compiling.SpecValidator.NamespaceType(ns.Type, 0))));
        host.Open(plan);

        using var criu = Criu.Start(plan, host, inherited, cgroup);
        using var images = criu.OpenFolder(options.ImagePath);
        using var work = criu.OpenFolder(options.WorkPath);
        var criuOptions = new CriuOptions(options, images, work, Log);
        criuOptions.Fields.Add(13, place);
        criuOptions.Fields.Add(26, true); // rst_sibling: a child of ours, not of CRIU's
        using (var folder = Files.Open(root.Path, OpenFlags.Path | Files.Directory))
        {
            foreach (var (inside, outside) in ImageFacts.ExternalMounts(spec, bundle.Path, folder))
                criuOptions.AddExternalMount(inside, outside);
        }
        // Files of a procfs that is not mounted yet are not to be seen; nobody minds a name too many.
        foreach (var path in spec.Linux!.MaskedPaths ?? [])
            criuOptions.AddExternalMount(path, "/dev/null");
        var at = 0;
        foreach (var (_, _, key) in ImageFacts.ExternalNamespaces(spec))
            criuOptions.AddInherited(key, inherited[at++].Descriptor);
        // A stream that was a pipe has lost its other end; ours takes the place of it.
        var streams = ImageFacts.ReadDescriptors(images);
        for (var fd = 0; fd < streams.Count && fd < 3; fd++)
        {
            if (streams[fd].StartsWith("pipe:", StringComparison.Ordinal))
                criuOptions.AddInherited(streams[fd], fd);
        }
        return criu.Perform(CriuRequest.Restore, criuOptions, notified, options.WorkPath + "/" + Log);
    }
}
