// To which networks a container is connected, and as what: "NetworkingConfig" in Docker's API.

using Conman.Oci;

namespace Conman.Engine.Settings;

/// <summary>The networks by name.</summary>
[OciObject(Docker = true)]
public sealed partial class NetworkingConfig
{
    public Dictionary<string, EndpointSettings>? EndpointsConfig { get; set; }
}

/// <summary>What a container is in one network.</summary>
[OciObject(Docker = true)]
public sealed partial class EndpointSettings
{
    public EndpointAddresses? IPAMConfig { get; set; }

    /// <summary><c>CONTAINER[:ALIAS]</c>.</summary>
    public List<string>? Links { get; set; }

    /// <summary>Names besides its own.</summary>
    public List<string>? Aliases { get; set; }

    public string MacAddress { get; set; } = "";

    public Dictionary<string, string>? DriverOpts { get; set; }

    /// <summary>The network with the highest gives the default route.</summary>
    public int GwPriority { get; set; }
}

/// <summary>Addresses that were asked for.</summary>
[OciObject(Docker = true)]
public sealed partial class EndpointAddresses
{
    public string IPv4Address { get; set; } = "";

    public string IPv6Address { get; set; } = "";

    public List<string>? LinkLocalIPs { get; set; }
}
