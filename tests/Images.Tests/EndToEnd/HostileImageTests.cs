// Images that are made to do harm, loaded by the binary: refused or harmless, and nothing of them is left (the rows A of the hostile cases).

using System.Text;
using System.Text.Json.Nodes;
using Conman.Images.Tar;
using Conman.Images.Tests.Tar;

namespace Conman.Images.Tests.EndToEnd;

public sealed class HostileImageTests : CommandTest
{
    private const string ManifestType = "application/vnd.oci.image.manifest.v1+json", IndexType = "application/vnd.oci.image.index.v1+json";

    private readonly byte[] _layer = new Archive().File("file", "content").ToArray();

    // Loads what must be refused: in one line, within the time that a person waits, and without a trace.
    private string Refused()
    {
        var output = Conman("load -q -i layout", 125);
        Assert.Equal(2, output.Trim().Split('\n').Length);
        Assert.Equal("", Conman("images -q"));
        Assert.Contains("no errors", Conman("image check"), StringComparison.Ordinal);
        Conman("image prune -f");
        Assert.Equal("", LeftInStore());
        return output;
    }

    private string Mounted(Func<string, string> look)
    {
        var path = Conman("image mount " + Conman("images -q").Trim()).Trim();
        try
        {
            return look(InFolder(path));
        }
        finally
        {
            Conman("image unmount --all");
        }
    }

    [SkippableTheory]
    [InlineData("l/canary"), InlineData("l/.wh.canary"), InlineData("l/.wh..wh..opq")]
    public void A4_a_link_of_the_layer_below_leads_nowhere(string name)
    {
        Shell("mkdir outside; echo good > outside/canary");
        Layout.Write(InFolder("layout"), new Archive().Symlink("l", InFolder("outside")).ToArray(), new Archive().File(name, "bad").ToArray());
        Conman("load -q -i layout");
        Assert.Equal("d\n", Mounted(path => Shell($"stat -c %F {path}/l | cut -c1")));
        Assert.Equal("canary 1 good", Shell("echo $(ls outside) $(stat -c %h outside/canary) $(cat outside/canary)").Trim());
        Assert.Equal("", Shell("getfattr -d -m - outside outside/canary"));
    }

    [SkippableFact]
    public void A10_set_id_bits_and_capabilities_are_kept_and_do_nothing_on_the_host()
    {
        var file = Archive.Entry(TarType.File, "tool", 0xded /* 06755 */);
        file.Attributes = [new("security.capability"u8.ToArray(), Convert.FromHexString("0100000200200000000000000000000000000000"))];
        var owned = Archive.Entry(TarType.File, "owned", 0x9ed /* 04755 */);
        (owned.Uid, owned.Gid) = (1000, 1000);
        Layout.Write(InFolder("layout"), new Archive().Add(file).Add(owned).ToArray());
        Conman("load -q -i layout");
        Assert.Equal("6755 0 4755 1000 0x0100000200200000000000000000000000000000", Mounted(path => Shell($"echo $(stat -c '%a %u' {path}/tool {path}/owned) $(getfattr -e hex -n security.capability {path}/tool | grep -o 0x.*)")).Trim());
        Assert.Contains("nosuid", Mounted(path => Shell($"findmnt -no OPTIONS {path}")), StringComparison.Ordinal);
    }

    [SkippableFact]
    public void A12_a_real_gzip_bomb_is_stopped_at_its_cap()
    {
        // Members of 64 MiB of zeros in 64 KiB: 11 GiB that follow the archive's end, and a file that says it has as many.
        var zeros = Layout.Gzip(new byte[64 << 20], System.IO.Compression.CompressionLevel.SmallestSize);
        var bomb = new MemoryStream();
        bomb.Write(Layout.Gzip(new Archive().File("file").ToArray()));
        for (var i = 0; i < 176; i++)
            bomb.Write(zeros);
        LoadBomb(bomb);
        Assert.Contains("the layer unpacks to more than 10737418240 bytes", Refused(), StringComparison.Ordinal);
        Shell("rm -rf layout");
        bomb.SetLength(0);
        bomb.Write(Layout.Gzip(Archive.Header("file", '0', 11L << 30)));
        for (var i = 0; i < 176; i++)
            bomb.Write(zeros);
        LoadBomb(bomb);
        Assert.Contains("file: the layer's files would take more than 10737418240 bytes", Refused(), StringComparison.Ordinal);
    }

    private void LoadBomb(MemoryStream bomb)
    {
        var layout = new Layout(InFolder("layout"));
        layout.Index(layout.Manifest(layout.Config(Layout.Hash([])), layout.Blob(bomb.ToArray(), "application/vnd.oci.image.layer.v1.tar+gzip")));
    }

    [SkippableFact]
    public void A14_a_blob_with_other_content_than_its_digest_is_refused()
    {
        Layout.Write(InFolder("layout"), new Archive().File("base").ToArray(), _layer);
        Shell($"printf X | dd of=layout/blobs/sha256/{Layout.Hash(_layer)[7..]} bs=1 seek=520 conv=notrunc status=none");
        Assert.Contains("has other content than its digest says", Refused(), StringComparison.Ordinal);
    }

    [SkippableTheory]
    [InlineData(-1), InlineData(1), InlineData(-1000), InlineData(1 << 30)]
    public void A14_a_blob_of_another_size_than_its_descriptor_is_refused(int more)
    {
        var layout = new Layout(InFolder("layout"));
        var layer = layout.Layer(_layer);
        layer["size"] = _layer.Length + more;
        layout.Index(layout.Manifest(layout.Config(Layout.Hash(_layer)), layer));
        Assert.Contains($"its descriptor says {_layer.Length + more}", Refused(), StringComparison.Ordinal);
    }

    [SkippableFact]
    public void A14_a_layer_with_another_diff_id_than_the_configuration_says_is_refused()
    {
        var layout = new Layout(InFolder("layout"));
        layout.Index(layout.Manifest(layout.Config(Layout.Hash([1])), layout.Layer(_layer)));
        Assert.Contains($"unpacks to {Layout.Hash(_layer)}, the image's configuration says {Layout.Hash([1])}", Refused(), StringComparison.Ordinal);
    }

    public static TheoryData<string, string> Documents => new()
    {
        { "unknown layer", "a layer of the media type application/x-evil" },
        { "foreign manifest", "says that it is application/vnd.oci.image.index.v1+json, and came as application/vnd.oci.image.manifest.v1+json" },
        { "unknown root", "has the media type text/plain, which is no image's" },
        { "schema 1", "has the media type application/vnd.docker.distribution.manifest.v1+prettyjws" },
        { "deep indexes", "is an index within 4 others: that is too deep" },
        { "many manifests", "there is no image for linux/amd64" },
        { "duplicate keys", "" },
        { "deep JSON", "is damaged" },
        { "no UTF-8", "is damaged" },
        { "5 MiB", "the limit is 4194304" },
        { "no JSON", "is damaged" },
        { "more layers than diff ids", "has 2 layers, but its configuration lists 1" },
        { "no configuration", "is no image but an artifact" },
        { "digest of a path", "invalid digest" },
        { "negative size", "" },
    };

    [SkippableTheory]
    [MemberData(nameof(Documents))]
    public void A15_documents_that_are_not_what_they_say_are_refused(string what, string says)
    {
        var layout = new Layout(InFolder("layout"));
        var layer = layout.Layer(_layer);
        var config = layout.Config(Layout.Hash(_layer));
        var good = layout.Manifest((JsonObject)config.DeepClone(), (JsonObject)layer.DeepClone());
        string Of(string config, string layers) => $$"""{"schemaVersion":2,"mediaType":"{{ManifestType}}","config":{{config}},"layers":{{layers}}}""";
        var whole = Of(config.ToJsonString(), $"[{layer.ToJsonString()}]");
        switch (what)
        {
            case "unknown layer":
                layer["mediaType"] = "application/x-evil";
                layout.Index(layout.Manifest(config, layer));
                break;
            case "foreign manifest":
                layout.Index(layout.Blob(Layout.IndexOf(good), ManifestType));
                break;
            case "unknown root":
                layout.Index(layout.Blob(whole, "text/plain"));
                break;
            case "schema 1":
                layout.Index(layout.Blob("""{"schemaVersion":1,"name":"x","fsLayers":[]}""", "application/vnd.docker.distribution.manifest.v1+prettyjws"));
                break;
            case "deep indexes":
                for (var depth = 0; depth < 2000; depth++)
                    good = layout.Blob(Layout.IndexOf(good), IndexType);
                layout.Index(good);
                break;
            case "many manifests":
                good["platform"] = new JsonObject { ["os"] = "plan9", ["architecture"] = "mips" };
                layout.Index(layout.Blob(Layout.IndexOf([.. Enumerable.Range(0, 10_000).Select(_ => (JsonObject)good.DeepClone())]), IndexType));
                break;
            case "duplicate keys":
                layout.Index(layout.Blob(whole[..^1] + $$""","layers":[{"mediaType":"application/x-evil","digest":"{{Layout.Hash([2])}}","size":1}]}""", ManifestType));
                break;
            case "deep JSON":
                layout.Index(layout.Blob(whole[..^1] + ",\"annotations\":" + new string('[', 10_000) + new string(']', 10_000) + "}", ManifestType));
                break;
            case "no UTF-8":
                layout.Index(layout.Blob([.. Encoding.UTF8.GetBytes(whole[..^1] + ",\"annotations\":{\"a\":\""), 0xff, 0xfe, .. "\"}}"u8], ManifestType));
                break;
            case "5 MiB":
                layout.Index(layout.Blob(whole + new string(' ', 5 << 20), ManifestType));
                break;
            case "no JSON":
                layout.Index(layout.Blob(whole[..^2], ManifestType));
                break;
            case "more layers than diff ids":
                layout.Index(layout.Manifest(config, layer, (JsonObject)layer.DeepClone()));
                break;
            case "no configuration":
                layout.Index(layout.Blob(Of("null", "[]"), ManifestType));
                break;
            case "digest of a path":
                config["digest"] = "sha256:../../../../etc/passwd";
                layout.Index(layout.Manifest(config, layer));
                break;
            case "negative size":
                layer["size"] = -1;
                layout.Index(layout.Manifest(config, layer));
                break;
        }
        Assert.Contains(says, Refused(), StringComparison.Ordinal);
    }

    [SkippableTheory]
    [InlineData("dev"), InlineData("proc"), InlineData("sys"), InlineData("etc"), InlineData("bin")]
    public void A19_a_folder_of_the_system_that_is_a_link_stays_one_and_nothing_is_written_through_it(string folder)
    {
        Shell("mkdir outside; echo good > outside/canary");
        Layout.Write(InFolder("layout"), new Archive().Symlink(folder, InFolder("outside")).ToArray(), new Archive().Directory(folder + "/sub").File(folder + "/canary", "bad").File("x").ToArray());
        Conman("load -q -i layout");
        Assert.Equal("canary good", Shell("echo $(ls outside) $(cat outside/canary)").Trim());
        Assert.Equal("canary sub\n", Mounted(path => Shell($"echo $(ls {path}/{folder})")));
    }

    [SkippableFact]
    public void A19_a_top_that_is_a_link_is_refused()
    {
        Layout.Write(InFolder("layout"), new Archive().Symlink("./", "/etc").ToArray());
        Assert.Contains("the top of a layer is a directory", Refused(), StringComparison.Ordinal);
    }

    [SkippableFact]
    public void A22_what_the_configuration_says_stays_words()
    {
        var layout = new Layout(InFolder("layout"));
        var config = layout.Blob($$$"""
            {"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":["{{{Layout.Hash(_layer)}}}"]},"config":{"Volumes":{"../../../../outside":{}},"WorkingDir":"../../..",
            "Env":["LD_PRELOAD=/x"],"Labels":{"io.containerd.log.uri":"binary:///bin/sh","cdi.k8s.io/x":"vendor.com/device=all","\u001b[31m":"\u0007"}  } }
            """, "application/vnd.oci.image.config.v1+json");
        layout.Index(layout.Manifest(config, layout.Layer(_layer)));
        Conman("load -q -i layout");
        Assert.False(Directory.Exists(InFolder("outside")));
        var shown = Conman("inspect " + Conman("images -q").Trim());
        Assert.DoesNotContain('\e', shown);
        Assert.Contains("../../../../outside", shown, StringComparison.Ordinal);
    }

    [SkippableFact]
    public void An_opaque_top_hides_all_that_lies_below()
    {
        Layout.Write(InFolder("layout"), new Archive().File("gone").Directory("dir").File("dir/gone").ToArray(), new Archive().File("kept").File(".wh..wh..opq").ToArray(), new Archive().File("dir/new").ToArray());
        Conman("load -q -i layout");
        Assert.Equal("./dir ./dir/new ./kept\n", Mounted(path => Shell($"cd {path}; echo $(find . -mindepth 1 | sort)")));
    }

    [SkippableFact]
    public void What_a_layer_says_nothing_of_is_as_in_those_below()
    {
        var top = Archive.Entry(TarType.Directory, "./", 0x1c0 /* 0700 */);
        (top.Uid, top.Modified) = (7, new TarTime(1_000_000_000, 5));
        var odd = Archive.Entry(TarType.Directory, "odd", 0x3ff /* 01777 */);
        odd.Name = [(byte)'o', 0xff, (byte)'d'];
        odd.Gid = 9;
        var below = Archive.Entry(TarType.File, "odd/file");
        below.Name = [(byte)'o', 0xff, (byte)'d', (byte)'/', (byte)'f'];
        Layout.Write(InFolder("layout"), new Archive().Add(top).Add(odd).ToArray(), new Archive().File("x").ToArray(), new Archive().Add(below).ToArray());
        Conman("load -q -i layout");
        Assert.Equal("700 7 1000000000.000000005\n1777 9\n", Mounted(path => Shell($"cd {path}; find . -maxdepth 0 -printf '%m %U %T@\\n' | sed 's/0*$//'; stat -c '%a %g' o*d")));
    }
}
