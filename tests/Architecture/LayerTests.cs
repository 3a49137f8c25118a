// The layers: each may use those below it, never one above or beside it.

namespace Conman.Architecture.Tests;

public class LayerTests
{
    // The one place that says who may use whom. A layer that is not built yet may be absent; one that is not listed may not exist.
    private static readonly Dictionary<string, string[]> Below = new()
    {
        ["Conman.Linux"] = [],
        ["Conman.Oci"] = [],
        ["Conman.Network"] = ["Conman.Linux", "Conman.Oci"],
        ["Conman.Images"] = ["Conman.Linux", "Conman.Oci"],
        ["Conman.Runtime"] = ["Conman.Linux", "Conman.Oci"],
        ["Conman.CommandLine"] = ["Conman.Linux", "Conman.Runtime"],
        ["Conman.Runc"] = ["Conman.Linux", "Conman.Oci", "Conman.Runtime", "Conman.CommandLine"],
        ["Conman.Disk"] = ["Conman.Linux", "Conman.Oci", "Conman.Images"],
        ["Conman.Engine"] = ["Conman.Linux", "Conman.Oci", "Conman.Runtime", "Conman.Images", "Conman.Network"],
        ["Conman.Server"] = ["Conman.Linux", "Conman.Oci", "Conman.Runtime", "Conman.Images", "Conman.Network", "Conman.Engine"],
        ["Conman"] = ["Conman.CommandLine", "Conman.Linux", "Conman.Oci", "Conman.Runtime", "Conman.Images", "Conman.Network", "Conman.Engine", "Conman.Disk", "Conman.Server"],
    };

    public static TheoryData<Project> Product => [.. Project.Product];

    [Theory, MemberData(nameof(Product))]
    public void A_layer_uses_only_those_below_it(Project project)
    {
        Assert.True(Below.TryGetValue(project.Name, out var below), $"{project} has no place among the layers: give it one in {nameof(LayerTests)} and the design");
        var used = project.AssemblyReferences().Where(name => name.StartsWith("Conman", StringComparison.OrdinalIgnoreCase));
        Assert.Empty(used.Concat(project.ProjectReferences).Distinct().Except(below));
    }

    [Fact]
    public void The_foundations_are_there() =>
        Assert.Superset(new HashSet<string> { "Conman", "Conman.Linux", "Conman.Oci", "Conman.Runtime" }, Project.Product.Select(p => p.Name).ToHashSet());

    [Fact]
    public void The_documents_do_no_input_or_output()
    {
        var oci = Project.Product.Single(p => p.Name == "Conman.Oci");
        string[] allowed = ["System.IO.MemoryStream", "System.IO.Stream"];
        var used = oci.TypeReferences().Where(t =>
            t.StartsWith("System.IO.", StringComparison.Ordinal) || t.StartsWith("System.Net.", StringComparison.Ordinal)
            || t.StartsWith("Microsoft.Win32.", StringComparison.Ordinal) || t is "System.Console" or "System.Environment"
            || t.StartsWith("System.Diagnostics.Process", StringComparison.Ordinal));
        Assert.Empty(used.Except(allowed));
        Assert.Empty(oci.PackageReferences);
    }

    [Theory, MemberData(nameof(Product))]
    public void Only_the_lowest_layer_calls_the_kernel_by_itself(Project project)
    {
        // Not the kernel's: libraries that compress, where images are unpacked, and hash.
        var others = project.Name == "Conman.Images" ? project.PlatformInvokes().Where(name => name.StartsWith("ZSTD_", StringComparison.Ordinal) || name.StartsWith("CompressionNative_", StringComparison.Ordinal) || name.StartsWith("SHA256_", StringComparison.Ordinal)) : [];
        if (project.Name == "Conman.Linux")
            Assert.NotEmpty(project.PlatformInvokes());
        else
            Assert.Empty(project.PlatformInvokes().Except(others));
    }

    [Theory, MemberData(nameof(Product))]
    public void Raw_calls_of_libc_stay_below_the_wrappers(Project project)
    {
        if (project.Name != "Conman.Linux")
            Assert.DoesNotContain("Tmds.LibC", project.AssemblyReferences());
    }

    [Theory, MemberData(nameof(Product))]
    public void Nothing_uses_what_needs_a_helper_beside_the_binary(Project project)
    {
        Assert.DoesNotContain(project.AssemblyReferences(), name => name.StartsWith("Mono.", StringComparison.Ordinal));
        Assert.DoesNotContain(project.PackageReferences, name => name.StartsWith("Mono.", StringComparison.Ordinal));
    }

    [Theory, MemberData(nameof(Product))]
    public void Every_assembly_of_the_product_survives_ahead_of_time_compilation(Project project) =>
        Assert.True(project.IsMarked("IsTrimmable", "True") || project.Name is "Conman" or "Conman.Runc", $"{project} is not built as AOT compatible");

    [Theory, MemberData(nameof(Product))]
    public void Nothing_runs_programs_or_sleeps_behind_the_back_of_the_lowest_layer(Project project)
    {
        Assert.DoesNotContain("System.Diagnostics.Process", project.TypeReferences());
        Assert.DoesNotContain("System.Threading.Thread.Sleep", project.Calls());
    }
}
