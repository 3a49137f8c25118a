// Which addresses a network gets where nobody asks for any: the first range that leads nowhere yet.

using Conman.Linux;

namespace Conman.Network.Addresses;

internal static class AddressPools
{
    // Large blocks from the top of 10.0.0.0/8 down, where few have anything: the default network gets a whole one, others a /24 of the next.
    private const int DefaultBlock = 127, LastBlock = 64, BlockLength = 16, NetworkLength = 24, UniqueLength = 64;

    /// <summary>A free subnet of IPv4.</summary>
    /// <param name="taken">What is in use: by networks, and by the host's routes.</param>
    public static Subnet Free4(bool large, List<Subnet> taken)
    {
        for (var block = large ? DefaultBlock : DefaultBlock - 1; block >= LastBlock; block--)
        {
            var first = ((UInt128)10 << 24) | ((UInt128)block << 16);
            for (var i = 0; i < (large ? 1 : 256); i++)
            {
                var subnet = Subnet.Of(first | ((UInt128)i << 8), large ? BlockLength : NetworkLength, v6: false);
                if (!taken.Exists(subnet.Overlaps))
                    return subnet;
            }
        }
        throw new NetworkException("all predefined address pools have been fully subnetted: give one with --subnet");
    }

    /// <summary>A subnet of unique local addresses (RFC 4193): random, so that it meets no other.</summary>
    public static Subnet Free6(List<Subnet> taken)
    {
        Span<byte> random = stackalloc byte[7];
        for (; ; )
        {
            Randomness.Fill(random);
            UInt128 first = 0xfd;
            foreach (var part in random)
                first = (first << 8) | part;
            var subnet = Subnet.Of(first << 64, UniqueLength, v6: true);
            if (!taken.Exists(subnet.Overlaps))
                return subnet;
        }
    }
}
