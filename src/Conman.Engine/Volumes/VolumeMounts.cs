// From -v, --mount, --volumes-from and the image's VOLUME to what the runtime mounts.
//
// What comes from where is settled once, when the container is created, and stands in its record: a start needs no other container.

using System.Text.Json.Nodes;
using Conman.Engine.Settings;
using Conman.Engine.Store;
using Conman.Images;
using Conman.Images.Store;
using Conman.Linux;
using Conman.Oci.RuntimeSpec;

namespace Conman.Engine.Volumes;

/// <summary>Mounts, and what must stay open until the runtime has opened their sources.</summary>
public sealed class ResolvedMounts : List<Mount>, IDisposable
{
    private readonly List<FileDescriptor> _held = [];

    /// <summary>Keeps a descriptor; a path to what it is open on.</summary>
    internal string Hold(FileDescriptor descriptor)
    {
        _held.Add(descriptor);
        return "/proc/self/fd/" + descriptor.Number.ToString(System.Globalization.CultureInfo.InvariantCulture);
    }

    public void Dispose()
    {
        foreach (var descriptor in _held)
            descriptor.Dispose();
    }
}

public static class VolumeMounts
{
    /// <summary>Settles what is mounted into a new container, and makes the volumes and folders that are not there.</summary>
    /// <exception cref="EngineException">A source is not there, or two things are to be mounted on one folder.</exception>
    public static void Settle(ContainerEngine engine, StoredContainer record)
    {
        var (config, host) = (record.Config!, record.HostConfig!);
        if (host is { Binds: null, Mounts: null, VolumesFrom: null } && config.Volumes is not { Count: > 0 })
            return;
        var points = new List<MountPoint>();
        foreach (var text in host.VolumesFrom ?? [])
            AddFrom(engine, text, points);
        var asked = new HashSet<string>(StringComparer.Ordinal);
        var volumes = engine.Volumes;
        foreach (var text in host.Binds ?? [])
            Put(points, asked, OfBind(volumes, BindText.Parse(text)));
        foreach (var mount in host.Mounts ?? [])
        {
            if (mount.Type == "tmpfs")
                Refuse(asked, mount.Target);
            else
                Put(points, asked, mount.Type == "image" ? OfImage(engine.Images, mount) : OfMount(volumes, mount, record));
        }
        foreach (var target in config.Volumes?.Keys ?? Enumerable.Empty<string>())
        {
            var clean = BindText.CheckTarget("volume", target, target);
            if (!points.Exists(p => p.Destination == clean) && !asked.Contains(clean) && host.Tmpfs?.ContainsKey(clean) is not true)
                points.Add(OfVolume(Anonymous(volumes, record, clean, null), clean, readOnly: false));
        }
        record.Mounts = points;
    }

    /// <summary>The mounts of a container that is about to start. A new volume gets what the image has in its place.</summary>
    /// <param name="root">The container's root file system.</param>
    /// <exception cref="EngineException">A source is gone.</exception>
    public static ResolvedMounts Prepare(ContainerEngine engine, StoredContainer record, FileDescriptor root)
    {
        var mounts = new ResolvedMounts();
        if (record.Mounts is not { Count: > 0 } points)
            return mounts;
        var volumes = engine.Volumes;
        foreach (var point in points)
        {
            if (point.Type == "bind")
            {
                if (!Files.Exists(point.Source))
                    throw new EngineException($"bind source path does not exist: {point.Source}");
                mounts.Add(Bind(point, point.Source));
                continue;
            }
            if (point.Type == "image")
            {
                mounts.Add(Bind(point, mounts.Hold(Stack(engine.Images, point))));
                continue;
            }
            var volume = volumes.TryFind(point.Name) ?? throw new NoSuchVolumeException(point.Name);
            if (volume.Record.Options is { Count: > 0 } options)
            {
                mounts.Add(Special(point, options));
                continue;
            }
            if (!point.NoCopy && point.Subpath.Length == 0)
                CopyUp(volume, root, point.Destination);
            mounts.Add(Bind(point, point.Subpath.Length == 0 ? volume.Data : mounts.Hold(Below(volume, point.Subpath))));
        }
        return mounts;
    }

    /// <summary>"Mounts" of inspect.</summary>
    public static IEnumerable<JsonNode> Describe(StoredContainer? record)
    {
        foreach (var point in record?.Mounts ?? [])
        {
            var shown = new JsonObject { ["Type"] = point.Type };
            if (point.Name.Length > 0)
                shown["Name"] = point.Name;
            shown["Source"] = point.Source;
            shown["Destination"] = point.Destination;
            if (point.Driver.Length > 0)
                shown["Driver"] = point.Driver;
            (shown["Mode"], shown["RW"], shown["Propagation"]) = (point.Mode, point.RW, point.Propagation);
            yield return shown;
        }
    }

    // ---- what is asked for ----

    private static MountPoint OfBind(VolumeStore volumes, BindText bind)
    {
        var options = new List<string>();
        foreach (var option in bind.Options)
        {
            if (BindText.IsForRuntime(option))
                options.Add(option);
        }
        MountPoint point;
        if (bind.IsVolume)
        {
            point = OfVolume(volumes.Create(bind.Source, null, null, anonymous: false, out _), bind.Target, bind.ReadOnly);
        }
        else
        {
            // A folder that is not there is made: so Docker has always done it with -v.
            if (!Files.Exists(bind.Source))
                Files.MakeDirectories(bind.Source, 0x1ed /* 0755 */);
            point = OfFolder(bind.Source, bind.Target, bind.ReadOnly, bind.Propagation);
        }
        if (bind.Has("bind"))
            options.Add("bind");
        if (bind.Has("rro") || (bind.ReadOnly && !bind.Has("bind")))
            options.Add("rro");
        (point.Mode, point.NoCopy, point.Options) = (string.Join(',', bind.Options), bind.NoCopy, options);
        return point;
    }

    private static MountPoint OfMount(VolumeStore volumes, MountSetting mount, StoredContainer record)
    {
        var options = new List<string>();
        if (mount.Type == "bind")
        {
            var bind = mount.BindOptions ?? new BindOptions();
            if (!Files.Exists(mount.Source))
            {
                if (!bind.CreateMountpoint)
                    throw new EngineException($"invalid mount config for type \"bind\": bind source path does not exist: {mount.Source}");
                Files.MakeDirectories(mount.Source, 0x1ed /* 0755 */);
            }
            var folder = OfFolder(mount.Source, BindText.CheckTarget("mount", mount.Target, mount.Target), mount.ReadOnly, bind.Propagation);
            if (bind.NonRecursive)
                options.Add("bind");
            if (mount.ReadOnly && !bind.NonRecursive && !bind.ReadOnlyNonRecursive)
                options.Add("rro");
            folder.Options = options;
            return folder;
        }
        var target = BindText.CheckTarget("mount", mount.Target, mount.Target);
        var asked = mount.VolumeOptions ?? new VolumeOptions();
        if (asked.DriverConfig is { Name: not ("" or "local") } driver)
            throw new EngineException($"--mount volume-driver={driver.Name}: the only driver is local");
        var volume = mount.Source.Length > 0
            ? volumes.Create(mount.Source, asked.Labels, asked.DriverConfig?.Options, anonymous: false, out _)
            : Anonymous(volumes, record, target, asked);
        var point = OfVolume(volume, target, mount.ReadOnly);
        (point.NoCopy, point.Subpath) = (asked.NoCopy, asked.Subpath);
        if (mount.ReadOnly)
            options.Add("rro");
        point.Options = options;
        return point;
    }

    // What a name stands for is settled now; the record keeps the layers from being removed.
    private static MountPoint OfImage(ImageStore images, MountSetting mount)
    {
        var target = BindText.CheckTarget("mount", mount.Target, mount.Target);
        var found = ImageLookup.FindRecord(images, mount.Source) ?? throw new EngineException($"--mount type=image: there is no image {mount.Source} here: pull it before");
        var layers = images.Layers.Visible(ImageDocuments.ChainIds(ImageDocuments.Image(images, found)));
        return new MountPoint
        {
            Type = "image", Source = mount.Source, Destination = target, Mode = "ro", Propagation = "rprivate", Subpath = mount.ImageOptions?.Subpath ?? "",
            Image = found.Id.ToString(), Layers = [.. layers.Select(l => l.ToString())],
        };
    }

    private static MountPoint OfFolder(string source, string target, bool readOnly, string propagation) => new()
    {
        Type = "bind", Source = source, Destination = target, RW = !readOnly, Propagation = propagation.Length > 0 ? propagation : "rprivate",
    };

    private static MountPoint OfVolume(Volume volume, string target, bool readOnly) => new()
    {
        Type = "volume", Name = volume.Name, Source = volume.Data, Destination = target, Driver = "local", Mode = readOnly ? "ro" : "z", RW = !readOnly,
    };

    /// <summary>What the names of a container's anonymous volumes begin with: who removes the container finds them without a record.</summary>
    internal static string OwnPrefix(string id) => id[..48];

    private static Volume Anonymous(VolumeStore volumes, StoredContainer record, string target, VolumeOptions? asked)
    {
        var hash = 14695981039346656037ul; // FNV-1a
        foreach (var c in target)
            hash = (hash ^ c) * 1099511628211;
        var volume = volumes.Create(OwnPrefix(record.Id!) + hash.ToString("x16", System.Globalization.CultureInfo.InvariantCulture), asked?.Labels, asked?.DriverConfig?.Options, anonymous: true, out _);
        (record.OwnVolumes ??= []).Add(volume.Name);
        return volume;
    }

    private static void AddFrom(ContainerEngine engine, string text, List<MountPoint> points)
    {
        var colon = text.IndexOf(':');
        var mode = colon < 0 ? "" : text[(colon + 1)..];
        if (mode is not ("" or "rw" or "ro" or "z" or "Z"))
            throw new EngineException($"--volumes-from {text}: unknown mode {mode}: it is ro or rw");
        using var other = engine.Containers.Open(colon < 0 ? text : text[..colon]);
        foreach (var point in other.NeedRecord().Mounts ?? [])
        {
            var copy = MountPoint.Parse(point.ToUtf8(indented: false));
            if (mode == "ro")
                (copy.RW, copy.Options) = (false, [.. copy.Options ?? [], "rro"]);
            points.RemoveAll(p => p.Destination == copy.Destination);
            points.Add(copy);
        }
    }

    private static void Put(List<MountPoint> points, HashSet<string> asked, MountPoint point)
    {
        Refuse(asked, point.Destination);
        points.RemoveAll(p => p.Destination == point.Destination); // of another container
        points.Add(point);
    }

    private static void Refuse(HashSet<string> asked, string target)
    {
        if (!asked.Add(target))
            throw new EngineException($"Duplicate mount point: {target}");
    }

    // ---- what the runtime mounts ----

    private static Mount Bind(MountPoint point, string source)
    {
        var options = new List<string> { point.Options?.Contains("bind") is true ? "bind" : "rbind" };
        foreach (var option in point.Options ?? [])
        {
            if (option is not ("bind" or "rro"))
                options.Add(option);
        }
        if (!point.RW)
            options.Add(point.Options?.Contains("rro") is true ? "rro" : "ro");
        options.Add(point.Propagation.Length > 0 ? point.Propagation : "rprivate");
        return new Mount { Destination = point.Destination, Type = "bind", Source = source, Options = options };
    }

    private static Mount Special(MountPoint point, Dictionary<string, string> options)
    {
        var given = new List<string>(options.GetValueOrDefault("o")?.Split(',', StringSplitOptions.RemoveEmptyEntries) ?? []);
        if (!point.RW)
            given.Add("ro");
        var bind = given.Contains("bind") || given.Contains("rbind");
        return new Mount { Destination = point.Destination, Type = bind ? "bind" : options["type"], Source = options["device"], Options = given };
    }

    // A folder within a volume, which whoever writes to the volume may replace by a link at any time: it is resolved once, within it.
    private static FileDescriptor Below(Volume volume, string subpath)
    {
        using var data = Files.Open(volume.Data, OpenFlags.Path | Files.Directory);
        return Files.TryOpenResolved(data.Number, subpath, OpenFlags.Path, Linux.Resolve.Beneath | Linux.Resolve.NoSymlinks, out var errno)
            ?? throw new EngineException($"cannot mount {subpath} of volume {volume.Name}: {LinuxException.Describe(errno)}");
    }

    private static FileDescriptor Stack(ImageStore images, MountPoint point)
    {
        var stack = ImageMounts.Stack(images, [.. (point.Layers ?? []).Select(Digest.Parse)]);
        if (point.Subpath.Length == 0)
            return stack;
        using (stack)
        {
            using var below = Files.TryOpenResolved(stack.Number, point.Subpath, OpenFlags.Path, Linux.Resolve.InRoot | Linux.Resolve.NoMagicLinks, out var errno);
            var part = below is null ? null : Linux.Mounts.TryCloneTree("", recursive: false, out errno, below.Number);
            return part ?? throw new EngineException($"cannot mount {point.Subpath} of image {point.Source}: {LinuxException.Describe(errno)}{(errno == Errno.EINVAL ? " (that needs Linux 6.15)" : "")}");
        }
    }

    private static void CopyUp(Volume volume, FileDescriptor root, string target)
    {
        const string Copying = "copying";
        using var folder = Files.Open(volume.Path, OpenFlags.ReadOnly | Files.Directory);
        using var data = Files.Open("_data", OpenFlags.ReadOnly | Files.Directory | Files.NoFollow, folder.Number);
        if (!Files.Exists(Copying, folder.Number) && Files.List(data, volume.Data).Count > 0)
            return;
        using var from = Files.TryOpenResolved(root.Number, target, OpenFlags.ReadOnly | Files.Directory, Linux.Resolve.InRoot | Linux.Resolve.NoMagicLinks, out _);
        if (from is null)
            return; // the image has nothing there
        Files.Lock(folder, wait: true, volume.Path);
        // Another start may have copied meanwhile, or one that was killed have begun to.
        if (Files.Exists(Copying, folder.Number))
            Trees.Empty(data);
        else if (Files.List(data, volume.Data).Count > 0)
            return;
        using (Files.Open(Copying, OpenFlags.WriteOnly | OpenFlags.Create, folder.Number, 0x180 /* 0600 */))
        {
            new TreeCopy().Content(from, data, target);
            TreeCopy.Attributes(from, data, target);
        }
        Files.TryUnlink(Copying, folder.Number);
    }
}
