// What a container may still do, by annotations org.conman.landlock.*: it compiles to a Landlock ruleset (docs/landlock.md).

using Conman.Linux;
using Conman.Runtime.Plans;

namespace Conman.Runtime.Compiling;

/// <summary>The annotations, parsed. A list that is null leaves its kind alone; an empty one allows nothing of it.</summary>
public sealed class LandlockPolicy
{
    private const string Prefix = "org.conman.landlock.";

    private const LandlockFileRights
        ReadRights = LandlockFileRights.ReadFile | LandlockFileRights.ReadDirectory,
        ExecuteRights = ReadRights | LandlockFileRights.Execute,
        WriteRights = ReadRights | LandlockFileRights.WriteFile | LandlockFileRights.RemoveDirectory | LandlockFileRights.RemoveFile
            | LandlockFileRights.MakeCharacterDevice | LandlockFileRights.MakeDirectory | LandlockFileRights.MakeFile | LandlockFileRights.MakeSocket
            | LandlockFileRights.MakeFifo | LandlockFileRights.MakeBlockDevice | LandlockFileRights.MakeSymbolicLink | LandlockFileRights.Refer
            | LandlockFileRights.Truncate | LandlockFileRights.DeviceControl,

        // What means something on a path that is no directory; the kernel refuses the rest there.
        RightsOfFiles = LandlockFileRights.Execute | LandlockFileRights.WriteFile | LandlockFileRights.ReadFile | LandlockFileRights.Truncate
            | LandlockFileRights.DeviceControl;

    private List<string>? _read, _write, _execute;
    private List<ushort>? _bind, _connect;
    private LandlockScopes _scopes;
    private bool _bestEffort;

    private LandlockPolicy()
    {
    }

    /// <summary>Null if no annotation asks for it.</summary>
    /// <exception cref="RuntimeException">An annotation makes no sense.</exception>
    public static LandlockPolicy? Parse(Dictionary<string, string>? annotations)
    {
        LandlockPolicy? policy = null;
        foreach (var (name, value) in annotations ?? [])
        {
            if (!name.StartsWith(Prefix, StringComparison.Ordinal))
                continue;
            policy ??= new LandlockPolicy();
            switch (name[Prefix.Length..])
            {
                case "read":
                    policy._read = Paths(name, value);
                    break;
                case "write":
                    policy._write = Paths(name, value);
                    break;
                case "execute":
                    policy._execute = Paths(name, value);
                    break;
                case "tcp-bind":
                    policy._bind = Ports(name, value);
                    break;
                case "tcp-connect":
                    policy._connect = Ports(name, value);
                    break;
                case "scope":
                    policy._scopes = Scopes(name, value);
                    break;
                case "best-effort":
                    policy._bestEffort = value == "true" || (value != "false" && RuntimeException.Throw<bool>($"{name}: {Words.Quote(value)} is neither true nor false"));
                    break;
                default:
                    throw new RuntimeException($"{name}: there is no such annotation");
            }
        }
        return policy;
    }

    private bool Files => _read is not null || _write is not null || _execute is not null;

    /// <summary>Whether the kernel can restrict anything of what the policy is about; false only where the policy is content with that.</summary>
    /// <param name="version">Of the kernel's Landlock; 0: it has none.</param>
    /// <exception cref="RuntimeException">It cannot express the policy.</exception>
    public bool CanBeExpressed(int version)
    {
        // Before version 3 nothing keeps a file that may only be read from being truncated.
        return Can(Files, 3, "files") | Can(_bind is not null || _connect is not null, 4, "TCP ports") | Can(_scopes != 0, 6, "scopes")
            || (Files && version > 0);

        bool Can(bool wanted, int least, string what)
        {
            if (wanted && version < least && !_bestEffort)
            {
                throw new RuntimeException(version == 0
                    ? $"{Prefix}*: this kernel has no Landlock, or it is off ({Prefix}best-effort=true does without)"
                    : $"{Prefix}*: Landlock of this kernel (version {version}) cannot restrict {what}, version {least} can ({Prefix}best-effort=true does without)");
            }
            return wanted && version >= least;
        }
    }

    /// <summary>A ruleset without rules: it denies all that the policy is about, as far as the kernel can.</summary>
    public FileDescriptor Create(int version)
    {
        var network = (_bind is null ? 0 : LandlockNetworkRights.BindTcp) | (_connect is null ? 0 : LandlockNetworkRights.ConnectTcp);
        return Landlock.Create(Files ? Known(version) : 0, version < 4 ? 0 : network, version < 6 ? 0 : _scopes);
    }

    /// <summary>Allows what the policy allows.</summary>
    /// <param name="root">The root that its paths are of.</param>
    public void Allow(int ruleset, FileDescriptor root, int version)
    {
        Allow(ruleset, root, _read, ReadRights & Known(version));
        Allow(ruleset, root, _write, WriteRights & Known(version));
        Allow(ruleset, root, _execute, ExecuteRights & Known(version));
        if (version < 4)
            return;
        Allow(ruleset, _bind, LandlockNetworkRights.BindTcp);
        Allow(ruleset, _connect, LandlockNetworkRights.ConnectTcp);
    }

    /// <summary>In words: "read /usr; write /tmp; connect to TCP 443".</summary>
    public string Describe()
    {
        var text = "";
        Add("read", _read);
        Add("write", _write);
        Add("execute", _execute);
        Add("bind to TCP", _bind);
        Add("connect to TCP", _connect);
        if (_scopes != 0)
            text += (text.Length == 0 ? "" : "; ") + "reach no " + (_scopes == LandlockScopes.Signal ? "process" : _scopes == LandlockScopes.AbstractUnixSocket ? "abstract socket" : "process and no abstract socket") + " outside";
        return text;

        void Add<T>(string verb, List<T>? list)
        {
            if (list is not null)
                text += (text.Length == 0 ? "" : "; ") + verb + " " + (list.Count == 0 ? "nothing" : string.Join(", ", list));
        }
    }

    private static void Allow(int ruleset, FileDescriptor root, List<string>? paths, LandlockFileRights rights)
    {
        foreach (var path in paths ?? [])
        {
            using var file = Linux.Files.TryOpenResolved(root.Number, path, OpenFlags.Path, Resolve.InRoot | Resolve.NoMagicLinks, out var errno);
            if (file is not null)
                errno = Landlock.TryAllow(ruleset, file, Linux.Files.Status(file, path).Type == FileType.Directory ? rights : rights & RightsOfFiles);
            if (errno != 0)
                throw new RuntimeException($"cannot allow {path} by Landlock: {LinuxException.Describe(errno)}");
        }
    }

    private static void Allow(int ruleset, List<ushort>? ports, LandlockNetworkRights rights)
    {
        foreach (var port in ports ?? [])
        {
            var errno = Landlock.TryAllow(ruleset, port, rights);
            if (errno != 0)
                throw new RuntimeException($"cannot allow TCP port {port} by Landlock: {LinuxException.Describe(errno)}");
        }
    }

    private static LandlockFileRights Known(int version)
    {
        var rights = WriteRights | ExecuteRights;
        if (version < 5)
            rights &= ~LandlockFileRights.DeviceControl;
        if (version < 3)
            rights &= ~LandlockFileRights.Truncate;
        return version < 2 ? rights & ~LandlockFileRights.Refer : rights;
    }

    private static List<string> Paths(string name, string value)
    {
        var paths = new List<string>();
        foreach (var path in value.Split(':', StringSplitOptions.RemoveEmptyEntries))
        {
            if (path[0] != '/' || path.Contains('\0'))
                throw new RuntimeException($"{name}: {Words.Quote(path.Replace("\0", "\\0"))} is not an absolute path");
            paths.Add(path);
        }
        return paths;
    }

    private static List<ushort> Ports(string name, string value)
    {
        var ports = new List<ushort>();
        foreach (var port in value.Split(',', StringSplitOptions.RemoveEmptyEntries))
            ports.Add(ushort.TryParse(port, out var number) ? number : RuntimeException.Throw<ushort>($"{name}: {Words.Quote(port)} is no TCP port"));
        return ports;
    }

    private static LandlockScopes Scopes(string name, string value)
    {
        var scopes = LandlockScopes.None;
        foreach (var scope in value.Split(',', StringSplitOptions.RemoveEmptyEntries))
        {
            scopes |= scope switch
            {
                "abstract-unix-socket" => LandlockScopes.AbstractUnixSocket,
                "signal" => LandlockScopes.Signal,
                _ => RuntimeException.Throw<LandlockScopes>($"{name}: there is no scope {Words.Quote(scope)}"),
            };
        }
        return scopes;
    }
}
