// update: changes the limits of a container that exists.

using System.Globalization;
using Conman.CommandLine;
using Conman.Linux;
using Conman.Oci.RuntimeSpec;
using Conman.Runtime;
using Conman.Runtime.Containers;

namespace Conman.Runc;

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
