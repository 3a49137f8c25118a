// A conman-init at work: started with a plan, heard until it is done.

using System.Runtime.InteropServices;
using System.Text;
using Conman.Linux;
using Conman.Runtime.Plans;

namespace Conman.Runtime.Containers;

/// <summary>The process that interprets a plan, and the socket to it.</summary>
internal sealed class InitProcess : IDisposable
{
    private const int ReportFailed = 1, ReportSync = 2, ReportPid = 3, ReportListener = 4, ReportSize = 256;

    private readonly EncodedPlan _plan;
    private readonly FileDescriptor _socket;
    private bool _unheard; // it has ended without hearing the last word from here

    private InitProcess(EncodedPlan plan, FileDescriptor socket, ProcessHandle process) => (_plan, _socket, Process) = (plan, socket, process);

    /// <summary>The process; another one after a plan has gone on as its sibling.</summary>
    public ProcessHandle Process { get; private set; }

    /// <summary>Where it waits; known after <see cref="Advance"/>.</summary>
    public Sync? At { get; private set; }

    /// <summary>The descriptor, in that process, of the file system that it holds there; -1: none.</summary>
    public int Held { get; private set; } = -1;

    /// <summary>How many operations the encoded plan has.</summary>
    public int Operations => _plan.Count;

    /// <summary>Gets the listener of a seccomp filter; null where the plan loads no filter that has one.</summary>
    public Action<FileDescriptor>? TakeListener { get; set; }

    /// <summary>Encodes a plan and starts a process on it.</summary>
    /// <param name="keep">Descriptors for the new process, under their own numbers.</param>
    /// <param name="reason">What an errno means, where it can be told better than by its own words.</param>
    /// <param name="spawner">Whose child the process becomes; null: this one's.</param>
    public static InitProcess Start(
        Plan plan, IEnumerable<int> keep, FileDescriptor? cgroup, FileDescriptor? pidNamespace, (int, int, int) streams, Func<int, string?>? reason = null, Spawner? spawner = null)
    {
        var (mine, its) = Sockets.Pair();
        using (its)
        {
            try
            {
                var encoded = PlanEncoder.Encode(plan, its.Number);
                using var memory = Files.SealedMemory("conman-plan", encoded.Bytes);
                using var helper = Processes.Helper();
                var options = new SpawnOptions { New = plan.New, Cgroup = cgroup, PidNamespace = pidNamespace, StandardStreams = streams };
                options.Keep.AddRange(keep);
                options.Keep.Add(its.Number);
                options.Keep.Add(memory.Number);
                ReadOnlySpan<string> arguments = ["conman-init", memory.Number.ToString()];
                var process = spawner is null ? Processes.Spawn(helper, arguments, [], options) : spawner(helper, arguments, [], options);
                return new InitProcess(encoded, mine, process);
            }
            catch (Exception e)
            {
                mine.Dispose();
                if (e is LinuxException failure && reason?.Invoke(failure.Errno) is { } words)
                    throw new RuntimeException(words, e);
                throw;
            }
        }
    }

    public void Dispose()
    {
        Process.Dispose();
        _socket.Dispose();
    }

    /// <summary>Waits until the process reaches a point at which it waits, or has executed its program (null).</summary>
    /// <exception cref="RuntimeException">An operation failed, or the process was killed.</exception>
    public SyncPoint? Advance()
    {
        Span<byte> report = stackalloc byte[ReportSize];
        for (; ; )
        {
            FileDescriptor? listener = null;
            if (!WaitForReport() || (TakeListener is null ? Sockets.Receive(_socket, report, ref _unheard) : Sockets.Receive(_socket, report, out listener, ref _unheard)) == 0)
                return null;
            var (kind, index, value) = Header(report);
            switch (kind)
            {
                case ReportSync:
                    (At, Held) = ((Sync)_plan.Origin(index), value);
                    return At.Point;
                case ReportPid:
                    // The first process has done its part; its sibling is our child as well.
                    var pidfd = Processes.TryOpen(value) ?? throw new RuntimeException("the container's first process was killed");
                    Processes.Reap(Process.Descriptor);
                    Process.Dispose();
                    Process = new ProcessHandle(value, pidfd);
                    Go();
                    break;
                case ReportListener:
                    using (listener)
                        TakeListener!(listener!);
                    break;
                default:
                    throw Failure(_plan.Origin(index), report);
            }
        }
    }

    // False: the process is dead and has left no word. Its end of the socket tells the same, unless a sibling holds that as well, which
    // was made and never reported and now waits for a word from here.
    private bool WaitForReport()
    {
        Span<PollEntry> entries = [new(_socket.Number, PollEvents.In), new(Process.Descriptor.Number, PollEvents.In)];
        Waiting.Poll(entries);
        return entries[0].Returned != 0 || Waiting.Readable(_socket, 0); // it may have spoken between the two looks
    }

    /// <summary>Lets the process go on from where it waits.</summary>
    public void Go() => _unheard |= Sockets.TrySend(_socket, "g"u8) != 0;

    /// <summary>Lets the process go on, and waits for the next report, which must not be a point to wait at: it executes its program.</summary>
    /// <returns>False: it was killed before it had heard that it may.</returns>
    public bool GoAndFinish()
    {
        Go();
        while (Advance() is not null)
            Go();
        return !_unheard;
    }

    /// <summary>As <see cref="GoAndFinish"/> for a process that waits for <c>start</c>, and reports on that socket of its own.</summary>
    /// <param name="takeListener">As <see cref="TakeListener"/>.</param>
    /// <exception cref="RuntimeException">An operation failed.</exception>
    public static bool Start(FileDescriptor socket, Func<int, Operation> origin, Action<FileDescriptor>? takeListener)
    {
        Span<byte> report = stackalloc byte[ReportSize];
        var unheard = Sockets.TrySend(socket, "s"u8) != 0;
        while (ReceiveWhole(socket, report, out var listener, ref unheard))
        {
            using (listener)
            {
                if (Header(report).Kind != ReportListener)
                    throw Failure(origin(Header(report).Index), report);
                takeListener!(listener!);
            }
        }
        return !unheard;
    }

    // A stream socket: a report may come in pieces; a descriptor comes with the first.
    private static bool ReceiveWhole(FileDescriptor socket, Span<byte> report, out FileDescriptor? listener, ref bool unheard)
    {
        var used = Sockets.Receive(socket, report, out listener, ref unheard);
        for (int n; used is > 0 and < ReportSize && (n = Sockets.Receive(socket, report[used..])) > 0;)
            used += n;
        return used == ReportSize;
    }

    private static (int Kind, int Index, int Value) Header(ReadOnlySpan<byte> report)
    {
        var numbers = MemoryMarshal.Cast<byte, int>(report);
        return (numbers[0], numbers[1], numbers[2]);
    }

    private static RuntimeException Failure(Operation operation, ReadOnlySpan<byte> report)
    {
        var text = report[12..];
        var end = text.IndexOf((byte)0);
        var words = Encoding.UTF8.GetString(text[..Math.Max(end, 0)]).Trim();
        // The kernel marks its messages with a level: "e tmpfs: Bad value for 'size'".
        if (words.Length > 2 && words[1] == ' ')
            words = words[2..];
        var errno = Header(report).Value;
        return new RuntimeException(operation.Failure(errno, words)) { ProgramErrno = operation is FindProgram or Execute ? errno : 0 };
    }
}
