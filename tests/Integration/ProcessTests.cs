// The process that a container starts as: its arguments, identity, limits, capabilities, filter and descriptors.
using System.Globalization;
using System.Text.Json.Nodes;

namespace Conman.Integration.Tests;

public class ProcessTests : ContainerTest
{
    [SkippableFact]
    public void An_empty_home_is_as_good_as_none()
    {
        Directory.CreateDirectory($"{Bundle.Rootfs}/etc");
        Bundle.File("rootfs/etc/passwd", "root:x:0:0::/home/of/root:/bin/sh\n");
        Bundle.Env("PATH=/bin", "HOME=/other", "HOME=").Shell("echo $HOME");
        Runtime.RunContainer(Bundle).Printed("/home/of/root");
    }

    [SkippableFact]
    [Proves("process.args[]")]
    public void Arguments_arrive_as_they_are()
    {
        Bundle.Args("sh", "-c", "for a; do echo \"<$a>\"; done", "sh", "", "two words", "*", "ünï\tcode", "'\"\\$HOME");
        Runtime.RunContainer(Bundle).Printed("<>", "<two words>", "<*>", "<ünï\tcode>", "<'\"\\$HOME>");
    }

    [SkippableFact]
    [Proves("process.env[]")]
    public void The_environment_is_the_one_asked_for_and_nothing_else()
    {
        Bundle.Set("process/env", Tests.Bundle.Strings("PATH=/bin", "HOME=/", "A=one", "EMPTY=", "B=with = sign", $"{Tests.Bundle.Marker}={Bundle.Id}"));
        Runtime.RunContainer(Bundle.Args("env"), new Options { Environment = { ["FROM_HOST"] = "1" } })
            .Printed("PATH=/bin", "HOME=/", "A=one", "EMPTY=", "B=with = sign", $"{Tests.Bundle.Marker}={Bundle.Id}");
    }

    [SkippableTheory]
    [InlineData(0, "/root")]
    [InlineData(8, "/var/mail")]
    [InlineData(4711, "/")]
    public void Home_is_the_one_of_the_user(long uid, string home) =>
        Runtime.RunContainer(Bundle.User(uid, 0).Shell("echo $HOME")).Printed(home);

    [SkippableFact]
    public void Home_is_left_alone_when_set() =>
        Runtime.RunContainer(Bundle.Env("HOME=/tmp").Shell("echo $HOME")).Printed("/tmp");

    [SkippableFact]
    public void The_command_is_looked_up_in_the_containers_path()
    {
        Bundle.File("rootfs/opt/greet", "#!/bin/sh\necho hello\n", 0x1ed);
        Bundle.Set("process/env", Tests.Bundle.Strings("PATH=/nosuch:/opt:/bin")).Args("greet");
        Runtime.RunContainer(Bundle).Printed("hello");
    }

    [SkippableFact]
    public void A_command_with_a_slash_is_relative_to_the_working_folder()
    {
        Bundle.File("rootfs/opt/greet", "#!/bin/sh\necho hello\n", 0x1ed);
        Runtime.RunContainer(Bundle.Set("process/cwd", "/opt").Args("./greet")).Printed("hello");
    }

    [SkippableFact]
    [Proves("process.cwd")]
    public void The_working_folder_is_set() =>
        Runtime.RunContainer(Bundle.Set("process/cwd", "/etc").Shell("pwd; /bin/readlink /proc/self/cwd")).Printed("/etc", "/etc");

    [SkippableFact]
    public void A_working_folder_that_is_missing_is_made()
    {
        Runtime.RunContainer(Bundle.Writable().Set("process/cwd", "/new/folder").Args("pwd")).Printed("/new/folder");
        Assert.True(Directory.Exists(Bundle.Rootfs + "/new/folder"));
    }

    [SkippableFact]
    public void A_working_folder_that_only_the_user_may_enter_is_entered()
    {
        string folder = Bundle.Subfolder("rootfs/own");
        File.SetUnixFileMode(folder, (UnixFileMode)0x1c0 /* 0700 */);
        Libc.Check(Libc.lchown(folder, 1000, 1000), "give the folder away");
        Runtime.RunContainer(Bundle.User(1000, 1000).Set("process/cwd", "/own").Args("pwd")).Printed("/own");
    }

    [SkippableFact]
    public void A_relative_working_folder_is_refused() =>
        Runtime.RunContainer(Bundle.Set("process/cwd", "tmp").Args("true")).FailedWith("wd");

    [SkippableFact]
    [Proves("process.user.uid", "process.user.gid")]
    public void User_and_group_are_set() =>
        Runtime.RunContainer(Bundle.User(1000, 100).Args("awk", "/^(Uid|Gid|Groups):/{print $1, $2, $3, $4, $5}", "/proc/self/status"))
            .Printed("Uid: 1000 1000 1000 1000", "Gid: 100 100 100 100", "Groups:    ");

    [SkippableFact]
    [Proves("process.user.additionalGids[]")]
    public void Additional_groups_are_set()
    {
        Bundle.User(1000, 100).Set("process/user/additionalGids", new JsonArray(5, 8, 4000)).Args("grep", "^Groups:", "/proc/self/status");
        Runtime.RunContainer(Bundle).Printed("Groups:\t5 8 4000 ");
    }

    /// <summary>What <c>podman run --group-add keep-groups</c> asks for, by crun's annotation.</summary>
    [SkippableFact]
    public void The_callers_additional_groups_can_be_kept()
    {
        Skip.If(Runtime.IsRunc, "it is crun's annotation");
        Runtime.Through = ["setpriv", "--groups", "5,8"];
        Bundle.Set("annotations", new JsonObject { ["run.oci.keep_original_groups"] = "1" })
            .User(1000, 100).Set("process/user/additionalGids", new JsonArray(4000)).Shell("grep ^Groups: /proc/self/status; exec sleep 1000");
        Runtime.CreateAndStart(Bundle).WaitForOutput("Groups:\t5 8 \n");
        Runtime.Run("exec", Bundle.Id, "grep", "^Groups:", "/proc/self/status").Printed("Groups:\t5 8 ");
    }

    [SkippableTheory]
    [InlineData(0x3f, "0077")]
    [InlineData(0x02, "0002")]
    [InlineData(null, "0022")]
    [Proves("process.user.umask")]
    public void The_umask_is_set(int? umask, string expected)
    {
        if (umask is { } value)
            Bundle.Set("process/user/umask", value);
        Runtime.RunContainer(Bundle.Shell("umask")).Printed(expected);
    }

    [SkippableTheory]
    [InlineData("RLIMIT_AS", "Max address space", 1 << 30)]
    [InlineData("RLIMIT_CORE", "Max core file size", 0)]
    [InlineData("RLIMIT_CPU", "Max cpu time", 1000)]
    [InlineData("RLIMIT_DATA", "Max data size", 1 << 29)]
    [InlineData("RLIMIT_FSIZE", "Max file size", 1 << 20)]
    [InlineData("RLIMIT_LOCKS", "Max file locks", 10)]
    [InlineData("RLIMIT_MEMLOCK", "Max locked memory", 65536)]
    [InlineData("RLIMIT_MSGQUEUE", "Max msgqueue size", 1000)]
    [InlineData("RLIMIT_NICE", "Max nice priority", 0)]
    [InlineData("RLIMIT_NOFILE", "Max open files", 500)]
    [InlineData("RLIMIT_NPROC", "Max processes", 900)]
    [InlineData("RLIMIT_RSS", "Max resident set", 1 << 28)]
    [InlineData("RLIMIT_RTPRIO", "Max realtime priority", 0)]
    [InlineData("RLIMIT_RTTIME", "Max realtime timeout", 1000)]
    [InlineData("RLIMIT_SIGPENDING", "Max pending signals", 300)]
    [InlineData("RLIMIT_STACK", "Max stack size", 1 << 22)]
    [Proves("process.rlimits[].type")]
    public void A_limit_of_the_process_is_set(string type, string name, int value)
    {
        // Lower only: raising one takes a capability that the host may not have.
        Bundle.Set("process/rlimits", new JsonArray(new JsonObject { ["type"] = type, ["soft"] = value, ["hard"] = value }));
        string line = Runtime.RunContainer(Bundle.Args("cat", "/proc/self/limits")).Succeeded().Lines.Single(l => l.StartsWith(name, StringComparison.Ordinal));
        Assert.Equal([value.ToString(CultureInfo.InvariantCulture), value.ToString(CultureInfo.InvariantCulture)],
            line[name.Length..].Split(' ', StringSplitOptions.RemoveEmptyEntries)[..2]);
    }

    [SkippableFact]
    [Proves("process.rlimits[].soft", "process.rlimits[].hard")]
    public void Soft_and_hard_limits_differ()
    {
        Bundle.Set("process/rlimits", new JsonArray(new JsonObject { ["type"] = "RLIMIT_NOFILE", ["soft"] = 100, ["hard"] = 200 }));
        Runtime.RunContainer(Bundle.Shell("ulimit -Sn; ulimit -Hn")).Printed("100", "200");
    }

    private const ulong NetBindService = 1 << 10, Kill = 1 << 5, Chown = 1, SysAdmin = 1 << 21, NetRaw = 1 << 13;

    private void AssertCapabilities(ulong inheritable, ulong permitted, ulong effective, ulong bounding, ulong ambient)
    {
        var sets = Runtime.RunContainer(Bundle.Args("grep", "^Cap", "/proc/self/status")).Succeeded().Lines
            .Select(line => line.Split(":\t")).ToDictionary(f => f[0], f => ulong.Parse(f[1], NumberStyles.HexNumber));
        Assert.Equal((inheritable, permitted, effective, bounding, ambient),
            (sets["CapInh"], sets["CapPrm"], sets["CapEff"], sets["CapBnd"], sets["CapAmb"]));
    }

    [SkippableFact]
    [Proves("process.capabilities.bounding[]", "process.capabilities.effective[]", "process.capabilities.permitted[]")]
    public void Capabilities_of_root_are_those_of_the_bounding_set()
    {
        Bundle.Set("process/capabilities", Sets(["CAP_CHOWN", "CAP_KILL", "CAP_NET_RAW"], ["CAP_CHOWN", "CAP_KILL", "CAP_NET_RAW"], [], []));
        AssertCapabilities(0, Chown | Kill | NetRaw, Chown | Kill | NetRaw, Chown | Kill | NetRaw, 0);
    }

    [SkippableFact]
    [Proves("process.capabilities.ambient[]")]
    public void Capabilities_of_a_user_are_the_ambient_ones()
    {
        string[] all = ["CAP_CHOWN", "CAP_KILL", "CAP_NET_BIND_SERVICE"];
        Bundle.User(1000, 1000).Set("process/capabilities", Sets(all, all, ["CAP_KILL"], ["CAP_KILL"]));
        AssertCapabilities(Kill, Kill, Kill, Chown | Kill | NetBindService, Kill);
    }

    [SkippableFact]
    [Proves("process.capabilities.inheritable[]")]
    public void Inheritable_capabilities_are_only_those_asked_for()
    {
        Bundle.Capabilities("CAP_CHOWN", "CAP_KILL").Set("process/capabilities/inheritable", Tests.Bundle.Strings("CAP_CHOWN"));
        AssertCapabilities(Chown, Chown | Kill, Chown | Kill, Chown | Kill, 0);
    }

    [SkippableFact]
    public void A_user_without_ambient_capabilities_has_none()
    {
        Bundle.Capabilities("CAP_CHOWN", "CAP_SYS_ADMIN").User(1000, 1000);
        AssertCapabilities(0, 0, 0, Chown | SysAdmin, 0);
    }

    [SkippableFact]
    public void Without_capabilities_in_the_bundle_there_are_none()
    {
        Bundle.Remove("process/capabilities");
        AssertCapabilities(0, 0, 0, 0, 0);
    }

    private static JsonObject Sets(string[] bounding, string[] permitted, string[] inheritable, string[] ambient) => new()
    {
        ["bounding"] = Tests.Bundle.Strings(bounding),
        ["permitted"] = Tests.Bundle.Strings(permitted),
        ["effective"] = Tests.Bundle.Strings(permitted),
        ["inheritable"] = Tests.Bundle.Strings(inheritable),
        ["ambient"] = Tests.Bundle.Strings(ambient),
    };

    [SkippableTheory]
    [InlineData(true, "1")]
    [InlineData(false, "0")]
    [Proves("process.noNewPrivileges")]
    public void New_privileges_are_given_up_when_asked(bool value, string expected) =>
        Runtime.RunContainer(Bundle.Set("process/noNewPrivileges", value).Args("awk", "/NoNewPrivs/{print $2}", "/proc/self/status")).Printed(expected);

    [SkippableFact]
    [Proves("process.oomScoreAdj")]
    public void The_oom_score_is_raised() =>
        Runtime.RunContainer(Bundle.Set("process/oomScoreAdj", 500).Args("cat", "/proc/self/oom_score_adj")).Printed("500");

    [SkippableFact]
    public void Without_an_oom_score_the_callers_is_kept() =>
        Runtime.RunContainer(Bundle.Args("cat", "/proc/self/oom_score_adj")).Printed(File.ReadAllText("/proc/self/oom_score_adj").Trim());

    private Bundle Filter(string action, string names, int? errno = null)
    {
        var rule = new JsonObject { ["names"] = Tests.Bundle.Strings(names.Split(' ')), ["action"] = action };
        if (errno is not null)
            rule["errnoRet"] = errno;
        return Bundle.Set("linux/seccomp", new JsonObject
        {
            ["defaultAction"] = "SCMP_ACT_ALLOW", ["architectures"] = Tests.Bundle.Strings("SCMP_ARCH_X86_64"), ["syscalls"] = new JsonArray(rule),
        });
    }

    [SkippableTheory]
    [InlineData(null, "Operation not permitted")]
    [InlineData(28, "No space left on device")]
    [Proves("linux.seccomp.syscalls[].errnoRet", "linux.seccomp.syscalls[].action", "linux.seccomp.syscalls[].names[]")]
    public void A_filtered_call_fails_with_the_errno_asked_for(int? errno, string text) =>
        Runtime.RunContainer(Filter("SCMP_ACT_ERRNO", "mkdir mkdirat", errno).Shell("mkdir /tmp/new 2>&1; mount | head -n 1 | wc -l; grep Seccomp: /proc/self/status"))
            .Printed($"mkdir: can't create directory '/tmp/new': {text}", "1", "Seccomp:\t2");

    // Without noNewPrivileges the filter is there before the process is what it is to be (runc's suite: "verify syscall compatibility").
    [SkippableFact]
    public void An_early_filter_may_refuse_what_the_runtime_itself_calls()
    {
        Filter("SCMP_ACT_ERRNO", "close_range fsopen fsconfig fspick openat2 open_tree move_mount mount_setattr", 38 /* ENOSYS */).Set("process/noNewPrivileges", false);
        Runtime.RunContainer(Bundle.Args("true")).Succeeded();
        Runtime.CreateAndStart(Bundle.Shell("echo ready; exec sleep 1000")).WaitForOutput("ready");
        Runtime.Run("exec", Bundle.Id, "ls", "/proc/self/fd").Printed("0", "1", "2", "3");
    }

    [SkippableFact]
    public void A_forbidden_call_kills() =>
        Runtime.RunContainer(Filter("SCMP_ACT_KILL_PROCESS", "mkdir mkdirat").Args("mkdir", "/tmp/new")).ExitedWith(128 + 31);

    // As images have it whose programs write their logs to /dev/stdout; the null device stays whose it is.
    [SkippableTheory]
    [InlineData(1000, false)]
    [InlineData(1000, true)]
    [InlineData(0, true)]
    public void The_user_may_open_his_standard_streams_by_name(int user, bool userNamespace)
    {
        Bundle.User(user, user).Capabilities();
        if (userNamespace)
            Bundle.UserNamespace();
        string Null() => Runtime.StartProgram("/usr/bin/stat", new Options(), "-c", "%u %g %a", "/dev/null").Wait().Output;
        string before = Null();
        var pipe = new Options { OutputPipe = true };
        Assert.Equal("out\n", Runtime.RunContainer(Bundle.Shell("echo out >/dev/stdout"), pipe).Succeeded().Output);
        Runtime.CreateAndStart(Bundle.Shell("exec sleep 1000"));
        Assert.Equal("exec\n", Runtime.Run(pipe, "exec", Bundle.Id, "/bin/sh", "-c", "echo exec >/dev/stdout").Succeeded().Output);
        Assert.Equal(before, Null());
    }

    [SkippableFact]
    [Proves("linux.seccomp.syscalls[].args[]")]
    public void A_rule_may_look_at_an_argument()
    {
        Filter("SCMP_ACT_ERRNO", "kill").Set("linux/seccomp/syscalls", new JsonArray(new JsonObject
        {
            ["names"] = Tests.Bundle.Strings("kill"), ["action"] = "SCMP_ACT_ERRNO",
            ["args"] = new JsonArray(new JsonObject { ["index"] = 1, ["value"] = 10, ["op"] = "SCMP_CMP_EQ" }),
        }));
        Runtime.RunContainer(Bundle.Shell("trap : USR1 USR2; kill -USR2 $$ && echo sent; kill -USR1 $$ 2>/dev/null || echo refused")).Printed("sent", "refused");
    }

    [SkippableFact]
    [Proves("linux.seccomp.defaultAction", "linux.seccomp.architectures[]")]
    public void A_filter_that_allows_by_list_lets_the_container_run()
    {
        Bundle.Set("linux/seccomp", new JsonObject
        {
            ["defaultAction"] = "SCMP_ACT_ERRNO", ["defaultErrnoRet"] = 38,
            ["syscalls"] = new JsonArray(new JsonObject
            {
                ["action"] = "SCMP_ACT_ALLOW",
                ["names"] = Tests.Bundle.Strings(
                    "execve", "exit", "exit_group", "write", "read", "close", "brk", "mmap", "munmap", "mprotect", "arch_prctl", "set_tid_address",
                    "set_robust_list", "rseq", "prlimit64", "readlink", "readlinkat", "getrandom", "uname", "getuid", "geteuid", "getgid", "getegid",
                    "fstat", "newfstatat", "futex", "getcwd", "rt_sigaction", "rt_sigprocmask", "getpid", "getppid", "stat", "close_range", "fcntl",
                    "getdents64", "openat", "capget", "capset", "prctl", "setuid", "setgid", "setgroups", "chdir", "epoll_ctl", "epoll_pwait",
                    "nanosleep", "tgkill", "rt_sigreturn", "sigaltstack", "fchdir", "faccessat2", "statfs", "fstatfs",
                    "clone", "clone3", "fork", "vfork", "wait4", "waitid", "dup", "dup2", "dup3", "pipe", "pipe2", "poll", "ioctl", "lseek", "access",
                    "setpgid", "gettid", "sched_getaffinity", "sched_yield", "mremap", "writev", "readv", "pread64", "umask", "lstat"),
            }),
        });
        Runtime.RunContainer(Bundle.Shell("echo here; mkdir /tmp/new 2>&1")).ExitedWith(1).WaitForOutput("here\nmkdir: can't create directory '/tmp/new': Function not implemented");
    }

    [SkippableFact]
    public void An_unknown_call_in_a_filter_is_passed_over() =>
        Runtime.RunContainer(Filter("SCMP_ACT_ERRNO", "no_such_call mkdir mkdirat").Shell("mkdir /tmp/new 2>/dev/null || echo refused")).Printed("refused");

    [SkippableTheory]
    [InlineData("foo", "exec: \"foo\": executable file not found in $PATH")]
    [InlineData("/bin/foo", "/bin/foo")]
    [InlineData("/etc/passwd", "permission denied")]
    [InlineData("/etc", "")]
    public void A_command_that_cannot_be_run_is_named(string command, string text)
    {
        Runtime.RunContainer(Bundle.Args(command)).FailedWith(text);
        AssertNothingLeft();
    }

    [SkippableFact]
    public void Only_the_standard_descriptors_are_open_inside()
    {
        string three = Bundle.File("three"), nine = Bundle.File("nine");
        // `ls` itself opens one to read the folder.
        Runtime.RunContainer(Bundle.Shell("exec ls /proc/self/fd"), new Options { Redirections = $"3<{three} 9<{nine}" }).Printed("0", "1", "2", "3");
        Bundle second = NewBundle().Shell("readlink /proc/self/fd/3");
        Runtime.RunContainer(second, new Options { Redirections = $"3<{three} 9<{nine}" }).ExitedWith(1);
    }

    [SkippableFact]
    public void A_created_container_holds_nothing_of_the_host_open()
    {
        Runtime.Create(Bundle.Args("true")).Succeeded();
        int pid = Runtime.Pid(Bundle.Id);
        string root = new FileInfo($"/proc/{pid}/root").LinkTarget!;
        Assert.NotNull(root);
        foreach (string fd in Directory.GetFiles($"/proc/{pid}/fd").Concat(Directory.GetDirectories($"/proc/{pid}/fd")))
        {
            string? target = new FileInfo(fd).LinkTarget;
            Assert.False(Directory.Exists(fd) && target is not null && target.StartsWith("/", StringComparison.Ordinal),
                $"a folder is open in the waiting process: {fd} -> {target}");
        }
    }

    [SkippableFact]
    public void A_working_folder_that_is_an_open_descriptor_is_refused()
    {
        // CVE-2024-21626: a descriptor of the host's that leaks, used as the way out.
        for (int fd = 3; fd < 14; fd++)
        {
            Bundle bundle = NewBundle().Set("process/cwd", $"/proc/self/fd/{fd}").Args("cat", $"../../../../../..{Bundle.Folder}/canary");
            Bundle.File("canary", "escaped");
            Result run = Runtime.RunContainer(bundle);
            Assert.DoesNotContain("escaped", run.Output);
            Assert.NotEqual(0, run.ExitCode);
        }
        AssertNothingLeft();
    }

    [SkippableFact]
    public void A_command_that_is_the_runtime_itself_cannot_be_written_to()
    {
        // CVE-2019-5736: what runs as /proc/self/exe must not be the host's binary.
        Bundle.Writable().Args("/proc/self/exe");
        Result run = Runtime.RunContainer(Bundle);
        Assert.NotEqual(0, run.ExitCode);
        AssertNothingLeft();
    }

    [SkippableFact]
    public void The_process_leads_its_own_session() =>
        Runtime.RunContainer(Bundle.Shell("read -r pid name state parent group session rest </proc/self/stat; echo $session")).Printed("1");

    [SkippableFact]
    public void No_signal_is_blocked_or_ignored_at_the_start() =>
        Runtime.RunContainer(Bundle.Args("awk", "/^Sig(Blk|Ign)/{print $2}", "/proc/self/status")).Printed("0000000000000000", "0000000000000000");
}
