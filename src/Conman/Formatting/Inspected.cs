// What every `inspect` prints: all that was found, as JSON or by a template, and then what was not.

using System.Text.Json.Nodes;
using Conman.CommandLine;

namespace Conman.Formatting;

internal static class Inspected
{
    /// <summary>Looks for each word, shows what is there, and then fails if something was not.</summary>
    /// <param name="find">What is known of the thing; null: there is none.</param>
    /// <param name="format">A template that makes a line of each; null or <c>json</c>: one array.</param>
    /// <param name="missing">The error, given the words that nothing was found for.</param>
    /// <returns>The exit code.</returns>
    public static int Show(List<string> words, Func<string, JsonObject?> find, string? format, Func<string, string> missing)
    {
        var found = words.ConvertAll(word => find(word));
        var shown = found.FindAll(one => one is not null);
        if (format is not (null or "json"))
        {
            var template = GoTemplate.Parse(format);
            shown.ForEach(one => Output.Write(template.Execute(one) + "\n"));
        }
        else
        {
            Output.Write(Json.Indented(new JsonArray([.. shown])) + "\n");
        }
        return shown.Count == found.Count ? 0 : throw new NotFoundException(missing(string.Join(", ", words.Where((_, i) => found[i] is null))));
    }
}
