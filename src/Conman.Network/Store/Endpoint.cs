// What a container has of its networks while it runs: written down before anything of it is there, so that whoever comes by can take it away.

using Conman.Oci;

namespace Conman.Network.Store;

/// <summary>network.json in the container's folder of this boot.</summary>
[OciObject(Docker = true)]
public sealed partial class Endpoints
{
    public List<Endpoint> Networks { get; set; } = [];

    /// <summary>The ports of the host that lead to it; null: none.</summary>
    public List<PublishedPort>? Ports { get; set; }

    /// <summary>The address that published ports lead to; null: there is none of that family.</summary>
    public string? Target(bool v6)
    {
        foreach (var endpoint in Networks)
        {
            if (endpoint.HostDevice.Length > 0 && (v6 ? endpoint.IPv6 : endpoint.IPv4) is { Length: > 0 } address)
                return address;
        }
        return null;
    }
}

/// <summary>A container in one network.</summary>
[OciObject(Docker = true)]
public sealed partial class Endpoint
{
    public string Network { get; set; } = "";

    public string NetworkId { get; set; } = "";

    /// <summary>64 hexadecimal digits.</summary>
    public string Id { get; set; } = "";

    /// <summary>Its name in the container, e.g. <c>eth0</c>.</summary>
    public string Device { get; set; } = "";

    /// <summary>The other end of it on the host; empty: there is none.</summary>
    public string HostDevice { get; set; } = "";

    public string MacAddress { get; set; } = "";

    /// <summary>Empty: none.</summary>
    public string IPv4 { get; set; } = "";

    public int PrefixLength4 { get; set; }

    /// <summary>Where its default route leads; empty: it has none by this network.</summary>
    public string Gateway4 { get; set; } = "";

    /// <summary>Empty: none.</summary>
    public string IPv6 { get; set; } = "";

    public int PrefixLength6 { get; set; }

    public string Gateway6 { get; set; } = "";

    /// <summary>Names that it has in this network besides its container's; null: none.</summary>
    public List<string>? Aliases { get; set; }

    /// <summary>Its default routes are the container's.</summary>
    public bool Leads { get; set; }
}

/// <summary>A port of the host that leads to one of a container.</summary>
[OciObject(Docker = true)]
public sealed partial class PublishedPort
{
    /// <summary><c>tcp</c>, <c>udp</c> or <c>sctp</c>.</summary>
    public string Protocol { get; set; } = "";

    /// <summary>An address of the host; empty: all of them, of both families.</summary>
    public string HostIp { get; set; } = "";

    public int HostPort { get; set; }

    /// <summary>The container's.</summary>
    public int Port { get; set; }

    /// <summary>Whether packets of that family are led.</summary>
    public bool Is(bool v6) => HostIp.Length == 0 || HostIp.Contains(':') == v6;

    /// <summary>Whether it is any address of the host.</summary>
    public bool IsAny => HostIp is "" or "0.0.0.0" or "::";

    public override string ToString() => (HostIp.Contains(':') ? "[" + HostIp + "]" : HostIp.Length == 0 ? "0.0.0.0" : HostIp) + ":" + HostPort + "/" + Protocol;
}
