// Parsing by the rules of Docker's and runc's command lines: --name value, --name=value, -n value, -nvalue, -it, and -- ends the options.

namespace Conman.CommandLine;

/// <summary>The options and words of one command line.</summary>
internal sealed class Arguments
{
    private readonly List<(string Name, string Value)> _options = [];

    /// <summary>What is not an option.</summary>
    public List<string> Words { get; } = [];

    /// <summary>The options before the command, where the command line has such.</summary>
    public Arguments? Global { get; init; }

    /// <summary>The options in the order in which they were given.</summary>
    public IReadOnlyList<(string Name, string Value)> Given => _options;

    /// <summary>The last value of an option, or null.</summary>
    public string? Get(string name)
    {
        for (var i = _options.Count - 1; i >= 0; i--)
        {
            if (_options[i].Name == name)
                return _options[i].Value;
        }
        return null;
    }

    /// <summary>Whether a flag is given, and not as <c>--flag=false</c>.</summary>
    public bool Has(string name) => Get(name) is { } value && Truth(value) != false;

    /// <summary>A truth value as Go's flag package reads one; null: it is none.</summary>
    public static bool? Truth(string text) => text switch
    {
        "true" or "TRUE" or "True" or "t" or "T" or "1" => true,
        "false" or "FALSE" or "False" or "f" or "F" or "0" => false,
        _ => null,
    };

    /// <summary>The same but for some options.</summary>
    public Arguments Without(params ReadOnlySpan<string> names)
    {
        var rest = new Arguments { Global = Global };
        rest.Words.AddRange(Words);
        foreach (var option in _options)
        {
            if (!names.Contains(option.Name))
                rest._options.Add(option);
        }
        return rest;
    }

    /// <summary>Every value of an option that repeats.</summary>
    public List<string> All(string name) => _options.FindAll(o => o.Name == name).ConvertAll(o => o.Value);

    /// <summary>A whole number from an option.</summary>
    public int Number(string name, int otherwise) => Get(name) is not { } text ? otherwise
        : int.TryParse(text, out var number) && number >= 0 ? number
        : throw new UsageException($"--{name}: {text} is not a number");

    /// <summary>Parses the arguments from <paramref name="at"/> on.</summary>
    /// <param name="stopAfter">So many words end the options.</param>
    /// <returns>The arguments, and where parsing ended.</returns>
    public static (Arguments, int Next) Parse(ReadOnlySpan<string> args, int at, Option[] options, int stopAfter, Arguments? global = null)
    {
        var result = new Arguments { Global = global };
        for (; at < args.Length; at++)
        {
            var arg = args[at];
            if (stopAfter > 0 && result.Words.Count >= stopAfter)
                break;
            if (arg == "--")
            {
                at++;
                break;
            }
            if (arg.Length < 2 || arg[0] != '-')
            {
                if (stopAfter == 0)
                    break;
                result.Words.Add(arg);
            }
            else if (arg[1] == '-' || FindLong(options, Name(arg)) is not null)
            {
                at += result.AddLong(arg, at + 1 < args.Length ? args[at + 1] : null, options);
            }
            else
            {
                at += result.AddShort(arg, at + 1 < args.Length ? args[at + 1] : null, options);
            }
        }
        if (stopAfter > 0)
        {
            for (; at < args.Length; at++)
                result.Words.Add(args[at]);
        }
        return (result, at);
    }

    // "--name=value" → "name"; with one dash too, as Go's flag package has it.
    private static string Name(string arg)
    {
        var start = arg.StartsWith("--", StringComparison.Ordinal) ? 2 : 1;
        var equals = arg.IndexOf('=');
        return equals < 0 ? arg[start..] : arg[start..equals];
    }

    private static Option? FindLong(Option[] options, string name) => name.Length > 1 ? Array.Find(options, o => o.Name == name) : null;

    private int AddLong(string arg, string? next, Option[] options)
    {
        var name = Name(arg);
        var option = FindLong(options, name) ?? throw Unknown("--" + name, options);
        if (option.Refused is { } reason)
            throw new UsageException($"--{name}: {reason}");
        var equals = arg.IndexOf('=');
        if (equals >= 0)
        {
            var value = arg[(equals + 1)..];
            if (option.Value is null && Truth(value) is null)
                throw new UsageException($"--{name} is a flag: {value} is neither true nor false");
            _options.Add((option.Name, value));
            return 0;
        }
        if (option.Value is null)
        {
            _options.Add((option.Name, "true"));
            return 0;
        }
        _options.Add((option.Name, next ?? throw new UsageException($"--{name} needs a value: {option.Value}")));
        return 1;
    }

    private int AddShort(string arg, string? next, Option[] options)
    {
        for (var i = 1; i < arg.Length; i++)
        {
            var letter = arg[i] switch { '?' => 'h', 'V' => 'v', var c => c }; // crun's names for help and version
            var option = Array.Find(options, o => o.Short == letter) ?? throw Unknown("-" + letter, options);
            if (option.Value is null && (i + 1 == arg.Length || arg[i + 1] != '='))
            {
                _options.Add((option.Name, "true"));
                continue;
            }
            if (option.Value is null)
                return AddLong("--" + option.Name + arg[(i + 1)..], null, options);
            var rest = arg[(i + 1)..].TrimStart('=');
            _options.Add((option.Name, rest.Length > 0 ? rest : next ?? throw new UsageException($"-{letter} needs a value: {option.Value}")));
            return rest.Length > 0 ? 0 : 1;
        }
        return 0;
    }

    private static UsageException Unknown(string name, Option[] options)
    {
        var nearest = Nearest.To(name.TrimStart('-'), options.Where(o => o.Refused is null).Select(o => o.Name));
        return new UsageException($"unknown option {name}" + (nearest is null ? "" : $": did you mean --{nearest}?"));
    }
}

/// <summary>The word that was probably meant.</summary>
internal static class Nearest
{
    /// <summary>The candidate that differs least, or null if all differ too much.</summary>
    public static string? To(string word, IEnumerable<string> candidates)
    {
        string? best = null;
        var least = Math.Max(3, (word.Length + 2) / 3); // two letters that changed places are two differences
        foreach (var candidate in candidates)
        {
            var distance = candidate.StartsWith(word, StringComparison.Ordinal) && word.Length > 2 ? 1 : Distance(word, candidate);
            if (distance < least)
                (best, least) = (candidate, distance);
        }
        return best;
    }

    // Levenshtein, one row at a time.
    private static int Distance(string a, string b)
    {
        var row = new int[b.Length + 1];
        for (var j = 0; j <= b.Length; j++)
            row[j] = j;
        for (var i = 1; i <= a.Length; i++)
        {
            var diagonal = row[0];
            row[0] = i;
            for (var j = 1; j <= b.Length; j++)
            {
                var above = row[j];
                row[j] = Math.Min(Math.Min(row[j], row[j - 1]) + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1));
                diagonal = above;
            }
        }
        return row[b.Length];
    }
}
