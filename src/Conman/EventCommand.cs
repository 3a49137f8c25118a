// events: what happens on this host, as it happens, and what has happened since it was started.

using System.Globalization;
using System.Text.Json.Nodes;
using Conman.CommandLine;
using Conman.Engine;
using Conman.Engine.Events;
using Conman.Formatting;

namespace Conman;

internal static class EventCommand
{
    public static Command Of(ManagerContext context) => new("events", "", "Show what happens to containers, images, volumes, networks and pods",
        [
            new("filter", "only those with type, event, container, image, volume, network, pod, label or scope = VALUE", "FILTER", 'f', Repeats: true),
            new("format", "json or a Go template", "FORMAT"),
            new("no-stream", "do not wait for more"),
            new("no-trunc", "show whole ids (they always are)") { Alias = true },
            new("since", "also what was before: from this time, or from so long ago (10m)", "TIME"),
            new("stream", "=false: do not wait for more (default true)") { Alias = true },
            new("until", "nothing from this time on", "TIME"),
        ],
        arguments =>
        {
            var now = DateTimeOffset.UtcNow;
            var passes = Filter(context.Engine, arguments.All("filter"));
            var waits = !arguments.Has("no-stream") && (arguments.Get("stream") is null || arguments.Has("stream"));
            var since = arguments.Get("since") is { } from ? Nanoseconds(ImageFilters.Until(from, now, "--since ")) : waits && arguments.Get("until") is null ? Nanoseconds(now) : long.MinValue;
            var until = arguments.Get("until") is { } to ? Nanoseconds(ImageFilters.Until(to, now, "--until ")) : long.MaxValue;
            var print = Printer(arguments.Get("format"));
            using var reader = new EventReader(context.Engine.Events);
            if (waits)
                reader.Follow(Take, () => until == long.MaxValue ? -1 : (int)Math.Clamp((until - Nanoseconds(DateTimeOffset.UtcNow)) / 1_000_000 + 1, 0, int.MaxValue));
            else
                reader.Read(Take);
            return 0;

            void Take(Event one)
            {
                if (one.TimeNano >= since && one.TimeNano < until && passes(one))
                    Output.Write(print(one) + "\n");
            }
        }) { Count = (0, 0) };

    private static long Nanoseconds(DateTimeOffset time) => (time.UtcTicks - DateTime.UnixEpoch.Ticks) * 100;

    private static Func<Event, string> Printer(string? format)
    {
        if (format is null or "")
            return Line;
        if (format is "json" or "{{json .}}")
            return one => System.Text.Encoding.UTF8.GetString(one.ToUtf8(indented: false));
        var template = GoTemplate.Parse(format.Replace("\\t", "\t", StringComparison.Ordinal).Replace("\\n", "\n", StringComparison.Ordinal));
        return one => template.Execute(new JsonObject
        {
            ["Type"] = one.Type,
            ["Action"] = one.Action,
            ["Status"] = one.Action,
            ["ID"] = one.Actor?.Id,
            ["From"] = Attribute(one, "image") ?? "",
            ["Name"] = Attribute(one, "name") ?? "",
            ["Actor"] = new JsonObject { ["ID"] = one.Actor?.Id, ["Attributes"] = Json.Map(one.Actor?.Attributes) },
            ["Attributes"] = Json.Map(one.Actor?.Attributes),
            ["Scope"] = one.Scope,
            ["Time"] = one.Time,
            ["TimeNano"] = one.TimeNano,
        });
    }

    // Docker's: TIME TYPE ACTION ID (NAME=VALUE, …), sorted by name.
    private static string Line(Event one)
    {
        var time = DateTimeOffset.FromUnixTimeMilliseconds(one.TimeNano / 1_000_000).ToLocalTime();
        var text = time.ToString("yyyy-MM-ddTHH:mm:ss", CultureInfo.InvariantCulture) + "." + (one.TimeNano % 1_000_000_000).ToString("D9", CultureInfo.InvariantCulture)
            + (time.Offset == TimeSpan.Zero ? "Z" : time.ToString("zzz", CultureInfo.InvariantCulture));
        text += $" {one.Type} {one.Action} {one.Actor?.Id}";
        var attributes = (one.Actor?.Attributes ?? []).OrderBy(a => a.Key, StringComparer.Ordinal).Select(a => a.Key + "=" + a.Value).ToList();
        return string.Concat((text + (attributes.Count > 0 ? $" ({string.Join(", ", attributes)})" : "")).Select(c => char.IsControl(c) ? '?' : c));
    }

    // Several values of one kind are alternatives, except of labels.
    private static Predicate<Event> Filter(ContainerEngine engine, List<string> filters)
    {
        var tests = new List<Predicate<Event>>();
        foreach (var group in filters.Select(Split).GroupBy(f => f.Key, f => f.Value))
        {
            var values = group.ToList();
            tests.Add(group.Key switch
            {
                "type" => one => values.Contains(one.Type ?? ""),
                "event" => one => values.Exists(v => one.Action == v || (one.Action ?? "").StartsWith(v + ":", StringComparison.Ordinal)),
                "scope" => one => values.Contains(one.Scope ?? ""),
                "container" => Object(values, "container", "container", id => engine.Containers.TryResolve(id)),
                "pod" => Object(values, "pod", "pod", id => engine.Containers.TryResolve(id)),
                "volume" => Object(values, "volume", "volume", _ => null),
                "network" => Object(values, "network", "network", _ => null),
                "image" => one => values.Exists(v => (one.Type == "image" && (one.Actor?.Id == v || Attribute(one, "name") == v)) || Named(Attribute(one, "image"), v)),
                "label" => one => values.TrueForAll(v => HasLabel(one, v)),
                _ => throw new UsageException($"--filter {group.Key}: there is no such filter"),
            });
        }
        return one => tests.TrueForAll(test => test(one));
    }

    // Of one object, by id, the beginning of one, or name: its own events, and those of others that speak of it.
    private static Predicate<Event> Object(List<string> values, string type, string attribute, Func<string, string?> resolve)
    {
        var ids = values.ConvertAll(v => resolve(v) ?? v);
        return one => (one.Type == type && (ids.Exists(id => one.Actor?.Id?.StartsWith(id, StringComparison.Ordinal) ?? false) || values.Contains(Attribute(one, "name") ?? "")))
            || (one.Type != type && Attribute(one, attribute) is { } other && (ids.Contains(other) || values.Contains(other)));
    }

    private static bool Named(string? image, string wanted) => image is not null && (image == wanted || image.StartsWith(wanted + ":", StringComparison.Ordinal));

    private static bool HasLabel(Event one, string wanted)
    {
        var equals = wanted.IndexOf('=');
        return Attribute(one, equals < 0 ? wanted : wanted[..equals]) is { } value && (equals < 0 || value == wanted[(equals + 1)..]);
    }

    private static string? Attribute(Event one, string name) => one.Actor?.Attributes is { } attributes && attributes.TryGetValue(name, out var value) ? value : null;

    private static (string Key, string Value) Split(string filter)
    {
        var equals = filter.IndexOf('=');
        return equals > 0 ? (filter[..equals], filter[(equals + 1)..]) : throw new UsageException($"--filter {filter}: KEY=VALUE is expected");
    }
}
