// Networks and ports of a container in the shapes that Docker prints them in.

using System.Globalization;
using System.Text.Json.Nodes;
using Conman.Engine.Networking;
using Conman.Engine.Settings;
using Conman.Engine.Specs;
using Conman.Engine.Store;
using Conman.Formatting;
using Conman.Network.Store;

namespace Conman;

internal static class NetworkView
{
    /// <summary>"NetworkSettings" of inspect.</summary>
    public static JsonObject Settings(Container container)
    {
        var record = container.Record;
        var init = container.Init;
        var endpoints = init is null ? null : ContainerNetworks.Read(container);
        var first = endpoints?.Networks.Find(static e => e.Leads);
        var networks = new JsonObject();
        foreach (var (name, settings) in Wanted(record, endpoints))
            networks[name] = Shown(settings, endpoints?.Networks.Find(e => e.Network == name), container);
        return new JsonObject
        {
            ["Bridge"] = "",
            ["SandboxID"] = first?.Id ?? "",
            ["SandboxKey"] = init is { } process ? $"/proc/{process.Pid}/ns/net" : "",
            ["Ports"] = PortMap(record, endpoints),
            // Of the network that is its way out: what Docker shows of its default network.
            ["EndpointID"] = first?.Id ?? "",
            ["Gateway"] = first?.Gateway4 ?? "",
            ["GlobalIPv6Address"] = first?.IPv6 ?? "",
            ["GlobalIPv6PrefixLen"] = first?.PrefixLength6 ?? 0,
            ["IPAddress"] = first?.IPv4 ?? "",
            ["IPPrefixLen"] = first?.PrefixLength4 ?? 0,
            ["IPv6Gateway"] = first?.Gateway6 ?? "",
            ["MacAddress"] = first?.MacAddress ?? "",
            ["Networks"] = networks,
        };
    }

    /// <summary>The names of its networks.</summary>
    public static IEnumerable<string> Names(Container container) =>
        Wanted(container.Record, ContainerNetworks.Read(container)).Select(static n => n.Name).DefaultIfEmpty(container.Record?.HostConfig?.NetworkMode ?? "");

    /// <summary>The column PORTS: <c>0.0.0.0:8080->80/tcp, [::]:8080->80/tcp, 443/tcp</c>; ports in a row make a range.</summary>
    public static string PortColumn(Container container)
    {
        if (container.Init is null)
            return "";
        var endpoints = ContainerNetworks.Read(container);
        var rows = new List<(string Ip, int Host, int Port, string Protocol)>();
        foreach (var port in endpoints?.Ports ?? [])
        {
            foreach (var ip in Addresses(endpoints!, port))
                rows.Add((ip.Contains(':') ? "[" + ip + "]" : ip, port.HostPort, port.Port, port.Protocol));
        }
        foreach (var (text, _) in container.Record?.Config?.ExposedPorts ?? [])
        {
            var slash = text.IndexOf('/');
            var (number, protocol) = (slash < 0 ? text : text[..slash], slash < 0 ? "tcp" : text[(slash + 1)..]);
            if (int.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out var exposed) && !rows.Exists(r => r.Port == exposed && r.Protocol == protocol))
                rows.Add(("", 0, exposed, protocol));
        }
        rows.Sort();
        var shown = new List<string>();
        for (var i = 0; i < rows.Count;)
        {
            var (ip, host, port, protocol) = rows[i];
            var n = 1;
            while (i + n < rows.Count && rows[i + n] == (ip, host == 0 ? 0 : host + n, port + n, protocol))
                n++;
            shown.Add((ip.Length > 0 ? ip + ":" + Range(host, n) + "->" : "") + Range(port, n) + "/" + protocol);
            i += n;
        }
        return string.Join(", ", shown);

        static string Range(int first, int count) => count == 1 ? $"{first}" : $"{first}-{first + count - 1}";
    }

    /// <summary>Ports of a container (<c>80/tcp</c>), and where each is published.</summary>
    public static IEnumerable<(string Port, string HostIp, int HostPort)> Published(Container container)
    {
        if (container.Init is null || ContainerNetworks.Read(container) is not { } endpoints)
            yield break;
        foreach (var port in endpoints.Ports ?? [])
        {
            foreach (var ip in Addresses(endpoints, port))
                yield return ($"{port.Port}/{port.Protocol}", ip, port.HostPort);
        }
    }

    /// <summary>"Ports" of inspect: of each port of the container, where it is published.</summary>
    private static JsonObject PortMap(StoredContainer? record, Endpoints? endpoints)
    {
        var map = new SortedDictionary<string, JsonArray?>(StringComparer.Ordinal);
        if (endpoints is not null)
        {
            foreach (var (text, _) in record?.Config?.ExposedPorts ?? [])
                map[text.Contains('/') ? text : text + "/tcp"] = null;
        }
        foreach (var port in endpoints?.Ports ?? [])
        {
            var key = $"{port.Port}/{port.Protocol}";
            var list = map.GetValueOrDefault(key) ?? (map[key] = []);
            foreach (var ip in Addresses(endpoints!, port))
                list.Add((JsonNode)new JsonObject { ["HostIp"] = ip, ["HostPort"] = port.HostPort.ToString(CultureInfo.InvariantCulture) });
        }
        var shown = new JsonObject();
        foreach (var (key, list) in map)
            shown[key] = list;
        return shown;
    }

    // "Any address" is one of each family that the container has.
    private static IEnumerable<string> Addresses(Endpoints endpoints, PublishedPort port) => port.HostIp.Length > 0
        ? [port.HostIp]
        : ((string[])[endpoints.Target(false) is null ? "" : "0.0.0.0", endpoints.Target(true) is null ? "" : "::"]).Where(static a => a.Length > 0);

    private static List<(string Name, EndpointSettings Settings)> Wanted(StoredContainer? record, Endpoints? endpoints)
    {
        var wanted = new List<(string, EndpointSettings)>();
        foreach (var (name, settings) in record?.Networking?.EndpointsConfig ?? [])
            wanted.Add((name, settings));
        if (wanted.Count == 0 && record?.HostConfig is { } host && NamespaceMode.ParseNetwork(host.NetworkMode) is { Kind: NamespaceKind.Network } mode)
            wanted.Add((mode.Argument, new EndpointSettings()));
        foreach (var endpoint in endpoints?.Networks ?? [])
        {
            if (!wanted.Exists(w => w.Item1 == endpoint.Network))
                wanted.Add((endpoint.Network, new EndpointSettings { Aliases = endpoint.Aliases }));
        }
        return wanted;
    }

    private static JsonObject Shown(EndpointSettings settings, Endpoint? endpoint, Container container) => new()
    {
        ["IPAMConfig"] = settings.IPAMConfig is { } ipam ? new JsonObject { ["IPv4Address"] = ipam.IPv4Address, ["IPv6Address"] = ipam.IPv6Address } : null,
        ["Links"] = null,
        ["Aliases"] = settings.Aliases is { } aliases ? Json.List(aliases) : null,
        ["MacAddress"] = endpoint?.MacAddress ?? settings.MacAddress,
        ["DriverOpts"] = null,
        ["GwPriority"] = settings.GwPriority,
        ["NetworkID"] = endpoint?.NetworkId ?? "",
        ["EndpointID"] = endpoint?.Id ?? "",
        ["Gateway"] = endpoint?.Gateway4 ?? "",
        ["IPAddress"] = endpoint?.IPv4 ?? "",
        ["IPPrefixLen"] = endpoint?.PrefixLength4 ?? 0,
        ["IPv6Gateway"] = endpoint?.Gateway6 ?? "",
        ["GlobalIPv6Address"] = endpoint?.IPv6 ?? "",
        ["GlobalIPv6PrefixLen"] = endpoint?.PrefixLength6 ?? 0,
        ["DNSNames"] = endpoint is null || endpoint.Network == NetworkRecord.DefaultName ? null : Json.List([container.Record?.Name ?? "", container.ShortId, .. settings.Aliases ?? []]),
    };
}
