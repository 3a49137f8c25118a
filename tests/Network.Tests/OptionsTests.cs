// Options of drivers: what does nothing is refused by name.

using Conman.Network.Store;

namespace Conman.Network.Tests;

public class OptionsTests
{
    [Theory]
    [InlineData("bridge", "mtu", "1400")]
    [InlineData("bridge", NetworkRecord.DeviceOption, "br7")]
    [InlineData("bridge", NetworkRecord.TalkOption, "false")]
    [InlineData("bridge", NetworkRecord.HostBindingOption, "127.0.0.1")]
    public void What_is_known_is_kept(string driver, string name, string value)
    {
        var network = new NetworkRecord { Driver = driver };
        NetworkOptions.Apply(network, new() { [name] = value });
        Assert.Equal([value], network.Options!.Values);
    }

    [Theory]
    [InlineData("overlay", "mtu", "1400", "no such driver")]
    [InlineData("bridge", "mtu", "12", "makes no sense")]
    [InlineData("bridge", "parent", "eth0", "no such option")]
    [InlineData("bridge", NetworkRecord.DeviceOption, "a/b", "makes no sense")]
    [InlineData("bridge", NetworkRecord.HostBindingOption, "::1", "makes no sense")]
    [InlineData("macvlan", "mtu", "1400", "parent=DEVICE is needed")]
    public void What_is_not_is_refused(string driver, string name, string value, string words) =>
        Assert.Contains(words, Assert.Throws<NetworkException>(() => NetworkOptions.Apply(new NetworkRecord { Driver = driver }, new() { [name] = value })).Message);
}
