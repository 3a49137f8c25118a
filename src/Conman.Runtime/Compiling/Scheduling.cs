// How the kernel runs the process: scheduling policy, I/O priority, personality, by the names of the specification.

using Conman.Oci.RuntimeSpec;
using Conman.Runtime.Plans;

namespace Conman.Runtime.Compiling;

internal static class Scheduling
{
    // A name's place is its number (linux/sched.h, linux/ioprio.h); null: there is none.
    private static readonly string?[] Policies = ["SCHED_OTHER", "SCHED_FIFO", "SCHED_RR", "SCHED_BATCH", "SCHED_ISO", "SCHED_IDLE", "SCHED_DEADLINE"];
    private static readonly string?[] IoClasses = [null, "IOPRIO_CLASS_RT", "IOPRIO_CLASS_BE", "IOPRIO_CLASS_IDLE"];

    // A name's place is its bit.
    private static readonly string?[] Flags =
    [
        "SCHED_FLAG_RESET_ON_FORK", "SCHED_FLAG_RECLAIM", "SCHED_FLAG_DL_OVERRUN", "SCHED_FLAG_KEEP_POLICY", "SCHED_FLAG_KEEP_PARAMS",
        "SCHED_FLAG_UTIL_CLAMP_MIN", "SCHED_FLAG_UTIL_CLAMP_MAX",
    ];

    public static SetScheduler Policy(Scheduler scheduler)
    {
        ulong flags = 0;
        foreach (var flag in scheduler.Flags ?? [])
            flags |= 1ul << Number(Flags, flag, "process.scheduler.flags");
        var policy = Number(Policies, scheduler.Policy, "process.scheduler.policy");
        if (scheduler.Nice is < -20 or > 19)
            throw new RuntimeException($"process.scheduler.nice: {scheduler.Nice} is not from -20 to 19");
        return new SetScheduler(
            scheduler.Policy!, (uint)policy, flags, scheduler.Nice ?? 0, (uint)(scheduler.Priority ?? 0), scheduler.Runtime ?? 0, scheduler.Deadline ?? 0, scheduler.Period ?? 0);
    }

    public static SetIoPriority IoPriority(IoPriority priority)
    {
        var number = Number(IoClasses, priority.Class, "process.ioPriority.class");
        if (priority.Priority is < 0 or > 7)
            throw new RuntimeException($"process.ioPriority.priority: {priority.Priority} is not from 0 to 7");
        return new SetIoPriority(priority.Class!, number, priority.Priority);
    }

    public static SetPersonality Personality(Personality personality)
    {
        if (personality.Flags is { Count: > 0 })
            throw new RuntimeException("linux.personality.flags: no flag is supported");
        return personality.Domain switch
        {
            "LINUX" => new SetPersonality("LINUX", 0),
            "LINUX32" => new SetPersonality("LINUX32", 8),
            _ => RuntimeException.Throw<SetPersonality>($"linux.personality.domain: unknown domain {Words.Quote(personality.Domain ?? "")}"),
        };
    }

    private static int Number(string?[] names, string? name, string member)
    {
        var number = name is null ? -1 : Array.IndexOf(names, name);
        return number >= 0 ? number : RuntimeException.Throw<int>($"{member}: unknown name {Words.Quote(name ?? "")}");
    }
}
