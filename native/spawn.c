/* Linked into conman: starts conman-init, which it carries. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/memfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "clone.h"

#ifndef MFD_EXEC
#define MFD_EXEC 0x10u
#endif

/* The helper itself, put here by helper.S. */
extern const char conman_init_begin[], conman_init_end[];

int conman_helper(void)
{
    size_t size = (size_t)(conman_init_end - conman_init_begin);
    int fd = memfd_create("conman-init", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);
    if (fd < 0 && errno == EINVAL)
        fd = memfd_create("conman-init", MFD_CLOEXEC | MFD_ALLOW_SEALING); /* before Linux 6.3 every memfd could be executed */
    if (fd < 0)
        return -errno;
    if (write(fd, conman_init_begin, size) != (ssize_t)size ||
        fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0) {
        int error = errno;
        close(fd);
        return error ? -error : -EIO;
    }
    return fd;
}

long conman_spawn(struct spawn_request *request)
{
    return spawn(request);
}
