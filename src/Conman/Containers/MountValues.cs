// -v, --mount and --tmpfs: what is mounted into a container.

using Conman.CommandLine;
using Conman.Engine;
using Conman.Engine.Settings;
using Conman.Engine.Specs;
using Conman.Engine.Volumes;
using Conman.Oci.ImageSpec;

namespace Conman;

internal static class MountValues
{
    private static readonly string[] Fields =
    [
        "type", "source", "target", "readonly", "bind-propagation", "bind-nonrecursive", "bind-recursive", "bind-create-src", "volume-nocopy", "volume-subpath",
        "volume-label", "volume-driver", "volume-opt", "tmpfs-size", "tmpfs-mode", "image-subpath", "consistency",
    ];

    /// <summary>One of <c>-v</c>: <c>[SOURCE:]TARGET[:OPTIONS]</c>.</summary>
    public static void Volume(string text, ContainerConfig config, HostConfig host)
    {
        if (!text.Contains(':'))
        {
            (config.Volumes ??= [])[Checked(() => BindText.CheckTarget("volume", text, text))] = new Nothing();
            return;
        }
        // By the folder in which it was typed: ".", "./data", "~" is the shell's.
        if (text[0] == '.')
            text = Path.GetFullPath(text[..text.IndexOf(':')]) + text[text.IndexOf(':')..];
        Checked(() => BindText.Parse(text));
        (host.Binds ??= []).Add(text);
    }

    /// <summary>One of <c>--tmpfs</c>: <c>TARGET[:OPTIONS]</c>.</summary>
    public static void Tmpfs(string text, HostConfig host)
    {
        var colon = text.IndexOf(':');
        var target = Checked(() => BindText.CheckTarget("tmpfs", text, colon < 0 ? text : text[..colon]));
        (host.Tmpfs ??= [])[target] = colon < 0 ? "" : text[(colon + 1)..];
    }

    /// <summary>One of <c>--mount</c>: <c>type=…,source=…,target=…,…</c>.</summary>
    public static MountSetting Mount(string text)
    {
        var (mount, writes) = (new MountSetting { Type = "volume" }, false);
        foreach (var (name, value) in Csv.Pairs("mount", text))
        {
            switch (name)
            {
                case "type": mount.Type = Needed(name, value).ToLowerInvariant(); break;
                case "source" or "src": mount.Source = Needed(name, value); break;
                case "target" or "dst" or "destination": mount.Target = Checked(() => BindText.CheckTarget("mount", text, Needed(name, value))); break;
                case "readonly" or "ro": mount.ReadOnly = Truth(name, value); break;
                case "rw": (mount.ReadOnly, writes) = (!Truth(name, value), Truth(name, value)); break;
                case "bind-propagation": (mount.BindOptions ??= new BindOptions()).Propagation = Propagation(Needed(name, value)); break;
                case "bind-nonrecursive": (mount.BindOptions ??= new BindOptions()).NonRecursive = Truth(name, value); break;
                case "bind-create-src": (mount.BindOptions ??= new BindOptions()).CreateMountpoint = Truth(name, value); break;
                case "bind-recursive": Recursive(mount.BindOptions ??= new BindOptions(), Needed(name, value)); break;
                case "volume-nocopy": (mount.VolumeOptions ??= new VolumeOptions()).NoCopy = Truth(name, value); break;
                case "volume-subpath": (mount.VolumeOptions ??= new VolumeOptions()).Subpath = Needed(name, value); break;
                case "volume-driver": ((mount.VolumeOptions ??= new VolumeOptions()).DriverConfig ??= new VolumeDriver()).Name = Needed(name, value); break;
                case "volume-label":
                    var labels = (mount.VolumeOptions ??= new VolumeOptions()).Labels;
                    EnvironmentValues.Label("mount volume-label", Needed(name, value), ref labels);
                    mount.VolumeOptions.Labels = labels;
                    break;
                case "volume-opt":
                    var options = ((mount.VolumeOptions ??= new VolumeOptions()).DriverConfig ??= new VolumeDriver()).Options;
                    EnvironmentValues.Pair("mount volume-opt", Needed(name, value), ref options);
                    mount.VolumeOptions.DriverConfig!.Options = options;
                    break;
                case "tmpfs-size": (mount.TmpfsOptions ??= new TmpfsOptions()).SizeBytes = Quantities.Size("mount tmpfs-size", Needed(name, value)); break;
                case "tmpfs-mode": (mount.TmpfsOptions ??= new TmpfsOptions()).Mode = Checked(() => SpecBuilder.Octal("mount tmpfs-mode", Needed(name, value))); break;
                case "image-subpath": (mount.ImageOptions ??= new ImageOptions()).Subpath = Needed(name, value); break;
                case "consistency" when value is "default" or "consistent" or "cached" or "delegated": break; // on one and the same host these are all the same
                default:
                    throw Wrong($"unknown field {name}" + (Nearest.To(name, Fields) is { } near ? $": did you mean {near}?" : ""));
            }
        }
        Check(mount);
        return mount;

        string Needed(string name, string? value) => value is { Length: > 0 } ? value : throw Wrong($"{name} needs a value");

        bool Truth(string name, string? value) => value is null || (Arguments.Truth(value) ?? throw Wrong($"{name}: {value} is neither true nor false"));

        string Propagation(string value) => value is "private" or "rprivate" or "shared" or "rshared" or "slave" or "rslave" ? value : throw Wrong($"unknown propagation {value}");

        void Recursive(BindOptions options, string value) => (options.NonRecursive, options.ReadOnlyNonRecursive, options.ReadOnlyForceRecursive) = value switch
        {
            "enabled" => (false, false, false),
            "disabled" => (true, false, false),
            "writable" => (false, true, false),
            "readonly" => (false, false, true),
            _ => throw Wrong($"bind-recursive: {value}: it is enabled, disabled, writable or readonly"),
        };

        void Check(MountSetting mount)
        {
            if (mount.Target.Length == 0)
                throw Wrong("target is missing");
            switch (mount.Type)
            {
                case "bind":
                    if (mount.Source.Length == 0)
                        throw Wrong("source is missing");
                    if (mount.Source[0] == '.')
                        mount.Source = Path.GetFullPath(mount.Source);
                    if (mount.Source[0] != '/')
                        throw Wrong($"the source {mount.Source} is not an absolute path");
                    if (mount.BindOptions is { ReadOnlyForceRecursive: true } or { ReadOnlyNonRecursive: true } && !mount.ReadOnly)
                        throw Wrong("bind-recursive=writable and =readonly are for mounts that are readonly");
                    break;
                case "volume":
                    if (mount.Source.Length > 0)
                        Checked(() => VolumeStore.CheckName(mount.Source));
                    break;
                case "tmpfs" when mount.Source.Length > 0:
                    throw Wrong("a tmpfs has no source");
                case "image" when mount.Source.Length == 0:
                    throw Wrong("source is missing: an image");
                case "image" when writes:
                    throw Wrong("an image is mounted read-only");
                case "tmpfs" or "image":
                    break;
                default:
                    throw Wrong($"there is no type {mount.Type}: it is bind, volume, tmpfs or image");
            }
            if ((mount.BindOptions is not null && mount.Type != "bind") || (mount.VolumeOptions is not null && mount.Type != "volume")
                || (mount.TmpfsOptions is not null && mount.Type != "tmpfs") || (mount.ImageOptions is not null && mount.Type != "image"))
            {
                throw Wrong($"it has fields that are not for type {mount.Type}");
            }
        }

        UsageException Wrong(string why) => new($"--mount {text}: {why}");
    }

    /// <summary>What the engine finds wrong with an option is a mistake of who typed it.</summary>
    public static T Checked<T>(Func<T> parse)
    {
        try
        {
            return parse();
        }
        catch (EngineException e)
        {
            throw new UsageException(e.Message);
        }
    }
}
