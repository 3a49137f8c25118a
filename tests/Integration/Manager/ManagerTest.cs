// The ground of the tests of `conman run` and its like: a store of one's own with one small image, and at the end the question whether
// anything is left of it on the host.
namespace Conman.Integration.Tests.Manager;

public abstract class ManagerTest : ContainerTest
{
    protected const string Image = "busybox:test";

    private readonly string _folder;

    protected ManagerTest()
        : base(Runtime.IsRunc ? "runc is no manager" : null)
    {
        _folder = Bundle.Folder + "/manager";
        Directory.CreateDirectory(_folder);
        Runtime.StartProgram("/bin/sh", new Options { WorkingFolder = Bundle.Folder }, "-ec", """
            tar -C rootfs -cf layer.tar .
            digest=$(sha256sum layer.tar | cut -d' ' -f1)
            echo '{"architecture":"amd64","os":"linux","config":{"Cmd":["sh"],"Env":["PATH=/bin","FROM=image"],"Labels":{"from":"image"}},"rootfs":{"type":"layers","diff_ids":["sha256:'$digest'"]}}' > config.json
            echo '[{"Config":"config.json","RepoTags":["busybox:test"],"Layers":["layer.tar"]}]' > manifest.json
            tar -cf image.tar manifest.json config.json layer.tar
            """).Wait().Succeeded();
        Run("load", "--quiet", "--input", Bundle.Folder + "/image.tar").Succeeded();
    }

    /// <summary>The binary by its own name.</summary>
    protected static string Conman { get; } = Path.Combine(Runtime.RepositoryRoot(), "out/conman");

    /// <summary>The network of the host that the commands run on.</summary>
    protected virtual TestNetwork Network => TestNetwork.Shared.Value;

    protected string Root => _folder + "/lib";

    protected string RunRoot => _folder + "/run";

    /// <summary>Runs a command of the manager to its end.</summary>
    protected Result Run(params string[] arguments) => Run(new Options(), arguments);

    protected Result Run(Options options, params string[] arguments) => Start(options, arguments).Wait();

    protected Result Start(Options options, params string[] arguments) =>
        Runtime.StartProgram(Conman, options with { Network = options.Network ?? Network }, ["--root", Root, "--runroot", RunRoot, .. arguments]);

    /// <summary>Runs a container in the background; its id.</summary>
    protected string RunDetached(params string[] arguments) => Run(["run", "--detach", "--cgroup-parent", "/conman-test", .. arguments]).Succeeded().Output.Trim();

    /// <summary>One field of `inspect`.</summary>
    protected string Inspect(string name, string template) => Run("inspect", "--format", template, name).Succeeded().Output.TrimEnd('\n');

    /// <summary>No container, no monitor, no file of either is there.</summary>
    protected void AssertNoContainers()
    {
        Assert.Equal("", Run("ps", "--all", "--quiet").Succeeded().Output);
        foreach (string folder in (string[])[Root + "/containers", Root + "/names", RunRoot + "/containers", RunRoot + "/oci"])
            Assert.Empty(Directory.Exists(folder) ? Directory.GetFileSystemEntries(folder).Where(e => !e.EndsWith("@filters", StringComparison.Ordinal)) : []);
        AssertNothingLeft();
    }

    /// <summary>Leases, devices and published ports that no container has. Devices take the kernel a moment.</summary>
    protected IEnumerable<string> LeftOfNetworks()
    {
        string[] leases = Directory.Exists(RunRoot + "/networks") ? [.. Directory.GetDirectories(RunRoot + "/networks").SelectMany(Directory.GetFileSystemEntries)] : [];
        string[] devices = [];
        Wait.Until(() => (devices = [.. Network.Shell("ip -o link show type veth").Split('\n').Where(l => l.Contains(": cm", StringComparison.Ordinal))]).Length == 0 || leases.Length > 0, "the devices of containers");
        return [.. leases, .. devices, .. Network.Shell("nft list ruleset").Split('\n').Where(l => l.Contains("comment", StringComparison.Ordinal))];
    }

    protected override void CleanUp()
    {
        if (Directory.Exists(Root + "/containers"))
            Run("rm", "--force", "--all", "--volumes");
    }
}
