// Which platform an image is to be of: Docker's --platform, and Podman's --os, --arch and --variant.

using Conman.CommandLine;
using Conman.Images;
using Conman.Images.Store;
using Conman.Images.Transfer;
using Conman.Oci.ImageSpec;

namespace Conman;

internal static class PlatformOptions
{
    /// <summary>Of commands on images that are here: an image here is of one platform.</summary>
    public static readonly Option Check = new("platform", "refuse an image that is for another platform", "PLATFORM");

    public static readonly Option[] All =
    [
        new("platform", "what it is to run on: os/architecture[/variant] (default: this machine)", "PLATFORM"),
        new("os", "the first part of --platform", "OS"),
        new("arch", "the second part of --platform", "ARCHITECTURE"),
        new("variant", "the third part of --platform", "VARIANT"),
    ];

    /// <summary>The platform that was asked for; null: none was.</summary>
    public static Platform? Of(Arguments arguments)
    {
        var (whole, os, architecture, variant) = (arguments.Get("platform"), arguments.Get("os"), arguments.Get("arch"), arguments.Get("variant"));
        if (whole is not null)
            return os is null && architecture is null && variant is null ? Platforms.Parse(whole) : throw new UsageException("--platform excludes --os, --arch and --variant");
        if (os is null && architecture is null && variant is null)
            return null;
        return Platforms.Parse($"{os ?? Platforms.Host.Os}/{architecture ?? Platforms.Host.Architecture}{(variant is null ? "" : "/" + variant)}");
    }

    /// <exception cref="ImageException">The image is for another platform than was asked for.</exception>
    public static void MustFit(Arguments arguments, ImageRecord record)
    {
        if (arguments.Get("platform") is { } text && (record.Platform is null || !Platforms.Matches(Platforms.Parse(record.Platform), Platforms.Parse(text))))
            throw new ImageException($"image {ImageView.Familiar(record.Name!)} is for {record.Platform}, not for {Platforms.Format(Platforms.Parse(text))}");
    }
}
