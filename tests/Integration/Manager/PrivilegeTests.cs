// Rows G of the threats: what a container of `conman run` may do if nobody says otherwise, seen from within.
using System.Diagnostics;
using System.Globalization;

namespace Conman.Integration.Tests.Manager;

public class PrivilegeTests : ManagerTest
{
    // CHOWN DAC_OVERRIDE FOWNER FSETID KILL SETGID SETUID SETPCAP NET_BIND_SERVICE SYS_CHROOT SETFCAP
    private const string Default = "00000000800405fb";

    // What a program gets when it asks the kernel for what it must not have, by the 64-bit calls and by those of i386 (int 0x80): a line each, NAME ERRNO.
    private const string Probe = """
        #include <errno.h>
        #include <signal.h>
        #include <stdio.h>
        #include <sys/syscall.h>
        #include <unistd.h>
        static long old(long n, long a, long b, long c) {
            long r;
            __asm__ volatile("int $0x80" : "=a"(r) : "a"(n), "b"(a), "c"(b), "d"(c) : "memory", "r8", "r9", "r10", "r11");
            return r;
        }
        static void tell(const char *name, long r) { printf("%s %ld\n", name, r == -1 ? errno : r < 0 ? -r : 0); }
        static void without(int signal) { printf("no-int80 38\n"); fflush(stdout); _exit(0); }
        int main(void) {
            static unsigned char none[256];
            signal(SIGSEGV, without); /* a kernel without the calls of i386 */
            tell("alg", syscall(SYS_socket, 38, 5, 0));
            tell("alg-high", syscall(SYS_socket, 38 | 1l << 40, 5, 0));
            tell("vsock", syscall(SYS_socket, 40, 1, 0));
            tell("io_uring", syscall(SYS_io_uring_setup, 1, none));
            tell("keyctl", syscall(SYS_keyctl, 0, -3, 0));
            tell("add_key", syscall(SYS_add_key, "user", "x", "y", 1, -3));
            tell("bpf", syscall(SYS_bpf, 0, none, 64));
            tell("userfaultfd", syscall(SYS_userfaultfd, 0));
            tell("perf", syscall(SYS_perf_event_open, none, 0, -1, -1, 0));
            tell("newuser", syscall(SYS_unshare, 0x10000000));
            tell("newns", syscall(SYS_unshare, 0x20000));
            tell("mount", syscall(SYS_mount, "a", "/", "tmpfs", 0, 0));
            tell("ptrace-kexec", syscall(SYS_kexec_load, 0, 0, 0, 0));
            tell("module", syscall(SYS_init_module, none, 0, ""));
            tell("reboot", syscall(SYS_reboot, 0, 0, 0, 0));
            tell("clock", syscall(SYS_clock_settime, 0, none));
            tell("handle", syscall(SYS_open_by_handle_at, -1, none, 0));
            tell("old-alg", old(359, 38, 5, 0));
            tell("old-vsock", old(359, 40, 1, 0));
            tell("old-socketcall", old(102, 1, (long)none & 0x7fffffff, 0));
            tell("old-keyctl", old(288, 0, -3, 0));
            tell("old-unshare", old(310, 0x10000000, 0, 0));
            tell("old-bpf", old(357, 0, 0, 64));
            tell("old-io_uring", old(425, 1, 0, 0));
            return 0;
        }
        """;

    [SkippableFact]
    public void G1_capabilities_are_those_of_the_table_and_no_others()
    {
        Assert.Equal($"CapInh:\t{new string('0', 16)}\nCapPrm:\t{Default}\nCapEff:\t{Default}\nCapBnd:\t{Default}\nCapAmb:\t{new string('0', 16)}\n", Sh("grep Cap /proc/self/status").Replace($"CapInh:\t{Default}", $"CapInh:\t{new string('0', 16)}", StringComparison.Ordinal));
        Assert.Equal($"CapPrm:\t{new string('0', 16)}\nCapEff:\t{new string('0', 16)}\nCapBnd:\t{Default}\nCapAmb:\t{new string('0', 16)}\n", Sh("grep -E 'Cap(Prm|Eff|Bnd|Amb)' /proc/self/status", "--user", "1000"));
    }

    [SkippableFact]
    public void G2_G3_a_filter_is_on_and_no_new_privileges_where_it_is_asked_for()
    {
        Assert.Equal("NoNewPrivs:\t0\nSeccomp:\t2\n", Sh("grep -E '^(Seccomp|NoNewPrivs):' /proc/self/status"));
        Assert.Equal("NoNewPrivs:\t1\nSeccomp:\t2\n", Sh("grep -E '^(Seccomp|NoNewPrivs):' /proc/self/status", "--security-opt", "no-new-privileges"));
        Assert.Equal("Seccomp:\t0\n", Sh("grep -E '^Seccomp:' /proc/self/status", "--privileged"));
    }

    [SkippableFact]
    public void G4_what_tells_of_the_host_is_hidden_and_its_settings_cannot_be_written()
    {
        foreach (string hidden in (string[])["/proc/kcore", "/proc/keys", "/proc/timer_list", "/proc/interrupts"])
            Assert.Equal("0\n", Sh($"[ ! -e {hidden} ] && echo 0 || cat {hidden} 2>/dev/null | wc -c"));
        foreach (string folder in (string[])["/proc/acpi", "/proc/scsi", "/sys/firmware", "/sys/devices/virtual/powercap"])
            Assert.Equal("", Sh($"ls -A {folder} 2>/dev/null; touch {folder}/x 2>/dev/null && echo written; true"));
        foreach (string setting in (string[])["/proc/sys/kernel/core_pattern", "/proc/sysrq-trigger", "/proc/sys/vm/drop_caches", "/proc/irq/default_smp_affinity", "/sys/kernel/uevent_helper"])
            Assert.Equal("", Sh($"echo 1 2>/dev/null > {setting} && echo written; true"));
    }

    [SkippableFact]
    public void G5_the_maps_of_ids_are_the_hosts_unless_a_user_namespace_is_asked_for() => Assert.Equal(File.ReadAllText("/proc/self/uid_map"), Sh("cat /proc/self/uid_map"));

    [SkippableFact]
    public void G7_what_the_kernel_must_not_give_is_refused_by_the_calls_of_either_word_size()
    {
        Skip.IfNot(System.Runtime.InteropServices.RuntimeInformation.ProcessArchitecture == System.Runtime.InteropServices.Architecture.X64, "the calls of i386 are of x86-64");
        File.WriteAllText(Bundle.Folder + "/probe.c", Probe);
        using (Process gcc = Process.Start("gcc", ["-static", "-O1", "-o", Bundle.Folder + "/probe", Bundle.Folder + "/probe.c"]))
        {
            gcc.WaitForExit();
            Assert.Equal(0, gcc.ExitCode);
        }
        string[] lines = Run("run", "--rm", "--cgroup-parent", "/conman-test", "--volume", Bundle.Folder + "/probe:/probe:ro", Image, "/probe").Succeeded().Lines;
        Assert.Equal(lines[^1] == "no-int80 38" ? 18 : 24, lines.Length);
        // EPERM, and ENOSYS where a libc has another way.
        Assert.All(lines, line => Assert.Contains(int.Parse(line.Split(' ')[1], CultureInfo.InvariantCulture), new[] { 1, 38 }));
    }

    [SkippableFact]
    public void G8_a_device_can_be_made_by_nobody_and_none_of_the_hosts_is_there()
    {
        Assert.Equal("", Sh("mknod /tmp/mem c 1 1 2>/dev/null && echo made; true"));
        Run("run", "--rm", "--cap-add", "MKNOD", "--cgroup-parent", "/conman-test", Image, "sh", "-c", "mknod /mem c 1 1 && cat /mem").FailedWith("not permitted");
        string[] there = Sh("ls /dev").Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Empty(there.Except(["core", "fd", "full", "mqueue", "null", "ptmx", "pts", "random", "shm", "stderr", "stdin", "stdout", "tty", "urandom", "zero", "console"]));
    }

    [SkippableFact]
    public void G9_cgroups_and_sysfs_cannot_be_written() =>
        Assert.Equal("", Sh("for f in $(find /sys/fs/cgroup -maxdepth 2 -name 'cgroup.procs' -o -maxdepth 2 -name release_agent -o -maxdepth 2 -name 'tasks'); do echo 1 2>/dev/null > $f && echo written $f; done; mkdir /sys/fs/cgroup/x 2>/dev/null && echo made; true"));

    [SkippableFact]
    public void G11_secrets_and_variables_are_in_no_file_that_others_can_read()
    {
        Run(new Options { Input = "hidden" }, "secret", "create", "key", "-").Succeeded();
        string id = RunDetached("--name", "one", "--secret", "key", "--env", "PASSWORD=hidden", Image, "sleep", "1000");
        foreach (string folder in (string[])[Root + "/containers", $"{Root}/containers/{id}", Root + "/secrets", RunRoot + "/containers", RunRoot + "/oci"])
        {
            if (Directory.Exists(folder))
                Assert.Equal(UnixFileMode.None, File.GetUnixFileMode(folder) & (UnixFileMode.OtherRead | UnixFileMode.OtherExecute | UnixFileMode.GroupRead | UnixFileMode.GroupExecute));
        }
    }

    private string Sh(string script, params string[] options) => Run(["run", "--rm", "--cgroup-parent", "/conman-test", .. options, Image, "sh", "-c", script]).Succeeded().Output;
}
