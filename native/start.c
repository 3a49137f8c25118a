/*
 * Linked into conman: what the start of the .NET runtime need not ask.
 *
 * A container's start is short; the runtime under C# prepares for a long life: it reads the limits of its own cgroup (all of mountinfo,
 * twice, which grows with every container on the host, and memory.stat, which makes the kernel add up counters), how much memory is free,
 * the host's processors, nodes and caches from sysfs, and its stack's bounds from /proc/self/maps. The linker sends those calls here
 * (--wrap). Measured in docs/performance.md.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

FILE *__real_fopen64(const char *path, const char *mode);
DIR *__real_opendir(const char *path);
long __real_sysconf(int name);
int __real_madvise(void *address, size_t size, int advice);
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*routine)(void *), void *argument);
int __real_pthread_getattr_np(pthread_t thread, pthread_attr_t *attr);
extern void *__libc_stack_end;

/*
 * As far as the garbage collector is concerned there are no cgroups: its heap is small whatever the limit. Of the processors sysconf tells it
 * below. How much memory is free it asks at its start, which changes nothing yet, and again at each collection, which may.
 */
FILE *__wrap_fopen64(const char *path, const char *mode)
{
    static int asked;
    if (strcmp(path, "/proc/self/mountinfo") == 0 || strcmp(path, "/proc/self/cgroup") == 0 ||
        strncmp(path, "/sys/devices/system/cpu/", 24) == 0 || (strcmp(path, "/proc/meminfo") == 0 && !asked++)) {
        errno = ENOENT;
        return NULL;
    }
    return __real_fopen64(path, mode);
}

/* Nor are there memory nodes to spread a heap over. */
DIR *__wrap_opendir(const char *path)
{
    if (strcmp(path, "/sys/devices/system/node") == 0) {
        errno = ENOENT;
        return NULL;
    }
    return __real_opendir(path);
}

/* One more than the highest processor that this process may run on. */
static int processors(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) < 0)
        return (int)__real_sysconf(_SC_NPROCESSORS_CONF);
    int highest = 0;
    for (int i = 0; i < CPU_SETSIZE; i++)
        if (CPU_ISSET(i, &set))
            highest = i;
    return highest + 1;
}

int __wrap_minipal_get_cpu_max_possible_count(void)
{
    return processors();
}

/* The last cache's size decides how much is allocated before the first collection; each of the real answers takes several cpuid or files. */
long __wrap_sysconf(int name)
{
    switch (name) {
    case _SC_NPROCESSORS_CONF:
    case _SC_NPROCESSORS_ONLN:
        return processors();
    case _SC_LEVEL1_DCACHE_SIZE:
    case _SC_LEVEL2_CACHE_SIZE:
    case _SC_LEVEL4_CACHE_SIZE:
        return 0;
    case _SC_LEVEL3_CACHE_SIZE:
        return 4 << 20;
    default:
        return __real_sysconf(name);
    }
}

/* What is reserved and never touched is not in a core dump anyway. */
int __wrap_madvise(void *address, size_t size, int advice)
{
    return advice == MADV_DONTDUMP || advice == MADV_DODUMP ? 0 : __real_madvise(address, size, advice);
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
