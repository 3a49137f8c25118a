// network.json: all that is known of a network. Whether its device is there, and who is in it, only the kernel and the containers know.

using System.Globalization;
using Conman.Network.Addresses;
using Conman.Oci;

namespace Conman.Network.Store;

/// <summary>The record of a network; its members have Docker's names.</summary>
[OciObject(Docker = true)]
public sealed partial class NetworkRecord
{
    /// <summary>The network of containers for which nothing else is asked.</summary>
    public const string DefaultName = "bridge";

    /// <summary>The device of that network.</summary>
    public const string DefaultDevice = "conman0";

    public const string BridgeDriver = "bridge", MacvlanDriver = "macvlan";

    /// <summary>Names of options, as Docker has them.</summary>
    public const string DeviceOption = "com.docker.network.bridge.name", MasqueradeOption = "com.docker.network.bridge.enable_ip_masquerade",
        TalkOption = "com.docker.network.bridge.enable_icc", HostBindingOption = "com.docker.network.bridge.host_binding_ipv4", MtuOption = "com.docker.network.driver.mtu",
        PrefixOption = "com.docker.network.container_iface_prefix", ParentOption = "parent", ModeOption = "macvlan_mode";

    public string Name { get; set; } = "";

    /// <summary>64 hexadecimal digits.</summary>
    public string Id { get; set; } = "";

    /// <summary>RFC 3339.</summary>
    public string Created { get; set; } = "";

    /// <summary><c>bridge</c> or <c>macvlan</c>.</summary>
    public string Driver { get; set; } = "";

    public bool EnableIPv4 { get; set; }

    public bool EnableIPv6 { get; set; }

    /// <summary>No way out of it, and none in.</summary>
    public bool Internal { get; set; }

    /// <summary>At most one of each family.</summary>
    public List<NetworkPool>? Pools { get; set; }

    public Dictionary<string, string>? Options { get; set; }

    public Dictionary<string, string>? Labels { get; set; }

    /// <summary>The bridge of this network; for others, the device whose wire they are on.</summary>
    public string Device { get; set; } = "";

    /// <summary>The addresses of one family; null: it has none.</summary>
    public NetworkPool? Pool(bool v6)
    {
        foreach (var pool in Pools ?? [])
        {
            if (Subnet.Parse(pool.Subnet).IsV6 == v6)
                return pool;
        }
        return null;
    }

    /// <summary>Bytes of a packet; 0: what the device has.</summary>
    public int Mtu => Option(MtuOption) is { } text && int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var mtu) ? mtu : 0;

    /// <summary>Its containers look like the host to the world.</summary>
    public bool Masquerades => !Internal && Option(MasqueradeOption) is not ("false" or "0");

    /// <summary>Its containers may talk to each other.</summary>
    public bool Talks => Option(TalkOption) is not ("false" or "0");

    /// <summary>What its devices in containers are called, but for the number.</summary>
    public string DevicePrefix => Option(PrefixOption) ?? "eth";

    public bool IsDefault => Name == DefaultName;

    public string? Option(string name) => Options?.GetValueOrDefault(name);
}

/// <summary>Addresses of one family.</summary>
[OciObject(Docker = true)]
public sealed partial class NetworkPool
{
    public string Subnet { get; set; } = "";

    /// <summary>Containers get theirs from this part of it; empty: from all of it.</summary>
    public string IPRange { get; set; } = "";

    /// <summary>The host's own in it; empty: there is none.</summary>
    public string Gateway { get; set; } = "";

    /// <summary>Addresses that are somebody else's, by name.</summary>
    public Dictionary<string, string>? AuxiliaryAddresses { get; set; }
}
