// What has happened on this host since it was started: a line of JSON for each event, in the shape of Docker's events.
//
// Whoever does something writes its line; there is nobody to collect them. A line is one write at the end of the file, so lines of several
// commands do not mix. The file is not synced, and begins anew when it is large: the one before it is kept.

using System.Text;
using Conman.Linux;
using Conman.Oci;

namespace Conman.Engine.Events;

/// <summary>An event.</summary>
[OciObject]
public sealed partial class Event
{
    /// <summary>container, image, volume, network or pod.</summary>
    [OciName("Type")]
    public string? Type { get; set; }

    /// <summary>create, start, die, …</summary>
    [OciName("Action")]
    public string? Action { get; set; }

    [OciName("Actor")]
    public EventActor? Actor { get; set; }

    /// <summary>local.</summary>
    public string? Scope { get; set; }

    /// <summary>Seconds since 1970.</summary>
    public long Time { get; set; }

    /// <summary>Nanoseconds since 1970.</summary>
    public long TimeNano { get; set; }
}

/// <summary>What an event happened to.</summary>
[OciObject]
public sealed partial class EventActor
{
    [OciName("ID")]
    public string? Id { get; set; }

    /// <summary>Its labels, and what else there is to say.</summary>
    [OciName("Attributes")]
    public Dictionary<string, string>? Attributes { get; set; }
}

/// <summary>The files <c>events</c> and, before it, <c>events.1</c>.</summary>
public sealed class EventLog(string runRoot)
{
    private const long Largest = 4 << 20;

    /// <summary>The file that grows, absolute.</summary>
    public string Path => runRoot + "/events";

    /// <summary>The file before it, absolute.</summary>
    public string Earlier => Path + ".1";

    /// <summary>Writes an event. That it cannot be written is no reason for anything else to fail.</summary>
    public void Append(string type, string action, string id, Dictionary<string, string> attributes)
    {
        var ticks = DateTime.UtcNow.Ticks - DateTime.UnixEpoch.Ticks;
        var line = new Event
        {
            Type = type,
            Action = action,
            Actor = new EventActor { Id = id, Attributes = attributes },
            Scope = "local",
            Time = ticks / TimeSpan.TicksPerSecond,
            TimeNano = ticks * 100,
        }.ToUtf8(indented: false);
        using var file = TryOpen(out var errno) ?? (errno == Errno.ENOENT ? OpenFirst() : null);
        if (file is null)
            return;
        Files.TryWrite(file.Number, [.. line, (byte)'\n']);
        if (Files.Status(file, Path).Size > (ulong)Largest)
            Files.TryRename(Path, Earlier);
    }

    private FileDescriptor? TryOpen(out int errno) => Files.TryOpen(Path, OpenFlags.WriteOnly | OpenFlags.Create | OpenFlags.Append, out errno, mode: 0x180 /* 0600 */);

    // Nothing was run since the host was started.
    private FileDescriptor? OpenFirst()
    {
        try
        {
            Files.MakeDirectories(runRoot, 0x1c0 /* 0700 */);
        }
        catch (LinuxException)
        {
            return null;
        }
        return TryOpen(out _);
    }
}
