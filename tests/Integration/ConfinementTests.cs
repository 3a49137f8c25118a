// What confines a process beyond namespaces and capabilities: Landlock, labels, memory policy, affinity.
using System.Text.Json.Nodes;

namespace Conman.Integration.Tests;

public class ConfinementTests : ContainerTest
{
    private Bundle Landlock(string name, string value) => Bundle.Set("annotations/" + "org.conman.landlock." + name, value);

    // busybox is static: one file to execute, nothing else to read.
    private Bundle Confined() => Landlock("execute", "/bin").Writable();

    private static void SkipWithoutLandlock(int version)
    {
        int here = (int)Libc.syscall(444 /* landlock_create_ruleset */, 0, 0, 1);
        Skip.If(here < version, $"needs Landlock {version}, here is {here}");
    }

    [SkippableTheory]
    [InlineData(true)]
    [InlineData(false)]
    public void Landlock_denies_what_no_annotation_allows(bool noNewPrivileges)
    {
        SkipWithoutLandlock(3);
        Bundle.File("rootfs/etc/secret", "s");
        Confined().Set("process/noNewPrivileges", noNewPrivileges);
        Landlock("read", "/etc/passwd:/var");
        Landlock("write", "/tmp");
        Bundle.Shell("cat /etc/secret; ls /root; head -c 4 /etc/passwd; echo; echo x > /etc/passwd; echo x > /tmp/new && cat /tmp/new; echo x > /var/new; "
            + "rm /tmp/new && mkdir /tmp/folder && rmdir /tmp/folder && echo removed");
        Result result = Runtime.RunContainer(Bundle);
        result.Printed("root", "x", "removed");
        foreach (string denied in (string[])["can't open '/etc/secret'", "can't open '/root'", "can't create /etc/passwd", "can't create /var/new"])
            Assert.Contains(denied + ": Permission denied", result.Error);
        Assert.False(File.Exists(Bundle.Rootfs + "/var/new"));
        Assert.StartsWith("root:", File.ReadAllText(Bundle.Rootfs + "/etc/passwd"));
    }

    [SkippableFact]
    public void Landlock_denies_execution()
    {
        SkipWithoutLandlock(3);
        Bundle.File("rootfs/opt/tool", "#!/bin/sh\necho ran\n", 0x1ed);
        Landlock("read", "/");
        Landlock("execute", "/bin");
        Runtime.RunContainer(Bundle.Shell("/opt/tool")).ExitedWith(126).FailedWith("Permission denied");
        Runtime.RunContainer(Bundle.Args("/opt/tool")).FailedWith("permission denied");
        AssertNothingLeft();
        Runtime.Create(Bundle).Succeeded();
        Runtime.Run("start", Bundle.Id).FailedWith("exec /opt/tool: permission denied");
    }

    [SkippableFact]
    public void Landlock_confines_what_exec_starts()
    {
        SkipWithoutLandlock(3);
        Bundle.File("rootfs/etc/secret", "s");
        StartIdle(Confined());
        Result result = Runtime.Run("exec", Bundle.Id, "cat", "/etc/secret");
        Assert.Equal(1, result.ExitCode);
        Assert.Contains("Permission denied", result.Error);
    }

    [SkippableFact]
    public void Landlock_holds_in_a_user_namespace_and_for_created_containers()
    {
        SkipWithoutLandlock(3);
        Bundle.File("rootfs/etc/secret", "s");
        Runtime.CreateAndStart(Confined().UserNamespace().Set("root/readonly", true).Shell("cat /etc/secret 2>&1")).WaitForOutput("Permission denied");
    }

    [SkippableFact]
    public void Landlock_paths_are_those_of_the_container()
    {
        SkipWithoutLandlock(3);
        Bundle.File("rootfs/etc/own", "own");
        File.CreateSymbolicLink(Bundle.Rootfs + "/var/link", "/etc/own");
        Confined();
        Landlock("read", "/var/link");
        Runtime.RunContainer(Bundle.Args("cat", "/etc/own")).Printed("own");
        Landlock("read", "/nonexistent");
        Runtime.RunContainer(Bundle).FailedWith("cannot allow /nonexistent by Landlock: no such file or directory");
        AssertNothingLeft();
    }

    [SkippableFact]
    public void Landlock_keeps_to_the_ports_that_are_allowed()
    {
        SkipWithoutLandlock(4);
        Landlock("tcp-bind", "8080");
        Landlock("tcp-connect", "");
        Bundle.Shell("nc -l -p 8081 2>&1; nc 127.0.0.1 1 2>&1; timeout 1 nc -l -p 8080; true");
        File.CreateSymbolicLink(Bundle.Rootfs + "/bin/nc", "busybox");
        File.CreateSymbolicLink(Bundle.Rootfs + "/bin/timeout", "busybox");
        Runtime.RunContainer(Bundle).Printed("nc: bind: Permission denied", "nc: can't connect to remote host (127.0.0.1): Permission denied");
    }

    [SkippableFact]
    public void Landlock_scope_keeps_signals_inside()
    {
        SkipWithoutLandlock(6);
        StartIdle(Landlock("scope", "signal"));
        Runtime.Run("exec", Bundle.Id, "sh", "-c", "kill -0 1").FailedWith("");
        Runtime.Run("exec", Bundle.Id, "sh", "-c", "sleep 100 & kill -9 $!").Succeeded();
    }

    [SkippableFact]
    public void An_unknown_annotation_of_landlock_is_refused()
    {
        Landlock("raed", "/");
        Runtime.RunContainer(Bundle.Args("true")).FailedWith("org.conman.landlock.raed: there is no such annotation");
    }

    [SkippableTheory]
    [InlineData("MPOL_INTERLEAVE", "0", null, "interleave:0")]
    [InlineData("MPOL_BIND", "0", "MPOL_F_STATIC_NODES", "bind=static:0")]
    [InlineData("MPOL_PREFERRED", "0", "MPOL_F_RELATIVE_NODES", "prefer=relative:0")]
    [InlineData("MPOL_DEFAULT", null, null, "default")]
    [InlineData("MPOL_LOCAL", null, null, "local")]
    [Proves("linux.memoryPolicy")]
    public void The_memory_policy_is_set(string mode, string? nodes, string? flag, string shown)
    {
        Skip.IfNot(File.Exists("/proc/self/numa_maps"), "this kernel has no NUMA");
        JsonObject policy = new() { ["mode"] = mode };
        if (nodes is not null)
            policy["nodes"] = nodes;
        if (flag is not null)
            policy["flags"] = Tests.Bundle.Strings(flag);
        StartIdle(Bundle.Set("linux/memoryPolicy", policy));
        Runtime.Run("exec", Bundle.Id, "awk", "NR == 1 {print $2}", "/proc/self/numa_maps").Printed(shown);
        Runtime.Run("exec", Bundle.Id, "awk", "NR == 1 {print $2}", "/proc/1/numa_maps").Printed(shown);
    }

    [SkippableFact]
    public void A_memory_policy_that_the_host_cannot_keep_is_an_error()
    {
        Bundle.Set("linux/memoryPolicy", new JsonObject { ["mode"] = "MPOL_BIND", ["nodes"] = "63" }).Args("true");
        Runtime.RunContainer(Bundle).FailedWith("invalid memory policy");
        AssertNothingLeft();
    }

    [SkippableTheory]
    [InlineData("0", null)]
    [InlineData("0", "1")]
    [InlineData(null, "0")]
    [InlineData("1", "0-1")]
    [Proves("process.execCPUAffinity")]
    public void Exec_runs_on_the_cpus_asked_for(string? initial, string? final)
    {
        Skip.If(Environment.ProcessorCount < 2, "needs two CPUs");
        StartIdle(Bundle);
        JsonObject affinity = [];
        if (initial is not null)
            affinity["initial"] = initial;
        if (final is not null)
            affinity["final"] = final;
        JsonObject process = (JsonObject)Bundle.Spec["process"]!.DeepClone();
        process["execCPUAffinity"] = affinity;
        process["args"] = Tests.Bundle.Strings("awk", "/^Cpus_allowed_list/{print $2}", "/proc/self/status");
        string file = Bundle.File("process.json", process.ToJsonString());
        Result result = Runtime.Run("exec", "--process", file, Bundle.Id).Succeeded();
        if (final is not null)
            Assert.Equal(final, Assert.Single(result.Lines));
    }

    [SkippableFact]
    [Proves("process.execCPUAffinity")]
    public void Exec_takes_its_cpus_from_the_bundle()
    {
        StartIdle(Bundle.Set("process/execCPUAffinity", new JsonObject { ["final"] = "0" }));
        Runtime.Run("exec", Bundle.Id, "awk", "/^Cpus_allowed_list/{print $2}", "/proc/self/status").Printed("0");
        Runtime.Run("exec", Bundle.Id, "awk", "/^Cpus_allowed_list/{print $2}", "/proc/1/status").Printed($"0-{Environment.ProcessorCount - 1}");
    }

    [SkippableFact]
    public void A_cpu_that_is_not_there_is_an_error()
    {
        StartIdle(Bundle.Set("process/execCPUAffinity", new JsonObject { ["final"] = "8000" }));
        Runtime.Run("exec", Bundle.Id, "true").FailedWith("cannot be run on CPUs 8000: invalid argument");
    }

    [SkippableFact]
    public void Nothing_of_the_callers_affinity_reaches_a_container()
    {
        Skip.If(Environment.ProcessorCount < 2, "needs two CPUs");
        Bundle.Args("awk", "/^Cpus_allowed_list/{print $2}", "/proc/self/status").Save();
        Runtime.StartProgram("taskset", new Options(), ["-c", "0", .. Runtime.CommandLine("run", "--bundle", Bundle.Folder, Bundle.Id)])
            .Wait().Printed($"0-{Environment.ProcessorCount - 1}");
    }

    [SkippableFact]
    [Proves("linux.personality")]
    public void A_personality_is_that_of_every_process()
    {
        File.CreateSymbolicLink(Bundle.Rootfs + "/bin/uname", "busybox");
        StartIdle(Bundle.Set("linux/personality", new JsonObject { ["domain"] = "LINUX32" }));
        Runtime.Run("exec", Bundle.Id, "uname", "-m").Printed(System.Runtime.InteropServices.RuntimeInformation.ProcessArchitecture == System.Runtime.InteropServices.Architecture.X64 ? "i686" : "armv8l");
    }

    [SkippableFact]
    public void Unknown_capabilities_and_ambient_ones_that_cannot_be_are_warnings_in_runcs_words()
    {
        Bundle.Set("process/capabilities/bounding", Tests.Bundle.Strings("CAP_UNKNOWN", "UNKNOWN_CAP", "CAP_KILL"))
            .Set("process/capabilities/inheritable", Tests.Bundle.Strings("CAP_KILL"))
            .Set("process/capabilities/ambient", Tests.Bundle.Strings("CAP_KILL", "CAP_CHOWN"))
            .Args("grep", "CapAmb", "/proc/self/status");
        Result result = Runtime.RunContainer(Bundle);
        result.Printed("CapAmb:\t0000000000000020");
        Assert.Contains("ignoring unknown or unavailable capabilities: [CAP_UNKNOWN UNKNOWN_CAP]", result.Error);
        Assert.Contains("can't raise ambient capability CAP_CHOWN: ", result.Error);
    }

    [SkippableFact]
    [Proves("process.apparmorProfile")]
    public void An_AppArmor_profile_without_AppArmor_is_refused()
    {
        Skip.If(File.Exists("/sys/module/apparmor/parameters/enabled"), "this host has AppArmor");
        Runtime.RunContainer(Bundle.Set("process/apparmorProfile", "some-profile").Args("true")).FailedWith("apparmor: config provided but apparmor not supported");
        AssertNothingLeft();
    }

    [SkippableFact]
    [Proves("process.selinuxLabel")]
    public void An_SELinux_label_without_SELinux_is_refused()
    {
        Skip.If(Directory.Exists("/sys/fs/selinux"), "this host has SELinux");
        Runtime.RunContainer(Bundle.Set("process/selinuxLabel", "a:b:c:s0").Args("true"))
            .FailedWith("selinux label is specified in config, but selinux is disabled or not supported");
        AssertNothingLeft();
    }

    [SkippableFact]
    [Proves("linux.intelRdt")]
    public void Intel_rdt_without_resctrl_is_refused()
    {
        Skip.If(Directory.Exists("/sys/fs/resctrl/info"), "this host has resctrl");
        Runtime.RunContainer(Bundle.Set("linux/intelRdt", new JsonObject { ["closID"] = "guaranteed" }).Args("true"))
            .FailedWith("intelRdt is specified in config, but Intel RDT is not enabled");
        AssertNothingLeft();
    }

    [SkippableFact]
    [Proves("linux.intelRdt")]
    public void Intel_rdt_makes_a_group_and_delete_removes_it()
    {
        Skip.IfNot(Directory.Exists("/sys/fs/resctrl/info"), "needs a mounted resctrl file system: none of this machine's CPUs has RDT");
        int pid = StartIdle(Bundle.Set("linux/intelRdt", new JsonObject { ["enableMonitoring"] = true }));
        string group = "/sys/fs/resctrl/" + Bundle.Id;
        Assert.Contains(pid.ToString(), File.ReadAllLines($"{group}/mon_groups/{Bundle.Id}/tasks"));
        Runtime.Run("delete", "--force", Bundle.Id).Succeeded();
        Assert.False(Directory.Exists(group));
    }
}
