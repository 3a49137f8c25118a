// The product as it was built: its projects, and what their assemblies' metadata says.

using System.Reflection;
using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;
using System.Xml.Linq;

namespace Conman.Architecture.Tests;

/// <summary>One folder below src/.</summary>
public sealed class Project
{
    private readonly XDocument _file;

    private Project(string path)
    {
        _file = XDocument.Load(path);
        Name = Path.GetFileNameWithoutExtension(path);
        // Debug or release, whichever these tests are.
        var configuration = Path.GetFileName(AppContext.BaseDirectory.TrimEnd('/'));
        var assembly = _file.Descendants("AssemblyName").FirstOrDefault()?.Value ?? Name;
        Assembly = Path.Combine(Repository.Root, "out/build/bin", Name, configuration, assembly + ".dll");
        IsGenerator = _file.Descendants("IsRoslynComponent").Any();
    }

    public string Name { get; }
    public string Assembly { get; }
    public bool IsGenerator { get; }

    /// <summary>Projects that it names in its project file, without what only runs at build time.</summary>
    public IEnumerable<string> ProjectReferences =>
        from reference in _file.Descendants("ProjectReference")
        where (string?)reference.Attribute("OutputItemType") != "Analyzer"
        select Path.GetFileNameWithoutExtension((string)reference.Attribute("Include")!);

    public IEnumerable<string> PackageReferences => _file.Descendants("PackageReference").Select(r => (string)r.Attribute("Include")!);

    /// <summary>Assemblies that its code uses.</summary>
    public IReadOnlyList<string> AssemblyReferences() =>
        Read(metadata => metadata.AssemblyReferences.Select(h => metadata.GetString(metadata.GetAssemblyReference(h).Name)));

    /// <summary>Types of other assemblies that its code uses, by full name.</summary>
    public IReadOnlyList<string> TypeReferences() => Read(metadata =>
        from handle in metadata.TypeReferences
        let type = metadata.GetTypeReference(handle)
        select $"{metadata.GetString(type.Namespace)}.{metadata.GetString(type.Name)}");

    /// <summary>Methods of other assemblies that its code calls: "System.IO.File.ReadAllText".</summary>
    public IReadOnlyList<string> Calls() => Read(metadata =>
        from handle in metadata.MemberReferences
        let member = metadata.GetMemberReference(handle)
        where member.Parent.Kind == HandleKind.TypeReference
        let type = metadata.GetTypeReference((TypeReferenceHandle)member.Parent)
        select $"{metadata.GetString(type.Namespace)}.{metadata.GetString(type.Name)}.{metadata.GetString(member.Name)}");

    /// <summary>Methods that are implemented outside .NET.</summary>
    public IReadOnlyList<string> PlatformInvokes() => Read(metadata =>
        from handle in metadata.MethodDefinitions
        let method = metadata.GetMethodDefinition(handle)
        where (method.Attributes & MethodAttributes.PinvokeImpl) != 0
        select metadata.GetString(method.Name));

    /// <summary>Value of an [assembly: AssemblyMetadata].</summary>
    public bool IsMarked(string key, string value) => Read(metadata =>
        from handle in metadata.GetAssemblyDefinition().GetCustomAttributes()
        let blob = metadata.GetBlobReader(metadata.GetCustomAttribute(handle).Value)
        let strings = Strings(blob)
        where strings.Count == 2 && strings[0] == key && strings[1] == value
        select key).Count > 0;

    public override string ToString() => Name;

    /// <summary>Every project below src/.</summary>
    public static IReadOnlyList<Project> All { get; } =
        [.. Directory.GetFiles(Path.Combine(Repository.Root, "src"), "*.csproj", SearchOption.AllDirectories).Order(StringComparer.Ordinal).Select(p => new Project(p))];

    /// <summary>Those that become part of the binary.</summary>
    public static IReadOnlyList<Project> Product { get; } = [.. All.Where(p => !p.IsGenerator)];

    private static List<string> Strings(BlobReader blob)
    {
        var strings = new List<string>();
        try
        {
            for (blob.ReadUInt16(); strings.Count < 2;)
                strings.Add(blob.ReadSerializedString() ?? "");
        }
        catch (BadImageFormatException)
        {
            // an attribute with other arguments
        }
        return strings;
    }

    private List<string> Read(Func<MetadataReader, IEnumerable<string>> what)
    {
        using var file = new PEReader(File.OpenRead(Assembly));
        return [.. what(file.GetMetadataReader())];
    }
}

public static class Repository
{
    public static string Root { get; } =
        typeof(Repository).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().Single(a => a.Key == "RepositoryRoot").Value!;
}
