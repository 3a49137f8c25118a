// What history prints: the steps that an image was made in, the last first.

using System.Globalization;
using System.Text.Json.Nodes;
using Conman.Formatting;
using Conman.Images.Store;

namespace Conman;

internal static class ImageHistory
{
    private const int ShownLength = 45;

    public static List<JsonObject> Rows(ImageStore store, FoundImage found, bool human, bool whole)
    {
        var image = ImageDocuments.Image(store, found.Record);
        var chain = ImageDocuments.ChainIds(image);
        var steps = image.History ?? [];
        var rows = new List<JsonObject>();
        var now = DateTimeOffset.UtcNow;
        var layer = 0;
        foreach (var step in steps)
        {
            var size = step.EmptyLayer || layer >= chain.Length ? 0 : store.Layers.Find(chain[layer++])?.Size ?? 0;
            var by = (step.CreatedBy ?? "").Replace('\t', ' ');
            var time = ImageView.Time(step.Created);
            rows.Add(new JsonObject
            {
                ["Comment"] = step.Comment ?? "",
                ["CreatedAt"] = time?.ToString("yyyy-MM-ddTHH:mm:ssK", CultureInfo.InvariantCulture) ?? "N/A",
                ["CreatedBy"] = whole || by.Length <= ShownLength ? by : by[..(ShownLength - 1)] + "…",
                ["CreatedSince"] = human ? Humane.Ago(time, now) : time?.ToString("yyyy-MM-ddTHH:mm:ssK", CultureInfo.InvariantCulture) ?? "N/A",
                ["ID"] = "<missing>",
                ["Size"] = human ? Humane.Size(size) : size.ToString(CultureInfo.InvariantCulture),
            });
        }
        if (rows.Count > 0)
            rows[^1]["ID"] = whole ? found.Id.ToString() : found.Id.Short;
        rows.Reverse();
        return rows;
    }
}
