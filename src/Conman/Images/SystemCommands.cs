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

    public static List<Command> All(ManagerContext context) =>
    [
        new("df", "", "Show what is on the disk, as du counts it", [new("format", "table, json or a Go template", "FORMAT")],
            arguments =>
            {
                using var store = context.OpenStore();
                var blobs = Trees.Measure(store.Root.Number, "blobs") + Trees.Measure(store.Root.Number, "images");
                var layers = Trees.Measure(store.Root.Number, "layers");
                var partial = Trees.Measure(store.Root.Number, "ingest");
                List<JsonObject> rows =
                [
                    Row("Images", store.Images.All([]).Select(r => r.Id).Distinct().Count(), blobs),
                    Row("Layers", store.Layers.All().Count(), layers),
                    Row("Unfinished downloads", Math.Max(0, (int)partial.Inodes - 1), partial),
                ];
                Table.Write(rows, arguments.Get("format"), null, [new("TYPE", "Type"), new("TOTAL", "TotalCount"), new("SIZE", "Size")], Headings);
                return 0;
            }) { Count = (0, 0) },
    ];

    private static JsonObject Row(string type, int count, DiskUse use) => new()
    {
        ["Type"] = type,
        ["TotalCount"] = (long)count,
        ["Size"] = Humane.Size(use.Bytes),
        ["Bytes"] = use.Bytes,
        ["Inodes"] = use.Inodes,
    };
}
