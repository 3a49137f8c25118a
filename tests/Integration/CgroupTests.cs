// The container's cgroup: where it is, who is in it, and the limits written to it. Limits need a controller of the
// unified hierarchy; where the kernel has given it to the old one, their tests are skipped.
using System.Text.Json.Nodes;

namespace Conman.Integration.Tests;

[Trait("Needs", "controllers")]
public class CgroupTests : ContainerTest
{
    private string Value(string file) => File.ReadAllText($"{Bundle.Cgroup}/{file}").TrimEnd();

    private static void Needs(string controller) =>
        Skip.IfNot(File.ReadAllText(Leftovers.CgroupRoot + "/cgroup.controllers").Split(' ', '\n').Contains(controller),
            $"the unified hierarchy has no {controller} controller here");

    private static JsonNode Json(string text) => JsonNode.Parse(text)!;

    [SkippableFact]
    public void The_process_is_in_the_cgroup_asked_for()
    {
        int pid = StartIdle(Bundle);
        Assert.Equal(pid.ToString(), Value("cgroup.procs"));
        Assert.Contains($"0::/conman-test/{Bundle.Id}", File.ReadAllText($"/proc/{pid}/cgroup"));
    }

    [SkippableFact]
    public void The_cgroup_is_there_when_created_and_gone_when_deleted()
    {
        Runtime.Create(Bundle.Args("true")).Succeeded();
        Assert.Equal(Runtime.Pid(Bundle.Id).ToString(), Value("cgroup.procs"));
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
        Assert.Contains(File.ReadAllText(file), Value("cgroup.procs").Split('\n'));
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
    [InlineData("memory", """{ "memory": { "limit": 33554432 } }""", "memory.max", "33554432")]
    [InlineData("memory", """{ "memory": { "limit": 33554432, "swap": 67108864 } }""", "memory.swap.max", "33554432")]
    [InlineData("memory", """{ "memory": { "limit": -1 } }""", "memory.max", "max")]
    [InlineData("memory", """{ "memory": { "reservation": 16777216 } }""", "memory.low", "16777216")]
    [InlineData("pids", """{ "pids": { "limit": 42 } }""", "pids.max", "42")]
    [InlineData("pids", """{ "pids": { "limit": -1 } }""", "pids.max", "max")]
    [InlineData("cpu", """{ "cpu": { "quota": 50000, "period": 100000 } }""", "cpu.max", "50000 100000")]
    [InlineData("cpu", """{ "cpu": { "quota": -1, "period": 200000 } }""", "cpu.max", "max 200000")]
    [InlineData("cpuset", """{ "cpu": { "cpus": "0" } }""", "cpuset.cpus", "0")]
    [InlineData("cpuset", """{ "cpu": { "cpus": "0", "mems": "0" } }""", "cpuset.mems", "0")]
    [InlineData("io", """{ "blockIO": { "weight": 500 } }""", "io.bfq.weight", "default 500")]
    [InlineData("memory", """{ "unified": { "memory.high": "20971520" } }""", "memory.high", "20971520")]
    [InlineData("pids", """{ "unified": { "pids.max": "17" } }""", "pids.max", "17")]
    public void A_limit_is_written(string controller, string resources, string file, string value)
    {
        Needs(controller);
        Skip.If(controller == "io" && !File.Exists(Leftovers.CgroupRoot + "/init.scope/" + file), "no bfq scheduler");
        foreach ((string name, JsonNode? resource) in Json(resources).AsObject())
            Bundle.Set("linux/resources/" + name, resource!.DeepClone());
        StartIdle(Bundle);
        Assert.Equal(value, Value(file));
    }

    [SkippableFact]
    public void Cpu_shares_become_a_weight()
    {
        Needs("cpu");
        StartIdle(Bundle.Set("linux/resources/cpu", Json("""{ "shares": 1024 }""")));
        // 39 by the linear map of old, 100 by the newer one, which keeps the default the default.
        Assert.Contains(Value("cpu.weight"), (string[])["39", "100"]);
    }

    [SkippableFact]
    public void A_process_over_its_memory_is_killed()
    {
        Needs("memory");
        Bundle.Set("linux/resources/memory", Json("""{ "limit": 16777216, "swap": 16777216 }"""));
        Bundle.Shell("exec tail -c 200000000 /dev/zero");
        Runtime.RunContainer(Bundle).ExitedWith(137);
    }

    [SkippableFact]
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
        Assert.Equal(("77", "33554432"), (Value("pids.max"), Value("memory.max")));
        Runtime.Run(new Options { Input = """{ "pids": { "limit": 66 } }""" }, "update", "--resources", "-", Bundle.Id).Succeeded();
        Assert.Equal("66", Value("pids.max"));
    }

    [SkippableFact]
    public void Statistics_tell_what_is_used()
    {
        Needs("memory");
        Skip.IfNot(Runtime.IsRunc, "conman has no events yet");
        StartIdle(Bundle);
        JsonNode stats = Json(Runtime.Run("events", "--stats", Bundle.Id).Succeeded().Output);
        Assert.Equal(("stats", Bundle.Id), ((string?)stats["type"], (string?)stats["id"]));
        Assert.True((long)stats["data"]!["memory"]!["usage"]!["usage"]! > 0);
    }

    [SkippableFact]
    public void A_limit_that_no_controller_can_enforce_is_an_error()
    {
        Skip.If(File.ReadAllText(Leftovers.CgroupRoot + "/cgroup.controllers").Contains("memory"), "the memory controller is there");
        Bundle.Set("linux/resources/memory", Json("""{ "limit": 33554432 }""")).Args("true");
        Runtime.RunContainer(Bundle).FailedWith("memory");
        AssertNothingLeft();
    }

    [SkippableFact]
    public void A_file_of_the_cgroup_that_does_not_exist_is_an_error()
    {
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
}
