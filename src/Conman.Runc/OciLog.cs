// Messages: to standard error, a file, the journal or syslog; in the two formats of logrus, which the callers of runc read.

using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using Conman.CommandLine;
using Conman.Linux;
using Conman.Runtime;

namespace Conman.Runc;

/// <summary>How much a message matters; the numbers are those of syslog(3).</summary>
internal enum LogLevel
{
    Error = 3,
    Warning = 4,
    Info = 6,
    Debug = 7,
}

/// <summary>What <c>--log</c>, <c>--log-format</c> and <c>--log-level</c> ask for.</summary>
internal sealed class OciLog
{
    private const string JournalSocket = "/run/systemd/journal/socket", SyslogSocket = "/dev/log";

    private readonly string _kind, _target;
    private readonly bool _json;
    private readonly LogLevel _most;
    private readonly string? _person;

    private OciLog(string kind, string target, bool json, LogLevel most, string? person) =>
        (_kind, _target, _json, _most, _person) = (kind, target, json, most, person);

    /// <summary>Before the command line is understood.</summary>
    public static OciLog Default(string? person) => new("", "", false, LogLevel.Info, person);

    /// <summary>Messages do not go to standard error.</summary>
    public bool Elsewhere => _kind.Length > 0;

    /// <summary>By the options before the command.</summary>
    /// <param name="person">Whoever typed the command reads standard error: plain lines that begin with this word; null: a program does.</param>
    /// <exception cref="RuntimeException">Nothing can be written there.</exception>
    public static OciLog Open(Arguments global, string? person)
    {
        var format = global.Get("log-format") ?? "text";
        if (format is not ("text" or "json"))
            throw new UsageException($"invalid log-format: {format} is neither text nor json");
        var (kind, target) = Destination(global.Get("log") ?? "");
        var log = new OciLog(kind, target, format == "json", Level(global), person);
        var errno = 0;
        if (kind == "file")
            log.OpenFile(out errno)?.Dispose(); // not kept open: its number may be one that the container is to get
        else if (kind.Length > 0)
            Sockets.TryConnectDatagram(SocketOf(kind), out errno)?.Dispose();
        if (errno != 0)
            throw new RuntimeException($"cannot log to {(kind == "file" ? target : $"{kind} ({SocketOf(kind)})")}: {LinuxException.Describe(errno)}");
        return log;
    }

    /// <summary>Whether messages of a level are written at all.</summary>
    public bool Wants(LogLevel level) => level <= _most;

    /// <summary>Writes one message; what cannot be written is lost.</summary>
    public void Write(LogLevel level, string message)
    {
        if (!Wants(level))
            return;
        switch (_kind)
        {
            case "file":
                using (var file = OpenFile(out _))
                {
                    if (file is not null)
                        Files.TryWrite(file.Number, Encoding.UTF8.GetBytes(Line(level, message)));
                }
                break;
            case "journald":
                Send(JournalEntry(level, message));
                break;
            case "syslog":
                Send(Encoding.UTF8.GetBytes($"<{8 | (int)level /* LOG_USER */}>{SyslogTime()} {_target}[{Environment.ProcessId}]: {message}"));
                break;
            default:
                Output.Error(_person is null || _json
                    ? Line(level, message).TrimEnd('\n')
                    : $"{_person}: {(level == LogLevel.Error ? "" : Name(level) + ": ")}{message}");
                break;
        }
    }

    // "PATH", "file:PATH", "journald:ID", "syslog:ID"; a path of standard error is standard error.
    private static (string Kind, string Target) Destination(string text)
    {
        var colon = text.IndexOf(':');
        var kind = colon < 0 ? "" : text[..colon];
        if (kind is "journald" or "syslog" or "file")
        {
            return text.Length > colon + 1 ? (kind, text[(colon + 1)..])
                : throw new UsageException($"--log: {text} names no {(kind == "file" ? "file" : "identifier")}");
        }
        return text is "" or "/dev/stderr" ? ("", "") : ("file", text);
    }

    private static LogLevel Level(Arguments global)
    {
        var level = global.Get("log-level") switch
        {
            null or "info" => LogLevel.Info,
            "panic" or "fatal" or "error" => LogLevel.Error,
            "warn" or "warning" => LogLevel.Warning,
            "debug" or "trace" => LogLevel.Debug,
            var other => throw new UsageException($"--log-level: {other} is not one of error, warning, info, debug"),
        };
        return global.Has("debug") ? LogLevel.Debug : level;
    }

    private FileDescriptor? OpenFile(out int errno) =>
        Files.TryOpen(_target, OpenFlags.WriteOnly | OpenFlags.Create | OpenFlags.Append, out errno, mode: 0x1a4 /* 0644 */);

    private static string SocketOf(string kind) => kind == "syslog" ? SyslogSocket : JournalSocket;

    private void Send(ReadOnlySpan<byte> datagram)
    {
        using var socket = Sockets.TryConnectDatagram(SocketOf(_kind), out _);
        if (socket is not null)
            Sockets.TrySend(socket, datagram);
    }

    // systemd's native protocol: a field is "NAME=value", or, with line ends in it, its name, a length in eight bytes, and the value.
    private byte[] JournalEntry(LogLevel level, string message)
    {
        var entry = new List<byte>();
        Field("MESSAGE", message);
        Field("PRIORITY", ((int)level).ToString(CultureInfo.InvariantCulture));
        Field("SYSLOG_IDENTIFIER", _target);
        Field("ID", _target);
        return [.. entry];

        void Field(string name, string value)
        {
            var bytes = Encoding.UTF8.GetBytes(value);
            entry.AddRange(Encoding.UTF8.GetBytes(name + (value.Contains('\n') ? "\n" : "=")));
            if (value.Contains('\n'))
            {
                Span<byte> length = stackalloc byte[8];
                BinaryPrimitives.WriteUInt64LittleEndian(length, (ulong)bytes.Length);
                entry.AddRange(length);
            }
            entry.AddRange(bytes);
            entry.Add((byte)'\n');
        }
    }

    private static string SyslogTime()
    {
        var now = DateTime.Now;
        return now.ToString("MMM ", CultureInfo.InvariantCulture) + now.Day.ToString(CultureInfo.InvariantCulture).PadLeft(2) + now.ToString(" HH:mm:ss", CultureInfo.InvariantCulture);
    }

    private string Line(LogLevel level, string message)
    {
        var now = DateTime.Now;
        var offset = TimeZoneInfo.Local.GetUtcOffset(now);
        // RFC 3339 in local time, without fractions.
        var time = now.ToString("yyyy-MM-ddTHH:mm:ss", CultureInfo.InvariantCulture)
            + (offset == TimeSpan.Zero ? "Z" : (offset < TimeSpan.Zero ? "-" : "+") + offset.ToString("hh\\:mm", CultureInfo.InvariantCulture));
        return _json
            ? $"{{\"level\":\"{Name(level)}\",\"msg\":{GoText.Json(message)},\"time\":\"{time}\"}}\n"
            : $"time=\"{time}\" level={Name(level)} msg={GoText.Value(message)}\n";
    }

    private static string Name(LogLevel level) => level switch
    {
        LogLevel.Error => "error",
        LogLevel.Warning => "warning",
        LogLevel.Info => "info",
        _ => "debug",
    };
}
