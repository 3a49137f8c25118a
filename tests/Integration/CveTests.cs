// The escapes that runtimes have had since 2019 (C1, C2, C4 to C7 of the threats among them), each tried again. A row of the table that
// another file tries is named at the end.
using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json.Nodes;

namespace Conman.Integration.Tests;

public class CveTests : ContainerTest
{
    private static string Hash() =>
        Convert.ToHexString(SHA256.HashData(File.ReadAllBytes(File.ResolveLinkTarget(Runtime.Binary, true)?.FullName ?? Runtime.Binary)));

    /// <summary>Makes a link in the image in place of what is at this path.</summary>
    private void Link(string path, string target)
    {
        string full = $"{Bundle.Rootfs}/{path}";
        if (Directory.Exists(full))
            Directory.Delete(full, true);
        Directory.CreateDirectory(Path.GetDirectoryName(full)!);
        File.CreateSymbolicLink(full, target);
    }

    [SkippableFact]
    public void C1_CVE_2019_5736_the_hosts_binary_cannot_be_written_through_a_process()
    {
        string before = Hash();
        // A script whose interpreter is whatever runs it, and a container that writes to every program it can see.
        Bundle.File("rootfs/bin/again", "#!/proc/self/exe\n", 0x1ed);
        Bundle.Writable().Shell("echo ready; while :; do for p in /proc/[0-9]*; do (echo overwritten >$p/exe) 2>/dev/null && echo written; done; done");
        Result created = Runtime.CreateAndStart(Bundle);
        created.WaitForOutput("ready");
        for (int i = 0; i < 20; i++)
            _ = Runtime.Run("exec", Bundle.Id, "/bin/again").ExitCode;
        Assert.DoesNotContain("written", created.Output);
        Assert.Equal(before, Hash());
    }

    [SkippableFact]
    public void C2_CVE_2024_21626_no_descriptor_is_a_way_out_of_run()
    {
        Bundle.File("canary", "escaped");
        Bundle.Args("cat", $"../../../../../../..{Bundle.Folder}/canary");
        for (int fd = 0; fd <= 64; fd++)
        {
            Result run = Runtime.RunContainer(Bundle.Set("process/cwd", $"/proc/self/fd/{fd}"));
            Assert.NotEqual(0, run.ExitCode);
            Assert.DoesNotContain("escaped", run.Output);
        }
        AssertNothingLeft();
    }

    [SkippableFact]
    public void C2_CVE_2024_21626_no_descriptor_is_a_way_out_of_exec()
    {
        Bundle.File("canary", "escaped");
        StartIdle(Bundle);
        for (int fd = 0; fd <= 64; fd++)
        {
            Result exec = Runtime.Run("exec", "--cwd", $"/proc/self/fd/{fd}", Bundle.Id, "cat", $"../../../../../../..{Bundle.Folder}/canary");
            Assert.NotEqual(0, exec.ExitCode);
            Assert.DoesNotContain("escaped", exec.Output);
        }
    }

    [SkippableTheory]
    [InlineData("/proc/sys/kernel/core_pattern")]
    [InlineData("/etc/passwd")]
    public void C4_CVE_2025_31133_a_link_in_place_of_dev_null_masks_nothing_with_its_target(string target)
    {
        string pattern = File.ReadAllText("/proc/sys/kernel/core_pattern");
        // The container brings its own /dev, with a link where the mask is taken from.
        string dev = Bundle.Subfolder("dev");
        File.CreateSymbolicLink(dev + "/null", target);
        Bundle.File("rootfs/secret", "secret");
        Bundle.Writable().WithoutMount("/dev").WithoutMount("/dev/pts").WithoutMount("/dev/shm").WithoutMount("/dev/mqueue").Bind(dev, "/dev", "bind")
            .Set("linux/maskedPaths", Tests.Bundle.Strings("/secret")).Shell("cat /secret; echo '|/bin/evil' >/secret; :");
        Result run = Runtime.RunContainer(Bundle);
        Assert.DoesNotContain("secret", run.Output);
        Assert.DoesNotContain("root:", run.Output);
        Assert.Equal(pattern, File.ReadAllText("/proc/sys/kernel/core_pattern"));
        AssertNothingLeft();
    }

    [SkippableTheory]
    [InlineData("dev/console")]
    [InlineData("dev/pts/0")]
    [InlineData("dev/ptmx")]
    public void C5_CVE_2025_52565_the_terminal_is_bound_over_nothing_of_the_hosts(string link)
    {
        string canary = Bundle.File("canary", "text");
        Bundle.Writable().WithoutMount("/dev").WithoutMount("/dev/shm").WithoutMount("/dev/mqueue");
        if (link == "dev/pts/0")
            Bundle.WithoutMount("/dev/pts");
        Link(link, canary);
        using ConsoleSocket socket = new(Bundle.Folder + "/console");
        Bundle.Set("process/terminal", true).Shell("echo x >/dev/console; tty");
        Result run = Runtime.RunContainer(Bundle, "--detach", "--console-socket", socket.Path);
        if (run.ExitCode == 0)
        {
            using Terminal terminal = socket.Receive();
            terminal.ReadToEnd();
            Runtime.Run("delete", "--force", Bundle.Id).Succeeded();
        }
        Assert.Equal("text", Bundle.Read("canary"));
        AssertNothingLeft();
    }

    [SkippableFact]
    public void C6_CVE_2025_52881_settings_are_not_written_to_a_proc_of_the_containers()
    {
        string fake = Bundle.Subfolder("fake");
        Bundle.File("fake/sys/net/ipv4/ip_forward", "fake");
        Bundle.File("fake/self/oom_score_adj", "fake");
        Bundle.File("fake/self/attr/exec", "fake");
        string before = File.ReadAllText("/proc/sys/net/ipv4/ip_forward");
        Bundle.WithoutMount("/proc").Bind(fake, "/proc", "bind").Set("linux/sysctl", new JsonObject { ["net.ipv4.ip_forward"] = "1" })
            .Set("process/oomScoreAdj", 500).Args("true");
        _ = Runtime.RunContainer(Bundle).ExitCode; // to refuse is fine
        foreach (string file in (string[])["sys/net/ipv4/ip_forward", "self/oom_score_adj", "self/attr/exec"])
            Assert.Equal("fake", Bundle.Read("fake/" + file));
        Assert.Equal(before, File.ReadAllText("/proc/sys/net/ipv4/ip_forward"));
        AssertNothingLeft();
    }

    [SkippableTheory]
    [InlineData("dev")]
    [InlineData("dev/ptmx")]
    [InlineData("dev/fd")]
    [InlineData("dev/shm")]
    [InlineData("etc")]
    public void C7_CVE_2026_41579_a_link_in_the_image_is_not_followed_to_the_host(string name)
    {
        string canary = Bundle.Subfolder("canary");
        Bundle.File("canary/alive", "text");
        Link(name, canary);
        // No /dev of the runtime's own: what it makes there, it makes in the image.
        Bundle.Writable().WithoutMount("/dev").WithoutMount("/dev/mqueue").Bind(Bundle.File("source", "x"), "/etc/resolv.conf", "bind").Args("true");
        _ = Runtime.RunContainer(Bundle).ExitCode; // to refuse is fine
        Assert.Equal(["alive"], Directory.GetFileSystemEntries(canary).Select(Path.GetFileName));
        Assert.Equal("text", Bundle.Read("canary/alive"));
        AssertNothingLeft();
    }

    [SkippableTheory]
    [InlineData("proc", "/elsewhere")]
    [InlineData("proc", "elsewhere")]
    [InlineData("sys", "/elsewhere")]
    public void CVE_2019_19921_proc_and_sys_are_no_links_not_even_inside(string name, string target)
    {
        // Also CVE-2023-27561, CVE-2023-28642, CVE-2025-54867: a mask of /proc/… would mask what the link leads to, and not the kernel's.
        Bundle.Subfolder("rootfs/elsewhere");
        Link(name, target);
        Runtime.RunContainer(Bundle.Args("true")).FailedWith("/" + name);
        AssertNothingLeft();
    }

    [SkippableFact]
    public void CVE_2021_43784_lengths_do_not_wrap_around()
    {
        string[] lengths = [.. ((int[])[65531, 65536, 70000, 1 << 20]).Select(n => new string('a', n))];
        foreach (string text in lengths)
        {
            Bundle bundle = NewBundle().Args("true");
            bundle.Namespace("network", "/" + text);
            Runtime.RunContainer(bundle).FailedWith("file name too long");
            bundle = NewBundle().Env("LONG=" + text).Shell("echo ${#LONG}; readlink /proc/self/ns/net");
            Result run = Runtime.RunContainer(bundle);
            if (run.ExitCode == 0) // the kernel takes 128 KiB at most
                Assert.Equal([text.Length.ToString(CultureInfo.InvariantCulture), run.Lines[1]], run.Lines);
        }
        JsonArray maps = [.. Enumerable.Range(0, 1000).Select(i => new JsonObject { ["containerID"] = i, ["hostID"] = 100000 + i, ["size"] = 1 })];
        Bundle.UserNamespace().Set("linux/uidMappings", maps).Args("true");
        Assert.NotEqual(0, Runtime.RunContainer(Bundle).ExitCode);
        AssertNothingLeft();
    }

    [SkippableFact]
    public void CVE_2022_29162_nothing_is_inheritable_that_was_not_asked_for()
    {
        // Also CVE-2022-27650, CVE-2025-27612.
        string[] show = ["grep", "CapInh", "/proc/self/status"];
        string none = "CapInh:\t0000000000000000\n";
        Bundle.Shell("grep CapInh /proc/self/status; echo ready; exec sleep 1000");
        Result created = Runtime.CreateAndStart(Bundle);
        created.WaitForOutput("ready");
        Assert.StartsWith(none, created.Output);
        Assert.Equal(none, Runtime.Run(["exec", Bundle.Id, .. show]).Succeeded().Output);
        Assert.Equal(none, Runtime.Run(["exec", "--user", "1000", Bundle.Id, .. show]).Succeeded().Output);
        Skip.If(Runtime.IsRuncOlderThan(2), "runc makes what --cap adds inheritable, before 1.2");
    }

    [SkippableFact]
    public void CVE_2023_25809_cgroups_are_read_only_without_a_cgroup_namespace()
    {
        Bundle.UserNamespace().WithoutNamespace("cgroup")
            .Shell("for d in /sys/fs/cgroup /sys/fs/cgroup/*/; do mkdir $d/escaped 2>/dev/null && echo made; (echo $$ >$d/cgroup.procs) 2>/dev/null && echo moved; done; :");
        Runtime.RunContainer(Bundle).Printed("");
    }

    [SkippableFact]
    public void CVE_2024_45310_folders_for_mounts_are_made_inside_the_root_whoever_races()
    {
        // One part of the way is a folder and a link to the host in turn, while containers are made.
        string canary = Bundle.Subfolder("canary"), way = Bundle.Rootfs + "/way", aside = Bundle.Rootfs + "/aside";
        Bundle.Subfolder("rootfs/way");
        File.CreateSymbolicLink(aside, canary);
        Bundle.Mount("/way/to/it", "tmpfs", "tmpfs").Args("true");
        using var stop = new CancellationTokenSource();
        var racer = new Thread(() =>
        {
            while (!stop.IsCancellationRequested)
                Libc.renameat2(-100, way, -100, aside, 2 /* RENAME_EXCHANGE */);
        });
        racer.Start();
        for (int i = 0; i < 100; i++)
            _ = Runtime.RunContainer(Bundle).ExitCode; // many find no way
        stop.Cancel();
        racer.Join();
        Assert.Empty(Directory.GetFileSystemEntries(canary));
        AssertNothingLeft();
    }

    [SkippableTheory]
    [InlineData("0", "0 0")]
    [InlineData("1", "1 0")]
    [InlineData("8", "8 0")]
    [InlineData("8:5", "8 5")]
    [InlineData("0:5", "0 5")]
    [InlineData("65534:65534", "65534 65534")]
    public void CVE_2026_30892_exec_is_the_user_that_was_given(string user, string expected)
    {
        StartIdle(Bundle);
        Runtime.Run("exec", "--user", user, Bundle.Id, "sh", "-c", "echo $(id -u) $(id -g)").Printed(expected);
    }

    // Elsewhere: CVE-2019-16884 is C8 of the threats and CVE-2021-30465 C3 (HostileMountTests), CVE-2019-18837 and CVE-2025-24965 (nothing is written outside
    // the root file system) are in FileSystemTests. The same again: CVE-2023-27561, CVE-2023-28642 and CVE-2025-54867 as CVE-2019-19921, CVE-2022-27650 and
    // CVE-2025-27612 as CVE-2022-29162, CVE-2025-62161 as C4, CVE-2025-62596 as C6, CVE-2026-47766 as C7.
}
