/*
 * Two small roles of conman-init: the first process of a container whose program is none (--init), and a start that waits.
 */
#include "freestanding.h"

#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/poll.h>
#include <linux/sched.h>
#include <linux/time_types.h>

/*
 * argv: the role, how many paths the program may have, these, and its arguments from its own name on. The program runs as a child; signals go on to
 * it, whoever is orphaned is buried, and its end is this one's. No path: there is no program, only namespaces to hold until SIGTERM or SIGINT.
 */
void first_process(char **argv, char **envp)
{
    struct { int32_t signo, error, code, pad, pid; uint32_t uid; int32_t status; char rest[100]; } info;
    struct clone_args args = { .exit_signal = 17 /* SIGCHLD */ };
    uint64_t all = ~0ull, before;
    int paths = decimal(argv[1]);
    long child = 0, error = -ENOENT;

    sys4(__NR_rt_sigprocmask, 2 /* SIG_SETMASK */, &all, &before, 8);
    if (paths && (child = sys2(__NR_clone3, &args, sizeof args)) == -ENOSYS) /* a seccomp filter's word for clone3, which it cannot look into */
        child = sys5(__NR_clone, 17, 0, 0, 0, 0);
    if (paths && child == 0) {
        int32_t own = sys0(__NR_getpid);
        sys2(__NR_setpgid, 0, 0);
        sys3(__NR_ioctl, 0, 0x5410 /* TIOCSPGRP */, &own); /* what is typed is the program's alone */
        sys4(__NR_rt_sigprocmask, 2, &before, 0, 8);
        for (char **path = argv + 2; path < argv + 2 + paths; path++)
            if (sys3(__NR_execve, *path, argv + 2 + paths, envp) != -ENOENT)
                error = 0;
        static const char text[] = "conman-init: the program cannot be executed\n";
        sys3(__NR_write, 2, text, sizeof text - 1);
        leave(error ? 127 : 126);
    }
    if (child < 0)
        leave(126);
    for (;;) {
        long signal = sys4(__NR_rt_sigtimedwait, &all, &info, 0, 8);
        if (signal > 0 && signal != 17)
            child ? sys2(__NR_kill, child, signal) : signal == 2 || signal == 15 ? (leave(0), 0) : 0;
        while (info.pid = 0, sys5(__NR_waitid, 0 /* P_ALL */, 0, &info, 4 | 1 /* WEXITED | WNOHANG */, 0) == 0 && info.pid)
            if (info.pid == child)
                leave(info.code == 1 /* CLD_EXITED */ ? info.status : 128 + info.status);
    }
}

/* argv: the role, milliseconds, the descriptor of a program, one more than that of what ends the wait before its time (0: nothing does), and the program's arguments. */
void later(char **argv, char **envp)
{
    int ms = decimal(argv[1]);
    struct __kernel_timespec time = { ms / 1000, ms % 1000 * 1000000 };
    struct pollfd early = { decimal(argv[3]) - 1, POLLIN, 0 };
    sys0(__NR_setsid);
    while (sys5(__NR_ppoll, &early, 1, &time, 0, 8) == -EINTR)
        ;
    sys5(__NR_execveat, decimal(argv[2]), "", argv + 4, envp, AT_EMPTY_PATH);
    leave(127);
}
