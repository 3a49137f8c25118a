// mounts add, remove and list: what is mounted in a container that runs already.
using System.Text.Json.Nodes;

namespace Conman.Integration.Tests;

public class LiveMountTests : ContainerTest
{
    public LiveMountTests()
        : base(Runtime.IsRunc ? "runc cannot" : null)
    {
    }

    private Result Add(params string[] words) => Runtime.Run(["mounts", "add", .. words]);

    private Result Exec(params string[] words) => Runtime.Run(["exec", Bundle.Id, .. words]);

    private string[] Listed() =>
        [.. JsonNode.Parse(Runtime.Run("mounts", "list", "--format", "json", Bundle.Id).Succeeded().Output)!.AsArray().Select(m => (string)m!["destination"]!)];

    [SkippableTheory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_folder_is_added_and_removed(bool userNamespace)
    {
        if (userNamespace)
            Bundle.UserNamespace();
        Bundle.File("source/file", "text");
        StartIdle(Bundle);
        Add("-o", "ro", Bundle.Id, Bundle.Folder + "/source", "/tmp").Succeeded();
        Exec("cat", "/tmp/file").Printed("text");
        Exec("touch", "/tmp/new").FailedWith("Read-only file system");
        Assert.Equal(["/tmp"], Listed());
        Assert.Contains("/source", Runtime.Run("mounts", "list", Bundle.Id).Succeeded().Output, StringComparison.Ordinal);
        Runtime.Run("mounts", "remove", Bundle.Id, "/tmp").Succeeded();
        Exec("ls", "/tmp").Printed("");
        Assert.Empty(Listed());
    }

    [SkippableFact]
    public void A_missing_destination_is_made_and_a_file_can_be_added()
    {
        StartIdle(Bundle.Writable());
        Add(Bundle.Id, Bundle.File("source", "text"), "/tmp/folder/file").Succeeded();
        Exec("cat", "/tmp/folder/file").Printed("text");
        Runtime.Run("mounts", "remove", Bundle.Id, "/tmp/folder/file").Succeeded();
        Exec("cat", "/tmp/folder/file").Printed("");
    }

    [SkippableTheory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_file_system_is_added(bool userNamespace)
    {
        if (userNamespace)
            Bundle.UserNamespace();
        StartIdle(Bundle);
        Add("--type", "tmpfs", "--options", "size=64k,noexec", Bundle.Id, "tmpfs", "/tmp").Succeeded();
        string line = Exec("grep", " /tmp ", "/proc/self/mountinfo").Succeeded().Lines.Single();
        Assert.Contains("size=64k", line, StringComparison.Ordinal);
        Assert.Contains("noexec", line, StringComparison.Ordinal);
        Assert.Equal(["/tmp"], Listed());
        Runtime.Run("mounts", "remove", Bundle.Id, "/tmp").Succeeded();
        Assert.Equal(1, Exec("grep", " /tmp ", "/proc/self/mountinfo").ExitCode);
    }

    [SkippableFact]
    public void A_proc_is_that_of_the_container()
    {
        Bundle.Subfolder("rootfs/own");
        StartIdle(Bundle);
        Add("--type", "proc", Bundle.Id, "proc", "/own").Succeeded();
        Exec("cat", "/own/1/comm").Printed("sleep");
    }

    [SkippableFact]
    public void A_tmpfs_can_begin_with_what_it_covers()
    {
        Bundle.File("rootfs/covered/file", "text");
        StartIdle(Bundle);
        Add("--type", "tmpfs", "-o", "tmpcopyup", Bundle.Id, "tmpfs", "/covered").Succeeded();
        Exec("sh", "-c", "cat /covered/file; touch /covered/new && ls /covered").Printed("textfile", "new");
        Assert.False(File.Exists(Bundle.Rootfs + "/covered/new"));
    }

    [SkippableFact]
    public void A_file_of_mounts_is_added_and_removed_as_crun_does()
    {
        Bundle.Subfolder("rootfs/foo");
        StartIdle(Bundle.UserNamespace().Mount("/foo", "tmpfs", "tmpfs", "rw"));
        Bundle.File("source/test", "text");
        string file = Bundle.File("mounts.json",
            $$"""[{"destination": "/foo/bar", "type": "bind", "source": "{{Bundle.Folder}}/source", "options": ["bind", "ro"]}, {"destination": "/foo/tmpfs", "type": "tmpfs", "source": "tmpfs"}]""");
        Add(Bundle.Id, file).Succeeded();
        Exec("cat", "/foo/bar/test").Printed("text");
        Assert.Equal(["/foo/bar", "/foo/tmpfs"], Listed());
        Runtime.Run("mounts", "remove", Bundle.Id, file).Succeeded();
        Exec("ls", "/foo/bar").Printed("");
        Assert.Empty(Listed());
    }

    [SkippableFact]
    public void An_id_mapped_mount_has_the_maps_of_the_container()
    {
        Bundle.UserNamespace();
        Libc.Check(Libc.lchown(Bundle.File("source/file"), 7, 8), "chown");
        StartIdle(Bundle);
        Add("-o", "idmap", Bundle.Id, Bundle.Folder + "/source", "/tmp").Succeeded();
        Exec("stat", "-c", "%u %g", "/tmp/file").Printed("7 8");
    }

    [SkippableFact]
    public void What_the_host_mounts_later_arrives_if_asked_for()
    {
        using var source = new HostMount(Bundle.Subfolder("source"), shared: true);
        StartIdle(Bundle);
        Add("-o", "rbind,rslave", Bundle.Id, source.Path, "/tmp").Succeeded();
        using var later = new HostMount(source.Path + "/later");
        Bundle.File("source/later/file", "text");
        Exec("cat", "/tmp/later/file").Printed("text");
    }

    [SkippableFact]
    public void Several_at_one_place_are_removed_from_the_top()
    {
        Bundle.File("one/name", "one");
        Bundle.File("two/name", "two");
        StartIdle(Bundle);
        Add(Bundle.Id, Bundle.Folder + "/one", "/tmp").Succeeded();
        Add(Bundle.Id, Bundle.Folder + "/two", "/tmp").Succeeded();
        Exec("cat", "/tmp/name").Printed("two");
        Runtime.Run("mounts", "remove", Bundle.Id, "/tmp").Succeeded();
        Exec("cat", "/tmp/name").Printed("one");
        Runtime.Run("mounts", "remove", Bundle.Id, "/tmp").Succeeded();
        Runtime.Run("mounts", "remove", Bundle.Id, "/tmp").FailedWith("/tmp");
    }

    [SkippableFact]
    public void If_one_of_a_file_fails_none_is_left()
    {
        StartIdle(Bundle);
        string file = Bundle.File("mounts.json", """[{"destination": "/tmp", "type": "tmpfs"}, {"destination": "/proc/sys", "type": "tmpfs"}]""");
        Add(Bundle.Id, file).FailedWith("/proc/sys");
        file = Bundle.File("mounts.json", """[{"destination": "/tmp", "type": "tmpfs"}, {"destination": "/etc/passwd/x", "type": "tmpfs"}]""");
        Add(Bundle.Id, file).FailedWith("/etc/passwd/x");
        Assert.Equal(1, Exec("grep", " /tmp ", "/proc/self/mountinfo").ExitCode);
        Assert.Empty(Listed());
    }

    [SkippableFact]
    public void A_paused_container_takes_a_mount()
    {
        Bundle.File("source/file", "text");
        StartIdle(Bundle);
        Runtime.Run("pause", Bundle.Id).Succeeded();
        Add(Bundle.Id, Bundle.Folder + "/source", "/tmp").Succeeded();
        Runtime.Run("resume", Bundle.Id).Succeeded();
        Exec("cat", "/tmp/file").Printed("text");
    }

    [SkippableFact]
    public void A_container_that_has_only_been_created_takes_a_mount()
    {
        Bundle.File("source/file", "text");
        Result created = Runtime.Create(Bundle.Args("cat", "/tmp/file")).Succeeded();
        Add(Bundle.Id, Bundle.Folder + "/source", "/tmp").Succeeded();
        Runtime.Run("start", Bundle.Id).Succeeded();
        created.WaitForOutput("text");
    }

    [SkippableFact]
    public void A_stopped_container_takes_none()
    {
        Runtime.CreateAndStart(Bundle.Args("true"));
        Runtime.WaitForStatus(Bundle.Id, "stopped");
        Add(Bundle.Id, "/etc", "/tmp").FailedWith("not running");
        Runtime.Run("mounts", "remove", Bundle.Id, "/tmp").FailedWith("not running");
        Assert.Empty(Listed());
    }

    [SkippableFact]
    public void What_the_container_has_unmounted_itself_is_not_listed()
    {
        StartIdle(Bundle.Capabilities("CAP_SYS_ADMIN"));
        Add("--type", "tmpfs", Bundle.Id, "tmpfs", "/tmp").Succeeded();
        Runtime.Run("exec", "--cap", "CAP_SYS_ADMIN", Bundle.Id, "umount", "/tmp").Succeeded();
        Assert.Empty(Listed());
        Runtime.Run("mounts", "remove", Bundle.Id, "/tmp").FailedWith("/tmp");
    }

    [SkippableFact]
    public void A_container_that_covers_its_proc_cannot_misdirect_a_removal()
    {
        // What /proc/self/fd/N names is then the container's to say: the removal must not ask there.
        Bundle.File("rootfs/tmp/victim/file");
        StartIdle(Bundle.Capabilities("CAP_SYS_ADMIN").Writable());
        Add("--type", "tmpfs", Bundle.Id, "tmpfs", "/tmp").Succeeded();
        Runtime.Run("exec", "--cap", "CAP_SYS_ADMIN", Bundle.Id, "sh", "-c",
            "mount -t tmpfs x /proc && mkdir -p /proc/self/fd /var/victim && mount -t tmpfs v /var/victim && for i in 3 4 5 6 7 8 9 10 11 12; do ln -s /var/victim /proc/self/fd/$i; done").Succeeded();
        Runtime.Run("mounts", "remove", Bundle.Id, "/tmp").Succeeded();
        Exec("mount").ExitedWith(1); // no /proc/mounts to read
        Exec("sh", "-c", "stat -c %m /var/victim 2>/dev/null || stat -f -c %T /var/victim").Succeeded();
        Exec("stat", "-f", "-c", "%T", "/var/victim").Printed("tmpfs");
    }

    [SkippableTheory]
    [InlineData("/tmp/link")]
    [InlineData("/tmp/link/below")]
    [InlineData("/tmp/up/../../canary")]
    public void A_destination_that_is_a_link_stays_inside_the_container(string destination)
    {
        string canary = Bundle.Subfolder("canary");
        Bundle.File("canary/alive");
        StartIdle(Bundle.Writable());
        File.CreateSymbolicLink(Bundle.Rootfs + "/tmp/link", canary);
        File.CreateSymbolicLink(Bundle.Rootfs + "/tmp/up", "../../../../..");
        string[] before = [.. Leftovers.Mounts()];
        _ = Add("--type", "tmpfs", Bundle.Id, "tmpfs", destination).ExitCode; // to refuse is fine
        Assert.Equal(before, Leftovers.Mounts());
        Assert.Equal(["alive"], Directory.GetFileSystemEntries(canary).Select(Path.GetFileName));
    }

    [SkippableFact]
    public void A_delete_takes_the_records_along()
    {
        StartIdle(Bundle);
        Add("--type", "tmpfs", Bundle.Id, "tmpfs", "/tmp").Succeeded();
        Runtime.Run("delete", "--force", Bundle.Id).Succeeded();
        AssertNothingLeft();
    }
}
