// How the processor and the disks are shared with the process: scheduler and ioPriority, asked of the kernel.
using System.Runtime.InteropServices;
using System.Text.Json.Nodes;

namespace Conman.Integration.Tests;

public partial class SchedulingTests : ContainerTest
{
    /// <summary>struct sched_attr, its first version (sched_setattr(2)).</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct SchedAttr
    {
        public uint size, sched_policy;
        public ulong sched_flags;
        public int sched_nice;
        public uint sched_priority;
        public ulong sched_runtime, sched_deadline, sched_period;
    }

    [LibraryImport("libc", SetLastError = true)] private static partial nint syscall(nint number, nint a, ref SchedAttr b, nint c, nint d);
    [LibraryImport("libc", SetLastError = true)] private static partial nint syscall(nint number, nint a, nint b);

    private static bool Arm => RuntimeInformation.ProcessArchitecture == Architecture.Arm64;

    private static SchedAttr Attributes(int pid)
    {
        SchedAttr attributes = default;
        Libc.Check(syscall(Arm ? 275 : 315 /* sched_getattr */, pid, ref attributes, Marshal.SizeOf<SchedAttr>(), 0), "ask for the scheduling of a process");
        return attributes;
    }

    [Proves("process.scheduler.policy", "process.scheduler.nice")]
    [SkippableFact]
    public void A_policy_and_a_nice_value_are_set()
    {
        Bundle.Set("process/scheduler", new JsonObject { ["policy"] = "SCHED_BATCH", ["nice"] = 5 });
        SchedAttr attributes = Attributes(StartIdle(Bundle));
        Assert.Equal((3u, 5), (attributes.sched_policy, attributes.sched_nice));
    }

    [Proves("process.scheduler.priority", "process.scheduler.flags[]")]
    [SkippableFact]
    public void A_real_time_priority_is_set_with_its_flags()
    {
        Bundle.Set("process/scheduler", new JsonObject { ["policy"] = "SCHED_FIFO", ["priority"] = 10, ["flags"] = Tests.Bundle.Strings("SCHED_FLAG_RESET_ON_FORK") });
        SchedAttr attributes = Attributes(StartIdle(Bundle));
        Assert.Equal((1u, 10u, 1ul), (attributes.sched_policy, attributes.sched_priority, attributes.sched_flags));
    }

    [Proves("process.scheduler.runtime", "process.scheduler.deadline", "process.scheduler.period")]
    [SkippableFact]
    public void A_deadline_is_set()
    {
        Bundle.Set("process/scheduler", new JsonObject { ["policy"] = "SCHED_DEADLINE", ["runtime"] = 1_000_000, ["deadline"] = 20_000_000, ["period"] = 50_000_000 });
        SchedAttr attributes = Attributes(StartIdle(Bundle));
        Assert.Equal((6u, 1_000_000ul, 20_000_000ul, 50_000_000ul),
            (attributes.sched_policy, attributes.sched_runtime, attributes.sched_deadline, attributes.sched_period));
    }

    [Proves("process.ioPriority.class", "process.ioPriority.priority")]
    [SkippableTheory]
    [InlineData("IOPRIO_CLASS_BE", 7, 2)]
    [InlineData("IOPRIO_CLASS_RT", 3, 1)]
    public void An_io_priority_is_set(string kind, int priority, int number)
    {
        Bundle.Set("process/ioPriority", new JsonObject { ["class"] = kind, ["priority"] = priority });
        // IOPRIO_WHO_PROCESS is 1; the class stands above bit 13 (ioprio_get(2)).
        Assert.Equal((number << 13) | priority, (int)syscall(Arm ? 31 : 252 /* ioprio_get */, 1, StartIdle(Bundle)));
    }
}
