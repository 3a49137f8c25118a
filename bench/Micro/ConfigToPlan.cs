// From config.json to the bytes that conman-init runs: the work of conman's own in every create and run. Warm figures: what a first call
// costs on top is seen in bench/compare.

using BenchmarkDotNet.Attributes;
using BenchmarkDotNet.Running;
using Conman.Oci.RuntimeSpec;
using Conman.Runtime.Compiling;
using Conman.Runtime.Plans;

BenchmarkSwitcher.FromAssembly(typeof(ConfigToPlan).Assembly).Run(args);

/// <summary>Each step of the way, on the default spec.</summary>
[MemoryDiagnoser]
public class ConfigToPlan
{
    private static readonly HostFacts Facts = new();
    private static readonly CompileOptions Options = new() { Id = "bench", Bundle = "/bundle" };

    private readonly byte[] _json;
    private readonly Spec _spec;
    private readonly Plan _plan;

    public ConfigToPlan()
    {
        var spec = Spec.Default();
        spec.Process!.Terminal = false;
        _json = spec.ToUtf8(indented: true);
        _spec = Spec.Parse(_json);
        _plan = PlanCompiler.Compile(_spec, Facts, Options).Plan;
    }

    [Benchmark]
    public Spec Parse() => Spec.Parse(_json);

    [Benchmark]
    public CompiledSpec Compile() => PlanCompiler.Compile(_spec, Facts, Options);

    [Benchmark]
    public EncodedPlan Encode() => PlanEncoder.Encode(_plan, status: 3);
}
