// Names of units: linux.cgroupsPath as slice:prefix:name, and the folders that a slice's name stands for (systemd.slice(5)).

using Conman.Oci;

namespace Conman.Runtime.Systemd;

/// <summary>Where a container's scope lies.</summary>
/// <param name="Slice">E.g. <c>machine-a.slice</c>.</param>
/// <param name="Scope">E.g. <c>libpod-ID.scope</c>.</param>
internal readonly record struct UnitName(string Slice, string Scope)
{
    private const string SubgroupAnnotation = "run.oci.systemd.subgroup";

    /// <summary>By crun's annotation the container's cgroup is one below the scope, and not the scope itself: <c>/NAME</c>; empty: it is the scope.</summary>
    public static string Subgroup(Dictionary<string, string>? annotations)
    {
        if (annotations is null || !annotations.TryGetValue(SubgroupAnnotation, out var name) || name.Length == 0)
            return "";
        return name.Contains('/') || name is "." or ".."
            ? throw new RuntimeException($"annotation {SubgroupAnnotation}: {Plans.Words.Quote(name)} is no name of a cgroup")
            : "/" + name;
    }

    /// <summary>Reads linux.cgroupsPath; absent: a name from the id.</summary>
    /// <param name="user">The systemd of a user: its slices are others.</param>
    public static UnitName Parse(string? cgroupsPath, string id, bool user)
    {
        var parts = string.IsNullOrEmpty(cgroupsPath) ? ["", "conman", id] : cgroupsPath.Split(':');
        if (parts.Length != 3)
            throw new RuntimeException($"expected cgroupsPath to be of format \"slice:prefix:name\" for systemd cgroups, got {OciWriter.Quote(cgroupsPath!)} instead");
        var slice = parts[0].Length > 0 ? parts[0] : user ? "user.slice" : "system.slice";
        Folders(slice);
        if (parts[2].EndsWith(".slice", StringComparison.Ordinal))
            throw new RuntimeException($"linux.cgroupsPath: {parts[2]} is a slice, which holds no processes of its own");
        var scope = (parts[1].Length > 0 ? parts[1] + "-" : "") + parts[2] + ".scope";
        // systemd.unit(5): letters, digits, and : - _ . \ ; the colon has parted the three.
        if (parts[2].Length == 0 || scope.Length > 255 || !scope.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.' or '\\'))
            throw new RuntimeException($"linux.cgroupsPath: {Plans.Words.Quote(scope)} is no name of a systemd unit");
        return new UnitName(slice, scope);
    }

    /// <summary>The scope's cgroup, from systemd's own: <c>/a.slice/a-b.slice/x.scope</c>.</summary>
    public string Path => Folders(Slice) + "/" + Scope;

    // a-b.slice lies in a.slice: every dash opens a folder. "-.slice" is the root.
    private static string Folders(string slice)
    {
        const string Suffix = ".slice";
        if (slice == "-.slice")
            return "";
        var name = slice.EndsWith(Suffix, StringComparison.Ordinal) ? slice[..^Suffix.Length] : "";
        if (name.Length == 0 || slice.Contains('/') || name.Split('-').Contains("", StringComparer.Ordinal))
            throw new RuntimeException($"invalid slice name: {slice}");
        var path = "";
        for (var dash = name.IndexOf('-'); dash >= 0; dash = name.IndexOf('-', dash + 1))
            path += "/" + name[..dash] + Suffix;
        return path + "/" + slice;
    }
}
