// What containers are called in /etc/hosts.

using Conman.Engine.Store;

namespace Conman.Engine.Networking;

internal static class NameLine
{
    /// <summary>The names by which a container knows itself: its host name, whole and short.</summary>
    public static string Own(StoredContainer record, string id)
    {
        var config = record.Config!;
        var name = config.Hostname.Length > 0 ? config.Hostname : id[..12];
        return config.Domainname.Length > 0 ? name + "." + config.Domainname + " " + name : name;
    }
}
