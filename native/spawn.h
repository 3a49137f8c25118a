/* What conman's C# calls in the static library: Conman.Linux/Spawn.cs has the same shapes. */
#ifndef CONMAN_SPAWN_H
#define CONMAN_SPAWN_H

#include <stddef.h>
#include <stdint.h>

struct spawn_request {
    uint64_t flags;        /* CLONE_NEW* */
    int32_t cgroup;        /* CLONE_INTO_CGROUP, or -1 */
    int32_t pid_namespace; /* a pid namespace to be born in, or -1 */
    int32_t own_pid_namespace;
    int32_t executable;    /* executed by descriptor */
    int32_t stdio[3];      /* descriptors that become 0, 1 and 2; -1: as they are */
    int32_t keep_count;
    const int32_t *keep;   /* descriptors that survive the execution, under these numbers */
    const int32_t *from;   /* where they come from, all of them above those numbers; NULL: they are there already */
    const char *const *argv, *const *envp;
    int32_t pidfd;         /* out */
    int32_t error;         /* out: errno of the child before it became the executable */
};

/* Returns the pid, or -errno. */
long conman_spawn(struct spawn_request *request);

/* Returns the file conman-init, and its size. */
const void *conman_helper(size_t *size);

#endif
