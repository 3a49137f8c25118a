// The options of `run` and `create`: Docker's, and of Podman's what Docker has not. Each works, or is refused by name.

using System.Text;
using Conman.CommandLine;
using Conman.Engine.Settings;
using Conman.Engine.Specs;
using Conman.Linux;
using Conman.Oci.ImageSpec;

namespace Conman;

/// <summary>What the command itself does with a container, as against what the container is.</summary>
internal sealed class ClientOptions
{
    /// <summary>Nobody waits for it: its id is printed.</summary>
    public bool Detach { get; set; }

    /// <summary>Of stdin, stdout and stderr; null: by the other options.</summary>
    public List<string>? Attach { get; set; }

    /// <summary>Null: one that is made up.</summary>
    public string? Name { get; set; }

    /// <summary>A file that gets the id.</summary>
    public string? CidFile { get; set; }

    /// <summary>missing, always or never.</summary>
    public string Pull { get; set; } = "missing";

    /// <summary>OS/ARCHITECTURE[/VARIANT]; null: this machine's.</summary>
    public string? Platform { get; set; }

    /// <summary>Keys that detach; null: ctrl-p,ctrl-q.</summary>
    public string? DetachKeys { get; set; }

    /// <summary>Signals go on to the container.</summary>
    public bool SigProxy { get; set; } = true;

    /// <summary>The first word is no image but a folder that holds a root file system.</summary>
    public bool Rootfs { get; set; }

    /// <summary>Of a pull nothing is shown.</summary>
    public bool Quiet { get; set; }

    /// <summary>Null: none.</summary>
    public string? Pod { get; set; }
}

/// <summary>A command line of <c>run</c> or <c>create</c>.</summary>
internal sealed partial class RunOptions
{
    private bool _healthGiven, _noHealth;
    private string? _readOnlyTmpfs;

    public ContainerConfig Config { get; private init; } = new();

    public HostConfig Host { get; private init; } = new();

    public NetworkingConfig? Networking { get; private set; }

    public ClientOptions Client { get; } = new();

    /// <summary>Reads a command line; its first word is the image.</summary>
    /// <exception cref="UsageException">An option makes no sense, or contradicts another.</exception>
    public static RunOptions Parse(Arguments arguments, bool create)
    {
        var result = new RunOptions();
        foreach (var (name, value) in arguments.Given)
            result.Set(name, value);
        result.Config.Image = arguments.Words[0];
        if (arguments.Words.Count > 1)
            result.Config.Cmd = arguments.Words.GetRange(1, arguments.Words.Count - 1);
        result.Complete(create);
        return result;
    }

    /// <summary>Reads a command line of <c>pod create</c>.</summary>
    public static RunOptions ParsePod(Arguments arguments)
    {
        var result = new RunOptions();
        foreach (var (name, value) in arguments.Given)
        {
            if (name is not ("share" or "pod-id-file" or "replace"))
                result.Set(name, value);
        }
        result.Complete(create: true);
        return result;
    }

    /// <summary>Puts options of <c>update</c> into a container's settings, as if it had been made with them.</summary>
    public static void Change(Arguments arguments, ContainerConfig config, HostConfig host)
    {
        var result = new RunOptions { Config = config, Host = host };
        foreach (var (name, value) in arguments.Given)
        {
            if (value.Length == 0 && name is "cpuset-cpus" or "cpuset-mems")
                throw new UsageException($"--{name}: it cannot be emptied: name all of them");
            result.Set(name, value);
        }
        if (result._noHealth)
            config.Healthcheck = result._healthGiven ? throw new UsageException("--no-healthcheck: contradicts the other --health options") : new Healthcheck { Test = ["NONE"] };
        MountValues.Checked(() => SettingsRules.Check(config, host));
    }

    private void Set(string name, string value)
    {
        switch (name)
        {
            // The command itself.
            case "attach": (Client.Attach ??= []).Add(value.ToLowerInvariant() is "stdin" or "stdout" or "stderr" ? value.ToLowerInvariant() : throw Wrong("it is stdin, stdout or stderr")); break;
            case "cidfile": Client.CidFile = Host.ContainerIDFile = value; break;
            case "detach": Client.Detach = Flag(); break;
            case "detach-keys": Client.DetachKeys = value; break;
            case "interactive": Config.OpenStdin = Flag(); break;
            case "name": Client.Name = value; break;
            case "platform": Client.Platform = value; break;
            case "pod": Client.Pod = value; break;
            case "pull": Client.Pull = value is "missing" or "always" or "never" ? value : throw Wrong("it is missing, always or never"); break;
            case "quiet": Client.Quiet = Flag(); break;
            case "rootfs": Client.Rootfs = Flag(); break;
            case "sig-proxy": Client.SigProxy = Flag(); break;
            case "tty": Config.Tty = Flag(); break;

            // The program.
            case "entrypoint": Config.Entrypoint = [value]; break;
            case "env": (Config.Env ??= []).Add(EnvironmentValues.Variable(value)); break;
            case "env-file": (Config.Env ??= []).AddRange(EnvironmentValues.Lines(name, value, inherit: true)); break;
            case "group-add": (Host.GroupAdd ??= []).Add(value); break;
            case "init": Host.Init = Flag(); break;
            case "stop-signal": Config.StopSignal = Signals.Parse(value) > 0 ? value : throw Wrong("there is no such signal"); break;
            case "stop-timeout": Config.StopTimeout = (int)Quantities.Integer(name, value, -1, int.MaxValue); break;
            case "timeout": Config.Timeout = Quantities.Integer(name, value, 0, int.MaxValue); break;
            case "tz": Config.Timezone = value; break;
            case "umask": Config.Umask = MountValues.Checked(() => SpecBuilder.Octal(name, value)) is <= 0x1ff ? value : throw Wrong("a mask is at most 0777"); break;
            case "user": Config.User = value; break;
            case "workdir": Config.WorkingDir = value.StartsWith('/') ? value : throw Wrong("the working directory is an absolute path"); break;

            // What it is called, and what is said of it.
            case "annotation": Pair(ref _annotations); break;
            case "hostname": Config.Hostname = value.Length <= 64 ? value : throw Wrong("a host name has at most 64 characters"); break;
            case "domainname": Config.Domainname = value.Length <= 64 ? value : throw Wrong("a domain name has at most 64 characters"); break;
            case "label": EnvironmentValues.Label(name, value, ref _labels); break;
            case "label-file":
                foreach (var line in EnvironmentValues.Lines(name, value, inherit: false))
                    EnvironmentValues.Label(name, line, ref _labels);
                break;

            // The file system.
            case "mount": (Host.Mounts ??= []).Add(MountValues.Mount(value)); break;
            case "read-only": Host.ReadonlyRootfs = Flag(); break;
            case "read-only-tmpfs": _readOnlyTmpfs = value; break;
            case "secret": (Config.Secrets ??= []).Add(DeviceValues.Secret(value)); break;
            case "shm-size": Host.ShmSize = Quantities.Size(name, value) is > 0 and var size ? size : throw Wrong("it is more than 0"); break;
            case "tmpfs": MountValues.Tmpfs(value, Host); break;
            case "volume": MountValues.Volume(value, Config, Host); break;
            case "volume-driver": Host.VolumeDriver = value is "local" ? "" : throw Wrong("the only driver is local"); break;
            case "volumes-from": (Host.VolumesFrom ??= []).Add(value); break;

            // Resources.
            case "blkio-weight": Host.BlkioWeight = DeviceValues.BlockWeight(name, value); break;
            case "blkio-weight-device": (Host.BlkioWeightDevice ??= []).Add(DeviceValues.Weight(name, value)); break;
            case "cgroup-conf": Pair(ref _cgroupConf); break;
            case "cgroup-parent": Host.CgroupParent = value.StartsWith('/') ? value : "/" + value; break;
            case "cpu-period": Host.CpuPeriod = Quantities.Integer(name, value, 1000, 1_000_000); break;
            case "cpu-quota": Host.CpuQuota = Quantities.Integer(name, value, -1, long.MaxValue); break;
            case "cpu-rt-period": Host.CpuRealtimePeriod = Quantities.Integer(name, value, 0, long.MaxValue); break;
            case "cpu-rt-runtime": Host.CpuRealtimeRuntime = Quantities.Integer(name, value, 0, long.MaxValue); break;
            case "cpu-shares": Host.CpuShares = Quantities.Integer(name, value, 0, long.MaxValue); break;
            case "cpus": Host.NanoCpus = Quantities.Cpus(value); break;
            case "cpuset-cpus": Host.CpusetCpus = value; break;
            case "cpuset-mems": Host.CpusetMems = value; break;
            case "device-read-bps": (Host.BlkioDeviceReadBps ??= []).Add(DeviceValues.Rate(name, value, bytes: true)); break;
            case "device-read-iops": (Host.BlkioDeviceReadIOps ??= []).Add(DeviceValues.Rate(name, value, bytes: false)); break;
            case "device-write-bps": (Host.BlkioDeviceWriteBps ??= []).Add(DeviceValues.Rate(name, value, bytes: true)); break;
            case "device-write-iops": (Host.BlkioDeviceWriteIOps ??= []).Add(DeviceValues.Rate(name, value, bytes: false)); break;
            case "memory": Host.Memory = Quantities.Size(name, value); break;
            case "memory-reservation": Host.MemoryReservation = Quantities.Size(name, value); break;
            case "memory-swap": Host.MemorySwap = Quantities.Size(name, value, unlimited: true); break;
            case "memory-swappiness": Host.MemorySwappiness = Quantities.Integer(name, value, -1, 100) is >= 0 and var swappiness ? swappiness : null; break;
            case "oom-kill-disable": Host.OomKillDisable = Flag() ? true : null; break;
            case "oom-score-adj": Host.OomScoreAdj = (int)Quantities.Integer(name, value, -1000, 1000); break;
            case "pids-limit": Host.PidsLimit = Quantities.Integer(name, value, -1, long.MaxValue) is var pids and not 0 ? pids : -1; break;
            case "ulimit": (Host.Ulimits ??= []).Add(DeviceValues.Ulimit(value)); break;

            // Rights.
            case "cap-add": (Host.CapAdd ??= []).AddRange(value.Split(',')); break;
            case "cap-drop": (Host.CapDrop ??= []).AddRange(value.Split(',')); break;
            case "cgroupns": Host.CgroupnsMode = value; break;
            case "device": (Host.Devices ??= []).Add(DeviceValues.Device(value)); break;
            case "device-cgroup-rule": (Host.DeviceCgroupRules ??= []).Add(value); break;
            case "hooks-dir": (Host.HooksDir ??= []).Add(Path.GetFullPath(value)); break;
            case "ipc": Host.IpcMode = value; break;
            case "pid": Host.PidMode = value; break;
            case "privileged": Host.Privileged = Flag(); break;
            case "security-opt": (Host.SecurityOpt ??= []).Add(SecurityOption(value)); break;
            case "sysctl": Pair(ref _sysctls); break;
            case "userns": Host.UsernsMode = value; break;
            case "uts": Host.UTSMode = value; break;

            // Its life.
            case "restart": Host.RestartPolicy = DeviceValues.Restart(value); break;
            case "rm": Host.AutoRemove = Flag(); break;
            case "health-cmd": Health().Test = ["CMD-SHELL", value]; break;
            case "health-interval": Health().Interval = HealthTime(); break;
            case "health-on-failure": Config.HealthcheckOnFailureAction = value is "none" or "kill" or "restart" or "stop" ? value : throw Wrong("it is none, kill, restart or stop"); break;
            case "health-retries": Health().Retries = (int)Quantities.Integer(name, value, 0, int.MaxValue); break;
            case "health-start-interval": Health().StartInterval = HealthTime(); break;
            case "health-start-period": Health().StartPeriod = HealthTime(); break;
            case "health-timeout": Health().Timeout = HealthTime(); break;
            case "no-healthcheck": _noHealth = Flag(); break;
            case "log-driver": Log().Type = value is "json-file" or "k8s-file" or "journald" or "none" ? value : throw Wrong("it is json-file, k8s-file, journald or none"); break;
            case "log-opt":
                var options = Log().Config;
                EnvironmentValues.Pair(name, value, ref options);
                Host.LogConfig!.Config = options;
                break;

            // The network.
            case "add-host": (Host.ExtraHosts ??= []).Add(NetworkValues.ExtraHost(value)); break;
            case "dns": (Host.Dns ??= []).Add(NetworkValues.Address(name, value)); break;
            case "dns-opt" or "dns-option": (Host.DnsOptions ??= []).Add(value); break;
            case "dns-search": (Host.DnsSearch ??= []).Add(value); break;
            case "expose": PortValues.Expose(value, Config); break;
            case "ip" or "ip6" or "link-local-ip" or "mac-address" or "network-alias" or "net-alias": _endpoint.Add((name, value)); break;
            case "network" or "net": _networks.Add(value); break;
            case "publish": PortValues.Publish(value, Config, Host); break;
            case "publish-all": Host.PublishAllPorts = Flag(); break;
            case "help": break;
            default: throw new InvalidOperationException($"--{name} is declared and not read");
        }

        bool Flag() => Arguments.Truth(value) ?? throw Wrong("neither true nor false");

        void Pair(ref Dictionary<string, string>? pairs) => EnvironmentValues.Pair(name, value, ref pairs);

        Healthcheck Health()
        {
            _healthGiven = true;
            return Config.Healthcheck ??= new Healthcheck();
        }

        long HealthTime() => Quantities.Duration(name, value) is var time && time is 0 or >= 1_000_000 ? time : throw Wrong("it is at least 1ms");

        LogConfig Log() => Host.LogConfig ??= new LogConfig();

        UsageException Wrong(string why) => new($"--{name} {value}: {why}");
    }

    private Dictionary<string, string>? _annotations, _labels, _sysctls, _cgroupConf;
    private readonly List<string> _networks = [];
    private readonly List<(string Name, string Value)> _endpoint = [];

    // What several options say together.
    private void Complete(bool create)
    {
        (Host.Annotations, Config.Labels, Host.Sysctls, Host.CgroupConf) = (_annotations, _labels, _sysctls, _cgroupConf);
        Networking = NetworkValues.Complete(_networks, _endpoint, Config, Host);
        if (_noHealth)
        {
            if (_healthGiven)
                throw new UsageException("--no-healthcheck: contradicts the other --health options");
            Config.Healthcheck = new Healthcheck { Test = ["NONE"] };
        }
        if (_readOnlyTmpfs is not null && Arguments.Truth(_readOnlyTmpfs) != false && Host.ReadonlyRootfs)
        {
            foreach (var folder in (ReadOnlySpan<string>)["/run", "/tmp", "/var/tmp"])
                (Host.Tmpfs ??= []).TryAdd(folder, folder == "/run" ? "mode=755" : "mode=1777");
        }
        if (Client.Detach && Client.Attach is not null)
            throw new UsageException("conflicting options: cannot specify both --attach and --detach");
        if (Host.AutoRemove && Host.RestartPolicy is { Name: not "no" })
            throw new UsageException("conflicting options: cannot specify both --restart and --rm");

        // Who is not told whom to listen to listens to all that is said, and speaks if asked to (-i).
        if (Client.Attach is { } streams)
            (Config.AttachStdin, Config.AttachStdout, Config.AttachStderr) = (streams.Contains("stdin"), streams.Contains("stdout"), streams.Contains("stderr"));
        else if (!Client.Detach)
            (Config.AttachStdin, Config.AttachStdout, Config.AttachStderr) = (Config.OpenStdin && !create, true, true);
        if (create && Client.Attach is null)
            Config.AttachStdin = Config.OpenStdin;
        Config.StdinOnce = Config.OpenStdin && Config.AttachStdin;
        MountValues.Checked(() => SettingsRules.Check(Config, Host));
    }

    // A profile is a file of who asks: it is read here and now.
    private static string SecurityOption(string text)
    {
        var separator = text.AsSpan().IndexOfAny('=', ':');
        if (separator < 0 || text[..separator] != "seccomp" || text[(separator + 1)..] is "unconfined" or "builtin" or "" || text[separator + 1] == '{')
            return text;
        var path = text[(separator + 1)..];
        using var file = Files.TryOpen(path, OpenFlags.ReadOnly, out var errno) ?? throw new UsageException($"--security-opt {text}: {LinuxException.Describe(errno)}");
        return "seccomp=" + Encoding.UTF8.GetString(Files.ReadAll(file, path));
    }
}
