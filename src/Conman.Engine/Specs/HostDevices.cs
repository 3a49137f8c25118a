// Devices of the host that a container gets: nodes in its /dev, and the right to open them.

using Conman.Engine.Settings;
using Conman.Linux;
using Conman.Oci.RuntimeSpec;

namespace Conman.Engine.Specs;

internal static class HostDevices
{
    // What every container has of its own, or what is no device.
    private static readonly string[] NotGiven = ["pts", "shm", "fd", "mqueue", "console", "ptmx", "tty", "null", "zero", "full", "random", "urandom", "core", "stdin", "stdout", "stderr"];

    /// <summary>Adds what <c>--device</c> asks for: a node, or every node in a folder.</summary>
    public static void Add(DeviceMapping mapping, List<Device> devices, List<DeviceCgroup> rules)
    {
        var path = mapping.PathOnHost;
        var inside = mapping.PathInContainer.Length > 0 ? mapping.PathInContainer : path;
        var access = mapping.CgroupPermissions.Length > 0 ? mapping.CgroupPermissions : "rwm";
        var status = Files.TryStatus(path, out var errno) ?? throw new EngineException($"--device {path}: {LinuxException.Describe(errno)}");
        if (status.Type == FileType.Directory)
        {
            using var folder = Files.Open(path, OpenFlags.ReadOnly | Files.Directory);
            var before = devices.Count;
            foreach (var name in Files.List(folder, path))
            {
                if (Files.TryStatus(name, out _, folder.Number) is { Type: FileType.CharacterDevice or FileType.BlockDevice or FileType.Directory })
                    Add(new DeviceMapping { PathOnHost = path + "/" + name, PathInContainer = inside + "/" + name, CgroupPermissions = access }, devices, rules);
            }
            if (devices.Count == before)
                throw new EngineException($"--device {path}: there is no device in it");
            return;
        }
        Add(inside, path, status, access, devices, rules);
    }

    /// <summary>Adds all that the host has, for a privileged container.</summary>
    public static void AddAll(List<Device> devices)
    {
        using var folder = Files.Open("/dev", OpenFlags.ReadOnly | Files.Directory);
        AddAll(folder, "/dev", devices);
    }

    private static void AddAll(FileDescriptor folder, string path, List<Device> devices)
    {
        foreach (var name in Files.List(folder, path))
        {
            if ((path == "/dev" && Array.IndexOf(NotGiven, name) >= 0) || name.StartsWith(".", StringComparison.Ordinal))
                continue;
            var status = Files.TryStatus(name, out _, folder.Number, 0x100 /* AT_SYMLINK_NOFOLLOW */);
            if (status is { Type: FileType.Directory })
            {
                using var below = Files.TryOpen(name, OpenFlags.ReadOnly | Files.Directory | Files.NoFollow, out _, folder.Number);
                if (below is not null)
                    AddAll(below, path + "/" + name, devices);
            }
            else if (status is { Type: FileType.CharacterDevice or FileType.BlockDevice } device)
            {
                devices.Add(Node(path + "/" + name, device));
            }
        }
    }

    /// <summary>The device number of a path, for a limit.</summary>
    public static (long Major, long Minor) Number(string flag, string path) => Files.TryStatus(path, out var errno) switch
    {
        { Type: FileType.CharacterDevice or FileType.BlockDevice } status => (status.DeviceMajor, status.DeviceMinor),
        null => throw new EngineException($"--{flag} {path}: {LinuxException.Describe(errno)}"),
        _ => throw new EngineException($"--{flag} {path}: not a device node"),
    };

    /// <summary>A rule such as <c>c 1:3 rwm</c>.</summary>
    /// <exception cref="EngineException">It is none.</exception>
    public static DeviceCgroup Rule(string text)
    {
        var words = text.Split(' ');
        var numbers = words.Length == 3 ? words[1].Split(':') : [];
        if (numbers.Length != 2 || words[0] is not ("a" or "b" or "c") || words[2].Length is 0 or > 3 || words[2].AsSpan().ContainsAnyExcept("rwm"))
            throw new EngineException($"--device-cgroup-rule {text}: expected TYPE MAJOR:MINOR ACCESS, e.g. \"c 1:3 rwm\"");
        return new DeviceCgroup { Allow = true, Type = words[0], Major = Part(numbers[0]), Minor = Part(numbers[1]), Access = words[2] };

        long? Part(string number) => number == "*" ? null
            : uint.TryParse(number, out var n) ? n : throw new EngineException($"--device-cgroup-rule {text}: {number} is no device number");
    }

    private static void Add(string inside, string path, FileStatus status, string access, List<Device> devices, List<DeviceCgroup> rules)
    {
        if (status.Type is not (FileType.CharacterDevice or FileType.BlockDevice))
            throw new EngineException($"--device {path}: not a device node");
        devices.RemoveAll(d => d.Path == inside);
        var node = Node(inside, status);
        devices.Add(node);
        rules.Add(new DeviceCgroup { Allow = true, Type = node.Type, Major = node.Major, Minor = node.Minor, Access = access });
    }

    private static Device Node(string path, FileStatus status) => new()
    {
        Type = status.Type == FileType.BlockDevice ? "b" : "c",
        Path = path,
        Major = status.DeviceMajor,
        Minor = status.DeviceMinor,
        FileMode = status.Permissions,
        Uid = status.Uid,
        Gid = status.Gid,
    };
}
