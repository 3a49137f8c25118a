// A start that waits: a few kilobytes that sleep and then become conman.

using Conman.Linux;

namespace Conman.Engine.Monitoring;

/// <summary>conman-init's role "later" (native/reaper.c).</summary>
public static class DelayedStart
{
    /// <summary>This process becomes the sleeper, under its pid, and after that conman with these arguments.</summary>
    /// <param name="arguments">The program's name first.</param>
    /// <param name="early">What ends the wait before its time, when it is readable; null: nothing does.</param>
    /// <exception cref="EngineException">It cannot; it does not return otherwise.</exception>
    public static void Become(int milliseconds, ReadOnlySpan<string> arguments, ReadOnlySpan<string> environment, FileDescriptor? early = null)
    {
        using var helper = Processes.Helper();
        using var program = Files.Open("/proc/self/exe", OpenFlags.ReadOnly);
        Processes.KeepAcrossExecution(program);
        var errno = Processes.TryExecute(helper, Words(milliseconds, program, early, arguments), environment);
        throw new EngineException($"cannot wait for the next start: {LinuxException.Describe(errno)}");
    }

    /// <summary>Starts such a sleeper as a process of its own, which outlives this one.</summary>
    /// <param name="keep">Descriptors that it has besides.</param>
    /// <returns>Its pid.</returns>
    public static int Launch(int milliseconds, ReadOnlySpan<string> arguments, ReadOnlySpan<string> environment, FileDescriptor early, FileDescriptor keep)
    {
        using var helper = Processes.Helper();
        using var program = Files.Open("/proc/self/exe", OpenFlags.ReadOnly);
        using var nothing = Files.Open("/dev/null", OpenFlags.ReadWrite);
        using var home = Monitor.TryOpenHome();
        Processes.KeepInherited();
        var options = new SpawnOptions { StandardStreams = (nothing.Number, nothing.Number, nothing.Number), Cgroup = home };
        options.Keep.AddRange([program.Number, early.Number, keep.Number]);
        using var process = Processes.Spawn(helper, Words(milliseconds, program, early, arguments), environment, options);
        return process.Pid;
    }

    private static string[] Words(int milliseconds, FileDescriptor program, FileDescriptor? early, ReadOnlySpan<string> arguments) =>
        ["conman-later", "later", milliseconds.ToString(), program.Number.ToString(), ((early?.Number ?? -1) + 1).ToString(), .. arguments];
}
