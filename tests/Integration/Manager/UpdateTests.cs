// update and stats: limits of containers that run and of those that do not, as the kernel has them, and what is used of them.
using System.Globalization;
using System.Text.Json.Nodes;

namespace Conman.Integration.Tests.Manager;

public class UpdateTests : ManagerTest
{
    [SkippableFact]
    public void Limits_change_while_it_runs_and_stay_for_the_next_start()
    {
        Require("memory", "pids", "cpu");
        RunDetached("--name", "one", "--memory", "64m", Image, "sleep", "1000");
        Run("update", "--memory", "32m", "--memory-swap", "48m", "--memory-reservation", "16m", "--cpus", "0.5", "--cpu-shares", "512", "--pids-limit", "50", "one").Succeeded().Printed("one");
        void Limited() => Assert.Equal(("33554432", "16777216", "50000", "50"), (Memory("one"), Reservation("one"), Quota("one"), Limit("one", "pids", "pids.max")));
        Limited();
        Assert.Equal("33554432 50331648 500000000 50", Inspect("one", "{{.HostConfig.Memory}} {{.HostConfig.MemorySwap}} {{.HostConfig.NanoCpus}} {{.HostConfig.PidsLimit}}"));
        Run("restart", "--time", "0", "one").Succeeded();
        Limited();
    }

    [SkippableFact]
    public void Zero_takes_a_limit_away()
    {
        Require("memory", "cpu");
        RunDetached("--name", "one", "--memory", "64m", "--cpus", "0.5", Image, "sleep", "1000");
        string before = Memory("one");
        Run("update", "--memory", "0", "--cpus", "0", "one").Succeeded();
        Assert.Equal("67108864", before);
        Assert.Equal(Leftovers.Unified ? ("max", "max") : ("9223372036854771712", "-1"), (Memory("one"), Quota("one")));
    }

    [SkippableFact]
    public void What_is_refused_changes_nothing()
    {
        Require("memory", "cpuset");
        RunDetached("--name", "one", "--memory", "64m", Image, "sleep", "1000");
        Run("update", "one").ExitedWith(125).FailedWith("you must provide one or more flags");
        Run("update", "--memory", "1m", "one").ExitedWith(125).FailedWith("minimum memory limit allowed is 6MB");
        Run("update", "--memory", "128m", "--cpuset-cpus", "999", "one").ExitedWith(1).FailedWith("cpuset.cpus");
        Run("update", "--health-cmd", "true", "one").ExitedWith(1).FailedWith("only while it does not run");
        Assert.Equal(("67108864", "67108864"), (Memory("one"), Inspect("one", "{{.HostConfig.Memory}}")));
        Run("update", "--memory", "32m", "one", "nosuch").ExitedWith(1).FailedWith("no such container: nosuch");
        Assert.Equal("33554432", Memory("one"));
    }

    [SkippableFact]
    public void A_new_restart_policy_counts_at_once()
    {
        RunDetached("--name", "one", Image, "sleep", "1000");
        Run("update", "--restart", "on-failure:2", "one").Succeeded();
        int pid = int.Parse(Inspect("one", "{{.State.Pid}}"), CultureInfo.InvariantCulture);
        System.Diagnostics.Process.GetProcessById(pid).Kill();
        Wait.Until(() => Inspect("one", "{{.State.Status}} {{.RestartCount}}") == "running 1", "the next start");
        Run("update", "--restart", "no", "one").Succeeded();
        System.Diagnostics.Process.GetProcessById(int.Parse(Inspect("one", "{{.State.Pid}}"), CultureInfo.InvariantCulture)).Kill();
        Wait.Until(() => Inspect("one", "{{.State.Status}}") == "exited", "its end");
        Run("run", "--detach", "--rm", "--name", "gone", "--cgroup-parent", "/conman-test", Image, "sleep", "1000").Succeeded();
        Run("update", "--restart", "always", "gone").ExitedWith(1).FailedWith("AutoRemove is enabled");
    }

    [SkippableFact]
    public void What_does_not_run_is_changed_for_when_it_does()
    {
        Require("pids");
        Run("create", "--name", "one", "--cgroup-parent", "/conman-test", Image, "sleep", "1000").Succeeded();
        Run("update", "--pids-limit", "7", "--health-cmd", "true", "--health-interval", "1s", "one").Succeeded();
        Run("start", "one").Succeeded();
        Assert.Equal("7", Limit("one", "pids", "pids.max"));
        Wait.Until(() => Inspect("one", "{{.State.Health.Status}}") == "healthy", "its first check");
    }

    [SkippableFact]
    public void Stats_shows_what_is_used_as_Docker_does()
    {
        RunDetached("--name", "busy", Image, "sh", "-c", "while :; do :; done");
        Run("create", "--name", "idle", Image).Succeeded();
        string[] lines = Run("stats", "--no-stream").Succeeded().Lines;
        Assert.Equal(2, lines.Length);
        Assert.Matches("^CONTAINER ID   NAME   CPU %  +MEM USAGE / LIMIT  +MEM %  +NET I/O  +BLOCK I/O  +PIDS$", lines[0]);
        Assert.Equal(3, Run("stats", "--no-stream", "--all").Succeeded().Lines.Length);
        JsonNode busy = JsonNode.Parse(Run("stats", "--no-stream", "--format", "json", "busy").Succeeded().Output)!;
        Assert.Equal(["BlockIO", "CPUPerc", "Container", "ID", "MemPerc", "MemUsage", "Name", "NetIO", "PIDs"], busy.AsObject().Select(m => m.Key));
        Assert.True(double.Parse(busy["CPUPerc"]!.ToString().TrimEnd('%'), CultureInfo.InvariantCulture) > 0, busy.ToJsonString());
        Assert.Equal(("busy", "1"), (busy["Name"]!.ToString(), busy["PIDs"]!.ToString()));
        Assert.Equal("0.00% 0\n", Run("stats", "--no-stream", "--format", "{{.CPUPerc}} {{.PIDs}}", "idle").Succeeded().Output);
        Run("stats", "--no-stream", "nosuch").ExitedWith(1).FailedWith("no such container");
    }

    [SkippableFact]
    public void Stats_goes_on_until_what_was_named_has_ended()
    {
        RunDetached("--name", "one", Image, "sleep", "1000");
        Result stats = Start(new Options(), "stats", "one");
        stats.WaitForOutput("one ");
        Run("rm", "--force", "one").Succeeded();
        stats.Wait().Succeeded();
        Assert.DoesNotContain('\x1b', stats.Output);
    }

    private string Memory(string name) => Limit(name, "memory", Leftovers.Unified ? "memory.max" : "memory.limit_in_bytes");

    private string Reservation(string name) => Limit(name, "memory", Leftovers.Unified ? "memory.low" : "memory.soft_limit_in_bytes");

    private string Quota(string name) => Limit(name, "cpu", Leftovers.Unified ? "cpu.max" : "cpu.cfs_quota_us").Split(' ')[0];

    private string Limit(string name, string controller, string file) =>
        File.ReadAllText($"{Leftovers.CgroupRoot}{(Leftovers.Unified ? "" : "/" + controller)}/conman-test/conman-{Inspect(name, "{{.Id}}")}/{file}").Trim();

    private static void Require(params string[] controllers)
    {
        string[] there = Leftovers.Unified ? File.ReadAllText(Leftovers.CgroupRoot + "/cgroup.controllers").Split(' ', '\n') : [.. Directory.GetDirectories(Leftovers.CgroupRoot).Select(d => Path.GetFileName(d)!)];
        Skip.IfNot(controllers.All(there.Contains), "there are not all of these controllers here: " + string.Join(' ', controllers));
    }
}
