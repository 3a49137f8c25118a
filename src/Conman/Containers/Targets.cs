// Commands that take several containers: what fails for one does not keep the others from it.

using Conman.CommandLine;
using Conman.Engine;
using Conman.Engine.Store;
using Conman.Images;
using Conman.Linux;
using Conman.Runtime;

namespace Conman;

internal static class Targets
{
    /// <summary>Does something to each, prints its name as it was typed, and tells of the failures; the exit code.</summary>
    public static int Each(IEnumerable<string> words, Action<string> act, bool print = true)
    {
        var code = 0;
        foreach (var word in words)
        {
            try
            {
                act(word);
                if (print)
                    Output.Write(word + "\n");
            }
            catch (Exception e) when (e is EngineException or RuntimeException or LinuxException or ImageException or Network.NetworkException)
            {
                Output.Error($"conman: {e.Message}");
                code = 1;
            }
        }
        return code;
    }

    /// <summary>What was typed, or with <c>--all</c> the ids of all containers that are so.</summary>
    public static List<string> Of(ContainerEngine engine, List<string> words, bool all, Predicate<Container> so)
    {
        if (!all)
            return words.Count > 0 ? words : throw new CommandLine.UsageException("a container's name or id is needed, or --all");
        var ids = new List<string>();
        foreach (var id in engine.Containers.Ids())
        {
            using var container = engine.Containers.TryOpen(id);
            if (container is not null && container.Record?.Holds is null && so(container))
                ids.Add(id);
        }
        return ids;
    }
}
