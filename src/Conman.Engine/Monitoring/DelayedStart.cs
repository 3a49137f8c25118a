// A start that waits: a few kilobytes that sleep and then become conman.

using Conman.Linux;

namespace Conman.Engine.Monitoring;

/// <summary>conman-init's role "later" (native/reaper.c).</summary>
public static class DelayedStart
{
    /// <summary>This process becomes the sleeper, under its pid, and after that conman with these arguments.</summary>
    /// <param name="arguments">The program's name first.</param>
    /// <exception cref="EngineException">It cannot; it does not return otherwise.</exception>
    public static void Become(int milliseconds, ReadOnlySpan<string> arguments, ReadOnlySpan<string> environment)
    {
        using var helper = Processes.Helper();
        using var program = Files.Open("/proc/self/exe", OpenFlags.ReadOnly);
        Processes.KeepAcrossExecution(program);
        var errno = Processes.TryExecute(helper, ["conman-later", "later", milliseconds.ToString(), program.Number.ToString(), .. arguments], environment);
        throw new EngineException($"cannot wait for the next start: {LinuxException.Describe(errno)}");
    }
}
