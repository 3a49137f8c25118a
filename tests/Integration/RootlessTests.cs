// The runtime in the hands of an ordinary user: his own ids or a range of them, with and without a cgroup, and as root of a user namespace.
using System.Text.Json.Nodes;

namespace Conman.Integration.Tests;

public class RootlessTests : ContainerTest
{
    private const int User = 54321;
    private static readonly string AsUser = Runtime.RepositoryRoot() + "/tests/Integration/as-user";

    private readonly string _home;
    private string _delegated = "";

    public RootlessTests()
        : base(File.Exists("/usr/bin/newuidmap") ? null : "needs newuidmap (package uidmap)")
    {
        _home = Bundle.Subfolder("home");
        // A runtime that the user can reach, wherever the one under test lies.
        File.Copy(Runtime.Program, Runtime.Program = _home + "/conman-runc");
        Directory.CreateDirectory(Runtime.Root);
        Own(Runtime.Root);
        Runtime.Through = [AsUser, User.ToString(), ""];
        Bundle.Rootless(User);
    }

    private void Own(string folder) => Runtime.StartProgram("chown", new Options(), "-R", $"{User}:{User}", folder).Succeeded();

    /// <summary>The bundle becomes the user's when it is as it shall be.</summary>
    private Bundle Ready(Bundle bundle)
    {
        Own(bundle.Save().Folder);
        return bundle;
    }

    /// <summary>A cgroup whose administration is the user's, and he himself in one below it (cgroup-v2.rst, "Delegation").</summary>
    private string Delegate()
    {
        _delegated = $"{Leftovers.CgroupRoot}/conman-test/{Bundle.Id}-user";
        Directory.CreateDirectory(_delegated + "/own");
        foreach (string path in (string[])["", "/cgroup.procs", "/cgroup.subtree_control", "/own", "/own/cgroup.procs"])
            Libc.Check(Libc.lchown(_delegated + path, User, User), "delegate a cgroup");
        Runtime.Through = [AsUser, User.ToString(), _delegated + "/own"];
        return _delegated;
    }

    private void EndDelegation()
    {
        Runtime.Run("delete", "--force", Bundle.Id).Succeeded();
        Wait.Until(() => File.ReadAllText(_delegated + "/own/cgroup.procs").Length == 0, "the user's commands to have ended");
        Directory.Delete(_delegated + "/own");
        Directory.Delete(_delegated); // fails if the runtime has left anything in it
    }

    [SkippableFact]
    public void The_user_is_root_inside_and_nobody_else_is()
    {
        Result run = Runtime.RunContainer(Ready(Bundle.Shell("id -u; id -g; cat /proc/self/uid_map /proc/self/setgroups | tr -s ' '")));
        run.Printed("0", "0", $" 0 {User} 1", "deny");
        AssertNothingLeft();
    }

    [SkippableFact]
    public void A_range_of_ids_is_mapped_by_newuidmap()
    {
        Bundle.Rootless(User, ranges: true).Writable().Set("process/user", new JsonObject { ["uid"] = 7, ["gid"] = 8, ["additionalGids"] = new JsonArray(9) });
        Bundle.Set("root/readonly", false).Shell("id; touch /tmp/mine; stat -c '%u %g' /tmp/mine");
        File.SetUnixFileMode(Bundle.Subfolder("rootfs/tmp"), (UnixFileMode)0x1ff);
        Runtime.RunContainer(Ready(Bundle)).Printed("uid=7 gid=8(mail) groups=9", "7 8");
        Assert.Equal(200006.ToString(), Runtime.StartProgram("stat", new Options(), "-c", "%u", Bundle.Rootfs + "/tmp/mine").Succeeded().Output.Trim());
        AssertNothingLeft();
    }

    [SkippableFact]
    public void A_range_that_is_not_the_users_is_refused_with_newuidmaps_words()
    {
        Bundle.Rootless(User, ranges: true).Args("true");
        Bundle.Spec["linux"]!["uidMappings"]![1]!["hostID"] = 700000;
        Runtime.RunContainer(Ready(Bundle)).FailedWith($"cannot write uid_map (0 {User} 1; 1 700000 65536) as an ordinary user: newuidmap: ");
        AssertNothingLeft();
    }

    [SkippableFact]
    public void Additional_groups_need_more_than_ones_own()
    {
        Bundle.Set("process/user/additionalGids", new JsonArray(5)).Args("true");
        Runtime.RunContainer(Ready(Bundle)).FailedWith("cannot set any additional groups in a rootless container");
        AssertNothingLeft();
    }

    [SkippableFact]
    public void Without_a_user_namespace_there_is_no_container()
    {
        Bundle.WithoutNamespace("user").Remove("linux/uidMappings").Remove("linux/gidMappings").Args("true");
        Runtime.RunContainer(Ready(Bundle)).FailedWith("rootless container requires user namespaces");
        AssertNothingLeft();
    }

    [SkippableTheory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_container_lives_its_whole_life(bool ranges)
    {
        Bundle.Rootless(User, ranges).Set("process/oomScoreAdj", 123);
        Result created = Runtime.Create(Ready(Bundle.Shell("cat /proc/self/oom_score_adj; echo ready; exec sleep 1000"))).Succeeded();
        Assert.Equal("created", Runtime.Status(Bundle.Id));
        // Also into a container whose program does not run yet.
        Runtime.Run("exec", Bundle.Id, "id", "-u").Printed("0");
        Runtime.Run("start", Bundle.Id).Succeeded();
        created.WaitForOutput("123\nready");
        int pid = Runtime.Pid(Bundle.Id);

        Runtime.Run("exec", Bundle.Id, "sh", "-c", "echo $$ >/dev/null; cat /proc/1/cmdline | tr '\\0' ' '; hostname").Printed("sleep 1000 runc");
        Runtime.Run("exec", Bundle.Id, "sh", "-c", "exit 7").ExitedWith(7);
        Assert.Contains($"{Bundle.Id} ", Runtime.Run("list").Succeeded().Output);
        string pidFile = _home + "/pid";
        Runtime.Run("exec", "--detach", "--pid-file", pidFile, Bundle.Id, "sleep", "998").Succeeded();
        Assert.Contains("998", File.ReadAllText($"/proc/{File.ReadAllText(pidFile)}/cmdline"));

        Runtime.Run("delete", Bundle.Id).FailedWith("that is not stopped");
        Runtime.Run("kill", Bundle.Id, "KILL").Succeeded();
        Wait.ForExit(pid);
        Runtime.WaitForStatus(Bundle.Id, "stopped");
        Runtime.Run("delete", Bundle.Id).Succeeded();
        AssertNothingLeft();
    }

    [SkippableFact]
    public void Delete_by_force_ends_it_and_what_was_executed_in_it()
    {
        StartIdle(Ready(Bundle));
        Runtime.Run("exec", "--detach", Bundle.Id, "sleep", "997").Succeeded();
        Runtime.Run("delete", "--force", Bundle.Id).Succeeded();
        AssertNothingLeft();
    }

    [SkippableFact]
    public void The_terminal_is_the_containers()
    {
        Bundle.Set("process/terminal", true).Shell("[ -t 0 ] && [ -t 2 ] && echo inside");
        Assert.Equal("inside\r\n", Runtime.RunInTerminal("run", "--bundle", Ready(Bundle).Folder, Bundle.Id).Succeeded().Output);
        AssertNothingLeft();
    }

    [SkippableFact]
    public void Hooks_run_in_their_namespaces()
    {
        string outside = Bundle.File("outside.sh", "#!/bin/sh\nreadlink /proc/self/ns/mnt >$(dirname $0)/outside\n", 0x1ed);
        Bundle.File("rootfs/inside.sh", "#!/bin/sh\ncat >/dev/null; hostname inside\n", 0x1ed);
        Bundle.Set("hooks/createRuntime", new JsonArray(new JsonObject { ["path"] = outside }));
        Bundle.Set("hooks/createContainer", new JsonArray(new JsonObject { ["path"] = Bundle.Rootfs + "/inside.sh" }));
        Runtime.RunContainer(Ready(Bundle.Remove("hostname").Shell("hostname"))).Printed("inside");
        Assert.StartsWith("mnt:", Bundle.Read("outside"));
        AssertNothingLeft();
    }

    [SkippableFact]
    public void What_root_hides_is_hidden_and_devices_are_the_hosts()
    {
        Bundle.Shell("echo x >/dev/null && head -c 1 /dev/zero | wc -c; mknod /dev/sda b 8 0 2>&1 | grep -c Operation; wc -c </proc/keys; echo 1 >/proc/sys/kernel/panic || echo refused");
        Runtime.RunContainer(Ready(Bundle)).Printed("1", "1", "0", "refused");
        AssertNothingLeft();
    }

    /// <summary>Without a cgroup namespace the host's cgroups are seen, and none may be written.</summary>
    [SkippableFact]
    public void CVE_2023_25809_no_cgroup_of_the_host_is_writable()
    {
        Delegate();
        Bundle.WithoutNamespace("cgroup").Shell($"mkdir /sys/fs/cgroup/conman-test/{Bundle.Id}-user/escape 2>&1 | grep -o 'Read-only.*'");
        Runtime.RunContainer(Ready(Bundle)).Printed("Read-only file system");
        EndDelegation();
        AssertNothingLeft();
    }

    [SkippableFact]
    public void A_limit_that_cannot_be_set_is_refused_and_a_cgroup_that_cannot_be_made()
    {
        Bundle.Set("linux/resources/pids", new JsonObject { ["limit"] = 10 }).Args("true");
        Runtime.RunContainer(Ready(Bundle)).FailedWith("rootless needs no limits + no cgrouppath when no permission is granted for cgroups");
        Bundle.Remove("linux/resources").Set("linux/cgroupsPath", "/conman-test-" + Bundle.Id);
        Runtime.RunContainer(Ready(Bundle)).FailedWith("permission denied");
        AssertNothingLeft();
    }

    [SkippableFact]
    public void What_needs_a_cgroup_says_so_where_there_is_none()
    {
        StartIdle(Ready(Bundle));
        foreach (string[] command in (string[][])[["pause"], ["ps"], ["update", "--pids-limit", "9"]])
            Runtime.Run([.. command, Bundle.Id]).FailedWith("it has no cgroup: none was delegated to the user who created it");
    }

    [SkippableTheory]
    [InlineData(false)]
    [InlineData(true)]
    public void Mounts_are_added_to_a_container_that_runs(bool ranges)
    {
        Bundle.Rootless(User, ranges).Writable().File("rootfs/etc/covered", "text");
        string mine = Bundle.Subfolder("source");
        Bundle.File("source/file", "of the host");
        File.SetUnixFileMode(mine, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute); // the user's alone
        Bundle.Subfolder("rootfs/own");
        StartIdle(Ready(Bundle));
        Runtime.Run("mounts", "add", "-o", "ro", Bundle.Id, mine, "/tmp").Succeeded();
        Runtime.Run("mounts", "add", "--type", "tmpfs", "-o", "size=64k,tmpcopyup", Bundle.Id, "tmpfs", "/etc").Succeeded();
        Runtime.Run("mounts", "add", "--type", "proc", Bundle.Id, "proc", "/own").Succeeded();
        Runtime.Run("exec", Bundle.Id, "sh", "-c", "cat /tmp/file /etc/covered; touch /etc/new && stat -f -c %T /etc; cat /own/1/comm; touch /tmp/new 2>&1 | grep -o 'Read-only.*'")
            .Printed("of the hosttexttmpfs", "sleep", "Read-only file system");
        Assert.Equal(["/tmp", "/etc", "/own"], JsonNode.Parse(Runtime.Run("mounts", "list", "--format", "json", Bundle.Id).Succeeded().Output)!.AsArray().Select(m => (string)m!["destination"]!));
        foreach (string destination in (string[])["/tmp", "/etc", "/own"])
            Runtime.Run("mounts", "remove", Bundle.Id, destination).Succeeded();
        Runtime.Run("exec", Bundle.Id, "sh", "-c", "ls /tmp /own; stat -f -c %T /etc | grep -c tmpfs").ExitedWith(1);
        Assert.False(File.Exists(Bundle.Rootfs + "/etc/new"));
    }

    [SkippableFact]
    public void A_source_that_the_user_may_not_enter_is_not_bound()
    {
        StartIdle(Ready(Bundle));
        Runtime.Run("mounts", "add", Bundle.Id, "/root/.ssh", "/tmp").FailedWith("/root/.ssh");
        Assert.Equal("[]", Runtime.Run("mounts", "list", "--format", "json", Bundle.Id).Succeeded().Output.Trim());
    }

    [SkippableFact]
    public void A_tmpfs_begins_with_what_it_covers()
    {
        Bundle.File("rootfs/var/lib/deep/file", "text");
        Bundle.Mount("/var/lib", "tmpfs", "tmpfs", "tmpcopyup").Shell("cat /var/lib/deep/file; stat -f -c %T /var/lib");
        Runtime.RunContainer(Ready(Bundle)).Printed("texttmpfs");
    }

    [SkippableFact]
    public void A_tmpfs_cannot_begin_with_what_the_user_may_not_read()
    {
        Bundle.Rootless(User, ranges: true).File("rootfs/var/lib/deep/file");
        Bundle.Mount("/var/lib", "tmpfs", "tmpfs", "tmpcopyup").Args("true");
        Ready(Bundle);
        Libc.Check(Libc.lchown(Bundle.Rootfs + "/var/lib/deep", 200005, 200005), "chown");
        File.SetUnixFileMode(Bundle.Rootfs + "/var/lib/deep", UnixFileMode.UserRead | UnixFileMode.UserExecute);
        Runtime.RunContainer(Bundle).FailedWith("cannot copy /var/lib/deep to a tmpfs: permission denied");
        AssertNothingLeft();
    }

    [SkippableFact]
    public void The_systemd_of_a_user_is_missed_by_name()
    {
        Skip.IfNot(Leftovers.Unified, "on a hybrid host there is none for containers");
        Bundle.Args("true");
        foreach ((string folder, string text) in ((string, string)[])[("", "XDG_RUNTIME_DIR is not set"), (_home, $"cannot connect to {_home}/bus: no such file or directory")])
        {
            var where = new Options { Environment = { ["XDG_RUNTIME_DIR"] = folder, ["DBUS_SESSION_BUS_ADDRESS"] = "" } };
            Runtime.Run(where, "--systemd-cgroup", "run", "--bundle", Ready(Bundle).Folder, Bundle.Id).FailedWith(text);
        }
        AssertNothingLeft();
    }

    [SkippableFact]
    public void A_delegated_cgroup_is_used()
    {
        string above = Delegate();
        int pid = StartIdle(Ready(Bundle));
        Assert.Contains($"{Bundle.Id}-user/conman-{Bundle.Id}", File.ReadAllText($"/proc/{pid}/cgroup"));
        Runtime.Run("pause", Bundle.Id).Succeeded();
        Assert.Equal("paused", Runtime.Status(Bundle.Id));
        Runtime.Run("resume", Bundle.Id).Succeeded();
        Assert.Equal("running", Runtime.Status(Bundle.Id));
        Assert.Equal($"[{pid}]", Runtime.Run("ps", "--format", "json", Bundle.Id).Succeeded().Output.Trim());
        Runtime.Run("exec", Bundle.Id, "grep", "-c", "0::/$", "/proc/self/cgroup").Printed("1"); // its own, in its cgroup namespace
        EndDelegation();
        AssertNothingLeft();
        Assert.False(Directory.Exists(above));
    }

    [SkippableFact]
    public void The_default_folder_is_in_the_users_runtime_folder()
    {
        Own(_home);
        var here = new Options { Environment = { ["XDG_RUNTIME_DIR"] = _home } };
        Runtime.StartBare(here, "create", "--bundle", Ready(Bundle.Args("true")).Folder, Bundle.Id).Succeeded();
        Assert.True(Directory.Exists($"{_home}/conman/oci/{Bundle.Id}"));
        Runtime.StartBare(here, "delete", "--force", Bundle.Id).Succeeded();
        AssertNothingLeft();
    }

    [SkippableFact]
    public void What_spec_rootless_writes_runs_as_it_is()
    {
        string folder = Bundle.Subfolder("written");
        Own(Bundle.Folder);
        Runtime.Run(new Options { WorkingFolder = folder }, "spec", "--rootless").Succeeded();
        var spec = (JsonObject)JsonNode.Parse(File.ReadAllText(folder + "/config.json"))!;
        spec["process"]!["terminal"] = false;
        spec["process"]!["args"] = Bundle.Strings("echo", "it runs");
        spec["root"]!["path"] = Bundle.Rootfs;
        File.WriteAllText(folder + "/config.json", spec.ToJsonString());
        Runtime.Run("run", "--bundle", folder, Bundle.Id).Printed("it runs");
        AssertNothingLeft();
    }

    /// <summary>Root of a user namespace, as `podman unshare` gives it, with a mount namespace of its own or with the host's.</summary>
    [SkippableTheory]
    [InlineData("unshare", "-Urm", "--propagation", "unchanged")]
    [InlineData("unshare", "-Ur")]
    public void Root_of_a_user_namespace_runs_containers(params string[] unshare)
    {
        Runtime.Through = [.. Runtime.Through, .. unshare];
        Bundle.WithoutNamespace("user").Remove("linux/uidMappings").Remove("linux/gidMappings");
        Result created = Runtime.Create(Ready(Bundle.Shell("id -u; echo ready; exec sleep 1000"))).Succeeded();
        // Each command is in another user namespace, of which only the files are the same: what concerns the process is the creator's own.
        Runtime.Through = [AsUser, User.ToString(), ""];
        Runtime.Run("start", Bundle.Id).Succeeded();
        created.WaitForOutput("0\nready");
        Runtime.Run("kill", Bundle.Id, "KILL").Succeeded();
        Runtime.WaitForStatus(Bundle.Id, "stopped");
        Runtime.Run("delete", Bundle.Id).Succeeded();
        AssertNothingLeft();
    }

    [SkippableFact]
    public void Conman_runs_in_a_container_of_conman()
    {
        Runtime.Through = [];
        Directory.Delete(Runtime.Root); // the user's
        using Bundle inner = new();
        Bundle outer = NewBundle();
        outer.Capabilities(AllCapabilities).WithoutMount("/sys/fs/cgroup").Writable()
            .Set("process/noNewPrivileges", false).Remove("linux/resources").Remove("linux/maskedPaths").Remove("linux/readonlyPaths")
            .Mount("/sys/fs/cgroup", "cgroup", "cgroup").Mount("/run", "tmpfs", "tmpfs").Bind(inner.Folder, "/inner").Bind(_home, "/home");
        inner.Set("linux/cgroupsPath", "/inner").Shell("echo from within; cat /proc/self/cgroup | grep ^0::").Save();
        Result run = Runtime.RunContainer(outer.Args("/home/conman-runc", "run", "--bundle", "/inner", "nested"));
        run.Printed("from within", "0::/");
        AssertNothingLeft();
    }

    private static readonly string[] AllCapabilities =
        ("CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW "
        + "IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_TIME SYS_TTY_CONFIG MKNOD "
        + "LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE")
        .Split(' ').Select(name => "CAP_" + name).ToArray();
}
