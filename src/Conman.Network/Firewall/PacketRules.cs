// conman's packet rules: one table, whose chains are made once. What changes with networks and containers are elements of its sets and maps.
//
//     table inet conman, as `nft list table inet conman` shows it; docs/network.md says what each rule is for.

using System.Text;
using Conman.Linux;
using Conman.Network.Addresses;
using Conman.Network.Store;
using static Conman.Linux.Nftables;

namespace Conman.Network.Firewall;

/// <summary>The table of the network namespace in which this is opened.</summary>
internal sealed class PacketRules : IDisposable
{
    /// <summary>The table's name.</summary>
    public const string Table = "conman";

    // The chain of the administrator, which nobody else touches, and those of ours; the last of them says that all is there.
    private const string Administrator = "administrator", Guard = "guard", Publish = "publish", Prerouting = "prerouting", Output = "output", Postrouting = "postrouting", Forward = "forward";
    private const string Bridges = "bridges", Outward = "outward", Internal = "internal", Own = "own";
    private const string Ports4 = "ports4", Ports6 = "ports6", AnyPorts4 = "any-ports4", AnyPorts6 = "any-ports6";

    private static readonly byte[] Loopback = Name("lo"), Loopback6 = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];

    private readonly NetlinkSocket _socket;

    private PacketRules(NetlinkSocket socket) => _socket = socket;

    /// <summary>For the network namespace of this thread.</summary>
    public static PacketRules Open() => new(NetlinkSocket.Open(NetlinkSocket.Netfilter));

    public void Dispose() => _socket.Dispose();

    /// <summary>Whether the rules are there: somebody may have removed all rules of the host.</summary>
    public bool AreThere => NftBatch.HasChain(_socket, Table, Forward);

    /// <summary>Makes the table what it should be, at once: chains, rules, and the elements of these networks and ports. The administrator's chain stays as it is.</summary>
    public void Restore(IEnumerable<NetworkRecord> networks, IEnumerable<(Endpoints Endpoints, string Id)> containers)
    {
        var batch = new NftBatch(Table).AddTable().AddChain(Administrator);
        batch.AddChain(Guard, new("filter", NF_INET_PRE_ROUTING, -300)).AddChain(Publish).AddChain(Prerouting, new("nat", NF_INET_PRE_ROUTING, -100))
            .AddChain(Output, new("nat", NF_INET_LOCAL_OUT, -100)).AddChain(Postrouting, new("nat", NF_INET_POST_ROUTING, 100)).AddChain(Forward, new("filter", NF_INET_FORWARD, 0));
        foreach (var chain in (ReadOnlySpan<string>)[Prerouting, Output, Publish, Guard, Postrouting, Forward])
            batch.Flush(chain);
        AddSets(batch);
        AddRules(batch);
        foreach (var network in networks)
            AddNetwork(batch, network);
        var seen = new HashSet<string>();
        foreach (var (endpoints, id) in containers)
        {
            // Where two containers lay claim to one port, the first has it.
            foreach (var (set, elements) in Elements(endpoints, endpoints.Ports ?? [], id))
                batch.AddElements(set, elements.FindAll(element => seen.Add(set + Convert.ToHexString(element.Key))));
        }
        batch.Commit(_socket);
    }

    /// <summary>Lets the packets of a network's device through.</summary>
    public void Add(NetworkRecord network)
    {
        var batch = new NftBatch(Table);
        AddNetwork(batch, network);
        batch.Commit(_socket);
    }

    /// <summary>Forgets a network's device.</summary>
    public void Remove(NetworkRecord network)
    {
        var device = Name(network.Device);
        foreach (var (set, key) in (ReadOnlySpan<(string, byte[])>)[(Bridges, device), (Outward, device), (Internal, device), (Own, [.. device, .. device])])
        {
            var errno = new NftBatch(Table).RemoveElements(set, [new Element(key)]).TryCommit(_socket, out var refused);
            if (errno is not (0 or Errno.ENOENT))
                throw refused!;
        }
    }

    /// <summary>Leads ports of the host to a container.</summary>
    /// <param name="holds">Whether a container, by its id, still holds what it once got.</param>
    /// <exception cref="NetworkException">Another container has one of them.</exception>
    public void Lead(Endpoints endpoints, IReadOnlyList<PublishedPort> ports, string id, Func<string, bool> holds)
    {
        for (var retried = false; ; retried = true)
        {
            var all = Elements(endpoints, ports, id);
            var batch = new NftBatch(Table);
            foreach (var (set, elements) in all)
                batch.AddElements(set, elements);
            var errno = batch.TryCommit(_socket, out var refused);
            if (errno == 0)
                return;
            if (errno != Errno.EEXIST || retried)
                throw refused!;
            foreach (var (set, elements) in all)
            {
                foreach (var element in elements)
                    TakeOver(set, element, holds);
            }
        }
    }

    /// <summary>Leads them there no more.</summary>
    public void Unlead(Endpoints endpoints, IReadOnlyList<PublishedPort> ports, string id)
    {
        var batch = new NftBatch(Table);
        var all = Elements(endpoints, ports, id);
        foreach (var (set, elements) in all)
            batch.RemoveElements(set, elements);
        if (batch.TryCommit(_socket, out _) == 0)
            return;
        // Some are not there, or are another's by now: those that are left go one by one.
        foreach (var (set, elements) in all)
        {
            foreach (var element in elements)
            {
                if (NftBatch.TryUserData(_socket, Table, set, element.Key) is { } data && Owner(data) == id)
                    new NftBatch(Table).RemoveElements(set, [element]).TryCommit(_socket, out _);
            }
        }
    }

    /// <summary>Removes the table, unless the administrator has rules in it.</summary>
    public void RemoveTable()
    {
        var errno = new NftBatch(Table).RemoveTable().TryCommit(_socket, out var refused);
        if (errno is not (0 or Errno.ENOENT))
            throw refused!;
    }

    private void TakeOver(string set, Element element, Func<string, bool> holds)
    {
        if (NftBatch.TryUserData(_socket, Table, set, element.Key) is not { } data)
            return;
        if (Owner(data) is { } owner && holds(owner))
        {
            var v6 = set is Ports6 or AnyPorts6;
            var port = (element.Key[^4] << 8) | element.Key[^3];
            var address = element.Key.Length == 8 ? (v6 ? "[::]" : "0.0.0.0") : new System.Net.IPAddress(element.Key.AsSpan(4, v6 ? 16 : 4)).ToString();
            throw new NetworkException($"Bind for {address}:{port} failed: port is already allocated (by container {owner[..12]})");
        }
        new NftBatch(Table).RemoveElements(set, [element]).TryCommit(_socket, out _);
    }

    private static void AddSets(NftBatch batch)
    {
        uint id = 0;
        var (any, data4, data6) = (DataType.Protocol + DataType.Port, DataType.Address4 + DataType.Port, DataType.Address6 + DataType.Port);
        batch.AddSet(Ports4, DataType.Protocol + DataType.Address4 + DataType.Port, data4, ++id).AddSet(AnyPorts4, any, data4, ++id);
        batch.AddSet(Ports6, DataType.Protocol + DataType.Address6 + DataType.Port, data6, ++id).AddSet(AnyPorts6, any, data6, ++id);
        batch.AddSet(Bridges, DataType.InterfaceName, null, ++id).AddSet(Outward, DataType.InterfaceName, null, ++id).AddSet(Internal, DataType.InterfaceName, null, ++id)
            .AddSet(Own, DataType.InterfaceName + DataType.InterfaceName, null, ++id);
        foreach (var set in (ReadOnlySpan<string>)[Ports4, AnyPorts4, Ports6, AnyPorts6, Bridges, Outward, Internal, Own])
            batch.Empty(set);
    }

    private static void AddRules(NftBatch batch)
    {
        // `route_localnet` lets packets to 127.0.0.0/8 in and out of bridges: none that came from elsewhere may.
        batch.AddRule(Guard, static e => e.Meta(NFT_META_IIFNAME).Is(Loopback, not: true).Family(NFPROTO_IPV4).Payload(NFT_PAYLOAD_NETWORK_HEADER, 16, 1).Is([127]).Drop());

        // First those of one address of the host, then those of any.
        batch.AddRule(Publish, static e => e.Family(NFPROTO_IPV4).Meta(NFT_META_L4PROTO).Payload(NFT_PAYLOAD_NETWORK_HEADER, 16, 4, 1).Payload(NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2, 2)
            .Lookup(Ports4, map: true).DestinationFromRegisters(NFPROTO_IPV4));
        batch.AddRule(Publish, static e => e.Family(NFPROTO_IPV4).Meta(NFT_META_L4PROTO).Payload(NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2, 1)
            .Lookup(AnyPorts4, map: true).DestinationFromRegisters(NFPROTO_IPV4));
        batch.AddRule(Publish, static e => e.Family(NFPROTO_IPV6).Meta(NFT_META_L4PROTO).Payload(NFT_PAYLOAD_NETWORK_HEADER, 24, 16, 1).Payload(NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2, 5)
            .Lookup(Ports6, map: true).DestinationFromRegisters(NFPROTO_IPV6));
        // What comes back to ::1 from elsewhere the kernel drops (there is no route_localnet): a program is to be told at once, and to try 127.0.0.1.
        batch.AddRule(Publish, static e => e.Family(NFPROTO_IPV6).Payload(NFT_PAYLOAD_NETWORK_HEADER, 24, 16).Is(Loopback6, not: true)
            .Meta(NFT_META_L4PROTO).Payload(NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2, 1)
            .Lookup(AnyPorts6, map: true).DestinationFromRegisters(NFPROTO_IPV6));
        batch.AddRule(Prerouting, static e => e.ToThisHost().Jump(Publish));
        batch.AddRule(Output, static e => e.ToThisHost().Jump(Publish));

        // Back to where it came from, through the host: the answer must come this way too.
        batch.AddRule(Postrouting, static e => e.Translated().InAndOut(Own).Masquerade());
        // Where the host filters bridged packets (bridge-nf-call-iptables) they come here without the device that they came in by.
        batch.AddRule(Postrouting, static e => e.Translated().Meta(NFT_META_IIFNAME).Is(Name("")).Out(Bridges).Masquerade());
        batch.AddRule(Postrouting, static e => e.In(Outward).Out(Bridges, not: true).Masquerade());
        batch.AddRule(Postrouting, static e => e.Family(NFPROTO_IPV4).Payload(NFT_PAYLOAD_NETWORK_HEADER, 12, 1).Is([127]).Out(Bridges).Masquerade());

        batch.AddRule(Forward, static e => e.Jump(Administrator));
        batch.AddRule(Forward, static e => e.InAndOut(Own).Accept());
        batch.AddRule(Forward, static e => e.In(Internal).Drop());
        batch.AddRule(Forward, static e => e.Out(Internal).Drop());
        // Into a bridge comes what was asked for from there, and what a published port leads there: nothing else, from wherever it is.
        batch.AddRule(Forward, static e => e.Out(Bridges).Established().Accept());
        batch.AddRule(Forward, static e => e.Out(Bridges).Translated().Accept());
        batch.AddRule(Forward, static e => e.Out(Bridges).Drop());
    }

    private static void AddNetwork(NftBatch batch, NetworkRecord network)
    {
        var device = Name(network.Device);
        batch.EnsureElement(Bridges, new Element(device)).EnsureElement(Own, new Element([.. device, .. device]));
        if (network.Internal)
            batch.EnsureElement(Internal, new Element(device));
        else if (network.Masquerades)
            batch.EnsureElement(Outward, new Element(device));
    }

    // The elements of ports, by map: protocol, (address,) port → the container's address, port.
    private static List<(string Set, List<Element> Elements)> Elements(Endpoints endpoints, IReadOnlyList<PublishedPort> ports, string id)
    {
        var result = new List<(string, List<Element>)>();
        var owner = UserData(id);
        for (var family = 0; family < 2; family++)
        {
            var v6 = family == 1;
            if (endpoints.Target(v6) is not { } text)
                continue;
            var target = Subnet.Bytes(text);
            List<Element> any = [], one = [];
            foreach (var port in ports)
            {
                if (!port.Is(v6))
                    continue;
                byte protocol = port.Protocol switch { "udp" => InternetPorts.Udp, "sctp" => InternetPorts.Sctp, _ => InternetPorts.Tcp };
                byte[] value = [.. target, (byte)(port.Port >> 8), (byte)port.Port, 0, 0];
                if (port.IsAny)
                    any.Add(new Element([protocol, 0, 0, 0, (byte)(port.HostPort >> 8), (byte)port.HostPort, 0, 0], value, owner));
                else
                    one.Add(new Element([protocol, 0, 0, 0, .. Subnet.Bytes(port.HostIp), (byte)(port.HostPort >> 8), (byte)port.HostPort, 0, 0], value, owner));
            }
            if (any.Count > 0)
                result.Add((v6 ? AnyPorts6 : AnyPorts4, any));
            if (one.Count > 0)
                result.Add((v6 ? Ports6 : Ports4, one));
        }
        return result;
    }

    // As nft(8) keeps a comment: its type (0), its length, the text and NUL. So people see whose the port is.
    private static byte[] UserData(string id)
    {
        var data = new byte[3 + id.Length];
        data[1] = (byte)(id.Length + 1);
        Encoding.ASCII.GetBytes(id, data.AsSpan(2));
        return data;
    }

    private static string? Owner(byte[] data) => data.Length > 3 && data[0] == 0 && data[1] == data.Length - 2 ? Encoding.ASCII.GetString(data.AsSpan(2, data.Length - 3)) : null;

    // Of 16 bytes, whatever its length.
    private static byte[] Name(string device)
    {
        var name = new byte[16];
        Encoding.ASCII.GetBytes(device, name);
        return name;
    }
}
