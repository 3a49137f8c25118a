// What a container uses, read from its cgroup and written as runc's events do: the same members, and some more.

using System.Globalization;
using System.Text;
using Conman.Linux;
using Conman.Oci;

namespace Conman.Runtime.Cgroups;

/// <summary>The member <c>data</c> of an event of type <c>stats</c>. What the kernel does not tell is 0 or left out, as there.</summary>
public sealed class CgroupStatistics
{
    private readonly ContainerCgroup _cgroup;
    private readonly OciWriter _json;

    private CgroupStatistics(ContainerCgroup cgroup, OciWriter json) => (_cgroup, _json) = (cgroup, json);

    /// <summary>Writes the value.</summary>
    /// <param name="killed">Tells which processes were killed for want of memory; asked only if there are any.</param>
    public static void Write(OciWriter json, ContainerCgroup cgroup, Func<IReadOnlyList<OomKill>> killed)
    {
        var statistics = new CgroupStatistics(cgroup, json);
        json.WriteStartObject();
        if (cgroup.IsUnified)
            statistics.WriteUnified(killed);
        else
            statistics.WriteLegacy(killed);
        // Members that runc always writes.
        json.WritePropertyName("intel_rdt"u8);
        json.WriteStartObject();
        json.WriteEndObject();
        json.WritePropertyName("network_interfaces"u8);
        json.WriteNullValue();
        json.WriteEndObject();
    }

    private void WriteUnified(Func<IReadOnlyList<OomKill>> killed)
    {
        var cpu = Table("cpu", "cpu.stat");
        Object("cpu"u8, () =>
        {
            Object("usage"u8, () =>
            {
                Number("total"u8, cpu.GetValueOrDefault("usage_usec") * 1000);
                Number("kernel"u8, cpu.GetValueOrDefault("system_usec") * 1000);
                Number("user"u8, cpu.GetValueOrDefault("user_usec") * 1000);
            });
            WriteThrottling(cpu, cpu.GetValueOrDefault("throttled_usec") * 1000);
            WritePressure("cpu");
        });
        WriteCpuset("cpuset.cpus.effective", "cpuset.mems.effective", null);

        var memory = Table("memory", "memory.stat");
        var (usage, limit) = (Value("memory", "memory.current"), Value("memory", "memory.max", ulong.MaxValue));
        Object("memory"u8, () =>
        {
            Number("cache"u8, memory.GetValueOrDefault("file"));
            WriteEntry("usage"u8, limit, usage, Value("memory", "memory.peak"), Table("memory", "memory.events").GetValueOrDefault("max"));
            // Here swap is counted apart; runc's reader expects both together.
            var swap = Value("memory", "memory.swap.max", ulong.MaxValue);
            WriteEntry("swap"u8, swap == ulong.MaxValue || limit == ulong.MaxValue ? ulong.MaxValue : swap + limit, usage + Value("memory", "memory.swap.current"), 0, 0);
            WriteEntry("kernel"u8, 0, memory.GetValueOrDefault("kernel"), 0, 0);
            WriteEntry("kernelTCP"u8, 0, memory.GetValueOrDefault("sock"), 0, 0);
            WriteRaw(memory);
            WritePressure("memory");
            WriteKills(Table("memory", "memory.events").GetValueOrDefault("oom_kill"), killed);
        });
        WritePids();
        Object("blkio"u8, () =>
        {
            var devices = Lines("io", "io.stat");
            Entries("ioServiceBytesRecursive"u8, devices, ("rbytes", "Read"), ("wbytes", "Write"));
            Entries("ioServicedRecursive"u8, devices, ("rios", "Read"), ("wios", "Write"));
            WritePressure("io");
        });
        WriteHugePages(size => (Value("hugetlb", $"hugetlb.{size}.current"), 0, Table("hugetlb", $"hugetlb.{size}.events").GetValueOrDefault("max")));
    }

    private void WriteLegacy(Func<IReadOnlyList<OomKill>> killed)
    {
        var cpu = Table("cpu", "cpu.stat");
        Object("cpu"u8, () =>
        {
            // cpuacct.stat counts in USER_HZ, which is 100 on every architecture that has a name here.
            var ticks = Table("cpuacct", "cpuacct.stat");
            Object("usage"u8, () =>
            {
                Number("total"u8, Value("cpuacct", "cpuacct.usage"));
                WriteList("percpu"u8, (Read("cpuacct", "cpuacct.usage_percpu") ?? "").Split(' ', StringSplitOptions.RemoveEmptyEntries));
                Number("kernel"u8, ticks.GetValueOrDefault("system") * 10_000_000);
                Number("user"u8, ticks.GetValueOrDefault("user") * 10_000_000);
            });
            WriteThrottling(cpu, cpu.GetValueOrDefault("throttled_time"));
        });
        WriteCpuset("cpuset.cpus", "cpuset.mems", name => Value("cpuset", "cpuset." + name));

        var memory = Table("memory", "memory.stat");
        Object("memory"u8, () =>
        {
            Number("cache"u8, Value("memory", "memory.use_hierarchy") == 1 ? memory.GetValueOrDefault("total_cache") : memory.GetValueOrDefault("cache"));
            foreach (var (name, prefix) in ((string, string)[])[("usage", ""), ("swap", "memsw."), ("kernel", "kmem."), ("kernelTCP", "kmem.tcp.")])
            {
                var file = "memory." + prefix;
                WriteEntry(Encoding.UTF8.GetBytes(name), Value("memory", file + "limit_in_bytes"), Value("memory", file + "usage_in_bytes"),
                    Value("memory", file + "max_usage_in_bytes"), Value("memory", file + "failcnt"));
            }
            WriteRaw(memory);
            WriteKills(Table("memory", "memory.oom_control").GetValueOrDefault("oom_kill"), killed);
        });
        WritePids();
        Object("blkio"u8, () =>
        {
            foreach (var (name, file) in ((string, string)[])[("ioServiceBytesRecursive", "io_service_bytes"), ("ioServicedRecursive", "io_serviced")])
            {
                var lines = Lines("blkio", $"blkio.throttle.{file}_recursive");
                Array(Encoding.UTF8.GetBytes(name), lines, line =>
                {
                    // "8:0 Read 4096"; the last line is "Total 4096".
                    var words = line.Split(' ');
                    if (words.Length == 3 && ulong.TryParse(words[2], out var value))
                        WriteEntry(words[0], words[1], value);
                });
            }
        });
        WriteHugePages(size => (Value("hugetlb", $"hugetlb.{size}.usage_in_bytes"), Value("hugetlb", $"hugetlb.{size}.max_usage_in_bytes"), Value("hugetlb", $"hugetlb.{size}.failcnt")));
    }

    private void WriteThrottling(Dictionary<string, ulong> cpu, ulong nanoseconds) => Object("throttling"u8, () =>
    {
        Number("periods"u8, cpu.GetValueOrDefault("nr_periods"));
        Number("throttledPeriods"u8, cpu.GetValueOrDefault("nr_throttled"));
        Number("throttledTime"u8, nanoseconds);
    });

    private void WriteCpuset(string cpus, string memories, Func<string, ulong>? flag) => Object("cpuset"u8, () =>
    {
        WriteList("cpus"u8, Expand(Read("cpuset", cpus)));
        WriteList("mems"u8, Expand(Read("cpuset", memories)));
        foreach (var name in (ReadOnlySpan<string>)["cpu_exclusive", "mem_hardwall", "mem_exclusive", "memory_migrate", "memory_spread_page",
            "memory_spread_slab", "memory_pressure", "sched_load_balance"])
            Number(Encoding.UTF8.GetBytes(name), flag?.Invoke(name) ?? 0);
        _json.WriteNumber("sched_relax_domain_level"u8, flag is not null && long.TryParse(Read("cpuset", "cpuset.sched_relax_domain_level"), out var level) ? level : 0);
    });

    private void WriteEntry(ReadOnlySpan<byte> name, ulong limit, ulong usage, ulong most, ulong failures)
    {
        _json.WritePropertyName(name);
        _json.WriteStartObject();
        Number("limit"u8, limit);
        Number("usage"u8, usage);
        Number("max"u8, most);
        Number("failcnt"u8, failures);
        _json.WriteEndObject();
    }

    private void WriteRaw(Dictionary<string, ulong> memory) => Object("raw"u8, () =>
    {
        foreach (var (name, value) in memory)
            Number(Encoding.UTF8.GetBytes(name), value);
    });

    // Not runc's: how often the kernel has killed here, and whom, as far as its log still tells.
    private void WriteKills(ulong count, Func<IReadOnlyList<OomKill>> killed)
    {
        Number("oomKills"u8, count);
        if (count == 0 || killed() is not { Count: > 0 } list)
            return;
        // The log may reach back to a container that had the name before.
        OomKill.Write(_json, [.. list.Skip(list.Count - (int)Math.Min(count, (ulong)list.Count))]);
    }

    private void WritePids() => Object("pids"u8, () =>
    {
        Number("current"u8, Value("pids", "pids.current"));
        Number("limit"u8, Value("pids", "pids.max")); // 0: none
    });

    private void WriteHugePages(Func<string, (ulong Usage, ulong Most, ulong Failures)> read) => Object("hugetlb"u8, () =>
    {
        if (_cgroup.FolderOf("hugetlb") is not { } folder || Files.TryOpen(folder.Path, OpenFlags.ReadOnly | Files.Directory, out _) is not { } directory)
            return;
        using (directory)
        {
            // hugetlb.2MB.current, hugetlb.2MB.usage_in_bytes: the sizes are those that have a file.
            var names = Files.List(directory, folder.Path);
            names.Sort(string.CompareOrdinal);
            foreach (var name in names)
            {
                var words = name.Split('.');
                if (words is not ["hugetlb", var size, "current" or "usage_in_bytes"])
                    continue;
                var (usage, most, failures) = read(size);
                Object(Encoding.UTF8.GetBytes(size), () =>
                {
                    Number("usage"u8, usage);
                    Number("max"u8, most);
                    Number("failcnt"u8, failures);
                });
            }
        }
    });

    // Documentation/accounting/psi.rst: "some avg10=0.00 avg60=0.00 avg300=0.00 total=0". A kernel that does not count has no file.
    private void WritePressure(string resource)
    {
        var lines = Lines(resource, resource + ".pressure");
        if (lines.Length == 0)
            return;
        Object("psi"u8, () =>
        {
            foreach (var line in lines)
            {
                var words = line.Split(' ');
                Object(Encoding.UTF8.GetBytes(words[0]), () =>
                {
                    foreach (var word in words.AsSpan(1))
                    {
                        var equals = word.IndexOf('=');
                        if (equals < 0 || !double.TryParse(word.AsSpan(equals + 1), NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out _))
                            continue;
                        _json.WritePropertyName(word[..equals]);
                        _json.WriteRawValue(Encoding.UTF8.GetBytes(word[(equals + 1)..]));
                    }
                });
            }
        });
    }

    // io.stat: "8:0 rbytes=4096 wbytes=0 rios=1 wios=0 dbytes=0 dios=0".
    private void Entries(ReadOnlySpan<byte> name, string[] devices, params (string Key, string Operation)[] counters) => Array(name, devices, line =>
    {
        var words = line.Split(' ');
        foreach (var (key, operation) in counters)
        {
            var word = System.Array.Find(words, w => w.StartsWith(key + "=", StringComparison.Ordinal));
            if (word is not null && ulong.TryParse(word.AsSpan(key.Length + 1), out var value))
                WriteEntry(words[0], operation, value);
        }
    });

    private void WriteEntry(string device, string operation, ulong value)
    {
        var colon = device.IndexOf(':');
        if (colon < 0 || !ulong.TryParse(device.AsSpan(0, colon), out var major) || !ulong.TryParse(device.AsSpan(colon + 1), out var minor))
            return;
        _json.WriteStartObject();
        Number("major"u8, major);
        Number("minor"u8, minor);
        _json.WriteString("op"u8, operation);
        Number("value"u8, value);
        _json.WriteEndObject();
    }

    private void Array(ReadOnlySpan<byte> name, string[] lines, Action<string> write)
    {
        if (lines.Length == 0)
            return;
        _json.WritePropertyName(name);
        _json.WriteStartArray();
        foreach (var line in lines)
            write(line);
        _json.WriteEndArray();
    }

    private void WriteList(ReadOnlySpan<byte> name, IEnumerable<string> numbers)
    {
        _json.WritePropertyName(name);
        _json.WriteStartArray();
        foreach (var text in numbers)
        {
            if (ulong.TryParse(text, out var number))
                _json.WriteNumberValue(number);
        }
        _json.WriteEndArray();
    }

    private static IEnumerable<string> Expand(string? list)
    {
        foreach (var range in (list ?? "").Split(',', StringSplitOptions.RemoveEmptyEntries))
        {
            var dash = range.IndexOf('-');
            if (!ushort.TryParse(dash < 0 ? range : range[..dash], out var first) || !ushort.TryParse(range[(dash + 1)..], out var last))
                continue;
            for (int number = first; number <= last; number++)
                yield return number.ToString(CultureInfo.InvariantCulture);
        }
    }

    private void Object(ReadOnlySpan<byte> name, Action members)
    {
        _json.WritePropertyName(name);
        _json.WriteStartObject();
        members();
        _json.WriteEndObject();
    }

    private void Number(ReadOnlySpan<byte> name, ulong value)
    {
        _json.WritePropertyName(name);
        _json.WriteNumberValue(value);
    }

    private ulong Value(string controller, string file, ulong none = 0) =>
        Read(controller, file) is { } text && ulong.TryParse(text, out var value) ? value : none;

    private Dictionary<string, ulong> Table(string controller, string file)
    {
        var table = new Dictionary<string, ulong>(StringComparer.Ordinal);
        foreach (var line in Lines(controller, file))
        {
            var space = line.IndexOf(' ');
            if (space > 0 && ulong.TryParse(line.AsSpan(space + 1), out var value))
                table[line[..space]] = value;
        }
        return table;
    }

    private string[] Lines(string controller, string file) => (Read(controller, file) ?? "").Split('\n', StringSplitOptions.RemoveEmptyEntries);

    // A file that the kernel has and does not answer (pressure that is not counted: EOPNOTSUPP) says as much as none.
    private string? Read(string controller, string file)
    {
        try
        {
            return _cgroup.FolderOf(controller)?.TryRead(file);
        }
        catch (LinuxException)
        {
            return null;
        }
    }
}
