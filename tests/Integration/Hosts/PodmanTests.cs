// podman, with conmon, on conman: the words it shares with docker, and some of its own.
namespace Conman.Integration.Tests.Hosts;

public sealed class PodmanMachine : IDisposable
{
    private PrivateMachine? _machine;

    public PrivateMachine Start()
    {
        PrivateMachine.Require("podman", "podman");
        PrivateMachine.Require("conmon", "conmon");
        if (_machine is null)
        {
            _machine = new PrivateMachine();
            File.WriteAllText(_machine.Folder + "/containers.conf", $"""
                [engine]
                cgroup_manager = "cgroupfs"
                events_logger = "file"
                runtime = "conman"
                [engine.runtimes]
                conman = ["{Runtime.Binary}"]
                [containers]
                log_driver = "k8s-file"
                {(Directory.Exists(Leftovers.CgroupRoot + "/pids") ? "" : "pids_limit = 0")}
                """);
            _machine.Run([.. Client, "load", "--input", _machine.Archive]).Succeeded();
        }
        return _machine;
    }

    public string[] Client => ["env", $"CONTAINERS_CONF={_machine!.Folder}/containers.conf", "podman"];

    public void Dispose() => _machine?.Dispose();
}

public class PodmanTests(PodmanMachine podman) : ClientTests, IClassFixture<PodmanMachine>
{
    protected override PrivateMachine Machine { get; } = podman.Start();

    protected override string[] Client => podman.Client;

    protected override void SkipWithoutInit() => Skip.IfNot(File.Exists("/usr/libexec/podman/catatonit"), "podman has no first process of its own here");

    [SkippableFact]
    public void The_runtime_may_be_named_on_the_command_line() =>
        Assert.Equal("here\n", Machine.Run([.. Client, "--runtime", Runtime.Binary, "run", "--rm", PrivateMachine.Image, "echo", "here"]).Succeeded().Output);

    [SkippableFact]
    public void The_runtime_is_what_podman_says_it_runs()
    {
        string id = RunDetached([], "echo ready; exec sleep 1000");
        Assert.Equal("conman", Inspect(id, "{{.OCIRuntime}}"));
    }

    [SkippableFact]
    public void A_health_check_is_an_exec()
    {
        string id = RunDetached(["--health-cmd", "test -e /tmp/well"], "echo ready; exec sleep 1000");
        Assert.NotEqual(0, Do("healthcheck", "run", id).ExitCode);
        Do("exec", id, "touch", "/tmp/well").Succeeded();
        Do("healthcheck", "run", id).Succeeded();
    }

    [SkippableFact]
    public void A_user_namespace_has_its_maps()
    {
        Result run = RunOnce(["--uidmap", "0:100000:1000", "--gidmap", "0:100000:1000"], "awk", "{print $1, $2, $3}", "/proc/self/uid_map");
        Assert.Equal("0 100000 1000\n", run.Succeeded().Output);
    }

    [SkippableFact]
    public void Descriptors_are_handed_on()
    {
        File.WriteAllText(Machine.Folder + "/handed", "text");
        Result run = Machine.Start(new Options { Redirections = $"3<'{Machine.Folder}/handed'" }, [.. Client, "run", "--rm", "--preserve-fds", "1", PrivateMachine.Image, "cat", "/proc/self/fd/3"]);
        Assert.Equal("text", run.Succeeded().Output);
    }
}
