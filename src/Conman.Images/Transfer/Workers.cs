// The same work for many things, on a few threads; the first failure ends it.

using System.Runtime.ExceptionServices;
using Conman.Linux;

namespace Conman.Images.Transfer;

internal sealed class Workers(int parallel)
{
    // Enough for blocking calls; the default is as much address space as a main thread's.
    private const int StackSize = 512 << 10;

    private Exception? _failure;

    /// <summary>What the first of them failed by; null so far. Who works long looks here now and then.</summary>
    public Exception? Failure => _failure;

    /// <summary>Does work 0 to <paramref name="count"/>, begun in this order, and throws the first failure when all threads have ended.</summary>
    public void Run(int count, Action<int> work)
    {
        var next = -1;
        var threads = new Thread[Math.Min(parallel, count)];
        for (var t = 0; t < threads.Length; t++)
        {
            threads[t] = new Thread(() =>
            {
                for (int i; _failure is null && (i = Interlocked.Increment(ref next)) < count;)
                    Try(work, i);
            }, StackSize) { IsBackground = true };
            threads[t].Start();
        }
        foreach (var thread in threads)
            thread.Join();
        if (_failure is not null)
            ExceptionDispatchInfo.Throw(_failure);
    }

    private void Try(Action<int> work, int i)
    {
        try
        {
            work(i);
        }
        catch (Exception e) when (e is ImageException or LinuxException)
        {
            Interlocked.CompareExchange(ref _failure, e, null);
        }
    }
}
