/*
 * What conman and a container's monitor say to each other. Conman.Engine/Monitoring has the same shapes, and a test compares them. All
 * sockets are SOCK_SEQPACKET, all numbers in the machine's own byte order.
 */
#ifndef CONMAN_MONITOR_H
#define CONMAN_MONITOR_H

#include <stdint.h>

#define MONITOR_MAGIC 0x4e4f4d43u /* "CMON" */

/* Handed over in a sealed memfd. A descriptor that is not there is -1. */
struct monitor_config {
    uint32_t magic;
    uint32_t size;       /* of all, in bytes */
    int32_t control;     /* conman, while it makes the container */
    int32_t listener;    /* where attach clients come in */
    int32_t console;     /* where the terminal's master comes in */
    int32_t output[2];   /* FIFOs of standard output and error, O_NONBLOCK */
    int32_t input;       /* FIFO of standard input, O_NONBLOCK */
    int32_t process;     /* pidfd of a container that runs already */
    int32_t folder[2];   /* where the exit record goes, and where if that is full */
    int32_t log;         /* the log's folder, or the journal's socket */
    int32_t program;     /* conman itself */
    uint32_t flags;      /* MONITOR_* */
    uint32_t format;     /* LOG_* */
    uint32_t max_files;
    uint64_t max_size;   /* of a log file, in bytes; 0: any */
    uint64_t timeout;    /* of the container's life, in ms; 0: none */
    uint64_t health[3];  /* ms: of the start period, between two checks in it, and after it; [2] 0: there are none */
    uint32_t count[3];   /* of strings: what to execute at the end, what for a check, and the environment of both */
    uint32_t identity;   /* so many bytes of text tell the journal who is speaking */
    char text[];         /* that; then NUL-terminated strings: the log's name, then those that are counted */
};

enum { MONITOR_DURABLE = 1, MONITOR_STDIN_ONCE = 2, MONITOR_TERMINAL = 4 };
enum { LOG_NONE, LOG_JSON, LOG_CRI, LOG_JOURNAL };

/*
 * Control, from conman. 'f': the numbers there of the descriptors that come with the packet, all of them below `value`. 's': a monitor_spawn
 * follows, answered with the pid or -errno (i64) and a pidfd. 'w': the container, whose pid is `value` and whose pidfd comes with the packet, is made.
 * An end before that is conman's death, and the container's.
 */
struct monitor_word {
    char kind, none[3];
    int32_t value;
    int32_t numbers[];
};
struct monitor_spawn {
    uint64_t flags;
    int32_t cgroup, pid_namespace, own_pid_namespace, executable, stdio[3]; /* by conman's numbers */
    int32_t keep;                                                           /* so many descriptors, the first, survive the execution */
    int32_t argc, envc;
    char text[];
};

/*
 * Attach, from a client: 'i' data: standard input; 'e': its end; 'w' rows columns (u16): the size of its window; 'o': it will do what is to be
 * done at the end; 'd': it has; 'b': the container must wait when the client does; 'q': it wants no output; 'r': open the log again.
 * To a client: '1' and '2' data: standard output (or the terminal) and error; 'l' bytes (u64): so many that it did not take are lost;
 * 'x' status signal (i32): the end, after all output. A status of -1: nobody knows.
 */

#endif
