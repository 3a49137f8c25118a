// Settings of a new namespace that only a process outside it may write.

using System.Globalization;
using System.Text;
using Conman.Linux;
using Conman.Oci.RuntimeSpec;
using Conman.Runtime.Compiling;

namespace Conman.Runtime.Containers;

/// <summary>uid_map, gid_map (user_namespaces(7)) and timens_offsets (time_namespaces(7)) of a process.</summary>
internal static class IdMaps
{
    public static void Write(int pid, List<IdMapping> uids, List<IdMapping> gids)
    {
        // A user may map himself alone, and his group once its members can no longer leave it; more than that is for the tools of shadow to
        // allow, by /etc/subuid and /etc/subgid.
        if (HostRights.Current.OrdinaryUser && gids is [{ Size: 1 } group] && group.HostID == Processes.EffectiveGroup)
            Write(pid, "setgroups", "deny");
        WriteMap(pid, "uid_map", uids, "newuidmap");
        WriteMap(pid, "gid_map", gids, "newgidmap");
    }

    /// <summary>A user namespace that is joined has its maps already; if the spec says some as well, they must be the same.</summary>
    public static void RequireGiven(int pid, Oci.RuntimeSpec.Linux linux)
    {
        if (!IsGiven(pid, "uid_map", linux.UidMappings) || !IsGiven(pid, "gid_map", linux.GidMappings))
            throw new RuntimeException("user namespaces enabled, but both namespace path and non-matching mapping specified -- you may only provide one");
    }

    private static bool IsGiven(int pid, string file, List<IdMapping>? mappings)
    {
        if (mappings is not { Count: > 0 })
            return true;
        var lines = Encoding.UTF8.GetString(Files.ReadAll("/proc/" + pid + "/" + file)).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        var given = new HashSet<string>();
        foreach (var line in lines)
            given.Add(string.Join(' ', line.Split(' ', StringSplitOptions.RemoveEmptyEntries)));
        return lines.Length == mappings.Count && mappings.TrueForAll(m => given.Contains(m.ContainerID + " " + m.HostID + " " + m.Size));
    }

    public static void WriteTimeOffsets(int pid, Dictionary<string, TimeOffset> offsets)
    {
        var text = "";
        foreach (var (clock, offset) in offsets)
            text += string.Create(CultureInfo.InvariantCulture, $"{clock} {offset.Secs} {offset.Nanosecs}\n");
        Write(pid, "timens_offsets", text);
    }

    // All lines in one write: the kernel takes a map once.
    private static void WriteMap(int pid, string file, List<IdMapping> mappings, string tool)
    {
        var text = "";
        foreach (var mapping in mappings)
            text += string.Create(CultureInfo.InvariantCulture, $"{mapping.ContainerID} {mapping.HostID} {mapping.Size}\n");
        var errno = TryWrite(pid, file, text);
        if (errno == Errno.EPERM && HostRights.Current.OrdinaryUser)
            Ask(tool, pid, file, text);
        else
            Check(errno, file, text);
    }

    // A program with the right to write maps that the administrator allows (newuidmap(1), newgidmap(1)).
    private static void Ask(string tool, int pid, string file, string text)
    {
        var failure = HelperProgram.TryRun(tool, [pid.ToString(CultureInfo.InvariantCulture), .. text.Split([' ', '\n'], StringSplitOptions.RemoveEmptyEntries)]);
        if (failure is not null)
            throw new RuntimeException($"cannot write {file} ({Line(text)}) as an ordinary user: {tool}: {failure}");
    }

    private static void Write(int pid, string file, string text) => Check(TryWrite(pid, file, text), file, text);

    private static int TryWrite(int pid, string file, string text) => Files.TryWriteFile($"/proc/{pid}/{file}", Encoding.UTF8.GetBytes(text));

    private static string Line(string text) => text.TrimEnd('\n').Replace("\n", "; ");

    private static void Check(int errno, string file, string text)
    {
        if (errno != 0)
            throw new RuntimeException($"cannot write {file} ({Line(text)}): {LinuxException.Describe(errno)}");
    }
}
