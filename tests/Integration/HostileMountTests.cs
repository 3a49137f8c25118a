// The mount rows of the threats: links that move while others mount, what must not lie on /proc, masks through links, strange roots. And
// that the host's init sees nothing of all this: no mount and no unmount in its own mount namespace.
using System.Text.Json.Nodes;

namespace Conman.Integration.Tests;

public class HostileMountTests : ContainerTest
{
    private static readonly bool Soak = Environment.GetEnvironmentVariable("CONMAN_SOAK") == "1";

    private static JsonArray Paths(IEnumerable<string> paths) => Bundle.Strings([.. paths]);

    [SkippableFact]
    public void C3_CVE_2021_30465_mounts_stay_in_the_root_while_a_link_flips_under_them()
    {
        // CVE-2021-30465. In a volume that two containers share, one exchanges a folder and a link again and again while the other mounts there.
        const int Mounts = 20;
        int rounds = (Soak ? 10_000 : 300) / Mounts;
        string volume = Bundle.Subfolder("volume"), canary = Bundle.Subfolder("canary");
        Bundle.File("canary/alive");
        Bundle.Subfolder("volume/place");
        // From inside, the link leads to a folder of that name in the root, if the kernel is asked to look there.
        File.CreateSymbolicLink(volume + "/other", canary);
        Bundle.Subfolder("rootfs" + canary);
        Bundle.Bind(volume, "/volume", "bind");
        for (int i = 0; i < Mounts; i++)
            Bundle.Mount("/volume/place", "tmpfs", "C3", "size=16k");
        Bundle.Args("grep", "-c", " - tmpfs C3 ", "/proc/self/mountinfo").Save();

        int outside = 0;
        using var stop = new CancellationTokenSource();
        var flipper = new Thread(() =>
        {
            while (!stop.IsCancellationRequested)
                Libc.Check(Libc.renameat2(-100, volume + "/place", -100, volume + "/other", 2 /* RENAME_EXCHANGE */), "exchange");
        });
        flipper.Start();
        try
        {
            for (int i = 0; i < rounds; i++)
            {
                Result run = Runtime.RunContainer(Bundle);
                // What was mounted outside the root is not among the container's mounts.
                if (run.ExitCode == 0 && run.Output.Trim() != Mounts.ToString())
                    outside++;
                else if (run.ExitCode != 0)
                    Assert.Contains("/volume/place", run.Error, StringComparison.Ordinal);
            }
        }
        finally
        {
            stop.Cancel();
            flipper.Join();
        }
        Assert.Equal(0, outside);
        Assert.Equal(["alive"], Directory.GetFileSystemEntries(canary).Select(Path.GetFileName));
        AssertNothingLeft();
    }

    public static TheoryData<string, string, string, string> OnProc
    {
        get
        {
            var all = new TheoryData<string, string, string, string>();
            foreach (string type in (string[])["tmpfs", "bind", "proc"])
            {
                foreach (string path in (string[])["/proc/sys", "/proc/1/root", "/proc/self/exe", "/proc/self/fd/3", "/proc/sys/kernel", "/proc/acpi"])
                    all.Add(type, path, "", "inside /proc");
                all.Add(type, "/link/sys", "/proc", "/link/sys"); // by a link the name says nothing: the file system does
                all.Add(type, "/sys/../proc/sys", "", "/proc/sys");
            }
            all.Add("tmpfs", "/proc", "", "not of type proc");
            all.Add("bind", "/proc", "", "not of type proc");
            all.Add("sysfs", "/proc/fs", "", "inside /proc");
            return all;
        }
    }

    [SkippableTheory]
    [MemberData(nameof(OnProc))]
    public void C8_CVE_2019_16884_nothing_may_lie_on_proc_but_what_container_managers_emulate(string type, string destination, string link, string words)
    {
        Skip.If(Runtime.IsRunc, "runc's own suite asks for it");
        if (link.Length > 0)
            File.CreateSymbolicLink(Bundle.Rootfs + "/link", link);
        Bundle.Mount(destination, type, type == "bind" ? Bundle.Subfolder("source") : type).Args("true");
        Runtime.RunContainer(Bundle).FailedWith(words);
        AssertNothingLeft();
    }

    [SkippableTheory]
    [InlineData("proc", "proc")]
    [InlineData("bind", "/proc")]
    public void C8_a_procfs_may_lie_on_proc(string type, string source)
    {
        Bundle.Mount("/proc", type, source, type == "bind" ? "rbind" : "nosuid").Args("grep", "-c", "processor", "/proc/cpuinfo");
        Runtime.RunContainer(Bundle).Succeeded();
    }

    [SkippableFact]
    public void C8_a_sysfs_needs_the_network_namespace_that_it_shows()
    {
        Bundle.UserNamespace().WithoutNamespace("network").Args("true");
        Runtime.RunContainer(Bundle).FailedWith("/sys");
        AssertNothingLeft();
    }

    [SkippableFact]
    public void C9_read_only_and_masked_paths_lead_nowhere_out_of_the_root()
    {
        string canary = Bundle.File("canary/file", "text");
        foreach ((string name, string target) in ((string, string)[])[("file", canary), ("folder", Bundle.Folder + "/canary"), ("up", "../../../../.." + canary), ("loop", "loop")])
            File.CreateSymbolicLink($"{Bundle.Rootfs}/{name}", target);
        foreach (string list in (string[])["linux/maskedPaths", "linux/readonlyPaths"])
        {
            foreach (string path in (string[])["/file", "/folder", "/folder/file", "/up", "/no/such", "/etc/passwd/below"])
                Bundle.Add(list, path);
        }
        Runtime.RunContainer(Bundle.Args("true")).Succeeded();
        File.AppendAllText(canary, ".");
        Assert.Equal("text.", Bundle.Read("canary/file"));
        Bundle loop = NewBundle().Add("linux/maskedPaths", "/loop").Args("true");
        File.CreateSymbolicLink(loop.Rootfs + "/loop", "loop");
        if (Runtime.RunContainer(loop) is { ExitCode: not 0 } run)
            run.FailedWith("/loop");
        AssertNothingLeft();
    }

    [SkippableFact]
    public void C9_a_link_inside_the_root_is_masked_where_it_leads()
    {
        Bundle.File("rootfs/etc/secret", "text");
        File.CreateSymbolicLink(Bundle.Rootfs + "/link", "/etc/secret");
        Bundle.Add("linux/maskedPaths", "/link").Shell("cat /etc/secret; cat /link");
        Runtime.RunContainer(Bundle).Printed("");
    }

    [SkippableFact]
    public void C9_ten_thousand_paths_are_masked_with_one_tmpfs()
    {
        const int Existing = 500;
        for (int i = 0; i < Existing; i++)
            Bundle.Subfolder($"rootfs/masked/{i}");
        Bundle.Set("linux/maskedPaths", Paths(Enumerable.Range(0, 10_000).Select(i => $"/masked/{i}")));
        Bundle.Set("linux/readonlyPaths", Paths(Enumerable.Range(0, 10_000).Select(i => $"/no/such/{i}")));
        Bundle.Shell("grep -c ' /masked/' /proc/self/mountinfo; awk '$5 ~ \"^/masked/\" && !seen[$3]++ { n++ } END { print n }' /proc/self/mountinfo; ls -A /masked/0 /masked/499 | wc -w; touch /masked/7/x 2>/dev/null || echo refused");
        Result run = Runtime.RunContainer(Bundle);
        Skip.If(Runtime.IsRunc && run.ExitCode != 0, "runc gives up");
        run.Printed(Existing.ToString(), Runtime.IsRuncOlderThan(5) ? Existing.ToString() : "1", "2", "refused");
    }

    [SkippableTheory]
    [InlineData("a link")]
    [InlineData("a link to a file")]
    [InlineData("a link to nothing")]
    [InlineData("missing")]
    [InlineData("a file")]
    [InlineData("the host's")]
    [InlineData("in a shared mount")]
    [InlineData("a shared mount")]
    public void C10_a_strange_root_is_run_or_refused_and_no_mount_reaches_the_host(string what)
    {
        string[] before = [.. Leftovers.Mounts()];
        HostMount? shared = null;
        switch (what)
        {
            case "a link":
                File.CreateSymbolicLink(Bundle.Folder + "/link", "rootfs");
                Bundle.Set("root/path", "link");
                break;
            case "a link to a file":
                File.CreateSymbolicLink(Bundle.Folder + "/link", Bundle.File("plain"));
                Bundle.Set("root/path", "link");
                break;
            case "a link to nothing":
                File.CreateSymbolicLink(Bundle.Folder + "/link", "nothing");
                Bundle.Set("root/path", "link");
                break;
            case "missing": Bundle.Set("root/path", "missing"); break;
            case "a file": Bundle.Set("root/path", Bundle.File("plain")); break;
            case "the host's": Bundle.Set("root/path", "/"); break;
            default:
                shared = new HostMount(Bundle.Subfolder("shared"), shared: true);
                string root = what == "a shared mount" ? shared.Path : shared.Path + "/root";
                Runtime.StartProgram("cp", new Options(), "-a", Bundle.Rootfs + "/.", Directory.CreateDirectory(root).FullName).Succeeded();
                before = [.. Leftovers.Mounts()];
                Bundle.Set("root/path", root);
                break;
        }
        try
        {
            Result created = Runtime.Create(Bundle.Args("/bin/sh", "-c", "exec true"));
            Assert.Equal(before, Leftovers.Mounts());
            if (created.ExitCode == 0)
                Runtime.Run("start", Bundle.Id).Succeeded();
            if (what is "missing" or "a file" or "a link to nothing" or "a link to a file")
                created.FailedWith(Runtime.IsRunc ? "" : Path.GetFileName((string)Bundle.Spec["root"]!["path"]!));
            else if (!Runtime.IsRunc)
                created.Succeeded();
            Runtime.Run("delete", "--force", Bundle.Id).Succeeded();
            Assert.Equal(before, Leftovers.Mounts());
        }
        finally
        {
            shared?.Dispose();
        }
    }

    [SkippableFact]
    public void A19_C7_a_link_in_place_of_dev_writes_nothing_on_the_host()
    {
        Skip.If(Runtime.IsRuncOlderThan(5), "CVE-2026-41579");
        string canary = Bundle.Subfolder("canary");
        Directory.Delete(Bundle.Rootfs + "/dev");
        File.CreateSymbolicLink(Bundle.Rootfs + "/dev", canary);
        Bundle.Add("linux/devices", new JsonObject { ["path"] = "/dev/extra", ["type"] = "c", ["major"] = 1, ["minor"] = 3 }).Set("process/terminal", false);
        // With a tmpfs on it, and with none: then devices and links would be made in what the link names.
        Runtime.RunContainer(Bundle.Args("true")).FailedWith("/dev");
        foreach (string mount in (string[])["/dev/pts", "/dev/shm", "/dev/mqueue", "/dev"])
            Bundle.WithoutMount(mount);
        _ = Runtime.RunContainer(Bundle).ExitCode;
        Assert.Empty(Directory.GetFileSystemEntries(canary));
        AssertNothingLeft();
    }

    [SkippableFact]
    public void The_hosts_init_sees_no_mount_and_no_unmount()
    {
        // poll(2) on mountinfo tells of every change of the mount namespace (proc_pid_mountinfo(5)): how systemd hears of mounts.
        Skip.If(Runtime.IsRunc, "runc's mounts are seen, before 1.2");
        using FileStream mounts = File.OpenRead("/proc/self/mountinfo");
        bool Changed()
        {
            var entry = new Libc.PollFd { fd = (int)mounts.SafeFileHandle.DangerousGetHandle(), events = 2 /* POLLPRI */ };
            Libc.Check(Libc.poll(ref entry, 1, 0), "poll");
            return (entry.revents & (2 | 8 /* POLLERR */)) != 0;
        }
        Changed(); // what was before
        string source = Bundle.Subfolder("source");
        Bundle.Bind(source, "/mnt", "rbind").Bind(source, "/tmp", "bind", "idmap=uids=0-1000-1;gids=0-1000-1").Mount("/covered", "tmpfs", "tmpfs", "tmpcopyup")
            .Set("annotations", new JsonObject { ["org.conman.rootfs.overlay"] = Bundle.Subfolder("kept") });
        StartIdle(Bundle);
        Assert.False(Changed(), "create or start");
        Runtime.Run("exec", Bundle.Id, "true").Succeeded();
        Assert.False(Changed(), "exec");
        Runtime.Run("mounts", "add", Bundle.Id, source, "/var").Succeeded();
        Runtime.Run("mounts", "remove", Bundle.Id, "/var").Succeeded();
        Assert.False(Changed(), "mounts");
        Runtime.Run("delete", "--force", Bundle.Id).Succeeded();
        Assert.False(Changed(), "delete");
        using (new HostMount(Bundle.Subfolder("control")))
            Assert.True(Changed(), "a mount would have been seen");
        _ = Changed();
    }

    [SkippableFact]
    public void A_container_cannot_mount_the_host_to_death()
    {
        // Mounts that copy themselves into each other double each time, if they are shared: none of it may reach the host.
        using var source = new HostMount(Bundle.Subfolder("source"), shared: true);
        string[] before = [.. Leftovers.Mounts()];
        Bundle.Capabilities("CAP_SYS_ADMIN").Bind(source.Path, "/mnt", "rbind").Writable();
        StartIdle(Bundle);
        _ = Runtime.Run("exec", "--cap", "CAP_SYS_ADMIN", Bundle.Id, "sh", "-c",
            "mount --make-rshared / ; for i in 1 2 3 4 5 6 7 8 9; do mkdir -p /mnt/$i && mount --rbind / /mnt/$i; done 2>/dev/null; :").ExitCode;
        Assert.Equal(before, Leftovers.Mounts());
        Runtime.Run("delete", "--force", Bundle.Id).Succeeded();
    }
}
