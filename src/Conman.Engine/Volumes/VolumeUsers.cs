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

    /// <summary>Removes the anonymous volumes that were made for a container, but those that another one has too (--volumes-from). No record is needed: their names say whose they are.</summary>
    public static void RemoveOwn(ContainerEngine engine, string owner)
    {
        Dictionary<string, List<string>>? users = null;
        foreach (var volume in engine.Volumes.Names())
        {
            if (volume.StartsWith(VolumeMounts.OwnPrefix(owner), StringComparison.Ordinal) && !((users ??= Of(engine)).TryGetValue(volume, out var ids) && ids.Exists(id => id != owner)))
                Remove(engine, volume);
        }
    }

    private static void Remove(ContainerEngine engine, string name)
    {
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
