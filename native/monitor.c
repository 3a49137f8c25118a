/*
 * The monitor of a container, conman-init's second role: the container's parent. It keeps standard streams or the terminal, writes the log,
 * serves attach clients and records the end; then it becomes conman, which decides what is to follow. No policy in it, no allocation, and no
 * path of the host: folders, FIFOs and sockets come as descriptors (monitor.h).
 *
 * One thread, one poll. What it cannot pass on it leaves where it is: in the FIFO, in the client's socket. So a slow reader costs no memory.
 */
#include "monitor_log.h"

#include <asm/ioctls.h>
#include <linux/errno.h>
#include <linux/fcntl.h>

#include "clone.h"

enum {
    CLIENTS = 400,
    DESCRIPTORS = 900,
    PATIENCE = 10000,      /* ms for a client that takes nothing and did not ask to be waited for */
    DONT_WAIT = 0x4040,    /* MSG_DONTWAIT | MSG_NOSIGNAL */
    POLL_IN = 1, POLL_OUT = 4,
};

struct client {
    int fd;
    char blocks, quiet, typed;
    char pending;   /* it still has to take the message that is being delivered */
    char muted;     /* its next message is input for which there is no room */
    uint32_t taken; /* so much of that is written already */
    uint64_t lost;
    int64_t since;  /* when it last had no room, ms; 0: it has */
};

struct end {
    int32_t status, signal;
};

static const char *words[256], **on_exit = words, **check, **environment;
static struct stream streams[2];
static struct client clients[CLIENTS];
static struct client *owner;
static int control, console, input, process, checking; /* the last two are pidfds */
static int32_t main_pid, check_pid;
static int stuck; /* so many clients are pending */
static uint16_t window[4]; /* rows and columns */
static struct end end = { -1, 0 };
static int64_t now, ended, check_due, timeout_due, start_period_end; /* monotonic, ms; 0: not (yet) */

static int64_t clock_ms(void)
{
    struct __kernel_timespec time;
    sys2(__NR_clock_gettime, 1 /* CLOCK_MONOTONIC */, &time);
    return time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

/* ---- clients ------------------------------------------------------------------------------------------------------------------- */

static struct { char kind; const void *data; size_t size; } delivered; /* what all clients get at the moment */

static long send_packet(struct client *c, char kind, const void *data, size_t size)
{
    struct piece pieces[] = { { &kind, 1 }, { data, size } };
    struct message message = { 0, 0, pieces, 2, 0, 0, 0 };
    return sys3(__NR_sendmsg, c->fd, &message, DONT_WAIT);
}

static void end_input(void)
{
    if (config->flags & MONITOR_TERMINAL) {
        sys3(__NR_write, input, "\4", 1); /* as a person types it: ^D */
    } else {
        SHUT(input);
        input = -1;
    }
}

static void drop(struct client *c)
{
    if (c->typed && config->flags & MONITOR_STDIN_ONCE && input >= 0)
        end_input();
    if (c == owner)
        owner = 0;
    stuck -= c->pending;
    SHUT(c->fd);
    c->fd = -1;
}

/* A client without room is waited for if it asked for that, or at the end; what another misses is counted. */
static void offer(struct client *c)
{
    long sent = c->lost ? send_packet(c, 'l', &c->lost, sizeof c->lost) : 0;
    if (sent >= 0) {
        c->lost = 0;
        sent = send_packet(c, delivered.kind, delivered.data, delivered.size);
    }
    int waits = sent == -EAGAIN && (c->blocks || delivered.kind == 'x');
    stuck += waits - c->pending;
    c->pending = (char)waits;
    if (sent >= 0)
        c->since = 0;
    else if (sent != -EAGAIN)
        drop(c);
    else {
        c->since = c->since ? c->since : now;
        c->lost += waits ? 0 : delivered.size;
    }
}

static void deliver(char kind, const void *data, size_t size)
{
    delivered.kind = kind;
    delivered.data = data;
    delivered.size = size;
    for (struct client *c = clients; c < clients + CLIENTS; c++)
        if (c->fd >= 0 && (!c->quiet || kind == 'x'))
            offer(c);
}

static void welcome(void)
{
    for (struct client *c = clients; c < clients + CLIENTS; c++)
        if (c->fd < 0) {
            long fd = sys4(__NR_accept4, config->listener, 0, 0, O_CLOEXEC);
            *c = (struct client){ .fd = fd < 0 ? -1 : (int)fd };
            if (fd < 0)
                return;
        }
}

/* Writes a client's input; false if there is room for a part only, and the message stays where it is. */
static int type(struct client *c, const char *data, uint32_t size)
{
    c->typed = 1;
    while ((input >= 0 || console >= 0) && c->taken < size) {
        long n = input < 0 ? -EAGAIN : sys3(__NR_write, input, data + c->taken, size - c->taken);
        if (n == -EAGAIN) {
            c->muted = 1;
            return 0;
        }
        if (n < 0)
            break; /* nobody reads it any more */
        c->taken += (uint32_t)n;
    }
    c->taken = 0;
    return 1;
}

/* Takes a client's messages, which are looked at before they are taken; the log's buffer is empty meanwhile. */
static void hear(struct client *c)
{
    while (c->fd >= 0 && !c->muted) {
        long n = sys6(__NR_recvfrom, c->fd, (long)out, sizeof out, DONT_WAIT | 2 /* MSG_PEEK */, 0, 0);
        if (n == -EAGAIN)
            return;
        if (n <= 0) {
            drop(c);
            return;
        }
        if (out[0] == 'i' && !type(c, out + 1, (uint32_t)n - 1))
            return;
        sys6(__NR_recvfrom, c->fd, (long)(out + 1), 0, DONT_WAIT, 0, 0);
        switch (out[0]) {
        case 'e':
            if (config->flags & MONITOR_STDIN_ONCE && input >= 0)
                end_input();
            break;
        case 'w':
            __builtin_memcpy(window, out + 1, 4);
            if (config->flags & MONITOR_TERMINAL)
                sys3(__NR_ioctl, input, TIOCSWINSZ, window);
            break;
        case 'o':
            owner = c;
            break;
        case 'd':
            if (c == owner && ended)
                leave(0);
            break;
        case 'b':
            c->blocks = 1;
            break;
        case 'q':
            c->quiet = 1;
            break;
        case 'r':
            if (log_file >= 0)
                SHUT(log_file);
            open_log(0);
            break;
        }
    }
}

/* ---- the container ------------------------------------------------------------------------------------------------------------- */

/* Reads once; false if there was nothing to be had. */
static int pump(struct stream *s)
{
    s->used -= s->start; /* here, and not before: what is being delivered must not move */
    copy(s->data, s->data + s->start, s->used);
    s->start = 0;

    long n = sys3(__NR_read, s->fd, s->data + s->used, ROOM - s->used);
    if (n == -EAGAIN || n == -EINTR)
        return 0;
    if (n <= 0) {
        s->fd = -1; /* the master of a terminal stays open as `input` */
        return 0;
    }
    s->used += (size_t)n;
    deliver(s->kind, s->data + s->used - n, (size_t)n);
    log_stream(s, 0);
    return 1;
}

/* Receives a packet and its descriptors, at most as many as the kernel passes at once (SCM_MAX_FD). */
static long receive(int socket, void *to, size_t size, int32_t *fds, int *count)
{
    static struct { size_t size; int level, type; int32_t fds[254]; } control_data;
    struct piece piece = { to, size };
    struct message message = { 0, 0, &piece, 1, &control_data, sizeof control_data, 0 };
    long n = sys3(__NR_recvmsg, socket, &message, 0x40000000 /* MSG_CMSG_CLOEXEC */);
    *count = n > 0 && message.controllen ? (int)((control_data.size - 16) / 4) : 0;
    for (int i = 0; i < *count; i++)
        fds[i] = control_data.fds[i];
    return n;
}

static void take_terminal(void)
{
    char name[16];
    int32_t fds[254];
    int count;
    receive(console, name, sizeof name, fds, &count);
    SHUT(console);
    console = -1;
    if (count == 1) {
        sys3(__NR_fcntl, fds[0], F_SETFL, O_RDWR | O_NONBLOCK);
        input = streams[0].fd = fds[0];
        if (window[0])
            sys3(__NR_ioctl, input, TIOCSWINSZ, window);
    }
}

/* Conman's descriptors: their numbers there and here. */
static int32_t theirs[DESCRIPTORS], ours[DESCRIPTORS];
static int descriptors;
static int32_t children[8]; /* pidfds, while conman makes the container */
static int born;

static int32_t here(int32_t number)
{
    for (int i = 0; i < descriptors; i++)
        if (theirs[i] == number)
            return ours[i];
    return -1;
}

static void spawn_for_conman(struct monitor_spawn *asked)
{
    const char *argv[64], *text = asked->text;
    struct spawn_request request = {
        asked->flags, here(asked->cgroup), here(asked->pid_namespace), here(asked->own_pid_namespace), here(asked->executable),
        { here(asked->stdio[0]), here(asked->stdio[1]), here(asked->stdio[2]) }, asked->keep, theirs, ours, argv, argv + asked->argc + 1, -1, 0,
    };
    int n = 0;
    for (int i = 0; i < asked->argc; i++, text = next_text(text))
        argv[n++] = text;
    argv[n++] = 0;
    for (int i = 0; i < asked->envc; i++, text = next_text(text))
        argv[n++] = text;
    argv[n] = 0;
    int64_t pid = spawn(&request);
    for (int i = 0; i < descriptors; i++)
        SHUT(ours[i]);
    descriptors = 0;
    if (pid < 0) {
        sys6(__NR_sendto, control, (long)&pid, sizeof pid, 0x4000, 0, 0);
        return;
    }
    send_descriptor(control, request.pidfd, &pid, sizeof pid);
    children[born++ % 8] = request.pidfd;
}

static void watch(int32_t pid, int pidfd)
{
    main_pid = pid;
    process = pidfd;
    now = clock_ms();
    timeout_due = config->timeout ? now + (int64_t)config->timeout : 0;
    start_period_end = now + (int64_t)config->health[0];
    check_due = config->health[2] ? now + (int64_t)config->health[config->health[0] ? 1 : 2] : 0;
    for (int i = 0; i < born && i < 8; i++)
        SHUT(children[i]);
    born = 0;
}

/* What conman says while it makes the container. */
static void obey(void)
{
    const struct monitor_word *word = (void *)out;
    int32_t fds[254];
    int count;
    long n = receive(control, out, sizeof out, fds, &count);
    if (n == -EINTR)
        return;
    if (n <= 0 && process < 0) {
        for (int i = 0; i < born && i < 8; i++)
            sys4(__NR_pidfd_send_signal, children[i], 9 /* SIGKILL */, 0, 0);
        leave(1);
    }
    if (n <= 0) {
        SHUT(control);
        control = -1;
    } else if (word->kind == 'f') {
        for (int i = 0; i < count && descriptors < DESCRIPTORS; i++) {
            ours[descriptors] = (int32_t)sys3(__NR_fcntl, fds[i], F_DUPFD_CLOEXEC, word->value);
            theirs[descriptors++] = word->numbers[i];
            SHUT(fds[i]);
        }
    } else if (word->kind == 's') {
        spawn_for_conman((void *)(word + 1));
    } else if (word->kind == 'w' && count == 1) {
        watch(word->value, fds[0]);
    }
}

static void run_check(void)
{
    struct spawn_request request = { .cgroup = -1, .pid_namespace = -1, .executable = config->program, .stdio = { -1, -1, -1 }, .argv = check, .envp = environment };
    long pid = spawn(&request);
    check_due = 0;
    if (pid > 0) {
        check_pid = (int32_t)pid;
        checking = request.pidfd;
    }
}

/* Buries the dead. Of a container that this one did not start itself the kernel tells (PIDFD_GET_INFO of Linux 6.15), once its parent has asked. */
static void reap(void)
{
    struct { int32_t signo, error, code, pad, pid; uint32_t uid; int32_t status; char rest[100]; } info;
    struct { uint64_t mask, cgroup; uint32_t ids[11]; int32_t exit; char rest[64]; } told = { .mask = 8 /* PIDFD_INFO_EXIT */ };
    while (info.pid = 0, sys5(__NR_waitid, 0 /* P_ALL */, 0, &info, 4 | 1 /* WEXITED | WNOHANG */, 0) == 0 && info.pid) {
        if (info.pid == main_pid) {
            end.status = info.code == 1 /* CLD_EXITED */ ? info.status : 0;
            end.signal = info.code == 1 ? 0 : info.status;
            ended = now;
        } else if (info.pid == check_pid) {
            if (info.code == 1 && !info.status)
                start_period_end = 0; /* it is healthy: from now on the slower clock */
            SHUT(checking);
            check_pid = checking = -1;
            check_due = now + (int64_t)config->health[now < start_period_end ? 1 : 2];
        }
    }
    struct { int fd; short events, happened; } entry = { process, POLL_IN, 0 };
    struct __kernel_timespec none = { 0, 0 };
    static int64_t dead;
    if (ended || process < 0 || sys5(__NR_ppoll, &entry, 1, &none, 0, 8) != 1)
        return;
    dead = dead ? dead : now;
    if (sys3(__NR_ioctl, process, 0xc040ff0b /* PIDFD_GET_INFO */, &told) == 0 && told.mask & 8) {
        end.status = told.exit >> 8 & 255;
        end.signal = told.exit & 127;
        ended = now;
    } else if (now - dead > 1000) {
        ended = now;
    }
}

static void record_end(void)
{
    struct __kernel_timespec time;
    char text[100], *to = text;
    sys2(__NR_clock_gettime, 0 /* CLOCK_REALTIME */, &time);
    to = end.status < 0 ? put(to, "-1") : put_number(to, (uint64_t)end.status, 1);
    *to++ = ' ';
    to = put_number(to, (uint64_t)end.signal, 1);
    *to++ = ' ';
    to = put_number(to, (uint64_t)time.tv_sec, 1);
    *to++ = ' ';
    to = put_number(to, (uint64_t)time.tv_nsec, 1);
    *to++ = '\n';
    for (int i = 0; i < 2; i++) {
        long fd = sys4(__NR_openat, config->folder[i], "exit.tmp", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
        long error = fd < 0 ? fd : sys3(__NR_write, fd, text, to - text) == to - text ? 0 : -ENOSPC;
        if (!error && config->flags & MONITOR_DURABLE)
            error = sys1(__NR_fsync, fd);
        if (!error)
            error = sys5(__NR_renameat2, config->folder[i], "exit.tmp", config->folder[i], "exit", 0);
        if (fd >= 0)
            SHUT(fd);
        if (!error && config->flags & MONITOR_DURABLE)
            sys1(__NR_fsync, config->folder[i]);
        if (!error)
            return;
    }
}

/* After the end: all output first, then the record, then the word to the clients; then the owner's turn, or conman's. */
static void conclude(void)
{
    static int recorded, told;
    if (!stuck && !told && pump(&streams[0]) + pump(&streams[1]) == 0) {
        log_stream(&streams[0], 1);
        log_stream(&streams[1], 1);
        if (!recorded++)
            record_end();
        told = 1;
        deliver('x', &end, sizeof end);
    }
    if (!recorded && now - ended > 1000) { /* the record does not wait for a client that made the container wait */
        recorded = 1;
        record_end();
    }
    if (!told || stuck || owner)
        return;
    if (*on_exit)
        sys5(__NR_execveat, config->program, "", on_exit, environment, AT_EMPTY_PATH);
    leave(0);
}

/* ---- the loop ------------------------------------------------------------------------------------------------------------------ */

static int wait_time(void)
{
    int64_t until = now + (process >= 0 && !main_pid ? 200 : 60000); /* the end of another's child may have to be asked for again */
    if (ended)
        until = now + (stuck || owner ? 200 : 0);
    if (check_due && check_due < until)
        until = check_due;
    if (timeout_due && timeout_due < until)
        until = timeout_due;
    for (struct client *c = clients; c < clients + CLIENTS; c++)
        if (c->fd >= 0 && c->since && !c->blocks && c->since + PATIENCE < until)
            until = c->since + PATIENCE;
    return until > now ? (int)(until - now) : 0;
}

static void turn(void)
{
    enum { CONTROL, LISTENER, CONSOLE, PROCESS, CHECK, OUTPUT, ERRORS, INPUT, FIXED };
    static struct { int fd; short events, happened; } entries[FIXED + CLIENTS];
    int muted = 0, n = FIXED, closed = stuck || ended; /* output stays where it is as long as a client has to be waited for */

    for (struct client *c = clients; c < clients + CLIENTS; c++)
        if (c->fd >= 0) {
            muted |= c->muted;
            entries[n].fd = c->fd;
            entries[n++].events = (short)((c->muted ? 0 : POLL_IN) | (c->pending ? POLL_OUT : 0));
        }
    int fds[FIXED] = { control, n < FIXED + CLIENTS ? config->listener : -1, console, ended ? -1 : process, ended ? -1 : checking,
        closed ? -1 : streams[0].fd, closed ? -1 : streams[1].fd, muted ? input : -1 };
    for (int i = 0; i < FIXED; i++) {
        entries[i].fd = fds[i];
        entries[i].events = i == INPUT ? POLL_OUT : POLL_IN;
    }
    int ms = wait_time();
    struct __kernel_timespec time = { ms / 1000, ms % 1000 * 1000000 };
    sys5(__NR_ppoll, entries, n, &time, 0, 8);
    now = clock_ms();

    if (entries[CONTROL].happened)
        obey();
    if (entries[LISTENER].happened)
        welcome();
    if (entries[CONSOLE].happened)
        take_terminal();
    for (struct client *c = clients; c < clients + CLIENTS; c++) {
        if (c->fd >= 0 && (entries[INPUT].happened || entries[CONSOLE].happened || ended))
            c->muted = 0;
        if (c->fd >= 0)
            hear(c); /* newcomers too: what they want is known before they get output */
        if (c->fd >= 0 && c->pending)
            offer(c);
        if (c->fd >= 0 && c->since && !c->blocks && now - c->since > PATIENCE)
            drop(c);
    }
    for (int i = 0; i < 2; i++)
        if (entries[OUTPUT + i].happened && !stuck)
            pump(&streams[i]);
    if (!ended && process >= 0)
        reap();
    if (check_due && now >= check_due && !ended)
        run_check();
    if (timeout_due && now >= timeout_due) {
        sys4(__NR_pidfd_send_signal, process, 9 /* SIGKILL */, 0, 0);
        timeout_due = 0;
    }
    if (ended)
        conclude();
}

void monitor(const char *argument)
{
    struct statx info;
    int fd = decimal(argument);
    uint64_t ignored = 1ull << 12 | 1ull << 24; /* SIGPIPE, SIGXFSZ: a write that fails is an error like another */
    struct { unsigned long handler, flags, restorer, mask; } ignore = { 1 /* SIG_IGN */, 0, 0, 0 };

    if (sys5(__NR_statx, fd, "", AT_EMPTY_PATH, STATX_SIZE, &info) || info.stx_size < sizeof *config)
        leave(126);
    config = (const void *)sys6(__NR_mmap, 0, (long)info.stx_size, 1 /* PROT_READ */, 1 /* MAP_SHARED */, fd, 0);
    if ((unsigned long)config > -4096ul || config->magic != MONITOR_MAGIC || config->size != info.stx_size)
        leave(126);
    SHUT(fd);
    sys3(__NR_close_range, 3, ~0u, 4 /* CLOSE_RANGE_CLOEXEC */); /* what came along is not the container's */
    sys0(__NR_setsid);
    sys1(__NR_chdir, "/"); /* no mount is kept busy */
    for (int i = 1; i <= 64; i++)
        if (ignored >> (i - 1) & 1)
            sys4(__NR_rt_sigaction, i, &ignore, 0, 8);

    const char *text = log_name = config->text + config->identity, **word = words;
    for (int i = 0; i < 3; i++) {
        *(i == 0 ? &on_exit : i == 1 ? &check : &environment) = word;
        for (uint32_t k = 0; k < config->count[i]; k++)
            *word++ = text = next_text(text);
        *word++ = 0;
    }
    for (struct client *c = clients; c < clients + CLIENTS; c++)
        c->fd = -1;
    control = config->control;
    console = config->console;
    input = config->input;
    for (int i = 0; i < 2; i++) {
        streams[i].fd = config->output[i];
        streams[i].kind = (char)('1' + i);
    }
    process = checking = -1;
    if (config->process >= 0)
        watch(0, config->process);
    if (config->format == LOG_JSON || config->format == LOG_CRI)
        open_log(0);
    for (;;)
        turn();
}
