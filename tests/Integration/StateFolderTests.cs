// The folder of state in bad hands: written by nobody we know, kept over a reboot, damaged, full, and used by many commands at once.
using System.Diagnostics;
using System.Text;
using System.Text.Json.Nodes;

namespace Conman.Integration.Tests;

public class StateFolderTests : ContainerTest
{
    private string Record => $"{Runtime.Root}/{Bundle.Id}/state.json";

    private void Rewrite(Action<JsonObject> change)
    {
        var record = (JsonObject)JsonNode.Parse(File.ReadAllText(Record))!;
        change(record);
        File.WriteAllText(Record, record.ToJsonString());
    }

    /// <summary>After a reboot another process may have the container's pid, and even have been started as long after the boot.</summary>
    [SkippableFact]
    public void A_folder_of_state_that_is_named_but_not_there_is_not_listed() =>
        Runtime.StartBare(new Options(), "--root", Bundle.Folder + "/nowhere", "list").FailedWith("nowhere: no such file or directory");

    [SkippableFact]
    public void E4_after_a_reboot_a_container_is_stopped_and_the_new_owner_of_its_pid_is_left_alone()
    {
        Skip.If(Runtime.IsRunc, "runc knows a process by its pid and start time only");
        int pid = StartIdle(Bundle);
        using Process innocent = Process.Start("sleep", "1000")!;
        try
        {
            string[] stat = File.ReadAllText($"/proc/{innocent.Id}/stat").Split(' ');
            Rewrite(record =>
            {
                record["pid"] = innocent.Id;
                record["startTime"] = ulong.Parse(stat[21]);
                record["boot"] = "00000000-0000-4000-8000-000000000000";
            });
            Assert.Equal("stopped", Runtime.Status(Bundle.Id));
            Runtime.Run("kill", Bundle.Id, "KILL").FailedWith("container not running");
            Runtime.Run("exec", Bundle.Id, "true").FailedWith("cannot exec in a stopped container");
            Runtime.Run("delete", Bundle.Id).Succeeded();
            Assert.False(innocent.HasExited);
        }
        finally
        {
            innocent.Kill();
            _ = Libc.kill(pid, Libc.SIGKILL);
        }
        AssertNothingLeft();
    }

    /// <summary>And another container may be in a cgroup of that name.</summary>
    [SkippableFact]
    public void E4_after_a_reboot_the_new_owner_of_its_cgroup_is_left_alone()
    {
        Skip.If(Runtime.IsRunc, "runc knows a process by its pid and start time only");
        Runtime.CreateAndStart(Bundle.Args("true"));
        Runtime.WaitForStatus(Bundle.Id, "stopped");
        Rewrite(record => record["boot"] = "00000000-0000-4000-8000-000000000000");
        using Process stranger = Process.Start("sleep", "1000")!;
        Directory.CreateDirectory(Bundle.Cgroup);
        try
        {
            // The cgroup of another boot bore no mark of this container's.
            _ = Libc.removexattr(Bundle.Cgroup, "user.conman.owner");
            File.WriteAllText(Bundle.Cgroup + "/cgroup.procs", stranger.Id.ToString());
            Runtime.Run("delete", "--force", Bundle.Id).Succeeded();
            Assert.False(stranger.HasExited);
        }
        finally
        {
            stranger.Kill();
            stranger.WaitForExit();
            Wait.Until(() => File.ReadAllText(Bundle.Cgroup + "/cgroup.events").Contains("populated 0"), "the cgroup to be empty");
            Directory.Delete(Bundle.Cgroup);
        }
        AssertNothingLeft();
    }

    [SkippableFact]
    public void E4_a_folder_that_outlasts_a_boot_says_of_which_one_it_is()
    {
        Skip.If(Runtime.IsRunc, "runc knows a process by its pid and start time only");
        string root = Bundle.Subfolder("root"); // on whatever /tmp is
        Runtime.StartBare(new Options(), "--root", root, "create", "--bundle", Bundle.Args("true").Save().Folder, Bundle.Id).Succeeded();
        string? boot = (string?)JsonNode.Parse(File.ReadAllText($"{root}/{Bundle.Id}/state.json"))!["boot"];
        bool tmpfs = Runtime.StartProgram("stat", new Options(), "-f", "-c", "%T", root).Succeeded().Output.Trim() == "tmpfs";
        Runtime.StartBare(new Options(), "--root", root, "delete", "--force", Bundle.Id).Succeeded();
        Assert.Equal(tmpfs ? null : File.ReadAllText("/proc/sys/kernel/random/boot_id").Trim(), boot);
        AssertNothingLeft();
    }

    [SkippableTheory]
    [InlineData("--root", 12345, 0x1c0, "it belongs to user 12345")]
    [InlineData("--root", 0, 0x1ff, "others may write to it (mode 0777)")]
    [InlineData("ID", 12345, 0x1c0, "it belongs to user 12345")]
    [InlineData("ID", 0, 0x1ff, "others may write to it (mode 0777)")]
    public void E8_CVE_2024_25621_a_folder_in_which_somebody_else_has_a_hand_is_refused(string which, int owner, int mode, string why)
    {
        Skip.If(Runtime.IsRunc, "runc trusts it");
        string folder = which == "ID" ? $"{Runtime.Root}/{Bundle.Id}" : Runtime.Root;
        Directory.CreateDirectory(folder);
        Libc.Check(Libc.lchown(folder, (uint)owner, 0), "give the folder away");
        File.SetUnixFileMode(folder, (UnixFileMode)mode);
        if (which == "ID")
            Runtime.Run("state", Bundle.Id).FailedWith(why);
        else
            Runtime.Create(Bundle.Args("true")).FailedWith(why);
        Libc.Check(Libc.lchown(folder, 0, 0), "take the folder back");
        File.SetUnixFileMode(folder, (UnixFileMode)0x1c0);
        if (which == "ID")
            Directory.Delete(folder);
        AssertNothingLeft();
    }

    [SkippableTheory]
    [InlineData("ro")]
    [InlineData("nr_inodes=1")]
    [InlineData("nr_inodes=2")]
    [InlineData("nr_inodes=3")]
    [InlineData("nr_inodes=4")]
    [InlineData("nr_inodes=5")]
    [InlineData("size=4k")]
    public void E8_a_folder_that_takes_nothing_more_is_an_error_and_leaves_nothing(string options)
    {
        Skip.If(Runtime.IsRunc, "runc leaves its cgroup behind");
        Runtime.Through = ["unshare", "--mount", "--propagation", "private", "sh", "-c",
            $"mount -t tmpfs -o mode=700,{options} none {Bundle.Subfolder("full")} && exec \"$@\"", "sh"];
        // Large enough to need more than a page for its copy.
        Bundle.Set("annotations", new JsonObject { ["filler"] = new string('x', 8000) }).Args("true").Save();
        Result create = Runtime.StartBare(new Options(), "--root", Bundle.Folder + "/full", "create", "--bundle", Bundle.Folder, Bundle.Id).Wait();
        Assert.Equal(1, create.ExitCode);
        Assert.Matches("^time=[^\n]+ level=error msg=\"cannot [^\n]+\"\n$", create.Error);
        Runtime.Through = [];
        AssertNothingLeft();
    }

    private static readonly string[][] Readers =
        [["state"], ["list"], ["ps"], ["kill"], ["pause"], ["exec", "true"], ["start"], ["update", "--pids-limit", "5"], ["delete"]];

    /// <summary>Whatever the files say: one line and an exit code, never a crash, and `delete --force` removes all of it.</summary>
    [SkippableTheory]
    [InlineData("state.json", "")]
    [InlineData("state.json", "\0\0\0\0\0\0\0\0\0\0\0\0")]
    [InlineData("state.json", "{")]
    [InlineData("state.json", "{}")]
    [InlineData("state.json", "[]")]
    [InlineData("state.json", "null")]
    [InlineData("state.json", "{\"id\":\"x\",\"pid\":1,\"startTime\":0,\"boot\":null}")]
    [InlineData("state.json", "{\"version\":99,\"newMember\":{\"a\":[1,2]},\"pid\":-5}")]
    [InlineData("config.json", "")]
    [InlineData("config.json", "\0\0\0\0")]
    [InlineData("config.json", "{}")]
    [InlineData("config.json", "{\"ociVersion\":\"9.0\",\"process\":null}")]
    public void E9_a_damaged_file_is_no_crash_and_no_obstacle(string file, string content)
    {
        Skip.If(Runtime.IsRunc, "runc delete --force fails for ever");
        Runtime.Create(Bundle.Args("sleep", "1000")).Succeeded();
        File.WriteAllText($"{Runtime.Root}/{Bundle.Id}/{file}", content);
        foreach (string[] command in Readers)
            AssertCivil(command);
        Runtime.Run("delete", "--force", Bundle.Id).Succeeded();
        AssertNothingLeft();
    }

    [SkippableFact]
    public void E9_a_file_that_is_gone_is_no_obstacle()
    {
        foreach (string file in (string[])["state.json", "config.json", "cgroup", "start"])
        {
            Runtime.Create(Bundle.Args("sleep", "1000")).Succeeded();
            int pid = Runtime.Pid(Bundle.Id);
            File.Delete($"{Runtime.Root}/{Bundle.Id}/{file}");
            AssertCivil(["state"]);
            AssertCivil(["start"]);
            Runtime.Run("delete", "--force", Bundle.Id).Succeeded();
            Wait.ForExit(pid);
            if (Directory.Exists(Bundle.Cgroup))
                Directory.Delete(Bundle.Cgroup); // nothing names it without the link, and nothing is in it
            AssertNothingLeft();
        }
    }

    /// <summary>Seeded, so that a failure can be seen again; a thousand in the soak, a few always.</summary>
    [SkippableFact]
    public void E9_no_mutation_of_the_record_is_a_crash()
    {
        Skip.If(Runtime.IsRunc, "runc delete --force fails for ever");
        Runtime.Create(Bundle.Args("sleep", "1000")).Succeeded();
        byte[] good = File.ReadAllBytes(Record), spec = File.ReadAllBytes($"{Runtime.Root}/{Bundle.Id}/config.json");
        int count = Environment.GetEnvironmentVariable("CONMAN_SOAK") == "1" ? 1000 : 60;
        for (int seed = 0; seed < count; seed++)
        {
            Random random = new(seed);
            bool ofRecord = random.Next(4) != 0;
            File.WriteAllBytes(ofRecord ? Record : $"{Runtime.Root}/{Bundle.Id}/config.json", Mutate(ofRecord ? good : spec, random));
            AssertCivil(Readers[seed % 3]);
            AssertCivil(["start"]); // well where what was hit does not matter to it
            File.WriteAllBytes(Record, good);
            File.WriteAllBytes($"{Runtime.Root}/{Bundle.Id}/config.json", spec);
        }
        File.WriteAllBytes(Record, Mutate(good, new Random(count)));
        Runtime.Run("delete", "--force", Bundle.Id).Succeeded();
        AssertNothingLeft();
    }

    private static byte[] Mutate(byte[] bytes, Random random)
    {
        List<byte> result = [.. bytes];
        for (int n = random.Next(1, 5); n > 0 && result.Count > 0; n--)
        {
            int at = random.Next(result.Count);
            switch (random.Next(5))
            {
                case 0: result[at] ^= (byte)(1 << random.Next(8)); break;
                case 1: result[at] = (byte)random.Next(256); break;
                case 2: result.RemoveRange(at, random.Next(result.Count - at + 1)); break;
                case 3: result.InsertRange(at, Encoding.UTF8.GetBytes(((string[])["\0", "\"", "{}", "[", "99999999999999999999", "-1", "null,", "\ufeff"])[random.Next(8)])); break;
                default: result[at] = (byte)'0'; break;
            }
        }
        return [.. result];
    }

    private void AssertCivil(string[] command)
    {
        string[] words = command[0] == "list" ? command : [command[0], .. command[0] == "update" ? command[1..] : [], Bundle.Id, .. command[0] == "update" ? [] : command[1..]];
        Result result = Runtime.Run(words);
        Assert.True(result.ExitCode is 0 or 1 or 255, $"{string.Join(' ', words)}: exit code {result.ExitCode}: {result.Error}");
        Assert.DoesNotContain("internal error", result.Error);
    }

    [SkippableFact]
    public void E5_of_eight_that_delete_a_stopped_container_one_wins()
    {
        Skip.If(Runtime.IsRunc, "runc has no lock");
        for (int round = 0; round < 3; round++)
        {
            Runtime.CreateAndStart(Bundle.Args("true"));
            Runtime.WaitForStatus(Bundle.Id, "stopped");
            Result[] all = [.. Enumerable.Range(0, 8).Select(_ => Runtime.Start(new Options(), "delete", Bundle.Id))];
            Assert.Single(all, r => r.ExitCode == 0);
            Assert.All(all.Where(r => r.ExitCode != 0), r => r.FailedWith("container does not exist"));
            AssertNothingLeft();
        }
    }

    [SkippableFact]
    public void E5_eight_that_delete_by_force_all_succeed_and_leave_nothing()
    {
        Skip.If(Runtime.IsRunc, "runc has no lock");
        for (int round = 0; round < 3; round++)
        {
            StartIdle(Bundle);
            Result[] all = [.. Enumerable.Range(0, 8).Select(_ => Runtime.Start(new Options(), "delete", "--force", Bundle.Id))];
            Assert.All(all, r => r.Succeeded());
            AssertNothingLeft();
        }
    }

    [SkippableTheory]
    [InlineData("start")]
    [InlineData("exec")]
    public void E5_a_deletion_wins_over_what_runs_beside_it(string command)
    {
        Skip.If(Runtime.IsRunc, "runc has no lock");
        for (int round = 0; round < 8; round++)
        {
            Runtime.Create(Bundle.Args("sleep", "1000")).Succeeded();
            if (command == "exec")
                Runtime.Run("start", Bundle.Id).Succeeded();
            string[] other = command == "exec" ? ["exec", Bundle.Id, "sleep", "999"] : ["start", Bundle.Id];
            // In either order, so that each is the first one now and then.
            Result first = Runtime.Start(new Options(), round % 2 == 0 ? other : ["delete", "--force", Bundle.Id]);
            Result second = Runtime.Start(new Options(), round % 2 == 0 ? ["delete", "--force", Bundle.Id] : other);
            (round % 2 == 0 ? second : first).Succeeded();
            (round % 2 == 0 ? first : second).Wait();
            Assert.DoesNotContain("internal error", first.Error + second.Error);
            AssertNothingLeft();
        }
    }
}
