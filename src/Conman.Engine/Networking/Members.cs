// Who is in a network, and by which names the others know him: /etc/hosts of every member, kept current in place.
//
// A container's hosts file is its own but for the lines below a mark, which are written anew whenever a member comes or goes.

using System.Text;
using Conman.Engine.Store;
using Conman.Linux;
using Conman.Network.Store;

namespace Conman.Engine.Networking;

/// <summary>A container in a network.</summary>
public sealed record Member(string Id, string Name, Endpoint Endpoint);

public static class Members
{
    private const string Mark = "# The members of its networks; conman keeps what follows.\n", File = "hosts";

    /// <summary>The containers that run in a network.</summary>
    public static List<Member> Of(ContainerEngine engine, string networkId)
    {
        var members = new List<Member>();
        foreach (var (id, name, endpoints) in Running(engine))
        {
            if (endpoints.Networks.Find(e => e.NetworkId == networkId) is { } endpoint)
                members.Add(new Member(id, name, endpoint));
        }
        return members;
    }

    /// <summary>What the hosts file of a container ends with: the mark, and a line for each address of the members of its networks, itself too.</summary>
    /// <returns>Empty where it is in no network that has names.</returns>
    internal static string Lines(Endpoints own, string ownId, string ownName, IEnumerable<(string Id, string Name, Endpoints Endpoints)> running)
    {
        if (!own.Networks.Exists(HasNames))
            return "";
        var text = new StringBuilder(Mark);
        Append(own, ownName);
        foreach (var (id, name, endpoints) in running)
        {
            if (id != ownId)
                Append(endpoints, name);
        }
        return text.ToString();

        void Append(Endpoints endpoints, string name)
        {
            foreach (var endpoint in endpoints.Networks)
            {
                if (!HasNames(endpoint) || !own.Networks.Exists(e => e.NetworkId == endpoint.NetworkId))
                    continue;
                foreach (var address in (ReadOnlySpan<string>)[endpoint.IPv4, endpoint.IPv6])
                {
                    if (address.Length > 0)
                        text.Append(address).Append('\t').Append(name).Append(endpoint.Aliases is { Count: > 0 } aliases ? " " + string.Join(' ', aliases) : "").Append('\n');
                }
            }
        }
    }

    /// <summary>Writes the hosts files of all that are in one of the networks anew.</summary>
    internal static void Refresh(ContainerEngine engine, List<Endpoint> left)
    {
        if (!left.Exists(HasNames))
            return;
        var networks = left.Where(HasNames).Select(static e => e.NetworkId).ToHashSet();
        using var exclusive = engine.Networks.Store.Lock();
        var running = Running(engine).ToList();
        foreach (var (id, name, endpoints) in running)
        {
            if (endpoints.Networks.Exists(e => networks.Contains(e.NetworkId)))
                Write(engine, id, Lines(endpoints, id, name, running));
        }
    }

    /// <summary>The others get to know a container's new name.</summary>
    public static void Renamed(ContainerEngine engine, Container container)
    {
        if (container.Init is not null && ContainerNetworks.Read(container) is { } endpoints)
            Refresh(engine, endpoints.Networks);
    }

    /// <summary>Writes the hosts file of a container that has left a network anew.</summary>
    internal static void Forget(ContainerEngine engine, string id, Endpoints endpoints)
    {
        var running = Running(engine).ToList();
        Write(engine, id, Lines(endpoints, id, running.Find(r => r.Id == id).Name ?? id[..12], running));
    }

    /// <summary>The containers that run and are in some network.</summary>
    internal static IEnumerable<(string Id, string Name, Endpoints Endpoints)> Running(ContainerEngine engine)
    {
        foreach (var id in engine.Containers.Ids())
        {
            using var container = engine.Containers.TryOpen(id);
            if (container?.Init is not null && ContainerNetworks.Read(container) is { } endpoints)
                yield return (id, container.Record?.Name ?? id[..12], endpoints);
        }
    }

    // The default network has no names, as Docker's.
    private static bool HasNames(Endpoint endpoint) => endpoint.Network != NetworkRecord.DefaultName;

    // The file is mounted into the container: it stays the same file.
    private static void Write(ContainerEngine engine, string id, string lines)
    {
        using var container = engine.Containers.TryOpen(id);
        using var file = container is null ? null : Files.TryOpen(File, OpenFlags.ReadWrite | Files.NoFollow, out _, container.Folder.Number);
        if (file is null)
            return; // gone meanwhile, or the user has mounted one of his own
        var before = Encoding.UTF8.GetString(Files.ReadAll(file, File));
        var mark = before.IndexOf(Mark, StringComparison.Ordinal);
        var kept = mark < 0 ? before : before[..mark];
        if (kept.Length > 0 && kept[^1] != '\n')
            kept += '\n';
        var after = Encoding.UTF8.GetBytes(kept + lines);
        Storage.WriteAt(file, after, 0, File);
        Storage.SetLength(file, after.Length, File);
    }
}
