// --device and what else is said of devices; --ulimit; --restart; --secret.

using Conman.CommandLine;
using Conman.Engine.Settings;
using Conman.Engine.Specs;

namespace Conman;

internal static class DeviceValues
{
    private static readonly string[] Limits =
        ["as", "core", "cpu", "data", "fsize", "locks", "memlock", "msgqueue", "nice", "nofile", "nproc", "rss", "rtprio", "rttime", "sigpending", "stack"];

    /// <summary>One of <c>--device</c>: <c>HOST[:CONTAINER][:ACCESS]</c>.</summary>
    public static DeviceMapping Device(string text)
    {
        var parts = text.Split(':');
        if (parts[0].Contains('=') && !parts[0].StartsWith('/'))
            throw new UsageException($"--device {text}: conman knows no devices by CDI names: name the nodes in /dev");
        var mapping = new DeviceMapping { PathOnHost = parts[0], PathInContainer = parts[0], CgroupPermissions = "rwm" };
        switch (parts.Length)
        {
            case 1: break;
            case 2 when IsAccess(parts[1]): mapping.CgroupPermissions = parts[1]; break;
            case 2: mapping.PathInContainer = parts[1]; break;
            case 3 when IsAccess(parts[2]): (mapping.PathInContainer, mapping.CgroupPermissions) = (parts[1], parts[2]); break;
            case 3: throw new UsageException($"--device {text}: {parts[2]} is not made of r, w and m");
            default: throw new UsageException($"--device {text}: expected HOST[:CONTAINER][:ACCESS]");
        }
        return mapping.PathOnHost.StartsWith('/') && mapping.PathInContainer.StartsWith('/') ? mapping
            : throw new UsageException($"--device {text}: paths of devices are absolute");
    }

    /// <summary>One of <c>--device-read-bps</c> and its like: <c>PATH:RATE</c>.</summary>
    /// <param name="bytes">The rate is a size.</param>
    public static DeviceRate Rate(string flag, string text, bool bytes)
    {
        var (path, rate) = Split(flag, text);
        return new DeviceRate { Path = path, Rate = bytes ? (ulong)Quantities.Size(flag, rate) : (ulong)Quantities.Integer(flag, rate, 0, long.MaxValue) };
    }

    /// <summary>One of <c>--blkio-weight-device</c>: <c>PATH:WEIGHT</c>.</summary>
    public static DeviceWeight Weight(string flag, string text)
    {
        var (path, weight) = Split(flag, text);
        return new DeviceWeight { Path = path, Weight = BlockWeight(flag, weight) };
    }

    /// <summary>10 to 1000, or 0: as others.</summary>
    public static ushort BlockWeight(string flag, string text) => text == "0" ? (ushort)0 : (ushort)Quantities.Integer(flag, text, 10, 1000);

    /// <summary>One of <c>--ulimit</c>: <c>NAME=SOFT[:HARD]</c>, -1 for no limit.</summary>
    public static Ulimit Ulimit(string text)
    {
        var equals = text.IndexOf('=');
        if (equals <= 0)
            throw new UsageException($"--ulimit {text}: expected NAME=SOFT[:HARD]");
        var name = text[..equals].ToLowerInvariant();
        if (Array.IndexOf(Limits, name) < 0)
            throw new UsageException($"--ulimit {text}: there is no limit {name}" + (Nearest.To(name, Limits) is { } near ? $": did you mean {near}?" : ""));
        var values = text[(equals + 1)..].Split(':');
        if (values.Length > 2)
            throw new UsageException($"--ulimit {text}: expected NAME=SOFT[:HARD]");
        var soft = Quantities.Integer("ulimit " + name, values[0], -1, long.MaxValue);
        var hard = values.Length == 2 ? Quantities.Integer("ulimit " + name, values[1], -1, long.MaxValue) : soft;
        if (hard != -1 && (soft == -1 || soft > hard))
            throw new UsageException($"--ulimit {text}: the soft limit is above the hard one");
        return new Ulimit { Name = name, Soft = soft, Hard = hard };
    }

    /// <summary><c>no</c>, <c>always</c>, <c>unless-stopped</c> or <c>on-failure[:TIMES]</c>.</summary>
    public static RestartPolicy Restart(string text)
    {
        var colon = text.IndexOf(':');
        var name = colon < 0 ? text : text[..colon];
        if (name is "never" or "")
            name = "no";
        if (name is not ("no" or "always" or "unless-stopped" or "on-failure"))
            throw new UsageException($"--restart {text}: there is no such policy: it is no, always, unless-stopped or on-failure[:TIMES]");
        if (colon >= 0 && name != "on-failure")
            throw new UsageException($"--restart {text}: only on-failure has a number of times");
        return new RestartPolicy { Name = name, MaximumRetryCount = colon < 0 ? 0 : (int)Quantities.Integer("restart", text[(colon + 1)..], 0, int.MaxValue) };
    }

    /// <summary>One of <c>--secret</c>: <c>NAME[,type=mount|env][,target=…][,uid=…][,gid=…][,mode=…]</c>.</summary>
    public static SecretUse Secret(string text)
    {
        var secret = new SecretUse();
        foreach (var (name, value) in Csv.Pairs("secret", text))
        {
            switch (name)
            {
                case "source" or "src": secret.Name = value ?? ""; break;
                case "type" when value is "env" or "mount": secret.Type = value == "env" ? "env" : ""; break;
                case "target": secret.Target = value ?? ""; break;
                case "uid": secret.UID = (uint)Quantities.Integer("secret uid", value ?? "", 0, int.MaxValue); break;
                case "gid": secret.GID = (uint)Quantities.Integer("secret gid", value ?? "", 0, int.MaxValue); break;
                case "mode": secret.Mode = MountValues.Checked(() => SpecBuilder.Octal("secret mode", value ?? "")); break;
                case var _ when value is null && secret.Name.Length == 0: secret.Name = text.Split(',')[0]; break;
                default: throw new UsageException($"--secret {text}: {name}{(value is null ? "" : "=" + value)}: expected NAME[,type=mount|env][,target=…][,uid=…][,gid=…][,mode=…]");
            }
        }
        return secret.Name.Length > 0 ? secret : throw new UsageException($"--secret {text}: the name of a secret is missing");
    }

    private static (string Path, string Value) Split(string flag, string text)
    {
        var colon = text.LastIndexOf(':');
        return colon > 0 && text.StartsWith('/') ? (text[..colon], text[(colon + 1)..]) : throw new UsageException($"--{flag} {text}: expected PATH:VALUE");
    }

    private static bool IsAccess(string text) => text.Length is > 0 and <= 3 && !text.AsSpan().ContainsAnyExcept("rwm");
}
