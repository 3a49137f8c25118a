// --security-opt: what a container's processes may not do, in one word each.

using Conman.Linux;
using Conman.Oci;

namespace Conman.Engine.Specs;

/// <summary>The options, sorted.</summary>
internal sealed class SecurityOptions
{
    /// <summary>Everything that can be said: <c>NAME</c> or <c>NAME=VALUE</c>.</summary>
    public static readonly string[] Names = ["apparmor", "label", "mask", "no-new-privileges", "seccomp", "systempaths", "unmask", "writable-cgroups"];

    public bool NoNewPrivileges { get; private set; }

    public bool SeccompUnconfined { get; private set; }

    /// <summary>Null: the default one.</summary>
    public SeccompProfile? Seccomp { get; private set; }

    /// <summary>Null: none.</summary>
    public string? AppArmor { get; private set; }

    /// <summary>Nothing is masked or read-only by default.</summary>
    public bool UnmaskAll { get; private set; }

    public bool WritableCgroups { get; private set; }

    public List<string> Mask { get; } = [];

    /// <summary>Paths, perhaps with <c>*</c> at the end.</summary>
    public List<string> Unmask { get; } = [];

    /// <exception cref="EngineException">An option is unknown, or asks for what this host does not have.</exception>
    public static SecurityOptions Parse(IReadOnlyList<string>? options)
    {
        var result = new SecurityOptions();
        foreach (var option in options ?? [])
            result.Add(option);
        return result;
    }

    private void Add(string option)
    {
        // Docker once separated the two by a colon, and still takes it.
        var separator = option.AsSpan().IndexOfAny('=', ':');
        var (name, value) = separator < 0 ? (option, null) : (option[..separator], option[(separator + 1)..]);
        switch (name)
        {
            case "no-new-privileges": NoNewPrivileges = Truth(name, value); break;
            case "writable-cgroups": WritableCgroups = Truth(name, value); break;
            case "seccomp" when value is "unconfined": SeccompUnconfined = true; break;
            case "seccomp" when value is "builtin": break;
            case "seccomp" when value is { Length: > 0 }: Seccomp = Profile(value); break;
            case "apparmor" when value is "unconfined": AppArmor = null; break;
            case "apparmor" when value is { Length: > 0 }:
                AppArmor = SecurityModules.AppArmor ? value : throw new EngineException($"--security-opt apparmor={value}: this host has no AppArmor");
                break;
            case "label" when value is "disable": break;
            case "label" when value is { Length: > 0 }:
                throw new EngineException($"--security-opt label={value}: conman gives no SELinux labels; label=disable is what a container has");
            case "systempaths" when value is "unconfined": UnmaskAll = true; break;
            case "unmask" when value is "ALL" or "all": UnmaskAll = true; break;
            case "unmask" when value is { Length: > 0 }: Unmask.AddRange(value.Split(':')); break;
            case "mask" when value is { Length: > 0 }: Mask.AddRange(value.Split(':')); break;
            default:
                throw new EngineException(Array.IndexOf(Names, name) < 0
                    ? $"--security-opt: unknown option {option}: it is one of {string.Join(", ", Names)}"
                    : $"--security-opt {option}: {name} cannot be {(value is null or "" ? "without a value" : value)}");
        }
    }

    private static bool Truth(string name, string? value) => value switch
    {
        null or "true" => true,
        "false" => false,
        _ => throw new EngineException($"--security-opt {name}={value}: neither true nor false"),
    };

    // The document itself: who asked for the container has read the file (RunOptions), so that the record is complete.
    private static SeccompProfile Profile(string json)
    {
        try
        {
            return SeccompProfile.Parse(System.Text.Encoding.UTF8.GetBytes(json));
        }
        catch (OciFormatException e)
        {
            throw new EngineException($"--security-opt seccomp: {e.Message}", e);
        }
    }

    /// <summary>Whether a path is to be left as it is.</summary>
    public bool IsUnmasked(string path)
    {
        foreach (var pattern in Unmask)
        {
            if (pattern.EndsWith('*') ? path.StartsWith(pattern[..^1], StringComparison.Ordinal) : path == Path.TrimEndingDirectorySeparator(pattern))
                return true;
        }
        return false;
    }
}
