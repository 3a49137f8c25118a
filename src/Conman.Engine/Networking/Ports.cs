// Ports as they are asked for (-p, -P, EXPOSE).

using System.Globalization;
using Conman.Engine.Settings;
using Conman.Network;

namespace Conman.Engine.Networking;

internal static class Ports
{
    /// <summary>What is to be published of a container.</summary>
    public static List<PortRequest> Requested(ContainerConfig config, HostConfig host)
    {
        var requests = new List<PortRequest>();
        foreach (var (text, bindings) in host.PortBindings ?? [])
        {
            foreach (var binding in bindings)
                requests.Add(Request(text, binding.HostIp, binding.HostPort));
        }
        if (host.PublishAllPorts)
        {
            foreach (var (text, _) in config.ExposedPorts ?? [])
            {
                if (host.PortBindings?.ContainsKey(text) is not true)
                    requests.Add(Request(text, "", ""));
            }
        }
        return requests;
    }

    /// <summary>One port.</summary>
    /// <param name="text"><c>PORT/PROTOCOL</c>, the container's.</param>
    /// <param name="hostPort">A port, a range of which it is to be one, or nothing: any.</param>
    public static PortRequest Request(string text, string hostIp, string hostPort)
    {
        var slash = text.IndexOf('/');
        var protocol = slash < 0 ? "tcp" : text[(slash + 1)..];
        var dash = hostPort.IndexOf('-');
        var first = Number(dash < 0 ? hostPort : hostPort[..dash]);
        return new PortRequest(protocol, hostIp, first, dash < 0 ? first : Number(hostPort[(dash + 1)..]), Number(slash < 0 ? text : text[..slash]));

        int Number(string number) => number.Length == 0 ? 0
            : ushort.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out var port) ? port : throw new EngineException($"invalid port {number} of {hostIp}:{hostPort}:{text}");
    }
}
