// Bundles that cannot be run: the runtime says what is wrong, in one line, and leaves nothing behind.
using System.Text.Json.Nodes;

namespace Conman.Integration.Tests;

public class InvalidBundleTests : ContainerTest
{
    /// <summary>What is wrong, how to make it so, and a word that a message about it cannot do without.</summary>
    private static readonly Dictionary<string, (Action<Bundle> Break, string Names)> Cases = new()
    {
        ["a namespace of an unknown type"] = (b => b.Namespace("flavour"), "flavour"),
        ["a namespace asked for twice"] = (b => b.Add("linux/namespaces", new JsonObject { ["type"] = "pid" }), "pid"),
        ["a namespace path that is missing"] = (b => b.Namespace("network", "/no/such/namespace"), "/no/such/namespace"),
        ["a namespace path of another type"] = (b => b.Namespace("network", "/proc/self/ns/uts"), "net"),
        ["no mount namespace"] = (b => b.WithoutNamespace("mount"), "mount"),
        ["no process arguments"] = (b => b.Set("process/args", new JsonArray()), "args"),
        ["no root file system"] = (b => Directory.Delete(b.Rootfs, true), "rootfs"),
        ["a root file system that is a file"] = (b => b.Set("root/path", b.File("plain")), "plain"),
        ["no root at all"] = (b => b.Remove("root"), "root"),
        ["a command that is not found"] = (b => b.Args("nosuchcommand"), "nosuchcommand"),
        ["a command that is not executable"] = (b => b.Args("/etc/passwd"), "/etc/passwd"),
        ["a user id out of range"] = (b => b.User(1L << 32, 0), "uid"),
        ["a negative user id"] = (b => b.User(-1, 0), "uid"),
        ["a user id that is not mapped"] = (b => b.UserNamespace(100000, 10).User(1000, 0), "1000"),
        ["a bind whose source is missing"] = (b => b.Bind("/no/such/source", "/mnt"), "/no/such/source"),
        ["a file system that the kernel does not know"] = (b => b.Mount("/mnt", "flavourfs", "none"), "flavourfs"),
        ["an option that the file system does not know"] = (b => b.Mount("/mnt", "tmpfs", "tmpfs", "flavour=sweet"), "flavour"),
        ["a mount on a file's place in the root"] = (b => b.Mount("/etc/passwd/below", "tmpfs", "tmpfs"), "/etc/passwd"),
        ["a folder bound on a file"] = (b => b.Bind(b.Subfolder("source"), "/etc/passwd"), "/etc/passwd"),
        ["a sysctl that belongs to no namespace"] = (b => b.Set("linux/sysctl", new JsonObject { ["vm.swappiness"] = "1" }), "vm.swappiness"),
        ["a sysctl that does not exist"] = (b => b.Set("linux/sysctl", new JsonObject { ["net.nosuch"] = "1" }), "nosuch"),
        ["a sysctl of the host's network"] = (b => b.WithoutNamespace("network").Set("linux/sysctl", new JsonObject { ["net.ipv4.ip_forward"] = "1" }), "net.ipv4.ip_forward"),
        ["a limit of an unknown name"] = (b => b.Add("process/rlimits", new JsonObject { ["type"] = "RLIMIT_FLAVOUR", ["soft"] = 1, ["hard"] = 1 }), "RLIMIT_FLAVOUR"),
        ["a soft limit above the hard one"] = (b => b.Set("process/rlimits", new JsonArray(new JsonObject { ["type"] = "RLIMIT_NOFILE", ["soft"] = 20, ["hard"] = 10 })), "RLIMIT_NOFILE"),
        ["a filter with an unknown action"] = (b => b.Set("linux/seccomp", new JsonObject { ["defaultAction"] = "SCMP_ACT_FLAVOUR" }), "SCMP_ACT_FLAVOUR"),
        ["a filter with an unknown architecture"] = (b => b.Set("linux/seccomp", new JsonObject { ["defaultAction"] = "SCMP_ACT_ALLOW", ["architectures"] = Bundle.Strings("SCMP_ARCH_FLAVOUR") }), "SCMP_ARCH_FLAVOUR"),
        ["an unknown root propagation"] = (b => b.Set("linux/rootfsPropagation", "flavour"), "flavour"),
        ["a device of an unknown type"] = (b => b.Add("linux/devices", new JsonObject { ["path"] = "/dev/extra", ["type"] = "z", ["major"] = 1, ["minor"] = 3 }), "z"),
        ["an oom score out of range"] = (b => b.Set("process/oomScoreAdj", 5000), "oom"),
        ["a user namespace without maps"] = (b => b.Namespace("user"), "mapping"),
        ["a relative folder to work in"] = (b => b.Set("process/cwd", "tmp"), "cwd"),
        ["a folder to work in that is a file"] = (b => b.Set("process/cwd", "/etc/passwd"), "/etc/passwd"),
    };

    /// <summary>What runc takes without a word.</summary>
    private static readonly HashSet<string> RuncAccepts = ["a version of the future"];

    /// <summary>What runc refuses without naming it.</summary>
    private static readonly HashSet<string> RuncIsVague =
    [
        "no mount namespace", "a soft limit above the hard one", "a user id that is not mapped", "a root file system that is a file",
        "a file system that the kernel does not know", "empty", "cut short", "not an object", "not JSON", "more than one value", "deeper than any reader goes",
    ];

    public static TheoryData<string> Names => [.. Cases.Keys];

    [SkippableTheory]
    [MemberData(nameof(Names))]
    public void Is_refused_by_name(string what)
    {
        Skip.If(Runtime.IsRunc && RuncAccepts.Contains(what), "runc accepts this");
        Bundle.Args("true");
        Cases[what].Break(Bundle);
        AssertRefused(Runtime.RunContainer(Bundle), Cases[what].Names, what);
    }

    public static TheoryData<string, string, string> Texts => new()
    {
        { "empty", "", "config.json" },
        { "cut short", """{ "ociVersion": "1.0.2", "process": {""", "config.json" },
        { "not an object", "[]", "config.json" },
        { "not JSON", "hello", "config.json" },
        { "more than one value", "{} {}", "config.json" },
        { "a text where a number belongs", """{ "ociVersion": "1.0.2", "process": { "cwd": "/", "args": ["true"], "user": { "uid": "root" } }, "root": { "path": "rootfs" } }""", "uid" },
        { "an object where a list belongs", """{ "ociVersion": "1.0.2", "process": { "cwd": "/", "args": {} }, "root": { "path": "rootfs" } }""", "args" },
        { "a number too large", """{ "ociVersion": "1.0.2", "process": { "cwd": "/", "args": ["true"], "user": { "uid": 99999999999999999999 } }, "root": { "path": "rootfs" } }""", "uid" },
        { "a version of the future", """{ "ociVersion": "7.0.0", "process": { "cwd": "/", "args": ["true"] }, "root": { "path": "rootfs" }, "mounts": [ { "destination": "/proc", "type": "proc", "source": "proc" } ], "linux": { "namespaces": [ { "type": "mount" }, { "type": "pid" } ] } }""", "7.0.0" },
        { "deeper than any reader goes", "", "config.json" },
    };

    [SkippableTheory]
    [MemberData(nameof(Texts))]
    public void A_config_that_cannot_be_read_is_refused(string what, string text, string names)
    {
        Skip.If(Runtime.IsRunc && RuncAccepts.Contains(what), "runc accepts this");
        if (what.StartsWith("deeper", StringComparison.Ordinal))
            text = "{\"annotations\":" + string.Concat(Enumerable.Repeat("[", 100000));
        Bundle.Save();
        Bundle.File("config.json", text);
        AssertRefused(Runtime.Run("run", "--bundle", Bundle.Folder, Bundle.Id), names, what);
    }

    [SkippableTheory]
    [InlineData("create")]
    [InlineData("run")]
    public void Without_a_config_there_is_no_container(string command) =>
        AssertRefused(Runtime.Run(command, "--bundle", Bundle.Folder, Bundle.Id), "config.json");

    [SkippableFact]
    public void A_bundle_that_is_not_there_is_named() =>
        AssertRefused(Runtime.Run("run", "--bundle", "/no/such/bundle", Bundle.Id), Runtime.IsRunc ? "no such" : "/no/such/bundle");

    [SkippableTheory]
    [InlineData("../x")]
    [InlineData("a/b")]
    [InlineData(".")]
    [InlineData("..")]
    [InlineData("/")]
    [InlineData("a b")]
    [InlineData("a\nb")]
    [InlineData("ü")]
    public void An_id_that_is_no_name_is_refused(string id)
    {
        string elsewhere = Path.GetFullPath(Runtime.Root + "/../x");
        Bundle.Args("true").Save();
        AssertRefused(Runtime.Run("create", "--bundle", Bundle.Folder, id), "id");
        Assert.False(Path.Exists(elsewhere));
        foreach (string command in (string[])["state", "start", "kill", "delete"])
            Assert.NotEqual(0, Runtime.Run(command, id).ExitCode);
    }

    [SkippableFact]
    public void An_empty_id_is_refused()
    {
        Bundle.Args("true").Save();
        AssertRefused(Runtime.Run("create", "--bundle", Bundle.Folder, ""), "id");
        Assert.NotEqual(0, Runtime.Run("create", "--bundle", Bundle.Folder).ExitCode);
    }

    [SkippableFact]
    public void Names_of_every_allowed_kind_are_accepted()
    {
        // Found again by the cgroup's path, which has the test's own id.
        string id = $"A_z.0+9-{Bundle.Id}";
        Bundle.Shell("echo here").Save();
        Runtime.Run("run", "--bundle", Bundle.Folder, id).Printed("here");
    }

    [SkippableFact]
    public void Fields_that_nobody_knows_are_passed_over()
    {
        Bundle.Set("flavour", "sweet").Set("linux/flavour", new JsonObject { ["deep"] = new JsonArray(1, 2) }).Set("process/flavour", 1);
        Runtime.RunContainer(Bundle.Shell("echo here")).Printed("here");
    }

    [SkippableFact]
    public void A_capability_that_nobody_knows_is_warned_of()
    {
        Bundle.Capabilities("CAP_CHOWN", "CAP_FLAVOUR");
        Result run = Runtime.RunContainer(Bundle.Shell("echo here"));
        run.Printed("here");
        Assert.Contains("CAP_FLAVOUR", run.Error);
    }

    [SkippableFact]
    public void An_ambient_capability_that_is_not_inheritable_is_only_warned_of()
    {
        Bundle.Set("process/capabilities/ambient", Tests.Bundle.Strings("CAP_KILL"));
        Result run = Runtime.RunContainer(Bundle.Shell("grep CapAmb /proc/self/status"));
        run.Printed("CapAmb:\t0000000000000000");
        Assert.Equal(!Runtime.IsRuncOlderThan(2), run.Error.Contains("ambient"));
    }

    [SkippableTheory]
    [InlineData("nosuchcommand")]
    [InlineData("run", "--nosuchoption", "x")]
    [InlineData("state")]
    [InlineData("state", "a", "b")]
    public void A_command_line_that_makes_no_sense_is_refused(params string[] arguments)
    {
        Result result = Runtime.Run(arguments);
        Assert.NotEqual(0, result.ExitCode);
        Assert.NotEmpty(result.Error);
    }

    private void AssertRefused(Result result, string names, string what = "")
    {
        result.FailedWith("");
        if (!Runtime.IsRunc || !RuncIsVague.Contains(what))
            Assert.Contains(names, result.Error, StringComparison.OrdinalIgnoreCase);
        Assert.NotEmpty(result.Error);
        if (!Runtime.IsRunc)
            Assert.Single(result.Error.TrimEnd('\n').Split('\n'));
        AssertNothingLeft();
    }
}
