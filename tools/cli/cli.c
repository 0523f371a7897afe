/*
 * cli.c - messages, log, signals, progress and number formats: see cli.h. Options: cli_parse.c.
 */
#include "tools/cli/cli.h"

#include "tensor/base/file.h"
#include "tensor/base/text.h"
#include "train/json.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- messages -------------------------------------------------------------------------------- */

/* The unfinished progress line on the terminal, or NULL. Messages end it first. */
static CliProgress *open_progress;

void cli_print_escaped(FILE *stream, const char *text)
{
    text_print(stream, text);
}

/* The log (cli.h): in memory until its file is open; NULL if there is none. */
static FILE *log_stream;
static char *log_kept; /* the lines in memory */
static size_t log_kept_size;

enum { TIME_SIZE = 32 };

/* "2026-01-31 14:02:11  ", local time. */
static const char *time_prefix(char out[TIME_SIZE])
{
    const time_t now = time(NULL);
    struct tm local = {0};
    localtime_r(&now, &local);
    out[0] = '\0';
    strftime(out, TIME_SIZE, "%Y-%m-%d %H:%M:%S  ", &local);
    return out;
}

static void log_line(const char *prefix, const char *text)
{
    char time_text[TIME_SIZE];
    if (!log_stream)
        return;
    fprintf(log_stream, "%s%s", time_prefix(time_text), prefix);
    cli_print_escaped(log_stream, text);
    fputc('\n', log_stream);
}

static void print_text(const char *prefix, const char *text)
{
    if (open_progress)
        cli_progress_end(open_progress);
    fputs(prefix, stderr);
    cli_print_escaped(stderr, text);
    fputc('\n', stderr);
}

static void print_message(const char *prefix, const char *text)
{
    log_line(prefix, text);
    print_text(prefix, text);
}

static volatile sig_atomic_t caught_signal;

int cli_report(const Error *error)
{
    fflush(stdout); /* the error message comes last */
    Error lost = {0};
    if (error->status == STATUS_FAILED && file_check_mappings(&lost) != STATUS_OK)
        error = &lost; /* a shrunken file is the cause */
    const int kept = error->problems < ERROR_MAX_DETAILS ? error->problems : ERROR_MAX_DETAILS;
    for (int i = 0; i < kept; i++)
        print_message("  ", error->detail[i]);
    if (error->problems > kept) {
        char more[40];
        snprintf(more, sizeof more, "... and %d more", error->problems - kept);
        print_message("  ", more);
    }
    print_message("lnclip: error: ", error->message);
    switch (error->status) {
    case STATUS_USAGE:
        return CLI_USAGE;
    case STATUS_INTERRUPTED:
        return 128 + (caught_signal ? caught_signal : SIGINT);
    case STATUS_OK:
    case STATUS_FAILED:
        break;
    }
    return CLI_FAILED;
}

int cli_usage_error(const char *format, ...)
{
    Error error = {.status = STATUS_USAGE};
    va_list values;
    va_start(values, format);
    vsnprintf(error.message, sizeof error.message, format, values);
    va_end(values);
    return cli_report(&error);
}

void cli_warn(const char *format, ...)
{
    char text[ERROR_MESSAGE_SIZE];
    va_list values;
    va_start(values, format);
    vsnprintf(text, sizeof text, format, values);
    va_end(values);
    print_message("lnclip: warning: ", text);
}

static void note(const CliArguments *arguments, const char *prefix, const char *format,
                 va_list values)
{
    char text[ERROR_MESSAGE_SIZE];
    if (arguments->quiet && !log_stream)
        return;
    vsnprintf(text, sizeof text, format, values);
    log_line("", text);
    if (!arguments->quiet)
        print_text(prefix, text);
}

void cli_note(const CliArguments *arguments, const char *format, ...)
{
    va_list values;
    va_start(values, format);
    note(arguments, "", format, values);
    va_end(values);
}

void cli_note_event(const CliArguments *arguments, const char *format, ...)
{
    char time_text[TIME_SIZE];
    va_list values;
    va_start(values, format);
    note(arguments, isatty(STDERR_FILENO) ? "" : time_prefix(time_text), format, values);
    va_end(values);
}

void cli_warn_threads(void)
{
    static bool warned;
    if (threads_refused() == 0 || warned)
        return;
    warned = true;
    cli_warn("threads: the system refused to start some (%s); continuing with fewer, with the same "
             "results; raise the limits on processes (ulimit -u, pids.max) and memory, or lower "
             "--threads and workers",
             strerror(threads_refused()));
}

/* ---- log ------------------------------------------------------------------------------------- */

void cli_log_begin(void)
{
    log_stream = open_memstream(&log_kept, &log_kept_size);
}

/* Closes the log; a failed write (disk full) is reported. */
static void close_log(void)
{
    FILE *stream = log_stream;
    log_stream = NULL; /* the warning is not for this log */
    const bool failed = stream && ferror(stream) != 0;
    if (stream && (fclose(stream) != 0 || failed) && !log_kept)
        cli_warn("run log: could not be written completely (disk full?); the results are not "
                 "affected");
    free(log_kept);
    log_kept = NULL;
}

void cli_log_open(const char *path)
{
    if (!log_stream || fflush(log_stream) != 0)
        return;
    FILE *file = fopen(path, "ae");
    if (!file) {
        cli_warn("%s: cannot be opened (%s); continuing without this log", path, strerror(errno));
        close_log();
        return;
    }
    setvbuf(file, NULL, _IOLBF, BUFSIZ);
    fwrite(log_kept, 1, log_kept_size, file);
    close_log();
    log_stream = file;
}

void cli_log(const char *format, ...)
{
    char *text = NULL; /* a command line may be long */
    va_list values;
    va_start(values, format);
    if (vasprintf(&text, format, values) >= 0) {
        log_line("", text);
        free(text);
    }
    va_end(values);
}

void cli_print_quoted(FILE *stream, const char *word)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                                "_./=:,+@%-";
    if (word[0] && word[strspn(word, plain)] == '\0') {
        fputs(word, stream);
        return;
    }
    fputc('\'', stream);
    for (const char *at = word; *at; at++)
        fputs(*at == '\'' ? "'\\''" : (const char[]){*at, '\0'}, stream);
    fputc('\'', stream);
}

/* ---- the end --------------------------------------------------------------------------------- */

/* True if stdout is a pipe whose reader has ended, as in `lnclip auc scores.csv | head -1`. */
static bool stdout_has_no_reader(void)
{
    struct pollfd output = {.fd = STDOUT_FILENO, .events = POLLOUT};
    return poll(&output, 1, 0) == 1 && (output.revents & POLLERR) != 0;
}

/* The part of cli_finish before the log is closed. */
static int finish_output(int code)
{
    if (code == CLI_DONE)
        cli_warn_threads();
    Error shrunk = {0};
    if (code == CLI_DONE && file_check_mappings(&shrunk) != STATUS_OK)
        code = cli_report(&shrunk);
    if (code == CLI_DONE && !train_json_complete()) {
        Error error = {0};
        error_set(&error, STATUS_FAILED,
                  "memory: out of memory, so the output is incomplete; close other programs");
        code = cli_report(&error);
    }
    /*
     * Some file systems report a full disk only on close. errno gives the reason only if the last
     * call failed.
     */
    bool lost = ferror(stdout) != 0;
    errno = 0;
    lost = fflush(stdout) != 0 || lost;
    const int reason = errno;
    if (lost && stdout_has_no_reader()) /* end quietly, as SIGPIPE would */
        return code == CLI_DONE ? 128 + SIGPIPE : code;
    errno = reason;
    if (!lost && close(STDOUT_FILENO) == 0)
        return code;
    Error error = {0};
    error_set(
        &error, STATUS_FAILED,
        "standard output: cannot be written (%s); free some disk space or redirect it elsewhere",
        errno == EBADF ? "it is closed"
        : errno        ? strerror(errno)
                       : "disk full?");
    const int failed = cli_report(&error);
    return code == CLI_DONE ? failed : code;
}

int cli_finish(int code)
{
    const int finished = finish_output(code);
    close_log();
    return finished;
}

/* ---- signals --------------------------------------------------------------------------------- */

/*
 * SIGHUP never counts as the second signal, which ends the process: a closed terminal sends it
 * twice (kernel and shell), and the end of a session sends SIGTERM and SIGHUP.
 */
static void remember_signal(int number)
{
    static volatile sig_atomic_t asked;
    if (number != SIGHUP && asked)
        _exit(128 + number);
    asked = asked || number != SIGHUP;
    if (!caught_signal)
        caught_signal = number;
}

volatile sig_atomic_t *cli_catch_signals(void)
{
    struct sigaction action = {.sa_handler = remember_signal, .sa_flags = SA_RESTART}, before;
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    if (sigaction(SIGHUP, NULL, &before) == 0 &&
        before.sa_handler != SIG_IGN) /* except under nohup */
        sigaction(SIGHUP, &action, NULL);
    return &caught_signal;
}

static const char *signal_name(int number)
{
    return number == SIGHUP ? "SIGHUP" : number == SIGTERM ? "SIGTERM" : "SIGINT";
}

Status cli_interrupted(const char *what, const char *advice, Error *error)
{
    if (!caught_signal)
        return STATUS_OK;
    return error_set(error, STATUS_INTERRUPTED, "%s: stopped by %s; %s", what,
                     signal_name(caught_signal), advice);
}

/* ---- progress and numbers -------------------------------------------------------------------- */

static double seconds_between(const struct timespec *from, const struct timespec *to)
{
    return (double)(to->tv_sec - from->tv_sec) + 1e-9 * (double)(to->tv_nsec - from->tv_nsec);
}

CliProgress cli_progress_begin(const CliArguments *arguments, const char *what, const char *unit)
{
    CliProgress progress = {.what = what, .unit = unit, .silent = arguments->quiet};
    progress.terminal = isatty(STDERR_FILENO);
    clock_gettime(CLOCK_MONOTONIC, &progress.last);
    return progress;
}

void cli_progress_text(CliProgress *progress, bool always, const char *text)
{
    const double interval = progress->terminal ? 0.2 : 10.0; /* seconds: a log should stay short */
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (progress->silent || (!always && seconds_between(&progress->last, &now) < interval))
        return;
    progress->last = now;
    if (!progress->terminal) {
        char time_text[TIME_SIZE];
        fprintf(stderr, "%s%s\n", time_prefix(time_text), text);
        return;
    }
    fprintf(stderr, "\r%s\033[K", text); /* erase the rest of a longer line */
    fflush(stderr);
    progress->open = true;
    open_progress = progress;
}

void cli_progress_show(CliProgress *progress, long long done, long long total, double per_second)
{
    char text[256];
    int used =
        snprintf(text, sizeof text, "%s %lld/%lld %s", progress->what, done, total, progress->unit);
    if (per_second > 0 && used < (int)sizeof text)
        snprintf(text + used, sizeof text - used, "  %s %s/s  %s left", cli_rate(per_second),
                 progress->unit, cli_duration((double)(total - done) / per_second));
    cli_progress_text(progress, done >= total, text);
}

void cli_progress_end(CliProgress *progress)
{
    if (progress->open)
        fputc('\n', stderr);
    progress->open = false;
    open_progress = NULL;
}

/* Buffers are used in turn, so that one printf can format several numbers. */
static char *number_buffer(void)
{
    static char buffers[16][40];
    static int next;
    next = (next + 1) % 16;
    return buffers[next];
}

const char *cli_count(unsigned long long value)
{
    char digits[24];
    const int length = snprintf(digits, sizeof digits, "%llu", value);
    char *out = number_buffer();
    int n = 0;
    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0)
            out[n++] = ',';
        out[n++] = digits[i];
    }
    out[n] = '\0';
    return out;
}

const char *cli_rate(double value)
{
    char *out = number_buffer();
    if (!(value >= 0 && value < 1e15))
        return "?";
    if (value >= 999.5)
        return cli_count((unsigned long long)(value + 0.5));
    snprintf(out, 40, value < 0.0095 ? "%.3f" : value < 0.995 ? "%.2g" : "%.3g", value);
    return out;
}

const char *cli_bytes(unsigned long long bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    double value = (double)bytes;
    int unit = 0;
    while (value >= 1023.995 && unit < 6) { /* 1023.995 would be printed as 1024.00 */
        value /= 1024;
        unit++;
    }
    char *out = number_buffer();
    snprintf(out, 40, unit == 0 ? "%.0f %s" : "%.2f %s", value, units[unit]);
    return out;
}

const char *cli_duration(double seconds)
{
    char *out = number_buffer();
    if (!(seconds >= 0 && seconds < 1e15)) {
        snprintf(out, 40, "?");
    } else if (seconds < 9.95) {
        snprintf(out, 40, "%.1f s", seconds);
    } else if (seconds < 59.5) {
        snprintf(out, 40, "%.0f s", seconds);
    } else if (seconds < 3599.5) {
        const long long whole = (long long)(seconds + 0.5);
        snprintf(out, 40, "%lld min %02lld s", whole / 60, whole % 60);
    } else {
        const long long minutes = (long long)(seconds / 60 + 0.5);
        snprintf(out, 40, "%lld h %02lld min", minutes / 60, minutes % 60);
    }
    return out;
}
