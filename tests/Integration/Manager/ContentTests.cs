// What a container has written, as a list, an image, an archive and a mount: diff, commit, export, mount; and images mounted into containers.
using System.Text.Json.Nodes;

namespace Conman.Integration.Tests.Manager;

public class ContentTests : ManagerTest
{
    private const string Changing = """
        echo new > /var/new; mkdir -p /opt/a/b; rm -r /root; mkdir /root; touch /root/again; rm /etc/group; chmod 600 /etc/passwd; rm -r /tmp; touch /tmp
        """;

    [SkippableFact]
    public void Diff_tells_what_was_added_changed_and_deleted()
    {
        Run("run", "--name", "c", "--cgroup-parent", "/conman-test", "--volume", "/data", Image, "sh", "-c", Changing).Succeeded();
        string[] expected = ["A /data", "C /etc", "D /etc/group", "C /etc/passwd", "A /opt", "A /opt/a", "A /opt/a/b", "C /root", "A /root/again", "C /tmp", "C /var", "A /var/new"];
        Run("diff", "c").Printed(expected);
        Run("container", "diff", "c").Printed(expected);
        Assert.Equal("""{"changed":["/etc","/etc/passwd","/root","/tmp","/var"],"added":["/data","/opt","/opt/a","/opt/a/b","/root/again","/var/new"],"deleted":["/etc/group"]}""" + "\n", Run("diff", "--format", "json", "c").Output);
    }

    [SkippableFact]
    public void Diff_sees_what_is_hidden_under_a_directory_that_was_made_anew()
    {
        Run("run", "--name", "one", "--cgroup-parent", "/conman-test", Image, "sh", "-c", "mkdir /d; echo 1 > /d/a; echo 2 > /d/b").Succeeded();
        Run("commit", "one", "two").Succeeded();
        Run("run", "--name", "c", "--cgroup-parent", "/conman-test", "two", "sh", "-c", "rm -r /d; mkdir /d; echo 3 > /d/c; echo 1 > /d/a").Succeeded();
        Run("diff", "c").Printed("C /d", "C /d/a", "D /d/b", "A /d/c");
        RunDetached("--name", "same", Image, "sh", "-c", "sleep 1000");
        Run("diff", "same").Printed("");
    }

    [SkippableTheory]
    [InlineData(false)]
    [InlineData(true)]
    public void Commit_makes_an_image_of_it(bool squash)
    {
        RunDetached("--name", "c", "--env", "OWN=1", "--label", "a=b", "--volume", "/data", Image, "sh", "-c", Changing + "; echo secret > /data/x; exec sleep 1000");
        Wait.Until(() => Run("exec", "c", "ls", "/tmp", "/data/x").ExitCode == 0, "its files");
        string[] options = squash ? ["--squash"] : [];
        string id = Run(["commit", "--author", "Somebody", "--message", "why", "--change", "CMD [\"cat\", \"/var/new\"]", "--change", "ENV MORE=2", .. options, "c", "made:1"]).Succeeded().Output.Trim();
        Assert.Equal("running", Inspect("c", "{{.State.Status}}"));
        Assert.Equal(id, Run("inspect", "--type", "image", "--format", "{{.Id}}", "made:1").Output.Trim());
        JsonNode image = JsonNode.Parse(Run("image", "inspect", "made:1").Succeeded().Output)![0]!;
        Assert.Equal(("Somebody", "why", squash ? 1 : 2), ((string)image["Author"]!, (string)image["Comment"]!, image["RootFS"]!["Layers"]!.AsArray().Count));
        Assert.Equal(["PATH=/bin", "FROM=image", "OWN=1", "MORE=2"], image["Config"]!["Env"]!.AsArray().Select(v => (string)v!));
        Assert.Equal(("b", "image"), ((string)image["Config"]!["Labels"]!["a"]!, (string)image["Config"]!["Labels"]!["from"]!));
        Assert.Equal("new\n", RunOf("made:1").Output);
        Assert.Equal("/etc/passwd\n/opt/a\n/root:\nagain\n", RunOf("made:1", "sh", "-c", "ls -d /etc/group /etc/passwd /opt/a 2>/dev/null; ls /root /data").Output.Replace("\n/data:\n", "", StringComparison.Ordinal).Replace("\n\n", "\n", StringComparison.Ordinal));
        Assert.Equal(" x\n", RunOf("made:1", "sh", "-c", "echo \" x\"; cat /data/x 2>/dev/null; true").Output);
        Run("image", "check").Succeeded();
        Assert.Contains(File.ReadAllLines(RunRoot + "/events"), e => e.Contains("\"commit\"", StringComparison.Ordinal) && e.Contains(id, StringComparison.Ordinal));
    }

    [SkippableFact]
    public void Commit_of_a_container_that_wrote_nothing_adds_no_layer()
    {
        Run("create", "--name", "c", "--cgroup-parent", "/conman-test", Image, "true").Succeeded();
        Run("commit", "--iidfile", Bundle.Folder + "/id", "c").Succeeded();
        string id = File.ReadAllText(Bundle.Folder + "/id");
        Assert.Equal("1", Run("image", "inspect", "--format", "{{len .RootFS.Layers}}", id).Succeeded().Output.Trim());
        Assert.Single(Run("history", "--quiet", id).Succeeded().Lines);
        Run("commit", "--change", "NOSUCH x", "c").ExitedWith(1).FailedWith("NOSUCH is no change to an image");
    }

    [SkippableFact]
    public void Commit_needs_the_image_below_but_for_squash()
    {
        Run("run", "--name", "c", "--cgroup-parent", "/conman-test", Image, "sh", "-c", "echo x > /var/x").Succeeded();
        Run("rmi", "--force", Image).Succeeded();
        Run("commit", "c", "made").ExitedWith(1).FailedWith("use --squash");
        Run("commit", "--squash", "c", "made").Succeeded();
        Assert.Equal("x\n", RunOf("made", "cat", "/var/x").Output);
        Run("create", "--name", "folder", "--cgroup-parent", "/conman-test", "--rootfs", Bundle.Rootfs, "/bin/true").Succeeded();
        Run("commit", "folder", "of-folder").Succeeded();
        Assert.Equal("root:x:0:0:root:/root:/bin/sh\n", RunOf("of-folder", "head", "-n1", "/etc/passwd").Output);
        Run("diff", "folder").ExitedWith(1).FailedWith("has no image");
    }

    [SkippableFact]
    public void Commit_while_it_is_paused_leaves_it_paused()
    {
        RunDetached("--name", "c", Image, "sleep", "1000");
        Run("pause", "c").Succeeded();
        Run("commit", "c", "made").Succeeded();
        Assert.Equal("paused", Inspect("c", "{{.State.Status}}"));
    }

    [SkippableFact]
    public void Export_is_the_whole_tree_without_volumes_and_import_takes_it()
    {
        RunDetached("--name", "c", "--volume", "/data", Image, "sh", "-c", Changing + "; echo x > /data/x; exec sleep 1000");
        Wait.Until(() => Run("exec", "c", "ls", "/data/x").ExitCode == 0, "its files");
        Run("export", "--output", Bundle.Folder + "/c.tar", "c").Succeeded();
        string[] names = Runtime.StartProgram("tar", new Options(), "-tf", Bundle.Folder + "/c.tar").Wait().Succeeded().Lines;
        Assert.Superset(new HashSet<string> { "var/new", "root/again", "opt/a/b/", "tmp", "data/" }, names.ToHashSet());
        Assert.Empty(names.Intersect(["etc/group", "data/x"]));
        Run("import", Bundle.Folder + "/c.tar", "flat").Succeeded();
        Assert.Equal("new\n", RunOf("flat", "/bin/cat", "/var/new").Output);
        Assert.Equal(names, Runtime.StartProgram("/bin/sh", new Options(), "-c", $"'{Conman}' --root '{Root}' --runroot '{RunRoot}' export c | tar -t").Wait().Succeeded().Lines);
    }

    [SkippableFact]
    public void A_mounted_container_is_seen_and_goes_on_as_one()
    {
        Run("create", "--name", "c", "--cgroup-parent", "/conman-test", Image, "sh", "-c", "cat /var/from-host; echo inside > /var/inside; exec sleep 1000").Succeeded();
        string path = Run("mount", "c").Succeeded().Output.Trim();
        Assert.Equal(path, Run("mount", "c").Succeeded().Output.Trim());
        File.WriteAllText(path + "/var/from-host", "hello\n");
        Run("start", "c").Succeeded();
        Wait.Until(() => File.Exists(path + "/var/inside"), "what the container writes");
        Assert.Equal("hello\n", Run("logs", "c").Output);
        Assert.EndsWith(" " + path + "\n", Run("mount").Output, StringComparison.Ordinal);
        Run("umount", "c").Succeeded();
        Run("umount", "c").ExitedWith(1).FailedWith("is not mounted");
        Assert.False(Directory.Exists(path));
        // Of one that runs it is a copy of its own mount.
        Run("mount", "c").Succeeded();
        File.WriteAllText(path + "/var/later", "later\n");
        Assert.Equal("later\n", Run("exec", "c", "cat", "/var/later").Output);
        Run("rm", "--force", "c").Succeeded();
        Assert.DoesNotContain(path, File.ReadAllText("/proc/self/mountinfo"), StringComparison.Ordinal);
        AssertNoContainers();
    }

    [SkippableFact]
    public void An_image_is_mounted_into_a_container_read_only()
    {
        Run("run", "--name", "one", "--cgroup-parent", "/conman-test", Image, "sh", "-c", "mkdir -p /d/e; echo data > /d/e/f").Succeeded();
        Run("commit", "one", "data").Succeeded();
        string[] whole = ["--mount", "type=image,source=data,target=/i"], part = ["--mount", "type=image,source=data,target=/i,image-subpath=/d/e"];
        Assert.Equal("data\n", RunWith(whole, "cat", "/i/d/e/f").Succeeded().Output);
        Assert.Equal("data\n", RunWith(part, "cat", "/i/f").Succeeded().Output);
        RunWith(whole, "touch", "/i/x").ExitedWith(1).FailedWith("Read-only file system");
        RunWith(["--mount", "type=image,source=nosuch,target=/i"], "true").ExitedWith(125).FailedWith("there is no image nosuch");
        RunWith(["--mount", "type=image,source=data,target=/i,rw=true"], "true").ExitedWith(125).FailedWith("read-only");
        RunWith(["--mount", "type=image,source=data,target=/i,image-subpath=/nosuch"], "true").ExitedWith(125).FailedWith("no such file or directory");
        Run(["create", "--name", "user", .. whole, "--cgroup-parent", "/conman-test", Image, "cat", "/i/d/e/f"]).Succeeded();
        Run("rmi", "data").ExitedWith(1).FailedWith("user");
        Run("rmi", "--force", "data").Succeeded();
        Assert.Equal("data\n", Run("start", "--attach", "user").Succeeded().Output);
        Assert.Equal("image data /i false", Inspect("user", "{{range .Mounts}}{{.Type}} {{.Source}} {{.Destination}} {{.RW}}{{end}}"));
    }

    [SkippableFact]
    public void What_a_killed_commit_has_paused_recover_lets_go_on()
    {
        RunDetached("--name", "c", Image, "sleep", "1000");
        Run("pause", "c").Succeeded();
        // As a commit that was killed leaves it.
        string link = Directory.GetDirectories(RunRoot + "/containers")[0] + "/paused";
        File.Delete(link);
        File.CreateSymbolicLink(link, "1:1");
        Assert.StartsWith("Resumed: ", Run("system", "recover").Succeeded().Output, StringComparison.Ordinal);
        Assert.Equal("running", Inspect("c", "{{.State.Status}}"));
    }

    private Result RunOf(string image, params string[] command) => Run(["run", "--rm", "--cgroup-parent", "/conman-test", image, .. command]).Succeeded();

    private Result RunWith(string[] options, params string[] command) => Run(["run", "--rm", "--cgroup-parent", "/conman-test", .. options, Image, .. command]);
}
