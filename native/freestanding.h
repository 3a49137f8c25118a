/* What C without a library must bring along, for all of conman-init's roles. memcpy and memset, which the compiler calls, are in init.c. */
#ifndef CONMAN_FREESTANDING_H
#define CONMAN_FREESTANDING_H

#include "sys.h"

#define SHUT(fd) sys1(__NR_close, fd)

void *memset(void *to, int value, size_t n);
void *memcpy(void *to, const void *from, size_t n);

static inline size_t length(const char *s)
{
    size_t n = 0;
    while (s[n])
        n++;
    return n;
}

static inline const char *next_text(const char *s)
{
    return s + length(s) + 1;
}

static inline int decimal(const char *s)
{
    int n = 0;
    while (*s >= '0' && *s <= '9')
        n = n * 10 + *s++ - '0';
    return n;
}

__attribute__((noreturn)) static inline void leave(int code)
{
    for (;;)
        sys1(__NR_exit_group, code);
}

/* struct iovec and struct msghdr of the kernel. */
struct piece {
    const void *base;
    size_t size;
};
struct message {
    void *name;
    unsigned namelen;
    struct piece *pieces;
    size_t count;
    void *control;
    size_t controllen;
    int flags;
};

/* MSG_NOSIGNAL: a peer that was killed must not turn into a SIGPIPE here. */
static inline int send_descriptor(int socket, int fd, const void *bytes, size_t size)
{
    struct { size_t len; int level, type, fd; } control = { 20, 1 /* SOL_SOCKET */, 1 /* SCM_RIGHTS */, fd };
    struct piece data = { bytes, size };
    struct message message = { 0, 0, &data, 1, &control, sizeof control, 0 };
    long n = sys3(__NR_sendmsg, socket, &message, 0x4000);
    return n < 0 ? (int)n : 0;
}

/* The other roles of this binary: argv[0] is the role's name. */
void monitor(const char *config) __attribute__((noreturn));
void first_process(char **argv, char **envp) __attribute__((noreturn));
void later(char **argv, char **envp) __attribute__((noreturn));

#endif
