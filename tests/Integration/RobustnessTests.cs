// Commands that are killed, that race each other, that find their state damaged: whatever happens, one
// `delete --force ID` later nothing is left.
using System.Text.Json.Nodes;

namespace Conman.Integration.Tests;

public class RobustnessTests : ContainerTest
{
    [SkippableTheory]
    [InlineData("prestart")]
    [InlineData("createRuntime")]
    [InlineData("createContainer")]
    public void A_killed_create_leaves_nothing_that_delete_cannot_clean(string kind)
    {
        Skip.If(Runtime.IsRunc, "runc has no state to find the cgroup by yet, and leaves it behind");
        // A hook is the runtime stopped at a known place.
        string note = Bundle.Folder + "/here", go = Bundle.Folder + "/go";
        string script = $"PATH=/bin:/usr/bin; : >{note}; until [ -e {go} ]; do sleep 0.01; done";
        Bundle.Add("hooks/" + kind, new JsonObject
        {
            ["path"] = "/bin/sh", ["args"] = Tests.Bundle.Strings("sh", "-c", script), ["env"] = Tests.Bundle.Strings($"{Tests.Bundle.Marker}={Bundle.Id}"),
        });
        Result create = Runtime.Start(new Options(), "create", "--bundle", Bundle.Args("true").Save().Folder, Bundle.Id);
        Wait.Until(() => File.Exists(note), "the hook to run");
        Libc.Check(Libc.kill(create.Pid, Libc.SIGKILL), "kill create");
        Bundle.File("go");
        create.ExitedWith(137);
        Runtime.Run("delete", "--force", Bundle.Id).Succeeded();
        AssertNothingLeft();
    }

    [SkippableFact]
    public void A_killed_run_leaves_a_container_that_can_be_deleted()
    {
        Result run = Runtime.StartContainer(Bundle.Shell("echo ready; exec sleep 1000"), new Options());
        run.WaitForOutput("ready");
        Libc.Check(Libc.kill(run.Pid, Libc.SIGKILL), "kill run");
        run.ExitedWith(137);
        Runtime.Run("delete", "--force", Bundle.Id).Succeeded();
        AssertNothingLeft();
    }

    [SkippableFact]
    public void A_killed_exec_does_not_harm_the_container()
    {
        StartIdle(Bundle);
        Result exec = Runtime.Start(new Options(), "exec", Bundle.Id, "sh", "-c", "echo inside; exec sleep 999");
        exec.WaitForOutput("inside");
        Libc.Check(Libc.kill(exec.Pid, Libc.SIGKILL), "kill exec");
        exec.ExitedWith(137);
        Assert.Equal("running", Runtime.Status(Bundle.Id));
        Runtime.Run("delete", "--force", Bundle.Id).Succeeded();
        AssertNothingLeft();
    }

    [SkippableFact]
    public void Of_many_that_create_the_same_id_one_wins()
    {
        Bundle.Args("true").Save();
        Result[] all = [.. Enumerable.Range(0, 6).Select(_ => Runtime.Start(new Options(), "create", "--bundle", Bundle.Folder, Bundle.Id))];
        Assert.Single(all, create => create.ExitCode == 0);
        Assert.Equal("created", Runtime.Status(Bundle.Id));
    }

    [SkippableFact]
    public void Of_many_that_start_the_same_container_one_wins()
    {
        Skip.If(Runtime.IsRunc, "runc may wait for ever for a container that another has started");
        Runtime.Create(Bundle.Args("sleep", "1000")).Succeeded();
        Result[] all = [.. Enumerable.Range(0, 6).Select(_ => Runtime.Start(new Options(), "start", Bundle.Id))];
        Assert.Single(all, start => start.ExitCode == 0);
        Assert.Equal("running", Runtime.Status(Bundle.Id));
    }

    [SkippableFact]
    public void Many_that_delete_by_force_agree()
    {
        StartIdle(Bundle);
        Result[] all = [.. Enumerable.Range(0, 6).Select(_ => Runtime.Start(new Options(), "delete", "--force", Bundle.Id))];
        Assert.All(all, delete => delete.Succeeded());
        AssertNothingLeft();
    }

    [SkippableTheory]
    [InlineData(false)]
    [InlineData(true)]
    public void Many_containers_run_at_once(bool userNamespace)
    {
        Bundle[] bundles = [.. Enumerable.Range(0, 12).Select(i => NewBundle().Shell($"echo {i}; exit {i}"))];
        if (userNamespace)
        {
            foreach (Bundle bundle in bundles)
                bundle.UserNamespace().Bind(bundle.Subfolder("source"), "/tmp", "bind", "idmap");
        }
        Result[] all = [.. bundles.Select(bundle => Runtime.StartContainer(bundle, new Options()))];
        for (int i = 0; i < all.Length; i++)
        {
            all[i].ExitedWith(i);
            Assert.Equal($"{i}\n", all[i].Output);
        }
        AssertNothingLeft();
    }

    [SkippableFact]
    public void A_container_that_waits_for_its_start_costs_kilobytes()
    {
        Skip.If(Runtime.IsRunc, "runc waits as itself");
        Runtime.Create(Bundle.Args("true")).Succeeded();
        int pid = Runtime.Pid(Bundle.Id);
        string resident = File.ReadAllLines($"/proc/{pid}/status").Single(line => line.StartsWith("VmRSS:", StringComparison.Ordinal));
        Assert.InRange(int.Parse(resident.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1]), 0, 500); // kB
        Assert.InRange(new FileInfo($"/proc/{pid}/exe").ResolveLinkTarget(false) is null ? 0 : File.ReadAllBytes($"/proc/{pid}/exe").Length, 0, 50_000);
    }

    /// <summary>However many mounts and containers the host has: nothing lists them, and nothing waits by the clock.</summary>
    [SkippableFact]
    public void No_command_reads_the_hosts_mounts_or_sleeps()
    {
        Skip.If(Runtime.IsRunc, "runc does both");
        Bundle.Args("sleep", "1000").Save();
        string calls = Bundle.Folder + "/calls";
        foreach (string[] command in (string[][])[["create", "--bundle", Bundle.Folder, Bundle.Id], ["start", Bundle.Id], ["exec", Bundle.Id, "true"], ["state", Bundle.Id], ["delete", "--force", Bundle.Id]])
        {
            // Not what the program does: strace would wait for its end.
            Runtime.StartProgram("strace", new Options(), ["-qq", "-o", calls, "-e", "trace=openat,openat2,open,nanosleep,clock_nanosleep", .. Runtime.CommandLine(command)]).Succeeded();
            Assert.DoesNotContain(File.ReadAllLines(calls), line => line.Contains("mountinfo") || line.Contains("/mounts\"") || line.Contains("nanosleep("));
        }
        AssertNothingLeft();
    }

    [SkippableTheory]
    [InlineData("")]
    [InlineData("{")]
    [InlineData("\0\0\0\0\0\0\0\0")]
    [InlineData("[1, 2]")]
    [InlineData("""{ "pid": 1, "init_process_pid": 1 }""")]
    public void A_damaged_state_does_not_keep_a_container_from_being_deleted(string text)
    {
        Skip.If(Runtime.IsRunc, "runc cannot delete what it cannot read");
        int pid = StartIdle(Bundle);
        foreach (string file in Directory.EnumerateFiles(Runtime.Root, "*.json", SearchOption.AllDirectories).ToList())
            File.WriteAllText(file, text);
        Runtime.Run("delete", "--force", Bundle.Id).Succeeded();
        Wait.ForExit(pid);
        AssertNothingLeft();
    }

    [SkippableFact]
    public void A_damaged_state_does_not_hide_the_other_containers()
    {
        StartIdle(Bundle);
        Directory.CreateDirectory(Runtime.Root + "/damaged");
        try
        {
            Assert.Contains(Bundle.Id, Runtime.Run("list", "-q").Output);
        }
        finally
        {
            Directory.Delete(Runtime.Root + "/damaged");
        }
    }

    [SkippableFact]
    public void The_process_can_be_gone_without_anybody_having_noticed()
    {
        int pid = StartIdle(Bundle);
        Libc.Check(Libc.kill(pid, Libc.SIGKILL), "kill the container");
        Wait.ForExit(pid);
        Runtime.WaitForStatus(Bundle.Id, "stopped");
        Runtime.Run("delete", Bundle.Id).Succeeded();
        AssertNothingLeft();
    }
}
