// What a container gets from its image where nobody asked for something else, by Docker's rules.

using Conman.Engine.Settings;
using Conman.Oci.ImageSpec;

namespace Conman.Engine.Life;

public static class ImageDefaults
{
    /// <summary>Completes settings from an image's.</summary>
    public static void Apply(ContainerConfig config, ImageConfig? image)
    {
        if (image is null)
            return;
        if (config.User.Length == 0)
            config.User = image.User ?? "";
        if (config.WorkingDir.Length == 0)
            config.WorkingDir = image.WorkingDir ?? "";
        if (config.StopSignal.Length == 0)
            config.StopSignal = image.StopSignal ?? "";
        // Another entrypoint takes other arguments: those of the image are for its own.
        if (config.Entrypoint is null)
            (config.Entrypoint, config.Cmd) = (image.Entrypoint, config.Cmd is { Count: > 0 } ? config.Cmd : image.Cmd);
        config.Shell ??= image.Shell;
        config.Env = Environment(image.Env, config.Env);
        config.Labels = Together(image.Labels, config.Labels);
        config.ExposedPorts = Together(image.ExposedPorts, config.ExposedPorts);
        config.Volumes = Together(image.Volumes, config.Volumes);
        config.Healthcheck = Health(config.Healthcheck, image.Healthcheck);
    }

    /// <summary>The first list, with what the second one gives other values, and then what only the second one has.</summary>
    private static List<string>? Environment(List<string>? image, List<string>? own)
    {
        if (image is null || own is null)
            return own ?? image;
        var result = new List<string>(image.Count + own.Count);
        foreach (var variable in image)
        {
            if (!own.Exists(o => Name(o).SequenceEqual(Name(variable))))
                result.Add(variable);
        }
        result.AddRange(own);
        return result;
    }

    private static ReadOnlySpan<char> Name(string variable)
    {
        var equals = variable.IndexOf('=');
        return equals < 0 ? variable : variable.AsSpan(0, equals);
    }

    private static Dictionary<string, T>? Together<T>(Dictionary<string, T>? image, Dictionary<string, T>? own)
    {
        if (image is null || own is null)
            return own ?? image;
        var result = new Dictionary<string, T>(image);
        foreach (var (key, value) in own)
            result[key] = value;
        return result;
    }

    private static Healthcheck? Health(Healthcheck? own, Healthcheck? image)
    {
        if (own is null || image is null)
            return own ?? image;
        own.Test = own.Test is { Count: > 0 } ? own.Test : image.Test;
        own.Interval ??= image.Interval;
        own.Timeout ??= image.Timeout;
        own.StartPeriod ??= image.StartPeriod;
        own.StartInterval ??= image.StartInterval;
        own.Retries ??= image.Retries;
        return own;
    }
}
