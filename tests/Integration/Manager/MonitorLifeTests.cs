// What a container and its monitor survive: the session, the service and the terminal of who started them; and input in plenty. The rules of a shim
// that concern the monitor alone are tests of Engine.Tests (docs/monitor.md lists them).
using System.Globalization;

namespace Conman.Integration.Tests.Manager;

public class MonitorLifeTests : ManagerTest
{
    [SkippableFact]
    public void The_end_of_the_callers_unit_takes_neither_the_container_nor_its_monitor()
    {
        string unit = $"{Leftovers.UnifiedRoot}/conman-test-unit-{Bundle.Id}";
        Directory.CreateDirectory(unit);
        try
        {
            string line = $"echo $$ > {unit}/cgroup.procs; '{Conman}' --root {Root} --runroot {RunRoot} run -d --name one --cgroup-parent /conman-test {Image} sh -c 'while [ ! -e /go ]; do sleep 0.1; done; exit 5'; exec sleep 1000";
            Result caller = Runtime.StartProgram("sh", new Options { Network = Network }, "-c", line);
            Wait.Until(() => caller.Lines.Length == 1, "its id");
            File.WriteAllText(unit + "/cgroup.kill", "1"); // as KillMode=control-group does
            Assert.Equal(137, caller.ExitCode);
            Wait.Until(() => Leftovers.TryDelete(unit), "its cgroup to be empty");
            Assert.DoesNotContain("unmonitored", Run("ps").Succeeded().Output, StringComparison.Ordinal);
            Run("exec", "one", "touch", "/go").Succeeded();
            Run("wait", "one").Succeeded().Printed("5");
            Run("rm", "one").Succeeded();
            AssertNoContainers();
        }
        finally
        {
            if (Directory.Exists(unit))
                Wait.Until(() => Leftovers.TryDelete(unit), "its cgroup to be empty");
        }
    }

    [SkippableFact]
    public void The_end_of_the_callers_session_and_terminal_is_not_the_containers()
    {
        string line = $"'{Conman}' --root {Root} --runroot {RunRoot} run --name one --cgroup-parent /conman-test {Image} sh -c 'echo ready; while [ ! -e /go ]; do sleep 0.1; done; exit 5'";
        Result terminal = Runtime.StartProgram("script", new Options { InputPipe = true, Network = Network }, "-q", "-e", "-c", line, "/dev/null");
        terminal.WaitForOutput("ready");
        _ = Libc.kill(terminal.Pid, Libc.SIGKILL); // the terminal is gone: SIGHUP to its session
        terminal.Wait();
        Run("exec", "one", "touch", "/go").Succeeded();
        Run("wait", "one").Succeeded().Printed("5");
    }

    [SkippableFact]
    public void The_terminal_stays_when_its_clients_go()
    {
        RunDetached("--name", "one", "--tty", "--interactive", Image, "sh", "-c", "tty; i=0; while [ ! -e /go ]; do echo $i; i=$((i + 1)); sleep 0.1; done; tty");
        string line = $"'{Conman}' --root {Root} --runroot {RunRoot} attach one";
        foreach (int client in (int[])[1, 2])
        {
            Result terminal = Runtime.StartProgram("script", new Options { InputPipe = true, Network = Network }, "-q", "-e", "-c", line, "/dev/null");
            Wait.Until(() => terminal.Lines.Length > 1, $"output for client {client}");
            _ = Libc.kill(terminal.Pid, Libc.SIGKILL);
            terminal.Wait();
        }
        Run("exec", "one", "touch", "/go").Succeeded();
        Run("wait", "one").Succeeded().Printed("0");
        string[] log = Run("logs", "one").Succeeded().Lines;
        Assert.StartsWith("/dev/", log[0], StringComparison.Ordinal);
        Assert.Equal(log[0], log[^1]);
    }

    [SkippableFact]
    public void Much_input_arrives_whole_for_several_at_once()
    {
        string input = string.Concat(Enumerable.Range(0, 400_000).Select(i => i.ToString(CultureInfo.InvariantCulture) + "\n"));
        Result[] runs = [.. Enumerable.Range(0, 4).Select(_ => Start(new Options { Input = input }, "run", "--rm", "--interactive", "--cgroup-parent", "/conman-test", Image, "sh", "-c", "wc -c; wc -c"))];
        Assert.All(runs, run => Assert.Equal(input.Length.ToString(CultureInfo.InvariantCulture) + "\n0\n", run.Wait(TimeSpan.FromMinutes(1)).Succeeded().Output));
        AssertNoContainers();
    }

    [SkippableFact]
    public void What_is_logged_to_the_journal_is_in_the_journal()
    {
        const string Journald = "/lib/systemd/systemd-journald";
        Skip.IfNot(File.Exists(Journald) && File.Exists("/usr/bin/journalctl") && File.Exists("/etc/machine-id"), "no journald to start here");
        // One of its own, which nobody else writes to, behind a /run that nobody else sees.
        string script = $"""
            mount -t tmpfs -o mode=755 tmpfs /run
            mkdir -p /run/systemd/journal "/run/log/journal/$(cat /etc/machine-id)"
            {Journald} >/dev/null 2>&1 & journald=$!
            trap 'kill $journald' EXIT
            until [ -S /run/systemd/journal/socket ]; do sleep 0.1; done
            '{Conman}' --root {Root} --runroot {RunRoot} run --rm --name journaled --log-driver journald --cgroup-parent /conman-test {Image} sh -c 'echo to the journal; echo in trouble >&2' >/dev/null 2>&1
            of() {"{"} journalctl --quiet --directory /run/log/journal --output cat CONTAINER_NAME=journaled PRIORITY=$1; {"}"}
            until [ -n "$(of 6)" ] && [ -n "$(of 3)" ]; do sleep 0.1; done
            of 6
            of 3
            """;
        Runtime.StartProgram("unshare", new Options { Network = Network }, "--mount", "--propagation", "private", "sh", "-ec", script).Wait().Printed("to the journal", "in trouble");
    }
}
