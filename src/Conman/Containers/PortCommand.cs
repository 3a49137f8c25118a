// port: where the ports of a container are published.

using System.Globalization;
using Conman.CommandLine;
using Conman.Engine;

namespace Conman;

internal static class PortCommand
{
    public static Command Of(ManagerContext context) => new("port", "CONTAINER [PORT[/PROTOCOL]]", "Show where the ports of a container are published",
        [new("all", "of all containers that run", Short: 'a')],
        arguments =>
        {
            var engine = context.Engine;
            var wanted = arguments.Words.Count > 1 ? arguments.Words[1].Contains('/') ? arguments.Words[1] : arguments.Words[1] + "/tcp" : null;
            foreach (var word in Targets.Of(engine, arguments.Words.Count > 1 ? [arguments.Words[0]] : arguments.Words, arguments.Has("all"), static c => c.Init is not null))
            {
                using var container = engine.Containers.Open(word);
                var published = NetworkView.Published(container).ToList();
                if (wanted is not null && published.RemoveAll(p => p.Port != wanted) >= 0 && published.Count == 0)
                    throw new EngineException($"no public port '{wanted}' published for {word}");
                foreach (var (port, ip, host) in published)
                    Output.Write((arguments.Has("all") ? container.ShortId + "\t" : "") + (wanted is null ? port + " -> " : "") + (ip.Contains(':') ? $"[{ip}]" : ip) + ":" + host.ToString(CultureInfo.InvariantCulture) + "\n");
            }
            return 0;
        }) { Count = (0, 2) };
}
