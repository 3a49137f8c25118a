// Limits as properties of a systemd unit (systemd.resource-control(5)), so that systemd knows them, shows them, and writes the same values.

using System.Globalization;
using Conman.Runtime.Cgroups;

namespace Conman.Runtime.Systemd;

/// <summary>Writes to control files → properties. A file without a property is systemd's business no more than the container's memory is.</summary>
internal static class UnitProperties
{
    private const string AnnotationPrefix = "org.systemd.property.";

    public static List<(string Name, BusValue Value)> Of(IReadOnlyList<CgroupWrite> limits)
    {
        var properties = new List<(string, BusValue)>();
        foreach (var (file, value) in limits)
        {
            switch (file)
            {
                case "cpu.max":
                    AddQuota(properties, value);
                    break;
                case "cpu.cfs_quota_us":
                    AddQuota(properties, value + " " + (limits.FirstOrDefault(limit => limit.File == "cpu.cfs_period_us")?.Value ?? "100000"));
                    break;
                case "cpuset.cpus":
                    properties.Add(("AllowedCPUs", BusValue.Of(Mask(value))));
                    break;
                case "cpuset.mems":
                    properties.Add(("AllowedMemoryNodes", BusValue.Of(Mask(value))));
                    break;
                default:
                    if (NumberOf(file) is { } name)
                        properties.Add((name, BusValue.Of(Number(value))));
                    break;
            }
        }
        return properties;
    }

    /// <summary>The properties that annotations ask for: <c>org.systemd.property.NAME</c>, a value in GVariant's text format.</summary>
    public static IEnumerable<(string Name, BusValue Value)> Of(Dictionary<string, string>? annotations)
    {
        foreach (var (key, text) in annotations ?? [])
        {
            if (!key.StartsWith(AnnotationPrefix, StringComparison.Ordinal))
                continue;
            var name = key[AnnotationPrefix.Length..];
            if (name.Length < 3 || !name.All(char.IsAsciiLetter))
                throw new RuntimeException($"annotation {key}: {Plans.Words.Quote(name)} is no property of a systemd unit");
            var value = VariantText.TryParse(text) ?? throw new RuntimeException($"annotation {key}: {Plans.Words.Quote(text)} is no value in GVariant's text format");
            // Properties of time are in microseconds on the bus; in unit files, and so in people's heads, they end in Sec.
            if (name.EndsWith("Sec", StringComparison.Ordinal) && !name.EndsWith("USec", StringComparison.Ordinal))
            {
                if (!double.TryParse(text[(text.LastIndexOf(' ') + 1)..], NumberStyles.Float, CultureInfo.InvariantCulture, out var seconds) || seconds is not (>= 0 and < 1e12))
                    throw new RuntimeException($"annotation {key}: {Plans.Words.Quote(text)} is no number of seconds");
                (name, value) = (name[..^3] + "USec", BusValue.Of((ulong)(seconds * 1e6)));
            }
            yield return (name, value);
        }
    }

    private static string? NumberOf(string file) => file switch
    {
        "memory.max" => "MemoryMax",
        "memory.high" => "MemoryHigh",
        "memory.low" => "MemoryLow",
        "memory.min" => "MemoryMin",
        "memory.swap.max" => "MemorySwapMax",
        "pids.max" => "TasksMax",
        "cpu.weight" => "CPUWeight",
        "memory.limit_in_bytes" => "MemoryLimit",
        "cpu.shares" => "CPUShares",
        "blkio.weight" => "BlockIOWeight",
        _ => null,
    };

    private static ulong Number(string value) => value is "max" or "-1" ? ulong.MaxValue
        : ulong.TryParse(value, out var number) ? number
        : throw new RuntimeException($"cannot tell systemd of the limit {Plans.Words.Quote(value)}: it is no number");

    // "QUOTA" or "QUOTA PERIOD" in microseconds. systemd keeps whole percents: the next one up, never less than was asked for.
    private static void AddQuota(List<(string, BusValue)> properties, string value)
    {
        var words = value.Split(' ');
        var period = words.Length > 1 ? Number(words[1]) : 100_000;
        var perSecond = Number(words[0]);
        if (perSecond != ulong.MaxValue && period > 0)
            perSecond = (ulong)Math.Ceiling(perSecond * 100.0 / period) * 10_000;
        properties.Add(("CPUQuotaPeriodUSec", BusValue.Of(period)));
        properties.Add(("CPUQuotaPerSecUSec", BusValue.Of(perSecond)));
    }

    /// <summary>A list such as <c>0-3,8</c> as bits, the lowest first.</summary>
    internal static byte[] Mask(string list)
    {
        var mask = new byte[1024];
        var used = 0;
        foreach (var range in list.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            var dash = range.IndexOf('-');
            if (!ushort.TryParse(dash < 0 ? range : range[..dash], out var first) || !ushort.TryParse(range[(dash + 1)..], out var last)
                || last < first || last >= mask.Length * 8)
                throw new RuntimeException($"cannot tell systemd of the list {Plans.Words.Quote(list)}: {range} is no range");
            for (int bit = first; bit <= last; bit++)
                mask[bit / 8] |= (byte)(1 << (bit % 8));
            used = Math.Max(used, last / 8 + 1);
        }
        return mask[..used];
    }
}
