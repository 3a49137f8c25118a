// What may stand on a command line: options and commands, declared as data, so that parsing, help and suggestions say the same.

namespace Conman.CommandLine;

/// <summary>An option of a command.</summary>
/// <param name="Name">The long name, without dashes.</param>
/// <param name="Help">One line for the help text.</param>
/// <param name="Value">What its value is called in the help text; null: a flag.</param>
/// <param name="Short">A one-letter name, or '\0'.</param>
/// <param name="Repeats">It may be given more than once.</param>
internal sealed record Option(string Name, string Help, string? Value = null, char Short = '\0', bool Repeats = false)
{
    /// <summary>Another name of an option that the help text has already.</summary>
    public bool Alias { get; init; }

    /// <summary>Why there is no such option, though others have it; null: there is.</summary>
    public string? Refused { get; init; }
}

/// <summary>A command.</summary>
/// <param name="Name">The word that selects it.</param>
/// <param name="Words">Its positional arguments as the help text shows them, e.g. <c>ID [SIGNAL]</c>.</param>
/// <param name="Help">What it does, one line.</param>
/// <param name="Options">Its options.</param>
/// <param name="Run">Does it; returns the exit code.</param>
internal sealed record Command(string Name, string Words, string Help, Option[] Options, Func<Arguments, int> Run)
{
    /// <summary>How many words it needs, and how many it takes at most.</summary>
    public (int Least, int Most) Count { get; init; } = (1, 1);

    /// <summary>After the first so many words, all that follows is words too: the command line of another program.</summary>
    public int StopAfter { get; init; } = int.MaxValue;
}

/// <summary>A mistake of the person who typed: told with a hint at the help.</summary>
internal sealed class UsageException(string message) : Exception(message);
