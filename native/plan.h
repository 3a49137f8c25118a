/*
 * The plan: what the new process does, one operation after the other, before it becomes the container's program.
 *
 * The runtime (C#) compiles config.json into a plan and hands it over in a sealed memfd; init.c interprets it. All numbers are in the
 * machine's own byte order: both ends are the same binary on the same machine. Src/Conman.Runtime/Plan writes this format, and a test
 * compiles both sides against each other.
 *
 * Every operation has the same shape: four 32-bit and six 64-bit operands, then bytes. What they mean stands beside each code below.
 * "Text n" is the n-th NUL-terminated string of those bytes. A path "in the root" is resolved by openat2(RESOLVE_IN_ROOT) below `root`,
 * the directory descriptor that the header names, and used by descriptor from then on.
 */
#ifndef CONMAN_PLAN_H
#define CONMAN_PLAN_H

#include <stdint.h>

#define PLAN_MAGIC 0x4e4c5043u /* "CPLN" */
#define PLAN_VERSION 1u

struct plan_header {
    uint32_t magic;
    uint32_t version;
    uint32_t size;   /* of the whole plan, in bytes */
    uint32_t count;  /* of operations */
    int32_t status;  /* the socket to the runtime: reports go out, one byte "go" comes in */
    int32_t root;    /* the container's root file system, -1 until there is none to speak of */
};

struct plan_op {
    uint32_t code;
    uint32_t size; /* of this operation with its bytes, a multiple of 8 */
    int32_t a, b, c, d;
    uint64_t x[6];
    char bytes[];
};

enum plan_code {
    /* Control. */
    OP_SYNC = 1,  /* report that this point is reached (and what is held), then wait for "go" */
    OP_GATE,      /* wait for "go" without a report */
    OP_AWAIT,     /* a: listening socket. Wait for a connection that sends one byte; reports go there from now on */
    OP_FORK,      /* x[0]: clone3 flags. Report the pid of a sibling, and leave; the sibling waits for "go" and goes on */

    /* A plain system call. x[0..5]: arguments, a: number, b: bit i set when argument i is an offset into the bytes, bit 8 + i when it is
       what is held; c: an errno to forgive, -1: any, or 0. d: the descriptor that its result becomes, -1: it is held, 0: it is of no interest */
    OP_CALL,

    /* The file system, in the root. */
    OP_MOUNT,     /* text 0: path, 1: file system, 2..: option, value, … ("" as value: a flag). x[0]: mount attributes,
                     x[1]: propagation, x[2]: DEST_*, x[3]: 1 to give it the mode of what it covers; a: 1 to hold it, detached */
    OP_ATTACH,    /* text 0: path; a: detached tree, -1: what is held. x[2]: DEST_*, made as what the tree is if neither is said */
    OP_DIRECTORY, /* text 0: path; make it with its parents; x[0]: mode of what is made */
    OP_NODE,      /* text 0: path; x[0]: mode with type, x[1]: device number; a: uid, b: gid */
    OP_SYMLINK,   /* text 0: path, 1: target; a: 1 if what is there already must be just that */
    OP_MASK,      /* text 0: path; a: tree of an empty read-only directory, b: tree of the null device. Absent: nothing to do */
    OP_READONLY,  /* text 0: path. Absent: nothing to do */

    /* The process. */
    OP_CONSOLE,   /* a: socket that gets the master, or -1; b: 1 to bind the terminal on /dev/console; c: rows, d: columns; x[0]: uid */
    OP_TERMINAL,  /* make that terminal the controlling one and standard input, output and error */
    OP_BOUND,     /* x[0]: capabilities that stay in the bounding set */
    OP_SECCOMP,   /* x[0]: flags, x[1]: number of instructions, then the instructions. A listener goes out with REPORT_LISTENER */
    OP_CHDIR,     /* text 0: path. Must end inside the root */
    OP_FIND,      /* a: number of candidates, text: their paths. Remember the first that may be executed */
    OP_EXEC,      /* a: number of arguments, b: of variables; text: they. Execute what OP_FIND found */

    /* A container that runs. */
    OP_UNMOUNT,   /* text 0: path; a: /proc of the host; x[0]: the mount's id, x[1]: STATX_MNT_ID or STATX_MNT_ID_UNIQUE */
};

/* How a mount point is found. */
enum plan_dest {
    DEST_DIRECTORY = 1, /* make it as a directory where it is missing */
    DEST_FILE = 2,      /* make it as an empty file where it is missing */
    DEST_NOFOLLOW = 4,  /* no symbolic link anywhere on the way: /proc, /sys, /dev */
    DEST_ON_PROC = 8,   /* it may lie on procfs */
    DEST_LINK = 16,     /* a symbolic link at its end is meant itself */
    DEST_SHARED = 32,   /* a directory that is made is for all to write in (1777) */
};

/* What goes from init to the runtime: one packet each. */
struct plan_report {
    uint32_t kind;
    uint32_t index; /* of the operation */
    int32_t value;  /* errno, pid, or a descriptor of the process */
    char text[244]; /* the kernel's own words, NUL-terminated, or empty */
};

enum plan_report_kind {
    REPORT_FAILED = 1,
    REPORT_SYNC,
    REPORT_PID,
    REPORT_LISTENER, /* comes with a descriptor (SCM_RIGHTS): the filter's listener. No answer is expected */
};

#endif
