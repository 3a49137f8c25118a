/*
 * killat: runs a command and kills it, or a process that it started, at the entry of one chosen system call: what `kill -9` at that very
 * moment does. All other processes live on. Then it runs what is to clean up, and tells which processes are left.
 *
 *     killat WHO WHERE [: SETUP...]... :: COMMAND... [: CLEANUP...]...
 *
 *     WHO    own     kill COMMAND at a call of its own (of any of its threads)
 *            child   kill a process that COMMAND started, at a call of that process
 *            parent  kill COMMAND at a call of a process that it started
 *     WHERE  N       the N-th call that counts
 *            NAME:K  the K-th of this name
 *            list    kill nothing; list the names of the calls, one a line
 *
 * It is the subreaper of all that it runs, so whoever loses his parent becomes its child and none can hide. On standard output:
 *
 *     killed PID NAME at CALL(ARGUMENTS)      or    not killed: N calls
 *     command exit CODE                             CODE: as a shell tells it; "hangs" after 20 s
 *     setup/cleanup exit CODE                       one line for each that did not exit 0
 *     left PID NAME ARGUMENTS                       a process still there 5 s after the last cleanup
 *
 * Exit code: 0, or 2 when it was called wrongly or could not trace.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <linux/ptrace.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char *const names[] = {
#define CALL(name, number) [number] = #name,
#include "calls.h"
};

enum who { OWN, CHILD, PARENT };

/* What the tracer leaves for its parent. */
static struct shared {
    pid_t command;   /* 0: it could not be run */
    int ended;       /* the tracer saw the command's end, with this status */
    int status;
    long counted;
    char killed[1024];
} *shared;

static enum who who;
static long where;             /* count down to the call; with `only`, of that name */
static int only = -1, list;

static void die(const char *what)
{
    fprintf(stderr, "killat: %s: %s\n", what, strerror(errno));
    _exit(2);
}

static const char *name_of(long number)
{
    static char other[32];
    if (number >= 0 && number < (long)(sizeof names / sizeof *names) && names[number])
        return names[number];
    snprintf(other, sizeof other, "%ld", number);
    return other;
}

static int code_of(int status)
{
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* A file of /proc/PID, its separators turned into spaces. */
static void read_proc(pid_t pid, const char *file, char *text, size_t size)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", pid, file);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, text, size - 1);
    if (fd >= 0)
        close(fd);
    text[n > 0 ? n : 0] = 0;
    for (ssize_t i = 0; i < n; i++)
        if (text[i] == 0 || text[i] == '\n')
            text[i] = i == n - 1 ? 0 : ' ';
}

/* ---- the tracer ---------------------------------------------------------------------------------------------------------------- */

/* The process that a thread belongs to. Threads are few; a number that is used again is looked up again after its end. */
static struct { pid_t thread, process; } known[256];
static int known_count;

static pid_t process_of(pid_t thread)
{
    char status[512], *line;
    for (int i = 0; i < known_count; i++)
        if (known[i].thread == thread)
            return known[i].process;
    read_proc(thread, "status", status, sizeof status);
    line = strstr(status, "Tgid:");
    pid_t process = line ? atoi(line + 5) : thread;
    if (known_count < (int)(sizeof known / sizeof *known)) {
        known[known_count].thread = thread;
        known[known_count++].process = process;
    }
    return process;
}

static void forget(pid_t thread)
{
    for (int i = 0; i < known_count; i++)
        if (known[i].thread == thread)
            known[i--] = known[--known_count];
}

/* An argument as a person reads it: text where it points to text. */
static int print_argument(char *to, size_t size, pid_t pid, uint64_t value)
{
    char text[65] = "";
    struct iovec local = { text, sizeof text - 1 }, remote = { (void *)(uintptr_t)value, sizeof text - 1 };
    if (value > 4096 && process_vm_readv(pid, &local, 1, &remote, 1, 0) > 0) {
        size_t n = 0;
        while (text[n] >= ' ' && text[n] <= '~')
            n++;
        if (n > 1 && (!text[n] || n == sizeof text - 1))
            return snprintf(to, size, "\"%s\"", text);
    }
    return snprintf(to, size, value > 9 ? "0x%lx" : "%ld", (long)value);
}

static void describe(pid_t victim, pid_t caller, const struct ptrace_syscall_info *info)
{
    char *at = shared->killed, *end = at + sizeof shared->killed, name[64];
    read_proc(victim, "comm", name, sizeof name);
    at += snprintf(at, (size_t)(end - at), "%d %s at %s(", victim, name, name_of((long)info->entry.nr));
    for (int i = 0; i < 6 && at < end - 80; i++) {
        at += snprintf(at, (size_t)(end - at), i ? ", " : "");
        at += print_argument(at, (size_t)(end - at), caller, info->entry.args[i]);
    }
    snprintf(at, (size_t)(end - at), ")");
}

/* Whether this call is the one. */
static int is_it(const struct ptrace_syscall_info *info, int by_command)
{
    if (by_command != (who == OWN))
        return 0;
    shared->counted++;
    if (list)
        printf("%s\n", name_of((long)info->entry.nr));
    return !list && (only < 0 || only == (long)info->entry.nr) && --where == 0;
}

/*
 * Follows everything until the call comes or the command ends. When this process exits the kernel lets go of all that it traced
 * (ptrace(2)): with PTRACE_SEIZE, no signal of the tracing is left behind in any of them.
 */
__attribute__((noreturn)) static void trace(char **command)
{
    int gate[2], running = 0, status;
    /* For calls of its own its threads are enough; and a child that traces itself, as CRIU does, must not be traced. */
    const long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC
        | (who == OWN ? 0 : PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK);

    if (pipe2(gate, O_CLOEXEC))
        die("pipe");
    pid_t child = fork();
    if (child == 0) {
        char go;
        close(gate[1]);
        if (read(gate[0], &go, 1) == 1)
            execv(command[0], command);
        _exit(127);
    }
    if (child < 0)
        die("fork");
    shared->command = child;
    if (ptrace(PTRACE_SEIZE, child, 0, options))
        die("ptrace");
    if (write(gate[1], "g", 1) != 1)
        die("write");
    close(gate[0]);

    for (;;) {
        pid_t thread = waitpid(-1, &status, __WALL);
        long signal = 0;
        if (thread < 0) {
            if (errno == EINTR)
                continue;
            die("wait");
        }
        if (WIFEXITED(status) || WIFSIGNALED(status)) {
            forget(thread);
            if (thread != child)
                continue;
            shared->ended = 1;
            shared->status = status;
            break;
        }
        int stop = WSTOPSIG(status), event = status >> 16;
        if (stop == (SIGTRAP | 0x80)) {
            struct ptrace_syscall_info info = { 0 };
            if (running && ptrace(PTRACE_GET_SYSCALL_INFO, thread, sizeof info, &info) > 0 && info.op == PTRACE_SYSCALL_INFO_ENTRY) {
                pid_t process = process_of(thread);
                if (is_it(&info, process == child)) {
                    pid_t victim = who == CHILD ? process : child;
                    describe(victim, thread, &info);
                    kill(victim, SIGKILL);
                    break;
                }
            }
        } else if (event == PTRACE_EVENT_EXEC) {
            running = 1; /* what came before was this program's */
            known_count = 0;
        } else if (event == PTRACE_EVENT_STOP) {
            if (stop != SIGTRAP) { /* a real stop (SIGSTOP, SIGTSTP) lasts */
                ptrace(PTRACE_LISTEN, thread, 0, 0);
                continue;
            }
        } else if (!event) {
            signal = stop;
        }
        ptrace(PTRACE_SYSCALL, thread, 0, signal);
    }
    fflush(stdout);
    _exit(0);
}

/* ---- the command and what surrounds it ----------------------------------------------------------------------------------------- */

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Waits for one child, and reaps whoever else ends; -1 when the time is over. SIGCHLD is blocked, and wakes the wait. */
static int wait_for(pid_t pid, double seconds)
{
    double deadline = now() + seconds;
    sigset_t child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    for (;;) {
        int status;
        pid_t ended = waitpid(-1, &status, WNOHANG);
        if (ended > 0 && ended == pid)
            return status;
        if (ended > 0)
            continue;
        if (ended < 0)
            return 0;
        double left = deadline - now();
        if (left <= 0)
            return -1;
        struct timespec timeout = { (time_t)left, (long)((left - (double)(time_t)left) * 1e9) };
        sigtimedwait(&child, 0, &timeout);
    }
}

static void tell_end(const char *what, int status)
{
    if (status == -1)
        printf("%s hangs\n", what);
    else
        printf("%s exit %d\n", what, code_of(status));
}

static void run_plain(const char *what, char **command, const sigset_t *signals)
{
    pid_t child = fork();
    if (child == 0) {
        sigprocmask(SIG_SETMASK, signals, 0);
        execv(command[0], command);
        _exit(127);
    }
    int status = wait_for(child, 20);
    if (status == -1)
        kill(child, SIGKILL);
    if (status)
        tell_end(what, status);
}

static void run_traced(char **command, const sigset_t *signals)
{
    fflush(stdout);
    pid_t tracer = fork();
    if (tracer == 0) {
        sigprocmask(SIG_SETMASK, signals, 0);
        trace(command);
    }
    int status = wait_for(tracer, 60);
    if (status == -1)
        kill(tracer, SIGKILL);
    if (status || !shared->command)
        exit(2);
    /* Without its tracer the command is our child: it ends by the signal, or as it likes. */
    if (!shared->ended)
        shared->status = wait_for(shared->command, 20);
    if (*shared->killed)
        printf("killed %s\n", shared->killed);
    else
        printf("not killed: %ld calls\n", shared->counted);
    tell_end("command", shared->status);
    if (shared->status == -1)
        kill(shared->command, SIGKILL);
}

/* Whoever is a child of this process now has lost his parent, and was not cleaned up. */
static void tell_left(void)
{
    char children[4096], name[64], arguments[512], *at = children, *end;
    if (wait_for(0, 5) != -1)
        return;
    snprintf(name, sizeof name, "task/%d/children", getpid());
    read_proc(getpid(), name, children, sizeof children);
    for (long pid; (pid = strtol(at, &end, 10)) > 0; at = end) {
        read_proc((pid_t)pid, "comm", name, sizeof name);
        read_proc((pid_t)pid, "cmdline", arguments, sizeof arguments);
        printf("left %ld %s %s\n", pid, name, arguments);
        kill((pid_t)pid, SIGKILL);
    }
}

static int parse(char **arguments)
{
    const char *const kinds[] = { "own", "child", "parent" };
    char *colon;
    size_t i;
    for (i = 0; i < 3 && strcmp(arguments[1], kinds[i]); i++)
        ;
    who = (enum who)i;
    if (i == 3)
        return 0;
    if (!strcmp(arguments[2], "list"))
        return list = 1;
    where = strtol(arguments[2], 0, 10);
    if ((colon = strchr(arguments[2], ':'))) {
        *colon = 0;
        where = strtol(colon + 1, 0, 10);
        for (i = 0; i < sizeof names / sizeof *names; i++)
            if (names[i] && !strcmp(names[i], arguments[2]))
                only = (int)i;
        if (only < 0)
            return 0;
    }
    return where > 0;
}

int main(int count, char **arguments)
{
    sigset_t child, before;
    int traced = 0;

    if (count < 5 || !parse(arguments)) {
        fprintf(stderr, "usage: killat own|child|parent N|NAME:K|list [: SETUP...]... :: COMMAND... [: CLEANUP...]...\n");
        return 2;
    }
    shared = mmap(0, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED || prctl(PR_SET_CHILD_SUBREAPER, 1))
        die("prepare");
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    sigprocmask(SIG_BLOCK, &child, &before);

    for (int i = 3, next; i < count; i = next) {
        int is_traced = !strcmp(arguments[i], "::");
        for (next = i + 1; next < count && strcmp(arguments[next], ":") && strcmp(arguments[next], "::"); next++)
            ;
        char *command[next - i];
        memcpy(command, arguments + i + 1, (size_t)(next - i - 1) * sizeof *command);
        command[next - i - 1] = 0;
        if (is_traced)
            run_traced(command, &before);
        else
            run_plain(traced ? "cleanup" : "setup", command, &before);
        traced |= is_traced;
    }
    fflush(stdout);
    tell_left();
    return 0;
}
