// Compiling the process: limits, ids, capabilities, filter, program.

using System.Numerics;
using Conman.Oci.RuntimeSpec;
using Conman.Runtime.Plans;
using Conman.Runtime.Seccomp;

namespace Conman.Runtime.Compiling;

public sealed partial class PlanCompiler
{
    private SeccompFilter? _filter;
    private LandlockRuleset? _landlock;

    private void BecomeProcess(bool terminal)
    {
        if (terminal)
            _plan.Add(new TakeTerminal());
        _filter = _linux.Seccomp is null ? null : _options.Filter ?? SeccompCompiler.Compile(_linux.Seccomp);
        _landlock = PrepareLandlock(_plan, _spec, _facts, _warnings);
        if (_landlock is not null)
            _plan.Add(new Sync(SyncPoint.Landlock));
        AddExecutionDomain(_plan, _linux);
        AddProcess(_plan, _process, _facts, _filter, _landlock, KeepsGroups(_spec), _warnings);
    }

    private void ExecuteProgram() => AddProgram(_plan, _process, _facts, _filter, _options.PreservedDescriptors, _options.ListeningDescriptors, _options.ListeningNames);

    /// <summary>What <c>linux</c> says of every process of the container. Shared with exec.</summary>
    internal static void AddExecutionDomain(Plan plan, Oci.RuntimeSpec.Linux linux)
    {
        if (linux.MemoryPolicy is { } policy)
            plan.Add(Scheduling.MemoryPolicy(policy));
        if (linux.Personality is { } personality)
            plan.Add(Scheduling.Personality(personality));
    }

    /// <summary>The ruleset that the annotations ask for, or null. Shared with exec.</summary>
    internal static LandlockRuleset? PrepareLandlock(Plan plan, Spec spec, HostFacts facts, List<string> warnings)
    {
        if (LandlockPolicy.Parse(spec.Annotations) is not { } policy)
            return null;
        if (policy.CanBeExpressed(facts.Landlock))
            return plan.Prepare(new LandlockRuleset(policy, facts.Landlock));
        warnings.Add("org.conman.landlock.*: this kernel's Landlock can restrict nothing of it");
        return null;
    }

    private static void RequireSelinux(HostFacts facts)
    {
        if (!facts.Selinux)
            throw new RuntimeException("process.selinuxLabel: selinux label is specified in config, but selinux is disabled or not supported");
    }

    private static void AddLabels(Plan plan, Process process, HostFacts facts)
    {
        if (!string.IsNullOrEmpty(process.ApparmorProfile))
        {
            if (!facts.AppArmor)
                throw new RuntimeException("process.apparmorProfile: apparmor: config provided but apparmor not supported");
            plan.Add(new SetLabel(plan.Prepare(new HostProc("/proc")), "apparmor/exec", "exec " + process.ApparmorProfile, "take the AppArmor profile " + process.ApparmorProfile));
        }
        if (!string.IsNullOrEmpty(process.SelinuxLabel))
        {
            RequireSelinux(facts);
            plan.Add(new SetLabel(plan.Prepare(new HostProc("/proc")), "exec", process.SelinuxLabel, "take the SELinux label " + process.SelinuxLabel));
        }
    }

    /// <summary>Podman's <c>--group-add keep-groups</c>, by crun's annotation: the additional groups are the caller's, and those of the spec do not count.</summary>
    internal static bool KeepsGroups(Spec spec) =>
        spec.Annotations is not null && spec.Annotations.TryGetValue("run.oci.keep_original_groups", out var keep) && keep == "1";

    /// <summary>From root with every capability to the user that the program runs as. Shared with exec.</summary>
    internal static void AddProcess(Plan plan, Process process, HostFacts facts, SeccompFilter? filter, LandlockRuleset? landlock, bool keepsGroups, List<string> warnings)
    {
        if (facts.ForeignStreams.Count > 0 && !process.Terminal)
            plan.Add(new OwnStreams(facts.ForeignStreams, process.User?.Uid ?? 0));
        foreach (var limit in process.Rlimits ?? [])
            plan.Add(new SetLimit(limit.Type!, ResourceLimits.Number(limit.Type!), limit.Soft, limit.Hard));
        if (process.Scheduler is { } scheduler)
            plan.Add(Scheduling.Policy(scheduler));
        if (process.IoPriority is { } priority)
            plan.Add(Scheduling.IoPriority(priority));
        AddLabels(plan, process, facts);
        if (process.NoNewPrivileges)
            plan.Add(new NoNewPrivileges());
        else if (landlock is not null)
            plan.Add(new RestrictSelf(landlock)); // as with the filter: only a privileged process may, without no_new_privs
        if (filter is not null && !process.NoNewPrivileges)
            plan.Add(new LoadFilter(filter.Program, filter.Flags));

        var capabilities = process.Capabilities;
        var unknown = new SortedSet<string>(StringComparer.Ordinal);
        var bounding = Set(capabilities?.Bounding, facts, unknown);
        if ((bounding & facts.Capabilities) != facts.Capabilities)
            plan.Add(new BoundCapabilities(bounding));
        var user = process.User ?? new User();
        plan.Add(new BecomeUser(user.Uid, user.Gid, user.AdditionalGids ?? [], GroupsMayStay: facts.Rights.Rootless) { KeepsGroups = keepsGroups });
        // "Where umask is not set, the runtime chooses": 022, as every shell expects, whatever the caller had.
        plan.Add(new SetUmask(user.Umask ?? 0x12 /* 022 */));
        plan.Add(new ChangeDirectory(process.Cwd!));
        var inheritable = Set(capabilities?.Inheritable, facts, unknown);
        var permitted = Set(capabilities?.Permitted, facts, unknown);
        var ambient = Set(capabilities?.Ambient, facts, unknown);
        for (var rest = ambient & ~(inheritable & permitted); rest != 0; rest &= rest - 1)
            warnings.Add($"can't raise ambient capability {CapabilityNames.All[BitOperations.TrailingZeroCount(rest)]}: it is not both permitted and inheritable");
        ambient &= inheritable & permitted;
        plan.Add(new SetCapabilities(Set(capabilities?.Effective, facts, unknown), permitted, inheritable, ambient));
        if (unknown.Count > 0)
            warnings.Add($"ignoring unknown or unavailable capabilities: [{string.Join(' ', unknown)}]");
        plan.Add(new FindProgram(process.Args![0], Candidates(process), process.Args[0].IndexOf('/') < 0));
        if (landlock is not null && process.NoNewPrivileges)
            plan.Add(new RestrictSelf(landlock)); // no path is looked at from here to the program
    }

    /// <summary>The last steps, after which nothing of the runtime is left.</summary>
    internal static void AddProgram(Plan plan, Process process, HostFacts facts, SeccompFilter? filter, int preserved, int listening = 0, string? names = null,
        List<string>? arguments = null)
    {
        AddBeforeFilter(plan, new CloseDescriptors(3 + preserved));
        if (filter is not null && process.NoNewPrivileges)
            plan.Add(new LoadFilter(filter.Program, filter.Flags));
        var environment = Environment(process, facts);
        if (listening > 0)
            environment.AddRange(["LISTEN_FDS=" + listening, "LISTEN_PID=1"]);
        if (listening > 0 && names is not null)
            environment.Add("LISTEN_FDNAMES=" + names);
        plan.Add(new Execute(arguments ?? process.Args!, environment));
    }

    // A filter that is loaded early need not allow close_range(2): nothing is opened any more from there on but with O_CLOEXEC.
    private static void AddBeforeFilter(Plan plan, Operation operation)
    {
        var filter = plan.Operations.FindIndex(static o => o is LoadFilter);
        plan.Operations.Insert(filter < 0 ? plan.Operations.Count : filter, operation);
    }

    private static List<string> Environment(Process process, HostFacts facts)
    {
        // Of two values for one name the later counts; programs would take the first they find.
        var variables = new List<string>();
        foreach (var variable in process.Env ?? [])
        {
            var name = variable.AsSpan(0, Math.Max(variable.IndexOf('='), 0)).ToString() + "=";
            variables.RemoveAll(v => v.StartsWith(name, StringComparison.Ordinal) && name.Length > 1);
            variables.Add(variable);
        }
        // An empty one is as good as none, as with runc.
        variables.Remove("HOME=");
        if (!variables.Exists(v => v.StartsWith("HOME=", StringComparison.Ordinal)))
            variables.Add("HOME=" + (facts.Home ?? "/"));
        return variables;
    }

    private static ulong Set(List<string>? names, HostFacts facts, SortedSet<string> unknown)
    {
        ulong bits = 0;
        foreach (var name in names ?? [])
        {
            var bit = CapabilityNames.Bit(name);
            if ((bit & facts.Capabilities) == 0)
                unknown.Add(name);
            bits |= bit & facts.Capabilities;
        }
        return bits;
    }

    // A name with a slash is a path; any other is looked for in PATH of the container's own environment.
    private static List<string> Candidates(Process process)
    {
        var name = process.Args![0];
        if (name.Contains('/'))
            return [name];
        var path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
        foreach (var variable in process.Env ?? [])
        {
            if (variable.StartsWith("PATH=", StringComparison.Ordinal))
                path = variable[5..];
        }
        var candidates = new List<string>();
        foreach (var directory in path.Split(':'))
            candidates.Add(directory.Length == 0 ? name : directory.TrimEnd('/') + "/" + name);
        return candidates;
    }
}
