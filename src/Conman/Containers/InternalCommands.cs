// What monitors call by themselves: words that no person types, and no help shows.

using Conman.Engine;
using Conman.Engine.Life;
using Conman.Engine.Monitoring;
using Conman.Engine.Networking;

namespace Conman;

internal static class InternalCommands
{
    /// <summary>Runs one: <c>WORD ROOT RUNROOT ID</c>; its exit code.</summary>
    public static int Run(string[] args)
    {
        using var engine = new ContainerEngine(args[1], args[2]);
        var id = args[3];
        try
        {
            if (args[0] == MonitorSettings.HealthWord)
            {
                HealthCheck.Run(engine, id);
                return 0;
            }
            if (args[0] == RulesKeeper.Word)
            {
                RulesKeeper.Run(engine, id);
                return 0;
            }
            int? delay;
            using (var container = engine.Containers.TryOpenLocked(id))
                delay = container is null ? null : args[0] == MonitorSettings.ExitWord ? Ending.Settle(engine, container) : Starting.Restart(engine, container);
            if (delay is { } milliseconds)
                DelayedStart.Become(milliseconds, MonitorSettings.Command(engine, MonitorSettings.RestartWord, id), MonitorSettings.Environment);
            return 0;
        }
        catch (Exception)
        {
            return 1; // there is nobody to tell: what is wrong the next command will find
        }
    }
}
