// The documents of runtime-spec against the specification's own list of members: each is known, and none is lost.

using System.Collections;
using System.Reflection;
using System.Text;
using System.Text.Json.Nodes;
using Conman.Oci.RuntimeSpec;

namespace Conman.Oci.Tests;

public class RuntimeSpecTests
{
    public static TheoryData<string> Documents => ["config", "features", "state"];

    [Theory, MemberData(nameof(Documents))]
    public void Every_member_of_the_specification_is_a_member_of_the_types(string document)
    {
        foreach (var member in Members(document))
        {
            var parsed = Parse(document, member.Document(member.Sample().ToJsonString()));
            Assert.True(!Unknown(parsed).Any(), $"{document}: {member} is not known");
        }
    }

    [Theory, MemberData(nameof(Documents))]
    [Proves("features: annotations.*", "features: potentiallyUnsafeConfigAnnotations[]")]
    public void A_document_with_every_member_survives(string document)
    {
        var everything = MemberList.Everything(Members(document));
        foreach (var indented in (bool[])[false, true])
        {
            var written = JsonNode.Parse(Write(Parse(document, everything.ToJsonString()), indented));
            Assert.True(JsonNode.DeepEquals(everything, written), $"{everything}\nbecame\n{written}");
        }
    }

    [Theory, MemberData(nameof(Documents))]
    public void The_ends_of_every_type_survive(string document)
    {
        foreach (var member in Members(document))
        {
            foreach (var value in member.Extremes())
            {
                var text = member.Document(value);
                var (given, written) = (JsonNode.Parse(text), JsonNode.Parse(Write(Parse(document, text), false)));
                // What is false need not be written; an object with a number that is always there may be written with it.
                Assert.True(value == "false" || Within(given, written), $"{text} became {written?.ToJsonString()}");
            }
        }
    }

    [Theory, MemberData(nameof(Documents))]
    public void A_value_of_the_wrong_type_is_one_line_that_names_the_member(string document)
    {
        foreach (var member in Members(document))
        {
            foreach (var value in member.Wrong())
            {
                var error = Assert.Throws<OciFormatException>(() => Parse(document, "\n\n" + member.Document(value)));
                OneLine.Check(error);
                Assert.StartsWith(member.Path.Replace("[]", "[0]").Replace("*", "some key") + ": ", error.Message);
                Assert.EndsWith(" (line 3)", error.Message);
            }
        }
    }

    [Theory, MemberData(nameof(Documents))]
    public void Null_is_as_good_as_absent(string document)
    {
        foreach (var member in Members(document).Where(m => !m.Path.EndsWith("[]") && !m.Path.EndsWith('*')))
        {
            var with = Write(Parse(document, member.Document("null")), false);
            var parent = member.Document("null").Replace($"\"{member.Steps[^1]}\":null", "");
            Assert.Equal(Encoding.UTF8.GetString(Write(Parse(document, parent), false)), Encoding.UTF8.GetString(with));
        }
    }

    [Theory, MemberData(nameof(Documents))]
    public void Unknown_members_survive_at_every_level(string document)
    {
        var everything = MemberList.Everything(Members(document));
        foreach (var (path, target) in MemberList.FixedObjects(Members(document), everything))
        {
            target["org.example.unknown"] = JsonNode.Parse("""{"a": [1e400, -0.0, 123456789012345678901234567890, "\ud83d\ude00", {"b": null}], "c": false}""");
            target["LINUX"] = path;
        }
        var written = JsonNode.Parse(Write(Parse(document, everything.ToJsonString()), true));
        Assert.True(JsonNode.DeepEquals(everything, written), $"{everything}\nbecame\n{written}");
    }

    [Fact]
    public void Sections_of_other_platforms_survive()
    {
        var spec = JsonNode.Parse("""
            {
                "ociVersion": "1.3.0",
                "windows": {"layerFolders": ["C:\\layers"], "resources": {"memory": {"limit": 18446744073709551615}}},
                "solaris": {"cappedCPU": {"ncpus": "8"}},
                "vm": {"hypervisor": {"path": "/h", "parameters": ["a=b"]}, "kernel": {"path": "/k"}},
                "zos": {"namespaces": [{"type": "pid"}]},
                "freebsd": {"jail": {"vnet": "new"}}
            }
            """);
        Assert.True(JsonNode.DeepEquals(spec, JsonNode.Parse(Spec.Parse(Encoding.UTF8.GetBytes(spec!.ToJsonString())).ToUtf8(true))));
    }

    [Fact]
    public void What_is_written_has_every_member_that_the_specification_requires()
    {
        // Required, and the default of its type: it must not be left out as an absent one would be.
        var spec = Spec.Default();
        spec.Linux!.Devices = [new Device { Type = "c", Path = "/dev/x" }];
        spec.Process!.Rlimits = [new Rlimit { Type = "RLIMIT_CORE" }];
        spec.Linux.UidMappings = [new IdMapping()];
        spec.Linux.Resources!.Pids = new PidsResources { Limit = 0 };
        spec.Linux.Seccomp = new RuntimeSpec.Seccomp { DefaultAction = "SCMP_ACT_ALLOW", Syscalls = [new SeccompSyscall { Names = [], Action = "SCMP_ACT_ERRNO", Args = [new SeccompArg { Op = "SCMP_CMP_EQ" }] }] };
        var json = JsonNode.Parse(spec.ToUtf8(false))!;
        string[] required =
        [
            "ociVersion", "root.path", "process.cwd", "process.user.uid", "process.user.gid", "process.rlimits.0.soft", "process.rlimits.0.hard",
            "linux.uidMappings.0.containerID", "linux.uidMappings.0.hostID", "linux.uidMappings.0.size", "linux.resources.devices.0.allow",
            "linux.resources.pids.limit", "linux.seccomp.defaultAction", "linux.seccomp.syscalls.0.names", "linux.seccomp.syscalls.0.args.0.index",
            "linux.seccomp.syscalls.0.args.0.value",
        ];
        foreach (var path in required)
        {
            var node = path.Split('.').Aggregate<string, JsonNode?>(json, (n, step) => n is JsonArray a ? a[int.Parse(step)] : n?[step]);
            Assert.True(node is not null, $"{path} is missing");
        }
    }

    [Fact]
    public void The_default_documents_are_read_back_as_they_were_written()
    {
        foreach (var spec in (Spec[])[Spec.Default(), Spec.DefaultRootless(1000, 1001)])
        {
            var written = spec.ToUtf8(true);
            Assert.Equal(written, Spec.Parse(written).ToUtf8(true));
            Assert.Empty(Unknown(Spec.Parse(written)));
        }
    }

    private static IReadOnlyList<Member> Members(string document) =>
        document switch { "config" => MemberList.Config, "features" => MemberList.Features, _ => MemberList.State };

    private static object Parse(string document, string json)
    {
        var utf8 = Encoding.UTF8.GetBytes(json);
        return document switch { "config" => Spec.Parse(utf8), "features" => Features.Parse(utf8), _ => State.Parse(utf8) };
    }

    private static byte[] Write(object document, bool indented) =>
        document switch { Spec s => s.ToUtf8(indented), Features f => f.ToUtf8(indented), _ => ((State)document).ToUtf8(indented) };

    // Every member of `given` is in `written` too, with the same value.
    private static bool Within(JsonNode? given, JsonNode? written) => (given, written) switch
    {
        (JsonObject a, JsonObject b) => a.All(member => b.ContainsKey(member.Key) && Within(member.Value, b[member.Key])),
        (JsonArray a, JsonArray b) => a.Count == b.Count && a.Zip(b).All(pair => Within(pair.First, pair.Second)),
        _ => JsonNode.DeepEquals(given, written),
    };

    /// <summary>Names of unknown members anywhere in an object.</summary>
    private static IEnumerable<string> Unknown(object? value)
    {
        switch (value)
        {
            case null or string:
                return [];
            case IDictionary map:
                return map.Values.Cast<object?>().SelectMany(Unknown);
            case IEnumerable list:
                return list.Cast<object?>().SelectMany(Unknown);
            default:
                if (value.GetType().Assembly != typeof(Spec).Assembly)
                    return [];
                var own = ((IEnumerable<UnknownMember>)value.GetType().GetProperty("UnknownMembers")!.GetValue(value)!).Select(m => m.Name);
                return own.Concat(value.GetType().GetProperties(BindingFlags.Public | BindingFlags.Instance)
                    .Where(p => p.Name != "UnknownMembers").SelectMany(p => Unknown(p.GetValue(value))));
        }
    }
}
