// What a container may leave behind on the host: cgroups, mounts, processes, files of state. A snapshot is taken
// before a test; what is there afterwards and was not before is the runtime's fault.
using System.Text.RegularExpressions;

namespace Conman.Integration.Tests;

public sealed class Leftovers
{
    public const string CgroupRoot = "/sys/fs/cgroup";

    /// <summary>Whether the unified hierarchy is all there is; otherwise this is a host with those of cgroup v1.</summary>
    public static bool Unified => File.Exists(CgroupRoot + "/cgroup.controllers");

    /// <summary>Where the unified hierarchy is: on a hybrid host without controllers, beside the others.</summary>
    public static string UnifiedRoot => Unified ? CgroupRoot : CgroupRoot + "/unified";

    /// <summary>The root of every hierarchy.</summary>
    public static string[] Hierarchies => Unified ? [CgroupRoot] : Directory.GetDirectories(CgroupRoot);

    private readonly HashSet<string> _mounts = [.. Mounts()];

    /// <summary>One sentence for each thing left of the containers with these ids, nothing when all is clean.</summary>
    public IEnumerable<string> Of(IReadOnlyCollection<string> ids, string root)
    {
        foreach (string mount in Mounts().Except(_mounts))
            yield return "mount: " + mount;
        foreach (string mount in _mounts.Except(Mounts()))
            yield return "a mount of the host is gone or changed: " + mount;
        foreach (string cgroup in Cgroups(ids))
            yield return "cgroup: " + cgroup;
        foreach ((int pid, string what) in Processes(ids))
            yield return $"process: {pid} {what}";
        if (Directory.Exists(root))
        {
            foreach (string file in Directory.EnumerateFileSystemEntries(root).Where(f => Path.GetFileName(f) != "@filters")) // a cache
                yield return "state: " + file;
        }
    }

    public static IEnumerable<string> Mounts() => File.ReadAllLines("/proc/self/mountinfo");

    public static IEnumerable<string> Cgroups(IReadOnlyCollection<string> ids) =>
        Directory.EnumerateDirectories(CgroupRoot, "*", new EnumerationOptions { RecurseSubdirectories = true, IgnoreInaccessible = true })
            .Where(path => ids.Any(path.Contains));

    /// <summary>Living processes that a test with one of these ids has started, by their environment or arguments.</summary>
    public static IEnumerable<(int Pid, string What)> Processes(IReadOnlyCollection<string> ids)
    {
        string[] markers = [.. ids.Select(id => $"{Bundle.Marker}={id}\0")];
        foreach (string folder in Directory.EnumerateDirectories("/proc"))
        {
            if (!int.TryParse(Path.GetFileName(folder), out int pid) || pid == Environment.ProcessId)
                continue;
            string arguments = ReadOrEmpty(folder + "/cmdline"), environment = ReadOrEmpty(folder + "/environ");
            if (markers.Any(environment.Contains) || ids.Any(id => arguments.Split('\0', '/', ':').Contains(id)))
                yield return (pid, arguments.Replace('\0', ' '));
        }
    }

    /// <summary>Takes away by force what a failed test has left, so that the next one starts clean.</summary>
    public void Remove(IReadOnlyCollection<string> ids)
    {
        foreach ((int pid, _) in Processes(ids).ToList())
            _ = Libc.kill(pid, Libc.SIGKILL);
        foreach (string cgroup in Cgroups(ids).OrderByDescending(path => path.Length).ToList())
        {
            if (File.Exists(cgroup + "/cgroup.kill"))
                File.WriteAllText(cgroup + "/cgroup.kill", "1");
            Wait.Until(() => TryDelete(cgroup), $"cannot remove {cgroup}");
        }
        foreach (string mount in Mounts().Except(_mounts).Reverse().ToList())
            _ = Libc.umount2(mount.Split(' ')[4], Libc.MNT_DETACH);
    }

    /// <summary>What tests of a run that was killed have left: the pid of that run is in every name.</summary>
    public static void RemoveThoseOfDeadRuns()
    {
        var before = new Leftovers();
        foreach (string folder in ((string[])["/tmp", "/run", Path.GetTempPath()]).Distinct().SelectMany(place => Directory.EnumerateDirectories(place, "conman-test-*")).ToList())
        {
            Match name = Regex.Match(folder, "/conman-test-((?:ct-)?([0-9]+)-[^-/]+)[^/]*$");
            if (!name.Success || Directory.Exists("/proc/" + name.Groups[2].Value))
                continue;
            foreach (string mount in Mounts().Select(line => line.Split(' ')[4]).Where(place => place.StartsWith(folder + "/", StringComparison.Ordinal)).Reverse().ToList())
                _ = Libc.umount2(mount, Libc.MNT_DETACH);
            before.Remove([name.Groups[1].Value]);
            try
            {
                Directory.Delete(folder, recursive: true);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                // Another run does the same at this moment.
            }
        }
    }

    internal static bool TryDelete(string folder)
    {
        try
        {
            Directory.Delete(folder);
            return true;
        }
        catch (IOException)
        {
            return !Directory.Exists(folder);
        }
    }

    internal static string ReadOrEmpty(string path)
    {
        try
        {
            return File.ReadAllText(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return ""; // the process has ended meanwhile
        }
    }
}
