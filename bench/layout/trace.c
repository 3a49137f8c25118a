/*
 * trace FUNCTIONS FILE COMMAND...: runs a command and writes to FILE which of its functions it entered, in the order of their first time.
 *
 * FUNCTIONS has their addresses, "%x" each, in rising order. At each stands a breakpoint that is taken away when it is hit, so that a function
 * costs one stop, however often it is called. Threads and children are followed until they execute something else.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MOST = 1 << 17, BREAKPOINT = 0xcc };
static unsigned long functions[MOST];
static unsigned char code[MOST]; /* the byte below the breakpoint */
static int count;

static int ascending(const void *a, const void *b)
{
    unsigned long x = *(const unsigned long *)a, y = *(const unsigned long *)b;
    return (x > y) - (x < y);
}

__attribute__((noreturn)) static void fail(const char *what)
{
    perror(what);
    exit(1);
}

/* The memory that a process sees; two may see the same. */
static void change(pid_t pid, int from, int to, int breakpoints)
{
    char path[32];
    unsigned char byte = BREAKPOINT;
    snprintf(path, sizeof path, "/proc/%d/mem", pid);
    int memory = open(path, O_RDWR | O_CLOEXEC);
    if (memory < 0)
        fail(path);
    for (int i = from; i < to; i++)
        if ((breakpoints && pread(memory, &code[i], 1, (off_t)functions[i]) != 1) ||
            pwrite(memory, breakpoints ? &byte : &code[i], 1, (off_t)functions[i]) != 1)
            fail("trace: memory");
    close(memory);
}

int main(int argc, char **argv)
{
    if (argc < 4)
        return fprintf(stderr, "usage: trace FUNCTIONS FILE COMMAND...\n"), 2;
    FILE *in = fopen(argv[1], "r"), *out = fopen(argv[2], "w");
    if (!in || !out)
        fail("trace");
    while (count < MOST && fscanf(in, "%lx", &functions[count]) == 1)
        count++;
    pid_t child = fork(), pid;
    if (!child) {
        ptrace(PTRACE_TRACEME, 0, 0, 0);
        execvp(argv[3], argv + 3);
        fail(argv[3]);
    }
    int status;
    waitpid(child, &status, 0); /* at its execve */
    ptrace(PTRACE_SETOPTIONS, child, 0,
           PTRACE_O_EXITKILL | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACEEXEC);
    change(child, 0, count, 1);
    ptrace(PTRACE_CONT, child, 0, 0);
    while ((pid = waitpid(-1, &status, __WALL)) > 0) {
        if (!WIFSTOPPED(status)) {
            if (pid == child)
                break;
            continue;
        }
        int signal = WSTOPSIG(status), event = status >> 16;
        if (event == PTRACE_EVENT_EXEC) {
            ptrace(PTRACE_DETACH, pid, 0, 0);
            continue;
        }
        if (signal == SIGTRAP && !event) {
            unsigned long at = (unsigned long)ptrace(PTRACE_PEEKUSER, pid, offsetof(struct user_regs_struct, rip), 0) - 1;
            unsigned long *found = bsearch(&at, functions, (size_t)count, sizeof at, ascending);
            if (found) {
                fprintf(out, "%016lx\n", at);
                change(pid, (int)(found - functions), (int)(found - functions) + 1, 0);
                ptrace(PTRACE_POKEUSER, pid, offsetof(struct user_regs_struct, rip), at);
            }
        }
        ptrace(PTRACE_CONT, pid, 0, event || signal == SIGTRAP || signal == SIGSTOP ? 0 : signal);
    }
    fclose(out);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
