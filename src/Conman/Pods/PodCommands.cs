// conman pod: containers that share namespaces, made, started, stopped and removed together, in Podman's words.

using System.Text;
using System.Text.Json.Nodes;
using Conman.CommandLine;
using Conman.Engine;
using Conman.Engine.Life;
using Conman.Engine.Pods;
using Conman.Engine.Settings;
using Conman.Engine.Store;
using Conman.Formatting;
using Conman.Linux;

namespace Conman;

internal static class PodCommands
{
    private static readonly Option All = new("all", "all pods", Short: 'a');

    private static readonly Dictionary<string, string> Headings = new()
    {
        ["Id"] = "POD ID", ["Name"] = "NAME", ["Status"] = "STATUS", ["Created"] = "CREATED", ["InfraId"] = "INFRA ID", ["NumberOfContainers"] = "# OF CONTAINERS", ["Labels"] = "LABELS",
        ["Networks"] = "NETWORKS",
    };

    public static List<Command> Of(ManagerContext context) =>
    [
        Create(context),
        Start(context),
        Stop(context, "stop", "Stop every container of pods: a signal, and after a while SIGKILL", again: false),
        Stop(context, "restart", "Stop every container of pods, if it runs, and start it", again: true),
        Kill(context),
        Freeze(context, "pause", "Stop every process of pods where it is", freeze: true),
        Freeze(context, "unpause", "Let paused pods go on", freeze: false),
        Remove(context),
        List(context, "ps"),
        List(context, "ls"),
        List(context, "list"),
        Inspect(context),
        Prune(context),
        new("exists", "POD", "Exit with 0 if a pod exists, else with 1", [], arguments => PodStore.TryResolve(context.Engine, arguments.Words[0]) is null ? 1 : 0),
    ];

    private static Command Create(ManagerContext context) => new("create", "[NAME]", "Make a pod",
        [
            .. RunOptions.OfPod(),
            new("pod-id-file", "write the id to a file", "FILE"),
            new("replace", "remove the pod that has the name"),
            new("share", "what its containers share (default ipc,net,uts): also pid; or none", "NAMESPACES"),
        ],
        arguments =>
        {
            var engine = context.Engine;
            var options = RunOptions.ParsePod(arguments);
            var name = options.Client.Name ?? (arguments.Words.Count > 0 ? arguments.Words[0] : null);
            if (arguments.Get("pod-id-file") is { } taken && Files.Exists(taken))
                throw new EngineException($"pod ID file found, make sure the other pod isn't there or delete {taken}");
            if (arguments.Has("replace") && name is not null && PodStore.TryResolve(engine, name) is { } old)
                RemoveAll(engine, old, force: true);
            List<string> shares = arguments.Get("share") is not { } given ? [.. PodStore.DefaultShares] : given is "none" or "" ? [] : [.. given.Split(',')];
            var id = PodStore.Create(engine, new PodRequest(name, options.Config, options.Host, shares, options.Networking));
            if (arguments.Get("pod-id-file") is { } file)
                Files.Publish(Files.CurrentDirectory, Path.GetFullPath(file), Encoding.UTF8.GetBytes(id), 0x1a4 /* 0644 */);
            Output.Write(id + "\n");
            return 0;
        }) { Count = (0, 1) };

    private static Command Start(ManagerContext context) => new("start", "POD...", "Start every container of pods", [All],
        arguments => Each(context, arguments, pod => StartAll(context.Engine, pod))) { Count = (0, int.MaxValue) };

    private static Command Stop(ManagerContext context, string name, string help, bool again) => new(name, "POD...", help,
        [All, new("time", "seconds until SIGKILL (default: each container's, or 10)", "SECONDS", 't')],
        arguments => Each(context, arguments, pod =>
        {
            StopAll(context.Engine, pod, arguments.Get("time") is null ? null : arguments.Number("time", 0));
            if (again)
                StartAll(context.Engine, pod);
        })) { Count = (0, int.MaxValue) };

    private static Command Kill(ManagerContext context) => new("kill", "POD...", "Send a signal to the first process of every container of pods",
        [All, new("signal", "by name or number (default: KILL)", "SIGNAL", 's')],
        arguments =>
        {
            var signal = arguments.Get("signal") is not { } text ? Signals.SIGKILL
                : Signals.Parse(text) is > 0 and var known ? known : throw new UsageException($"--signal: there is no signal {text}");
            var engine = context.Engine;
            return Each(context, arguments, pod =>
            {
                foreach (var id in Everyone(engine, pod))
                {
                    using (var container = engine.Containers.TryOpenLocked(id))
                    {
                        if (container?.Init is null)
                            continue;
                        if (signal != Signals.SIGKILL)
                        {
                            Stopping.Signal(engine, container, signal);
                            continue;
                        }
                        Stopping.Begin(engine, container, signal);
                    }
                    Stopping.Finish(engine, id, null);
                }
            });
        }) { Count = (0, int.MaxValue) };

    private static Command Freeze(ManagerContext context, string name, string help, bool freeze) => new(name, "POD...", help, [All],
        arguments => Each(context, arguments, pod =>
        {
            var engine = context.Engine;
            foreach (var id in Everyone(engine, pod))
            {
                using var container = engine.Containers.TryOpenLocked(id);
                if (container?.Init is not null && Stopping.IsFrozen(engine, id) != freeze)
                    Stopping.Freeze(engine, container, freeze);
            }
        })) { Count = (0, int.MaxValue) };

    private static Command Remove(ManagerContext context) => new("rm", "POD...", "Remove pods and their containers",
        [All, new("force", "also those that run; one that does not exist is no error", Short: 'f'), new("ignore", "one that does not exist is no error", Short: 'i')],
        arguments =>
        {
            var engine = context.Engine;
            var force = arguments.Has("force");
            return Targets.Each(Pods(engine, arguments), word =>
            {
                if (PodStore.TryResolve(engine, word) is { } pod)
                    RemoveAll(engine, pod, force);
                else if (!force && !arguments.Has("ignore"))
                    throw new NoSuchPodException(word);
            });
        }) { Count = (0, int.MaxValue) };

    private static Command Prune(ManagerContext context) => new("prune", "", "Remove all pods that do not run", [new("force", "do not ask", Short: 'f')],
        arguments =>
        {
            if (!arguments.Has("force") && !Prompt.Confirms("WARNING! This will remove all stopped/exited pods."))
                return 0;
            var engine = context.Engine;
            return Targets.Each(PodStore.Ids(engine).FindAll(pod => PodStore.Status(engine, pod) is "Exited" or "Created"), pod => RemoveAll(engine, pod, force: false));
        }) { Count = (0, 0) };

    private static Command List(ManagerContext context, string name) => new(name, "", "List pods",
        [
            new("filter", "only those with id, name, label, status or ctr-names = VALUE", "FILTER", 'f', Repeats: true),
            new("format", "table, json or a Go template", "FORMAT"),
            new("no-trunc", "show whole ids"),
            new("noheading", "no line of headings"),
            new("quiet", "show ids only", Short: 'q'),
        ],
        arguments =>
        {
            var engine = context.Engine;
            var whole = arguments.Has("no-trunc");
            var rows = new List<(string Created, JsonObject Row)>();
            foreach (var pod in PodStore.Ids(engine))
            {
                using var holder = engine.Containers.TryOpen(pod);
                if (holder?.Record is { } record && Passes(engine, record, arguments.All("filter")))
                    rows.Add((record.Created ?? "", Row(engine, record, whole)));
            }
            rows.Sort(static (a, b) => string.CompareOrdinal(b.Created, a.Created));
            Table.Write(rows.ConvertAll(r => r.Row), arguments.Get("format"), arguments.Has("quiet") ? "Id" : null,
                [new("POD ID", "Id"), new("NAME", "Name"), new("STATUS", "Status"), new("CREATED", "Created"), new("INFRA ID", "InfraId"), new("# OF CONTAINERS", "NumberOfContainers")],
                Headings, headless: arguments.Has("noheading"));
            return 0;
        }) { Count = (0, 0) };

    private static Command Inspect(ManagerContext context) => new("inspect", "POD...", "Show everything that is known of pods", [new("format", "json or a Go template", "FORMAT", 'f')],
        arguments =>
        {
            var engine = context.Engine;
            return Inspected.Show(arguments.Words, word => Describe(engine, PodStore.Resolve(engine, word)), arguments.Get("format"), static words => "no such pod: " + words);
        }) { Count = (1, int.MaxValue) };

    private static bool Passes(ContainerEngine engine, StoredContainer record, List<string> filters) => filters.TrueForAll(filter =>
    {
        var equals = filter.IndexOf('=');
        if (equals <= 0)
            throw new UsageException($"--filter {filter}: KEY=VALUE is expected");
        var (key, value) = (filter[..equals], filter[(equals + 1)..]);
        return key switch
        {
            "id" => record.Id!.StartsWith(value, StringComparison.Ordinal),
            "name" => record.Name!.Contains(value, StringComparison.Ordinal),
            "status" => PodStore.Status(engine, record.Id!).Equals(value, StringComparison.OrdinalIgnoreCase),
            "label" => HasLabel(record, value),
            "ctr-names" => Containers(engine, record.Id!).Exists(c => c["Names"]!.ToString().Contains(value, StringComparison.Ordinal)),
            _ => throw new UsageException($"--filter {key}: there is no such filter"),
        };
    });

    private static bool HasLabel(StoredContainer record, string wanted)
    {
        var equals = wanted.IndexOf('=');
        return (record.Config?.Labels ?? []).TryGetValue(equals < 0 ? wanted : wanted[..equals], out var value) && (equals < 0 || value == wanted[(equals + 1)..]);
    }

    private static JsonObject Row(ContainerEngine engine, StoredContainer pod, bool whole)
    {
        var containers = Containers(engine, pod.Id!);
        return new JsonObject
        {
            ["Id"] = whole ? pod.Id : pod.Id![..12],
            ["Name"] = pod.Name,
            ["Status"] = PodStore.Status(engine, pod.Id!),
            ["Created"] = Humane.Ago(Time.Parse(pod.Created), DateTimeOffset.UtcNow),
            ["InfraId"] = whole ? pod.Id : pod.Id![..12],
            ["NumberOfContainers"] = containers.Count,
            ["Containers"] = new JsonArray([.. containers]),
            ["Networks"] = pod.HostConfig?.NetworkMode ?? "",
            ["Labels"] = string.Join(',', (pod.Config?.Labels ?? []).Select(l => l.Key + "=" + l.Value)),
        };
    }

    private static JsonObject Describe(ContainerEngine engine, string pod)
    {
        using var holder = engine.Containers.Open(pod);
        var record = holder.NeedRecord();
        var containers = Containers(engine, pod);
        return new JsonObject
        {
            ["Id"] = pod,
            ["Name"] = record.Name,
            ["Created"] = record.Created,
            ["State"] = PodStore.Status(engine, pod),
            ["Hostname"] = record.Config!.Hostname.Length > 0 ? record.Config.Hostname : pod[..12],
            ["Labels"] = Json.Map(record.Config.Labels ?? []),
            ["CreateInfra"] = true,
            ["InfraContainerID"] = pod,
            ["SharedNamespaces"] = Json.List(record.Holds?.Shares ?? []),
            ["NetworkMode"] = record.HostConfig!.NetworkMode,
            ["NumContainers"] = containers.Count,
            ["Containers"] = new JsonArray([.. containers.Select(c => new JsonObject { ["Id"] = c["Id"]!.ToString(), ["Name"] = c["Names"]!.ToString(), ["State"] = c["Status"]!.ToString() })]),
        };
    }

    // With the one that holds the pod together, as Podman counts.
    private static List<JsonObject> Containers(ContainerEngine engine, string pod)
    {
        var result = new List<JsonObject>();
        foreach (var id in Everyone(engine, pod))
        {
            using var container = engine.Containers.TryOpen(id);
            if (container is not null)
            {
                result.Add(new JsonObject
                {
                    ["Id"] = id, ["Names"] = id == pod ? pod[..12] + "-infra" : container.Record?.Name ?? "", ["Status"] = ContainerView.Word(ContainerView.Status(engine, container)),
                });
            }
        }
        return result;
    }

    // The one that holds the pod together last: the others end before it does.
    private static List<string> Everyone(ContainerEngine engine, string pod) => [.. PodStore.Members(engine, pod), pod];

    private static int Each(ManagerContext context, Arguments arguments, Action<string> act) =>
        Targets.Each(Pods(context.Engine, arguments), word => act(PodStore.Resolve(context.Engine, word)));

    private static List<string> Pods(ContainerEngine engine, Arguments arguments) => arguments.Has("all") ? PodStore.Ids(engine)
        : arguments.Words.Count > 0 ? arguments.Words
        : throw new UsageException("a pod's name or id is needed, or --all");

    private static void StartAll(ContainerEngine engine, string pod)
    {
        foreach (var id in Enumerable.Reverse(Everyone(engine, pod)))
        {
            using var container = engine.Containers.TryOpenLocked(id);
            if (container is not null)
                Starting.Start(engine, container);
        }
    }

    private static void StopAll(ContainerEngine engine, string pod, int? seconds)
    {
        var stopping = new List<(string Id, int? Seconds)>();
        foreach (var id in PodStore.Members(engine, pod))
        {
            using var container = engine.Containers.TryOpenLocked(id);
            if (container is not null && Stopping.Begin(engine, container))
                stopping.Add((id, seconds ?? container.Record?.Config?.StopTimeout ?? Stopping.DefaultTimeout));
        }
        foreach (var (id, patience) in stopping)
            Stopping.Finish(engine, id, patience < 0 ? null : patience);
        using (var holder = engine.Containers.TryOpenLocked(pod))
        {
            if (holder is null || !Stopping.Begin(engine, holder))
                return;
        }
        Stopping.Finish(engine, pod, seconds ?? Stopping.DefaultTimeout);
    }

    private static void RemoveAll(ContainerEngine engine, string pod, bool force)
    {
        if (!force && PodStore.Status(engine, pod) is var status && status is "Running" or "Degraded" or "Paused")
            throw new EngineException($"cannot remove pod {pod[..12]}: it is {status.ToLowerInvariant()}: stop it before, or use --force");
        foreach (var id in Everyone(engine, pod))
        {
            using var container = engine.Containers.TryOpenLocked(id);
            if (container is not null)
                Removing.Remove(engine, container, force, volumes: true);
        }
    }
}
