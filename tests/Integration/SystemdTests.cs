// The systemd cgroup driver against a real systemd: scopes, slices, properties, and nothing left. It is the first process of the virtual
// machine of tests/Vm.
using System.Diagnostics;
using System.Text.Json.Nodes;

namespace Conman.Integration.Tests;

[Trait("Needs", "controllers")]
public class SystemdTests : ContainerTest
{
    private readonly string _scope;

    internal static string? WhyNotHere => File.ReadAllText("/proc/1/comm") == "systemd\n" ? null : "systemd is not the first process here";

    public SystemdTests()
        : base(WhyNotHere)
    {
        _scope = $"ct-{Bundle.Id}.scope";
        Bundle.Set("linux/cgroupsPath", $"conman-test.slice:ct:{Bundle.Id}");
    }

    private string Cgroup => CgroupIn(Leftovers.UnifiedRoot);

    private string CgroupIn(string hierarchy) => $"{hierarchy}/conman.slice/conman-test.slice/{_scope}";

    private static void NeedsUnified() => Skip.IfNot(Leftovers.Unified, "needs the unified hierarchy alone");

    private static JsonNode Json(string text) => JsonNode.Parse(text)!;

    private Result Start(params string[] options)
    {
        Result created = Runtime.Run(["--systemd-cgroup", "create", "--bundle", Bundle.Save().Folder, .. options, Bundle.Id]).Succeeded();
        Runtime.Run("start", Bundle.Id).Succeeded();
        return created;
    }

    private void StartSleeping()
    {
        Bundle.Shell("echo ready; exec sleep 1000");
        Start().WaitForOutput("ready");
    }

    private string Property(string name)
    {
        using Process process = Process.Start(new ProcessStartInfo("systemctl", ["show", "--value", "--property", name, _scope]) { RedirectStandardOutput = true })!;
        string text = process.StandardOutput.ReadToEnd().TrimEnd();
        process.WaitForExit();
        return text;
    }

    [SkippableFact]
    public void The_process_is_in_a_scope_of_the_slice()
    {
        StartSleeping();
        Assert.Equal(("active", "conman-test.slice", "yes"), (Property("ActiveState"), Property("Slice"), Property("Delegate")));
        Assert.Equal(Cgroup, Leftovers.UnifiedRoot + Property("ControlGroup"));
        Assert.Equal(Runtime.Pid(Bundle.Id).ToString(), File.ReadAllText(Cgroup + "/cgroup.procs").TrimEnd());
    }

    /// <summary>systemd puts a scope into its own hierarchy and those that it uses, the runtime into the others.</summary>
    [SkippableFact]
    public void On_a_hybrid_host_the_scope_is_in_every_hierarchy()
    {
        Skip.If(Leftovers.Unified, "needs the hierarchies of cgroup v1");
        Bundle.Set("linux/resources", Json("""{ "memory": { "limit": 33554432 }, "pids": { "limit": 33 }, "cpu": { "shares": 512, "quota": 50000, "period": 100000 } }"""));
        StartSleeping();
        string pid = Runtime.Pid(Bundle.Id).ToString();
        Assert.Equal(("active", "conman-test.slice", "yes"), (Property("ActiveState"), Property("Slice"), Property("Delegate")));
        string[] hierarchies = [.. Leftovers.Hierarchies.Where(h => new FileInfo(h).LinkTarget is null)];
        Assert.InRange(hierarchies.Length, 8, 20);
        Assert.All(hierarchies, hierarchy => Assert.Equal((hierarchy, pid), (hierarchy, File.ReadAllText(CgroupIn(hierarchy) + "/cgroup.procs").TrimEnd())));
        string Value(string controller, string file) => File.ReadAllText($"{CgroupIn(Leftovers.CgroupRoot + "/" + controller)}/{file}").TrimEnd();
        (string, string, string, string) Limits() =>
            (Value("memory", "memory.limit_in_bytes"), Value("pids", "pids.max"), Value("cpu", "cpu.shares"), Value("cpu", "cpu.cfs_quota_us"));
        Assert.Equal(("33554432", "33", "512", "50000"), Limits());
        Assert.Equal(("33554432", "33", "512"), (Property("MemoryLimit"), Property("TasksMax"), Property("CPUShares")));
        // What it has been told of, systemd does not take back.
        using (Process reload = Process.Start("systemctl", "daemon-reload"))
            reload.WaitForExit();
        Assert.Equal(("33554432", "33", "512", "50000"), Limits());
        Runtime.Run("update", "--pids-limit", "44", Bundle.Id).Succeeded();
        Assert.Equal(("44", "44"), (Property("TasksMax"), Value("pids", "pids.max")));
        Runtime.Run("exec", Bundle.Id, "true").Succeeded();
        Runtime.Run("pause", Bundle.Id).Succeeded();
        Assert.Equal("paused", Runtime.Status(Bundle.Id));
        Runtime.Run("resume", Bundle.Id).Succeeded();
        Runtime.Run("delete", "--force", Bundle.Id).Succeeded();
        Wait.Until(() => Property("LoadState") == "not-found", "systemd to forget the scope");
        AssertNothingLeft();
    }

    [SkippableFact]
    public void Limits_are_known_to_systemd_and_written()
    {
        NeedsUnified();
        Bundle.Set("linux/resources", Json("""
            { "memory": { "limit": 33554432, "swap": 33554432, "reservation": 16777216 }, "pids": { "limit": 1 },
              "cpu": { "quota": 50000, "period": 100000, "cpus": "0" }, "unified": { "memory.high": "30000000", "hugetlb.2MB.max": "0" } }
            """));
        StartSleeping();
        Assert.Equal(("33554432", "16777216", "30000000"), (Property("MemoryMax"), Property("MemoryLow"), Property("MemoryHigh")));
        Assert.Equal(("1", "500ms", "0"), (Property("TasksMax"), Property("CPUQuotaPerSecUSec"), Property("AllowedCPUs")));
        string Value(string file) => File.ReadAllText($"{Cgroup}/{file}").TrimEnd();
        Assert.Equal(("33554432", "1", "50000 100000", "0", "0"),
            (Value("memory.max"), Value("pids.max"), Value("cpu.max"), Value("cpuset.cpus"), Value("hugetlb.2MB.max")));
    }

    [SkippableFact]
    public void An_update_changes_the_unit()
    {
        NeedsUnified();
        StartSleeping();
        Runtime.Run("update", "--pids-limit", "77", "--memory", "67108864", "--cpu-share", "2048", Bundle.Id).Succeeded();
        Assert.Equal(("77", "67108864"), (Property("TasksMax"), Property("MemoryMax")));
        Assert.Equal(("77", "67108864"), (File.ReadAllText(Cgroup + "/pids.max").TrimEnd(), File.ReadAllText(Cgroup + "/memory.max").TrimEnd()));
        Assert.Equal(Property("CPUWeight"), File.ReadAllText(Cgroup + "/cpu.weight").TrimEnd());
    }

    /// <summary>crun's annotations: a cgroup below the scope is the container's, and one below that its process's own.</summary>
    [SkippableFact]
    public void A_subgroup_of_the_scope_is_the_containers_cgroup()
    {
        NeedsUnified();
        Bundle.Set("annotations", Json("""{ "run.oci.systemd.subgroup": "inner", "run.oci.delegate-cgroup": "own" }"""))
            .Set("linux/resources/pids", Json("""{ "limit": 33 }"""));
        StartSleeping();
        Assert.Equal(Runtime.Pid(Bundle.Id).ToString(), File.ReadAllText(Cgroup + "/inner/own/cgroup.procs").TrimEnd());
        Assert.Equal(("33", "33"), (Property("TasksMax"), File.ReadAllText(Cgroup + "/inner/pids.max").TrimEnd()));
        Assert.False(File.Exists(Cgroup + "/inner/own/pids.max")); // what to hand down is the container's to say
        Runtime.Run("exec", Bundle.Id, "cat", "/proc/self/cgroup").Printed("0::/own");
        Runtime.Run("update", "--pids-limit", "44", Bundle.Id).Succeeded();
        Assert.Equal(("44", "44"), (Property("TasksMax"), File.ReadAllText(Cgroup + "/inner/pids.max").TrimEnd()));
        Runtime.Run("pause", Bundle.Id).Succeeded();
        Runtime.Run("resume", Bundle.Id).Succeeded();
        Runtime.Run("delete", "--force", Bundle.Id).Succeeded();
        Assert.Equal("not-found", Property("LoadState"));
        Assert.False(Directory.Exists(Cgroup));
        AssertNothingLeft();
    }

    [SkippableFact]
    public void A_subgroup_is_one_name()
    {
        Bundle.Set("annotations", Json("""{ "run.oci.systemd.subgroup": "../other" }""")).Args("true");
        Runtime.Run("--systemd-cgroup", "run", "--bundle", Bundle.Save().Folder, Bundle.Id).FailedWith("annotation run.oci.systemd.subgroup: ../other is no name of a cgroup");
        AssertNothingLeft();
    }

    [SkippableFact]
    public void An_annotation_sets_a_property()
    {
        Bundle.Set("annotations", Json("""{ "org.systemd.property.TimeoutStopUSec": "uint64 7000000", "org.systemd.property.Description": "'of a test'" }"""));
        StartSleeping();
        Assert.Equal(("7s", "of a test"), (Property("TimeoutStopUSec"), Property("Description")));
    }

    [SkippableFact]
    public void An_annotation_that_systemd_refuses_is_an_error()
    {
        Bundle.Set("annotations", Json("""{ "org.systemd.property.NoSuchThing": "true" }""")).Args("true");
        Runtime.Run("--systemd-cgroup", "run", "--bundle", Bundle.Save().Folder, Bundle.Id).FailedWith("NoSuchThing");
        AssertNothingLeft();
    }

    [SkippableFact]
    public void A_deleted_container_leaves_no_unit()
    {
        StartSleeping();
        Runtime.Run("delete", "--force", Bundle.Id).Succeeded();
        Assert.Equal("not-found", Property("LoadState"));
        Assert.False(Directory.Exists(Cgroup));
        AssertNothingLeft();
    }

    [SkippableFact]
    public void A_run_to_the_end_leaves_no_unit()
    {
        Runtime.Run("--cgroup-manager", "systemd", "run", "--bundle", Bundle.Args("sh", "-c", "exit 3").Save().Folder, Bundle.Id).ExitedWith(3);
        Assert.Equal("not-found", Property("LoadState"));
        AssertNothingLeft();
    }

    [SkippableFact]
    public void A_container_whose_program_has_ended_is_stopped_and_can_be_deleted()
    {
        Bundle.Args("true");
        Start();
        Runtime.WaitForStatus(Bundle.Id, "stopped");
        Runtime.Run("delete", Bundle.Id).Succeeded();
        AssertNothingLeft();
    }

    [SkippableFact]
    public void A_scope_is_frozen_and_thawed()
    {
        StartSleeping();
        Runtime.Run("pause", Bundle.Id).Succeeded();
        Assert.Equal("paused", Runtime.Status(Bundle.Id));
        Runtime.Run("resume", Bundle.Id).Succeeded();
        Assert.Equal("running", Runtime.Status(Bundle.Id));
    }

    [SkippableFact]
    public void A_process_of_exec_is_in_the_scope()
    {
        StartSleeping();
        Runtime.Run("exec", Bundle.Id, "cat", "/proc/self/cgroup").Printed("0::/");
    }

    [SkippableFact]
    public void A_scope_that_runs_is_not_taken_over()
    {
        StartSleeping();
        int pid = Runtime.Pid(Bundle.Id);
        Bundle other = NewBundle();
        other.Set("linux/cgroupsPath", $"conman-test.slice:ct:{Bundle.Id}").Args("true");
        Runtime.Run("--systemd-cgroup", "run", "--bundle", other.Save().Folder, other.Id).FailedWith("not empty");
        Assert.True(Directory.Exists($"/proc/{pid}"));
        Assert.Equal("active", Property("ActiveState"));
    }

    [SkippableFact]
    public void A_path_that_is_no_unit_is_refused()
    {
        Bundle.Set("linux/cgroupsPath", "/a/b").Args("true");
        Runtime.Run("--systemd-cgroup", "run", "--bundle", Bundle.Save().Folder, Bundle.Id).FailedWith("expected cgroupsPath to be of format");
        AssertNothingLeft();
    }

    [SkippableFact]
    public void A_create_with_a_subgroup_that_is_killed_leaves_what_delete_can_remove()
    {
        NeedsUnified();
        Bundle.Args("true").Set("annotations", Json("""{ "run.oci.systemd.subgroup": "inner" }""")).Save();
        foreach (string where in (string[])["clone3:1", "setxattr:1", "clone3:2"])
        {
            KillAt run = KillAt.Run(Runtime, "own", where, [], Runtime.CommandLine("--systemd-cgroup", "create", "--bundle", Bundle.Folder, Bundle.Id),
                [Runtime.CommandLine("delete", "--force", Bundle.Id)]);
            Assert.Empty(run.Faults);
            Wait.Until(() => Property("LoadState") == "not-found", "systemd to forget the scope");
            AssertNothingLeft();
        }
    }

    [SkippableTheory]
    [InlineData("connect:1")]
    [InlineData("clone3:1")]
    [InlineData("connect:2")]
    [InlineData("setxattr:1")]
    [InlineData("clone3:2")]
    [InlineData("connect:3")]
    public void A_create_that_is_killed_leaves_what_delete_can_remove(string where)
    {
        Bundle.Args("true").Set("linux/resources/pids", Json("""{ "limit": 10 }""")).Save();
        KillAt run = KillAt.Run(Runtime, "own", where, [], Runtime.CommandLine("--systemd-cgroup", "create", "--bundle", Bundle.Folder, Bundle.Id),
            [Runtime.CommandLine("delete", "--force", Bundle.Id)]);
        Assert.Empty(run.Faults);
        Wait.Until(() => Property("LoadState") == "not-found", "systemd to forget the scope");
        AssertNothingLeft();
    }
}
