// checkpoint and restore with a real CRIU: what counted goes on counting, what was a pipe is one again, and what is left is nothing.
using System.Text.Json.Nodes;

namespace Conman.Integration.Tests;

public class CheckpointTests : ContainerTest
{
    private static readonly Lazy<string?> Reason = new(WhyNot);
    private readonly string _image;

    public CheckpointTests()
        : base(Reason.Value)
    {
        _image = Bundle.Folder + "/image";
        // Nothing in it needs iptables on this host.
        Bundle.WithoutNamespace("network").WithoutMount("/sys").WithoutMount("/sys/fs/cgroup").Writable();
    }

    private static string CriuFolder => Runtime.RepositoryRoot() + "/tests/Integration/criu";

    private static Options Pipe => new() { OutputPipe = true, InputPipe = true, Environment = { ["PATH"] = $"{CriuFolder}:/usr/sbin:/usr/bin:/sbin:/bin" } };

    internal static Options Plain => Pipe with { OutputPipe = false, InputPipe = false };

    /// <summary>Why there is no CRIU that works here; null: there is one.</summary>
    internal static string? WhyNotHere => Reason.Value;

    private static string? WhyNot()
    {
        using System.Diagnostics.Process check = System.Diagnostics.Process.Start(
            new System.Diagnostics.ProcessStartInfo(CriuFolder + "/criu", "check") { RedirectStandardError = true, RedirectStandardOutput = true })!;
        string error = check.StandardError.ReadToEnd();
        check.WaitForExit();
        return check.ExitCode == 0 ? null : "criu does not work here: " + error.Trim().Split('\n')[^1];
    }

    /// <summary>A shell that counts in a file of its root, since its own output ends with the runtime that reads it.</summary>
    private int StartCounting()
    {
        Bundle.Shell("exec </dev/null 2>&1; i=0; while :; do i=$((i + 1)); echo $i >/tmp/count; sleep 0.02; done");
        Result run = Runtime.Start(Pipe, "run", "--detach", "--bundle", Bundle.Save().Folder, Bundle.Id);
        run.Input.Close();
        run.ExitedWith(0);
        Wait.Until(() => Count() > 3, "the container to count");
        return Runtime.Pid(Bundle.Id);
    }

    private int Count() => int.TryParse(Bundle.Read("rootfs/tmp/count"), out int count) ? count : 0;

    private Result Checkpoint(params string[] options) =>
        Runtime.Run(Plain, ["checkpoint", "--image-path", _image, "--work-path", Bundle.Folder + "/work", "--file-locks", .. options, Bundle.Id]);

    private Result Restore(params string[] options) => Runtime.Run(
        Pipe with { InputPipe = false }, ["restore", "--detach", "--image-path", _image, "--work-path", Bundle.Folder + "/work", "--bundle", Bundle.Folder, .. options, Bundle.Id]);

    [SkippableFact]
    public void A_container_goes_on_where_it_was()
    {
        int before = StartCounting();
        Checkpoint().Succeeded();
        Wait.ForExit(before);
        Runtime.Run("state", Bundle.Id).FailedWith("does not exist");
        AssertNothingLeft();
        JsonArray streams = JsonNode.Parse(Bundle.Read("image/descriptors.json"))!.AsArray();
        Assert.Equal(3, streams.Count);
        Assert.StartsWith("pipe:[", (string?)streams[1]);

        int counted = Count();
        string pidFile = Bundle.Folder + "/pid";
        Restore("--pid-file", pidFile).Succeeded();
        Assert.Equal("running", Runtime.Status(Bundle.Id));
        Assert.Equal(Runtime.Pid(Bundle.Id).ToString(), File.ReadAllText(pidFile));
        Wait.Until(() => Count() > counted, "the container to count on");
        Assert.True(Count() < counted + 10000);

        Runtime.Run("exec", Bundle.Id, "hostname").Printed("runc");
        Assert.Contains(Runtime.Pid(Bundle.Id).ToString(), File.ReadAllLines(Bundle.Cgroup + "/cgroup.procs"));
        Runtime.Run("kill", Bundle.Id, "KILL").Succeeded();
        Runtime.WaitForStatus(Bundle.Id, "stopped");
        Runtime.Run("delete", Bundle.Id).Succeeded();
        AssertNothingLeft();
    }

    [SkippableFact]
    public void A_container_left_running_runs_on()
    {
        int pid = StartCounting();
        Checkpoint("--leave-running").Succeeded();
        int counted = Count();
        Wait.Until(() => Count() > counted, "the container to count on");
        Assert.Equal(pid, Runtime.Pid(Bundle.Id));
    }

    [SkippableTheory]
    [InlineData("kept")]
    [InlineData("empty")]
    [InlineData("external")]
    public void A_network_namespace_is_there_again(string how)
    {
        Skip.IfNot(File.Exists("/usr/sbin/iptables") || File.Exists("/usr/sbin/nft"), "CRIU needs iptables or nft to keep packets away");
        string outside = Bundle.File("netns");
        if (how == "external")
            Runtime.StartProgram("unshare", new Options(), "--net=" + outside, "true").Succeeded();
        try
        {
            Bundle.Namespace("network", how == "external" ? outside : null);
            string[] options = how == "empty" ? ["--empty-ns", "network"] : [];
            int before = StartCounting();
            string link = new FileInfo($"/proc/{before}/ns/net").LinkTarget!;
            Checkpoint(options).Succeeded();
            Restore(options).Succeeded();
            string now = new FileInfo($"/proc/{Runtime.Pid(Bundle.Id)}/ns/net").LinkTarget!;
            Assert.NotEqual(new FileInfo("/proc/self/ns/net").LinkTarget, now);
            if (how == "external")
                Assert.Equal(link, now);
            Runtime.Run("delete", "--force", Bundle.Id).Succeeded();
        }
        finally
        {
            if (how == "external")
                _ = Libc.umount2(outside, Libc.MNT_DETACH);
        }
    }

    [SkippableFact]
    public void Hooks_make_the_network_of_a_restored_container_and_hear_of_its_end()
    {
        string notes = Bundle.File("notes");
        foreach (string kind in (string[])["prestart", "createRuntime", "createContainer", "poststart", "poststop"])
        {
            Bundle.Add("hooks/" + kind, new JsonObject
            {
                ["path"] = "/bin/sh", ["args"] = Tests.Bundle.Strings("sh", "-c", $"PATH=/bin:/usr/bin; echo {kind} $(tr -dc a-z, | grep -o 'status[a-z]*,') >>{notes}"),
            });
        }
        StartCounting();
        File.WriteAllText(notes, "");
        Checkpoint().Succeeded();
        Restore().Succeeded();
        Runtime.Run("delete", "--force", Bundle.Id).Succeeded();
        Assert.Equal(["poststop", "prestart", "createRuntime", "poststart", "poststop"], File.ReadAllLines(notes).Select(line => line.Split(' ')[0]));
    }

    [SkippableFact]
    public void A_terminal_is_there_again_with_a_new_master()
    {
        // Both sides through the terminal: what is typed before is in a variable, what is typed after comes back with it.
        Bundle.Set("process/terminal", true).Shell("read one; echo got $one; read two; echo $one $two; sleep 1000");
        using var console = new ConsoleSocket(Bundle.Folder + "/console");
        Runtime.Run("run", "--detach", "--console-socket", console.Path, "--bundle", Bundle.Save().Folder, Bundle.Id).Succeeded();
        using (Terminal terminal = console.Receive())
        {
            terminal.Write("first\n");
            terminal.ReadUntil("got first");
            Checkpoint().Succeeded();
        }
        Runtime.Run(Plain, "restore", "--detach", "--console-socket", console.Path, "--image-path", _image, "--bundle", Bundle.Folder, Bundle.Id).Succeeded();
        using Terminal again = console.Receive();
        again.Write("second\n");
        again.ReadUntil("first second");
    }

    /// <summary>Both ends of it are in the container: CRIU keeps its packets away meanwhile.</summary>
    [SkippableFact]
    public void An_open_connection_is_kept_if_asked_for()
    {
        Skip.IfNot(File.Exists("/usr/sbin/iptables") || File.Exists("/usr/sbin/nft"), "CRIU needs iptables or nft to keep packets away");
        Bundle.Namespace("network").Shell("""
            exec </dev/null 2>&1
            busybox nc -l -p 7777 -e busybox cat &
            sleep 1
            { i=0; while :; do i=$((i + 1)); echo $i; sleep 0.02; done; } | busybox nc 127.0.0.1 7777 | while read n; do echo $n >/tmp/count; done
            """);
        Result run = Runtime.Start(Pipe, "run", "--detach", "--bundle", Bundle.Save().Folder, Bundle.Id);
        run.Input.Close();
        run.ExitedWith(0);
        Wait.Until(() => Count() > 3, "the connection to echo");
        Checkpoint().FailedWith("criu failed: type DUMP errno ");
        Assert.Equal("running", Runtime.Status(Bundle.Id));
        Checkpoint("--tcp-established").Succeeded();
        int counted = Count();
        Restore("--tcp-established").Succeeded();
        Wait.Until(() => Count() > counted, "the connection to echo on");
        Runtime.Run("delete", "--force", Bundle.Id).Succeeded();
    }

    [SkippableFact]
    public void Memory_goes_to_a_page_server()
    {
        StartCounting();
        Directory.CreateDirectory(_image);
        Result server = Criu("page-server", "--images-dir", _image, "--address", "127.0.0.1", "--port", "27601");
        Wait.Until(() => Listens(27601), "the page server to listen");
        Checkpoint("--page-server", "127.0.0.1:27601").Succeeded();
        server.Wait();
        Assert.NotEmpty(Directory.GetFiles(_image, "pages-*.img"));
        int counted = Count();
        Restore().Succeeded();
        Wait.Until(() => Count() > counted, "the container to count on");
    }

    [SkippableFact]
    public void An_image_of_memory_alone_is_the_parent_of_the_next()
    {
        StartCounting();
        Result first = Runtime.Run(Plain, "checkpoint", "--pre-dump", "--image-path", Bundle.Folder + "/before", "--work-path", Bundle.Folder + "/work", Bundle.Id);
        Skip.If(first.Error.Contains("Tracking memory is not available", StringComparison.Ordinal), "this kernel does not track memory (CONFIG_MEM_SOFT_DIRTY)");
        first.Succeeded();
        Checkpoint("--parent-path", "../before").Succeeded();
        Assert.Equal("../before", new DirectoryInfo(_image + "/parent").LinkTarget);
        int counted = Count();
        Restore().Succeeded();
        Wait.Until(() => Count() > counted, "the container to count on");
    }

    [SkippableTheory]
    [InlineData("soft")]
    [InlineData("full")]
    [InlineData("ignore")]
    public void The_container_is_in_its_cgroup_whatever_CRIU_does_about_cgroups(string mode)
    {
        StartCounting();
        Checkpoint("--manage-cgroups-mode", mode).Succeeded();
        Restore("--manage-cgroups-mode", mode).Succeeded();
        Assert.Contains(Runtime.Pid(Bundle.Id).ToString(), File.ReadAllLines(Bundle.Cgroup + "/cgroup.procs"));
    }

    private Result Criu(params string[] words) => Runtime.StartProgram(CriuFolder + "/criu", new Options(), words);

    private static bool Listens(int port) => File.ReadLines("/proc/net/tcp").Any(line => line.Contains($":{port:X4} 00000000:0000 0A", StringComparison.Ordinal));

    [SkippableFact]
    public void A_bind_mount_and_a_masked_file_are_there_again()
    {
        string outside = Bundle.Subfolder("outside");
        File.WriteAllText(outside + "/note", "from outside");
        Bundle.Bind(outside, "/bound");
        StartCounting();
        Checkpoint().Succeeded();
        Restore().Succeeded();
        Runtime.Run("exec", Bundle.Id, "sh", "-c", "cat /bound/note; wc -c </proc/keys").Printed("from outside0");
    }

    [SkippableFact]
    public void Restored_in_the_foreground_it_ends_with_the_containers_exit_code()
    {
        Bundle.Shell("exec </dev/null 2>&1; i=0; until [ -e /tmp/go ]; do i=$((i + 1)); echo $i >/tmp/count; sleep 0.02; done; exit 7");
        Result run = Runtime.Start(Pipe, "run", "--detach", "--bundle", Bundle.Save().Folder, Bundle.Id);
        run.Input.Close();
        run.ExitedWith(0);
        Wait.Until(() => Count() > 3, "the container to count");
        Checkpoint().Succeeded();
        Bundle.File("rootfs/tmp/go");
        Runtime.Run(Pipe with { InputPipe = false }, "restore", "--image-path", _image, "--bundle", Bundle.Folder, Bundle.Id).ExitedWith(7);
        AssertNothingLeft();
    }

    [SkippableFact]
    public void A_restore_that_fails_says_why_and_leaves_nothing()
    {
        Bundle.Args("true").Save();
        Directory.CreateDirectory(_image);
        File.WriteAllText(_image + "/descriptors.json", "[\"/dev/null\",\"/dev/null\",\"/dev/null\"]");
        Restore().FailedWith("criu failed: type RESTORE errno ").FailedWith("Error (criu/"); // what CRIU's own log says of it
        Runtime.Run(Plain, "restore", "--image-path", Bundle.Folder + "/none", "--bundle", Bundle.Folder, Bundle.Id).FailedWith("cannot open image");
        AssertNothingLeft();
    }

    [SkippableFact]
    public void Only_a_container_that_runs_is_saved()
    {
        Runtime.Create(Bundle.Args("sleep", "1000")).Succeeded();
        Checkpoint().FailedWith("Container cannot be checkpointed in created state");
        Runtime.Run("checkpoint", "--help").Succeeded(); // podman's question whether this runtime can
    }

    [SkippableFact]
    public void Without_criu_the_error_names_it()
    {
        StartIdle(Bundle);
        Runtime.Run(Plain with { Environment = new() { ["PATH"] = "/nowhere" } }, "checkpoint", "--image-path", _image, Bundle.Id)
            .FailedWith("exec: \"criu\": executable file not found in $PATH");
        Assert.Equal("running", Runtime.Status(Bundle.Id));
    }
}
