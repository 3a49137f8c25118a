// The conformance table: complete, true to the tests, and as it stands in docs/. CONMAN_UPDATE_GOLDEN=1 rewrites the page.

namespace Conman.Architecture.Tests;

public class ConformanceTests
{
    [Fact]
    public void Every_property_of_the_specification_has_a_test()
    {
        var missing = Conformance.Properties.Where(p => !Conformance.OutOfScope.ContainsKey(p.Name) && !Conformance.TestsOf(p).Any()).Select(p => p.Name);
        Assert.True(!missing.Any(), "without a test marked [Proves]:\n" + string.Join('\n', missing));
    }

    [Fact]
    public void Every_mark_stands_on_a_test_and_names_a_property()
    {
        foreach (var proof in Conformance.Proofs)
        {
            Assert.True(proof.IsTest, $"{proof.Test} is marked, and is no test");
            Assert.All(proof.Properties, mark => Assert.True(Conformance.Properties.Any(p => p.IsProvedBy(mark)), $"{proof.Test} proves '{mark}', which the specification does not have"));
        }
    }

    [Fact]
    public void The_page_is_up_to_date()
    {
        var file = Path.Combine(Repository.Root, "docs/conformance.md");
        if (Environment.GetEnvironmentVariable("CONMAN_UPDATE_GOLDEN") == "1")
            File.WriteAllText(file, Conformance.Page());
        Assert.Equal(File.ReadAllText(file), Conformance.Page());
    }
}
