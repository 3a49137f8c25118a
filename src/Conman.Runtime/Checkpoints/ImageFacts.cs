// What of a container lies outside it, and so outside its image: bind mounts, namespaces that it joined, its standard streams.

using Conman.Linux;
using Conman.Oci;
using Conman.Oci.RuntimeSpec;
using Conman.Runtime.Compiling;

namespace Conman.Runtime.Checkpoints;

/// <summary>The same on both sides: what a dump calls external, a restore must bring.</summary>
internal static class ImageFacts
{
    /// <summary>The names of standard input, output and error, e.g. "pipe:[1234]", as runc keeps them beside the image.</summary>
    public const string DescriptorsFile = "descriptors.json";

    private static readonly string[] DevicesOfAll = ["/dev/null", "/dev/zero", "/dev/full", "/dev/tty", "/dev/random", "/dev/urandom"];

    /// <summary>Mounts of the host in the container: their place inside, and their source.</summary>
    /// <param name="root">The container's root, to see which masked paths are files; null: the root file system as it will be.</param>
    public static List<(string Inside, string Outside)> ExternalMounts(Spec spec, string bundle, FileDescriptor root)
    {
        var found = new List<(string, string)>();
        var ownCgroups = spec.Linux!.Namespaces?.Exists(n => n.Type == "cgroup") is true;
        var bindsDev = false;
        foreach (var mount in spec.Mounts ?? [])
        {
            var inside = "/" + mount.Destination!.Trim('/');
            if (mount.Type == "bind" || MountOptions.Parse(mount.Options).Bind)
            {
                found.Add((inside, Path.GetFullPath(mount.Source!, bundle)));
                bindsDev |= inside == "/dev";
            }
            else if (mount.Type is "cgroup" or "cgroup2" && !ownCgroups)
            {
                found.Add((inside, "/sys/fs/cgroup"));
            }
        }
        foreach (var path in spec.Linux.MaskedPaths ?? [])
        {
            using var masked = Files.TryOpenResolved(root.Number, path, OpenFlags.Path, Resolve.InRoot | Resolve.NoMagicLinks, out _);
            if (masked is not null && Files.Status(masked, path).Type != FileType.Directory)
                found.Add((path, "/dev/null"));
        }
        if (!bindsDev && spec.Linux.Namespaces?.Exists(n => n.Type == "user") is true)
        {
            foreach (var device in DevicesOfAll)
                found.Add((device, device)); // the host's, in a user namespace
        }
        return found;
    }

    /// <summary>Namespaces that the container joined and CRIU must neither save nor make: their files in /proc/PID/ns, and what runc calls them in an image.</summary>
    public static IEnumerable<(Namespace Namespace, string File, string Key)> ExternalNamespaces(Spec spec)
    {
        foreach (var ns in spec.Linux?.Namespaces ?? [])
        {
            if (ns.Path is not { Length: > 0 })
                continue;
            if (ns.Type == "network")
                yield return (ns, "net", "extRootNetNS");
            else if (ns.Type == "pid")
                yield return (ns, "pid", "extRootPidNS");
        }
    }

    /// <summary>Writes down what standard input, output and error of a process are.</summary>
    public static void WriteDescriptors(FileDescriptor images, int pid)
    {
        var json = "[";
        for (var fd = 0; fd < 3; fd++)
            json += (fd == 0 ? "" : ",") + OciWriter.Quote(Files.TryReadLink("/proc/" + pid + "/fd/" + fd) ?? "");
        Files.Publish(images.Number, DescriptorsFile, System.Text.Encoding.UTF8.GetBytes(json + "]"), 0x180 /* 0600 */);
    }

    /// <summary>Reads them.</summary>
    public static List<string> ReadDescriptors(FileDescriptor images)
    {
        using var file = Files.TryOpen(DescriptorsFile, OpenFlags.ReadOnly, out var errno, images.Number)
            ?? throw new RuntimeException($"cannot open {DescriptorsFile} of the image: {LinuxException.Describe(errno)}");
        var names = new List<string>();
        var reader = new OciReader(Files.ReadAll(file, DescriptorsFile));
        try
        {
            reader.Begin();
            reader.BeginArray();
            for (var i = 0; reader.NextElement(i); i++)
            {
                names.Add(reader.String());
                reader.EndElement();
            }
            return names;
        }
        catch (Exception e) when (e is OciFormatException or JsonSyntaxException)
        {
            throw new RuntimeException($"{DescriptorsFile} of the image is not a list of texts", e);
        }
    }
}
