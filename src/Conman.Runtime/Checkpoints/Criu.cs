// CRIU as a service of one request: `criu swrk` on a socket of ours, its messages (rpc.proto, images/ of CRIU's source), its questions on the way.
//
// The command line would do for an image without ties to the outside. The protocol is what tells of the points in between: when namespaces
// stand and hooks may run, when the process stands and must be recorded, and that a terminal has lost its master.

using System.Text;
using Conman.Linux;
using Conman.Runtime.Containers;
using Conman.Runtime.Plans;

namespace Conman.Runtime.Checkpoints;

/// <summary>criu_req_type.</summary>
internal enum CriuRequest
{
    Dump = 1,
    Restore = 2,
    PreDump = 4,
    Notify = 6,
}

/// <summary>What CRIU tells on its way.</summary>
/// <param name="Name">e.g. setup-namespaces, post-restore, orphan-pts-master.</param>
/// <param name="Pid">The restored init process, where there is one.</param>
/// <param name="Passed">A descriptor that came with it; whoever is told disposes it.</param>
internal readonly record struct CriuNotice(string Name, int Pid, FileDescriptor? Passed);

/// <summary>Field numbers of criu_opts, and the messages in it.</summary>
internal sealed class CriuOptions
{
    private readonly ProtobufWriter _fields = new();

    public ProtobufWriter Fields => _fields;

    /// <param name="images">Both folders by descriptors of this process: CRIU finds them below /proc.</param>
    public CriuOptions(CheckpointOptions options, FileDescriptor images, FileDescriptor work, string log)
    {
        _fields.Add(1, images.Number);
        _fields.Add(17, work.Number);
        _fields.Add(9, 4); // log_level: all that helps to tell why
        _fields.Add(10, log);
        _fields.Add(12, true); // notify_scripts
        _fields.Add(4, options.ExternalUnixSockets);
        _fields.Add(5, options.TcpEstablished);
        _fields.Add(46, options.TcpSkipInFlight);
        _fields.Add(6, true); // evasive_devices: /dev/null of the host will do for that of the container
        _fields.Add(7, options.ShellJob);
        _fields.Add(8, options.FileLocks);
        _fields.Add(16, options.AutoDedup);
        _fields.Add(18, options.LinkRemap);
        _fields.Add(48, options.LazyPages);
        _fields.Add(50, true); // orphan_pts_master: the other side of the container's terminal is ours to give
        _fields.Add(14, options.ParentPath);
        _fields.Add(53, options.LsmProfile);
        _fields.Add(63, options.LsmMountContext);
        _fields.Add(52, options.TcpClose);
        _fields.Add(24, options.Cgroups != CgroupsMode.Ignore); // manage_cgroups
        if (options.Cgroups is { } mode)
            _fields.Add(34, (long)mode);
        if (options.EmptyNamespaces != 0)
            _fields.Add(38, (long)options.EmptyNamespaces);
        if (options.NetworkLock is { } method)
            _fields.Add(64, (long)method);
        if (options.StatusDescriptor is { } status)
            _fields.Add(49, status);
        if (options.PageServer is { } server)
        {
            var message = new ProtobufWriter();
            message.Add(1, server.Address);
            message.Add(2, server.Port);
            _fields.Add(11, message);
        }
    }

    /// <summary>A mount that leads outside: by the place of it inside, and where that is outside.</summary>
    public void AddExternalMount(string inside, string outside) => AddPair(23, inside, outside);

    /// <summary>A descriptor of CRIU's that takes the place of what the image calls by that name.</summary>
    public void AddInherited(string key, int descriptor)
    {
        var message = new ProtobufWriter();
        message.Add(1, key);
        message.Add(2, descriptor);
        _fields.Add(27, message);
    }

    private void AddPair(int field, string key, string value)
    {
        var message = new ProtobufWriter();
        message.Add(1, key);
        message.Add(2, value);
        _fields.Add(field, message);
    }
}

/// <summary>One run of `criu swrk`.</summary>
internal sealed class Criu : IDisposable
{
    private const int LargestMessage = 64 << 10;

    private readonly FileDescriptor _socket;
    private readonly InitProcess _process;

    private Criu(FileDescriptor socket, InitProcess process) => (_socket, _process) = (socket, process);

    /// <summary>Starts CRIU.</summary>
    /// <param name="plan">What comes before it: its mounts.</param>
    /// <param name="host">The open handles of that plan, and descriptors that CRIU inherits.</param>
    /// <param name="cgroup">The cgroup that it, and what it restores, is born in.</param>
    public static Criu Start(Plan plan, HostPreparer host, IReadOnlyList<HostHandle> inherited, FileDescriptor? cgroup)
    {
        var (mine, its) = Sockets.Pair();
        using (its)
        {
            var handle = new RuntimeDescriptor("the socket to CRIU") { Descriptor = its.Number };
            plan.Add(new DieWithRuntime());
            plan.Add(new Sync(SyncPoint.Reborn));
            plan.Add(HelperProgram.Find("criu"));
            plan.Add(new CloseDescriptors(3));
            foreach (var kept in (IEnumerable<HostHandle>)[handle, .. inherited])
                plan.Add(new HandOver(kept));
            plan.Add(new Execute(["criu", "swrk", its.Number.ToString()], Surroundings()));
            InitProcess? process = null;
            try
            {
                process = InitProcess.Start(plan, [.. host.Numbers, its.Number, .. inherited.Select(h => h.Descriptor)], cgroup, null, (-1, -1, -1));
                process.Advance();
                process.GoAndFinish();
                return new Criu(mine, process);
            }
            catch
            {
                mine.Dispose();
                if (process is not null)
                {
                    process.Process.TrySignal(Signals.SIGKILL);
                    process.Process.Wait();
                    process.Dispose();
                }
                throw;
            }
        }
    }

    /// <summary>Opens a folder as CRIU sees it: what it makes there it mounts upon, and that goes only in its own mount namespace.</summary>
    public FileDescriptor OpenFolder(string path) => Files.Open($"/proc/{_process.Process.Pid}/root{path}", OpenFlags.ReadOnly | Files.Directory);

    /// <summary>Makes a request and answers what CRIU asks until it is done.</summary>
    /// <param name="notified">Does what is due at a point; throws to end it all.</param>
    /// <param name="log">The log's path, for the error.</param>
    /// <returns>The pid of a restored process; 0 after a dump.</returns>
    public int Perform(CriuRequest type, CriuOptions options, Action<CriuNotice> notified, string log)
    {
        var request = new ProtobufWriter();
        request.Add(1, (long)type);
        request.Add(2, options.Fields);
        Send(request);
        var buffer = new byte[LargestMessage];
        for (; ; )
        {
            var n = Sockets.Receive(_socket, buffer, out var passed);
            if (n == 0)
                throw Failed(type, 0, "it ended without an answer", log);
            var (answer, success, errno, text, name, pid) = Parse(buffer.AsSpan(0, n));
            if (answer == CriuRequest.Notify && success)
            {
                notified(new CriuNotice(name, pid, passed));
                var reply = new ProtobufWriter();
                reply.Add(1, (long)CriuRequest.Notify);
                reply.Add(3, true); // notify_success
                Send(reply);
                continue;
            }
            passed?.Dispose();
            if (!success)
                throw Failed(answer, errno, text, log);
            return pid;
        }
    }

    public void Dispose()
    {
        // Its end of the socket is what it waits on: without us there is nothing more to do for it.
        _socket.Dispose();
        if (!Waiting.Readable(_process.Process.Descriptor, 10_000))
            _process.Process.TrySignal(Signals.SIGKILL);
        _process.Process.Wait();
        _process.Dispose();
    }

    private void Send(ProtobufWriter message)
    {
        var errno = Sockets.TrySend(_socket, message.ToArray());
        if (errno != 0)
            throw new RuntimeException($"cannot talk to criu: {LinuxException.Describe(errno)}");
    }

    private static (CriuRequest Type, bool Success, int Errno, string? Text, string Notice, int Pid) Parse(ReadOnlySpan<byte> bytes)
    {
        var (type, success, errno, text, notice, pid) = ((CriuRequest)0, false, 0, (string?)null, "", 0);
        for (var response = new ProtobufReader(bytes); response.Read();)
        {
            switch (response.Field)
            {
                case 1: type = (CriuRequest)response.Number; break;
                case 2: success = response.Number != 0; break;
                case 4: // criu_restore_resp
                    for (var restore = new ProtobufReader(response.Bytes); restore.Read();)
                    {
                        if (restore.Field == 1)
                            pid = (int)restore.Number;
                    }
                    break;
                case 5: // criu_notify
                    for (var notify = new ProtobufReader(response.Bytes); notify.Read();)
                    {
                        if (notify.Field == 1)
                            notice = Encoding.UTF8.GetString(notify.Bytes);
                        else if (notify.Field == 2)
                            pid = (int)notify.Number;
                    }
                    break;
                case 7: errno = (int)response.Number; break;
                case 9: text = Encoding.UTF8.GetString(response.Bytes); break;
            }
        }
        return (type, success, errno, text, notice, pid);
    }

    // runc's sentence, and CRIU's own last word on it.
    private static RuntimeException Failed(CriuRequest type, int errno, string? text, string log) => new(
        $"criu failed: type {type.ToString().ToUpperInvariant()} errno {errno}: {LastError(log) ?? (string.IsNullOrWhiteSpace(text) ? "no reason was given" : text.Trim().ReplaceLineEndings(" "))}; log file: {log}");

    private static string? LastError(string log)
    {
        using var file = Files.TryOpen(log, OpenFlags.ReadOnly, out _);
        var lines = file is null ? [] : Encoding.UTF8.GetString(Files.ReadAll(file, log)).Split('\n');
        return Array.FindLast(lines, line => line.Contains("Error", StringComparison.Ordinal) && !line.Contains("FAILED", StringComparison.Ordinal));
    }

    // CRIU runs ip, iptables and tar by name.
    private static List<string> Surroundings() => ["PATH=" + HelperProgram.SearchPath];
}
