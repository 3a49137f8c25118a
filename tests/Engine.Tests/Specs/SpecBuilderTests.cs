// Settings become a runtime's document: what a container has by default, and what each setting changes.

using System.Text;
using Conman.Engine.Settings;
using Conman.Engine.Specs;
using Conman.Linux;
using Conman.Oci.RuntimeSpec;
using Conman.Runtime.Seccomp;

namespace Conman.Engine.Tests.Specs;

public sealed class SpecBuilderTests : IDisposable
{
    private readonly TemporaryRoot _root = new();

    public void Dispose() => _root.Dispose();

    [Fact]
    public void A_container_that_nothing_is_asked_of()
    {
        var spec = _root.Build();
        GoldenFile.Check("default-seccomp.json", Encoding.UTF8.GetString(spec.Linux!.Seccomp!.ToUtf8(indented: true)) + "\n");
        spec.Linux.Seccomp = null;
        GoldenFile.Check("default.json", Text(spec));
    }

    [Fact]
    public void A_container_that_everything_is_asked_of()
    {
        var spec = _root.Build(
            new ContainerConfig
            {
                Hostname = "web", Domainname = "example.org", User = "web", Tty = true, WorkingDir = "/srv/../srv/web", Entrypoint = ["/bin/tini", "--"], Cmd = ["serve", ""],
                Env = ["PATH=/bin", "A=1", "B=", "TERM"], Umask = "0077", Secrets = [new SecretUse { Name = "key" }, new SecretUse { Name = "token", Type = "env", Target = "TOKEN" }],
            },
            new HostConfig
            {
                CapAdd = ["net_admin"], CapDrop = ["CAP_CHOWN"], ReadonlyRootfs = true, Memory = 64 << 20, MemoryReservation = 32 << 20, NanoCpus = 1_500_000_000, CpuShares = 512,
                CpusetCpus = "0-1", PidsLimit = 64, ShmSize = 1 << 20, Tmpfs = new() { ["/run"] = "exec,size=1m" }, Sysctls = new() { ["net.ipv4.ip_forward"] = "1" },
                Ulimits = [new Ulimit { Name = "nofile", Soft = 10, Hard = 20 }, new Ulimit { Name = "core", Soft = -1, Hard = -1 }], OomScoreAdj = 100, GroupAdd = ["daemon"],
                SecurityOpt = ["no-new-privileges", "seccomp=unconfined", "mask=/proc/uptime", "unmask=/proc/k*:/proc/sys"], CgroupParent = "/machines/", Annotations = new() { ["a"] = "b" },
                ConsoleSize = [24, 80], ExtraHosts = ["db:10.0.0.5", "six:[::1]"], Dns = ["10.0.0.1"], DnsSearch = ["example.org"], DnsOptions = ["ndots:2"],
                Mounts = [new MountSetting { Type = "tmpfs", Target = "/var/cache", ReadOnly = true, TmpfsOptions = new TmpfsOptions { SizeBytes = 4096, Mode = 0x3c0 } }],
            },
            [new Mount { Destination = "/data/deep", Type = "bind", Source = "/b", Options = ["rbind"] }, new Mount { Destination = "/data", Type = "bind", Source = "/a", Options = ["rbind"] }]);
        GoldenFile.Check("everything.json", Text(spec));
        Assert.Equal("web\n", File.ReadAllText(_root.Lib + "/hostname"));
        Assert.EndsWith("10.0.0.5\tdb\n::1\tsix\n127.0.0.1\tweb.example.org web\n", File.ReadAllText(_root.Lib + "/hosts"), StringComparison.Ordinal);
        Assert.Equal("search example.org\nnameserver 10.0.0.1\noptions ndots:2\n", File.ReadAllText(_root.Lib + "/resolv.conf"));
        Assert.Equal("secret of key", File.ReadAllText(Directory.GetFiles(_root.Lib + "/secrets").Single()));
        Assert.Equal("-r--r--r--", Mode(_root.Lib + "/secrets/" + Path.GetFileName(Directory.GetFiles(_root.Lib + "/secrets").Single())));
    }

    [Fact]
    public void A_privileged_container_is_the_host_but_for_its_namespaces()
    {
        var spec = _root.Build(host: new HostConfig { Privileged = true });
        Assert.Null(spec.Linux!.Seccomp);
        Assert.Null(spec.Linux.MaskedPaths);
        Assert.Null(spec.Linux.ReadonlyPaths);
        Assert.Contains("CAP_SYS_ADMIN", spec.Process!.Capabilities!.Effective!);
        Assert.Contains("rw", spec.Mounts!.Find(m => m.Destination == "/sys")!.Options!);
        Assert.True(spec.Linux.Resources!.Devices is [{ Allow: true, Type: null }]);
        Assert.DoesNotContain(spec.Linux.Devices ?? [], d => d.Path is "/dev/null" or "/dev/ptmx" or "/dev/console" || d.Path!.StartsWith("/dev/pts", StringComparison.Ordinal));
        Assert.Equal(["cgroup", "ipc", "mount", "network", "pid", "uts"], spec.Linux.Namespaces!.Select(n => n.Type!).Order());
    }

    [Fact]
    public void Namespaces_are_the_host_s_another_container_s_or_those_of_a_path()
    {
        var spec = _root.Build(host: new HostConfig { PidMode = "host", NetworkMode = "container:other", IpcMode = "ns:/run/ipc", UTSMode = "host", CgroupnsMode = "host", UsernsMode = "container:other" });
        Assert.Equal("mount  network /proc/4242/ns/net ipc /run/ipc user /proc/4242/ns/user", string.Join(' ', spec.Linux!.Namespaces!.Select(n => n.Type + " " + n.Path)));
        Assert.Null(spec.Hostname);
        Assert.Null(spec.Linux.Sysctl);
        Assert.Contains(_root.Build(host: new HostConfig { IpcMode = "host" }).Mounts!, m => m is { Destination: "/dev/shm", Source: "/dev/shm", Type: "bind" });
        Assert.DoesNotContain(_root.Build(host: new HostConfig { IpcMode = "none" }).Mounts!, m => m.Destination == "/dev/shm");
        Assert.Equal(File.ReadAllText("/proc/sys/kernel/hostname"), Hostname(new HostConfig { NetworkMode = "host" }) + "\n");
        Assert.Equal(TemporaryRoot.Id[..12], Hostname(new HostConfig()));
        Assert.Equal("no such container: gone", Assert.Throws<EngineException>(() => _root.Build(host: new HostConfig { PidMode = "container:gone" })).Message);
        Assert.StartsWith("--ipc: there is no mode shared:", Assert.Throws<EngineException>(() => _root.Build(host: new HostConfig { IpcMode = "shared" })).Message, StringComparison.Ordinal);
        Assert.StartsWith("--userns private:", Assert.Throws<EngineException>(() => _root.Build(host: new HostConfig { UsernsMode = "private" })).Message, StringComparison.Ordinal);

        string? Hostname(HostConfig host) => _root.Build(host: host).Hostname;
    }

    [Theory]
    [InlineData("", "", 11)]
    [InlineData("NET_RAW", "", 12)]
    [InlineData("all", "", -1)]
    [InlineData("ALL", "sys_admin", -2)]
    [InlineData("", "all", 0)]
    [InlineData("chown,CAP_NET_RAW", "ALL", 2)]
    [InlineData("chown", "chown", 11)] // Docker adds last
    public void Capabilities_are_added_and_dropped(string add, string drop, int count)
    {
        var all = System.Numerics.BitOperations.PopCount(Processes.BoundingCapabilities);
        var set = _root.Build(host: new HostConfig { CapAdd = List(add), CapDrop = List(drop) }).Process!.Capabilities!.Bounding!;
        Assert.Equal(count >= 0 ? count : all + 1 + count, set.Count);

        static List<string> List(string text) => [.. text.Split(',', StringSplitOptions.RemoveEmptyEntries)];
    }

    [Fact]
    public void Another_user_than_root_has_only_what_was_added_by_name()
    {
        var set = _root.Build(new ContainerConfig { User = "web" }, new HostConfig { CapAdd = ["net_admin"] }).Process!.Capabilities!;
        Assert.Equal(["CAP_NET_ADMIN"], set.Effective);
        Assert.Equal(["CAP_NET_ADMIN"], set.Ambient);
        Assert.Equal(12, set.Bounding!.Count);
        Assert.Empty(_root.Build(new ContainerConfig { User = "web" }).Process!.Capabilities!.Effective!);
    }

    [Fact]
    public void What_is_mounted_by_hand_takes_the_place_of_the_default()
    {
        var mounts = _root.Build(volumes:
        [
            new Mount { Destination = "/dev/", Type = "bind", Source = "/dev" }, new Mount { Destination = "/etc/hosts", Type = "bind", Source = "/h" },
        ]).Mounts!;
        Assert.Equal("/proc /sys /sys/fs/cgroup /dev/ /etc/hostname /etc/resolv.conf /etc/hosts", string.Join(' ', mounts.Select(m => m.Destination)));
    }

    [Theory]
    [InlineData("seccomp={", "--security-opt seccomp: invalid JSON (line 1): the document ends too early")]
    [InlineData("label=type:x", "--security-opt label=type:x: conman gives no SELinux labels; label=disable is what a container has")]
    [InlineData("no-new-privileges=perhaps", "--security-opt no-new-privileges=perhaps: neither true nor false")]
    [InlineData("proc-opts=hidepid=2", "--security-opt: unknown option proc-opts=hidepid=2: it is one of apparmor, label, mask, no-new-privileges, seccomp, systempaths, unmask, writable-cgroups")]
    [InlineData("systempaths=some", "--security-opt systempaths=some: systempaths cannot be some")]
    public void A_security_option_that_cannot_be_is_refused_by_name(string option, string message) =>
        Assert.Equal(message, Assert.Throws<EngineException>(() => _root.Build(host: new HostConfig { SecurityOpt = [option] })).Message);

    [Theory]
    [InlineData]
    [InlineData("ALL")]
    public void The_default_profile_compiles_for_every_set_of_capabilities(params string[] add)
    {
        var profile = _root.Build(host: new HostConfig { CapAdd = [.. add] }).Linux!.Seccomp!;
        var filter = SeccompCompiler.Compile(profile)!;
        Assert.InRange(filter.Program.Length / 8, 100, 4096 /* BPF_MAXINSNS */);
        Assert.Equal(add.Length == 0, profile.Syscalls!.Exists(s => s is { Names: ["clone3"], ErrnoRet: 38 }));
        Assert.Equal(add.Length > 0, profile.Syscalls![0].Names!.Contains("mount"));
    }

    [Fact]
    public void A_profile_of_Docker_s_format_is_read_for_this_machine_and_these_capabilities()
    {
        const string Json = """
            {"defaultAction":"SCMP_ACT_ERRNO","archMap":[{"architecture":"SCMP_ARCH_X86_64","subArchitectures":["SCMP_ARCH_X86"]},{"architecture":"SCMP_ARCH_AARCH64","subArchitectures":[]}],
            "syscalls":[{"names":["read"],"action":"SCMP_ACT_ALLOW"},{"name":"write","action":"SCMP_ACT_ALLOW","includes":{"minKernel":"4.8"}},{"names":["later"],"action":"SCMP_ACT_ALLOW","includes":{"minKernel":"99.0"}},
            {"names":["chroot"],"action":"SCMP_ACT_ALLOW","includes":{"caps":["CAP_SYS_CHROOT"]}},{"names":["mount"],"action":"SCMP_ACT_ALLOW","includes":{"caps":["CAP_SYS_ADMIN"]}},
            {"names":["s390"],"action":"SCMP_ACT_ALLOW","includes":{"arches":["s390x"]}},{"names":["clone"],"action":"SCMP_ACT_ALLOW","excludes":{"caps":["CAP_SYS_ADMIN"],"arches":["s390x"]}}]}
            """;
        var profile = _root.Build(host: new HostConfig { SecurityOpt = ["seccomp=" + Json] }).Linux!.Seccomp!;
        Assert.Equal("read write chroot clone", string.Join(' ', profile.Syscalls!.SelectMany(s => s.Names!)));
    }

    [Fact]
    public void Hooks_come_from_folders_if_what_they_ask_for_is_so()
    {
        var folder = _root.Path + "/hooks";
        Directory.CreateDirectory(folder);
        File.WriteAllText(folder + "/a.json", """{"version":"1.0.0","hook":{"path":"/bin/a"},"when":{"always":true},"stages":["createRuntime","poststop"]}""");
        File.WriteAllText(folder + "/b.json", """{"version":"1.0.0","hook":{"path":"/bin/b"},"when":{"commands":["^s.$"],"annotations":{"^k":"v"}},"stages":["prestart"]}""");
        File.WriteAllText(folder + "/c.json", """{"version":"1.0.0","hook":{"path":"/bin/c"},"when":{"hasBindMounts":true},"stages":["prestart"]}""");
        File.WriteAllText(folder + "/d.txt", "no hook");
        var hooks = _root.Build(host: new HostConfig { HooksDir = [folder], Annotations = new() { ["key"] = "v1" } }).Hooks!;
        Assert.Equal("/bin/a", hooks.CreateRuntime!.Single().Path);
        Assert.Equal("/bin/a", hooks.Poststop!.Single().Path);
        Assert.Equal("/bin/b", hooks.Prestart!.Single().Path);
        File.WriteAllText(folder + "/b.json", """{"version":"0.1.0"}""");
        var e = Assert.Throws<EngineException>(() => _root.Build(host: new HostConfig { HooksDir = [folder] }));
        Assert.EndsWith("b.json: version 0.1.0 of hooks is not known: 1.0.0 is", e.Message, StringComparison.Ordinal);
    }

    private string Text(Spec spec)
    {
        // What depends on the machine that the test runs on.
        spec.Linux!.MaskedPaths!.RemoveAll(p => p.EndsWith("/thermal_throttle", StringComparison.Ordinal));
        foreach (var limit in spec.Process!.Rlimits!)
            limit.Hard = limit is { Type: "RLIMIT_NOFILE", Soft: 1024 } ? 524288 : limit.Hard;
        spec.Linux.Resources!.Unified = null;
        return Encoding.UTF8.GetString(spec.ToUtf8(indented: true)).Replace(_root.Lib, "/lib/conman", StringComparison.Ordinal) + "\n";
    }

    private static string Mode(string path) => string.Concat("-", new string([.. Enumerable.Range(0, 9).Select(i => ((int)File.GetUnixFileMode(path) >> (8 - i) & 1) != 0 ? "rwx"[i % 3] : '-')]));
}
