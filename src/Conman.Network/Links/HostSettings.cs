// What the host's kernel must allow (sysctl): to forward packets, and to lead those to 127.0.0.1 into a bridge.

using System.Text;
using Conman.Linux;

namespace Conman.Network.Links;

/// <summary>Switches that are turned on where they are off, and never off again: others may count on them by then.</summary>
public static class HostSettings
{
    private const string Folder4 = "/proc/sys/net/ipv4", Folder6 = "/proc/sys/net/ipv6";

    /// <summary>Whether the host forwards packets of IPv4, and of IPv6; null: it has none.</summary>
    public static (bool? V4, bool? V6) Forwarding => (Is(Folder4 + "/ip_forward"), Is(Folder6 + "/conf/all/forwarding"));

    /// <summary>Lets the host forward packets.</summary>
    internal static void Forward(bool v4, bool v6)
    {
        if (v4 && Is(Folder4 + "/ip_forward") == false)
            Write(Folder4 + "/ip_forward", "1");
        if (!v6 || Is(Folder6 + "/conf/all/forwarding") != false)
            return;
        // A host that forwards no longer listens to routers, unless it is told to all the same (accept_ra 2): it must not lose its own way out.
        using (var devices = Files.TryOpen(Folder6 + "/conf", OpenFlags.ReadOnly | Files.Directory, out _))
        {
            foreach (var device in devices is null ? [] : Files.List(devices, Folder6 + "/conf"))
            {
                var file = Folder6 + "/conf/" + device + "/accept_ra";
                if (device is not ("all" or "lo") && Read(file) == "1")
                    Write(file, "2");
            }
        }
        Write(Folder6 + "/conf/all/forwarding", "1");
    }

    /// <summary>Lets packets from 127.0.0.0/8 go out by a bridge, for ports that are published on 127.0.0.1. The rule "guard" keeps others from using it.</summary>
    internal static void RouteLoopback(string device)
    {
        var file = Folder4 + "/conf/" + device + "/route_localnet";
        if (Read(file) != "1")
            Write(file, "1");
    }

    /// <summary>Whether the kernel has IPv6, and it is not turned off.</summary>
    public static bool HasV6 => Read(Folder6 + "/conf/all/disable_ipv6") == "0";

    private static bool? Is(string file) => Read(file) is { } text ? text != "0" : null;

    private static string? Read(string path)
    {
        using var file = Files.TryOpen(path, OpenFlags.ReadOnly, out _);
        return file is null ? null : Encoding.ASCII.GetString(Files.ReadAll(file, path)).TrimEnd('\n');
    }

    private static void Write(string path, string value)
    {
        var errno = Files.TryWriteFile(path, Encoding.ASCII.GetBytes(value));
        if (errno != 0)
            throw new LinuxException(errno, $"set {path} to {value}");
    }
}
