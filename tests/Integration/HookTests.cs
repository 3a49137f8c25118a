// Hooks of all six kinds: when they run, where, what they are told, and what becomes of the container if one fails, hangs or kills (C12).
using System.Text.Json.Nodes;

namespace Conman.Integration.Tests;

public class HookTests : ContainerTest
{
    private static readonly string[] Kinds = ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"];

    /// <summary>A hook that runs a script with the host's shell, or, for startContainer, with the container's.</summary>
    private Bundle Hook(string kind, string script, params string[] env)
    {
        var hook = new JsonObject { ["path"] = "/bin/sh", ["args"] = Tests.Bundle.Strings("sh", "-c", script) };
        if (env.Length > 0)
            hook["env"] = Tests.Bundle.Strings(env);
        return Bundle.Add("hooks/" + kind, hook);
    }

    /// <summary>A folder that is at the same path inside and outside, so that any hook can write to it.</summary>
    private string SharedFolder()
    {
        string folder = Bundle.Subfolder("notes");
        Bundle.Bind(folder, "/notes", "bind");
        Bundle.Writable();
        return folder;
    }

    private static string Notes(string kind, string folder) => kind == "startContainer" ? "/notes" : folder;

    [SkippableTheory]
    [InlineData("prestart")]
    [InlineData("createRuntime")]
    [InlineData("createContainer")]
    [InlineData("poststart")]
    [InlineData("poststop")]
    public void A_hook_of_the_host_that_names_no_environment_has_that_of_the_runtime(string kind)
    {
        Skip.If(Runtime.IsRunc && kind == "createContainer", "runc gives it that of its own init");
        Hook(kind, $"echo \"$FROM_HOST $PATH\" >{SharedFolder()}/env");
        Runtime.RunContainer(Bundle.Args("true"), new Options { Environment = { ["FROM_HOST"] = "1" } }).Succeeded();
        Assert.Equal($"1 {Environment.GetEnvironmentVariable("PATH")}\n", Bundle.Read("notes/env"));
    }

    [SkippableFact]
    public void A_startContainer_hook_that_names_no_environment_has_that_of_the_process()
    {
        string folder = SharedFolder();
        Bundle.Env("PATH=/bin", "ONE=two").Args("true");
        Hook("startContainer", "echo $ONE $HOME >/notes/env");
        Runtime.RunContainer(Bundle).Succeeded();
        Assert.Matches("^two /.*\n$", File.ReadAllText(folder + "/env"));
    }

    // Its program is the image's: it may do no more than what it comes before (runc: "startContainer hook is run with the seccomp filters applied").
    [SkippableTheory]
    [InlineData("run", false)]
    [InlineData("run", true)]
    [InlineData("start", false)]
    public void A_startContainer_hook_is_confined_like_the_process(string command, bool noNewPrivileges)
    {
        Skip.If(Runtime.IsRunc, "runc runs it with the filter too, and learns of its end too late to say so");
        string folder = SharedFolder();
        File.SetUnixFileMode(folder, (UnixFileMode)0x1ff /* 0777 */);
        Bundle.User(1000, 1001).Capabilities().Set("process/noNewPrivileges", noNewPrivileges).Set("process/cwd", "/notes").Set("linux/seccomp", new JsonObject
        {
            ["defaultAction"] = "SCMP_ACT_ALLOW",
            ["syscalls"] = new JsonArray(new JsonObject { ["names"] = Tests.Bundle.Strings("mkdir", "mkdirat"), ["action"] = "SCMP_ACT_KILL" }),
        });
        Hook("startContainer", "PATH=/bin; (id -u; id -g; pwd; grep -E '^(CapEff|Seccomp|NoNewPrivs):' /proc/self/status; cat /proc/self/cgroup) >what; mkdir new");
        Result result;
        if (command == "start")
        {
            Runtime.Create(Bundle.Args("true")).Succeeded();
            result = Runtime.Run("start", Bundle.Id);
        }
        else
        {
            result = Runtime.RunContainer(Bundle.Args("true"));
        }
        result.FailedWith("error running startContainer hook #0");
        Assert.Contains("bad system call", result.Error.ToLowerInvariant());
        string[] lines = File.ReadAllLines(folder + "/what");
        Assert.Equal(["1000", "1001", "/notes", "CapEff:\t0000000000000000", "NoNewPrivs:\t" + (noNewPrivileges ? 1 : 0), "Seccomp:\t2"], lines[..6]);
        Assert.All(lines[6..], line => Assert.EndsWith(":/", line)); // as the container's cgroup namespace shows its own
        Runtime.Run("delete", "--force", Bundle.Id).Succeeded();
        AssertNothingLeft();
    }

    [SkippableFact]
    public void A_hook_that_works_on_its_own_container_does_not_wait_for_itself()
    {
        Skip.If(Runtime.IsRunc, "runc has no lock, and says that the container does not exist");
        string command = $"{Tests.Runtime.Binary} --root {Runtime.Root} delete {Bundle.Id}";
        Hook("poststop", $"PATH=/bin:/usr/bin; {command} >{Bundle.Folder}/said 2>&1; echo $? >>{Bundle.Folder}/said");
        Runtime.RunContainer(Bundle.Args("true")).Succeeded();
        string said = Bundle.Read("said");
        Assert.Contains($"container {Bundle.Id} is in the hands of the command whose hook this is", said);
        Assert.EndsWith("\n1\n", said);
        AssertNothingLeft();
    }

    [SkippableFact]
    public void A_createContainer_hook_begins_in_the_root_file_system()
    {
        string folder = SharedFolder();
        Bundle.Args("true");
        Hook("createContainer", $"pwd >{folder}/place");
        Runtime.RunContainer(Bundle).Succeeded();
        Assert.Equal(Bundle.Rootfs + "\n", File.ReadAllText(folder + "/place"));
    }

    private static void SkipPoststart(string kind) =>
        Skip.If(kind == "poststart" && Runtime.IsRunc, "runc runs poststart when it has created, not when it has started");

    [SkippableFact]
    [Proves("hooks.prestart[].path", "hooks.createRuntime[].path", "hooks.createContainer[].path",
        "hooks.startContainer[].path", "hooks.poststart[].path", "hooks.poststop[].path")]
    [Proves("hooks.prestart[].path", "hooks.createRuntime[].path", "hooks.createContainer[].path",
        "hooks.startContainer[].path", "hooks.poststart[].path", "hooks.poststop[].path")]
    [Proves("hooks.prestart[].path", "hooks.createRuntime[].path", "hooks.createContainer[].path",
        "hooks.startContainer[].path", "hooks.poststart[].path", "hooks.poststop[].path")]
    public void Hooks_run_in_the_order_of_the_specification()
    {
        string folder = SharedFolder();
        string[] kinds = Runtime.IsRunc ? [.. Kinds.Where(k => k != "poststart")] : Kinds;
        foreach (string kind in kinds.Reverse())
        {
            Hook(kind, $"echo {kind} 1 >>{Notes(kind, folder)}/log");
            Hook(kind, $"echo {kind} 2 >>{Notes(kind, folder)}/log");
        }
        Runtime.Create(Bundle.Shell("echo process >>/notes/log; exec sleep 1000")).Succeeded();
        Assert.Equal(Kinds[..3].SelectMany(k => (string[])[k + " 1", k + " 2"]), File.ReadAllLines(folder + "/log"));
        Runtime.Run("start", Bundle.Id).Succeeded();
        Wait.Until(() => Bundle.Read("notes/log").Contains("process\n"), "the process to start");
        // poststart and the process run side by side.
        Assert.Equal(kinds[..^1].SelectMany(k => (string[])[k + " 1", k + " 2"]), File.ReadAllLines(folder + "/log").Where(l => l != "process"));
        Runtime.Run("delete", "--force", Bundle.Id).Succeeded();
        Assert.Equal(kinds.SelectMany(k => (string[])[k + " 1", k + " 2"]), File.ReadAllLines(folder + "/log").Where(l => l != "process"));
        Assert.True(Array.IndexOf(File.ReadAllLines(folder + "/log"), "startContainer 2") < Array.IndexOf(File.ReadAllLines(folder + "/log"), "process"));
    }

    [SkippableTheory]
    [InlineData("prestart", false)]
    [InlineData("createRuntime", false)]
    [InlineData("createContainer", true)]
    [InlineData("startContainer", true)]
    [InlineData("poststart", false)]
    [InlineData("poststop", false)]
    public void A_hook_runs_on_its_side_of_the_wall(string kind, bool inside)
    {
        string folder = SharedFolder();
        Hook(kind, $"PATH=/bin:/usr/bin; for n in mnt uts ipc net pid; do readlink /proc/self/ns/$n; done >{Notes(kind, folder)}/ns");
        Runtime.CreateAndStart(Bundle.Shell("echo ready; exec sleep 1000")).WaitForOutput("ready");
        int pid = Runtime.Pid(Bundle.Id);
        string[] names = ["mnt", "uts", "ipc", "net", "pid"];
        string[] Links(int of) => [.. names.Select(n => new FileInfo($"/proc/{of}/ns/{n}").LinkTarget!)];
        string[] container = Links(pid), host = Links(Environment.ProcessId);
        if (kind == "poststop")
            Runtime.Run("delete", "--force", Bundle.Id).Succeeded();
        Assert.Equal(inside ? container : host, File.ReadAllLines(folder + "/ns"));
    }

    [SkippableTheory]
    [InlineData("prestart", "creating", true)]
    [InlineData("createRuntime", "creating", true)]
    [InlineData("createContainer", "creating", true)]
    [InlineData("startContainer", "created", true)]
    [InlineData("poststart", "running", true)]
    [InlineData("poststop", "stopped", false)]
    [Proves("annotations.*")]
    public void A_hook_is_given_the_state(string kind, string status, bool hasPid)
    {
        SkipPoststart(kind);
        string folder = SharedFolder();
        Bundle.Set("annotations", new JsonObject { ["org.example.colour"] = "green" });
        Hook(kind, $"PATH=/bin:/usr/bin; cat >{Notes(kind, folder)}/state");
        Runtime.CreateAndStart(Bundle.Args("sleep", "1000"));
        int pid = Runtime.Pid(Bundle.Id);
        Runtime.Run("delete", "--force", Bundle.Id).Succeeded();
        JsonNode state = JsonNode.Parse(File.ReadAllText(folder + "/state"))!;
        Assert.Equal(Bundle.Id, (string?)state["id"]);
        Assert.Equal(status, (string?)state["status"]);
        Assert.Equal(Bundle.Folder, (string?)state["bundle"]);
        Assert.Equal("green", (string?)state["annotations"]?["org.example.colour"]);
        Assert.NotNull((string?)state["ociVersion"]);
        // Inside, the first process is 1 or the host's number: both are its pid.
        if (hasPid)
            Assert.Contains((int)state["pid"]!, (int[])(kind is "createContainer" or "startContainer" ? [1, pid] : [pid]));
        else
            Assert.Equal(0, (int?)state["pid"] ?? 0);
    }

    [SkippableTheory]
    [InlineData("prestart")]
    [InlineData("createRuntime")]
    [InlineData("createContainer")]
    [InlineData("startContainer")]
    [InlineData("poststart")]
    [InlineData("poststop")]
    [Proves("hooks.prestart[].env[]", "hooks.createRuntime[].env[]", "hooks.createContainer[].env[]",
        "hooks.startContainer[].env[]", "hooks.poststart[].env[]", "hooks.poststop[].env[]")]
    public void A_hook_has_the_environment_asked_for(string kind)
    {
        string folder = SharedFolder();
        Hook(kind, $"PATH=/bin:/usr/bin; echo \"$ONE-$FROM_HOST\" >{Notes(kind, folder)}/env", "ONE=two", $"{Tests.Bundle.Marker}={Bundle.Id}");
        _ = Runtime.RunContainer(Bundle.Args("true"), new Options { Environment = { ["FROM_HOST"] = "1" } }).Succeeded();
        Assert.Equal("two-\n", Bundle.Read("notes/env"));
    }

    [SkippableTheory]
    [InlineData("prestart")]
    [InlineData("createRuntime")]
    [InlineData("createContainer")]
    [InlineData("startContainer")]
    [InlineData("poststart")]
    [InlineData("poststop")]
    [Proves("hooks.prestart[].args[]", "hooks.createRuntime[].args[]", "hooks.createContainer[].args[]",
        "hooks.startContainer[].args[]", "hooks.poststart[].args[]", "hooks.poststop[].args[]")]
    public void A_hooks_arguments_are_passed_on(string kind)
    {
        string notes = Notes(kind, SharedFolder());
        Bundle.Add("hooks/" + kind, new JsonObject
        {
            ["path"] = "/bin/sh", ["args"] = Tests.Bundle.Strings("sh", "-c", $"echo \"$0-$#-$1-$2\" >{notes}/args", "zero", "one", "two words"),
        });
        Runtime.RunContainer(Bundle.Args("true")).Succeeded();
        Assert.Equal("zero-2-one-two words\n", Bundle.Read("notes/args"));
    }

    [SkippableFact]
    public void The_network_of_the_container_can_be_made_by_a_hook()
    {
        // What a CNI plugin does: find the namespace by the pid of the state, before the process starts.
        Hook("createRuntime", $"PATH=/bin:/usr/bin:/sbin:/usr/sbin; pid=$(sed 's/.*\"pid\":\\([0-9]*\\).*/\\1/'); readlink /proc/$pid/ns/net >{Bundle.Folder}/net");
        Result run = Runtime.RunContainer(Bundle.Args("readlink", "/proc/self/ns/net")).Succeeded();
        Assert.Equal(run.Output, Bundle.Read("net"));
    }

    [SkippableFact]
    public void A_mount_made_by_a_hook_inside_is_seen_by_the_process()
    {
        string rootfs = Bundle.Rootfs;
        Bundle.Writable().Subfolder("rootfs/mnt");
        Hook("createContainer", $"PATH=/bin:/usr/bin; mount -t tmpfs hook {rootfs}/mnt && echo made >{rootfs}/mnt/file");
        Runtime.RunContainer(Bundle.Args("cat", "/mnt/file")).Printed("made");
        AssertNothingLeft();
    }

    [SkippableTheory]
    [InlineData("prestart", "create")]
    [InlineData("createRuntime", "create")]
    [InlineData("createContainer", "create")]
    [InlineData("prestart", "run")]
    [InlineData("createRuntime", "run")]
    [InlineData("createContainer", "run")]
    [InlineData("startContainer", "run")]
    public void A_failing_hook_means_no_container(string kind, string command)
    {
        string folder = SharedFolder();
        Hook(kind, ":");
        Hook(kind, "echo the reason >&2; exit 3");
        Hook(kind, $"touch {Notes(kind, folder)}/third");
        Bundle.Shell("touch /notes/process").Save();
        Result result = Runtime.Run(command, "--bundle", Bundle.Folder, Bundle.Id).FailedWith(Runtime.IsRuncOlderThan(2) ? "error running hook #1:" : $"error running {kind} hook #1:");
        Assert.Contains("the reason", result.Error);
        Assert.Empty(Directory.GetFileSystemEntries(folder));
        AssertNothingLeft();
    }

    [SkippableFact]
    public void A_failing_start_hook_ends_a_created_container()
    {
        string folder = SharedFolder();
        Hook("startContainer", "exit 3");
        Runtime.Create(Bundle.Shell("touch /notes/process")).Succeeded();
        _ = Runtime.Run("start", Bundle.Id).ExitCode; // runc learns of it too late to say so
        Runtime.WaitForStatus(Bundle.Id, "stopped");
        Assert.Empty(Directory.GetFileSystemEntries(folder));
    }

    [SkippableFact]
    public void A_failing_poststop_hook_does_not_keep_the_container()
    {
        Skip.If(Runtime.IsRunc, "runc does not run the hooks after the one that fails");
        string folder = SharedFolder();
        Hook("poststop", "exit 3");
        Hook("poststop", $"touch {folder}/second");
        Runtime.CreateAndStart(Bundle.Args("true"));
        Runtime.WaitForStatus(Bundle.Id, "stopped");
        Result result = Runtime.Run("delete", Bundle.Id).Succeeded();
        Assert.NotEmpty(result.Error);
        Assert.True(File.Exists(folder + "/second"));
        AssertNothingLeft();
    }

    [SkippableFact]
    public void A_failing_poststart_hook_ends_the_container()
    {
        Hook("poststart", "exit 3");
        Runtime.RunContainer(Bundle.Args("sleep", "1000")).FailedWith(Runtime.IsRuncOlderThan(2) ? "error running hook" : "error running poststart hook #0:");
        AssertNothingLeft();
        SkipPoststart("poststart");
        Runtime.Create(Bundle).Succeeded();
        Runtime.Run("start", Bundle.Id).FailedWith("error running poststart hook #0:");
        Runtime.WaitForStatus(Bundle.Id, "stopped");
    }

    [SkippableTheory]
    [InlineData("prestart")]
    [InlineData("createRuntime")]
    [InlineData("createContainer")]
    [InlineData("startContainer")]
    [InlineData("poststart")]
    [InlineData("poststop")]
    [Proves("hooks.prestart[].timeout", "hooks.createRuntime[].timeout", "hooks.createContainer[].timeout",
        "hooks.startContainer[].timeout", "hooks.poststart[].timeout", "hooks.poststop[].timeout")]
    public void A_hook_that_hangs_is_ended_by_its_timeout(string kind)
    {
        Bundle.Add("hooks/" + kind, new JsonObject
        {
            ["path"] = "/bin/sleep", ["args"] = Tests.Bundle.Strings("sleep", "1000"), ["timeout"] = 1,
            ["env"] = Tests.Bundle.Strings($"{Tests.Bundle.Marker}={Bundle.Id}"),
        });
        Result run = Runtime.RunContainer(Bundle.Args("true")).Wait();
        Assert.Equal(kind == "poststop", run.ExitCode == 0);
        if (!Runtime.IsRunc)
            Assert.Contains($"error running {kind} hook #0: hook ran past specified timeout of 1.0s", run.Error);
        AssertNothingLeft();
    }

    [SkippableTheory]
    [InlineData("createRuntime")]
    [InlineData("createContainer")]
    [InlineData("startContainer")]
    public void A_hook_that_is_not_there_is_named(string kind)
    {
        Bundle.Add("hooks/" + kind, new JsonObject { ["path"] = "/no/such/hook" });
        Runtime.RunContainer(Bundle.Args("true")).FailedWith("/no/such/hook");
        AssertNothingLeft();
    }

    [SkippableTheory]
    [InlineData("createRuntime", "kill -9 $$", "signal")]
    [InlineData("createContainer", "kill -9 $$", "signal")]
    [InlineData("startContainer", "kill -9 $$", "signal")]
    [InlineData("createRuntime", "kill -9 $PPID; exec sleep 1000", "")]
    [InlineData("prestart", "pid=$(sed 's/.*\"pid\":\\([0-9]*\\).*/\\1/'); kill -9 $pid", "")]
    public void C12_whoever_a_hook_kills_one_delete_leaves_nothing(string kind, string script, string says)
    {
        Skip.If(Runtime.IsRunc, "runc leaves a cgroup");
        Hook(kind, "PATH=/bin:/usr/bin; " + script, $"{Tests.Bundle.Marker}={Bundle.Id}");
        Runtime.RunContainer(Bundle.Args("true")).FailedWith(says);
        Runtime.Run("delete", "--force", Bundle.Id).Succeeded();
        AssertNothingLeft();
    }

    [SkippableTheory]
    [InlineData("prestart", "create")]
    [InlineData("createRuntime", "create")]
    [InlineData("createContainer", "create")]
    [InlineData("prestart", "run")]
    [InlineData("createRuntime", "run")]
    [InlineData("createContainer", "run")]
    [InlineData("startContainer", "run")]
    [InlineData("createContainer", "run --detach")]
    [InlineData("startContainer", "run --detach")]
    [InlineData("startContainer", "start")]
    public void C12_a_hook_that_kills_the_first_process_fails_the_command(string kind, string command)
    {
        Skip.If(Runtime.IsRunc, "runc says it in words of its own");
        if (kind is "createContainer" or "startContainer")
            Bundle.WithoutNamespace("pid"); // in its own nobody can kill the first process from inside
        Hook(kind, "PATH=/bin:/usr/bin; pid=$(sed 's/.*\"pid\":\\([0-9]*\\).*/\\1/'); kill -9 $pid");
        Bundle.Args("sleep", "1000").Save();
        if (command == "start")
            Runtime.Create(Bundle).Succeeded();
        Result result = command == "start" ? Runtime.Run("start", Bundle.Id) : Runtime.Run([.. command.Split(' '), "--bundle", Bundle.Folder, Bundle.Id]);
        result.FailedWith("first process was killed").ExitedWith(1);
        Assert.Single(result.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries));
        if (command == "start")
            Assert.Equal("stopped", Runtime.Status(Bundle.Id));
        else
            AssertNothingLeft();
    }

    [SkippableTheory]
    [InlineData("createRuntime", "create")]
    [InlineData("createRuntime", "run")]
    [InlineData("createContainer", "run --detach")]
    public void C12_a_hook_that_takes_the_program_away_fails_whoever_starts_it(string kind, string command)
    {
        Hook(kind, $"PATH=/bin:/usr/bin; rm {Bundle.Rootfs}/bin/true");
        Bundle.Args("/bin/true").Save();
        Result result = Runtime.Run([.. command.Split(' '), "--bundle", Bundle.Folder, Bundle.Id]);
        if (command == "create" && result.ExitCode == 0)
            result = Runtime.Run("start", Bundle.Id);
        result.FailedWith("/bin/true");
    }

    [SkippableFact]
    public void A_hook_with_a_relative_path_is_refused()
    {
        Bundle.Add("hooks/createRuntime", new JsonObject { ["path"] = "bin/true" });
        Assert.NotEqual(0, Runtime.RunContainer(Bundle.Args("true")).ExitCode);
        AssertNothingLeft();
    }
}
