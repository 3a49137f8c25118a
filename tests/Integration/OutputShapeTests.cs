// What programs read of `state`, `list` and `ps`: the members, their order and the headers are runc's.
using System.Text.Json.Nodes;

namespace Conman.Integration.Tests;

public class OutputShapeTests : PeerTest
{
    private static string[] Members(JsonNode? json) => [.. json!.AsObject().Select(m => $"{m.Key}: {m.Value?.GetValueKind()}")];

    [SkippableTheory]
    [InlineData("created")]
    [InlineData("running")]
    [InlineData("paused")]
    [InlineData("stopped")]
    public void State_and_list_have_the_members_of_runc(string status)
    {
        foreach (Bundle bundle in (Bundle[])[Bundle, Other])
            bundle.Set("annotations", new JsonObject { ["org.example.a"] = "1" });
        Prepare(Bundle, status, a => Runtime.Run(a));
        Prepare(Other, status, a => Peer(a));
        JsonNode ours = JsonNode.Parse(Runtime.Run("state", Bundle.Id).Succeeded().Output)!, theirs = JsonNode.Parse(Peer("state", Other.Id).Succeeded().Output)!;
        Assert.Equal(Members(theirs), Members(ours));
        foreach (string member in (string[])["status", "owner"])
            Assert.Equal((string?)theirs[member], (string?)ours[member]);
        ours = JsonNode.Parse(Runtime.Run("list", "--format", "json").Succeeded().Output)![0]!;
        theirs = JsonNode.Parse(Peer("list", "--format", "json").Succeeded().Output)![0]!;
        Assert.Equal(Members(theirs), Members(ours));
        Assert.Equal((string?)theirs["owner"], (string?)ours["owner"]);
        Assert.Equal(Peer("list").Lines[0].Split(' ', StringSplitOptions.RemoveEmptyEntries), Runtime.Run("list").Lines[0].Split(' ', StringSplitOptions.RemoveEmptyEntries));
        Assert.Equal(Peer("ps", Other.Id).Lines[0], Runtime.Run("ps", Bundle.Id).Lines[0]);
        Assert.Equal(Peer("ps", Other.Id, "-o", "pid,args").Lines[0].Trim(), Runtime.Run("ps", Bundle.Id, "-o", "pid,args").Lines[0].Trim());
    }

    [SkippableFact]
    public void No_containers_look_as_with_runc()
    {
        Prepare(Bundle, "created", a => Runtime.Run(a));
        Prepare(Other, "created", a => Peer(a));
        Runtime.Run("delete", Bundle.Id).Succeeded();
        Peer("delete", Other.Id).Succeeded();
        foreach (string[] list in (string[][])[["list"], ["list", "-q"], ["list", "--format", "json"]])
            Assert.Equal(Peer(list).Succeeded().Output, Runtime.Run(list).Succeeded().Output);
    }
}
