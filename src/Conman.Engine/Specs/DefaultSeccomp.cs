// Which system calls a container may make when nobody says otherwise: Docker's list, with a stricter look at sockets.
//
// What is not named is refused with EPERM, or with ENOSYS if it is newer than the list, so that programs fall back to an older call.

using System.Runtime.InteropServices;
using Conman.Oci.RuntimeSpec;
using Conman.Runtime.Plans;

namespace Conman.Engine.Specs;

/// <summary>The default profile, as linux.seccomp of a runtime's document.</summary>
public static class DefaultSeccomp
{
    private const string Always = """
        _llseek _newselect accept accept4 access adjtimex alarm bind brk cachestat capget capset chdir chmod chown chown32 clock_adjtime
        clock_adjtime64 clock_getres clock_getres_time64 clock_gettime clock_gettime64 clock_nanosleep clock_nanosleep_time64 close close_range
        connect copy_file_range creat dup dup2 dup3 epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait
        epoll_wait_old eventfd eventfd2 execve execveat exit exit_group faccessat faccessat2 fadvise64 fadvise64_64 fallocate fanotify_mark fchdir
        fchmod fchmodat fchmodat2 fchown fchown32 fchownat fcntl fcntl64 fdatasync fgetxattr flistxattr flock fork fremovexattr fsetxattr fstat
        fstat64 fstatat64 fstatfs fstatfs64 fsync ftruncate ftruncate64 futex futex_requeue futex_time64 futex_wait futex_waitv futex_wake futimesat
        get_robust_list get_thread_area getcpu getcwd getdents getdents64 getegid getegid32 geteuid geteuid32 getgid getgid32 getgroups getgroups32
        getitimer getpeername getpgid getpgrp getpid getppid getpriority getrandom getresgid getresgid32 getresuid getresuid32 getrlimit getrusage
        getsid getsockname getsockopt gettid gettimeofday getuid getuid32 getxattr getxattrat inotify_add_watch inotify_init inotify_init1
        inotify_rm_watch io_cancel io_destroy io_getevents io_pgetevents io_pgetevents_time64 io_setup io_submit ioctl ioprio_get ioprio_set ipc kill
        landlock_add_rule landlock_create_ruleset landlock_restrict_self lchown lchown32 lgetxattr link linkat listen listmount listxattr listxattrat
        llistxattr lremovexattr lseek lsetxattr lstat lstat64 madvise map_shadow_stack membarrier memfd_create memfd_secret mincore mkdir mkdirat
        mknod mknodat mlock mlock2 mlockall mmap mmap2 mprotect mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedreceive_time64 mq_timedsend
        mq_timedsend_time64 mq_unlink mremap mseal msgctl msgget msgrcv msgsnd msync munlock munlockall munmap name_to_handle_at nanosleep newfstatat
        open openat openat2 pause pidfd_open pidfd_send_signal pipe pipe2 pkey_alloc pkey_free pkey_mprotect poll ppoll ppoll_time64 prctl pread64
        preadv preadv2 prlimit64 process_mrelease process_vm_readv process_vm_writev pselect6 pselect6_time64 ptrace pwrite64 pwritev pwritev2 read
        readahead readlink readlinkat readv recv recvfrom recvmmsg recvmmsg_time64 recvmsg remap_file_pages removexattr removexattrat rename renameat
        renameat2 restart_syscall riscv_hwprobe rmdir rseq rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend
        rt_sigtimedwait rt_sigtimedwait_time64 rt_tgsigqueueinfo sched_get_priority_max sched_get_priority_min sched_getaffinity sched_getattr
        sched_getparam sched_getscheduler sched_rr_get_interval sched_rr_get_interval_time64 sched_setaffinity sched_setattr sched_setparam
        sched_setscheduler sched_yield seccomp select semctl semget semop semtimedop semtimedop_time64 send sendfile sendfile64 sendmmsg sendmsg
        sendto set_robust_list set_thread_area set_tid_address setfsgid setfsgid32 setfsuid setfsuid32 setgid setgid32 setgroups setgroups32 setitimer
        setpgid setpriority setregid setregid32 setresgid setresgid32 setresuid setresuid32 setreuid setreuid32 setrlimit setsid setsockopt setuid
        setuid32 setxattr setxattrat shmat shmctl shmdt shmget shutdown sigaltstack signalfd signalfd4 sigprocmask sigreturn socketpair
        splice stat stat64 statfs statfs64 statmount statx symlink symlinkat sync sync_file_range syncfs sysinfo tee tgkill time timer_create
        timer_delete timer_getoverrun timer_gettime timer_gettime64 timer_settime timer_settime64 timerfd_create timerfd_gettime timerfd_gettime64
        timerfd_settime timerfd_settime64 times tkill truncate truncate64 ugetrlimit umask uname unlink unlinkat uretprobe utime utimensat
        utimensat_time64 utimes vfork vmsplice wait4 waitid waitpid write writev
        """;

    // What a capability opens; the kernel asks for it as well.
    private static readonly (string Capability, string Calls)[] WithCapability =
    [
        ("CAP_BPF", "bpf"),
        ("CAP_DAC_READ_SEARCH", "open_by_handle_at"),
        ("CAP_PERFMON", "perf_event_open"),
        ("CAP_SYS_ADMIN", """
            bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie lsm_get_self_attr lsm_list_modules lsm_set_self_attr mount
            mount_setattr move_mount open_tree perf_event_open quotactl quotactl_fd setdomainname sethostname setns syslog umount umount2 unshare
            """),
        ("CAP_SYS_BOOT", "reboot"),
        ("CAP_SYS_CHROOT", "chroot"),
        ("CAP_SYS_MODULE", "delete_module finit_module init_module"),
        ("CAP_SYS_NICE", "get_mempolicy mbind set_mempolicy set_mempolicy_home_node"),
        ("CAP_SYS_PACCT", "acct"),
        ("CAP_SYS_PTRACE", "kcmp pidfd_getfd process_madvise"),
        ("CAP_SYS_RAWIO", "ioperm iopl"),
        ("CAP_SYS_TIME", "clock_settime clock_settime64 settimeofday stime"),
        ("CAP_SYS_TTY_CONFIG", "vhangup"),
        ("CAP_SYSLOG", "syslog"),
    ];

    // personality(2): PER_LINUX, PER_LINUX32 (8), both with UNAME26 (0x20000), and to ask which it is.
    private static readonly ulong[] Personalities = [0, 8, 0x20000, 0x20008, 0xffffffff];

    // The families of sockets but for AF_ALG (38), the kernel's cryptography, and AF_VSOCK (40), which leads to the hypervisor, as masks and
    // values. Only 32 bits are looked at, as the kernel does: of 64 bits a program could set one above and ask for what is refused.
    private static readonly (uint Mask, uint Value)[] Families =
    [
        (~31u, 0), (~3u, 32), (~1u, 36), (~0u, 39), (~0u, 41), (~1u, 42), (~3u, 44), (~15u, 48),
    ];

    private const ulong NewNamespaces = 0x7e020000; // CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET

    /// <summary>The profile of a container that has these capabilities.</summary>
    /// <param name="socketcall">
    /// The 32-bit call behind which all of a socket's calls can hide: its arguments lie in memory, where no filter can look, and AF_ALG is behind it too. Only for
    /// who has no other: an image for i386.
    /// </param>
    public static Seccomp For(IReadOnlyList<string> capabilities, bool socketcall = false)
    {
        ulong set = 0;
        foreach (var capability in capabilities)
            set |= CapabilityNames.Bit(capability);
        var arm = RuntimeInformation.ProcessArchitecture == Architecture.Arm64;
        var allowed = Words(Always);
        allowed.AddRange(Words(arm ? "arm_fadvise64_64 arm_sync_file_range breakpoint cacheflush set_tls sync_file_range2" : "arch_prctl modify_ldt"));
        if (socketcall)
            allowed.Add("socketcall");
        foreach (var (capability, calls) in WithCapability)
        {
            if ((set & CapabilityNames.Bit(capability)) != 0)
                allowed.AddRange(Words(calls));
        }
        var rules = new List<SeccompSyscall> { new() { Names = allowed, Action = "SCMP_ACT_ALLOW" } };
        foreach (var (mask, value) in Families)
            rules.Add(Masked("socket", mask, value));
        foreach (var personality in Personalities)
            rules.Add(Allow("personality", new SeccompArg { Index = 0, Value = personality, Op = "SCMP_CMP_EQ" }));
        if ((set & CapabilityNames.Bit("CAP_SYS_ADMIN")) == 0)
        {
            rules.Add(Masked("clone", NewNamespaces, 0));
            // Its flags lie in memory, where no filter can look: libc then takes clone.
            rules.Add(new SeccompSyscall { Names = ["clone3"], Action = "SCMP_ACT_ERRNO", ErrnoRet = 38 /* ENOSYS */ });
        }
        return new Seccomp
        {
            DefaultAction = "SCMP_ACT_ERRNO",
            DefaultErrnoRet = 1, // EPERM
            Architectures = arm ? ["SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"] : ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
            Syscalls = rules,
        };
    }

    private static SeccompSyscall Masked(string call, ulong mask, ulong value) =>
        Allow(call, new SeccompArg { Index = 0, Value = mask, ValueTwo = value, Op = "SCMP_CMP_MASKED_EQ" });

    private static SeccompSyscall Allow(string call, SeccompArg arg) => new() { Names = [call], Action = "SCMP_ACT_ALLOW", Args = [arg] };

    private static List<string> Words(string text)
    {
        var words = new List<string>(text.Length / 10 + 1);
        foreach (var range in text.AsSpan().SplitAny(' ', '\n'))
        {
            if (range.End.Value > range.Start.Value)
                words.Add(text[range]);
        }
        return words;
    }
}
