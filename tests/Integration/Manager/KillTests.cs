// E1 for the manager: SIGKILL at the system calls of a command that works on a container. What is left `rm --force` of the container removes, and
// what it cannot know of (a name, a volume half removed) `system recover`. A sample in `make test`, every call with CONMAN_SOAK=1.
using System.Globalization;

namespace Conman.Integration.Tests.Manager;

public class KillTests : ManagerTest
{
    private static readonly bool Soak = Environment.GetEnvironmentVariable("CONMAN_SOAK") == "1";

    public enum Victim
    {
        RunDetached,
        RunInForeground,
        Create,
        Start,
        Stop,
        Rename,
        Exec,
        Remove,
        CopyIn,
        CopyIntoStopped,
        CopyOut,
        Commit,
        Mount,
    }

    public static TheoryData<Victim> Victims => [.. Enum.GetValues<Victim>()];

    [SkippableTheory, MemberData(nameof(Victims))]
    public void E1_a_kill_at_any_call_leaves_nothing_that_rm_cannot_clean(Victim victim)
    {
        var (setup, command) = Words(victim);
        string[][] cleanup = [Line("rm", "--force", "--all", "--volumes"), Line("system", "recover"), Line("image", "prune", "--force")];
        int calls = KillAt.Run(Runtime, "own", "list", setup, command, cleanup, Network).Lines.Length;
        Assert.InRange(calls, 20, 5000);
        int step = Soak ? 1 : Math.Max(1, calls / 16);
        List<string> failures = [];
        for (int call = 1; call <= calls; call += step)
        {
            KillAt kill = KillAt.Run(Runtime, "own", call.ToString(CultureInfo.InvariantCulture), setup, command, cleanup, Network);
            string[] faults = [.. kill.Faults, .. Left()];
            if (faults.Length > 0)
                failures.Add($"{call}: {kill.Killed}\n    {string.Join("\n    ", faults.Concat(kill.Errors))}");
        }
        Assert.True(failures.Count == 0, $"{failures.Count} kill points of {victim}:\n{string.Join('\n', failures.Take(10))}");
        AssertNoContainers();
    }

    [SkippableFact]
    public void E2_recover_gives_a_container_a_monitor_again_and_its_end_is_known()
    {
        RunDetached("--name", "orphan", Image, "sh", "-c", "echo one; while [ ! -e /go ]; do sleep 0.1; done; echo two; exit 3");
        Wait.Until(() => Run("logs", "orphan").Output == "one\n", "its first line");
        int monitor = int.Parse(Inspect("orphan", "{{.State.MonitorPid}}"), CultureInfo.InvariantCulture);
        System.Diagnostics.Process.GetProcessById(monitor).Kill();
        Wait.ForExit(monitor);
        Assert.Contains("(unmonitored)", Run("ps").Output, StringComparison.Ordinal);
        Assert.StartsWith("Adopted: ", Run("system", "recover").Succeeded().Output, StringComparison.Ordinal);
        Assert.Equal("", Run("system", "recover").Succeeded().Output);
        Run("exec", "orphan", "touch", "/go").Succeeded();
        Wait.Until(() => Inspect("orphan", "{{.State.Status}}") == "exited", "its end");
        Assert.Equal("one\ntwo\n", Run("logs", "orphan").Output);
        Run("rm", "orphan").Succeeded();
        AssertNoContainers();
    }

    [SkippableFact]
    public void Recover_removes_what_is_half_made_and_leaves_what_is_only_damaged()
    {
        string half = new('a', 64), damaged = Run("create", "--name", "damaged", Image).Succeeded().Output.Trim();
        Directory.CreateDirectory($"{Root}/containers/{half}");
        File.WriteAllText($"{Root}/containers/{damaged}/container.json", "{");
        File.CreateSymbolicLink(Root + "/names/stale", new string('b', 64));
        Assert.Equal($"Removed: {half}\n", Run("system", "recover").Succeeded().Output);
        Assert.False(File.Exists(Root + "/names/stale") || Directory.Exists($"{Root}/containers/{half}"));
        Assert.Contains(damaged[..12], Run("ps", "--all").Output, StringComparison.Ordinal);
        Run("start", damaged).ExitedWith(1).FailedWith("is damaged");
        Run("rm", damaged[..8]).Succeeded();
        AssertNoContainers();
    }

    [SkippableFact]
    public void What_sleeps_until_a_restart_and_is_killed_is_started_by_recover()
    {
        RunDetached("--name", "again", "--restart", "always", Image, "sh", "-c", "exit 1");
        Wait.Until(() => Inspect("again", "{{.State.Status}} {{.RestartCount}}") is var state && state.StartsWith("restarting", StringComparison.Ordinal) && state[^1] >= '4', "a long sleep");
        int sleeper = int.Parse(Inspect("again", "{{.State.MonitorPid}}"), CultureInfo.InvariantCulture);
        System.Diagnostics.Process.GetProcessById(sleeper).Kill();
        Wait.ForExit(sleeper);
        Assert.Contains("Started: ", Run("system", "recover").Succeeded().Output, StringComparison.Ordinal);
        Run("rm", "--force", "again").Succeeded();
        AssertNoContainers();
    }

    private (string[][] Setup, string[] Command) Words(Victim victim)
    {
        string[] make = ["--name", "victim", "--cgroup-parent", "/conman-test", "--volume", "/data", "--publish", "8080:80", "--publish", "9000-9010:9000-9010/udp", Image, "sleep", "1000"];
        string[] run = Line(["run", "--detach", .. make]), create = Line(["create", .. make]);
        return victim switch
        {
            Victim.RunDetached => ([], run),
            Victim.RunInForeground => ([], Line("run", "--rm", "--cgroup-parent", "/conman-test", Image, "true")),
            Victim.Create => ([], create),
            Victim.Start => ([create], Line("start", "victim")),
            Victim.Stop => ([run], Line("stop", "--time", "0", "victim")),
            Victim.Rename => ([create], Line("rename", "victim", "other")),
            Victim.CopyIn => ([run], Line("cp", Bundle.Rootfs + "/etc", "victim:/var")),
            Victim.CopyIntoStopped => ([create], Line("cp", Bundle.Rootfs + "/etc", "victim:/var")),
            Victim.CopyOut => ([create], Line("cp", "victim:/etc/.", Bundle.Folder + "/copied")),
            Victim.Commit => ([run, Line("exec", "victim", "touch", "/var/x")], Line("commit", "victim", "made")),
            Victim.Mount => ([create], Line("mount", "victim")),
            Victim.Exec => ([run], Line("exec", "victim", "true")),
            _ => ([run], Line("rm", "--force", "--volumes", "victim")),
        };
    }

    private string[] Line(params string[] words) => [Conman, "--root", Root, "--runroot", RunRoot, .. words];

    private IEnumerable<string> Left() => LeftOfNetworks().Concat(((string[])[Root + "/containers", Root + "/names", Root + "/volumes", RunRoot + "/containers", RunRoot + "/oci"])
        .Where(Directory.Exists).SelectMany(Directory.GetFileSystemEntries)
        .Concat(Directory.GetDirectories(Root + "/layers", ".*")).Concat(Directory.GetFiles(Root + "/leases")).Where(e => !e.EndsWith("@filters", StringComparison.Ordinal)).Concat(
            Leftovers.Hierarchies.Where(h => Directory.Exists(h + "/conman-test")).SelectMany(h => Directory.GetDirectories(h + "/conman-test")).Where(d => Path.GetFileName(d).StartsWith("conman-", StringComparison.Ordinal))));
}
