// The command line: every flag that runc or crun has is known here, with its short name and with a value where it has one there.
namespace Conman.Integration.Tests;

public class CommandLineTests : ContainerTest
{
    // As `runc COMMAND --help` of 1.5 and `crun COMMAND --help` of 1.29 list them, and those that runc hides. "": before the command.
    // "--name" is a flag, "--name=" has a value.
    private static readonly Dictionary<string, string> Peers = new()
    {
        [""] = """
            runc --debug --log= --log-format= --root= --systemd-cgroup --rootless= --criu= --help -h --version -v
            crun --cgroup-manager= --debug --log= --log-format= --log-level= --root= --rootless= --systemd-cgroup --help -? --usage --version -v -V
            """,
        ["checkpoint"] = """
            runc --image-path= --work-path= --parent-path= --leave-running --tcp-established --tcp-skip-in-flight --link-remap --ext-unix-sk
            runc --shell-job --lazy-pages --status-fd= --page-server= --file-locks --pre-dump --manage-cgroups-mode= --empty-ns= --auto-dedup
            crun --ext-unix-sk --file-locks --image-path= --leave-running --manage-cgroups-mode= --network-lock= --parent-path= --pre-dump
            crun --shell-job --tcp-established --work-path=
            """,
        ["create"] = """
            runc --bundle= -b= --console-socket= --pidfd-socket= --pid-file= --no-pivot --no-new-keyring --preserve-fds=
            crun --bundle= -b= --console-socket= --config= -f= --no-new-keyring --no-pivot --no-subreaper --pid-file= --preserve-fds=
            """,
        ["delete"] = "runc --force -f crun --force -f --regex -r",
        ["events"] = "runc --interval= --stats",
        ["exec"] = """
            runc --console-socket= --pidfd-socket= --cwd= --env= -e= --tty -t --user= -u= --additional-gids= -g= --process= -p= --detach -d
            runc --pid-file= --process-label= --apparmor= --no-new-privs --cap= -c= --preserve-fds= --cgroup= --ignore-paused
            crun --apparmor= --cgroup= --console-socket= --cwd= --cap= -c= --detach -d --env= -e= --no-new-privs --pid-file= --preserve-fds=
            crun --process-label= --process= -p= --tty -t --user= -u=
            """,
        ["features"] = "",
        ["kill"] = "runc --all -a crun --all -a --regex -r",
        ["list"] = "runc --format= -f= --quiet -q crun --format= -f= --quiet -q",
        ["mounts"] = "",
        ["pause"] = "",
        ["ps"] = "runc --format= -f= crun --format= -f=",
        ["restore"] = """
            runc --console-socket= --image-path= --work-path= --tcp-established --ext-unix-sk --shell-job --file-locks --manage-cgroups-mode=
            runc --bundle= -b= --detach -d --pid-file= --no-subreaper --no-pivot --empty-ns= --auto-dedup --lazy-pages --lsm-profile=
            runc --lsm-mount-context=
            crun --bundle= -b= --console-socket= --detach -d --ext-unix-sk --file-locks --image-path= --lsm-mount-context= --lsm-profile=
            crun --manage-cgroups-mode= --network-lock= --pid-file= --shell-job --tcp-close --tcp-established --work-path=
            """,
        ["resume"] = "",
        ["run"] = """
            runc --bundle= -b= --console-socket= --pidfd-socket= --detach -d --keep --pid-file= --no-subreaper --no-pivot --no-new-keyring
            runc --preserve-fds=
            crun --bundle= -b= --console-socket= --detach -d --config= -f= --keep --no-new-keyring --no-pivot --no-subreaper --pid-file=
            crun --preserve-fds=
            """,
        ["spec"] = "runc --bundle= -b= --rootless crun --bundle= -b= --file= -f= --rootless",
        ["start"] = "",
        ["state"] = "",
        ["update"] = """
            runc --resources= -r= --blkio-weight= --cpu-period= --cpu-quota= --cpu-burst= --cpu-share= --cpu-rt-period= --cpu-rt-runtime=
            runc --cpuset-cpus= --cpuset-mems= --memory= --cpu-idle= --memory-reservation= --memory-swap= --pids-limit= --l3-cache-schema=
            runc --mem-bw-schema= --kernel-memory= --kernel-memory-tcp=
            crun --blkio-weight= --cpu-period= --cpu-quota= --cpu-rt-period= --cpu-rt-runtime= --cpu-share= --cpuset-cpus= --cpuset-mems=
            crun --kernel-memory= --kernel-memory-tcp= --l3-cache-schema= --mem-bw-schema= --memory= --memory-reservation= --memory-swap=
            crun --pids-limit= --resources= -r=
            """,
    };

    public static TheoryData<string> Commands => [.. Peers.Keys];

    private Result Conman(params string[] arguments) => Runtime.StartBare(new Options(), arguments).Wait();

    [SkippableTheory]
    [MemberData(nameof(Commands))]
    public void Every_flag_of_runc_and_crun_is_known(string command)
    {
        Skip.If(Runtime.IsRunc, "the flags are those of two runtimes");
        Skip.IfNot(command == "" || Conman("--help").Output.Contains($"\n  {command} ", StringComparison.Ordinal), $"{command} is still to come");
        Skip.If(command == "update" && !Conman("update", "--help").Output.Contains("--l3-cache-schema", StringComparison.Ordinal), "the rest of update is still to come");
        string help = Conman([.. command == "" ? [] : new[] { command }, "--help"]).Succeeded().Output;
        foreach (string flag in Peers[command].Split([' ', '\n'], StringSplitOptions.RemoveEmptyEntries).Where(f => f[0] == '-').Distinct())
        {
            string name = flag.TrimEnd('=');
            bool hasValue = flag.EndsWith('=');
            // With --help behind it nothing is done, but all of it has been understood.
            string[] given = !hasValue ? [name] : name.StartsWith("--", StringComparison.Ordinal) ? [name + "=1"] : [name, "1"];
            if (command != "")
                Conman([command, .. given, "--help"]).Succeeded();
            else if (name is "--root" or "--debug" or "--systemd-cgroup" or "--criu")
                Conman([.. given, "--help"]).Succeeded();
            if (name.StartsWith("--", StringComparison.Ordinal))
                Assert.Matches($"(?m)^.{{6}}{name}{(hasValue ? " [^ ]" : " *( |$)")}", help);
            else if (name is not ("-?" or "-V"))
                Assert.Contains($"  {name}, --", help);
        }
    }

    [SkippableTheory]
    [InlineData("--nosuch", "state", "x")]
    [InlineData("state", "--nosuch", "x")]
    [InlineData("run", "-Z", "x")]
    [InlineData("list", "--format", "yaml", null)]
    [InlineData("--log-format", "xml", "list")]
    [InlineData("--log-level", "loud", "list")]
    [InlineData("--cgroup-manager", "nobody", "list")]
    [InlineData("--rootless", "maybe", "list")]
    [InlineData("--log", "journald:", "list")]
    [InlineData("frobnicate", "x", null)]
    public void What_neither_has_is_refused_by_name(params string?[] arguments)
    {
        Skip.If(Runtime.IsRunc, "it says it in other words");
        Result result = Conman([.. arguments.Where(a => a is not null).Select(a => a!)]).ExitedWith(1);
        string named = arguments.First(a => a is "--nosuch" or "-Z" or "yaml" or "xml" or "loud" or "nobody" or "maybe" or "journald:" or "frobnicate")!;
        Assert.Contains(named, result.Error);
        Assert.Empty(result.Output);
    }

    [SkippableTheory]
    [InlineData("--version")]
    [InlineData("-v")]
    [InlineData("-V")]
    [InlineData("--help")]
    [InlineData("-h")]
    [InlineData("-?")]
    [InlineData("help")]
    [InlineData("--usage")]
    public void Help_and_version_have_both_their_names(string word)
    {
        Skip.If(Runtime.IsRunc, "some are crun's");
        Assert.NotEmpty(Conman(word).Succeeded().Output);
    }

    [SkippableFact]
    public void Help_begins_as_callers_of_runc_look_for_it()
    {
        Assert.Equal("NAME:", Runtime.StartBare(new Options(), "--help").Succeeded().Lines[0]);
        Result help = Runtime.StartBare(new Options(), "exec", "-h").Succeeded();
        Assert.Equal("NAME:", help.Lines[0]);
        Assert.Contains(" exec", help.Lines[1]);
        Runtime.StartBare(new Options(), "foo", "-h").FailedWith("No help topic for 'foo'");
    }

    [SkippableFact]
    public void A_flag_has_a_truth_value_as_in_Go()
    {
        Result keep = Runtime.RunContainer(Bundle.Args("true"), "--keep=0").Succeeded();
        Assert.Empty(Runtime.Run("list", "-q").Output);
        Runtime.RunContainer(Bundle, "--keep=T").Succeeded();
        Assert.Equal(Bundle.Id + "\n", Runtime.Run("list", "-q").Output);
        Assert.Empty(keep.Output);
    }

    [SkippableFact]
    public void A_config_may_lie_outside_of_the_bundle()
    {
        Skip.If(Runtime.IsRunc, "a flag of crun");
        Bundle.Shell("echo other").Save();
        File.Move(Bundle.Folder + "/config.json", Bundle.Folder + "/other.json");
        Runtime.Run(new Options { WorkingFolder = Bundle.Folder }, "run", "--bundle", Bundle.Folder, "--config", "other.json", Bundle.Id).Printed("other");
        Runtime.Run("run", "--bundle", Bundle.Folder, "-f", Bundle.Folder + "/nosuch.json", Bundle.Id).FailedWith("nosuch.json");
        Runtime.Run("run", "--bundle", Bundle.Folder, Bundle.Id).FailedWith("JSON specification file config.json not found");
    }

    [SkippableFact]
    public void Kill_and_delete_take_a_pattern()
    {
        Skip.If(Runtime.IsRunc, "a flag of crun");
        Bundle[] all = [Bundle, NewBundle(), NewBundle()];
        foreach (Bundle bundle in all)
            StartIdle(bundle);
        Runtime.Run("kill", "--regex", $"^{all[0].Id}$|^{all[1].Id}$", "KILL").Succeeded();
        Runtime.WaitForStatus(all[0].Id, "stopped");
        Runtime.WaitForStatus(all[1].Id, "stopped");
        Assert.Equal("running", Runtime.Status(all[2].Id));
        Runtime.Run("delete", "--regex", "^(", "x").ExitedWith(1);
        Runtime.Run("delete", "--regex", "(").FailedWith("--regex: (");
        Runtime.Run("delete", "--force", "--regex", ".").Succeeded();
        Assert.Empty(Runtime.Run("list", "-q").Output);
    }

    [SkippableFact]
    public void Kill_all_reaches_every_process_and_a_stopped_container_is_no_error()
    {
        StartReady(Bundle.Shell("trap 'echo init' USR1; (trap 'echo child' USR1; echo ready; while :; do sleep 0.01; done) & while :; do sleep 0.01; done"));
        Result output = Runtime.Run("exec", "--detach", Bundle.Id, "sh", "-c", "trap 'echo exec' USR1; echo ready; while :; do sleep 0.01; done");
        output.WaitForOutput("ready");
        Runtime.Run("kill", "--all", Bundle.Id, "USR1").Succeeded();
        output.WaitForOutput("exec");
        Runtime.Run("kill", "-a", Bundle.Id, "9").Succeeded();
        Runtime.WaitForStatus(Bundle.Id, "stopped");
        Runtime.Run("kill", Bundle.Id, "9").FailedWith("container not running");
        Runtime.Run("kill", "--all", Bundle.Id, "9").Succeeded();
    }

    [SkippableFact]
    public void Kill_ends_all_where_the_pid_namespace_is_the_hosts()
    {
        Skip.If(Runtime.IsRuncOlderThan(2), "runc does since 1.2");
        StartReady(Bundle.WithoutNamespace("pid").WithoutMount("/proc").Shell("sleep 1000 & echo ready; exec sleep 1000"));
        Runtime.Run("kill", Bundle.Id, "KILL").Succeeded();
        Wait.Until(() => Runtime.Run("ps", "--format", "json", Bundle.Id).Output.Trim() is "[]" or "null", "all to be gone");
        Runtime.Run("delete", Bundle.Id).Succeeded();
        AssertNothingLeft();
    }

    [SkippableTheory]
    [InlineData("15")]
    [InlineData("TERM")]
    [InlineData("SIGTERM")]
    [InlineData("sigterm")]
    [InlineData("RTMIN+3")]
    [InlineData("SIGRTMAX-1")]
    [InlineData("64")]
    public void Signals_have_names_and_numbers(string signal)
    {
        Skip.If(Runtime.IsRunc && signal.Contains("RT", StringComparison.Ordinal), "runc knows no names of real-time signals");
        StartReady(Bundle.Shell("echo ready; exec sleep 1000").WithoutNamespace("pid").WithoutMount("/proc"));
        Runtime.Run("kill", Bundle.Id, signal).Succeeded();
        Runtime.WaitForStatus(Bundle.Id, "stopped");
    }

    [SkippableTheory]
    [InlineData("create")]
    [InlineData("exec")]
    public void A_pidfd_goes_over_a_socket(string command)
    {
        Skip.If(Runtime.IsRuncOlderThan(2), "runc has it since 1.2");
        using var socket = new ConsoleSocket(Bundle.Folder + "/pidfd.sock");
        if (command == "create")
            Runtime.Create(Bundle.Args("sleep", "1000"), "--pidfd-socket", socket.Path).Succeeded();
        else
            StartIdle(Bundle);
        string pidFile = Bundle.Folder + "/exec.pid";
        if (command == "exec")
            Runtime.Run("exec", "--detach", "--pid-file", pidFile, "--pidfd-socket", socket.Path, Bundle.Id, "sleep", "1000").Succeeded();
        (string text, int fd) = socket.ReceiveDescriptor();
        try
        {
            Assert.Equal(command == "create" ? "standard" : "setns", text);
            int pid = command == "create" ? Runtime.Pid(Bundle.Id) : int.Parse(File.ReadAllText(pidFile));
            Assert.Contains($"Pid:\t{pid}\n", File.ReadAllText($"/proc/self/fdinfo/{fd}"));
        }
        finally
        {
            Libc.close(fd);
        }
    }

    [SkippableFact]
    public void A_pidfd_socket_that_nobody_listens_on_is_an_error_that_leaves_nothing()
    {
        Skip.If(Runtime.IsRuncOlderThan(2), "runc has it since 1.2");
        Runtime.Create(Bundle.Args("true"), "--pidfd-socket", Bundle.Folder + "/nosuch.sock").FailedWith("nosuch.sock");
        AssertNothingLeft();
    }
}
