// conman import: archives of every kind from everywhere become images.

using System.Text.Json.Nodes;
using Conman.Images.Tests.Registry;

namespace Conman.Images.Tests.EndToEnd;

public sealed class ImportTests : CommandTest
{
    public ImportTests() => Shell("mkdir -p tree/etc; echo hello > tree/etc/motd; ln -s motd tree/etc/link; chmod 711 tree; touch -d 2001-02-03 tree/etc tree; tar -C tree --format=posix -cf tree.tar .; gzip -k tree.tar; zstd -q tree.tar");

    [SkippableTheory]
    [InlineData("tree.tar"), InlineData("tree.tar.gz"), InlineData("tree.tar.zst"), InlineData("- < tree.tar"), InlineData("- < tree.tar.gz")]
    public void An_archive_becomes_an_image_of_one_layer(string from)
    {
        var redirect = from.IndexOf('<', StringComparison.Ordinal);
        var (file, input) = redirect < 0 ? (from, "") : (from[..redirect], from[redirect..]);
        var id = Conman($"import {file} base:1 {input}").Trim();
        var image = Inspect("base:1");
        Assert.Equal(id, (string?)image["Id"]);
        Assert.Equal("sha256:" + Shell("sha256sum tree.tar")[..64], (string?)image["RootFS"]!["Layers"]![0]);
        var mounted = Conman("image mount base:1").Trim();
        try
        {
            Assert.Equal(Host.Describe(InFolder("tree")), Host.Describe(InFolder(mounted)));
            Assert.Equal("711 981158400", Shell($"stat -c '%a %Y' {mounted}").Trim());
        }
        finally
        {
            Conman("image unmount --all");
        }
        Assert.Contains("no errors", Conman("image check"), StringComparison.Ordinal);
        Assert.Contains("Deleted: " + id, Conman("rmi base:1"), StringComparison.Ordinal);
        Assert.Equal("", LeftInStore());
    }

    [SkippableFact]
    public void Its_configuration_and_history_are_what_was_asked_for()
    {
        Conman("import -c 'CMD [\"/bin/true\"]' -c 'ENV A=1 B=2' --change 'EXPOSE 80' -m 'made by hand' --platform linux/arm64 tree.tar x/y");
        var image = Inspect("x/y:latest");
        Assert.Equal("""["/bin/true"]""", image["Config"]!["Cmd"]!.ToJsonString());
        Assert.Equal("""["A=1","B=2"]""", image["Config"]!["Env"]!.ToJsonString());
        Assert.Equal(("arm64", "linux"), ((string?)image["Architecture"], (string?)image["Os"]));
        Assert.Contains("made by hand", Conman("history x/y"), StringComparison.Ordinal);
        Assert.Equal("", Conman("images -q -f dangling=true"));
        var nameless = Conman("import - < tree.tar").Trim();
        Assert.Equal(nameless[7..19] + "\n", Conman("images -q -f dangling=true"));
    }

    [SkippableFact]
    public void A_file_of_the_web_is_imported_too()
    {
        using var server = new HttpServer { Handler = (request, reply) =>
        {
            if (request.Path == "/old")
                reply.Send(302, ""u8, ("Location", "/tree.tar.gz"));
            else if (request.Path == "/tree.tar.gz")
                reply.Send(200, File.ReadAllBytes(InFolder("tree.tar.gz")));
            else if (request.Path == "/short")
                reply.Send(200, File.ReadAllBytes(InFolder("tree.tar.gz")), 100_000);
        } };
        Assert.StartsWith("sha256:", Conman($"import {server.Url}/old web:1"), StringComparison.Ordinal);
        Assert.Contains($"cannot download {server.Url}/none: {server.Domain} answers 404", Conman($"import {server.Url}/none", 125), StringComparison.Ordinal);
        Assert.Contains("broke", Conman($"import {server.Url}/short", 125), StringComparison.Ordinal);
    }

    [SkippableTheory]
    [InlineData("import /etc/passwd", "this is no tar archive", 125), InlineData("import nothing", "cannot open nothing: no such file or directory", 125)]
    [InlineData("import tree.tar a@sha256:0000000000000000000000000000000000000000000000000000000000000000", "a digest is not given", 125), InlineData("import -c 'RUN x' tree.tar", "RUN is no change", 125)]
    [InlineData("import tree.tar UPPER", "must be lowercase", 125), InlineData("import tree.tar a b", "b is too much", 125), InlineData("import --platform x/y/z/w tree.tar", "invalid platform", 125)]
    [InlineData("import etc", "is a directory", 125), InlineData("import tree.tar.xz", "xz compression is not read", 125)]
    public void What_cannot_be_imported_is_said_and_leaves_nothing(string arguments, string says, int code)
    {
        Shell("xz -k tree.tar; mkdir etc");
        Assert.Contains(says, Conman(arguments, code), StringComparison.Ordinal);
        Assert.Equal("", Shell("[ ! -d store ] || find store -type f ! -name lock; [ ! -d store ] || find store/layers -mindepth 1"));
    }

    [SkippableFact]
    public void Two_imports_of_one_archive_share_their_layer()
    {
        Shell($"for i in 1 2 3 4; do {Binary} --root store --runroot run import tree.tar i:$i & done; wait");
        Assert.Equal("4\n", Conman("images --format '{{.Tag}}' i | wc -l"));
        Assert.Equal("1\n", Shell("ls store/layers | wc -l"));
        Assert.Contains("no errors", Conman("image check"), StringComparison.Ordinal);
        Assert.Single((JsonArray)Inspect("i:3")["RootFS"]!["Layers"]!);
    }
}
