// Help texts, laid out from the declarations; their first two lines are those that runc's callers look for.

using System.Text;

namespace Conman.CommandLine;

internal static class HelpText
{
    /// <summary>The help of one command.</summary>
    public static string Of(string program, Command command)
    {
        var text = new StringBuilder();
        text.Append($"NAME:\n   {program} {command.Name} - {command.Help}\n\n{Usage(program, command)}");
        Options(text, command.Options);
        return text.ToString();
    }

    /// <summary>One line: what a command takes.</summary>
    public static string Usage(string program, Command command) =>
        $"Usage: {program} {command.Name}{(command.Options.Length > 0 ? " [OPTIONS]" : "")}{(command.Words.Length > 0 ? " " : "")}{command.Words}\n";

    /// <summary>The help of a group of commands.</summary>
    public static string Of(string program, string about, IEnumerable<Command> commands, Option[] options)
    {
        var text = new StringBuilder();
        text.Append($"NAME:\n   {program} - {about}\n\nUsage: {program} [OPTIONS] COMMAND\n\nCommands:\n");
        foreach (var command in commands)
            text.Append($"  {command.Name,-10}  {command.Help}\n");
        Options(text, options);
        text.Append($"\nRun '{program} COMMAND --help' for the options of a command.\n");
        return text.ToString();
    }

    private static void Options(StringBuilder text, Option[] options)
    {
        if (options.Length == 0)
            return;
        text.Append("\nOptions:\n");
        foreach (var option in options)
        {
            var left = (option.Short != '\0' ? $"-{option.Short}, " : "    ") + "--" + option.Name + (option.Value is null ? "" : " " + option.Value);
            text.Append($"  {left,-30}  {option.Help}\n");
        }
    }
}
