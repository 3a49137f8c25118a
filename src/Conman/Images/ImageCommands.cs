// The commands on images that need no registry: images, inspect, history, tag, untag, rmi, and the group `image`.

using System.Text.Json.Nodes;
using Conman.CommandLine;
using Conman.Formatting;
using Conman.Images;
using Conman.Images.Layers;
using Conman.Images.References;
using Conman.Images.Store;
using Conman.Linux;

namespace Conman;

internal static class ImageCommands
{
    private static readonly Column[] Listed = [new("REPOSITORY", "Repository"), new("TAG", "Tag"), new("IMAGE ID", "ID"), new("CREATED", "CreatedSince"), new("SIZE", "Size")];

    private static readonly Dictionary<string, string> Headings = new()
    {
        ["Repository"] = "REPOSITORY", ["Tag"] = "TAG", ["Digest"] = "DIGEST", ["ID"] = "IMAGE ID", ["CreatedSince"] = "CREATED", ["CreatedAt"] = "CREATED AT",
        ["Size"] = "SIZE", ["VirtualSize"] = "SIZE", ["SharedSize"] = "SHARED SIZE", ["UniqueSize"] = "UNIQUE SIZE", ["Containers"] = "CONTAINERS",
    };

    private static readonly Dictionary<string, string> HistoryHeadings = new()
    {
        ["ID"] = "IMAGE", ["CreatedSince"] = "CREATED", ["CreatedAt"] = "CREATED AT", ["CreatedBy"] = "CREATED BY", ["Size"] = "SIZE", ["Comment"] = "COMMENT",
    };

    /// <summary>Those that stand by themselves.</summary>
    public static List<Command> All(ManagerContext context) =>
    [
        List(context, "images"),
        History(context),
        Tag(context),
        Untag(context),
        Remove(context, "rmi"),
    ];

    /// <summary>Those of <c>conman image</c>.</summary>
    public static List<Command> OfGroup(ManagerContext context) =>
    [
        List(context, "ls"),
        List(context, "list"),
        InspectCommand.Of(context, "image"),
        History(context),
        Tag(context),
        Untag(context),
        Remove(context, "rm"),
        Prune(context),
        Check(context),
        Exists(context),
        Mount(context),
        Unmount(context),
        .. RegistryCommands.OfImageGroup(context),
    ];

    private static Command List(ManagerContext context, string name) => new(name, "[REPOSITORY[:TAG]]", "List images",
        [
            new("all", "as without it: there are no intermediate images", Short: 'a'),
            new("digests", "show digests"),
            new("filter", "only those with dangling=BOOL, label=KEY[=VALUE], reference=PATTERN, before=IMAGE, since=IMAGE or until=TIME", "FILTER", 'f', Repeats: true),
            new("format", "table, json or a Go template", "FORMAT"),
            new("history", "") { Refused = "the names that an image has had are not kept" },
            new("no-trunc", "show whole ids"),
            new("noheading", "without the line of headings", Short: 'n'),
            new("quiet", "show ids only", Short: 'q'),
            new("sort", "by created, id, repository, size or tag (default: created, the newest first)", "FIELD"),
        ],
        arguments =>
        {
            using var store = context.OpenStore();
            var now = DateTimeOffset.UtcNow;
            var records = ImageFilters.Apply(store, store.Images.All(), arguments.All("filter"), now);
            if (arguments.Words is [var wanted])
                records = records.FindAll(r => ImageFilters.IsNamed(r, wanted));
            var rows = Sorted(records, arguments.Get("sort") ?? "created").Select(r => ImageView.Row(r, now, arguments.Has("no-trunc"))).ToList();
            if (arguments.Has("quiet"))
                rows = [.. rows.DistinctBy(r => (string?)r["ID"])];
            Column[] columns = arguments.Has("digests") ? [.. Listed[..2], new("DIGEST", "Digest"), .. Listed[2..]] : Listed;
            Table.Write(rows, arguments.Get("format"), arguments.Has("quiet") ? "ID" : null, columns, Headings, arguments.Has("noheading"));
            return 0;
        }) { Count = (0, 1) };

    // Times and sizes the largest first, as Docker and Podman have them; names by their letters.
    private static IEnumerable<ImageRecord> Sorted(List<ImageRecord> records, string field) => field switch
    {
        "created" => records.OrderByDescending(r => ImageView.Time(r.Created) ?? DateTimeOffset.MinValue),
        "id" => records.OrderBy(r => r.Id.Hex, StringComparer.Ordinal),
        "repository" => records.OrderBy(r => r.Name, StringComparer.Ordinal),
        "size" => records.OrderByDescending(r => r.Size),
        "tag" => records.OrderBy(r => r.Tag ?? "", StringComparer.Ordinal).ThenBy(r => r.Name, StringComparer.Ordinal),
        _ => throw new UsageException($"--sort {field}: created, id, repository, size or tag is expected"),
    };

    private static Command History(ManagerContext context) => new("history", "IMAGE", "Show how an image was made",
        [
            new("format", "table, json or a Go template", "FORMAT"),
            new("human", "sizes and times in words (default: true)", Short: 'H'),
            new("no-trunc", "show whole commands and ids"),
            PlatformOptions.Check,
            new("quiet", "show ids only", Short: 'q'),
        ],
        arguments =>
        {
            using var store = context.OpenStore();
            var found = Find(store, arguments.Words[0]);
            PlatformOptions.MustFit(arguments, found.Record);
            var rows = ImageHistory.Rows(store, found, arguments.Get("human") is null || arguments.Has("human"), arguments.Has("no-trunc"));
            Table.Write(rows, arguments.Get("format"), arguments.Has("quiet") ? "ID" : null,
                [new("IMAGE", "ID"), new("CREATED", "CreatedSince"), new("CREATED BY", "CreatedBy"), new("SIZE", "Size"), new("COMMENT", "Comment")], HistoryHeadings);
            return 0;
        });

    private static Command Tag(ManagerContext context) => new("tag", "IMAGE NAME[:TAG]...", "Give an image another name", [],
        arguments =>
        {
            using var store = context.OpenStore();
            var found = Find(store, arguments.Words[0]);
            var names = arguments.Words.Skip(1).Select(ImageNames.Tagged).ToList();
            // Somebody may remove the image's last name while this gives it another.
            using var lease = ImageNames.Lease(store, found.Record);
            foreach (var name in names)
                ImageNames.Give(store, found.Record, name);
            return 0;
        }) { Count = (2, int.MaxValue) };

    private static Command Untag(ManagerContext context) => new("untag", "IMAGE [NAME[:TAG]...]", "Take names from an image; it stays, by its digest", [],
        arguments =>
        {
            using var store = context.OpenStore();
            var found = Find(store, arguments.Words[0]);
            var names = arguments.Words.Count > 1 ? arguments.Words.Skip(1).Select(ImageNames.Tagged).ToList() : [.. found.Records.Where(r => r.Tag is not null).Select(r => r.Name!)];
            if (names.Find(name => !found.Records.Exists(r => r.Name == name)) is { } wrong)
                throw new NotFoundException($"{ImageView.Familiar(wrong)} is no name of image {found.Id.Short}");
            using var lease = ImageNames.Lease(store, found.Record);
            ImageNames.Keep(store, found, names);
            names.ForEach(name => store.Images.Remove(name));
            return 0;
        }) { Count = (1, int.MaxValue) };

    private static Command Remove(ManagerContext context, string name) => new(name, "IMAGE...", "Remove images",
        [
            new("all", "remove every image", Short: 'a'),
            new("force", "remove an image by its id though it has several names, or is used by containers that do not run", Short: 'f'),
            new("ignore", "say nothing of what is not there", Short: 'i'),
            new("no-prune", "as without it: there are no intermediate images"),
        ],
        arguments =>
        {
            using var store = context.OpenStore();
            if (arguments.Has("all") == arguments.Words.Count > 0)
                throw new UsageException(arguments.Has("all") ? "--all and images exclude each other" : $"{name} needs IMAGE...");
            var failed = 0;
            var ids = new HashSet<Digest>();
            var words = arguments.Has("all") ? store.Images.All().Select(r => r.Id.ToString()).Distinct() : arguments.Words;
            foreach (var word in words)
            {
                try
                {
                    var found = Find(store, word);
                    ImageNames.Untag(store, found, arguments.Has("force") || arguments.Has("all"));
                    ids.Add(found.Id);
                }
                catch (NotFoundException) when (arguments.Has("ignore"))
                {
                    // as was asked
                }
                catch (Exception e) when (e is NotFoundException or ImageException)
                {
                    Output.Error($"conman: {e.Message}");
                    failed = 1;
                }
            }
            Report(context, Removal.Collect(store), ids);
            return failed;
        }) { Count = (0, int.MaxValue) };

    public static Command Prune(ManagerContext context) => new("prune", "", "Remove images that have no tag, and what killed commands left",
        [
            new("all", "every image that no container uses", Short: 'a'),
            new("external", "as without it: what other programs use is not in this store"),
            new("filter", "only those with label=KEY[=VALUE], label!=KEY[=VALUE] or until=TIME", "FILTER", Repeats: true),
            new("force", "do not ask", Short: 'f'),
        ],
        arguments =>
        {
            var all = arguments.Has("all");
            if (!arguments.Has("force") && !Prompt.Confirms($"WARNING! This will remove {(all ? "all images that no container uses" : "all images without a tag")}."))
                return 0;
            Output.Write($"\nTotal reclaimed space: {Humane.Size(RemoveUnused(context, all, arguments.All("filter")).Bytes)}\n");
            return 0;
        }) { Count = (0, 0) };

    /// <summary>Removes images that no container uses, and what nothing refers to; tells of each, and returns what they took.</summary>
    /// <param name="all">Those that have a tag as well.</param>
    public static DiskUse RemoveUnused(ManagerContext context, bool all, List<string> filters)
    {
        using var store = context.OpenStore();
        var used = store.Uses().Select(use => use.Image).ToHashSet();
        var records = ImageFilters.Apply(store, store.Images.All(), filters, DateTimeOffset.UtcNow);
        var ids = new HashSet<Digest>();
        foreach (var record in records.Where(r => (all || r.Tag is null) && !used.Contains(r.Id)))
        {
            ids.Add(record.Id);
            if (store.Images.Remove(record.Name!))
                Output.Write($"Untagged: {ImageView.Familiar(record.Name!)}\n");
        }
        var removed = Removal.Collect(store, partial: true);
        Report(context, removed, ids);
        return removed.Freed;
    }

    private static Command Check(ManagerContext context) =>
        new("check", "", "Verify every blob, layer and record", CheckOptions, arguments => RunCheck(context, arguments)) { Count = (0, 0) };

    /// <summary>The options of <see cref="RunCheck"/>.</summary>
    internal static readonly Option[] CheckOptions =
        [new("repair", "remove what is damaged, and unpack again what can be"), new("quick", "look only whether all is there"), new("quiet", "say only what is wrong", Short: 'q')];

    /// <summary>Verifies the store of images, and says what is wrong; the exit code.</summary>
    internal static int RunCheck(ManagerContext context, Arguments arguments)
    {
        using var store = context.OpenStore();
        var repair = arguments.Has("repair");
        var result = new StoreCheck(store, new LayerUnpacker().Unpack, repair, !arguments.Has("quick")).Run();
        foreach (var finding in result.Findings)
            Output.Write(finding + "\n");
        var errors = result.Findings.Count;
        if (!arguments.Has("quiet"))
            Output.Write($"{result.Images} images, {result.Blobs} blobs, {result.Layers} layers: {(errors == 0 ? "no errors" : errors == 1 ? "1 error" : $"{errors} errors")}{(repair && errors > 0 ? $", {result.Repaired} repaired" : "")}\n");
        return errors == 0 || result.Repaired == errors ? 0 : 1;
    }

    private static Command Exists(ManagerContext context) => new("exists", "IMAGE", "Exit with 0 if there is such an image, with 1 if not", [],
        arguments =>
        {
            using var store = context.OpenStore();
            return ImageLookup.Find(store, arguments.Words[0]) is null ? 1 : 0;
        });

    private static Command Mount(ManagerContext context) => new("mount", "[IMAGE...]", "Mount images read-only and print where; without IMAGE list those that are",
        [new("all", "every image", Short: 'a'), new("format", "of the list: json", "FORMAT")],
        arguments =>
        {
            using var store = context.OpenStore();
            if (arguments.Get("format") is { } format && (format != "json" || arguments.Words.Count > 0))
                throw new UsageException($"--format {format}: json is expected, for the list of what is mounted");
            var words = arguments.Has("all") ? store.Images.All().Select(r => r.Id.ToString()).Distinct().ToList() : arguments.Words;
            if (arguments.Get("format") is not null)
                Output.Write(Json.Indented(new JsonArray([.. ImageMounts.All(store).Select(m => (JsonNode)new JsonObject { ["id"] = m.Id.Hex, ["mountpoint"] = m.Path })])) + "\n");
            else if (words.Count == 0)
                Output.Write(string.Concat(ImageMounts.All(store).Select(m => $"{m.Id.Short} {m.Path}\n")));
            foreach (var word in words)
                Output.Write(ImageMounts.Mount(store, Find(store, word)) + "\n");
            return 0;
        }) { Count = (0, int.MaxValue) };

    private static Command Unmount(ManagerContext context) => new("unmount", "IMAGE...", "Unmount images", [new("all", "every one", Short: 'a')],
        arguments =>
        {
            using var store = context.OpenStore();
            if (arguments.Has("all") == arguments.Words.Count > 0)
                throw new UsageException("unmount needs IMAGE... or --all");
            foreach (var id in arguments.Has("all") ? ImageMounts.All(store).Select(m => m.Id).ToList() : arguments.Words.ConvertAll(word => Find(store, word).Id))
            {
                if (!ImageMounts.Unmount(store, id))
                    throw new NotFoundException($"image {id.Short} is not mounted");
                Output.Write(id + "\n");
            }
            return 0;
        }) { Count = (0, int.MaxValue) };

    /// <summary>An image by what was typed.</summary>
    public static FoundImage Find(ImageStore store, string text) => ImageLookup.Find(store, text) ?? throw new NotFoundException($"no such image: {text}");

    private static void Report(ManagerContext context, Removed removed, IEnumerable<Digest> images)
    {
        foreach (var id in images.Where(removed.Blobs.Contains))
        {
            Output.Write($"Deleted: {id}\n");
            context.Engine.TellImage("delete", id.ToString(), id.ToString());
        }
        foreach (var chainId in removed.Layers)
            Output.Write($"Deleted: {chainId}\n");
        if (removed.Kept is not null)
            Output.Error($"conman: no content was removed: {removed.Kept}");
    }
}
