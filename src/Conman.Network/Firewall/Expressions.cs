// What a rule is made of: values go from a packet into registers, are compared or looked up, and a verdict follows.

using System.Buffers.Binary;
using Conman.Linux;
using static Conman.Linux.Nftables;

namespace Conman.Network.Firewall;

/// <summary>Writes the expressions of one rule. A register is one of sixteen words of four bytes; what is longer takes those that follow too.</summary>
internal readonly struct Expressions(NetlinkBatch batch)
{
    private const uint DestinationNat = IPS_DST_NAT;

    /// <summary>NFT_META_*: the names of devices (4 words), the protocol family or the protocol (1 word).</summary>
    public Expressions Meta(uint key, int word = 0)
    {
        using (Open("meta"))
        using (batch.Nested(NFTA_EXPR_DATA))
            batch.AddBig(NFTA_META_DREG, Register(word)).AddBig(NFTA_META_KEY, key);
        return this;
    }

    /// <summary>Bytes of the packet.</summary>
    /// <param name="header">NFT_PAYLOAD_*.</param>
    public Expressions Payload(uint header, int offset, int size, int word = 0)
    {
        using (Open("payload"))
        using (batch.Nested(NFTA_EXPR_DATA))
            batch.AddBig(NFTA_PAYLOAD_DREG, Register(word)).AddBig(NFTA_PAYLOAD_BASE, header).AddBig(NFTA_PAYLOAD_OFFSET, (uint)offset).AddBig(NFTA_PAYLOAD_LEN, (uint)size);
        return this;
    }

    /// <summary>Goes on only where the first register is that, or, negated, is not.</summary>
    public Expressions Is(ReadOnlySpan<byte> value, bool not = false)
    {
        using (Open("cmp"))
        using (batch.Nested(NFTA_EXPR_DATA))
        {
            batch.AddBig(NFTA_CMP_SREG, Register(0)).AddBig(NFTA_CMP_OP, not ? NFT_CMP_NEQ : NFT_CMP_EQ);
            using (batch.Nested(NFTA_CMP_DATA))
                batch.Add(NFTA_DATA_VALUE, value);
        }
        return this;
    }

    /// <summary>Of this family of protocols: NFPROTO_*.</summary>
    public Expressions Family(byte family) => Meta(NFT_META_NFPROTO).Is([family]);

    /// <summary>Goes on only where the registers from the first on are in a set; of a map, its data goes there.</summary>
    public Expressions Lookup(string set, bool map = false, bool not = false)
    {
        using (Open("lookup"))
        using (batch.Nested(NFTA_EXPR_DATA))
        {
            batch.Add(NFTA_LOOKUP_SET, set).AddBig(NFTA_LOOKUP_SREG, Register(0));
            if (map)
                batch.AddBig(NFTA_LOOKUP_DREG, Register(0));
            if (not)
                batch.AddBig(NFTA_LOOKUP_FLAGS, NFT_LOOKUP_F_INV);
        }
        return this;
    }

    /// <summary>In by a device of that set; negated: not.</summary>
    public Expressions In(string set) => Meta(NFT_META_IIFNAME).Lookup(set);

    /// <summary>Out by a device of that set; negated: not.</summary>
    public Expressions Out(string set, bool not = false) => Meta(NFT_META_OIFNAME).Lookup(set, not: not);

    /// <summary>In by one and out by the other of a pair of devices.</summary>
    public Expressions InAndOut(string set) => Meta(NFT_META_IIFNAME).Meta(NFT_META_OIFNAME, 4).Lookup(set);

    /// <summary>To an address of this host.</summary>
    public Expressions ToThisHost()
    {
        using (Open("fib"))
        using (batch.Nested(NFTA_EXPR_DATA))
            batch.AddBig(NFTA_FIB_DREG, Register(0)).AddBig(NFTA_FIB_RESULT, NFT_FIB_RESULT_ADDRTYPE).AddBig(NFTA_FIB_FLAGS, NFTA_FIB_F_DADDR);
        return Is([2, 0, 0, 0]); // RTN_LOCAL, in the order of this processor
    }

    /// <summary>Of a connection whose destination was translated.</summary>
    public Expressions Translated() => Connection(NFT_CT_STATUS, DestinationNat);

    /// <summary>Of a connection that is there, or belongs to one: bits 1 and 2 of the state.</summary>
    public Expressions Established() => Connection(NFT_CT_STATE, 6);

    /// <summary>Translates the destination to the address and the port in the registers.</summary>
    public Expressions DestinationFromRegisters(byte family)
    {
        using (Open("nat"))
        using (batch.Nested(NFTA_EXPR_DATA))
        {
            batch.AddBig(NFTA_NAT_TYPE, NFT_NAT_DNAT).AddBig(NFTA_NAT_FAMILY, family).AddBig(NFTA_NAT_REG_ADDR_MIN, Register(0))
                .AddBig(NFTA_NAT_REG_PROTO_MIN, Register(family == NFPROTO_IPV4 ? 1 : 4));
        }
        return this;
    }

    /// <summary>The source becomes the host's own address on the device that it goes out by.</summary>
    public Expressions Masquerade()
    {
        using (Open("masq"))
        using (batch.Nested(NFTA_EXPR_DATA))
        {
            // Nothing is to be said besides.
        }
        return this;
    }

    public Expressions Accept() => Verdict(NF_ACCEPT, null);

    public Expressions Drop() => Verdict(NF_DROP, null);

    public Expressions Jump(string chain) => Verdict(NFT_JUMP, chain);

    private Expressions Verdict(int code, string? chain)
    {
        using (Open("immediate"))
        using (batch.Nested(NFTA_EXPR_DATA))
        {
            batch.AddBig(NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
            using (batch.Nested(NFTA_IMMEDIATE_DATA))
            using (batch.Nested(NFTA_DATA_VERDICT))
            {
                batch.AddBig(NFTA_VERDICT_CODE, (uint)code);
                if (chain is not null)
                    batch.Add(NFTA_VERDICT_CHAIN, chain);
            }
        }
        return this;
    }

    // Goes on only where one of the bits is set.
    private Expressions Connection(uint key, uint bits)
    {
        Span<byte> mask = stackalloc byte[4], zero = stackalloc byte[4];
        BinaryPrimitives.WriteUInt32LittleEndian(mask, bits);
        zero.Clear();
        using (Open("ct"))
        using (batch.Nested(NFTA_EXPR_DATA))
            batch.AddBig(NFTA_CT_DREG, Register(0)).AddBig(NFTA_CT_KEY, key);
        using (Open("bitwise"))
        using (batch.Nested(NFTA_EXPR_DATA))
        {
            batch.AddBig(NFTA_BITWISE_SREG, Register(0)).AddBig(NFTA_BITWISE_DREG, Register(0)).AddBig(NFTA_BITWISE_LEN, 4);
            using (batch.Nested(NFTA_BITWISE_MASK))
                batch.Add(NFTA_DATA_VALUE, mask);
            using (batch.Nested(NFTA_BITWISE_XOR))
                batch.Add(NFTA_DATA_VALUE, zero);
        }
        return Is(zero, not: true);
    }

    private NetlinkBatch.Nest Open(string name)
    {
        var nest = batch.Nested(NFTA_LIST_ELEM);
        batch.Add(NFTA_EXPR_NAME, name);
        return nest;
    }

    private static uint Register(int word) => NFT_REG32_00 + (uint)word;
}
