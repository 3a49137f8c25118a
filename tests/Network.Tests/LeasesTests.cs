// Leases are links in a folder: who makes one has the address, and nobody keeps it who is gone.

using Conman.Network.Store;

namespace Conman.Network.Tests;

public sealed class LeasesTests : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("conman-test-leases-").FullName;
    private readonly HashSet<string> _alive = [];
    private readonly NetworkRecord _network = new() { Name = "net", Id = new string('a', 64) };
    private readonly NetworkPool _pool = new() { Subnet = "10.9.9.0/29", Gateway = "10.9.9.1", AuxiliaryAddresses = new() { ["router"] = "10.9.9.6" } };

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Fact]
    public void F3_all_of_a_subnet_is_leased_and_no_more()
    {
        using var leases = Open();
        var taken = Enumerable.Range(0, 4).Select(i => leases.Take(_pool, Id(i), null)).ToList();
        Assert.Equal(["10.9.9.2", "10.9.9.3", "10.9.9.4", "10.9.9.5"], taken.Order());
        Assert.Contains("no address is left in subnet 10.9.9.0/29 of network net", Assert.Throws<NetworkException>(() => leases.Take(_pool, Id(9), null)).Message);
        leases.Return(taken[1], Id(1));
        Assert.Equal(taken[1], leases.Take(_pool, Id(9), null));
        leases.Return(taken[1], Id(1)); // it is somebody else's by now
        Assert.Contains("already in use", Assert.Throws<NetworkException>(() => leases.Take(_pool, Id(5), taken[1])).Message);
        _alive.Remove(Id(9));
        Assert.Equal(taken[1], leases.Take(_pool, Id(5), taken[1]));
        _alive.Clear();
        Assert.Equal(0, leases.Sweep());
    }

    [Theory]
    [InlineData("10.9.9.0")]
    [InlineData("10.9.9.1")]
    [InlineData("10.9.9.6")]
    [InlineData("10.9.9.7")]
    [InlineData("10.9.8.2")]
    [InlineData("fd00::1")]
    public void Some_addresses_are_nobodys_to_have(string address)
    {
        using var leases = Open();
        Assert.Contains(address, Assert.Throws<NetworkException>(() => leases.Take(_pool, Id(0), address)).Message);
    }

    [Fact]
    public void A_container_gets_the_same_address_again()
    {
        using var leases = Open();
        var pool = new NetworkPool { Subnet = "fd00::/64", Gateway = "fd00::1" };
        var first = leases.Take(pool, Id(7), null);
        leases.ReturnAll(Id(7));
        Assert.Equal(first, leases.Take(pool, Id(7), null));
    }

    private string Id(int n)
    {
        var id = n.ToString("x16").PadRight(64, '0');
        _alive.Add(id);
        return id;
    }

    private Leases Open() => Leases.Open(new NetworkStore(_root, _root), _network, _alive.Contains);
}
