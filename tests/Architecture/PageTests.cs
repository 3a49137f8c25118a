// The pages in docs/: the tests that they name exist, and what they say is held against has a test.

using System.Text.RegularExpressions;

namespace Conman.Architecture.Tests;

public partial class PageTests
{
    private static readonly Lazy<string> Tests = new(() => string.Concat(
        Directory.GetFiles(Path.Combine(Repository.Root, "tests"), "*.cs", SearchOption.AllDirectories).Where(f => !f.Contains("/obj/")).Select(File.ReadAllText)));

    public static TheoryData<string> Pages() => [.. Directory.GetFiles(Path.Combine(Repository.Root, "docs"), "*.md").Select(f => Path.GetFileName(f)).Order(StringComparer.Ordinal)];

    [Theory]
    [MemberData(nameof(Pages))]
    public void A_test_that_a_page_names_exists(string page)
    {
        foreach (Match name in NameOfTest().Matches(File.ReadAllText(Path.Combine(Repository.Root, "docs", page))))
        {
            Assert.Contains("class " + name.Groups["class"].Value, Tests.Value);
            if (name.Groups["method"].Success)
                Assert.Contains(" " + name.Groups["method"].Value + "(", Tests.Value);
        }
    }

    [Theory]
    [MemberData(nameof(Pages))]
    public void A_vulnerability_that_a_page_names_has_a_test(string page)
    {
        foreach (Match cve in Vulnerability().Matches(File.ReadAllText(Path.Combine(Repository.Root, "docs", page))))
            Assert.True(Tests.Value.Contains(cve.Value) || Tests.Value.Contains(cve.Value.Replace('-', '_')), $"docs/{page} speaks of {cve.Value}, and no test does");
    }

    [GeneratedRegex(@"`(?<class>[A-Z]\w*Tests)(\.(?<method>\w+))?`")]
    private static partial Regex NameOfTest();

    [GeneratedRegex(@"CVE-\d{4}-\d+")]
    private static partial Regex Vulnerability();
}
