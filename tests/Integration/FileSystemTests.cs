// What the container sees as its file system: the mounts, what is masked, the devices, and that nothing in the
// bundle leads out of it.
using System.Text.Json.Nodes;

namespace Conman.Integration.Tests;

public class FileSystemTests : ContainerTest
{
    /// <summary>Type and all options (of the mount and of the file system) of what is mounted there, seen from inside.</summary>
    private (string Type, HashSet<string> Options) MountAt(string destination)
    {
        // mountinfo: id parent dev root destination options fields... - type source options
        string[] fields = Runtime.RunContainer(Bundle.Args("cat", "/proc/self/mountinfo")).Succeeded().Lines
            .Select(line => line.Split(' ')).Last(f => f[4] == destination);
        int dash = Array.IndexOf(fields, "-");
        return (fields[dash + 1], [.. fields[5].Split(','), .. fields[dash + 3].Split(',')]);
    }

    private static void AssertAll(string[] expected, HashSet<string> actual) =>
        Assert.True(expected.All(actual.Contains), $"{string.Join(' ', expected)} expected, found {string.Join(' ', actual)}");

    public static TheoryData<string, string, string> DefaultMounts => new()
    {
        { "/proc", "proc", "rw" },
        { "/dev", "tmpfs", "nosuid size=65536k mode=755" },
        { "/dev/pts", "devpts", "nosuid noexec gid=5 mode=620 ptmxmode=666" },
        { "/dev/shm", "tmpfs", "nosuid nodev noexec size=65536k" },
        { "/dev/mqueue", "mqueue", "nosuid nodev noexec" },
        { "/sys", "sysfs", "ro nosuid nodev noexec" },
        { "/sys/fs/cgroup", "cgroup2", "ro nosuid nodev noexec relatime" },
    };

    [SkippableTheory]
    [MemberData(nameof(DefaultMounts))]
    [Proves("mounts[].destination", "mounts[].type", "mounts[].options[]")]
    public void The_default_mounts_have_their_options(string destination, string type, string options)
    {
        (string actualType, HashSet<string> actual) = MountAt(destination);
        Assert.Equal(type, actualType);
        AssertAll(options.Split(' '), actual);
    }

    [SkippableTheory]
    [InlineData("size=64k", "size=64k")]
    [InlineData("mode=700", "mode=700")]
    [InlineData("noexec,nodev,nosuid", "noexec nodev nosuid")]
    [InlineData("noatime", "noatime")]
    [InlineData("nodiratime", "nodiratime")]
    [InlineData("ro", "ro")]
    [InlineData("uid=5,gid=6", "uid=5 gid=6")]
    [InlineData("nr_inodes=100", "nr_inodes=100")]
    [InlineData("ro,rw,noexec,exec", "rw")]
    public void A_tmpfs_takes_options(string options, string expected)
    {
        (string type, HashSet<string> actual) = MountAt(Mounted("/mnt", "tmpfs", "tmpfs", options.Split(',')));
        Assert.Equal("tmpfs", type);
        AssertAll(expected.Split(' '), actual);
        if (expected == "rw")
            Assert.DoesNotContain("noexec", actual);
    }

    private string Mounted(string destination, string type, string source, params string[] options)
    {
        Bundle.Mount(destination, type, source, options);
        return destination;
    }

    [SkippableFact]
    public void A_tmpfs_keeps_the_mode_of_the_folder_it_covers()
    {
        Directory.CreateDirectory(Bundle.Rootfs + "/covered", (UnixFileMode)0b111_000_101);
        Bundle.Mount("/covered", "tmpfs", "tmpfs").Args("stat", "-c", "%a", "/covered");
        Runtime.RunContainer(Bundle).Printed("705");
    }

    [SkippableFact]
    public void A_tmpfs_can_start_with_what_it_covers()
    {
        Bundle.File("rootfs/covered/file", "below");
        Bundle.Mount("/covered", "tmpfs", "tmpfs", "tmpcopyup").Shell("cat /covered/file && echo more >>/covered/file");
        Runtime.RunContainer(Bundle).Printed("below");
        Assert.Equal("below", Bundle.Read("rootfs/covered/file"));
    }

    [SkippableFact]
    public void A_folder_is_bound_with_the_mounts_below_it()
    {
        string source = Bundle.Subfolder("source");
        using var below = new HostMount(source + "/below");
        Bundle.File("source/file", "one\n");
        Bundle.File("source/below/file", "two\n");
        Bundle.Bind(source, "/mnt", "rbind").Bind(source, "/flat", "bind")
            .Shell("cat /mnt/file /mnt/below/file; echo new >/mnt/new; ls /flat /flat/below");
        Runtime.RunContainer(Bundle).Printed("one", "two", "/flat:", "below", "file", "new", "", "/flat/below:");
        Assert.Equal("new\n", Bundle.Read("source/new"));
    }

    [SkippableFact]
    public void A_file_is_bound()
    {
        Bundle.Bind(Bundle.File("source", "text"), "/etc/bound", "bind").Shell("cat /etc/bound; echo changed >/etc/bound");
        Runtime.RunContainer(Bundle).Printed("text");
        Assert.Equal("changed\n", Bundle.Read("source"));
    }

    [SkippableFact]
    [Proves("mounts[].source")]
    public void The_source_of_a_bind_is_relative_to_the_bundle()
    {
        Bundle.File("source/file", "text");
        Runtime.RunContainer(Bundle.Bind("source", "/mnt", "bind").Args("cat", "/mnt/file")).Printed("text");
    }

    [SkippableFact]
    public void A_read_only_bind_refuses_writers()
    {
        Bundle.Bind(Bundle.Subfolder("source"), "/mnt", "bind", "ro").Shell("touch /mnt/file 2>&1; echo $?");
        Runtime.RunContainer(Bundle).Printed("touch: /mnt/file: Read-only file system", "1");
        Assert.False(File.Exists(Bundle.Folder + "/source/file"));
    }

    [SkippableFact]
    public void A_recursively_read_only_bind_covers_the_mounts_below_it()
    {
        string source = Bundle.Subfolder("source");
        using var below = new HostMount(source + "/below");
        Bundle.Bind(source, "/plain", "rbind", "ro").Bind(source, "/deep", "rbind", "rro")
            .Shell("touch /plain/below/a; touch /deep/below/b 2>/dev/null || echo refused");
        Runtime.RunContainer(Bundle).Printed("refused");
        Assert.True(File.Exists(below.Path + "/a"));
    }

    [SkippableTheory]
    [InlineData("nosuid")]
    [InlineData("nodev")]
    [InlineData("noexec")]
    [InlineData("noatime")]
    public void A_bind_takes_options(string option)
    {
        Bundle.Bind(Bundle.Subfolder("source"), "/mnt", "bind", option);
        Assert.Contains(option, MountAt("/mnt").Options);
    }

    [SkippableFact]
    public void A_bind_keeps_the_options_of_its_source_when_it_becomes_read_only()
    {
        using var source = new HostMount(Bundle.Subfolder("source"));
        Libc.Check(Libc.mount(null, source.Path, null, 32 /* MS_REMOUNT */ | 8 /* MS_NOEXEC */ | 2 /* MS_NOSUID */, null), "remount");
        Skip.If(Runtime.IsRuncOlderThan(2), "runc drops them before 1.2, which a user namespace forbids");
        Bundle.UserNamespace().Subfolder("rootfs/mnt");
        Bundle.Bind(source.Path, "/mnt", "bind", "ro");
        AssertAll(["ro", "noexec", "nosuid"], MountAt("/mnt").Options);
    }

    [SkippableTheory]
    [InlineData("rslave", true, false)]
    [InlineData("rprivate", false, false)]
    [InlineData("rshared", true, true)]
    public void A_mount_made_later_propagates_as_asked_for(string propagation, bool inwards, bool outwards)
    {
        using var source = new HostMount(Bundle.Subfolder("source"), shared: true);
        Bundle.Capabilities("CAP_SYS_ADMIN").Bind(source.Path, "/mnt", "rbind", propagation);
        // The root itself must not be private before, or there is nothing to propagate.
        Bundle.Set("linux/rootfsPropagation", propagation == "rshared" ? "shared" : "rslave");
        StartIdle(Bundle);
        using var later = new HostMount(source.Path + "/later");
        Bundle.File("source/later/file", "text");
        Assert.Equal(inwards, Runtime.Run("exec", Bundle.Id, "cat", "/mnt/later/file").ExitCode == 0);
        Runtime.Run("exec", "--cap", "CAP_SYS_ADMIN", Bundle.Id, "sh", "-c", "mkdir /mnt/inner && mount -t tmpfs inner /mnt/inner").Succeeded();
        Assert.Equal(outwards, Leftovers.Mounts().Any(m => m.Contains(source.Path + "/inner ", StringComparison.Ordinal)));
    }

    [SkippableTheory]
    [InlineData("private", "")]
    [InlineData("shared", "shared")]
    [InlineData("unbindable", "unbindable")]
    [Proves("linux.rootfsPropagation")]
    public void The_root_has_the_propagation_asked_for(string propagation, string field)
    {
        Skip.If(propagation != "private" && Runtime.IsRuncOlderThan(2), "runc leaves the root private, before 1.2");
        using var root = new HostMount(Bundle.Subfolder("shared"), shared: true);
        CopyRootTo(root.Path);
        Bundle.Set("root/path", root.Path).Set("linux/rootfsPropagation", propagation).Args("cat", "/proc/self/mountinfo");
        string line = Runtime.RunContainer(Bundle).Succeeded().Lines.Single(l => l.Split(' ')[4] == "/");
        string[] fields = line.Split(' ')[6..Array.IndexOf(line.Split(' '), "-")];
        Assert.True(fields.Any(f => field != "" && f.StartsWith(field, StringComparison.Ordinal)) || (field == "" && fields.Length == 0), line);
    }

    private void CopyRootTo(string folder)
    {
        foreach (string name in (string[])["bin", "dev", "etc", "proc", "sys", "tmp"])
            Directory.CreateDirectory($"{folder}/{name}");
        File.Copy(Bundle.Rootfs + "/bin/busybox", folder + "/bin/busybox");
        foreach (string name in (string[])["cat", "sh", "sleep"])
            File.CreateSymbolicLink($"{folder}/bin/{name}", "busybox");
    }

    [SkippableFact]
    [Proves("root.readonly")]
    public void A_read_only_root_refuses_writers() =>
        Runtime.RunContainer(Bundle.Shell("touch /file 2>&1; touch /tmp/file 2>&1")).ExitedWith(1)
            .WaitForOutput("touch: /file: Read-only file system");

    [SkippableFact]
    public void A_writable_root_is_written_to()
    {
        Runtime.RunContainer(Bundle.Writable().Shell("echo text >/file")).Succeeded();
        Assert.Equal("text\n", Bundle.Read("rootfs/file"));
    }

    [SkippableFact]
    [Proves("linux.maskedPaths[]")]
    public void A_masked_file_reads_empty_and_is_not_removed()
    {
        Bundle.File("rootfs/secret", "text");
        Bundle.Writable().Add("linux/maskedPaths", "/secret").Shell("wc -c </secret; rm -f /secret 2>/dev/null || echo refused; echo x >/secret; wc -c </secret");
        Runtime.RunContainer(Bundle).Printed("0", "refused", "0");
        Assert.Equal("text", Bundle.Read("rootfs/secret"));
    }

    [SkippableFact]
    [Proves("linux.maskedPaths[]")]
    public void A_masked_folder_is_empty_and_read_only()
    {
        Bundle.File("rootfs/secret/file", "text");
        Bundle.File("rootfs/other/file", "text");
        Bundle.Writable().Add("linux/maskedPaths", "/secret").Add("linux/maskedPaths", "/other")
            .Shell("ls -A /secret /other; touch /secret/new 2>&1; rmdir /other 2>/dev/null || echo refused");
        Runtime.RunContainer(Bundle).Printed("/other:", "", "/secret:", "touch: /secret/new: Read-only file system", "refused");
        Assert.Equal("text", Bundle.Read("rootfs/secret/file"));
    }

    [SkippableFact]
    public void A_masked_or_read_only_path_need_not_exist()
    {
        Bundle.Add("linux/maskedPaths", "/nosuch").Add("linux/readonlyPaths", "/nosuch").Shell("[ ! -e /nosuch ]");
        Runtime.RunContainer(Bundle).Succeeded();
        Assert.False(Path.Exists(Bundle.Rootfs + "/nosuch"));
    }

    [SkippableFact]
    [Proves("linux.readonlyPaths[]")]
    public void A_read_only_path_refuses_writers()
    {
        Bundle.File("rootfs/folder/file", "text");
        Bundle.Writable().Add("linux/readonlyPaths", "/folder").Shell("cat /folder/file; echo; touch /folder/new 2>&1; touch /elsewhere && echo fine");
        Runtime.RunContainer(Bundle).Printed("text", "touch: /folder/new: Read-only file system", "fine");
    }

    [SkippableFact]
    public void The_kernels_knobs_are_read_only_by_default() =>
        Runtime.RunContainer(Bundle.Shell("for f in /proc/sys/kernel/core_pattern /proc/sysrq-trigger /proc/irq/default_smp_affinity; do [ -e $f ] && (: >$f) 2>/dev/null && echo $f; done; :"))
            .Printed("");

    [SkippableFact]
    public void A_masked_path_that_is_a_link_masks_nothing_outside()
    {
        string canary = Bundle.File("canary", "text");
        File.CreateSymbolicLink(Bundle.Rootfs + "/link", canary);
        Bundle.Add("linux/maskedPaths", "/link").Add("linux/readonlyPaths", "/link").Args("true");
        _ = Runtime.RunContainer(Bundle).ExitCode; // to refuse is as good as to mask what it names inside
        File.AppendAllText(canary, ".");
        Assert.Equal("text.", Bundle.Read("canary"));
        AssertNothingLeft();
    }

    public static TheoryData<string, string> UsualDevices => new()
    {
        { "null", "666 1 3" }, { "zero", "666 1 5" }, { "full", "666 1 7" }, { "random", "666 1 8" }, { "urandom", "666 1 9" }, { "tty", "666 5 0" },
    };

    [SkippableFact]
    public void The_usual_devices_are_there()
    {
        string script = string.Join("; ", UsualDevices.Select(row => $"stat -c '%a %t %T' /dev/{row[0]}"));
        Runtime.RunContainer(Bundle.Shell(script)).Printed([.. UsualDevices.Select(row => (string)row[1])]);
    }

    [SkippableFact]
    public void The_usual_devices_work() =>
        Runtime.RunContainer(Bundle.Shell("echo x >/dev/null; wc -c </dev/null; head -c 5 /dev/zero | wc -c; head -c 5 /dev/urandom | wc -c; echo x 2>/dev/null >/dev/full || echo full"))
            .Printed("0", "5", "5", "full");

    [SkippableFact]
    public void The_usual_links_are_in_dev() =>
        Runtime.RunContainer(Bundle.Shell("for l in fd stdin stdout stderr ptmx; do readlink /dev/$l; done"))
            .Printed("/proc/self/fd", "/proc/self/fd/0", "/proc/self/fd/1", "/proc/self/fd/2", "pts/ptmx");

    [SkippableTheory]
    [InlineData("c", 1, 3, 0x1b6, 0, 0, "character special file 1 3 666 0 0")]
    [InlineData("c", 10, 229, 0x180, 11, 12, "character special file a e5 600 11 12")]
    [InlineData("u", 1, 5, 0x124, 0, 8, "character special file 1 5 444 0 8")]
    [InlineData("b", 7, 0, 0x1b0, 0, 6, "block special file 7 0 660 0 6")]
    [InlineData("p", 0, 0, 0x1a4, 3, 4, "fifo 0 0 644 3 4")]
    [Proves("linux.devices[]")]
    public void A_device_has_the_numbers_the_mode_and_the_owner_asked_for(string type, int major, int minor, int mode, int uid, int gid, string expected)
    {
        Bundle.Add("linux/devices", new JsonObject
        {
            ["path"] = "/dev/folder/extra", ["type"] = type, ["major"] = major, ["minor"] = minor, ["fileMode"] = mode, ["uid"] = uid, ["gid"] = gid,
        });
        Runtime.RunContainer(Bundle.Args("stat", "-c", "%F %t %T %a %u %g", "/dev/folder/extra")).Printed(expected);
    }

    /// <summary>A user namespace may not make devices: those of the spec are made outside, and whether the host has such a file is all one.</summary>
    [SkippableTheory]
    [InlineData("c", 1, 3, 0x1b6, 0, 0, "character special file 1 3 666 0 0")]
    [InlineData("b", 1, 5, 0x6f, 10, 11, "block special file 1 5 157 10 11")]
    public void A_device_in_a_user_namespace_is_the_one_asked_for(string type, int major, int minor, int mode, int uid, int gid, string expected)
    {
        Skip.If(Runtime.IsRunc, "runc binds what the host has at that path");
        Bundle.UserNamespace().Add("linux/devices", new JsonObject
        {
            ["path"] = "/dev/folder/extra", ["type"] = type, ["major"] = major, ["minor"] = minor, ["fileMode"] = mode, ["uid"] = uid, ["gid"] = gid,
        });
        Runtime.RunContainer(Bundle.Args("stat", "-c", "%F %t %T %a %u %g", "/dev/folder/extra")).Printed(expected);
        AssertNothingLeft();
    }

    [SkippableFact]
    public void A_device_in_a_user_namespace_works_and_lets_no_program_run()
    {
        Skip.If(Runtime.IsRunc, "runc binds devices as they are");
        Bundle.UserNamespace().Add("linux/devices", new JsonObject { ["path"] = "/dev/extra", ["type"] = "c", ["major"] = 1, ["minor"] = 5 });
        Runtime.RunContainer(Bundle.Shell("head -c 2 /dev/extra | wc -c; grep -E ' /dev/(extra|null) ' /proc/self/mountinfo | cut -d' ' -f6 | sed 's/.*\\(nosuid\\).*\\(noexec\\).*/\\1 \\2/'"))
            .Printed("2", "nosuid noexec", "nosuid noexec");
    }

    [SkippableFact]
    public void An_owner_whom_the_user_namespace_does_not_know_is_named()
    {
        Skip.If(Runtime.IsRunc, "runc does not look");
        Bundle.UserNamespace(size: 10).Add("linux/devices", new JsonObject { ["path"] = "/dev/extra", ["type"] = "c", ["major"] = 1, ["minor"] = 5, ["gid"] = 10 });
        Runtime.RunContainer(Bundle.Args("true")).FailedWith("linux.devices[0].gid: 10 has no id of the host in linux.gidMappings");
        AssertNothingLeft();
    }

    [SkippableTheory]
    [InlineData(false)]
    [InlineData(true)]
    [Proves("linux.resources.devices[].allow", "linux.resources.devices[].major", "linux.resources.devices[].minor",
        "linux.resources.devices[].type")]
    [Proves("linux.resources.devices[].allow", "linux.resources.devices[].major", "linux.resources.devices[].minor",
        "linux.resources.devices[].type")]
    [Proves("linux.resources.devices[].allow", "linux.resources.devices[].major", "linux.resources.devices[].minor",
        "linux.resources.devices[].type")]
    public void A_device_is_opened_only_when_a_rule_allows_it(bool allowed)
    {
        // /dev/kmsg, which every kernel has.
        Bundle.Capabilities("CAP_MKNOD", "CAP_SYSLOG");
        if (allowed)
        {
            Bundle.Add("linux/resources/devices", new JsonObject
            {
                ["allow"] = true, ["type"] = "c", ["major"] = 1, ["minor"] = 11, ["access"] = "rw",
            });
        }
        Bundle.Shell("mknod /dev/extra c 1 11 && (: </dev/extra) 2>/dev/null && echo opened || echo refused");
        Runtime.RunContainer(Bundle).Printed(allowed ? "opened" : "refused");
    }

    [SkippableFact]
    [Proves("linux.resources.devices[].access")]
    public void A_read_rule_does_not_let_write()
    {
        Bundle.Capabilities("CAP_MKNOD", "CAP_SYSLOG").Add("linux/resources/devices", new JsonObject
        {
            ["allow"] = true, ["type"] = "c", ["major"] = 1, ["minor"] = 11, ["access"] = "r",
        });
        Bundle.Shell("mknod /dev/extra c 1 11; (: </dev/extra) && echo read; (: >>/dev/extra) 2>/dev/null || echo refused");
        Runtime.RunContainer(Bundle).Printed("read", "refused");
    }

    [SkippableFact]
    public void A_device_is_not_made_without_the_capability() =>
        Runtime.RunContainer(Bundle.Shell("mknod /dev/extra c 1 3 2>&1")).ExitedWith(1).WaitForOutput("Operation not permitted");

    [SkippableFact]
    public void Destinations_that_are_missing_are_made()
    {
        Bundle.Mount("/a/b/c", "tmpfs", "tmpfs").Bind(Bundle.File("source", "text"), "/d/e/file", "bind").Shell("cat /d/e/file; grep -q ' /a/b/c ' /proc/self/mountinfo");
        Runtime.RunContainer(Bundle).Printed("text");
        Assert.True(Directory.Exists(Bundle.Rootfs + "/a/b/c"));
        Assert.True(File.Exists(Bundle.Rootfs + "/d/e/file"));
    }

    [SkippableFact]
    public void Mounts_are_made_in_the_order_given()
    {
        Bundle.File("one/name", "one");
        Bundle.File("two/name", "two");
        Bundle.Bind(Bundle.Folder + "/one", "/mnt", "bind").Bind(Bundle.Folder + "/two", "/mnt", "bind")
            .Mount("/mnt/sub", "tmpfs", "tmpfs").Shell("cat /mnt/name; grep -q ' /mnt/sub ' /proc/self/mountinfo");
        Runtime.RunContainer(Bundle).Printed("two");
    }

    [SkippableTheory]
    [InlineData("/link")]
    [InlineData("/link/below")]
    [InlineData("/up/up/up/canary")]
    public void CVE_2019_18837_CVE_2025_24965_a_mount_over_a_link_stays_inside_the_root(string destination)
    {
        string canary = Bundle.Subfolder("canary");
        Bundle.File("canary/alive");
        File.CreateSymbolicLink(Bundle.Rootfs + "/link", canary);
        File.CreateSymbolicLink(Bundle.Rootfs + "/up", "../../../..");
        Bundle.Mount(destination, "tmpfs", "tmpfs").Shell($"mount | grep -c ' on {canary}\\|/canary \\|/link '");
        _ = Runtime.RunContainer(Bundle).ExitCode; // to refuse is fine
        Assert.Equal(["alive"], Directory.GetFileSystemEntries(canary).Select(Path.GetFileName));
        AssertNothingLeft();
    }

    [SkippableTheory]
    [InlineData("proc")]
    [InlineData("sys")]
    [InlineData("dev")]
    [InlineData("dev/pts")]
    [InlineData("dev/null")]
    public void A_special_folder_that_is_a_link_to_the_host_leads_nowhere(string name)
    {
        string canary = Bundle.Subfolder("canary");
        Bundle.File("canary/alive", "text");
        Skip.If(name == "dev" && Runtime.IsRuncOlderThan(5), "runc writes through the link, before 1.5 (CVE-2026-41579)");
        // As an image could have it: the name is a link, the target is the host's if the root is forgotten.
        string path = $"{Bundle.Rootfs}/{name}";
        if (Directory.Exists(path))
            Directory.Delete(path);
        File.CreateSymbolicLink(path, name == "dev/null" ? canary + "/alive" : canary);
        Result run = Runtime.RunContainer(Bundle.Args("true"));
        if (name is "proc" or "sys")
            Assert.NotEqual(0, run.ExitCode);
        Assert.Equal(["alive"], Directory.GetFileSystemEntries(canary).Select(Path.GetFileName));
        Assert.Equal("text", Bundle.Read("canary/alive"));
        AssertNothingLeft();
    }

    [SkippableFact]
    public void A_link_in_place_of_dev_null_is_no_way_to_read_what_is_masked()
    {
        // Without /dev of our own, the image's /dev/null is what a careless runtime binds over masked files.
        string canary = Bundle.File("canary", "text");
        File.CreateSymbolicLink(Bundle.Rootfs + "/dev/null", "/tmp/decoy");
        Bundle.File("rootfs/tmp/decoy", "decoy");
        Bundle.File("rootfs/secret", "secret");
        Bundle.Writable().Set("mounts", new JsonArray()).Mount("/proc", "proc", "proc")
            .Set("linux/maskedPaths", Tests.Bundle.Strings("/secret")).Args("cat", "/secret");
        string output = Runtime.RunContainer(Bundle).Output;
        Assert.DoesNotContain("decoy", output);
        Assert.DoesNotContain("secret", output);
        Assert.Equal("text", File.ReadAllText(canary));
        AssertNothingLeft();
    }

    [SkippableTheory]
    [InlineData("/proc/sys")]
    [InlineData("/proc/1")]
    [InlineData("/proc/fs/../irq")]
    [InlineData("/proc")]
    public void Nothing_of_the_hosts_is_bound_over_proc(string destination)
    {
        Bundle.Bind(Bundle.Subfolder("source"), destination, "bind").Args("true");
        Runtime.RunContainer(Bundle).FailedWith("/proc");
        AssertNothingLeft();
    }

    [SkippableFact]
    public void The_files_that_show_limits_may_be_bound_over_those_in_proc()
    {
        Bundle.Bind(Bundle.File("uptime", "1.00 1.00\n"), "/proc/uptime", "bind").Args("cat", "/proc/uptime");
        Runtime.RunContainer(Bundle).Printed("1.00 1.00");
    }

    [SkippableFact]
    [Proves("linux.sysctl.*")]
    public void A_sysctl_is_set_inside_only()
    {
        string before = File.ReadAllText("/proc/sys/kernel/msgmax");
        Bundle.Set("linux/sysctl", new JsonObject { ["kernel.msgmax"] = "9000", ["net.ipv4.ip_forward"] = "1" })
            .Args("cat", "/proc/sys/kernel/msgmax", "/proc/sys/net/ipv4/ip_forward");
        Runtime.RunContainer(Bundle).Printed("9000", "1");
        Assert.Equal(before, File.ReadAllText("/proc/sys/kernel/msgmax"));
    }

    [SkippableFact]
    public void A_sysctl_may_be_written_with_slashes()
    {
        Bundle.Set("linux/sysctl", new JsonObject { ["net/ipv4/ip_forward"] = "1" }).Args("cat", "/proc/sys/net/ipv4/ip_forward");
        Runtime.RunContainer(Bundle).Printed("1");
    }

    [SkippableFact]
    public void The_old_root_is_out_of_reach()
    {
        Bundle.File("canary", "text");
        Runtime.RunContainer(Bundle.Shell($"cd /; cd ../../..; [ ! -e .{Bundle.Folder} ] && ls -d bin")).Printed("bin");
        Bundle second = NewBundle().Args("cat", "/proc/self/mountinfo");
        Assert.DoesNotContain(Runtime.RunContainer(second).Succeeded().Lines,
            line => line.Split(' ')[4] is var at && at != "/" && !at.StartsWith("/proc", StringComparison.Ordinal)
                && !at.StartsWith("/dev", StringComparison.Ordinal) && !at.StartsWith("/sys", StringComparison.Ordinal));
    }

    [SkippableFact]
    public void Without_pivot_the_root_is_the_same()
    {
        Bundle.Shell($"pwd; [ ! -e {Bundle.Folder} ] && ls -d /bin");
        Runtime.RunContainer(Bundle, "--no-pivot").Printed("/", "/bin");
        AssertNothingLeft();
    }

    [SkippableFact]
    public void A_mount_point_behind_links_to_what_is_missing_is_made_where_they_lead()
    {
        Bundle.Writable().Shell("cat /tmp/foo/bar/baz/hosts").File("names", "found\n");
        File.CreateSymbolicLink($"{Bundle.Rootfs}/jump", "/tmp/foo/bar");
        File.CreateSymbolicLink($"{Bundle.Rootfs}/hosts", "jump/baz/hosts");
        Bundle.Bind(Bundle.Folder + "/names", "/hosts", "bind");
        Runtime.RunContainer(Bundle).Printed("found");
        Assert.True(File.Exists($"{Bundle.Rootfs}/tmp/foo/bar/baz/hosts"));
        AssertNothingLeft();
    }

    [SkippableFact]
    public void A_mount_point_behind_a_circle_of_links_is_an_error()
    {
        File.CreateSymbolicLink($"{Bundle.Rootfs}/here", "there");
        File.CreateSymbolicLink($"{Bundle.Rootfs}/there", "here");
        Bundle.Mount("/here", "tmpfs", "tmpfs");
        Runtime.RunContainer(Bundle).FailedWith("/here");
        AssertNothingLeft();
    }

    [SkippableFact]
    public void A_tmpfs_on_a_new_mount_point_may_be_written_by_all_and_on_an_old_one_is_like_it()
    {
        Directory.CreateDirectory($"{Bundle.Rootfs}/old", (UnixFileMode)0x1c0 /* 0700 */);
        Bundle.Mount("/new/point", "tmpfs", "tmpfs").Mount("/old", "tmpfs", "tmpfs").Shell("stat -c %a /new/point /old");
        Runtime.RunContainer(Bundle).Printed("1777", "700");
    }

    [SkippableFact]
    public void A_read_only_dev_is_filled_first()
    {
        Bundle.WithoutMount("/dev/pts").WithoutMount("/dev/shm").WithoutMount("/dev/mqueue").WithoutMount("/dev");
        Bundle.Mount("/dev", "tmpfs", "tmpfs", "nosuid", "mode=755", "ro").Shell("echo x >/dev/null; ls -l /dev/null | cut -c1; touch /dev/x 2>/dev/null || echo read-only");
        Bundle.Mount("/dev/shm", "tmpfs", "shm");
        Runtime.RunContainer(Bundle).Printed("c", "read-only");
    }

    [SkippableFact]
    public void A_path_that_is_masked_twice_is_covered_once()
    {
        Skip.If(Runtime.IsRuncOlderThan(3), "runc covered it twice before 1.3");
        Bundle.Set("linux/maskedPaths", Tests.Bundle.Strings("/hidden", "/hidden")).Shell("grep -c ' /hidden ' /proc/self/mountinfo");
        Directory.CreateDirectory($"{Bundle.Rootfs}/hidden");
        Runtime.RunContainer(Bundle).Printed("1");
    }

    [SkippableTheory, InlineData(false, "rslave", false), InlineData(true, "rslave", false), InlineData(false, "rshared", false), InlineData(false, "rslave", true)]
    public void Without_pivot_no_bare_procfs_of_the_host_stays(bool hooks, string propagation, bool userNamespace)
    {
        // With one in sight of the kernel, a user namespace in the container could mount a procfs in which nothing is masked.
        if (userNamespace)
            Bundle.UserNamespace();
        Bundle.Capabilities("CAP_SETFCAP", "CAP_SYS_CHROOT").Set("linux/rootfsPropagation", propagation)
            .Shell("unshare -mrpf mount -t proc none /proc && echo bare");
        if (hooks)
            Bundle.Set("hooks/createRuntime", new JsonArray(new JsonObject { ["path"] = "/bin/true" }));
        Result run = Runtime.RunContainer(Bundle, "--no-pivot");
        Assert.DoesNotContain("bare", run.Output);
        Assert.Contains("denied", run.Error + run.Output);
        Assert.True(File.Exists("/proc/version"), "the host's procfs is gone");
        AssertNothingLeft();
    }

    [SkippableFact]
    public void A_root_on_a_file_system_in_memory_works()
    {
        using var root = new HostMount(Bundle.Subfolder("memory"));
        CopyRootTo(root.Path);
        Runtime.RunContainer(Bundle.Set("root/path", root.Path).Shell("echo here")).Printed("here");
    }

    [SkippableFact]
    public void The_cgroup_shown_inside_is_the_containers_own()
    {
        StartIdle(Bundle);
        Assert.Contains("cgroup.procs", Runtime.Run("exec", Bundle.Id, "ls", "/sys/fs/cgroup").Succeeded().Lines);
        Assert.Contains("1", Runtime.Run("exec", Bundle.Id, "cat", "/sys/fs/cgroup/cgroup.procs").Succeeded().Lines);
        Runtime.Run("exec", Bundle.Id, "mkdir", "/sys/fs/cgroup/new").FailedWith("Read-only file system");
    }
}
