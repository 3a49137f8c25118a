// Who "user[:group]" is, by the container's own /etc/passwd and /etc/group.

using System.Buffers.Text;
using System.Text;
using Conman.Linux;
using Conman.Runtime.Containers;

namespace Conman.Engine.Specs;

/// <summary>A user of a container.</summary>
/// <param name="Groups">Additional groups.</param>
public sealed record ContainerUser(uint Uid, uint Gid, List<uint> Groups, string Home);

/// <summary>Finds users as Docker does: numbers need no entry, names do.</summary>
public static class UserLookup
{
    private const uint Largest = int.MaxValue;

    /// <summary>Looks a user up.</summary>
    /// <param name="root">The container's root; files are resolved within it.</param>
    /// <param name="user"><c>user[:group]</c>, by name or number; empty: root.</param>
    /// <param name="more">Further groups, by name or number.</param>
    /// <exception cref="EngineException">There is no such user or group.</exception>
    public static ContainerUser Find(FileDescriptor root, string user, IReadOnlyList<string>? more = null)
    {
        var colon = user.IndexOf(':');
        var (name, group) = colon < 0 ? (user, "") : (user[..colon], user[(colon + 1)..]);
        if (name.Length == 0)
            name = "0";

        var number = Number("user", name);
        var (uid, gid, home, login) = (number ?? 0, 0u, "/", "");
        var found = false;
        var wanted = Encoding.UTF8.GetBytes(name);
        ReadOnlySpan<byte> passwd = UserDatabase.TryRead(root, "/etc/passwd");
        foreach (var range in passwd.Split((byte)'\n'))
        {
            var line = passwd[range];
            if (!(Field(line, 0).SequenceEqual(wanted) || (number is { } n && Id(Field(line, 2)) == n)) || Id(Field(line, 2)) is not { } id)
                continue;
            (uid, gid, found) = (id, Id(Field(line, 3)) ?? 0, true);
            login = Encoding.UTF8.GetString(Field(line, 0));
            if (Field(line, 5) is { Length: > 0 } directory)
                home = Encoding.UTF8.GetString(directory);
            break;
        }
        if (!found && number is null)
            throw new EngineException($"unable to find user {name}: no matching entries in passwd file");

        var groups = new List<uint>();
        ReadOnlySpan<byte> database = group.Length == 0 && !found && more is not { Count: > 0 } ? default : UserDatabase.TryRead(root, "/etc/group");
        if (group.Length > 0)
            gid = Group(database, group);
        else if (login.Length > 0)
            AddGroupsOf(database, login, groups);
        // A file that is closed to its group is closed to this one, even if it was not the one to log in with.
        if (!groups.Contains(gid))
            groups.Insert(0, gid);
        foreach (var extra in more ?? [])
        {
            if (Group(database, extra) is var id && !groups.Contains(id))
                groups.Add(id);
        }
        return new ContainerUser(uid, gid, groups, home);
    }

    private static void AddGroupsOf(ReadOnlySpan<byte> database, string login, List<uint> groups)
    {
        var wanted = Encoding.UTF8.GetBytes(login);
        foreach (var range in database.Split((byte)'\n'))
        {
            var line = database[range];
            var members = Field(line, 3);
            foreach (var member in members.Split((byte)','))
            {
                if (members[member].SequenceEqual(wanted) && Id(Field(line, 2)) is { } id && !groups.Contains(id))
                    groups.Add(id);
            }
        }
    }

    private static uint Group(ReadOnlySpan<byte> database, string group)
    {
        var number = Number("group", group);
        if (number is { } known)
            return known;
        var wanted = Encoding.UTF8.GetBytes(group);
        foreach (var range in database.Split((byte)'\n'))
        {
            var line = database[range];
            if (Field(line, 0).SequenceEqual(wanted) && Id(Field(line, 2)) is { } id)
                return id;
        }
        throw new EngineException($"unable to find group {group}: no matching entries in group file");
    }

    // CVE-2024-40635: a number that does not fit must not become another one.
    private static uint? Number(string what, string text)
    {
        foreach (var c in text)
        {
            if (!char.IsAsciiDigit(c))
                return null;
        }
        return uint.TryParse(text, out var number) && number <= Largest ? number : throw new EngineException($"{what} {text} is out of range: ids are 0 to {Largest}");
    }

    private static uint? Id(ReadOnlySpan<byte> text) => Utf8Parser.TryParse(text, out uint id, out var used) && used == text.Length && id <= Largest ? id : null;

    private static ReadOnlySpan<byte> Field(ReadOnlySpan<byte> line, int number)
    {
        for (; number > 0; number--)
        {
            var colon = line.IndexOf((byte)':');
            if (colon < 0)
                return default;
            line = line[(colon + 1)..];
        }
        var end = line.IndexOf((byte)':');
        return end < 0 ? line : line[..end];
    }
}
