// The options of `run` and `create` as they are declared.

using Conman.CommandLine;

namespace Conman;

internal sealed partial class RunOptions
{
    /// <summary>The options; <c>run</c> has all, <c>create</c> all but those of who stays to watch.</summary>
    public static Option[] Table(bool create) => create ? Array.FindAll(All(), static o => o.Name is not ("detach" or "detach-keys" or "sig-proxy")) : All();

    /// <summary>Those that <c>update</c> has too: limits, the restart policy, and what the health check is.</summary>
    public static Option[] Changeable() => Array.FindAll(All(), static o => o.Name.StartsWith("health-", StringComparison.Ordinal) || o.Name is "blkio-weight" or "blkio-weight-device"
        or "cpu-period" or "cpu-quota" or "cpu-rt-period" or "cpu-rt-runtime" or "cpu-shares" or "cpus" or "cpuset-cpus" or "cpuset-mems"
        or "device-read-bps" or "device-read-iops" or "device-write-bps" or "device-write-iops" or "kernel-memory"
        or "memory" or "memory-reservation" or "memory-swap" or "memory-swappiness" or "no-healthcheck" or "pids-limit" or "restart");

    /// <summary>Those that <c>pod create</c> has too: what belongs to namespaces that are shared.</summary>
    public static Option[] OfPod() => Array.FindAll(All(), static o => o.Name is "add-host" or "cgroup-parent" or "dns" or "dns-opt" or "dns-option" or "dns-search" or "hostname" or "ip" or "ip6"
        or "label" or "label-file" or "mac-address" or "name" or "net" or "net-alias" or "network" or "network-alias" or "publish" or "shm-size" or "sysctl");

    private static Option[] All() =>
    [
        new("add-host", "another line of /etc/hosts", "NAME:ADDRESS", Repeats: true),
        new("annotation", "an annotation of the runtime's document", "KEY=VALUE", Repeats: true),
        new("attach", "attach to stdin, stdout or stderr", "STREAM", 'a', Repeats: true),
        new("blkio-weight", "share of the disks' time, 10 to 1000", "WEIGHT"),
        new("blkio-weight-device", "share of one disk's time", "PATH:WEIGHT", Repeats: true),
        new("cap-add", "add a capability, or all", "CAPABILITY", Repeats: true),
        new("cap-drop", "drop a capability, or all", "CAPABILITY", Repeats: true),
        new("cgroup-conf", "write to a file of the cgroup (v2)", "FILE=VALUE", Repeats: true),
        new("cgroup-parent", "the cgroup above the container's", "PATH"),
        new("cgroupns", "cgroup namespace: private, host, container:NAME or ns:PATH", "MODE"),
        new("cidfile", "write the id to a file", "FILE"),
        new("cpu-period", "period of the scheduler, in microseconds", "TIME"),
        new("cpu-quota", "microseconds of CPU time in each period", "TIME"),
        new("cpu-rt-period", "period of the real-time scheduler, in microseconds (cgroup v1)", "TIME"),
        new("cpu-rt-runtime", "microseconds of real-time scheduling in each period (cgroup v1)", "TIME"),
        new("cpu-shares", "share of the CPUs' time, relative to 1024", "SHARES", 'c'),
        new("cpus", "how many CPUs, e.g. 1.5", "NUMBER"),
        new("cpuset-cpus", "CPUs to run on, e.g. 0-3,7", "LIST"),
        new("cpuset-mems", "memory nodes to use, e.g. 0-1", "LIST"),
        new("detach", "run in the background and print the id", Short: 'd'),
        new("detach-keys", "keys that detach from the container", "KEYS"),
        new("device", "give the container a device of the host", "HOST[:CONTAINER][:ACCESS]", Repeats: true),
        new("device-cgroup-rule", "allow devices, e.g. \"c 1:3 rwm\"", "RULE", Repeats: true),
        new("device-read-bps", "bytes a second that are read from a disk", "PATH:RATE", Repeats: true),
        new("device-read-iops", "reads a second from a disk", "PATH:RATE", Repeats: true),
        new("device-write-bps", "bytes a second that are written to a disk", "PATH:RATE", Repeats: true),
        new("device-write-iops", "writes a second to a disk", "PATH:RATE", Repeats: true),
        new("dns", "a name server", "ADDRESS", Repeats: true),
        new("dns-option", "an option of resolv.conf(5)", "OPTION", Repeats: true),
        new("dns-opt", "as --dns-option", "OPTION", Repeats: true) { Alias = true },
        new("dns-search", "a domain to look for names in; . for none", "DOMAIN", Repeats: true),
        new("domainname", "NIS domain name", "NAME"),
        new("entrypoint", "the program, in place of the image's", "PROGRAM"),
        new("env", "an environment variable; without a value, the caller's", "NAME[=VALUE]", 'e', Repeats: true),
        new("env-file", "environment variables from a file", "FILE", Repeats: true),
        new("expose", "ports that the container listens on", "PORT[-PORT][/PROTOCOL]", Repeats: true),
        new("group-add", "another group of the user", "GROUP", Repeats: true),
        new("health-cmd", "a command that tells whether the container is well", "COMMAND"),
        new("health-interval", "time between two checks (default 30s)", "DURATION"),
        new("health-on-failure", "when it is not well: none, kill, restart or stop", "ACTION"),
        new("health-retries", "how many checks must fail in turn (default 3)", "NUMBER"),
        new("health-start-interval", "time between two checks while it starts (default 5s)", "DURATION"),
        new("health-start-period", "time in which it may fail because it starts", "DURATION"),
        new("health-timeout", "time that one check may take (default 30s)", "DURATION"),
        new("hooks-dir", "a folder of descriptions of hooks", "DIR", Repeats: true),
        new("hostname", "host name", "NAME", 'h'),
        new("init", "a small init is process 1: it hands on signals and buries the dead"),
        new("interactive", "keep stdin open", Short: 'i'),
        new("ip", "IPv4 address in the first network", "ADDRESS"),
        new("ip6", "IPv6 address in the first network", "ADDRESS"),
        new("ipc", "IPC namespace: private, shareable, none, host, container:NAME or ns:PATH", "MODE"),
        new("label", "a label", "KEY[=VALUE]", 'l', Repeats: true),
        new("label-file", "labels from a file", "FILE", Repeats: true),
        new("link-local-ip", "link-local address in the first network", "ADDRESS", Repeats: true),
        new("log-driver", "json-file, k8s-file, journald or none", "DRIVER"),
        new("log-opt", "an option of the log: max-size, max-file, tag", "NAME=VALUE", Repeats: true),
        new("mac-address", "MAC address in the first network", "ADDRESS"),
        new("memory", "how much memory, e.g. 512m", "BYTES", 'm'),
        new("memory-reservation", "how much memory is left when it is scarce", "BYTES"),
        new("memory-swap", "memory and swap together; -1 for no limit", "BYTES"),
        new("memory-swappiness", "0 to 100 (cgroup v1)", "NUMBER"),
        new("mount", "a mount: type=bind|volume|tmpfs|image,source=…,target=…,…", "MOUNT", Repeats: true),
        new("name", "the container's name", "NAME"),
        new("network", "none, host, container:NAME, ns:PATH or a network", "NETWORK", Repeats: true),
        new("net", "as --network", "NETWORK", Repeats: true) { Alias = true },
        new("network-alias", "another name in the first network", "NAME", Repeats: true),
        new("net-alias", "as --network-alias", "NAME", Repeats: true) { Alias = true },
        new("no-healthcheck", "no health check, whatever the image has"),
        new("oom-kill-disable", "do not kill when out of memory (cgroup v1)"),
        new("oom-score-adj", "how soon it is killed when out of memory, -1000 to 1000", "NUMBER"),
        new("pid", "pid namespace: private, host, container:NAME or ns:PATH", "MODE"),
        new("pids-limit", "how many processes (default 2048); -1 for no limit", "NUMBER"),
        new("platform", "OS/ARCHITECTURE[/VARIANT] of the image", "PLATFORM"),
        new("pod", "run in a pod; new:NAME makes it", "POD"),
        new("privileged", "all capabilities and devices, and nothing hidden or refused"),
        new("publish", "make a port reachable from outside", "[[IP:]HOST:]CONTAINER[/PROTOCOL]", 'p', Repeats: true),
        new("publish-all", "make all exposed ports reachable from outside", Short: 'P'),
        new("pull", "missing, always or never (default missing)", "POLICY"),
        new("quiet", "show nothing of a pull", Short: 'q'),
        new("read-only", "nothing can be written to the root file system"),
        new("read-only-tmpfs", "with --read-only: a tmpfs on /run, /tmp and /var/tmp"),
        new("restart", "no, always, unless-stopped or on-failure[:TIMES]", "POLICY"),
        new("rm", "remove the container when it ends"),
        new("rootfs", "the first word is a folder that holds a root file system"),
        new("secret", "a secret, as a file or a variable", "NAME[,FIELD=VALUE…]", Repeats: true),
        new("security-opt", "no-new-privileges, seccomp=FILE|unconfined, apparmor=PROFILE, mask=PATH, unmask=PATH, …", "OPTION", Repeats: true),
        new("shm-size", "size of /dev/shm (default 64m)", "BYTES"),
        new("sig-proxy", "hand on signals to the container (default true)"),
        new("stop-signal", "what stop sends first", "SIGNAL"),
        new("stop-timeout", "seconds between the stop signal and SIGKILL (default 10)", "SECONDS"),
        new("sysctl", "a kernel parameter of the container's namespaces", "NAME=VALUE", Repeats: true),
        new("timeout", "kill the container after so many seconds", "SECONDS"),
        new("tmpfs", "a tmpfs", "TARGET[:OPTIONS]", Repeats: true),
        new("tty", "a terminal", Short: 't'),
        new("tz", "time zone, or local", "ZONE"),
        new("ulimit", "a limit of getrlimit(2)", "NAME=SOFT[:HARD]", Repeats: true),
        new("umask", "octal (default 0022)", "MASK"),
        new("user", "user and group, by name or number", "USER[:GROUP]", 'u'),
        new("userns", "user namespace: host, container:NAME or ns:PATH", "MODE"),
        new("uts", "UTS namespace: private, host, container:NAME or ns:PATH", "MODE"),
        new("volume", "a folder of the host or a volume", "[SOURCE:]TARGET[:OPTIONS]", 'v', Repeats: true),
        new("volume-driver", "local", "DRIVER"),
        new("volumes-from", "the volumes of another container", "CONTAINER[:ro]", Repeats: true),
        new("workdir", "working directory", "DIR", 'w'),

        // What others have.
        Refused("cpu-count", "of Windows", "NUMBER"),
        Refused("cpu-percent", "of Windows", "NUMBER"),
        Refused("disable-content-trust", "conman trusts digests, and no Notary"),
        Refused("gidmap", "conman gives a container no id range of its own yet", "MAP"),
        Refused("gpus", "conman knows no graphics cards: name their nodes with --device", "REQUEST"),
        Refused("io-maxbandwidth", "of Windows", "BYTES"),
        Refused("io-maxiops", "of Windows", "NUMBER"),
        Refused("isolation", "of Windows", "KIND"),
        Refused("kernel-memory", "the kernel has no such limit any more", "BYTES"),
        Refused("link", "containers find each other by name in a network of their own", "CONTAINER"),
        Refused("runtime", "conman is its own runtime", "NAME"),
        Refused("sdnotify", "conman tells no service manager of a container yet", "MODE"),
        Refused("storage-opt", "there is no such option of storage", "OPTION"),
        Refused("systemd", "conman prepares nothing for systemd: what it needs is --tmpfs /run --tmpfs /tmp --cgroupns private --security-opt writable-cgroups", "MODE"),
        Refused("uidmap", "conman gives a container no id range of its own yet", "MAP"),
        Refused("use-api-socket", "no container gets the rights of who started it"),
    ];

    private static Option Refused(string name, string why, string? value = null) => new(name, "", value) { Refused = why };
}
