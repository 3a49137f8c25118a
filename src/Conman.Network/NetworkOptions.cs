// Options of a network's driver: Docker's names, and those of Podman that mean the same. One that does nothing is refused.

using System.Globalization;
using Conman.Network.Store;

namespace Conman.Network;

public static class NetworkOptions
{
    /// <summary>Checks a network's driver and options, and sets them.</summary>
    /// <exception cref="NetworkException">There is no such driver or option, or its value makes no sense.</exception>
    public static void Apply(NetworkRecord network, Dictionary<string, string>? options)
    {
        if (network.Driver is not (NetworkRecord.BridgeDriver or NetworkRecord.MacvlanDriver))
            throw new NetworkException($"--driver {network.Driver}: there is no such driver: it is bridge or macvlan");
        var bridge = network.Driver == NetworkRecord.BridgeDriver;
        Dictionary<string, string>? kept = null;
        foreach (var (given, value) in options ?? [])
        {
            var name = given switch { "mtu" => NetworkRecord.MtuOption, "mode" => NetworkRecord.ModeOption, _ => given };
            var valid = name switch
            {
                NetworkRecord.MtuOption => int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var mtu) && mtu is >= 68 and <= 65535,
                NetworkRecord.DeviceOption when bridge => IsDevice(value),
                NetworkRecord.MasqueradeOption or NetworkRecord.TalkOption when bridge => value is "true" or "false" or "1" or "0",
                NetworkRecord.HostBindingOption when bridge => Addresses.Subnet.TryNumber(value, out _, out var v6) && !v6,
                NetworkRecord.PrefixOption => IsDevice(value) && value.Length <= 12,
                NetworkRecord.ParentOption when !bridge => IsDevice(value),
                NetworkRecord.ModeOption when !bridge => value is "bridge" or "private" or "vepa" or "passthru",
                _ => throw new NetworkException($"--opt {given}: a {network.Driver} network has no such option"),
            };
            if (!valid)
                throw new NetworkException($"--opt {given}={value}: the value makes no sense");
            (kept ??= [])[name] = value;
        }
        network.Options = kept;
        if (!bridge)
            network.Device = network.Option(NetworkRecord.ParentOption) ?? throw new NetworkException("--driver macvlan: --opt parent=DEVICE is needed");
    }

    // As the kernel's dev_valid_name().
    private static bool IsDevice(string name) => name.Length is > 0 and < 16 && name is not ("." or "..") && !name.AsSpan().ContainsAny("/: \t\n") && name.All(static c => c is > ' ' and < '\x7f');
}
