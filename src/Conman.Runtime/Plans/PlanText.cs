// A plan in words: what no other runtime can show before it does it.

using System.Text;
using Conman.Oci.RuntimeSpec;
using Conman.Runtime.Cgroups;
using Conman.Runtime.Compiling;

namespace Conman.Runtime.Plans;

/// <summary>Prints a compiled spec, one operation a line.</summary>
public static class PlanText
{
    private const int Width = 110;

    /// <summary>The whole text.</summary>
    public static string Of(CompiledSpec compiled, Spec spec, string id)
    {
        var plan = compiled.Plan;
        var text = new StringBuilder();
        text.Append($"The plan for container {id}\n\nOutside, the runtime prepares:\n");
        var number = 0;
        if (!compiled.WithoutCgroup)
        {
            Line($"make the cgroup {(string.IsNullOrEmpty(spec.Linux?.CgroupsPath) ? "/conman-" + id : spec.Linux.CgroupsPath)}" + (compiled.Hierarchies is null
                ? "" : $" in each hierarchy ({string.Join("; ", compiled.Hierarchies.Select(h => h.IsUnified ? "unified" : h.Name))})"));
        }
        foreach (var write in (IEnumerable<CgroupWrite>)[.. compiled.DeviceList, .. compiled.Limits])
            Line($"set its {write.File} to {write.Value}");
        foreach (var handle in plan.Preparations)
        {
            if (!handle.Inside)
                Line($"open {handle.Describe()}");
        }
        var start = compiled.WithoutCgroup ? "start a process in the caller's cgroup" : "start a process in that cgroup";
        Line(plan.New == 0
            ? start
            : start + $", born in new {Words.List(plan.New)} namespaces"
                + (compiled.PidNamespace is { } pid ? $", and in {pid.Describe()}" : ""));
        if (compiled.DeviceProgram.Length > 0)
        {
            var rules = spec.Linux!.Resources!.Devices!.Count;
            Line($"let the cgroup open only the allowed devices ({rules} {(rules == 1 ? "rule" : "rules")}, as an eBPF program)");
        }

        text.Append("\nInside, the new process ");
        var part = "";
        foreach (var operation in plan.Operations)
        {
            if (Part(operation) is { } begins && begins != part)
                text.Append(part.Length == 0 ? "" : "\n").Append(part = begins).Append('\n');
            Line(operation.Describe());
        }
        foreach (var warning in compiled.Warnings)
            text.Append($"\nwarning: {warning}\n");
        return text.ToString();

        void Line(string words)
        {
            text.Append($"{++number,4}  ");
            Wrap(text, words);
        }
    }

    // The parts of a process's way, by the operation that each begins with.
    private static string? Part(Operation operation) => operation switch
    {
        NewSession => "enters its namespaces,",
        LeaveHostMounts or PlaceRoot => "builds its file system, while it still sees the host's,",
        LeaveKernelFileSystem or PivotRoot => "cuts itself off from the host,",
        TakeTerminal or SetLimit or NoNewPrivileges or BoundCapabilities or BecomeUser => "gives up the rights that the program must not have,",
        Sync { Point: SyncPoint.Ready or SyncPoint.StartHooks } or Gate => "and becomes the program:",
        _ => null,
    };

    // Breaks between words; cuts what nobody reads to its end; shows no control character to the terminal.
    private static void Wrap(StringBuilder text, string words)
    {
        const string Indent = "\n      ";
        const int MostLines = 8;
        var lines = 1;
        for (var rest = words.AsSpan(); rest.Length > 0; lines++)
        {
            if (lines > MostLines)
            {
                text.Append(Indent).Append($"… ({rest.Length} more characters)");
                break;
            }
            var cut = rest.Length <= Width ? rest.Length : rest[..(Width + 1)].LastIndexOf(' ');
            if (cut <= 0)
                cut = Width;
            text.Append(lines == 1 ? "" : Indent);
            foreach (var c in rest[..cut].TrimEnd(' '))
                text.Append(char.IsControl(c) ? '?' : c);
            rest = rest[cut..].TrimStart(' ');
        }
        text.Append('\n');
    }
}
