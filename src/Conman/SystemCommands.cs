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

    public static List<Command> All(ManagerContext context) => [DiskUsage(context), Prune(context), Recover(context), StartWithHost(context), StopWithHost(context), EventCommand.Of(context), HostCommands.Info(context), Check(context)];

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

    private static Command Prune(ManagerContext context) => new("prune", "", "Remove what is not used: stopped containers, networks, images without a tag, and what killed commands left",
        [
            new("all", "every image that no container uses", Short: 'a'),
            new("filter", "only those with label=KEY[=VALUE], label!=KEY[=VALUE] or until=TIME", "FILTER", Repeats: true),
            new("force", "do not ask", Short: 'f'),
            new("volumes", "anonymous volumes that no container has as well"),
        ],
        arguments =>
        {
            var (all, volumes) = (arguments.Has("all"), arguments.Has("volumes"));
            var warning = "WARNING! This will remove:\n  - all stopped containers\n  - all networks not used by at least one container\n" + (volumes ? "  - all anonymous volumes not used by at least one container\n" : "")
                + (all ? "  - all images without at least one container associated to them\n" : "  - all images without a tag\n");
            if (!arguments.Has("force") && !Prompt.Confirms(warning))
                return 0;
            var filters = arguments.All("filter");
            var freed = LifeCommands.RemoveStopped(context.Engine, filters).Bytes;
            NetworkCommands.RemoveUnused(context.Engine, filters);
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
            Tell("Resumed", done.Resumed);
            return failures == 0 ? 0 : 1;

            static void Tell(string what, List<string> ids)
            {
                foreach (var id in ids)
                    Output.Write($"{what}: {id}\n");
            }
        }) { Count = (0, 0) };

    // Images as `image check` does it, and then what the engine's own records are.
    private static Command Check(ManagerContext context) => new("check", "", "Verify images, containers and volumes",
        ImageCommands.CheckOptions,
        arguments =>
        {
            var images = ImageCommands.RunCheck(context, arguments);
            var quiet = arguments.Has("quiet");
            var findings = Inspection.Findings(context.Engine, arguments.Has("repair"), out var containers, out var volumes, out var repaired);
            foreach (var finding in findings)
                Output.Write(finding + "\n");
            if (!quiet)
                Output.Write($"{containers} containers, {volumes} volumes: {(findings.Count == 0 ? "no errors" : findings.Count == 1 ? "1 error" : $"{findings.Count} errors")}{(repaired > 0 ? $", {repaired} repaired" : "")}\n");
            return findings.Count > repaired ? 1 : images;
        }) { Count = (0, 0) };

    private static Command StartWithHost(ManagerContext context) => new("start", "", "Start the containers whose restart policy wants it: after the host has started", [],
        _ =>
        {
            var failures = 0;
            foreach (var id in Recovery.StartWithHost(context.Engine, Failed(() => failures++)))
                Output.Write(id + "\n");
            return failures == 0 ? 0 : 1;
        }) { Count = (0, 0) };

    private static Command StopWithHost(ManagerContext context) => new("stop", "", "Stop all containers because the host stops: 'system start' starts them again",
        [new("time", "seconds until SIGKILL (default: each container's, or 10)", "SECONDS", 't')],
        arguments =>
        {
            var engine = context.Engine;
            var stopping = new List<(string Id, int Seconds)>();
            foreach (var id in engine.Containers.Ids())
            {
                using var container = engine.Containers.TryOpenLocked(id);
                if (container?.Record?.Config is { } config && (container.Init is not null || container.State.RestartsAt is not null) && Stopping.Begin(engine, container, withHost: true))
                    stopping.Add((id, arguments.Get("time") is null ? config.StopTimeout ?? Stopping.DefaultTimeout : arguments.Number("time", 0)));
            }
            return Targets.Each(stopping.Select(s => s.Id), id => Stopping.Finish(engine, id, stopping.Find(s => s.Id == id).Seconds is >= 0 and var seconds ? seconds : null));
        }) { Count = (0, 0) };

    private static Action<string> Failed(Action count) => message =>
    {
        Output.Error("conman: " + message);
        count();
    };

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
