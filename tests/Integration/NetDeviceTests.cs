// linux.netDevices: interfaces that move into a container, tried in network namespaces of the tests' own.
using System.Text.Json.Nodes;

namespace Conman.Integration.Tests;

public class NetDeviceTests : ContainerTest
{
    private const string Pair = "ip link add ve0 type veth peer name ve1; ip link set ve1 up; ";

    /// <summary>Runs the bundle from a network namespace in which a script has made what the test needs.</summary>
    private Result RunWith(string script, params string[] then) => Runtime.StartProgram("unshare",
        new Options(), ["--net", "sh", "-ec", script + "\"$@\"" + string.Concat(then.Select(t => "; " + t)), "sh",
            .. Runtime.CommandLine("run", "--bundle", Bundle.Save().Folder, Bundle.Id)]).Wait();

    private Bundle Move(string name, string? newName = null)
    {
        JsonObject device = [];
        if (newName is not null)
            device["name"] = newName;
        return Bundle.Set("linux/netDevices", new JsonObject { [name] = device });
    }

    [SkippableFact]
    [Proves("linux.netDevices.*.name")]
    public void An_interface_moves_into_the_container_and_is_up()
    {
        Move("ve0").Shell("ip -o link show ve0");
        string line = Assert.Single(RunWith(Pair).Succeeded().Lines); // with the container's network its end goes, and so the other
        Assert.Contains("UP", line);
        Assert.Contains("ve0", line);
    }

    [SkippableFact]
    public void Its_attributes_and_its_permanent_global_addresses_come_along()
    {
        Move("ve0", "eth0").Shell("ip addr show eth0");
        string output = RunWith(Pair + """
            ip link set ve0 mtu 1789 address 00:11:22:33:44:55 up
            ip addr add 10.9.8.7/24 brd + dev ve0
            ip addr add 10.9.8.8 peer 10.9.8.9/32 dev ve0
            ip addr add 127.0.0.33/32 scope host dev ve0
            ip addr add fd00:9::7/64 dev ve0 nodad
            """ + "\n").Succeeded().Output;
        Assert.Contains("mtu 1789 ", output);
        Assert.Contains("00:11:22:33:44:55", output);
        Assert.Contains("inet 10.9.8.7/24 brd 10.9.8.255 scope global", output);
        Assert.Contains("inet 10.9.8.8 peer 10.9.8.9/32 scope global", output);
        Assert.Contains("inet6 fd00:9::7/64 scope global", output);
        Assert.DoesNotContain("127.0.0.33", output);
        Assert.DoesNotContain("ve0", output);
    }

    [SkippableFact]
    [Proves("linux.netDevices.*.name")]
    public void A_template_takes_the_first_free_name()
    {
        Move("ve0", "lan%d").Shell("ls /sys/class/net");
        Assert.Equal(["lan0", "lo"], RunWith(Pair).Succeeded().Lines);
    }

    [SkippableTheory]
    [InlineData(null)]
    [InlineData("lo")]
    public void A_name_that_the_container_has_is_an_error_and_the_interface_stays(string? newName)
    {
        Move(newName is null ? "lo" : "ve0", newName).Args("true");
        Result result = RunWith(Pair, "true");
        result = RunWith(Pair + "trap 'ip -o link show ve0' EXIT; ");
        result.FailedWith($"cannot move network device {(newName is null ? "lo" : "ve0")}: the container has a lo already");
        Assert.Contains("ve0", result.Output);
        AssertNothingLeft();
    }

    [SkippableFact]
    public void An_interface_that_is_not_there_is_an_error()
    {
        Move("ve7").Args("true");
        RunWith("").FailedWith("link not found for interface ve7 on runtime namespace");
        AssertNothingLeft();
    }

    [SkippableFact]
    public void A_user_namespace_owns_what_moves_into_it()
    {
        Move("ve0").UserNamespace().Shell("ip -o link show ve0");
        Assert.Contains("UP", Assert.Single(RunWith(Pair).Succeeded().Lines));
    }

    [SkippableFact]
    public void A_joined_network_keeps_the_interface()
    {
        int pid = StartIdle(NewBundle());
        Move("ve0").Namespace("network", $"/proc/{pid}/ns/net").Shell("ip -o link show ve0");
        string[] lines = [.. RunWith(Pair, $"nsenter -n -t {pid} ip -o link show ve0").Succeeded().Lines]; // there once more when the container is gone
        Assert.Equal(2, lines.Count(line => line.Contains("ve0")));
    }
}
