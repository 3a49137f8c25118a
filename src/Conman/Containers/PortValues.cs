// -p and --expose: ports of a container, and ports of the host that lead to them.

using System.Globalization;
using System.Net;
using Conman.CommandLine;
using Conman.Engine.Settings;
using Conman.Oci.ImageSpec;

namespace Conman;

internal static class PortValues
{
    /// <summary>One of <c>-p</c>: <c>[[IP:][HOST]:]CONTAINER[/PROTOCOL]</c> where either may be a range, or <c>published=…,target=…,protocol=…</c>.</summary>
    public static void Publish(string text, ContainerConfig config, HostConfig host)
    {
        var rest = text.Contains('=') ? Short(text) : text;
        var protocol = Protocol("publish", ref rest);
        var ip = "";
        string? hostPorts = null;
        var last = rest.LastIndexOf(':');
        var inside = rest[(last + 1)..];
        if (last >= 0)
        {
            var before = rest[..last];
            var colon = before.LastIndexOf(':');
            // An address of IPv6 has colons of its own: it is in brackets.
            if (before.EndsWith(']') || (colon >= 0 && !before.StartsWith('[') && before.IndexOf(':') != colon))
                throw Wrong("an IPv6 address is in brackets, with a port or a colon after it: [::1]:80:80");
            hostPorts = colon < 0 ? before : before[(colon + 1)..];
            ip = colon < 0 ? "" : before[..colon];
            if (ip.StartsWith('[') && ip.EndsWith(']'))
                ip = ip[1..^1];
            if (ip.Length > 0 && !IPAddress.TryParse(ip, out _))
                throw Wrong($"{ip} is no IP address");
        }
        var (first, end) = Range("publish", text, inside, 1);
        var published = string.IsNullOrEmpty(hostPorts) ? ((int, int)?)null : Range("publish", text, hostPorts, 0);
        if (published is var (from, to) && to - from != end - first && first != end)
            throw Wrong($"{hostPorts} and {inside} are not the same number of ports");
        for (var port = first; port <= end; port++)
        {
            var key = Text(port) + "/" + protocol;
            (config.ExposedPorts ??= [])[key] = new Nothing();
            var bindings = host.PortBindings ??= [];
            if (!bindings.TryGetValue(key, out var list))
                bindings[key] = list = [];
            var outside = published is not var (low, high) ? "" : first == end && low != high ? Text(low) + "-" + Text(high) : Text(low + port - first);
            list.Add(new PortBinding { HostIp = ip, HostPort = outside });
        }

        UsageException Wrong(string why) => new($"--publish {text}: {why}");
    }

    /// <summary>One of <c>--expose</c>: <c>PORT[-PORT][/PROTOCOL]</c>.</summary>
    public static void Expose(string text, ContainerConfig config)
    {
        var rest = text;
        var protocol = Protocol("expose", ref rest);
        var (first, last) = Range("expose", text, rest, 1);
        for (var port = first; port <= last; port++)
            (config.ExposedPorts ??= [])[Text(port) + "/" + protocol] = new Nothing();
    }

    private static string Short(string text)
    {
        string? published = null, target = null, protocol = "tcp";
        foreach (var (name, value) in Csv.Pairs("publish", text))
        {
            switch (name)
            {
                case "target": target = value; break;
                case "published": published = value; break;
                case "protocol": protocol = value; break;
                case "mode" when value is "host" or "ingress": break; // of a cluster; on one host they are the same
                default: throw new UsageException($"--publish {text}: unknown field {name}: it is target, published, protocol or mode");
            }
        }
        return (published is null ? "" : published + ":") + (target ?? throw new UsageException($"--publish {text}: target is missing")) + "/" + protocol;
    }

    private static string Protocol(string flag, ref string text)
    {
        var slash = text.IndexOf('/');
        if (slash < 0)
            return "tcp";
        var protocol = text[(slash + 1)..].ToLowerInvariant();
        if (protocol is not ("tcp" or "udp" or "sctp"))
            throw new UsageException($"--{flag} {text}: unknown protocol {protocol}: it is tcp, udp or sctp");
        text = text[..slash];
        return protocol;
    }

    private static (int First, int Last) Range(string flag, string text, string range, int least)
    {
        var dash = range.IndexOf('-');
        var first = Port(dash < 0 ? range : range[..dash]);
        var last = dash < 0 ? first : Port(range[(dash + 1)..]);
        return first <= last ? (first, last) : throw new UsageException($"--{flag} {text}: {range} ends before it begins");

        int Port(string number) => int.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out var port) && port >= least && port <= 65535
            ? port : throw new UsageException($"--{flag} {text}: {(number.Length == 0 ? "a port is missing" : number + " is no port")}");
    }

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}
