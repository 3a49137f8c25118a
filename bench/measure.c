/*
 * measure ROUNDS FILE: runs commands in interleaved rounds and compares them pair by pair.
 *
 * FILE has one command a line: SCENARIO TOOL STEP COMMAND [ARGUMENT]... Lines of one scenario stand together, and in it those of one tool:
 * they are its steps, done one after the other in every round. The first tool is the one that the others are compared with.
 *
 * - Interleaved: a round runs every tool of a scenario once, and the next round begins with another tool. What the machine does meanwhile
 *   thus meets all of them, and only the ratio of two runs of one round is compared: its median and quartiles over the rounds.
 * - Wall time is from before vfork to the return of wait4. Processor time is the user and system time that wait4 reports of the command:
 *   of all its threads and of every descendant that it reaped.
 * - This process is the subreaper: a container that outlives its `create` becomes its child. Before the last step of several, all of these
 *   are waited for (that wait is not timed), and their processor time is counted with the sum of the steps.
 * - A command that fails ends everything, and says what it said.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { WARM_UP = 5, MAX_STEPS = 8, MAX_TOOLS = 8, MAX_SCENARIOS = 16 };

struct sample {
    double wall, cpu; /* ms */
};

struct step {
    const char *name;
    char **command;
    struct sample *samples; /* one a round */
};

struct tool {
    const char *name;
    int count;
    struct step steps[MAX_STEPS + 1]; /* the last is their sum */
};

struct scenario {
    const char *name;
    int count;
    struct tool tools[MAX_TOOLS];
};

static struct scenario scenarios[MAX_SCENARIOS];
static int scenario_count, rounds, log_file, errors = 2;

__attribute__((noreturn, format(printf, 1, 2))) static void fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    dup2(errors, 2);
    fputs("measure: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    exit(1);
}

static void *allocate(size_t size)
{
    void *memory = calloc(1, size);
    if (!memory)
        fail("out of memory");
    return memory;
}

/* ---- the commands -------------------------------------------------------------------------------------------------------------- */

static void add(char *line)
{
    char **words = allocate(64 * sizeof *words);
    int n = 0;
    for (char *word = strtok(line, " \t\n"); word && n < 63; word = strtok(NULL, " \t\n"))
        words[n++] = strdup(word);
    if (n == 0 || words[0][0] == '#')
        return;
    if (n < 4)
        fail("%s: a line is SCENARIO TOOL STEP COMMAND...", words[0]);

    struct scenario *scenario = scenario_count ? &scenarios[scenario_count - 1] : NULL;
    if (!scenario || strcmp(scenario->name, words[0])) {
        if (scenario_count == MAX_SCENARIOS)
            fail("too many scenarios");
        scenario = &scenarios[scenario_count++];
        scenario->name = words[0];
    }
    struct tool *tool = scenario->count ? &scenario->tools[scenario->count - 1] : NULL;
    if (!tool || strcmp(tool->name, words[1])) {
        if (scenario->count == MAX_TOOLS)
            fail("too many tools in %s", scenario->name);
        tool = &scenario->tools[scenario->count++];
        tool->name = words[1];
    }
    if (tool->count == MAX_STEPS)
        fail("too many steps in %s of %s", scenario->name, tool->name);
    tool->steps[tool->count++] = (struct step){ words[2], words + 3, NULL };
}

/* ---- the measurement ----------------------------------------------------------------------------------------------------------- */

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1e3 + time.tv_nsec / 1e6;
}

static double processor(const struct rusage *usage)
{
    return (usage->ru_utime.tv_sec + usage->ru_stime.tv_sec) * 1e3 + (usage->ru_utime.tv_usec + usage->ru_stime.tv_usec) / 1e3;
}

static void show_log(void)
{
    char text[4096];
    ssize_t n;
    lseek(log_file, 0, SEEK_SET);
    while ((n = read(log_file, text, sizeof text)) > 0)
        fwrite(text, 1, (size_t)n, stderr);
}

static struct sample run(char **command, double *orphans)
{
    struct rusage usage;
    int status;
    pid_t ended;
    double begin = now();
    pid_t pid = vfork();
    if (pid == 0) {
        execv(command[0], command);
        _exit(127);
    }
    if (pid < 0)
        fail("cannot fork: %s", strerror(errno));
    while ((ended = wait4(-1, &status, 0, &usage)) != pid)
        if (ended > 0)
            *orphans += processor(&usage); /* a container ended while its runtime was at work */
        else if (errno != EINTR)
            fail("cannot wait for %s: %s", command[0], strerror(errno));
    double end = now();
    if (status) {
        dup2(errors, 2);
        fputc('\n', stderr);
        show_log();
        for (char **word = command; *word; word++)
            fprintf(stderr, "%s ", *word);
        fail("failed with status %#x", status);
    }
    return (struct sample){ end - begin, processor(&usage) };
}

static double reap_all(void)
{
    struct rusage usage;
    double sum = 0;
    for (;;)
        if (wait4(-1, NULL, 0, &usage) > 0)
            sum += processor(&usage);
        else if (errno == ECHILD)
            return sum;
}

static void measure(struct tool *tool, int round)
{
    struct sample sum = { 0, 0 };
    if (ftruncate(log_file, 0) || lseek(log_file, 0, SEEK_SET))
        fail("cannot empty the log: %s", strerror(errno));
    for (int i = 0; i < tool->count; i++) {
        if (i > 0 && i == tool->count - 1)
            sum.cpu += reap_all();
        struct sample sample = run(tool->steps[i].command, &sum.cpu);
        sum.wall += sample.wall;
        sum.cpu += sample.cpu;
        if (round >= 0)
            tool->steps[i].samples[round] = sample;
    }
    if (round >= 0)
        tool->steps[tool->count].samples[round] = sum;
}

/* ---- the report ---------------------------------------------------------------------------------------------------------------- */

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Of sorted values, between two of them where it must be. */
static double quantile(const double *sorted, double q)
{
    double at = q * (rounds - 1);
    int below = (int)at, above = below + 1 < rounds ? below + 1 : below;
    return sorted[below] + (at - below) * (sorted[above] - sorted[below]);
}

static double *column(const struct step *step, int cpu)
{
    double *values = allocate(sizeof *values * (size_t)rounds);
    for (int i = 0; i < rounds; i++)
        values[i] = cpu ? step->samples[i].cpu : step->samples[i].wall;
    return values;
}

static void print_cell(const struct step *step, int cpu)
{
    double *values = column(step, cpu);
    qsort(values, (size_t)rounds, sizeof *values, ascending);
    char text[64];
    snprintf(text, sizeof text, "%.2f / %.2f", values[0], quantile(values, 0.5));
    printf("  %17s", text);
    free(values);
}

static void print_ratio(const struct step *base, const struct step *peer, int cpu)
{
    double *values = column(base, cpu), *others = column(peer, cpu);
    for (int i = 0; i < rounds; i++)
        values[i] /= others[i] > 0 ? others[i] : 1e-3;
    qsort(values, (size_t)rounds, sizeof *values, ascending);
    printf(" %s %.2f (%.2f-%.2f)", cpu ? "cpu" : "wall", quantile(values, 0.5), quantile(values, 0.25), quantile(values, 0.75));
    free(values);
    free(others);
}

/* A tool of several steps has a row for their sum and one for each. */
static int first_row(const struct tool *tool)
{
    return tool->count > 1 ? 0 : 1;
}

static const char *row_name(const struct scenario *scenario, const struct tool *tool, int row)
{
    return row == tool->count ? scenario->name : tool->steps[row].name;
}

static void report(void)
{
    const struct scenario *widest = &scenarios[0];
    for (int i = 0; i < scenario_count; i++)
        if (scenarios[i].count > widest->count)
            widest = &scenarios[i];
    printf("%-28s", "minimum / median, ms");
    for (int t = 0; t < widest->count; t++)
        printf("  %17s", widest->tools[t].name);
    putchar('\n');
    for (int i = 0; i < scenario_count; i++)
        for (int row = first_row(&scenarios[i].tools[0]); row <= scenarios[i].tools[0].count; row++)
            for (int cpu = 0; cpu < 2; cpu++) {
                printf("%-22s %-5s", cpu ? "" : row_name(&scenarios[i], &scenarios[i].tools[0], row), cpu ? "cpu" : "wall");
                for (int t = 0; t < scenarios[i].count; t++)
                    print_cell(&scenarios[i].tools[t].steps[row], cpu);
                putchar('\n');
            }

    printf("\nratios, paired in each of %d rounds: median (quartiles)\n", rounds);
    for (int i = 0; i < scenario_count; i++) {
        const struct tool *base = &scenarios[i].tools[0];
        for (int row = first_row(base); row <= base->count; row++)
            for (int t = 1; t < scenarios[i].count; t++) {
                printf("%s: %s/%s", row_name(&scenarios[i], base, row), base->name, scenarios[i].tools[t].name);
                print_ratio(&base->steps[row], &scenarios[i].tools[t].steps[row], 0);
                print_ratio(&base->steps[row], &scenarios[i].tools[t].steps[row], 1);
                putchar('\n');
            }
    }
}

int main(int argc, char **argv)
{
    static char line[8192];
    rounds = argc == 3 ? atoi(argv[1]) : 0;
    FILE *file = rounds > 0 ? fopen(argv[2], "re") : NULL;
    if (!file)
        fail("usage: measure ROUNDS FILE");
    while (fgets(line, sizeof line, file))
        add(line);
    fclose(file);

    log_file = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    int nothing = open("/dev/null", O_RDWR | O_CLOEXEC), terminal = fcntl(1, F_DUPFD_CLOEXEC, 3);
    errors = fcntl(2, F_DUPFD_CLOEXEC, 3);
    if (log_file < 0 || nothing < 0 || terminal < 0 || errors < 0 || prctl(PR_SET_CHILD_SUBREAPER, 1))
        fail("cannot prepare: %s", strerror(errno));

    for (int i = 0; i < scenario_count; i++) {
        struct scenario *scenario = &scenarios[i];
        for (int t = 0; t < scenario->count; t++) {
            if (scenario->tools[t].count != scenario->tools[0].count)
                fail("%s: %s has other steps than %s", scenario->name, scenario->tools[t].name, scenario->tools[0].name);
            for (int s = 0; s <= scenario->tools[t].count; s++)
                scenario->tools[t].steps[s].samples = allocate(sizeof(struct sample) * (size_t)rounds);
        }
        dprintf(errors, "%s ... ", scenario->name);
        dup2(nothing, 0);
        dup2(nothing, 1);
        dup2(log_file, 2);
        for (int round = -WARM_UP; round < rounds; round++)
            for (int t = 0; t < scenario->count; t++)
                measure(&scenario->tools[(t + round + WARM_UP) % scenario->count], round);
        dup2(terminal, 1);
        dup2(errors, 2);
    }
    dprintf(errors, "\n\n");
    report();
    return 0;
}
