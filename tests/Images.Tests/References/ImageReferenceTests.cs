// References: the table of what Docker takes and refuses, and what holds for every one.

using Conman.Images.References;
using CsCheck;

namespace Conman.Images.Tests.References;

public class ImageReferenceTests
{
    private const string Hex = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    [Theory]
    [InlineData("alpine", "docker.io/library/alpine", null, null, "alpine")]
    [InlineData("alpine:3.20", "docker.io/library/alpine", "3.20", null, "alpine:3.20")]
    [InlineData("library/alpine", "docker.io/library/alpine", null, null, "alpine")]
    [InlineData("docker.io/alpine", "docker.io/library/alpine", null, null, "alpine")]
    [InlineData("docker.io/library/alpine", "docker.io/library/alpine", null, null, "alpine")]
    [InlineData("index.docker.io/library/alpine", "docker.io/library/alpine", null, null, "alpine")]
    [InlineData("index.docker.io/alpine", "docker.io/library/alpine", null, null, "alpine")]
    [InlineData("library/foo/bar", "docker.io/library/foo/bar", null, null, "library/foo/bar")]
    [InlineData("user/image:tag", "docker.io/user/image", "tag", null, "user/image:tag")]
    [InlineData("localhost/image", "localhost/image", null, null, "localhost/image")]
    [InlineData("localhost:5000/image:1", "localhost:5000/image", "1", null, "localhost:5000/image:1")]
    [InlineData("localhost:5000", "docker.io/library/localhost", "5000", null, "localhost:5000")]
    [InlineData("registry.example/a/b/c", "registry.example/a/b/c", null, null, "registry.example/a/b/c")]
    [InlineData("host:80/a", "host:80/a", null, null, "host:80/a")]
    [InlineData("HOST/a", "HOST/a", null, null, "HOST/a")]
    [InlineData("127.0.0.1:5000/a", "127.0.0.1:5000/a", null, null, "127.0.0.1:5000/a")]
    [InlineData("[::1]:5000/a:t", "[::1]:5000/a", "t", null, "[::1]:5000/a:t")]
    [InlineData("[fd00:1:2::3]/a", "[fd00:1:2::3]/a", null, null, "[fd00:1:2::3]/a")]
    [InlineData("alpine@sha256:" + Hex, "docker.io/library/alpine", null, "sha256:" + Hex, "alpine@sha256:" + Hex)]
    [InlineData("alpine:3@sha256:" + Hex, "docker.io/library/alpine", "3", "sha256:" + Hex, "alpine:3@sha256:" + Hex)]
    [InlineData("a_b/c__d/e---f/g.h", "docker.io/a_b/c__d/e---f/g.h", null, null, "a_b/c__d/e---f/g.h")]
    [InlineData("alpine:_Tag-1.2", "docker.io/library/alpine", "_Tag-1.2", null, "alpine:_Tag-1.2")]
    [InlineData("docker.io/a.b/c", "docker.io/a.b/c", null, null, "docker.io/a.b/c")]
    [InlineData("xn--n3h.example/a", "xn--n3h.example/a", null, null, "xn--n3h.example/a")]
    public void Is_read_as_Docker_reads_it(string text, string name, string? tag, string? digest, string familiar)
    {
        var reference = ImageReference.Parse(text);
        Assert.Equal((name, tag, digest, familiar), (reference.Name, reference.Tag, reference.Digest?.ToString(), reference.Familiar));
    }

    [Theory]
    [InlineData(""), InlineData(" "), InlineData("/a"), InlineData("a/"), InlineData("a//b"), InlineData(":tag"), InlineData("a:"), InlineData("a@")]
    [InlineData("a:-t"), InlineData("a:.t"), InlineData("a:t t"), InlineData("-a"), InlineData("a-"), InlineData("a..b"), InlineData("a___b"), InlineData("a._b")]
    [InlineData("../a"), InlineData("a/../b"), InlineData("a/./b"), InlineData("http://registry.example/a"), InlineData("a?b"), InlineData("a#b"), InlineData("a%2fb")]
    [InlineData("a\nb"), InlineData("ä"), InlineData("a:ä"), InlineData("a@sha256:abc"), InlineData("a@md5:d41d8cd98f00b204e9800998ecf8427e"), InlineData("a:1:2")]
    [InlineData("-host.example/a"), InlineData("host-.example/a"), InlineData("a..example/a"), InlineData("host:/a"), InlineData("host:port/a"), InlineData("[::1/a")]
    [InlineData("[]/a.b"), InlineData("[::g]:1/a"), InlineData("[::1]x:1/a"), InlineData("user@host.example/a"), InlineData("docker.io/")]
    public void What_is_none_is_refused(string text) =>
        Assert.Equal("invalid reference format", Assert.Throws<ImageException>(() => ImageReference.Parse(text)).Message);

    [Theory]
    [InlineData("Alpine", "library/Alpine"), InlineData("user/Image:tag", "user/Image"), InlineData("registry.example/A/b", "A/b")]
    public void Capital_letters_are_refused_with_Dockers_sentence(string text, string repository) =>
        Assert.Equal($"invalid reference format: repository name ({repository}) must be lowercase", Assert.Throws<ImageException>(() => ImageReference.Parse(text)).Message);

    [Fact]
    public void An_id_is_no_name() =>
        Assert.Equal($"invalid repository name ({Hex}), cannot specify 64-byte hexadecimal strings", Assert.Throws<ImageException>(() => ImageReference.Parse(Hex)).Message);

    [Fact]
    public void Lengths_have_limits()
    {
        Assert.Equal(128, ImageReference.Parse("a:" + new string('t', 128)).Tag!.Length);
        Assert.Throws<ImageException>(() => ImageReference.Parse("a:" + new string('t', 129)));
        Assert.Equal(255, ImageReference.Parse("registry.example/" + new string('a', 255)).Path.Length);
        Assert.Contains("more than 255", Assert.Throws<ImageException>(() => ImageReference.Parse("registry.example/" + new string('a', 256))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_name_without_a_tag_is_latest_where_one_is_needed()
    {
        Assert.Equal("docker.io/library/alpine:latest", ImageReference.Parse("alpine").OrLatest().ToString());
        Assert.Equal("docker.io/library/alpine:3", ImageReference.Parse("alpine:3").OrLatest().ToString());
        Assert.Equal("docker.io/library/alpine@sha256:" + Hex, ImageReference.Parse("alpine@sha256:" + Hex).OrLatest().ToString());
        Assert.Equal("docker.io/library/alpine:4", ImageReference.Parse("alpine:3@sha256:" + Hex).WithTag("4").ToString());
        Assert.Throws<ImageException>(() => ImageReference.Parse("alpine").WithTag("a/b"));
    }

    [Fact]
    public void Both_forms_of_every_reference_are_the_same_reference()
    {
        var word = Gen.String[Gen.Char["abz019"], 1, 8];
        var component = Gen.Select(word, OneOf("", ".", "_", "__", "-", "---"), word, (a, s, b) => a + s + b);
        var domain = OneOf("", "localhost/", "registry.example/", "host:5000/", "[::1]:80/", "Docker/", "docker.io/", "10.0.0.1/");
        var text = Gen.Select(domain, component.Array[1, 5], OneOf("", ":1", ":Latest", ":a_b.c-d"), OneOf("", "@sha256:" + Hex),
            (d, path, tag, digest) => d + string.Join('/', path) + tag + digest);
        text.Sample(t =>
        {
            var reference = ImageReference.Parse(t);
            Assert.Equal(reference, ImageReference.Parse(reference.ToString()));
            Assert.Equal(reference, ImageReference.Parse(reference.Familiar));
            Assert.True(reference.Familiar.Length <= reference.ToString().Length);
            Assert.Equal(reference.Name + "/x", ImageReference.Parse(reference.Name + "/x").Name);
        }, iter: 20_000);

        static Gen<string> OneOf(params string[] choices) => Gen.Int[0, choices.Length - 1].Select(i => choices[i]);
    }

    [Fact]
    public void No_text_does_more_than_be_refused() =>
        Gen.String[Gen.Char["aA0./:@[]-_%\n ä"], 0, 40].Sample(text =>
        {
            if (ImageReference.TryParse(text, out var reference))
                Assert.DoesNotContain(reference.ToString(), c => c is ' ' or '%' or '\n' or 'ä');
        }, iter: 50_000);
}
