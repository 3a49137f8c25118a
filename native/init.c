/*
 * conman-init: the first process of a container. It interprets a plan (plan.h) and becomes the container's program.
 *
 * No C library, no allocation, no policy, no path of the host: everything that had to be decided or opened was decided and opened by the
 * runtime. It runs from a sealed memfd, so nothing in a container can reach or change a binary of the host through it. A failure is one
 * report (operation, errno) to the runtime, which knows the words.
 */
#include "freestanding.h"
#include "plan.h"

#include <asm/ioctls.h>
#include <asm/termbits.h>
#include <linux/capability.h>
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/filter.h>
#include <linux/magic.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <linux/stat.h>
#include <linux/un.h>
#include <sys/types.h>

static struct plan_header *plan; /* ours alone: paths in it are cut for a moment where a parent is meant */
static int status;                 /* where reports go */
static int terminal = -1;          /* the container's side of its terminal, from OP_CONSOLE to OP_TERMINAL */
static int held = -1;              /* a mount that OP_MOUNT made, until OP_ATTACH puts it in its place; or what OP_CALL opened for the next calls */
static const char *executable;     /* what OP_FIND found */
static struct plan_report report;  /* the kernel's words gather here before a failure is told */

/* ---- what freestanding C must bring along -------------------------------------------------------------------------------------- */

void *memset(void *to, int value, size_t n)
{
    for (char *p = to; n--;)
        *p++ = (char)value;
    return to;
}

void *memcpy(void *to, const void *from, size_t n)
{
    char *p = to;
    for (const char *q = from; n--;)
        *p++ = *q++;
    return to;
}

/* ---- talking to the runtime ---------------------------------------------------------------------------------------------------- */

static void tell(uint32_t kind, uint32_t index, int value)
{
    report.kind = kind;
    report.index = index;
    report.value = value;
    /* MSG_NOSIGNAL: a runtime that was killed must not turn into a SIGPIPE here; the wait for "go" sees the end of file. */
    sys6(__NR_sendto, status, (long)&report, sizeof report, 0x4000, 0, 0);
}

/* The runtime answers with a byte. If it is gone, so is the reason to live. */
static void wait_for_go(void)
{
    char go;
    long n;
    do
        n = sys3(__NR_read, status, &go, 1);
    while (n == -EINTR);
    if (n != 1)
        leave(1);
}

/* As the first process of a pid namespace this one has no default actions; whoever asks a container that waits to end is to be heard. */
__attribute__((noreturn)) static void end(int signal)
{
    leave(128 + signal);
}

/* A connection alone is a question ("are you still waiting?"); a byte on it is the order to go on. */
static int await_start(int listener)
{
    static const struct { void (*handler)(int); unsigned long flags; void *restorer; uint64_t mask; } action = { end, 0x04000000 /* SA_RESTORER */, end, 0 };
    for (int i = 0; i < 3; i++)
        sys4(__NR_rt_sigaction, "\1\2\17"[i] /* SIGHUP, SIGINT, SIGTERM */, &action, 0, 8);
    for (;;) {
        char go;
        long fd = sys4(__NR_accept4, listener, 0, 0, O_CLOEXEC), n;
        if (fd == -EINTR || fd == -ECONNABORTED)
            continue;
        if (fd < 0)
            return (int)fd;
        do
            n = sys3(__NR_read, fd, &go, 1);
        while (n == -EINTR);
        if (n == 1) {
            SHUT(status);
            SHUT(listener);
            status = (int)fd;
            return 0;
        }
        SHUT(fd);
    }
}

/* ---- paths in the root --------------------------------------------------------------------------------------------------------- */

static int open_in_root(const char *path, uint64_t flags, uint64_t extra)
{
    struct open_how how = { .flags = flags | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | extra };
    long fd;
    do /* EAGAIN: a rename raced with "..", and the kernel could not vouch for the result (openat2(2)) */
        fd = sys4(__NR_openat2, plan->root, path, &how, sizeof how);
    while (fd == -EAGAIN || fd == -EINTR);
    return (int)fd;
}

static uint32_t file_type(int fd)
{
    struct statx info;
    long error = sys5(__NR_statx, fd, "", AT_EMPTY_PATH, STATX_TYPE, &info);
    return error ? 0 : info.stx_mode & 0170000;
}

static int make_in_root(char *path, int file, uint32_t mode, uint64_t extra);

/* The directory that holds a path, made where it is missing, and the last name of the path. */
static int open_parent(char *path, const char **name, uint64_t extra)
{
    char *slash = path + length(path);
    while (slash > path + 1 && slash[-1] == '/')
        *--slash = 0;
    while (slash > path && *slash != '/')
        slash--;
    *name = slash + (*slash == '/');
    while (slash > path && slash[-1] == '/')
        slash--;
    if (slash == path)
        return open_in_root("/", O_PATH, extra);
    *slash = 0;
    int at = make_in_root(path, 0, 0755, extra);
    *slash = '/';
    return at;
}

/*
 * Opens a path in the root and makes what is missing: directories on the way, at its end a directory or an empty file, and likewise where
 * links lead that lead to nothing. Each path is resolved from the root, so that a link leads where the container will see it lead.
 */
static int make_in_root(char *path, int file, uint32_t mode, uint64_t extra)
{
    const char *name;
    int fd = open_in_root(path, O_PATH, extra), at = fd == -ENOENT ? open_parent(path, &name, extra) : fd;
    if (fd != -ENOENT || at < 0)
        return at;
    long made = file ? sys4(__NR_mknodat, at, name, 0100000 | mode, 0) : sys3(__NR_mkdirat, at, name, mode);
    fd = made && made != -EEXIST ? (int)made : open_in_root(path, O_PATH, extra);
    if (fd == -ENOENT) { /* of a circle of links the kernel has said ELOOP */
        char route[name - path + 4096], *target = memcpy(route, path, name - path) + (name - path);
        long n = sys4(__NR_readlinkat, at, name, target, 4095);
        target[n > 0 ? n : 0] = 0;
        fd = n < 0 ? (int)n : make_in_root(*target == '/' ? target : route, file, mode, extra);
    }
    SHUT(at);
    return fd;
}

/* A mount point: found or made, and not on procfs unless the plan says that it may be. */
static int open_dest(char *path, uint64_t how)
{
    int made = how & (DEST_DIRECTORY | DEST_FILE);
    uint64_t extra = how & DEST_NOFOLLOW ? RESOLVE_NO_SYMLINKS : 0;
    int fd = open_in_root(path, O_PATH | (how & DEST_LINK ? O_NOFOLLOW : 0), extra);

    if (fd == -ENOENT && made)
        fd = make_in_root(path, !!(how & DEST_FILE), how & DEST_FILE ? 0644 : how & DEST_SHARED ? 01777 : 0755, extra);
    if (fd >= 0 && !(how & DEST_ON_PROC)) {
        struct { long type; char rest[120]; } fs;
        long error = sys2(__NR_fstatfs, fd, &fs);
        if (error || fs.type == PROC_SUPER_MAGIC) {
            SHUT(fd);
            return error ? (int)error : -EPERM;
        }
    }
    return fd;
}

static int move_to(int tree, int dest)
{
    return (int)sys5(__NR_move_mount, tree, "", dest, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
}

static int clone_tree(int fd, unsigned recursive)
{
    return (int)sys3(__NR_open_tree, fd, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | recursive);
}

static int attach(char *path, int tree, uint64_t how)
{
    if (!(how & (DEST_DIRECTORY | DEST_FILE)))
        how |= file_type(tree) == 0040000 ? DEST_DIRECTORY : DEST_FILE;
    int dest = open_dest(path, how), result;
    if (dest < 0)
        return dest;
    result = move_to(tree, dest);
    SHUT(dest);
    return result;
}

/* A file system without a mode of its own gets that of the folder it covers. */
static int copy_mode(int fs, int dest)
{
    char octal[5] = "0000";
    struct statx info;
    long error = sys5(__NR_statx, dest, "", AT_EMPTY_PATH, STATX_MODE, &info);
    for (int i = 0; i < 4; i++)
        octal[i] = (char)('0' + (info.stx_mode >> (9 - 3 * i) & 7));
    return error ? (int)error : (int)sys5(__NR_fsconfig, fs, FSCONFIG_SET_STRING, "mode", octal, 0);
}

static int mount_new(struct plan_op *op)
{
    const char *type = next_text(op->bytes), *end = (const char *)op + op->size;
    int dest = open_dest(op->bytes, op->x[2]), fs, mount = -1, error;

    if (dest < 0)
        return dest;
    error = fs = (int)sys2(__NR_fsopen, type, FSOPEN_CLOEXEC);
    if (error >= 0 && op->x[3])
        error = copy_mode(fs, dest);
    for (const char *key = next_text(type); key < end && *key && error >= 0; key = next_text(next_text(key))) {
        const char *value = next_text(key);
        error = (int)sys5(__NR_fsconfig, fs, *value ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG, key, *value ? value : 0, 0);
    }
    if (error >= 0)
        error = (int)sys5(__NR_fsconfig, fs, FSCONFIG_CMD_CREATE, 0, 0, 0);
    if (error >= 0)
        error = mount = (int)sys3(__NR_fsmount, fs, FSMOUNT_CLOEXEC, op->x[0]);
    if (error >= 0 && op->x[1]) {
        struct mount_attr attr = { .propagation = op->x[1] };
        error = (int)sys5(__NR_mount_setattr, mount, "", AT_EMPTY_PATH, &attr, sizeof attr);
    }
    if (error < 0 && fs >= 0) {
        long n = sys3(__NR_read, fs, report.text, sizeof report.text - 1); /* the context's own message, "e ramfs: Bad value" */
        report.text[n > 0 ? n : 0] = 0;
    }
    if (error >= 0 && op->a)
        held = mount;
    else if (error >= 0)
        error = move_to(mount, dest);
    if (mount >= 0 && mount != held)
        SHUT(mount);
    if (fs >= 0)
        SHUT(fs);
    SHUT(dest);
    return error;
}

/*
 * A masked folder is covered by an empty read-only one, a file by the null device. The two trees serve any number of paths: a detached
 * tree can be copied since Linux 6.15; before, its first use attaches the tree itself, and an attached one can always be copied.
 */
static int mask(const char *path, int directory, int null)
{
    int dest = open_in_root(path, O_PATH, 0), tree, copy, result;
    if (dest == -ENOENT || dest == -ENOTDIR)
        return 0;
    if (dest < 0)
        return dest;
    tree = file_type(dest) == 0040000 ? directory : null;
    copy = clone_tree(tree, 0);
    result = move_to(copy < 0 ? tree : copy, dest);
    if (copy >= 0)
        SHUT(copy);
    SHUT(dest);
    return result;
}

static int make_readonly(const char *path)
{
    struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY };
    int dest = open_in_root(path, O_PATH, 0), tree, result;
    if (dest == -ENOENT || dest == -ENOTDIR)
        return 0;
    if (dest < 0)
        return dest;
    result = tree = clone_tree(dest, AT_RECURSIVE);
    if (tree >= 0) {
        result = (int)sys5(__NR_mount_setattr, tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr, sizeof attr);
        if (!result)
            result = move_to(tree, dest);
        SHUT(tree);
    }
    SHUT(dest);
    return result;
}

static int make_node(struct plan_op *op)
{
    const char *name;
    int at = open_parent(op->bytes, &name, 0);
    if (at < 0)
        return at;
    int error = (int)sys4(__NR_mknodat, at, name, op->x[0], op->x[1]);
    if (!error)
        error = (int)sys5(__NR_fchownat, at, name, op->a, op->b, AT_SYMLINK_NOFOLLOW);
    SHUT(at);
    return error == -EEXIST ? 0 : error; /* bundles bring devices of their own: they stay */
}

static int make_symlink(char *path, const char *target, int exact)
{
    const char *name;
    char there[4096];
    int at = open_parent(path, &name, 0);
    if (at < 0)
        return at;
    int error = (int)sys3(__NR_symlinkat, target, at, name);
    if (error == -EEXIST && exact) {
        long n = sys4(__NR_readlinkat, at, name, there, sizeof there);
        for (long i = 0; n >= 0 && (i < n || target[i]); i++)
            if (i == n || there[i] != target[i])
                n = -EEXIST;
        error = n < 0 ? -EEXIST : 0;
    }
    SHUT(at);
    return error == -EEXIST && !exact ? 0 : error;
}

/*
 * umount2(2) knows only paths. This one leads from the host's own procfs over this process's descriptor 0 to the very mount that was
 * looked at, whatever the container does to its names meanwhile.
 */
static int unmount(struct plan_op *op)
{
    struct statx info;
    int dest = open_in_root(op->bytes, O_PATH, 0);
    long error = dest < 0 ? dest : sys5(__NR_statx, dest, "", AT_EMPTY_PATH, op->x[1], &info);
    if (!error && info.stx_mnt_id != op->x[0])
        error = -EINVAL;
    if (!error)
        error = sys1(__NR_fchdir, op->a);
    if (!error)
        error = sys3(__NR_dup3, dest, 0, 0);
    return (int)(error ? error : sys2(__NR_umount2, "self/fd/0", 2 /* MNT_DETACH */));
}

/* ---- the process --------------------------------------------------------------------------------------------------------------- */

/*
 * A terminal of the container's own devpts. The container's side is asked of the master itself (TIOCGPTPEER), never opened by name, and
 * reaches /dev/console by descriptor (CVE-2025-52565).
 */
static int open_console(struct plan_op *op)
{
    struct termios settings;
    struct { unsigned short rows, columns, x, y; } size = { (unsigned short)op->c, (unsigned short)op->d, 0, 0 };
    char place[] = "/dev/console";
    int unlock = 0, error, master = open_in_root("/dev/pts/ptmx", O_RDWR | O_NOCTTY, 0);

    if (master < 0)
        return master;
    error = (int)sys3(__NR_ioctl, master, TIOCSPTLCK, &unlock);
    if (!error)
        error = terminal = (int)sys3(__NR_ioctl, master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (error >= 0)
        error = (int)sys3(__NR_ioctl, terminal, TCGETS, &settings);
    if (!error) { /* callers expect "\n" as it was written, not "\r\n" */
        settings.c_oflag &= ~(tcflag_t)ONLCR;
        error = (int)sys3(__NR_ioctl, terminal, TCSETS, &settings);
    }
    if (!error && (size.rows || size.columns))
        error = (int)sys3(__NR_ioctl, master, TIOCSWINSZ, &size);
    if (!error)
        error = (int)sys3(__NR_fchown, terminal, op->x[0], -1);
    if (!error && op->b) {
        int tree = error = clone_tree(terminal, 0);
        if (tree >= 0) {
            error = attach(place, tree, DEST_FILE);
            SHUT(tree);
        }
    }
    if (!error && op->a >= 0) {
        error = send_descriptor(op->a, master, "/dev/ptmx", 9);
        SHUT(op->a);
    }
    SHUT(master);
    return error;
}

static int take_terminal(void)
{
    long error = sys3(__NR_ioctl, terminal, TIOCSCTTY, 0);
    for (int fd = 0; fd < 3 && error >= 0; fd++)
        error = sys3(__NR_dup3, terminal, fd, 0);
    SHUT(terminal);
    return error < 0 ? (int)error : 0;
}

static int drop_bounds(uint64_t kept)
{
    for (int cap = 0; cap < 64; cap++) {
        long error = kept >> cap & 1 ? 0 : sys2(__NR_prctl, PR_CAPBSET_DROP, cap);
        if (error == -EINVAL)
            break; /* beyond the last capability that this kernel knows */
        if (error)
            return (int)error;
    }
    return 0;
}

static volatile int listener; /* 0 until the filter is loaded */
static volatile int sent;     /* 0 until the listener has been sent: 1, or -errno */

__attribute__((noreturn)) static void send_listener(void)
{
    while (!listener)
        sys0(__NR_sched_yield);
    int error = send_descriptor(status, listener, &report, sizeof report);
    sent = error ? error : 1;
    for (;;)
        sys1(__NR_exit, 0);
}

/*
 * A filter may hand any call to its listener, also those with which the listener would be sent, and then nobody could ever answer. So a thread
 * that the filter is not for sends it; this one makes no call until that is done, which takes as long as a packet does.
 */
static int load_filter(struct plan_op *op, uint32_t index)
{
    static char stack[4096] __attribute__((aligned(16)));
    struct sock_fprog program = { (unsigned short)op->x[1], (struct sock_filter *)op->bytes };
    int listens = !!(op->x[0] & SECCOMP_FILTER_FLAG_NEW_LISTENER);
    long result = 0;

    if (listens) {
        struct clone_args args = {
            .flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD,
            .stack = (uint64_t)stack,
            .stack_size = sizeof stack,
        };
        report.kind = REPORT_LISTENER;
        report.index = index;
        result = sys_thread(&args, sizeof args, send_listener);
    }
    if (result >= 0)
        result = sys3(__NR_seccomp, SECCOMP_SET_MODE_FILTER, op->x[0], &program);
    if (result < 0 || !listens)
        return (int)result;
    listener = (int)result;
    while (!sent)
        ;
    return sent < 0 ? sent : 0;
}

/* The kernel reports a directory outside the root as "(unreachable)/…" (CVE-2024-21626). */
static int change_directory(const char *path)
{
    char where[4096];
    long result = sys1(__NR_chdir, path);
    if (result < 0)
        return (int)result;
    result = sys2(__NR_getcwd, where, sizeof where);
    return result < 0 ? (int)result : where[0] == '/' ? 0 : -ENOENT;
}

/* As execvp(3) looks: the first candidate that may be executed; "permission denied" only if nothing better was found. */
static int find_executable(struct plan_op *op)
{
    const char *candidate = op->bytes;
    int error = -ENOENT;
    for (int i = 0; i < op->a; i++, candidate = next_text(candidate)) {
        struct statx info;
        long result = sys5(__NR_statx, AT_FDCWD, candidate, 0, STATX_TYPE, &info);
        if (!result && (info.stx_mode & 0170000) == 0040000)
            result = -EISDIR;
        if (!result)
            result = sys4(__NR_faccessat2, AT_FDCWD, candidate, 1 /* X_OK */, AT_EACCESS);
        if (!result) {
            executable = candidate;
            return 0;
        }
        if (result != -ENOENT && result != -ENOTDIR)
            error = (int)result;
    }
    return error;
}

static int execute(struct plan_op *op)
{
    /* The vectors live on the stack: their number is bounded by the plan's size, which the runtime bounds. */
    const char *vector[op->a + op->b + 2], *text = op->bytes;
    int n = 0;
    for (int i = 0; i < op->a; i++, text = next_text(text))
        vector[n++] = text;
    vector[n++] = 0;
    for (int i = 0; i < op->b; i++, text = next_text(text))
        vector[n++] = text;
    vector[n] = 0;
    return (int)sys3(__NR_execve, executable, vector, vector + op->a + 1);
}

/* ---- the interpreter ----------------------------------------------------------------------------------------------------------- */

static int call(struct plan_op *op)
{
    long x[6];
    for (int i = 0; i < 6; i++)
        x[i] = op->b >> i & 1 ? (long)(op->bytes + op->x[i]) : op->b >> (8 + i) & 1 ? held : (long)op->x[i];
    long result = sys6(op->a, x[0], x[1], x[2], x[3], x[4], x[5]);
    if (op->d < 0)
        held = (int)result;
    if (op->d > 0 && result >= 0) {
        long opened = result;
        result = sys3(__NR_dup3, opened, op->d, O_CLOEXEC);
        SHUT(opened);
    }
    return result >= 0 || op->c < 0 || result == -op->c ? 0 : (int)result;
}

/*
 * Goes on as a sibling, a child of the runtime like this process itself: only so can a namespace that a process cannot enter itself
 * (pid), or that must own the others (user), be the container's.
 */
static int fork_on(struct plan_op *op, uint32_t index)
{
    struct clone_args args = { .flags = op->x[0] | CLONE_PARENT };
    long pid = sys2(__NR_clone3, &args, sizeof args);
    if (pid == 0)
        wait_for_go(); /* until the runtime knows whose reports it will hear */
    if (pid <= 0)
        return (int)pid;
    tell(REPORT_PID, index, (int)pid);
    leave(0);
}

static int perform(struct plan_op *op, uint32_t index)
{
    char *text = op->bytes;
    switch (op->code) {
    case OP_SYNC:
        tell(REPORT_SYNC, index, held);
        wait_for_go();
        return 0;
    case OP_GATE:
        wait_for_go();
        return 0;
    case OP_AWAIT:
        return await_start(op->a);
    case OP_FORK:
        return fork_on(op, index);
    case OP_CALL:
        return call(op);
    case OP_MOUNT:
        return mount_new(op);
    case OP_ATTACH:
        return attach(text, op->a < 0 ? held : op->a, op->x[2]);
    case OP_DIRECTORY: {
        int fd = make_in_root(text, 0, (uint32_t)op->x[0], 0);
        return fd < 0 ? fd : (int)SHUT(fd);
    }
    case OP_NODE:
        return make_node(op);
    case OP_SYMLINK:
        return make_symlink(text, next_text(text), op->a);
    case OP_MASK:
        return mask(text, op->a, op->b);
    case OP_READONLY:
        return make_readonly(text);
    case OP_CONSOLE:
        return open_console(op);
    case OP_TERMINAL:
        return take_terminal();
    case OP_BOUND:
        return drop_bounds(op->x[0]);
    case OP_SECCOMP:
        return load_filter(op, index);
    case OP_CHDIR:
        return change_directory(text);
    case OP_FIND:
        return find_executable(op);
    case OP_EXEC:
        return execute(op);
    case OP_UNMOUNT:
        return unmount(op);
    default:
        return -ENOSYS;
    }
}

/* argv[1] is the descriptor of the plan; or the name of another role, whose arguments follow. */
__attribute__((noreturn, used)) static void run(long *stack)
{
    char **argv = (char **)(stack + 1), **envp = argv + stack[0] + 1;
    int fd = stack[0] > 1 ? decimal(argv[1]) : -1;
    struct statx info;

    if (stack[0] > 2)
        *argv[1] == 'm' ? monitor(argv[2]) : *argv[1] == 'l' ? later(argv + 1, envp) : first_process(argv + 1, envp);
    if (sys5(__NR_statx, fd, "", AT_EMPTY_PATH, STATX_SIZE, &info) || info.stx_size < sizeof *plan)
        leave(126);
    plan = (void *)sys6(__NR_mmap, 0, (long)info.stx_size, 3 /* PROT_READ | PROT_WRITE */, 2 /* MAP_PRIVATE */, fd, 0);
    if ((unsigned long)plan > -4096ul || plan->magic != PLAN_MAGIC || plan->version != PLAN_VERSION || plan->size != info.stx_size)
        leave(126);
    SHUT(fd);
    sys1(__NR_umask, 0); /* modes are meant as they are written; the program gets its own at the end */
    status = plan->status;

    struct plan_op *op = (void *)(plan + 1);
    for (uint32_t i = 0; i < plan->count; i++, op = (void *)((char *)op + op->size)) {
        int error = perform(op, i);
        if (error < 0) {
            tell(REPORT_FAILED, i, -error);
            leave(1);
        }
    }
    leave(0);
}

#if defined(__x86_64__)
__asm__(".globl _start\n_start: xor %ebp,%ebp\n mov %rsp,%rdi\n and $-16,%rsp\n call run\n");
#elif defined(__aarch64__)
__asm__(".globl _start\n_start: mov x29,#0\n mov x0,sp\n bl run\n");
#endif
