// A test that does the same with the host's runc, and compares.
using System.Text.Json.Nodes;

namespace Conman.Integration.Tests;

public abstract class PeerTest : ContainerTest
{
    private bool _used;

    protected PeerTest()
        : base((Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Any(folder => File.Exists(folder + "/runc")) ? null : "needs runc to compare with") =>
        Other = NewBundle();

    /// <summary>The bundle for runc: its container has an id and a cgroup of its own.</summary>
    protected Bundle Other { get; }

    private string PeerRoot => Runtime.Root + "-peer";

    /// <summary>A command of runc, run to its end.</summary>
    protected Result Peer(params string[] arguments)
    {
        _used = true;
        return Runtime.StartProgram("runc", new Options(), ["--root", PeerRoot, .. arguments]).Wait();
    }

    /// <summary>Brings a container into a state: none, created, running, paused or stopped. "none: PROGRAM" only writes the bundle.</summary>
    protected static void Prepare(Bundle bundle, string ground, Func<string[], Result> run)
    {
        string program = ground.Contains(": ", StringComparison.Ordinal) ? ground.Split(": ")[1] : "sleep";
        bundle.Args(program, "1000").Save();
        if (ground.StartsWith("none", StringComparison.Ordinal))
            return;
        run(["create", "--bundle", bundle.Folder, bundle.Id]).Succeeded();
        if (ground == "created")
            return;
        run(["start", bundle.Id]).Succeeded();
        if (ground == "paused")
            run(["pause", bundle.Id]).Succeeded();
        if (ground != "stopped")
            return;
        run(["kill", bundle.Id, "KILL"]).Succeeded();
        Wait.Until(() => (string?)JsonNode.Parse(run(["state", bundle.Id]).Output)!["status"] == "stopped", "it to stop");
    }

    protected override void CleanUp()
    {
        if (_used)
            Peer("delete", "--force", Other.Id);
        if (Directory.Exists(PeerRoot))
            Directory.Delete(PeerRoot, recursive: true);
    }
}
