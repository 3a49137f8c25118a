// The commands on images as a person types them: the binary, a real registry, and skopeo on the other side.

using System.Text.Json.Nodes;
using Conman.Images.Tests.Registry;

namespace Conman.Images.Tests.EndToEnd;

/// <summary>One registry for all of these tests, with an image in it that umoci made.</summary>
public sealed class ImageInRegistry : IDisposable
{
    public const string Rootfs = "bin etc/deep";

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("conman-test-");
    private readonly DockerRegistry? _registry;

    public ImageInRegistry()
    {
        if (!Possible)
            return;
        _registry = new DockerRegistry();
        Host.Shell(_folder.FullName, $$"""
            mkdir -p files/etc/deep files/bin
            echo hello > files/etc/motd
            echo x > files/bin/tool; chmod 4755 files/bin/tool; ln -s tool files/bin/alias; ln files/bin/tool files/bin/hard
            truncate -s 1M files/etc/sparse; touch -d '2001-02-03 04:05:06.123456789' files/etc/motd
            umoci init --layout oci; umoci new --image oci:t
            umoci insert --image oci:t files/bin /bin; umoci insert --image oci:t files/etc /etc; umoci insert --image oci:t --whiteout /bin/alias
            umoci config --image oci:t --config.cmd /bin/tool --config.env A=b --config.label who=me --author conman
            skopeo copy -q --dest-tls-verify=false oci:oci:t docker://{{Domain}}/tiny:1
            """);
    }

    public static bool Possible => Host.IsRoot && Host.Has("umoci") && Host.Has("skopeo") && DockerRegistry.Available;

    public string Domain => _registry!.Domain;

    public string Folder => _folder.FullName;

    public void Dispose()
    {
        _registry?.Dispose();
        _folder.Delete(recursive: true);
    }
}

public sealed class ImageCommandTests : CommandTest, IClassFixture<ImageInRegistry>
{
    private readonly ImageInRegistry _image;

    public ImageCommandTests(ImageInRegistry image)
    {
        Skip.IfNot(ImageInRegistry.Possible, "needs root, umoci, skopeo and docker-registry");
        _image = image;
    }

    private string Tiny => _image.Domain + "/tiny:1";

    [SkippableFact]
    public void A_pull_brings_everything_and_a_second_one_nothing()
    {
        var output = Conman("pull " + Tiny);
        Assert.Contains("Downloaded newer image for " + Tiny, output, StringComparison.Ordinal);
        Assert.Contains("Image is up to date", Conman("pull " + Tiny), StringComparison.Ordinal);
        Assert.Equal(Tiny + "\n", Conman("pull -q " + Tiny));
        var image = Inspect(Tiny);
        Assert.Equal("[\"/bin/tool\"]", image["Config"]!["Cmd"]!.ToJsonString());
        Assert.Equal("me", (string?)image["Config"]!["Labels"]!["who"]);
        Assert.Equal(Shell($"skopeo inspect --tls-verify=false --format '{{{{.Digest}}}}' docker://{Tiny}").Trim(), ((string)image["RepoDigests"]![0]!).Split('@')[1]);
        Assert.Contains("no errors", Conman("image check"), StringComparison.Ordinal);
        Assert.Empty(Directory.GetFiles(InFolder("store/ingest")));
        Assert.Empty(Directory.GetFiles(InFolder("store/leases")));
    }

    [SkippableFact]
    public void What_is_mounted_is_what_umoci_unpacks()
    {
        Conman("pull -q " + Tiny);
        var mounted = Conman("image mount " + Tiny).Trim();
        try
        {
            Shell($"umoci unpack --image {_image.Folder}/oci:t bundle");
            Assert.Equal(Host.Describe(InFolder("bundle/rootfs"), directoryTimes: false), Host.Describe(InFolder(mounted), directoryTimes: false));
        }
        finally
        {
            Conman("image unmount --all");
        }
    }

    [SkippableFact]
    public void Pushed_under_another_name_it_is_the_same_image()
    {
        Conman("pull -q " + Tiny);
        var copy = _image.Domain + "/copies/it:v2";
        Conman($"tag {Tiny} {copy}");
        Assert.Contains("v2: digest: sha256:", Conman("push " + copy), StringComparison.Ordinal);
        string Raw(string name) => Shell($"skopeo inspect --raw --tls-verify=false docker://{name}");
        Assert.Equal(Raw(Tiny), Raw(copy));
    }

    [SkippableTheory]
    [InlineData("docker-archive", "-o saved", "docker-archive:saved"), InlineData("oci-archive", "-o saved", "oci-archive:saved")]
    [InlineData("oci-dir", "-o saved", "oci:saved"), InlineData("docker-dir", "-o saved", "dir:saved"), InlineData("docker-archive", "> saved", "docker-archive:saved")]
    public void Saved_images_are_read_by_skopeo_and_loaded_again(string format, string to, string transport)
    {
        Conman("pull -q " + Tiny);
        var id = (string)Inspect(Tiny)["Id"]!;
        Conman($"save --format {format} {Tiny} {to}");
        Assert.Equal(id, "sha256:" + Shell($"skopeo inspect --config --raw {transport} | sha256sum").Split(' ')[0]);
        Conman("rmi -a");
        Assert.Equal("", Shell("find store/blobs store/layers -type f"));
        Conman(to[0] == '>' ? "load -q < saved" : "load -q -i saved");
        Assert.Equal(id, (string)Inspect(format == "docker-dir" ? id : Tiny)["Id"]!);
    }

    [SkippableTheory]
    [InlineData("docker-archive:saved:tiny:2", "-i saved"), InlineData("oci-archive:saved:tiny:2", "-i saved"), InlineData("oci:saved:tiny:2", "-i saved"), InlineData("dir:saved", "-i saved")]
    [InlineData("docker-archive:saved:tiny:2", "< saved")]
    public void What_skopeo_wrote_is_loaded(string transport, string from)
    {
        Shell($"skopeo copy -q oci:{_image.Folder}/oci:t {transport}");
        var output = Conman("load " + from);
        Assert.Contains("Loaded image", output, StringComparison.Ordinal);
        Assert.Contains("no errors", Conman("image check"), StringComparison.Ordinal);
        Assert.Equal("1\n", Conman("images -q | wc -l"));
    }

    [SkippableFact]
    public void Lists_are_Dockers()
    {
        Conman("pull -q " + Tiny);
        Conman($"tag {Tiny} alpine:x");
        var lines = Conman("images").Split('\n');
        Assert.Matches("^REPOSITORY +TAG +IMAGE ID +CREATED +SIZE$", lines[0]);
        Assert.Contains(lines, line => System.Text.RegularExpressions.Regex.IsMatch(line, "^alpine +x +[0-9a-f]{12} +.* ago +"));
        Assert.Equal("alpine:x\n", Conman("images --format '{{.Repository}}:{{.Tag}}' alpine"));
        Assert.Equal("", Conman("images -q -f dangling=true"));
        Assert.Equal(2, Conman("images -f label=who=me --format json").Trim().Split('\n').Length);
        Assert.Equal("", Conman("images -q -f label=who=you"));
        Assert.Contains("CREATED BY", Conman("history alpine:x"), StringComparison.Ordinal);
        Assert.Contains("did you mean images?", Conman("imagse", 125), StringComparison.Ordinal);
        Assert.Contains("no such image: nothing", Conman("rmi nothing", 1), StringComparison.Ordinal);
        Assert.Contains("no such object: nothing", Conman("inspect nothing", 1), StringComparison.Ordinal);
    }

    [SkippableFact]
    public void A_name_that_is_taken_away_leaves_the_image_until_the_last()
    {
        Conman("pull -q " + Tiny);
        Conman($"tag {Tiny} a:1 b:1");
        Assert.Equal("Untagged: a:1\n", Conman("rmi a:1"));
        var id = (string)Inspect("b:1")["Id"]!;
        Assert.Contains("several repositories", Conman($"rmi {id[7..19]}", 1), StringComparison.Ordinal);
        Conman("untag b:1 b:1");
        Assert.Contains("Deleted: " + id, Conman($"rmi -f {id}"), StringComparison.Ordinal);
        Assert.Equal("", Conman("images -q"));
        Assert.Equal("", Shell("find store/blobs store/layers -type f"));
    }

    [SkippableFact]
    public void What_the_disk_did_to_a_blob_is_found_and_repaired_by_the_next_pull()
    {
        Conman("pull -q " + Tiny);
        Shell("f=$(ls -S store/blobs/sha256/* | head -1); printf X | dd of=$f bs=1 seek=20 conv=notrunc status=none");
        Assert.Contains("its content is not what its digest says", Conman("image check", 1), StringComparison.Ordinal);
        Conman("image check --repair");
        Conman("pull -q " + Tiny);
        Assert.Contains("no errors", Conman("image check"), StringComparison.Ordinal);
    }

    /// <summary>
    /// A pull is killed at its first, second, … call of every kind that changes the disk, in whichever thread or process comes to it first. Each time
    /// what is left is consistent, and the next pull and one removal leave nothing that should not be there.
    /// </summary>
    [SkippableFact]
    public void B11_E1_A_pull_that_is_killed_at_any_call_leaves_what_the_next_one_finishes()
    {
        Skip.IfNot(Host.Has("strace"), "needs strace");
        foreach (var call in (string[])["openat", "mkdirat", "pwrite64", "renameat", "syncfs", "fsync", "unlinkat", "ftruncate", "sync_file_range", "write", "flock", "clone3"])
        {
            for (var n = 1; n < 60; n += n < 12 ? 1 : 7)
            {
                var killed = Shell($"rm -rf store; strace -f -qq -o trace -e trace={call} -e inject={call}:signal=KILL:when={n} {Binary} --root store --runroot run pull -q {Tiny} > output 2>&1 && echo whole || true");
                Assert.True(!Directory.Exists(InFolder("store/images")) || Conman("image check").Contains("no errors", StringComparison.Ordinal), $"killed at {call} {n}");
                Assert.Equal(Tiny + "\n", Conman("pull -q " + Tiny));
                Assert.Contains("no errors", Conman("image check"), StringComparison.Ordinal);
                Conman("rmi -a");
                Conman("image prune -f");
                Assert.True(LeftInStore().Length == 0,
                    $"killed at {call} {n}, this is left: {Shell("find store")}");
                if (killed.Length > 0)
                    break;
            }
        }
    }

    [SkippableFact]
    public void E3_What_a_power_cut_left_of_a_download_is_fetched_again_without_a_word()
    {
        var layer = Shell($"skopeo inspect --raw --tls-verify=false docker://{Tiny}");
        var digest = (string)JsonNode.Parse(layer)!["layers"]![0]!["digest"]!;
        Conman("images");
        File.WriteAllBytes(InFolder("store/ingest/" + digest.Replace(':', '-')), new byte[20]);
        Conman("pull -q " + Tiny);
        Assert.Contains("no errors", Conman("image check"), StringComparison.Ordinal);
    }

    [SkippableTheory]
    [InlineData("load -i /etc/passwd", "cannot read /etc/passwd: this is no tar archive", 125), InlineData("load -i /nonexistent", "cannot open /nonexistent: no such file or directory", 125)]
    [InlineData("load < /dev/null", "standard input is no image", 125), InlineData("pull UPPER", "repository name (library/UPPER) must be lowercase", 125)]
    [InlineData("pull 127.0.0.1:1/x", "cannot connect to 127.0.0.1:1: connection refused", 125), InlineData("images --formt json", "did you mean --format?", 125)]
    [InlineData("images -f bogus=1", "--filter bogus: there is no such filter", 125), InlineData("save nothing -o f", "no such image: nothing", 1)]
    [InlineData("tag a", "tag needs IMAGE NAME", 125), InlineData("push never/here", "An image does not exist locally with the tag: never/here:latest", 1)]
    public void Odd_words_get_one_line_that_names_them(string arguments, string says, int code) => Assert.Contains(says, Conman(arguments, code), StringComparison.Ordinal);

    [SkippableFact]
    public void B10_However_many_pull_at_once_each_blob_comes_once()
    {
        Shell($"for i in $(seq 10); do {Binary} --root store --runroot run pull {Tiny} > out-$i 2>&1 & done; wait; grep -L 'Status: ' out-* | xargs -r cat");
        Assert.Contains("no errors", Conman("image check"), StringComparison.Ordinal);
        Assert.Equal("10\n", Shell("cat out-* | grep -c Status:"));
    }
}
