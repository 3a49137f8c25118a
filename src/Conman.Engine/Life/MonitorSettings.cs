// What the monitor of a container is told when it starts.

using Conman.Engine.Monitoring;
using Conman.Engine.Settings;
using Conman.Engine.Store;
using Conman.Linux;
using Conman.Runtime;

namespace Conman.Engine.Life;

public static class MonitorSettings
{
    /// <summary>First words by which monitors call conman: a container has ended; its policy wants it started; its health is to be checked.</summary>
    public const string ExitWord = "container-exit", RestartWord = "container-restart", HealthWord = "container-health";

    // Rotation is on by default: no container fills the disk by talking.
    private const long DefaultMaxSize = 10_000_000;
    private const int DefaultMaxFile = 3;

    /// <summary>The options for a container's monitor.</summary>
    /// <param name="run">The container's folder of this boot.</param>
    /// <param name="exit">Where the record of its end goes.</param>
    internal static MonitorOptions Of(ContainerEngine engine, Container container, StoredContainer record, FileDescriptor run, FileDescriptor exit)
    {
        var (config, log) = (record.Config!, record.HostConfig!.LogConfig);
        return new MonitorOptions
        {
            Id = container.Id,
            RunFolder = run,
            ExitFolder = exit,
            Durable = !container.Transient,
            LogFormat = FormatOf(log),
            LogPath = LogPath(container),
            MaxSize = MaxSizeOf(log),
            MaxFiles = Option(log, "max-file") is { } count ? int.TryParse(count, out var files) && files > 0 ? files : throw new EngineException($"--log-opt max-file={count}: it is not a number of files") : DefaultMaxFile,
            JournalFields = JournalFields(container, record),
            Terminal = config.Tty,
            OpenStdin = config.OpenStdin,
            StdinOnce = config.StdinOnce,
            TimeoutSeconds = config.Timeout,
            OnExit = Command(engine, ExitWord, container.Id),
            Health = HealthTimerOf(engine, container, record),
        };
    }

    /// <summary>The environment that conman needs when it is called so.</summary>
    public static string[] Environment => [.. ((string[])["PATH", "HOME"]).Select(name => name + "=" + System.Environment.GetEnvironmentVariable(name))];

    /// <summary>The command line by which a monitor calls conman.</summary>
    public static string[] Command(ContainerEngine engine, string word, string id) => ["conman", word, engine.Root, engine.RunRoot, id];

    /// <summary>Where a container's log is; null: it has none in a file.</summary>
    public static string? LogPath(Container container) =>
        container.Record?.HostConfig?.LogConfig is var log && FormatOf(log) is LogFormat.JsonFile or LogFormat.Cri ? $"{container.Path}/{LogName(container, log)}" : null;

    public static LogFormat FormatOf(LogConfig? log) => log?.Type switch
    {
        null or "" or "json-file" => LogFormat.JsonFile,
        "k8s-file" => LogFormat.Cri,
        "journald" => LogFormat.Journald,
        "none" => LogFormat.None,
        var other => throw new EngineException($"--log-driver: there is no driver {other}: it is json-file, k8s-file, journald or none"),
    };

    private static long MaxSizeOf(LogConfig? log) => Option(log, "max-size") is not { } text ? DefaultMaxSize
        : Sizes.TryParse(text, out var bytes) ? Math.Max(bytes, 0) // -1: without a limit
        : throw new EngineException($"--log-opt max-size={text}: it is not a size");

    private static string LogName(Container container, LogConfig? log) => FormatOf(log) == LogFormat.Cri ? "ctr.log" : container.Id + "-json.log";

    private static string? Option(LogConfig? log, string name) => log?.Config?.GetValueOrDefault(name);

    private static IReadOnlyList<(string, string)> JournalFields(Container container, StoredContainer record) => FormatOf(record.HostConfig!.LogConfig) != LogFormat.Journald ? [] :
    [
        ("CONTAINER_ID", container.ShortId), ("CONTAINER_ID_FULL", container.Id), ("CONTAINER_NAME", record.Name!), ("IMAGE_NAME", record.Config!.Image),
        ("CONTAINER_TAG", Option(record.HostConfig.LogConfig, "tag") ?? container.ShortId), ("SYSLOG_IDENTIFIER", Option(record.HostConfig.LogConfig, "tag") ?? container.ShortId),
    ];

    private static HealthTimer? HealthTimerOf(ContainerEngine engine, Container container, StoredContainer record)
    {
        if (!HealthState.HasCheck(record))
            return null;
        var check = record.Config!.Healthcheck!;
        return new HealthTimer(
            Milliseconds(check.StartPeriod ?? 0),
            Milliseconds(check.StartInterval is > 0 and var start ? start : HealthCheck.DefaultStartInterval),
            Milliseconds(check.Interval is > 0 and var interval ? interval : HealthCheck.DefaultInterval),
            Command(engine, HealthWord, container.Id));

        static int Milliseconds(long nanoseconds) => (int)Math.Min(nanoseconds / 1_000_000, int.MaxValue);
    }
}
