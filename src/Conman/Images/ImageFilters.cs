// --filter of images and of prune, as Docker has them.

using System.Globalization;
using Conman.CommandLine;
using Conman.Images.Store;

namespace Conman;

internal static class ImageFilters
{
    /// <summary>The records that pass every filter; several values of one kind are alternatives, except of labels.</summary>
    public static List<ImageRecord> Apply(ImageStore store, List<ImageRecord> records, List<string> filters, DateTimeOffset now)
    {
        foreach (var group in filters.Select(Split).GroupBy(f => f.Key, StringComparer.Ordinal))
        {
            var values = group.Select(f => f.Value).ToList();
            Predicate<ImageRecord> passes = group.Key switch
            {
                "dangling" => r => values.Exists(v => (Arguments.Truth(v) ?? throw new UsageException($"--filter dangling={v}: true or false is expected")) == r.Tag is null),
                "reference" => r => values.Exists(v => IsNamed(r, v)),
                "label" => r => values.TrueForAll(v => HasLabel(store, r, v)),
                "label!" => r => !values.Exists(v => HasLabel(store, r, v)),
                "before" => values.ConvertAll(v => Created(store, v)).Min() is var least ? r => ImageView.Time(r.Created) < least : _ => false,
                "since" => values.ConvertAll(v => Created(store, v)).Max() is var most ? r => ImageView.Time(r.Created) > most : _ => false,
                "until" => values.ConvertAll(v => Until(v, now)).Min() is var until ? r => (ImageView.Time(r.Created) ?? DateTimeOffset.MinValue) < until : _ => false,
                _ => throw new UsageException($"--filter {group.Key}: there is no such filter"),
            };
            records = records.FindAll(passes);
        }
        return records;
    }

    /// <summary>Whether a record has the name: a repository, a name with a tag, or a pattern of a shell in either.</summary>
    public static bool IsNamed(ImageRecord record, string wanted)
    {
        var repository = ImageView.Familiar(record.Repository);
        foreach (var name in (string[])[repository, record.Repository])
        {
            if (Matches(wanted, name) || (record.Tag is not null && Matches(wanted, $"{name}:{record.Tag}")) || wanted == $"{name}@{record.Target!.Digest}")
                return true;
        }
        return false;
    }

    private static (string Key, string Value) Split(string filter)
    {
        var equals = filter.IndexOf('=');
        return equals > 0 ? (filter[..equals], filter[(equals + 1)..]) : throw new UsageException($"--filter {filter}: KEY=VALUE is expected");
    }

    // path.Match of Go: * and ? stop at a slash.
    private static bool Matches(string pattern, string name) => System.IO.Enumeration.FileSystemName.MatchesSimpleExpression(pattern.Replace("/", "\\/", StringComparison.Ordinal).Replace("\\/", "/", StringComparison.Ordinal), name, ignoreCase: false)
        && pattern.Count(c => c == '/') == name.Count(c => c == '/');

    private static bool HasLabel(ImageStore store, ImageRecord record, string label)
    {
        var equals = label.IndexOf('=');
        return ImageDocuments.Image(store, record).Config?.Labels is { } labels && labels.TryGetValue(equals < 0 ? label : label[..equals], out var value)
            && (equals < 0 || value == label[(equals + 1)..]);
    }

    private static DateTimeOffset? Created(ImageStore store, string image) => ImageView.Time(ImageCommands.Find(store, image).Record.Created);

    // A time, a number of seconds since 1970, or how long ago: 24h, 1h30m, 7d.
    internal static DateTimeOffset Until(string text, DateTimeOffset now, string asked = "--filter until=")
    {
        if (long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var seconds))
            return DateTimeOffset.FromUnixTimeSeconds(seconds);
        if (ImageView.Time(text) is { } time)
            return time;
        var span = TimeSpan.Zero;
        var number = "";
        foreach (var c in text)
        {
            if (char.IsAsciiDigit(c) || c == '.')
            {
                number += c;
                continue;
            }
            if (!double.TryParse(number, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var value))
                throw Wrong();
            span += c switch { 's' => TimeSpan.FromSeconds(value), 'm' => TimeSpan.FromMinutes(value), 'h' => TimeSpan.FromHours(value), 'd' => TimeSpan.FromDays(value), _ => throw Wrong() };
            number = "";
        }
        return number.Length == 0 && text.Length > 0 ? now - span : throw Wrong();

        UsageException Wrong() => new($"{asked}{text}: a time, seconds since 1970, or a duration such as 24h is expected");
    }
}
