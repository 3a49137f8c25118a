/*
 * Linked into conman: what OpenSSL's library, made for glibc, calls and musl does not have.
 *
 * The *_chk functions are those of _FORTIFY_SOURCE: as the plain ones, and the end if the destination is too small. Contexts serve OpenSSL's
 * asynchronous jobs, which nobody asks for here.
 */
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

static void check(int fits)
{
    if (!fits)
        abort();
}

long __fdelt_chk(long fd)
{
    check(fd >= 0 && fd < 1024);
    return fd / (8 * (long)sizeof(long));
}

void *__memcpy_chk(void *to, const void *from, size_t count, size_t room)
{
    check(count <= room);
    return memcpy(to, from, count);
}

void *__memset_chk(void *to, int byte, size_t count, size_t room)
{
    check(count <= room);
    return memset(to, byte, count);
}

char *__strcat_chk(char *to, const char *from, size_t room)
{
    check(strlen(to) + strlen(from) < room);
    return strcat(to, from);
}

int __sprintf_chk(char *to, int flag, size_t room, const char *format, ...)
{
    (void)flag;
    va_list arguments;
    va_start(arguments, format);
    int n = vsnprintf(to, room, format, arguments);
    va_end(arguments);
    check(n < 0 || (size_t)n < room);
    return n;
}

int __vfprintf_chk(FILE *file, int flag, const char *format, va_list arguments)
{
    (void)flag;
    return vfprintf(file, format, arguments);
}

int __fprintf_chk(FILE *file, int flag, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int n = __vfprintf_chk(file, flag, format, arguments);
    va_end(arguments);
    return n;
}

void __syslog_chk(int priority, int flag, const char *format, ...)
{
    (void)flag;
    va_list arguments;
    va_start(arguments, format);
    vsyslog(priority, format, arguments);
    va_end(arguments);
}

static int unsupported(void)
{
    errno = ENOSYS;
    return -1;
}

int getcontext(void *context) { (void)context; return unsupported(); }
int setcontext(const void *context) { (void)context; return unsupported(); }
void makecontext(void *context, void (*function)(void), int count, ...) { (void)context, (void)function, (void)count; abort(); }
