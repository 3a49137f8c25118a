// Limits that hold: what a container cannot do because of them, and what events say of it. These need the controllers of the unified
// hierarchy, and mostly run in the virtual machine of tests/Vm.
using System.Diagnostics;
using System.Text.Json.Nodes;

namespace Conman.Integration.Tests;

[Trait("Needs", "controllers")]
public class LimitTests : ContainerTest
{
    private const long Megabyte = 1 << 20;

    private static void Needs(params string[] controllers)
    {
        string[] there = File.ReadAllText(Leftovers.CgroupRoot + "/cgroup.controllers").Split(' ', '\n');
        foreach (string controller in controllers)
            Skip.IfNot(there.Contains(controller), $"the unified hierarchy has no {controller} controller here");
    }

    private static JsonNode Json(string text) => JsonNode.Parse(text)!;

    private long Counter(string file, string name) =>
        long.Parse(File.ReadAllLines($"{Bundle.Cgroup}/{file}").Single(l => l.StartsWith(name + " ", StringComparison.Ordinal)).Split(' ')[1]);

    [SkippableFact]
    public void A_processor_is_shared_out_by_quota()
    {
        Needs("cpu");
        Bundle.Set("linux/resources/cpu", Json("""{ "quota": 10000, "period": 100000 }""")).Shell("echo ready; while :; do :; done");
        StartReady(Bundle);
        long Periods() => Counter("cpu.stat", "nr_periods");
        Wait.Until(() => Periods() >= 10, "ten periods to pass");
        Assert.True(Counter("cpu.stat", "nr_throttled") > 0);
        // A tenth of each period, and what each processor may take before it is told.
        Assert.True(Counter("cpu.stat", "usage_usec") < (Periods() + 1) * 100_000 / 2);
    }

    [SkippableFact]
    public void A_process_runs_only_on_the_processors_it_is_given()
    {
        Needs("cpuset");
        int pid = StartIdle(Bundle.Set("linux/resources/cpu", Json("""{ "cpus": "0" }""")));
        string Allowed() => File.ReadAllLines($"/proc/{pid}/status").Single(l => l.StartsWith("Cpus_allowed_list:", StringComparison.Ordinal)).Split('\t')[1];
        Assert.Equal("0", Allowed());
        Skip.If(Environment.ProcessorCount < 2, "has one processor");
        Runtime.Run("update", "--cpuset-cpus", "1", Bundle.Id).Succeeded();
        Assert.Equal("1", Allowed());
    }

    [SkippableFact]
    public void More_processes_may_be_made_after_an_update()
    {
        Needs("pids");
        StartIdle(Bundle.Set("linux/resources/pids", Json("""{ "limit": 1 }""")));
        Assert.NotEqual(0, Runtime.Run("exec", Bundle.Id, "true").ExitCode);
        Assert.True(Counter("pids.events", "max") > 0);
        Runtime.Run("update", "--pids-limit", "2", Bundle.Id).Succeeded();
        Runtime.Run("exec", Bundle.Id, "true").Succeeded();
    }

    [SkippableFact]
    public void A_device_is_read_no_faster_than_allowed()
    {
        Needs("io");
        Skip.IfNot(Directory.Exists("/sys/block/nullb0") || Tool("modprobe", "null_blk", "nr_devices=1", "gb=1"), "needs the kernel's null_blk device");
        string[] numbers = File.ReadAllText("/sys/block/nullb0/dev").TrimEnd().Split(':');
        (int major, int minor) = (int.Parse(numbers[0]), int.Parse(numbers[1]));
        Bundle.Add("linux/devices", Json($$"""{ "path": "/dev/nullb0", "type": "b", "major": {{major}}, "minor": {{minor}} }"""));
        Bundle.Add("linux/resources/devices", Json($$"""{ "allow": true, "type": "b", "major": {{major}}, "minor": {{minor}}, "access": "r" }"""));
        Bundle.Set("linux/resources/blockIO", Json($$"""{ "throttleReadBpsDevice": [{ "major": {{major}}, "minor": {{minor}}, "rate": {{Megabyte}} }] }"""));
        long start = Stopwatch.GetTimestamp();
        Runtime.RunContainer(Bundle.Shell("head -c 4194304 /dev/nullb0 | wc -c")).Printed("4194304");
        // Never sooner: the kernel lets less than a second's worth go ahead.
        Assert.True(Stopwatch.GetElapsedTime(start) > TimeSpan.FromSeconds(2));
    }

    [SkippableFact]
    public void A_device_that_no_rule_allows_cannot_be_opened()
    {
        Bundle.Capabilities("CAP_MKNOD").Writable();
        Bundle.Shell("mknod /kmsg c 1 11; cat /kmsg; mknod /zero c 1 5; head -c 1 /zero | wc -c");
        Result run = Runtime.RunContainer(Bundle);
        Assert.Contains("'/kmsg': Operation not permitted", run.Error);
        Assert.Equal("1", run.Output.Trim());
    }

    [SkippableFact]
    public void An_update_lets_the_memory_be_used()
    {
        Needs("memory");
        StartIdle(Bundle.Set("linux/resources/memory", Json("""{ "limit": 16777216, "swap": 16777216 }""")));
        string[] eat = ["exec", Bundle.Id, "sh", "-c", "head -c 33554432 /dev/zero | tail -c 33554432 | wc -c"];
        Assert.DoesNotContain("33554432", Runtime.Run(eat).Output);
        Runtime.Run("update", "--memory", $"{128 * Megabyte}", "--memory-swap", $"{128 * Megabyte}", Bundle.Id).Succeeded();
        Runtime.Run(eat).Printed("33554432");
    }

    [SkippableFact]
    public void Events_tell_of_a_kill_as_it_happens()
    {
        Needs("memory");
        StartIdle(Bundle.Set("linux/resources/memory", Json("""{ "limit": 16777216, "swap": 16777216 }""")));
        Result events = Runtime.Start(new Options(), "events", "--interval", "1h", Bundle.Id);
        // It watches once it has its eyes on the cgroup; a kill before that is not news.
        Wait.Until(() => Directory.Exists($"/proc/{events.Pid}") && OpenFiles(events.Pid).Contains(Bundle.Cgroup + "/memory.events"), "events to watch");
        Runtime.Run("exec", Bundle.Id, "sh", "-c", "exec tail -c 200000000 /dev/zero").ExitedWith(137);
        events.WaitForOutput("\"oom\"");
        JsonNode kill = Json(events.Lines[0]);
        Assert.Equal(("oom", Bundle.Id, 1L), ((string?)kill["type"], (string?)kill["id"], (long)kill["count"]!));
        if (kill["killed"] is { } killed)
            Assert.Equal("tail", (string?)killed[0]!["name"]);
        Runtime.Run("kill", Bundle.Id, "KILL").Succeeded();
        events.Succeeded();
    }

    [SkippableFact]
    public void Statistics_tell_who_was_killed()
    {
        Needs("memory");
        Skip.IfNot(File.Exists("/dev/kmsg"), "the kernel's log cannot be read");
        StartIdle(Bundle.Set("linux/resources/memory", Json("""{ "limit": 16777216, "swap": 16777216 }""")));
        Runtime.Run("exec", Bundle.Id, "sh", "-c", "exec tail -c 200000000 /dev/zero").ExitedWith(137);
        JsonNode memory = Json(Runtime.Run("events", "--stats", Bundle.Id).Succeeded().Output)["data"]!["memory"]!;
        Assert.Equal((1L, "tail"), ((long)memory["oomKills"]!, (string?)memory["killed"]![0]!["name"]));
    }

    [SkippableFact]
    public void Statistics_come_at_intervals_until_the_end()
    {
        StartIdle(Bundle);
        Result events = Runtime.Start(new Options(), "events", "--interval", "100ms", Bundle.Id);
        Wait.Until(() => events.Lines.Length >= 2, "two documents");
        Runtime.Run("kill", Bundle.Id, "KILL").Succeeded();
        events.Succeeded();
        Assert.All(events.Lines, line => Assert.Equal("stats", (string?)Json(line)["type"]));
    }

    [SkippableFact]
    public void Statistics_have_the_members_that_readers_of_runc_expect()
    {
        Needs("cpu", "memory", "pids", "io", "cpuset");
        StartIdle(Bundle.Set("linux/resources/pids", Json("""{ "limit": 42 }""")));
        JsonNode data = Json(Runtime.Run("events", "--stats", Bundle.Id).Succeeded().Output)["data"]!;
        Assert.True((long)data["cpu"]!["usage"]!["total"]! > 0);
        Assert.NotNull(data["cpu"]!["throttling"]);
        Assert.True((long)data["memory"]!["usage"]!["usage"]! > 0);
        Assert.NotNull(data["memory"]!["raw"]!["anon"]);
        Assert.Equal((1L, 42L), ((long)data["pids"]!["current"]!, (long)data["pids"]!["limit"]!));
        foreach (string resource in (string[])["cpu", "memory", "blkio"])
        {
            if (File.Exists("/proc/pressure/cpu"))
                Assert.NotNull(data[resource]!["psi"]!["some"]!["avg10"]);
        }
        Assert.NotNull(data["hugetlb"]);
        Assert.NotNull(data["intel_rdt"]);
        Assert.True(data.AsObject().ContainsKey("network_interfaces"));
    }

    [SkippableFact]
    public void A_container_that_has_ended_has_no_events()
    {
        int pid = StartIdle(Bundle);
        Runtime.Run("kill", Bundle.Id, "KILL").Succeeded();
        Wait.ForExit(pid);
        Runtime.Run("events", Bundle.Id).FailedWith("not running");
    }

    [SkippableTheory]
    [InlineData("0", "duration interval must be greater than 0")]
    [InlineData("soon", "--interval: soon is no duration")]
    [InlineData("5", "--interval: 5 is no duration")]
    public void An_interval_that_is_none_is_refused(string interval, string message) => Runtime.Run("events", "--interval", interval, Bundle.Id).FailedWith(message);

    private static bool Tool(string name, params string[] arguments)
    {
        using Process process = Process.Start(new ProcessStartInfo("sh", ["-c", "exec \"$@\" >/dev/null 2>&1", "sh", name, .. arguments]))!;
        process.WaitForExit();
        return process.ExitCode == 0;
    }

    private static IEnumerable<string?> OpenFiles(int pid) =>
        Directory.EnumerateFileSystemEntries($"/proc/{pid}/fd").Select(link => new FileInfo(link).LinkTarget);
}
