// conman system: the host as a whole: what is on its disk, getting rid of what is not used, putting right what was killed.

using System.Text;
using System.Text.Json.Nodes;
using Conman.CommandLine;
using Conman.Engine;
using Conman.Engine.Life;
using Conman.Engine.Store;
using Conman.Engine.Volumes;
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

    public static List<Command> All(ManagerContext context) => [DiskUsage(context), Prune(context), Recover(context), StartWithHost(context), Info(context)];

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
            List<JsonObject> rows =
            [
                Row("Images", use.Images, use.ActiveImages, use.Total - use.Partial, use.Reclaimable - use.Partial),
                OfContainers(context.Engine),
                OfVolumes(context.Engine),
                Row("Unfinished downloads", use.Downloads, 0, use.Partial, use.Partial),
            ];
            Table.Write(rows, arguments.Get("format"), null,
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

    private static JsonObject OfContainers(ContainerEngine engine)
    {
        var (count, running, all, stopped) = (0, 0, default(DiskUse), default(DiskUse));
        foreach (var id in engine.Containers.Ids())
        {
            using var container = engine.Containers.TryOpen(id);
            if (container is null)
                continue;
            var use = Trees.Measure(Files.CurrentDirectory, container.Path);
            count++;
            all += use;
            if (container.Init is not null)
                running++;
            else
                stopped += use;
        }
        return Row("Containers", count, running, all, stopped);
    }

    private static JsonObject OfVolumes(ContainerEngine engine)
    {
        var users = VolumeUsers.Of(engine);
        var (used, all, unused) = (0, default(DiskUse), default(DiskUse));
        var volumes = engine.Volumes.All();
        foreach (var volume in volumes)
        {
            var use = Trees.Measure(Files.CurrentDirectory, volume.Path);
            all += use;
            if (users.ContainsKey(volume.Name))
                used++;
            else
                unused += use;
        }
        return Row("Local Volumes", volumes.Count, used, all, unused);
    }

    private static Command Prune(ManagerContext context) => new("prune", "", "Remove what is not used: stopped containers, images without a tag, and what killed commands left",
        [
            new("all", "every image that no container uses", Short: 'a'),
            new("filter", "only those with label=KEY[=VALUE], label!=KEY[=VALUE] or until=TIME", "FILTER", Repeats: true),
            new("force", "do not ask", Short: 'f'),
            new("volumes", "anonymous volumes that no container has as well"),
        ],
        arguments =>
        {
            var (all, volumes) = (arguments.Has("all"), arguments.Has("volumes"));
            var warning = "WARNING! This will remove:\n  - all stopped containers\n" + (volumes ? "  - all anonymous volumes not used by at least one container\n" : "")
                + (all ? "  - all images without at least one container associated to them\n" : "  - all images without a tag\n");
            if (!arguments.Has("force") && !Prompt.Confirms(warning))
                return 0;
            var filters = arguments.All("filter");
            var freed = LifeCommands.RemoveStopped(context.Engine, filters).Bytes;
            if (volumes)
                freed += VolumeCommands.RemoveUnused(context.Engine, all: false, filters.FindAll(f => !f.StartsWith("until=", StringComparison.Ordinal)));
            freed += ImageCommands.RemoveUnused(context, all, filters).Bytes;
            Output.Write($"Total reclaimed space: {Humane.Size(freed)}\n");
            return 0;
        }) { Count = (0, 0) };

    private static Command Recover(ManagerContext context) => new("recover", "", "Put right what killed commands, killed monitors and a reset have left", [],
        _ =>
        {
            var failures = 0;
            var done = Recovery.Recover(context.Engine, Failed(() => failures++));
            Tell("Adopted", done.Adopted);
            Tell("Settled", done.Settled);
            Tell("Started", done.Started);
            Tell("Removed", done.Removed);
            return failures == 0 ? 0 : 1;

            static void Tell(string what, List<string> ids)
            {
                foreach (var id in ids)
                    Output.Write($"{what}: {id}\n");
            }
        }) { Count = (0, 0) };

    private static Command StartWithHost(ManagerContext context) => new("start", "", "Start the containers whose restart policy wants it: after the host has started", [],
        _ =>
        {
            var failures = 0;
            foreach (var id in Recovery.StartWithHost(context.Engine, Failed(() => failures++)))
                Output.Write(id + "\n");
            return failures == 0 ? 0 : 1;
        }) { Count = (0, 0) };

    private static Action<string> Failed(Action count) => message =>
    {
        Output.Error("conman: " + message);
        count();
    };

    /// <summary>What is known of the host and of what is on it.</summary>
    public static Command Info(ManagerContext context) => new("info", "", "Show what is known of this host", [new("format", "json or a Go template", "FORMAT", 'f')],
        arguments =>
        {
            var engine = context.Engine;
            var counts = new int[Enum.GetValues<ContainerStatus>().Length];
            foreach (var id in engine.Containers.Ids())
            {
                using var container = engine.Containers.TryOpen(id);
                if (container is not null)
                    counts[(int)ContainerView.Status(engine, container)]++;
            }
            using var store = context.OpenStore();
            var shown = new JsonObject
            {
                ["Containers"] = counts.Sum(),
                ["ContainersRunning"] = counts[(int)ContainerStatus.Running],
                ["ContainersPaused"] = counts[(int)ContainerStatus.Paused],
                ["ContainersStopped"] = counts.Sum() - counts[(int)ContainerStatus.Running] - counts[(int)ContainerStatus.Paused],
                ["Images"] = store.Images.All([]).Select(r => r.Id).Distinct().Count(),
                ["ServerVersion"] = Build.Version,
                ["Driver"] = "overlay2",
                ["LoggingDriver"] = "json-file",
                ["CgroupVersion"] = CgroupHierarchy.UnifiedOnly ? "2" : "1",
                ["KernelVersion"] = Encoding.UTF8.GetString(Files.ReadAll("/proc/sys/kernel/osrelease")).Trim(),
                ["OSType"] = "linux",
                ["Architecture"] = System.Runtime.InteropServices.RuntimeInformation.OSArchitecture == System.Runtime.InteropServices.Architecture.Arm64 ? "aarch64" : "x86_64",
                ["NCPU"] = Environment.ProcessorCount,
                ["MemTotal"] = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes,
                ["Name"] = Environment.MachineName,
                ["DockerRootDir"] = engine.Root,
                ["RunRoot"] = engine.RunRoot,
            };
            if (arguments.Get("format") is "json")
                Output.Write(Json.Compact(shown) + "\n");
            else if (arguments.Get("format") is { } format)
                Output.Write(GoTemplate.Parse(format).Execute(shown) + "\n");
            else
                Output.Write(string.Concat(shown.Select(field => $"{field.Key}: {field.Value}\n")));
            return 0;
        }) { Count = (0, 0) };

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
