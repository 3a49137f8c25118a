// Namespaces: new ones, joined ones, the host's; names, id maps and clock offsets that belong to them.
using System.Text.Json.Nodes;

namespace Conman.Integration.Tests;

public class IsolationTests : ContainerTest
{
    /// <summary>The name of a namespace in config.json and the one of its link in /proc.</summary>
    public static TheoryData<string, string> Kinds => new()
    {
        { "mount", "mnt" }, { "pid", "pid" }, { "network", "net" }, { "ipc", "ipc" }, { "uts", "uts" }, { "cgroup", "cgroup" },
        { "user", "user" }, { "time", "time" },
    };

    private static void SkipIfOld(string type) =>
        Skip.If(type == "time" && Runtime.IsRuncOlderThan(2), "runc knows time namespaces since 1.2");

    private static string Link(int pid, string name) => new FileInfo($"/proc/{pid}/ns/{name}").LinkTarget!;

    private static string HostLink(string name) => Link(Environment.ProcessId, name);

    [SkippableTheory]
    [MemberData(nameof(Kinds))]
    [Proves("linux.namespaces[].type")]
    public void A_namespace_that_is_asked_for_is_new(string type, string link)
    {
        SkipIfOld(type);
        if (type == "user")
            Bundle.UserNamespace();
        else
            Bundle.Namespace(type);
        string inside = Assert.Single(Runtime.RunContainer(Bundle.Args("readlink", "/proc/self/ns/" + link)).Succeeded().Lines);
        Assert.StartsWith(link + ":[", inside);
        Assert.NotEqual(HostLink(link), inside);
    }

    [SkippableTheory]
    [MemberData(nameof(Kinds))]
    public void A_namespace_that_is_not_asked_for_is_the_hosts(string type, string link)
    {
        Skip.If(type == "mount", "a container without a mount namespace is refused");
        if (type == "network")
            Bundle.WithoutMount("/sys"); // sysfs shows a network, and is mounted by its owner only
        if (type == "ipc")
            Bundle.WithoutMount("/dev/mqueue");
        if (type == "uts")
            Bundle.Remove("hostname");
        Bundle.WithoutMount("/sys/fs/cgroup").WithoutNamespace(type);
        Runtime.RunContainer(Bundle.Args("readlink", "/proc/self/ns/" + link)).Printed(HostLink(link));
    }

    [SkippableTheory]
    [MemberData(nameof(Kinds))]
    [Proves("linux.namespaces[].path")]
    public void A_namespace_with_a_path_is_joined(string type, string link)
    {
        SkipIfOld(type);
        Skip.If(type == "mount", "with a mount namespace of another there is no root file system to set up");
        Bundle owner = NewBundle();
        if (type is "user")
            owner.UserNamespace();
        else
            owner.Namespace(type);
        int pid = StartIdle(owner);
        Bundle.Namespace(type, $"/proc/{pid}/ns/{link}");
        if (type == "uts")
            Bundle.Remove("hostname");
        if (type == "user")
        {
            Bundle.UserNamespace().Namespace("user", $"/proc/{pid}/ns/user");
            // A hostname and a network can be had from the owner only: those of the host are not the user's to change.
            foreach ((string other, string file) in ((string, string)[])[("network", "net"), ("ipc", "ipc"), ("uts", "uts")])
                Bundle.Namespace(other, $"/proc/{pid}/ns/{file}");
            Bundle.Remove("hostname");
        }
        Runtime.RunContainer(Bundle.Args("readlink", "/proc/self/ns/" + link)).Printed(Link(pid, link));
    }

    [SkippableFact]
    public void In_a_pid_namespace_the_process_is_the_first() =>
        Runtime.RunContainer(Bundle.Shell("echo $$")).Printed("1");

    [SkippableFact]
    public void In_a_joined_pid_namespace_the_owner_is_seen()
    {
        int pid = StartIdle(NewBundle());
        Bundle.Namespace("pid", $"/proc/{pid}/ns/pid").Shell("cat /proc/1/cmdline | tr '\\0' ' '; [ $$ -ne 1 ]");
        Runtime.RunContainer(Bundle).Printed("sleep 1000 ");
    }

    [SkippableFact]
    public void A_container_that_joined_a_pid_namespace_is_killed_alone()
    {
        int pid = StartIdle(NewBundle());
        int other = StartIdle(Bundle.Namespace("pid", $"/proc/{pid}/ns/pid"));
        Runtime.Run("kill", Bundle.Id, "KILL").Succeeded();
        Wait.ForExit(other);
        Assert.True(Directory.Exists($"/proc/{pid}"), "the owner of the namespace was killed too");
    }

    [SkippableFact]
    [Proves("hostname")]
    public void The_hostname_is_set_inside_only()
    {
        string before = File.ReadAllText("/proc/sys/kernel/hostname");
        Runtime.RunContainer(Bundle.Set("hostname", "inside").Args("hostname")).Printed("inside");
        Assert.Equal(before, File.ReadAllText("/proc/sys/kernel/hostname"));
    }

    [SkippableFact]
    [Proves("domainname")]
    public void The_domain_name_is_set_inside_only()
    {
        Skip.If(Runtime.IsRuncOlderThan(2), "runc knows the domain name since 1.2");
        string before = File.ReadAllText("/proc/sys/kernel/domainname");
        Runtime.RunContainer(Bundle.Set("domainname", "example.org").Args("cat", "/proc/sys/kernel/domainname")).Printed("example.org");
        Assert.Equal(before, File.ReadAllText("/proc/sys/kernel/domainname"));
    }

    [SkippableFact]
    public void A_hostname_without_a_uts_namespace_is_refused()
    {
        string before = File.ReadAllText("/proc/sys/kernel/hostname");
        Runtime.RunContainer(Bundle.WithoutNamespace("uts").Args("true")).FailedWith("hostname");
        Assert.Equal(before, File.ReadAllText("/proc/sys/kernel/hostname"));
        AssertNothingLeft();
    }

    [SkippableFact]
    public void Loopback_is_up_in_a_new_network_namespace() =>
        Runtime.RunContainer(Bundle.Shell("ip -o addr show lo; ls /sys/class/net")).Succeeded()
            .WaitForOutput("inet 127.0.0.1/8");

    [SkippableFact]
    public void A_user_namespace_has_the_maps_asked_for()
    {
        Bundle.UserNamespace(100000, 1000).Shell("cat /proc/self/uid_map /proc/self/gid_map; id -u");
        Assert.Equal(["0 100000 1000", "0 100000 1000", "0"],
            Runtime.RunContainer(Bundle).Succeeded().Lines.Select(line => string.Join(' ', line.Split(' ', StringSplitOptions.RemoveEmptyEntries))));
    }

    [SkippableFact]
    [Proves("linux.uidMappings[]", "linux.gidMappings[]")]
    public void Several_maps_may_follow_each_other()
    {
        Bundle.UserNamespace();
        foreach (string maps in (string[])["linux/uidMappings", "linux/gidMappings"])
        {
            Bundle.Set(maps, new JsonArray(
                new JsonObject { ["containerID"] = 0, ["hostID"] = 100000, ["size"] = 10 },
                new JsonObject { ["containerID"] = 10, ["hostID"] = 300000, ["size"] = 20 }));
        }
        Bundle.Args("awk", "{print $1, $2, $3}", "/proc/self/uid_map");
        Runtime.RunContainer(Bundle).Printed("0 100000 10", "10 300000 20");
    }

    [SkippableFact]
    public void Roots_files_belong_to_the_mapped_user_outside()
    {
        string shared = Bundle.Subfolder("shared");
        Libc.Check(Libc.lchown(shared, 100000, 100000), "give the folder away");
        Bundle.Subfolder("rootfs/shared"); // root of the user namespace may not make it
        Bundle.UserNamespace().Bind(shared, "/shared").Shell("touch /shared/file; stat -c '%u %g' /shared/file /bin/busybox");
        Runtime.RunContainer(Bundle).Printed("0 0", "65534 65534");
        Assert.True(File.Exists(shared + "/file"));
        Bundle stat = NewBundle().Bind(shared, "/shared").Args("stat", "-c", "%u %g", "/shared/file");
        Runtime.RunContainer(stat).Printed("100000 100000");
    }

    [SkippableFact]
    public void Root_of_a_user_namespace_has_no_power_over_the_host()
    {
        string secret = Bundle.File("secret", "s", 0x180 /* 0600 */);
        Bundle.File("rootfs/tmp/secret"); // root of the user namespace may not make it
        Bundle.UserNamespace().Bind(secret, "/tmp/secret", "bind").Shell("cat /tmp/secret 2>&1; echo $?");
        Runtime.RunContainer(Bundle).Printed("cat: can't open '/tmp/secret': Permission denied", "1");
    }

    [SkippableFact]
    public void The_usual_devices_work_in_a_user_namespace() =>
        Runtime.RunContainer(Bundle.UserNamespace().Shell("echo x >/dev/null && head -c 3 /dev/zero | wc -c && head -c 1 /dev/urandom | wc -c"))
            .Printed("3", "1");

    [SkippableFact]
    public void A_container_in_a_user_namespace_is_left_without_a_trace()
    {
        Runtime.CreateAndStart(Bundle.UserNamespace().Args("sleep", "1000"));
        Runtime.Run("delete", "--force", Bundle.Id).Succeeded();
        AssertNothingLeft();
    }

    [SkippableFact]
    [Proves("linux.timeOffsets.*")]
    public void Clocks_are_moved_by_the_offsets()
    {
        SkipIfOld("time");
        Bundle.Namespace("time")
            .Set("linux/timeOffsets", new JsonObject
            {
                ["monotonic"] = new JsonObject { ["secs"] = 7881, ["nanosecs"] = 2718281 },
                ["boottime"] = new JsonObject { ["secs"] = 1337, ["nanosecs"] = 3141519 },
            })
            .Shell("awk '{print $1, $2, $3}' /proc/self/timens_offsets");
        Runtime.RunContainer(Bundle).Printed("monotonic 7881 2718281", "boottime 1337 3141519");
    }

    [SkippableFact]
    public void Offsets_without_a_time_namespace_are_refused()
    {
        SkipIfOld("time");
        Bundle.Set("linux/timeOffsets", new JsonObject { ["boottime"] = new JsonObject { ["secs"] = 1 } }).Args("true");
        Assert.NotEqual(0, Runtime.RunContainer(Bundle).ExitCode);
        AssertNothingLeft();
    }

    [SkippableFact]
    public void A_cgroup_namespace_hides_where_the_container_is() =>
        Runtime.RunContainer(Bundle.Shell("grep ^0:: /proc/self/cgroup")).Printed("0::/");

    [SkippableFact]
    public void Without_a_cgroup_namespace_the_path_is_the_one_asked_for() =>
        Runtime.RunContainer(Bundle.WithoutNamespace("cgroup").Shell("grep ^0:: /proc/self/cgroup")).Printed($"0::/conman-test/{Bundle.Id}");

    [SkippableFact]
    public void Exec_has_the_clocks_of_the_container()
    {
        Skip.If(Runtime.IsRuncOlderThan(2), "runc knows time namespaces since 1.2");
        StartIdle(Bundle.Namespace("time").Set("linux/timeOffsets", new JsonObject { ["boottime"] = new JsonObject { ["secs"] = 1337 } }));
        Runtime.Run("exec", Bundle.Id, "awk", "/boottime/{print $2}", "/proc/self/timens_offsets").Printed("1337");
    }

    // A time namespace that is joined brings its offsets; saying others as well would be a promise that cannot be kept.
    [SkippableFact]
    public void A_joined_time_namespace_has_its_own_clocks()
    {
        Skip.If(Runtime.IsRuncOlderThan(2), "runc knows time namespaces since 1.2");
        Bundle owner = NewBundle().Namespace("time").Set("linux/timeOffsets", new JsonObject { ["boottime"] = new JsonObject { ["secs"] = 1337 } });
        int pid = StartIdle(owner);
        Bundle.Namespace("time", $"/proc/{pid}/ns/time").Args("awk", "/boottime/{print $2}", "/proc/self/timens_offsets");
        Runtime.RunContainer(Bundle).Printed("1337");
        Bundle.Set("linux/timeOffsets", new JsonObject { ["boottime"] = new JsonObject { ["secs"] = 1 } });
        Runtime.RunContainer(Bundle).FailedWith("you may only provide one");
    }

    // runc #4390: root of the host joins what the user namespace does not own, too.
    [SkippableFact]
    public void With_a_joined_user_namespace_a_network_of_the_host_can_be_joined()
    {
        Skip.If(Runtime.IsRuncOlderThan(2), "runc joins user namespaces without maps since 1.2");
        int pid = StartIdle(NewBundle().UserNamespace());
        int other = StartIdle(NewBundle());
        Bundle.Namespace("user", $"/proc/{pid}/ns/user").Namespace("network", $"/proc/{other}/ns/net").WithoutMount("/sys").WithoutMount("/sys/fs/cgroup")
            .Shell("readlink /proc/self/ns/user; readlink /proc/self/ns/net");
        Runtime.RunContainer(Bundle).Printed(Link(pid, "user"), Link(other, "net"));
    }

    [SkippableFact]
    public void Maps_beside_a_joined_user_namespace_must_be_its_own()
    {
        Skip.If(Runtime.IsRuncOlderThan(2), "runc joins user namespaces without maps since 1.2");
        int pid = StartIdle(NewBundle().UserNamespace());
        Bundle.UserNamespace().Namespace("user", $"/proc/{pid}/ns/user").Shell("id -u");
        Runtime.RunContainer(Bundle).Printed("0");
        Bundle.UserNamespace(200000).Namespace("user", $"/proc/{pid}/ns/user");
        Runtime.RunContainer(Bundle).FailedWith("both namespace path and non-matching mapping specified");
    }

    [SkippableFact]
    public void Every_namespace_of_another_container_but_the_mounts_can_be_joined_at_once()
    {
        Skip.If(Runtime.IsRuncOlderThan(2), "runc knows time namespaces since 1.2");
        int pid = StartIdle(NewBundle().UserNamespace().Namespace("time"));
        Bundle.Remove("hostname");
        foreach ((string type, string file) in ((string, string)[])[
            ("user", "user"), ("pid", "pid"), ("network", "net"), ("ipc", "ipc"), ("uts", "uts"), ("cgroup", "cgroup"), ("time", "time")])
            Bundle.Namespace(type, $"/proc/{pid}/ns/{file}");
        Bundle.Shell("for n in user pid net ipc uts cgroup time; do readlink /proc/self/ns/$n; done");
        Runtime.RunContainer(Bundle).Printed([.. ((string[])["user", "pid", "net", "ipc", "uts", "cgroup", "time"]).Select(n => Link(pid, n))]);
    }
}
