// One health check: a command in the container, and what follows from how it ends. The monitor of the container calls for it by its clock.

using System.Text;
using Conman.Engine.Store;
using Conman.Linux;
using Conman.Runtime;
using Conman.Runtime.Containers;
using Container = Conman.Engine.Store.Container;
using OciContainer = Conman.Runtime.Containers.Container;

namespace Conman.Engine.Life;

public static class HealthCheck
{
    private const long Second = 1_000_000_000;
    private const int DefaultRetries = 3, MostOutput = 4096, Remembered = 5;

    /// <summary>Nanoseconds between checks, and of the first checks while a container starts.</summary>
    public const long DefaultInterval = 30 * Second, DefaultTimeout = 30 * Second, DefaultStartInterval = 5 * Second;

    /// <summary>Checks a container that runs; its health after that.</summary>
    /// <exception cref="EngineException">It has no check, or does not run.</exception>
    public static HealthState Run(ContainerEngine engine, string id)
    {
        StoredContainer record;
        string? started;
        using (var container = engine.Containers.Open(id))
        {
            record = container.NeedRecord();
            started = container.State.StartedAt;
            if (!HealthState.HasCheck(record))
                throw new EngineException($"container {record.Name} has no health check");
            if (container.Init is null)
                throw new EngineException($"container {record.Name} is not running");
        }
        var check = record.Config!.Healthcheck!;
        var begin = Time.Now;
        var (code, output) = Execute(engine, id, Command(record), check.Timeout is > 0 and var timeout ? timeout : DefaultTimeout);
        var result = new HealthResult { Start = begin, End = Time.Now, ExitCode = code, Output = output };

        using var locked = engine.Containers.OpenLocked(id);
        if (locked.Init is null || locked.State.StartedAt != started)
            throw new EngineException($"container {record.Name} is not running");
        var state = HealthState.Read(locked) ?? new HealthState();
        var before = state.Status;
        (state.Log ??= []).Add(result);
        if (state.Log.Count > Remembered)
            state.Log.RemoveAt(0);
        Judge(state, code, InStartPeriod(check.StartPeriod ?? 0, started), check.Retries is > 0 and var retries ? retries : DefaultRetries);
        state.Write(locked);
        if (state.Status != before)
            engine.Tell(locked, "health_status: " + state.Status);
        if (state.Status == "unhealthy" && before != "unhealthy")
            Act(engine, locked, record.Config.HealthcheckOnFailureAction);
        return state;
    }

    private static void Judge(HealthState state, int code, bool starting, int retries)
    {
        if (code == 0)
        {
            (state.Status, state.FailingStreak) = ("healthy", 0);
        }
        else if (!(starting && state.Status == "starting")) // what fails while it starts counts for nothing
        {
            state.FailingStreak++;
            if (state.FailingStreak >= retries)
                state.Status = "unhealthy";
        }
    }

    private static bool InStartPeriod(long period, string? started) =>
        period > 0 && Time.Parse(started) is { } at && (DateTimeOffset.UtcNow - at).TotalMilliseconds * 1_000_000 < period;

    private static List<string> Command(StoredContainer record) => record.Config!.Healthcheck!.Test! switch
    {
        ["CMD", .. var command] => command,
        ["CMD-SHELL", var line] => [.. record.Config.Shell ?? ["/bin/sh", "-c"], line],
        var other => throw new EngineException($"health check of container {record.Name}: {other[0]} is neither CMD nor CMD-SHELL"),
    };

    private static (int Code, string Output) Execute(ContainerEngine engine, string id, List<string> command, long timeout)
    {
        using var runtime = OciContainer.Open(engine.RuntimeRoot, id);
        var process = runtime.TryReadSpec()?.Process ?? throw new EngineException($"container {id} is not running");
        (process.Args, process.Terminal) = (command, false);
        using var output = Files.Memory("health");
        using var none = Files.Open("/dev/null", OpenFlags.ReadOnly);
        try
        {
            using var started = Execution.Start(runtime, new ExecRequest { Process = process, Streams = (none.Number, output.Number, output.Number) });
            if (!Waiting.Readable(started.Descriptor, (int)Math.Min(timeout / 1_000_000, int.MaxValue)))
            {
                started.TrySignal(Signals.SIGKILL);
                started.Wait();
                return (-1, $"Health check exceeded timeout ({timeout / 1_000_000} ms)");
            }
            var code = started.Wait().Code;
            Files.Rewind(output);
            var bytes = new byte[MostOutput];
            return (code, Encoding.UTF8.GetString(bytes.AsSpan(0, Files.Read(output.Number, bytes, "the output of the check"))));
        }
        catch (RuntimeException e)
        {
            return (-1, e.Message);
        }
    }

    private static void Act(ContainerEngine engine, Container container, string action)
    {
        switch (action)
        {
            case "kill":
                Stopping.Signal(engine, container, Signals.SIGKILL); // its restart policy decides what then
                break;
            case "stop":
                Stopping.Begin(engine, container);
                break;
            case "restart":
                container.State.RestartWanted = true;
                container.WriteState();
                Stopping.Signal(engine, container, Signals.SIGKILL);
                break;
        }
    }
}
