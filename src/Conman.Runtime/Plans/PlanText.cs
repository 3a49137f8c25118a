// A plan in words: what no other runtime can show before it does it.

using System.Text;
using Conman.Oci.RuntimeSpec;
using Conman.Runtime.Compiling;

namespace Conman.Runtime.Plans;

/// <summary>Prints a compiled spec, one operation a line.</summary>
public static class PlanText
{
    /// <summary>The whole text.</summary>
    public static string Of(CompiledSpec compiled, Spec spec, string id)
    {
        var plan = compiled.Plan;
        var text = new StringBuilder();
        text.Append($"The plan for container {id}\n\nOutside, the runtime:\n");
        var number = 0;
        Line($"make the cgroup {(string.IsNullOrEmpty(spec.Linux?.CgroupsPath) ? "/conman-" + id : spec.Linux.CgroupsPath)}");
        foreach (var (file, value) in compiled.Limits)
            Line($"set its {file} to {value}");
        foreach (var handle in plan.Preparations)
            Line($"open {handle.Describe()}");
        Line(plan.New == 0
            ? "start a process in that cgroup"
            : $"start a process in that cgroup, born in new {Words.List(plan.New)} namespaces"
                + (compiled.PidNamespace is { } pid ? $", and in {pid.Describe()}" : ""));
        if (compiled.DeviceProgram.Length > 0)
            Line($"let the cgroup open only the allowed devices (an eBPF program of {compiled.DeviceProgram.Length / 8} instructions)");

        text.Append("\nInside, the new process:\n");
        foreach (var operation in plan.Operations)
            Line(operation.Describe());
        foreach (var warning in compiled.Warnings)
            text.Append($"\nwarning: {warning}\n");
        return text.ToString();

        void Line(string words) => text.Append($"{++number,4}  {words}\n");
    }
}
