// One cgroup, as a folder of cgroup2 (cgroups(7), Documentation/admin-guide/cgroup-v2.rst); what cgroup v1 has as well works there too.

using System.Text;

namespace Conman.Linux;

/// <summary>A cgroup by its path. Nothing is held open; every call stands for itself.</summary>
public readonly record struct CgroupFolder(string Path)
{
    private const string OwnerAttribute = "user.conman.owner";

    /// <summary>Makes the cgroup; errno or 0. The parent must exist.</summary>
    public int TryMake() => Files.TryMakeDirectory(Path, 0x1ed /* 0755 */);

    /// <summary>Opens the folder, for CLONE_INTO_CGROUP or a device program.</summary>
    public FileDescriptor Open() => Files.Open(Path, OpenFlags.ReadOnly | Files.Directory);

    /// <summary>Reads a control file; null if there is none.</summary>
    public string? TryRead(string file)
    {
        using var control = Files.TryOpen($"{Path}/{file}", OpenFlags.ReadOnly, out _);
        if (control is null)
            return null;
        Span<byte> buffer = stackalloc byte[2048];
        var n = Files.Read(control.Number, buffer, file);
        return n < buffer.Length
            ? Encoding.UTF8.GetString(buffer[..n]).TrimEnd('\n')
            : Encoding.UTF8.GetString([.. buffer, .. Files.ReadAll(control, file)]).TrimEnd('\n');
    }

    /// <summary>Writes a control file; errno or 0.</summary>
    public int TryWrite(string file, string value) => Files.TryWriteFile($"{Path}/{file}", Encoding.UTF8.GetBytes(value));

    /// <summary>Marks the cgroup as somebody's (xattr(7): cgroup2 has user attributes since Linux 5.7); errno or 0.</summary>
    public int TryMark(string owner) => Files.TrySetAttribute(Path, OwnerAttribute, owner);

    /// <summary>Whose it is marked as; null: nobody's.</summary>
    public string? Owner => Files.TryGetAttribute(Path, OwnerAttribute);

    /// <summary>Whether any process is in it or below it ("populated" of cgroup.events).</summary>
    public bool Populated => TryRead("cgroup.events")?.Contains("populated 1", StringComparison.Ordinal) ?? false;

    /// <summary>Whether its processes are frozen, or asked to be.</summary>
    public bool Frozen => TryRead("cgroup.freeze") == "1";

    /// <summary>Whether its processes are frozen now, by itself or by a cgroup above it ("frozen" of cgroup.events).</summary>
    public bool Stopped => TryRead("cgroup.events")?.Contains("frozen 1", StringComparison.Ordinal) ?? false;

    /// <summary>Freezes or thaws all processes in it and below it, and waits until the kernel says that it is so; errno or 0.</summary>
    public int TryFreeze(bool freeze, int patienceMilliseconds)
    {
        using var events = Files.TryOpen($"{Path}/cgroup.events", OpenFlags.ReadOnly, out var errno);
        if (events is null)
            return errno;
        errno = TryWrite("cgroup.freeze", freeze ? "1" : "0");
        var deadline = Environment.TickCount64 + patienceMilliseconds;
        while (errno == 0 && !Says(events, freeze ? "frozen 1"u8 : "frozen 0"u8))
        {
            var left = (int)(deadline - Environment.TickCount64);
            if (left <= 0)
                errno = Errno.ETIMEDOUT;
            else
                AwaitChange(events, left);
        }
        return errno;
    }

    /// <summary>Every process in it and below it, by pid.</summary>
    public List<int> Processes()
    {
        var found = new List<int>();
        foreach (var line in List().Split('\n', StringSplitOptions.RemoveEmptyEntries))
            found.Add(int.Parse(line));
        foreach (var below in Below())
            found.AddRange(below.Processes());
        return found;
    }

    // A threaded cgroup does not tell: its processes are listed at the root of the threaded tree.
    private string List()
    {
        try
        {
            return TryRead("cgroup.procs") ?? "";
        }
        catch (LinuxException e) when (e.Errno == Errno.EOPNOTSUPP)
        {
            return "";
        }
    }

    /// <summary>Signals every process in it and below it, one after the other; gives back their pidfds.</summary>
    public List<FileDescriptor> Signal(int signal)
    {
        var open = new List<(int Pid, FileDescriptor Process)>();
        foreach (var pid in Processes())
        {
            if (Conman.Linux.Processes.TryOpen(pid) is { } process)
                open.Add((pid, process));
        }
        // Between the list and the pidfd a number may have passed to another process: who is listed still is the one.
        var listed = Processes();
        var signalled = new List<FileDescriptor>();
        foreach (var (pid, process) in open)
        {
            if (listed.Contains(pid) && Conman.Linux.Processes.TrySignal(process, signal) == 0)
                signalled.Add(process);
            else
                process.Dispose();
        }
        return signalled;
    }

    /// <summary>Kills every process in it and below it at once (cgroup.kill, Linux 5.14); errno or 0.</summary>
    public int TryKill() => TryWrite("cgroup.kill", "1");

    /// <summary>
    /// Removes the cgroup and those below it, waiting for killed processes to be gone. The kernel says when: cgroup.events is polled by
    /// POLLPRI, no time is slept away.
    /// </summary>
    /// <returns>errno or 0; ENOENT counts as removed.</returns>
    public int TryRemove(int patienceMilliseconds)
    {
        var errno = Files.TryRemoveDirectory(Path);
        if (errno is 0 or Errno.ENOENT)
            return 0;
        if (errno != Errno.EBUSY)
            return errno;
        RemoveBelow();
        using var events = Files.TryOpen($"{Path}/cgroup.events", OpenFlags.ReadOnly, out _);
        var deadline = Environment.TickCount64 + patienceMilliseconds;
        for (; ; )
        {
            // Read first: a change after the read wakes the poll.
            var populated = events is not null && Says(events, "populated 1"u8);
            if (!populated)
                RemoveBelow();
            errno = Files.TryRemoveDirectory(Path);
            var left = (int)(deadline - Environment.TickCount64);
            if (errno is 0 or Errno.ENOENT)
                return 0;
            if (left <= 0)
                return errno;
            // A killed task leaves the count a moment after it is a zombie, without an event: the bound on the wait covers that. Those of
            // cgroup v1 have no events at all.
            if (populated)
                AwaitChange(events!, left);
            else
                Waiting.Poll([], 1);
        }
    }

    private static void AwaitChange(FileDescriptor events, int milliseconds)
    {
        var entry = new PollEntry(events.Number, PollEvents.Priority);
        Waiting.Poll(new Span<PollEntry>(ref entry), milliseconds);
    }

    private static bool Says(FileDescriptor events, ReadOnlySpan<byte> line)
    {
        Span<byte> buffer = stackalloc byte[256];
        Files.Rewind(events);
        try
        {
            var n = Files.Read(events.Number, buffer, "cgroup.events");
            return buffer[..n].IndexOf(line) >= 0;
        }
        catch (LinuxException e) when (e.Errno == Errno.ENODEV)
        {
            return false; // another has removed the cgroup: systemd, when a scope is empty
        }
    }

    private List<CgroupFolder> Below()
    {
        var found = new List<CgroupFolder>();
        using var folder = Files.TryOpen(Path, OpenFlags.ReadOnly | Files.Directory, out _);
        if (folder is null)
            return found;
        foreach (var name in Files.List(folder, Path))
        {
            if (Files.TryStatus(name, out _, folder.Number)?.Type == FileType.Directory)
                found.Add(new CgroupFolder($"{Path}/{name}"));
        }
        return found;
    }

    private void RemoveBelow()
    {
        foreach (var below in Below())
        {
            below.RemoveBelow();
            Files.TryRemoveDirectory(below.Path);
        }
    }
}
