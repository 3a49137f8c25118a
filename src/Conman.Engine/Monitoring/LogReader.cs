// Reads a container's log: all its files, the oldest first, and what is written while it reads.

using Conman.Linux;

namespace Conman.Engine.Monitoring;

/// <summary>What of a log is wanted.</summary>
public sealed class LogOptions
{
    /// <summary>So many of the last entries; negative: all.</summary>
    public long Tail { get; init; } = -1;

    /// <summary>Nothing older; nanoseconds since 1970.</summary>
    public long Since { get; init; } = long.MinValue;

    /// <summary>Nothing younger; nanoseconds since 1970.</summary>
    public long Until { get; init; } = long.MaxValue;

    public bool Stdout { get; init; } = true;

    public bool Stderr { get; init; } = true;
}

/// <summary>Gets an entry.</summary>
/// <param name="error">It was written to standard error.</param>
/// <param name="time">RFC 3339 with nine digits of a second.</param>
/// <param name="text">With its line break, unless the line was too long or never ended.</param>
public delegate void LogSink(bool error, ReadOnlySpan<byte> time, ReadOnlySpan<byte> text);

/// <summary>A log in one of the formats that are files.</summary>
public sealed class LogReader : IDisposable
{
    private const int BlockSize = 64 << 10;

    private readonly FileDescriptor _folder;
    private readonly string _name;
    private readonly LogLine _line;
    private readonly LogOptions _options;
    private byte[] _buffer = new byte[2 * BlockSize];
    private int _used;

    /// <exception cref="EngineException">The format is not one of files.</exception>
    public LogReader(LogFormat format, string path, LogOptions options)
    {
        _line = format switch
        {
            LogFormat.JsonFile => LogLine.OfJson,
            LogFormat.Cri => LogLine.OfCri,
            LogFormat.Journald => throw new EngineException("cannot read the container's log: it is in the journal (journalctl CONTAINER_ID_FULL=…)"),
            _ => throw new EngineException("cannot read the container's log: it keeps none"),
        };
        (_options, _name) = (options, Path.GetFileName(path));
        _folder = Files.Open(Path.GetDirectoryName(path)!, OpenFlags.ReadOnly | Files.Directory);
    }

    public void Dispose() => _folder.Dispose();

    /// <summary>Reads what there is; with a monitor's run folder, what comes until the container ends as well.</summary>
    /// <param name="idle">Called before it waits for more.</param>
    public void Read(LogSink sink, FileDescriptor? follow = null, Action? idle = null)
    {
        using var monitor = follow is null ? null : Sockets.TryConnectPackets(follow, Monitor.Socket, out _);
        using var changes = monitor is null ? null : new Inotify();
        changes?.Watch(_folder, "the log's folder");
        if (monitor is not null)
            Sockets.TrySend(monitor, "q"u8);

        var file = OpenBeginning();
        try
        {
            for (var last = false; ;)
            {
                if (file is not null && !ReadOn(file, sink))
                    return;
                if (Following(file) is { } next)
                {
                    // It may have grown between the last look at it and the moment that it lost its name.
                    if (file is not null && !ReadOn(file, sink))
                        return;
                    _used = 0;
                    file?.Dispose();
                    file = next;
                    continue;
                }
                if (last || monitor is null)
                    return;
                if (file is not null)
                    changes!.Watch(file, _name);
                idle?.Invoke();
                last = Await(changes!, monitor);
            }
        }
        finally
        {
            file?.Dispose();
        }
    }

    // True: the container has ended, and all it wrote is in the log.
    private static bool Await(Inotify changes, FileDescriptor monitor)
    {
        Span<PollEntry> entries = [new(changes.Descriptor.Number, PollEvents.In), new(monitor.Number, PollEvents.In)];
        Waiting.Poll(entries);
        changes.Clear();
        Span<byte> word = stackalloc byte[16];
        return entries[1].Returned != 0 && (Sockets.Receive(monitor, word) == 0 || word[0] == 'x');
    }

    private string NameOf(int number) => number == 0 ? _name : _name + "." + number;

    private FileDescriptor? Open(int number) => Files.TryOpen(NameOf(number), OpenFlags.ReadOnly | Files.NoFollow, out _, _folder.Number);

    /// <summary>The file that came after this one when that was full; null: there is none yet.</summary>
    private FileDescriptor? Following(FileDescriptor? file)
    {
        if (file is null)
            return Open(0);
        var identity = Storage.Identity(file);
        FileDescriptor? younger = null;
        for (var number = 0; ; number++)
        {
            var candidate = Open(number);
            if (candidate is not null && Storage.Identity(candidate) == identity)
            {
                candidate.Dispose();
                return younger;
            }
            if (candidate is null)
                return younger; // it is gone: more was written meanwhile than is kept
            younger?.Dispose();
            younger = candidate;
        }
    }

    /// <summary>The file in which the wanted entries begin, and in it the place; null: there is no log yet.</summary>
    private FileDescriptor? OpenBeginning()
    {
        FileDescriptor? oldest = null;
        var left = _options.Tail;
        for (var number = 0; Open(number) is { } file; number++)
        {
            oldest?.Dispose();
            oldest = file;
            if (left >= 0 && StartOfLast(file, ref left) is { } offset)
            {
                Storage.Seek(file, offset, _name);
                break;
            }
        }
        return oldest;
    }

    // Where the last entries begin if the file has so many; else those it has are counted off, and null.
    private long? StartOfLast(FileDescriptor file, ref long count)
    {
        var end = (long)Files.Status(file, _name).Size;
        var block = new byte[BlockSize];
        for (var first = true; end > 0; first = false)
        {
            var start = Math.Max(0, end - BlockSize);
            var n = Storage.ReadAt(file, block.AsSpan(0, (int)(end - start)), start, _name);
            var from = n - (first && block[n - 1] == '\n' ? 1 : 0); // the last line's own end
            if (first && count == 0)
                return end;
            while (block.AsSpan(0, from).LastIndexOf((byte)'\n') is >= 0 and var at)
            {
                if (--count == 0)
                    return start + at + 1;
                from = at;
            }
            end = start;
        }
        if (count > 0)
            count--; // the first line has no line break before it
        return count == 0 ? 0 : null;
    }

    /// <summary>Reads to the file's end; false: everything wanted has been seen. The beginning of a line that is not whole yet stays in the buffer.</summary>
    private bool ReadOn(FileDescriptor file, LogSink sink)
    {
        for (; ; )
        {
            if (_buffer.Length - _used < BlockSize)
                Array.Resize(ref _buffer, _buffer.Length * 2);
            var n = Files.Read(file.Number, _buffer.AsSpan(_used), _name);
            if (n == 0)
                return true;
            _used += n;
            var start = 0;
            while (_buffer.AsSpan(start, _used - start).IndexOf((byte)'\n') is >= 0 and var length)
            {
                if (!Tell(_buffer.AsSpan(start, length), sink))
                    return false;
                start += length + 1;
            }
            _buffer.AsSpan(start, _used - start).CopyTo(_buffer);
            _used -= start;
        }
    }

    private bool Tell(ReadOnlySpan<byte> line, LogSink sink)
    {
        if (!_line.Parse(line))
            return true; // what a killed monitor or a power cut left of a line
        if (_line.Nanoseconds > _options.Until)
            return false;
        if (_line.Nanoseconds >= _options.Since && (_line.Error ? _options.Stderr : _options.Stdout))
            sink(_line.Error, _line.Time, _line.Text);
        return true;
    }
}
