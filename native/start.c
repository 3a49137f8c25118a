/*
 * Linked into conman: what the start of the .NET runtime need not ask.
 *
 * A container's start is short; the runtime under C# prepares for a long life: it reads the limits of its own cgroup (all of mountinfo,
 * twice, which grows with every container on the host, and memory.stat, which makes the kernel add up counters) and its stack's bounds
 * from /proc/self/maps. The linker sends those two calls here (--wrap). Measured in docs/performance.md.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

FILE *__real_fopen64(const char *path, const char *mode);
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*routine)(void *), void *argument);
int __real_pthread_getattr_np(pthread_t thread, pthread_attr_t *attr);
extern void *__libc_stack_end;

/* As far as the garbage collector is concerned there are no cgroups: its heap is small whatever the limit. */
FILE *__wrap_fopen64(const char *path, const char *mode)
{
    if (strcmp(path, "/proc/self/mountinfo") == 0 || strcmp(path, "/proc/self/cgroup") == 0) {
        errno = ENOENT;
        return NULL;
    }
    return __real_fopen64(path, mode);
}

/* The main thread's stack: it ends where the C library found it, and may grow to its limit. */
int __wrap_pthread_getattr_np(pthread_t thread, pthread_attr_t *attr)
{
    const size_t page = 4096, most = 64ul << 20;
    struct rlimit limit;
    if (gettid() != getpid() || !pthread_equal(thread, pthread_self()) || getrlimit(RLIMIT_STACK, &limit) < 0)
        return __real_pthread_getattr_np(thread, attr);
    size_t size = limit.rlim_cur > most ? most : limit.rlim_cur & ~(page - 1);
    char *end = (char *)(((size_t)__libc_stack_end + page - 1) & ~(page - 1));
    int error = pthread_attr_init(attr);
    return error ? error : pthread_attr_setstack(attr, end - size, size);
}

/*
 * The first thread that the runtime starts runs finalizers. A command that lives for milliseconds leaves those to the kernel, which closes
 * everything at its end: the thread starts together with the second one, the first that the program itself asks for.
 */
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*routine)(void *), void *argument)
{
    static void *(*finalizer)(void *);
    static void *of_finalizer;
    static int calls;
    int number = __atomic_fetch_add(&calls, 1, __ATOMIC_SEQ_CST);
    if (number == 0) {
        finalizer = routine;
        of_finalizer = argument;
        return 0;
    }
    if (number == 1) {
        int error = __real_pthread_create(thread, attr, finalizer, of_finalizer);
        if (error)
            return error;
    }
    return __real_pthread_create(thread, attr, routine, argument);
}

/* One heap for C is enough: a second thread must not reserve 128 MiB for one of its own. */
__attribute__((constructor)) static void start(void)
{
    mallopt(M_ARENA_MAX, 1);
}
