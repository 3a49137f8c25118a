// state.json: what has become of a container, so far as nobody alive can tell: when it was started, how it ended, who wanted that.

using Conman.Oci;

namespace Conman.Engine.Store;

/// <summary>The last start and the last end of a container.</summary>
[OciObject]
public sealed partial class StoredState
{
    /// <summary>RFC 3339 with nanoseconds; null: never.</summary>
    public string? StartedAt { get; set; }

    /// <summary>Null while it runs, and before its first end.</summary>
    public string? FinishedAt { get; set; }

    /// <summary>As a shell tells it; 0 before the first end.</summary>
    public int ExitCode { get; set; }

    /// <summary>The kernel killed one of its processes for want of memory.</summary>
    public bool OomKilled { get; set; }

    /// <summary>Why it could not be started; null: it could.</summary>
    public string? Error { get; set; }

    /// <summary>How often its restart policy has started it since somebody did.</summary>
    public int RestartCount { get; set; }

    /// <summary>Milliseconds before the next restart, if it ends soon again.</summary>
    public int RestartDelay { get; set; }

    /// <summary>The restart policy waits until then to start it, RFC 3339; null: it does not.</summary>
    public string? RestartsAt { get; set; }

    /// <summary>It was killed to be started again, whatever its policy.</summary>
    public bool RestartWanted { get; set; }

    /// <summary>Somebody stopped it: no policy starts it again.</summary>
    public bool Stopped { get; set; }

    /// <summary>It was stopped because the host was: with the host it is started again.</summary>
    public bool StoppedWithHost { get; set; }
}
