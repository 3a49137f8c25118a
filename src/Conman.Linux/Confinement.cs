// How a process gives up, for good, all that its work does not need. It has one thread and is in new namespaces of its own.

using System.Runtime.InteropServices;

namespace Conman.Linux;

/// <summary>The confinement of the process that reads what strangers made: it may write below one directory, and compute.</summary>
public static unsafe class Confinement
{
    // CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_FOWNER, CAP_FSETID, CAP_MKNOD, CAP_SETFCAP: to make files of any owner and mode.
    private const ulong Capabilities = 1UL << 0 | 1UL << 1 | 1UL << 3 | 1UL << 4 | 1UL << 27 | 1UL << 31;


    // Link and rename between directories: where Landlock cannot allow it, it forbids it.
    private const int FirstUsefulLandlock = 2;

    // Values of linux/filter.h, linux/seccomp.h and linux/audit.h.
    private const ushort Load = 0x20, JumpIfEqual = 0x15, JumpIfSet = 0x45, Return = 0x06;
    private const uint Allow = 0x7fff0000, Refuse = 0x00050000, Kill = 0x80000000;

    /// <summary>
    /// Dies with its parent; its root becomes the tree (a detached mount), with nothing else mounted; Landlock where the kernel has it; six capabilities,
    /// and no way to gain more; and of the system calls those that making files takes.
    /// </summary>
    /// <exception cref="LinuxException">One step failed: the process must end.</exception>
    public static void Enter(FileDescriptor tree)
    {
        Control(1 /* PR_SET_PDEATHSIG */, 9 /* SIGKILL */, "die with the parent");
        _ = Native.syscall(SyscallNumbers.umask, 0x12 /* 0022 */, 0, 0, 0, 0, 0);
        EnterRoot(tree);
        RestrictFiles();
        DropCapabilities();
        Control(38 /* PR_SET_NO_NEW_PRIVS */, 1, "give up gaining privileges");
        RestrictCalls();
    }

    private static void EnterRoot(FileDescriptor tree)
    {
        byte empty = 0;
        var root = stackalloc byte[2] { (byte)'/', 0 };
        var here = stackalloc byte[2] { (byte)'.', 0 };
        using (var old = Files.Open("/", OpenFlags.Path | Files.Directory))
            Check(Mounts.TrySetAttributes(old, recursive: true, MountAttributes.None, MountAttributes.None, Propagation.Private), "make the mounts private");
        Call(SyscallNumbers.move_mount, "mount the directory", tree.Number, (nint)(&empty), Files.CurrentDirectory, (nint)root, 4 /* MOVE_MOUNT_F_EMPTY_PATH */);
        Call(SyscallNumbers.fchdir, "enter the directory", tree.Number);
        if (Native.syscall(SyscallNumbers.pivot_root, (nint)here, (nint)here, 0, 0, 0, 0) == 0)
            Call(SyscallNumbers.umount2, "unmount the old root", (nint)here, 2 /* MNT_DETACH */);
        else
            Call(SyscallNumbers.chroot, "make the directory the root", (nint)here); // an initramfs cannot be pivoted; what would lead out is given up below
        Call(SyscallNumbers.chdir, "enter the root", (nint)root);
    }

    private static void RestrictFiles()
    {
        var version = Landlock.Version;
        if (version < FirstUsefulLandlock)
            return;
        var all = (LandlockFileRights)((version < 3 ? 1UL << 14 : 1UL << 15) - 1);
        using var ruleset = Landlock.Create(all, version < 4 ? 0 : LandlockNetworkRights.BindTcp | LandlockNetworkRights.ConnectTcp, version < 6 ? 0 : LandlockScopes.AbstractUnixSocket | LandlockScopes.Signal);
        using var root = Files.Open("/", OpenFlags.Path | Files.Directory);
        Check(Landlock.TryAllow(ruleset.Number, root, all & ~LandlockFileRights.Execute), "allow the root by Landlock");
        // Whoever may administer the system needs no promise about privileges first; it is made below.
        Check(Landlock.TryRestrictSelf(ruleset), "restrict itself by Landlock");
    }

    private static void DropCapabilities()
    {
        for (var capability = 0; capability < 64; capability++)
        {
            if ((Capabilities & 1UL << capability) == 0 && Native.syscall(SyscallNumbers.prctl, 24 /* PR_CAPBSET_DROP */, capability, 0, 0, 0, 0) < 0)
            {
                if (Marshal.GetLastPInvokeError() == Errno.EINVAL)
                    break; // the kernel knows no more
                LinuxException.Throw(Marshal.GetLastPInvokeError(), "give up a capability");
            }
        }
        // struct __user_cap_header_struct, and two of __user_cap_data_struct: effective, permitted, inheritable.
        var header = stackalloc uint[2] { 0x20080522 /* _LINUX_CAPABILITY_VERSION_3 */, 0 };
        var data = stackalloc uint[6] { (uint)Capabilities, (uint)Capabilities, 0, 0, 0, 0 };
        Call(SyscallNumbers.capset, "give up capabilities", (nint)header, (nint)data);
    }

    // A program of the classic BPF: the architecture, then one call after the other. The kernel remembers which are allowed whatever their arguments.
    private static void RestrictCalls()
    {
        var program = new List<ulong>(128);
        var isArm = RuntimeInformation.ProcessArchitecture == Architecture.Arm64;
        Add(Load, 4);
        Add(JumpIfEqual, isArm ? 0xc00000b7u : 0xc000003eu, 1, 0); // AUDIT_ARCH_AARCH64, AUDIT_ARCH_X86_64
        Add(Return, Kill);
        Add(Load, 0);
        foreach (var call in Allowed)
        {
            Add(JumpIfEqual, (uint)call, 0, 1);
            Add(Return, Allow);
        }
        // Threads, not processes nor namespaces. clone3 has its flags in memory, where no filter can look: C libraries then use clone.
        Add(JumpIfEqual, (uint)SyscallNumbers.clone3, 0, 1);
        Add(Return, Refuse | Errno.ENOSYS);
        Add(JumpIfEqual, (uint)SyscallNumbers.clone, 0, 5);
        Add(Load, 16);
        Add(JumpIfSet, (uint)(Namespaces.Mount | Namespaces.Cgroup | Namespaces.Uts | Namespaces.Ipc | Namespaces.User | Namespaces.Pid | Namespaces.Network), 2, 0);
        Add(JumpIfSet, 0x10000 /* CLONE_THREAD */, 0, 1);
        Add(Return, Allow);
        Add(Return, Refuse | Errno.EPERM);
        // A thread may name itself.
        Add(JumpIfEqual, (uint)SyscallNumbers.prctl, 0, 3);
        Add(Load, 16);
        Add(JumpIfEqual, 15 /* PR_SET_NAME */, 0, 1);
        Add(Return, Allow);
        Add(Return, Refuse | Errno.EPERM);
        var code = program.ToArray();
        fixed (ulong* instructions = code)
        {
            var filter = stackalloc ulong[2] { (ulong)code.Length, (ulong)instructions }; // struct sock_fprog
            Call(SyscallNumbers.seccomp, "restrict its system calls", 1 /* SECCOMP_SET_MODE_FILTER */, 0, (nint)filter);
        }

        // struct sock_filter: code, where to go on if it holds and if not, a value.
        void Add(ushort operation, uint value, byte yes = 0, byte no = 0) => program.Add(operation | (ulong)yes << 16 | (ulong)no << 24 | (ulong)value << 32);
    }

    // The most frequent first.
    private static int[] Allowed =>
    [
        SyscallNumbers.write, SyscallNumbers.read, SyscallNumbers.openat, SyscallNumbers.close, SyscallNumbers.utimensat, SyscallNumbers.futex,
        SyscallNumbers.fchown, SyscallNumbers.fchmod, SyscallNumbers.fchownat, SyscallNumbers.fchmodat, SyscallNumbers.mkdirat, SyscallNumbers.mknodat,
        SyscallNumbers.symlinkat, SyscallNumbers.linkat, SyscallNumbers.unlinkat, SyscallNumbers.renameat, SyscallNumbers.readlinkat, SyscallNumbers.statx,
        SyscallNumbers.newfstatat, SyscallNumbers.fstat, SyscallNumbers.fsetxattr, SyscallNumbers.ftruncate, SyscallNumbers.lseek, SyscallNumbers.getdents64,
        SyscallNumbers.writev, SyscallNumbers.fcntl,
        // What the runtime, its garbage collector and the C library do on their own.
        SyscallNumbers.mmap, SyscallNumbers.munmap, SyscallNumbers.mprotect, SyscallNumbers.madvise, SyscallNumbers.mremap, SyscallNumbers.brk,
        SyscallNumbers.membarrier, SyscallNumbers.sched_yield, SyscallNumbers.sched_getaffinity, SyscallNumbers.clock_gettime, SyscallNumbers.clock_nanosleep,
        SyscallNumbers.nanosleep, SyscallNumbers.rt_sigaction, SyscallNumbers.rt_sigprocmask, SyscallNumbers.rt_sigreturn, SyscallNumbers.sigaltstack,
        SyscallNumbers.gettid, SyscallNumbers.getpid, SyscallNumbers.tgkill, SyscallNumbers.tkill, SyscallNumbers.set_robust_list, SyscallNumbers.set_tid_address,
        SyscallNumbers.rseq, SyscallNumbers.getrandom, SyscallNumbers.sysinfo, SyscallNumbers.getrusage, SyscallNumbers.geteuid, SyscallNumbers.getegid,
        SyscallNumbers.mincore, SyscallNumbers.restart_syscall, SyscallNumbers.exit, SyscallNumbers.exit_group,
    ];

    private static void Control(int what, nint value, string operation) => Call(SyscallNumbers.prctl, operation, what, value);

    private static void Call(int number, string operation, nint a = 0, nint b = 0, nint c = 0, nint d = 0, nint e = 0)
    {
        if (Native.syscall(number, a, b, c, d, e, 0) < 0)
            LinuxException.Throw(Marshal.GetLastPInvokeError(), operation);
    }

    private static void Check(int errno, string operation)
    {
        if (errno != 0)
            LinuxException.Throw(errno, operation);
    }
}
