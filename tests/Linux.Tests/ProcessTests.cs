// Processes by number and by pidfd.

using System.Diagnostics;

namespace Conman.Linux.Tests;

public sealed class ProcessTests : IDisposable
{
    private readonly Scratch _scratch = new();

    public void Dispose() => _scratch.Dispose();

    [Theory]
    [InlineData("a b")]
    [InlineData(") R 1 (")]
    [InlineData("x) Z 0 0 0")]
    [InlineData("((((")]
    [InlineData("a\nb) S")]
    public void A_process_is_read_whatever_it_calls_itself(string name)
    {
        var program = _scratch[name];
        File.Copy("/bin/sleep", program);
        using var process = Process.Start(new ProcessStartInfo(program, ["100"]))!;
        try
        {
            // Started, but perhaps not yet the program of that name.
            Assert.True(SpinWait.SpinUntil(() => File.ReadAllText($"/proc/{process.Id}/comm") == name + "\n", 10_000));
            Assert.True(SpinWait.SpinUntil(() => Processes.Stat(process.Id).State == 'S', 10_000));
            // By another way: the time since boot in ticks of a hundredth of a second.
            var sinceBoot = double.Parse(File.ReadAllText("/proc/uptime").Split(' ')[0]);
            Assert.InRange(Processes.StartTime(process.Id) / 100.0, sinceBoot - 30, sinceBoot + 0.1);
        }
        finally
        {
            process.Kill();
            process.WaitForExit();
        }
        Assert.Equal(default, Processes.Stat(process.Id));
    }

    [Fact]
    public void A_pid_alone_is_not_trusted()
    {
        using var process = Process.Start(new ProcessStartInfo("sleep", ["100"]))!;
        var started = Processes.StartTime(process.Id);
        using (var right = Processes.TryOpen(process.Id, started))
        {
            Assert.NotNull(right);
            Assert.Null(Processes.TryOpen(process.Id, started - 1));
            Assert.Null(Processes.TryOpen(process.Id, 0));
            Assert.False(Waiting.Readable(right, 0));
            Assert.Equal(0, Processes.TrySignal(right, 0));
            Assert.Equal(0, Processes.TrySignal(right, Signals.SIGKILL));
            Assert.True(Waiting.Readable(right, 10_000));
            process.WaitForExit();
            Assert.Equal(Errno.ESRCH, Processes.TrySignal(right, 0));
        }
        Assert.Null(Processes.TryOpen(process.Id, started));
        Assert.Null(Processes.TryOpen(int.MaxValue));
        Assert.Null(Processes.TryOpen(0));
        Assert.Null(Processes.TryOpen(-1));
    }

    [Fact]
    public void What_is_no_child_cannot_be_reaped()
    {
        using var init = Processes.TryOpen(1);
        Assert.Null(Processes.Reap(init!));
    }

    [Fact]
    public void An_exit_is_told_as_a_shell_tells_it()
    {
        Assert.Equal(3, new Exit(3, 0).Code);
        Assert.Equal(137, new Exit(0, Signals.SIGKILL).Code);
    }
}
