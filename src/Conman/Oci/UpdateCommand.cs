// update: changes the limits of a container that exists.

using System.Globalization;
using Conman.CommandLine;
using Conman.Linux;
using Conman.Oci.RuntimeSpec;
using Conman.Runtime;
using Conman.Runtime.Containers;

namespace Conman.Oci;

internal static class UpdateCommand
{
    public static Command Declare(OciContext context) => new("update", "ID", "Change the limits of a container; what is not given stays",
    [
        new("resources", "file with resources as in config.json; - for standard input", "FILE", 'r'),
        new("memory", "memory limit, in bytes or with a unit (512M); -1: none", "SIZE"),
        new("memory-reservation", "memory reservation; -1: none", "SIZE"),
        new("memory-swap", "limit of memory and swap together; -1: none", "SIZE"),
        new("kernel-memory", "obsolete: has no effect", "SIZE"),
        new("kernel-memory-tcp", "limit of the kernel's memory for TCP (cgroup v1)", "SIZE"),
        new("pids-limit", "most processes; -1: any number", "N"),
        new("cpu-period", "period of the CPU quota in microseconds", "US"),
        new("cpu-quota", "CPU time in each period in microseconds; -1: any", "US"),
        new("cpu-burst", "unused quota that may be used later in microseconds", "US"),
        new("cpu-rt-period", "period of the realtime scheduler's limit in microseconds (cgroup v1)", "US"),
        new("cpu-rt-runtime", "realtime CPU time in each such period in microseconds (cgroup v1)", "US"),
        new("cpu-share", "weight against others, 2 to 262144", "N"),
        new("cpu-idle", "1: run only when nothing else wants to", "N"),
        new("cpuset-cpus", "CPUs to run on", "LIST"),
        new("cpuset-mems", "memory nodes to use", "LIST"),
        new("blkio-weight", "weight of block I/O, 10 to 1000", "N"),
        new("l3-cache-schema", "Intel RDT: what of the L3 cache may be used", "TEXT"),
        new("mem-bw-schema", "Intel RDT: what of the memory's bandwidth may be used", "TEXT"),
    ], arguments => Run(context, arguments));

    private static int Run(OciContext context, Arguments arguments)
    {
        using var container = Container.OpenLocked(context.Root, arguments.Words[0]);
        if (arguments.Get("l3-cache-schema") is not null)
            throw new RuntimeException("Intel RDT/CAT: l3 cache schema is not enabled");
        if (arguments.Get("mem-bw-schema") is not null)
            throw new RuntimeException("Intel RDT/MBA: memory bandwidth schema is not enabled");
        foreach (var warning in container.Update(arguments.Get("resources") is { } file ? Read(file) : FromOptions(arguments)))
            context.Warn(warning);
        return 0;
    }

    private static Resources Read(string file)
    {
        try
        {
            if (file != "-")
                return Resources.Parse(Files.ReadAll(file));
            using var input = Files.Duplicate(0);
            return Resources.Parse(Files.ReadAll(input, "standard input"));
        }
        catch (FormatException e)
        {
            throw new RuntimeException($"{file}: {e.Message}", e);
        }
    }

    private static Resources FromOptions(Arguments arguments)
    {
        return new Resources
        {
            Memory = new MemoryResources
            {
                Limit = Size("memory"),
                Reservation = Size("memory-reservation"),
                Swap = Size("memory-swap"),
                Kernel = Size("kernel-memory"),
                KernelTCP = Size("kernel-memory-tcp"),
            },
            Pids = new PidsResources { Limit = Signed("pids-limit") },
            Cpu = new CpuResources
            {
                Period = Unsigned("cpu-period"),
                Quota = Signed("cpu-quota"),
                Burst = Unsigned("cpu-burst"),
                RealtimePeriod = Unsigned("cpu-rt-period"),
                RealtimeRuntime = Signed("cpu-rt-runtime"),
                Shares = Unsigned("cpu-share"),
                Idle = Signed("cpu-idle"),
                Cpus = arguments.Get("cpuset-cpus"),
                Mems = arguments.Get("cpuset-mems"),
            },
            BlockIO = new BlockIo { Weight = (ushort?)Unsigned("blkio-weight", ushort.MaxValue) },
        };

        long? Size(string option) => arguments.Get(option) is not { Length: > 0 } text ? null
            : Sizes.TryParse(text, out var bytes) ? bytes
            : throw new UsageException($"--{option}: {text} is not a size");

        long? Signed(string option) => arguments.Get(option) is not { Length: > 0 } text ? null
            : long.TryParse(text, out var number) ? number
            : throw new UsageException($"--{option}: {text} is not a number");

        ulong? Unsigned(string option, ulong most = ulong.MaxValue) => arguments.Get(option) is not { Length: > 0 } text ? null
            : ulong.TryParse(text, out var number) && number <= most ? number
            : throw new UsageException($"--{option}: {text} is not a number from 0 to {most}");
    }
}

/// <summary>Sizes as people and callers of runc write them.</summary>
internal static class Sizes
{
    /// <summary><c>-1</c>; a number of bytes; or a number, perhaps with a fraction, and a unit of 1024 (<c>512M</c>, <c>1.5g</c>, <c>64KiB</c>).</summary>
    public static bool TryParse(string text, out long bytes)
    {
        bytes = -1;
        if (text == "-1")
            return true;
        var digits = 0;
        while (digits < text.Length && (char.IsAsciiDigit(text[digits]) || text[digits] == '.'))
            digits++;
        var power = text[digits..].Trim().ToUpperInvariant() switch
        {
            "" or "B" => 0,
            "K" or "KB" or "KIB" => 1,
            "M" or "MB" or "MIB" => 2,
            "G" or "GB" or "GIB" => 3,
            "T" or "TB" or "TIB" => 4,
            "P" or "PB" or "PIB" => 5,
            _ => -1,
        };
        if (power < 0 || !decimal.TryParse(text.AsSpan(0, digits), NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var number))
            return false;
        number *= 1L << (10 * power);
        bytes = number > long.MaxValue ? long.MaxValue : (long)number;
        return true;
    }
}
