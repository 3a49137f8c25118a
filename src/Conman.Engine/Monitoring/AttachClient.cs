// A client of a container's monitor: its output comes here, what is typed here goes there, and so do signals.

using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Conman.Linux;
using Conman.Runtime.Containers;

namespace Conman.Engine.Monitoring;

/// <summary>What a client of a container wants.</summary>
public sealed class AttachOptions
{
    /// <summary>What is typed goes to the container.</summary>
    public bool Stdin { get; init; }

    public bool Stdout { get; init; } = true;

    public bool Stderr { get; init; } = true;

    /// <summary>The container has a terminal: this one becomes raw, and is as large.</summary>
    public bool Terminal { get; init; }

    /// <summary>Signals that come here go to the container.</summary>
    public bool SignalProxy { get; init; } = true;

    /// <summary>This process does what is to be done at the container's end, and says <see cref="AttachClient.Done"/>.</summary>
    public bool Owner { get; init; }

    /// <summary>See <see cref="DetachKeys"/>.</summary>
    public string DetachKeys { get; init; } = Monitoring.DetachKeys.Default;
}

/// <summary>Why a client's work was over.</summary>
/// <param name="Exit">How the container ended; null: it runs on, or nobody knows.</param>
/// <param name="Detached">A person left it.</param>
public readonly record struct AttachEnd(Exit? Exit, bool Detached);

/// <summary>A connection to a monitor (native/monitor.h has its words).</summary>
public sealed class AttachClient : IDisposable
{
    // The monitor looks at input before it takes it: a packet has to fit into its buffer.
    private const int MostInput = 8 << 10, LargestPacket = 64 << 10;

    private readonly AttachOptions _options;
    private readonly FileDescriptor _socket;
    private readonly FileDescriptor? _signals;
    private readonly DetachKeys? _keys;
    private readonly List<byte> _typed = [];
    private IDisposable? _raw;
    private bool _typing;

    private AttachClient(FileDescriptor socket, AttachOptions options)
    {
        (_socket, _options) = (socket, options);
        _typing = options.Stdin;
        if (options is { Stdin: true, Terminal: true })
            _keys = new DetachKeys(options.DetachKeys);
        if (options.SignalProxy)
            _signals = Foreground.CatchSignals();
        else if (options.Terminal)
            _signals = Signals.Catch(Signals.SIGWINCH);
    }

    /// <summary>Connects; what the container writes from now on is this client's. No signal is lost from now on either: to be called before there is a second thread.</summary>
    /// <param name="runFolder">The monitor's.</param>
    public static AttachClient Connect(FileDescriptor runFolder, AttachOptions options)
    {
        var socket = Open(runFolder) ?? throw new EngineException("cannot attach to the container: it is not running, or has no monitor");
        try
        {
            var client = new AttachClient(socket, options);
            client.Say('b'); // no output is lost here: a container waits for the terminal, as for any terminal
            if (options is { Stdout: false, Stderr: false })
                client.Say('q');
            if (options.Owner)
                client.Say('o');
            client.SendSize();
            return client;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>Passes everything on until the container ends or a person leaves it.</summary>
    /// <param name="process">Its first process (a pidfd), which gets the signals.</param>
    public AttachEnd Run(FileDescriptor process)
    {
        if (_options is { Terminal: true, Stdin: true })
            _raw = Terminals.TryMakeRaw(0);
        var buffer = new byte[LargestPacket];
        Span<PollEntry> entries = [new(_socket.Number, PollEvents.In), new(_signals?.Number ?? -1, PollEvents.In), new(-1, PollEvents.In)];
        try
        {
            for (; ; )
            {
                entries[0].Events = PollEvents.In | (_typed.Count > 0 ? PollEvents.Out : 0);
                entries[2].Fd = _typing && _typed.Count == 0 ? 0 : -1;
                Waiting.Poll(entries);
                if (entries[1].Returned != 0)
                    PassSignals(process);
                if (entries[2].Returned != 0 && !PassInput(buffer.AsSpan(0, MostInput)))
                    return new AttachEnd(null, Detached: true);
                if ((entries[0].Returned & PollEvents.Out) != 0)
                    SendTyped();
                if ((entries[0].Returned & ~PollEvents.Out) != 0 && PassOutput(buffer) is { } end)
                    return end;
            }
        }
        finally
        {
            _raw?.Dispose();
            _raw = null;
        }
    }

    /// <summary>The owner has done what was to be done: the monitor goes, and leaves nothing to <see cref="MonitorOptions.OnExit"/>.</summary>
    public void Done() => Say('d');

    public void Dispose()
    {
        _raw?.Dispose();
        _socket.Dispose();
        _signals?.Dispose();
    }

    /// <summary>Waits for a container's end without its output; null: it has no monitor, or that was killed.</summary>
    public static Exit? TryAwaitExit(FileDescriptor runFolder)
    {
        using var socket = Open(runFolder);
        if (socket is null || Sockets.TrySend(socket, "q"u8) != 0)
            return null;
        Span<byte> packet = stackalloc byte[16];
        while (Sockets.Receive(socket, packet) is > 0 and var n)
        {
            if (packet[0] == 'x' && n == 9)
                return ReadExit(packet[1..]);
        }
        return null;
    }

    /// <summary>Sets the size of a container's terminal; false: it has no monitor.</summary>
    public static bool TryResize(FileDescriptor runFolder, ushort rows, ushort columns) => TryTell(runFolder, Size(rows, columns));

    /// <summary>Has the log opened again under its name: somebody has moved it away; false: there is no monitor.</summary>
    public static bool TryReopenLog(FileDescriptor runFolder) => TryTell(runFolder, "r"u8);

    private static bool TryTell(FileDescriptor runFolder, ReadOnlySpan<byte> packet)
    {
        using var socket = Open(runFolder);
        return socket is not null && Sockets.TrySend(socket, "q"u8) == 0 && Sockets.TrySend(socket, packet) == 0;
    }

    private static FileDescriptor? Open(FileDescriptor runFolder) => Sockets.TryConnectPackets(runFolder, Monitor.Socket, out _);

    // A monitor that is gone is noticed where its answer is awaited.
    private void Say(char word) => Sockets.TrySend(_socket, [(byte)word]);

    private void SendSize()
    {
        if (_options.Terminal && Terminals.Size(0) is (not 0, not 0) and var (rows, columns))
            Sockets.TrySend(_socket, Size(rows, columns));
    }

    private static byte[] Size(ushort rows, ushort columns) => [(byte)'w', .. MemoryMarshal.AsBytes<ushort>([rows, columns])];

    private void PassSignals(FileDescriptor process)
    {
        while (Signals.TryRead(_signals!) is not 0 and var signal)
        {
            if (signal == Signals.SIGWINCH)
                SendSize();
            else if (!Foreground.IsOwn(signal))
                Processes.TrySignal(process, signal);
        }
    }

    /// <summary>False: the keys to detach were typed.</summary>
    private bool PassInput(Span<byte> buffer)
    {
        int n;
        try
        {
            n = Files.Read(0, buffer, "standard input");
        }
        catch (LinuxException e) when (e.Errno is Errno.EAGAIN or Errno.EIO)
        {
            _typing = e.Errno == Errno.EAGAIN; // EIO: a terminal whose foreground is not ours
            return true;
        }
        if (n == 0)
        {
            Say('e');
            _typing = false;
            return true;
        }
        var detached = _keys?.Feed(buffer[..n], _typed) ?? false;
        if (_keys is null)
            _typed.AddRange(buffer[..n]);
        SendTyped();
        return !detached;
    }

    // What there is no room for stays here, and no more is read: output must not wait for input.
    private void SendTyped()
    {
        if (_typed.Count > 0 && Sockets.TrySend(_socket, [(byte)'i', .. CollectionsMarshal.AsSpan(_typed)], wait: false) != Errno.EAGAIN)
            _typed.Clear();
    }

    private AttachEnd? PassOutput(Span<byte> buffer)
    {
        var n = Sockets.Receive(_socket, buffer);
        if (n == 0)
            return new AttachEnd(null, Detached: false);
        var data = buffer[1..n];
        switch ((char)buffer[0])
        {
            case 'x' when n == 9:
                return new AttachEnd(ReadExit(data), Detached: false);
            case '1' when _options.Stdout:
                Write(1, data);
                break;
            case '2' when _options.Stderr:
                Write(2, data);
                break;
        }
        return null;
    }

    private void Write(int fd, ReadOnlySpan<byte> data)
    {
        if (Files.TryWrite(fd, data) == Errno.EPIPE)
            Say('q'); // nobody reads here any more; the end is still of interest
    }

    // Null: an adopted container of whose end the kernel does not tell.
    private static Exit? ReadExit(ReadOnlySpan<byte> data)
    {
        var (status, signal) = (BinaryPrimitives.ReadInt32LittleEndian(data), BinaryPrimitives.ReadInt32LittleEndian(data[4..]));
        return status < 0 ? null : new Exit(status, signal);
    }
}
