// Plans in words, of specs of every kind: golden files that are documentation at the same time.

using Conman.Linux;
using Conman.Oci.RuntimeSpec;
using Conman.Runtime.Compiling;
using Conman.Runtime.Plans;

namespace Conman.Runtime.Tests.Plans;

public class PlanTextTests
{
    // A host with the hierarchies of cgroup v1, and the unified one beside them.
    private static readonly HostFacts Hybrid = new()
    {
        Hierarchies =
        [
            new CgroupHierarchy("", "/sys/fs/cgroup/unified", "/user.slice"), new CgroupHierarchy("name=systemd", "/sys/fs/cgroup/systemd", "/user.slice"),
            new CgroupHierarchy("devices", "/sys/fs/cgroup/devices", "/"), new CgroupHierarchy("memory", "/sys/fs/cgroup/memory", "/user.slice"),
            new CgroupHierarchy("cpu,cpuacct", "/sys/fs/cgroup/cpu,cpuacct", "/"),
        ],
    };

    private static readonly Dictionary<string, (Func<Spec> Spec, CompileOptions Options)> Cases = new()
    {
        ["default"] = (() => Spec.Default(), Samples.Options()),
        ["no-terminal"] = (() => Samples.Spec(), Samples.Options()),
        ["terminal-of-a-size"] = (() => Samples.Spec(s => (s.Process!.Terminal, s.Process.ConsoleSize) = (true, new Box { Height = 24, Width = 80 })), Samples.Options()),
        ["rootless"] = (() => Spec.DefaultRootless(1000, 1000), Samples.Options()),
        ["user-namespace"] = (() => Samples.Spec(s =>
        {
            s.Linux!.Namespaces!.Add(new Namespace { Type = "user" });
            s.Linux.UidMappings = [new IdMapping { ContainerID = 0, HostID = 100000, Size = 65536 }];
            s.Linux.GidMappings = [new IdMapping { ContainerID = 0, HostID = 100000, Size = 65536 }];
        }), Samples.Options()),
        ["joined-namespaces"] = (() => Samples.Spec(s => s.Linux!.Namespaces =
        [
            new Namespace { Type = "network", Path = "/run/netns/blue" }, new Namespace { Type = "pid", Path = "/proc/4242/ns/pid" },
            new Namespace { Type = "ipc", Path = "/proc/4242/ns/ipc" }, new Namespace { Type = "mount" },
            new Namespace { Type = "cgroup" }, new Namespace { Type = "uts" },
        ]), Samples.Options()),
        ["joined-user-namespace"] = (() => Samples.Spec(s =>
        {
            s.Linux!.Namespaces!.Add(new Namespace { Type = "user", Path = "/proc/4242/ns/user" });
            s.Linux.Namespaces.Find(n => n.Type == "network")!.Path = "/proc/4242/ns/net";
        }), Samples.Options()),
        ["time-namespace"] = (() => Samples.Spec(s =>
        {
            s.Linux!.Namespaces!.Add(new Namespace { Type = "time" });
            s.Linux.TimeOffsets = new() { ["monotonic"] = new TimeOffset { Secs = 86400 }, ["boottime"] = new TimeOffset { Secs = -3600, Nanosecs = 500 } };
        }), Samples.Options()),
        ["binds"] = (() => Samples.Spec(s => s.Mounts!.AddRange(
        [
            new Mount { Destination = "/data", Type = "bind", Source = "/srv/data", Options = ["rbind", "rprivate"] },
            new Mount { Destination = "/config", Type = "bind", Source = "config", Options = ["bind", "ro", "nosuid", "nodev"] },
            new Mount { Destination = "/all", Source = "/srv", Options = ["rbind", "rro", "rshared"] },
            new Mount { Destination = "/cache", Type = "tmpfs", Source = "tmpfs", Options = ["noatime", "size=64m", "mode=1777", "slave"] },
        ])), Samples.Options()),
        ["mount-options"] = (() => Samples.Spec(s => s.Mounts!.AddRange(
        [
            new Mount
            {
                Destination = "/home", Type = "bind", Source = "/srv/home", Options = ["rbind", "ridmap", "rnosuid"],
                UidMappings = [new IdMapping { ContainerID = 0, HostID = 100000, Size = 65536 }], GidMappings = [new IdMapping { ContainerID = 5, HostID = 7, Size = 1 }],
            },
            new Mount { Destination = "/option", Source = "/srv", Options = ["bind", "idmap=uids=0-1000-10#10-11-10;gids=0-100-10"] },
            new Mount { Destination = "/copy", Type = "tmpfs", Source = "tmpfs", Options = ["tmpcopyup", "ro", "size=64m"] },
            new Mount { Destination = "/link", Source = "/srv/link", Options = ["bind", "copy-symlink"] },
        ])), Samples.Options()),
        ["binds-of-mounts"] = (() => Samples.Spec(s => s.Mounts!.AddRange(
        [
            new Mount { Destination = "/data", Type = "bind", Source = "/srv/data", Options = ["rbind"] },
            new Mount { Destination = "/bundles/web/rootfs/again", Source = "rootfs/data/part", Options = ["bind", "ro"] },
            new Mount { Destination = "/other", Source = "/bundles/web/rootfs/etc", Options = ["bind"] },
        ])), Samples.Options()),
        ["root-overlay"] = (() => Samples.Spec(s => s.Annotations = new() { [RootOverlay.Annotation] = "tmpfs", [RootOverlay.Annotation + ".size"] = "64m" }), Samples.Options()),
        ["hooks"] = (() => Samples.Spec(s => s.Hooks = new Hooks
        {
            Prestart = [new Hook { Path = "/usr/bin/net-setup" }],
            CreateRuntime = [new Hook { Path = "/usr/bin/register", Args = ["register", "--now"], Timeout = 5 }],
            CreateContainer = [new Hook { Path = "/usr/bin/drivers" }],
            StartContainer = [new Hook { Path = "/bin/warm-up" }],
            Poststart = [new Hook { Path = "/usr/bin/notify" }],
            Poststop = [new Hook { Path = "/usr/bin/net-teardown" }],
        }), Samples.Options()),
        ["sysctls"] = (() => Samples.Spec(s => s.Linux!.Sysctl = new()
        {
            ["net.ipv4.ip_unprivileged_port_start"] = "0",
            ["net.ipv4.ping_group_range"] = "0 2147483647",
            ["net/ipv4/conf/eth0.100/forwarding"] = "1",
            ["kernel.shmmax"] = "65536",
        }), Samples.Options()),
        ["masks"] = (() => Samples.Spec(s =>
        {
            s.Linux!.MaskedPaths = ["/proc/kcore", "/sys/firmware"];
            s.Linux.ReadonlyPaths = ["/proc/sys", "/proc/sysrq-trigger"];
        }), Samples.Options()),
        ["devices"] = (() => Samples.Spec(s =>
        {
            s.Linux!.Devices =
            [
                new Device { Path = "/dev/fuse", Type = "c", Major = 10, Minor = 229, FileMode = 0x1b6, Uid = 0, Gid = 0 },
                new Device { Path = "/dev/sda", Type = "b", Major = 8, Minor = 0, FileMode = 0x1b0, Gid = 6 },
                new Device { Path = "/dev/pipe", Type = "p" },
                new Device { Path = "/dev/null", Type = "c", Major = 1, Minor = 3, FileMode = 0x1b6 },
            ];
            s.Linux.Resources!.Devices!.Add(new DeviceCgroup { Allow = true, Type = "c", Major = 10, Minor = 229, Access = "rw" });
        }), Samples.Options()),
        ["process"] = (() => Samples.Spec(s =>
        {
            s.Process!.User = new User { Uid = 1000, Gid = 1000, Umask = 0x3f, AdditionalGids = [4, 27] };
            s.Process.Args = ["/usr/bin/server", "--name", "a b", "$HOME"];
            s.Process.Cwd = "/srv/app";
            s.Process.Rlimits =
            [
                new Rlimit { Type = "RLIMIT_NOFILE", Soft = 1024, Hard = 524288 }, new Rlimit { Type = "RLIMIT_CORE", Soft = 0, Hard = ulong.MaxValue },
            ];
            s.Process.Capabilities = new Capabilities
            {
                Bounding = ["CAP_NET_BIND_SERVICE", "CAP_KILL"], Effective = ["CAP_NET_BIND_SERVICE"], Permitted = ["CAP_NET_BIND_SERVICE", "CAP_KILL"],
                Inheritable = ["CAP_NET_BIND_SERVICE"], Ambient = ["CAP_NET_BIND_SERVICE", "CAP_KILL"],
            };
            s.Process.NoNewPrivileges = false;
            s.Domainname = "example.org";
        }), Samples.Options(preserved: 2)),
        ["confined"] = (() => Samples.Spec(s =>
        {
            (s.Process!.ApparmorProfile, s.Process.SelinuxLabel) = ("conman-default", "system_u:system_r:container_t:s0");
            s.Linux!.MemoryPolicy = new MemoryPolicy { Mode = "MPOL_BIND", Nodes = "0-1,3", Flags = ["MPOL_F_STATIC_NODES"] };
            s.Linux.NetDevices = new() { ["eth1"] = new NetDevice { Name = "net%d" } };
            s.Linux.Seccomp = new Conman.Oci.RuntimeSpec.Seccomp
            {
                DefaultAction = "SCMP_ACT_ALLOW", ListenerPath = "/run/agent.sock", Syscalls = [new SeccompSyscall { Action = "SCMP_ACT_NOTIFY", Names = ["mknod"] }],
            };
            s.Annotations = new()
            {
                ["org.conman.landlock.read"] = "/etc:/usr/share", ["org.conman.landlock.write"] = "/tmp", ["org.conman.landlock.execute"] = "/usr/bin",
                ["org.conman.landlock.tcp-bind"] = "", ["org.conman.landlock.tcp-connect"] = "53,443", ["org.conman.landlock.scope"] = "signal,abstract-unix-socket",
            };
        }), Samples.Options()),
        ["privileged"] = (() => Samples.Spec(s =>
        {
            var all = CapabilityNames.All.ToList();
            s.Process!.Capabilities = new Capabilities { Bounding = all, Effective = all, Permitted = all };
            s.Process.NoNewPrivileges = false;
            (s.Linux!.MaskedPaths, s.Linux.ReadonlyPaths, s.Root!.Readonly) = (null, null, false);
        }), Samples.Options()),
        ["nearly-all-capabilities"] = (() => Samples.Spec(s =>
        {
            var most = CapabilityNames.All.Where(c => c is not ("CAP_SYS_ADMIN" or "CAP_SYS_MODULE")).ToList();
            s.Process!.Capabilities = new Capabilities { Bounding = most, Effective = most, Permitted = most };
        }), Samples.Options()),
        ["shared-root"] = (() => Samples.Spec(s =>
        {
            s.Linux!.RootfsPropagation = "rshared";
            s.Mounts!.Add(new Mount { Destination = "/volumes", Type = "bind", Source = "/var/volumes", Options = ["rbind", "rshared"] });
        }), Samples.Options()),
        ["private-root"] = (() => Samples.Spec(s => s.Linux!.RootfsPropagation = "private"), Samples.Options()),
        ["no-pivot"] = (() => Samples.Spec(), Samples.Options(noPivot: true, noNewKeyring: true)),
        ["resources"] = (() => Samples.Spec(s =>
        {
            s.Linux!.CgroupsPath = "/machine/web";
            s.Linux.Resources = new Resources
            {
                Memory = new MemoryResources { Limit = 256 << 20, Reservation = 128 << 20, Swap = 512 << 20 },
                Cpu = new CpuResources { Shares = 1024, Quota = 50000, Period = 100000, Cpus = "0-1" },
                Pids = new PidsResources { Limit = 2048 },
                BlockIO = new BlockIo { Weight = 500, ThrottleReadBpsDevice = [new ThrottleDevice { Major = 8, Minor = 0, Rate = 1048576 }] },
                Unified = new() { ["memory.oom.group"] = "1" },
            };
        }), Samples.Options()),
        ["host-cgroup-namespace"] = (() => Samples.Spec(s => s.Linux!.Namespaces!.RemoveAll(n => n.Type == "cgroup")), Samples.Options()),
        ["cgroup-v1"] = (() => Samples.Spec(s => s.Linux!.Resources!.Memory = new MemoryResources { Limit = 1 << 28, Swap = 1 << 29 }), Samples.Options()),
        ["cgroup-v1-host-namespace"] = (() => Samples.Spec(s =>
        {
            s.Linux!.CgroupsPath = "machine/web";
            s.Linux.Namespaces!.RemoveAll(n => n.Type == "cgroup");
        }), Samples.Options()),
        ["run-without-start"] = (() => Samples.Spec(), Samples.Options(awaitStart: false)),
    };

    private static readonly HostFacts InMemory = new() { KernelFileSystems = ["/sys", "/proc"] };

    private static CompiledSpec Compile(string name, Spec spec) =>
        PlanCompiler.Compile(spec, name.StartsWith("cgroup-v1", StringComparison.Ordinal) ? Hybrid : name == "no-pivot" ? InMemory : Samples.Facts, Cases[name].Options);

    public static TheoryData<string> Names => [.. Cases.Keys];

    [Theory, MemberData(nameof(Names))]
    public void A_plan_reads_as_its_golden_file(string name)
    {
        var spec = Cases[name].Spec();
        GoldenFile.Check(name, PlanText.Of(Compile(name, spec), spec, "web"));
    }

    [Fact]
    public void Every_golden_file_has_its_case() => Assert.Empty(GoldenFile.All().Except(Cases.Keys));

    [Theory, MemberData(nameof(Names))]
    public void A_plan_is_text_that_fits_a_terminal(string name)
    {
        var spec = Cases[name].Spec();
        foreach (var line in PlanText.Of(Compile(name, spec), spec, "web").Split('\n'))
        {
            Assert.InRange(line.Length, 0, 120);
            Assert.Equal(line.TrimEnd(), line);
            Assert.DoesNotContain(line, char.IsControl);
        }
    }

    [Theory, MemberData(nameof(Names))]
    public void The_same_spec_gives_the_same_bytes(string name)
    {
        var first = PlanEncoder.Encode(Samples.Open(Compile(name, Cases[name].Spec()).Plan), 3);
        var second = PlanEncoder.Encode(Samples.Open(Compile(name, Cases[name].Spec()).Plan), 3);
        Assert.Equal(first.Bytes.ToArray(), second.Bytes.ToArray());
    }

    [Theory, MemberData(nameof(Names))]
    public void Compiling_does_not_change_the_spec(string name)
    {
        var spec = Cases[name].Spec();
        var before = spec.ToUtf8(true);
        Compile(name, spec);
        Assert.Equal(before, spec.ToUtf8(true));
    }

    [Theory, MemberData(nameof(Names))]
    public void An_encoded_plan_decodes_to_its_operations(string name) => DecodedPlan.Check(Samples.Open(Compile(name, Cases[name].Spec()).Plan));

    [Theory, MemberData(nameof(Names))]
    public void A_failure_of_any_step_is_a_sentence_that_names_it(string name)
    {
        foreach (var operation in Compile(name, Cases[name].Spec()).Plan.Operations)
        {
            foreach (var errno in (int[])[1, 2, 12, 13, 19, 20, 21, 22, 28, 38, 40])
            {
                var sentence = operation.Failure(errno, "");
                Assert.Matches("^(cannot |exec)", sentence);
                Assert.DoesNotContain('\n', sentence);
            }
        }
    }
}
