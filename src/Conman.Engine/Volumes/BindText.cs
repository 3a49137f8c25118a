// -v as one text, as Docker's API has it too: SOURCE:TARGET[:OPTIONS].

namespace Conman.Engine.Volumes;

/// <summary>A bind or volume, as it was asked for.</summary>
/// <param name="Source">An absolute path of the host, or a volume's name.</param>
/// <param name="Target">Absolute, in the container.</param>
/// <param name="Options">The words after the second colon.</param>
public sealed record BindText(string Source, string Target, IReadOnlyList<string> Options)
{
    private static readonly string[] Propagations = ["private", "rprivate", "shared", "rshared", "slave", "rslave", "unbindable", "runbindable"];

    /// <summary>Whether it names a volume.</summary>
    public bool IsVolume => Source[0] != '/';

    public bool ReadOnly => Has("ro") || Has("rro");

    /// <summary>The image's files are not copied into a new volume.</summary>
    public bool NoCopy => Has("nocopy");

    /// <summary>Empty: rprivate.</summary>
    public string Propagation => Options.FirstOrDefault(o => Array.IndexOf(Propagations, o) >= 0) ?? "";

    /// <summary>Parses.</summary>
    /// <exception cref="EngineException">It makes no sense, or asks for what there is not.</exception>
    public static BindText Parse(string text)
    {
        var parts = text.Split(':');
        if (parts.Length is < 2 or > 3 || parts[0].Length == 0)
            throw new EngineException($"--volume {text}: expected SOURCE:TARGET[:OPTIONS]");
        if (parts[0][0] != '/')
            VolumeStore.CheckName(parts[0]);
        var bind = new BindText(parts[0], CheckTarget("volume", text, parts[1]), parts.Length == 3 ? parts[2].Split(',') : []);
        foreach (var option in bind.Options)
            Check(text, option, bind.IsVolume);
        foreach (var pair in (ReadOnlySpan<(string, string)>)[("ro", "rw"), ("rro", "rw"), ("ro", "rro"), ("exec", "noexec"), ("suid", "nosuid"), ("dev", "nodev"), ("bind", "rbind")])
        {
            if (bind.Has(pair.Item1) && bind.Has(pair.Item2))
                throw new EngineException($"--volume {text}: {pair.Item1} and {pair.Item2} contradict each other");
        }
        return bind;
    }

    /// <summary>Where something is mounted: absolute, and not the root itself.</summary>
    public static string CheckTarget(string flag, string text, string target)
    {
        if (!target.StartsWith('/'))
            throw new EngineException($"--{flag} {text}: the target {target} is not an absolute path");
        var clean = Path.TrimEndingDirectorySeparator(Path.GetFullPath(target));
        return clean != "/" ? clean : throw new EngineException($"--{flag} {text}: nothing can be mounted on /");
    }

    /// <summary>Whether an option was given.</summary>
    public bool Has(string option) => Options.Contains(option);

    /// <summary>Options that are the runtime's, as they are.</summary>
    public static bool IsForRuntime(string option) => option is "exec" or "noexec" or "suid" or "nosuid" or "dev" or "nodev" or "noatime" or "nosymfollow";

    private static void Check(string text, string option, bool volume)
    {
        switch (option)
        {
            case "ro" or "rw" or "rro" or "bind" or "rbind":
            case "consistent" or "cached" or "delegated": // on one and the same host these are all the same
            case "nocopy" or "copy" when volume:
            case var _ when IsForRuntime(option):
            case var _ when Array.IndexOf(Propagations, option) >= 0 && !volume:
                return;
            case "nocopy" or "copy":
                throw new EngineException($"--volume {text}: {option} is for volumes, not for folders of the host");
            case "z" or "Z":
                if (!Linux.Mounts.SelinuxEnabled)
                    return; // nothing has a label here, so this one is right
                throw new EngineException($"--volume {text}: conman gives no SELinux labels");
            case "U" or "O" or "idmap":
                throw new EngineException($"--volume {text}: there is no option {option}: conman changes no owners, and puts no overlay over a volume");
            default:
                throw new EngineException($"--volume {text}: unknown option {option}");
        }
    }
}
