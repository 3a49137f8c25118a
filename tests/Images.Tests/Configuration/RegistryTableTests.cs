// The configuration of registries: where a repository is looked for, and in what order; and the TOML that it is written in.

using Conman.Images.Configuration;
using Conman.Images.References;

namespace Conman.Images.Tests.Configuration;

public class RegistryTableTests
{
    private static string Places(string configuration, string reference, bool byDigest = false)
    {
        var table = new RegistryTable();
        table.Add(configuration);
        return string.Join(' ', table.Locations(ImageReference.Parse(reference), byDigest).Select(l => l.Domain + "/" + l.Path));
    }

    [Theory]
    [InlineData("alpine", "mirror.example/hub/library/alpine second.example:5000/library/alpine docker.io/library/alpine")]
    [InlineData("docker.io/a/b", "mirror.example/hub/a/b second.example:5000/a/b docker.io/a/b")]
    [InlineData("docker.io/team/app", "docker.io/moved/app")]
    [InlineData("docker.io/teams/app", "mirror.example/hub/teams/app second.example:5000/teams/app docker.io/teams/app")]
    [InlineData("other.example/a", "other.example/a")]
    [InlineData("x.wild.example/a", "inner.example/wild/a")]
    [InlineData("wild.example/a", "wild.example/a")]
    [InlineData("same.wild.other/a", "mirror.example/a same.wild.other/a")]
    public void The_longest_prefix_says_where_and_mirrors_come_first(string reference, string places) => Assert.Equal(places, Places("""
        unqualified-search-registries = ["docker.io"] # of no concern here
        [[registry]]
        location = "docker.io"
        [[registry.mirror]]
        location = "mirror.example/hub"
        [[registry.mirror]]
        location = "second.example:5000"
        insecure = true

        [[registry]]
        prefix = "docker.io/team"
        location = "docker.io/moved"

        [[registry]]
        prefix = "*.wild.example"
        location = "inner.example/wild"

        [[registry]]
        prefix = "*.wild.other"
        mirror = [{ location = "mirror.example" }]
        """, reference));

    [Fact]
    public void A_mirror_may_be_for_digests_or_for_tags_alone()
    {
        const string Configuration = """
            [[registry]]
            location = "a.example"
            mirror-by-digest-only = true
            mirror = [ { location = "m1.example" }, { location = "m2.example", pull-from-mirror = "tag-only" }, { location = "m3.example", pull-from-mirror = "all" } ]
            """;
        Assert.Equal("m2.example/x m3.example/x a.example/x", Places(Configuration, "a.example/x"));
        Assert.Equal("m1.example/x m3.example/x a.example/x", Places(Configuration, "a.example/x", byDigest: true));
    }

    [Fact]
    public void What_is_blocked_is_not_asked() =>
        Assert.Contains("blocked", Assert.Throws<ImageException>(() => Places("[[registry]]\nlocation = \"a.example\"\nblocked = true", "a.example/x")).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData("127.0.0.1:5000", true), InlineData("127.8.9.1", true), InlineData("localhost", true), InlineData("[::1]:5000", true), InlineData("a.example", true)]
    [InlineData("b.example", false), InlineData("localhost.example", false), InlineData("126.0.0.1", false)]
    public void Only_this_machine_and_what_is_said_to_be_insecure_may_do_without_TLS(string domain, bool plain)
    {
        var table = new RegistryTable();
        table.Add("[[registry]]\nlocation = \"a.example\"\ninsecure = true");
        Assert.Equal((plain, plain), (table.Host(domain).MayBePlain, table.Host(domain).Tls.SkipVerify));
    }

    [Theory]
    [InlineData("x", "line 1: a name without a value"), InlineData("a = 1\nb = ", "line 2: \"\" is no value"), InlineData("a = \"x", "line 1: a text without its end")]
    [InlineData("a = 1\na = 2", "line 2: a is given twice"), InlineData("[[registry]]\ninsecure = \"yes\"\nlocation = \"a\"", "insecure must be true or false")]
    [InlineData("[[registry]]\n", "a registry needs a prefix or a location"), InlineData("a = 1979-05-27", "line 1: \"1979-05-27\" is no value"), InlineData("a = 1 b", "line 1: something after the value")]
    [InlineData("[[registry]]\nlocation = \"http://a\"", "http://a is no location"), InlineData("a = \"\"\"x\"\"\"", "line 1: texts of several lines are not read here")]
    [InlineData("a = [[[[[[[[[[[[[[[[[[[[", "line 1: too deep"), InlineData("registry = 1", "registry must be a list of tables")]
    public void What_is_wrong_is_told_with_its_line(string document, string error) =>
        Assert.Contains(error, Assert.Throws<FormatException>(() => new RegistryTable().Add(document)).Message, StringComparison.Ordinal);

    [Fact]
    public void Toml_is_read_as_it_is_written()
    {
        var table = Toml.Parse("""
            a.b = "x\t\u00e9\"" # comment
            'c d' = 'C:\raw'
            list = [
              "one", # first
              2, true,
            ]
            [t.u]
            n = -1_000
            [[l]]
            [l.inner]
            v = {k = {m = false}}
            """);
        Assert.Equal("x\té\"", ((TomlTable)table["a"]).Text("b"));
        Assert.Equal(@"C:\raw", table.Text("c d"));
        Assert.Equal(["one", 2L, true], (List<object>)table["list"]);
        Assert.Equal(-1000L, ((TomlTable)((TomlTable)table["t"])["u"])["n"]);
        Assert.False(((TomlTable)((TomlTable)((TomlTable)table.Tables("l").Single()["inner"])["v"])["k"]).Flag("m"));
    }

    [Fact]
    public void Podmans_own_configuration_is_read()
    {
        if (File.Exists("/etc/containers/registries.conf"))
            RegistryTable.Load();
    }
}
