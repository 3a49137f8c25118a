// Hooks that a host's folders describe (oci-hooks(5), version 1.0.0): which of them concern a container.

using Conman.Linux;
using Conman.Oci;
using Conman.Oci.RuntimeSpec;

namespace Conman.Engine.Specs;

/// <summary>A file of such a folder.</summary>
[OciObject]
public sealed partial class HookDescription
{
    public string? Version { get; set; }

    public Hook? Hook { get; set; }

    public HookCondition? When { get; set; }

    /// <summary>Names of points, as in the runtime's document.</summary>
    public List<string>? Stages { get; set; }
}

/// <summary>What must be so; patterns are extended regular expressions that match anywhere.</summary>
[OciObject]
public sealed partial class HookCondition
{
    public bool? Always { get; set; }

    /// <summary>Patterns of an annotation's name and value.</summary>
    public Dictionary<string, string>? Annotations { get; set; }

    /// <summary>Patterns of the program.</summary>
    public List<string>? Commands { get; set; }

    public bool? HasBindMounts { get; set; }
}

internal static class HookFolder
{
    /// <summary>Adds the hooks of some folders. Files are taken by name; one in a later folder takes the place of one of the same name.</summary>
    /// <exception cref="EngineException">A file makes no sense.</exception>
    public static void Add(Spec spec, IReadOnlyList<string> folders, bool hasBindMounts)
    {
        var files = new SortedDictionary<string, string>(StringComparer.Ordinal);
        foreach (var path in folders)
        {
            using var folder = Files.TryOpen(path, OpenFlags.ReadOnly | Files.Directory, out var errno)
                ?? throw new EngineException($"--hooks-dir {path}: {LinuxException.Describe(errno)}");
            foreach (var name in Files.List(folder, path))
            {
                if (name.EndsWith(".json", StringComparison.Ordinal))
                    files[name] = path + "/" + name;
            }
        }
        foreach (var path in files.Values)
            Add(spec, path, hasBindMounts);
    }

    private static void Add(Spec spec, string path, bool hasBindMounts)
    {
        HookDescription description;
        try
        {
            description = HookDescription.Parse(Files.ReadAll(path));
        }
        catch (OciFormatException e)
        {
            throw new EngineException($"{path}: {e.Message}", e);
        }
        if (description.Version != "1.0.0")
            throw new EngineException($"{path}: version {description.Version} of hooks is not known: 1.0.0 is");
        if (description.Hook is not { Path: { Length: > 0 } program } hook || !program.StartsWith('/'))
            throw new EngineException($"{path}: hook.path: must be given, and absolute");
        if (description.Stages is not { Count: > 0 } stages)
            throw new EngineException($"{path}: stages: must be given");
        if (!Holds(description.When ?? throw new EngineException($"{path}: when: must be given"), spec, hasBindMounts, path))
            return;
        var hooks = spec.Hooks ??= new Hooks();
        foreach (var stage in stages)
        {
            (stage switch
            {
                "prestart" => hooks.Prestart ??= [],
                "createRuntime" => hooks.CreateRuntime ??= [],
                "createContainer" => hooks.CreateContainer ??= [],
                "startContainer" => hooks.StartContainer ??= [],
                "poststart" => hooks.Poststart ??= [],
                "poststop" => hooks.Poststop ??= [],
                _ => throw new EngineException($"{path}: stages: unknown stage {stage}"),
            }).Add(hook);
        }
    }

    // All that is asked must be so; of several patterns in one list, one.
    private static bool Holds(HookCondition when, Spec spec, bool hasBindMounts, string path)
    {
        if (when.Always is { } always && !always)
            return false;
        if (when.HasBindMounts is { } wanted && wanted != hasBindMounts)
            return false;
        if (when.Commands is { Count: > 0 } commands && !commands.Exists(c => Matches(c, spec.Process!.Args![0], path)))
            return false;
        foreach (var (name, value) in when.Annotations ?? [])
        {
            var found = false;
            foreach (var annotation in spec.Annotations ?? [])
                found |= Matches(name, annotation.Key, path) && Matches(value, annotation.Value, path);
            if (!found)
                return false;
        }
        return true;
    }

    private static bool Matches(string pattern, string text, string path)
    {
        try
        {
            using var compiled = new PosixPattern(pattern);
            return compiled.Matches(text);
        }
        catch (FormatException e)
        {
            throw new EngineException($"{path}: {pattern}: {e.Message}", e);
        }
    }
}
