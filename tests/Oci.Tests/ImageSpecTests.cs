// The documents of images: read, and written as they were.

using System.Text;
using Conman.Oci.ImageSpec;

namespace Conman.Oci.Tests;

public class ImageSpecTests
{
    [Fact]
    public void A_configuration_keeps_what_it_does_not_know()
    {
        const string document = """{"architecture":"arm64","os":"linux","os.version":"1","variant":"v8","config":{"User":"1:2","ExposedPorts":{"80/tcp":{}},"Env":["A=b"],"Healthcheck":{"Test":["CMD","true"],"Interval":5000000000}},"rootfs":{"type":"layers","diff_ids":["sha256:00"]},"history":[{"created_by":"RUN","empty_layer":true}],"moby.buildkit.cache.v0":{"x":[1.5,null]}}""";
        var image = Image.Parse(Encoding.UTF8.GetBytes(document));
        Assert.Equal("v8", image.Variant);
        Assert.Equal(["80/tcp"], image.Config!.ExposedPorts!.Keys);
        Assert.Equal(5_000_000_000, image.Config.Healthcheck!.Interval);
        Assert.True(image.History![0].EmptyLayer);
        Assert.Equal(["sha256:00"], image.Rootfs!.DiffIds);
        Assert.Equal(document, Encoding.UTF8.GetString(image.ToUtf8(indented: false)));
    }

    [Fact]
    public void A_manifest_that_names_a_member_twice_is_refused() =>
        Assert.Throws<OciFormatException>(() => Manifest.Parse("""{"schemaVersion":2,"layers":[],"layers":[]}"""u8));

    [Fact]
    public void Null_counts_as_absent()
    {
        var config = ImageConfig.Parse("""{"Cmd":null,"Env":null,"Labels":null}"""u8);
        Assert.True(config is { Cmd: null, Env: null, Labels: null });
    }
}
