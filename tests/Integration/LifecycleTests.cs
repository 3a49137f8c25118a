// The life of a container through the runtime's commands: create, start, state, kill, delete, run, list.
using System.Text.Json.Nodes;

namespace Conman.Integration.Tests;

public class LifecycleTests : ContainerTest
{
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
}
