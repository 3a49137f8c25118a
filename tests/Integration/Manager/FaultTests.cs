// Rows D and E of the threats, for the manager: what runs out, what is damaged, what fails in the middle, and many at once.
using System.Globalization;

namespace Conman.Integration.Tests.Manager;

public class FaultTests : ManagerTest
{
    private static readonly bool Soak = Environment.GetEnvironmentVariable("CONMAN_SOAK") == "1";

    [SkippableFact]
    public void D1_a_fork_bomb_stays_within_its_limit_and_rm_ends_it()
    {
        string? pids = Limits("pids");
        Skip.If(pids is null, "there is no controller of processes here");
        string id = RunDetached("--name", "bomb", "--pids-limit", "64", Image, "sh", "-c", "bomb() { bomb | bomb & }; bomb; sleep 1000");
        int Count() => int.Parse(File.ReadAllText($"{pids}/conman-test/conman-{id}/pids.current"), CultureInfo.InvariantCulture);
        Wait.Until(() => Count() >= 60, "the limit to be reached");
        Assert.InRange(Count(), 60, 64);
        Run("rm", "--force", "bomb").Succeeded();
        AssertNoContainers();
    }

    [SkippableFact]
    public void D2_out_of_memory_the_container_goes_and_inspect_says_why()
    {
        Skip.If(Limits("memory") is null, "there is no controller of memory here");
        Run("run", "--name", "hog", "--memory", "16m", "--memory-swap", "16m", "--cgroup-parent", "/conman-test", Image, "sh", "-c", "tail /dev/zero").ExitedWith(137);
        Assert.Equal("true 137", Inspect("hog", "{{.State.OOMKilled}} {{.State.ExitCode}}"));
        Run("rm", "hog").Succeeded();
        AssertNoContainers();
    }

    [SkippableTheory]
    [InlineData("size"), InlineData("nr_inodes")]
    public void D3_D4_a_full_disk_is_told_and_leaves_a_sound_store(string what)
    {
        string disk = Bundle.Folder + "/disk";
        Directory.CreateDirectory(disk);
        Libc.Check(Libc.mount("tmpfs", disk, "tmpfs", 0, "size=64m,nr_inodes=100000"), "mount " + disk);
        try
        {
            Run(["--root", disk + "/lib", "load", "--quiet", "--input", Bundle.Folder + "/image.tar"]).Succeeded();
            int failures = 0;
            for (int step = 0; step < 14; step++)
            {
                // So little is left that each write in turn is the one that fails.
                Libc.Check(Libc.mount(null, disk, null, Libc.MS_REMOUNT, what == "size" ? "size=64m" : "nr_inodes=" + (Inodes(disk) + step)), "limit " + disk);
                string filler = disk + "/filler";
                if (what == "size")
                {
                    Runtime.StartProgram("sh", new Options { Network = Network }, "-c", $"cat /dev/zero > {filler}; truncate -s -{step * 4096} {filler}").Wait();
                }
                Result create = Run("--root", disk + "/lib", "create", "--volume", "/data", Image);
                if (create.ExitCode != 0)
                {
                    failures++;
                    create.ExitedWith(125).FailedWith("no space left on device");
                }
                File.Delete(filler);
                Libc.Check(Libc.mount(null, disk, null, Libc.MS_REMOUNT, "nr_inodes=100000"), "lift the limit of " + disk);
                Run("--root", disk + "/lib", "rm", "--force", "--all", "--volumes").Succeeded();
                Run("--root", disk + "/lib", "system", "check").Succeeded();
            }
            Assert.True(failures > 0);
            Run("--root", disk + "/lib", "run", "--rm", "--cgroup-parent", "/conman-test", Image, "true").Succeeded();
            Assert.Empty(Directory.GetFileSystemEntries(disk + "/lib/containers").Concat(Directory.GetFileSystemEntries(disk + "/lib/names")));
        }
        finally
        {
            Libc.Check(Libc.umount2(disk, Libc.MNT_DETACH), "unmount " + disk);
        }
    }

    [SkippableFact]
    public void D5_without_descriptors_there_is_an_error_and_no_half_of_anything()
    {
        int failures = 0;
        for (int files = 4; files <= 64; files += Soak ? 1 : 4)
        {
            string line = $"ulimit -n {files}; exec '{Conman}' --root {Root} --runroot {RunRoot} run --rm --cgroup-parent /conman-test {Image} true";
            Result run = Runtime.StartProgram("sh", new Options { Network = Network }, "-c", line).Wait();
            failures += run.ExitCode == 0 ? 0 : 1;
            Run("rm", "--force", "--all").Succeeded();
            AssertNoContainers();
        }
        Assert.True(failures > 0);
    }

    [SkippableTheory]
    [InlineData("openat", "EMFILE"), InlineData("openat", "EIO"), InlineData("mkdirat", "ENOSPC"), InlineData("write", "EIO"), InlineData("fsync", "EIO"), InlineData("renameat", "EIO")]
    [InlineData("clone3", "EAGAIN"), InlineData("mmap", "ENOMEM"), InlineData("fsconfig", "ENOMEM"), InlineData("symlinkat", "ENOSPC"), InlineData("flock", "EINTR")]
    public void D6_a_call_that_fails_leaves_nothing_that_rm_cannot_clean(string call, string error)
    {
        Skip.IfNot(File.Exists("/usr/bin/strace"), "no strace");
        foreach (int at in Soak ? Enumerable.Range(1, 40) : [1, 2, 4, 7, 11, 16])
        {
            foreach (string[] command in (string[][])[["run", "--detach", "--name", "victim", "--volume", "/data", "--cgroup-parent", "/conman-test", Image, "sleep", "1000"], ["rm", "--force", "victim"]])
            {
                Runtime.StartProgram("strace", new Options { Network = Network }, ["-qq", "-o", "/dev/null", "-e", "trace=" + call, "-e", $"inject={call}:error={error}:when={at}", Conman, "--root", Root, "--runroot", RunRoot, .. command]).Wait();
                Run("ps", "--all").Succeeded();
            }
            Run("rm", "--force", "--all", "--volumes").Succeeded();
            Run("system", "recover").Succeeded();
            Run("system", "check").Succeeded();
            AssertNoContainers();
        }
    }

    [SkippableFact]
    public void E4_after_a_reset_of_the_host_containers_are_exited_and_start_by_their_policy()
    {
        int[] innocent = [Reset("always", "--restart", "always"), Reset("unless", "--restart", "unless-stopped"), Reset("plain"), Reset("stopped", "--restart", "unless-stopped")];
        RunDetached("--rm", "--name", "transient", Image, "sleep", "1000");
        Kill("transient");
        Run("stop", "--time", "0", "stopped").Succeeded();
        Directory.Delete(RunRoot, recursive: true); // it is a tmpfs
        Assert.Equal("exited 255", Inspect("plain", "{{.State.Status}} {{.State.ExitCode}}"));
        Run("system", "recover").Succeeded();
        Assert.Equal(2, Run("system", "start").Succeeded().Lines.Length);
        Assert.Equal("always\nunless\n", string.Concat(Run("ps", "--format", "{{.Names}}").Succeeded().Lines.Order().Select(l => l + "\n")));
        Assert.DoesNotContain("transient", Run("ps", "--all").Output, StringComparison.Ordinal);
        Assert.All(innocent, pid => Assert.True(pid > 0));
        Run("rm", "--force", "--all").Succeeded();
        AssertNoContainers();

        int Reset(string name, params string[] options)
        {
            RunDetached(["--name", name, .. options, Image, "sleep", "1000"]);
            if (name == "stopped")
                return 1;
            int pid = int.Parse(Inspect(name, "{{.State.Pid}}"), CultureInfo.InvariantCulture);
            Kill(name);
            return pid;
        }

        void Kill(string name)
        {
            string id = Inspect(name, "{{.Id}}");
            foreach (string process in Inspect(name, "{{.State.MonitorPid}} {{.State.Pid}}").Split(' '))
            {
                int pid = int.Parse(process, CultureInfo.InvariantCulture);
                _ = Libc.kill(pid, Libc.SIGKILL);
                Wait.ForExit(pid);
            }
            foreach (string cgroup in Directory.GetDirectories("/sys/fs/cgroup", "conman-" + id, SearchOption.AllDirectories))
                Directory.Delete(cgroup); // a reset leaves none
        }
    }

    [SkippableFact]
    public void What_stops_with_the_host_starts_with_it_and_what_somebody_stopped_does_not()
    {
        RunDetached("--name", "kept", "--restart", "unless-stopped", "--stop-timeout", "0", Image, "sleep", "1000");
        RunDetached("--name", "stopped", "--restart", "unless-stopped", "--stop-timeout", "0", Image, "sleep", "1000");
        Run("stop", "stopped").Succeeded();
        Run("system", "stop").Succeeded();
        Assert.Equal("", Run("ps", "-q").Output);
        Run("system", "start").Succeeded();
        Assert.Equal("kept\n", Run("ps", "--format", "{{.Names}}").Succeeded().Output);
    }

    [SkippableFact]
    public void E5_eight_that_remove_by_force_all_succeed_and_leave_nothing()
    {
        RunDetached("--name", "one", Image, "sleep", "1000");
        Result[] removals = [.. Enumerable.Range(0, 8).Select(_ => Start(new Options(), "rm", "--force", "one"))];
        Assert.All(removals, r => r.Wait().Succeeded());
        AssertNoContainers();
    }

    [SkippableTheory]
    [InlineData("start"), InlineData("exec"), InlineData("stop"), InlineData("restart"), InlineData("rename")]
    public void E5_a_removal_beside_another_command_leaves_nothing(string command)
    {
        for (int round = 0; round < 6; round++)
        {
            RunDetached("--name", "one", Image, "sleep", "1000");
            if (command == "start")
                Run("stop", "--time", "0", "one").Succeeded();
            Result beside = Start(new Options(), command switch { "exec" => ["exec", "one", "true"], "rename" => ["rename", "one", "two"], "stop" => ["stop", "--time", "0", "one"], _ => [command, "one"] });
            Result removal = Start(new Options(), "rm", "--force", "one");
            removal.Wait().Succeeded();
            beside.Wait();
            Run("rm", "--force", "--all").Succeeded();
            AssertNoContainers();
        }
    }

    [SkippableFact]
    public void E6_many_at_once_all_run_and_leave_nothing()
    {
        (int all, int atOnce) = Soak ? (1000, 100) : (100, 20);
        Queue<Result> running = [];
        for (int i = 0; i < all; i++)
        {
            if (running.Count == atOnce)
                running.Dequeue().Wait(TimeSpan.FromMinutes(2)).Printed("here");
            running.Enqueue(Start(new Options(), "run", "--rm", "--cgroup-parent", "/conman-test", Image, "echo", "here"));
        }
        foreach (Result run in running)
            run.Wait(TimeSpan.FromMinutes(2)).Printed("here");
        AssertNoContainers();
    }

    [SkippableFact]
    public void E9_a_thousand_damaged_records_are_no_crash_and_each_container_is_removed_by_its_id()
    {
        string whole = Run("create", "--name", "whole", "--volume", "/data", Image).Succeeded().Output.Trim();
        Run("start", "whole").Succeeded();
        Run("stop", "--time", "0", "whole").Succeeded();
        var random = new Random(20261125);
        List<string> ids = [];
        for (int i = 0; i < 1000; i++)
        {
            string id = Convert.ToHexStringLower(BitConverter.GetBytes(i)).PadLeft(64, 'c');
            ids.Add(id);
            Directory.CreateDirectory($"{Root}/containers/{id}/diff");
            foreach (string file in (string[])["container.json", "state.json", "exit"])
                File.WriteAllBytes($"{Root}/containers/{id}/{file}", Damaged(File.ReadAllBytes($"{Root}/containers/{whole}/{file}"), random));
        }
        Result list = Run("ps", "--all", "--no-trunc", "--quiet").Succeeded();
        Assert.Equal(1001, list.Lines.Length);
        foreach (string id in ids.Where((_, i) => i % 40 == 0))
        {
            Assert.DoesNotContain("should not have happened", Run("inspect", id).Error + Run("start", id).Error + Run("stop", "--time", "0", id).Error + Run("logs", id).Error, StringComparison.Ordinal);
        }
        foreach (string[] some in ids.Chunk(250))
            Run(["rm", "--force", .. some]).Succeeded();
        Assert.Equal(whole + "\n", Run("ps", "--all", "--no-trunc", "--quiet").Succeeded().Output);
        Run("rm", "--volumes", "whole").Succeeded();
        AssertNoContainers();

        static byte[] Damaged(byte[] content, Random random)
        {
            switch (random.Next(6))
            {
                case 0: return [];
                case 1: return content[..random.Next(content.Length)];
                case 2: return new byte[content.Length];
                case 3: return [.. content, .. content];
            }
            for (int flips = random.Next(1, 8); flips > 0; flips--)
                content[random.Next(content.Length)] ^= (byte)(1 << random.Next(8));
            return content;
        }
    }

    [SkippableFact]
    public void E10_a_lock_goes_with_its_holder()
    {
        string id = RunDetached("--name", "one", Image, "sleep", "1000");
        Result holder = Runtime.StartProgram("flock", new Options { Network = Network }, $"{Root}/containers/{id}", "sh", "-c", "echo held; exec sleep 1000");
        holder.WaitForOutput("held");
        Result stop = Start(new Options(), "rm", "--force", "one");
        Assert.True(stop.Running);
        Runtime.StartProgram("pkill", new Options { Network = Network }, "-9", "-P", holder.Pid.ToString(CultureInfo.InvariantCulture)).Wait();
        _ = Libc.kill(holder.Pid, Libc.SIGKILL);
        stop.Wait().Succeeded();
        AssertNoContainers();
    }

    [SkippableTheory]
    [InlineData(2), InlineData(1), InlineData(15)]
    public void E11_whoever_interrupts_run_at_any_moment_leaves_nothing_that_rm_cannot_clean(int signal)
    {
        for (int round = 0; round < 12; round++)
        {
            Result run = Start(new Options(), "run", "--rm", "--stop-timeout", "0", "--cgroup-parent", "/conman-test", Image, "sleep", "1000");
            long until = Environment.TickCount64 + round * 5;
            while (Environment.TickCount64 < until || !Directory.Exists("/proc/" + run.Pid))
                Thread.Sleep(1);
            _ = Libc.kill(run.Pid, signal);
            Run("rm", "--force", "--all").Succeeded();
            if (run.Running)
                _ = Libc.kill(run.Pid, Libc.SIGKILL);
            run.Wait();
            Run("rm", "--force", "--all").Succeeded();
            Run("system", "recover").Succeeded();
            AssertNoContainers();
        }
    }

    private static int Inodes(string disk) => Directory.EnumerateFileSystemEntries(disk, "*", SearchOption.AllDirectories).Count() + 1;

    // The hierarchy of a controller; null: there is none.
    private static string? Limits(string controller) => Leftovers.Unified
        ? File.ReadAllText(Leftovers.CgroupRoot + "/cgroup.controllers").Split(' ', '\n').Contains(controller) ? Leftovers.CgroupRoot : null
        : Directory.Exists(Leftovers.CgroupRoot + "/" + controller) ? Leftovers.CgroupRoot + "/" + controller : null;
}
