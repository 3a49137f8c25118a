// --filter of ps and of container prune, as Docker has them.

using Conman.CommandLine;
using Conman.Engine;
using Conman.Engine.Life;
using Conman.Engine.Store;
using Conman.Images.Store;

namespace Conman;

/// <summary>What every filter on a command line says together; several values of one kind are alternatives, except of labels.</summary>
internal sealed class ContainerFilters
{
    private readonly List<Func<Container, ContainerStatus, bool>> _tests = [];

    /// <summary>A status is asked for: containers that do not run may be meant.</summary>
    public bool AsksForStatus { get; private set; }

    public ContainerFilters(ContainerEngine engine, List<string> filters)
    {
        var groups = new Dictionary<string, List<string>>(StringComparer.Ordinal);
        foreach (var filter in filters)
        {
            var equals = filter.IndexOf('=');
            if (equals <= 0)
                throw new UsageException($"--filter {filter}: KEY=VALUE is expected");
            var key = filter[..equals];
            if (key == "label" && equals > 0 && filter[equals - 1] == '!')
                key = "label!";
            if (!groups.TryGetValue(key, out var values))
                groups[key] = values = [];
            values.Add(filter[(equals + 1)..]);
        }
        foreach (var (key, values) in groups)
            _tests.Add(Test(engine, key, values));
    }

    public bool Pass(Container container, ContainerStatus status) => _tests.TrueForAll(test => test(container, status));

    /// <summary>The ids of the containers that a prune with these filters may remove.</summary>
    public static List<string> ForPrune(ContainerEngine engine, List<string> filters)
    {
        var only = new ContainerFilters(engine, filters);
        return engine.Containers.Ids().FindAll(id =>
        {
            using var container = engine.Containers.TryOpen(id);
            return container is not null && only.Pass(container, ContainerStatus.Exited);
        });
    }

    private Func<Container, ContainerStatus, bool> Test(ContainerEngine engine, string key, List<string> values)
    {
        switch (key)
        {
            case "id":
                return (c, _) => values.Exists(v => c.Id.StartsWith(v, StringComparison.Ordinal));
            case "name":
                return (c, _) => values.Exists(v => c.Record?.Name?.Contains(v.TrimStart('/', '^').TrimEnd('$'), StringComparison.Ordinal) ?? false)
                    && values.Exists(v => !v.StartsWith('^') || !v.EndsWith('$') || c.Record?.Name == v.Trim('^', '$').TrimStart('/'));
            case "label":
                return (c, _) => values.TrueForAll(v => HasLabel(c, v));
            case "label!":
                return (c, _) => !values.Exists(v => HasLabel(c, v));
            case "status":
                AsksForStatus = true;
                foreach (var value in values)
                {
                    if (value is not ("created" or "running" or "paused" or "restarting" or "exited" or "dead" or "removing"))
                        throw new UsageException($"--filter status={value}: created, running, paused, restarting, exited or dead is expected");
                }
                return (_, s) => values.Contains(ContainerView.Word(s));
            case "exited":
                AsksForStatus = true;
                return (c, s) => s == ContainerStatus.Exited && values.Contains(c.State.ExitCode.ToString(System.Globalization.CultureInfo.InvariantCulture));
            case "ancestor":
                var ids = values.ConvertAll(v => ImageLookup.FindRecord(engine.Images, v)?.Id.ToString());
                return (c, _) => c.Record?.ImageId is { } id && ids.Contains(id) || values.Contains(c.Record?.Config?.Image ?? "");
            case "before":
                var least = values.ConvertAll(v => CreatedOf(engine, v)).Min();
                return (c, _) => Time.Parse(c.Record?.Created) < least;
            case "since":
                var most = values.ConvertAll(v => CreatedOf(engine, v)).Max();
                return (c, _) => Time.Parse(c.Record?.Created) > most;
            case "until":
                var until = values.ConvertAll(v => ImageFilters.Until(v, DateTimeOffset.UtcNow)).Min();
                return (c, _) => Time.Parse(c.Record?.Created) < until;
            case "volume":
                return (c, _) => values.Exists(v => (c.Record?.Mounts ?? []).Exists(m => m.Name == v || m.Source == v || m.Destination == v));
            case "network":
                return (c, _) => NetworkView.Names(c).Any(values.Contains);
            case "pod":
                var pods = values.ConvertAll(v => Engine.Pods.PodStore.TryResolve(engine, v) ?? v);
                return (c, _) => c.Record?.Pod is { } pod && pods.Contains(pod);
            case "health":
                return (c, s) => values.Contains(s == ContainerStatus.Running && HealthState.Read(c) is { } health ? health.Status : "none");
            case "is-task":
                return (_, _) => values.TrueForAll(v => Arguments.Truth(v) == false);
            default:
                throw new UsageException($"--filter {key}: there is no such filter");
        }
    }

    private static bool HasLabel(Container container, string wanted)
    {
        var equals = wanted.IndexOf('=');
        return (container.Record?.Config?.Labels ?? []).TryGetValue(equals < 0 ? wanted : wanted[..equals], out var value) && (equals < 0 || value == wanted[(equals + 1)..]);
    }

    private static DateTimeOffset? CreatedOf(ContainerEngine engine, string text)
    {
        using var container = engine.Containers.Open(text);
        return Time.Parse(container.Record?.Created);
    }
}
