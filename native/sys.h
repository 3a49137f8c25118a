/* The kernel without a C library: raw system calls, as few lines as an architecture needs. */
#ifndef CONMAN_SYS_H
#define CONMAN_SYS_H

#include <asm/unistd.h>
#include <stddef.h>
#include <stdint.h>

/* Returns what the kernel returns: a result, or -errno. */
static inline long sys6(long nr, long a, long b, long c, long d, long e, long f)
{
#if defined(__x86_64__)
    long result;
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "0"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
#elif defined(__aarch64__)
    register long x8 __asm__("x8") = nr;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    register long x4 __asm__("x4") = e;
    register long x5 __asm__("x5") = f;
    __asm__ volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
    return x0;
#else
#error "conman runs on x86_64 and aarch64"
#endif
}

/*
 * clone3 of a thread that runs on a stack of its own, in `body`, which never returns. The registers are the same in both threads, so `body`
 * is reached without a look at the old stack.
 */
static inline long sys_thread(void *args, size_t size, void (*body)(void))
{
#if defined(__x86_64__)
    long result;
    __asm__ volatile("syscall\n test %%rax, %%rax\n jnz 1f\n xor %%ebp, %%ebp\n call *%4\n1:"
                     : "=a"(result)
                     : "0"((long)__NR_clone3), "D"(args), "S"(size), "r"(body)
                     : "rcx", "r11", "memory");
    return result;
#elif defined(__aarch64__)
    register long x8 __asm__("x8") = __NR_clone3;
    register long x0 __asm__("x0") = (long)args;
    register long x1 __asm__("x1") = (long)size;
    __asm__ volatile("svc #0\n cbnz x0, 1f\n mov x29, #0\n blr %3\n1:" : "+r"(x0) : "r"(x8), "r"(x1), "r"(body) : "memory");
    return x0;
#endif
}

#define sys5(nr, a, b, c, d, e) sys6(nr, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), 0)
#define sys4(nr, a, b, c, d) sys5(nr, a, b, c, d, 0)
#define sys3(nr, a, b, c) sys4(nr, a, b, c, 0)
#define sys2(nr, a, b) sys3(nr, a, b, 0)
#define sys1(nr, a) sys2(nr, a, 0)
#define sys0(nr) sys1(nr, 0)

#endif
