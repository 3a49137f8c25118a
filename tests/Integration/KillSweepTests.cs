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
        "mkdirat", "symlinkat", "renameat", "unlinkat", "clone3", "bind", "sendto", "pidfd_send_signal", "flock",
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
                all.Add(scenario, "own", first ? 30 : 10);
                if (scenario is Scenario.Kill or Scenario.Delete)
                    continue; // these start nothing
                all.Add(scenario, "parent", first ? 16 : 5);
                all.Add(scenario, "child", first ? 16 : 5);
            }
            return all;
        }
    }

    [SkippableTheory]
    [MemberData(nameof(Sweeps))]
    public void E1_a_kill_at_any_call_leaves_nothing_that_delete_cannot_clean(Scenario scenario, string who, int sample)
    {
        Skip.If(Runtime.IsRunc && !Soak, "runc leaves cgroups behind");
        Prepare(scenario);
        var failures = new List<string>();
        int points = 0;
        foreach (string where in Soak ? Enumerable.Range(1, int.MaxValue).Select(n => n.ToString(CultureInfo.InvariantCulture)) : Sample(scenario, who, sample))
        {
            KillAt kill = Attempt(scenario, who, where);
            List<string> faults = [.. kill.Faults, .. FindLeftovers()];
            if (kill.ToolCode != 0)
                faults.Add($"killat failed ({kill.ToolCode})");
            // Who lives on says in one line what has happened to it.
            int errors = kill.Errors.Count(line => !line.Contains("level=warning", StringComparison.Ordinal));
            if (errors > 1 || (kill.Code is not (0 or 137) && errors == 0))
                faults.Add($"exit code {kill.Code} with {errors} errors");
            if (kill.Killed is null && Soak)
                break;
            points++;
            if (faults.Count == 0)
                continue;
            failures.Add($"{where}: {kill.Killed}\n    {string.Join("\n    ", faults.Concat(kill.Errors))}");
            RemoveLeftovers();
            if (kill.Killed is null)
                break; // it does not even work undisturbed
        }
        Tell($"| {scenario} | {who} | {points} | {failures.Count} |");
        Assert.True(failures.Count == 0, $"{failures.Count} of {points} kill points:\n{string.Join('\n', failures.Take(20))}");
    }

    private void Prepare(Scenario scenario)
    {
        Bundle.Args("sleep", "1000").Set("process/capabilities/ambient", new JsonArray()); // else each command warns that there can be none
        switch (scenario)
        {
            case Scenario.CreateInUserNamespace:
                Bundle.UserNamespace();
                break;
            case Scenario.CreateWithHooksAndTerminal:
                Bundle.Set("process/terminal", true);
                foreach (string kind in (string[])["prestart", "createRuntime", "createContainer", "poststop"])
                    Bundle.Add("hooks/" + kind, Hook("/bin/true"));
                break;
            case Scenario.Run:
                Bundle.Args("true");
                break;
        }
        Bundle.Save();
    }

    private KillAt Attempt(Scenario scenario, string who, string where)
    {
        string[] create = Runtime.CommandLine("create", "--bundle", Bundle.Folder, Bundle.Id);
        string[] runDetached = Runtime.CommandLine("run", "--detach", "--bundle", Bundle.Folder, Bundle.Id);
        string[] delete = Runtime.CommandLine("delete", "--force", Bundle.Id);
        using ConsoleSocket? console = scenario == Scenario.CreateWithHooksAndTerminal ? NewConsole() : null;
        (string[][] setup, string[] command) = scenario switch
        {
            Scenario.CreateWithHooksAndTerminal => ([], Runtime.CommandLine("create", "--bundle", Bundle.Folder, "--console-socket", console!.Path, Bundle.Id)),
            Scenario.Run => ([], Runtime.CommandLine("run", "--bundle", Bundle.Folder, Bundle.Id)),
            Scenario.Start => ([create], Runtime.CommandLine("start", Bundle.Id)),
            Scenario.Exec => ([runDetached], Runtime.CommandLine("exec", Bundle.Id, "true")),
            Scenario.Kill => ([runDetached], Runtime.CommandLine("kill", Bundle.Id, "KILL")),
            Scenario.Delete => ([runDetached], delete),
            _ => (Array.Empty<string[]>(), create),
        };
        return KillAt.Run(Runtime, who, where, setup, command, [delete]);
    }

    private ConsoleSocket NewConsole()
    {
        string path = Bundle.Folder + "/console";
        File.Delete(path);
        return new ConsoleSocket(path);
    }

    // Where the calls are that matter is seen by one run without a kill.
    private IEnumerable<string> Sample(Scenario scenario, string who, int size)
    {
        KillAt listed = Attempt(scenario, who, "list");
        Assert.Empty(listed.Faults);
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
        int half = size / 2, offset = (int)scenario + who.Length;
        IEnumerable<string> spread = Enumerable.Range(0, size - half)
            .Select(i => Math.Clamp(calls.Length * i / (size - half) + offset, 1, Math.Max(1, calls.Length)).ToString(CultureInfo.InvariantCulture));
        IEnumerable<string> chosen = turning.Count <= half ? turning : Enumerable.Range(0, half).Select(i => turning[i * turning.Count / half]);
        return calls.Length == 0 ? [] : chosen.Concat(spread).Distinct();
    }

    private static JsonObject Hook(params string[] args) => new() { ["path"] = args[0], ["args"] = Bundle.Strings(args) };

    // A row of the table in docs/crash-safety.md.
    private void Tell(string row)
    {
        output.WriteLine(row);
        if (Soak)
            File.AppendAllText(Runtime.RepositoryRoot() + "/out/kill-sweep/table.md", row + "\n");
    }
}
