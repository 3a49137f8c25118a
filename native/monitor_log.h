/*
 * What the monitor writes down: Docker's and the kubelet's log, with rotation, and messages to the journal. Whole lines only, in one write each
 * time, so that neither a kill nor a full disk tears one.
 */
#ifndef CONMAN_MONITOR_LOG_H
#define CONMAN_MONITOR_LOG_H

#include "freestanding.h"
#include "monitor.h"

#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/stat.h>
#include <linux/time_types.h>

enum {
    LINE = 16384,       /* longer lines are logged in pieces, as Docker's */
    ROOM = LINE + 8192, /* an unfinished line, and what may be read at once */
    SLACK = 16,         /* behind whatever is copied */
    BATCH = 48 << 10,   /* bytes that are written at once; the buffer's rest is for lines of which much is escaped */
};

struct stream {
    int fd;
    char kind; /* '1' or '2': standard output or error */
    size_t start, used; /* data[start..used) is not logged yet: the beginning of a line */
    char data[ROOM + SLACK];
};

static const struct monitor_config *config;
static const char *log_name;

typedef signed char sixteen __attribute__((vector_size(16), aligned(1), may_alias));
typedef unsigned long long halves __attribute__((vector_size(16)));

/* Sixteen bytes at a time: up to fifteen more than asked for. To lower addresses `to` and `from` may overlap. */
static char *copy(char *to, const char *from, size_t n)
{
    for (size_t i = 0; i < n; i += 16)
        *(sixteen *)(to + i) = *(const sixteen *)(from + i);
    return to + n;
}

static char *put(char *to, const char *text)
{
    while (*text)
        *to++ = *text++;
    return to;
}

static char *put_number(char *to, uint64_t number, int digits)
{
    char reversed[20];
    int n = 0;
    do
        reversed[n++] = (char)('0' + number % 10);
    while ((number /= 10) || n < digits);
    while (n)
        *to++ = reversed[--n];
    return to;
}

/* RFC 3339 in UTC with nanoseconds; Go's "RFC3339Nano", which Docker writes, leaves trailing zeros out. */
static char *put_time(char *to, int trimmed)
{
    struct __kernel_timespec time;
    sys2(__NR_clock_gettime, 0 /* CLOCK_REALTIME */, &time);
    uint64_t second = (uint64_t)time.tv_sec % 86400, day = (uint64_t)time.tv_sec / 86400 + 719468; /* since 1 March of the year 0 */
    uint64_t era = day / 146097, of_era = day % 146097;
    uint64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365, of_year = of_era - (365 * year + year / 4 - year / 100);
    uint64_t month = (5 * of_year + 2) / 153;
    to = put_number(to, era * 400 + year + (month >= 10), 4);
    *to++ = '-';
    to = put_number(to, month < 10 ? month + 3 : month - 9, 2);
    *to++ = '-';
    to = put_number(to, of_year - (153 * month + 2) / 5 + 1, 2);
    *to++ = 'T';
    to = put_number(to, second / 3600, 2);
    *to++ = ':';
    to = put_number(to, second / 60 % 60, 2);
    *to++ = ':';
    to = put_number(to, second % 60, 2);
    *to++ = '.';
    to = put_number(to, (uint64_t)time.tv_nsec, 9);
    while (trimmed && to[-1] == '0')
        to--;
    if (to[-1] == '.')
        to--;
    *to++ = 'Z';
    return to;
}

static _Alignas(4096) char out[6 * LINE + 4096]; /* whole lines only: the longest with every byte escaped fits */
static size_t filled;
static char before[96], after[96]; /* what stands around the text of a line: where it was written to, and when it was read */
static size_t before_size, after_size;
static int log_file = -1;
static uint64_t log_size;

static void open_log(int flags)
{
    struct statx info;
    log_file = (int)sys4(__NR_openat, config->log, log_name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | flags, 0640);
    log_size = log_file >= 0 && !sys5(__NR_statx, log_file, "", AT_EMPTY_PATH, STATX_SIZE, &info) ? info.stx_size : 0;
}

/* A full disk takes what it can, up to the end of a line; the rest is lost, and the container goes on. */
static void flush(void)
{
    size_t done = 0, whole;
    long n = 1;
    if (filled && log_file < 0)
        open_log(0);
    while (done < filled && (n = sys3(__NR_write, log_file, out + done, filled - done)) > 0)
        done += (size_t)n;
    for (whole = done; done < filled && whole && out[whole - 1] != '\n';)
        whole--;
    if (whole < done)
        sys2(__NR_ftruncate, log_file, log_size + whole);
    log_size += whole;
    if (filled > BATCH + LINE)
        sys3(__NR_madvise, out + BATCH, sizeof out - BATCH, 4 /* MADV_DONTNEED */);
    filled = 0;
}

static const char *numbered(char *to, uint32_t number)
{
    char *p = put(to, log_name);
    if (number) {
        *p++ = '.';
        p = put_number(p, number, 1);
    }
    *p = 0;
    return to;
}

static void rotate(void)
{
    char from[300], to[300];
    flush();
    SHUT(log_file);
    for (uint32_t i = config->max_files; i-- > 1;)
        sys5(__NR_renameat2, config->log, numbered(from, i - 1), config->log, numbered(to, i), 0);
    open_log(config->max_files < 2 ? O_TRUNC : 0);
}

static inline int any(sixteen found)
{
    halves h = (halves)found;
    return (h[0] | h[1]) != 0;
}

static const char *find_newline(const char *p, const char *limit)
{
    for (; limit - p >= 16; p += 16)
        if (any(*(const sixteen *)p == '\n'))
            break;
    while (p < limit && *p != '\n')
        p++;
    return p;
}

/* How many bytes of UTF-8 begin here (RFC 3629): 0 if they are none, too short, overlong, a surrogate or beyond U+10FFFF. */
static int sequence(const unsigned char *p, const unsigned char *limit)
{
    int n = *p >= 0xc2 && *p < 0xe0 ? 2 : *p >= 0xe0 && *p < 0xf0 ? 3 : *p >= 0xf0 && *p < 0xf5 ? 4 : 0;
    if (!n || limit - p < n)
        return 0;
    for (int i = 1; i < n; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    if ((*p == 0xe0 && p[1] < 0xa0) || (*p == 0xed && p[1] > 0x9f) || (*p == 0xf0 && p[1] < 0x90) || (*p == 0xf4 && p[1] > 0x8f))
        return 0;
    return n;
}

/* A JSON string's content, escaped as Docker does: as Go's encoder, with <, > and & and the two separators that JavaScript takes for newlines. */
static char *put_json(char *to, const char *from, size_t size)
{
    static const char hex[] = "0123456789abcdef";
    const unsigned char *p = (const unsigned char *)from, *limit = p + size;
    while (p < limit) {
        if (limit - p >= 16) {
            sixteen v = *(const sixteen *)p;
            if (!any((v < ' ') | (v == '"') | (v == '\\') | (v == '<') | (v == '>') | (v == '&'))) { /* bytes from 0x80 on are negative */
                *(sixteen *)to = v;
                to += 16;
                p += 16;
                continue;
            }
        }
        unsigned char c = *p;
        int n = c < 0x80 ? 1 : sequence(p, limit);
        if (!n) {
            to = put(to, "\\ufffd");
            n = 1;
        } else if (n == 3 && c == 0xe2 && p[1] == 0x80 && (p[2] & ~1) == 0xa8) {
            to = put(to, p[2] & 1 ? "\\u2029" : "\\u2028");
        } else if (c == '"' || c == '\\' || c == '\n' || c == '\r') {
            *to++ = '\\';
            *to++ = c == '\n' ? 'n' : c == '\r' ? 'r' : (char)c;
        } else if (c < ' ' || c == '<' || c == '>' || c == '&') {
            to = put(to, "\\u00");
            *to++ = hex[c >> 4];
            *to++ = hex[c & 15];
        } else {
            for (int i = 0; i < n; i++)
                *to++ = (char)p[i];
        }
        p += n;
    }
    return to;
}

/* One datagram a line (systemd.io/JOURNAL_NATIVE_PROTOCOL). The socket has a time limit: a journal that hangs loses lines. */
static void tell_journal(struct stream *s, const char *line, size_t size, int whole)
{
    uint64_t n = size;
    struct piece pieces[] = {
        { config->text, config->identity }, { s->kind == '1' ? "PRIORITY=6\n" : "PRIORITY=3\n", 11 }, { "CONTAINER_PARTIAL_MESSAGE=true\n", whole ? 0 : 31 },
        { "MESSAGE\n", 8 }, { &n, 8 }, { line, size }, { "\n", 1 },
    };
    struct message message = { 0, 0, pieces, 7, 0, 0, 0 };
    if (size)
        sys3(__NR_sendmsg, config->log, &message, 0x4000);
}

static void log_line(const char *line, size_t size, int whole)
{
    if (config->max_size && log_size + filled >= config->max_size && log_file >= 0)
        rotate();
    if (filled > BATCH || filled + 6 * size + 512 > sizeof out)
        flush();
    char *to = copy(out + filled, before, before_size);
    if (config->format == LOG_JSON) {
        to = put(put_json(to, line, size), whole ? "\\n" : "");
    } else {
        to = copy(put(to, whole ? "F " : "P "), line, size);
    }
    to = copy(to, after, after_size);
    filled = (size_t)(to - out);
}

/* Logs what has come: whole lines, pieces of those that are too long, and at the end of the stream what is left. */
static void log_stream(struct stream *s, int at_end)
{
    const char *p = s->data + s->start, *limit = s->data + s->used;
    const char *name = s->kind == '1' ? "stdout" : "stderr";
    if (config->format == LOG_JSON) {
        before_size = (size_t)(put(before, "{\"log\":\"") - before);
        after_size = (size_t)(put(put_time(put(put(put(after, "\",\"stream\":\""), name), "\",\"time\":\""), 1), "\"}\n") - after);
    } else {
        before_size = (size_t)(put(put(put(put_time(before, 0), " "), name), " ") - before);
        after_size = (size_t)(put(after, "\n") - after);
    }
    while (p < limit && config->format != LOG_NONE) {
        const char *most = limit - p > LINE ? p + LINE : limit, *line_end = find_newline(p, most);
        int whole = line_end < most;
        if (!whole && most - p < LINE && !at_end)
            break;
        if (config->format == LOG_JOURNAL)
            tell_journal(s, p, (size_t)(line_end - p), whole);
        else
            log_line(p, (size_t)(line_end - p), whole);
        p = line_end + whole;
    }
    s->start = config->format == LOG_NONE ? s->used : (size_t)(p - s->data);
    flush();
}

#endif
