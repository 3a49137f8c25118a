// What a mount may be told beyond where it goes: id maps, recursive attributes, links left alone or made again, a tmpfs that begins with
// what it covers. Runc's own suite says how id-mapped mounts behave; crun's manual the options that runc lacks.
using System.Text.Json.Nodes;

namespace Conman.Integration.Tests;

public class MountTests : ContainerTest
{
    private static JsonArray Maps(params (uint Inside, uint Outside, uint Size)[] maps) => new(
        [.. maps.Select(m => new JsonObject { ["containerID"] = m.Inside, ["hostID"] = m.Outside, ["size"] = m.Size })]);

    private string Owned(string name, uint uid, uint gid)
    {
        string path = Bundle.File(name);
        Libc.Check(Libc.lchown(path, uid, gid), "chown " + path);
        return path;
    }

    private void Mapped(string source, string destination, JsonArray? uids, JsonArray? gids, params string[] options)
    {
        var mount = new JsonObject { ["source"] = source, ["destination"] = destination, ["type"] = "bind", ["options"] = Bundle.Strings(options) };
        if (uids is not null)
            mount["uidMappings"] = uids;
        if (gids is not null)
            mount["gidMappings"] = gids;
        Bundle.Add("mounts", mount);
    }

    private Result Owners(params string[] paths) => Runtime.RunContainer(Bundle.Args(["stat", "-c", "%u %g", .. paths]));

    private void NeedsIdMaps() => Skip.If(Runtime.IsRuncOlderThan(2), "runc has id-mapped mounts since 1.2");

    /// <summary>A tree with another mount in it, as runc's suite has it: files of 100 and 200 on top, of 101 below.</summary>
    private HostMount Tree()
    {
        Owned("tree/top", 100, 211);
        var below = new HostMount(Bundle.Subfolder("tree/below"));
        Owned("tree/below/file", 101, 222);
        return below;
    }

    // As runc's suite has it: links in the sources, destinations below the bundle's root file system by their path on the host.
    [SkippableTheory]
    [InlineData(false, false)]
    [InlineData(true, false)]
    [InlineData(false, true)]
    [InlineData(true, true)]
    public void The_source_of_a_bind_may_be_made_by_mounts_before_it(bool userNamespace, bool mapped)
    {
        if (mapped)
            NeedsIdMaps();
        foreach (string name in (string[])["a/x", "b/y", "c/z"])
        {
            File.WriteAllText(Bundle.Subfolder("source/" + name) + "/file", name);
            File.CreateSymbolicLink($"{Bundle.Folder}/source/to-{name[0]}", name[..1]);
        }
        Bundle.Subfolder("rootfs/mnt");
        Bundle.Subfolder("rootfs/final");
        Bundle.File("rootfs/file");
        if (userNamespace)
            Bundle.UserNamespace();
        Bundle.Bind(Bundle.Folder + "/source/a", "/mnt", "bind").Bind(Bundle.Folder + "/source/to-b", "/mnt/x", "bind")
            .Bind("source/c", "/mnt/x/y", "bind").Bind("source/to-a", "/mnt/x/y/z", "bind");
        JsonArray? Map() => mapped ? Maps((0, 100000, 65536)) : null;
        Mapped(Bundle.Rootfs + "/mnt/x", Bundle.Rootfs + "/mnt/x/y/z/x", Map(), Map(), "rbind", "rprivate");
        Mapped("rootfs/mnt/x/y", Bundle.Rootfs + "/mnt/x/y/z", Map(), Map(), "rbind", "rprivate");
        Mapped(Bundle.Rootfs + "/mnt", "/final", Map(), Map(), "rbind", "rprivate");
        Mapped(Bundle.Rootfs + "/mnt/x/y/z/z/x/y/z/x/file", "/file", Map(), Map(), "bind");
        Runtime.RunContainer(Bundle.Writable().Shell("cat /final/x/y/z/z/x/y/z/x/file; echo; cat /file; echo")).Printed("a/x", "a/x");
        AssertNothingLeft();
    }

    [SkippableFact]
    public void What_a_mount_before_lacks_is_no_source_of_a_bind()
    {
        Bundle.Bind(Bundle.Subfolder("source"), "/mnt", "bind").Bind("rootfs/mnt/none", "/final", "bind");
        Runtime.RunContainer(Bundle.Args("true")).FailedWith("/mnt/none");
        AssertNothingLeft();
    }

    [SkippableTheory]
    [InlineData(true, "0 0")]
    [InlineData(false, "100000 100000")]
    [Proves("mounts[].uidMappings[]", "mounts[].gidMappings[]")]
    public void An_id_mapped_mount_shows_other_owners(bool userNamespace, string expected)
    {
        NeedsIdMaps();
        Bundle.File("source/file");
        if (userNamespace)
            Bundle.UserNamespace().Subfolder("rootfs/mnt");
        Mapped("source/", "/mnt", Maps((0, 100000, 65536)), Maps((0, 100000, 65536)), "bind");
        Owners("/mnt/file").Printed(expected);
    }

    [SkippableFact]
    public void What_is_written_to_an_id_mapped_mount_has_the_owner_that_it_maps_to()
    {
        NeedsIdMaps();
        Bundle.UserNamespace().Subfolder("rootfs/mnt");
        Mapped(Bundle.Subfolder("source"), "/mnt", Maps((0, 100000, 65536)), Maps((0, 100000, 65536)), "bind");
        Runtime.RunContainer(Bundle.Shell("touch /mnt/new && stat -c '%u %g' /mnt/new")).Printed("0 0");
        Bundle again = NewBundle().Bind(Bundle.Folder + "/source", "/mnt", "bind").Args("stat", "-c", "%u %g", "/mnt/new");
        Runtime.RunContainer(again).Printed("0 0");
    }

    [SkippableFact]
    public void What_no_map_covers_cannot_be_written()
    {
        NeedsIdMaps();
        Mapped(Bundle.Subfolder("source"), "/mnt", Maps((0, 100000, 65536)), Maps((0, 100000, 65536)), "bind");
        Runtime.RunContainer(Bundle.Shell("touch /mnt/new 2>&1")).ExitedWith(1).WaitForOutput("Value too large");
    }

    [SkippableFact]
    public void One_folder_can_be_mapped_in_several_ways()
    {
        NeedsIdMaps();
        Owned("source/file", 100, 211);
        File.CreateSymbolicLink(Bundle.Folder + "/link", "source");
        Mapped("source", "/tmp/a", Maps((100, 1000, 3)), Maps((200, 2000, 50)), "bind");
        Mapped("source", "/tmp/b", Maps((100, 3000, 1), (101, 9, 1)), Maps((210, 4000, 10), (220, 7, 1)), "bind");
        Mapped("link/", "/tmp/c", Maps((100, 5000, 3)), Maps((200, 6000, 50)), "bind");
        Bundle.Bind("source", "/tmp/d", "bind").Writable();
        Owners("/tmp/a/file", "/tmp/b/file", "/tmp/c/file", "/tmp/d/file").Printed("1000 2011", "3000 4001", "5000 6011", "100 211");
    }

    [SkippableTheory]
    [InlineData("", false)]
    [InlineData("idmap", false)]
    [InlineData("ridmap", true)]
    public void Only_ridmap_maps_the_mounts_below(string option, bool recursive)
    {
        NeedsIdMaps();
        using HostMount below = Tree();
        Mapped("tree", "/mnt", Maps((100, 1000, 5)), Maps((200, 2000, 50)), [.. (string[])["rbind", option], .. Array.Empty<string>()]);
        if (option == "")
            Bundle.Spec["mounts"]!.AsArray()[^1]!["options"] = Bundle.Strings("rbind");
        Owners("/mnt/top", "/mnt/below/file").Printed("1000 2011", recursive ? "1001 2022" : "101 222");
    }

    [SkippableTheory]
    [InlineData("idmap", "65534 65534")]
    [InlineData("ridmap", "101 222")]
    public void Without_maps_of_its_own_a_mount_has_those_of_the_user_namespace(string option, string below)
    {
        NeedsIdMaps();
        using HostMount mount = Tree();
        Bundle.UserNamespace().Subfolder("rootfs/mnt");
        Mapped("tree", "/mnt", null, null, "rbind", option);
        Owners("/mnt/top", "/mnt/below/file").Printed("100 211", below);
    }

    [SkippableTheory]
    [InlineData("idmap", "65534 65534")]
    [InlineData("ridmap", "101 222")]
    public void Also_if_the_user_namespace_is_another_containers(string option, string below)
    {
        NeedsIdMaps();
        Bundle owner = NewBundle().UserNamespace();
        int pid = StartIdle(owner);
        using HostMount mount = Tree();
        Bundle.Namespace("user", $"/proc/{pid}/ns/user").Subfolder("rootfs/mnt");
        Mapped("tree", "/mnt", null, null, "rbind", option);
        Owners("/mnt/top", "/mnt/below/file").Printed("100 211", below);
    }

    [SkippableFact]
    public void Maps_can_be_given_as_an_option()
    {
        Skip.If(Runtime.IsRunc, "crun's form");
        Owned("source/one", 0, 5);
        Owned("source/two", 10, 5);
        Bundle.Bind("source", "/mnt", "bind", "idmap=uids=0-1000-10#10-5000-10;gids=5-7-1");
        Owners("/mnt/one", "/mnt/two").Printed("1000 7", "5000 7");
    }

    [SkippableFact]
    public void Maps_of_an_option_can_be_relative_to_the_user_namespace()
    {
        Skip.If(Runtime.IsRunc, "crun's form");
        Owned("source/file", 1, 2);
        Bundle.UserNamespace().Subfolder("rootfs/mnt");
        Bundle.Bind("source", "/mnt", "bind", "idmap=uids=@1-33-1;gids=@2-44-1");
        Owners("/mnt/file").Printed("33 44");
    }

    [SkippableFact]
    public void An_id_mapped_mount_may_propagate()
    {
        NeedsIdMaps();
        Bundle.File("source/file");
        Mapped("source", "mnt", Maps((0, 100000, 65536)), Maps((0, 100000, 65536)), "bind", "shared");
        Runtime.RunContainer(Bundle.Shell("grep ' /mnt ' /proc/self/mountinfo | grep -c shared: ; stat -c %u /mnt/file")).Printed("1", "100000");
    }

    [SkippableTheory]
    [InlineData("only users are mapped", "both uid and gid")]
    [InlineData("a file system", "bind")]
    [InlineData("no user namespace", "both uid and gid")]
    [InlineData("a file system without owners", "id-map")]
    public void An_id_map_that_cannot_be_is_refused(string what, string words)
    {
        NeedsIdMaps();
        switch (what)
        {
            case "only users are mapped": Mapped(Bundle.Subfolder("source"), "/mnt", Maps((0, 1, 1)), null, "bind"); break;
            case "a file system": Bundle.Mount("/mnt", "tmpfs", "tmpfs", "ridmap"); break;
            case "no user namespace": Mapped(Bundle.Subfolder("source"), "/mnt", null, null, "bind", "idmap"); break;
            default: Mapped("/proc/irq", "/mnt", Maps((0, 1, 1)), Maps((0, 1, 1)), "bind"); break;
        }
        if (!Runtime.IsRunc)
            Runtime.RunContainer(Bundle.Args("true")).FailedWith(words);
        else
            Assert.NotEqual(0, Runtime.RunContainer(Bundle.Args("true")).ExitCode);
        AssertNothingLeft();
    }

    [SkippableFact]
    public void Twenty_id_mapped_mounts_leave_no_process_and_no_descriptor()
    {
        NeedsIdMaps();
        Bundle.UserNamespace().File("source/file");
        Bundle.Subfolder("rootfs/mnt");
        for (int i = 0; i < 20; i++)
        {
            Bundle.Subfolder($"rootfs/mnt/{i}");
            Mapped("source", $"/mnt/{i}", Maps((0, 100000 + ((uint)i % 2), 65536 - 1)), Maps((0, 100000, 65536)), "bind");
        }
        Bundle.Set("process/rlimits", new JsonArray(new JsonObject { ["type"] = "RLIMIT_NOFILE", ["soft"] = 20, ["hard"] = 20 }));
        Runtime.RunContainer(Bundle.Shell("stat -c %u /mnt/18/file /mnt/19/file; ls /proc/self/fd | wc -l")).Printed("0", "1", "4");
    }

    public static TheoryData<string, string> RecursiveAttributes => new()
    {
        { "rro", "ro" }, { "rnosuid", "nosuid" }, { "rnodev", "nodev" }, { "rnoexec", "noexec" }, { "rnoatime", "noatime" },
        { "rnodiratime", "nodiratime" }, { "rrelatime", "relatime" }, { "rnosymfollow", "nosymfollow" }, { "rstrictatime", "" },
    };

    [SkippableTheory]
    [MemberData(nameof(RecursiveAttributes))]
    public void A_recursive_attribute_holds_for_the_mounts_below(string option, string expected)
    {
        using var below = new HostMount(Bundle.Subfolder("source/below"));
        Bundle.Bind("source", "/mnt", "rbind", option).Args("cat", "/proc/self/mountinfo");
        string[][] mounts = [.. Runtime.RunContainer(Bundle).Succeeded().Lines.Select(l => l.Split(' ')).Where(f => f[4] is "/mnt" or "/mnt/below")];
        Assert.Equal(2, mounts.Length);
        foreach (string[] fields in mounts)
        {
            string[] options = fields[5].Split(',');
            if (expected.Length > 0)
                Assert.Contains(expected, options);
            else
                Assert.DoesNotContain("relatime", options);
        }
    }

    [SkippableTheory]
    [InlineData("ro", "rrw", false)]
    [InlineData("nosuid", "rsuid", false)]
    [InlineData("noexec", "rexec", false)]
    [InlineData("nodev", "rdev", false)]
    [InlineData("noatime", "ratime", false)]
    public void A_recursive_inverse_takes_an_attribute_away(string attribute, string option, bool expected)
    {
        using var below = new HostMount(Bundle.Subfolder("source/below"));
        ulong flag = attribute switch { "ro" => 1, "nosuid" => 2, "nodev" => 4, "noexec" => 8, _ => 1024 };
        Libc.Check(Libc.mount(null, below.Path, null, 32 /* MS_REMOUNT */ | Libc.MS_BIND | flag, null), "remount");
        Bundle.Bind("source", "/mnt", "rbind", option).Args("grep", " /mnt/below ", "/proc/self/mountinfo");
        string[] options = Runtime.RunContainer(Bundle).Succeeded().Lines.Single().Split(' ')[5].Split(',');
        Assert.Equal(expected, options.Contains(attribute));
    }

    [SkippableFact]
    public void A_link_is_not_followed_on_a_mount_that_says_so()
    {
        Bundle.File("source/file", "text");
        File.CreateSymbolicLink(Bundle.Folder + "/source/link", "file");
        Bundle.Bind("source", "/mnt", "bind", "nosymfollow").Shell("cat /mnt/file; echo; cat /mnt/link 2>/dev/null || echo refused");
        Runtime.RunContainer(Bundle).Printed("text", "refused");
    }

    [SkippableFact]
    public void A_source_that_is_a_link_can_be_mounted_itself()
    {
        Skip.If(Runtime.IsRunc, "crun's option");
        Bundle.File("target", "text");
        File.CreateSymbolicLink(Bundle.Folder + "/link", Bundle.Folder + "/target");
        Bundle.Bind("link", "/tmp/link", "bind", "src-nofollow").Writable().Args("readlink", "/tmp/link");
        Runtime.RunContainer(Bundle).Printed(Bundle.Folder + "/target");
    }

    [SkippableFact]
    public void A_destination_that_is_a_link_can_be_covered_itself()
    {
        Skip.If(Runtime.IsRunc, "crun's option");
        Bundle.File("rootfs/tmp/target", "below");
        File.CreateSymbolicLink(Bundle.Rootfs + "/tmp/link", "target");
        Bundle.Bind(Bundle.File("source", "text"), "/tmp/link", "bind", "dest-nofollow").Shell("cat /tmp/link; echo; cat /tmp/target; [ -L /tmp/link ] || echo plain");
        Runtime.RunContainer(Bundle).Printed("text", "belowplain");
    }

    [SkippableFact]
    public void A_source_that_is_a_link_can_be_made_again()
    {
        Skip.If(Runtime.IsRunc, "crun's option");
        File.CreateSymbolicLink(Bundle.Folder + "/link", "/etc/passwd");
        File.CreateSymbolicLink(Bundle.Rootfs + "/tmp/same", "/etc/passwd");
        Bundle.Bind("link", "/tmp/folder/link", "bind", "copy-symlink").Bind("link", "/tmp/same", "bind", "copy-symlink")
            .Bind(Bundle.File("plain", "text"), "/tmp/plain", "bind", "copy-symlink")
            .Writable().Shell("readlink /tmp/folder/link; readlink /tmp/same; cat /tmp/plain; awk '$5 ~ \"^/tmp/\"' /proc/self/mountinfo | wc -l");
        Runtime.RunContainer(Bundle).Printed("/etc/passwd", "/etc/passwd", "text1");
    }

    [SkippableTheory]
    [InlineData("a file")]
    [InlineData("another link")]
    [InlineData("a longer link")]
    public void A_link_is_not_made_over_something_else(string what)
    {
        Skip.If(Runtime.IsRunc, "crun's option");
        File.CreateSymbolicLink(Bundle.Folder + "/link", "/etc/passwd");
        if (what == "a file")
            Bundle.File("rootfs/tmp/link");
        else
            File.CreateSymbolicLink(Bundle.Rootfs + "/tmp/link", what == "another link" ? "/etc/group0" : "/etc/passwd-");
        Bundle.Bind("link", "/tmp/link", "bind", "copy-symlink").Args("true");
        Runtime.RunContainer(Bundle).FailedWith("/tmp/link");
        AssertNothingLeft();
    }

    [SkippableTheory]
    [InlineData("tmpfs", "copy-symlink")]
    [InlineData("tmpfs", "src-nofollow")]
    [InlineData("bind", "tmpcopyup")]
    [InlineData("ramfs", "tmpcopyup")]
    public void An_option_that_a_mount_cannot_have_is_refused(string type, string option)
    {
        Skip.If(Runtime.IsRunc, "runc passes over some");
        Bundle.Mount("/mnt", type, Bundle.Subfolder("source"), option).Args("true");
        Runtime.RunContainer(Bundle).FailedWith(option);
        AssertNothingLeft();
    }

    [SkippableFact]
    [Proves("linux.mountLabel")]
    public void A_mount_label_is_refused_where_there_is_no_SELinux()
    {
        Skip.If(Directory.Exists("/sys/fs/selinux/booleans"), "SELinux is enabled here");
        Skip.If(Runtime.IsRunc, "runc passes over it");
        Runtime.RunContainer(Bundle.Set("linux/mountLabel", "system_u:object_r:container_file_t:s0").Args("true")).FailedWith("SELinux is not enabled");
        AssertNothingLeft();
    }

    // ---- tmpcopyup ----

    private void Covered()
    {
        Bundle.File("rootfs/covered/file", "text");
        Bundle.File("rootfs/covered/sub/private", "more", 0x180 /* 0600 */);
        File.SetUnixFileMode(Bundle.Rootfs + "/covered/sub", (UnixFileMode)0b1_111_101_000);
        Owned("rootfs/covered/owned", 11, 12);
        File.SetUnixFileMode(Bundle.Rootfs + "/covered/owned", (UnixFileMode)0b100_111_101_101);
        File.CreateSymbolicLink(Bundle.Rootfs + "/covered/link", "/etc/shadow");
        File.SetUnixFileMode(Bundle.Rootfs + "/covered", (UnixFileMode)0b111_000_101);
    }

    [SkippableFact]
    public void A_copy_has_the_modes_the_owners_and_the_links()
    {
        Skip.If(Runtime.IsRunc, "conman copies more faithfully");
        Covered();
        Bundle.Mount("/covered", "tmpfs", "tmpfs", "tmpcopyup", "size=1m")
            .Shell("cd /covered; stat -c '%n %a %u %g %F' . file owned sub sub/private; readlink link; cat file sub/private; touch new; grep -c ' /covered tmpfs\\| /covered .*- tmpfs' /proc/self/mountinfo");
        Runtime.RunContainer(Bundle).Printed(
            ". 705 0 0 directory", "file 644 0 0 regular file", "owned 4755 11 12 regular empty file", "sub 1750 0 0 directory",
            "sub/private 600 0 0 regular file", "/etc/shadow", "textmore1");
        Assert.False(File.Exists(Bundle.Rootfs + "/covered/new"));
    }

    [SkippableFact]
    public void A_copy_in_a_user_namespace_has_the_owners_that_the_container_knows()
    {
        Skip.If(Runtime.IsRunc, "runc copies as the container's root");
        Bundle.UserNamespace();
        foreach ((string name, uint id) in ((string, uint)[])[("mine", 100000), ("below/mine", 100005)])
            Owned("rootfs/covered/" + name, id, id);
        Libc.Check(Libc.lchown(Bundle.Rootfs + "/covered", 100000, 100000), "chown");
        Libc.Check(Libc.lchown(Bundle.Rootfs + "/covered/below", 100005, 100005), "chown");
        Bundle.Mount("/covered", "tmpfs", "tmpfs", "tmpcopyup").Args("stat", "-c", "%n %u %g", "/covered", "/covered/mine", "/covered/below/mine");
        Runtime.RunContainer(Bundle).Printed("/covered 0 0", "/covered/mine 0 0", "/covered/below/mine 5 5");
    }

    [SkippableFact]
    public void A_copy_in_a_user_namespace_keeps_what_the_container_may_not_see()
    {
        Skip.If(Runtime.IsRunc, "runc copies as the container's root");
        Bundle.UserNamespace().File("rootfs/covered/of-the-host", "text", 0x180 /* 0600 */);
        Bundle.Mount("/covered", "tmpfs", "tmpfs", "tmpcopyup").Shell("stat -c '%u %a' /covered/of-the-host; cat /covered/of-the-host 2>/dev/null || echo refused");
        Runtime.RunContainer(Bundle).Printed("65534 600", "refused");
    }

    [SkippableFact]
    public void A_copy_can_be_read_only()
    {
        Bundle.File("rootfs/covered/file", "text");
        Bundle.Mount("/covered", "tmpfs", "tmpfs", "tmpcopyup", "ro").Shell("cat /covered/file; touch /covered/new 2>/dev/null || echo refused");
        Runtime.RunContainer(Bundle).Printed("textrefused");
    }

    [SkippableFact]
    public void A_copy_is_of_what_is_mounted_there()
    {
        Bundle.File("volume/file", "volume");
        Bundle.File("rootfs/covered/file", "image");
        Bundle.Bind("volume", "/covered", "bind").Mount("/covered", "tmpfs", "tmpfs", "tmpcopyup").Args("cat", "/covered/file");
        Runtime.RunContainer(Bundle).Printed("volume");
    }

    [SkippableFact]
    public void Nothing_to_copy_is_an_empty_tmpfs()
    {
        Bundle.Mount("/nothing", "tmpfs", "tmpfs", "tmpcopyup").Shell("ls -A /nothing | wc -l");
        Runtime.RunContainer(Bundle).Printed("0");
    }

    [SkippableTheory]
    [InlineData("the folder is a link to the host")]
    [InlineData("a file is a link to the host")]
    [InlineData("a fifo and a socket")]
    [InlineData("deep")]
    [InlineData("larger than the tmpfs")]
    public void A_hostile_folder_does_not_lead_a_copy_out(string what)
    {
        Skip.If(Runtime.IsRunc, "its own test is enough");
        Bundle.File("canary/secret", "secret");
        string covered = Bundle.Rootfs + "/covered";
        switch (what)
        {
            case "the folder is a link to the host":
                File.CreateSymbolicLink(covered, Bundle.Folder + "/canary");
                break;
            case "a file is a link to the host":
                Bundle.Subfolder("rootfs/covered");
                File.CreateSymbolicLink(covered + "/link", Bundle.Folder + "/canary/secret");
                File.CreateSymbolicLink(covered + "/folder", Bundle.Folder + "/canary");
                break;
            case "a fifo and a socket":
                Bundle.Subfolder("rootfs/covered");
                Libc.Check(Libc.mkfifo(covered + "/fifo", 0x180), "make a fifo");
                new System.Net.Sockets.Socket(System.Net.Sockets.AddressFamily.Unix, System.Net.Sockets.SocketType.Stream, 0).Bind(new System.Net.Sockets.UnixDomainSocketEndPoint(covered + "/socket"));
                break;
            case "deep":
                Bundle.Subfolder("rootfs/covered/" + string.Join('/', Enumerable.Repeat("d", 300)));
                break;
            default:
                Bundle.File("rootfs/covered/large", new string('x', 1 << 20));
                break;
        }
        Bundle.Mount("/covered", "tmpfs", "tmpfs", "tmpcopyup", "size=64k").Shell("cat /covered/secret /covered/link /covered/folder/secret 2>/dev/null; ls -A /covered");
        Result run = Runtime.RunContainer(Bundle);
        Assert.DoesNotContain("secret", run.Output.Replace("secret\n", "", StringComparison.Ordinal), StringComparison.Ordinal);
        if (what is "deep" or "larger than the tmpfs")
            run.FailedWith("/covered");
        if (what == "a fifo and a socket")
            run.Printed("fifo");
        Assert.Equal(["secret"], Directory.GetFileSystemEntries(Bundle.Folder + "/canary").Select(Path.GetFileName));
        AssertNothingLeft();
    }
}
