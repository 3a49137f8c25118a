// conman system: what the store takes on the disk, and getting rid of what is not used.

using System.Text.Json.Nodes;
using Conman.CommandLine;
using Conman.Formatting;
using Conman.Images.Store;
using Conman.Linux;

namespace Conman;

internal static class SystemCommands
{
    private static readonly Dictionary<string, string> Headings = new()
    {
        ["Type"] = "TYPE", ["TotalCount"] = "TOTAL", ["Active"] = "ACTIVE", ["Size"] = "SIZE", ["Reclaimable"] = "RECLAIMABLE",
    };

    public static List<Command> All(ManagerContext context) => [DiskUsage(context), Prune(context)];

    private static Command DiskUsage(ManagerContext context) => new("df", "", "Show what is on the disk, as du counts it",
        [new("format", "table, json or a Go template", "FORMAT"), new("verbose", "a line for each image", Short: 'v')],
        arguments =>
        {
            using var store = context.OpenStore();
            if (arguments.Has("verbose"))
            {
                if (arguments.Get("format") is not null)
                    throw new UsageException("--verbose and --format exclude each other");
                EachImage(store);
                return 0;
            }
            var use = StoreUse.Measure(store);
            Table.Write([Row("Images", use.Images, use.ActiveImages, use.Total - use.Partial, use.Reclaimable - use.Partial), Row("Unfinished downloads", use.Downloads, 0, use.Partial, use.Partial)],
                arguments.Get("format"), null,
                [new("TYPE", "Type"), new("TOTAL", "TotalCount"), new("ACTIVE", "Active"), new("SIZE", "Size"), new("RECLAIMABLE", "Reclaimable")], Headings);
            return 0;
        }) { Count = (0, 0) };

    private static void EachImage(ImageStore store)
    {
        var now = DateTimeOffset.UtcNow;
        var containers = store.Uses().CountBy(use => use.Image).ToDictionary();
        var uses = StoreUse.OfImages(store);
        var rows = new List<JsonObject>();
        foreach (var record in store.Images.All())
        {
            var row = ImageView.Row(record, now, whole: false);
            var (own, shared) = uses[record.Id];
            row["UniqueSize"] = Humane.Size(own);
            row["SharedSize"] = Humane.Size(shared);
            row["Size"] = Humane.Size(own + shared);
            row["Containers"] = (long)containers.GetValueOrDefault(record.Id);
            rows.Add(row);
        }
        Table.Write(rows, null, null, [new("REPOSITORY", "Repository"), new("TAG", "Tag"), new("IMAGE ID", "ID"), new("CREATED", "CreatedSince"), new("SIZE", "Size"), new("SHARED SIZE", "SharedSize"),
            new("UNIQUE SIZE", "UniqueSize"), new("CONTAINERS", "Containers")], Headings);
    }

    private static Command Prune(ManagerContext context) => new("prune", "", "Remove what is not used: images without a tag, and what killed commands left",
        [
            new("all", "every image that no container uses", Short: 'a'),
            new("filter", "only those with label=KEY[=VALUE], label!=KEY[=VALUE] or until=TIME", "FILTER", Repeats: true),
            new("force", "do not ask", Short: 'f'),
        ],
        ImageCommands.Prune(context).Run) { Count = (0, 0) };

    private static JsonObject Row(string type, int count, int active, DiskUse use, DiskUse reclaimable) => new()
    {
        ["Type"] = type,
        ["TotalCount"] = (long)count,
        ["Active"] = (long)active,
        ["Size"] = Humane.Size(use.Bytes),
        ["Reclaimable"] = Humane.Size(reclaimable.Bytes) + (use.Bytes > 0 ? $" ({100 * reclaimable.Bytes / use.Bytes}%)" : ""),
        ["Bytes"] = use.Bytes,
        ["Inodes"] = use.Inodes,
    };
}
