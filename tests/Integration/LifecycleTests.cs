// The life of a container through the runtime's commands: create, start, state, kill, delete, run, list.
using System.Globalization;
using System.Text.Json.Nodes;

namespace Conman.Integration.Tests;

public class LifecycleTests : ContainerTest
{
    [SkippableFact]
    public void Killing_ends_what_the_first_process_left_behind_in_the_hosts_pid_namespace()
    {
        Skip.If(Runtime.IsRuncOlderThan(2), "runc finds them since 1.2");
        Bundle.WithoutNamespace("pid").Args("sleep", "1000");
        Runtime.CreateAndStart(Bundle);
        Runtime.Run("exec", "--detach", "--pid-file", Bundle.Folder + "/pid", Bundle.Id, "sleep", "1001").Succeeded();
        int pid = int.Parse(File.ReadAllText(Bundle.Folder + "/pid"), CultureInfo.InvariantCulture);
        Runtime.Run("kill", Bundle.Id, "TERM");
        Wait.Until(() => Runtime.Run("state", Bundle.Id).Output.Contains("stopped", StringComparison.Ordinal), "its end");
        Runtime.Run("kill", Bundle.Id, "KILL").Succeeded();
        Wait.Until(() => !Directory.Exists("/proc/" + pid), "the end of what it left");
        Runtime.Run("kill", Bundle.Id, "KILL").FailedWith("container not running");
    }

    [SkippableFact]
    public void A_container_goes_from_created_to_running_to_stopped_to_gone()
    {
        Bundle.Shell("echo ready; exec sleep 1000");
        Result create = Runtime.Create(Bundle).Succeeded();
        Assert.Equal("created", Runtime.Status(Bundle.Id));
        Assert.Equal("", create.Output);
        int pid = Runtime.Pid(Bundle.Id);

        Runtime.Run("start", Bundle.Id).Succeeded();
        create.WaitForOutput("ready");
        Assert.Equal("running", Runtime.Status(Bundle.Id));
        Assert.Equal(pid, Runtime.Pid(Bundle.Id));

        Runtime.Run("kill", Bundle.Id, "KILL").Succeeded();
        Wait.ForExit(pid);
        Runtime.WaitForStatus(Bundle.Id, "stopped");

        Runtime.Run("delete", Bundle.Id).Succeeded();
        Runtime.Run("state", Bundle.Id).FailedWith("does not exist");
        AssertNothingLeft();
    }

    [SkippableTheory]
    [InlineData("exit 0", 0)]
    [InlineData("exit 1", 1)]
    [InlineData("exit 3", 3)]
    [InlineData("exit 255", 255)]
    public void Run_exits_as_the_container_does(string script, int code)
    {
        Runtime.RunContainer(Bundle.Shell(script)).ExitedWith(code);
        AssertNothingLeft();
    }

    [SkippableTheory]
    [InlineData("KILL", 137)]
    [InlineData("TERM", 143)]
    [InlineData("USR1", 138)]
    public void Run_exits_with_128_plus_the_signal_that_killed_the_container(string signal, int code)
    {
        // Without a pid namespace: the first process of one does not die of a signal that it does not handle.
        Bundle.WithoutNamespace("pid").Shell("echo ready; exec sleep 1000");
        Result run = Runtime.StartContainer(Bundle, new Options());
        run.WaitForOutput("ready");
        Runtime.Run("kill", Bundle.Id, signal).Succeeded();
        run.ExitedWith(code);
    }

    [SkippableFact]
    [Proves("state: annotations.*", "state: bundle", "state: id", "state: ociVersion", "state: pid", "state: status")]
    public void State_tells_what_the_specification_asks_for()
    {
        Bundle.Set("annotations", new JsonObject { ["org.example.colour"] = "green" });
        int pid = StartIdle(Bundle);
        JsonObject state = Runtime.State(Bundle.Id);
        Assert.Matches(@"^1\.\d+\.\d+", (string?)state["ociVersion"]);
        Assert.Equal(Bundle.Id, (string?)state["id"]);
        Assert.Equal("running", (string?)state["status"]);
        Assert.Equal(pid, (int?)state["pid"]);
        Assert.Equal(Bundle.Folder, (string?)state["bundle"]);
        Assert.Equal(Bundle.Rootfs, (string?)state["rootfs"]);
        Assert.Equal("green", (string?)state["annotations"]?["org.example.colour"]);
        Assert.True(DateTimeOffset.TryParse((string?)state["created"], out _), $"created: {state["created"]}");
    }

    [SkippableFact]
    public void State_of_a_stopped_container_has_no_pid()
    {
        Runtime.CreateAndStart(Bundle.Shell("exit 0"));
        Runtime.WaitForStatus(Bundle.Id, "stopped");
        Assert.Equal(0, (int?)Runtime.State(Bundle.Id)["pid"] ?? 0);
    }

    [SkippableFact]
    public void List_shows_a_table_json_or_ids()
    {
        int pid = StartIdle(Bundle);
        Bundle other = NewBundle();
        Runtime.Create(other.Args("true")).Succeeded();

        string[] table = Runtime.Run("list").Succeeded().Lines;
        Assert.Matches(@"^ID +PID +STATUS +BUNDLE +CREATED +OWNER *$", table[0]);
        Assert.Equal(3, table.Length);
        Assert.Matches($@"^{Bundle.Id} +{pid} +running +{Bundle.Folder} +\d{{4}}-\d\d-\d\dT[0-9:.]+Z +root *$",
            table.Single(line => line.StartsWith(Bundle.Id + " ", StringComparison.Ordinal)));
        Assert.Contains(table, line => line.StartsWith(other.Id + " ", StringComparison.Ordinal) && line.Contains(" created "));

        JsonArray json = JsonNode.Parse(Runtime.Run("list", "--format", "json").Succeeded().Output)!.AsArray();
        Assert.Equal([Bundle.Id, other.Id], json.Select(c => (string)c!["id"]!).Order());
        foreach (string field in (string[])["ociVersion", "id", "pid", "status", "bundle", "rootfs", "created", "owner"])
            Assert.True(json[0]!.AsObject().ContainsKey(field), $"no {field} in {json[0]}");

        Assert.Equal([Bundle.Id, other.Id], Runtime.Run("list", "-q").Succeeded().Lines.Order());
        Assert.Equal([Bundle.Id, other.Id], Runtime.Run("list", "--quiet").Succeeded().Lines.Order());
        Assert.Equal(2, JsonNode.Parse(Runtime.Run("list", "-f", "json").Succeeded().Output)!.AsArray().Count);
    }

    [SkippableFact]
    public void List_of_no_containers_is_a_header_only()
    {
        Directory.CreateDirectory(Runtime.Root);
        Assert.Matches("^ID +PID +STATUS ", Assert.Single(Runtime.Run("list").Succeeded().Lines));
        Assert.Equal("null", Runtime.Run("list", "--format", "json").Succeeded().Output.Trim());
        Assert.Empty(Runtime.Run("list", "-q").Succeeded().Output);
    }

    [SkippableFact]
    public void Ps_lists_the_processes_with_their_host_pids()
    {
        int pid = StartIdle(Bundle);
        Assert.Equal([pid], JsonNode.Parse(Runtime.Run("ps", "--format", "json", Bundle.Id).Succeeded().Output)!.AsArray().Select(p => (int)p!));
    }

    /// <summary>A node keeps many pods between create and start; what waits there must cost next to nothing.</summary>
    [SkippableFact]
    public void A_container_that_waits_for_start_costs_less_than_200_kilobytes()
    {
        Skip.If(Runtime.IsRunc, "runc waits with a Go heap");
        Runtime.Create(Bundle.Args("true")).Succeeded();
        string pss = File.ReadLines($"/proc/{Runtime.Pid(Bundle.Id)}/smaps_rollup").Single(line => line.StartsWith("Pss:", StringComparison.Ordinal));
        Assert.InRange(int.Parse(pss.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1]), 1, 200);
    }

    [SkippableFact]
    public void An_id_can_be_used_once()
    {
        Runtime.Create(Bundle.Args("true")).Succeeded();
        Runtime.Create(Bundle).FailedWith("exist");
        Assert.Equal("created", Runtime.Status(Bundle.Id));
        Runtime.RunContainer(Bundle).FailedWith("exist");
        Assert.Equal("created", Runtime.Status(Bundle.Id));
    }

    [SkippableTheory]
    [InlineData("state")]
    [InlineData("start")]
    [InlineData("kill")]
    [InlineData("delete")]
    [InlineData("exec")]
    [InlineData("pause")]
    [InlineData("resume")]
    [InlineData("ps")]
    [InlineData("update")]
    public void An_unknown_id_does_not_exist(string command) =>
        Runtime.Run(command == "exec" ? [command, "nosuch", "true"] : [command, "nosuch"]).FailedWith("container does not exist");

    [SkippableFact]
    public void Deleting_an_unknown_id_by_force_is_no_error() => Runtime.Run("delete", "--force", "nosuch").Succeeded();

    [SkippableFact]
    public void A_stopped_container_cannot_be_killed()
    {
        Runtime.CreateAndStart(Bundle.Shell("exit 0"));
        Runtime.WaitForStatus(Bundle.Id, "stopped");
        Runtime.Run("kill", Bundle.Id, "KILL").FailedWith("container not running");
    }

    [SkippableTheory]
    [InlineData("USR1")]
    [InlineData("SIGUSR1")]
    [InlineData("usr1")]
    [InlineData("10")]
    public void Kill_takes_a_signal_by_name_or_number(string signal)
    {
        Result run = Runtime.CreateAndStart(Bundle.Shell("trap 'echo got it; exit 0' USR1; echo ready; while :; do sleep 0.01; done"));
        run.WaitForOutput("ready");
        Runtime.Run("kill", Bundle.Id, signal).Succeeded();
        run.WaitForOutput("got it");
        Runtime.WaitForStatus(Bundle.Id, "stopped");
    }

    [SkippableFact]
    public void Kill_sends_term_when_not_told()
    {
        Result run = Runtime.CreateAndStart(Bundle.Shell("trap 'echo got it; exit 0' TERM; echo ready; while :; do sleep 0.01; done"));
        run.WaitForOutput("ready");
        Runtime.Run("kill", Bundle.Id).Succeeded();
        run.WaitForOutput("got it");
    }

    [SkippableFact]
    public void An_unknown_signal_is_refused()
    {
        StartIdle(Bundle);
        Runtime.Run("kill", Bundle.Id, "NOSUCH").FailedWith("NOSUCH");
        Assert.Equal("running", Runtime.Status(Bundle.Id));
    }

    // The first process of a pid namespace hears only what it has a handler for.
    [SkippableTheory]
    [InlineData("HUP")]
    [InlineData("INT")]
    [InlineData("TERM")]
    public void A_created_container_ends_when_asked_to(string signal)
    {
        Runtime.Create(Bundle.Args("sleep", "1000")).Succeeded();
        Runtime.Run("kill", Bundle.Id, signal).Succeeded();
        Runtime.WaitForStatus(Bundle.Id, "stopped");
    }

    [SkippableFact]
    public void A_created_container_can_be_killed()
    {
        Runtime.Create(Bundle.Args("true")).Succeeded();
        int pid = Runtime.Pid(Bundle.Id);
        Runtime.Run("kill", Bundle.Id, "KILL").Succeeded();
        Wait.ForExit(pid);
        Runtime.WaitForStatus(Bundle.Id, "stopped");
        Runtime.Run("delete", Bundle.Id).Succeeded();
        AssertNothingLeft();
    }

    [SkippableFact]
    public void A_running_container_is_not_deleted()
    {
        StartIdle(Bundle);
        Runtime.Run("delete", Bundle.Id).FailedWith(Bundle.Id);
        Assert.Equal("running", Runtime.Status(Bundle.Id));
    }

    [SkippableTheory]
    [InlineData("created")]
    [InlineData("running")]
    [InlineData("stopped")]
    [InlineData("paused")]
    public void Delete_by_force_removes_a_container_in_any_state(string status)
    {
        if (status == "created")
            Runtime.Create(Bundle.Args("true")).Succeeded();
        else if (status == "stopped")
            Runtime.CreateAndStart(Bundle.Args("true"));
        else
            StartIdle(Bundle);
        if (status == "paused")
            Runtime.Run("pause", Bundle.Id).Succeeded();
        Runtime.WaitForStatus(Bundle.Id, status);
        Runtime.Run("delete", "--force", Bundle.Id).Succeeded();
        AssertNothingLeft();
    }

    [SkippableFact]
    public void Delete_by_force_ends_all_processes_of_a_container_without_a_pid_namespace()
    {
        Skip.If(Runtime.IsRuncOlderThan(2), "runc may leave the cgroup behind, before 1.2");
        Bundle.WithoutNamespace("pid").Shell("sleep 1000 & echo ready; exec sleep 1000");
        int pid = StartReady(Bundle);
        Runtime.Run("delete", "--force", Bundle.Id).Succeeded();
        Wait.ForExit(pid);
        AssertNothingLeft();
    }

    [SkippableFact]
    public void A_container_whose_first_process_ended_can_be_deleted_though_others_live()
    {
        Skip.If(Runtime.IsRuncOlderThan(2), "runc leaves the cgroup behind, before 1.2");
        Bundle.WithoutNamespace("pid").Shell("sleep 1000 & echo ready");
        Runtime.CreateAndStart(Bundle);
        Runtime.WaitForStatus(Bundle.Id, "stopped");
        Runtime.Run("delete", "--force", Bundle.Id).Succeeded();
        AssertNothingLeft();
    }

    [SkippableFact]
    public void Pause_freezes_and_resume_thaws()
    {
        StartIdle(Bundle);
        Runtime.Run("pause", Bundle.Id).Succeeded();
        Assert.Equal("paused", Runtime.Status(Bundle.Id));
        Assert.Contains("frozen 1", File.ReadAllText(Bundle.Cgroup + "/cgroup.events"));
        Runtime.Run("exec", Bundle.Id, "true").FailedWith("paused");
        Runtime.Run("resume", Bundle.Id).Succeeded();
        Assert.Equal("running", Runtime.Status(Bundle.Id));
        Runtime.Run("exec", Bundle.Id, "true").Succeeded();
    }

    [SkippableFact]
    public void A_container_is_started_once()
    {
        StartIdle(Bundle);
        Runtime.Run("start", Bundle.Id).FailedWith("running");
        Assert.Equal("running", Runtime.Status(Bundle.Id));
    }

    [SkippableFact]
    public void A_stopped_container_is_not_started()
    {
        Runtime.CreateAndStart(Bundle.Args("true"));
        Runtime.WaitForStatus(Bundle.Id, "stopped");
        Runtime.Run("start", Bundle.Id).FailedWith("stopped");
    }

    [SkippableTheory]
    [InlineData("create")]
    [InlineData("run")]
    public void The_pid_file_holds_the_pid_and_nothing_else(string command)
    {
        string file = Bundle.Folder + "/pid";
        Bundle.Args("sleep", "1000").Save();
        Runtime.Run([command, "--bundle", Bundle.Folder, "--pid-file", file, .. command == "run" ? (string[])["--detach"] : [], Bundle.Id]).Succeeded();
        Assert.Equal(Runtime.Pid(Bundle.Id).ToString(), File.ReadAllText(file));
    }

    [SkippableFact]
    public void The_bundle_is_the_working_folder_when_not_named()
    {
        Bundle.Shell("echo here").Save();
        Runtime.Run(new Options { WorkingFolder = Bundle.Folder }, "run", Bundle.Id).Printed("here");
    }

    [SkippableFact]
    public void A_relative_bundle_and_pid_file_belong_to_the_working_folder()
    {
        Bundle.Args("sleep", "1000").Save();
        Runtime.Run(new Options { WorkingFolder = Bundle.Folder + "/rootfs" }, "create", "-b", "..", "--pid-file", "../pid", Bundle.Id).Succeeded();
        Assert.Equal(Runtime.Pid(Bundle.Id).ToString(), Bundle.Read("pid"));
        Assert.Equal(Bundle.Folder, (string?)Runtime.State(Bundle.Id)["bundle"]);
    }

    [SkippableFact]
    [Proves("root.path")]
    public void A_root_file_system_may_be_named_by_an_absolute_path() =>
        Runtime.RunContainer(Bundle.Set("root/path", Bundle.Rootfs).Shell("echo here")).Printed("here");

    [SkippableFact]
    public void Preserved_descriptors_reach_the_container_and_others_do_not()
    {
        string three = Bundle.File("three", "3"), four = Bundle.File("four", "4"), five = Bundle.File("five", "5");
        Bundle.Shell("cat <&3; cat <&4; [ -e /proc/self/fd/5 ] || echo -n .");
        Runtime.RunContainer(Bundle, new Options { Redirections = $"3<{three} 4<{four} 5<{five}" }, "--preserve-fds", "2").Printed("34.");
    }

    [SkippableFact]
    public void Listening_descriptors_are_passed_on_with_their_variables()
    {
        string three = Bundle.File("three", "3");
        Bundle.Shell("echo $LISTEN_FDS $LISTEN_PID; cat <&3");
        Runtime.RunContainer(Bundle, new Options { Redirections = "3<" + three, Environment = { ["LISTEN_FDS"] = "1" } }).Printed("1 1", "3");
    }

    [SkippableFact]
    public void State_is_kept_below_the_root_folder_only()
    {
        StartIdle(Bundle);
        Assert.NotEmpty(Directory.EnumerateFileSystemEntries(Runtime.Root));
        string elsewhere = Bundle.Subfolder("elsewhere");
        Runtime.StartBare(new Options(), "--root", elsewhere, "state", Bundle.Id).FailedWith("does not exist");
    }

    [SkippableFact]
    public void Errors_are_also_written_to_the_log()
    {
        string log = Bundle.Folder + "/log.json";
        Runtime.StartBare(new Options(), "--root", Runtime.Root, "--log", log, "--log-format", "json", "state", "nosuch").ExitedWith(1);
        JsonNode last = JsonNode.Parse(File.ReadAllLines(log)[^1])!;
        Assert.Equal("error", (string?)last["level"]);
        Assert.Contains("container does not exist", (string?)last["msg"]);
        Assert.True(DateTimeOffset.TryParse((string?)last["time"], out _));
    }

    [SkippableFact]
    public void The_log_in_text_names_level_and_message()
    {
        string log = Bundle.Folder + "/log.text";
        Runtime.StartBare(new Options(), "--root", Runtime.Root, "--log", log, "state", "nosuch").ExitedWith(1);
        Assert.Matches("^time=\"[^\"]+\" level=error msg=\".*container does not exist.*\"$", File.ReadAllLines(log)[^1]);
    }

    [SkippableFact]
    public void Run_detached_returns_while_the_container_runs_on()
    {
        Result run = Runtime.RunContainer(Bundle.Shell("echo ready; exec sleep 1000"), "--detach").Succeeded();
        run.WaitForOutput("ready");
        Assert.Equal("running", Runtime.Status(Bundle.Id));
        Wait.Until(() => !run.Running, "run --detach to end");
    }

    [SkippableFact]
    public void Run_in_the_foreground_forwards_signals()
    {
        Result run = Runtime.StartContainer(
            Bundle.Shell("trap 'echo hup' HUP; trap 'echo real time' 37; trap 'exit 7' TERM; echo ready; while :; do sleep 0.01; done"), new Options());
        run.WaitForOutput("ready");
        Libc.Check(Libc.kill(run.Pid, Libc.SIGHUP), "send HUP");
        run.WaitForOutput("hup");
        Libc.Check(Libc.kill(run.Pid, 37), "send RTMIN+3");
        run.WaitForOutput("real time");
        Libc.Check(Libc.kill(run.Pid, Libc.SIGTERM), "send TERM");
        run.ExitedWith(7);
        AssertNothingLeft();
    }

    [SkippableTheory]
    [InlineData("delete", "--force")]
    [InlineData("update", "--pids-limit", "100")]
    public void Other_commands_work_on_a_container_while_run_waits_for_it(params string[] command)
    {
        Result run = Runtime.StartContainer(Bundle.Shell("echo ready; exec sleep 1000"), new Options());
        run.WaitForOutput("ready");
        Result other = Runtime.Run([.. command, Bundle.Id]);
        if (command[0] == "delete")
            other.Succeeded();
        else
            Runtime.Run("kill", Bundle.Id, "KILL").Succeeded();
        run.ExitedWith(137);
        AssertNothingLeft();
    }

    [SkippableFact]
    public void Run_keeps_a_stopped_container_when_asked()
    {
        Runtime.RunContainer(Bundle.Shell("exit 4"), "--keep").ExitedWith(4);
        Assert.Equal("stopped", Runtime.Status(Bundle.Id));
        Runtime.Run("delete", Bundle.Id).Succeeded();
        AssertNothingLeft();
    }

    [SkippableFact]
    public void Standard_input_reaches_the_container_through_a_pipe()
    {
        Result run = Runtime.StartContainer(Bundle.Args("cat"), new Options { InputPipe = true });
        run.Input.Write("one\n");
        run.Input.Flush();
        run.WaitForOutput("one");
        run.Input.Write("two\n");
        run.Input.Close();
        run.Printed("one", "two");
    }

    [SkippableFact]
    public void Large_output_arrives_whole_through_a_pipe()
    {
        Bundle.Shell("head -c 20000000 /dev/zero | tr '\\0' x");
        Result run = Runtime.StartContainer(Bundle, new Options { OutputPipe = true });
        Assert.Equal(20_000_000, run.Output.Length);
        run.Succeeded();
    }

    [SkippableFact]
    public void Large_input_arrives_whole() =>
        Runtime.RunContainer(Bundle.Args("wc", "-c"), new Options { Input = new string('x', 5_000_000) }).Printed("5000000");

    [SkippableFact]
    public void Standard_output_and_error_stay_apart()
    {
        Result run = Runtime.RunContainer(Bundle.Shell("echo out; echo err >&2")).Succeeded();
        Assert.Equal("out\n", run.Output);
        Assert.Equal("err\n", run.Error);
    }

    [SkippableFact]
    public void Orphans_in_the_container_die_with_its_first_process()
    {
        Runtime.RunContainer(Bundle.Shell("sleep 1000 & exit 0")).Succeeded();
        AssertNothingLeft();
    }

    [SkippableFact]
    public void The_version_names_the_runtime_and_the_specification()
    {
        Result version = Runtime.StartBare(new Options(), "--version").Succeeded();
        Assert.Matches(@"\d+\.\d+", version.Lines[0]);
        Assert.Contains(version.Lines, line => line.StartsWith("spec: 1.", StringComparison.Ordinal));
    }

    [SkippableFact]
    public void Features_are_json_that_says_what_the_runtime_knows()
    {
        JsonNode features = JsonNode.Parse(Runtime.StartBare(new Options(), "features").Succeeded().Output)!;
        Assert.Contains("createRuntime", features["hooks"]!.AsArray().Select(h => (string)h!));
        Assert.Contains("rbind", features["mountOptions"]!.AsArray().Select(h => (string)h!));
        Assert.Contains("mount", features["linux"]!["namespaces"]!.AsArray().Select(h => (string)h!));
    }
}
