// The formats between C# and C: both sides compiled against each other, so that neither can change alone.

using System.Reflection;
using System.Text.RegularExpressions;
using Conman.Engine.Monitoring;
using Conman.Runtime.Compiling;
using Conman.Runtime.Plans;

namespace Conman.Linux.Tests.Layout;

public class PlanFormatTests
{
    private const BindingFlags Private = BindingFlags.Static | BindingFlags.NonPublic;

    [Fact]
    public void The_plan_is_that_of_plan_h()
    {
        var c = new CSource("plan.h");
        c.Struct(typeof(PlanHeader), "struct plan_header");
        c.Struct(typeof(PlanOp), "struct plan_op");
        c.Value("PLAN_MAGIC", Constant(typeof(PlanEncoder), "Magic"), "PlanEncoder.Magic");
        c.Value("PLAN_VERSION", Constant(typeof(PlanEncoder), "Version"), "PlanEncoder.Version");
        foreach (var code in Enum.GetValues<PlanCode>())
            c.Value("OP_" + code.ToString().ToUpperInvariant(), (ulong)code, $"PlanCode.{code}");
        foreach (var destination in Enum.GetValues<Destination>().Where(d => d != Destination.None))
            c.Value("DEST_" + (destination == Destination.OnProc ? "ON_PROC" : destination.ToString().ToUpperInvariant()), (ulong)destination, $"Destination.{destination}");
        c.Check();
    }

    [Fact]
    public void The_report_is_that_of_plan_h()
    {
        var init = typeof(PlanEncoder).Assembly.GetType("Conman.Runtime.Containers.InitProcess")!;
        var c = new CSource("plan.h");
        c.Value("REPORT_FAILED", Constant(init, "ReportFailed"), "ReportFailed");
        c.Value("REPORT_SYNC", Constant(init, "ReportSync"), "ReportSync");
        c.Value("REPORT_PID", Constant(init, "ReportPid"), "ReportPid");
        c.Value("REPORT_LISTENER", Constant(init, "ReportListener"), "ReportListener");
        c.Value("sizeof(struct plan_report)", Constant(init, "ReportSize"), "ReportSize");
        c.Value("__builtin_offsetof(struct plan_report, index)", 4, "index");
        c.Value("__builtin_offsetof(struct plan_report, value)", 8, "value");
        c.Value("__builtin_offsetof(struct plan_report, text)", 12, "text");
        c.Check();
    }

    [Fact]
    public void Nothing_in_plan_h_is_unknown_to_the_encoder()
    {
        var header = File.ReadAllText(Path.Combine(CSource.Root, "native/plan.h"));
        var known = Enum.GetNames<PlanCode>().Select(n => "OP_" + n.ToUpperInvariant()).Concat(Enum.GetNames<Destination>().Select(n => "DEST_" + n.ToUpperInvariant()))
            .Concat(["DEST_ON_PROC", "REPORT_FAILED", "REPORT_SYNC", "REPORT_PID", "REPORT_LISTENER"]);
        var used = Regex.Matches(header, @"\b(OP|DEST|REPORT)_[A-Z_]+\b").Select(m => m.Value).Distinct();
        Assert.Empty(used.Except(known));
    }

    [Fact]
    public void A_request_to_spawn_is_that_of_spawn_h()
    {
        var c = new CSource("spawn.h");
        c.Struct(typeof(SpawnRequest), "struct spawn_request");
        c.Check();
    }

    [Fact]
    public void What_is_said_to_the_monitor_is_that_of_monitor_h()
    {
        var c = new CSource("monitor.h");
        c.Struct(typeof(MonitorConfig), "struct monitor_config");
        c.Struct(typeof(MonitorSpawn), "struct monitor_spawn");
        c.Value("MONITOR_MAGIC", MonitorConfig.Magic, "MonitorConfig.Magic");
        c.Value("MONITOR_DURABLE", MonitorConfig.Durable, "MonitorConfig.Durable");
        c.Value("MONITOR_STDIN_ONCE", MonitorConfig.StdinOnce, "MonitorConfig.StdinOnce");
        c.Value("MONITOR_TERMINAL", MonitorConfig.Terminal, "MonitorConfig.Terminal");
        c.Value("sizeof(struct monitor_word)", 8, "struct monitor_word");
        c.Value("__builtin_offsetof(struct monitor_word, value)", 4, "monitor_word.value");
        (string, LogFormat)[] formats = [("NONE", LogFormat.None), ("JSON", LogFormat.JsonFile), ("CRI", LogFormat.Cri), ("JOURNAL", LogFormat.Journald)];
        foreach (var (name, format) in formats)
            c.Value("LOG_" + name, (ulong)format, $"LogFormat.{format}");
        c.Check();
    }

    [Fact]
    public void Names_whose_place_is_their_number_have_the_right_place()
    {
        var c = new CSource("linux/capability.h", "linux/resource.h", "linux/mempolicy.h");
        for (var i = 0; i < CapabilityNames.All.Count; i++)
            c.Value(CapabilityNames.All[i], (ulong)i, CapabilityNames.All[i]);
        c.Value("CAP_LAST_CAP", (ulong)CapabilityNames.All.Count - 1, "the last capability");
        var limits = (string[])typeof(ResourceLimits).GetField("Names", Private)!.GetValue(null)!;
        for (var i = 0; i < limits.Length; i++)
            c.Value(limits[i], (ulong)i, limits[i]);
        var modes = (string[])typeof(Scheduling).GetField("MemoryModes", Private)!.GetValue(null)!;
        for (var i = 0; i < 6; i++) // MPOL_WEIGHTED_INTERLEAVE is of Linux 6.9
            c.Value(modes[i], (ulong)i, modes[i]);
        c.Value("MPOL_F_STATIC_NODES", 1 << 15, "MPOL_F_STATIC_NODES");
        c.Value("MPOL_F_RELATIVE_NODES", 1 << 14, "MPOL_F_RELATIVE_NODES");
        c.Value("MPOL_F_NUMA_BALANCING", 1 << 13, "MPOL_F_NUMA_BALANCING");
        c.Value("RLIM_NLIMITS", (ulong)limits.Length, "the number of limits");
        c.Check();
    }

    private static ulong Constant(Type type, string name) => Convert.ToUInt64(type.GetField(name, Private)!.GetRawConstantValue());
}
