// top: the processes of a container, by the host's ps(1).

using Conman.CommandLine;
using Conman.Engine;
using OciContainer = Conman.Runtime.Containers.Container;

namespace Conman;

internal static class TopCommand
{
    public static Command Of(ManagerContext context) => new("top", "CONTAINER [PS-OPTION...]", "Show the processes of a container", [],
        arguments =>
        {
            var engine = context.Engine;
            using var container = engine.Containers.Open(arguments.Words[0]);
            using var runtime = container.Init is null ? null : OciContainer.TryOpen(engine.RuntimeRoot, container.Id);
            if (runtime is null)
                throw new EngineException($"container {container.NeedRecord().Name} is not running");
            ProcessTable.Write(runtime.AllProcesses(), arguments.Words.Count > 1 ? arguments.Words[1..] : ["-ef"]);
            return 0;
        }) { Count = (1, int.MaxValue), StopAfter = 1 };
}
