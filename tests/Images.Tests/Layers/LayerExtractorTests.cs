// From archive to directory: whiteouts, links, everything that a hostile layer may try, and trees equal to those of GNU tar.

using System.Text;
using Conman.Images.Layers;
using Conman.Images.Tar;
using Conman.Images.Tests.Tar;
using Conman.Linux;

namespace Conman.Images.Tests.Layers;

public sealed class LayerExtractorTests : IDisposable
{
    private readonly Scratch _scratch = new();
    private readonly FileDescriptor _directory;

    public LayerExtractorTests() => _directory = _scratch.NewDirectory("layer");

    public void Dispose()
    {
        _directory.Dispose();
        _scratch.Dispose();
    }

    private string Layer => _scratch["layer"];

    private ExtractedLayer Extract(Archive archive, UnpackLimits? limits = null) => Extract(archive.ToArray(), limits);

    private ExtractedLayer Extract(byte[] archive, UnpackLimits? limits = null)
    {
        var layer = LayerExtractor.Extract(_directory, new MemoryStream(archive), limits ?? UnpackLimits.For(archive.Length));
        LayerUnpacker.SetLateAttributes(_directory, layer.LateAttributes);
        return layer;
    }

    private string Refused(Archive archive, UnpackLimits? limits = null) => Assert.Throws<ImageException>(() => Extract(archive, limits)).Message;

    private string Stat(string name, string format) => Host.Shell(Layer, $"stat -c '{format}' '{name}'").Trim();

    private bool IsWhiteout(string name) => Stat(name, "%F %t:%T") == "character special file 0:0";

    private bool IsOpaque(string name) => Files.TryGetAttribute(Layer + "/" + name, "trusted.overlay.opaque") == "y";

    [SkippableFact]
    public void Owners_modes_times_and_attributes_are_as_the_archive_says()
    {
        Host.NeedRoot();
        var file = Archive.Entry(TarType.File, "dir/file", 0x9ed /* 04755 */);
        (file.Uid, file.Gid, file.Modified) = (3_000_000_000, 7, new TarTime(-5, 123_456_789));
        file.Attributes = [new("security.capability"u8.ToArray(), Convert.FromHexString("0100000200200000000000000000000000000000")), new("user.binary"u8.ToArray(), [0, 255, 10])];
        var directory = Archive.Entry(TarType.Directory, "dir/", 0x7ff /* 03777 */);
        (directory.Gid, directory.Modified) = (5, new TarTime(1_000_000_000, 1));
        directory.Attributes = [new("trusted.mark"u8.ToArray(), "here"u8.ToArray())];
        var layer = Extract(new Archive().Add(directory).Add(file, "hello").Symlink("dir/link", "file").Device("dir/null", TarType.CharacterDevice, 1, 3).Device("dir/disk", TarType.BlockDevice, 300, 70_000));
        Assert.Equal("3000000000 7 4755 5 1969-12-31 23:59:55.123456789 +0000", Host.Shell(Layer, "TZ=UTC stat -c '%u %g %a %s %y' dir/file").Trim());
        Assert.Equal("3777 5 2001-09-09 01:46:40.000000001 +0000", Host.Shell(Layer, "TZ=UTC stat -c '%a %g %y' dir").Trim());
        Assert.Equal("0", Stat("dir/link", "%g"));
        Assert.Equal("user.binary=0x00ff0a", Host.Shell(Layer, "getfattr --only-values -n user.binary dir/file | xxd -p | sed s/^/user.binary=0x/").Trim());
        Assert.Equal("0x0100000200200000000000000000000000000000", Host.Shell(Layer, "getfattr -e hex -n security.capability dir/file | grep -o 0x.*").Trim());
        Assert.Equal("here", Files.TryGetAttribute(Layer + "/dir", "trusted.mark"));
        Assert.Equal("character special file 1:3 666", Stat("dir/null", "%F %t:%T %a"));
        Assert.Equal("block special file 12c:11170", Stat("dir/disk", "%F %t:%T"));
        Assert.Equal((5, 5), (layer.Size, layer.Entries));
    }

    [SkippableFact]
    public void Whiteouts_become_those_of_overlayfs()
    {
        Host.NeedRoot();
        Extract(new Archive().Directory("etc").File("etc/.wh.passwd").File("etc/kept", "x").File("var/.wh..wh..opq").File("opt/.wh.gone"));
        Assert.True(IsWhiteout("etc/passwd"));
        Assert.True(IsWhiteout("opt/gone"));
        Assert.True(IsOpaque("var"));
        Assert.False(IsOpaque("etc"));
        Assert.Equal("kept passwd", Host.Shell(Layer + "/etc", "echo *").Trim());
    }

    [SkippableTheory]
    [InlineData(false)]
    [InlineData(true)]
    public void A8_a_whiteout_hides_only_what_lies_below_whatever_the_order(bool whiteoutFirst)
    {
        Host.NeedRoot();
        var archive = new Archive();
        if (whiteoutFirst)
            archive.File(".wh.dir").File("opaque/.wh..wh..opq").File(".wh.file").File(".wh.implied");
        archive.Directory("dir").File("dir/own", "own").File("opaque/own", "own").File("file", "own").File("implied/own", "own");
        if (!whiteoutFirst)
            archive.File(".wh.dir").File("opaque/.wh..wh..opq").File(".wh.file").File(".wh.implied");
        Extract(archive);
        foreach (var path in (string[])["dir/own", "opaque/own", "file", "implied/own"])
            Assert.Equal("own", File.ReadAllText(Layer + "/" + path));
        Assert.True(IsOpaque("dir") && IsOpaque("opaque") && IsOpaque("implied"));
    }

    [SkippableTheory]
    [InlineData(".wh.")]
    [InlineData(".wh..")]
    [InlineData(".wh...")]
    [InlineData("dir/.wh.")]
    [InlineData(".wh.x/y")]
    public void A6_whiteouts_of_nothing_are_refused(string name) => Assert.StartsWith(name + ": ", Refused(new Archive().File(name)));

    [Theory]
    [InlineData("../canary")]
    [InlineData("../../../../../../../../../../../../../../../../../../../../tmp/canary")]
    [InlineData("a/../../canary")]
    public void A1_a_path_that_leads_out_is_refused(string name) =>
        Assert.Equal($"{name}: a path that leads out of the layer", Refused(new Archive().File(name, "bad")));

    [SkippableFact]
    public void A2_an_absolute_path_lies_in_the_layer()
    {
        Host.NeedRoot();
        Extract(new Archive().File("/etc/canary", "bad").File("//./x/../y", "fine"));
        Assert.Equal("bad", File.ReadAllText(Layer + "/etc/canary"));
        Assert.Equal("fine", File.ReadAllText(Layer + "/y"));
    }

    [SkippableTheory]
    [InlineData("absolute")]
    [InlineData("relative")]
    [InlineData("chain")]
    public void A3_a_link_to_the_host_is_followed_within_the_layer_only(string kind)
    {
        Host.NeedRoot();
        var outside = _scratch["host"];
        Directory.CreateDirectory(outside);
        var archive = new Archive();
        if (kind == "chain")
            archive.Symlink("up", "..").Symlink("link", "up/up/up/up/up/up/up/up/up" + outside);
        else
            archive.Symlink("link", kind == "absolute" ? outside : "../../../../../../../../../../.." + outside);
        Extract(archive.File("link/canary", "bad"));
        Assert.Empty(Directory.GetFileSystemEntries(outside));
        Assert.Equal("bad", File.ReadAllText(Layer + outside + "/canary"));
    }

    [SkippableFact]
    public void A3_a_link_that_is_the_last_name_is_replaced_not_followed()
    {
        Host.NeedRoot();
        File.WriteAllText(_scratch["canary"], "good");
        Extract(new Archive().Symlink("link", _scratch["canary"]).File("link", "bad").Symlink("dir", _scratch.Path).Directory("dir", 0x1c0).Symlink("d2", "/").File("d2/.wh.x"));
        Assert.Equal("good", File.ReadAllText(_scratch["canary"]));
        Assert.Equal("bad", File.ReadAllText(Layer + "/link"));
        Assert.Equal("directory 700", Stat("dir", "%F %a"));
        Assert.True(IsWhiteout("x"));
    }

    [Fact]
    public void A3_links_in_a_circle_are_refused() =>
        Assert.Contains("too many", Refused(new Archive().Symlink("a", "b").Symlink("b", "a").File("a/x")).ToLowerInvariant());

    [SkippableTheory]
    [InlineData("../canary")]
    [InlineData("/../../canary")]
    [InlineData("missing")]
    [InlineData("out/canary")]
    [InlineData("dir")]
    public void A5_a_hard_link_out_of_the_layer_is_refused(string target)
    {
        Host.NeedRoot();
        File.WriteAllText(_scratch["canary"], "good");
        Refused(new Archive().Directory("dir").Symlink("out", _scratch.Path).HardLink("link", target));
        Assert.Equal("1", Host.Shell(_scratch.Path, "stat -c %h canary").Trim());
    }

    [SkippableFact]
    public void A5_an_absolute_hard_link_lies_in_the_layer()
    {
        Host.NeedRoot();
        Extract(new Archive().File("etc/one", "text").HardLink("two", "/etc/one").HardLink("etc/one", "two").Symlink("l", "etc").HardLink("three", "l/one"));
        Assert.Equal("3", Stat("two", "%h"));
        Assert.Equal("text", File.ReadAllText(Layer + "/three"));
    }

    [SkippableFact]
    public void A7_whiteouts_through_a_link_stay_in_the_layer()
    {
        Host.NeedRoot();
        var outside = _scratch["host"];
        Directory.CreateDirectory(outside);
        File.WriteAllText(outside + "/secret", "good");
        Extract(new Archive().Symlink("lnk", outside).File("lnk/.wh..wh..opq").File("lnk/.wh.secret"));
        Assert.Equal("good", File.ReadAllText(outside + "/secret"));
        Assert.Null(Files.TryGetAttribute(outside, "trusted.overlay.opaque"));
        Assert.True(IsOpaque(outside[1..]));
    }

    [SkippableFact]
    public void A9_a_device_of_0_0_is_the_whiteout_that_it_would_be()
    {
        Host.NeedRoot();
        Extract(new Archive().Directory("dir").File("dir/own", "x").Device("dir", TarType.CharacterDevice, 0, 0).Device("gone", TarType.CharacterDevice, 0, 0));
        Assert.True(IsWhiteout("gone"));
        Assert.True(IsOpaque("dir"));
    }

    [SkippableFact]
    public void A12_a_layer_that_grows_beyond_its_cap_is_refused()
    {
        Host.NeedRoot();
        Assert.Contains("more than 1000 bytes", Refused(new Archive().File("a", new string('a', 600)).File("b", new string('b', 600)), new UnpackLimits(1000, 100)));
        Assert.Contains("more than 2 entries", Refused(new Archive().File("c").File("d").File("e"), new UnpackLimits(1000, 2)));
        Assert.Equal(new UnpackLimits(10L << 30, 8_000_000), UnpackLimits.For(100));
        Assert.Equal(200L << 30, UnpackLimits.For(1 << 30).Size);
    }

    [SkippableFact]
    public void A16_of_two_of_one_name_the_last_wins()
    {
        Host.NeedRoot();
        Extract(new Archive().File("twice", "first").HardLink("other", "twice").File("twice", "second")
            .Directory("dir").File("dir/sub/file", "x").File("dir", "file now").File("file").Directory("file").File("file/in", "dir now").Directory("same", 0x1c0).File("same/kept", "kept").Directory("same", 0x1ed));
        Assert.Equal("second", File.ReadAllText(Layer + "/twice"));
        Assert.Equal("first", File.ReadAllText(Layer + "/other"));
        Assert.Equal("file now", File.ReadAllText(Layer + "/dir"));
        Assert.Equal("dir now", File.ReadAllText(Layer + "/file/in"));
        Assert.Equal("kept", File.ReadAllText(Layer + "/same/kept"));
        Assert.Equal("755", Stat("same", "%a"));
    }

    [SkippableFact]
    public void A17_a_sparse_bomb_is_refused_by_what_it_says_it_is()
    {
        Host.NeedRoot();
        var bomb = Archive.Entry(TarType.File, "bomb");
        (bomb.Size, bomb.Segments) = (1L << 50, []);
        Assert.StartsWith("bomb: the layer's files would take more than", Refused(new Archive().Add(bomb)));
    }

    [SkippableFact]
    public void Holes_stay_holes()
    {
        Host.NeedRoot();
        var sparse = Archive.Entry(TarType.File, "sparse");
        (sparse.Size, sparse.Segments) = (1L << 30, [new(1 << 20, 5), new(512 << 20, 3)]);
        Extract(new Archive().Add(sparse, "hello123"));
        Assert.Equal("1073741824", Stat("sparse", "%s"));
        Assert.InRange(long.Parse(Stat("sparse", "%b")), 1, 64);
        Assert.Equal("hello 123", Host.Shell(Layer, "dd if=sparse bs=1 skip=1048576 count=5 status=none; echo -n ' '; dd if=sparse bs=1 skip=536870912 count=3 status=none"));
    }

    [SkippableFact]
    public void A18_directories_255_deep_and_thousands_of_files_and_links()
    {
        Host.NeedRoot();
        var archive = new Archive();
        var path = string.Join('/', Enumerable.Repeat("d", 255));
        archive.File(path + "/file", "deep");
        for (var i = 0; i < 5000; i++)
            archive.File($"flat/{i}").HardLink($"{path}/link{i}", path + "/file");
        var layer = Extract(archive);
        Assert.Equal(257, layer.ImpliedDirectories.Count);
        Assert.Equal("5001", Host.Shell(Layer, $"stat -c %h {path}/file").Trim());
        Assert.Contains("name too long", Refused(new Archive().File(string.Join('/', Enumerable.Repeat("e", 600)) + "/file")));
    }

    [SkippableFact]
    public void A20_attributes_of_overlayfs_are_left_out()
    {
        Host.NeedRoot();
        var directory = Archive.Entry(TarType.Directory, "dir", 0x1ed);
        var file = Archive.Entry(TarType.File, "dir/file");
        directory.Attributes = [new("trusted.overlay.opaque"u8.ToArray(), "y"u8.ToArray()), new("trusted.overlay.redirect"u8.ToArray(), "/etc"u8.ToArray()), new("user.overlay.opaque"u8.ToArray(), "y"u8.ToArray())];
        file.Attributes = [new("trusted.overlay.metacopy"u8.ToArray(), []), new("user.overlay.whiteout"u8.ToArray(), "y"u8.ToArray()), new("user.kept"u8.ToArray(), "1"u8.ToArray())];
        Extract(new Archive().Add(directory).Add(file));
        Assert.Equal("user.kept", Host.Shell(Layer, "getfattr -R -m - . | grep -v -e ^# -e ^$ | sort -u").Trim());
    }

    [SkippableFact]
    public void Directories_without_an_entry_are_told()
    {
        Host.NeedRoot();
        var layer = Extract(new Archive().File("a/b/c").Directory("a").File("x/y").File("gone/z").File("gone", "file"));
        Assert.Equal(["", "a/b", "x"], layer.ImpliedDirectories.Select(Encoding.UTF8.GetString));
    }

    [SkippableFact]
    public void Names_that_are_no_text_are_kept()
    {
        Host.NeedRoot();
        var entry = Archive.Entry(TarType.File, "");
        entry.Name = [(byte)'d', (byte)'/', 0xff, 0xfe, (byte)'\n'];
        Extract(new Archive().Add(entry, "x"));
        Assert.Equal("ff fe 0a", Host.Shell(Layer + "/d", "for f in *; do printf %s \"$f\"; printf x; done | od -An -tx1").Trim()[..8]);
    }

    [Fact]
    public void What_fails_names_the_entry_and_the_cause() =>
        Assert.Equal("cannot open directory file for file/x: not a directory", Refused(new Archive().File("file").File("file/x")));

    [SkippableTheory]
    [InlineData("--format=posix --xattrs --xattrs-include=* --acls")]
    [InlineData("--format=gnu")]
    [InlineData("--format=posix --sparse --xattrs --xattrs-include=*")]
    public void A_tree_is_as_GNU_tar_would_make_it(string options)
    {
        Host.NeedRoot();
        Directory.CreateDirectory(_scratch["source"]);
        Host.Shell(_scratch["source"], """
            mkdir -p usr/bin 'odd name' deep/$(printf 'd/%.0s' {1..60}) sticky
            chmod 3777 sticky; chown 3:2000000 sticky
            for i in $(seq 200); do echo $i > usr/bin/f$i; chown $i:$((i + 1)) usr/bin/f$i; done
            chmod 4755 usr/bin/f1; chmod 6711 usr/bin/f2; chmod 0 usr/bin/f3
            ln usr/bin/f4 usr/bin/g4; ln usr/bin/f4 h4; ln -s /nowhere usr/dangling; ln -s "$(printf 'x%.0s' {1..150})" long-target
            touch "$(printf 'n%.0s' {1..200})" $'odd name/new\nline'
            mkfifo fifo; mknod null c 1 3; mknod disk b 259 300000
            truncate -s 5M sparse; printf data | dd of=sparse bs=1 seek=3000000 conv=notrunc status=none
            case "OPTIONS" in *xattrs*) setfattr -n user.test -v 0x00ff01 usr/bin/f5; setfattr -n user.dir -v x usr; setfattr -n trusted.mark -v 1 usr; setfattr -h -n trusted.link -v 1 usr/dangling;; esac
            find . -type f -exec touch -h -d '2020-01-02 03:04:05.123456789' {} +
            find . -depth -exec touch -h -d '2021-02-03 04:05:06.987654321' {} +
            """.Replace("OPTIONS", options));
        Host.Shell(_scratch["source"], $"tar {options} --numeric-owner -cf ../archive.tar .");
        var expected = _scratch["expected"];
        Directory.CreateDirectory(expected);
        Host.Shell(expected, $"tar {(options.Contains("xattrs") ? "--xattrs --xattrs-include=*" : "")} --numeric-owner -xpf ../archive.tar");
        Extract(File.ReadAllBytes(_scratch["archive.tar"]));
        Assert.Equal(Host.Describe(expected), Host.Describe(Layer));
        Assert.Equal(Stat(expected, "%a %u %Y"), Stat(Layer, "%a %u %Y"));
    }
}
