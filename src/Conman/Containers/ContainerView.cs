// Containers in the shapes that Docker prints them in.

using System.Globalization;
using System.Text.Json.Nodes;
using Conman.Engine;
using Conman.Engine.Life;
using Conman.Engine.Store;
using Conman.Formatting;
using Conman.Linux;
using Conman.Oci;

namespace Conman;

internal static class ContainerView
{
    /// <summary>What it is doing, asked of the kernel.</summary>
    public static ContainerStatus Status(ContainerEngine engine, Container container) => container.Status(() => Stopping.IsFrozen(engine, container.Id));

    /// <summary>Docker's word for it.</summary>
    public static string Word(ContainerStatus status) => status switch
    {
        ContainerStatus.Created => "created",
        ContainerStatus.Running => "running",
        ContainerStatus.Paused => "paused",
        ContainerStatus.Restarting => "restarting",
        ContainerStatus.Exited => "exited",
        _ => "dead",
    };

    /// <summary>The column STATUS: <c>Up 5 minutes (healthy)</c>, <c>Exited (1) 2 hours ago</c>.</summary>
    public static string Sentence(Container container, ContainerStatus status, DateTimeOffset now)
    {
        var state = container.State;
        switch (status)
        {
            case ContainerStatus.Running or ContainerStatus.Paused:
                var up = "Up " + (Time.Parse(state.StartedAt) is { } started ? Humane.Duration(now - started) : "");
                if (container.Monitor is null)
                    up += " (unmonitored)";
                else if (status == ContainerStatus.Paused)
                    up += " (Paused)";
                else if (HealthState.Read(container) is { } health)
                    up += $" ({(health.Status == "starting" ? "health: starting" : health.Status)})";
                return up;
            case ContainerStatus.Exited:
                // One that nobody saw the end of.
                return state.FinishedAt is null ? "Exited (255)" : $"Exited ({state.ExitCode}) {Humane.Ago(Time.Parse(state.FinishedAt), now)}";
            case ContainerStatus.Restarting:
                return $"Restarting ({state.ExitCode}) {Humane.Ago(Time.Parse(state.FinishedAt), now)}";
            default:
                return status.ToString();
        }
    }

    /// <summary>A row of <c>conman ps</c>.</summary>
    public static JsonObject Row(ContainerEngine engine, Container container, ContainerStatus status, DateTimeOffset now, bool whole, bool size)
    {
        var record = container.Record;
        var created = Time.Parse(record?.Created);
        var mounts = record is null ? [] : MountNames(record).ToList();
        var row = new JsonObject
        {
            ["Command"] = Quoted(record, whole),
            ["CreatedAt"] = created?.LocalDateTime.ToString("yyyy-MM-dd HH:mm:ss zzz", CultureInfo.InvariantCulture) ?? "",
            ["ExitCode"] = container.State.ExitCode,
            ["ID"] = whole ? container.Id : container.ShortId,
            ["Image"] = record is null ? "" : record.Rootfs ?? record.Config?.Image ?? "",
            ["Labels"] = string.Join(',', (record?.Config?.Labels ?? []).Select(l => l.Key + "=" + l.Value)),
            ["LocalVolumes"] = (record?.OwnVolumes?.Count ?? 0).ToString(CultureInfo.InvariantCulture),
            ["Mounts"] = string.Join(',', mounts),
            ["Names"] = record?.Name ?? "",
            ["Networks"] = string.Join(',', NetworkView.Names(container)),
            ["Pod"] = record?.Pod ?? "",
            ["Ports"] = NetworkView.PortColumn(container),
            ["RunningFor"] = Humane.Ago(created, now),
            ["State"] = Word(status),
            ["Status"] = Sentence(container, status, now),
        };
        if (size)
            row["Size"] = Humane.Size(Written(container)) + (record?.Layers is null ? "" : $" (virtual {Humane.Size(Written(container) + ImageSize(engine, record))})");
        return row;
    }

    /// <summary>All that is known of a container, in the shape of Docker's inspect.</summary>
    public static JsonObject Inspect(ContainerEngine engine, Container container, bool size)
    {
        var record = container.Record;
        var state = container.State;
        var status = Status(engine, container);
        var init = container.Init;
        var health = HealthState.Read(container);
        var shown = new JsonObject
        {
            ["Id"] = container.Id,
            ["Created"] = record?.Created ?? Time.Never,
            ["Path"] = Program(record).FirstOrDefault() ?? "",
            ["Args"] = Json.List(Program(record).Skip(1)),
            ["State"] = new JsonObject
            {
                ["Status"] = Word(status),
                ["Running"] = init is not null,
                ["Paused"] = status == ContainerStatus.Paused,
                ["Restarting"] = status == ContainerStatus.Restarting,
                ["OOMKilled"] = state.OomKilled,
                ["Dead"] = status == ContainerStatus.Dead,
                ["Pid"] = init?.Pid ?? 0,
                ["MonitorPid"] = container.Monitor?.Pid ?? 0,
                ["ExitCode"] = status == ContainerStatus.Exited && state.FinishedAt is null ? 255 : state.ExitCode,
                ["Error"] = state.Error ?? "",
                ["StartedAt"] = state.StartedAt ?? Time.Never,
                ["FinishedAt"] = state.FinishedAt ?? Time.Never,
            },
            ["Image"] = record?.ImageId ?? "",
            ["ResolvConfPath"] = EtcPath(container, "resolv.conf"),
            ["HostnamePath"] = EtcPath(container, "hostname"),
            ["HostsPath"] = EtcPath(container, "hosts"),
            ["LogPath"] = MonitorSettings.LogPath(container) ?? "",
            ["Name"] = "/" + record?.Name,
            ["RestartCount"] = state.RestartCount,
            ["Driver"] = record?.Rootfs is null ? "overlay2" : "rootfs",
            ["Platform"] = "linux",
            ["MountLabel"] = "",
            ["ProcessLabel"] = "",
            ["AppArmorProfile"] = "",
            ["ExecIDs"] = null,
            ["HostConfig"] = record?.HostConfig is { } host ? Whole(host.WriteTo) : null,
            ["GraphDriver"] = Driver(engine, container, record),
        };
        if (health is not null)
            ((JsonObject)shown["State"]!)["Health"] = health.ToNode();
        if (size)
        {
            shown["SizeRw"] = Written(container);
            shown["SizeRootFs"] = Written(container) + (record is null ? 0 : ImageSize(engine, record));
        }
        shown["Mounts"] = Mounts(container);
        shown["Config"] = record?.Config is { } config ? Whole(config.WriteTo) : null;
        shown["NetworkSettings"] = NetworkView.Settings(container);
        if (record?.Pod is { } pod)
            shown["Pod"] = pod;
        return shown;
    }

    // With the members that say nothing too, as Docker's clients expect them.
    private static JsonNode? Whole(Action<OciWriter> write)
    {
        var writer = new OciWriter { Whole = true };
        write(writer);
        return JsonNode.Parse(writer.Written);
    }

    /// <summary>The program and its arguments.</summary>
    public static IEnumerable<string> Program(StoredContainer? record) => [.. record?.Config?.Entrypoint ?? [], .. record?.Config?.Cmd ?? []];

    /// <summary>What it wrote to its root file system, bytes.</summary>
    public static long Written(Container container) =>
        Files.Exists(Engine.Rootfs.RootFileSystem.Upper, container.Folder.Number) ? Trees.Measure(container.Folder.Number, Engine.Rootfs.RootFileSystem.Upper).Bytes : 0;

    private static long ImageSize(ContainerEngine engine, StoredContainer record) =>
        (record.Layers ?? []).Sum(layer => engine.Images.Layers.Find(Images.Digest.Parse(layer))?.Size ?? 0);

    private static string Quoted(StoredContainer? record, bool whole)
    {
        var command = string.Join(' ', Program(record));
        return "\"" + (whole || command.Length <= 20 ? command : command[..19] + "…") + "\"";
    }

    private static IEnumerable<string> MountNames(StoredContainer record) => (record.Mounts ?? []).Select(m => m.Name.Length > 0 ? m.Name : m.Source);

    private static string EtcPath(Container container, string name) => Files.Exists(name, container.Folder.Number) ? container.Path + "/" + name : "";

    private static JsonObject Driver(ContainerEngine engine, Container container, StoredContainer? record) => record?.Layers is not { } layers
        ? new JsonObject { ["Data"] = null, ["Name"] = "rootfs" }
        : new JsonObject
        {
            ["Data"] = new JsonObject
            {
                ["LowerDir"] = string.Join(':', Enumerable.Reverse(layers).Select(l => $"{engine.Root}/layers/{Images.Digest.Parse(l).Hex}/diff")),
                ["UpperDir"] = $"{container.Path}/{Engine.Rootfs.RootFileSystem.Upper}",
                ["WorkDir"] = $"{container.Path}/{Engine.Rootfs.RootFileSystem.Work}",
            },
            ["Name"] = "overlay2",
        };

    private static JsonArray Mounts(Container container)
    {
        var list = new JsonArray();
        foreach (var mount in Engine.Volumes.VolumeMounts.Describe(container.Record))
            list.Add(mount);
        return list;
    }
}
