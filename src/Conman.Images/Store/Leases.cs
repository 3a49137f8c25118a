// Leases: what a command at work relies on before an image's record names it, so that nobody removes it meanwhile.
//
// A lease is a file of digests that its owner holds locked: when the owner dies, the lock dies, and the lease counts for nothing. It is written,
// and things are removed, under the store's lock: either the remover sees the lease, or the owner sees that the thing is gone.

using System.Text;
using Conman.Linux;

namespace Conman.Images.Store;

/// <summary>The folder <c>leases</c>.</summary>
public sealed class Leases(FileDescriptor root, FileDescriptor folder) : IDisposable
{
    public void Dispose() => folder.Dispose();

    /// <summary>Takes a lease on blobs and layers (by their digests and chain ids), there or not.</summary>
    public Lease Take(IEnumerable<Digest> digests)
    {
        var content = Encoding.UTF8.GetBytes(string.Join('\n', digests.Select(d => d.ToString())));
        using var exclusive = LockStore();
        var name = Guid.NewGuid().ToString("N");
        var file = Files.Open(name, OpenFlags.WriteOnly | OpenFlags.Create | OpenFlags.Exclusive, folder.Number, 0x180 /* 0600 */);
        Files.Lock(file, wait: true, name);
        Files.Write(file.Number, content, "a lease");
        return new Lease(folder, file, name);
    }

    /// <summary>Held while something is removed.</summary>
    internal FileDescriptor LockStore() => Lock(shared: false);

    /// <summary>Until it is disposed nothing is removed: for what takes a moment.</summary>
    public FileDescriptor Share() => Lock(shared: true);

    private FileDescriptor Lock(bool shared)
    {
        var file = Files.Open("lock", OpenFlags.ReadWrite | OpenFlags.Create | Files.NoFollow, root.Number, 0x180 /* 0600 */);
        Files.Lock(file, wait: true, "the image store", shared);
        return file;
    }

    /// <summary>Adds what is leased; leases of the dead are removed. The store's lock is held.</summary>
    internal void AddTo(HashSet<string> used)
    {
        using var reading = Files.Open(".", OpenFlags.ReadOnly | Files.Directory, folder.Number);
        foreach (var name in Files.List(reading, "leases"))
        {
            using var file = Files.TryOpen(name, OpenFlags.ReadOnly | Files.NoFollow, out _, folder.Number);
            if (file is null)
                continue;
            if (Files.Lock(file, wait: false, name))
                Files.TryUnlink(name, folder.Number);
            else
                used.UnionWith(Encoding.UTF8.GetString(Files.ReadAll(file, name)).Split('\n'));
        }
    }
}

/// <summary>A lease, until it is disposed or its process ends.</summary>
public sealed class Lease : IDisposable
{
    private readonly FileDescriptor _folder, _file;
    private readonly string _name;

    internal Lease(FileDescriptor folder, FileDescriptor file, string name) => (_folder, _file, _name) = (folder, file, name);

    public void Dispose()
    {
        Files.TryUnlink(_name, _folder.Number);
        _file.Dispose();
    }
}
