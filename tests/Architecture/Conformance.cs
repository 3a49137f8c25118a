// docs/conformance.md as it should be: every property of the runtime specification, and the tests that are marked as its proof.

using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;
using System.Text;

namespace Conman.Architecture.Tests;

/// <summary>A test marked [Proves]: "ExecTests.The_user_is_the_one_asked_for", and what it proves.</summary>
public sealed record Proof(string Project, string Test, bool IsTest, IReadOnlyList<string> Properties);

/// <summary>A property of one of the specification's documents, by its path.</summary>
public sealed record Property(string Document, string Path, string Type)
{
    /// <summary>As marks name it.</summary>
    public string Name => Document == "config" ? Path : $"{Document}: {Path}";

    public bool IsProvedBy(string mark) =>
        Name == mark || (Name.StartsWith(mark, StringComparison.Ordinal) && Name[mark.Length] is '.' or '[');
}

public static class Conformance
{
    /// <summary>Properties that mean nothing on Linux, and why.</summary>
    public static IReadOnlyDictionary<string, string> OutOfScope { get; } = new Dictionary<string, string>
    {
        ["process.commandLine"] = "Windows only: read and kept, without effect on Linux",
        ["process.user.username"] = "Windows only: read and kept, without effect on Linux",
    };

    /// <summary>All properties, from the lists that the tests of Conman.Oci are made of.</summary>
    public static IReadOnlyList<Property> Properties { get; } =
    [
        .. from document in (string[])["config", "state", "features"]
           from line in File.ReadAllLines(Path.Combine(Repository.Root, "tests/Oci.Tests", document + "-members.txt"))
           where !line.StartsWith('#')
           let space = line.IndexOf(' ')
           select new Property(document, line[..space], line[(space + 1)..]),
    ];

    public static IReadOnlyList<Proof> Proofs { get; } =
        [.. ((string[])["Oci", "Linux", "Runtime", "Integration"]).SelectMany(Read).OrderBy(p => p.Test, StringComparer.Ordinal)];

    public static IEnumerable<string> TestsOf(Property property) => Proofs.Where(p => p.Properties.Any(property.IsProvedBy)).Select(p => $"`{p.Test}` ({p.Project})");

    /// <summary>The whole page.</summary>
    public static string Page()
    {
        var page = new StringBuilder("""
            # Conformance

            Every property of the OCI runtime specification's JSON schemas, version 1.3, for Linux, and the tests that prove what conman does with it.
            A path has `[]` for each element of a list and `*` for any key of a map. *Integration* are tests of the binary against the kernel; *Runtime*,
            *Oci* and *Linux* are tests of one layer (`tests/`).

            Made from the tests' `[Proves]` marks: `CONMAN_UPDATE_GOLDEN=1 dotnet test tests/Architecture --filter Conformance` writes it anew, and the same
            test fails when a property has no proof or the page is out of date.

            The schemas' parts for other platforms (`freebsd`, `solaris`, `vm`, `windows`, `zos`) are out of scope: conman runs on Linux.

            """);
        foreach (var document in Properties.GroupBy(p => p.Document))
        {
            var title = document.Key == "config" ? "config.json" : document.Key;
            page.Append($"\n## {title}\n\n| property | type | proved by |\n| --- | --- | --- |\n");
            foreach (var property in document)
            {
                var proof = OutOfScope.TryGetValue(property.Name, out var why) ? why : string.Join("<br>", TestsOf(property));
                page.Append($"| `{property.Path}` | {property.Type} | {proof} |\n");
            }
        }
        return page.ToString();
    }

    /// <summary>The marks in one test assembly, read from its metadata.</summary>
    private static List<Proof> Read(string project)
    {
        var configuration = Path.GetFileName(AppContext.BaseDirectory.TrimEnd('/'));
        var name = $"Conman.{project}.Tests";
        using var file = new PEReader(File.OpenRead(Path.Combine(Repository.Root, "out/build/bin", name, configuration, name + ".dll")));
        var metadata = file.GetMetadataReader();
        return
        [
            .. from typeHandle in metadata.TypeDefinitions
               let type = metadata.GetTypeDefinition(typeHandle)
               from methodHandle in type.GetMethods()
               let method = metadata.GetMethodDefinition(methodHandle)
               let attributes = method.GetCustomAttributes().Select(metadata.GetCustomAttribute).ToList()
               let marks = attributes.Where(a => TypeName(metadata, a) == "ProvesAttribute").SelectMany(a => Strings(metadata.GetBlobReader(a.Value))).ToList()
               where marks.Count > 0
               let isTest = attributes.Any(a => TypeName(metadata, a) is "FactAttribute" or "TheoryAttribute" or "SkippableFactAttribute" or "SkippableTheoryAttribute")
               select new Proof(project, $"{metadata.GetString(type.Name)}.{metadata.GetString(method.Name)}", isTest, marks),
        ];
    }

    private static string TypeName(MetadataReader metadata, CustomAttribute attribute)
    {
        if (attribute.Constructor.Kind == HandleKind.MethodDefinition)
            return metadata.GetString(metadata.GetTypeDefinition(metadata.GetMethodDefinition((MethodDefinitionHandle)attribute.Constructor).GetDeclaringType()).Name);
        var parent = metadata.GetMemberReference((MemberReferenceHandle)attribute.Constructor).Parent;
        return parent.Kind == HandleKind.TypeReference ? metadata.GetString(metadata.GetTypeReference((TypeReferenceHandle)parent).Name) : "";
    }

    /// <summary>The one argument, a list of strings (ECMA-335, II.23.3).</summary>
    private static IEnumerable<string> Strings(BlobReader blob)
    {
        blob.ReadUInt16();
        var strings = new string[blob.ReadInt32()];
        for (var i = 0; i < strings.Length; i++)
            strings[i] = blob.ReadSerializedString()!;
        return strings;
    }
}
