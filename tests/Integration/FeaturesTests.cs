// The features document: every property that the specification has for it, and whether what it says is so.
using System.Text.Json.Nodes;

namespace Conman.Integration.Tests;

public class FeaturesTests : ContainerTest
{
    private readonly JsonObject _features;

    public FeaturesTests() => _features = (JsonObject)JsonNode.Parse(Runtime.StartBare(new Options(), "features").Succeeded().Output)!;

    private JsonObject Linux => (JsonObject)_features["linux"]!;

    private static string[] Words(JsonNode? list) => [.. list!.AsArray().Select(word => (string)word!)];

    [Proves("features: ociVersionMin", "features: ociVersionMax", "features: hooks[]", "ociVersion")]
    [SkippableFact]
    public void Versions_and_hooks_are_those_that_are_taken()
    {
        Assert.Equal(["createContainer", "createRuntime", "poststart", "poststop", "prestart", "startContainer"], Words(_features["hooks"]).Order());
        foreach (string version in (string[])["ociVersionMin", "ociVersionMax"])
            Runtime.RunContainer(NewBundle().Set("ociVersion", (string)_features[version]!).Args("true")).Succeeded();
        Skip.If(Runtime.IsRunc, "runc takes any version");
        Runtime.RunContainer(Bundle.Set("ociVersion", "7.0.0").Args("true")).FailedWith("7.0.0");
    }

    [Proves("features: linux.namespaces[]", "features: linux.capabilities[]")]
    [SkippableFact]
    public void Namespaces_and_capabilities_are_the_kernels()
    {
        Assert.Equal(["cgroup", "ipc", "mount", "network", "pid", "time", "user", "uts"], Words(Linux["namespaces"]).Order());
        int last = int.Parse(File.ReadAllText("/proc/sys/kernel/cap_last_cap"), System.Globalization.CultureInfo.InvariantCulture);
        Assert.True(Words(Linux["capabilities"]).Length >= last + 1);
    }

    [Proves("features: linux.cgroup")]
    [SkippableFact]
    public void Every_kind_of_cgroup_is_told_of()
    {
        foreach (string kind in (string[])["v1", "v2", "systemd", "rdma"])
            Assert.True((bool)Linux["cgroup"]![kind]!, kind);
        Assert.NotNull(Linux["cgroup"]!["systemdUser"]);
    }

    [Proves("features: linux.seccomp")]
    [SkippableFact]
    public void Every_word_of_a_filter_that_is_told_of_is_taken()
    {
        JsonNode seccomp = Linux["seccomp"]!;
        Assert.True((bool)seccomp["enabled"]!);
        Assert.Contains("SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV", Words(seccomp["knownFlags"]));
        foreach (string action in Words(seccomp["actions"]).Except(["SCMP_ACT_NOTIFY"]))
            Compiles(new JsonObject { ["names"] = Tests.Bundle.Strings("acct"), ["action"] = action });
        foreach (string op in Words(seccomp["operators"]))
        {
            Compiles(new JsonObject
            {
                ["names"] = Tests.Bundle.Strings("acct"), ["action"] = "SCMP_ACT_LOG", ["args"] = new JsonArray(new JsonObject { ["index"] = 0, ["value"] = 1, ["valueTwo"] = 1, ["op"] = op }),
            });
        }
        // A filter that reads arguments can be for one byte order only: the machine's, and these are little-endian.
        string[] architectures = [.. Words(seccomp["archs"]).Where(a => a["SCMP_ARCH_".Length..] is "X86" or "X86_64" or "X32" or "ARM" or "AARCH64" or "RISCV64" or "PPC64LE")];
        Bundle.Set("linux/seccomp", new JsonObject
        {
            ["defaultAction"] = "SCMP_ACT_ALLOW", ["architectures"] = Tests.Bundle.Strings(architectures),
            ["flags"] = new JsonArray([.. Words(seccomp["supportedFlags"]).Where(f => !f.EndsWith("WAIT_KILLABLE_RECV", StringComparison.Ordinal)).Select(f => JsonValue.Create(f))]),
            ["syscalls"] = new JsonArray(new JsonObject { ["names"] = Tests.Bundle.Strings("acct"), ["action"] = "SCMP_ACT_ERRNO" }),
        });
        Runtime.RunContainer(Bundle.Args("true")).Succeeded();
    }

    [Proves("linux.seccomp.defaultErrnoRet")]
    [SkippableFact]
    public void The_default_of_a_filter_has_an_errno_of_its_own()
    {
        // Everything that busybox needs to say what became of its mkdir.
        Bundle.Set("linux/seccomp", new JsonObject
        {
            ["defaultAction"] = "SCMP_ACT_ERRNO", ["defaultErrnoRet"] = 28,
            ["syscalls"] = new JsonArray(new JsonObject
            {
                ["action"] = "SCMP_ACT_ALLOW",
                ["names"] = Tests.Bundle.Strings("execve", "execveat", "brk", "mmap", "mprotect", "munmap", "arch_prctl", "set_tid_address", "set_robust_list", "rseq", "prlimit64",
                    "readlink", "readlinkat", "getrandom", "write", "exit_group", "umask", "close", "close_range", "getuid", "geteuid", "getgid", "getegid", "futex", "fstat", "stat", "lstat"),
            }),
        });
        Result run = Runtime.RunContainer(Bundle.Args("busybox", "mkdir", "/tmp/new"));
        Assert.Contains("No space left on device", run.Error);
    }

    [Proves("features: linux.apparmor", "features: linux.selinux", "features: linux.intelRdt", "features: linux.netDevices", "features: linux.mountExtensions", "features: linux.memoryPolicy")]
    [SkippableFact]
    public void What_conman_can_do_is_told_whether_or_not_this_host_can()
    {
        foreach (string part in (string[])["apparmor", "selinux", "intelRdt", "netDevices"])
            Assert.True((bool)Linux[part]!["enabled"]!, part);
        Assert.True((bool)Linux["intelRdt"]!["schemata"]! && (bool)Linux["intelRdt"]!["monitoring"]!);
        Assert.True((bool)Linux["mountExtensions"]!["idmap"]!["enabled"]!);
        Assert.Contains("MPOL_INTERLEAVE", Words(Linux["memoryPolicy"]!["modes"]));
        Assert.Contains("MPOL_F_STATIC_NODES", Words(Linux["memoryPolicy"]!["flags"]));
    }

    /// <summary>schema/features-schema.json and features-linux.json of runtime-spec 1.3: the types, from their list, and the words of defs-linux.json.</summary>
    [SkippableFact]
    public void The_document_is_valid_by_the_schema()
    {
        Dictionary<string, string> types = File.ReadLines(Runtime.RepositoryRoot() + "/tests/Oci.Tests/features-members.txt")
            .Where(line => !line.StartsWith('#')).Select(line => line.Split(' ')).ToDictionary(words => words[0], words => words[1]);
        Dictionary<string, string> allowed = new()
        {
            ["linux.namespaces[]"] = "mount pid network uts ipc user cgroup time",
            ["linux.seccomp.actions[]"] = Prefixed("SCMP_ACT_", "KILL KILL_PROCESS KILL_THREAD TRAP ERRNO TRACE ALLOW LOG NOTIFY"),
            ["linux.seccomp.operators[]"] = Prefixed("SCMP_CMP_", "NE LT LE EQ GE GT MASKED_EQ"),
            ["linux.seccomp.archs[]"] = Prefixed("SCMP_ARCH_", "X86 X86_64 X32 ARM AARCH64 LOONGARCH64 M68K MIPS MIPS64 MIPS64N32 MIPSEL MIPSEL64 MIPSEL64N32 "
                + "PPC PPC64 PPC64LE S390 S390X SH SHEB PARISC PARISC64 RISCV64"),
            ["linux.seccomp.knownFlags[]"] = Prefixed("SECCOMP_FILTER_FLAG_", "TSYNC LOG SPEC_ALLOW WAIT_KILLABLE_RECV"),
            ["linux.seccomp.supportedFlags[]"] = Prefixed("SECCOMP_FILTER_FLAG_", "TSYNC LOG SPEC_ALLOW WAIT_KILLABLE_RECV"),
            ["linux.memoryPolicy.modes[]"] = Prefixed("MPOL_", "DEFAULT BIND INTERLEAVE WEIGHTED_INTERLEAVE PREFERRED PREFERRED_MANY LOCAL"),
            ["linux.memoryPolicy.flags[]"] = Prefixed("MPOL_F_", "NUMA_BALANCING RELATIVE_NODES STATIC_NODES"),
        };
        string[] required = ["ociVersionMin", "ociVersionMax"];
        Assert.All(required, name => Assert.NotNull(_features[name]));
        var seen = new HashSet<string>();
        Check("", _features);
        Assert.Empty(types.Keys.Except(seen)); // and nothing is left unsaid

        static string Prefixed(string prefix, string words) => string.Join(' ', words.Split(' ').Select(word => prefix + word));

        void Check(string path, JsonNode? node)
        {
            if (node is JsonObject members && path != "annotations")
            {
                foreach ((string name, JsonNode? value) in members)
                    Check(path.Length == 0 ? name : $"{path}.{name}", value);
                return;
            }
            if (node is JsonObject map)
            {
                foreach ((string _, JsonNode? value) in map)
                    Check(path + ".*", value);
                return;
            }
            if (node is JsonArray list)
            {
                Assert.Equal(list.Count, Words(list).Distinct().Count());
                foreach (JsonNode? element in list)
                    Check(path + "[]", element);
                return;
            }
            Assert.True(types.TryGetValue(path, out string? type), path + " is not a property of the schema");
            Assert.Equal(type, node!.GetValueKind() switch
            {
                System.Text.Json.JsonValueKind.True or System.Text.Json.JsonValueKind.False => "boolean",
                System.Text.Json.JsonValueKind.String => "string",
                var other => other.ToString(),
            });
            if (allowed.TryGetValue(path, out string? words))
                Assert.Contains((string)node!, words.Split(' '));
            if (path == "linux.capabilities[]")
                Assert.Matches("^CAP_[A-Z_]+$", (string)node!);
            seen.Add(path);
        }
    }

    [Proves("features: annotations.*", "features: potentiallyUnsafeConfigAnnotations[]")]
    [SkippableFact]
    public void Callers_are_told_of_checkpoints_and_of_annotations_that_do_something()
    {
        Assert.Equal("true", (string?)_features["annotations"]!["org.opencontainers.runc.checkpoint.enabled"]);
        Assert.Contains("org.systemd.property.", Words(_features["potentiallyUnsafeConfigAnnotations"]));
        Skip.If(Runtime.IsRunc, "conman's own");
        string version = Runtime.StartBare(new Options(), "--version").Succeeded().Output;
        Assert.Contains($"version {(string)_features["annotations"]!["org.conman.version"]!}\ncommit: {(string)_features["annotations"]!["org.conman.commit"]!}\n", version);
        Assert.Contains("org.conman.", Words(_features["potentiallyUnsafeConfigAnnotations"]));
    }

    private void Compiles(JsonObject rule)
    {
        Bundle bundle = NewBundle().Set("linux/seccomp", new JsonObject { ["defaultAction"] = "SCMP_ACT_ALLOW", ["syscalls"] = new JsonArray(rule) }).Args("true");
        Runtime.RunContainer(bundle).Succeeded();
    }
}
