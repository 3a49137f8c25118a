// A container's monitor: started before it, its parent, and still there when this process is gone.
//
// Standard output and error are FIFOs that the container holds open for reading as well: when the monitor is killed, a write waits, and raises
// no SIGPIPE; the next monitor opens them again.

using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;
using Conman.Linux;

namespace Conman.Engine.Monitoring;

/// <summary>A monitor that was started by this process. Disposed before <see cref="Watch"/>, it kills what it spawned and ends.</summary>
public sealed class Monitor : IDisposable
{
    /// <summary>The attach socket's name in the run folder.</summary>
    public const string Socket = "attach";

    // SCM_MAX_FD
    private const int MostDescriptorsAtOnce = 253;

    private readonly List<FileDescriptor> _open = [];
    private ProcessHandle? _process;
    private FileDescriptor? _control;

    private Monitor()
    {
    }

    /// <summary>What the container gets as standard input, output and error.</summary>
    public (int In, int Out, int Error) StandardStreams { get; private set; }

    /// <summary>A socket for the container's init, on which it sends its terminal's master; null without a terminal.</summary>
    public FileDescriptor? ConsoleReceiver { get; private set; }

    public int Pid => _process!.Pid;

    /// <summary>In clock ticks since boot (proc(5)).</summary>
    public ulong StartTime => Processes.StartTime(Pid);

    /// <summary>Starts a monitor, which listens for clients and waits for a container.</summary>
    public static Monitor Start(MonitorOptions options)
    {
        var monitor = new Monitor();
        try
        {
            (monitor._control, var its) = Sockets.Pair();
            monitor.Keep(its);
            monitor.Launch(options, new MonitorConfig { control = its.Number, process = -1 });
            return monitor;
        }
        catch
        {
            monitor.Dispose();
            throw;
        }
    }

    /// <summary>
    /// Starts a monitor for a container that lost its own. Its output is gathered again from the FIFOs; a terminal died with the monitor that had it.
    /// How it ends is known where the kernel tells (since Linux 6.15).
    /// </summary>
    /// <returns>Null: there is no such process any more.</returns>
    public static Monitor? Adopt(MonitorOptions options, int pid, ulong startTime)
    {
        var monitor = new Monitor();
        try
        {
            if (Processes.TryOpen(pid, startTime) is not { } process)
            {
                monitor.Dispose();
                return null;
            }
            monitor.Keep(process);
            if (options.LogPath is { } path)
                LogFile.Mend(path);
            monitor.Launch(options, new MonitorConfig { control = -1, process = process.Number });
            return monitor;
        }
        catch
        {
            monitor.Dispose();
            throw;
        }
    }

    /// <summary>As <see cref="Processes.Spawn"/>, but the process is a child of the monitor; where the options leave the standard streams open, they are <see cref="StandardStreams"/>.</summary>
    public unsafe ProcessHandle Spawn(FileDescriptor executable, ReadOnlySpan<string> arguments, ReadOnlySpan<string> environment, SpawnOptions options)
    {
        using var own = options.PidNamespace is null ? null : Files.Open("/proc/self/ns/pid", OpenFlags.ReadOnly);
        var (input, output, error) = options.StandardStreams;
        var request = new MonitorSpawn
        {
            flags = (ulong)options.New,
            cgroup = options.Cgroup?.Number ?? -1,
            pid_namespace = options.PidNamespace?.Number ?? -1,
            own_pid_namespace = own?.Number ?? -1,
            executable = executable.Number,
            keep = options.Keep.Count,
            argc = arguments.Length,
            envc = environment.Length,
        };
        request.stdio[0] = input < 0 ? StandardStreams.In : input;
        request.stdio[1] = output < 0 ? StandardStreams.Out : output;
        request.stdio[2] = error < 0 ? StandardStreams.Error : error;
        var numbers = new List<int>(options.Keep);
        foreach (var number in (ReadOnlySpan<int>)[request.cgroup, request.pid_namespace, request.own_pid_namespace, request.executable, request.stdio[0], request.stdio[1], request.stdio[2]])
        {
            if (number >= 0 && !numbers.Contains(number))
                numbers.Add(number);
        }
        var text = new StringBuilder();
        foreach (var argument in arguments)
            text.Append(argument).Append('\0');
        foreach (var variable in environment)
            text.Append(variable).Append('\0');

        var sent = CollectionsMarshal.AsSpan(numbers);
        for (var i = 0; i < sent.Length; i += MostDescriptorsAtOnce)
        {
            var part = sent.Slice(i, Math.Min(MostDescriptorsAtOnce, sent.Length - i));
            Send(new MonitorWord('f', numbers.Max() + 1).With(MemoryMarshal.AsBytes(part)), part);
        }
        Send(new MonitorWord('s', 0).With([.. MemoryMarshal.AsBytes(new ReadOnlySpan<MonitorSpawn>(in request)), .. Encoding.UTF8.GetBytes(text.ToString())]), []);

        Span<byte> answer = stackalloc byte[8];
        var n = Sockets.Receive(_control!, answer, out var pidfd);
        var pid = n == 8 ? BinaryPrimitives.ReadInt64LittleEndian(answer) : throw new EngineException("the container's monitor was killed");
        if (pid < 0)
            throw new LinuxException((int)-pid, "start a process");
        return new ProcessHandle((int)pid, pidfd!);
    }

    /// <summary>The container is made: from here on the monitor stands without this process.</summary>
    /// <param name="pid">Its first process, which <see cref="Spawn"/> started, or a sibling of that one.</param>
    public void Watch(int pid)
    {
        using var pidfd = Processes.TryOpen(pid) ?? throw new EngineException("the container's monitor was killed");
        Send(new MonitorWord('w', pid).With([]), [pidfd.Number]);
    }

    public void Dispose()
    {
        _control?.Dispose();
        _process?.Dispose();
        foreach (var descriptor in _open)
            descriptor.Dispose();
    }

    private void Send(byte[] packet, ReadOnlySpan<int> fds)
    {
        if (Sockets.TrySendDescriptors(_control!, fds, packet) is not 0 and var errno)
            throw new EngineException($"cannot speak to the container's monitor: {LinuxException.Describe(errno)}");
    }

    private unsafe void Launch(MonitorOptions options, MonitorConfig config)
    {
        var nothing = Keep(Files.Open("/dev/null", OpenFlags.ReadWrite));
        StandardStreams = (nothing.Number, nothing.Number, nothing.Number);
        (config.console, config.output[0], config.output[1], config.input, config.log) = (-1, -1, -1, -1, -1);
        if (options.Terminal)
            config.console = config.process < 0 ? OpenConsole() : -1;
        else
            OpenStreams(options, ref config);

        var logName = "";
        if (options is { LogFormat: LogFormat.JsonFile or LogFormat.Cri, LogPath: { } path })
        {
            config.log = Keep(Files.Open(Path.GetDirectoryName(path)!, OpenFlags.Path | Files.Directory)).Number;
            logName = Path.GetFileName(path);
        }
        else if (options.LogFormat == LogFormat.Journald)
        {
            config.log = Keep(JournalSocket.Connect()).Number;
        }
        else if (options.LogFormat != LogFormat.None)
        {
            throw new EngineException($"cannot start the monitor of container {options.Id}: its log has no path");
        }
        config.listener = Keep(Sockets.ListenForPackets(options.RunFolder, Socket)).Number;
        (config.folder[0], config.folder[1]) = (options.ExitFolder.Number, options.RunFolder.Number);
        config.program = Keep(Files.Open(options.Program, OpenFlags.ReadOnly)).Number;

        using var memory = Files.SealedMemory("conman-monitor", config.Encode(options, logName));
        using var helper = Processes.Helper();
        using var home = TryOpenHome();
        var spawn = new SpawnOptions { StandardStreams = (nothing.Number, nothing.Number, nothing.Number), Cgroup = home };
        foreach (var number in (ReadOnlySpan<int>)[memory.Number, config.control, config.listener, config.console, config.output[0], config.output[1], config.input, config.process,
            config.folder[0], config.folder[1], config.log, config.program])
        {
            if (number >= 0 && !spawn.Keep.Contains(number))
                spawn.Keep.Add(number);
        }
        _process = Processes.Spawn(helper, ["conman-monitor", "monitor", memory.Number.ToString(), options.Id], [], spawn);
    }

    // Monitors are in a cgroup of their own: not in the caller's, which a service manager empties when the caller's session or unit ends, and the
    // containers, which are in others, would go on alone. Null: there is no unified hierarchy, or this process may not make one in it.
    internal static FileDescriptor? TryOpenHome()
    {
        const string Name = "/conman-monitors";
        var folder = (CgroupHierarchy.UnifiedOnly ? CgroupHierarchy.Root : CgroupHierarchy.Root + "/unified") + Name;
        var home = Files.TryOpen(folder, OpenFlags.ReadOnly | Files.Directory, out var errno);
        if (home is null && errno == Errno.ENOENT && new CgroupFolder(folder).TryMake() is 0 or Errno.EEXIST)
            home = Files.TryOpen(folder, OpenFlags.ReadOnly | Files.Directory, out errno);
        return home;
    }

    private int OpenConsole()
    {
        var (its, receiver) = Sockets.Pair();
        ConsoleReceiver = Keep(receiver);
        return Keep(its).Number;
    }

    private unsafe void OpenStreams(MonitorOptions options, ref MonitorConfig config)
    {
        var (input, output, error) = StandardStreams;
        (output, config.output[0]) = OpenFifo(options.RunFolder, "out");
        (error, config.output[1]) = OpenFifo(options.RunFolder, "err");
        if (options.OpenStdin)
        {
            // The container gets one end only: its input ends when the monitor closes the other.
            Files.MakeFifo("in", options.RunFolder.Number, 0x180 /* 0600 */);
            using var both = Files.Open("in", OpenFlags.ReadWrite | Files.NoFollow, options.RunFolder.Number); // so that neither waits for the other
            Check(Files.TryChangeMode(both, 0x1a4 /* 0644 */), "in");
            input = Keep(Files.Open("in", OpenFlags.ReadOnly, options.RunFolder.Number)).Number;
            config.input = Keep(Files.Open("in", OpenFlags.WriteOnly | OpenFlags.NonBlock, options.RunFolder.Number)).Number;
        }
        StandardStreams = (input, output, error);
    }

    private (int Container, int Monitor) OpenFifo(FileDescriptor folder, string name)
    {
        Files.MakeFifo(name, folder.Number, 0x180 /* 0600 */);
        var both = Keep(Files.Open(name, OpenFlags.ReadWrite | Files.NoFollow, folder.Number));
        Check(Files.TryChangeMode(both, 0x192 /* 0622 */), name); // whoever the program is, it may open /dev/stdout; nobody else comes into the folder
        return (both.Number, Keep(Files.Open(name, OpenFlags.ReadOnly | OpenFlags.NonBlock, folder.Number)).Number);
    }

    private static void Check(int errno, string name)
    {
        if (errno != 0)
            throw new LinuxException(errno, $"set the mode of {name}");
    }

    private FileDescriptor Keep(FileDescriptor descriptor)
    {
        _open.Add(descriptor);
        return descriptor;
    }
}
