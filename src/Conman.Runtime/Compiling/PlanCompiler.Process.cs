// Compiling the process: limits, ids, capabilities, filter, program.

using Conman.Oci.RuntimeSpec;
using Conman.Runtime.Plans;
using Conman.Runtime.Seccomp;

namespace Conman.Runtime.Compiling;

public sealed partial class PlanCompiler
{
    private SeccompFilter? _filter;

    private void BecomeProcess(bool terminal)
    {
        if (terminal)
            _plan.Add(new TakeTerminal());
        _filter = _linux.Seccomp is null ? null : _options.Filter ?? SeccompCompiler.Compile(_linux.Seccomp);
        if (_filter is { NeedsListener: true })
            throw new RuntimeException("linux.seccomp: SCMP_ACT_NOTIFY is not supported yet");
        if (_linux.Personality is { } personality)
            _plan.Add(Scheduling.Personality(personality));
        AddProcess(_plan, _process, _facts, _filter, _newUser || _joinedUser, _warnings);
    }

    private void ExecuteProgram() => AddProgram(_plan, _process, _facts, _filter, _options.PreservedDescriptors, _options.ListeningDescriptors);

    /// <summary>From root with every capability to the user that the program runs as. Shared with exec.</summary>
    internal static void AddProcess(Plan plan, Process process, HostFacts facts, SeccompFilter? filter, bool inUserNamespace, List<string> warnings)
    {
        foreach (var limit in process.Rlimits ?? [])
            plan.Add(new SetLimit(limit.Type!, ResourceLimits.Number(limit.Type!), limit.Soft, limit.Hard));
        if (process.Scheduler is { } scheduler)
            plan.Add(Scheduling.Policy(scheduler));
        if (process.IoPriority is { } priority)
            plan.Add(Scheduling.IoPriority(priority));
        if (!string.IsNullOrEmpty(process.ApparmorProfile))
            throw new RuntimeException("process.apparmorProfile: apparmor is not supported yet");
        if (!string.IsNullOrEmpty(process.SelinuxLabel))
            throw new RuntimeException("process.selinuxLabel: selinux is not supported yet");
        if (process.NoNewPrivileges)
            plan.Add(new NoNewPrivileges());
        if (filter is not null && !process.NoNewPrivileges)
            plan.Add(new LoadFilter(filter.Program, filter.Flags));

        var capabilities = process.Capabilities;
        var bounding = Set(capabilities?.Bounding, "bounding", facts, warnings);
        if ((bounding & facts.Capabilities) != facts.Capabilities)
            plan.Add(new BoundCapabilities(bounding));
        var user = process.User ?? new User();
        plan.Add(new BecomeUser(user.Uid, user.Gid, user.AdditionalGids ?? [], GroupsMayStay: facts.Rights.Rootless));
        // "Where umask is not set, the runtime chooses": 022, as every shell expects, whatever the caller had.
        plan.Add(new SetUmask(user.Umask ?? 0x12 /* 022 */));
        plan.Add(new ChangeDirectory(process.Cwd!));
        var inheritable = Set(capabilities?.Inheritable, "inheritable", facts, warnings);
        var permitted = Set(capabilities?.Permitted, "permitted", facts, warnings);
        var ambient = Set(capabilities?.Ambient, "ambient", facts, warnings);
        if ((ambient & ~(inheritable & permitted)) != 0)
        {
            warnings.Add($"process.capabilities.ambient: {CapabilityNames.List(ambient & ~(inheritable & permitted))} cannot be ambient without being permitted and inheritable");
            ambient &= inheritable & permitted;
        }
        plan.Add(new SetCapabilities(Set(capabilities?.Effective, "effective", facts, warnings), permitted, inheritable, ambient));
        plan.Add(new FindProgram(process.Args![0], Candidates(process), process.Args[0].IndexOf('/') < 0));
    }

    /// <summary>The last steps, after which nothing of the runtime is left.</summary>
    internal static void AddProgram(Plan plan, Process process, HostFacts facts, SeccompFilter? filter, int preserved, int listening = 0)
    {
        plan.Add(new CloseDescriptors(3 + preserved));
        if (filter is not null && process.NoNewPrivileges)
            plan.Add(new LoadFilter(filter.Program, filter.Flags));
        var environment = Environment(process, facts);
        if (listening > 0)
            environment.AddRange([$"LISTEN_FDS={listening}", "LISTEN_PID=1"]);
        plan.Add(new Execute(process.Args!, environment));
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

    private static ulong Set(List<string>? names, string set, HostFacts facts, List<string> warnings)
    {
        ulong bits = 0;
        foreach (var name in names ?? [])
        {
            var bit = CapabilityNames.Bit(name);
            if ((bit & facts.Capabilities) == 0)
                warnings.Add($"ignoring unknown or unavailable capability {Words.Quote(name)} in process.capabilities.{set}");
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
