// -e, --env-file, --label, --label-file: names and their values.

using System.Text;
using Conman.CommandLine;
using Conman.Linux;

namespace Conman;

internal static class EnvironmentValues
{
    /// <summary>One of <c>-e</c>: NAME=VALUE; or NAME, which has the caller's value, or takes the image's away.</summary>
    public static string Variable(string text)
    {
        if (text.Length == 0 || text[0] == '=')
            throw new UsageException($"--env {text}: a variable needs a name");
        return text.Contains('=') ? text : Own(text) ?? text;
    }

    /// <summary>The lines of <c>--env-file</c> or <c>--label-file</c>: empty ones and those that begin with # say nothing.</summary>
    /// <param name="inherit">A name alone has the caller's value, or is left out.</param>
    public static IEnumerable<string> Lines(string flag, string path, bool inherit)
    {
        using var file = Files.TryOpen(path, OpenFlags.ReadOnly, out var errno) ?? throw new UsageException($"--{flag} {path}: {LinuxException.Describe(errno)}");
        string content;
        try
        {
            content = new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(Files.ReadAll(file, path));
        }
        catch (ArgumentException)
        {
            throw new UsageException($"--{flag} {path}: it is no UTF-8 text");
        }
        var number = 0;
        foreach (var each in content.TrimStart('\ufeff').Split('\n'))
        {
            number++;
            var line = each.TrimEnd('\r').TrimStart();
            if (line.Length == 0 || line[0] == '#')
                continue;
            var equals = line.IndexOf('=');
            var name = equals < 0 ? line : line[..equals];
            if (name.Length == 0 || name.AsSpan().ContainsAny(" \t"))
                throw new UsageException($"--{flag} {path}: line {number}: {(name.Length == 0 ? "there is no name before =" : $"the name \"{name}\" has white space in it")}");
            if (equals >= 0 || !inherit)
                yield return line;
            else if (Own(name) is { } own)
                yield return own;
        }
    }

    /// <summary>KEY=VALUE; a key alone has the empty value.</summary>
    public static void Label(string flag, string text, ref Dictionary<string, string>? labels)
    {
        var equals = text.IndexOf('=');
        if (text.Length == 0 || equals == 0)
            throw new UsageException($"--{flag} {text}: a key is needed");
        (labels ??= [])[equals < 0 ? text : text[..equals]] = equals < 0 ? "" : text[(equals + 1)..];
    }

    /// <summary>KEY=VALUE, both.</summary>
    public static void Pair(string flag, string text, ref Dictionary<string, string>? pairs)
    {
        var equals = text.IndexOf('=');
        if (equals <= 0)
            throw new UsageException($"--{flag} {text}: expected KEY=VALUE");
        (pairs ??= [])[text[..equals]] = text[(equals + 1)..];
    }

    private static string? Own(string name) => Environment.GetEnvironmentVariable(name) is { } value ? name + "=" + value : null;
}
