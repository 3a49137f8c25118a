// Ranges of addresses as numbers.

using Conman.Network.Addresses;

namespace Conman.Network.Tests;

public class SubnetTests
{
    [Theory]
    [InlineData("10.9.8.7/16", "10.9.0.0/16", "10.9.255.255")]
    [InlineData("192.0.2.5/32", "192.0.2.5/32", "192.0.2.5")]
    [InlineData("0.0.0.0/0", "0.0.0.0/0", "255.255.255.255")]
    [InlineData("fd00:1:2:3:4::/64", "fd00:1:2:3::/64", "fd00:1:2:3:ffff:ffff:ffff:ffff")]
    [InlineData("::/0", "::/0", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")]
    public void Has_a_first_and_a_last_address(string text, string whole, string last)
    {
        var subnet = Subnet.Parse(text);
        Assert.Equal((whole, last), (subnet.ToString(), Subnet.Text(subnet.Last, subnet.IsV6)));
    }

    [Theory]
    [InlineData("10.0.0.0")]
    [InlineData("10.0.0.0/33")]
    [InlineData("10.1/8")]
    [InlineData("fe80::1%lo/64")]
    [InlineData("::/129")]
    [InlineData("/8")]
    [InlineData("10.0.0.0/-1")]
    public void Other_texts_are_none(string text) => Assert.False(Subnet.TryParse(text, out _));

    [Fact]
    public void Overlaps_what_it_shares_an_address_with()
    {
        Assert.True(Subnet.Parse("10.0.0.0/8").Overlaps(Subnet.Parse("10.9.8.0/24")));
        Assert.False(Subnet.Parse("10.9.9.0/24").Overlaps(Subnet.Parse("10.9.8.0/24")));
        Assert.False(Subnet.Parse("0.0.0.0/0").Overlaps(Subnet.Parse("::/0")));
    }

    [Fact]
    public void A_free_one_lies_over_nothing_that_is_taken()
    {
        List<Subnet> taken = [Subnet.Parse("10.127.0.0/16"), Subnet.Parse("10.126.0.0/17")];
        Assert.Equal("10.125.0.0/16", AddressPools.Free4(large: true, taken).ToString());
        for (var i = 0; i < 1000; i++)
        {
            var subnet = AddressPools.Free4(large: false, taken);
            Assert.DoesNotContain(taken, subnet.Overlaps);
            taken.Add(subnet);
        }
        Assert.Equal(64, AddressPools.Free6(taken).Length);
        Assert.Throws<NetworkException>(() => AddressPools.Free4(large: true, [Subnet.Parse("10.0.0.0/8")]));
    }
}
