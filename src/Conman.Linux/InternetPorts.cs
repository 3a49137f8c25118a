// Ports of this host: whether a program has one.

using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Tmds.Linux;
using static Tmds.Linux.LibC;

namespace Conman.Linux;

/// <summary>Asks the kernel by binding (bind(2)), in the network namespace of this thread.</summary>
public static unsafe class InternetPorts
{
    /// <summary>IP protocols (IPPROTO_*).</summary>
    public const byte Tcp = 6, Udp = 17, Sctp = 132;

    private const int Family4 = 2 /* AF_INET */, Family6 = 10 /* AF_INET6 */;

    /// <summary>Whether nobody listens there: errno (EADDRINUSE), or 0. A protocol that the kernel does not have, nobody uses.</summary>
    /// <param name="address">4 or 16 bytes; all of 16 zero: every address, of IPv4 too.</param>
    /// <param name="port">0: any that is free, which <paramref name="port"/> is then.</param>
    public static int TryUse(byte protocol, ReadOnlySpan<byte> address, ref ushort port)
    {
        var family = address.Length == 4 ? Family4 : Family6;
        var number = socket(family, (protocol == Udp ? 2 /* SOCK_DGRAM */ : 1 /* SOCK_STREAM */) | 0x80000 /* SOCK_CLOEXEC */, protocol);
        if (number < 0)
        {
            var errno = Marshal.GetLastPInvokeError();
            if (errno == Errno.EAFNOSUPPORT && family == Family6 && address.IndexOfAnyExcept((byte)0) < 0)
                return TryUse(protocol, address[..4], ref port); // a kernel without IPv6
            return errno is Errno.EAFNOSUPPORT or Errno.EPROTONOSUPPORT ? 0 : errno;
        }
        using var holder = new FileDescriptor(number);
        var yes = 1;
        if (protocol != Udp) // connections that are over are in nobody's way; of UDP it would let two listen
            _ = setsockopt(number, 1 /* SOL_SOCKET */, 2 /* SO_REUSEADDR */, &yes, 4);
        var place = stackalloc byte[28]; // struct sockaddr_in6, or the smaller sockaddr_in
        new Span<byte>(place, 28).Clear();
        *(ushort*)place = (ushort)family;
        BinaryPrimitives.WriteUInt16BigEndian(new Span<byte>(place + 2, 2), port);
        address.CopyTo(new Span<byte>(place + (family == Family4 ? 4 : 8), address.Length));
        socklen_t size = family == Family4 ? 16 : 28;
        if (bind(number, (sockaddr*)place, size) < 0)
            return Marshal.GetLastPInvokeError();
        if (port == 0 && getsockname(number, (sockaddr*)place, &size) == 0)
            port = BinaryPrimitives.ReadUInt16BigEndian(new ReadOnlySpan<byte>(place + 2, 2));
        return 0;
    }
}
