// Numbers of the system calls that a plan names: the new process makes them without a C library.

using System.Runtime.InteropServices;

namespace Conman.Linux;

/// <summary>System call numbers of this architecture (asm/unistd.h); from 424 on all architectures share one numbering.</summary>
public static class SyscallNumbers
{
    private static bool Arm64 => RuntimeInformation.ProcessArchitecture == Architecture.Arm64;

    public static int chroot => Arm64 ? 51 : 161;
    public static int chdir => Arm64 ? 49 : 80;
    public static int fchdir => Arm64 ? 50 : 81;
    public static int umount2 => Arm64 ? 39 : 166;
    public static int mount => Arm64 ? 40 : 165;
    public static int pivot_root => Arm64 ? 41 : 155;
    public static int unshare => Arm64 ? 97 : 272;
    public static int setns => Arm64 ? 268 : 308;
    public static int setsid => Arm64 ? 157 : 112;
    public static int sethostname => Arm64 ? 161 : 170;
    public static int setdomainname => Arm64 ? 162 : 171;
    public static int umask => Arm64 ? 166 : 95;
    public static int setfsuid => Arm64 ? 151 : 122;
    public static int setfsgid => Arm64 ? 152 : 123;
    public static int setgroups => Arm64 ? 159 : 116;
    public static int setresuid => Arm64 ? 147 : 117;
    public static int setresgid => Arm64 ? 149 : 119;
    public static int prctl => Arm64 ? 167 : 157;
    public static int capset => Arm64 ? 91 : 126;
    public static int prlimit64 => Arm64 ? 261 : 302;
    public static int keyctl => Arm64 ? 219 : 250;
    public static int personality => Arm64 ? 92 : 135;
    public static int ioprio_set => Arm64 ? 30 : 251;
    public static int sched_setattr => Arm64 ? 274 : 314;
    public static int write => Arm64 ? 64 : 1;
    public static int fcntl => Arm64 ? 25 : 72;
    public static int rt_sigprocmask => Arm64 ? 135 : 14;
    public static int signalfd4 => Arm64 ? 74 : 289;
    public static int sched_setaffinity => Arm64 ? 122 : 203;
    public static int set_mempolicy => Arm64 ? 237 : 238;
    public static int seccomp => Arm64 ? 277 : 317;
    public static int close => Arm64 ? 57 : 3;
    public const int open_tree = 428;
    public const int move_mount = 429;
    public const int fsopen = 430;
    public const int fsconfig = 431;
    public const int fsmount = 432;
    public const int close_range = 436;
    public const int mount_setattr = 442;
    public const int landlock_restrict_self = 446;
}
