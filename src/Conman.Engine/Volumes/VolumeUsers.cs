// Which containers have which volumes: by their records, as everything else.

namespace Conman.Engine.Volumes;

public static class VolumeUsers
{
    /// <summary>Ids of containers by the names of their volumes.</summary>
    public static Dictionary<string, List<string>> Of(ContainerEngine engine)
    {
        var users = new Dictionary<string, List<string>>(StringComparer.Ordinal);
        foreach (var id in engine.Containers.Ids())
        {
            using var container = engine.Containers.TryOpen(id);
            foreach (var point in container?.Record?.Mounts ?? [])
            {
                if (point.Name.Length == 0)
                    continue;
                if (!users.TryGetValue(point.Name, out var ids))
                    users[point.Name] = ids = [];
                ids.Add(id);
            }
        }
        return users;
    }

    /// <summary>Removes a volume that goes with a container, unless another one has it too (--volumes-from).</summary>
    public static void RemoveUnlessUsed(ContainerEngine engine, string name, string owner)
    {
        if (engine.Volumes.TryFind(name) is null || (Of(engine).TryGetValue(name, out var users) && users.Exists(id => id != owner)))
            return;
        try
        {
            engine.Volumes.Remove(name);
        }
        catch (NoSuchVolumeException)
        {
            // somebody was faster
        }
    }
}
