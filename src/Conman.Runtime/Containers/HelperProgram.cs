// Programs of the host that the runtime needs: found in its own PATH, run by conman-init, killed with the runtime.

using System.Text;
using Conman.Linux;
using Conman.Runtime.Plans;

namespace Conman.Runtime.Containers;

/// <summary>Another program, its output collected.</summary>
internal static class HelperProgram
{
    private const string UsualPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

    /// <summary>PATH of the runtime.</summary>
    public static string SearchPath => Environment.GetEnvironmentVariable("PATH") is { Length: > 0 } path ? path : UsualPath;

    /// <summary>Runs a program to its end.</summary>
    /// <returns>Null if it ended well; else what it said, or why it could not be run.</returns>
    public static string? TryRun(string name, List<string> arguments)
    {
        var plan = new Plan();
        plan.Add(new DieWithRuntime());
        plan.Add(new Sync(SyncPoint.Reborn));
        plan.Add(Find(name));
        plan.Add(new CloseDescriptors(3));
        plan.Add(new Execute([name, .. arguments], []));
        using var input = Files.Memory("nothing");
        using var output = Files.Memory(name);
        try
        {
            var exit = Run(plan, [], null, (input.Number, output.Number, output.Number), -1);
            return exit is { Status: 0, Signal: 0 } ? null : Text(output) is { Length: > 0 } text ? text : $"exit status {exit!.Value.Code}";
        }
        catch (RuntimeException e)
        {
            return e.Message;
        }
    }

    /// <summary>Looks for a program in the runtime's own PATH.</summary>
    public static FindProgram Find(string name)
    {
        var candidates = new List<string>();
        foreach (var directory in SearchPath.Split(':', StringSplitOptions.RemoveEmptyEntries))
            candidates.Add(directory + "/" + name);
        return new FindProgram(name, candidates, OnPath: true);
    }

    /// <summary>Runs a plan that waits once and ends with a program, to that program's end.</summary>
    /// <param name="keep">Descriptors that conman-init needs.</param>
    /// <param name="timeout">Milliseconds after which it is killed; -1: never.</param>
    /// <returns>Null where it was killed for its time.</returns>
    public static Exit? Run(Plan plan, IEnumerable<int> keep, FileDescriptor? pidNamespace, (int, int, int) streams, int timeout)
    {
        using var init = InitProcess.Start(plan, keep, null, pidNamespace, streams);
        try
        {
            init.Advance();
            init.GoAndFinish();
        }
        catch
        {
            init.Process.Wait(); // reaped in any case: a pid namespace does not end while a process of it is unreaped, and its init waits for that
            throw;
        }
        return Wait(init.Process, timeout);
    }

    /// <summary>Waits for the end of a process.</summary>
    /// <param name="timeout">Milliseconds after which it is killed; -1: never.</param>
    /// <returns>Null where it was killed for its time.</returns>
    public static Exit? Wait(ProcessHandle process, int timeout)
    {
        var inTime = Waiting.Readable(process.Descriptor, timeout);
        if (!inTime)
            process.TrySignal(Signals.SIGKILL);
        var exit = process.Wait();
        return inTime ? exit : null;
    }

    /// <summary>What was written to a memfd, its first page, as one line.</summary>
    public static string Text(FileDescriptor file)
    {
        Files.Rewind(file);
        var buffer = new byte[4096];
        var n = Files.Read(file.Number, buffer, "output");
        return Encoding.UTF8.GetString(buffer, 0, n).Trim().Replace("\n", "\\n");
    }
}
