// system check: whether the engine's own records are whole, and agree with each other and with the kernel. Images check themselves.

using Conman.Engine.Store;
using Conman.Engine.Volumes;
using Conman.Images;
using Container = Conman.Engine.Store.Container;

namespace Conman.Engine.Life;

public static class Inspection
{
    /// <summary>What is wrong, a sentence each.</summary>
    /// <param name="repair">Do what <see cref="Recovery.Recover"/> does first, which loses nothing; what is damaged stays for a person to decide about.</param>
    /// <param name="repaired">How much of it is right by now.</param>
    public static List<string> Findings(ContainerEngine engine, bool repair, out int containers, out int volumes, out int repaired)
    {
        var found = Look(engine, out containers, out volumes);
        repaired = 0;
        if (!repair || found.Count == 0)
            return found;
        Recovery.Recover(engine, found.Add);
        repaired = found.Count - Look(engine, out _, out _).Count;
        return found;
    }

    private static List<string> Look(ContainerEngine engine, out int containers, out int volumes)
    {
        var found = new List<string>();
        var ids = engine.Containers.Ids();
        containers = ids.Count;
        foreach (var id in ids)
        {
            using var container = engine.Containers.TryOpenLocked(id); // nobody is in the middle of something
            if (container is not null && OfContainer(engine, container) is { } wrong)
                found.Add($"container {container.Record?.Name ?? container.ShortId}: {wrong}");
        }
        foreach (var name in engine.Containers.StaleNames())
            found.Add($"name {name}: its container is gone");
        var names = engine.Volumes.Names();
        volumes = names.Count;
        foreach (var name in names)
        {
            if (engine.Volumes.TryFind(name) is null)
                found.Add($"volume {name}: its record is missing or damaged");
        }
        return found;
    }

    private static string? OfContainer(ContainerEngine engine, Container container)
    {
        if (container.HalfMade)
            return "it is half made or half removed";
        if (container.Record is not { Config: not null, HostConfig: not null } record)
            return "its record is damaged";
        foreach (var layer in record.Layers ?? [])
        {
            if (!Digest.TryParse(layer, out var chainId) || !engine.Images.Layers.Contains(chainId))
                return $"its layer {layer} is missing";
        }
        foreach (var mount in record.Mounts ?? [])
        {
            if (mount.Type == "volume" && engine.Volumes.TryFind(mount.Name) is null)
                return $"its volume {mount.Name} is missing";
        }
        if (container.Init is not null && container.Monitor is null)
            return "it runs without a monitor";
        return container.Init is null && container.State is { StartedAt: not null, FinishedAt: null } ? "it has ended, and nobody has written it down" : null;
    }
}
