// The monitor's settings in the format of native/monitor.h.

using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;
using Conman.Linux;

namespace Conman.Engine.Monitoring;

/// <summary>The fixed part of struct monitor_config of native/monitor.h.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct MonitorConfig
{
    public const uint Magic = 0x4e4f4d43, Durable = 1, StdinOnce = 2, Terminal = 4;

    // What the monitor has room for.
    private const int MostWords = 250, LongestLogName = 250, LargestText = 60 << 10;

    public uint magic, size;
    public int control, listener, console;
    public fixed int output[2];
    public int input, process;
    public fixed int folder[2];
    public int log, program;
    public uint flags, format, max_files;
    public ulong max_size, timeout;
    public fixed ulong health[3];
    public fixed uint count[3];
    public uint identity;

    /// <summary>With the options' texts behind it.</summary>
    public readonly byte[] Encode(MonitorOptions options, string logName)
    {
        var fields = Encoding.UTF8.GetBytes(string.Concat(options.JournalFields.Select(f => f.Name + "=" + f.Value + "\n")));
        var environment = options.Environment ?? [.. Inherited("PATH"), .. Inherited("HOME")];
        string[] words = [logName, .. options.OnExit, .. options.Health?.Command ?? [], .. environment];
        var text = Encoding.UTF8.GetBytes(string.Join('\0', words) + '\0');
        if (words.Length > MostWords || Encoding.UTF8.GetByteCount(logName) > LongestLogName || fields.Length + text.Length > LargestText)
            throw new EngineException($"cannot start the monitor of container {options.Id}: its settings are too long");
        if (options.JournalFields.Any(f => f.Value.Contains('\n', StringComparison.Ordinal)))
            throw new EngineException($"cannot log container {options.Id} to the journal: a field has a line break in it");

        var config = this;
        config.magic = Magic;
        config.size = (uint)(Unsafe.SizeOf<MonitorConfig>() + fields.Length + text.Length);
        config.identity = (uint)fields.Length;
        config.flags = (options.Durable ? Durable : 0) | (options.StdinOnce ? StdinOnce : 0) | (options.Terminal ? Terminal : 0);
        config.format = (uint)options.LogFormat;
        (config.max_size, config.max_files) = ((ulong)options.MaxSize, (uint)Math.Max(options.MaxFiles, 1));
        config.timeout = (ulong)options.TimeoutSeconds * 1000;
        if (options.Health is { } health)
            (config.health[0], config.health[1], config.health[2]) = ((ulong)health.StartPeriod, (ulong)Math.Max(health.StartInterval, 1), (ulong)Math.Max(health.Interval, 1));
        (config.count[0], config.count[1], config.count[2]) = ((uint)options.OnExit.Length, (uint)(options.Health?.Command.Length ?? 0), (uint)environment.Length);
        return [.. MemoryMarshal.AsBytes(new ReadOnlySpan<MonitorConfig>(in config)), .. fields, .. text];
    }

    private static string[] Inherited(string name) => Environment.GetEnvironmentVariable(name) is { } value ? [name + "=" + value] : [];
}

/// <summary>The fixed part of struct monitor_spawn of native/monitor.h.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct MonitorSpawn
{
    public ulong flags;
    public int cgroup, pid_namespace, own_pid_namespace, executable;
    public fixed int stdio[3];
    public int keep, argc, envc;
}

/// <summary>What a packet to the monitor begins with: struct monitor_word of native/monitor.h.</summary>
internal readonly struct MonitorWord(char kind, int value)
{
    private readonly uint _kind = kind;
    private readonly int _value = value;

    /// <summary>The packet.</summary>
    public byte[] With(ReadOnlySpan<byte> rest)
    {
        var word = this;
        return [.. MemoryMarshal.AsBytes(new ReadOnlySpan<MonitorWord>(in word)), .. rest];
    }
}
