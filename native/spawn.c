/* Linked into conman: starts conman-init, which it carries. */
#define _GNU_SOURCE
#include <fcntl.h>

#include "clone.h"

/* The helper itself. */
__asm__(".section .rodata\n.balign 16\nconman_init_begin: .incbin \"" CONMAN_INIT "\"\nconman_init_end: .text\n");
extern const char conman_init_begin[], conman_init_end[];

const void *conman_helper(size_t *size)
{
    *size = (size_t)(conman_init_end - conman_init_begin);
    return conman_init_begin;
}

long conman_spawn(struct spawn_request *request)
{
    return spawn(request);
}
