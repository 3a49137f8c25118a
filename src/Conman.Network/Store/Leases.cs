// Who has which address: a symbolic link for each, ADDRESS → the container's id. To make the link is to have the address.
//
// The links die with the boot, as the containers' processes do. One whose container is gone, or does not run, is nobody's: it is taken over
// where no address is left, and removed by whoever comes by.

using System.Buffers.Binary;
using Conman.Linux;
using Conman.Network.Addresses;

namespace Conman.Network.Store;

/// <summary>The leased addresses of one network.</summary>
/// <param name="folder">Its folder, open.</param>
/// <param name="holds">Whether a container, by its id, still holds what it once got.</param>
internal sealed class Leases(FileDescriptor folder, string network, Func<string, bool> holds) : IDisposable
{
    private const int MostTries = 4096;

    /// <summary>Opens the folder of a network's leases, and makes it if need be.</summary>
    public static Leases Open(NetworkStore store, NetworkRecord network, Func<string, bool> holds)
    {
        var path = store.LeasesPath(network.Id);
        var folder = Files.TryOpen(path, OpenFlags.ReadOnly | Files.Directory, out var errno);
        if (folder is null && errno == Errno.ENOENT)
        {
            Files.MakeDirectories(path, 0x1c0 /* 0700 */);
            folder = Files.TryOpen(path, OpenFlags.ReadOnly | Files.Directory, out errno);
        }
        return new Leases(folder ?? throw new LinuxException(errno, "open " + path), network.Name, holds);
    }

    public void Dispose() => folder.Dispose();

    /// <summary>Takes an address for a container.</summary>
    /// <param name="asked">The one that it is to be; null: any.</param>
    /// <exception cref="NetworkException">None is left, or the one that is asked for is not to be had.</exception>
    public string Take(NetworkPool pool, string id, string? asked)
    {
        var subnet = Subnet.Parse(pool.Subnet);
        return asked is null ? Any(pool, subnet, id) : This(pool, subnet, id, asked);
    }

    /// <summary>Gives an address back; that of somebody else stays.</summary>
    public void Return(string address, string id)
    {
        if (Files.TryReadLink(address, folder.Number) == id)
            Files.TryUnlink(address, folder.Number);
    }

    /// <summary>Gives back all that a container has; for one of which no record says what.</summary>
    public void ReturnAll(string id)
    {
        foreach (var address in List())
            Return(address, id);
    }

    /// <summary>Removes what nobody holds; how many are left.</summary>
    public int Sweep()
    {
        var left = 0;
        foreach (var address in List())
        {
            if (Files.TryReadLink(address, folder.Number) is { } holder && !holds(holder))
                Return(address, holder);
            else
                left++;
        }
        return left;
    }

    // Where to look first follows from the id: a container gets the same address again where it can, and one that has
    // just ended leaves its address alone for a while.
    private string Any(NetworkPool pool, Subnet subnet, string id)
    {
        var range = pool.IPRange.Length > 0 ? Subnet.Parse(pool.IPRange) : subnet;
        var (first, last) = (UInt128.Max(range.First, subnet.First + 1), UInt128.Min(range.Last, subnet.IsV6 ? subnet.Last : subnet.Last - 1));
        if (first > last)
            throw Exhausted(subnet);
        var taken = Reserved(pool);
        var count = last - first + 1;
        var start = Hash(id) % count;
        for (var swept = false; ; swept = true)
        {
            for (UInt128 i = 0; i < count && i < MostTries; i++)
            {
                var number = first + ((start + i) % count);
                if (taken.Contains(number))
                    continue;
                var address = Subnet.Text(number, subnet.IsV6);
                var errno = Files.TrySymlink(id, address, folder.Number);
                if (errno == 0)
                    return address;
                if (errno != Errno.EEXIST)
                    throw new LinuxException(errno, "lease address " + address);
            }
            if (swept)
                throw Exhausted(subnet);
            Sweep();
        }
    }

    private string This(NetworkPool pool, Subnet subnet, string id, string asked)
    {
        if (!Subnet.TryNumber(asked, out var number, out var v6) || v6 != subnet.IsV6 || !subnet.Contains(number))
            throw new NetworkException($"invalid address {asked}: it is not in subnet {subnet} of network {network}");
        if (Reserved(pool).Contains(number) || number == subnet.First || (!v6 && number == subnet.Last))
            throw new NetworkException($"invalid address {asked}: it is no container's to have in subnet {subnet} of network {network}");
        var address = Subnet.Text(number, v6);
        for (var tries = 0; tries < 3; tries++)
        {
            var errno = Files.TrySymlink(id, address, folder.Number);
            if (errno == 0)
                return address;
            if (errno != Errno.EEXIST)
                throw new LinuxException(errno, "lease address " + address);
            if (Files.TryReadLink(address, folder.Number) is not { } holder)
                continue; // just given back
            if (holder == id)
                return address;
            if (holds(holder))
                break;
            Return(address, holder);
        }
        throw new NetworkException($"address already in use: {address} of network {network}");
    }

    private List<string> List()
    {
        using var reading = Files.Open(".", OpenFlags.ReadOnly | Files.Directory, folder.Number);
        return Files.List(reading, network);
    }

    private NetworkException Exhausted(Subnet subnet) => new($"no address is left in subnet {subnet} of network {network}");

    private static HashSet<UInt128> Reserved(NetworkPool pool)
    {
        var reserved = new HashSet<UInt128>();
        if (Subnet.TryNumber(pool.Gateway, out var gateway, out _))
            reserved.Add(gateway);
        foreach (var (_, text) in pool.AuxiliaryAddresses ?? [])
        {
            if (Subnet.TryNumber(text, out var number, out _))
                reserved.Add(number);
        }
        return reserved;
    }

    // The id is random already.
    private static UInt128 Hash(string id)
    {
        Span<byte> bytes = stackalloc byte[8];
        for (var i = 0; i < bytes.Length; i++)
            bytes[i] = (byte)((HexValue(id[i * 2]) << 4) | HexValue(id[(i * 2) + 1]));
        return BinaryPrimitives.ReadUInt64BigEndian(bytes);
    }

    private static int HexValue(char c) => c <= '9' ? c - '0' : c - 'a' + 10;
}
