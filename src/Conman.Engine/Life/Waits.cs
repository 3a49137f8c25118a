// wait: a container's end, and its exit code, also of one that is removed when it ends.

using Conman.Engine.Store;
using Conman.Linux;

namespace Conman.Engine.Life;

public static class Waits
{
    /// <summary>Waits until a container does not run, and returns its exit code.</summary>
    public static int ForExit(ContainerEngine engine, string id)
    {
        using (var container = engine.Containers.TryOpen(id) ?? throw new NoSuchContainerException(id))
        {
            // Its monitor tells whoever is connected, before anything is removed.
            if (container.Init is { } init && container.RunFolder is { } run && Monitoring.AttachClient.TryAwaitExit(run) is { } exit)
                return exit.Code;
            if (container.Init is { } again)
            {
                using var process = Processes.TryOpen(again.Pid, again.StartTime);
                if (process is not null)
                    Waiting.Readable(process, -1);
            }
        }
        Stopping.AwaitSettled(engine, id);
        using var ended = engine.Containers.TryOpen(id);
        return ended?.State.ExitCode ?? 0;
    }
}
