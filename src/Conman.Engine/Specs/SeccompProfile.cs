// A profile in Docker's format: the runtime's, with conditions on the architecture, the capabilities and the kernel (--security-opt seccomp=FILE).

using System.Runtime.InteropServices;
using Conman.Oci;
using Conman.Oci.RuntimeSpec;

namespace Conman.Engine.Specs;

/// <summary>The document.</summary>
[OciObject]
public sealed partial class SeccompProfile
{
    public string? DefaultAction { get; set; }

    public uint? DefaultErrnoRet { get; set; }

    public List<string>? Architectures { get; set; }

    /// <summary>For each architecture those that its kernel runs too.</summary>
    public List<SeccompArchitectures>? ArchMap { get; set; }

    public List<string>? Flags { get; set; }

    public string? ListenerPath { get; set; }

    public string? ListenerMetadata { get; set; }

    public List<ConditionalCalls>? Syscalls { get; set; }

    /// <summary>What of it is meant for this machine and a container with these capabilities.</summary>
    /// <param name="capabilities">Names such as <c>CAP_KILL</c>.</param>
    /// <exception cref="EngineException">It contradicts itself.</exception>
    public Seccomp For(IReadOnlyList<string> capabilities)
    {
        var arm = RuntimeInformation.ProcessArchitecture == Architecture.Arm64;
        var (native, name) = arm ? ("SCMP_ARCH_AARCH64", "arm64") : ("SCMP_ARCH_X86_64", "amd64");
        if (Architectures is { Count: > 0 } && ArchMap is { Count: > 0 })
            throw new EngineException("seccomp profile: architectures and archMap must not both be given");
        var architectures = Architectures;
        if (ArchMap?.Find(a => a.Architecture == native) is { } map)
            architectures = [native, .. map.SubArchitectures ?? []];
        var calls = new List<SeccompSyscall>();
        foreach (var call in Syscalls ?? [])
        {
            if (call.Name is { Length: > 0 } && call.Names is { Count: > 0 })
                throw new EngineException($"seccomp profile: name and names must not both be given: {call.Name}");
            if (call.Includes is { } includes && !includes.Hold(name, capabilities, all: true))
                continue;
            if (call.Excludes is { } excludes && excludes.Hold(name, capabilities, all: false))
                continue;
            calls.Add(new SeccompSyscall { Names = call.Names ?? [call.Name ?? ""], Action = call.Action, ErrnoRet = call.ErrnoRet, Args = call.Args });
        }
        return new Seccomp
        {
            DefaultAction = DefaultAction,
            DefaultErrnoRet = DefaultErrnoRet,
            Architectures = architectures,
            Flags = Flags,
            ListenerPath = ListenerPath,
            ListenerMetadata = ListenerMetadata,
            Syscalls = calls,
        };
    }
}

/// <summary>An architecture of <c>archMap</c>.</summary>
[OciObject]
public sealed partial class SeccompArchitectures
{
    public string? Architecture { get; set; }

    public List<string>? SubArchitectures { get; set; }
}

/// <summary>Calls, and when they are spoken of.</summary>
[OciObject]
public sealed partial class ConditionalCalls
{
    /// <summary>One call: the older form.</summary>
    public string? Name { get; set; }

    public List<string>? Names { get; set; }

    public string? Action { get; set; }

    public uint? ErrnoRet { get; set; }

    public List<SeccompArg>? Args { get; set; }

    public string? Comment { get; set; }

    public SeccompConditions? Includes { get; set; }

    public SeccompConditions? Excludes { get; set; }
}

/// <summary>Of a machine and a container.</summary>
[OciObject]
public sealed partial class SeccompConditions
{
    /// <summary>As Go names them.</summary>
    public List<string>? Arches { get; set; }

    public List<string>? Caps { get; set; }

    /// <summary>MAJOR.MINOR.</summary>
    public string? MinKernel { get; set; }

    /// <summary>Whether all of it is so, or any of it.</summary>
    internal bool Hold(string architecture, IReadOnlyList<string> capabilities, bool all)
    {
        foreach (var holds in Each(architecture, capabilities))
        {
            if (holds != all)
                return holds;
        }
        return all;
    }

    private IEnumerable<bool> Each(string architecture, IReadOnlyList<string> capabilities)
    {
        if (Arches is { Count: > 0 })
            yield return Arches.Contains(architecture);
        foreach (var capability in Caps ?? [])
            yield return capabilities.Contains(capability);
        if (MinKernel is { Length: > 0 })
            yield return Version.TryParse(MinKernel, out var least) ? Environment.OSVersion.Version >= least : throw new EngineException($"seccomp profile: minKernel: {MinKernel} is no version");
    }
}
