// Help texts, laid out from the declarations.

using System.Text;

namespace Conman.CommandLine;

internal static class HelpText
{
    /// <summary>The help of one command.</summary>
    public static string Of(string program, Command command)
    {
        var text = new StringBuilder();
        text.Append($"{Usage(program, command)}\n{command.Help}\n");
        Options(text, command.Options);
        return text.ToString();
    }

    /// <summary>The two lines that runc's callers look for at a help text's beginning.</summary>
    public static string Name(string program, string about) => $"NAME:\n   {program} - {about}\n\n";

    /// <summary>One line: what a command takes.</summary>
    public static string Usage(string program, Command command) =>
        $"Usage: {program} {command.Name}{(command.Options.Length > 0 ? " [OPTIONS]" : "")}{(command.Words.Length > 0 ? " " : "")}{command.Words}\n";

    /// <summary>The help of a group of commands.</summary>
    public static string Of(string program, string about, IEnumerable<Command> commands, Option[] options)
    {
        var text = new StringBuilder();
        text.Append($"Usage: {program} {(options.Length > 0 ? "[OPTIONS] " : "")}COMMAND\n\n{about}\n\nCommands:\n");
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
            if (option.Alias || option.Refused is not null)
                continue;
            var left = (option.Short != '\0' ? $"-{option.Short}, " : "    ") + "--" + option.Name + (option.Value is null ? "" : " " + option.Value);
            text.Append($"  {left,-30}  {option.Help}\n");
        }
    }
}
