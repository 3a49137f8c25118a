// Images that go to and fro between conman and those who have long made them: umoci, skopeo, podman, docker's archives, GNU tar and Debian itself.

using System.Text;
using System.Text.Json.Nodes;
using Conman.Images.Tests.Tar;

namespace Conman.Images.Tests.EndToEnd;

public sealed class InterchangeTests : CommandTest
{
    private const string TarOptions = "--xattrs --xattrs-include='*' --numeric-owner";

    // Podman wants it to be no longer than 50 characters.
    private readonly string _runroot = "/tmp/conman-podman-" + Guid.NewGuid().ToString("N")[..8];

    // A store of podman's own, that needs no kernel's help.
    private string Podman => $"podman --root {InFolder("podman/root")} --runroot {_runroot} --storage-driver vfs";

    public override void Dispose()
    {
        if (Directory.Exists(_runroot))
            Directory.Delete(_runroot, recursive: true);
        base.Dispose();
    }

    private string Mounted(string image) => Conman("image mount " + image).Trim();

    // A tree with one of each thing, in two layers.
    private void MakeImage()
    {
        Skip.IfNot(Host.Has("umoci") && Host.Has("skopeo"), "needs umoci and skopeo");
        Shell("""
            mkdir -p one/etc/deep one/bin two
            echo hello > one/etc/motd; echo x > one/bin/tool; chmod 4755 one/bin/tool; chown 7:9 one/etc/motd; ln -s tool one/bin/alias; ln one/bin/tool one/bin/hard
            truncate -s 1M one/etc/sparse; setfattr -n user.x -v 1 one/etc/motd; mkfifo one/etc/fifo; echo new > two/motd
            touch -d '2001-02-03 04:05:06.123456789' one/etc/motd two/motd
            umoci init --layout oci; umoci new --image oci:t; umoci insert --image oci:t one /; umoci insert --image oci:t two/motd /etc/motd; umoci insert --image oci:t --whiteout /bin/alias
            umoci config --image oci:t --config.cmd /bin/tool --config.label who=me
            """);
    }

    private static string Debian()
    {
        Skip.IfNot(Host.Has("mmdebstrap"), "needs mmdebstrap");
        var cache = Path.Combine(Path.GetDirectoryName(Binary)!, "cache");
        Directory.CreateDirectory(cache);
        var archive = cache + "/debian.tar";
        if (!File.Exists(archive))
        {
            var made = Host.Shell(cache, "mmdebstrap --quiet --variant=minbase $(. /etc/os-release; echo $VERSION_CODENAME) debian.part.tar >&2 && mv debian.part.tar debian.tar && echo made || rm -f debian.part.tar");
            Skip.If(made.Length == 0, "Debian's packages cannot be had here");
        }
        return archive;
    }

    [SkippableFact]
    public void A_Debian_root_file_system_is_what_GNU_tar_and_umoci_make_of_it()
    {
        Skip.IfNot(Host.Has("umoci"), "needs umoci");
        var debian = Debian();
        // Whole seconds: umoci rounds times as it packs.
        Shell($"""
            mkdir gnu; tar -C gnu {TarOptions} -xpf {debian}; tar -C gnu --format=gnu --numeric-owner -cf debian.tar .; rm -rf gnu; mkdir gnu; tar -C gnu {TarOptions} -xpf debian.tar
            umoci init --layout oci; umoci new --image oci:debian; umoci unpack --image oci:debian made
            tar -C made/rootfs {TarOptions} -xpf debian.tar; umoci repack --image oci:debian made; rm -rf made
            umoci unpack --image oci:debian umoci
            """);
        var expected = Host.Describe(InFolder("gnu"));
        Conman("load -q -i oci");
        Conman("import debian.tar debian:tar");
        try
        {
            foreach (var image in Conman("images -q").Trim().Split('\n'))
                AssertSame(expected, Host.Describe(InFolder(Mounted(image))));
            AssertSame(expected, Host.Describe(InFolder("umoci/rootfs")));
        }
        finally
        {
            Conman("image unmount --all");
        }
        Assert.Contains("no errors", Conman("image check"), StringComparison.Ordinal);
    }

    // The first lines that differ: the whole of a Debian says nothing.
    private static void AssertSame(string expected, string found)
    {
        if (expected == found)
            return;
        var (e, f) = (expected.Split('\n'), found.Split('\n'));
        Assert.Fail("missing: " + string.Join('\n', e.Except(f).Take(5)) + "\nnew: " + string.Join('\n', f.Except(e).Take(5)));
    }

    [SkippableTheory]
    [InlineData("docker-archive", "-i saved"), InlineData("oci-archive", "-i saved"), InlineData("oci-dir", "-i saved"), InlineData("docker-dir", "-i saved"), InlineData("docker-archive", "< saved")]
    public void What_podman_saves_is_loaded(string format, string from)
    {
        Skip.IfNot(Host.Has("podman"), "needs podman");
        MakeImage();
        Shell($"{Podman} pull -q oci:oci:t; {Podman} tag $({Podman} images -q) localhost/it:1; {Podman} save -q --format {format} -o saved localhost/it:1");
        var expected = Shell($"{Podman} image inspect localhost/it:1 --format '{{{{.Id}}}}'").Trim();
        Conman("load -q " + from);
        var id = Conman("images -q --no-trunc").Trim();
        // A schema 2 manifest has a configuration of its own kind, which podman writes anew.
        if (format is "oci-archive" or "oci-dir")
            Assert.Equal("sha256:" + expected, id);
        if (format is not "docker-dir" and not "oci-dir")
            Assert.Equal(id, (string?)Inspect("localhost/it:1")["Id"]);
        try
        {
            Shell($"mkdir podman-tree; tar -C podman-tree {TarOptions} -xpf <(c=$({Podman} create localhost/it:1) && {Podman} export $c)");
            Shell($"umoci unpack --image oci:t umoci");
            Assert.Equal(Host.Describe(InFolder("umoci/rootfs"), directoryTimes: false), Host.Describe(InFolder(Mounted(id)), directoryTimes: false));
        }
        finally
        {
            Conman("image unmount --all");
        }
    }

    [SkippableTheory]
    [InlineData("docker-archive"), InlineData("oci-archive"), InlineData("oci-dir"), InlineData("docker-dir")]
    public void What_conman_saves_is_read_by_podman_skopeo_and_umoci(string format)
    {
        Skip.IfNot(Host.Has("podman"), "needs podman");
        MakeImage();
        Conman("load -q -i oci");
        var id = Conman("images -q --no-trunc").Trim();
        Conman($"tag {id} localhost/it:1");
        Conman($"save --format {format} -o saved localhost/it:1");
        Shell($"{Podman} {(format == "docker-dir" ? "pull -q dir:saved" : "load -q -i saved")}");
        Assert.Equal(id, "sha256:" + Shell($"{Podman} images -q --no-trunc").Trim().Replace("sha256:", "", StringComparison.Ordinal));
        var transport = format switch { "docker-archive" => "docker-archive:saved", "oci-archive" => "oci-archive:saved", "oci-dir" => "oci:saved", _ => "dir:saved" };
        Assert.Equal(id, "sha256:" + Shell($"skopeo inspect --config --raw {transport} | sha256sum")[..64]);
        if (format == "docker-archive")
            Assert.Contains("localhost/it:1", Shell($"{Podman} images --format '{{{{.Repository}}}}:{{{{.Tag}}}}'"), StringComparison.Ordinal);
        if (format == "oci-dir")
        {
            Shell("umoci unpack --image saved:1 a; umoci unpack --image oci:t b");
            Assert.Equal(Host.Describe(InFolder("b/rootfs"), directoryTimes: false), Host.Describe(InFolder("a/rootfs"), directoryTimes: false));
        }
        // The same image makes the same bytes.
        Conman($"save --format {format} -o again localhost/it:1");
        Shell("diff -r saved again");
    }

    [SkippableFact]
    public void Docker_s_archives_of_old_are_loaded()
    {
        var (one, two) = (new Archive().File("a", "1").ToArray(), new Archive().File("b", "2").ToArray());
        Directory.CreateDirectory(InFolder("old/1111"));
        Directory.CreateDirectory(InFolder("old/2222"));
        File.WriteAllBytes(InFolder("old/1111/layer.tar"), one);
        File.WriteAllBytes(InFolder("old/2222/real.tar"), two);
        var config = $$$"""{"architecture":"amd64","os":"linux","config":{"Cmd":["/a"]},"rootfs":{"type":"layers","diff_ids":["{{{Layout.Hash(one)}}}","{{{Layout.Hash(two)}}}","{{{Layout.Hash(one)}}}"]}}""";
        var id = Layout.Hash(Encoding.UTF8.GetBytes(config));
        File.WriteAllText(InFolder($"old/{id[7..]}.json"), config);
        File.WriteAllText(InFolder("old/manifest.json"), $$"""[{"Config":"{{id[7..]}}.json","RepoTags":["old:1","other/old:2"],"Layers":["1111/layer.tar","2222/layer.tar","./1111/layer.tar"]}]""");
        File.WriteAllText(InFolder("old/repositories"), """{"old":{"1":"2222"}}""");
        Shell("ln -s real.tar old/2222/layer.tar; tar -C old -cf old.tar .; gzip -k old.tar; zstd -q old.tar");
        foreach (var file in (string[])["-i old.tar", "-i old.tar.gz", "< old.tar.zst", "-i old"])
        {
            Assert.Equal("Loaded image: old:1\nLoaded image: other/old:2\n", Conman("load -q " + file));
            Assert.Equal(id, (string?)Inspect("old:1")["Id"]);
            Assert.Contains("no errors", Conman("image check"), StringComparison.Ordinal);
            Conman("rmi -a");
        }
        Assert.Equal("", LeftInStore());
    }

    [SkippableFact]
    public void Docker_s_archives_of_both_formats_are_loaded_by_their_index()
    {
        // As Docker 29 writes them: an index with what it has not, an attestation, and names in two places.
        var layer = new Archive().File("a", "1").ToArray();
        var layout = new Layout(InFolder("new"));
        var (blob, config) = (layout.Blob(Layout.Gzip(layer), "application/vnd.oci.image.layer.v1.tar+gzip"), layout.Config(Layout.Hash(layer)));
        var id = (string)config["digest"]!;
        var manifest = layout.Manifest((JsonObject)config.DeepClone(), (JsonObject)blob.DeepClone());
        manifest["platform"] = new JsonObject { ["os"] = "linux", ["architecture"] = "amd64" };
        var other = new JsonObject { ["mediaType"] = "application/vnd.oci.image.manifest.v1+json", ["digest"] = Layout.Hash([9]), ["size"] = 7, ["platform"] = new JsonObject { ["os"] = "linux", ["architecture"] = "arm64" } };
        var attestation = new JsonObject
        {
            ["mediaType"] = "application/vnd.oci.image.manifest.v1+json", ["digest"] = Layout.Hash([8]), ["size"] = 7, ["platform"] = new JsonObject { ["os"] = "unknown", ["architecture"] = "unknown" },
            ["annotations"] = new JsonObject { ["vnd.docker.reference.type"] = "attestation-manifest" },
        };
        var index = layout.Blob(Layout.IndexOf(other, manifest, attestation), "application/vnd.oci.image.index.v1+json");
        index["annotations"] = new JsonObject { ["io.containerd.image.name"] = "docker.io/library/new:1", ["org.opencontainers.image.ref.name"] = "1" };
        layout.Index(index);
        File.WriteAllText(InFolder("new/manifest.json"), $$"""[{"Config":"blobs/sha256/{{id[7..]}}","RepoTags":["new:1"],"Layers":["blobs/sha256/{{((string)blob["digest"]!)[7..]}}"]}]""");
        Shell("tar -C new -cf new.tar .");
        Assert.Equal("Loaded image: new:1\n", Conman("load -q -i new.tar"));
        Assert.Equal(id, (string?)Inspect("new:1")["Id"]);
        Assert.Contains("no errors", Conman("image check"), StringComparison.Ordinal);
        Assert.Contains("has no blobs/sha256/" + Layout.Hash([9])[7..], Conman("load -q --platform linux/arm64 -i new.tar", 125), StringComparison.Ordinal);
    }
}
