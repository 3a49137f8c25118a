// From what was asked for (-v, --mount, --volumes-from, the image's VOLUME) to what is mounted.
//
// Settled once, when the container is made: then an anonymous volume has its name, and the record says where everything comes from. Prepared
// at each start: what is missing is made or refused, and a new volume gets what the image has at its place.

using System.Text.Json.Nodes;
using Conman.Engine.Settings;
using Conman.Engine.Store;
using Conman.Linux;
using Conman.Oci.RuntimeSpec;

namespace Conman.Engine.Volumes;

public static class VolumeMounts
{
    /// <summary>Decides what is mounted where, and makes the volumes that are not there.</summary>
    /// <exception cref="EngineException">Something does not exist, or two things want one place.</exception>
    public static void Settle(ContainerEngine engine, StoredContainer record)
    {
        var points = new List<MountPoint>();
        foreach (var text in record.HostConfig!.Binds ?? [])
            Add(points, OfBind(engine, BindText.Parse(text)), "--volume");
        foreach (var mount in record.HostConfig.Mounts ?? [])
        {
            if (mount.Type is "bind" or "volume")
                Add(points, OfMount(engine, record, mount), "--mount");
            else if (mount.Type != "tmpfs")
                throw new EngineException($"--mount type={mount.Type}: it is bind, volume or tmpfs");
        }
        foreach (var from in record.HostConfig.VolumesFrom ?? [])
            AddFrom(engine, points, from);
        foreach (var target in record.Config!.Volumes?.Keys ?? Enumerable.Empty<string>())
        {
            if (!points.Exists(p => p.Destination == target) && !(record.HostConfig.Tmpfs?.ContainsKey(target) ?? false))
                points.Add(OfVolume(Anonymous(engine, record), target, readOnly: false));
        }
        record.Mounts = points.Count > 0 ? points : null;
    }

    /// <summary>What the runtime mounts.</summary>
    /// <param name="root">The container's root file system.</param>
    public static List<Mount> Prepare(ContainerEngine engine, StoredContainer record, FileDescriptor root)
    {
        var mounts = new List<Mount>();
        foreach (var point in record.Mounts ?? [])
        {
            var source = point.Source;
            if (point.Type == "volume")
            {
                var volume = engine.Volumes.TryFind(point.Name) ?? engine.Volumes.Create(point.Name, null, null, anonymous: false, out _);
                if (volume.Record.Options is { Count: > 0 } options)
                {
                    mounts.Add(OfDevice(point, options));
                    continue;
                }
                if (!point.NoCopy)
                    CopyUp(volume, root, point.Destination);
                source = point.Subpath.Length == 0 ? volume.Data : Subpath(volume, point.Subpath);
            }
            else if (!Files.Exists(source))
            {
                Files.MakeDirectories(source, 0x1ed /* 0755 */);
            }
            mounts.Add(new Mount { Destination = point.Destination, Type = "bind", Source = source, Options = Options(point) });
        }
        return mounts;
    }

    /// <summary>"Mounts" of Docker's inspect.</summary>
    public static IEnumerable<JsonNode?> Describe(StoredContainer? record) => (record?.Mounts ?? []).Select(point => JsonNode.Parse(point.ToUtf8(indented: false)));

    private static void Add(List<MountPoint> points, MountPoint point, string flag)
    {
        if (points.Exists(p => p.Destination == point.Destination))
            throw new EngineException($"{flag}: duplicate mount point: {point.Destination}");
        points.Add(point);
    }

    private static MountPoint OfBind(ContainerEngine engine, BindText bind)
    {
        var own = bind.Options.Where(BindText.IsForRuntime).ToList();
        if (bind.Has("rro"))
            own.Add("rro");
        if (bind.IsVolume)
        {
            var point = OfVolume(engine.Volumes.Create(bind.Source, null, null, anonymous: false, out _), bind.Target, bind.ReadOnly);
            (point.NoCopy, point.Mode, point.Options) = (bind.NoCopy, string.Join(',', bind.Options), own);
            return point;
        }
        return new MountPoint
        {
            Type = "bind",
            Source = bind.Source,
            Destination = bind.Target,
            Mode = string.Join(',', bind.Options),
            RW = !bind.ReadOnly,
            Propagation = bind.Propagation is { Length: > 0 } propagation ? propagation : "rprivate",
            Options = bind.Has("bind") ? [.. own, "bind"] : own,
        };
    }

    private static MountPoint OfMount(ContainerEngine engine, StoredContainer record, MountSetting mount)
    {
        var target = BindText.CheckTarget("mount", mount.Target, mount.Target);
        if (mount.Type == "volume")
        {
            var options = mount.VolumeOptions;
            var volume = mount.Source.Length == 0 ? Anonymous(engine, record)
                : engine.Volumes.Create(mount.Source, options?.Labels, options?.DriverConfig?.Options, anonymous: false, out _);
            var point = OfVolume(volume, target, mount.ReadOnly);
            (point.NoCopy, point.Subpath) = (options?.NoCopy ?? false, options?.Subpath ?? "");
            return point;
        }
        if (!mount.Source.StartsWith('/'))
            throw new EngineException($"--mount type=bind: the source {mount.Source} is not an absolute path");
        // A wrong path is a mistake, as with Docker; -v is the one that makes folders.
        if (!Files.Exists(mount.Source) && mount.BindOptions is not { CreateMountpoint: true })
            throw new EngineException($"invalid mount config for type \"bind\": bind source path does not exist: {mount.Source}");
        var bind = mount.BindOptions;
        var own = new List<string>();
        if (bind is { NonRecursive: true })
            own.Add("bind");
        if (mount.ReadOnly && bind is { ReadOnlyForceRecursive: true })
            own.Add("rro");
        return new MountPoint
        {
            Type = "bind",
            Source = mount.Source,
            Destination = target,
            RW = !mount.ReadOnly,
            Propagation = bind is { Propagation.Length: > 0 } ? bind.Propagation : "rprivate",
            Options = own,
        };
    }

    private static void AddFrom(ContainerEngine engine, List<MountPoint> points, string text)
    {
        var colon = text.IndexOf(':');
        var (name, mode) = colon < 0 ? (text, "") : (text[..colon], text[(colon + 1)..]);
        if (mode is not ("" or "ro" or "rw"))
            throw new EngineException($"--volumes-from {text}: {mode} is neither ro nor rw");
        using var other = engine.Containers.Open(name);
        foreach (var point in other.NeedRecord().Mounts ?? [])
        {
            if (points.Exists(p => p.Destination == point.Destination))
                continue;
            if (mode.Length > 0)
                point.RW = mode == "rw";
            points.Add(point);
        }
    }

    private static MountPoint OfVolume(Volume volume, string target, bool readOnly) => new()
    {
        Type = "volume",
        Name = volume.Name,
        Source = volume.Data,
        Destination = target,
        Driver = "local",
        RW = !readOnly,
    };

    private static Volume Anonymous(ContainerEngine engine, StoredContainer record)
    {
        var volume = engine.Volumes.Create(ContainerNames.NewId(), null, null, anonymous: true, out _);
        (record.OwnVolumes ??= []).Add(volume.Name);
        return volume;
    }

    private static List<string> Options(MountPoint point)
    {
        var own = point.Options ?? [];
        List<string> options = [own.Contains("bind") ? "bind" : "rbind", point.Propagation.Length > 0 ? point.Propagation : "rprivate"];
        foreach (var option in own)
        {
            if (option is not ("bind" or "rro"))
                options.Add(option);
        }
        options.Add(point.RW ? "rw" : own.Contains("rro") ? "rro" : "ro");
        return options;
    }

    // A volume that stands for another file system (the local driver's type, device and o).
    private static Mount OfDevice(MountPoint point, Dictionary<string, string> options)
    {
        var more = (options.GetValueOrDefault("o") ?? "").Split(',', StringSplitOptions.RemoveEmptyEntries).ToList();
        var type = options.GetValueOrDefault("type") is { Length: > 0 } given ? given : "none";
        if (!point.RW)
            more.Add("ro");
        return new Mount { Destination = point.Destination, Type = type == "none" ? "bind" : type, Source = options.GetValueOrDefault("device"), Options = more };
    }

    // The folder is in the volume, wherever its links lead.
    private static string Subpath(Volume volume, string subpath)
    {
        using var data = Files.Open(volume.Data, OpenFlags.Path | Files.Directory);
        using var folder = Files.TryOpenResolved(data.Number, subpath, OpenFlags.Path, Resolve.InRoot | Resolve.NoMagicLinks, out var errno)
            ?? throw new EngineException($"cannot access path {subpath} of volume {volume.Name}: {LinuxException.Describe(errno)}");
        return Files.TryReadLink("/proc/self/fd/" + folder.Number) ?? throw new EngineException($"cannot access path {subpath} of volume {volume.Name}");
    }

    // "Populate a volume using a container": a volume that is empty begins with what the image has at the place where it is mounted.
    private static void CopyUp(Volume volume, FileDescriptor root, string destination)
    {
        using var data = Files.Open(volume.Data, OpenFlags.ReadOnly | Files.Directory);
        if (Trees.List(data).Count > 0)
            return;
        using var from = Files.TryOpenResolved(root.Number, destination, OpenFlags.ReadOnly | Files.Directory, Resolve.InRoot | Resolve.NoMagicLinks, out _);
        if (from is null)
            return; // the image has nothing there
        new TreeCopy().Content(from, data, destination);
        TreeCopy.Attributes(from, data, destination);
    }
}
