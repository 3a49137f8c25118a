/* Linked into conman: signals as bytes in a pipe. A handler is the one way that holds whatever thread of .NET a signal lands on. */
#define _GNU_SOURCE
#include "spawn.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

static int signal_pipe = -1;

static void forward(int number)
{
    int saved = errno;
    unsigned char byte = (unsigned char)number;
    (void)!write(signal_pipe, &byte, 1); /* a full pipe already holds more signals than anyone will look at */
    errno = saved;
}

int conman_catch_signals(int fd, uint64_t signals)
{
    struct sigaction action = { .sa_handler = forward, .sa_flags = SA_RESTART };
    sigfillset(&action.sa_mask);
    signal_pipe = fd;
    for (int number = 1; number <= 64; number++)
        if (signals >> (number - 1) & 1 && sigaction(number, &action, NULL) < 0)
            return -errno;
    return 0;
}
