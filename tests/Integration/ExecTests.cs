// A second process in a running container.
using System.Text.Json.Nodes;

namespace Conman.Integration.Tests;

public class ExecTests : ContainerTest
{
    private Result Exec(params string[] arguments) => Runtime.Run(["exec", .. arguments]);

    private static JsonObject Process(params string[] args) => new()
    {
        ["terminal"] = false,
        ["user"] = new JsonObject { ["uid"] = 0, ["gid"] = 0 },
        ["args"] = Tests.Bundle.Strings(args),
        ["env"] = Tests.Bundle.Strings("PATH=/bin"),
        ["cwd"] = "/",
    };

    [SkippableTheory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(42)]
    [InlineData(255)]
    public void Exec_exits_as_the_process_does(int code)
    {
        StartIdle(Bundle);
        Exec(Bundle.Id, "sh", "-c", $"exit {code}").ExitedWith(code);
    }

    [SkippableFact]
    public void An_added_capability_that_is_inheritable_is_ambient_too()
    {
        Bundle.Capabilities("CAP_KILL").Set("process/capabilities/inheritable", Tests.Bundle.Strings("CAP_SYSLOG"))
            .Set("process/capabilities/bounding", Tests.Bundle.Strings("CAP_KILL", "CAP_SYSLOG"));
        StartIdle(Bundle);
        Runtime.Run("exec", "--cap", "CAP_SYSLOG", Bundle.Id, "grep", "CapAmb", "/proc/self/status").Printed("CapAmb:\t0000000400000000");
    }

    [SkippableFact]
    public void Exec_exits_with_128_plus_the_signal()
    {
        StartIdle(Bundle);
        Exec(Bundle.Id, "sh", "-c", "kill -KILL $$").ExitedWith(137);
        Exec(Bundle.Id, "sh", "-c", "kill -TERM $$").ExitedWith(143);
    }

    [SkippableFact]
    public void The_process_is_in_every_namespace_and_the_cgroup_of_the_container()
    {
        int pid = StartIdle(Bundle);
        string[] names = ["mnt", "uts", "ipc", "net", "pid", "cgroup", "user"];
        string script = string.Join("; ", names.Select(n => $"readlink /proc/self/ns/{n}"));
        Exec(Bundle.Id, "sh", "-c", script).Printed([.. names.Select(n => new FileInfo($"/proc/{pid}/ns/{n}").LinkTarget!)]);
        Exec(Bundle.Id, "grep", "^0::", "/proc/self/cgroup").Printed("0::/");
        Exec(Bundle.Id, "readlink", "/proc/1/exe").Printed("/bin/busybox");
    }

    [SkippableFact]
    public void The_process_is_in_the_containers_time_namespace()
    {
        Skip.If(Runtime.IsRuncOlderThan(2), "runc knows time namespaces since 1.2");
        int pid = StartIdle(Bundle.Namespace("time").Set("linux/timeOffsets", new JsonObject { ["boottime"] = new JsonObject { ["secs"] = 1337, ["nanosecs"] = 0 } }));
        Exec(Bundle.Id, "readlink", "/proc/self/ns/time").Printed(new FileInfo($"/proc/{pid}/ns/time").LinkTarget!);
    }

    [SkippableFact]
    public void The_process_is_in_the_containers_user_namespace()
    {
        int pid = StartIdle(Bundle.UserNamespace());
        Exec(Bundle.Id, "sh", "-c", "readlink /proc/self/ns/user; id -u").Printed(new FileInfo($"/proc/{pid}/ns/user").LinkTarget!, "0");
    }

    [SkippableFact]
    public void Environment_and_folder_are_the_containers_when_not_told()
    {
        StartIdle(Bundle.Env("COLOUR=green").Set("process/cwd", "/etc"));
        Exec(Bundle.Id, "sh", "-c", "echo $COLOUR; pwd; echo $HOME").Printed("green", "/etc", "/root");
    }

    [SkippableFact]
    public void Flags_set_environment_folder_and_user()
    {
        StartIdle(Bundle);
        Exec("-e", "ONE=1", "-e", "TWO=2 3", Bundle.Id, "sh", "-c", "echo \"$ONE-$TWO\"").Printed("1-2 3");
        Exec("--env", "ONE=1", Bundle.Id, "sh", "-c", "echo $ONE").Printed("1");
        Exec("--cwd", "/bin", Bundle.Id, "pwd").Printed("/bin");
        Exec("--user", "1000:1001", Bundle.Id, "sh", "-c", "id -u; id -g").Printed("1000", "1001");
        Exec("-u", "1000", Bundle.Id, "sh", "-c", "id -u; id -g").Printed("1000", "0");
        Exec("--user", "1000:1001", "--additional-gids", "99", "--additional-gids", "100", Bundle.Id, "grep", "^Groups:", "/proc/self/status").Printed("Groups:\t99 100 ");
        Exec("--no-new-privs", Bundle.Id, "grep", "NoNewPrivs", "/proc/self/status").Printed("NoNewPrivs:\t1");
    }

    [SkippableFact]
    public void Flags_after_the_id_belong_to_the_command()
    {
        StartIdle(Bundle);
        Exec(Bundle.Id, "echo", "--cwd", "-e", "--", "x").Printed("--cwd -e -- x");
    }

    [SkippableFact]
    public void A_capability_can_be_added()
    {
        StartIdle(Bundle);
        Exec("--cap", "CAP_CHOWN", Bundle.Id, "awk", "/^CapEff/{print $2}", "/proc/self/status").Printed("0000000020000421");
        Exec(Bundle.Id, "awk", "/^Cap(Eff|Inh)/{print $2}", "/proc/self/status").Printed("0000000000000000", "0000000020000420");
    }

    [SkippableFact]
    public void A_process_is_described_by_a_file()
    {
        StartIdle(Bundle);
        JsonObject process = Process("sh", "-c", "echo $COLOUR; pwd; id -u; ulimit -n; grep NoNewPrivs /proc/self/status");
        process["env"] = Tests.Bundle.Strings("PATH=/bin", "COLOUR=blue");
        process["cwd"] = "/bin";
        process["user"] = new JsonObject { ["uid"] = 1000, ["gid"] = 1000 };
        process["rlimits"] = new JsonArray(new JsonObject { ["type"] = "RLIMIT_NOFILE", ["soft"] = 99, ["hard"] = 99 });
        process["noNewPrivileges"] = true;
        Exec("--process", Bundle.File("process.json", process.ToJsonString()), Bundle.Id).Printed("blue", "/bin", "1000", "99", "NoNewPrivs:\t1");
    }

    [SkippableTheory]
    [InlineData(0x3f, "0077")]
    [InlineData(null, "0022")]
    public void The_umask_is_the_one_of_the_file(int? umask, string expected)
    {
        Skip.If(umask is not null && Runtime.IsRuncOlderThan(2), "runc does not look at it, before 1.2");
        StartIdle(Bundle);
        JsonObject process = Process("sh", "-c", "umask");
        if (umask is { } value)
            process["user"]!["umask"] = value;
        Exec("--process", Bundle.File("process.json", process.ToJsonString()), Bundle.Id).Printed(expected);
    }

    [SkippableFact]
    public void A_detached_process_runs_on_and_its_pid_is_in_the_file()
    {
        StartIdle(Bundle);
        string file = Bundle.Folder + "/exec.pid";
        Result exec = Exec("--detach", "--pid-file", file, Bundle.Id, "sh", "-c", "echo ready; exec sleep 999").Succeeded();
        exec.WaitForOutput("ready");
        int pid = int.Parse(File.ReadAllText(file));
        Wait.Until(() => File.ReadAllText($"/proc/{pid}/cmdline") == "sleep\0999\0", "the shell to become sleep");
        Runtime.Run("kill", Bundle.Id, "KILL").Succeeded();
        Wait.ForExit(pid);
    }

    [SkippableFact]
    public void Exec_passes_standard_input_and_keeps_the_outputs_apart()
    {
        StartIdle(Bundle);
        Result exec = Runtime.Run(new Options { Input = "text" }, "exec", Bundle.Id, "sh", "-c", "cat; echo err >&2").Succeeded();
        Assert.Equal(("text", "err\n"), (exec.Output, exec.Error));
    }

    [SkippableFact]
    public void Exec_passes_only_the_descriptors_asked_for()
    {
        StartIdle(Bundle);
        string three = Bundle.File("three", "3"), four = Bundle.File("four", "4");
        var options = new Options { Redirections = $"3<{three} 4<{four}" };
        Runtime.Run(options, "exec", "--preserve-fds", "1", Bundle.Id, "sh", "-c", "cat <&3; [ -e /proc/self/fd/4 ] || echo -n .").Printed("3.");
        Runtime.Run(options, "exec", Bundle.Id, "ls", "/proc/self/fd").Printed("0", "1", "2", "3");
    }

    [SkippableFact]
    public void Exec_forwards_signals()
    {
        StartIdle(Bundle);
        Result exec = Runtime.Start(new Options(), "exec", Bundle.Id, "sh", "-c", "trap 'exit 7' TERM; echo ready; while :; do sleep 0.01; done");
        exec.WaitForOutput("ready");
        Libc.Check(Libc.kill(exec.Pid, Libc.SIGTERM), "send TERM");
        exec.ExitedWith(7);
    }

    [SkippableTheory]
    [InlineData("created")]
    [InlineData("stopped")]
    public void Exec_needs_a_running_container_or_one_being_created(string status)
    {
        Runtime.Create(Bundle.Args("true")).Succeeded();
        if (status == "created")
        {
            Exec(Bundle.Id, "echo", "here").Printed("here");
            return;
        }
        Runtime.Run("start", Bundle.Id).Succeeded();
        Runtime.WaitForStatus(Bundle.Id, status);
        Exec(Bundle.Id, "true").FailedWith("stopped");
    }

    [SkippableTheory]
    [InlineData("foo", "exec: \"foo\": executable file not found in $PATH")]
    [InlineData("/bin/foo", "/bin/foo")]
    [InlineData("/etc/passwd", "permission denied")]
    public void A_command_that_cannot_be_run_is_named(string command, string text)
    {
        StartIdle(Bundle);
        Exec(Bundle.Id, command).FailedWith(text);
        Assert.Equal("running", Runtime.Status(Bundle.Id));
    }

    [SkippableFact]
    public void Exec_without_a_command_is_refused()
    {
        StartIdle(Bundle);
        Assert.NotEqual(0, Exec(Bundle.Id).ExitCode);
    }

    [SkippableFact]
    public void A_working_folder_that_is_an_open_descriptor_is_refused()
    {
        // CVE-2024-21626, by exec.
        StartIdle(Bundle);
        Bundle.File("canary", "escaped");
        for (int fd = 3; fd < 14; fd++)
        {
            Result exec = Exec("--cwd", $"/proc/self/fd/{fd}", Bundle.Id, "cat", $"../../../../../..{Bundle.Folder}/canary");
            Assert.DoesNotContain("escaped", exec.Output);
            Assert.NotEqual(0, exec.ExitCode);
        }
    }

    [SkippableFact]
    public void The_filter_of_the_container_holds_for_exec_too()
    {
        StartIdle(Bundle.Set("linux/seccomp", new JsonObject
        {
            ["defaultAction"] = "SCMP_ACT_ALLOW",
            ["syscalls"] = new JsonArray(new JsonObject { ["names"] = Tests.Bundle.Strings("mkdir", "mkdirat"), ["action"] = "SCMP_ACT_ERRNO" }),
        }));
        Exec(Bundle.Id, "mkdir", "/tmp/new").FailedWith("Operation not permitted");
    }

    [SkippableFact]
    public void Many_processes_at_once_do_not_get_in_each_others_way()
    {
        StartIdle(Bundle);
        Result[] all = [.. Enumerable.Range(0, 8).Select(i => Runtime.Start(new Options(), "exec", Bundle.Id, "sh", "-c", $"echo {i}; exit {i}"))];
        for (int i = 0; i < all.Length; i++)
        {
            all[i].ExitedWith(i);
            Assert.Equal($"{i}\n", all[i].Output);
        }
    }

    [SkippableFact]
    public void C13_exec_into_a_frozen_container_is_an_error_and_no_hang()
    {
        StartIdle(Bundle);
        Runtime.Run("pause", Bundle.Id).Succeeded();
        Exec(Bundle.Id, "true").FailedWith("cannot exec in a paused container (use --ignore-paused to override)");
        Runtime.Run("resume", Bundle.Id).Succeeded();
        Exec(Bundle.Id, "true").Succeeded();
    }

    [SkippableFact]
    public void C13_exec_into_a_container_that_is_frozen_from_above_is_an_error_and_no_hang()
    {
        Skip.If(Runtime.IsRunc, "it hangs");
        Bundle.Set("linux/cgroupsPath", $"/conman-test/{Bundle.Id}-above/inner");
        StartIdle(Bundle);
        string[] folders = [.. Leftovers.Cgroups([Bundle.Id]).Where(path => path.EndsWith("-above", StringComparison.Ordinal))]; // one in each hierarchy
        string above = folders.Single(path => File.Exists(path + "/cgroup.freeze"));
        try
        {
            File.WriteAllText(above + "/cgroup.freeze", "1");
            Wait.Until(() => File.ReadAllText(above + "/inner/cgroup.events").Contains("frozen 1", StringComparison.Ordinal), "the freezer");
            Exec(Bundle.Id, "true").FailedWith("frozen");
        }
        finally
        {
            File.WriteAllText(above + "/cgroup.freeze", "0");
            Runtime.Run("delete", "--force", Bundle.Id).Succeeded();
            foreach (string folder in folders)
                Directory.Delete(folder);
        }
    }

    [SkippableFact]
    public void Exec_that_ignores_a_pause_waits_for_its_end()
    {
        StartIdle(Bundle);
        Runtime.Run("pause", Bundle.Id).Succeeded();
        Result exec = Runtime.Start(new Options(), "exec", "--ignore-paused", Bundle.Id, "echo", "resumed");
        Wait.Until(() => Runtime.Run("ps", "--format", "json", Bundle.Id).Output.Contains(',', StringComparison.Ordinal), "the process to be in the container");
        Assert.True(exec.Running);
        Runtime.Run("resume", Bundle.Id).Succeeded();
        exec.Printed("resumed");
    }

    [SkippableFact]
    public void C13_exec_into_a_container_whose_first_process_is_traced_does_not_hang()
    {
        int pid = StartIdle(Bundle);
        Libc.Check(Libc.ptrace(16 /* PTRACE_ATTACH */, pid, 0, 0), "trace the container");
        try
        {
            Wait.Until(() => File.ReadAllText($"/proc/{pid}/status").Contains("tracing stop", StringComparison.Ordinal), "it to stop");
            Exec(Bundle.Id, "echo", "here").Printed("here");
        }
        finally
        {
            Runtime.Run("delete", "--force", Bundle.Id).Succeeded(); // the tracer's thread may be another by now: not detached
        }
        AssertNothingLeft();
    }

    [SkippableFact]
    public void C13_exec_into_a_container_whose_first_process_is_a_zombie_is_an_error()
    {
        Result run = Runtime.StartContainer(Bundle.Shell("echo ready; exec sleep 1000"), new Options());
        run.WaitForOutput("ready");
        int pid = Runtime.Pid(Bundle.Id);
        Libc.Check(Libc.kill(run.Pid, Libc.SIGSTOP), "stop whoever would wait for it");
        Libc.Check(Libc.kill(pid, Libc.SIGKILL), "kill the container");
        Wait.Until(() => File.ReadAllText($"/proc/{pid}/stat").Contains(") Z ", StringComparison.Ordinal), "it to be a zombie");
        Exec(Bundle.Id, "true").FailedWith("cannot exec in a stopped container");
        Libc.Check(Libc.kill(run.Pid, Libc.SIGCONT), "go on");
        run.ExitedWith(137);
    }

    [SkippableFact]
    public void Flags_go_over_what_the_file_says()
    {
        Skip.If(Runtime.IsRunc, "it looks at one of the two");
        StartIdle(Bundle);
        string file = Bundle.File("process.json", Process("sh", "-c", "pwd; id -u; echo $COLOUR").ToJsonString());
        Exec("--process", file, "--cwd", "/etc", "--user", "7", "--env", "COLOUR=red", Bundle.Id).Printed("/etc", "7", "red");
    }

    [SkippableTheory]
    [InlineData("foo")]
    [InlineData(":5")]
    [InlineData("5:")]
    [InlineData("1:2:3")]
    [InlineData("4294967296")]
    public void A_user_that_is_no_id_is_refused(string user)
    {
        StartIdle(Bundle);
        Exec("--user", user, Bundle.Id, "id", "-u").FailedWith(Runtime.IsRuncOlderThan(5) ? "failed: " : "bad ");
    }

    [SkippableTheory]
    [InlineData("NAME")]
    [InlineData("=value")]
    public void A_variable_without_a_name_is_refused(string variable)
    {
        Skip.If(Runtime.IsRuncOlderThan(3), "it takes it, before 1.3");
        StartIdle(Bundle);
        Exec("--env", variable, Bundle.Id, "true").FailedWith("environment variable");
    }

    [SkippableFact]
    public void A_capability_that_the_kernel_does_not_know_is_warned_of()
    {
        StartIdle(Bundle);
        Result exec = Exec("--cap", "CAP_NOSUCH", Bundle.Id, "true").Succeeded();
        Assert.Contains("CAP_NOSUCH", exec.Error);
    }

    [SkippableFact]
    public void An_orphan_of_exec_does_not_outlive_the_container()
    {
        StartIdle(Bundle);
        Exec(Bundle.Id, "sh", "-c", "sleep 998 </dev/null >/dev/null 2>&1 & exit 0").Succeeded();
        Runtime.Run("delete", "--force", Bundle.Id).Succeeded();
        AssertNothingLeft();
    }
}
