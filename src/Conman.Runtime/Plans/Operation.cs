// What every operation of a plan can do: say itself in words, and encode itself for conman-init.

using Conman.Linux;

namespace Conman.Runtime.Plans;

/// <summary>One step of the new process.</summary>
public abstract record Operation
{
    /// <summary>An imperative without a full stop: "mount proc on /proc (nosuid)". It is a line of the printed plan, and the middle of "cannot …".</summary>
    public abstract string Describe();

    /// <summary>The sentence for its failure.</summary>
    /// <param name="errno">errno(3).</param>
    /// <param name="kernelWords">What the kernel itself said (an fsopen(2) context's message), or empty.</param>
    public virtual string Failure(int errno, string kernelWords) =>
        $"cannot {Describe()}: {(kernelWords.Length > 0 ? kernelWords : LinuxException.Describe(errno))}";

    internal abstract void Encode(PlanEncoder encoder);
}
