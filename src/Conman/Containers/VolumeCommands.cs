// The commands on volumes: `conman volume …`.

using System.Text.Json.Nodes;
using Conman.CommandLine;
using Conman.Engine;
using Conman.Engine.Volumes;
using Conman.Formatting;
using Conman.Linux;

namespace Conman;

internal static class VolumeCommands
{
    private static readonly Column[] Listed = [new("DRIVER", "Driver"), new("VOLUME NAME", "Name")];

    private static readonly Dictionary<string, string> Headings = new()
    {
        ["Name"] = "VOLUME NAME", ["Driver"] = "DRIVER", ["Scope"] = "SCOPE", ["Mountpoint"] = "MOUNTPOINT", ["Labels"] = "LABELS", ["Links"] = "LINKS", ["Size"] = "SIZE",
    };

    public static List<Command> OfGroup(ManagerContext context) =>
        [Create(context), List(context, "ls"), List(context, "list"), Inspect(context), Remove(context, "rm"), Remove(context, "remove"), Prune(context), Exists(context)];

    /// <summary>What inspect shows of a volume, or null.</summary>
    public static JsonObject? TryInspect(ContainerEngine engine, string name)
    {
        try
        {
            return engine.Volumes.TryFind(name) is { } volume ? Shown(volume) : null;
        }
        catch (EngineException)
        {
            return null; // it could not be a name
        }
    }

    private static Command Create(ManagerContext context) => new("create", "[VOLUME]", "Create a volume",
        [
            new("driver", "local", "DRIVER", 'd'),
            new("label", "a label", "KEY[=VALUE]", 'l', Repeats: true),
            new("opt", "type, device or o: a file system that is mounted in place of a folder", "NAME=VALUE", 'o', Repeats: true),
        ],
        arguments =>
        {
            if (arguments.Get("driver") is { } driver and not "local")
                throw new UsageException($"--driver {driver}: the only driver is local");
            Dictionary<string, string>? labels = null, options = null;
            foreach (var label in arguments.All("label"))
                EnvironmentValues.Label("label", label, ref labels);
            foreach (var option in arguments.All("opt"))
                EnvironmentValues.Pair("opt", option, ref options);
            var named = arguments.Words.Count > 0;
            var volume = context.Engine.Volumes.Create(named ? arguments.Words[0] : Engine.Store.ContainerNames.NewId(), labels, options, anonymous: !named, out _);
            Output.Write(volume.Name + "\n");
            return 0;
        }) { Count = (0, 1) };

    private static Command List(ManagerContext context, string name) => new(name, "", "List volumes",
        [
            new("filter", "only those with dangling=BOOL, driver=DRIVER, label=KEY[=VALUE] or name=PART", "FILTER", 'f', Repeats: true),
            new("format", "table, json or a Go template", "FORMAT"),
            new("quiet", "show names only", Short: 'q'),
        ],
        arguments =>
        {
            var engine = context.Engine;
            var volumes = Filter(engine, engine.Volumes.All(), arguments.All("filter"));
            Table.Write(volumes.ConvertAll(Row), arguments.Get("format"), arguments.Has("quiet") ? "Name" : null, Listed, Headings);
            return 0;
        }) { Count = (0, 0) };

    private static Command Inspect(ManagerContext context) => new("inspect", "VOLUME...", "Show everything that is known of volumes", [new("format", "json or a Go template", "FORMAT", 'f')],
        arguments => Inspected.Show(arguments.Words, word => TryInspect(context.Engine, word), arguments.Get("format"), words => "no such volume: " + words)) { Count = (1, int.MaxValue) };

    private static Command Remove(ManagerContext context, string name) => new(name, "VOLUME...", "Remove volumes that no container has",
        [new("force", "one that is not there is no error", Short: 'f')],
        arguments =>
        {
            var store = context.Engine.Volumes;
            var users = VolumeUsers.Of(context.Engine);
            var failed = 0;
            foreach (var word in arguments.Words)
            {
                try
                {
                    if (users.TryGetValue(word, out var ids))
                        throw new EngineException($"remove {word}: volume is in use - [{string.Join(", ", ids)}]");
                    store.Remove(word);
                    Output.Write(word + "\n");
                }
                catch (NoSuchVolumeException) when (arguments.Has("force"))
                {
                    Output.Write(word + "\n");
                }
                catch (Exception e) when (e is EngineException or LinuxException)
                {
                    Output.Error($"conman: {e.Message}");
                    failed = 1;
                }
            }
            return failed;
        }) { Count = (1, int.MaxValue) };

    private static Command Prune(ManagerContext context) => new("prune", "", "Remove volumes that no container has and nobody named",
        [
            new("all", "those that have a name too", Short: 'a'),
            new("filter", "only those with label=KEY[=VALUE], label!=KEY[=VALUE], name=PART or all=BOOL", "FILTER", Repeats: true),
            new("force", "do not ask", Short: 'f'),
        ],
        arguments =>
        {
            var filters = arguments.All("filter");
            var all = arguments.Has("all") || filters.Exists(f => f.StartsWith("all=", StringComparison.Ordinal) && Arguments.Truth(f[4..]) == true);
            filters.RemoveAll(f => f.StartsWith("all=", StringComparison.Ordinal));
            if (!arguments.Has("force") && !Prompt.Confirms($"WARNING! This will remove {(all ? "all" : "anonymous local")} volumes not used by at least one container."))
                return 0;
            Output.Write($"Total reclaimed space: {Humane.Size(RemoveUnused(context.Engine, all, filters))}\n");
            return 0;
        }) { Count = (0, 0) };

    /// <summary>Removes volumes that no container has; tells of each, and returns the bytes that they took.</summary>
    /// <param name="all">Those that somebody named as well.</param>
    public static long RemoveUnused(ContainerEngine engine, bool all, List<string> filters)
    {
        var users = VolumeUsers.Of(engine);
        var freed = 0L;
        var removed = new List<string>();
        foreach (var volume in Filter(engine, engine.Volumes.All(), filters))
        {
            if (users.ContainsKey(volume.Name) || !(all || volume.Record.Anonymous))
                continue;
            freed += VolumeStore.Size(volume);
            engine.Volumes.Remove(volume.Name);
            removed.Add(volume.Name);
        }
        if (removed.Count > 0)
            Output.Write("Deleted Volumes:\n" + string.Join('\n', removed) + "\n\n");
        return freed;
    }

    private static Command Exists(ManagerContext context) => new("exists", "VOLUME", "Exit with 0 if a volume exists, else with 1", [],
        arguments => TryInspect(context.Engine, arguments.Words[0]) is null ? 1 : 0);

    // Several values of one kind are alternatives, except of labels.
    private static List<Volume> Filter(ContainerEngine engine, List<Volume> volumes, List<string> filters)
    {
        Dictionary<string, List<string>>? users = null;
        var names = new List<string>();
        foreach (var filter in filters)
        {
            var equals = filter.IndexOf('=');
            if (equals <= 0)
                throw new UsageException($"--filter {filter}: KEY=VALUE is expected");
            var (key, value) = (filter[..equals], filter[(equals + 1)..]);
            switch (key)
            {
                case "name": names.Add(value); break;
                case "driver": volumes = volumes.FindAll(_ => value == "local"); break;
                case "label": volumes = volumes.FindAll(v => HasLabel(v, value)); break;
                case "label!": volumes = volumes.FindAll(v => !HasLabel(v, value)); break;
                case "dangling":
                    var wanted = Arguments.Truth(value) ?? throw new UsageException($"--filter {filter}: true or false is expected");
                    users ??= VolumeUsers.Of(engine);
                    volumes = volumes.FindAll(v => users.ContainsKey(v.Name) != wanted);
                    break;
                default: throw new UsageException($"--filter {key}: there is no such filter");
            }
        }
        return names.Count == 0 ? volumes : volumes.FindAll(v => names.Exists(n => v.Name.Contains(n, StringComparison.Ordinal)));
    }

    private static bool HasLabel(Volume volume, string label)
    {
        var equals = label.IndexOf('=');
        return volume.Record.Labels is { } labels && labels.TryGetValue(equals < 0 ? label : label[..equals], out var value) && (equals < 0 || value == label[(equals + 1)..]);
    }

    private static JsonObject Row(Volume volume) => new()
    {
        ["Driver"] = "local", ["Name"] = volume.Name, ["Scope"] = "local", ["Mountpoint"] = volume.Data, ["Links"] = "N/A", ["Size"] = "N/A",
        ["Labels"] = string.Join(',', (volume.Record.Labels ?? []).Select(l => l.Key + "=" + l.Value)),
    };

    private static JsonObject Shown(Volume volume) => new()
    {
        ["CreatedAt"] = volume.Record.CreatedAt, ["Driver"] = "local", ["Labels"] = Map(volume.Record.Labels), ["Mountpoint"] = volume.Data, ["Name"] = volume.Name,
        ["Options"] = Map(volume.Record.Options), ["Scope"] = "local",
    };

    private static JsonObject? Map(Dictionary<string, string>? pairs)
    {
        if (pairs is null)
            return null;
        var map = new JsonObject();
        foreach (var (key, value) in pairs)
            map[key] = value;
        return map;
    }
}
