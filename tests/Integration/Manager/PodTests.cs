// Pods, and what containers share: namespaces, /dev/shm; and the small init that a pod and --init have in common.
namespace Conman.Integration.Tests.Manager;

public class PodTests : ManagerTest
{
    [SkippableFact]
    public void Containers_of_a_pod_share_network_ipc_and_host_name()
    {
        string pod = Run("pod", "create", "--name", "web", "--hostname", "front", "--add-host", "db:10.0.0.1", "--cgroup-parent", "/conman-test").Succeeded().Output.Trim();
        Assert.Equal("Created", Pod("web", "{{.State}}"));
        RunDetached("--pod", "web", "--name", "one", Image, "sh", "-c", "echo shared > /dev/shm/file; sleep 1000");
        Assert.Equal(("Running", "2"), (Pod("web", "{{.State}}"), Pod("web", "{{.NumContainers}}")));
        Wait.Until(() => Run("exec", "one", "cat", "/dev/shm/file").Output == "shared\n", "its file");
        string[] shown = Run("run", "--rm", "--pod", "web", "--cgroup-parent", "/conman-test", Image, "sh", "-c", "cat /dev/shm/file; hostname; grep db /etc/hosts; readlink /proc/self/ns/pid").Succeeded().Lines;
        Assert.Equal(["shared", "front", "10.0.0.1\tdb"], shown[..3]);
        foreach (string ns in (string[])["net", "ipc", "uts"])
            Assert.Equal(Namespace("web", ns), Namespace("one", ns));
        Assert.NotEqual(Namespace("one", "pid"), shown[3]);
        Assert.Equal("one\n", Run("ps", "--format", "{{.Names}}").Succeeded().Output);
        Assert.Equal("one\n", Run("ps", "--filter", "pod=web", "--format", "{{.Names}}").Succeeded().Output);
        Assert.Equal(pod[..12] + "\n", Run("pod", "ps", "-q").Succeeded().Output);
        Run("pod", "rm", "--force", "web").Succeeded();
        AssertNoContainers();
    }

    [SkippableFact]
    public void A_pod_is_stopped_started_and_removed_as_a_whole()
    {
        Run("pod", "create", "--cgroup-parent", "/conman-test", "two").Succeeded();
        RunDetached("--pod", "two", "--name", "one", Image, "sleep", "1000");
        Run("pod", "stop", "--time", "0", "two").Succeeded().Printed("two");
        Assert.Equal(("Exited", "exited"), (Pod("two", "{{.State}}"), Inspect("one", "{{.State.Status}}")));
        Run("start", "one").Succeeded(); // and with it what holds the pod together
        Assert.Equal("Running", Pod("two", "{{.State}}"));
        Run("pod", "pause", "two").Succeeded();
        Assert.Equal("Paused", Pod("two", "{{.State}}"));
        Run("pod", "unpause", "two").Succeeded();
        Run("pod", "rm", "two").ExitedWith(1).FailedWith("it is running");
        Run("rm", "--force", "two").ExitedWith(1).FailedWith("holds pod two together");
        Run("pod", "kill", "two").Succeeded();
        Assert.Equal("Exited", Pod("two", "{{.State}}"));
        Run("pod", "rm", "two").Succeeded();
        Run("pod", "rm", "two").ExitedWith(1).FailedWith("no such pod");
        AssertNoContainers();
    }

    [SkippableFact]
    public void What_belongs_to_the_pod_is_refused_for_its_containers()
    {
        Run("pod", "create", "three").Succeeded();
        Run("run", "--pod", "three", "--network", "host", Image, "true").ExitedWith(125).FailedWith("are the pod's");
        Run("run", "--pod", "nosuch", Image, "true").ExitedWith(125).FailedWith("no such pod: nosuch");
        Run("pod", "create", "three").ExitedWith(1).FailedWith("already in use");
        Run("pod", "create", "--share", "time", "four").ExitedWith(1).FailedWith("no such namespace to share");
        Run("pod", "prune", "--force").Succeeded();
        AssertNoContainers();
    }

    [SkippableFact]
    public void What_holds_a_pod_together_costs_kilobytes()
    {
        Run("pod", "create", "--cgroup-parent", "/conman-test", "small").Succeeded();
        Run("pod", "start", "small").Succeeded();
        string[] smaps = File.ReadAllLines($"/proc/{Inspect("small", "{{.State.Pid}}")}/smaps_rollup");
        long kilobytes = smaps.Where(l => l.StartsWith("Private_", StringComparison.Ordinal)).Sum(l => long.Parse(l.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], System.Globalization.CultureInfo.InvariantCulture));
        Assert.InRange(kilobytes, 1, 100);
        Run("pod", "rm", "--force", "small").Succeeded();
    }

    [SkippableFact]
    public void Who_joins_an_ipc_namespace_has_its_shared_memory_too()
    {
        RunDetached("--name", "one", "--shm-size", "1m", Image, "sh", "-c", "echo theirs > /dev/shm/file; sleep 1000");
        Wait.Until(() => Run("exec", "one", "cat", "/dev/shm/file").Output == "theirs\n", "its file");
        Assert.Equal("theirs\n", Run("run", "--rm", "--ipc", "container:one", "--cgroup-parent", "/conman-test", Image, "sh", "-c", "cat /dev/shm/file; echo mine > /dev/shm/file").Succeeded().Output);
        Assert.Equal("mine\n", Run("exec", "one", "cat", "/dev/shm/file").Succeeded().Output);
        RunDetached("--name", "without", "--ipc", "none", Image, "sleep", "1000");
        Run("run", "--rm", "--ipc", "container:without", Image, "true").ExitedWith(125).FailedWith("no /dev/shm to share");
    }

    [SkippableFact]
    public void With_init_the_dead_are_buried_and_signals_go_on()
    {
        RunDetached("--name", "one", "--init", Image, "sh", "-c", "trap 'echo told; exit 3' TERM; (sleep 0.1 &) ; echo ready; while :; do sleep 0.1; done");
        Wait.Until(() => Run("logs", "one").Output == "ready\n", "its first line");
        string root = Run("exec", "one", "cat", "/proc/1/cmdline").Succeeded().Output;
        Assert.StartsWith("/dev/init\0", root, StringComparison.Ordinal);
        Wait.Until(() => !Run("exec", "one", "sh", "-c", "cat /proc/[0-9]*/stat 2>/dev/null").Output.Contains(") Z ", StringComparison.Ordinal), "no zombie");
        Run("stop", "one").Succeeded();
        Assert.Equal(("3", "ready\ntold\n"), (Inspect("one", "{{.State.ExitCode}}"), Run("logs", "one").Output));
        Assert.Equal("", string.Join(' ', Directory.EnumerateFileSystemEntries(Inspect("one", "{{.GraphDriver.Data.UpperDir}}"), "init", SearchOption.AllDirectories)));
    }

    [SkippableTheory]
    [InlineData(0, "true"), InlineData(7, "sh", "-c", "exit 7"), InlineData(143, "sh", "-c", "kill $$"), InlineData(127, "nosuch"), InlineData(126, "/etc/passwd")]
    public void With_init_the_exit_code_is_the_programs(int code, params string[] command) =>
        Run(["run", "--rm", "--init", "--user", "1000", "--cgroup-parent", "/conman-test", Image, .. command]).ExitedWith(code);

    protected override void CleanUp()
    {
        Run("pod", "rm", "--force", "--all");
        base.CleanUp();
    }

    private string Pod(string name, string template) => Run("pod", "inspect", "--format", template, name).Succeeded().Output.TrimEnd('\n');

    private string Namespace(string name, string type) => File.ResolveLinkTarget($"/proc/{Inspect(name, "{{.State.Pid}}")}/ns/{type}", false)!.Name;
}
