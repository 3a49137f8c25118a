// The container's cgroup: where it is, who is in it, and the limits written to it. Limits need a controller of the
// unified hierarchy; where the kernel has given it to the old one, their tests are skipped.
using System.Text.Json.Nodes;

namespace Conman.Integration.Tests;

[Trait("Needs", "controllers")]
public class CgroupTests : ContainerTest
{
    private string Value(string file) => File.ReadAllText($"{Bundle.CgroupOf(file[..file.IndexOf('.')])}/{file}").TrimEnd();

    private static void Needs(string controller)
    {
        if (Leftovers.Unified)
        {
            Skip.IfNot(File.ReadAllText(Leftovers.CgroupRoot + "/cgroup.controllers").Split(' ', '\n').Contains(controller),
                $"the unified hierarchy has no {controller} controller here");
        }
        else
        {
            Skip.IfNot(Directory.Exists($"{Leftovers.CgroupRoot}/{controller}"), $"no hierarchy has the {controller} controller here");
        }
    }

    private static void NeedsLegacy() => Skip.If(Leftovers.Unified, "needs the hierarchies of cgroup v1");

    private static void NeedsUnified() => Skip.IfNot(Leftovers.Unified, "needs the unified hierarchy alone");

    private static JsonNode Json(string text) => JsonNode.Parse(text)!;

    [SkippableFact]
    [Proves("linux.cgroupsPath")]
    public void The_process_is_in_the_cgroup_asked_for()
    {
        int pid = StartIdle(Bundle);
        Assert.Equal(pid.ToString(), File.ReadAllText(Bundle.Cgroup + "/cgroup.procs").TrimEnd());
        if (!Leftovers.Unified)
        {
            string[] others = File.ReadAllLines($"/proc/{pid}/cgroup");
            Assert.All(others, line => Assert.EndsWith($":/conman-test/{Bundle.Id}", line));
        }
        Assert.Contains($"0::/conman-test/{Bundle.Id}", File.ReadAllText($"/proc/{pid}/cgroup"));
    }

    [SkippableFact]
    public void The_cgroup_is_there_when_created_and_gone_when_deleted()
    {
        Runtime.Create(Bundle.Args("true")).Succeeded();
        Assert.Equal(Runtime.Pid(Bundle.Id).ToString(), File.ReadAllText(Bundle.Cgroup + "/cgroup.procs").TrimEnd());
        Runtime.Run("delete", "--force", Bundle.Id).Succeeded();
        Assert.False(Directory.Exists(Bundle.Cgroup));
    }

    [SkippableFact]
    public void Cgroups_made_by_the_container_go_with_it()
    {
        StartIdle(Bundle);
        Directory.CreateDirectory(Bundle.Cgroup + "/below/deeper");
        Runtime.Run("delete", "--force", Bundle.Id).Succeeded();
        AssertNothingLeft();
    }

    [SkippableFact]
    public void Without_a_path_the_cgroup_is_named_after_the_container()
    {
        int pid = StartIdle(Bundle.Remove("linux/cgroupsPath"));
        Assert.Matches($@"(?m)^0::/.*{Bundle.Id}", File.ReadAllText($"/proc/{pid}/cgroup"));
    }

    [SkippableFact]
    public void A_process_of_exec_joins_the_cgroup()
    {
        StartIdle(Bundle);
        string file = Bundle.Folder + "/exec.pid";
        Runtime.Run("exec", "--detach", "--pid-file", file, Bundle.Id, "sleep", "999").Succeeded();
        Assert.Contains(File.ReadAllText(file), File.ReadAllText(Bundle.Cgroup + "/cgroup.procs").TrimEnd().Split('\n'));
    }

    [SkippableFact]
    public void A_cgroup_with_strangers_in_it_is_left_alone()
    {
        Skip.If(Runtime.IsRuncOlderThan(2), "runc joins it, before 1.2");
        Bundle owner = NewBundle();
        int pid = StartIdle(owner);
        Bundle.Set("linux/cgroupsPath", $"/conman-test/{owner.Id}").Args("true");
        Runtime.RunContainer(Bundle).FailedWith(owner.Id);
        Assert.True(Directory.Exists($"/proc/{pid}"));
        Assert.Equal(pid.ToString(), File.ReadAllText(owner.Cgroup + "/cgroup.procs").TrimEnd());
    }

    [SkippableFact]
    public void A_frozen_cgroup_is_not_joined()
    {
        Directory.CreateDirectory(Bundle.Cgroup);
        File.WriteAllText(Bundle.Cgroup + "/cgroup.freeze", "1");
        try
        {
            Assert.NotEqual(0, Runtime.RunContainer(Bundle.Args("true")).ExitCode);
        }
        finally
        {
            if (Directory.Exists(Bundle.Cgroup))
                Directory.Delete(Bundle.Cgroup);
        }
        AssertNothingLeft();
    }

    [SkippableTheory]
    [InlineData("memory", """{ "memory": { "limit": 33554432 } }""", "memory.max=33554432", "memory.limit_in_bytes=33554432")]
    [InlineData("memory", """{ "memory": { "limit": 33554432, "swap": 67108864 } }""", "memory.swap.max=33554432", "memory.memsw.limit_in_bytes=67108864")]
    [InlineData("memory", """{ "memory": { "limit": -1 } }""", "memory.max=max", "memory.limit_in_bytes=9223372036854771712")]
    [InlineData("memory", """{ "memory": { "reservation": 16777216 } }""", "memory.low=16777216", "memory.soft_limit_in_bytes=16777216")]
    [InlineData("memory", """{ "memory": { "swappiness": 10 } }""", "", "memory.swappiness=10")]
    [InlineData("pids", """{ "pids": { "limit": 42 } }""", "pids.max=42", "pids.max=42")]
    [InlineData("pids", """{ "pids": { "limit": -1 } }""", "pids.max=max", "pids.max=max")]
    [InlineData("pids", """{ "pids": { "limit": 0 } }""", "pids.max=1", "pids.max=1")]
    [InlineData("cpu", """{ "cpu": { "shares": 1024 } }""", "cpu.weight=100", "cpu.shares=1024")]
    [InlineData("cpu", """{ "cpu": { "quota": 50000, "period": 100000 } }""", "cpu.max=50000 100000", "cpu.cfs_quota_us=50000")]
    [InlineData("cpu", """{ "cpu": { "quota": -1, "period": 200000 } }""", "cpu.max=max 200000", "cpu.cfs_period_us=200000")]
    [InlineData("cpu", """{ "cpu": { "quota": 50000, "burst": 20000 } }""", "cpu.max.burst=20000", "cpu.cfs_burst_us=20000")]
    [InlineData("cpu", """{ "cpu": { "idle": 1 } }""", "cpu.idle=1", "cpu.idle=1")]
    [InlineData("cpuset", """{ "cpu": { "cpus": "0" } }""", "cpuset.cpus=0", "cpuset.cpus=0")]
    [InlineData("cpuset", """{ "cpu": { "cpus": "0", "mems": "0" } }""", "cpuset.mems=0", "cpuset.mems=0")]
    [InlineData("io", """{ "blockIO": { "weight": 500 } }""", "io.bfq.weight=default 500", "")]
    [InlineData("blkio", """{ "blockIO": { "weight": 500 } }""", "", "blkio.bfq.weight=500")]
    [InlineData("memory", """{ "unified": { "memory.high": "20971520" } }""", "memory.high=20971520", "")]
    [InlineData("pids", """{ "unified": { "pids.max": "17" } }""", "pids.max=17", "")]
    [Proves("linux.resources.memory.limit", "linux.resources.memory.swap", "linux.resources.memory.reservation",
        "linux.resources.pids.limit", "linux.resources.cpu.shares", "linux.resources.cpu.quota",
        "linux.resources.cpu.period", "linux.resources.cpu.burst", "linux.resources.cpu.idle",
        "linux.resources.cpu.cpus", "linux.resources.cpu.mems", "linux.resources.blockIO.weight",
        "linux.resources.unified.*")]
    [Proves("linux.resources.memory.limit", "linux.resources.memory.swap", "linux.resources.memory.reservation",
        "linux.resources.pids.limit", "linux.resources.cpu.shares", "linux.resources.cpu.quota",
        "linux.resources.cpu.period", "linux.resources.cpu.burst", "linux.resources.cpu.idle",
        "linux.resources.cpu.cpus", "linux.resources.cpu.mems", "linux.resources.blockIO.weight",
        "linux.resources.unified.*")]
    public void A_limit_is_written(string controller, string resources, string unified, string legacy)
    {
        string[] expected = (Leftovers.Unified ? unified : legacy).Split('=');
        Skip.If(expected[0].Length == 0, "not in this version of cgroups");
        Needs(controller);
        Skip.If(controller == "io" && !File.Exists(Leftovers.CgroupRoot + "/init.scope/" + expected[0]), "no bfq scheduler");
        Skip.If(controller == "memory" && resources.Contains("swap\"") && !File.Exists("/proc/swaps"), "no swap");
        foreach ((string name, JsonNode? resource) in Json(resources).AsObject())
            Bundle.Set("linux/resources/" + name, resource!.DeepClone());
        StartIdle(Bundle);
        Assert.Equal(expected[1], Value(expected[0]));
    }

    [SkippableFact]
    public void What_cgroup_v1_does_not_have_is_refused()
    {
        NeedsLegacy();
        Bundle.Set("linux/resources/unified", Json("""{ "memory.high": "20971520" }""")).Args("true");
        Runtime.RunContainer(Bundle).FailedWith("cannot use unified on cgroup v1");
        AssertNothingLeft();
    }

    [SkippableFact]
    public void The_devices_controller_lists_what_may_be_opened()
    {
        NeedsLegacy();
        Bundle.Add("linux/resources/devices", Json("""{ "allow": true, "type": "c", "major": 10, "minor": 200, "access": "rw" }"""));
        StartIdle(Bundle);
        string[] list = Value("devices.list").Split('\n');
        Assert.Contains("c 10:200 rw", list);
        Assert.Contains("c 1:3 rwm", list);
        Assert.DoesNotContain("a *:* rwm", list);
    }

    [SkippableFact]
    public void A_cpuset_is_inherited_by_new_cgroups_however_deep()
    {
        NeedsLegacy();
        Needs("cpuset");
        Bundle.Set("linux/cgroupsPath", $"/conman-test/{Bundle.Id}/a/b");
        int pid = StartIdle(Bundle);
        string folder = Bundle.CgroupOf("cpuset");
        Assert.Equal(File.ReadAllText(Leftovers.CgroupRoot + "/cpuset/cpuset.cpus"), File.ReadAllText(folder + "/a/b/cpuset.cpus"));
        Assert.Equal(pid.ToString(), File.ReadAllText(folder + "/a/b/cgroup.procs").TrimEnd());
        Runtime.Run("delete", "--force", Bundle.Id).Succeeded();
        foreach (string hierarchy in Leftovers.Hierarchies)
        {
            Directory.Delete($"{hierarchy}/conman-test/{Bundle.Id}/a");
            Directory.Delete($"{hierarchy}/conman-test/{Bundle.Id}");
        }
    }

    [SkippableFact]
    public void A_cgroup_of_one_hierarchy_with_strangers_in_it_is_left_alone()
    {
        NeedsLegacy();
        string folder = Bundle.CgroupOf("pids");
        Directory.CreateDirectory(folder);
        using var stranger = System.Diagnostics.Process.Start("sleep", "1000")!;
        try
        {
            File.WriteAllText(folder + "/cgroup.procs", stranger.Id.ToString());
            Runtime.RunContainer(Bundle.Args("true")).FailedWith($"container's cgroup is not empty: {folder}");
            Assert.False(stranger.HasExited);
            Assert.Equal(stranger.Id.ToString(), File.ReadAllText(folder + "/cgroup.procs").TrimEnd());
        }
        finally
        {
            stranger.Kill();
            stranger.WaitForExit();
            Directory.Delete(folder);
        }
        AssertNothingLeft();
    }

    [SkippableFact]
    public void A_cgroup_that_the_old_freezer_has_frozen_is_not_joined()
    {
        NeedsLegacy();
        string folder = Bundle.CgroupOf("freezer");
        Directory.CreateDirectory(folder);
        Directory.CreateDirectory(Bundle.Cgroup);
        try
        {
            File.WriteAllText(folder + "/freezer.state", "FROZEN");
            Runtime.RunContainer(Bundle.Args("true")).FailedWith("container's cgroup unexpectedly frozen");
        }
        finally
        {
            Directory.Delete(folder);
            Directory.Delete(Bundle.Cgroup);
        }
        AssertNothingLeft();
    }

    [SkippableFact]
    public void A_process_that_joined_one_hierarchy_by_hand_does_not_keep_it()
    {
        NeedsLegacy();
        StartIdle(Bundle);
        using var stranger = System.Diagnostics.Process.Start("sleep", "1000")!;
        File.WriteAllText(Bundle.CgroupOf("memory") + "/cgroup.procs", stranger.Id.ToString());
        Runtime.Run("delete", "--force", Bundle.Id).Succeeded();
        stranger.WaitForExit();
        AssertNothingLeft();
    }

    [SkippableTheory]
    [InlineData(true)]
    [InlineData(false)]
    public void The_hierarchies_are_shown_inside_each_by_its_own(bool withNamespace)
    {
        NeedsLegacy();
        if (!withNamespace)
            Bundle.WithoutNamespace("cgroup");
        StartIdle(Bundle);
        Assert.Contains("memory", Runtime.Run("exec", Bundle.Id, "ls", "/sys/fs/cgroup").Succeeded().Lines);
        Assert.Contains("1", Runtime.Run("exec", Bundle.Id, "cat", "/sys/fs/cgroup/pids/cgroup.procs").Succeeded().Lines);
        Runtime.Run("exec", Bundle.Id, "mkdir", "/sys/fs/cgroup/new").FailedWith("Read-only file system");
        Runtime.Run("exec", Bundle.Id, "mkdir", "/sys/fs/cgroup/memory/new").FailedWith("Read-only file system");
    }

    [SkippableFact]
    [Proves("linux.resources.memory.limit")]
    public void A_process_over_its_memory_is_killed()
    {
        Needs("memory");
        Bundle.Set("linux/resources/memory", Json("""{ "limit": 16777216, "swap": 16777216 }"""));
        Bundle.Shell("exec tail -c 200000000 /dev/zero");
        Runtime.RunContainer(Bundle).ExitedWith(137);
    }

    [SkippableFact]
    [Proves("linux.resources.pids.limit")]
    public void A_process_over_its_number_cannot_fork()
    {
        Needs("pids");
        Bundle.Set("linux/resources/pids", Json("""{ "limit": 3 }"""));
        Bundle.Shell("for i in 1 2 3 4 5 6; do sleep 1000 & done; :");
        Result run = Runtime.RunContainer(Bundle);
        Assert.Contains("fork", run.Error);
    }

    [SkippableFact]
    public void A_limit_is_changed_while_the_container_runs()
    {
        Needs("pids");
        Needs("memory");
        StartIdle(Bundle);
        Runtime.Run("update", "--pids-limit", "77", "--memory", "33554432", Bundle.Id).Succeeded();
        Assert.Equal(("77", "33554432"), (Value("pids.max"), Value(Leftovers.Unified ? "memory.max" : "memory.limit_in_bytes")));
        Runtime.Run(new Options { Input = """{ "pids": { "limit": 66 } }""" }, "update", "--resources", "-", Bundle.Id).Succeeded();
        Assert.Equal("66", Value("pids.max"));
    }

    [SkippableFact]
    public void Statistics_tell_what_is_used()
    {
        Needs("memory");
        StartIdle(Bundle);
        JsonNode stats = Json(Runtime.Run("events", "--stats", Bundle.Id).Succeeded().Output);
        Assert.Equal(("stats", Bundle.Id), ((string?)stats["type"], (string?)stats["id"]));
        Assert.True((long)stats["data"]!["memory"]!["usage"]!["usage"]! > 0);
    }

    [SkippableFact]
    public void A_limit_that_no_controller_can_enforce_is_an_error()
    {
        NeedsUnified();
        Skip.If(File.ReadAllText(Leftovers.CgroupRoot + "/cgroup.controllers").Contains("memory"), "the memory controller is there");
        Bundle.Set("linux/resources/memory", Json("""{ "limit": 33554432 }""")).Args("true");
        Runtime.RunContainer(Bundle).FailedWith("memory");
        AssertNothingLeft();
    }

    [SkippableFact]
    public void A_file_of_the_cgroup_that_does_not_exist_is_an_error()
    {
        NeedsUnified();
        Bundle.Set("linux/resources/unified", Json("""{ "flavour.max": "1" }""")).Args("true");
        Runtime.RunContainer(Bundle).FailedWith("flavour");
        AssertNothingLeft();
    }

    [SkippableFact]
    public void A_file_name_that_leaves_the_cgroup_is_refused()
    {
        Bundle.Set("linux/resources/unified", Json("""{ "../cgroup.freeze": "1" }""")).Args("true");
        Assert.NotEqual(0, Runtime.RunContainer(Bundle).ExitCode);
        AssertNothingLeft();
    }

    [SkippableFact]
    public void An_update_keeps_what_it_does_not_name_and_config_json_follows()
    {
        Needs("pids");
        Needs("cpu");
        Bundle.Set("linux/resources/pids", Json("""{ "limit": 50 }""")).Set("linux/resources/cpu", Json("""{ "quota": 50000, "period": 200000 }"""));
        StartIdle(Bundle);
        Runtime.Run("update", "--cpu-quota", "60000", Bundle.Id).Succeeded();
        Assert.Equal("50", Value("pids.max"));
        if (Leftovers.Unified)
            Assert.Equal("60000 200000", Value("cpu.max"));
        else
            Assert.Equal(("60000", "200000"), (Value("cpu.cfs_quota_us"), Value("cpu.cfs_period_us")));
        JsonNode resources = Json(File.ReadAllText($"{Runtime.Root}/{Bundle.Id}/config.json"))["linux"]!["resources"]!;
        Assert.Equal((50, 60000, 200000), ((int)resources["pids"]!["limit"]!, (int)resources["cpu"]!["quota"]!, (int)resources["cpu"]!["period"]!));
    }

    [SkippableFact]
    public void A_refused_update_changes_nothing()
    {
        Needs("pids");
        Needs("cpuset");
        Bundle.Set("linux/resources/pids", Json("""{ "limit": 50 }""")).Set("linux/resources/cpu", Json("""{ "cpus": "0" }"""));
        StartIdle(Bundle);
        Runtime.Run(new Options { Input = """{ "cpu": { "cpus": "0-4000" }, "pids": { "limit": 66 } }""" }, "update", "--resources", "-", Bundle.Id)
            .FailedWith("cannot set cpuset.cpus of cgroup");
        Assert.Equal(("0", "50"), (Value("cpuset.cpus"), Value("pids.max")));
        JsonNode resources = Json(File.ReadAllText($"{Runtime.Root}/{Bundle.Id}/config.json"))["linux"]!["resources"]!;
        Assert.Equal(("0", 50), ((string?)resources["cpu"]!["cpus"], (int)resources["pids"]!["limit"]!));
    }

    [SkippableFact]
    public void Memory_and_swap_are_changed_together_whatever_their_old_values()
    {
        Needs("memory");
        Bundle.Set("linux/resources/memory", Json("""{ "limit": 33554432, "swap": 33554432 }"""));
        StartIdle(Bundle);
        string memory = Leftovers.Unified ? "memory.max" : "memory.limit_in_bytes", swap = Leftovers.Unified ? "memory.swap.max" : "memory.memsw.limit_in_bytes";
        Runtime.Run("update", "--memory", "64M", "--memory-swap", "96M", Bundle.Id).Succeeded();
        Assert.Equal(("67108864", Leftovers.Unified ? "33554432" : "100663296"), (Value(memory), Value(swap)));
        Runtime.Run("update", "--memory", "32M", "--memory-swap", "32M", Bundle.Id).Succeeded();
        Assert.Equal(("33554432", Leftovers.Unified ? "0" : "33554432"), (Value(memory), Value(swap)));
        Runtime.Run("update", "--memory", "-1", Bundle.Id).Succeeded();
        Assert.Equal(Leftovers.Unified ? "max" : "9223372036854771712", Value(memory));
    }

    [SkippableFact]
    public void A_limit_below_what_is_used_is_refused_if_asked_for()
    {
        Needs("memory");
        StartIdle(Bundle);
        Runtime.Run(new Options { Input = """{ "memory": { "limit": 4096, "checkBeforeUpdate": true } }""" }, "update", "--resources", "-", Bundle.Id)
            .FailedWith("rejecting memory limit 4096 < usage");
        Assert.Equal("running", Runtime.Status(Bundle.Id));
    }

    [SkippableFact]
    public void Exec_starts_in_a_cgroup_below()
    {
        StartIdle(Bundle);
        if (Leftovers.Unified)
        {
            Directory.CreateDirectory(Bundle.Cgroup + "/below");
            Runtime.Run("exec", "--cgroup", "below", Bundle.Id, "grep", "^0::", "/proc/self/cgroup").Printed("0::/below");
            Runtime.Run("exec", "--cgroup", "/", Bundle.Id, "grep", "^0::", "/proc/self/cgroup").Printed("0::/");
            Runtime.Run("exec", "--cgroup", "memory:below", Bundle.Id, "true").FailedWith("invalid --cgroup argument");
        }
        else
        {
            Directory.CreateDirectory(Bundle.CgroupOf("memory") + "/below");
            Runtime.Run("exec", "--cgroup", "memory:below", Bundle.Id, "grep", "-E", ":(memory|pids):", "/proc/self/cgroup").Succeeded();
            string[] lines = Runtime.Run("exec", "--cgroup", "memory:/below", Bundle.Id, "cat", "/proc/self/cgroup").Succeeded().Lines;
            Assert.Contains(lines, line => line.EndsWith(":memory:/below", StringComparison.Ordinal));
            Assert.Contains(lines, line => line.EndsWith(":pids:/", StringComparison.Ordinal));
            Runtime.Run("exec", "--cgroup", "flavour:/", Bundle.Id, "true").FailedWith("unknown controller");
        }
        Runtime.Run("exec", "--cgroup", Leftovers.Unified ? "nowhere" : "pids:nowhere", Bundle.Id, "true").FailedWith(" adding pid ");
        Runtime.Run("exec", "--cgroup", Leftovers.Unified ? "../.." : "pids:../..", Bundle.Id, "true").FailedWith("bad sub cgroup path");
    }

    [SkippableFact]
    public void Exec_goes_where_the_first_process_is_when_the_cgroup_hands_down_its_controllers()
    {
        NeedsUnified();
        string controller = File.ReadAllText(Leftovers.CgroupRoot + "/cgroup.controllers").Split(' ', '\n')[0];
        Skip.If(controller.Length == 0, "no controller to hand down");
        int pid = StartIdle(Bundle);
        Directory.CreateDirectory(Bundle.Cgroup + "/below");
        File.WriteAllText(Bundle.Cgroup + "/below/cgroup.procs", pid.ToString());
        File.WriteAllText(Bundle.Cgroup + "/cgroup.subtree_control", "+" + controller);
        Runtime.Run("exec", Bundle.Id, "grep", "^0::", "/proc/self/cgroup").Printed("0::/below");
        Runtime.Run("exec", "--cgroup", "/", Bundle.Id, "true").FailedWith("hands down controllers");
    }

    private const string Delegation = "run.oci.delegate-cgroup";

    [SkippableTheory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_delegated_cgroup_is_below_that_of_the_container(bool userNamespace)
    {
        NeedsUnified();
        if (userNamespace)
            Bundle.UserNamespace();
        Bundle.Set("annotations", new JsonObject { [Delegation] = "/payload" }).WithoutMount("/sys/fs/cgroup")
            .Mount("/sys/fs/cgroup", "cgroup", "cgroup", "rw", "nosuid", "noexec", "nodev");
        int pid = StartIdle(Bundle);
        Assert.Equal(pid.ToString(), File.ReadAllText(Bundle.Cgroup + "/payload/cgroup.procs").Trim());
        Assert.Empty(File.ReadAllText(Bundle.Cgroup + "/cgroup.procs"));
        // Its own root is the container's cgroup, and it may do there what it likes.
        Runtime.Run("exec", Bundle.Id, "sh", "-c", "grep ^0:: /proc/self/cgroup; mkdir /sys/fs/cgroup/more && echo 0 >/sys/fs/cgroup/more/cgroup.procs && grep ^0:: /proc/self/cgroup")
            .Printed("0::/payload", "0::/more");
        Runtime.Run("pause", Bundle.Id).Succeeded();
        Assert.Equal("paused", Runtime.Status(Bundle.Id));
        Runtime.Run("resume", Bundle.Id).Succeeded();
        Runtime.Run("delete", "--force", Bundle.Id).Succeeded();
        AssertNothingLeft();
    }

    [SkippableFact]
    public void A_delegation_that_cannot_be_is_refused()
    {
        Bundle.Set("annotations", new JsonObject { [Delegation] = Leftovers.Unified ? "a/../../b" : "payload" }).Args("true");
        Runtime.RunContainer(Bundle).FailedWith("annotation run.oci.delegate-cgroup: ");
        Runtime.Run("--cgroup-manager", "disabled", "run", "--bundle", Bundle.Set("annotations", new JsonObject { [Delegation] = "payload" })
            .Remove("linux/resources").Save().Folder, Bundle.Id).FailedWith("there is no cgroup");
        AssertNothingLeft();
    }

    /// <summary>runtime-spec, config-linux.md, "Cgroup ownership".</summary>
    [SkippableTheory]
    [InlineData("rw", 0, 100000)]
    [InlineData("rw", 7, 100007)]
    [InlineData("ro", 0, 0)]
    public void The_cgroup_is_the_users_of_the_container_if_it_may_write_there(string option, int user, int owner)
    {
        NeedsUnified();
        Bundle.UserNamespace().User(user, user).WithoutMount("/sys/fs/cgroup").Mount("/sys/fs/cgroup", "cgroup", "cgroup", option);
        StartIdle(Bundle);
        string files = string.Join(' ', ((string[])["", "/cgroup.procs", "/cgroup.threads", "/cgroup.subtree_control", "/cgroup.freeze"]).Select(f => Bundle.Cgroup + f));
        Assert.Equal([owner.ToString(), owner.ToString(), owner.ToString(), owner.ToString(), "0"],
            Runtime.StartProgram("stat", new Options(), ["-c", "%u", .. files.Split(' ')]).Succeeded().Lines);
    }

    [SkippableFact]
    public void A_threaded_cgroup_is_refused_by_its_type()
    {
        // In a parent of its own: that becomes the root of a threaded tree, in which no other container could be.
        string parent = Bundle.Cgroup + "-parent";
        Directory.CreateDirectory(parent + "/below");
        File.WriteAllText(parent + "/below/cgroup.type", "threaded");
        try
        {
            Runtime.RunContainer(Bundle.Set("linux/cgroupsPath", $"/conman-test/{Bundle.Id}-parent/below").Args("true")).FailedWith("its type is threaded");
            // Below it a new one is invalid, which only the kernel says, when the process is to be born there.
            Runtime.RunContainer(Bundle.Set("linux/cgroupsPath", $"/conman-test/{Bundle.Id}-parent/invalid")).FailedWith("its type is domain invalid");
            Assert.False(Directory.Exists(parent + "/invalid"));
        }
        finally
        {
            RemoveParent();
        }
        AssertNothingLeft();
    }

    // In every hierarchy: where one above the container's cgroup is missing, it is made.
    private void RemoveParent()
    {
        foreach (string hierarchy in Leftovers.Hierarchies)
        {
            string parent = $"{hierarchy}/conman-test/{Bundle.Id}-parent";
            if (Directory.Exists(parent + "/below"))
                Directory.Delete(parent + "/below");
            if (Directory.Exists(parent))
                Directory.Delete(parent);
        }
    }

    [SkippableFact]
    public void D7_a_limit_on_descendants_that_is_reached_is_an_error_and_leaves_nothing()
    {
        string parent = Bundle.Cgroup + "-parent";
        Directory.CreateDirectory(parent);
        try
        {
            File.WriteAllText(parent + "/cgroup.max.descendants", "0");
            Runtime.RunContainer(Bundle.Set("linux/cgroupsPath", $"/conman-test/{Bundle.Id}-parent/below").Args("true")).FailedWith("cgroup.max.descendants");
            Assert.Empty(Directory.EnumerateDirectories(parent));
            Assert.False(Directory.Exists($"{Runtime.Root}/{Bundle.Id}"));
        }
        finally
        {
            RemoveParent();
        }
        AssertNothingLeft();
    }

    [SkippableFact]
    public void D7_a_limit_on_processes_that_is_reached_is_an_error_and_leaves_nothing()
    {
        NeedsUnified();
        Needs("pids");
        string parent = Bundle.Cgroup + "-parent";
        Directory.CreateDirectory(parent);
        try
        {
            File.WriteAllText(parent + "/pids.max", "0");
            Runtime.RunContainer(Bundle.Set("linux/cgroupsPath", $"/conman-test/{Bundle.Id}-parent/below").Args("true")).FailedWith("pids.max");
        }
        finally
        {
            RemoveParent();
        }
        AssertNothingLeft();
    }

    [SkippableFact]
    public void D1_a_fork_bomb_stays_within_its_limit_and_one_delete_ends_it()
    {
        Needs("pids");
        Bundle.Set("linux/resources/pids", Json("""{ "limit": 64 }"""));
        Runtime.CreateAndStart(Bundle.Shell("echo ready; while :; do (sleep 1000 & sleep 1000 & :) 2>/dev/null & done")).WaitForOutput("ready");
        Wait.Until(() => int.Parse(Value("pids.current")) >= 60, "the bomb to go off");
        Assert.InRange(int.Parse(Value("pids.current")), 60, 64);
        Runtime.Run("delete", "--force", Bundle.Id).Succeeded();
        AssertNothingLeft();
    }
}
