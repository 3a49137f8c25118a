// A container of the store, open: its records, and what the kernel says of it.

using System.Text;
using Conman.Linux;
using Conman.Oci;

namespace Conman.Engine.Store;

/// <summary>Docker's words for what a container is doing.</summary>
public enum ContainerStatus
{
    /// <summary>Never started.</summary>
    Created,
    Running,
    Paused,

    /// <summary>It has ended, and its restart policy will start it.</summary>
    Restarting,
    Exited,

    /// <summary>Half made or half removed: it has no record.</summary>
    Dead,
}

/// <summary>One container. Open it, use it, dispose it; nothing about it is kept between commands.</summary>
public sealed class Container : IDisposable
{
    private const string RecordFile = "container.json", StateFile = "state.json", ExitFile = "exit", InitLink = "init", MonitorLink = "monitor", PausedLink = "paused";

    private readonly ContainerStore _store;
    private FileDescriptor? _run;
    private StoredContainer? _record;
    private StoredState? _state;
    private bool _recordRead;

    internal Container(ContainerStore store, string id, FileDescriptor folder) => (_store, Id, Folder) = (store, id, folder);

    public string Id { get; }

    /// <summary>Its first twelve digits, as tables show it.</summary>
    public string ShortId => Id[..12];

    /// <summary>The folder that lasts.</summary>
    public FileDescriptor Folder { get; }

    /// <summary>Its path.</summary>
    public string Path => $"{_store.Path}/{Id}";

    /// <summary>The folder of this boot; null if it was not started since.</summary>
    public FileDescriptor? RunFolder => _run ??= _store.TryOpenRunFolder(Id);

    /// <summary>Its path, there or not.</summary>
    public string RunPath => $"{_store.RunPath}/{Id}";

    /// <summary>What was asked for; null if it is damaged, or the container half made or half removed.</summary>
    public StoredContainer? Record
    {
        get
        {
            if (!_recordRead)
                (_record, _recordRead) = (Read(Folder, RecordFile, StoredContainer.Parse) ?? (RunFolder is { } run ? Read(run, RecordFile, StoredContainer.Parse) : null), true);
            return _record;
        }
    }

    /// <summary>As <see cref="Record"/>.</summary>
    /// <exception cref="EngineException">There is none.</exception>
    public StoredContainer NeedRecord() =>
        Record is { Config: not null, HostConfig: not null } record ? record : throw new EngineException($"the record of container {ShortId} is damaged: all that can be done with it is 'conman rm -f {ShortId}'");

    /// <summary>What became of it so far.</summary>
    public StoredState State => _state ??= (RecordFolder is { } folder ? Read(folder, StateFile, StoredState.Parse) : null) ?? new StoredState();

    /// <summary>It is removed when it ends: nothing of it outlasts the boot but the files that it wrote.</summary>
    public bool Transient => Record?.HostConfig?.AutoRemove ?? false;

    /// <summary>Where its records are.</summary>
    private FileDescriptor? RecordFolder => Transient ? RunFolder : Folder;

    public void Dispose()
    {
        _run?.Dispose();
        Folder.Dispose();
    }

    /// <summary>Opens the folder of this boot, and makes it if need be.</summary>
    public FileDescriptor MakeRunFolder() => _run ??= _store.MakeRunFolder(Id);

    /// <summary>Removes the folder of this boot, unless the records are in it.</summary>
    public void ClearRunFolder()
    {
        if (Transient)
            return;
        _run?.Dispose();
        _run = null;
        _store.RemoveRunFolder(Id);
    }

    public void WriteRecord(StoredContainer record)
    {
        (_record, _recordRead) = (record, true);
        Replace(RecordFile, record.ToUtf8(indented: false));
    }

    /// <summary>Writes <see cref="State"/> as it was changed.</summary>
    public void WriteState() => Replace(StateFile, State.ToUtf8(indented: false));

    // ---- what runs ----

    /// <summary>The first process: alive, or null.</summary>
    public (int Pid, ulong StartTime)? Init => Alive(InitLink);

    /// <summary>Its monitor: alive, or null.</summary>
    public (int Pid, ulong StartTime)? Monitor => Alive(MonitorLink);

    /// <summary>Kills it; the caller sees to what it would have done.</summary>
    public void KillMonitor()
    {
        using var process = Monitor is { } monitor ? Processes.TryOpen(monitor.Pid, monitor.StartTime) : null;
        if (process is null)
            return;
        Processes.TrySignal(process, Signals.SIGKILL);
        Waiting.Readable(process, 10_000);
    }

    /// <summary>Notes another monitor of the same first process.</summary>
    public void WriteMonitor(int pid, ulong startTime) => Link(MakeRunFolder(), MonitorLink, pid + ":" + startTime);

    /// <summary>It was killed while it was made or removed: there is no record at all, not even a damaged one.</summary>
    public bool HalfMade => !Files.Exists(RecordFile, Folder.Number) && (RunFolder is not { } run || !Files.Exists(RecordFile, run.Number));

    /// <summary>Notes the two, once they are there.</summary>
    public void WriteProcesses((int Pid, ulong StartTime) init, (int Pid, ulong StartTime) monitor)
    {
        var run = MakeRunFolder();
        Link(run, MonitorLink, monitor.Pid + ":" + monitor.StartTime);
        Link(run, InitLink, init.Pid + ":" + init.StartTime);
    }

    /// <summary>A pause is about to begin, or over: the truth is the kernel's, this says only that it is worth asking.</summary>
    /// <param name="briefly">By this process, and until it says that it is over.</param>
    public void NotePaused(bool paused, bool briefly = false)
    {
        if (paused)
            Link(MakeRunFolder(), PausedLink, briefly ? Environment.ProcessId + ":" + Processes.StartTime(Environment.ProcessId) : "1");
        else if (RunFolder is { } run)
            Files.TryUnlink(PausedLink, run.Number);
    }

    /// <summary>It was paused by a process for a moment, and that has been killed.</summary>
    public bool PauseForgotten => RunFolder is { } run && Files.TryReadLink(PausedLink, run.Number) is { } pauser && pauser != "1" && Alive(PausedLink) is null;

    /// <summary>Asks the kernel.</summary>
    /// <param name="frozen">Whether the container's cgroup is frozen; asked only where a pause was noted.</param>
    public ContainerStatus Status(Func<bool> frozen)
    {
        if (Record is null)
            return ContainerStatus.Dead;
        if (Init is not null)
            return RunFolder is { } run && Files.TryReadLink(PausedLink, run.Number) is not null && frozen() ? ContainerStatus.Paused : ContainerStatus.Running;
        if (State.StartedAt is null)
            return ContainerStatus.Created;
        return State.RestartsAt is not null && RunFolder is not null ? ContainerStatus.Restarting : ContainerStatus.Exited;
    }

    /// <summary>How its last run ended, as its monitor saw it; null: the monitor has not said.</summary>
    public ExitRecord? TryReadExit() => (RecordFolder is { } folder ? ReadText(folder, ExitFile) : null) is { } text ? ExitRecord.TryParse(text) : null;

    /// <summary>Where the monitor is to write that.</summary>
    public FileDescriptor ExitFolder => Transient ? MakeRunFolder() : Folder;

    /// <summary>Forgets it.</summary>
    public void RemoveExit() => Files.TryUnlink(ExitFile, ExitFolder.Number);

    private (int, ulong)? Alive(string link)
    {
        if (RunFolder is not { } run || Files.TryReadLink(link, run.Number) is not { } text)
            return null;
        var colon = text.IndexOf(':');
        if (colon < 0 || !int.TryParse(text.AsSpan(0, colon), out var pid) || !ulong.TryParse(text.AsSpan(colon + 1), out var started))
            return null;
        var (state, time) = Processes.Stat(pid);
        return time == started && state is not ('Z' or 'X') ? (pid, started) : null;
    }

    private static void Link(FileDescriptor folder, string name, string target)
    {
        Files.TryUnlink(name, folder.Number);
        var errno = Files.TrySymlink(target, name, folder.Number);
        if (errno != 0)
            throw new LinuxException(errno, $"make link {name}");
    }

    private void Replace(string name, byte[] json)
    {
        if (Transient)
            Files.Replace(MakeRunFolder().Number, name, json);
        else
            Storage.Replace(Folder, name, json);
    }

    private delegate T Parser<T>(ReadOnlySpan<byte> json);

    private static T? Read<T>(FileDescriptor folder, string name, Parser<T> parse) where T : class
    {
        using var file = Files.TryOpen(name, OpenFlags.ReadOnly | Files.NoFollow, out _, folder.Number);
        try
        {
            return file is null ? null : parse(Files.ReadAll(file, name));
        }
        catch (Exception e) when (e is OciFormatException or LinuxException)
        {
            return null; // as good as none: the container can still be removed, by its id alone
        }
    }

    private static string? ReadText(FileDescriptor folder, string name)
    {
        using var file = Files.TryOpen(name, OpenFlags.ReadOnly | Files.NoFollow, out _, folder.Number);
        return file is null ? null : Encoding.UTF8.GetString(Files.ReadAll(file, name, 4096));
    }
}

/// <summary>What a monitor writes when its container has ended: <c>CODE SIGNAL SECONDS NANOSECONDS</c>, the time since 1970.</summary>
public readonly record struct ExitRecord(Exit Exit, DateTimeOffset At, int Nanoseconds)
{
    /// <summary>Null: half a record is none.</summary>
    public static ExitRecord? TryParse(string text)
    {
        if (!text.EndsWith('\n'))
            return null;
        var parts = text[..^1].Split(' ');
        return parts.Length == 4 && int.TryParse(parts[0], out var code) && int.TryParse(parts[1], out var signal)
            && long.TryParse(parts[2], out var seconds) && int.TryParse(parts[3], out var nanoseconds) && seconds is >= 0 and < 253402300800
            ? new ExitRecord(new Exit(code, signal), DateTimeOffset.FromUnixTimeSeconds(seconds), nanoseconds) : null;
    }
}
