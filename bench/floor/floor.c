/*
 * floor ROOTFS CGROUP PROGRAM: the least that the kernel must do for one container of the default spec (what `runc spec` prints).
 *
 * The same work as one `run` of a runtime, in the fewest system calls that do it: the cgroup with its device program, six new namespaces,
 * seven mounts by the new mount API, devices and links, pivot_root, read-only and masked paths, limits, capabilities, no_new_privs, exec,
 * wait, and the cgroup's end. Nothing is read, decided, checked or recorded: what a runtime takes longer than this is its own cost.
 *
 * It is no runtime: paths in the root are followed by name, which an image could use to lead it astray.
 */
#define _GNU_SOURCE
#include "../../native/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <linux/if.h>
#include <linux/keyctl.h>
#include <linux/mount.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include <linux/sockios.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif
#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))
#define HARDENED (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC)

/* Parent and child share all memory while the parent stands still (CLONE_VM | CLONE_VFORK), so this reaches the parent too. */
static const char *failed;
static long failure;

/* Returns the result, and remembers the first failure with its words. */
static long must(const char *what, long result)
{
    if (result < 0 && !failed) {
        failed = what;
        failure = -result;
    }
    return result;
}
#define MUST(call) must(#call, call)

/* ---- outside ------------------------------------------------------------------------------------------------------------------- */

/* Character devices only, and of these the ones that every container may open; making a node is not opening one. */
static long device_program(void)
{
    enum { ALLOW = 15 };
#define INSTRUCTION(c, d, s, o, i) { .code = (c), .dst_reg = (d), .src_reg = (s), .off = (o), .imm = (i) }
#define ALLOWED(at, major, minor) INSTRUCTION(BPF_JMP | BPF_JEQ | BPF_K, 3, 0, ALLOW - (at) - 1, (major) << 20 | (minor))
    struct bpf_insn program[] = {
        INSTRUCTION(BPF_LDX | BPF_MEM | BPF_W, 2, 1, 0, 0),          /*  0 access << 16 | type */
        INSTRUCTION(BPF_LDX | BPF_MEM | BPF_W, 3, 1, 4, 0),          /*  1 major */
        INSTRUCTION(BPF_LDX | BPF_MEM | BPF_W, 4, 1, 8, 0),          /*  2 minor */
        INSTRUCTION(BPF_ALU | BPF_LSH | BPF_K, 3, 0, 0, 20),         /*  3 */
        INSTRUCTION(BPF_ALU | BPF_OR | BPF_X, 3, 4, 0, 0),           /*  4 */
        INSTRUCTION(BPF_JMP | BPF_JEQ | BPF_K, 2, 0, ALLOW - 6, BPF_DEVCG_ACC_MKNOD << 16 | BPF_DEVCG_DEV_CHAR), /*  5 */
        ALLOWED(6, 1, 3), ALLOWED(7, 1, 5), ALLOWED(8, 1, 7), ALLOWED(9, 1, 8), ALLOWED(10, 1, 9), ALLOWED(11, 5, 0), ALLOWED(12, 5, 2),
        INSTRUCTION(BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 0),        /* 13 */
        INSTRUCTION(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),                 /* 14 */
        INSTRUCTION(BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 1),        /* 15 */
        INSTRUCTION(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),                 /* 16 */
    };
    union bpf_attr attributes = {
        .prog_type = BPF_PROG_TYPE_CGROUP_DEVICE,
        .insns = (uintptr_t)program,
        .insn_cnt = LENGTH(program),
        .license = (uintptr_t) "Apache",
    };
    return MUST(sys3(__NR_bpf, BPF_PROG_LOAD, &attributes, sizeof attributes));
}

static void attach_device_program(long cgroup)
{
    union bpf_attr attributes = {
        .target_fd = (uint32_t)cgroup,
        .attach_bpf_fd = (uint32_t)device_program(),
        .attach_type = BPF_CGROUP_DEVICE,
        .attach_flags = BPF_F_ALLOW_MULTI,
    };
    MUST(sys3(__NR_bpf, BPF_PROG_ATTACH, &attributes, sizeof attributes));
}

/* ---- inside -------------------------------------------------------------------------------------------------------------------- */

/* Options: name, value, ..., NULL; a value of NULL makes it a flag. */
static long make_mount(const char *type, unsigned attributes, const char *const *options)
{
    long context = MUST(sys2(__NR_fsopen, type, FSOPEN_CLOEXEC));
    for (; *options; options += 2)
        MUST(sys5(__NR_fsconfig, context, options[1] ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG, options[0], options[1], 0));
    MUST(sys5(__NR_fsconfig, context, FSCONFIG_CMD_CREATE, 0, 0, 0));
    return MUST(sys3(__NR_fsmount, context, FSMOUNT_CLOEXEC, attributes));
}

static long move_mount(long tree, long at, const char *path)
{
    return sys5(__NR_move_mount, tree, "", at, path, MOVE_MOUNT_F_EMPTY_PATH);
}

static long copy_tree(long at, const char *path)
{
    return MUST(sys3(__NR_open_tree, at, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE | (*path ? 0 : AT_EMPTY_PATH)));
}

static void mount_all(long root)
{
    static const struct { const char *path, *type; unsigned attributes; const char *options[9]; } mounts[] = {
        { "proc", "proc", 0, { NULL } },
        { "dev", "tmpfs", MOUNT_ATTR_NOSUID | MOUNT_ATTR_STRICTATIME, { "mode", "755", "size", "65536k" } },
        { "dev/pts", "devpts", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC,
          { "newinstance", NULL, "ptmxmode", "0666", "mode", "0620", "gid", "5" } },
        { "dev/shm", "tmpfs", HARDENED, { "mode", "1777", "size", "65536k" } },
        { "dev/mqueue", "mqueue", HARDENED, { NULL } },
        { "sys", "sysfs", HARDENED | MOUNT_ATTR_RDONLY, { NULL } },
        { "sys/fs/cgroup", "cgroup2", HARDENED | MOUNT_ATTR_RDONLY, { NULL } },
    };
    static const struct { const char *path; int major, minor; } devices[] = {
        { "dev/null", 1, 3 }, { "dev/zero", 1, 5 }, { "dev/full", 1, 7 }, { "dev/random", 1, 8 }, { "dev/urandom", 1, 9 }, { "dev/tty", 5, 0 },
    };
    static const struct { const char *path, *target; } links[] = {
        { "dev/fd", "/proc/self/fd" }, { "dev/stdin", "/proc/self/fd/0" }, { "dev/stdout", "/proc/self/fd/1" },
        { "dev/stderr", "/proc/self/fd/2" }, { "dev/ptmx", "pts/ptmx" },
    };
    for (size_t i = 0; i < LENGTH(mounts); i++) {
        long mount = make_mount(mounts[i].type, mounts[i].attributes, mounts[i].options);
        /* A root that is new has no such folder yet; on the fresh /dev there never is one. */
        if (strchr(mounts[i].path, '/') && mounts[i].path[0] == 'd')
            MUST(sys3(__NR_mkdirat, root, mounts[i].path, 0755));
        MUST(move_mount(mount, root, mounts[i].path));
    }
    for (size_t i = 0; i < LENGTH(devices); i++)
        MUST(sys4(__NR_mknodat, root, devices[i].path, S_IFCHR | 0666, devices[i].major << 8 | devices[i].minor));
    for (size_t i = 0; i < LENGTH(links); i++)
        MUST(sys3(__NR_symlinkat, links[i].target, root, links[i].path));
}

/* The first use of a tree attaches the tree itself: only an attached one can be copied on every kernel. A copy that found no path waits. */
struct cover {
    long tree, ready;
};

static void mask(struct cover *cover, const char *path)
{
    if (cover->ready < 0)
        cover->ready = copy_tree(cover->tree, "");
    long result = move_mount(cover->ready, AT_FDCWD, path);
    if (result == 0)
        cover->ready = -1;
    else if (result != -ENOENT)
        must(path, result);
}

static void protect_paths(long folder, long null)
{
    static const char *const readonly[] = { "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger" };
    static const char *const folders[] = { "/proc/acpi", "/proc/asound", "/sys/firmware", "/proc/scsi" };
    static const char *const files[] = { "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug" };
    struct mount_attr attributes = { .attr_set = MOUNT_ATTR_RDONLY };
    struct cover empty = { folder, folder }, nothing = { null, null };

    for (size_t i = 0; i < LENGTH(readonly); i++) {
        long tree = sys3(__NR_open_tree, AT_FDCWD, readonly[i], OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
        if (tree == -ENOENT)
            continue;
        MUST(sys5(__NR_mount_setattr, tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &attributes, sizeof attributes));
        MUST(move_mount(tree, AT_FDCWD, readonly[i]));
    }
    for (size_t i = 0; i < LENGTH(folders); i++)
        mask(&empty, folders[i]);
    for (size_t i = 0; i < LENGTH(files); i++)
        mask(&nothing, files[i]);
}

static void loopback_up(void)
{
    struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP };
    long socket = MUST(sys3(__NR_socket, 2 /* AF_INET */, 2 /* SOCK_DGRAM */ | O_CLOEXEC, 0));
    MUST(sys3(__NR_ioctl, socket, SIOCSIFFLAGS, &request));
}

static void give_up_privileges(void)
{
    const uint32_t kept = 1u << CAP_AUDIT_WRITE | 1u << CAP_KILL | 1u << CAP_NET_BIND_SERVICE;
    struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
    struct __user_cap_data_struct data[2] = { { kept, kept, 0 }, { 0, 0, 0 } };
    struct rlimit limit = { 1024, 1024 };

    MUST(sys4(__NR_prlimit64, 0, RLIMIT_NOFILE, &limit, 0));
    MUST(sys5(__NR_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    for (unsigned capability = 0; capability < 64; capability++)
        if ((capability >= 32 || !(kept >> capability & 1)) && sys5(__NR_prctl, PR_CAPBSET_DROP, capability, 0, 0, 0) < 0)
            break; /* beyond the last that this kernel knows */
    MUST(sys2(__NR_setgroups, 0, 0));
    MUST(sys3(__NR_setresgid, 0, 0, 0));
    MUST(sys3(__NR_setresuid, 0, 0, 0));
    sys1(__NR_umask, 022);
    MUST(sys2(__NR_capset, &header, data));
}

__attribute__((noinline, noreturn)) static void child(long root, long folder, long null, const char *program)
{
    static const char *const environment[] = { "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm", "HOME=/root", NULL };
    const char *arguments[] = { program, NULL };
    struct mount_attr slave = { .propagation = MS_SLAVE }, readonly = { .attr_set = MOUNT_ATTR_RDONLY };

    sys0(__NR_setsid);
    MUST(sys1(__NR_unshare, CLONE_NEWCGROUP));
    sys2(__NR_keyctl, KEYCTL_JOIN_SESSION_KEYRING, "_ses.floor");
    loopback_up();
    sys1(__NR_umask, 0);
    MUST(sys5(__NR_mount_setattr, AT_FDCWD, "/", AT_RECURSIVE, &slave, sizeof slave));
    MUST(move_mount(root, AT_FDCWD, "/"));
    mount_all(root);
    MUST(sys1(__NR_fchdir, root));
    MUST(sys2(__NR_pivot_root, ".", "."));
    MUST(sys2(__NR_umount2, ".", 2 /* MNT_DETACH */));
    MUST(sys1(__NR_chdir, "/"));
    MUST(sys5(__NR_mount_setattr, AT_FDCWD, "/", 0, &readonly, sizeof readonly));
    MUST(sys2(__NR_sethostname, "floor", 5));
    protect_paths(folder, null);
    give_up_privileges();
    MUST(sys3(__NR_close_range, 3, ~0u, 4 /* CLOSE_RANGE_CLOEXEC */));
    if (!failed)
        MUST(sys3(__NR_execve, program, arguments, environment));
    for (;;)
        sys1(__NR_exit, 127);
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: floor ROOTFS CGROUP PROGRAM\n");
        return 2;
    }
    int pidfd = -1;
    siginfo_t info = { 0 };
    struct mount_attr slave = { .propagation = MS_SLAVE };

    MUST(sys3(__NR_mkdirat, AT_FDCWD, argv[2], 0755));
    long cgroup = MUST(sys3(__NR_openat, AT_FDCWD, argv[2], O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    attach_device_program(cgroup);
    long root = copy_tree(AT_FDCWD, argv[1]);
    MUST(sys5(__NR_mount_setattr, root, "", AT_EMPTY_PATH | AT_RECURSIVE, &slave, sizeof slave));
    long folder = make_mount("tmpfs", HARDENED | MOUNT_ATTR_RDONLY, (const char *const[]){ "nr_blocks", "1", "nr_inodes", "1", NULL });
    long null = copy_tree(AT_FDCWD, "/dev/null");

    struct clone_args args = {
        .flags = CLONE_VM | CLONE_VFORK | CLONE_PIDFD | CLONE_INTO_CGROUP | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNS,
        .pidfd = (uintptr_t)&pidfd,
        .exit_signal = SIGCHLD,
        .cgroup = (uint64_t)cgroup,
    };
    if (!failed) {
        long pid = MUST(sys2(__NR_clone3, &args, sizeof args));
        if (pid == 0)
            child(root, folder, null, argv[3]);
        if (pid > 0)
            sys5(__NR_waitid, 3 /* P_PIDFD */, pidfd, &info, 4 /* WEXITED */, 0);
    }
    MUST(sys3(__NR_unlinkat, AT_FDCWD, argv[2], AT_REMOVEDIR));
    if (failed)
        fprintf(stderr, "floor: %s: %s\n", failed, strerror((int)failure));
    return failed ? 1 : info.si_status;
}
