/*
 * Linked into conman: what OpenSSL's library, made for glibc, calls and musl does not have: functions of _FORTIFY_SOURCE. Those with the
 * arguments of the plain ones the linker takes for these, and contexts, which serve jobs that nobody asks for, for abort (Conman.csproj).
 */
#include <stdarg.h>
#include <stdio.h>

long __fdelt_chk(long fd)
{
    return fd / (8 * (long)sizeof(long));
}

int __sprintf_chk(char *to, int flag, size_t room, const char *format, ...)
{
    (void)flag;
    va_list arguments;
    va_start(arguments, format);
    int n = vsnprintf(to, room, format, arguments);
    va_end(arguments);
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
