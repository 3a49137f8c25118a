// The six rules of a shim, and what else a container's monitor owes: the real monitor, with programs of the host in the container's place.

using System.Text;
using Conman.Engine.Monitoring;
using Conman.Linux;
using Monitor = Conman.Engine.Monitoring.Monitor;

namespace Conman.Engine.Tests.Monitoring;

public class MonitorTests
{
    [Fact]
    public void Output_reaches_the_log_and_every_client_and_the_end_its_record()
    {
        using var container = new Monitored();
        TestClient[] clients = [];
        container.Run("echo out; echo err >&2; exit 3", container.Options(onExit: $"cat {container.Path}/exit > {container.Path}/seen"),
            () => clients = [container.Client(), container.Client(), container.Client()]);
        foreach (var client in clients)
        {
            Assert.Equal((3, 0), client.ReadToEnd());
            Assert.Equal(("out\n", "err\n"), (client.Stdout, client.Stderr));
            client.Dispose();
        }
        container.AwaitMonitor();
        Assert.Matches(@"^3 0 \d+ \d+\n$", container.Exit);
        Assert.Equal(container.Exit, File.ReadAllText(container.Path + "/seen"));
        Assert.Contains("out\n", container.ReadLog());
    }

    [Fact]
    public void The_signal_that_killed_a_container_is_told()
    {
        using var container = new Monitored();
        container.Run("kill -9 $$", container.Options(durable: true));
        container.AwaitMonitor();
        Assert.StartsWith("0 9 ", container.Exit);
    }

    [Fact]
    public void E2_a_container_outlives_its_monitor_without_SIGPIPE_and_what_waits_is_the_next_ones()
    {
        Monitored.BecomeSubreaper();
        using var container = new Monitored();
        // More than a FIFO holds, so that it is in the middle of a write when there is no monitor.
        container.Run("trap 'echo SIGPIPE >&2; exit 99' PIPE; i=0; while [ $i -lt 20000 ]; do echo $i; i=$((i+1)); done; exit 7", container.Options());
        Monitored.Until(() => File.Exists(container.Log) && new FileInfo(container.Log).Length > 0, "the first output");
        container.KillMonitor();
        Assert.False(Waiting.Readable(container.Process.Descriptor, 100), "the container died with its monitor");

        using var monitor = Monitor.Adopt(container.Options(), container.Process.Pid, Processes.StartTime(container.Process.Pid))!;
        container.Note(monitor);
        Assert.True(Waiting.Readable(container.Process.Descriptor, 60_000));
        Processes.Reap(container.Process.Descriptor);
        container.AwaitMonitor();
        // What lay in the FIFO is there. What the first one had just read, and not yet written, died with it: one gap at most, of less than a read.
        int[] numbers = [.. container.ReadLog().Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(int.Parse)];
        Assert.Equal((0, 19999), (numbers[0], numbers[^1]));
        Assert.InRange(numbers.Zip(numbers.Skip(1)).Count(pair => pair.Second != pair.First + 1), 0, 1);
        Assert.InRange(20000 - numbers.Length, 0, 24576 / 5);
        if (Environment.OSVersion.Version >= new Version(6, 15))
            Assert.StartsWith("7 0 ", container.Exit);
    }

    [Fact]
    public void An_adopted_process_that_is_gone_is_not_adopted()
    {
        using var container = new Monitored();
        Assert.Null(Monitor.Adopt(container.Options(), 1, 1));
    }

    [Fact]
    public void A_torn_last_line_is_cut_off_when_the_log_is_taken_over()
    {
        using var container = new Monitored();
        container.Run("sleep 60", container.Options());
        container.KillMonitor();
        const string Whole = "{\"log\":\"whole\\n\",\"stream\":\"stdout\",\"time\":\"2026-01-02T03:04:05Z\"}\n";
        File.WriteAllText(container.Log, Whole + "{\"log\":\"tor");
        using var monitor = Monitor.Adopt(container.Options(), container.Process.Pid, Processes.StartTime(container.Process.Pid))!;
        container.Note(monitor);
        Assert.Equal(Whole, File.ReadAllText(container.Log));
    }

    [Fact]
    public void Whoever_makes_the_container_and_dies_takes_it_along()
    {
        using var container = new Monitored();
        ProcessHandle process;
        using (var monitor = Monitor.Start(container.Options()))
        {
            container.Note(monitor);
            using var shell = Files.Open("/bin/sh", OpenFlags.ReadOnly);
            process = monitor.Spawn(shell, ["sh", "-c", "sleep 100"], ["PATH=/bin"], new SpawnOptions());
        }
        using (process)
            Assert.True(Waiting.Readable(process.Descriptor, 60_000));
        container.AwaitMonitor();
        Assert.False(File.Exists(container.Path + "/exit"));
    }

    [Fact]
    public void Why_a_program_cannot_be_executed_reaches_the_caller()
    {
        using var container = new Monitored();
        using var monitor = Monitor.Start(container.Options());
        container.Note(monitor);
        using var text = Files.Open("/etc/passwd", OpenFlags.ReadOnly);
        var error = Assert.Throws<LinuxException>(() => monitor.Spawn(text, ["passwd"], [], new SpawnOptions()));
        Assert.Equal(Errno.EACCES, error.Errno);
    }

    [Fact]
    public void Descriptors_have_the_numbers_in_the_container_that_they_have_here()
    {
        using var container = new Monitored();
        using var monitor = Monitor.Start(container.Options());
        container.Note(monitor);
        var open = Enumerable.Range(0, 300).Select(i => Files.SealedMemory("test", Encoding.UTF8.GetBytes(i + "\n"))).ToList();
        using var shell = Files.Open("/bin/sh", OpenFlags.ReadOnly);
        var options = new SpawnOptions();
        options.Keep.AddRange(open.Select(f => f.Number));
        var script = string.Concat(open.Select(f => $"cat /proc/self/fd/{f.Number};")) + $"ls /proc/self/fd | wc -l";
        using var process = monitor.Spawn(shell, ["sh", "-c", script], ["PATH=/bin:/usr/bin"], options);
        monitor.Watch(process.Pid);
        Waiting.Readable(process.Descriptor, 60_000);
        container.AwaitMonitor();
        Assert.Equal(string.Concat(Enumerable.Range(0, 300).Select(i => i + "\n")) + "304\n", container.ReadLog()); // and 0 to 2, and what ls opens
        open.ForEach(f => f.Dispose());
    }

    [Fact]
    public void Input_from_several_clients_is_gathered_and_ends_once()
    {
        using var container = new Monitored();
        container.Run("cat", container.Options(stdin: true, once: true));
        using var one = container.Client("ione\n");
        using var two = container.Client("itwo\n");
        Monitored.Until(() => container.ReadLog().Contains("one\n") && container.ReadLog().Contains("two\n"), "both inputs");
        one.Say("e");
        Assert.Equal((0, 0), two.ReadToEnd());
    }

    [Fact]
    public void Input_that_is_not_once_does_not_end_with_its_client()
    {
        using var container = new Monitored();
        container.Run("read a; echo $a; read b; echo $b", container.Options(stdin: true));
        using (container.Client("ione\n", "e"))
            Monitored.Until(() => container.ReadLog().Contains("one\n"), "the first line");
        using var two = container.Client("itwo\n");
        Assert.Equal((0, 0), two.ReadToEnd());
        Assert.Equal("one\ntwo\n", container.ReadLog());
    }

    [Fact]
    public void Much_input_waits_for_a_program_that_reads_late()
    {
        using var container = new Monitored();
        container.Run("sleep 0.5; wc -c", container.Options(stdin: true, once: true));
        using var client = container.Client();
        for (var i = 0; i < 200; i++)
            client.Say("i" + new string('x', 5000));
        client.Say("e");
        Assert.Equal((0, 0), client.ReadToEnd());
        Assert.Equal("1000000\n", client.Stdout);
    }

    [Fact]
    public void A_client_that_wants_to_be_waited_for_holds_the_container_up_and_loses_nothing()
    {
        using var container = new Monitored();
        TestClient client = null!;
        container.Run("head -c 3000000 /dev/zero; exit 1", container.Options(LogFormat.None), () => client = container.Client("b"));
        Assert.False(Waiting.Readable(container.Process.Descriptor, 300), "the container did not wait");
        Assert.Equal((1, 0), client.ReadToEnd());
        Assert.Equal((3_000_000, 0ul), (client.Stdout.Length, client.Lost));
        client.Dispose();
    }

    [Fact]
    public void D8_a_client_that_does_not_read_does_not_hold_the_container_up_and_is_told_what_it_missed()
    {
        using var container = new Monitored();
        TestClient client = null!;
        container.Run("head -c 3000000 /dev/zero; exit 1", container.Options(LogFormat.None), () => client = container.Client());
        Assert.True(Waiting.Readable(container.Process.Descriptor, 60_000));
        Assert.Equal((1, 0), client.ReadToEnd());
        Assert.Equal(3_000_000ul, (ulong)client.Stdout.Length + client.Lost);
        client.Dispose();
    }

    [Fact]
    public void The_owner_s_word_keeps_the_monitor_from_acting_at_the_end()
    {
        using var container = new Monitored();
        TestClient owner = null!;
        container.Run("true", container.Options(onExit: $"touch {container.Path}/acted"), () => owner = container.Client("o"));
        Assert.Equal((0, 0), owner.ReadToEnd());
        Assert.False(Waiting.Readable(Processes.TryOpen(container.Monitor.Pid)!, 100), "the monitor did not wait for the owner");
        owner.Say("d");
        container.AwaitMonitor();
        Assert.False(File.Exists(container.Path + "/acted"));
        owner.Dispose();
    }

    [Fact]
    public void An_owner_that_is_killed_leaves_the_end_to_the_monitor()
    {
        using var container = new Monitored();
        TestClient owner = null!;
        container.Run("true", container.Options(onExit: $"touch {container.Path}/acted"), () => owner = container.Client("o"));
        Assert.Equal((0, 0), owner.ReadToEnd());
        owner.Dispose();
        container.AwaitMonitor();
        Assert.True(File.Exists(container.Path + "/acted"));
    }

    [Fact]
    public void A_monitor_is_small()
    {
        using var container = new Monitored();
        // What costs most: both streams, and each byte escaped.
        container.Run("head -c 5000000 /dev/zero & head -c 5000000 /dev/zero >&2; wait; echo; echo >&2; sleep 60", container.Options(stdin: true));
        using var client = container.Client("iinput\n");
        Monitored.Until(() => new FileInfo(container.Log).Length > 60_000_000, "all output in the log");
        var memory = File.ReadAllLines($"/proc/{container.Monitor.Pid}/smaps_rollup").Where(l => l.StartsWith("Private_", StringComparison.Ordinal)).Sum(l => int.Parse(l.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1]));
        Assert.InRange(memory, 1, 200);
    }

    [Fact]
    public void A_container_is_killed_when_its_time_is_over()
    {
        using var container = new Monitored();
        container.Run("sleep 100", container.Options(timeout: 1));
        container.AwaitMonitor();
        Assert.StartsWith("0 9 ", container.Exit);
    }

    [Fact]
    public void Checks_of_health_follow_one_another_until_the_end()
    {
        using var container = new Monitored();
        var checks = container.Path + "/checks";
        container.Run($"while [ ! -e {checks} ] || [ $(wc -l < {checks}) -lt 4 ]; do sleep 0.05; done",
            container.Options(health: new HealthTimer(60_000, 20, 40, ["sh", "-c", $"echo >> {checks}; [ $(wc -l < {checks}) -gt 2 ]"])));
        container.AwaitMonitor();
        Assert.InRange(File.ReadAllLines(checks).Length, 4, 1000);
    }
}
