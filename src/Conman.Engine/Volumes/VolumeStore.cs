// Named volumes: <root>/volumes/<name>/, with what is known of the volume in volume.json and what it holds in _data.
//
// The folder is the lock on the name. What is removed is renamed first, so that no half of it is ever taken for a volume.

using Conman.Linux;
using Conman.Oci;

namespace Conman.Engine.Volumes;

/// <summary>volume.json.</summary>
[OciObject]
public sealed partial class StoredVolume
{
    /// <summary>RFC 3339.</summary>
    public string? CreatedAt { get; set; }

    public Dictionary<string, string>? Labels { get; set; }

    /// <summary><c>type</c>, <c>device</c> and <c>o</c>: a file system that is mounted in place of the folder.</summary>
    public Dictionary<string, string>? Options { get; set; }

    /// <summary>It has no name that anybody gave it.</summary>
    public bool Anonymous { get; set; }
}

/// <summary>A volume that is there.</summary>
public sealed record Volume(string Name, string Path, StoredVolume Record)
{
    /// <summary>What it holds.</summary>
    public string Data => Path + "/_data";
}

/// <summary>There is no such volume.</summary>
public sealed class NoSuchVolumeException(string name) : EngineException($"no such volume: {name}");

/// <param name="told">Hears that a volume was made (<c>create</c>) or removed (<c>destroy</c>), by its name.</param>
public sealed class VolumeStore(string root, Action<string, string>? told = null)
{
    // A name that no volume can have.
    private const string Removed = ".removed-";

    private string Folder { get; } = root + "/volumes";

    /// <summary>A name as Docker allows it.</summary>
    /// <returns>True, always.</returns>
    /// <exception cref="EngineException">It is none.</exception>
    public static bool CheckName(string name)
    {
        var valid = name.Length is > 1 and <= 255 && char.IsAsciiLetterOrDigit(name[0]);
        foreach (var c in name)
            valid &= char.IsAsciiLetterOrDigit(c) || c is '_' or '.' or '-';
        return valid ? true : throw new EngineException(
            $"\"{name}\" is no name for a volume: that is two letters, digits, '_', '.' or '-' at least, the first a letter or digit; a folder of the host is given by an absolute path");
    }

    /// <summary>Makes a volume; one of the name that is there already is left as it is.</summary>
    /// <param name="options">Of the local driver: type, device and o.</param>
    /// <param name="isNew">Whether it was not there.</param>
    public Volume Create(string name, Dictionary<string, string>? labels, Dictionary<string, string>? options, bool anonymous, out bool isNew)
    {
        CheckName(name);
        CheckOptions(options);
        Files.MakeDirectories(Folder, 0x1c9 /* 0711 */);
        using var all = Lock();
        var known = Read(name);
        isNew = known is null;
        if (known is not null)
            return known;
        var path = Folder + "/" + name;
        // The parts of one that was killed in the middle are as good as new.
        Make(name, 0x1c9 /* 0711 */, all.Number);
        using var folder = Files.Open(name, OpenFlags.ReadOnly | Files.Directory | Files.NoFollow, all.Number);
        Make("_data", 0x1ed /* 0755 */, folder.Number);
        var record = new StoredVolume { CreatedAt = Time.Now, Labels = labels, Options = options, Anonymous = anonymous };
        Storage.Replace(folder, "volume.json", record.ToUtf8(indented: false));
        told?.Invoke("create", name);
        return new Volume(name, path, record);
    }

    /// <summary>A volume, or null.</summary>
    public Volume? TryFind(string name)
    {
        CheckName(name);
        return Read(name);
    }

    /// <summary>The names of all volumes, in order, also of those half made.</summary>
    public List<string> Names()
    {
        using var all = Files.TryOpen(Folder, OpenFlags.ReadOnly | Files.Directory, out _);
        if (all is null)
            return [];
        var names = Files.List(all, Folder);
        names.RemoveAll(static name => name[0] == '.');
        names.Sort(StringComparer.Ordinal);
        return names;
    }

    /// <summary>Every volume, by name.</summary>
    public List<Volume> All() => [.. Names().Select(Read).OfType<Volume>()];

    /// <summary>Removes what a killed removal left.</summary>
    public void RemoveHalfRemoved()
    {
        using var all = TryLock();
        if (all is not null)
            Sweep(all);
    }

    /// <summary>Removes a volume and all that it holds.</summary>
    /// <exception cref="NoSuchVolumeException"/>
    public void Remove(string name)
    {
        CheckName(name);
        using var all = TryLock() ?? throw new NoSuchVolumeException(name);
        Sweep(all);
        if (!Files.Exists(name, all.Number))
            throw new NoSuchVolumeException(name);
        Storage.Rename(all.Number, name, all.Number, Removed + name);
        Trees.Remove(all.Number, Removed + name);
        told?.Invoke("destroy", name);
    }

    /// <summary>Bytes that a volume's files take on the disk.</summary>
    public static long Size(Volume volume) => Trees.Measure(Files.CurrentDirectory, volume.Data).Bytes;

    private Volume? Read(string name)
    {
        var path = Folder + "/" + name;
        using var file = Files.TryOpen(path + "/volume.json", OpenFlags.ReadOnly | Files.NoFollow, out _);
        if (file is null)
            return null;
        try
        {
            return new Volume(name, path, StoredVolume.Parse(Files.ReadAll(file, path)));
        }
        catch (OciFormatException)
        {
            return new Volume(name, path, new StoredVolume()); // what it holds is there all the same
        }
    }

    private FileDescriptor Lock() => TryLock() ?? throw new LinuxException(Errno.ENOENT, $"open {Folder}");

    private FileDescriptor? TryLock()
    {
        var all = Files.TryOpen(Folder, OpenFlags.ReadOnly | Files.Directory, out _);
        if (all is not null)
            Files.Lock(all, wait: true, Folder);
        return all;
    }

    // What a killed removal left.
    private void Sweep(FileDescriptor all)
    {
        foreach (var name in Files.List(all, Folder))
        {
            if (name.StartsWith(Removed, StringComparison.Ordinal))
                Trees.Remove(all.Number, name);
        }
    }

    private void Make(string name, uint mode, int at)
    {
        var errno = Files.TryMakeDirectory(name, mode, at);
        if (errno is not (0 or Errno.EEXIST))
            throw new LinuxException(errno, $"make {Folder}/{name}");
    }

    private static void CheckOptions(Dictionary<string, string>? options)
    {
        if (options is not { Count: > 0 })
            return;
        foreach (var (name, value) in options)
        {
            if (name is not ("type" or "device" or "o"))
                throw new EngineException($"volume option {name}={value}: the options are type, device and o");
        }
        var type = options.GetValueOrDefault("type");
        if (!options.TryGetValue("device", out var device) || device.Length == 0)
            throw new EngineException("volume option device: must be given");
        if (type is null or "" or "none" && !(options.GetValueOrDefault("o") ?? "").Split(',').Any(o => o is "bind" or "rbind"))
            throw new EngineException("volume option type: must be given, or o must have bind");
        if (type == "tmpfs")
            throw new EngineException("volume option type=tmpfs: what each container would see is its own: ask for --tmpfs");
    }
}
