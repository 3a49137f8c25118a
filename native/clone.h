/*
 * Starting a program without fork: the core of spawn.c and of the monitor. Whoever includes this brings a fcntl.h, the C library's or the kernel's.
 *
 * A .NET process has threads and a large address space; fork copies its page tables and leaves locks held by threads that are not there.
 * clone3 with CLONE_VM | CLONE_VFORK copies nothing: the child borrows this thread's memory and stack while the thread stands still, makes
 * raw system calls only, and is gone from here with execveat.
 */
#ifndef CONMAN_CLONE_H
#define CONMAN_CLONE_H

#include "spawn.h"
#include "sys.h"

#include <linux/sched.h>

/* In the child: nothing here may touch errno, a lock, or memory that the parent reads, but `request->error`. */
__attribute__((noinline, noreturn)) static void child(struct spawn_request *request)
{
    struct { unsigned long handler, flags, restorer, mask; } default_action = { 0, 0, 0, 0 };
    uint64_t none = 0;
    long error = 0;

    /* CLONE_CLEAR_SIGHAND took the handlers; what .NET (SIGPIPE) or the caller (nohup) ignores is not the new program's to inherit. */
    for (int number = 1; number <= 64; number++)
        sys4(__NR_rt_sigaction, number, &default_action, 0, 8);
    for (int i = 0; i < request->keep_count && error >= 0; i++)
        error = request->from ? sys3(__NR_dup3, request->from[i], request->keep[i], 0) : sys3(__NR_fcntl, request->keep[i], F_SETFD, 0);
    for (int i = 0; i < 3 && error >= 0; i++)
        if (request->stdio[i] >= 0)
            error = request->stdio[i] == i ? sys3(__NR_fcntl, i, F_SETFD, 0) : sys3(__NR_dup3, request->stdio[i], i, 0);
    sys4(__NR_rt_sigprocmask, 2 /* SIG_SETMASK */, &none, 0, 8);
    if (error >= 0)
        error = sys5(__NR_execveat, request->executable, "", request->argv, request->envp, AT_EMPTY_PATH);
    request->error = (int)-error;
    for (;;)
        sys1(__NR_exit, 127);
}

/* Returns the pid, or -errno. */
static long spawn(struct spawn_request *request)
{
    int pidfd = -1;
    struct clone_args args = {
        .flags = CLONE_VM | CLONE_VFORK | CLONE_PIDFD | CLONE_CLEAR_SIGHAND | request->flags,
        .pidfd = (uint64_t)(uintptr_t)&pidfd,
        .exit_signal = 17 /* SIGCHLD */,
        .cgroup = request->cgroup >= 0 ? (uint64_t)request->cgroup : 0,
    };
    uint64_t all = ~0ull, before;
    long pid = 0, error = 0;

    if (request->cgroup >= 0)
        args.flags |= CLONE_INTO_CGROUP;
    request->error = 0;
    sys4(__NR_rt_sigprocmask, 2 /* SIG_SETMASK */, &all, &before, 8);
    /* A pid namespace is entered by one's children: this thread steps in and back out. */
    if (request->pid_namespace >= 0)
        error = sys2(__NR_setns, request->pid_namespace, CLONE_NEWPID);
    if (!error) {
        pid = sys2(__NR_clone3, &args, sizeof args);
        if (pid == 0)
            child(request);
        if (request->pid_namespace >= 0)
            sys2(__NR_setns, request->own_pid_namespace, CLONE_NEWPID);
    }
    sys4(__NR_rt_sigprocmask, 2 /* SIG_SETMASK */, &before, 0, 8);
    if (error)
        return error;
    if (pid > 0 && request->error) {
        sys5(__NR_waitid, 3 /* P_PIDFD */, pidfd, 0, 4 /* WEXITED */, 0);
        sys1(__NR_close, pidfd);
        return -request->error;
    }
    request->pidfd = pidfd;
    return pid;
}

#endif
