// A program of the host under a monitor of its own, as a container would be, in a folder that is gone at the end.

using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text;
using Conman.Engine.Monitoring;
using Conman.Linux;
using Monitor = Conman.Engine.Monitoring.Monitor;

namespace Conman.Engine.Tests.Monitoring;

internal sealed partial class Monitored : IDisposable
{
    private readonly List<(int Pid, ulong StartTime)> _started = [];

    public Monitored()
    {
        Path = Directory.CreateTempSubdirectory("conman-monitor-").FullName;
        Folder = Files.Open(Path, OpenFlags.ReadOnly | Files.Directory);
    }

    public string Path { get; }
    public FileDescriptor Folder { get; }
    public string Log => Path + "/log";
    public ProcessHandle Process { get; private set; } = null!;
    public (int Pid, ulong StartTime) Monitor { get; private set; }

    public MonitorOptions Options(LogFormat format = LogFormat.JsonFile, long maxSize = 0, int maxFiles = 1, bool stdin = false, bool once = false, bool terminal = false,
        string? onExit = null, HealthTimer? health = null, string? log = null, bool durable = false, long timeout = 0) => new()
        {
            Id = "test",
            RunFolder = Folder,
            ExitFolder = Folder,
            LogFormat = format,
            LogPath = log ?? Log,
            MaxSize = maxSize,
            MaxFiles = maxFiles,
            OpenStdin = stdin,
            StdinOnce = once,
            Terminal = terminal,
            OnExit = onExit is null ? [] : ["sh", "-c", onExit],
            Health = health,
            Durable = durable,
            TimeoutSeconds = timeout,
            Program = "/bin/sh",
            Environment = ["PATH=/usr/bin:/bin"],
        };

    /// <summary>Starts a script; what is done between the monitor's start and the program's comes in between.</summary>
    public void Run(string script, MonitorOptions options, Action? before = null)
    {
        using var monitor = Conman.Engine.Monitoring.Monitor.Start(options);
        Note(monitor);
        before?.Invoke();
        using var shell = Files.Open("/bin/sh", OpenFlags.ReadOnly);
        Process = monitor.Spawn(shell, ["sh", "-c", script], ["PATH=/usr/bin:/bin"], new SpawnOptions());
        _started.Add((Process.Pid, Processes.StartTime(Process.Pid)));
        monitor.Watch(Process.Pid);
    }

    public void Note(Monitor monitor)
    {
        Monitor = (monitor.Pid, monitor.StartTime);
        _started.Add(Monitor);
    }

    public TestClient Client(params string[] words)
    {
        var client = new TestClient(Sockets.TryConnectPackets(Folder, Conman.Engine.Monitoring.Monitor.Socket, out _) ?? throw new InvalidOperationException("no monitor listens"));
        foreach (var word in words)
            client.Say(word);
        return client;
    }

    /// <summary>Waits until the monitor, or what it has become, is gone.</summary>
    public void AwaitMonitor()
    {
        using var process = Processes.TryOpen(Monitor.Pid, Monitor.StartTime);
        if (process is null)
            return;
        Assert.True(Waiting.Readable(process, 60_000), "the monitor does not end");
        Processes.Reap(process);
    }

    public string Exit => File.ReadAllText(Path + "/exit");

    public void KillMonitor()
    {
        using var process = Processes.TryOpen(Monitor.Pid, Monitor.StartTime)!;
        Processes.TrySignal(process, Signals.SIGKILL);
        Processes.Reap(process);
    }

    /// <summary>What the log says, by the reader.</summary>
    public string ReadLog(LogOptions? options = null, LogFormat format = LogFormat.JsonFile)
    {
        using var reader = new LogReader(format, Log, options ?? new LogOptions());
        var text = new StringBuilder();
        reader.Read((error, _, line) => text.Append(error ? "2:" : "").Append(Encoding.UTF8.GetString(line)));
        return text.ToString();
    }

    public static void Until(Func<bool> condition, string what)
    {
        var start = Stopwatch.GetTimestamp();
        while (!condition())
        {
            Assert.True(Stopwatch.GetElapsedTime(start) < TimeSpan.FromSeconds(60), $"waited in vain: {what}");
            Thread.Sleep(5);
        }
    }

    public void Dispose()
    {
        foreach (var (pid, startTime) in _started)
        {
            using var process = Processes.TryOpen(pid, startTime);
            if (process is null)
                continue;
            Processes.TrySignal(process, Signals.SIGKILL);
            Waiting.Readable(process, 10_000);
            Processes.Reap(process);
        }
        Process?.Dispose();
        Folder.Dispose();
        Directory.Delete(Path, recursive: true);
    }

    /// <summary>Orphans become this process's children, which reaps them: only then does the kernel tell how they ended.</summary>
    public static void BecomeSubreaper() => Assert.Equal(0, prctl(36 /* PR_SET_CHILD_SUBREAPER */, 1, 0, 0, 0));

    [LibraryImport("libc")]
    private static partial int prctl(int option, nint a, nint b, nint c, nint d);
}

/// <summary>A client that speaks the monitor's words one by one.</summary>
internal sealed class TestClient(FileDescriptor socket) : IDisposable
{
    public string Stdout { get; private set; } = "";
    public string Stderr { get; private set; } = "";
    public ulong Lost { get; private set; }

    public void Say(string packet) => Assert.Equal(0, Sockets.TrySend(socket, Encoding.Latin1.GetBytes(packet)));

    /// <summary>Reads all output; how the container ended, or null where the monitor hung up.</summary>
    public (int Status, int Signal)? ReadToEnd()
    {
        var packet = new byte[64 << 10];
        while (Waiting.Readable(socket, 60_000) && Sockets.Receive(socket, packet) is > 0 and var n)
        {
            switch ((char)packet[0])
            {
                case '1':
                    Stdout += Encoding.Latin1.GetString(packet, 1, n - 1);
                    break;
                case '2':
                    Stderr += Encoding.Latin1.GetString(packet, 1, n - 1);
                    break;
                case 'l':
                    Lost += BitConverter.ToUInt64(packet, 1);
                    break;
                default:
                    return (BitConverter.ToInt32(packet, 1), BitConverter.ToInt32(packet, 5));
            }
        }
        return null;
    }

    public void Dispose() => socket.Dispose();
}
