// E1 of the threats: SIGKILL at every system call of every command; one `delete --force ID` later nothing is left. `make test` tries a
// sample of the calls, the same ones each time; with CONMAN_SOAK=1 (`make soak`) all of them. docs/crash-safety.md has the rules.
using System.Globalization;
using System.Text.Json.Nodes;
using Xunit.Abstractions;

namespace Conman.Integration.Tests;

public class KillSweepTests(ITestOutputHelper output) : ContainerTest
{
    private static readonly bool Soak = Environment.GetEnvironmentVariable("CONMAN_SOAK") == "1";

    // Calls after which the world is another: a sample has each of them, and of the rest some.
    private static readonly HashSet<string> Turning =
    [
        "mkdirat", "symlinkat", "linkat", "setxattr", "unlinkat", "clone3", "bind", "sendto", "pidfd_send_signal", "flock",
        "execveat", "execve", "fork", "move_mount", "pivot_root", "setns", "unshare", "accept4",
    ];

    public enum Scenario
    {
        Create,
        CreateInUserNamespace,
        CreateWithHooksAndTerminal,
        Run,
        Start,
        Exec,
        Kill,
        Pause,
        Update,
        AddMounts,
        RemoveMount,
        Checkpoint,
        Restore,
        RunRootless,
        Delete,
    }

    /// <summary>Scenario, whose death (killat.c), and how many calls a sample has.</summary>
    public static TheoryData<Scenario, string, int> Sweeps
    {
        get
        {
            var all = new TheoryData<Scenario, string, int>();
            foreach (Scenario scenario in Enum.GetValues<Scenario>())
            {
                bool first = scenario == Scenario.Create;
                all.Add(scenario, "own", first ? 24 : 8);
                if (scenario is Scenario.Start or Scenario.Kill or Scenario.Pause or Scenario.Update or Scenario.Delete)
                    continue; // these start nothing
                if (scenario is Scenario.Checkpoint or Scenario.Restore)
                    continue; // these start CRIU, which traces processes itself, and so cannot be traced
                all.Add(scenario, "parent", first ? 12 : 4);
                all.Add(scenario, "child", first ? 12 : 4);
            }
            return all;
        }
    }

    [SkippableTheory]
    [MemberData(nameof(Sweeps))]
    public void E1_a_kill_at_any_call_leaves_nothing_that_delete_cannot_clean(Scenario scenario, string who, int sample)
    {
        Skip.If(Runtime.IsRunc && !Soak, "runc leaves cgroups behind");
        if (scenario is Scenario.Checkpoint or Scenario.Restore)
            Skip.If(CheckpointTests.WhyNotHere is not null, CheckpointTests.WhyNotHere);
        Prepare(scenario);
        Sweep(scenario.ToString(), who, Soak ? 0 : sample, where => Attempt(scenario, who, where));
    }

    // sample 0: all, but those that an earlier run has tried
    private void Sweep(string name, string who, int sample, Func<string, KillAt> attempt)
    {
        SweepLog? log = sample == 0 ? new SweepLog($"{name}-{who}") : null;
        List<string> failures = log?.Failures ?? [];
        string[] mounts = [.. Leftovers.Mounts()];
        int points = log?.Points ?? 0;
        IEnumerable<string> all = log is { Ended: true } ? []
            : Enumerable.Range(points + 1, int.MaxValue - points).Select(n => n.ToString(CultureInfo.InvariantCulture));
        foreach (string where in log is not null ? all : Sample(name, who, sample, attempt))
        {
            KillAt kill = attempt(where);
            List<string> faults = [.. kill.Faults, .. Left(mounts)];
            // Where nobody was killed the command has ended before that call: as it should, or the sweep has missed what comes after it.
            if (kill is { Killed: null, Code: 0, ToolCode: 0, Errors: [] } && faults.Count == 0)
            {
                log?.End();
                if (log is not null)
                    break;
                continue;
            }
            if (kill.Killed is null)
                faults.Add("it fails undisturbed");
            if (kill.ToolCode != 0)
                faults.Add($"killat failed ({kill.ToolCode})");
            // Who lives on says in one line what has happened to it.
            int errors = kill.Errors.Count(line => !line.Contains("level=warning", StringComparison.Ordinal));
            if (errors > (name == "CreateThenStart" ? 2 : 1) || (kill.Code is not (0 or 137) && errors == 0))
                faults.Add($"exit code {kill.Code} with {errors} errors");
            points++;
            string? failure = faults.Count == 0 ? null : $"{where}: {kill.Killed}\n    {string.Join("\n    ", faults.Concat(kill.Errors))}";
            log?.Add(failure);
            if (failure is null)
                continue;
            failures.Add(failure);
            RemoveLeftovers();
            if (kill.Killed is null)
                break; // it does not even work undisturbed
        }
        output.WriteLine($"| {name} | {who} | {points} | {failures.Count} |"); // a row of the table in docs/crash-safety.md
        Assert.True(failures.Count == 0, $"{failures.Count} of {points} kill points:\n{string.Join('\n', failures.Take(20))}");
    }

    // killat knows the processes, so one look at each other place is enough; the whole host is searched at the end of the test.
    private IEnumerable<string> Left(string[] mounts)
    {
        foreach (string hierarchy in Leftovers.Hierarchies)
        {
            if (Directory.Exists($"{hierarchy}/conman-test/{Bundle.Id}"))
                yield return $"cgroup: {hierarchy}/conman-test/{Bundle.Id}";
        }
        if (Directory.Exists(Runtime.Root))
        {
            foreach (string path in Directory.EnumerateFileSystemEntries(Runtime.Root))
                yield return "state: " + path;
        }
        foreach (string mount in Leftovers.Mounts().Except(mounts))
            yield return "mount: " + mount;
    }

    /// <summary>What a create can have left when it was killed, made by hand: each state, whatever the sample of the sweep holds.</summary>
    [SkippableTheory]
    [InlineData("")] // killed between the mkdir of its folder and the first file in it
    [InlineData("cgroup")] // between the link to the cgroup and the mkdir of the cgroup
    [InlineData("cgroup", "made", ".config.json.new")]
    [InlineData("cgroup", "made", "config.json", "start", ".state.json.new")] // between clone3 and the record; its process has ended by itself
    [InlineData("start")]
    [InlineData(".state.json.new", "config.json")]
    public void E1_a_half_made_container_can_be_deleted(params string[] made)
    {
        Skip.If(Runtime.IsRunc, "these are conman's files");
        string folder = $"{Runtime.Root}/{Bundle.Id}";
        foreach (string force in (string[])["--force", ""])
        {
            Directory.CreateDirectory(folder);
            foreach (string name in made)
            {
                if (name == "cgroup")
                    File.CreateSymbolicLink(folder + "/cgroup", Bundle.Cgroup);
                else if (name == "made")
                    Directory.CreateDirectory(Bundle.Cgroup);
                else if (name.Length > 0)
                    File.WriteAllText($"{folder}/{name}", "{");
            }
            Assert.Equal("stopped", Runtime.Status(Bundle.Id));
            Runtime.Run([.. ((string[])["delete", force, Bundle.Id]).Where(word => word.Length > 0)]).Succeeded();
            AssertNothingLeft();
        }
    }

    [SkippableFact]
    public void E1_delete_by_force_needs_no_state_folder() =>
        Runtime.Run("delete", "--force", Bundle.Id).Succeeded();

    [SkippableTheory]
    [InlineData("createRuntime")]
    [InlineData("createContainer")]
    public void E1_a_hook_that_runs_dies_with_its_killed_runtime(string kind)
    {
        Skip.If(Runtime.IsRunc, "runc lets it run");
        Bundle.Add("hooks/" + kind, Hook("/bin/sleep", "1000"));
        Prepare(Scenario.Create);
        // The hook's own call is what tells that it runs.
        KillAt kill = Attempt(Scenario.Create, "parent", "clock_nanosleep:1");
        Assert.NotNull(kill.Killed);
        Assert.Equal(137, kill.Code);
        Assert.Empty(kill.Faults);
        AssertNothingLeft();
    }

    /// <summary>Each hook runs: those before the one that was cut off once, that one again.</summary>
    [SkippableTheory]
    [InlineData("delete")]
    [InlineData("delete --force")]
    public void E1_poststop_hooks_that_a_killed_delete_did_not_run_are_run_by_the_next(string delete)
    {
        Skip.If(Runtime.IsRunc, "runc runs them no more");
        string notes = Bundle.File("notes"), killed = Bundle.Folder + "/killed";
        foreach (string script in (string[])["echo one", $"[ -e {killed} ] || {{ echo >{killed}; kill -9 $PPID; exec sleep 1000; }}; echo two", "echo three; cat"])
            Bundle.Add("hooks/poststop", Hook("/bin/sh", "-c", $"PATH=/bin:/usr/bin; exec >>{notes}; " + script));
        Runtime.CreateAndStart(Bundle.Args("true"));
        Runtime.WaitForStatus(Bundle.Id, "stopped");
        Runtime.Run([.. delete.Split(' '), Bundle.Id]).ExitedWith(137);
        Assert.Equal("stopped", Runtime.Status(Bundle.Id));
        Assert.Equal("one\n", File.ReadAllText(notes));
        Runtime.Run([.. delete.Split(' '), Bundle.Id]).Succeeded();
        Assert.Equal(["one", "two", "three"], File.ReadAllLines(notes)[..3]);
        Assert.Equal("stopped", (string?)JsonNode.Parse(File.ReadAllLines(notes)[3])!["status"]);
        AssertNothingLeft();
    }

    [SkippableFact]
    public void E1_a_killed_create_leaves_no_temporary_pid_file()
    {
        Skip.If(Runtime.IsRunc, "runc leaves it");
        Prepare(Scenario.Create);
        string folder = Bundle.Subfolder("pids");
        string[] create = Runtime.CommandLine("create", "--bundle", Bundle.Folder, "--pid-file", folder + "/pid", Bundle.Id);
        // What makes the pid file (the link gives it its name), and whatever comes until init goes on (the first send).
        string[] calls = KillAt.Run(Runtime, "own", "list", [], create, [Delete]).Lines;
        int begin = Array.LastIndexOf(calls, "linkat"), end = Array.LastIndexOf(calls, "sendto");
        Assert.InRange(begin, 0, end);
        for (int n = begin - 10; n <= end + 4; n++)
        {
            File.Delete(folder + "/pid");
            KillAt kill = KillAt.Run(Runtime, "own", n.ToString(CultureInfo.InvariantCulture), [], create, [Delete]);
            Assert.Empty(kill.Faults);
            string[] files = [.. Directory.EnumerateFiles(folder).Select(Path.GetFileName)!];
            Assert.True(files is [] or ["pid"], $"{kill.Killed}: {string.Join(' ', files)}");
            Assert.True(files is [] || File.ReadAllText(folder + "/pid").Length > 0, $"{kill.Killed}: an empty pid file");
        }
    }

    /// <summary>Init waits for start, is told to go on, executes: each of the three processes is killed at each of its calls.</summary>
    [SkippableFact]
    public void E1_a_kill_between_create_and_the_program_leaves_nothing()
    {
        Skip.If(Runtime.IsRunc, "runc leaves cgroups behind");
        Bundle.Args("true");
        string[] both = ["/bin/sh", "-c", "\"$0\" --root \"$1\" create --bundle \"$2\" \"$3\"; \"$0\" --root \"$1\" start \"$3\"",
            Delete[0], Runtime.Root, Bundle.Save().Folder, Bundle.Id];
        Sweep("CreateThenStart", "child", Soak ? 0 : 16, where => KillAt.Run(Runtime, "child", where, [], both, [Delete]));
    }

    [SkippableFact]
    public void The_tool_of_the_sweep_sees_a_process_that_is_left()
    {
        KillAt kill = KillAt.Run(Runtime, "own", "wait4:1", [], ["/bin/sh", "-c", "setsid sleep 1000 & wait"], []);
        Assert.Contains("at wait4(", kill.Killed);
        Assert.Equal(137, kill.Code);
        Assert.Contains(" sleep ", Assert.Single(kill.Faults));
        kill = KillAt.Run(Runtime, "own", "1000000", [["/bin/false"]], ["/bin/true"], [["/bin/false"]]);
        Assert.Null(kill.Killed);
        Assert.Equal(["setup exit 1", "cleanup exit 1"], kill.Faults);
    }

    // Not every host can limit something.
    private static string[] Limit =>
        !Leftovers.Unified || File.ReadAllText(Leftovers.CgroupRoot + "/cgroup.controllers").Split(' ', '\n').Contains("pids") ? ["--pids-limit", "100"] : [];

    private string[] Delete => Runtime.CommandLine("delete", "--force", Bundle.Id);

    private void Prepare(Scenario scenario)
    {
        Bundle.Args("sleep", "1000").Set("process/capabilities/ambient", new JsonArray()); // else each command warns that there can be none
        switch (scenario)
        {
            case Scenario.CreateInUserNamespace:
                Bundle.UserNamespace();
                if (!Runtime.IsRunc) // a namespace that only lends its maps, and a file system that is filled before it is mounted
                    Bundle.Bind(Bundle.Subfolder("source"), "/tmp", "bind", "idmap").Mount("/var", "tmpfs", "tmpfs", "tmpcopyup");
                break;
            case Scenario.AddMounts:
                Bundle.File("mounts.json", """[{ "destination": "/tmp", "type": "bind", "source": "/usr", "options": ["ro"] }, { "destination": "/var", "type": "tmpfs" }]""");
                break;
            case Scenario.CreateWithHooksAndTerminal:
                Bundle.Set("process/terminal", true);
                foreach (string kind in (string[])["prestart", "createRuntime", "createContainer", "poststop"])
                    Bundle.Add("hooks/" + kind, Hook("/bin/true"));
                break;
            case Scenario.Run:
                Bundle.Args("true");
                break;
            case Scenario.Checkpoint or Scenario.Restore:
                Bundle.WithoutNamespace("network").WithoutMount("/sys").WithoutMount("/sys/fs/cgroup")
                    .Shell("exec </dev/null >/dev/null 2>&1; >/dev/shm/ready; while :; do sleep 1; done");
                break;
            case Scenario.RunRootless:
                Bundle.Rootless(User).Args("true");
                break;
        }
        Bundle.Save();
        if (scenario == Scenario.Restore)
        {
            Runtime.Run("run", "--detach", "--bundle", Bundle.Folder, Bundle.Id).Succeeded();
            Runtime.Run(["exec", Bundle.Id, .. UntilReady]).Succeeded();
            Runtime.Run(CheckpointTests.Plain, "checkpoint", "--image-path", Image, Bundle.Id).Succeeded();
        }
        if (scenario == Scenario.RunRootless)
        {
            // Where the user can reach it, and may make what a command makes.
            File.Copy(Runtime.Program, Runtime.Program = Bundle.Subfolder("home") + "/conman-runc");
            Directory.CreateDirectory(Runtime.Root);
            Runtime.StartProgram("chown", new Options(), "-R", $"{User}:{User}", Runtime.Root, Bundle.Folder).Succeeded();
        }
    }

    private const int User = 54321;

    private static readonly string[] UntilReady = ["sh", "-c", "until [ -e /dev/shm/ready ]; do sleep 0.01; done"];

    private string Image => Bundle.Folder + "/image";

    private KillAt Attempt(Scenario scenario, string who, string where)
    {
        string[] create = Runtime.CommandLine("create", "--bundle", Bundle.Folder, Bundle.Id);
        string[] runDetached = Runtime.CommandLine("run", "--detach", "--bundle", Bundle.Folder, Bundle.Id);
        using ConsoleSocket? console = scenario == Scenario.CreateWithHooksAndTerminal ? NewConsole() : null;
        (string[][] setup, string[] command) = scenario switch
        {
            Scenario.CreateWithHooksAndTerminal => ([], Runtime.CommandLine("create", "--bundle", Bundle.Folder, "--console-socket", console!.Path, Bundle.Id)),
            Scenario.Run => ([], Runtime.CommandLine("run", "--bundle", Bundle.Folder, Bundle.Id)),
            Scenario.Start => ([create], Runtime.CommandLine("start", Bundle.Id)),
            Scenario.Exec => ([runDetached], Runtime.CommandLine("exec", Bundle.Id, "true")),
            Scenario.Kill => ([runDetached], Runtime.CommandLine("kill", Bundle.Id, "KILL")),
            Scenario.Pause => ([runDetached], Runtime.CommandLine("pause", Bundle.Id)),
            Scenario.Update => ([runDetached], Runtime.CommandLine(["update", .. Limit, Bundle.Id])),
            Scenario.AddMounts => ([runDetached], Runtime.CommandLine("mounts", "add", Bundle.Id, Bundle.Folder + "/mounts.json")),
            Scenario.RemoveMount => (
                [runDetached, Runtime.CommandLine("mounts", "add", "--type", "tmpfs", Bundle.Id, "tmpfs", "/tmp")],
                Runtime.CommandLine("mounts", "remove", Bundle.Id, "/tmp")),
            Scenario.Checkpoint => ([runDetached, Runtime.CommandLine(["exec", Bundle.Id, .. UntilReady])], Runtime.CommandLine("checkpoint", "--image-path", Image, Bundle.Id)),
            Scenario.Restore => ([], Runtime.CommandLine("restore", "--detach", "--image-path", Image, "--bundle", Bundle.Folder, Bundle.Id)),
            Scenario.RunRootless => ([], Runtime.CommandLine("run", "--bundle", Bundle.Folder, Bundle.Id)),
            Scenario.Delete => ([runDetached], Delete),
            _ => (Array.Empty<string[]>(), create),
        };
        if (scenario == Scenario.RunRootless)
            return KillAt.RunAs(User, Runtime, Bundle.Folder + "/home", who, where, command, [Delete]);
        return KillAt.Run(Runtime, who, where, setup, command, [Delete]);
    }

    private ConsoleSocket NewConsole()
    {
        string path = Bundle.Folder + "/console";
        File.Delete(path);
        return new ConsoleSocket(path);
    }

    // Where the calls are that matter is seen by one run without a kill.
    private static IEnumerable<string> Sample(string name, string who, int size, Func<string, KillAt> attempt)
    {
        KillAt listed = attempt("list");
        Assert.Empty(listed.Faults);
        Assert.True(listed.Code == 0, string.Join('\n', listed.Errors));
        string[] calls = [.. listed.Lines.TakeWhile(line => !line.StartsWith("not killed", StringComparison.Ordinal))];
        var seen = new Dictionary<string, int>();
        var turning = new List<string>();
        foreach (string call in calls)
        {
            int count = seen[call] = seen.GetValueOrDefault(call) + 1;
            if (Turning.Contains(call))
                turning.Add($"{call}:{count}");
        }
        // A different offset in each sweep, so that together they see more.
        int half = size / 2, offset = name.Length + who.Length;
        IEnumerable<string> spread = Enumerable.Range(0, size - half)
            .Select(i => Math.Clamp(calls.Length * i / (size - half) + offset, 1, Math.Max(1, calls.Length)).ToString(CultureInfo.InvariantCulture));
        IEnumerable<string> chosen = turning.Count <= half ? turning : Enumerable.Range(0, half).Select(i => turning[i * turning.Count / half]);
        return calls.Length == 0 ? [] : chosen.Concat(spread).Distinct();
    }

    private static JsonObject Hook(params string[] args) => new() { ["path"] = args[0], ["args"] = Bundle.Strings(args) };
}
