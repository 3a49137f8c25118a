// linux.netDevices: interfaces of the host that become the container's (runtime-spec config-linux.md, "Network Devices").

using Conman.Linux;
using Conman.Oci.RuntimeSpec;

namespace Conman.Runtime.Containers;

/// <summary>Moving network interfaces. What becomes of them afterwards is the network namespace's affair: the kernel takes physical ones home.</summary>
internal static class NetDevices
{
    private const int NoSuchDevice = 19 /* ENODEV */;

    /// <summary>Moves them into the network namespace of a process, each with its permanent addresses of global scope, and sets them up.</summary>
    public static void Move(Dictionary<string, NetDevice> devices, int pid)
    {
        using var target = Files.Open("/proc/" + pid + "/ns/net", OpenFlags.ReadOnly);
        using var here = RouteNetlink.Open();
        using var there = RouteNetlink.Open(target);
        foreach (var (name, device) in devices)
            Move(name, string.IsNullOrEmpty(device?.Name) ? name : device.Name, here, there, target);
    }

    private static void Move(string name, string newName, RouteNetlink here, RouteNetlink there, FileDescriptor target)
    {
        var found = here.TryFind(name)
            ?? throw new RuntimeException($"link not found for interface {name} on runtime namespace: {LinuxException.Describe(NoSuchDevice)}");
        newName = Expand(newName, there);
        if (there.TryFind(newName) is not null)
            throw new RuntimeException($"cannot move network device {name}: the container has a {newName} already");

        // IPv6 addresses go with "down", so they are read before; the kernel itself takes a device down before it moves it.
        var addresses = here.Addresses(found.Index);
        Check(here.TrySetUp(found.Index, false), $"set network device {name} down");
        Check(here.TryMove(found.Index, target, newName), $"move network device {name} into the container");

        var moved = there.TryFind(newName) ?? throw new RuntimeException($"cannot move network device {name}: it has not arrived as {newName}");
        foreach (var address in addresses)
        {
            if (address.Scope == 0 /* RT_SCOPE_UNIVERSE */ && (address.Flags & RouteNetlink.Permanent) != 0)
            {
                var errno = there.TryAdd(moved.Index, address);
                Check(errno == Errno.EEXIST ? 0 : errno, $"give network device {newName} its address back"); // one that outlived the move
            }
        }
        Check(there.TrySetUp(moved.Index, true), $"set network device {newName} up");
    }

    // "eth%d": the first such name that is free. Nobody but this process makes interfaces there yet.
    private static string Expand(string template, RouteNetlink there)
    {
        if (!template.Contains("%d", StringComparison.Ordinal))
            return template;
        for (var n = 0; ; n++)
        {
            var name = template.Replace("%d", n.ToString());
            if (there.TryFind(name) is null)
                return name;
        }
    }

    private static void Check(int errno, string operation)
    {
        if (errno != 0)
            throw new RuntimeException($"cannot {operation}: {LinuxException.Describe(errno)}");
    }
}
