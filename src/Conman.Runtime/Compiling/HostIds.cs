// Which id of the host an id of a user namespace is.

using Conman.Oci.RuntimeSpec;

namespace Conman.Runtime.Compiling;

internal static class HostIds
{
    /// <summary>The host's number of an id in a user namespace with these maps (user_namespaces(7)); null: it has none.</summary>
    public static uint? Of(uint id, List<IdMapping>? maps)
    {
        foreach (var map in maps ?? [])
        {
            if (id >= map.ContainerID && id - map.ContainerID < map.Size)
                return map.HostID + (id - map.ContainerID);
        }
        return null;
    }
}
