// --network and what is said of a container's place in it.

using System.Net;
using System.Net.Sockets;
using Conman.CommandLine;
using Conman.Engine.Settings;
using Conman.Engine.Specs;

namespace Conman;

internal static class NetworkValues
{
    /// <summary>One of <c>--add-host</c>: <c>NAME:ADDRESS</c> or <c>NAME=ADDRESS</c>; as <c>NAME:ADDRESS</c>.</summary>
    public static string ExtraHost(string text)
    {
        var separator = text.AsSpan().IndexOfAny('=', ':');
        if (separator <= 0 || text[..separator].AsSpan().ContainsAny(" \t\n#"))
            throw new UsageException($"--add-host {text}: expected NAME:ADDRESS");
        var address = text[(separator + 1)..];
        if (address.StartsWith('[') && address.EndsWith(']'))
            address = address[1..^1];
        if (address != "host-gateway")
            Address("add-host", address);
        return text[..separator] + ":" + address;
    }

    /// <summary>An address of IPv4 or IPv6.</summary>
    public static string Address(string flag, string text, AddressFamily? family = null) =>
        IPAddress.TryParse(text, out var address) && (family is null || address.AddressFamily == family) && (address.AddressFamily != AddressFamily.InterNetwork || text.AsSpan().Count('.') == 3)
            ? text
            : throw new UsageException($"--{flag} {text}: not an {(family == AddressFamily.InterNetworkV6 ? "IPv6" : family == AddressFamily.InterNetwork ? "IPv4" : "IP")} address");

    /// <summary>Puts together what was said of networks.</summary>
    /// <param name="networks">The values of <c>--network</c>: a mode, a name, or <c>name=…,alias=…,ip=…</c>.</param>
    /// <param name="endpoint">Options that speak of the first one.</param>
    public static NetworkingConfig? Complete(List<string> networks, List<(string Name, string Value)> endpoint, ContainerConfig config, HostConfig host)
    {
        Dictionary<string, EndpointSettings>? endpoints = null;
        foreach (var text in networks)
        {
            var (name, settings) = text.Contains('=') ? Long(text) : (text, new EndpointSettings());
            var mode = MountValues.Checked(() => NamespaceMode.ParseNetwork(name));
            if (host.NetworkMode.Length == 0)
                host.NetworkMode = name;
            else if (mode.Kind != NamespaceKind.Network || endpoints is null)
                throw new UsageException($"--network {text}: a container that is in no network of its own cannot be in another besides");
            if (mode.Kind == NamespaceKind.Network && !(endpoints ??= []).TryAdd(mode.Argument, settings))
                throw new UsageException($"--network {text}: network {mode.Argument} is given twice");
        }
        if (endpoint.Count == 0)
            return endpoints is null ? null : new NetworkingConfig { EndpointsConfig = endpoints };

        var first = MountValues.Checked(() => NamespaceMode.ParseNetwork(host.NetworkMode));
        if (first.Kind != NamespaceKind.Network)
            throw new UsageException($"--{endpoint[0].Name} {endpoint[0].Value}: a container with --network {host.NetworkMode} has no address of its own");
        endpoints ??= new() { [first.Argument] = new EndpointSettings() };
        foreach (var (name, value) in endpoint)
            Set(endpoints[first.Argument], name, value, "");
        config.MacAddress = endpoints[first.Argument].MacAddress;
        return new NetworkingConfig { EndpointsConfig = endpoints };
    }

    private static (string, EndpointSettings) Long(string text)
    {
        string? network = null;
        var settings = new EndpointSettings();
        foreach (var (name, value) in Csv.Pairs("network", text))
        {
            if (name == "name")
                network = value;
            else if (value is not null && name is "alias" or "ip" or "ip6" or "mac-address" or "link-local-ip" or "driver-opt" or "gw-priority")
                Set(settings, name, value!, text);
            else
                throw new UsageException($"--network {text}: unknown field {name}: it is name, alias, ip, ip6, mac-address, link-local-ip, driver-opt or gw-priority");
        }
        return (network ?? throw new UsageException($"--network {text}: name is missing"), settings);
    }

    /// <summary>Reads one field of a container's place in a network.</summary>
    public static void Set(EndpointSettings settings, string name, string value, string within)
    {
        switch (name)
        {
            case "ip": (settings.IPAMConfig ??= new EndpointAddresses()).IPv4Address = Address(name, value, AddressFamily.InterNetwork); break;
            case "ip6": (settings.IPAMConfig ??= new EndpointAddresses()).IPv6Address = Address(name, value, AddressFamily.InterNetworkV6); break;
            case "link-local-ip": ((settings.IPAMConfig ??= new EndpointAddresses()).LinkLocalIPs ??= []).Add(Address(name, value)); break;
            case "mac-address": settings.MacAddress = Mac(value); break;
            case "gw-priority": settings.GwPriority = (int)Quantities.Integer("network gw-priority", value, int.MinValue, int.MaxValue); break;
            case "driver-opt":
                var options = settings.DriverOpts;
                EnvironmentValues.Pair("network " + within + " driver-opt", value, ref options);
                settings.DriverOpts = options;
                break;
            default: (settings.Aliases ??= []).Add(value); break;
        }
    }

    private static string Mac(string text)
    {
        var valid = text.Length == 17;
        for (var i = 0; i < text.Length && valid; i++)
            valid = i % 3 == 2 ? text[i] is ':' or '-' : char.IsAsciiHexDigit(text[i]);
        return valid ? text.Replace('-', ':').ToLowerInvariant() : throw new UsageException($"--mac-address {text}: not a MAC address");
    }
}
