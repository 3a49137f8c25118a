// A range of addresses, and the arithmetic on it: IPv4 and IPv6 alike, as numbers of up to 128 bits.

using System.Buffers.Binary;
using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace Conman.Network.Addresses;

/// <summary>A prefix of addresses, e.g. <c>10.127.0.0/16</c>.</summary>
/// <param name="First">Its first address, as a number.</param>
/// <param name="Length">Bits of the prefix.</param>
public readonly record struct Subnet(UInt128 First, int Length, bool IsV6)
{
    /// <summary>Bits of an address.</summary>
    public int Bits => IsV6 ? 128 : 32;

    /// <summary>Its last address.</summary>
    public UInt128 Last => First | (Length == Bits ? 0 : (UInt128.MaxValue >> (128 - Bits + Length)));

    /// <summary>Reads <c>ADDRESS/LENGTH</c>; bits beyond the prefix do not count.</summary>
    /// <exception cref="NetworkException">It is none.</exception>
    public static Subnet Parse(string text) => TryParse(text, out var subnet) ? subnet : throw new NetworkException($"{text} is no subnet: ADDRESS/LENGTH is expected");

    public static bool TryParse(string text, out Subnet subnet)
    {
        subnet = default;
        var slash = text.IndexOf('/');
        if (slash < 0 || !TryNumber(text[..slash], out var address, out var v6) || !int.TryParse(text.AsSpan(slash + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var length)
            || length > (v6 ? 128 : 32))
        {
            return false;
        }
        subnet = Of(address, length, v6);
        return true;
    }

    /// <summary>The prefix of that length that an address lies in.</summary>
    public static Subnet Of(UInt128 address, int length, bool v6) => new(length == 0 ? 0 : address & ~Mask(length, v6), length, v6);

    public bool Contains(UInt128 address) => address >= First && address <= Last;

    public bool Overlaps(Subnet other) => IsV6 == other.IsV6 && First <= other.Last && other.First <= Last;

    public override string ToString() => Text(First, IsV6) + "/" + Length.ToString(CultureInfo.InvariantCulture);

    /// <summary>An address as a number; false if it is none.</summary>
    public static bool TryNumber(string text, out UInt128 number, out bool v6)
    {
        (number, v6) = (0, false);
        if (!IPAddress.TryParse(text, out var address) || text.Contains('%') || (address.AddressFamily == AddressFamily.InterNetwork && text.AsSpan().Count('.') != 3))
            return false;
        v6 = address.AddressFamily == AddressFamily.InterNetworkV6;
        Span<byte> bytes = stackalloc byte[16];
        address.TryWriteBytes(bytes, out var size);
        number = v6 ? BinaryPrimitives.ReadUInt128BigEndian(bytes) : BinaryPrimitives.ReadUInt32BigEndian(bytes[..size]);
        return true;
    }

    /// <summary>As people write it.</summary>
    public static string Text(UInt128 number, bool v6) => new IPAddress(Bytes(number, v6)).ToString();

    /// <summary>4 or 16 bytes in the order of the network.</summary>
    public static byte[] Bytes(UInt128 number, bool v6)
    {
        var bytes = new byte[v6 ? 16 : 4];
        if (v6)
            BinaryPrimitives.WriteUInt128BigEndian(bytes, number);
        else
            BinaryPrimitives.WriteUInt32BigEndian(bytes, (uint)number);
        return bytes;
    }

    /// <summary>4 or 16 bytes of an address that is known to be one.</summary>
    public static byte[] Bytes(string address) => TryNumber(address, out var number, out var v6) ? Bytes(number, v6) : throw new NetworkException($"{address} is no IP address");

    private static UInt128 Mask(int length, bool v6) => length == (v6 ? 128 : 32) ? 0 : UInt128.MaxValue >> (128 - (v6 ? 128 : 32) + length);
}
