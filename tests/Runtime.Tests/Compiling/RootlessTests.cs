// What the plan of an ordinary user has that root's has not, and what is refused before there is a plan.

using Conman.Oci.RuntimeSpec;
using Conman.Runtime.Compiling;
using Conman.Runtime.Plans;

namespace Conman.Runtime.Tests.Compiling;

public class RootlessTests
{
    private static readonly HostFacts User = new() { Rights = new HostRights(OrdinaryUser: true, InUserNamespace: true, CopiesMounts: false) };

    private static CompiledSpec Compile(Spec spec) => PlanCompiler.Compile(spec, User, Samples.Options());

    private static Spec Rootless(Action<Spec>? change = null)
    {
        var spec = Spec.DefaultRootless(1000, 1000);
        spec.Process!.Terminal = false;
        change?.Invoke(spec);
        return spec;
    }

    [Fact]
    public void What_the_runtime_may_not_open_is_opened_after_the_maps_and_before_anything_is_used()
    {
        var plan = Compile(Rootless()).Plan;
        var first = plan.Operations.FindIndex(o => o is OpenInside);
        var last = plan.Operations.FindLastIndex(o => o is OpenInside);
        Assert.IsType<Sync>(plan.Operations[first - 1]);
        Assert.IsType<BecomeRoot>(plan.Operations[last + 1]);
        Assert.Equal(plan.Preparations.Where(h => h.Inside), plan.Operations.OfType<OpenInside>().Select(o => o.Handle));
        Assert.All(plan.Preparations, h => Assert.Equal(h is HostTree or EmptyDirectory or NullDevice, h.Inside));
    }

    [Fact]
    public void Devices_are_the_hosts() => Assert.Contains(Compile(Rootless()).Plan.Operations, o => o is BindTree { Path: "/dev/null" });

    [Fact]
    public void Root_opens_everything_outside() => Assert.DoesNotContain(Samples.Compile(Samples.Spec()).Plan.Preparations, h => h.Inside);

    [Fact]
    public void A_user_namespace_is_required() =>
        Assert.Equal("rootless container requires user namespaces", Assert.Throws<RuntimeException>(() => Compile(Samples.Spec())).Message);

    [Theory]
    [InlineData("gid=5", "cannot specify gid=5 mount option for rootless container: user namespaces enabled, but no group mapping found")]
    [InlineData("uid=1", "cannot specify uid=1 mount option for rootless container: user namespaces enabled, but no user mapping found")]
    public void An_unmapped_id_in_a_mount_option_is_refused(string option, string message) => Assert.Equal(message,
        Assert.Throws<RuntimeException>(() => Compile(Rootless(s => s.Mounts!.Find(m => m.Destination == "/dev/pts")!.Options!.Add(option)))).Message);

    /// <summary>Without a cgroup namespace the container sees the host's hierarchies: none of them may be left writable below a read-only top.</summary>
    [Fact]
    public void CVE_2023_25809_cgroups_of_the_host_are_read_only_to_the_bottom()
    {
        var plan = Compile(Rootless(s => s.Linux!.Namespaces!.RemoveAll(n => n.Type == "cgroup"))).Plan;
        var tree = plan.Operations.OfType<BindTree>().Single(b => b.Path == "/sys/fs/cgroup").Tree;
        Assert.True(tree.Recursive);
        Assert.True((tree.SetRecursive & Conman.Linux.MountAttributes.ReadOnly) != 0);
    }
}
