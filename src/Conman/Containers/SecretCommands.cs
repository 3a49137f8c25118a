// The commands on secrets: `conman secret …`, in Podman's words.

using System.Text;
using System.Text.Json.Nodes;
using Conman.CommandLine;
using Conman.Engine;
using Conman.Engine.Secrets;
using Conman.Formatting;
using Conman.Linux;

namespace Conman;

internal static class SecretCommands
{
    private static readonly Column[] Listed = [new("ID", "ID"), new("NAME", "Name"), new("DRIVER", "Driver"), new("CREATED", "CreatedAt"), new("UPDATED", "UpdatedAt")];

    private static readonly Dictionary<string, string> Headings = new()
    {
        ["ID"] = "ID", ["Name"] = "NAME", ["Driver"] = "DRIVER", ["CreatedAt"] = "CREATED", ["UpdatedAt"] = "UPDATED",
    };

    public static List<Command> OfGroup(ManagerContext context) => [Create(context), List(context, "ls"), List(context, "list"), Inspect(context), Remove(context, "rm"), Remove(context, "remove"), Exists(context)];

    private static Command Create(ManagerContext context) => new("create", "NAME FILE|-", "Keep a secret, from a file, standard input or a variable",
        [
            new("env", "the second word is the name of an environment variable"),
            new("label", "a label", "KEY[=VALUE]", 'l', Repeats: true),
            new("replace", "one of the name may be there"),
        ],
        arguments =>
        {
            Dictionary<string, string>? labels = null;
            foreach (var label in arguments.All("label"))
                EnvironmentValues.Label("label", label, ref labels);
            var id = context.Engine.Secrets.Create(arguments.Words[0], Content(arguments.Words[1], arguments.Has("env")), labels, arguments.Has("replace"));
            Output.Write(id + "\n");
            return 0;
        }) { Count = (2, 2) };

    private static byte[] Content(string source, bool variable)
    {
        if (variable)
            return Encoding.UTF8.GetBytes(Environment.GetEnvironmentVariable(source) ?? throw new UsageException($"--env: there is no variable {source}"));
        if (source == "-")
        {
            using var input = Files.Duplicate(0);
            return Files.ReadAll(input, "standard input");
        }
        return Files.ReadAll(source);
    }

    private static Command List(ManagerContext context, string name) => new(name, "", "List secrets",
        [
            new("filter", "only those with name=PART or id=BEGINNING", "FILTER", 'f', Repeats: true),
            new("format", "table, json or a Go template", "FORMAT"),
            new("quiet", "show ids only", Short: 'q'),
        ],
        arguments =>
        {
            var now = DateTimeOffset.UtcNow;
            var secrets = context.Engine.Secrets.All();
            foreach (var filter in arguments.All("filter"))
            {
                secrets = filter.Split('=', 2) switch
                {
                    ["name", var part] => secrets.FindAll(s => s.Name.Contains(part, StringComparison.Ordinal)),
                    ["id", var start] => secrets.FindAll(s => s.Record.Id!.StartsWith(start, StringComparison.Ordinal)),
                    _ => throw new UsageException($"--filter {filter}: name=PART or id=BEGINNING is expected"),
                };
            }
            var rows = secrets.ConvertAll(s => new JsonObject
            {
                ["ID"] = s.Record.Id, ["Name"] = s.Name, ["Driver"] = "file",
                ["CreatedAt"] = Humane.Ago(Time.Parse(s.Record.CreatedAt), now), ["UpdatedAt"] = Humane.Ago(Time.Parse(s.Record.UpdatedAt), now),
            });
            Table.Write(rows, arguments.Get("format"), arguments.Has("quiet") ? "ID" : null, Listed, Headings);
            return 0;
        }) { Count = (0, 0) };

    private static Command Inspect(ManagerContext context) => new("inspect", "SECRET...", "Show everything that is known of secrets but what is secret",
        [new("format", "json or a Go template", "FORMAT", 'f'), new("showsecret", "show that too")],
        arguments =>
        {
            var store = context.Engine.Secrets;
            return Inspected.Show(arguments.Words, word =>
            {
                if (store.TryFind(word) is not var (name, record))
                    return null;
                var labels = new JsonObject();
                foreach (var (key, value) in record.Labels ?? [])
                    labels[key] = value;
                var one = new JsonObject
                {
                    ["ID"] = record.Id, ["CreatedAt"] = record.CreatedAt, ["UpdatedAt"] = record.UpdatedAt,
                    ["Spec"] = new JsonObject { ["Name"] = name, ["Driver"] = new JsonObject { ["Name"] = "file", ["Options"] = new JsonObject() }, ["Labels"] = labels },
                };
                if (arguments.Has("showsecret"))
                    one["SecretData"] = Encoding.UTF8.GetString(store.Read(name));
                return one;
            }, arguments.Get("format"), static words => "no such secret: " + words);
        }) { Count = (1, int.MaxValue) };

    private static Command Remove(ManagerContext context, string name) => new(name, "SECRET...", "Remove secrets; containers that have them keep them until they start again",
        [new("all", "every one", Short: 'a'), new("ignore", "one that is not there is no error", Short: 'i')],
        arguments =>
        {
            var store = context.Engine.Secrets;
            var words = arguments.Has("all") ? store.All().ConvertAll(s => s.Name) : arguments.Words;
            if (words.Count == 0 && !arguments.Has("all"))
                throw new UsageException($"{name} needs SECRET...");
            var failed = 0;
            foreach (var word in words)
            {
                if (store.TryFind(word) is { } found && store.Remove(found.Name))
                {
                    Output.Write(found.Record.Id + "\n");
                }
                else if (!arguments.Has("ignore"))
                {
                    Output.Error($"conman: no such secret: {word}");
                    failed = 1;
                }
            }
            return failed;
        }) { Count = (0, int.MaxValue) };

    private static Command Exists(ManagerContext context) => new("exists", "SECRET", "Exit with 0 if a secret exists, else with 1", [],
        arguments => context.Engine.Secrets.TryFind(arguments.Words[0]) is null ? 1 : 0);
}
