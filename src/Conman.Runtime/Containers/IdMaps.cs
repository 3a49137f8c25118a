// Settings of a new namespace that only a process outside it may write.

using System.Globalization;
using System.Text;
using Conman.Linux;
using Conman.Oci.RuntimeSpec;

namespace Conman.Runtime.Containers;

/// <summary>uid_map, gid_map (user_namespaces(7)) and timens_offsets (time_namespaces(7)) of a process.</summary>
internal static class IdMaps
{
    public static void Write(int pid, Oci.RuntimeSpec.Linux linux)
    {
        WriteMap(pid, "uid_map", linux.UidMappings!);
        WriteMap(pid, "gid_map", linux.GidMappings!);
    }

    public static void WriteTimeOffsets(int pid, Dictionary<string, TimeOffset> offsets)
    {
        var text = "";
        foreach (var (clock, offset) in offsets)
            text += string.Create(CultureInfo.InvariantCulture, $"{clock} {offset.Secs} {offset.Nanosecs}\n");
        Write(pid, "timens_offsets", text);
    }

    // All lines in one write: the kernel takes a map once.
    private static void WriteMap(int pid, string file, List<IdMapping> mappings)
    {
        var text = "";
        foreach (var mapping in mappings)
            text += string.Create(CultureInfo.InvariantCulture, $"{mapping.ContainerID} {mapping.HostID} {mapping.Size}\n");
        Write(pid, file, text);
    }

    private static void Write(int pid, string file, string text)
    {
        var errno = Files.TryWriteFile($"/proc/{pid}/{file}", Encoding.UTF8.GetBytes(text));
        if (errno != 0)
            throw new RuntimeException($"cannot write {file} ({text.TrimEnd('\n').Replace("\n", "; ")}): {LinuxException.Describe(errno)}");
    }
}
