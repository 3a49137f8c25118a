// Specs to compile: the default one, with what a test wants to be different.

using System.Text;
using Conman.Oci.RuntimeSpec;
using Conman.Runtime.Compiling;
using Conman.Runtime.Plans;

namespace Conman.Runtime.Tests;

internal static class Samples
{
    public const string Bundle = "/bundles/web";

    /// <summary>What `spec` writes, without a terminal.</summary>
    public static Spec Spec(Action<Spec>? change = null)
    {
        var spec = Oci.RuntimeSpec.Spec.Default();
        spec.Process!.Terminal = false;
        change?.Invoke(spec);
        return spec;
    }

    /// <summary>As it would come from a file.</summary>
    public static Spec Parse(string json) => Oci.RuntimeSpec.Spec.Parse(Encoding.UTF8.GetBytes(json));

    public static CompileOptions Options(bool noPivot = false, bool noNewKeyring = false, int preserved = 0, bool awaitStart = true) => new()
    {
        Id = "web",
        Bundle = Bundle,
        NoPivot = noPivot,
        NoNewKeyring = noNewKeyring,
        PreservedDescriptors = preserved,
        AwaitStart = awaitStart,
    };

    /// <summary>A host that has everything.</summary>
    public static HostFacts Facts { get; } = new() { AppArmor = true, Selinux = true, Landlock = 7 };

    public static CompiledSpec Compile(Spec spec, CompileOptions? options = null, HostFacts? facts = null) => PlanCompiler.Compile(spec, facts ?? Facts, options ?? Options());

    /// <summary>Gives every handle a number, as the runtime does when it opens them.</summary>
    public static Plan Open(Plan plan)
    {
        for (var i = 0; i < plan.Preparations.Count; i++)
            plan.Preparations[i].Descriptor = 10 + i;
        return plan;
    }

    /// <summary>The sentence with which a spec is refused.</summary>
    public static string Refusal(Spec spec, CompileOptions? options = null)
    {
        var message = Assert.Throws<RuntimeException>(() => Compile(spec, options, new HostFacts())).Message;
        Assert.DoesNotContain('\n', message);
        return message;
    }
}
