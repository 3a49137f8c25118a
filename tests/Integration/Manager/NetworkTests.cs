// Networks of containers: reached from everywhere they should be, from nowhere else, and gone without a trace. The host is a network namespace of
// the test's own, with somebody outside of it; nothing touches the machine's network.
using System.Globalization;
using System.Text.Json.Nodes;

namespace Conman.Integration.Tests.Manager;

public class NetworkTests : ManagerTest
{
    // Answers with who asks, as it sees him; 192.0.2.2 is ::ffff:c000:0202 to it.
    private const string Server = "/usr/bin/socat TCP6-LISTEN:80,ipv6only=0,fork,reuseaddr SYSTEM:'echo tcp $SOCAT_PEERADDR' & /usr/bin/socat UDP6-RECVFROM:53,ipv6only=0,fork SYSTEM:'echo udp $SOCAT_PEERADDR' & "
        + "/usr/bin/socat TCP6-LISTEN:81,ipv6only=0,fork,reuseaddr SYSTEM:'echo other' & echo ready; wait";

    private readonly TestNetwork _host = new();
    private readonly TestNetwork _outside;

    public NetworkTests() => _outside = _host.Outside();

    protected override TestNetwork Network => _host ?? TestNetwork.Shared.Value;

    [SkippableFact]
    public void A_published_port_leads_to_the_container_from_everywhere()
    {
        Serve("web", "-p", "8080:80", "-p", "5353:53/udp");
        string sibling = Idle("sibling");
        foreach (string own in (string[])["192.0.2.1", "[2001:db8::1]"])
        {
            string tcp = own[0] == '[' ? "TCP6" : "TCP4", udp = own[0] == '[' ? "UDP6" : "UDP4";
            Assert.Contains(own[0] == '[' ? "2001:0db8:0000:0000:0000:0000:0000:0002" : "ffff:c000:0202", _outside.Ask($"{tcp}:{own}:8080"), StringComparison.Ordinal); // who asks is seen
            Assert.StartsWith("udp ", _outside.Ask($"{udp}:{own}:5353"), StringComparison.Ordinal);
            Assert.StartsWith("tcp ", _host.Ask($"{tcp}:{own}:8080"), StringComparison.Ordinal);
            Assert.StartsWith("udp ", _host.Ask($"{udp}:{own}:5353"), StringComparison.Ordinal);
            Assert.StartsWith("tcp ", AskFrom(sibling, $"{tcp}:{own}:8080"), StringComparison.Ordinal);
            Assert.StartsWith("udp ", AskFrom(sibling, $"{udp}:{own}:5353"), StringComparison.Ordinal);
            Assert.StartsWith("tcp ", AskFrom("web", $"{tcp}:{own}:8080"), StringComparison.Ordinal); // from itself
        }
        Assert.StartsWith("tcp ", _host.Ask("TCP4:127.0.0.1:8080"), StringComparison.Ordinal);
        Assert.StartsWith("udp ", _host.Ask("UDP4:127.0.0.1:5353"), StringComparison.Ordinal);
        Assert.Equal("0.0.0.0:8080->80/tcp, 0.0.0.0:5353->53/udp, [::]:8080->80/tcp, [::]:5353->53/udp".Split(", ").Order(), Run("ps", "--filter", "name=web", "--format", "{{.Ports}}").Output.Trim().Split(", ").Order());
        Assert.Equal("80/tcp -> 0.0.0.0:8080\n80/tcp -> [::]:8080\n53/udp -> 0.0.0.0:5353\n53/udp -> [::]:5353\n", Run("port", "web").Succeeded().Output);
        RemoveAll();
        Assert.Equal("", _host.Ask("TCP4:127.0.0.1:8080"));
    }

    [SkippableFact]
    public void A_port_of_one_address_is_reached_there_only_and_nothing_else_is_reached_from_outside()
    {
        Serve("web", "-p", "127.0.0.1:8080:80", "-p", "192.0.2.1:8081:80");
        string address = Inspect("web", "{{.NetworkSettings.IPAddress}}");
        Assert.StartsWith("tcp ", _host.Ask("TCP4:127.0.0.1:8080"), StringComparison.Ordinal);
        Assert.Equal(("", ""), (_host.Ask("TCP4:192.0.2.1:8080"), _outside.Ask("TCP4:192.0.2.1:8080")));
        Assert.StartsWith("tcp ", _outside.Ask("TCP4:192.0.2.1:8081"), StringComparison.Ordinal);
        Assert.Equal("", _host.Ask("TCP4:127.0.0.1:8081"));
        // A neighbour may send what he wants to the host: to the container's address, or, which is another way in, to 127.0.0.1.
        _outside.Shell("ip route add 10.127.0.0/16 via 192.0.2.1; sysctl -qw net.ipv4.conf.all.route_localnet=1; ip route del local 127.0.0.0/8 dev lo table local; ip route add 127.0.0.1 via 192.0.2.1 || true");
        Assert.Equal("", _outside.Ask($"TCP4:{address}:80"));
        Assert.Equal("", _outside.Ask("TCP4:127.0.0.1:8080,bind=192.0.2.2"));
        Assert.Equal("other", _host.Ask($"TCP4:{address}:81")); // the host itself may
        RemoveAll();
    }

    [SkippableFact]
    public void Containers_reach_the_world_and_look_like_the_host_to_it()
    {
        Idle("one");
        using (_outside.Serve("TCP6-LISTEN:7,ipv6only=0,fork,reuseaddr", "echo $SOCAT_PEERADDR"))
        {
            Assert.Contains("ffff:c000:0201", AskFrom("one", "TCP4:192.0.2.2:7"), StringComparison.Ordinal);
            Assert.Contains("2001:0db8:0000:0000:0000:0000:0000:0001", AskFrom("one", "TCP6:[2001:db8::2]:7"), StringComparison.Ordinal);
        }
        RemoveAll();
    }

    [SkippableFact]
    public void Inspect_shows_what_Docker_shows()
    {
        Idle("one", "-p", "127.0.0.1:8080:80", "--expose", "90");
        var settings = (JsonObject)JsonNode.Parse(Inspect("one", "{{json .NetworkSettings}}"))!;
        Assert.Equal("""{"80/tcp":[{"HostIp":"127.0.0.1","HostPort":"8080"}],"90/tcp":null}""", settings["Ports"]!.ToJsonString());
        var bridge = settings["Networks"]!["bridge"]!;
        Assert.Equal(("10.127.0.1", 16, 64), ((string?)bridge["Gateway"], (int)bridge["IPPrefixLen"]!, (int)bridge["GlobalIPv6PrefixLen"]!));
        Assert.Equal((string?)settings["IPAddress"], (string?)bridge["IPAddress"]);
        Assert.StartsWith("02:42:0a:7f:", (string?)bridge["MacAddress"], StringComparison.Ordinal);
        Assert.Contains($"{bridge["IPAddress"]}\t", Run("exec", "one", "cat", "/etc/hosts").Output, StringComparison.Ordinal);
        var network = JsonNode.Parse(Run("network", "inspect", "bridge").Succeeded().Output)![0]!;
        Assert.Equal($"{bridge["IPAddress"]}/16", (string?)network["Containers"]![Inspect("one", "{{.Id}}")]!["IPv4Address"]);
        Run("stop", "-t", "0", "one").Succeeded();
        Assert.Equal(("", "{}"), (Inspect("one", "{{.NetworkSettings.IPAddress}}"), Inspect("one", "{{json .NetworkSettings.Ports}}")));
        RemoveAll();
    }

    [SkippableFact]
    public void F1_a_port_in_use_fails_before_anything_starts()
    {
        using (_host.Serve("TCP4-LISTEN:8080,fork", "true"))
        using (_host.Serve("UDP6-RECVFROM:5353,fork", "true"))
        {
            RunImage("-d", "-p", "8080:80", Image, "sleep", "9").ExitedWith(125).FailedWith("address already in use");
            RunImage("-d", "-p", "[::1]:5353:53/udp", Image, "sleep", "9").ExitedWith(125).FailedWith("::1");
            RunImage("-d", "-p", "5353:53/udp", Image, "sleep", "9").ExitedWith(125).FailedWith("address already in use");
            Assert.Equal("8081", RunImage("--name", "next", "-d", "-p", "8080-8090:80", Image, "sleep", "99").Succeeded().Output.Length > 0 ? Run("port", "next", "80").Output.Trim().Split('\n')[0].Split(':')[1] : "");
        }
        RunImage("-d", "-p", "8081:80", Image, "sleep", "9").ExitedWith(125).FailedWith("port is already allocated");
        RunImage("-d", "-p", "127.0.0.1:8085:80", "--name", "free", Image, "sleep", "99").Succeeded();
        RemoveAll();
    }

    [SkippableFact]
    public void Ports_that_nobody_names_are_free_ones()
    {
        Serve("web", "-p", "80", "--expose", "81", "-P");
        foreach (string port in (string[])["80", "81"])
            Assert.NotEqual("", _outside.Ask("TCP4:192.0.2.1:" + Run("port", "web", port).Succeeded().Output.Split('\n')[0].Split(':')[1]));
        RemoveAll();
    }

    [SkippableFact]
    public void Ten_thousand_ports_are_published_and_taken_back()
    {
        Serve("web", "-p", "20000-29999:20000-29999", "-p", "80:80");
        Assert.StartsWith("tcp ", _outside.Ask("TCP4:192.0.2.1:80"), StringComparison.Ordinal);
        Assert.Contains("0.0.0.0:20000-29999->20000-29999/tcp", Run("ps", "--format", "{{.Ports}}").Output, StringComparison.Ordinal);
        RemoveAll();
    }

    [SkippableFact]
    public void Ports_come_and_go_while_a_container_runs()
    {
        Serve("web");
        Assert.Equal("", _outside.Ask("TCP4:192.0.2.1:8080"));
        Run("update", "--publish-add", "8080:80", "web").Succeeded();
        Assert.StartsWith("tcp ", _outside.Ask("TCP4:192.0.2.1:8080"), StringComparison.Ordinal);
        Assert.StartsWith("tcp ", AskFrom("web", "TCP4:192.0.2.1:8080"), StringComparison.Ordinal);
        Run("update", "--publish-add", "8080:81", "web").FailedWith("already allocated");
        Run("update", "--publish-rm", "8080:80", "--publish-add", "8081:81", "web").Succeeded();
        Assert.Equal(("", "other"), (_outside.Ask("TCP4:192.0.2.1:8080"), _outside.Ask("TCP4:192.0.2.1:8081")));
        Run("restart", "-t", "0", "web").Succeeded(); // what was changed is its own from now on
        Assert.Equal("81/tcp -> 0.0.0.0:8081\n81/tcp -> [::]:8081\n", Run("port", "web").Output);
        RemoveAll();
    }

    [SkippableFact]
    public void F2_rules_that_somebody_flushed_come_back_by_themselves_and_by_reload()
    {
        Serve("web", "-p", "8080:80");
        _host.Shell("nft add rule inet conman administrator ip saddr 203.0.113.9 drop; nft flush ruleset");
        Wait.Until(() => _host.Shell("nft list ruleset").Contains("8080", StringComparison.Ordinal), "the rules");
        Assert.StartsWith("tcp ", _outside.Ask("TCP4:192.0.2.1:8080"), StringComparison.Ordinal);
        _host.Shell("nft delete table inet conman");
        Run("network", "reload").Succeeded();
        Assert.StartsWith("tcp ", _outside.Ask("TCP4:192.0.2.1:8080"), StringComparison.Ordinal);
        // What the administrator has in his chain stays, and counts.
        _host.Shell("nft add rule inet conman administrator ip saddr 192.0.2.2 drop");
        Assert.Equal("", _outside.Ask("TCP4:192.0.2.1:8080"));
        Run("network", "reload").Succeeded();
        Assert.Equal("", _outside.Ask("TCP4:192.0.2.1:8080"));
        RemoveAll();
    }

    [SkippableFact]
    public void F3_an_exhausted_subnet_says_so_and_is_used_again()
    {
        Run("network", "create", "--subnet", "10.9.9.0/29", "--ipv6=false", "small").Succeeded();
        foreach (string name in (string[])["a", "b", "c", "d", "e"])
            Idle(name, "--network", "small");
        RunImage("-d", "--network", "small", "--name", "f", Image, "sleep", "9").ExitedWith(125).FailedWith("no address is left in subnet 10.9.9.0/29 of network small");
        // One is killed with its monitor: nobody gives its address back, and yet it is free.
        int monitor = int.Parse(Inspect("c", "{{.State.MonitorPid}}"), CultureInfo.InvariantCulture), init = int.Parse(Inspect("c", "{{.State.Pid}}"), CultureInfo.InvariantCulture);
        string address = Inspect("c", "{{.NetworkSettings.Networks.small.IPAddress}}");
        _ = Libc.kill(monitor, Libc.SIGKILL);
        _ = Libc.kill(init, Libc.SIGKILL);
        Wait.ForExit(init);
        Run("start", "f").Succeeded();
        Assert.Equal(address, Inspect("f", "{{.NetworkSettings.Networks.small.IPAddress}}"));
        RemoveAll();
    }

    [SkippableFact]
    public void Addresses_that_are_asked_for()
    {
        Run("network", "create", "--subnet", "10.9.0.0/24", "--ip-range", "10.9.0.128/25", "--gateway", "10.9.0.254", "--subnet", "fd09::/64", "--opt", "com.docker.network.driver.mtu=1400", "asked").Succeeded();
        Idle("one", "--network", "asked", "--ip", "10.9.0.9", "--ip6", "fd09::9", "--mac-address", "02:00:00:00:00:09", "--add-host", "gate:host-gateway");
        string device = Run("exec", "one", "ip", "addr", "show", "eth0").Output;
        Assert.All((string[])["10.9.0.9/24", "fd09::9/64", "02:00:00:00:00:09", "mtu 1400"], text => Assert.Contains(text, device, StringComparison.Ordinal));
        Assert.Contains("default via 10.9.0.254", Run("exec", "one", "ip", "route").Output, StringComparison.Ordinal);
        Assert.Contains("10.9.0.254\tgate", Run("exec", "one", "cat", "/etc/hosts").Output, StringComparison.Ordinal);
        RunImage("-d", "--network", "asked", "--ip", "10.9.0.9", Image, "true").ExitedWith(125).FailedWith("address already in use");
        RunImage("-d", "--network", "asked", "--ip", "10.8.0.9", Image, "true").ExitedWith(125).FailedWith("10.8.0.9");
        Idle("two", "--network", "asked");
        Assert.InRange(int.Parse(Inspect("two", "{{.NetworkSettings.Networks.asked.IPAddress}}").Split('.')[3], CultureInfo.InvariantCulture), 128, 253);
        RemoveAll();
    }

    [SkippableFact]
    public void F5_a_subnet_that_something_leads_to_is_refused_or_not_chosen()
    {
        Run("network", "create", "--subnet", "10.9.9.0/24", "first").Succeeded();
        Run("network", "create", "--subnet", "10.9.0.0/16", "second").FailedWith("overlaps 10.9.9.0/24");
        Run("network", "create", "--subnet", "192.0.2.128/25", "third").FailedWith("overlaps 192.0.2.0/24");
        _host.Shell("ip route add 10.127.0.0/16 via 192.0.2.2; ip route add 10.126.0.0/24 via 192.0.2.2"); // somebody's VPN
        Assert.Equal("10.125.0.0/16", Subnet("bridge"));
        Run("network", "create", "chosen").Succeeded();
        Assert.DoesNotContain("10.127.", Subnet("chosen"), StringComparison.Ordinal);
        Assert.NotEqual("10.126.0.0/24", Subnet("chosen"));

        string Subnet(string name) => (string)JsonNode.Parse(Run("network", "inspect", name).Succeeded().Output)![0]!["IPAM"]!["Config"]![0]!["Subnet"]!;
    }

    [SkippableFact]
    public void Members_of_a_network_know_each_other_by_name_as_they_come_and_go()
    {
        Run("network", "create", "team").Succeeded();
        Idle("one", "--network", "team", "--network-alias", "first");
        Serve("two", "--network", "team");
        Assert.StartsWith("tcp ", AskFrom("one", "TCP:two:80"), StringComparison.Ordinal);
        Assert.Contains("one first\n", Run("exec", "two", "cat", "/etc/hosts").Output, StringComparison.Ordinal);
        Assert.Contains("one first\n", Run("exec", "one", "cat", "/etc/hosts").Output, StringComparison.Ordinal);
        Run("rm", "-f", "one").Succeeded();
        Assert.DoesNotContain("first", Run("exec", "two", "cat", "/etc/hosts").Output, StringComparison.Ordinal);
        // Connected and taken out while it runs.
        Idle("three");
        Assert.Equal("", AskFrom("three", "TCP:two:80"));
        Run("network", "connect", "--alias", "third", "team", "three").Succeeded();
        Assert.StartsWith("tcp ", AskFrom("three", "TCP:two:80"), StringComparison.Ordinal);
        Assert.Contains("three third\n", Run("exec", "two", "cat", "/etc/hosts").Output, StringComparison.Ordinal);
        Assert.Equal("bridge,team", string.Join(',', Run("ps", "--filter", "name=three", "--format", "{{.Networks}}").Output.Trim().Split(',').Order()));
        Run("network", "disconnect", "bridge", "three").Succeeded();
        using (_outside.Serve("TCP4-LISTEN:7,fork,reuseaddr", "echo out"))
            Assert.Equal("out", AskFrom("three", "TCP4:192.0.2.2:7")); // its way out is by the other now
        Run("network", "rm", "team").FailedWith("has active endpoints");
        Run("network", "disconnect", "team", "three").Succeeded();
        Assert.DoesNotContain("third", Run("exec", "two", "cat", "/etc/hosts").Output, StringComparison.Ordinal);
        Assert.DoesNotContain("eth1", Run("exec", "three", "ip", "link").Output, StringComparison.Ordinal);
        RemoveAll();
    }

    [SkippableFact]
    public void Networks_are_kept_apart_and_internal_ones_have_no_way_out()
    {
        Run("network", "create", "a").Succeeded();
        Run("network", "create", "b").Succeeded();
        Run("network", "create", "--internal", "in").Succeeded();
        Run("network", "create", "-o", "com.docker.network.bridge.enable_icc=false", "shy").Succeeded();
        foreach (string network in (string[])["a", "in", "shy"])
            Serve("server-" + network, "--network", network);
        Idle("b1", "--network", "b");
        Idle("in1", "--network", "in");
        Idle("shy1", "--network", "shy");
        foreach (string family in (string[])["IPAddress", "GlobalIPv6Address"])
        {
            Assert.Equal("", AskFrom("b1", Address("a")));
            Assert.StartsWith("tcp ", AskFrom("in1", Address("in")), StringComparison.Ordinal);
            Assert.Equal("", AskFrom("b1", Address("in")));
            Assert.Equal("", AskFrom("in1", Address("a")));
            Assert.Equal("", AskFrom("shy1", Address("shy")));

            string Address(string network) => Inspect("server-" + network, $"{{{{.NetworkSettings.Networks.{network}.{family}}}}}") is var a && a.Contains(':', StringComparison.Ordinal) ? $"TCP6:[{a}]:80" : $"TCP4:{a}:80";
        }
        using (_outside.Serve("TCP4-LISTEN:7,fork,reuseaddr", "echo out"))
            Assert.Equal(("out", ""), (AskFrom("b1", "TCP4:192.0.2.2:7"), AskFrom("in1", "TCP4:192.0.2.2:7")));
        RemoveAll();
    }

    [SkippableFact]
    public void A_macvlan_is_on_the_wire_of_the_host()
    {
        Run("network", "create", "-d", "macvlan", "-o", "parent=up0", "--subnet", "192.0.2.0/24", "--gateway", "192.0.2.2", "--subnet", "2001:db8::/64", "--gateway", "2001:db8::2", "wire").Succeeded();
        Serve("web", "--network", "wire", "--ip", "192.0.2.77", "--ip6", "2001:db8::77");
        Assert.Contains("ffff:c000:0202", _outside.Ask("TCP4:192.0.2.77:80"), StringComparison.Ordinal);
        Assert.StartsWith("tcp ", _outside.Ask("TCP6:[2001:db8::77]:80"), StringComparison.Ordinal);
        RunImage("-d", "--network", "wire", "-p", "80:80", Image, "true").ExitedWith(125).FailedWith("macvlan");
        RemoveAll();
    }

    [SkippableFact]
    public void Plugins_of_CNI_connect_a_container_and_take_it_off_again()
    {
        Skip.IfNot(File.Exists("/usr/lib/cni/bridge"), "needs Debian's containernetworking-plugins");
        Directory.CreateDirectory(Bundle.Folder + "/cni");
        File.WriteAllText(Bundle.Folder + "/cni/10-test.conflist", $$$"""
            {"cniVersion":"1.0.0","name":"plugged","plugins":[
              {"type":"bridge","bridge":"cni7","isGateway":true,"ipMasq":false,"ipam":{"type":"host-local","dataDir":"{{{Bundle.Folder}}}/cni/leases","ranges":[[{"subnet":"10.77.0.0/24"}]],"routes":[{"dst":"0.0.0.0/0"}]}},
              {"type":"portmap","capabilities":{"portMappings":true}}]}
            """);
        var here = new Options { Environment = { ["NETCONFPATH"] = Bundle.Folder + "/cni", ["CNI_PATH"] = "/usr/lib/cni" } };
        Run(here, "run", "-d", "--cgroup-parent", "/conman-test", "--name", "web", "--network", "cni:plugged", "-p", "8080:80", "-v", "/usr:/usr:ro", "-v", "/lib:/lib:ro", "-v", "/lib64:/lib64:ro", Image, "sh", "-c", Server).Succeeded();
        Wait.Until(() => Run("exec", "web", "cat", "/proc/net/tcp6").Output.Contains(":0050 ", StringComparison.Ordinal), "the server");
        Assert.StartsWith("10.77.0.", Inspect("web", "{{.NetworkSettings.IPAddress}}"), StringComparison.Ordinal);
        Assert.Contains("10.77.0.", Run("exec", "web", "cat", "/etc/hosts").Output, StringComparison.Ordinal);
        Assert.StartsWith("tcp ", _outside.Ask("TCP4:192.0.2.1:8080"), StringComparison.Ordinal);
        Run("rm", "-f", "web").Succeeded();
        Assert.Equal("", _outside.Ask("TCP4:192.0.2.1:8080"));
        Assert.DoesNotContain(Directory.GetFiles(Bundle.Folder + "/cni/leases/plugged"), f => Path.GetFileName(f).StartsWith("10.", StringComparison.Ordinal));
        Run(here, "run", "--rm", "--network", "cni:nosuch", Image, "true").ExitedWith(125).FailedWith("network cni:nosuch not found");
        AssertNoContainers();
    }

    [SkippableFact]
    public void F4_nothing_is_left_in_the_kernel_once_it_is_pruned()
    {
        Run("network", "create", "team").Succeeded();
        Run("create", "--name", "stopped", "--network", "team", Image, "true").Succeeded();
        RunImage("--rm", "--network", "team", "-p", "80:80", Image, "true").Succeeded();
        RunImage("--rm", Image, "true").Succeeded();
        Assert.Empty(LeftOfNetworks());
        Assert.Contains("conman0", _host.Shell("ip -br link"), StringComparison.Ordinal);
        Assert.DoesNotContain("team", Run("network", "prune", "-f").Succeeded().Output, StringComparison.Ordinal); // a container has it
        Assert.Equal("", _host.Shell("nft list ruleset"));
        Assert.Equal(["lo", "up0@if2"], _host.Shell("ip -br link").Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(l => l.Split(' ')[0]));
        RunImage("--rm", Image, "true").Succeeded(); // and comes again
        Run("rm", "stopped").Succeeded();
        Assert.Contains("team", Run("network", "prune", "-f").Succeeded().Output, StringComparison.Ordinal);
        Assert.Equal("bridge\nhost\nnone\n", Run("network", "ls", "--format", "{{.Name}}").Succeeded().Output);
    }

    [SkippableFact]
    public void Without_a_network_none_is_made()
    {
        Assert.Equal("lo\n", RunImage("--rm", "--network", "none", Image, "sh", "-c", "ip -o link | sed 's/^[0-9]*: //;s/:.*//'").Succeeded().Output);
        RunImage("--rm", "--network", "host", Image, "true").Succeeded();
        Assert.Equal("", _host.Shell("nft list ruleset"));
        Assert.DoesNotContain("conman0", _host.Shell("ip -br link"), StringComparison.Ordinal);
        RunImage("--rm", "--network", "nosuch", Image, "true").ExitedWith(125).FailedWith("network nosuch not found");
        Idle("one");
        Assert.Equal(Inspect("one", "{{.NetworkSettings.IPAddress}}"),
            RunImage("--rm", "--network", "container:one", Image, "sh", "-c", "ip -4 -o addr show eth0 | sed 's/.*inet //;s,/.*,,'").Succeeded().Output.Trim());
        RemoveAll();
    }

    // A container with servers, and with the host's programs: busybox has no socat.
    private void Serve(string name, params string[] options)
    {
        RunImage(["-d", "--name", name, "-v", "/usr:/usr:ro", "-v", "/lib:/lib:ro", "-v", "/lib64:/lib64:ro", .. options, Image, "sh", "-c", Server]).Succeeded();
        Wait.Until(() => Run("logs", name).Output.Contains("ready", StringComparison.Ordinal) && Run("exec", name, "sh", "-c", "cat /proc/net/tcp6 /proc/net/udp6").Output is var open
            && open.Contains(":0050 ", StringComparison.Ordinal) && open.Contains(":0035 ", StringComparison.Ordinal) && open.Contains(":0051 ", StringComparison.Ordinal), "the servers of " + name);
    }

    private string Idle(string name, params string[] options)
    {
        RunImage(["-d", "--name", name, "-v", "/usr:/usr:ro", "-v", "/lib:/lib:ro", "-v", "/lib64:/lib64:ro", .. options, Image, "sleep", "1000"]).Succeeded();
        return name;
    }

    private string AskFrom(string container, string address) =>
        Run("exec", container, "sh", "-c", TestNetwork.Question(address)).Output.TrimEnd('\n');

    private Result RunImage(params string[] arguments) => Run(["run", "--cgroup-parent", "/conman-test", .. arguments]);

    private void RemoveAll()
    {
        Run("rm", "--force", "--all", "--volumes").Succeeded();
        Assert.Empty(LeftOfNetworks());
        AssertNoContainers();
    }

    protected override void CleanUp()
    {
        base.CleanUp();
        _outside.Dispose();
        _host.Dispose();
    }
}
