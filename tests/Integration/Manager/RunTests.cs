// run, and what follows: by Docker's words, with no daemon, and nothing left.
using System.Globalization;

namespace Conman.Integration.Tests.Manager;

public class RunTests : ManagerTest
{
    private const string Forever = "echo ready; while :; do sleep 1; done";

    [SkippableFact]
    public void What_it_prints_and_how_it_ends_is_what_the_program_does()
    {
        Result run = RunHere("sh", "-c", "echo out; echo err >&2; exit 7").ExitedWith(7);
        Assert.Equal(("out\n", "err\n"), (run.Output, run.Error));
        AssertNoContainers();
    }

    [SkippableTheory]
    [InlineData(127, "executable file not found", "nosuch")]
    [InlineData(126, "permission denied", "/etc/passwd")]
    [InlineData(125, "no such volume|not a name|is no name", "--volume", "!:/x", Image, "true")]
    [InlineData(125, "unknown option", "--nosuchflag", Image, "true")]
    public void What_cannot_be_run_is_told_by_an_exit_code_and_one_line(int code, string words, params string[] arguments)
    {
        Result run = (arguments.Contains(Image) ? Run(["run", "--rm", .. arguments]) : RunHere(arguments)).ExitedWith(code);
        Assert.Contains(words.Split('|'), w => run.Error.Contains(w, StringComparison.OrdinalIgnoreCase));
        AssertNoContainers();
    }

    [SkippableFact]
    public void Input_goes_to_it_only_where_it_is_asked_for()
    {
        Assert.Equal("typed\n", Run(new Options { Input = "typed\n" }, "run", "--rm", "-i", "--cgroup-parent", "/conman-test", Image, "cat").Succeeded().Output);
        Assert.Equal("", Run(new Options { Input = "typed\n" }, "run", "--rm", "--cgroup-parent", "/conman-test", Image, "cat").Succeeded().Output);
    }

    [SkippableFact]
    public void A_container_lives_through_its_commands()
    {
        string id = RunDetached("--name", "one", Image, "sh", "-c", Forever);
        Wait.Until(() => Run("logs", "one").Output == "ready\n", "its first line");
        Assert.Equal(("running", "true"), (Inspect("one", "{{.State.Status}}"), Inspect("one", "{{.State.Running}}")));
        Assert.Equal(id[..12] + "\n", Run("ps", "-q").Succeeded().Output);
        Assert.Equal("image\n", Run("exec", "one", "sh", "-c", "echo $FROM").Succeeded().Output);
        Run("exec", "one", "sh", "-c", "exit 9").ExitedWith(9);
        Run("pause", "one").Succeeded();
        Assert.Equal("paused", Inspect("one", "{{.State.Status}}"));
        Run("unpause", "one").Succeeded();
        Run("rename", "one", "two").Succeeded();
        Run("stop", "--time", "0", "two").Succeeded();
        Assert.Equal(("exited", "137"), (Inspect("two", "{{.State.Status}}"), Inspect("two", "{{.State.ExitCode}}")));
        Run("start", id[..6]).Succeeded();
        Assert.Equal("running", Inspect("two", "{{.State.Status}}"));
        Run("rm", "two").FailedWith("it is running");
        Run("rm", "--force", "two").Succeeded();
        AssertNoContainers();
    }

    [SkippableFact]
    public void A_program_that_cannot_be_run_is_the_error_though_its_network_came_too_late()
    {
        Skip.IfNot(File.Exists("/usr/bin/strace"), "no strace");
        // Its first process has ended long before this one, slowed down, looks for it.
        Runtime.StartProgram("strace", new Options { Network = Network },
            ["-qq", "-o", "/dev/null", "-e", "trace=openat", "-e", "inject=openat:delay_enter=5000", Conman, "--root", Root, "--runroot", RunRoot, "run", "--rm", "--cgroup-parent", "/conman-test", Image, "/etc/passwd"])
            .ExitedWith(126).FailedWith("permission denied");
        AssertNoContainers();
    }

    [SkippableFact]
    public void What_it_writes_lasts_from_one_start_to_the_next()
    {
        RunDetached("--name", "keeper", Image, "sh", "-c", "cat /var/count 2>/dev/null; echo x >> /var/count");
        Run("wait", "keeper").Succeeded().Printed("0");
        Run("start", "keeper").Succeeded();
        Run("wait", "keeper").Succeeded();
        Assert.Equal("x\n", Run("logs", "keeper").Output);
    }

    [SkippableFact]
    public void A_name_is_one_containers()
    {
        Run("create", "--name", "mine", Image).Succeeded();
        Run("create", "--name", "mine", Image).ExitedWith(125).FailedWith("is already in use by container");
        Run("rm", "mine").Succeeded();
        Run("create", "--name", "mine", Image).Succeeded();
        Run("rm", "mine").Succeeded();
        AssertNoContainers();
    }

    [SkippableFact]
    public async Task One_that_has_just_ended_by_itself_is_not_started_again_when_it_is_stopped()
    {
        RunDetached("--name", "ended", "--restart", "always", Image, "sleep", "1000");
        int Pid(string of) => int.Parse(Inspect("ended", "{{.State." + of + "}}"), CultureInfo.InvariantCulture);
        var (monitor, init) = (Pid("MonitorPid"), Pid("Pid"));
        void Kill(string signal, int pid) => System.Diagnostics.Process.Start("kill", [signal, $"{pid}"]).WaitForExit();
        Kill("-STOP", monitor); // nobody hears of the end until it goes on
        Kill("-KILL", init);
        Wait.Until(() => File.ReadAllText($"/proc/{init}/stat").Contains(") Z "), "the end");
        var stop = Task.Run(() => Run("stop", "ended"));
        await Task.Delay(500); // more than it takes to look; less, and the test says nothing
        Kill("-CONT", monitor);
        (await stop).Succeeded();
        Assert.Equal("exited", Inspect("ended", "{{.State.Status}}"));
        Run("rm", "ended").Succeeded();
        AssertNoContainers();
    }

    [SkippableFact]
    public void A_policy_starts_it_again_until_somebody_stops_it()
    {
        RunDetached("--name", "again", "--restart", "always", Image, "sh", "-c", "echo run; exit 1");
        Wait.Until(() => Run("logs", "again").Lines.Length >= 3, "the third run");
        Run("stop", "again").Succeeded();
        Assert.Equal("exited", Inspect("again", "{{.State.Status}}"));
        Assert.True(int.Parse(Inspect("again", "{{.RestartCount}}"), CultureInfo.InvariantCulture) >= 2);
        Run("rm", "again").Succeeded();
        AssertNoContainers();
    }

    [SkippableFact]
    public void On_failure_it_is_started_so_many_times()
    {
        RunDetached("--name", "twice", "--restart", "on-failure:2", Image, "sh", "-c", "exit 1");
        Wait.Until(() => Inspect("twice", "{{.State.Status}} {{.RestartCount}}") == "exited 2", "the end of the second attempt");
    }

    [SkippableFact]
    public void The_death_of_who_runs_it_is_not_its_own()
    {
        Result run = Start(new Options(), "run", "--name", "child", "--cgroup-parent", "/conman-test", Image, "sh", "-c", "echo ready; sleep 1; echo later; sleep 1000");
        run.WaitForOutput("ready");
        System.Diagnostics.Process.GetProcessById(run.Pid).Kill();
        Wait.Until(() => Run("logs", "child").Output == "ready\nlater\n", "what it says without anybody there");
        Assert.Equal("running", Inspect("child", "{{.State.Status}}"));
        Run("rm", "-f", "child").Succeeded();
        AssertNoContainers();
    }

    [SkippableFact]
    public void The_death_of_its_monitor_is_not_its_own_either()
    {
        RunDetached("--name", "orphan", Image, "sh", "-c", Forever);
        int monitor = int.Parse(Inspect("orphan", "{{.State.MonitorPid}}"), CultureInfo.InvariantCulture);
        System.Diagnostics.Process.GetProcessById(monitor).Kill();
        Wait.ForExit(monitor);
        Assert.Equal("running", Inspect("orphan", "{{.State.Status}}"));
        Assert.Contains("unmonitored", Run("ps").Output, StringComparison.Ordinal);
        Run("rm", "-f", "orphan").Succeeded();
        AssertNoContainers();
    }

    [SkippableFact]
    public void A_volume_begins_with_what_the_image_has_there_and_outlives_the_container()
    {
        Assert.Contains("passwd", RunHere("--volume", "data:/etc", Image, "ls", "/etc").Succeeded().Output, StringComparison.Ordinal);
        RunHere("--volume", "data:/mnt", Image, "sh", "-c", "cat /mnt/passwd && echo new > /mnt/new").Succeeded();
        Assert.Equal("new\n", File.ReadAllText(Root + "/volumes/data/_data/new"));
        AssertNoContainers();
    }

    [SkippableFact]
    public void A_user_who_is_not_root_may_open_dev_stdout()
    {
        RunDetached("--name", "user", "--user", "1000", Image, "sh", "-c", "echo named > /dev/stdout; echo error > /dev/stderr");
        Run("wait", "user").Succeeded().Printed("0");
        Assert.Equal("named\n", Run("logs", "user").Output);
    }

    [SkippableFact]
    public void A_folder_is_a_root_file_system_too()
    {
        Run("run", "--rm", "--cgroup-parent", "/conman-test", "--rootfs", Bundle.Rootfs, "/bin/sh", "-c", "echo made > /var/made").Succeeded();
        Assert.Equal("made\n", File.ReadAllText(Bundle.Rootfs + "/var/made"));
        AssertNoContainers();
    }

    private Result RunHere(params string[] arguments) =>
        Run(["run", "--rm", "--cgroup-parent", "/conman-test", .. arguments.Contains(Image) ? arguments : [Image, .. arguments]]);
}
