// What the host's own routes and addresses lead to: no network of conman's may lie over that.

using Conman.Linux;
using Conman.Network.Addresses;
using static Conman.Linux.Rtnetlink;

namespace Conman.Network.Links;

internal static class HostRoutes
{
    private const int RouteSize = 12;

    /// <summary>The subnets that some route leads to, but for default routes.</summary>
    /// <param name="device">Routes over this one do not count: it is the network's own.</param>
    public static List<Subnet> All(NetlinkSocket socket, int device = 0)
    {
        var found = new List<Subnet>();
        var question = new NetlinkBatch().Begin(RTM_GETROUTE, NetlinkBatch.Dump, "list", "routes");
        question.Grow(RouteSize); // struct rtmsg, family 0: all
        var errno = socket.TryAsk(question, (type, body) =>
        {
            if (type != RTM_NEWROUTE || body[1] == 0 || body[4] == RT_TABLE_LOCAL || body[0] is not (2 /* AF_INET */ or 10 /* AF_INET6 */))
                return;
            var v6 = body[0] == 10;
            int length = body[1];
            Subnet? subnet = null;
            for (var rest = body[RouteSize..]; NetlinkSocket.NextAttribute(ref rest, out var kind, out var value);)
            {
                if (kind == RTA_OIF && device != 0 && BitConverter.ToInt32(value) == device)
                    return;
                if (kind == RTA_DST && value.Length == (v6 ? 16 : 4) && Subnet.TryNumber(new System.Net.IPAddress(value).ToString(), out var number, out _))
                    subnet = Subnet.Of(number, length, v6);
            }
            // Link-local and multicast routes are everywhere, and in nobody's way.
            if (subnet is { } one && !(v6 && (byte)(one.First >> 120) is 0xfe or 0xff))
                found.Add(one);
        });
        return errno == 0 ? found : throw new LinuxException(errno, "list the host's routes");
    }
}
