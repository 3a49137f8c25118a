// What this runtime can do, as runtime-spec's features document tells it to callers.

using Conman.Linux;
using Conman.Oci.RuntimeSpec;
using Conman.Runtime.Compiling;
using Conman.Runtime.Plans;
using Conman.Runtime.Seccomp;

namespace Conman.Runtime.Containers;

/// <summary>The document of <c>features</c> (runtime-spec features.md).</summary>
public static class RuntimeFeatures
{
    /// <summary>Builds it.</summary>
    /// <param name="version">Of conman.</param>
    /// <param name="commit">That it was built from; empty: not known.</param>
    public static Features Describe(string version, string commit) => new()
    {
        OciVersionMin = "1.0.0",
        OciVersionMax = Container.SpecVersion,
        Hooks = ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"],
        MountOptions =
        [
            "async", "atime", "bind", "copy-symlink", "defaults", "dest-nofollow", "dev", "diratime", "dirsync", "exec", "idmap", "lazytime", "loud", "mand",
            "noatime", "nodev", "nodiratime", "noexec", "nolazytime", "nomand", "norelatime", "nostrictatime", "nosuid", "nosymfollow", "private", "ratime", "rbind", "rdev",
            "rdiratime", "relatime", "remount", "rexec", "ridmap", "rnoatime", "rnodev", "rnodiratime", "rnoexec", "rnorelatime", "rnostrictatime",
            "rnosuid", "rnosymfollow", "ro", "rprivate", "rrelatime", "rro", "rrw", "rshared", "rslave", "rstrictatime", "rsuid", "rsymfollow",
            "runbindable", "rw", "shared", "silent", "slave", "src-nofollow", "strictatime", "suid", "symfollow", "sync", "tmpcopyup",
            "unbindable",
        ],
        Linux = new FeaturesLinux
        {
            Namespaces = ["cgroup", "ipc", "mount", "network", "pid", "time", "user", "uts"],
            Capabilities = [.. CapabilityNames.All],
            Cgroup = new FeaturesCgroup { V1 = true, V2 = true, Systemd = true, SystemdUser = true, Rdma = true },
            Seccomp = new FeaturesSeccomp
            {
                Enabled = true,
                Actions = ["SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO", "SCMP_ACT_KILL", "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_KILL_THREAD", "SCMP_ACT_LOG", "SCMP_ACT_NOTIFY", "SCMP_ACT_TRACE", "SCMP_ACT_TRAP"],
                Operators = ["SCMP_CMP_EQ", "SCMP_CMP_GE", "SCMP_CMP_GT", "SCMP_CMP_LE", "SCMP_CMP_LT", "SCMP_CMP_MASKED_EQ", "SCMP_CMP_NE"],
                Archs = [.. Seccomp.SyscallTable.Architectures],
                KnownFlags = ["SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW", "SECCOMP_FILTER_FLAG_TSYNC", "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"],
                SupportedFlags = [.. SupportedFilterFlags()],
            },
            Apparmor = new FeaturesEnabled { Enabled = true },
            Selinux = new FeaturesEnabled { Enabled = true },
            IntelRdt = new FeaturesIntelRdt { Enabled = true, Schemata = true, Monitoring = true },
            MountExtensions = new FeaturesMountExtensions { Idmap = new FeaturesEnabled { Enabled = true } },
            NetDevices = new FeaturesEnabled { Enabled = true },
            MemoryPolicy = new FeaturesMemoryPolicy { Modes = [.. Scheduling.MemoryPolicies.Modes], Flags = [.. Scheduling.MemoryPolicies.Flags] },
        },
        Annotations = new Dictionary<string, string>
        {
            // By this name callers look for it, whichever runtime answers.
            ["org.opencontainers.runc.checkpoint.enabled"] = "true",
            ["org.conman.version"] = version,
            ["org.conman.commit"] = commit,
        },
        PotentiallyUnsafeConfigAnnotations = ["org.conman.", "org.systemd.property.", "run.oci.delegate-cgroup", "run.oci.keep_original_groups", "run.oci.systemd.subgroup"],
    };

    // The others are as old as the oldest kernel that conman runs on.
    private static IEnumerable<string> SupportedFilterFlags()
    {
        yield return "SECCOMP_FILTER_FLAG_LOG";
        yield return "SECCOMP_FILTER_FLAG_SPEC_ALLOW";
        yield return "SECCOMP_FILTER_FLAG_TSYNC";
        // The kernel takes this one only together with a listener.
        if (SecurityModules.KnowsFilterFlag(SeccompWords.WaitKillable | SeccompWords.NewListener))
            yield return "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV";
    }
}
