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
            throw new RuntimeException($"process.scheduler: invalid scheduler.nice: {scheduler.Nice} when scheduler.policy is {scheduler.Policy}");
        if (scheduler.Priority is { } priority && priority != 0 && scheduler.Policy is not ("SCHED_FIFO" or "SCHED_RR"))
            throw new RuntimeException("process.scheduler: scheduler.priority can only be specified for SchedFIFO or SchedRR policy");
        if (scheduler.Policy != "SCHED_DEADLINE" && ((scheduler.Runtime ?? 0) | (scheduler.Deadline ?? 0) | (scheduler.Period ?? 0)) != 0)
            throw new RuntimeException("process.scheduler: scheduler runtime/deadline/period can only be specified for SchedDeadline policy");
        return new SetScheduler(
            scheduler.Policy!, (uint)policy, flags, scheduler.Nice ?? 0, (uint)(scheduler.Priority ?? 0), scheduler.Runtime ?? 0, scheduler.Deadline ?? 0, scheduler.Period ?? 0);
    }

    public static SetIoPriority IoPriority(IoPriority priority)
    {
        var number = Number(IoClasses, priority.Class, "process.ioPriority.class");
        if (priority.Priority is < 0 or > 7)
            throw new RuntimeException($"process.ioPriority: invalid ioPriority.Priority: {priority.Priority}");
        return new SetIoPriority(priority.Class!, number, priority.Priority);
    }

    // A mode's place is its number (linux/mempolicy.h).
    private static readonly string?[] MemoryModes =
    [
        "MPOL_DEFAULT", "MPOL_PREFERRED", "MPOL_BIND", "MPOL_INTERLEAVE", "MPOL_LOCAL", "MPOL_PREFERRED_MANY", "MPOL_WEIGHTED_INTERLEAVE",
    ];

    /// <summary>What <c>features</c> says of memory policies.</summary>
    public static (IReadOnlyList<string> Modes, IReadOnlyList<string> Flags) MemoryPolicies =>
        ([.. MemoryModes!], ["MPOL_F_NUMA_BALANCING", "MPOL_F_RELATIVE_NODES", "MPOL_F_STATIC_NODES"]);

    public static SetMemoryPolicy MemoryPolicy(MemoryPolicy policy)
    {
        var mode = Array.IndexOf(MemoryModes, policy.Mode ?? "");
        if (mode < 0)
            throw new RuntimeException($"linux.memoryPolicy: invalid memory policy mode {Words.Quote(policy.Mode ?? "")}");
        var flags = 0;
        foreach (var flag in policy.Flags ?? [])
        {
            flags |= flag switch
            {
                "MPOL_F_STATIC_NODES" => 1 << 15,
                "MPOL_F_RELATIVE_NODES" => 1 << 14,
                "MPOL_F_NUMA_BALANCING" => 1 << 13,
                _ => RuntimeException.Throw<int>($"linux.memoryPolicy: invalid memory policy flag {Words.Quote(flag)}"),
            };
        }
        var nodes = string.IsNullOrEmpty(policy.Nodes) ? [] : BitList.Parse(policy.Nodes, "memory policy nodes");
        var count = BitList.Count(nodes);
        if (policy.Mode is "MPOL_DEFAULT" or "MPOL_LOCAL" && count > 0)
            throw new RuntimeException("linux.memoryPolicy: memory policy mode requires 0 nodes but got " + count);
        if (policy.Mode is not ("MPOL_DEFAULT" or "MPOL_LOCAL" or "MPOL_PREFERRED") && count == 0)
            throw new RuntimeException("linux.memoryPolicy: memory policy mode requires at least one node but got 0");
        return new SetMemoryPolicy(policy.Mode!, policy.Nodes ?? "", string.Join(", ", policy.Flags ?? []), mode | flags, nodes);
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
