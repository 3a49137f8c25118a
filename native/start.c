/*
 * Linked into conman: what the start of the .NET runtime need not ask.
 *
 * A container's start is short; the runtime under C# prepares for a long life: it reads the limits of its own cgroup (all of mountinfo,
 * twice, and memory.stat, for which the kernel adds up counters), how much memory is free, the host's processors, nodes and caches, and
 * allocates here and there: what a start costs is the pages it touches. The linker sends those calls here (--wrap; docs/performance.md).
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

FILE *__real_fopen64(const char *path, const char *mode);
DIR *__real_opendir(const char *path);
long __real_sysconf(int name);
int __real_madvise(void *address, size_t size, int advice), __real_minipal_getcpufeatures(void), __real_clock_gettime(clockid_t clock, struct timespec *time);
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*routine)(void *), void *argument);
int __real_pthread_getattr_np(pthread_t thread, pthread_attr_t *attr);
void *__real_malloc(size_t size), *__real_calloc(size_t count, size_t size), *__real_realloc(void *memory, size_t size), __real_free(void *memory);
extern char __bss_start[];
static int threads; /* more than this one, at any time */

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
    return strcmp(path, "/sys/devices/system/node") != 0 ? __real_opendir(path) : (errno = ENOENT, NULL);
}

/* One more than the highest processor that this process may run on. */
int __wrap_minipal_get_cpu_max_possible_count(void)
{
    cpu_set_t set;
    int highest = CPU_SETSIZE - 1;
    if (sched_getaffinity(0, sizeof set, &set) < 0)
        return (int)__real_sysconf(_SC_NPROCESSORS_CONF);
    while (highest > 0 && !CPU_ISSET(highest, &set))
        highest--;
    return highest + 1;
}

/* The last cache's size decides how much is allocated before the first collection; each of the real answers takes several cpuid or files. */
long __wrap_sysconf(int name)
{
    if (name == _SC_NPROCESSORS_CONF || name == _SC_NPROCESSORS_ONLN)
        return __wrap_minipal_get_cpu_max_possible_count();
    if (name < _SC_LEVEL1_ICACHE_SIZE || name > _SC_LEVEL4_CACHE_LINESIZE)
        return __real_sysconf(name);
    return name == _SC_LEVEL3_CACHE_SIZE ? 4 << 20 : 0;
}

/* What is reserved and never touched is not in a core dump anyway. */
int __wrap_madvise(void *address, size_t size, int advice)
{
    return advice == MADV_DONTDUMP || advice == MADV_DODUMP ? 0 : __real_madvise(address, size, advice);
}

/* The main thread's stack: it ends behind the program's name (getauxval(3)), and may grow to its limit. */
int __wrap_pthread_getattr_np(pthread_t thread, pthread_attr_t *attr)
{
    struct rlimit limit;
    if (gettid() != getpid() || !pthread_equal(thread, pthread_self()) || getrlimit(RLIMIT_STACK, &limit) < 0)
        return __real_pthread_getattr_np(thread, attr);
    size_t size = limit.rlim_cur > 64ul << 20 ? 64ul << 20 : limit.rlim_cur & -4096ul;
    char *end = (char *)((getauxval(AT_EXECFN) + 4095) & -4096ul);
    pthread_attr_init(attr);
    return pthread_attr_setstack(attr, end - size, size);
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
    threads = 1;
    int error = number == 1 ? __real_pthread_create(thread, attr, finalizer, of_finalizer) : 0;
    return error ? error : __real_pthread_create(thread, attr, routine, argument);
}

/* Asked twice, and each answer takes six cpuid: in a virtual machine, six visits to the hypervisor. */
int __wrap_minipal_getcpufeatures(void)
{
    static int features = -1;
    return features < 0 ? features = __real_minipal_getcpufeatures() : features;
}

/* The first few times a system call is cheaper than to find, and touch, the kernel's code and data for it (vdso(7)). */
int __wrap_clock_gettime(clockid_t clock, struct timespec *time)
{
    static int calls;
    return calls < 16 && calls++ < 16 ? (int)syscall(SYS_clock_gettime, clock, time) : __real_clock_gettime(clock, time);
}

/* CPU_ALLOC of glibc, for whose headers the .NET runtime was compiled. musl has all else that it calls. */
cpu_set_t *__sched_cpualloc(size_t count) { return calloc(1, CPU_ALLOC_SIZE(count)); }

/*
 * What is allocated before there is a second thread lies side by side, without a mapping or a page for each size; large tables, which are
 * hardly touched, from the other end. Nothing is used twice, so all is zero at first. What does not fit is the C library's business.
 */
enum { PIECE = 16, LARGE = 16 << 10, TOUCHED = 32 << 10 };
static _Alignas(PIECE) __attribute__((section(".bss.arena"))) char arena[2 << 20];

#define IN_ARENA(memory) ((size_t)((char *)(memory)-arena) < sizeof arena)

/* Zeroed memory, with its size before it; or NULL. */
static void *from_arena(size_t size)
{
    static size_t used, large;
    size_t whole = PIECE + ((size + PIECE - 1) & ~(size_t)(PIECE - 1));
    if (threads || size >= sizeof arena || used + large + whole > sizeof arena)
        return NULL;
    char *piece = size < LARGE ? arena + used : arena + sizeof arena - large - whole;
    *(size_t *)piece = size;
    *(size < LARGE ? &used : &large) += whole;
    return piece + PIECE;
}

void *__wrap_malloc(size_t size) { return from_arena(size) ?: __real_malloc(size); }

void *__wrap_calloc(size_t count, size_t size)
{
    size_t bytes;
    return (__builtin_mul_overflow(count, size, &bytes) ? NULL : from_arena(bytes)) ?: __real_calloc(count, size);
}

void *__wrap_realloc(void *memory, size_t size)
{
    if (!IN_ARENA(memory))
        return memory ? __real_realloc(memory, size) : __wrap_malloc(size);
    size_t had = *(size_t *)((char *)memory - PIECE);
    void *other = __wrap_malloc(size);
    return other ? memcpy(other, memory, had < size ? had : size) : NULL;
}

void __wrap_free(void *memory)
{
    if (!IN_ARENA(memory))
        __real_free(memory);
}

/* Nearly every page of these is written to before the first command: one call brings what would be a fault each. */
__attribute__((constructor)) static void start(void)
{
    char *first = (char *)((size_t)(__bss_start + 4095) & -4096ul);
    __real_madvise(first, (size_t)(arena + TOUCHED - first), MADV_POPULATE_WRITE);
}
