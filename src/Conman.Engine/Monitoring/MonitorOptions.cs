// What a monitor is told about its container.

using Conman.Linux;

namespace Conman.Engine.Monitoring;

/// <summary>How a container's output is written down.</summary>
public enum LogFormat : uint
{
    /// <summary>Not at all.</summary>
    None,

    /// <summary>Docker's <c>json-file</c>: an object a line.</summary>
    JsonFile,

    /// <summary>The kubelet's: <c>TIME stdout F TEXT</c>.</summary>
    Cri,

    /// <summary>systemd's journal.</summary>
    Journald,
}

/// <summary>When and how the monitor has a container's health checked.</summary>
/// <param name="StartPeriod">Milliseconds after the start in which another interval holds, until a check succeeds (exit code 0).</param>
/// <param name="StartInterval">Milliseconds between two checks in that time.</param>
/// <param name="Interval">Milliseconds between the end of one check and the next.</param>
/// <param name="Command">What runs a check: arguments of conman, the program's name first.</param>
public sealed record HealthTimer(int StartPeriod, int StartInterval, int Interval, string[] Command);

/// <summary>Options of <see cref="Monitor.Start"/>. The descriptors stay the caller's.</summary>
public sealed class MonitorOptions
{
    /// <summary>What <c>ps</c> shows beside the monitor: the container's id.</summary>
    public string Id { get; init; } = "";

    /// <summary>Where the attach socket and the FIFOs are; gone with the boot.</summary>
    public required FileDescriptor RunFolder { get; init; }

    /// <summary>Where <c>exit</c> is written; where that folder takes no more, the run folder.</summary>
    public required FileDescriptor ExitFolder { get; init; }

    /// <summary>The exit record survives a power cut: it is synchronized, and its folder.</summary>
    public bool Durable { get; init; }

    public LogFormat LogFormat { get; init; }

    /// <summary>The log's file, its folder there already; for <see cref="LogFormat.JsonFile"/> and <see cref="LogFormat.Cri"/>.</summary>
    public string? LogPath { get; init; }

    /// <summary>A file of so many bytes is followed by a new one; 0: never.</summary>
    public long MaxSize { get; init; }

    /// <summary>So many files are kept, the newest without a number.</summary>
    public int MaxFiles { get; init; } = 1;

    /// <summary>Fields of every message in the journal, e.g. <c>("CONTAINER_NAME", "web")</c>.</summary>
    public IReadOnlyList<(string Name, string Value)> JournalFields { get; init; } = [];

    /// <summary>The container has a terminal; its master comes through <see cref="Monitor.ConsoleReceiver"/>.</summary>
    public bool Terminal { get; init; }

    /// <summary>The container reads what clients type; else nothing (/dev/null).</summary>
    public bool OpenStdin { get; init; }

    /// <summary>Input ends with the first client's; else it never ends.</summary>
    public bool StdinOnce { get; init; }

    /// <summary>What the monitor becomes when all is over: arguments of conman, the program's name first; none: nothing.</summary>
    public string[] OnExit { get; init; } = [];

    /// <summary>The container is killed after so many seconds; 0: it is not.</summary>
    public long TimeoutSeconds { get; init; }

    public HealthTimer? Health { get; init; }

    /// <summary>What the monitor executes; tests have another.</summary>
    internal string Program { get; init; } = "/proc/self/exe";

    /// <summary>The environment of <see cref="OnExit"/> and of health checks, <c>NAME=VALUE</c> each; null: this process's PATH and HOME.</summary>
    public string[]? Environment { get; init; }
}
