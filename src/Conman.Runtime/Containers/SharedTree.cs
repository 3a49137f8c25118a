// A mount of a container that runs, for another one to have as well: /dev/shm of those that share their memory.
//
// The kernel copies only mounts of the caller's own namespace. So a process joins the container's, copies the mount there, resolved within its
// root, and does nothing else; the copy is taken from it by its descriptor. It is attached nowhere, and goes with the last who has it open.

using Conman.Linux;
using Conman.Runtime.Plans;

namespace Conman.Runtime.Containers;

public static class SharedTree
{
    /// <summary>A detached copy of the mount at a path of a container that runs.</summary>
    /// <exception cref="RuntimeException">It does not run, or has nothing there.</exception>
    public static FileDescriptor Copy(Container container, string path)
    {
        var init = container.TryOpenInit() ?? throw new RuntimeException("container not running");
        var root = Files.Open("/proc/" + container.Record!.Pid + "/root", OpenFlags.Path | Files.Directory);
        using var host = new HostPreparer();
        var plan = new Plan();
        var process = plan.Prepare(new RuntimeDescriptor("the container's first process"));
        host.Give(process, init);
        var inside = plan.Prepare(new RuntimeDescriptor("the container's root"));
        host.Give(inside, root);
        var tree = new HostTree(path, recursive: false) { Follow = false };
        plan.Add(new HideFromContainer());
        plan.Add(new JoinProcess(process, Namespaces.Mount));
        plan.Add(new DieWithRuntime());
        plan.Add(new CopyTree(tree, inside, path));
        plan.Add(new Sync(SyncPoint.Copied) { Tree = tree });
        host.Open(plan);
        using var copier = InitProcess.Start(plan, host.Numbers, null, null, (-1, -1, -1));
        try
        {
            if (copier.Advance() is null)
                throw new RuntimeException($"cannot copy {path} of container {container.Id}: the process that does it was killed");
            return Processes.Descriptor(copier.Process.Descriptor, copier.Held);
        }
        finally
        {
            copier.Process.TrySignal(Signals.SIGKILL);
            copier.Process.Wait();
        }
    }
}
