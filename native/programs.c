/*
 * The binary holds two programs, each with a .NET runtime of its own: the container manager, and the OCI runtime at runc_program (embed).
 *
 * What a start costs is the pages that it touches, and .NET makes an object for each type with static fields, used or not: with HTTP, TLS and
 * JSON in it a program starts a third slower. So the OCI runtime has none of them. Which program it is to be is decided before either begins.
 */
#include <elf.h>
#include <string.h>

extern const Elf64_Ehdr runc_program; /* its first segment begins with the header of its ELF file */
void _start(void);

__attribute__((used)) static const void *choose(long count, char **argument)
{
    size_t length = count ? strlen(*argument) : 0;
    if (!(length >= 4 && memcmp(*argument + length - 4, "runc", 4) == 0) && !(count > 1 && strcmp(argument[1], "oci") == 0))
        return _start;
    char **end = argument + count + 1; /* of the arguments, and then of the environment */
    while (*end++) {
    }
    for (Elf64_auxv_t *value = (void *)end; value->a_type != AT_NULL; value++) {
        if (value->a_type == AT_PHDR) /* as the kernel would have it (getauxval(3)) */
            value->a_un.a_val = (unsigned long)&runc_program + runc_program.e_phoff;
        else if (value->a_type == AT_PHNUM)
            value->a_un.a_val = runc_program.e_phnum;
    }
    return (const void *)runc_program.e_entry;
}

#ifdef __x86_64__
__asm__(".globl conman_start\nconman_start: mov (%rsp), %rdi\n lea 8(%rsp), %rsi\n call choose\n xor %edx, %edx\n jmp *%rax\n");
#else
__asm__(".globl conman_start\nconman_start: ldr x0, [sp]\n add x1, sp, #8\n bl choose\n mov x16, x0\n mov x0, #0\n br x16\n");
#endif
