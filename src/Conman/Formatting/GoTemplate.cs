// --format: the part of Go's text/template that users of Docker and Podman write (pkg.go.dev/text/template), over JSON.
//
// Parsed into a tree of nodes once, executed for every row. Fields are those of the JSON; a field that is not there is an error, as it is in Docker.

using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using Conman.CommandLine;

namespace Conman.Formatting;

internal sealed class GoTemplate
{
    private readonly List<Node> _nodes;

    private GoTemplate(List<Node> nodes) => _nodes = nodes;

    /// <exception cref="UsageException">It is no template.</exception>
    public static GoTemplate Parse(string text)
    {
        var parser = new TemplateParser(text);
        return new GoTemplate(parser.Block(out _, "the end"));
    }

    /// <summary>The text that a value gives.</summary>
    public string Execute(JsonNode? value)
    {
        var text = new StringBuilder();
        var scope = new Scope(value, value, []);
        foreach (var node in _nodes)
            node.Execute(text, scope);
        return text.ToString();
    }

    /// <summary>As Go prints a value with %v.</summary>
    internal static string Print(object? value) => value switch
    {
        null => "<no value>",
        string text => text,
        bool truth => truth ? "true" : "false",
        JsonArray list => "[" + string.Join(' ', list.Select(item => Print(Plain(item)))) + "]",
        JsonObject map => "map[" + string.Join(' ', map.OrderBy(m => m.Key, StringComparer.Ordinal).Select(m => m.Key + ":" + Print(Plain(m.Value)))) + "]",
        IFormattable number => number.ToString(null, CultureInfo.InvariantCulture),
        _ => value.ToString()!,
    };

    /// <summary>A JSON scalar as itself: string, bool, long or double.</summary>
    internal static object? Plain(object? value) => value is not JsonValue json ? value
        : json.TryGetValue(out string? text) ? text
        : json.TryGetValue(out bool truth) ? truth
        : json.TryGetValue(out long whole) ? whole
        : json.TryGetValue(out double number) ? number
        : json.ToJsonString();

    /// <summary>What counts as true: what is not empty.</summary>
    internal static bool Truth(object? value) => Plain(value) switch
    {
        null or false or "" or 0L or 0.0 => false,
        JsonArray list => list.Count > 0,
        JsonObject map => map.Count > 0,
        _ => true,
    };

    /// <summary>Where a node is executed: the dot, the dollar, and the variables.</summary>
    internal sealed record Scope(object? Dot, object? Root, Dictionary<string, object?> Variables);

    internal abstract class Node
    {
        public abstract void Execute(StringBuilder text, Scope scope);

        protected static void All(List<Node> nodes, StringBuilder text, Scope scope)
        {
            foreach (var node in nodes)
                node.Execute(text, scope);
        }
    }

    internal sealed class Text(string literal) : Node
    {
        public override void Execute(StringBuilder text, Scope scope) => text.Append(literal);
    }

    internal sealed class Action(Pipeline pipeline) : Node
    {
        public override void Execute(StringBuilder text, Scope scope)
        {
            var value = pipeline.Evaluate(scope);
            if (!pipeline.Assigns)
                text.Append(Print(Plain(value)));
        }
    }

    internal sealed class If(Pipeline condition, List<Node> then, List<Node> otherwise) : Node
    {
        public override void Execute(StringBuilder text, Scope scope) => All(Truth(condition.Evaluate(scope)) ? then : otherwise, text, scope);
    }

    internal sealed class With(Pipeline pipeline, List<Node> then, List<Node> otherwise) : Node
    {
        public override void Execute(StringBuilder text, Scope scope)
        {
            var value = pipeline.Evaluate(scope);
            if (Truth(value))
                All(then, text, scope with { Dot = value });
            else
                All(otherwise, text, scope);
        }
    }

    internal sealed class Range(Pipeline pipeline, string? key, string? element, List<Node> body, List<Node> otherwise) : Node
    {
        public override void Execute(StringBuilder text, Scope scope)
        {
            var items = Plain(pipeline.Evaluate(scope)) switch
            {
                JsonArray list => list.Select((item, i) => ((object?)(long)i, (object?)item)).ToList(),
                JsonObject map => [.. map.OrderBy(m => m.Key, StringComparer.Ordinal).Select(m => ((object?)m.Key, (object?)m.Value))],
                null => [],
                var other => throw new UsageException($"template: range can't iterate over {Print(other)}"),
            };
            foreach (var (index, item) in items)
            {
                var inner = scope with { Dot = item, Variables = new Dictionary<string, object?>(scope.Variables) };
                if (key is not null)
                    inner.Variables[key] = index;
                if (element is not null)
                    inner.Variables[element] = item;
                All(body, text, inner);
            }
            if (items.Count == 0)
                All(otherwise, text, scope);
        }
    }

    /// <summary>Commands joined by |, each given the value of the one before as its last argument.</summary>
    internal sealed class Pipeline(List<List<Operand>> commands, string? variable)
    {
        public bool Assigns => variable is not null;

        public object? Evaluate(Scope scope)
        {
            object? value = null;
            for (var i = 0; i < commands.Count; i++)
            {
                var command = commands[i];
                if (command[0] is Function function)
                {
                    var arguments = command.Skip(1).Select(o => Plain(o.Evaluate(scope))).ToList();
                    if (i > 0)
                        arguments.Add(Plain(value));
                    value = TemplateFunctions.Call(function.Name, arguments);
                }
                else if (command.Count > 1 || i > 0)
                {
                    throw new UsageException($"template: can't give argument to non-function {command[0].Source}");
                }
                else
                {
                    value = command[0].Evaluate(scope);
                }
            }
            if (variable is not null)
                scope.Variables[variable] = value;
            return value;
        }
    }

    internal abstract class Operand(string source)
    {
        public string Source { get; } = source;

        public abstract object? Evaluate(Scope scope);
    }

    internal sealed class Literal(string source, object? value) : Operand(source)
    {
        public override object? Evaluate(Scope scope) => value;
    }

    internal sealed class Function(string name) : Operand(name)
    {
        public string Name => Source;

        public override object? Evaluate(Scope scope) => TemplateFunctions.Call(Name, []);
    }

    internal sealed class Nested(string source, Pipeline pipeline, string[] fields) : Operand(source)
    {
        public override object? Evaluate(Scope scope) => Field(pipeline.Evaluate(scope), fields, Source);
    }

    /// <summary><c>.A.B</c>, <c>$.A</c> or <c>$x.A</c>.</summary>
    internal sealed class Path(string source, string? variable, string[] fields) : Operand(source)
    {
        public override object? Evaluate(Scope scope)
        {
            var from = variable switch
            {
                null => scope.Dot,
                "$" => scope.Root,
                _ => scope.Variables.TryGetValue(variable, out var value) ? value : throw new UsageException($"template: undefined variable \"{variable}\""),
            };
            return Field(from, fields, Source);
        }
    }

    private static object? Field(object? value, string[] fields, string source)
    {
        for (var i = 0; i < fields.Length; i++)
        {
            var field = fields[i];
            if (value is not JsonObject map)
                throw new UsageException($"template: executing \"\" at <{source}>: can't evaluate field {field} in {Print(Plain(value))}");
            if (!map.TryGetPropertyValue(field, out var next))
            {
                if (i > 0 && fields[i - 1] is "Labels" or "Attributes" or "Annotations" or "Options" or "Sysctls" or "Tmpfs")
                    return null; // names in a map are anybody's: one that is not there is no mistake
                throw new UsageException($"template: executing \"\" at <{source}>: there is no field {field}: there are {string.Join(", ", map.Select(m => m.Key))}");
            }
            value = next;
        }
        return value;
    }
}
