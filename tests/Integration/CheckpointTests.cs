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
        Restore().FailedWith("criu failed: type RESTORE errno ");
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
