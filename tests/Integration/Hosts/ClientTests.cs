// What people do with containers, in the words that podman and docker share. Each word is carried out by the host through conman: the
// classes at the end run all of it with either.
using System.Text.Json.Nodes;

namespace Conman.Integration.Tests.Hosts;

public abstract class ClientTests : IDisposable
{
    private readonly List<string> _ids = [];

    /// <summary>The machine on which the host runs, with the image loaded.</summary>
    protected abstract PrivateMachine Machine { get; }

    /// <summary>The host's client, with all that stands before the command.</summary>
    protected abstract string[] Client { get; }

    protected Result Do(params string[] words) => Machine.Run([.. Client, .. words]);

    /// <summary>A container in the foreground, removed at its end.</summary>
    protected Result RunOnce(string[] options, params string[] command) => Do(["run", "--rm", .. options, PrivateMachine.Image, .. command]);

    /// <summary>A container in the background that has printed "ready"; tells its id.</summary>
    protected string RunDetached(string[] options, string script)
    {
        string id = Do(["run", "--detach", .. options, PrivateMachine.Image, "sh", "-c", script]).Succeeded().Output.Trim();
        _ids.Add(id);
        Wait.Until(() => Do("logs", id).Output.Contains("ready"), "the container's log to have a line");
        return id;
    }

    protected string Inspect(string id, string format) => Do("inspect", "--format", format, id).Succeeded().Output.Trim();

    public void Dispose()
    {
        GC.SuppressFinalize(this);
        foreach (string id in _ids)
        {
            Do("rm", "--force", id);
            Machine.AssertNothingLeft(id);
        }
    }

    [SkippableFact]
    public void Output_and_exit_code_are_the_containers()
    {
        Result run = RunOnce([], "sh", "-c", "echo out; echo err >&2; exit 7");
        run.ExitedWith(7);
        Assert.Equal(("out\n", "err\n"), (run.Output, run.Error));
    }

    [SkippableFact]
    public void Input_is_passed_on() =>
        Assert.Equal("hello\n", Machine.Start(new Options { Input = "hello\n" }, [.. Client, "run", "--rm", "--interactive", PrivateMachine.Image, "cat"]).Succeeded().Output);

    [SkippableTheory]
    [InlineData("no-such-program", 127)]
    [InlineData("/etc/passwd", 126)]
    public void What_cannot_be_executed_has_the_code_that_a_shell_gives(string program, int code) => RunOnce([], program).ExitedWith(code);

    [SkippableFact]
    public void A_container_lives_in_the_background_from_run_to_rm()
    {
        string id = RunDetached([], "trap 'echo stopping; exit 3' TERM; echo ready; while :; do sleep 0.1; done");
        Assert.Equal("running", Inspect(id, "{{.State.Status}}"));
        Result exec = Do("exec", "--env", "NAME=value", "--workdir", "/tmp", id, "sh", "-c", "echo $NAME $PWD; exit 5");
        exec.ExitedWith(5);
        Assert.Equal("value /tmp\n", exec.Output);
        Assert.Contains("sleep", Do("top", id).Succeeded().Output);
        Do("stop", id).Succeeded();
        Assert.Equal("exited 3", Inspect(id, "{{.State.Status}} {{.State.ExitCode}}"));
        Assert.Equal("ready\nstopping\n", Do("logs", id).Succeeded().Output);
        Do("start", id).Succeeded();
        Assert.Equal("running", Inspect(id, "{{.State.Status}}"));
        Do("rm", "--force", id).Succeeded();
        Machine.AssertNothingLeft(id);
    }

    [SkippableFact]
    public void A_container_that_does_not_stop_is_killed()
    {
        string id = RunDetached([], "trap '' TERM; echo ready; while :; do sleep 0.1; done");
        Do("stop", "--time", "1", id).Succeeded();
        Assert.Equal("exited 137", Inspect(id, "{{.State.Status}} {{.State.ExitCode}}"));
    }

    [SkippableFact]
    public void A_signal_reaches_the_process()
    {
        string id = RunDetached([], "trap 'echo got it' USR1; echo ready; while :; do sleep 0.1; done");
        Do("kill", "--signal", "USR1", id).Succeeded();
        Wait.Until(() => Do("logs", id).Output.Contains("got it"), "the signal to arrive");
        Do("kill", id).Succeeded();
        Wait.Until(() => Inspect(id, "{{.State.Status}} {{.State.ExitCode}}") == "exited 137", "the container to end");
    }

    [SkippableFact]
    public void A_paused_container_stands_still()
    {
        string id = RunDetached([], "echo ready; while :; do echo >>/count; sleep 0.01; done");
        string Count() => Machine.Run("stat", "-c", "%s", $"/proc/{Inspect(id, "{{.State.Pid}}")}/root/count").Succeeded().Output;
        Do("pause", id).Succeeded();
        Assert.Equal("paused", Inspect(id, "{{.State.Status}}"));
        string count = Count();
        Assert.NotEqual(0, Do("exec", id, "true").ExitCode);
        Assert.Equal(count, Count());
        Do("unpause", id).Succeeded();
        Wait.Until(() => Count() != count, "the container to go on");
    }

    [SkippableFact]
    public void A_terminal_is_typed_into()
    {
        Result run = Machine.StartInTerminal([.. Client, "run", "--rm", "--interactive", "--tty", PrivateMachine.Image, "sh", "-c", "tty; read -r line; echo \"got $line\"; exit 4"]);
        run.WaitForOutput("/dev/pts/0");
        run.Input.Write("hello\n");
        run.Input.Flush();
        run.WaitForOutput("got hello");
        run.ExitedWith(4);
    }

    [SkippableFact]
    public void Exec_has_a_terminal_of_its_own()
    {
        string id = RunDetached([], "echo ready; exec sleep 1000");
        Result exec = Machine.StartInTerminal([.. Client, "exec", "--interactive", "--tty", id, "sh", "-c", "tty; read -r line; echo \"got $line\"; exit 4"]);
        exec.WaitForOutput("/dev/pts/0");
        exec.Input.Write("hello\n");
        exec.Input.Flush();
        exec.WaitForOutput("got hello");
        exec.ExitedWith(4);
    }

    [SkippableFact]
    public void The_process_is_whom_it_is_told_to_be()
    {
        string[] options = ["--user", "8:5", "--group-add", "100", "--hostname", "inside", "--workdir", "/var", "--env", "A=b", "--ulimit", "nofile=99:100", "--ulimit", "nproc=1000:1000"];
        Result run = RunOnce(options, "sh", "-c", "id -u; id -G; hostname; pwd; echo $A; ulimit -n").Succeeded();
        Assert.Equal(["8", "5 100", "inside", "/var", "b", "99"], run.Lines);
    }

    [SkippableFact]
    public void A_read_only_root_has_writable_places_where_asked_for()
    {
        Skip.IfNot(Machine.Run(Runtime.Binary, "features").Output.Contains("\"tmpcopyup\""), "podman asks for tmpcopyup");
        Directory.CreateDirectory(Machine.Folder + "/volume");
        string[] options = ["--read-only", "--tmpfs", "/scratch", "--volume", Machine.Folder + "/volume:/data", "--volume", Machine.Archive + ":/archive:ro"];
        Result run = RunOnce(options, "sh", "-c", "for f in /etc/new /archive /scratch/new /data/new; do (echo x >$f) 2>/dev/null && echo $f; done; :").Succeeded();
        Assert.Equal(["/scratch/new", "/data/new"], run.Lines);
        Assert.True(File.Exists(Machine.Folder + "/volume/new"));
    }

    [SkippableFact]
    public void Capabilities_are_dropped_and_added()
    {
        Result run = RunOnce(["--cap-drop", "all", "--cap-add", "kill"], "grep", "-E", "CapEff|CapBnd", "/proc/self/status").Succeeded();
        Assert.Equal(["CapEff:\t0000000000000020", "CapBnd:\t0000000000000020"], run.Lines);
    }

    [SkippableFact]
    public void The_hosts_own_filter_is_loaded()
    {
        string[] command = ["grep", "Seccomp:", "/proc/self/status"];
        Assert.Equal("Seccomp:\t2\n", RunOnce([], command).Succeeded().Output);
        Assert.Equal("Seccomp:\t0\n", RunOnce(["--security-opt", "seccomp=unconfined"], command).Succeeded().Output);
    }

    [SkippableFact]
    public void Privileged_means_every_capability_and_device()
    {
        Skip.If(File.ReadLines("/proc/self/status").Contains("CapBnd:\t000001ffffffffff") is false, "the tests themselves have not every capability to give");
        Result run = RunOnce(["--privileged"], "sh", "-c", "grep CapEff /proc/self/status; [ -e /dev/full ] && echo devices; mount -t tmpfs tmpfs /tmp && echo mounted").Succeeded();
        Assert.Equal(["CapEff:\t000001ffffffffff", "devices", "mounted"], run.Lines);
    }

    [SkippableFact]
    public void Namespaces_of_the_machine_and_of_others_are_joined()
    {
        Assert.Equal("cat\0", RunOnce(["--pid", "host"], "cat", "/proc/1/cmdline").Succeeded().Output);
        string id = RunDetached(["--ipc", "shareable"], "echo ready; exec sleep 1000");
        string pid = Inspect(id, "{{.State.Pid}}");
        foreach ((string kind, string link) in ((string, string)[])[("pid", "pid"), ("network", "net"), ("ipc", "ipc")])
        {
            string owner = Machine.Run("readlink", $"/proc/{pid}/ns/{link}").Succeeded().Output;
            Assert.Equal(owner, RunOnce([$"--{kind}", "container:" + id], "readlink", "/proc/self/ns/" + link).Succeeded().Output);
        }
    }

    [SkippableFact]
    public void The_network_is_what_the_host_has_made_of_it()
    {
        Assert.Equal("lo", RunOnce(["--network", "none"], "ls", "/sys/class/net").Succeeded().Output.Trim());
        Assert.Contains("eth0", RunOnce([], "ls", "/sys/class/net").Succeeded().Output);
        Assert.Equal("1", RunOnce(["--sysctl", "net.ipv4.ip_forward=1"], "cat", "/proc/sys/net/ipv4/ip_forward").Succeeded().Output.Trim());
    }

    [SkippableFact]
    public void Devices_are_there_and_no_others_can_be_opened()
    {
        string script = "head -c 1 /dev/mine | wc -c; mknod /tmp/kmsg c 1 11 && (: </tmp/kmsg) 2>/dev/null && echo opened || echo refused";
        Assert.Equal(["1", "refused"], RunOnce(["--device", "/dev/zero:/dev/mine", "--cap-add", "mknod"], "sh", "-c", script).Succeeded().Lines);
    }

    [SkippableFact]
    public void A_first_process_of_the_hosts_reaps_the_others()
    {
        SkipWithoutInit();
        Assert.Contains("init", RunOnce(["--init"], "cat", "/proc/1/cmdline").Succeeded().Output);
    }

    protected virtual void SkipWithoutInit()
    {
    }

    [SkippableFact]
    public void Limits_are_those_asked_for_and_can_be_changed()
    {
        SkipWithoutControllers();
        string id = RunDetached(["--memory", "64m", "--pids-limit", "50", "--cpus", "0.5"], "echo ready; exec sleep 1000");
        Assert.Equal(("67108864", "50", "0.5"), Limits(id));
        Do("update", "--memory", "80m", "--memory-swap", "160m", "--cpus", "0.75", id).Succeeded();
        Assert.Equal(("83886080", "50", "0.75"), Limits(id));
    }

    [SkippableFact]
    public void A_container_that_needs_too_much_memory_is_killed()
    {
        SkipWithoutControllers();
        string id = RunDetached(["--memory", "16m"], "echo ready; exec head -c 200m /dev/zero | tail >/dev/null");
        Wait.Until(() => Inspect(id, "{{.State.Status}}") == "exited", "the container to be killed");
    }

    [SkippableFact]
    public void Statistics_are_told()
    {
        SkipWithoutControllers();
        string id = RunDetached([], "echo ready; exec sleep 1000");
        var told = JsonNode.Parse(Do("stats", "--no-stream", "--format", "{\"pids\":\"{{.PIDs}}\",\"memory\":\"{{.MemUsage}}\"}", id).Succeeded().Output)!;
        Assert.Equal("1", (string?)told["pids"]);
        Assert.DoesNotContain("0B /", (string?)told["memory"]);
    }

    protected static void SkipWithoutControllers() =>
        Skip.If(File.Exists(Leftovers.CgroupRoot + "/cgroup.controllers") && !File.ReadAllText(Leftovers.CgroupRoot + "/cgroup.controllers").Contains("memory"),
            "the unified hierarchy has no controllers here");

    /// <summary>The limits of memory (bytes), of processes, and of processors, as the kernel has them.</summary>
    private (string Memory, string Pids, string Cpus) Limits(string id)
    {
        string pid = Inspect(id, "{{.State.Pid}}");
        var paths = new Dictionary<string, string>();
        foreach (string line in Machine.Run("cat", $"/proc/{pid}/cgroup").Succeeded().Lines)
        {
            string[] parts = line.Split(':', 3);
            foreach (string controller in parts[1].Split(','))
                paths[controller] = parts[2];
        }
        string Read(string controller, string name) => Machine.Run("cat",
            paths.TryGetValue(controller, out string? path) ? $"{Leftovers.CgroupRoot}/{controller}{path}/{name}" : $"{Leftovers.CgroupRoot}{paths[""]}/{name}").Succeeded().Output.Trim();
        bool old = paths.ContainsKey("memory");
        string[] cpu = old ? [Read("cpu", "cpu.cfs_quota_us"), Read("cpu", "cpu.cfs_period_us")] : Read("", "cpu.max").Split(' ');
        return (Read("memory", old ? "memory.limit_in_bytes" : "memory.max"), Read("pids", "pids.max"),
            (double.Parse(cpu[0]) / double.Parse(cpu[1])).ToString("0.##"));
    }
}
