// containerd with its runc shim (io.containerd.runc.v2) on conman, by its own client `ctr`.
namespace Conman.Integration.Tests.Hosts;

public sealed class ContainerdMachine : IDisposable
{
    private PrivateMachine? _machine;

    public PrivateMachine Start()
    {
        PrivateMachine.Require("containerd", "containerd");
        PrivateMachine.Require("ctr", "containerd");
        if (_machine is null)
        {
            _machine = new PrivateMachine();
            Result daemon = _machine.Start("containerd");
            Wait.Until(() => !daemon.Running || _machine.Run("ctr", "version").ExitCode == 0, "containerd to listen");
            Assert.True(daemon.Running, "containerd ends: " + daemon.Error);
            _machine.Run("ctr", "images", "import", _machine.Archive).Succeeded();
        }
        return _machine;
    }

    public void Dispose() => _machine?.Dispose();
}

public class ContainerdTests : IDisposable, IClassFixture<ContainerdMachine>
{
    private static int s_count;

    private readonly PrivateMachine _machine;
    private readonly string _id = $"task-{Environment.ProcessId}-{++s_count}";

    public ContainerdTests(ContainerdMachine containerd)
    {
        Skip.If(File.Exists(Leftovers.CgroupRoot + "/cgroup.controllers") && !File.ReadAllText(Leftovers.CgroupRoot + "/cgroup.controllers").Contains("cpu"),
            "ctr gives every container cpu shares, and the unified hierarchy has no controllers here");
        _machine = containerd.Start();
    }

    private Result Ctr(params string[] words) => _machine.Run(["ctr", .. words]);

    private string[] RunWords(string[] options, params string[] command) =>
        ["run", "--runtime", "io.containerd.runc.v2", "--runc-binary", Runtime.Binary, .. options, PrivateMachine.Image, _id, .. command];

    private void StartIdle(params string[] options) =>
        Ctr(RunWords(["--detach", .. options], "sh", "-c", "trap 'exit 3' TERM; while :; do sleep 0.1; done")).Succeeded();

    private string Status()
    {
        string? line = Ctr("tasks", "list").Succeeded().Lines.FirstOrDefault(l => l.StartsWith(_id, StringComparison.Ordinal));
        return line?.Split(' ', StringSplitOptions.RemoveEmptyEntries)[2] ?? "";
    }

    public void Dispose()
    {
        GC.SuppressFinalize(this);
        if (_machine is null)
            return; // skipped
        if (Status().Length > 0)
        {
            Ctr("tasks", "kill", "--signal", "SIGKILL", _id);
            Wait.Until(() => Status() is "STOPPED" or "", "the task to be killed");
            Ctr("tasks", "delete", _id);
        }
        Ctr("containers", "delete", _id);
        _machine.AssertNothingLeft(_id);
    }

    [SkippableFact]
    public void Output_and_exit_code_are_the_containers()
    {
        Result run = Ctr(RunWords(["--rm"], "sh", "-c", "echo out; exit 7"));
        run.ExitedWith(7);
        Assert.Equal("out\n", run.Output);
    }

    [SkippableFact]
    public void A_task_lives_from_run_to_delete()
    {
        StartIdle();
        Assert.Equal("RUNNING", Status());
        Result exec = Ctr("tasks", "exec", "--exec-id", "e1", _id, "sh", "-c", "echo inside; exit 5");
        exec.ExitedWith(5);
        Assert.Equal("inside\n", exec.Output);
        Assert.Matches(@"(?m)^\d+ ", Ctr("tasks", "ps", _id).Succeeded().Output);
        Ctr("tasks", "pause", _id).Succeeded();
        Assert.Equal("PAUSED", Status());
        Ctr("tasks", "resume", _id).Succeeded();
        Assert.Equal("RUNNING", Status());
        Ctr("tasks", "kill", "--signal", "SIGTERM", _id).Succeeded();
        Wait.Until(() => Status() == "STOPPED", "the task to stop");
        Result delete = Ctr("tasks", "delete", _id); // its own exit code is the task's, or 0 in older versions
        Assert.True(delete.ExitCode is 0 or 3, delete.Error);
        Ctr("containers", "delete", _id).Succeeded();
        _machine.AssertNothingLeft(_id);
    }

    [SkippableFact]
    public void A_terminal_is_typed_into()
    {
        Result run = _machine.StartInTerminal(["ctr", .. RunWords(["--rm", "--tty"], "sh", "-c", "tty; read -r line; echo \"got $line\"")]);
        run.WaitForOutput("/dev/pts/0");
        run.Input.Write("hello\n");
        run.Input.Flush();
        run.WaitForOutput("got hello");
        run.Succeeded();
    }

    [SkippableFact]
    public void A_process_is_executed_in_a_terminal_and_in_the_background()
    {
        StartIdle();
        Result exec = _machine.StartInTerminal("ctr", "tasks", "exec", "--tty", "--exec-id", "e1", _id, "sh", "-c", "tty; exit 4");
        exec.WaitForOutput("/dev/pts/0");
        exec.ExitedWith(4);
        Ctr("tasks", "exec", "--detach", "--exec-id", "e2", _id, "sh", "-c", "echo done >/tmp/note; sleep 1000").Succeeded();
        Wait.Until(() => Ctr("tasks", "exec", "--exec-id", "e3", _id, "cat", "/tmp/note").Output == "done\n", "the process in the background to run");
    }

    [SkippableFact]
    public void Metrics_are_told()
    {
        StartIdle();
        Assert.Contains("pids", Ctr("tasks", "metrics", _id).Succeeded().Output);
    }

    [SkippableFact]
    public void Limits_and_the_hosts_filter_are_set()
    {
        string[] options = ["--rm", "--memory-limit", "67108864", "--seccomp"];
        Result run = Ctr(RunWords(options, "sh", "-c", "grep Seccomp: /proc/self/status; cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null"));
        Assert.Equal("Seccomp:\t2", run.Lines[0]);
    }

    [SkippableFact]
    public void A_program_that_is_not_there_is_an_error_that_names_it() =>
        Ctr(RunWords(["--rm"], "no-such-program")).FailedWith("no-such-program");

    [SkippableFact]
    public void A_privileged_task_on_the_hosts_network_has_every_device()
    {
        Skip.If(!File.ReadLines("/proc/self/status").Contains("CapBnd:\t000001ffffffffff"), "the tests themselves have not every capability to give");
        Result run = Ctr(RunWords(["--rm", "--privileged", "--net-host"], "sh", "-c", "[ -e /dev/full ] && readlink /proc/self/ns/net"));
        Assert.Equal(_machine.Run("readlink", "/proc/self/ns/net").Output, run.Succeeded().Output);
    }
}
