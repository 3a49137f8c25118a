// update: changes the limits of a container that exists.

using Conman.CommandLine;
using Conman.Linux;
using Conman.Oci.RuntimeSpec;
using Conman.Runtime;
using Conman.Runtime.Containers;

namespace Conman.Oci;

internal static class UpdateCommand
{
    public static Command Declare(OciContext context) => new("update", "ID", "Change the limits of a container",
    [
        new("resources", "file with resources as in config.json; - for standard input", "FILE", 'r'),
        new("memory", "memory limit in bytes; -1: none", "BYTES"),
        new("memory-reservation", "memory reservation in bytes", "BYTES"),
        new("memory-swap", "limit of memory and swap together in bytes; -1: none", "BYTES"),
        new("pids-limit", "most processes; -1: any number", "N"),
        new("cpu-period", "period of the CPU quota in microseconds", "US"),
        new("cpu-quota", "CPU time in each period in microseconds; -1: any", "US"),
        new("cpu-burst", "unused quota that may be used later in microseconds", "US"),
        new("cpu-share", "weight against others, 2 to 262144", "N"),
        new("cpu-idle", "1: run only when nothing else wants to", "N"),
        new("cpuset-cpus", "CPUs to run on", "LIST"),
        new("cpuset-mems", "memory nodes to use", "LIST"),
        new("blkio-weight", "weight of block I/O, 10 to 1000", "N"),
    ], arguments => Run(context, arguments));

    private static int Run(OciContext context, Arguments arguments)
    {
        using var container = Container.OpenLocked(context.Root, arguments.Words[0]);
        container.Update(arguments.Get("resources") is { } file ? Read(file) : FromOptions(arguments));
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
            Memory = new MemoryResources { Limit = Signed("memory"), Reservation = Signed("memory-reservation"), Swap = Signed("memory-swap") },
            Pids = new PidsResources { Limit = Signed("pids-limit") },
            Cpu = new CpuResources
            {
                Period = Unsigned("cpu-period"),
                Quota = Signed("cpu-quota"),
                Burst = Unsigned("cpu-burst"),
                Shares = Unsigned("cpu-share"),
                Idle = Signed("cpu-idle"),
                Cpus = arguments.Get("cpuset-cpus"),
                Mems = arguments.Get("cpuset-mems"),
            },
            BlockIO = new BlockIo { Weight = (ushort?)Unsigned("blkio-weight", ushort.MaxValue) },
        };

        long? Signed(string option) => arguments.Get(option) is not { } text ? null
            : long.TryParse(text, out var number) ? number
            : throw new UsageException($"--{option}: {text} is not a number");

        ulong? Unsigned(string option, ulong most = ulong.MaxValue) => arguments.Get(option) is not { } text ? null
            : ulong.TryParse(text, out var number) && number <= most ? number
            : throw new UsageException($"--{option}: {text} is not a number from 0 to {most}");
    }
}
