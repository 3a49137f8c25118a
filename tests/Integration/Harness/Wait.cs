// Waiting for a condition, with a deadline that only a broken runtime ever meets. Nothing here, and nothing in
// the tests, measures time.
using System.Diagnostics;

namespace Conman.Integration.Tests;

internal static class Wait
{
    public static readonly TimeSpan Deadline = TimeSpan.FromSeconds(20);

    /// <summary>Polls until <paramref name="condition"/> holds; fails the test with <paramref name="what"/> if it never does.</summary>
    public static void Until(Func<bool> condition, string what)
    {
        long start = Stopwatch.GetTimestamp();
        while (!condition())
        {
            if (Stopwatch.GetElapsedTime(start) > Deadline)
                Assert.Fail($"waited {Deadline.TotalSeconds} s in vain: {what}");
            Thread.Sleep(2);
        }
    }

    /// <summary>Waits until the process has ended. A pid that names no process has.</summary>
    public static void ForExit(int pid)
    {
        int fd = Libc.pidfd_open(pid);
        if (fd < 0)
            return;
        try
        {
            Assert.True(ForInput(fd), $"process {pid} does not end");
        }
        finally
        {
            _ = Libc.close(fd);
        }
    }

    /// <summary>Waits until there is something to read (for a pidfd: until the process has ended).</summary>
    public static bool ForInput(int fd)
    {
        long start = Stopwatch.GetTimestamp();
        var poll = new Libc.PollFd { fd = fd, events = 1 };
        // A signal (a child has ended) cuts a poll short.
        while (Libc.poll(ref poll, 1, 1000) != 1)
        {
            if (Stopwatch.GetElapsedTime(start) > Deadline)
                return false;
        }
        return true;
    }
}
