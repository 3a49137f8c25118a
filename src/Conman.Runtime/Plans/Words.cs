// Kernel flags in the words that people type and man pages use.

using Conman.Linux;

namespace Conman.Runtime.Plans;

internal static class Words
{
    /// <summary>" (a, b)" of the parts that are not empty, or nothing.</summary>
    public static string InParentheses(params ReadOnlySpan<string> parts)
    {
        var text = "";
        foreach (var part in parts)
        {
            if (part.Length > 0)
                text += (text.Length == 0 ? " (" : ", ") + part;
        }
        return text.Length == 0 ? "" : text + ")";
    }

    public static string Attributes(MountAttributes attributes, bool recursive = false)
    {
        var text = "";
        Add(MountAttributes.ReadOnly, "ro");
        Add(MountAttributes.NoSuid, "nosuid");
        Add(MountAttributes.NoDev, "nodev");
        Add(MountAttributes.NoExec, "noexec");
        Add(MountAttributes.NoAccessTime, "noatime");
        Add(MountAttributes.StrictAccessTime, "strictatime");
        Add(MountAttributes.NoDirectoryAccessTime, "nodiratime");
        Add(MountAttributes.NoSymlinkFollow, "nosymfollow");
        Add(MountAttributes.IdMap, "idmap");
        return text;

        void Add(MountAttributes attribute, string word)
        {
            if ((attributes & attribute) != 0)
                text += (text.Length == 0 ? "" : ", ") + (recursive ? "r" : "") + word;
        }
    }

    public static string Propagation(Propagation propagation, bool recursive)
    {
        var word = propagation switch
        {
            Linux.Propagation.Private => "private",
            Linux.Propagation.Slave => "slave",
            Linux.Propagation.Shared => "shared",
            Linux.Propagation.Unbindable => "unbindable",
            _ => "",
        };
        return word.Length > 0 && recursive ? "r" + word : word;
    }

    /// <summary>A propagation type that is set after another.</summary>
    public static string Then(Propagation propagation, bool recursive) =>
        propagation == Linux.Propagation.Unchanged ? "" : "then " + Propagation(propagation, recursive);

    public static string Namespace(Namespaces type) => type switch
    {
        Namespaces.Mount => "mount",
        Namespaces.Network => "network",
        Namespaces.None => "no",
        _ => type.ToString().ToLowerInvariant(),
    };

    /// <summary>"pid, network and mount".</summary>
    public static string List(Namespaces types)
    {
        var names = new List<string>();
        foreach (var type in (ReadOnlySpan<Namespaces>)[
            Namespaces.User, Namespaces.Pid, Namespaces.Network, Namespaces.Ipc, Namespaces.Uts, Namespaces.Mount, Namespaces.Cgroup, Namespaces.Time])
        {
            if ((types & type) != 0)
                names.Add(Namespace(type));
        }
        return names.Count switch
        {
            0 => "no",
            1 => names[0],
            _ => string.Join(", ", names[..^1]) + " and " + names[^1],
        };
    }

    /// <summary>Id maps as "0-999 to 100000-100999, …".</summary>
    public static string Maps(List<Oci.RuntimeSpec.IdMapping> maps)
    {
        var text = "";
        foreach (var map in maps)
            text += (text.Length == 0 ? "" : ", ") + Range(map.ContainerID, map.Size) + " to " + Range(map.HostID, map.Size);
        return text;

        static string Range(uint first, uint size) => size == 1 ? first.ToString() : first.ToString() + "-" + (first + (ulong)size - 1).ToString();
    }

    /// <summary>A word as a shell would need it.</summary>
    public static string Quote(string text) =>
        text.Length > 0 && text.AsSpan().IndexOfAny(" \t\n\"'\\$") < 0 ? text : "\"" + text.Replace("\\", "\\\\").Replace("\"", "\\\"").Replace("\n", "\\n") + "\"";

    public static string Octal(uint mode) => "0" + Convert.ToString(mode, 8);
}
