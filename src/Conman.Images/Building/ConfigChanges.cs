// Changes to an image's configuration in the words of a Dockerfile: `--change` of import and commit (docs.docker.com/reference/dockerfile).

using System.Globalization;
using Conman.Oci;
using Conman.Oci.ImageSpec;

namespace Conman.Images.Building;

/// <summary>Applies instructions, one after the other.</summary>
public sealed class ConfigChanges(ImageConfig config)
{
    private bool _commandSet;

    /// <summary>Applies one instruction: <c>CMD ["/bin/sh"]</c>, <c>ENV A=b</c>, …</summary>
    /// <exception cref="ImageException">It is none of those that change a configuration, or malformed.</exception>
    public void Apply(string instruction)
    {
        var text = instruction.Trim();
        var space = text.AsSpan().IndexOfAny(' ', '\t');
        var (word, rest) = space < 0 ? (text, "") : (text[..space], text[(space + 1)..].Trim());
        if (rest.Length == 0)
            throw new ImageException($"invalid change \"{text}\": an instruction and what it is to say are expected");
        switch (word.ToUpperInvariant())
        {
            case "CMD":
                config.Cmd = CommandLine(rest);
                _commandSet = true;
                break;
            case "ENTRYPOINT":
                config.Entrypoint = CommandLine(rest);
                if (!_commandSet)
                    config.Cmd = null; // it was that of the old entry point
                break;
            case "ENV":
                foreach (var (name, value) in Pairs(rest))
                    SetVariable(name, value);
                break;
            case "LABEL":
                foreach (var (name, value) in Pairs(rest))
                    (config.Labels ??= [])[name] = value;
                break;
            case "EXPOSE":
                foreach (var port in ShellWords.Split(rest).Select(Expand).SelectMany(Ports))
                    (config.ExposedPorts ??= [])[port] = new Nothing();
                break;
            case "VOLUME":
                foreach (var path in List(rest) ?? ShellWords.Split(rest).ConvertAll(Expand))
                    (config.Volumes ??= [])[path.Length > 0 ? path : throw new ImageException("VOLUME: a path is expected")] = new Nothing();
                break;
            case "USER":
                config.User = Expand(rest);
                break;
            case "WORKDIR":
                config.WorkingDir = Directory(config.WorkingDir, Expand(rest));
                break;
            case "STOPSIGNAL":
                config.StopSignal = Expand(rest);
                break;
            case "ONBUILD":
                (config.OnBuild ??= []).Add(rest);
                break;
            case "HEALTHCHECK":
                config.Healthcheck = HealthCheck(rest);
                break;
            default:
                throw new ImageException($"{word} is no change to an image: CMD, ENTRYPOINT, ENV, EXPOSE, HEALTHCHECK, LABEL, ONBUILD, STOPSIGNAL, USER, VOLUME or WORKDIR is expected");
        }
    }

    private string Expand(string word) => ShellWords.Expand(word, name => (config.Env ?? []).FindLast(e => e.StartsWith(name + "=", StringComparison.Ordinal))?[(name.Length + 1)..]);

    // A list as JSON is a program's arguments; all else is a shell's line.
    private List<string> CommandLine(string text) => List(text) ?? [.. config.Shell ?? ["/bin/sh", "-c"], text];

    private static List<string>? List(string text)
    {
        if (!text.StartsWith('['))
            return null;
        try
        {
            // A list at the top is no object of the generator's: it is read as the member of one.
            return WordList.Parse(System.Text.Encoding.UTF8.GetBytes($"{{\"words\":{text}}}")).Words;
        }
        catch (OciFormatException)
        {
            return null;
        }
    }

    // NAME=VALUE …, or, as of old, NAME and one value to the line's end. All see the environment as it was before.
    private List<(string, string)> Pairs(string text)
    {
        var words = ShellWords.Split(text);
        if (!words[0].Contains('='))
        {
            return words.Count > 1 ? [(Expand(words[0]), Expand(text[words[0].Length..].TrimStart()))]
                : throw new ImageException($"{text}: NAME=VALUE is expected");
        }
        return words.ConvertAll(word =>
        {
            var equals = word.IndexOf('=');
            return equals > 0 ? (Expand(word[..equals]), Expand(word[(equals + 1)..])) : throw new ImageException($"{word}: NAME=VALUE is expected");
        });
    }

    private void SetVariable(string name, string value)
    {
        var variables = config.Env ??= [];
        var at = variables.FindIndex(v => v.StartsWith(name + "=", StringComparison.Ordinal));
        if (at < 0)
            variables.Add($"{name}={value}");
        else
            variables[at] = $"{name}={value}";
    }

    // 80, 80/udp, 8000-8010/tcp
    private static IEnumerable<string> Ports(string text)
    {
        var slash = text.IndexOf('/');
        var (numbers, protocol) = slash < 0 ? (text, "tcp") : (text[..slash], text[(slash + 1)..].ToLowerInvariant());
        var dash = numbers.IndexOf('-');
        var (first, last) = dash < 0 ? (Port(numbers), Port(numbers)) : (Port(numbers[..dash]), Port(numbers[(dash + 1)..]));
        if (first == 0 || last < first || protocol is not ("tcp" or "udp" or "sctp"))
            throw new ImageException($"EXPOSE {text}: PORT[-PORT][/tcp|/udp|/sctp] is expected");
        return Enumerable.Range(first, last - first + 1).Select(port => $"{port}/{protocol}");

        static int Port(string text) => ushort.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var port) ? port : 0;
    }

    // Where a relative one leads from the one before, without . and ..
    private static string Directory(string? from, string to)
    {
        var parts = new List<string>();
        foreach (var part in (to.StartsWith('/') ? to : $"{from}/{to}").Split('/'))
        {
            if (part == ".." && parts.Count > 0)
                parts.RemoveAt(parts.Count - 1);
            else if (part is not ("" or "." or ".."))
                parts.Add(part);
        }
        return "/" + string.Join('/', parts);
    }

    private Healthcheck HealthCheck(string text)
    {
        var check = new Healthcheck();
        while (text.StartsWith("--", StringComparison.Ordinal))
        {
            var words = text.Split((char[])[' ', '\t'], 2, StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
            text = words.Length > 1 ? words[1] : "";
            var option = words[0].Split('=', 2);
            var value = option.Length > 1 ? option[1] : "";
            switch (option[0])
            {
                case "--interval":
                    check.Interval = Nanoseconds(value);
                    break;
                case "--timeout":
                    check.Timeout = Nanoseconds(value);
                    break;
                case "--start-period":
                    check.StartPeriod = Nanoseconds(value);
                    break;
                case "--start-interval":
                    check.StartInterval = Nanoseconds(value);
                    break;
                case "--retries" when int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var retries):
                    check.Retries = retries;
                    break;
                default:
                    throw new ImageException($"HEALTHCHECK {words[0]}: --interval, --timeout, --start-period, --start-interval or --retries, each with =VALUE, is expected");
            }
        }
        if (text.Equals("NONE", StringComparison.OrdinalIgnoreCase))
        {
            check.Test = ["NONE"];
            return check;
        }
        if (!text.StartsWith("CMD ", StringComparison.OrdinalIgnoreCase))
            throw new ImageException("HEALTHCHECK: NONE, or CMD and a command is expected");
        var command = text[4..].Trim();
        check.Test = List(command) is { } list ? ["CMD", .. list] : ["CMD-SHELL", command];
        return check;
    }

    /// <summary>A duration as Go writes it: 90s, 1m30s, 1.5h, 500ms.</summary>
    public static long Nanoseconds(string text)
    {
        decimal total = 0;
        for (var i = 0; i < text.Length;)
        {
            var number = i;
            while (i < text.Length && (char.IsAsciiDigit(text[i]) || text[i] == '.'))
                i++;
            var unit = i;
            while (i < text.Length && char.IsAsciiLetter(text[i]))
                i++;
            decimal factor = text[unit..i] switch { "ns" => 1, "us" => 1_000, "ms" => 1_000_000, "s" => 1_000_000_000, "m" => 60_000_000_000, "h" => 3_600_000_000_000, _ => 0 };
            if (factor == 0 || !decimal.TryParse(text[number..unit], NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var count) || (total += count * factor) > long.MaxValue)
                throw Wrong();
        }
        return text.Length > 0 ? (long)total : throw Wrong();

        ImageException Wrong() => new($"invalid duration \"{text}\": a number and a unit are expected, such as 30s or 1m30s");
    }
}

/// <summary>A list of words as the member of an object.</summary>
[OciObject]
internal sealed partial class WordList
{
    public List<string>? Words { get; set; }
}
