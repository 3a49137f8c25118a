// dockerd, with its own containerd and shims, on conman: the words that docker shares with podman, and some of its own.
namespace Conman.Integration.Tests.Hosts;

public sealed class DockerMachine : IDisposable
{
    private PrivateMachine? _machine;

    public PrivateMachine Start()
    {
        PrivateMachine.Require("dockerd", "docker.io");
        PrivateMachine.Require("docker", "docker.io");
        if (_machine is null)
        {
            _machine = new PrivateMachine();
            Result daemon = _machine.Start("dockerd", "--add-runtime", "conman=" + Runtime.Binary, "--default-runtime", "conman", "--host", "unix:///run/docker.sock");
            Wait.Until(() => !daemon.Running || _machine.Run([.. Client, "version"]).ExitCode == 0, "dockerd to listen");
            Assert.True(daemon.Running, "dockerd ends: " + daemon.Error);
            _machine.Run([.. Client, "load", "--input", _machine.Archive]).Succeeded();
        }
        return _machine;
    }

    public string[] Client => ["docker", "--host", "unix:///run/docker.sock"];

    public void Dispose() => _machine?.Dispose();
}

public class DockerTests(DockerMachine docker) : ClientTests, IClassFixture<DockerMachine>
{
    protected override PrivateMachine Machine { get; } = docker.Start();

    protected override string[] Client => docker.Client;

    [SkippableFact]
    public void The_runtime_may_be_named_on_the_command_line() =>
        Assert.Equal("here\n", RunOnce(["--runtime", "conman"], "echo", "here").Succeeded().Output);

    [SkippableFact]
    public void The_daemon_knows_the_runtime()
    {
        Assert.Equal(Runtime.Binary + "\n", Do("info", "--format", "{{(index .Runtimes \"conman\").Path}}").Succeeded().Output);
        Assert.Contains("conman", Do("version").Succeeded().Output);
    }

    [SkippableFact]
    public void A_container_is_restarted_when_it_fails()
    {
        string id = RunDetached(["--restart", "on-failure:2"], "echo ready; exit 1");
        Wait.Until(() => Inspect(id, "{{.RestartCount}} {{.State.Status}}") == "2 exited", "the container to be restarted twice");
    }

    [SkippableFact]
    public void The_daemons_filter_refuses_what_it_lists()
    {
        string[] command = ["busybox", "unshare", "-U", "true"];
        RunOnce([], command).FailedWith("Operation not permitted");
        RunOnce(["--security-opt", "seccomp=unconfined"], command).Succeeded();
    }

    [SkippableFact]
    public void Restart_is_stop_and_start()
    {
        string id = RunDetached([], "echo ready; exec sleep 1000");
        string pid = Inspect(id, "{{.State.Pid}}");
        Do("restart", "--time", "0", id).Succeeded();
        Assert.NotEqual(pid, Inspect(id, "{{.State.Pid}}"));
        Assert.Equal("running", Inspect(id, "{{.State.Status}}"));
    }

    [SkippableFact]
    public void Containers_outlive_a_client_and_are_attached_to_again()
    {
        string id = RunDetached(["--interactive"], "echo ready; while read -r line; do echo \"got $line\"; done");
        Result attached = Machine.Start(new Options { Input = "hello\n" }, [.. Client, "attach", id]);
        Wait.Until(() => Do("logs", id).Output.Contains("got hello"), "the container to get a line");
        Do("kill", id).Succeeded();
        attached.ExitedWith(137);
    }
}
