// ps: the containers, and what they are doing.

using System.Text.Json.Nodes;
using Conman.CommandLine;
using Conman.Engine;
using Conman.Engine.Store;
using Conman.Formatting;

namespace Conman;

internal static class ListCommand
{
    private static readonly Column[] Listed =
    [
        new("CONTAINER ID", "ID"), new("IMAGE", "Image"), new("COMMAND", "Command"), new("CREATED", "RunningFor"), new("STATUS", "Status"), new("PORTS", "Ports"), new("NAMES", "Names"),
    ];

    private static readonly Dictionary<string, string> Headings = new()
    {
        ["ID"] = "CONTAINER ID", ["Image"] = "IMAGE", ["Command"] = "COMMAND", ["CreatedAt"] = "CREATED AT", ["RunningFor"] = "CREATED", ["Status"] = "STATUS", ["State"] = "STATE",
        ["Ports"] = "PORTS", ["Names"] = "NAMES", ["Size"] = "SIZE", ["Labels"] = "LABELS", ["Mounts"] = "MOUNTS", ["Networks"] = "NETWORKS", ["LocalVolumes"] = "LOCAL VOLUMES",
        ["ExitCode"] = "EXIT CODE", ["Pod"] = "POD",
    };

    public static Command Of(ManagerContext context, string name) => new(name, "", "List containers",
        [
            new("all", "also those that do not run", Short: 'a'),
            new("filter", "only those with id, name, label, status, exited, ancestor, before, since, volume, network, health or pod = VALUE", "FILTER", 'f', Repeats: true),
            new("format", "table, json or a Go template", "FORMAT"),
            new("last", "the N created last, running or not", "N", 'n'),
            new("latest", "the one created last, running or not", Short: 'l'),
            new("no-trunc", "show whole ids and commands"),
            new("noheading", "no line of headings"),
            new("quiet", "show ids only", Short: 'q'),
            new("size", "show what they wrote", Short: 's'),
        ],
        arguments =>
        {
            var engine = context.Engine;
            var filters = new ContainerFilters(engine, arguments.All("filter"));
            var last = arguments.Has("latest") ? 1 : arguments.Number("last", 0);
            var all = arguments.Has("all") || filters.AsksForStatus || last > 0;
            var now = DateTimeOffset.UtcNow;
            var whole = arguments.Has("no-trunc");
            var size = arguments.Has("size") || (arguments.Get("format")?.Contains(".Size", StringComparison.Ordinal) ?? false);
            var rows = new List<(string Created, JsonObject Row)>();
            foreach (var id in engine.Containers.Ids())
            {
                using var container = engine.Containers.TryOpen(id);
                if (container is null || container.Record?.Holds is not null)
                    continue; // `pod ps` lists those
                var status = ContainerView.Status(engine, container);
                if ((all || status is ContainerStatus.Running or ContainerStatus.Paused or ContainerStatus.Restarting) && filters.Pass(container, status))
                    rows.Add((container.Record?.Created ?? "", ContainerView.Row(engine, container, status, now, whole, size)));
            }
            // The newest first; their times are texts of one form.
            rows.Sort(static (a, b) => string.CompareOrdinal(b.Created, a.Created));
            if (last > 0 && rows.Count > last)
                rows.RemoveRange(last, rows.Count - last);
            Column[] columns = size ? [.. Listed, new("SIZE", "Size")] : Listed;
            Table.Write(rows.ConvertAll(r => r.Row), arguments.Get("format"), arguments.Has("quiet") ? "ID" : null, columns, Headings, headless: arguments.Has("noheading"));
            return 0;
        }) { Count = (0, 0) };
}
