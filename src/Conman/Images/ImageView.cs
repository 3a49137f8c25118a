// Images in the shapes that Docker prints them in.

using System.Globalization;
using System.Text.Json.Nodes;
using Conman.Formatting;
using Conman.Images;
using Conman.Images.References;
using Conman.Images.Store;
using Conman.Oci.ImageSpec;

namespace Conman;

internal static class ImageView
{
    public static DateTimeOffset? Time(string? rfc3339) =>
        DateTimeOffset.TryParse(rfc3339, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var time) && time.Year > 1 ? time : null;

    /// <summary>As Docker lists a time: <c>2024-05-22 18:18:12 +0000 UTC</c>.</summary>
    public static string Listed(DateTimeOffset? time) => time?.UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss '+0000 UTC'", CultureInfo.InvariantCulture) ?? "N/A";

    /// <summary>The name as Docker shows it: without docker.io/library/.</summary>
    public static string Familiar(string name) => Images.References.ImageReference.Shorten(name);

    /// <summary>Names with a tag.</summary>
    public static IEnumerable<string> Tags(IEnumerable<ImageRecord> records) => records.Where(r => r.Tag is not null).Select(r => Familiar(r.Name!));

    /// <summary>Names with the digest that the registry has them under.</summary>
    public static IEnumerable<string> Digests(IEnumerable<ImageRecord> records) =>
        records.Where(r => r.Pulled).Select(r => $"{Familiar(r.Repository)}@{r.Target!.Digest}").Distinct();

    /// <summary>A row of <c>conman images</c>.</summary>
    public static JsonObject Row(ImageRecord record, DateTimeOffset now, bool whole) => new()
    {
        ["Containers"] = "N/A",
        ["CreatedAt"] = Listed(Time(record.Created)),
        ["CreatedSince"] = Humane.Ago(Time(record.Created), now),
        ["Digest"] = record.Pulled ? record.Target!.Digest : "<none>",
        ["ID"] = whole ? record.Id.ToString() : record.Id.Short,
        ["Repository"] = Familiar(record.Repository),
        ["SharedSize"] = "N/A",
        ["Size"] = Humane.Size(record.Size),
        ["Tag"] = record.Tag ?? "<none>",
        ["UniqueSize"] = "N/A",
        ["VirtualSize"] = Humane.Size(record.Size),
    };

    /// <summary>What <c>conman inspect</c> prints of an image.</summary>
    public static JsonObject Inspect(ImageStore store, FoundImage found)
    {
        var record = found.Record;
        var image = ImageDocuments.Image(store, record);
        var chain = ImageDocuments.ChainIds(image);
        return new JsonObject
        {
            ["Id"] = record.Id.ToString(),
            ["RepoTags"] = Json.List(Tags(found.Records)),
            ["RepoDigests"] = Json.List(Digests(found.Records)),
            ["Parent"] = "",
            ["Comment"] = image.History is [.., { Comment: { } comment }] ? comment : "",
            ["Created"] = image.Created ?? "",
            ["DockerVersion"] = "",
            ["Author"] = image.Author ?? "",
            ["Config"] = Config(image.Config ?? new ImageConfig()),
            ["Architecture"] = image.Architecture ?? "",
            ["Variant"] = image.Variant,
            ["Os"] = image.Os ?? "",
            ["Size"] = record.Size,
            ["GraphDriver"] = new JsonObject { ["Data"] = LayerFolders(store, chain), ["Name"] = "overlay2" },
            ["RootFS"] = new JsonObject { ["Type"] = "layers", ["Layers"] = Json.List(image.Rootfs?.DiffIds ?? []) },
            ["Metadata"] = new JsonObject { ["LastTagTime"] = record.Tagged ?? "0001-01-01T00:00:00Z" },
            ["Descriptor"] = new JsonObject { ["mediaType"] = record.Target!.MediaType, ["digest"] = record.Target.Digest, ["size"] = record.Target.Size },
        };
    }

    private static JsonObject LayerFolders(ImageStore store, Digest[] chain)
    {
        var folders = chain.Reverse().Select(id => $"{store.Path}/layers/{id.Hex}/diff").ToList();
        var data = new JsonObject();
        if (folders.Count > 0)
            data["UpperDir"] = folders[0];
        if (folders.Count > 1)
            data["LowerDir"] = string.Join(':', folders.Skip(1));
        return data;
    }

    private static JsonObject Config(ImageConfig config)
    {
        var shown = new JsonObject
        {
            ["Hostname"] = "",
            ["Domainname"] = "",
            ["User"] = config.User ?? "",
            ["AttachStdin"] = false,
            ["AttachStdout"] = false,
            ["AttachStderr"] = false,
        };
        if (config.ExposedPorts is { Count: > 0 })
            shown["ExposedPorts"] = Set(config.ExposedPorts.Keys);
        shown["Tty"] = false;
        shown["OpenStdin"] = false;
        shown["StdinOnce"] = false;
        shown["Env"] = Json.List(config.Env);
        shown["Cmd"] = Json.List(config.Cmd);
        if (config.Healthcheck is { } health)
            shown["Healthcheck"] = JsonNode.Parse(health.ToUtf8(indented: false));
        if (config.ArgsEscaped)
            shown["ArgsEscaped"] = true;
        shown["Image"] = "";
        shown["Volumes"] = config.Volumes is null ? null : Set(config.Volumes.Keys);
        shown["WorkingDir"] = config.WorkingDir ?? "";
        shown["Entrypoint"] = Json.List(config.Entrypoint);
        shown["OnBuild"] = Json.List(config.OnBuild);
        shown["Labels"] = Json.Map(config.Labels);
        if (config.StopSignal is not null)
            shown["StopSignal"] = config.StopSignal;
        if (config.Shell is not null)
            shown["Shell"] = Json.List(config.Shell);
        return shown;
    }

    private static JsonObject Set(IEnumerable<string> keys)
    {
        var set = new JsonObject();
        foreach (var key in keys)
            set[key] = new JsonObject();
        return set;
    }
}
