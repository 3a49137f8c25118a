// One line of a log file, taken apart.

using System.Buffers.Text;
using System.Text.Json;

namespace Conman.Engine.Monitoring;

/// <summary>The line that was parsed last; its memory is used again for the next.</summary>
internal abstract class LogLine
{
    private readonly byte[] _time = new byte[30]; // 2006-01-02T15:04:05.000000000Z
    private protected byte[] Content = new byte[32 << 10];
    private protected int Length;

    public static LogLine OfJson => new JsonLine();

    public static LogLine OfCri => new CriLine();

    public bool Error { get; private protected set; }

    /// <summary>Since 1970.</summary>
    public long Nanoseconds { get; private set; }

    /// <summary>RFC 3339 with nine digits of a second.</summary>
    public ReadOnlySpan<byte> Time => _time;

    /// <summary>With its line break, if it has one.</summary>
    public ReadOnlySpan<byte> Text => Content.AsSpan(0, Length);

    /// <summary>False: it is no line of this format.</summary>
    public abstract bool Parse(ReadOnlySpan<byte> line);

    private protected void Reserve(int size)
    {
        if (Content.Length < size)
            Content = new byte[size * 2];
    }

    // RFC 3339 in UTC, as the monitor writes it: with any number of digits behind the point.
    private protected bool ParseTime(ReadOnlySpan<byte> text)
    {
        "0000-00-00T00:00:00.000000000Z"u8.CopyTo(_time);
        if (text.Length is < 20 or > 30 || text[^1] != 'Z')
            return false;
        text[..^1].CopyTo(_time);
        if (!Utf8Parser.TryParse(_time.AsSpan(0, 4), out int year, out _) || !Utf8Parser.TryParse(_time.AsSpan(5, 2), out int month, out _)
            || !Utf8Parser.TryParse(_time.AsSpan(8, 2), out int day, out _) || !Utf8Parser.TryParse(_time.AsSpan(11, 2), out int hour, out _)
            || !Utf8Parser.TryParse(_time.AsSpan(14, 2), out int minute, out _) || !Utf8Parser.TryParse(_time.AsSpan(17, 2), out int second, out _)
            || !Utf8Parser.TryParse(_time.AsSpan(20, 9), out int nanosecond, out _)
            || year is < 1970 or > 2200 || month is < 1 or > 12 || day < 1 || day > DateTime.DaysInMonth(year, month) || hour > 23 || minute > 59 || second > 59)
            return false;
        Nanoseconds = ((new DateTime(year, month, day, hour, minute, second, DateTimeKind.Utc) - DateTime.UnixEpoch).Ticks * 100) + nanosecond;
        return true;
    }

    private sealed class JsonLine : LogLine
    {
        public override bool Parse(ReadOnlySpan<byte> line)
        {
            Reserve(line.Length);
            var timed = false;
            Length = -1;
            try
            {
                var json = new Utf8JsonReader(line);
                while (json.Read())
                {
                    if (json.TokenType != JsonTokenType.PropertyName || json.CurrentDepth != 1)
                        continue;
                    var log = json.ValueTextEquals("log"u8);
                    var stream = json.ValueTextEquals("stream"u8);
                    var time = json.ValueTextEquals("time"u8);
                    if (!json.Read() || json.TokenType != JsonTokenType.String)
                        continue;
                    if (log)
                        Length = json.CopyString(Content);
                    else if (stream)
                        Error = json.ValueTextEquals("stderr"u8);
                    else if (time)
                        timed = ParseTime(json.ValueSpan);
                }
            }
            catch (JsonException)
            {
                return false;
            }
            Length = Math.Max(Length, 0); // Docker leaves an empty text out
            return timed;
        }
    }

    private sealed class CriLine : LogLine
    {
        public override bool Parse(ReadOnlySpan<byte> line)
        {
            var time = line.IndexOf((byte)' ');
            var stream = line[(time + 1)..];
            var end = stream.IndexOf((byte)' ');
            if (time < 0 || end < 0 || stream.Length < end + 2 || !ParseTime(line[..time]))
                return false;
            Error = stream[..end].SequenceEqual("stderr"u8);
            var rest = stream[(end + 1)..];
            var partial = rest[0] == 'P';
            var text = rest.Length > 2 ? rest[2..] : default;
            Reserve(text.Length + 1);
            text.CopyTo(Content);
            Content[text.Length] = (byte)'\n';
            Length = text.Length + (partial ? 0 : 1);
            return true;
        }
    }
}
