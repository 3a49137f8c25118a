// cp: Docker's rules of what a path's last letters mean, in both directions, into containers that run, have ended or never began; and nothing that a
// container does with its files meanwhile leads out of it.
namespace Conman.Integration.Tests.Manager;

public class CopyTests : ManagerTest
{
    public enum State
    {
        Created,
        Running,
        Ended,
    }

    private string Here => Bundle.Folder + "/here";

    // Source, destination, and the file that comes to be, or a part of what is said. T is a folder of each rule's own.
    private static readonly (string From, string To, string Found)[] Rules =
    [
        ("file", "T/new", "T/new"),
        ("file", "T/new/", "!destination directory must exist"),
        ("file", "/nosuch/new", "!no such file or directory"),
        ("file", "T", "T/file"),
        ("file", "T/", "T/file"),
        ("file", "T/old", "T/old"),
        ("file", "T/old/", "!it is not a directory"),
        ("file/", "T", "!it is not a directory"),
        ("tree", "T", "T/tree/in/file"),
        ("tree/", "T", "T/tree/in/file"),
        ("tree/.", "T", "T/in/file"),
        ("tree", "T/new", "T/new/in/file"),
        ("tree/.", "T/new", "T/new/in/file"),
        ("tree", "T/new/", "T/new/in/file"),
        ("tree", "/nosuch/new", "!no such file or directory"),
        ("tree", "T/old", "!which is a file"),
        ("nosuch", "T", "!no such file or directory"),
        ("file", "relative", "/relative"),
        ("file", "/../..T/new", "T/new"),
        ("file", "T/to-here", "T/file"),
        ("file", "T/to-old", "T/old"),
        ("file", "T/to-nothing", "T/nothing"),
    ];

    [SkippableTheory]
    [InlineData(State.Created)]
    [InlineData(State.Running)]
    [InlineData(State.Ended)]
    public void Into_a_container_by_Dockers_rules(State state)
    {
        Prepare();
        Make(state);
        Shell($"for i in $(seq 0 {Rules.Length - 1}); do mkdir -p t/t$i; echo old > t/t$i/old; ln -s ../t$i t/t$i/to-here; ln -s /t$i/old t/t$i/to-old; ln -s /t$i/nothing t/t$i/to-nothing; done; tar -C t -c . | {Words("cp", "-", "c:/")}").Succeeded();
        for (int i = 0; i < Rules.Length; i++)
        {
            (string from, string to, string found) = Rules[i];
            Result copy = Run("cp", $"{Here}/{from}", "c:" + to.Replace("T", $"/t{i}", StringComparison.Ordinal));
            if (found[0] == '!')
            {
                copy.ExitedWith(1).FailedWith(found[1..]);
                continue;
            }
            copy.Succeeded();
            Assert.Equal("content\n", Read(found.Replace("T", $"/t{i}", StringComparison.Ordinal)));
        }
    }

    [SkippableTheory]
    [InlineData(State.Running)]
    [InlineData(State.Ended)]
    public void Out_of_a_container_by_Dockers_rules(State state)
    {
        Prepare();
        Make(state, "mkdir -p /w/in; echo inside > /w/in/f; ln -s in/f /w/link; ln -s /etc/passwd /w/absolute");
        Directory.CreateDirectory(Here + "/there");
        Run("cp", "c:/w", Here + "/there").Succeeded();
        Run("cp", "c:/w/.", Here + "/content").Succeeded();
        Run("cp", "c:w/in/f", Here + "/there/w/in/").Succeeded();
        Run("cp", "c:/w/in", Here + "/file").ExitedWith(1).FailedWith("which is a file");
        Run("cp", "c:/w/link", Here + "/link").Succeeded();
        Run("cp", "--follow-link", "c:/w/link", Here + "/followed").Succeeded();
        Assert.Equal(["inside\n", "inside\n", "inside\n"], ((string[])["there/w/in/f", "content/in/f", "followed"]).Select(p => File.ReadAllText($"{Here}/{p}")));
        Assert.Equal("in/f", new FileInfo(Here + "/link").LinkTarget);
        // The link's target is the container's, not the host's.
        Run("cp", "-L", "c:/w/absolute", Here + "/passwd").Succeeded();
        Assert.Equal(Read("/etc/passwd"), File.ReadAllText(Here + "/passwd"));
        Run("cp", "c:/nosuch", Here).ExitedWith(1).FailedWith("no such file or directory");
        Run("cp", "nosuch:/etc", Here).ExitedWith(1).FailedWith("no such container");
        Run("cp", Here, Here).ExitedWith(125).FailedWith("needs a container at one end");
        Run("cp", "c:/w/link", "/dev/null").ExitedWith(1).FailedWith("neither a directory nor a regular file");
    }

    [SkippableTheory]
    [InlineData(State.Running)]
    [InlineData(State.Ended)]
    public void An_archive_at_either_end(State state)
    {
        Prepare();
        Make(state, "mkdir /w; echo inside > /w/.wh.name; ln /w/.wh.name /w/other");
        Shell($"{Words("cp", "c:/w", "-")} > out.tar; tar -tf out.tar; tar -xOf out.tar w/.wh.name").Printed("w/", "w/.wh.name", "w/other", "inside");
        Shell($"{Words("cp", "c:/w/other", "-")} | tar -t").Printed("other");
        Shell($"{Words("cp", "c:/w/.", "-")} | tar -t").Printed("./", ".wh.name", "other");
        // Owners and times of an archive are those of its files.
        Shell($"tar -C tree --owner 1000 --group 100 --mtime @7 -c in | gzip | {Words("cp", "-", "c:/tmp")}").Succeeded();
        Assert.Equal("content\n", Read("/tmp/in/file"));
        Assert.Equal("1000:100 7", Stat("/tmp/in/file", "%u:%g %Y"));
        Shell($"tar -c file | {Words("cp", "-", "c:/nosuch")}").ExitedWith(1).FailedWith("no such file or directory");
        Shell($"tar -c file | {Words("cp", "-", "c:/etc/passwd")}").ExitedWith(1).FailedWith("it is not a directory");
        Shell($"tar -c file | {Words("cp", "--overwrite", "-", "c:/tmp")}").Succeeded();
        Shell($"mkdir -p a/file; tar -C a -c file | {Words("cp", "-", "c:/tmp")}").ExitedWith(1).FailedWith("which is no directory");
        Shell($"mkdir -p a/file; tar -C a -c file | {Words("cp", "--overwrite", "-", "c:/tmp")}; tar -c file | {Words("cp", "-", "c:/tmp")}").ExitedWith(1).FailedWith("cannot overwrite the directory file");
    }

    [SkippableTheory]
    [InlineData(State.Running)]
    [InlineData(State.Ended)]
    public void Owners_are_kept_only_when_asked_for_and_what_would_give_rights_with_them(State state)
    {
        Prepare();
        Make(state, "mkdir /w; echo x > /w/f; chmod 4755 /w/f; touch -d @9 /w/f");
        Shell("cp file owned; chown 1000:100 owned; chmod 6755 owned").Succeeded();
        Run("cp", Here + "/owned", "c:/tmp/plain").Succeeded();
        Run("cp", "-a", Here + "/owned", "c:/tmp/kept").Succeeded();
        Assert.Equal("0:0 755", Stat("/tmp/plain", "%u:%g %a"));
        Assert.Equal("1000:100 6755", Stat("/tmp/kept", "%u:%g %a"));
        Run("cp", "c:/w/f", Here + "/plain").Succeeded();
        Run("cp", "--archive", "c:/w/f", Here + "/kept").Succeeded();
        Shell("stat -c '%a %Y' plain kept").Printed("755 9", "4755 9");
    }

    [SkippableTheory]
    [InlineData(State.Created)]
    [InlineData(State.Running)]
    [InlineData(State.Ended)]
    public void Volumes_and_binds_are_where_the_container_has_them(State state)
    {
        Prepare();
        Directory.CreateDirectory(Here + "/bound");
        Make(state, "true", "--volume", "named:/vol/deep", "--volume", Here + "/bound:/bound", "--volume", Here + "/tree:/ro:ro", "--volume", Here + "/file:/one");
        Run("cp", Here + "/file", "c:/vol/deep/in-volume").Succeeded();
        Run("cp", Here + "/file", "c:/bound/in-bind").Succeeded();
        Run("cp", Here + "/file", "c:/ro/x").ExitedWith(1).FailedWith("read-only file system");
        Run("cp", "c:/ro/in/file", Here + "/out").Succeeded();
        // What a file is mounted on stays mounted: it is written to.
        Shell($"mkdir -p a; echo archived > a/one; tar -C a -c one | {Words("cp", "-", "c:/")}").Succeeded();
        Assert.Equal("archived\n", File.ReadAllText(Here + "/file"));
        File.WriteAllText(Here + "/other", "other\n");
        Run("cp", Here + "/other", "c:/one").Succeeded();
        Assert.Equal(["content\n", "content\n", "content\n", "other\n"],
            ((string[])[Root + "/volumes/named/_data/in-volume", Here + "/bound/in-bind", Here + "/out", Here + "/file"]).Select(File.ReadAllText));
        Assert.DoesNotContain(Here, File.ReadAllText("/proc/self/mountinfo"), StringComparison.Ordinal);
    }

    [SkippableFact]
    public void A_read_only_root_is_read_only_for_cp_too()
    {
        Prepare();
        foreach (State state in (State[])[State.Created, State.Running])
        {
            Make(state, "true", "--read-only", "--name", "ro" + state);
            Run("cp", Here + "/file", $"ro{state}:/tmp").ExitedWith(1).FailedWith("read-only file system");
            Run("cp", $"ro{state}:/etc/passwd", Here + "/out").Succeeded();
        }
    }

    [SkippableFact]
    public void What_is_copied_into_a_new_container_is_there_when_it_starts_even_if_it_is_removed_at_its_end()
    {
        Prepare();
        Run("create", "--rm", "--name", "brief", "--cgroup-parent", "/conman-test", Image, "cat", "/tmp/file").Succeeded();
        Run("stop", "brief").Succeeded();
        Run("cp", Here + "/file", "brief:/tmp").Succeeded();
        Assert.Equal("content\n", Run("start", "--attach", "brief").Succeeded().Output);
        AssertNoContainers();
    }

    [SkippableFact]
    public void From_one_container_to_another_and_within_one()
    {
        Prepare();
        Make(State.Running, "echo one > /tmp/one");
        Make(State.Ended, "true", "--name", "other");
        Run("cp", "c:/tmp/one", "other:/var/two").Succeeded();
        Run("cp", "other:/var/two", "other:/var/three").Succeeded();
        Run("cp", "other:/var/three", "c:/tmp").Succeeded();
        Assert.Equal("one\n", Read("/tmp/three"));
        Run("cp", "c:/tmp", "c:/tmp/below").ExitedWith(1).FailedWith("into itself");
        AssertNoMounts();
    }

    [SkippableFact]
    public void A_fifo_is_not_opened_and_a_device_is_not_handed_out()
    {
        Prepare();
        Make(State.Running, "mkdir /w; mknod /w/fifo p; mknod /w/zero c 1 5; echo x > /w/f", "--cap-add", "MKNOD");
        Shell($"{Words("cp", "c:/w", "-")} | tar -t").Printed("w/", "w/f", "w/fifo", "w/zero");
        Run("cp", "c:/w/fifo", Here + "/fifo").Succeeded();
        Run("cp", "c:/w", Here + "/w").ExitedWith(1).FailedWith("cannot copy the device c:/w/zero without its owner");
        Run("cp", "-a", "c:/w", Here + "/all").Succeeded();
        Shell("stat -c %F all/zero fifo").Printed("character special file", "fifo");
    }

    // The container turns a directory into a link to a path of the host, and back, all the time.
    [SkippableTheory]
    [InlineData("in")]
    [InlineData("archive")]
    [InlineData("out")]
    public void CVE_2018_15664_a_link_that_comes_and_goes_never_leads_to_the_host(string direction)
    {
        Prepare();
        string victim = Bundle.Folder + "/victim";
        Directory.CreateDirectory(victim);
        File.WriteAllText(victim + "/secret", "of the host\n");
        Make(State.Running, $"mkdir -p /w/dir/sub; echo inside > /w/dir/secret; ln -s {victim} /w/link");
        string inside = $"/proc/{Inspect("c", "{{.State.Pid}}")}/root/w";
        using var stop = new CancellationTokenSource();
        Task flip = Task.Run(() =>
        {
            while (!stop.IsCancellationRequested)
                Libc.Check(Libc.renameat2(-100, inside + "/dir", -100, inside + "/link", 2 /* RENAME_EXCHANGE */), "exchange");
        });
        try
        {
            for (int i = 0; i < 60; i++)
            {
                switch (direction)
                {
                    case "in":
                        Run("cp", Here + "/file", "c:/w/dir/made");
                        Run("cp", Here + "/tree", "c:/w/dir");
                        break;
                    case "archive":
                        Shell($"tar -c file tree | {Words("cp", "-", "c:/w/dir")}");
                        Shell($"tar -c --transform 's,^,w/dir/,' file tree | {Words("cp", "-", "c:/")}");
                        break;
                    default:
                        Run("cp", "c:/w/dir/secret", Here + "/got");
                        Run("cp", "-L", "c:/w", Here + $"/w{i}");
                        Shell($"{Words("cp", "c:/w/dir/.", "-")} | tar -xO --wildcards '*secret' >> got");
                        break;
                }
            }
        }
        finally
        {
            stop.Cancel();
            flip.Wait();
        }
        Assert.Equal(["secret"], Directory.GetFileSystemEntries(victim).Select(Path.GetFileName));
        Assert.Equal("of the host\n", File.ReadAllText(victim + "/secret"));
        Shell("grep -rs 'of the host' got w* || true").Printed("");
    }

    // What an archive makes is changed by its own name: the container puts a link in its place.
    [SkippableFact]
    public void CVE_2018_15664_the_mode_of_a_fifo_is_not_that_of_a_file_of_the_host()
    {
        Prepare();
        string victim = Bundle.Folder + "/victim";
        File.WriteAllText(victim, "x");
        File.SetUnixFileMode(victim, UnixFileMode.UserRead);
        Make(State.Running, $"mkdir /w; while :; do ln -sf {victim} /w/l; mv -f /w/l /w/fifo; done & true");
        Shell("mkdir -p d; mknod d/fifo p; chmod 666 d/fifo; tar -C d -cf fifo.tar fifo").Succeeded();
        for (int i = 0; i < 100; i++)
            Shell($"{Words("cp", "-", "c:/w")} < fifo.tar");
        Assert.Equal(UnixFileMode.UserRead, File.GetUnixFileMode(victim));
    }

    [SkippableFact]
    public void How_much_it_was_is_told_only_to_a_person()
    {
        Prepare();
        Make(State.Created);
        Assert.Equal("", Run("cp", Here + "/file", "c:/tmp").Succeeded().Error);
        string[] events = File.ReadAllLines(RunRoot + "/events");
        Assert.Contains(events, e => e.Contains("\"extract-to-dir\"", StringComparison.Ordinal));
    }

    private void Prepare() => Shell("mkdir -p here/tree/in; cd here; echo content > file; echo content > tree/in/file", Bundle.Folder).Succeeded();

    private void Make(State state, string script = "true", params string[] options)
    {
        string[] words = [.. options.Contains("--name") ? [] : (string[])["--name", "c"], "--cgroup-parent", "/conman-test", .. options, Image];
        string name = words[Array.LastIndexOf(words, "--name") + 1];
        bool writes = !options.Contains("--read-only");
        if (state == State.Running)
        {
            Run(["run", "--detach", .. words, "sh", "-c", $"{script}; {(writes ? "touch /tmp/done; " : "")}exec sleep 1000"]).Succeeded();
            if (writes)
                Wait.Until(() => Run("exec", name, "ls", "/tmp/done").ExitCode == 0, "the container's files");
            return;
        }
        if (state == State.Created)
        {
            Run(["create", .. words]).Succeeded();
            return;
        }
        Run(["run", .. words, "sh", "-c", script]).Succeeded();
    }

    private string Read(string path) => Shell($"{Words("cp", "-L", "c:" + path, "-")} | tar -xO").Succeeded().Output;

    private string Stat(string path, string format)
    {
        Shell($"rm -rf look; mkdir look; {Words("cp", "c:" + path, "-")} | tar -C look -xp --same-owner").Succeeded();
        return Shell($"stat -c '{format}' look/*").Succeeded().Output.TrimEnd('\n');
    }

    private string Words(params string[] words) => string.Join(' ', ((string[])[Conman, "--root", Root, "--runroot", RunRoot, .. words]).Select(w => $"'{w}'"));

    private Result Shell(string script, string? folder = null) => Runtime.StartProgram("/bin/bash", new Options { WorkingFolder = folder ?? Here, Network = Network }, "-o", "pipefail", "-c", script).Wait();

    private void AssertNoMounts() => Assert.DoesNotContain(Root, File.ReadAllText("/proc/self/mountinfo"), StringComparison.Ordinal);
}
