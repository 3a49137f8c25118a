// --cgroup-manager disabled: the container stays in its caller's cgroup, and what needs one of its own is refused by name.
namespace Conman.Integration.Tests;

public class WithoutCgroupTests : ContainerTest
{
    private static readonly string[] Disabled = ["--cgroup-manager", "disabled"];

    public WithoutCgroupTests()
        : base(Runtime.IsRunc ? "runc has no such option" : null) => Bundle.Remove("linux/resources");

    private Result Do(params string[] words) => Runtime.Run([.. Disabled, .. words]);

    private int StartIt(string script = "echo ready; exec sleep 1000")
    {
        Result run = Do("run", "--detach", "--bundle", Bundle.Shell(script).Save().Folder, Bundle.Id).Succeeded();
        run.WaitForOutput("ready");
        return Runtime.Pid(Bundle.Id);
    }

    [SkippableFact]
    public void The_container_is_where_its_caller_is()
    {
        int pid = StartIt();
        Assert.Equal(File.ReadAllText("/proc/self/cgroup"), File.ReadAllText($"/proc/{pid}/cgroup"));
        Assert.Empty(Leftovers.Cgroups([Bundle.Id]));
        Assert.Equal("running", Runtime.Status(Bundle.Id));
        Runtime.Run("exec", Bundle.Id, "echo", "here").Printed("here");
        Runtime.Run("kill", Bundle.Id, "KILL").Succeeded();
        Runtime.WaitForStatus(Bundle.Id, "stopped");
        Runtime.Run("delete", Bundle.Id).Succeeded();
        AssertNothingLeft();
    }

    [SkippableFact]
    public void Without_a_pid_namespace_the_first_process_is_killed()
    {
        Bundle.WithoutNamespace("pid");
        StartIt();
        Runtime.Run("kill", Bundle.Id, "KILL").Succeeded();
        Runtime.WaitForStatus(Bundle.Id, "stopped");
    }

    [SkippableFact]
    public void It_is_deleted_by_force_though_its_record_be_damaged()
    {
        int pid = StartIt();
        File.WriteAllText($"{Runtime.Root}/{Bundle.Id}/state.json", "{");
        Runtime.Run("delete", "--force", Bundle.Id).Succeeded();
        Wait.ForExit(pid);
        AssertNothingLeft();
    }

    [SkippableFact]
    public void In_the_foreground_it_ends_with_its_exit_code() =>
        Do("run", "--bundle", Bundle.Shell("exit 7").Save().Folder, Bundle.Id).ExitedWith(7);

    [SkippableFact]
    public void What_needs_a_cgroup_is_refused()
    {
        StartIt();
        foreach (string[] command in (string[][])[["pause"], ["resume"], ["ps"], ["update", "--pids-limit", "5"], ["events", "--stats"]])
            Runtime.Run([.. command, Bundle.Id]).FailedWith(command[0] == "resume" ? "not paused" : "has no cgroup");
        Assert.Equal("running", Runtime.Status(Bundle.Id));
    }

    [SkippableFact]
    public void Limits_are_refused_and_rules_for_devices_warned_of()
    {
        Bundle.Set("linux/resources/pids/limit", 10);
        Do("run", "--bundle", Bundle.Args("true").Save().Folder, Bundle.Id).FailedWith("--cgroup-manager disabled needs no limits: cannot set pids.max");
        AssertNothingLeft();
        Bundle.Remove("linux/resources").Add("linux/resources/devices", new System.Text.Json.Nodes.JsonObject { ["allow"] = false, ["access"] = "rwm" });
        Assert.Contains("level=warning msg=\"linux.resources.devices has no effect", Do("run", "--bundle", Bundle.Save().Folder, Bundle.Id).Succeeded().Error);
    }
}
