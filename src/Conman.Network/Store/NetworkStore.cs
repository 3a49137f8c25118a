// The networks of a host: a folder each, with a record in it. The folder is made first and removed last; what has no record is none.
//
//     ROOT/networks/NAME/network.json
//     RUNROOT/networks/ID/            the leases of its addresses, which die with the boot

using Conman.Linux;
using Conman.Oci;

namespace Conman.Network.Store;

/// <summary>The folders of networks below a root.</summary>
public sealed class NetworkStore(string root, string runRoot)
{
    private const string RecordFile = "network.json";
    private const int LongestName = 128;

    private readonly string _path = root + "/networks", _runPath = runRoot + "/networks";

    internal string LeasesPath(string networkId) => _runPath + "/" + networkId;

    /// <summary>A network by its name, its id, or the beginning of that.</summary>
    /// <exception cref="NetworkException">Several ids begin so.</exception>
    public NetworkRecord? TryFind(string text)
    {
        if (IsName(text) && Read(text) is { } named)
            return named;
        NetworkRecord? found = null;
        foreach (var network in All())
        {
            if (text.Length == 0 || !network.Id.StartsWith(text, StringComparison.Ordinal))
                continue;
            if (found is not null)
                throw new NetworkException($"{text} is the beginning of several networks' ids: give more of it");
            found = network;
        }
        return found;
    }

    /// <summary>All that have a record, by name.</summary>
    public List<NetworkRecord> All()
    {
        using var folder = Files.TryOpen(_path, OpenFlags.ReadOnly | Files.Directory, out _);
        var found = new List<NetworkRecord>();
        if (folder is null)
            return found;
        foreach (var name in Files.List(folder, _path))
        {
            if (Read(name) is { } network)
                found.Add(network);
        }
        found.Sort(static (a, b) => string.CompareOrdinal(a.Name, b.Name));
        return found;
    }

    /// <summary>Nobody else makes, removes or puts right networks until the result is disposed.</summary>
    public FileDescriptor Lock()
    {
        Files.MakeDirectories(_runPath, 0x1c0 /* 0700 */);
        var folder = Files.Open(_runPath, OpenFlags.ReadOnly | Files.Directory);
        Files.Lock(folder, wait: true, _runPath);
        return folder;
    }

    /// <summary>Makes a network, under the lock.</summary>
    /// <exception cref="NetworkException">There is one of that name.</exception>
    public void Add(NetworkRecord network)
    {
        if (!IsName(network.Name))
            throw new NetworkException($"invalid network name {network.Name}: it is letters, digits, '_', '.' and '-', and begins with a letter or a digit");
        var path = _path + "/" + network.Name;
        if (Read(network.Name) is not null)
            throw new NetworkException($"network with name {network.Name} already exists");
        Files.MakeDirectories(path, 0x1c0 /* 0700 */);
        using var folder = Files.Open(path, OpenFlags.ReadOnly | Files.Directory);
        Storage.Replace(folder, RecordFile, network.ToUtf8(indented: false));
    }

    /// <summary>Removes what is known of a network, under the lock.</summary>
    public void Remove(NetworkRecord network)
    {
        Trees.Remove(Files.CurrentDirectory, LeasesPath(network.Id));
        Trees.Remove(Files.CurrentDirectory, _path + "/" + network.Name);
    }

    /// <summary>Removes what killed commands have left: folders without a record, leases of networks that are gone. Under the lock.</summary>
    public void RemoveHalfMade()
    {
        var ids = new HashSet<string>();
        foreach (var network in All())
            ids.Add(network.Id);
        Sweep(_path, name => Read(name) is null);
        Sweep(_runPath, name => !ids.Contains(name));

        static void Sweep(string path, Func<string, bool> isStray)
        {
            using var folder = Files.TryOpen(path, OpenFlags.ReadOnly | Files.Directory, out _);
            foreach (var name in folder is null ? [] : Files.List(folder, path))
            {
                if (isStray(name))
                    Trees.Remove(folder!.Number, name);
            }
        }
    }

    /// <summary>Whether a text can be a network's name.</summary>
    public static bool IsName(string text) =>
        text.Length is > 0 and <= LongestName && char.IsAsciiLetterOrDigit(text[0])
        && !text.AsSpan().ContainsAnyExcept("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-");

    private NetworkRecord? Read(string name)
    {
        using var file = Files.TryOpen(_path + "/" + name + "/" + RecordFile, OpenFlags.ReadOnly | Files.NoFollow, out _);
        try
        {
            return file is null ? null : NetworkRecord.Parse(Files.ReadAll(file, name));
        }
        catch (OciFormatException)
        {
            return null; // as good as none
        }
    }
}
