// The containers of a host: a folder each, and a symbolic link for each name. No index, no database: what is there is what the folders hold.
//
//     ROOT/containers/ID/     container.json, state.json, the log, diff/ and work/ of the overlay, hosts, hostname, resolv.conf
//     ROOT/names/NAME         → ID
//     RUNROOT/containers/ID/  what ends with the boot; for a container that is removed when it ends, its records too: none of it is ever synced
//
// The first folder is made first and removed last: a command that is killed leaves something that is still found by the id. To make the
// link is to have the name.

using Conman.Linux;

namespace Conman.Engine.Store;

/// <summary>The folders of containers below a root; any number of processes may have them open.</summary>
public sealed class ContainerStore : IDisposable
{
    private readonly FileDescriptor _containers, _names, _running;

    private ContainerStore(string root, string runRoot)
    {
        Path = root + "/containers";
        RunPath = runRoot + "/containers";
        _containers = Folder(Path);
        _names = Folder(root + "/names");
        _running = Folder(RunPath);
    }

    /// <summary>Where the containers' folders are, absolute.</summary>
    public string Path { get; }

    /// <summary>Where their folders of this boot are, absolute.</summary>
    public string RunPath { get; }

    /// <summary>Opens the folders, and makes them if they are not there.</summary>
    public static ContainerStore Open(string root, string runRoot) => new(root, runRoot);

    public void Dispose()
    {
        _containers.Dispose();
        _names.Dispose();
        _running.Dispose();
    }

    /// <summary>The ids of all containers, also of those half made or half removed.</summary>
    public List<string> Ids()
    {
        using var reading = Files.Open(".", OpenFlags.ReadOnly | Files.Directory, _containers.Number);
        var ids = Files.List(reading, Path);
        ids.RemoveAll(static name => !ContainerNames.IsId(name));
        return ids;
    }

    /// <summary>The id that a name, an id or the beginning of one stands for.</summary>
    /// <exception cref="NoSuchContainerException">None does.</exception>
    /// <exception cref="EngineException">Several ids begin so.</exception>
    public string Resolve(string text) => TryResolve(text) ?? throw new NoSuchContainerException(text);

    /// <summary>As <see cref="Resolve"/>; null if there is none.</summary>
    public string? TryResolve(string text)
    {
        var name = text.Length > 1 && text[0] == '/' ? text[1..] : text; // as Docker shows names in `inspect`
        if (ContainerNames.IsId(name) && Files.Exists(name, _containers.Number))
            return name;
        if (ContainerNames.IsName(name) && Files.TryReadLink(name, _names.Number) is { } id && Files.Exists(id, _containers.Number))
            return id;
        if (name.Length == 0 || name.Length >= ContainerNames.IdLength || name.AsSpan().ContainsAnyExcept("0123456789abcdef"))
            return null;
        string? found = null;
        foreach (var candidate in Ids())
        {
            if (!candidate.StartsWith(name, StringComparison.Ordinal))
                continue;
            if (found is not null)
                throw new EngineException($"{text} is the beginning of several containers' ids: give more of it");
            found = candidate;
        }
        return found;
    }

    /// <summary>Opens a container as it is now.</summary>
    /// <param name="text">Its name, its id or the beginning of that.</param>
    public Container Open(string text) => TryOpen(Resolve(text)) ?? throw new NoSuchContainerException(text);

    /// <summary>Opens a container by its id; null if there is none.</summary>
    public Container? TryOpen(string id)
    {
        var folder = Files.TryOpen(id, OpenFlags.ReadOnly | Files.Directory | Files.NoFollow, out var errno, _containers.Number);
        if (folder is not null)
            return new Container(this, id, folder);
        return errno is Errno.ENOENT or Errno.ENOTDIR ? null : throw new LinuxException(errno, $"open {Path}/{id}");
    }

    /// <summary>Waits until no other command changes this container, then opens it as it is now: until it is disposed no other will.</summary>
    public Container OpenLocked(string text) => TryOpenLocked(Resolve(text)) ?? throw new NoSuchContainerException(text);

    /// <summary>As <see cref="OpenLocked"/>, by its id; null if it is gone by then.</summary>
    public Container? TryOpenLocked(string id)
    {
        for (; ; )
        {
            var container = TryOpen(id);
            if (container is null)
                return null;
            Files.Lock(container.Folder, wait: true, id);
            if (Storage.IsStill(container.Folder, _containers.Number, id))
                return container;
            container.Dispose(); // removed, and perhaps made again, while this waited
        }
    }

    /// <summary>Makes a container's folder, locked, takes its name, and writes its record.</summary>
    /// <param name="settle">Makes what the record will speak of, once there is a folder that owns it.</param>
    /// <exception cref="EngineException">The name is taken.</exception>
    public Container Create(StoredContainer record, Action settle)
    {
        var id = record.Id!;
        var errno = Files.TryMakeDirectory(id, 0x1c0 /* 0700 */, _containers.Number);
        if (errno != 0)
            throw new LinuxException(errno, $"make directory {Path}/{id}");
        var container = TryOpen(id)!;
        try
        {
            Files.Lock(container.Folder, wait: true, id);
            Name(record.Name!, id);
            settle();
            container.WriteRecord(record);
            return container;
        }
        catch
        {
            Remove(container);
            container.Dispose();
            throw;
        }
    }

    /// <summary>Gives a container another name.</summary>
    public void Rename(Container container, string name)
    {
        var record = container.Record ?? throw new EngineException($"cannot rename container {container.ShortId}: its record is damaged");
        var before = record.Name!;
        Name(name, container.Id);
        record.Name = name;
        container.WriteRecord(record);
        Files.TryUnlink(before, _names.Number);
    }

    /// <summary>Removes what the store knows of a container, its folder last. It must be locked and have ended.</summary>
    public void Remove(Container container)
    {
        Trees.Remove(_running.Number, container.Id);
        if (container.Record?.Name is { } name)
            Unname(name, container.Id);
        else
            UnnameAll(container.Id);
        Trees.Remove(_containers.Number, container.Id);
    }

    /// <summary>Removes names whose containers are gone.</summary>
    public void RemoveStaleNames()
    {
        using var exclusive = LockNames();
        foreach (var name in StaleNames())
            Files.TryUnlink(name, _names.Number);
    }

    /// <summary>Names whose containers are gone.</summary>
    public List<string> StaleNames()
    {
        using var reading = Files.Open(".", OpenFlags.ReadOnly | Files.Directory, _names.Number);
        return Files.List(reading, "names").FindAll(name => Files.TryReadLink(name, _names.Number) is { } id && !Files.Exists(id, _containers.Number));
    }

    /// <summary>Opens the container's folder of this boot, and makes it if need be.</summary>
    internal FileDescriptor MakeRunFolder(string id)
    {
        var errno = Files.TryMakeDirectory(id, 0x1c0 /* 0700 */, _running.Number);
        if (errno is not (0 or Errno.EEXIST))
            throw new LinuxException(errno, $"make directory {RunPath}/{id}");
        return TryOpenRunFolder(id) ?? throw new LinuxException(Errno.ENOENT, $"open {RunPath}/{id}");
    }

    internal FileDescriptor? TryOpenRunFolder(string id) =>
        Files.TryOpen(id, OpenFlags.ReadOnly | Files.Directory | Files.NoFollow, out _, _running.Number);

    internal void RemoveRunFolder(string id) => Trees.Remove(_running.Number, id);

    // A name whose container is gone is free. To find that out and to take it is one step, under a lock.
    private void Name(string name, string id)
    {
        ContainerNames.Validate(name);
        var errno = Files.TrySymlink(id, name, _names.Number);
        if (errno == Errno.EEXIST)
        {
            using var exclusive = LockNames();
            if (Files.TryReadLink(name, _names.Number) is { } holder && holder != id)
            {
                if (Files.Exists(holder, _containers.Number))
                    throw new EngineException($"the container name \"/{name}\" is already in use by container {holder[..12]}: remove or rename that container, or take another name");
                Files.TryUnlink(name, _names.Number);
            }
            errno = Files.TrySymlink(id, name, _names.Number);
        }
        if (errno is not (0 or Errno.EEXIST))
            throw new LinuxException(errno, $"name a container {name}");
    }

    private void Unname(string name, string id)
    {
        if (Files.TryReadLink(name, _names.Number) == id)
            Files.TryUnlink(name, _names.Number);
    }

    private void UnnameAll(string id)
    {
        using var reading = Files.Open(".", OpenFlags.ReadOnly | Files.Directory, _names.Number);
        foreach (var name in Files.List(reading, "names"))
            Unname(name, id);
    }

    private FileDescriptor LockNames()
    {
        var folder = Files.Open(".", OpenFlags.ReadOnly | Files.Directory, _names.Number);
        Files.Lock(folder, wait: true, "names");
        return folder;
    }

    private static FileDescriptor Folder(string path)
    {
        var folder = Files.TryOpen(path, OpenFlags.ReadOnly | Files.Directory, out var errno);
        if (folder is null && errno == Errno.ENOENT)
        {
            Files.MakeDirectories(path, 0x1c0 /* 0700 */);
            folder = Files.TryOpen(path, OpenFlags.ReadOnly | Files.Directory, out errno);
        }
        return folder ?? throw new LinuxException(errno, $"open {path}");
    }
}

/// <summary>There is no container of that name or id: exit code 1, as Docker's.</summary>
public sealed class NoSuchContainerException(string text) : EngineException($"no such container: {text}");
