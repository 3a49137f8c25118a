// A container's folder below --root: it is made first and removed last, so that whatever exists in between has an owner.
//
//   <root>/<id>/cgroup       a link to the cgroup's folder, made before the cgroup: what `delete` must remove, though all else is lost
//   <root>/<id>/resctrl*     links to its groups of resctrl, if it has any, for the same purpose
//   <root>/<id>/config.json  the spec as it was when the container was created
//   <root>/<id>/start        a socket: who sends a byte starts the container; while init waits, it can be connected to
//   <root>/<id>/notify/      bound into the container where it is to tell the service manager of itself (NotifySocket)
//   <root>/<id>/state.json   the record; written once the process exists
//   <root>/<id>/process      where there is no cgroup: a link that names the process, by pid and start time, should the record be lost
//   <root>/<id>/mount-N      a mount that was added while the container ran, by its number
//   <root>/<id>/poststop-N   a link to nothing: the poststop hook of that number has run

using Conman.Linux;

namespace Conman.Runtime.Containers;

/// <summary>The folder of one container, open and perhaps locked. All of it lives in /run: nothing here needs to outlast a boot.</summary>
internal sealed class ContainerFolder : IDisposable
{
    private const string CgroupLink = "cgroup", SpecFile = "config.json", RecordFile = "state.json", MountPrefix = "mount-";
    private const string ProcessLink = "process", PoststopPrefix = "poststop-";
    private const long TmpfsMagic = 0x01021994;
    public const string StartSocket = "start";

    private ContainerFolder(string root, string id, FileDescriptor descriptor) => (Root, Id, Descriptor) = (root, id, descriptor);

    public string Root { get; }
    public string Id { get; }
    public string Path => $"{Root}/{Id}";
    public FileDescriptor Descriptor { get; }

    public void Dispose() => Descriptor.Dispose();

    /// <summary>Makes a new folder: the name is ours, or the id is taken.</summary>
    public static ContainerFolder Create(string root, string id)
    {
        ContainerIds.Validate(id);
        var path = $"{root}/{id}";
        var errno = Files.TryMakeDirectory(path, 0x1c0 /* 0700 */);
        if (errno == Errno.ENOENT)
        {
            Files.MakeDirectories(root, 0x1c0);
            errno = Files.TryMakeDirectory(path, 0x1c0);
        }
        if (errno == Errno.EEXIST)
            throw new RuntimeException($"container with given ID already exists: {id}");
        if (errno != 0)
            throw new RuntimeException($"cannot make {path}: {LinuxException.Describe(errno)}");
        try
        {
            if (Files.TryStatus(root, out _) is { } status)
                StateRoot.RefuseUnsafe(status, root);
        }
        catch (RuntimeException)
        {
            Files.TryRemoveDirectory(path);
            throw;
        }
        var folder = new ContainerFolder(root, id, Files.Open(path, OpenFlags.ReadOnly | Files.Directory));
        folder.Lock();
        // Between mkdir and the lock another may have removed the folder, and a third made and filled it anew: then it is not ours.
        if (!folder.Removed && folder.Cgroup is null)
            return folder;
        folder.Dispose();
        throw new RuntimeException($"container with given ID already exists: {id}");
    }

    /// <summary>Opens an existing folder; null if there is no such container.</summary>
    public static ContainerFolder? TryOpen(string root, string id)
    {
        ContainerIds.Validate(id);
        var descriptor = Files.TryOpen($"{root}/{id}", OpenFlags.ReadOnly | Files.Directory, out var errno);
        if (descriptor is not null)
        {
            StateRoot.RefuseUnsafe(Files.Status(descriptor, id), $"{root}/{id}");
            return new ContainerFolder(root, id, descriptor);
        }
        return errno is Errno.ENOENT or Errno.ENOTDIR ? null : throw new RuntimeException($"cannot open {root}/{id}: {LinuxException.Describe(errno)}");
    }

    /// <summary>Waits until no other command works on this container. The lock goes with the descriptor, so it dies with its holder.</summary>
    /// <exception cref="RuntimeException">The holder is a command above this one, which waits for the hook that this one belongs to.</exception>
    public void Lock()
    {
        if (TryLock())
            return;
        if (Nodes.TryStatus(Descriptor.Number, "\0"u8, out var status) == 0 && LockHolders.AreAbove(status.Inode))
            throw new RuntimeException($"container {Id} is in the hands of the command whose hook this is");
        Files.Lock(Descriptor, wait: true, $"{Root}/{Id}");
    }

    /// <summary>Lets others work on it.</summary>
    public void Unlock() => Files.Unlock(Descriptor);

    /// <summary>Takes the lock if nobody has it.</summary>
    public bool TryLock() => Files.Lock(Descriptor, wait: false, $"{Root}/{Id}");

    /// <summary>Whether it has been removed since it was opened (proc(5): the link of such a descriptor says so).</summary>
    public bool Removed => Files.TryReadLink("/proc/self/fd/" + Descriptor.Number)?.EndsWith(" (deleted)", StringComparison.Ordinal) ?? false;

    public string? Cgroup
    {
        get => Files.TryReadLink(CgroupLink, Descriptor.Number);
        set
        {
            var errno = Files.TrySymlink(value!, CgroupLink, Descriptor.Number);
            if (errno != 0)
                throw new RuntimeException($"cannot record the cgroup of {Id}: {LinuxException.Describe(errno)}");
        }
    }

    /// <summary>The process by pid and start time, for a container that has no cgroup to find it by.</summary>
    public (int Pid, ulong StartTime)? Process
    {
        get => Files.TryReadLink(ProcessLink, Descriptor.Number)?.Split(':') is [var pid, var time] && int.TryParse(pid, out var number) && ulong.TryParse(time, out var started)
            ? (number, started)
            : null;
        set
        {
            var errno = Files.TrySymlink(value!.Value.Pid + ":" + value.Value.StartTime, ProcessLink, Descriptor.Number);
            if (errno != 0)
                throw new RuntimeException($"cannot record the process of {Id}: {LinuxException.Describe(errno)}");
        }
    }

    /// <summary>Whether it may be there after the next boot, when pids begin anew: what lies on a tmpfs will not.</summary>
    public bool OutlastsBoot => Files.FileSystemType(Descriptor, Id) != TmpfsMagic;

    public void WriteSpec(ReadOnlySpan<byte> json) => Write(SpecFile, json);

    /// <summary>Puts another spec in the place of the first: a reader sees the one or the other.</summary>
    public void ReplaceSpec(ReadOnlySpan<byte> json) => Files.Replace(Descriptor.Number, SpecFile, json);

    public byte[]? TryReadSpec() => TryReadFile(SpecFile);

    public void WriteRecord(ReadOnlySpan<byte> json) => Write(RecordFile, json);

    public byte[]? TryReadRecord() => TryReadFile(RecordFile);

    public void WriteMount(ulong id, ReadOnlySpan<byte> json)
    {
        Files.TryUnlink(MountPrefix + id, Descriptor.Number); // of a mount that is gone: before Linux 6.8 numbers come again
        Write(MountPrefix + id, json);
    }

    public void RemoveMount(ulong id) => Files.TryUnlink(MountPrefix + id, Descriptor.Number);

    public IEnumerable<byte[]> ReadMounts()
    {
        Files.Rewind(Descriptor); // it may have been listed before
        foreach (var name in Files.List(Descriptor, Id))
        {
            if (name.StartsWith(MountPrefix, StringComparison.Ordinal) && TryReadFile(name) is { } json)
                yield return json;
        }
    }

    public bool HasRunPoststop(int number) => Files.TryReadLink(PoststopPrefix + number, Descriptor.Number) is not null;

    public void NotePoststop(int number) => Files.TrySymlink("done", PoststopPrefix + number, Descriptor.Number);

    /// <summary>Removes the folder with what is in it. The record goes first: without it there is nothing to start or to signal.</summary>
    public void Remove()
    {
        Files.TryUnlink(RecordFile, Descriptor.Number);
        var names = Files.List(Descriptor, Id);
        if (names.Exists(ResourceControl.IsLink))
            ResourceControl.Remove(this);
        foreach (var name in names)
        {
            if (Files.TryUnlink(name, Descriptor.Number) == Errno.EISDIR)
                RemoveFolder(name);
        }
        var errno = Files.TryRemoveDirectory($"{Root}/{Id}");
        if (errno is not (0 or Errno.ENOENT))
            throw new RuntimeException($"cannot remove {Root}/{Id}: {LinuxException.Describe(errno)}");
    }

    // Of one level: what the container may see of ours, and cannot change.
    private void RemoveFolder(string name)
    {
        using (var folder = Files.TryOpen(name, OpenFlags.ReadOnly | Files.Directory | Files.NoFollow, out _, Descriptor.Number))
        {
            if (folder is null)
                return;
            foreach (var file in Files.List(folder, name))
                Files.TryUnlink(file, folder.Number);
        }
        Files.TryRemoveDirectory(name, Descriptor.Number);
    }

    // Written once, never changed: to a reader half a file is none, as before it was there.
    private void Write(string name, ReadOnlySpan<byte> json)
    {
        using var file = Files.Open(name, OpenFlags.WriteOnly | OpenFlags.Create | OpenFlags.Exclusive, Descriptor.Number, 0x180 /* 0600 */);
        Files.Write(file.Number, json, name);
    }

    private byte[]? TryReadFile(string name)
    {
        using var file = Files.TryOpen(name, OpenFlags.ReadOnly, out _, Descriptor.Number);
        return file is null ? null : Files.ReadAll(file, name);
    }
}

/// <summary>What may be an id.</summary>
internal static class ContainerIds
{
    /// <summary>Letters, digits, <c>_ + - .</c>, at most 255 (the name of a folder).</summary>
    public static void Validate(string id)
    {
        if (!Valid(id))
            throw new RuntimeException(id.Length == 0 ? "container id cannot be empty" : "invalid container ID format: " + Plans.Words.Quote(id));
    }

    public static bool Valid(string id)
    {
        var valid = id.Length is > 0 and <= 255 && id is not ("." or "..");
        foreach (var c in id)
            valid &= char.IsAsciiLetterOrDigit(c) || c is '_' or '+' or '-' or '.';
        return valid;
    }
}
