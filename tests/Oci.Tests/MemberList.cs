// The lists of members that the specification has (*-members.txt), and documents made from them.

using System.Globalization;
using System.Text.Json.Nodes;

namespace Conman.Oci.Tests;

/// <summary>One member: "linux.devices[].major", and what it holds.</summary>
public sealed record Member(string Path, string Type)
{
    /// <summary>The steps to it; an array's element is "[]", any key of a map is "*".</summary>
    public string[] Steps => Path.Replace("[]", ".[]").Split('.');

    public override string ToString() => $"{Path} ({Type})";

    /// <summary>A value that is not what an absent member would be.</summary>
    public JsonNode Sample() => Type switch
    {
        "string" => JsonValue.Create("täxt \"\\ \u0001 \u2028 😀"),
        "boolean" => JsonValue.Create(true),
        _ => JsonValue.Create(7),
    };

    /// <summary>Values at the ends of the type, as they stand in a document.</summary>
    public IEnumerable<string> Extremes() => Type switch
    {
        "string" => ["\"\"", "\"\\u0000\""],
        "boolean" => ["true", "false"],
        "uint16" => ["0", "65535"],
        "uint32" => ["0", "4294967295"],
        "uint64" => ["0", "18446744073709551615"],
        "int32" => ["-2147483648", "2147483647"],
        "int64" => ["-9223372036854775808", "9223372036854775807"],
        _ => throw new InvalidOperationException(Type),
    };

    /// <summary>Values that are wrong there.</summary>
    public IEnumerable<string> Wrong() => Type switch
    {
        "string" => ["1", "true", "{}", "[]"],
        "boolean" => ["1", "\"true\"", "{}", "[]"],
        "uint16" => ["-1", "65536", "1.5", "1e2", "\"1\"", "{}"],
        "uint32" => ["-1", "4294967296", "1.5", "1e2", "\"1\"", "[]"],
        "uint64" => ["-1", "18446744073709551616", "1e400", "1.0", "\"1\"", "true"],
        "int32" => ["2147483648", "-2147483649", "0.1", "\"1\"", "{}"],
        _ => ["9223372036854775808", "-9223372036854775809", "1E1", "\"1\"", "[]"],
    };

    /// <summary>A document that holds this member alone.</summary>
    public string Document(string value)
    {
        var text = value;
        foreach (var step in Steps.Reverse())
            text = step switch { "[]" => $"[{text}]", "*" => $"{{\"some key\":{text}}}", _ => $"{{\"{step}\":{text}}}" };
        return text;
    }
}

/// <summary>All members of one kind of document.</summary>
public static class MemberList
{
    public static readonly IReadOnlyList<Member> Config = Read("config"), Features = Read("features"), State = Read("state");

    /// <summary>A document in which every member is given.</summary>
    public static JsonObject Everything(IReadOnlyList<Member> members)
    {
        var root = new JsonObject();
        foreach (var member in members)
            Put(root, member.Steps, member.Sample());
        return root;
    }

    /// <summary>Objects of a document whose member names are fixed, that is, which are no maps.</summary>
    public static IEnumerable<(string Path, JsonObject Object)> FixedObjects(IReadOnlyList<Member> members, JsonObject root)
    {
        var found = new SortedDictionary<string, JsonObject>(StringComparer.Ordinal) { [""] = root };
        foreach (var member in members)
        {
            JsonNode node = root;
            for (var i = 0; i < member.Steps.Length; i++)
            {
                if (node is JsonObject o && member.Steps[i] != "*")
                    found[string.Join('.', member.Steps[..i])] = o;
                node = Child(node, member.Steps[i])!;
            }
        }
        return found.Select(pair => (pair.Key, pair.Value));
    }

    private static void Put(JsonNode node, string[] steps, JsonNode value)
    {
        for (var i = 0; i < steps.Length; i++)
        {
            var child = Child(node, steps[i]);
            if (child is null)
            {
                child = i + 1 == steps.Length ? value : steps[i + 1] == "[]" ? new JsonArray() : new JsonObject();
                if (node is JsonArray array)
                    array.Add(child);
                else
                    node[steps[i] == "*" ? "some key" : steps[i]] = child;
            }
            node = child;
        }
    }

    private static JsonNode? Child(JsonNode node, string step) =>
        node is JsonArray array ? array.Count > 0 ? array[0] : null : node[step == "*" ? "some key" : step];

    private static List<Member> Read(string name) =>
    [
        .. from line in File.ReadAllLines(Path.Combine(AppContext.BaseDirectory, name + "-members.txt"))
           where !line.StartsWith('#')
           let space = line.IndexOf(' ')
           select new Member(line[..space], line[(space + 1)..]),
    ];
}
