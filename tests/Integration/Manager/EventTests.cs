// events: each thing that happens is a line, in Docker's shape, also for those that wait for it.
using System.Text.Json.Nodes;

namespace Conman.Integration.Tests.Manager;

public class EventTests : ManagerTest
{
    [SkippableFact]
    public void A_life_is_told_from_create_to_destroy()
    {
        string id = RunDetached("--name", "one", "--label", "color=red", Image, "sleep", "1000");
        Run("exec", "one", "true").Succeeded();
        Run("pause", "one").Succeeded();
        Run("unpause", "one").Succeeded();
        Run("rename", "one", "two").Succeeded();
        Run("update", "--restart", "no", "two").Succeeded();
        Run("stop", "--time", "0", "two").Succeeded();
        Run("start", "two").Succeeded();
        Run("restart", "--time", "0", "two").Succeeded();
        Run("rm", "--force", "two").Succeeded();
        string[] expected =
        [
            "create", "start", "exec_create: true", "exec_start: true", "exec_die", "pause", "unpause", "rename", "update", "kill", "die", "stop", "start", "kill", "die", "start", "restart", "kill", "die", "destroy",
        ];
        Assert.Equal(expected, Run("events", "--no-stream", "--filter", "type=container", "--format", "{{.Action}}").Succeeded().Lines);
        string[] lines = Run("events", "--no-stream", "--filter", "container=" + id, "--filter", "event=die").Succeeded().Lines;
        Assert.Matches($@"^\d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{{9}}(Z|[+-]\d\d:\d\d) container die {id} \(color=red, exitCode=137, from=image, image=busybox:test, name=two\)$", lines[0]);
        JsonNode first = JsonNode.Parse(Run("events", "--no-stream", "--filter", "label=color=red", "--format", "json").Succeeded().Lines[0])!;
        Assert.Equal(("container", "create", id, "one", "local"),
            (first["Type"]!.ToString(), first["Action"]!.ToString(), first["Actor"]!["ID"]!.ToString(), first["Actor"]!["Attributes"]!["name"]!.ToString(), first["scope"]!.ToString()));
        Assert.Equal((long)first["time"]!, (long)first["timeNano"]! / 1_000_000_000);
    }

    [SkippableFact]
    public void Who_waits_hears_of_what_comes_and_of_nothing_before()
    {
        Run("create", "--name", "before", Image).Succeeded();
        Result events = Start(new Options(), "events", "--filter", "event=create", "--filter", "event=destroy", "--format", "{{.Action}} {{.Actor.Attributes.name}}");
        // It is listening once it hears of one of these.
        for (int i = 0; events.Output.Length == 0; i++)
        {
            Run("create", "--name", "probe" + i, Image).Succeeded();
            Run("rm", "probe" + i).Succeeded();
        }
        Run("create", "--name", "after", Image).Succeeded();
        events.WaitForOutput("create after");
        System.Diagnostics.Process.GetProcessById(events.Pid).Kill();
        Assert.DoesNotContain("before", events.Output, StringComparison.Ordinal);
    }

    [SkippableFact]
    public void Since_and_until_bound_what_is_shown()
    {
        Run("create", "--name", "one", Image).Succeeded();
        Assert.Equal("create one\n", Run("events", "--since", "1h", "--until", "0s", "--filter", "type=container", "--format", "{{.Action}} {{.Actor.Attributes.name}}").Succeeded().Output);
        Assert.Equal("", Run("events", "--since", "2h", "--until", "1h").Succeeded().Output);
        Run("events", "--since", "yesterday").ExitedWith(125).FailedWith("--since yesterday: a time");
        Run("logs", "--until", "yesterday", "one").ExitedWith(125).FailedWith("--until yesterday: a time");
        Run("events", "--filter", "nosuch=1").ExitedWith(125).FailedWith("there is no such filter");
    }

    [SkippableFact]
    public void Images_and_volumes_are_told_of_too()
    {
        Run("tag", Image, "other:1").Succeeded();
        Run("rmi", "other:1").Succeeded();
        Run("volume", "create", "data").Succeeded();
        Run("volume", "rm", "data").Succeeded();
        string[] lines = Run("events", "--no-stream", "--format", "{{.Type}} {{.Action}} {{.Actor.Attributes.name}}").Succeeded().Lines;
        Assert.Contains("image tag other:1", lines);
        Assert.Contains("image untag other:1", lines);
        Assert.Equal(["volume create data", "volume destroy data"], Run("events", "--no-stream", "--filter", "type=volume", "--format", "{{.Type}} {{.Action}} {{.ID}}").Succeeded().Lines);
    }
}
