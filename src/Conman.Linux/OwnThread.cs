// A thread for what changes the thread that does it for good: its namespaces.

using System.Runtime.ExceptionServices;

namespace Conman.Linux;

public static class OwnThread
{
    /// <summary>Does something on a thread that ends with it, and waits; what it throws is thrown here.</summary>
    public static T Run<T>(Func<T> act)
    {
        T result = default!;
        Exception? failure = null;
        var thread = new Thread(() =>
        {
            try
            {
                result = act();
            }
            catch (Exception e)
            {
                failure = e;
            }
        });
        thread.Start();
        thread.Join();
        if (failure is not null)
            ExceptionDispatchInfo.Throw(failure);
        return result;
    }
}
