// Reading the log of events: what is there, and what comes.

using Conman.Linux;
using Conman.Oci;

namespace Conman.Engine.Events;

/// <summary>Reads events in the order in which they were written.</summary>
public sealed class EventReader(EventLog log) : IDisposable
{
    private readonly byte[] _buffer = new byte[64 << 10];
    private int _used;
    private FileDescriptor? _file;

    public void Dispose() => _file?.Dispose();

    /// <summary>Hands over every event that was written until now.</summary>
    public void Read(Action<Event> take)
    {
        if (_file is null)
        {
            using (var earlier = Files.TryOpen(log.Earlier, OpenFlags.ReadOnly, out _))
            {
                if (earlier is not null)
                    ReadToEnd(earlier, take);
            }
            _file = Files.TryOpen(log.Path, OpenFlags.ReadOnly, out _);
        }
        for (; ; )
        {
            if (_file is not null)
                ReadToEnd(_file, take);
            // The name may stand for the next file by now; the one that is open has been read to its end, or is so once more.
            if (_file is not null && Storage.IsStill(_file, Files.CurrentDirectory, log.Path))
                return;
            if (Files.TryOpen(log.Path, OpenFlags.ReadOnly, out _) is not { } next)
                return;
            if (_file is not null)
                ReadToEnd(_file, take);
            _file?.Dispose();
            _file = next;
        }
    }

    /// <summary>As <see cref="Read"/>, and then whatever comes.</summary>
    /// <param name="over">Asked after each reading: milliseconds that may still be waited, -1: as long as it takes; 0: it is enough.</param>
    public void Follow(Action<Event> take, Func<int> over)
    {
        using var watch = new Inotify();
        var folder = System.IO.Path.GetDirectoryName(log.Path)!;
        Files.MakeDirectories(folder, 0x1c0 /* 0700 */);
        using (var opened = Files.Open(folder, OpenFlags.ReadOnly | Files.Directory))
            watch.Watch(opened, folder); // before the first reading: nothing falls between the two
        Span<PollEntry> entries = stackalloc PollEntry[2];
        for (; ; )
        {
            Read(take);
            var patience = over();
            if (patience == 0)
                return;
            entries[0] = new(watch.Descriptor.Number, PollEvents.In);
            entries[1] = new(1, PollEvents.None); // tells of errors alone: a pipe without a reader
            Waiting.Poll(entries, patience);
            if (entries[1].Returned != 0)
                return;
            watch.Clear();
        }
    }

    // Whole lines; what is no event is passed over: a full disk may have cut a line.
    private void ReadToEnd(FileDescriptor file, Action<Event> take)
    {
        for (; ; )
        {
            var n = Files.Read(file.Number, _buffer.AsSpan(_used), log.Path);
            if (n == 0)
                return;
            _used += n;
            var rest = _buffer.AsSpan(0, _used);
            for (int end; (end = rest.IndexOf((byte)'\n')) >= 0; rest = rest[(end + 1)..])
            {
                if (TryParse(rest[..end]) is { } parsed)
                    take(parsed);
            }
            _used = rest.Length == _buffer.Length ? 0 : rest.Length;
            rest[.._used].CopyTo(_buffer);
        }
    }

    private static Event? TryParse(ReadOnlySpan<byte> line)
    {
        try
        {
            return Event.Parse(line);
        }
        catch (OciFormatException)
        {
            return null;
        }
    }
}
