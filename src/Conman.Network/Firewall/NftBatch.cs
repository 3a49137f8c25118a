// A change of packet rules: all of it takes effect at once, or nothing of it does (nf_tables, linux/netfilter/nf_tables.h).

using System.Buffers.Binary;
using Conman.Linux;
using static Conman.Linux.Nftables;

namespace Conman.Network.Firewall;

/// <summary>A transaction on one table of the family inet: each method adds one request.</summary>
internal sealed class NftBatch
{
    // An attribute's length has 16 bits: so many elements fit into one message whatever they are.
    private const int MostElements = 250;

    private readonly NetlinkBatch _batch = new();
    private readonly string _table;

    public NftBatch(string table)
    {
        _table = table;
        Header(_batch.Begin(NFNL_MSG_BATCH_BEGIN, 0, "begin", "packet rules"), NFPROTO_UNSPEC, NFNL_SUBSYS_NFTABLES);
    }

    /// <summary>How a base chain is called by the kernel.</summary>
    public readonly record struct Hook(string Type, uint Number, int Priority);

    /// <summary>Whether nothing was added yet.</summary>
    public bool IsEmpty => _batch.Count == 1;

    /// <summary>Makes the table; one that is there stays.</summary>
    public NftBatch AddTable()
    {
        Begin(NFT_MSG_NEWTABLE, NetlinkBatch.Create, "make packet table", _table).Add(NFTA_TABLE_NAME, _table);
        return this;
    }

    /// <summary>Makes a chain; one that is there stays, with its rules.</summary>
    public NftBatch AddChain(string name, Hook? hook = null)
    {
        Begin(NFT_MSG_NEWCHAIN, NetlinkBatch.Create, "make packet chain", name).Add(NFTA_CHAIN_TABLE, _table).Add(NFTA_CHAIN_NAME, name);
        if (hook is not { } at)
            return this;
        using (_batch.Nested(NFTA_CHAIN_HOOK))
            _batch.AddBig(NFTA_HOOK_HOOKNUM, at.Number).AddBig(NFTA_HOOK_PRIORITY, (uint)at.Priority);
        _batch.AddBig(NFTA_CHAIN_POLICY, NF_ACCEPT).Add(NFTA_CHAIN_TYPE, at.Type);
        return this;
    }

    /// <summary>Removes all rules of a chain.</summary>
    public NftBatch Flush(string chain)
    {
        Begin(NFT_MSG_DELRULE, 0, "empty packet chain", chain).Add(NFTA_RULE_TABLE, _table).Add(NFTA_RULE_CHAIN, chain);
        return this;
    }

    /// <summary>Makes a set, or a map where there is a type of data; one that is there stays, with its elements.</summary>
    /// <param name="id">Of this set in this transaction.</param>
    public NftBatch AddSet(string name, DataType key, DataType? data, uint id)
    {
        Begin(NFT_MSG_NEWSET, NetlinkBatch.Create, "make packet set", name).Add(NFTA_SET_TABLE, _table).Add(NFTA_SET_NAME, name)
            .AddBig(NFTA_SET_FLAGS, data is null ? 0 : NFT_SET_MAP).AddBig(NFTA_SET_KEY_TYPE, key.Number).AddBig(NFTA_SET_KEY_LEN, (uint)key.Size).AddBig(NFTA_SET_ID, id);
        if (key == DataType.InterfaceName)
            _batch.Add(NFTA_SET_USERDATA, [0, 4, 1, 0, 0, 0]); // for nft(8): the order of its bytes is the processor's
        if (data is { } mapped)
            _batch.AddBig(NFTA_SET_DATA_TYPE, mapped.Number).AddBig(NFTA_SET_DATA_LEN, (uint)mapped.Size);
        return this;
    }

    /// <summary>Adds a rule at the end of a chain.</summary>
    public NftBatch AddRule(string chain, Action<Expressions> write)
    {
        Begin(NFT_MSG_NEWRULE, NetlinkBatch.Create | NetlinkBatch.Append, "add a rule to packet chain", chain).Add(NFTA_RULE_TABLE, _table).Add(NFTA_RULE_CHAIN, chain);
        using (_batch.Nested(NFTA_RULE_EXPRESSIONS))
            write(new Expressions(_batch));
        return this;
    }

    /// <summary>Adds elements to a set; with data, to a map. One that is there already is an error (EEXIST).</summary>
    public NftBatch AddElements(string set, IReadOnlyList<Element> elements) => Elements(NFT_MSG_NEWSETELEM, NetlinkBatch.Create | NetlinkBatch.Exclusive, "add to packet set", set, elements);

    /// <summary>Adds an element that may be there already.</summary>
    public NftBatch EnsureElement(string set, Element element) => Elements(NFT_MSG_NEWSETELEM, NetlinkBatch.Create, "add to packet set", set, [element]);

    /// <summary>Removes elements; one that is not there is an error (ENOENT).</summary>
    public NftBatch RemoveElements(string set, IReadOnlyList<Element> elements) => Elements(NFT_MSG_DELSETELEM, 0, "remove from packet set", set, elements);

    /// <summary>Removes all elements of a set.</summary>
    public NftBatch Empty(string set)
    {
        Begin(NFT_MSG_DELSETELEM, 0, "empty packet set", set).Add(NFTA_SET_ELEM_LIST_TABLE, _table).Add(NFTA_SET_ELEM_LIST_SET, set);
        return this;
    }

    public NftBatch RemoveTable()
    {
        Begin(NFT_MSG_DELTABLE, 0, "remove packet table", _table).Add(NFTA_TABLE_NAME, _table);
        return this;
    }

    /// <summary>Sends the transaction; errno or 0.</summary>
    /// <param name="operation">What was refused, and the kernel's words about it.</param>
    public int TryCommit(NetlinkSocket socket, out LinuxException? refused)
    {
        refused = null;
        if (IsEmpty)
            return 0;
        Header(_batch.Begin(NFNL_MSG_BATCH_END, 0, "end", "packet rules"), NFPROTO_UNSPEC, NFNL_SUBSYS_NFTABLES);
        var errno = socket.TrySend(_batch, out var place, out var words, transaction: true);
        if (errno != 0)
            refused = _batch.Refused(errno, place, words);
        return errno;
    }

    public void Commit(NetlinkSocket socket)
    {
        if (TryCommit(socket, out var refused) != 0)
            throw refused!;
    }

    /// <summary>Whether a chain is there.</summary>
    public static bool HasChain(NetlinkSocket socket, string table, string chain)
    {
        var question = Header(new NetlinkBatch().Begin((NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_GETCHAIN, 0, "look for", chain), NFPROTO_INET, 0)
            .Add(NFTA_CHAIN_TABLE, table).Add(NFTA_CHAIN_NAME, chain);
        var errno = socket.TryAsk(question, static (_, _) => { });
        return errno is 0 or Errno.ENOENT ? errno == 0 : throw new LinuxException(errno, "look for packet chain " + chain);
    }

    /// <summary>What an element of a set carries for its owner (NFTA_SET_ELEM_USERDATA); null: there is no such element.</summary>
    public static byte[]? TryUserData(NetlinkSocket socket, string table, string set, byte[] key)
    {
        var question = Header(new NetlinkBatch().Begin((NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_GETSETELEM, 0, "look into packet set", set), NFPROTO_INET, 0)
            .Add(NFTA_SET_ELEM_LIST_TABLE, table).Add(NFTA_SET_ELEM_LIST_SET, set);
        using (question.Nested(NFTA_SET_ELEM_LIST_ELEMENTS))
        using (question.Nested(NFTA_LIST_ELEM))
        using (question.Nested(NFTA_SET_ELEM_KEY))
            question.Add(NFTA_DATA_VALUE, key);
        byte[]? data = null;
        socket.TryAsk(question, (_, body) =>
        {
            for (var rest = body[4..]; NetlinkSocket.NextAttribute(ref rest, out var type, out var list);)
            {
                if (type != NFTA_SET_ELEM_LIST_ELEMENTS || !NetlinkSocket.NextAttribute(ref list, out _, out var element))
                    continue;
                data = [];
                while (NetlinkSocket.NextAttribute(ref element, out type, out var value))
                {
                    if (type == NFTA_SET_ELEM_USERDATA)
                        data = value.ToArray();
                }
            }
        });
        return data;
    }

    private NftBatch Elements(ushort type, int flags, string verb, string set, IReadOnlyList<Element> elements)
    {
        for (var first = 0; first < elements.Count; first += MostElements)
        {
            Begin(type, flags, verb, set).Add(NFTA_SET_ELEM_LIST_TABLE, _table).Add(NFTA_SET_ELEM_LIST_SET, set);
            using var list = _batch.Nested(NFTA_SET_ELEM_LIST_ELEMENTS);
            for (var i = first; i < Math.Min(first + MostElements, elements.Count); i++)
            {
                using var element = _batch.Nested(NFTA_LIST_ELEM);
                using (_batch.Nested(NFTA_SET_ELEM_KEY))
                    _batch.Add(NFTA_DATA_VALUE, elements[i].Key);
                if (type != NFT_MSG_NEWSETELEM)
                    continue;
                if (elements[i].Data is { } data)
                {
                    using (_batch.Nested(NFTA_SET_ELEM_DATA))
                        _batch.Add(NFTA_DATA_VALUE, data);
                }
                if (elements[i].UserData is { } user)
                    _batch.Add(NFTA_SET_ELEM_USERDATA, user);
            }
        }
        return this;
    }

    private NetlinkBatch Begin(ushort type, int flags, string verb, string subject) =>
        Header(_batch.Begin((ushort)((NFNL_SUBSYS_NFTABLES << 8) | type), flags, verb, subject), NFPROTO_INET, 0);

    // struct nfgenmsg.
    private static NetlinkBatch Header(NetlinkBatch batch, byte family, ushort resource)
    {
        var body = batch.Grow(4);
        body[0] = family;
        BinaryPrimitives.WriteUInt16BigEndian(body[2..], resource);
        return batch;
    }
}

/// <summary>An element of a set or a map.</summary>
/// <param name="UserData">For people and for who made it; the kernel only keeps it.</param>
internal readonly record struct Element(byte[] Key, byte[]? Data = null, byte[]? UserData = null);

/// <summary>The type of a key or of data. The kernel looks at its size only; nft(8) shows elements by its number.</summary>
internal readonly record struct DataType(uint Number, int Size)
{
    // Numbers of nft's own (enum datatypes of its include/datatype.h); fields of several make one by six bits each.
    private const int FieldBits = 6;

    public static readonly DataType Protocol = new(12, 4), Port = new(13, 4), Address4 = new(7, 4), Address6 = new(8, 16), InterfaceName = new(41, 16);

    /// <summary>Both, one after the other.</summary>
    public static DataType operator +(DataType a, DataType b) => new((a.Number << FieldBits) | b.Number, a.Size + b.Size);
}
