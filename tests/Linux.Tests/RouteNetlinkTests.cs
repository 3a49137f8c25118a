// The rtnetlink client against ip(8), in a network namespace of its own.

namespace Conman.Linux.Tests;

public class RouteNetlinkTests
{
    [SkippableFact]
    public void An_interface_is_found_with_its_addresses()
    {
        Skip.If(Processes.EffectiveUser != 0, "needs root");
        using var holder = Holder("ip link set lo up; ip addr add 10.1.2.3/24 dev lo; ip addr add fd00::5/64 dev lo nodad");
        using var ns = Files.Open($"/proc/{holder.Id}/ns/net", OpenFlags.ReadOnly);
        using var netlink = RouteNetlink.Open(ns);
        var lo = netlink.TryFind("lo");
        Assert.Equal((1, 1u), (lo!.Value.Index, lo.Value.Flags & 1));
        Assert.Null(netlink.TryFind("lo7"));
        var addresses = netlink.Addresses(1);
        Assert.Equal([(2, 8, 254), (2, 24, 0), (10, 64, 0), (10, 128, 254)], addresses.Select(a => ((int)a.Family, (int)a.PrefixLength, (int)a.Scope)).Order());
        Assert.All(addresses, a => Assert.NotEqual(0u, a.Flags & RouteNetlink.Permanent));
        holder.Kill();
    }

    [SkippableFact]
    public void What_the_kernel_refuses_has_its_errno()
    {
        Skip.If(Processes.EffectiveUser != 0, "needs root");
        using var holder = Holder("ip link set lo up");
        using var ns = Files.Open($"/proc/{holder.Id}/ns/net", OpenFlags.ReadOnly);
        using var netlink = RouteNetlink.Open(ns);
        Assert.Equal(Errno.EEXIST, netlink.TryAdd(1, netlink.Addresses(1)[0]));
        Assert.Equal(Errno.ENODEV, netlink.TrySetUp(4711, true));
        Assert.Equal(0, netlink.TrySetUp(1, false));
        Assert.Equal(0u, netlink.TryFind("lo")!.Value.Flags & 1);
        holder.Kill();
    }

    // A process that holds a network namespace in which a script has run.
    private static System.Diagnostics.Process Holder(string script)
    {
        var process = System.Diagnostics.Process.Start(new System.Diagnostics.ProcessStartInfo("unshare", ["--net", "sh", "-ec", script + "; echo ready; exec sleep 100"])
        {
            RedirectStandardOutput = true,
        })!;
        Assert.Equal("ready", process.StandardOutput.ReadLine());
        return process;
    }
}
