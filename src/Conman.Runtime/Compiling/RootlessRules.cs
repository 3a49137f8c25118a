// What an ordinary user's spec must say and must not: told before the kernel would say no in words of its own.

using System.Globalization;
using Conman.Oci.RuntimeSpec;

namespace Conman.Runtime.Compiling;

/// <summary>The rules of a container without root.</summary>
internal static class RootlessRules
{
    public static void Validate(Spec spec)
    {
        if (!spec.Linux!.Namespaces!.Exists(n => n.Type == "user"))
            throw new RuntimeException("rootless container requires user namespaces");
        foreach (var mount in spec.Mounts ?? [])
        {
            foreach (var option in mount.Options ?? [])
            {
                Check(option, "uid=", spec.Linux.UidMappings, "user");
                Check(option, "gid=", spec.Linux.GidMappings, "group");
            }
        }
    }

    // Maps of a user namespace that is joined are not in the spec: the kernel alone knows them.
    private static void Check(string option, string name, List<IdMapping>? mappings, string kind)
    {
        if (mappings is not { Count: > 0 } || !option.StartsWith(name, StringComparison.Ordinal)
            || !uint.TryParse(option.AsSpan(name.Length), NumberStyles.None, CultureInfo.InvariantCulture, out var id))
        {
            return;
        }
        if (!mappings.Exists(m => id >= m.ContainerID && id - m.ContainerID < m.Size))
            throw new RuntimeException($"cannot specify {option} mount option for rootless container: user namespaces enabled, but no {kind} mapping found");
    }
}
