// From a bundle to a process: what `create` and `run` share.
//
// Every step leaves something that the next `delete --force ID` can find by the id alone: the folder first, in it a link to the cgroup
// before there is a cgroup, and the process born inside that cgroup.

using System.Buffers.Text;
using System.Globalization;
using System.Text;
using Conman.Linux;
using Conman.Oci.RuntimeSpec;
using Conman.Runtime.Cgroups;
using Conman.Runtime.Checkpoints;
using Conman.Runtime.Compiling;

namespace Conman.Runtime.Containers;

/// <summary>What a caller of <c>create</c> or <c>run</c> says.</summary>
public sealed class CreateRequest
{
    /// <summary>The folder that holds the containers' folders; empty: nothing is to be made there.</summary>
    public required string Root { get; init; }
    public required string Id { get; init; }

    /// <summary>A socket that gets the terminal's master; null: none.</summary>
    public string? ConsoleSocket { get; init; }

    /// <summary>The runtime's own end of a terminal, in place of <see cref="ConsoleSocket"/>; owned by the request's maker.</summary>
    public FileDescriptor? ConsoleReceiver { get; init; }

    /// <summary>A detached mount that is the root file system, in place of what lies at the spec's <c>root.path</c>; owned by the request's maker.</summary>
    public FileDescriptor? RootTree { get; init; }

    /// <summary>A socket that gets a pidfd of the process; null: none.</summary>
    public string? PidfdSocket { get; init; }

    /// <summary>A file that gets the process's pid.</summary>
    public string? PidFile { get; init; }
    public bool NoPivot { get; init; }
    public bool NoNewKeyring { get; init; }

    /// <summary>Whose child the container's first process becomes; null: this process's.</summary>
    public Spawner? Spawner { get; init; }

    /// <summary>Called with the first process once it has its namespaces; it goes on to the program only after that.</summary>
    public Action<int>? Spawned { get; init; }

    /// <summary>Descriptors from 3 on that the program keeps.</summary>
    public int PreservedDescriptors { get; init; }

    /// <summary>So many of them, the first, are sockets to listen on (sd_listen_fds(3)).</summary>
    public int ListeningDescriptors { get; init; }

    /// <summary>Their names, as LISTEN_FDNAMES has them; null: none.</summary>
    public string? ListeningNames { get; init; }

    /// <summary>The socket of the host's service manager (sd_notify(3)); null: there is nobody to tell.</summary>
    public string? ServiceManager { get; init; }

    /// <summary>Wait for <c>start</c>.</summary>
    public bool AwaitStart { get; init; }

    /// <summary>Who makes the cgroup.</summary>
    public CgroupManager CgroupManager { get; init; }

    /// <summary>Do without a cgroup where there is no right to one and nothing is asked of it.</summary>
    public bool Rootless { get; init; }

    /// <summary>The image that the process comes from; null: the bundle's program.</summary>
    public CheckpointOptions? Image { get; init; }

    /// <summary>Hears what is worth a warning.</summary>
    public Action<string> Warn { get; init; } = _ => { };
}

/// <summary>A container in the making: disposed before it is committed, nothing of it remains.</summary>
public sealed class Creation : IDisposable
{
    private const string Killed = "the container's first process was killed";

    private readonly CreateRequest _request;
    private readonly Bundle _bundle;
    private readonly CompiledSpec _compiled;
    private readonly HostPreparer _host = new();
    private InitProcess? _init;
    private ProcessHandle? _restored;
    private bool _committed, _scored, _shared;
    private SeccompAgent? _agent;

    private Creation(CreateRequest request, Bundle bundle, CompiledSpec compiled, ContainerFolder folder)
    {
        (_request, _bundle, _compiled) = (request, bundle, compiled);
        Container = new Container(folder, null);
    }

    /// <summary>The container, as far as it has come.</summary>
    public Container Container { get; }

    private ContainerFolder Folder => Container.Folder;

    private Spec Spec => _bundle.Spec;

    /// <summary>Compiles the bundle, makes the container and starts its process, which then waits (create) or executes (run).</summary>
    public static Creation Begin(Bundle bundle, CreateRequest request)
    {
        if (request.ServiceManager is not null && bundle.Spec.Process is not null)
            NotifySocket.AddTo(bundle.Spec, request.Root + "/" + request.Id);
        var compiled = bundle.Compile(request);
        foreach (var warning in compiled.Warnings)
            request.Warn(warning);
        if (compiled.ConsoleReceiver is not null && request.ConsoleSocket is null && request.ConsoleReceiver is null)
            throw new RuntimeException("cannot allocate tty if runc will detach without setting console socket");
        if (compiled.ConsoleReceiver is null && request.ConsoleSocket is not null)
            throw new RuntimeException("cannot use console socket if runc will not detach or allocate tty");

        var creation = new Creation(request, bundle, compiled, ContainerFolder.Create(request.Root, request.Id));
        try
        {
            creation.Launch();
            return creation;
        }
        catch
        {
            creation.Dispose();
            throw;
        }
    }

    /// <summary>The init process.</summary>
    public ProcessHandle Process => _restored ?? _init!.Process;

    /// <summary>Where its program tells the service manager of itself; null: nowhere, or <c>start</c> will hear it.</summary>
    public NotifySocket? Notify { get; private set; }

    /// <summary>The program runs: other commands may work on the container while this one waits for its end.</summary>
    public void Share()
    {
        _shared = true;
        Folder.Unlock();
    }

    /// <summary>From here on the container stands without this object.</summary>
    public void Commit() => _committed = true;

    /// <summary>Closes what is open; removes everything unless committed.</summary>
    public void Dispose()
    {
        if (_shared && !_committed)
        {
            Folder.Lock();
            _committed = Folder.Removed; // by another command, with all that was made
        }
        if (!_committed)
        {
            var process = _restored ?? _init?.Process;
            process?.TrySignal(Signals.SIGKILL);
            foreach (var warning in Container.Destroy(alive: process is { Reaped: false }))
                _request.Warn(warning);
            process?.Wait();
        }
        _restored?.Dispose();
        _init?.Dispose();
        _agent?.Dispose();
        _host.Dispose();
        Notify?.Dispose();
        Container.Dispose();
    }

    private void Launch()
    {
        var cgroup = LocateCgroup();
        if (cgroup is not null)
        {
            cgroup.RefuseOccupied(); // before it is recorded as one that delete may kill
            Folder.Cgroup = cgroup.Record;
            cgroup.Make(Folder.Path);
            if (!_request.Rootless)
                cgroup.Apply(_compiled.DeviceList);
            var tasks = 0;
            foreach (var (_, file) in cgroup.OpenTasks())
                _host.Give(_compiled.Tasks[tasks++], file);
            if (_compiled.Delegated is { } delegated)
                _host.Give(delegated, cgroup.OpenDelegated(CgroupDelegation.PathOf(Spec)!, _compiled.CgroupOwner));
        }

        if (_request.ServiceManager is { } manager)
        {
            NotifySocket.MakeFolder(Folder);
            if (!_request.AwaitStart)
                Notify = NotifySocket.TryBind(Folder, manager);
        }
        if (_request.Image is not null)
        {
            Restore(cgroup, _request.Image);
            return;
        }
        var resctrl = Spec.Linux!.IntelRdt is { } rdt ? ResourceControl.Prepare(rdt, Folder) : null;
        if (_compiled.ConsoleReceiver is { } receiver)
        {
            _host.Give(receiver, _request.ConsoleReceiver is { } own
                ? Files.Duplicate(own.Number)
                : Sockets.TryConnect(_request.ConsoleSocket!, out var errno)
                    ?? throw new RuntimeException($"cannot connect to console socket {_request.ConsoleSocket}: {LinuxException.Describe(errno)}"));
        }
        if (_compiled.StartListener is { } listener)
            _host.Give(listener, Sockets.Listen(Folder.Descriptor, ContainerFolder.StartSocket));
        // Where start is awaited, a filter that is loaded last is loaded then (Container.Start).
        if (_compiled.NeedsAgent && !(_request.AwaitStart && Spec.Process!.NoNewPrivileges))
            _agent = SeccompAgent.Connect(Spec.Linux.Seccomp!);
        if (_request.RootTree is { } tree)
            _host.Take((Plans.HostTree)_compiled.Plan.Root!, Files.Duplicate(tree.Number));
        _host.Open(_compiled.Plan);
        CheckRoot();

        if (Spec.Linux.UidMappings is { Count: > 0 } && Spec.Process is { Terminal: false })
            StandardStreams.Give(Spec.Process.User?.Uid ?? 0, Spec.Linux.UidMappings);
        var keep = new List<int>(_host.Numbers);
        for (var fd = 3; fd < 3 + _request.PreservedDescriptors; fd++)
            keep.Add(fd);
        using (var folder = cgroup?.Open())
        {
            FileDescriptor? pid = null;
            if (_compiled.PidNamespace is not null)
                pid = Files.Open(_compiled.PidNamespace.Path, OpenFlags.ReadOnly);
            using (pid)
                _init = InitProcess.Start(_compiled.Plan, keep, folder, pid, (-1, -1, -1), cgroup is null ? null : cgroup.WhyNotJoined, _request.Spawner);
            // From here on two work at once: the process on its plan, and this one on what must be there before the program.
            if (folder is not null && !_request.Rootless) // else there are no devices but the host's own, by their own rights
                DeviceRules.Attach(_compiled.DeviceProgram, folder);
        }
        var reborn = _compiled.Plan.Operations.Exists(static o => o is Plans.Sync { Point: Plans.SyncPoint.Reborn or Plans.SyncPoint.IdMaps });
        if (!reborn)
            Announce(_init);
        if (resctrl is not null)
            ResourceControl.Enter(resctrl, _init.Process.Pid);
        if (_agent is not null)
            _init.TakeListener = listener => Deliver(listener, cgroup);
        cgroup?.HasProcess();
        cgroup?.Limit(_compiled.Limits);
        if (_compiled.CgroupOwner is { } owner)
            cgroup!.ChangeOwner(owner);
        Folder.WriteSpec(_bundle.Json);
        Accompany(cgroup);
        Record(cgroup);
        if (!_request.AwaitStart && !_init.GoAndFinish())
            throw new RuntimeException(Killed);
    }

    // The process works on its plan meanwhile. If it has failed and ended, what it says is the cause, and not that it could not be found any more.
    private void Announce(InitProcess init)
    {
        try
        {
            _request.Spawned?.Invoke(init.Process.Pid);
        }
        catch (Exception) when (Waiting.Readable(init.Process.Descriptor, 0))
        {
            init.Advance();
            throw;
        }
    }

    private ContainerCgroup? LocateCgroup()
    {
        var path = Spec.Linux!.CgroupsPath;
        if (_compiled.WithoutCgroup)
            return null;
        return _request.CgroupManager == CgroupManager.Systemd
            ? SystemdCgroup.Locate(path, _request.Id, Spec.Annotations, _compiled.Hierarchies)
            : ContainerCgroup.Locate(_request.Rootless ? RootlessCgroup.PathOf(path, _request.Id) : path, _request.Id, _compiled.Hierarchies);
    }

    // In place of a plan, CRIU: it makes the process, and says when hooks may run and when there is somebody to record.
    private void Restore(ContainerCgroup? cgroup, CheckpointOptions image)
    {
        Folder.WriteSpec(_bundle.Json);
        using var folder = cgroup?.Open();
        if (folder is not null && !_request.Rootless)
            DeviceRules.Attach(_compiled.DeviceProgram, folder);
        cgroup?.Limit(_compiled.Limits);
        var joins = _compiled.Plan.Operations.OfType<Plans.JoinCgroup>().Where(join => join.Tasks != _compiled.Delegated);
        var pid = Checkpoints.Restore.Run(Spec, _bundle, image, Folder.Path, folder, joins, notice =>
        {
            using var passed = notice.Passed;
            switch (notice.Name)
            {
                case "setup-namespaces":
                    Adopt(notice.Pid);
                    var state = Container.State(ContainerStatus.Creating, notice.Pid).ToUtf8(false);
                    HookRunner.Run("prestart", Spec.Hooks?.Prestart, state);
                    HookRunner.Run("createRuntime", Spec.Hooks?.CreateRuntime, state);
                    break;
                case "post-restore":
                    Adopt(notice.Pid);
                    Record(cgroup);
                    break;
                case "orphan-pts-master" when passed is not null:
                    SendTerminal(passed);
                    break;
            }
        });
        cgroup?.HasProcess();
        if (_compiled.CgroupOwner is { } owner)
            cgroup!.ChangeOwner(owner);
        Adopt(pid);
        Record(cgroup);
    }

    private void Adopt(int pid) =>
        _restored ??= new ProcessHandle(pid, Processes.TryOpen(pid) ?? throw new RuntimeException("the restored process was killed"));

    private void SendTerminal(FileDescriptor master)
    {
        using var receiver = _request.ConsoleReceiver is { } own
            ? Files.Duplicate(own.Number)
            : Sockets.TryConnect(_request.ConsoleSocket!, out var errno)
                ?? throw new RuntimeException($"cannot connect to console socket {_request.ConsoleSocket}: {LinuxException.Describe(errno)}");
        Sockets.TrySendDescriptor(receiver, master.Number, "/dev/ptmx"u8);
    }

    // At each point of its plan at which the process waits, it needs something that only the outside can do.
    private void Accompany(ContainerCgroup? cgroup)
    {
        for (var left = _compiled.Plan.Operations.Count(o => o is Plans.Sync); left > 0; left--)
        {
            switch (_init!.Advance() ?? throw new RuntimeException(Killed))
            {
                case Plans.SyncPoint.IdMaps:
                    WriteOomScore(); // while it is still the caller's to write
                    IdMaps.Write(_init.Process.Pid, Spec.Linux!.UidMappings!, Spec.Linux.GidMappings!);
                    _request.Spawned?.Invoke(_init.Process.Pid);
                    break;
                case Plans.SyncPoint.TimeOffsets:
                    IdMaps.WriteTimeOffsets(_init.Process.Pid, Spec.Linux!.TimeOffsets!);
                    break;
                case Plans.SyncPoint.Held:
                    CopyUp.Fill(_init, _compiled.Plan.Root!.Descriptor);
                    break;
                case Plans.SyncPoint.Copied:
                    HostPreparer.Prepare(_init);
                    break;
                case Plans.SyncPoint.Reborn:
                    IdMaps.RequireGiven(_init.Process.Pid, Spec.Linux!);
                    _request.Spawned?.Invoke(_init.Process.Pid);
                    break;
                case Plans.SyncPoint.NetDevices:
                    NetDevices.Move(Spec.Linux!.NetDevices!, _init.Process.Pid);
                    break;
                case Plans.SyncPoint.Landlock:
                    using (var root = Files.Open("/proc/" + _init.Process.Pid + "/root", OpenFlags.Path | Files.Directory))
                        _compiled.Landlock!.AddRules(root);
                    break;
                case Plans.SyncPoint.Hooks:
                    Record(cgroup);
                    RunEarlyHooks();
                    break;
                case Plans.SyncPoint.Ready:
                    Record(cgroup);
                    break;
                case Plans.SyncPoint.StartHooks:
                    Record(cgroup);
                    HookRunner.RunStartContainer(Spec.Hooks!.StartContainer, Container);
                    break;
            }
            _init.Go();
        }
    }

    private void Deliver(FileDescriptor listener, ContainerCgroup? cgroup)
    {
        Record(cgroup);
        _agent!.Deliver(listener, _init!.Process.Pid, Container.State(ContainerStatus.Creating));
    }

    private void RunEarlyHooks()
    {
        var state = Container.State(ContainerStatus.Creating).ToUtf8(false);
        HookRunner.Run("prestart", Spec.Hooks!.Prestart, state);
        HookRunner.Run("createRuntime", Spec.Hooks.CreateRuntime, state);
        HookRunner.Run("createContainer", Spec.Hooks.CreateContainer, state, _init!.Process.Pid, ((Plans.HostTree)_compiled.Plan.Root!).Path);
    }

    private void CheckRoot()
    {
        if (_compiled.Plan.Root is Plans.HostTree { IsDirectory: false } root)
            throw new RuntimeException($"root.path: {root.Path} is not a directory");
    }

    // Once, as soon as there is somebody to tell of it.
    private void Record(ContainerCgroup? cgroup)
    {
        if (Container.Record is not null)
            return;
        var pid = Process.Pid;
        if (_init is not null)
            WriteOomScore();
        foreach (var hook in Spec.Hooks?.StartContainer ?? [])
            hook.Env ??= [.. ((Plans.Execute)_compiled.Plan.Operations[^1]).Environment]; // the program's, as with runc: hooks have come to need that
        var record = new ContainerRecord
        {
            Id = _request.Id,
            OciVersion = Spec.OciVersion,
            Bundle = _bundle.Path,
            Rootfs = ((Plans.HostTree)_compiled.Plan.Root!).Path,
            Created = Now(),
            Owner = Processes.EffectiveUser,
            Pid = pid,
            StartTime = Processes.StartTime(pid),
            Boot = Folder.OutlastsBoot ? Processes.BootId : null,
            Cgroup = cgroup?.Record,
            Operations = _init?.Operations ?? 0,
            Annotations = Spec.Annotations,
            AsksAgentAtStart = _compiled.NeedsAgent && _agent is null,
            Hooks = Spec.Hooks,
        };
        if (cgroup is null)
            Folder.Process = (pid, record.StartTime);
        Folder.WriteRecord(record.ToUtf8(false));
        Container.Record = record;
        if (_request.PidfdSocket is { } socket)
            SendPidfd(socket, Process.Descriptor, "standard"u8);
        if (_request.PidFile is { } file)
            WritePidFile(file, pid);
    }

    // RFC 3339, without waking the framework's cultures.
    private static string Now()
    {
        Span<byte> text = stackalloc byte[64];
        Utf8Formatter.TryFormat(DateTime.UtcNow, text, out var n, 'O');
        return Encoding.UTF8.GetString(text[..n]);
    }

    private void WriteOomScore()
    {
        if (!_scored && Spec.Process!.OomScoreAdj is { } score)
            WriteOomScore(_init!.Process.Pid, score);
        _scored = true;
    }

    internal static void WriteOomScore(int pid, int score)
    {
        var errno = Files.TryWriteFile($"/proc/{pid}/oom_score_adj", Encoding.UTF8.GetBytes(score.ToString(CultureInfo.InvariantCulture)));
        if (errno != 0)
            throw new RuntimeException($"cannot set oom_score_adj to {score}: {LinuxException.Describe(errno)}");
    }

    /// <param name="role">What runc sends with it: whether it is the container's first process or one of exec.</param>
    internal static void SendPidfd(string path, FileDescriptor pidfd, ReadOnlySpan<byte> role)
    {
        using var socket = Sockets.TryConnect(path, out var errno);
        if (socket is not null)
            errno = Sockets.TrySendDescriptor(socket, pidfd.Number, role);
        if (errno != 0)
            throw new RuntimeException($"cannot send a pidfd to {path}: {LinuxException.Describe(errno)}");
    }

    /// <summary>A reader never sees a pid file with half a number in it.</summary>
    internal static void WritePidFile(string path, int pid)
    {
        var full = Path.GetFullPath(path);
        using var directory = Files.TryOpen(Path.GetDirectoryName(full)!, OpenFlags.ReadOnly | Files.Directory, out var errno)
            ?? throw new RuntimeException($"cannot write pid file {path}: {LinuxException.Describe(errno)}");
        Files.Publish(directory.Number, Path.GetFileName(full), Encoding.UTF8.GetBytes(pid.ToString(CultureInfo.InvariantCulture)), 0x1a4 /* 0644 */);
    }
}
