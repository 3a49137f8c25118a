// Platforms: which image of an index is for this machine, or for the one that was asked for (image-spec image-index.md; names as Go has them).

using System.Runtime.InteropServices;
using Conman.Oci.ImageSpec;

namespace Conman.Images.Transfer;

public static class Platforms
{
    /// <summary>This machine.</summary>
    public static Platform Host { get; } = Normalise(new Platform
    {
        Os = "linux",
        Architecture = RuntimeInformation.OSArchitecture switch
        {
            Architecture.X64 => "amd64",
            Architecture.X86 => "386",
            Architecture.Arm => "arm",
            Architecture.Ppc64le => "ppc64le",
            Architecture.RiscV64 => "riscv64",
            Architecture.S390x => "s390x",
            Architecture.LoongArch64 => "loong64",
            _ => "arm64",
        },
    });

    /// <summary>A platform from <c>linux/arm/v7</c>, <c>linux/amd64</c> or only <c>arm64</c>.</summary>
    public static Platform Parse(string text)
    {
        var parts = text.ToLowerInvariant().Split('/');
        if (parts.Length > 3 || parts.Any(p => p.Length == 0 || p.AsSpan().ContainsAnyExcept("abcdefghijklmnopqrstuvwxyz0123456789_.-")))
            throw new ImageException($"invalid platform \"{text}\": os/architecture[/variant] is expected, such as linux/arm64");
        return Normalise(parts switch
        {
            ["linux"] => new Platform { Os = "linux", Architecture = Host.Architecture, Variant = Host.Variant },
            [var architecture] => new Platform { Os = "linux", Architecture = architecture },
            [var os, var architecture] => new Platform { Os = os, Architecture = architecture },
            _ => new Platform { Os = parts[0], Architecture = parts[1], Variant = parts[2] },
        });
    }

    /// <summary><c>os/architecture[/variant]</c>.</summary>
    public static string Format(Platform platform)
    {
        var normal = Normalise(platform);
        return normal.Variant is null ? $"{normal.Os}/{normal.Architecture}" : $"{normal.Os}/{normal.Architecture}/{normal.Variant}";
    }

    /// <summary>The entry for a platform, or null: the same variant before one without a variant, before an older one of the same architecture.</summary>
    public static Descriptor? Choose(IEnumerable<Descriptor> manifests, Platform wanted)
    {
        wanted = Normalise(wanted);
        return manifests.Select(m => (Manifest: m, Rank: m.Platform is null ? 0 : Rank(Normalise(m.Platform), wanted))).Where(m => m.Rank > 0).OrderByDescending(m => m.Rank).FirstOrDefault().Manifest;
    }

    /// <summary>Whether an image says that it is for a platform.</summary>
    public static bool Matches(Platform image, Platform wanted) => Rank(Normalise(image), Normalise(wanted)) > 0;

    // 0: does not run there. ARM's variants are upwards compatible; amd64's v2, v3 are not to be had unless asked for.
    private static int Rank(Platform image, Platform wanted)
    {
        if (image.Os != wanted.Os || image.Architecture != wanted.Architecture)
            return 0;
        if (image.Variant == wanted.Variant)
            return 100;
        if (image.Variant is null)
            return 50;
        return image.Architecture == "arm" && Number(image.Variant) is var has && Number(wanted.Variant) is var may && has > 0 && has < may ? has : 0;
    }

    private static int Number(string? variant) => variant is ['v', var digit] ? digit - '0' : 0;

    // aarch64 is arm64, arm64's own variant is v8, arm's is v7.
    private static Platform Normalise(Platform platform)
    {
        var (architecture, variant) = platform.Architecture switch
        {
            "aarch64" => ("arm64", platform.Variant),
            "x86_64" or "x86-64" => ("amd64", platform.Variant),
            "i386" or "i686" => ("386", platform.Variant),
            "armhf" => ("arm", "v7"),
            "armel" => ("arm", "v6"),
            var other => (other, platform.Variant),
        };
        variant = (architecture, variant) switch
        {
            ("arm64", "v8" or "8") => null,
            ("amd64", "v1") => null,
            ("arm", null or "") => "v7",
            ("arm", [>= '0' and <= '9']) => "v" + variant,
            (_, "") => null,
            _ => variant,
        };
        return new Platform { Os = platform.Os, Architecture = architecture, Variant = variant };
    }
}
