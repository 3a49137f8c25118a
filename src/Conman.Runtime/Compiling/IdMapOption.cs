// idmap=uids=0-1000-1#…;gids=@…: maps of ids in a mount option, as crun reads them.

using Conman.Oci.RuntimeSpec;

namespace Conman.Runtime.Compiling;

/// <summary>The value of the mount options <c>idmap=</c> and <c>ridmap=</c> (crun(1), "idmap mount options").</summary>
internal static class IdMapOption
{
    /// <summary>Reads <c>uids=MAPS;gids=MAPS</c>, where a map is <c>[@]FIRST-HOST-SIZE</c> and <c>#</c> stands between two.</summary>
    /// <param name="linux">The container's own maps: a HOST after <c>@</c> is an id inside.</param>
    public static (List<IdMapping> Uids, List<IdMapping> Gids) Parse(string text, Oci.RuntimeSpec.Linux linux)
    {
        var (uids, gids) = (new List<IdMapping>(), new List<IdMapping>());
        foreach (var part in text.Split(';'))
        {
            if (part.StartsWith("uids=", StringComparison.Ordinal))
                Add(uids, part[5..], linux.UidMappings, text);
            else if (part.StartsWith("gids=", StringComparison.Ordinal))
                Add(gids, part[5..], linux.GidMappings, text);
            else
                throw Invalid(text, $"{Plans.Words.Quote(part)} is neither uids= nor gids=");
        }
        return (uids, gids);
    }

    private static void Add(List<IdMapping> maps, string text, List<IdMapping>? own, string whole)
    {
        foreach (var map in text.Split('#'))
        {
            var relative = map.StartsWith('@');
            var numbers = map[(relative ? 1 : 0)..].Split('-');
            if (numbers.Length != 3 || !uint.TryParse(numbers[0], out var first) || !uint.TryParse(numbers[1], out var host)
                || !uint.TryParse(numbers[2], out var size) || size == 0)
            {
                throw Invalid(whole, $"{Plans.Words.Quote(map)} is not FIRST-HOST-SIZE");
            }
            maps.Add(new IdMapping { ContainerID = first, HostID = relative ? Outside(host, size, own, whole) : host, Size = size });
        }
    }

    private static uint Outside(uint id, uint size, List<IdMapping>? own, string whole)
    {
        foreach (var range in own ?? [])
        {
            if (id >= range.ContainerID && (ulong)id + size <= (ulong)range.ContainerID + range.Size)
                return range.HostID + (id - range.ContainerID);
        }
        throw Invalid(whole, $"no single range of the container's user namespace has the ids {id} to {(ulong)id + size - 1}");
    }

    private static RuntimeException Invalid(string text, string why) => new($"mount option idmap={text}: {why}");
}
