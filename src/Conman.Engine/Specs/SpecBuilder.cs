// From what was asked for to the runtime's document (runtime-spec config.md).

using Conman.Linux;
using Conman.Oci.RuntimeSpec;

namespace Conman.Engine.Specs;

/// <summary>Settings → spec. What a container has that nobody asked for follows Docker, where Podman is no stricter.</summary>
public sealed partial class SpecBuilder
{
    private const string Path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

    private readonly SpecInputs _in;
    private readonly SecurityOptions _security;
    private readonly NamespaceMode _network, _pid, _ipc, _uts, _cgroup, _user;
    private readonly bool _privileged;
    private readonly string? _hostname;
    private readonly List<string> _capabilities;
    private readonly Process _process = new();
    private readonly Oci.RuntimeSpec.Linux _linux = new();
    private readonly Spec _spec;

    private SpecBuilder(SpecInputs inputs)
    {
        _in = inputs;
        var host = inputs.Host;
        _privileged = host.Privileged;
        _security = SecurityOptions.Parse(host.SecurityOpt);
        _network = inputs.Config.NetworkDisabled ? new NamespaceMode(NamespaceKind.None) : NamespaceMode.ParseNetwork(host.NetworkMode);
        _pid = NamespaceMode.Parse("pid", host.PidMode);
        _ipc = NamespaceMode.ParseIpc(host.IpcMode);
        _uts = NamespaceMode.Parse("uts", host.UTSMode);
        _cgroup = NamespaceMode.Parse("cgroupns", host.CgroupnsMode);
        _user = NamespaceMode.Parse("userns", host.UsernsMode is "" ? "host" : host.UsernsMode);
        if (_user.Kind == NamespaceKind.Private)
            throw new EngineException("--userns private: conman gives a container no id range of its own yet: it is host, container:NAME or ns:PATH");
        _hostname = Hostname();
        _capabilities = CapabilityList.Of(host.CapAdd, host.CapDrop, _privileged, Processes.KnownCapabilities);
        _spec = new Spec
        {
            OciVersion = "1.3.0",
            Process = _process,
            Root = new Root { Path = "rootfs", Readonly = host.ReadonlyRootfs },
            Hostname = _uts.IsNew ? _hostname : null,
            Domainname = _uts.IsNew && inputs.Config.Domainname.Length > 0 ? inputs.Config.Domainname : null,
            Annotations = host.Annotations is { Count: > 0 } annotations ? new Dictionary<string, string>(annotations) : null,
            Linux = _linux,
        };
    }

    /// <summary>Builds the document, and writes the files that it mounts.</summary>
    /// <exception cref="EngineException">Something asked for is not there, or not possible here.</exception>
    public static Spec Build(SpecInputs inputs)
    {
        var builder = new SpecBuilder(inputs);
        builder.AddProcess();
        builder.AddNamespaces();
        builder.AddFileSystem();
        builder.AddResources();
        if (inputs.Host.Init is true)
            builder.AddInit();
        if (inputs.Host.HooksDir is { Count: > 0 } folders)
            HookFolder.Add(builder._spec, folders, inputs.Volumes.Count > 0);
        return builder._spec;
    }

    private void AddProcess()
    {
        var (config, host) = (_in.Config, _in.Host);
        var user = UserLookup.Find(_in.Root, config.User, host.GroupAdd);
        _process.Terminal = config.Tty;
        if (config.Tty && host.ConsoleSize is [var rows, var columns])
            _process.ConsoleSize = new Box { Height = rows, Width = columns };
        _process.User = new User { Uid = user.Uid, Gid = user.Gid, AdditionalGids = user.Groups, Umask = config.Umask.Length > 0 ? Octal("umask", config.Umask) : null };
        _process.Args = _in.Holds ? [] : Arguments(config.Entrypoint, config.Cmd);
        _process.Env = Environment(user.Home);
        _process.Cwd = config.WorkingDir.Length > 0 ? System.IO.Path.GetFullPath("/" + config.WorkingDir) : "/";
        _process.NoNewPrivileges = _security.NoNewPrivileges;
        _process.ApparmorProfile = _privileged ? null : _security.AppArmor;
        // 0 stands for "as the caller's": a container must not be safer from the kernel than who started it.
        _process.OomScoreAdj = host.OomScoreAdj != 0 ? host.OomScoreAdj : null;
        // Another user than root has what its program's file grants, and what was added by name.
        var effective = user.Uid == 0 ? _capabilities : Added();
        _process.Capabilities = new Capabilities
        {
            Bounding = _capabilities,
            Effective = effective,
            Permitted = effective,
            Inheritable = user.Uid == 0 || effective.Count == 0 ? null : effective,
            Ambient = user.Uid == 0 || effective.Count == 0 ? null : effective,
        };
        _process.Rlimits = Limits();
        if (!_privileged && !_security.SeccompUnconfined)
            _linux.Seccomp = _security.Seccomp is { } profile ? profile.For(_capabilities) : DefaultSeccomp.For(_capabilities);
        else if (_privileged && _security.Seccomp is { } own)
            _linux.Seccomp = own.For(_capabilities);
    }

    private List<string> Added()
    {
        var result = new List<string>();
        foreach (var name in _in.Host.CapAdd ?? [])
        {
            var all = name.Equals("all", StringComparison.OrdinalIgnoreCase);
            foreach (var capability in _capabilities)
            {
                if ((all || capability == CapabilityList.Full(name)) && !result.Contains(capability))
                    result.Add(capability);
            }
        }
        return result;
    }

    private static List<string> Arguments(List<string>? entrypoint, List<string>? command)
    {
        var arguments = new List<string>();
        if (entrypoint is not null and not [""]) // "no entrypoint", said on purpose
            arguments.AddRange(entrypoint);
        arguments.AddRange(command ?? []);
        return arguments.Count > 0 ? arguments : throw new EngineException("no command specified: neither the image nor the command line has one");
    }

    // Of two values for one name the later counts; a name alone is taken out.
    private List<string> Environment(string home)
    {
        var variables = new List<string> { Path };
        if (_hostname is not null)
            variables.Add("HOSTNAME=" + _hostname);
        if (_in.Config.Tty)
            variables.Add("TERM=xterm");
        foreach (var secret in _in.Config.Secrets ?? [])
        {
            if (secret.Type == "env")
                Set(variables, (secret.Target.Length > 0 ? secret.Target : secret.Name) + "=" + System.Text.Encoding.UTF8.GetString(Secret(secret.Name)));
        }
        foreach (var variable in _in.Config.Env ?? [])
            Set(variables, variable);
        if (!variables.Exists(static v => v.StartsWith("HOME=", StringComparison.Ordinal)))
            variables.Add("HOME=" + home);
        return variables;
    }

    private static void Set(List<string> variables, string variable)
    {
        var equals = variable.IndexOf('=');
        var name = equals < 0 ? variable : variable[..equals];
        var place = -1;
        for (var i = 0; i < variables.Count && place < 0; i++)
        {
            if (variables[i].Length > name.Length && variables[i][name.Length] == '=' && variables[i].StartsWith(name, StringComparison.Ordinal))
                place = i;
        }
        if (place >= 0 && equals < 0)
            variables.RemoveAt(place);
        else if (place >= 0)
            variables[place] = variable;
        else if (equals >= 0)
            variables.Add(variable);
    }

    private byte[] Secret(string name) => _in.SecretOf is { } of ? of(name) : throw new EngineException($"no such secret: {name}");

    private List<Rlimit> Limits()
    {
        const ulong MostFiles = 524288; // programs that close every number up to the limit take minutes above it
        var limits = new List<Rlimit>
        {
            new() { Type = "RLIMIT_NOFILE", Soft = 1024, Hard = Math.Min(Processes.HardLimit(7 /* RLIMIT_NOFILE */), MostFiles) },
            new() { Type = "RLIMIT_CORE", Soft = 0, Hard = 0 }, // a core file is handed to a program of the host
        };
        foreach (var ulimit in _in.Host.Ulimits ?? [])
        {
            var type = "RLIMIT_" + ulimit.Name.ToUpperInvariant();
            limits.RemoveAll(l => l.Type == type);
            limits.Add(new Rlimit { Type = type, Soft = (ulong)ulimit.Soft, Hard = (ulong)ulimit.Hard }); // -1 is RLIM_INFINITY
        }
        return limits;
    }

    private string? Hostname()
    {
        if (_in.Config.Hostname.Length > 0)
            return _in.Config.Hostname;
        if (_uts.Kind == NamespaceKind.Container && _in.FolderOf is { } folderOf && Files.TryOpen(folderOf(_uts.Argument) + "/hostname", OpenFlags.ReadOnly, out _) is { } theirs)
        {
            using (theirs)
                return System.Text.Encoding.UTF8.GetString(Files.ReadAll(theirs, "hostname")).TrimEnd('\n');
        }
        if (_uts.Kind != NamespaceKind.Host && _network.Kind != NamespaceKind.Host)
            return _in.Id[..Math.Min(12, _in.Id.Length)];
        // A container with the host's network answers to the host's name.
        return System.Text.Encoding.UTF8.GetString(Files.ReadAll("/proc/sys/kernel/hostname")).TrimEnd('\n');
    }

    /// <summary>Permission bits as they are written.</summary>
    public static uint Octal(string flag, string text)
    {
        uint value = 0;
        foreach (var c in text)
            value = c is >= '0' and <= '7' && value <= 0x1ff ? value * 8 + (uint)(c - '0') : throw new EngineException($"--{flag} {text}: not an octal number up to 7777");
        return value <= 0xfff && text.Length > 0 ? value : throw new EngineException($"--{flag} {text}: not an octal number up to 7777");
    }
}
