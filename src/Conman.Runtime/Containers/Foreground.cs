// A container in the foreground: its signals come from here, its terminal is this one, its exit code is ours.

using Conman.Linux;

namespace Conman.Runtime.Containers;

/// <summary>Waits for a process as a shell waits for a command.</summary>
public sealed class Foreground : IDisposable
{
    // All that a person or a service manager may send, but for the first real-time signal, which .NET keeps to itself.
    private static ReadOnlySpan<int> Forwarded =>
    [
        1, 2, 3, 10, 12, 14, 15, 16, 18, 20, 21, 22, 24, 25, 26, 27, 28, 29, 30,
        35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63, 64,
    ];

    private readonly FileDescriptor _signals;
    private readonly bool _terminal;
    private readonly FileDescriptor? _receiver;
    private IDisposable? _raw;
    private FileDescriptor? _master;

    /// <summary>Signals are caught from now on, before there is a process to pass them to: none is lost.</summary>
    public Foreground(bool terminal)
    {
        _terminal = terminal;
        _signals = CatchSignals();
        if (terminal)
            (_receiver, ConsoleSocket) = Sockets.Pair();
    }

    /// <summary>Catches, from now on, every signal that is passed on to a container (<see cref="Signals.Catch"/>).</summary>
    public static FileDescriptor CatchSignals() => Signals.Catch(Forwarded);

    /// <summary>Of the signals that are caught, those that are this process's own affair.</summary>
    public static bool IsOwn(int signal) => signal is Signals.SIGCHLD or Signals.SIGURG or Signals.SIGWINCH;

    /// <summary>Where the process must send its terminal's master; null without a terminal.</summary>
    public FileDescriptor? ConsoleSocket { get; }

    /// <summary>Passes on signals, and what is typed and written, until the process ends.</summary>
    /// <param name="process">It is a child of this one.</param>
    /// <param name="notify">Its messages to the service manager are passed on too.</param>
    public Exit Wait(ProcessHandle process, NotifySocket? notify = null)
    {
        if (_terminal)
        {
            _master = Sockets.ReceiveDescriptor(_receiver!) ?? throw new RuntimeException("the terminal did not arrive");
            Terminals.CopySize(0, _master.Number);
            _raw = Terminals.TryMakeRaw(0);
        }
        Span<PollEntry> entries =
        [
            new(process.Descriptor.Number, PollEvents.In),
            new(_signals.Number, PollEvents.In),
            new(_master?.Number ?? -1, PollEvents.In),
            new(_terminal ? 0 : -1, PollEvents.In),
            new(notify?.Descriptor.Number ?? -1, PollEvents.In),
        ];
        Span<byte> buffer = _terminal ? new byte[32 << 10] : [];
        for (; ; )
        {
            Waiting.Poll(entries);
            if (entries[1].Returned != 0)
                PassSignals(process);
            if (entries[3].Returned != 0)
                entries[3].Fd = PassInput(buffer) ? 0 : -1;
            if (entries[2].Returned != 0 && !PassOutput(buffer))
                entries[2].Fd = -1;
            if (entries[4].Returned != 0)
                notify!.Forward(process.Pid);
            else if (entries[0].Returned != 0)
                break;
        }
        // What the process wrote last is still in the terminal: the kernel says EIO when there is no more.
        while (_master is not null && Waiting.Readable(_master, 0) && PassOutput(buffer))
        {
        }
        return process.Wait();
    }

    public void Dispose()
    {
        _raw?.Dispose();
        _master?.Dispose();
        _receiver?.Dispose();
        ConsoleSocket?.Dispose();
        _signals.Dispose();
    }

    private void PassSignals(ProcessHandle process)
    {
        while (Signals.TryRead(_signals) is not 0 and var signal)
        {
            if (signal == Signals.SIGWINCH && _master is not null)
                Terminals.CopySize(0, _master.Number);
            else if (!IsOwn(signal))
                process.TrySignal(signal);
        }
    }

    private bool PassInput(Span<byte> buffer)
    {
        var n = Files.Read(0, buffer, "standard input");
        if (n > 0)
            return Files.TryWrite(_master!.Number, buffer[..n]) == 0;
        Files.TryWrite(_master!.Number, [4]); // the end of input, as a person types it: ^D
        return false;
    }

    private bool PassOutput(Span<byte> buffer)
    {
        int n;
        try
        {
            n = Files.Read(_master!.Number, buffer, "terminal");
        }
        catch (LinuxException e) when (e.Errno == Errno.EIO)
        {
            return false;
        }
        return n > 0 && Files.TryWrite(1, buffer[..n]) == 0;
    }
}
