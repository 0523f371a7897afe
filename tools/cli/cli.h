/*
 * cli.h - options, messages, exit codes and signals of all subcommands.
 *
 * Data goes to stdout; progress, notes, warnings and errors go to stderr. Text from files or
 * arguments is printed with its control characters escaped. All functions are for the main thread.
 *
 * Tests: tests/test_cli.c.
 */
#ifndef LNCLIP_TOOLS_CLI_CLI_H
#define LNCLIP_TOOLS_CLI_CLI_H

#include "tensor/base/error.h"
#include "tensor/threads.h"

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>

enum {
    CLI_DONE = 0,
    CLI_FAILED = 1,
    CLI_USAGE = 2
}; /* exit codes; 128 + signal after a clean stop */

typedef enum CliKind {
    CLI_FLAG,     /* --name              -> bool                                  */
    CLI_STRING,   /* --name VALUE        -> const char *, may be given once        */
    CLI_STRINGS,  /* --name A B --name C -> CliStrings, repeated or in a row       */
    CLI_REPEATED, /* --name A --name B   -> CliStrings, one value each             */
    CLI_INT,      /* --name N            -> int, within [minimum, maximum]         */
    CLI_UINT64,   /* --name N            -> uint64_t                               */
} CliKind;

typedef struct CliStrings {
    const char **items; /* [count], borrowed from argv; the array is freed at exit */
    int count;
} CliStrings;

typedef struct CliOption {
    const char *name; /* with dashes: "--model"; a NULL name ends the table */
    CliKind kind;
    void *target;         /* variable of the type for `kind`, set to the default */
    int minimum, maximum; /* range of CLI_INT */
    const char *argument; /* placeholder in the help, e.g. "DIR" */
    const char *help;
} CliOption;

typedef struct CliCommand {
    const char *name;      /* "train" */
    const char *summary;   /* one line */
    const char *usage;     /* "lnclip train --model M ..." */
    const char *details;   /* paragraphs below the usage, or NULL */
    const char *example;   /* shown by --help */
    CliOption *options;    /* common ones (--help, --quiet, --threads) are added by cli_parse */
    bool accepts_settings; /* recipe keys, KEY=VALUE or --KEY VALUE, go to CliArguments.settings */
} CliCommand;

/* Hidden option, as only argument: prints the case of a command for the shell completions. */
#define CLI_COMPLETION_OPTION "--completion-case"

/* The positional arguments and the common options. */
typedef struct CliArguments {
    const CliCommand *command; /* the parsed command */
    CliStrings positional;
    /*
     * KEY=VALUE: the text before the first '=' is [a-z_.][a-z0-9_.]*, and no such file exists. Also
     * --KEY VALUE and --KEY=VALUE of recipe keys, '-' for '_' allowed.
     */
    CliStrings settings;
    bool quiet;
    int threads; /* 0 = all processors */
} CliArguments;

/*
 * Parses argv[1..argc) into the targets of command->options and *arguments. Accepts `--name=VALUE`,
 * `_` for `-` in names, and `--` as end of options. Without accepts_settings, KEY=VALUE with a
 * recipe key sets the option of this name. Prints help and exits 0 on --help. Prints an error and
 * exits 2 on wrong usage: an unknown option (suggesting the nearest), a missing or invalid value,
 * an invalid LNCLIP_CPU. Chooses the kernels.
 */
void cli_parse(const CliCommand *command, int argc, char **argv, CliArguments *arguments);

/* A copy of `text` that lives until exit. Exits 1 if out of memory. */
const char *cli_keep(const char *text);

/*
 * Exits 2 unless minimum <= positional.count <= maximum. `what` is the missing argument in the
 * message: "an image or a folder".
 */
void cli_expect_positional(const CliArguments *arguments, int minimum, int maximum,
                           const char *what);

/* Exits 2 if a required option was not given (`value` is NULL). */
void cli_expect_option(const CliArguments *arguments, const char *option, const char *value);

/*
 * Prints the details, indented, with the number of omitted ones, and "lnclip: error: MESSAGE" to
 * stderr, control characters escaped. Returns the exit code: 2 for STATUS_USAGE, 128 + signal for
 * STATUS_INTERRUPTED, else 1.
 */
int cli_report(const Error *error);

/* Prints a usage error as cli_report does and returns 2. */
int cli_usage_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Print "lnclip: warning: ..." or a plain note as one line to stderr. --quiet suppresses notes. */
void cli_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));
void cli_note(const CliArguments *arguments, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/*
 * As cli_note, for events of a long command: if stderr is not a terminal, the line begins with date
 * and time.
 */
void cli_note_event(const CliArguments *arguments, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/*
 * A log file of all warnings, errors and notes (also those that --quiet suppresses), each with date
 * and time. cli_log_begin keeps lines in memory until cli_log_open appends them to the file `path`;
 * later lines follow at once. Without cli_log_open they are lost. cli_log adds a line to the log
 * only. Warns if the file cannot be written; the command continues. cli_finish closes it.
 */
void cli_log_begin(void);
void cli_log_open(const char *path);
void cli_log(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Writes a word so that a shell reads it back, in single quotes if needed. */
void cli_print_quoted(FILE *stream, const char *word);

/*
 * Warns once if the system refused to start a thread. cli_finish calls it; long commands call it
 * earlier.
 */
void cli_warn_threads(void);

/* Writes text with control characters and invalid UTF-8 bytes as \n, \t, \r or \xNN. */
void cli_print_escaped(FILE *stream, const char *text);

/*
 * The nearest of names [count] to `word` by edit distance, or NULL if none is close enough for a
 * typing error. Borrowed from `names`.
 */
const char *cli_nearest(const char *word, const char *const *names, int count);

/*
 * Closes stdout and returns `code`, or 1 instead of 0 if output was lost (full disk, closed
 * descriptor), which is reported. Returns 141 instead of 0, without a message, if stdout is a pipe
 * without a reader. main calls it last.
 */
int cli_finish(int code);

/*
 * Installs handlers for SIGINT, SIGTERM and SIGHUP. The first signal sets the returned flag to its
 * number, which also gives the exit code 130, 143 or 129. A second SIGINT or SIGTERM ends the
 * process at once. An ignored SIGHUP stays ignored (nohup).
 */
volatile sig_atomic_t *cli_catch_signals(void);

/*
 * STATUS_INTERRUPTED with the signal's name and `advice` if a signal has been caught, else
 * STATUS_OK.
 */
Status cli_interrupted(const char *what, const char *advice, Error *error);

/*
 * A progress line: rewritten in place on a terminal; otherwise (a log) a new line every few
 * seconds, with date and time.
 */
typedef struct CliProgress {
    const char *what; /* "scoring", borrowed */
    const char *unit; /* "images", borrowed */
    bool silent;      /* --quiet */
    bool terminal;
    bool open; /* the line on the terminal is unfinished */
    struct timespec last;
} CliProgress;

CliProgress cli_progress_begin(const CliArguments *arguments, const char *what, const char *unit);

/*
 * Shows `done` of `total`, at most every few seconds, and always when done = total. `per_second` <=
 * 0 means unknown.
 */
void cli_progress_show(CliProgress *progress, long long done, long long total, double per_second);

/* Shows any text as progress line, at most every few seconds unless `always`. */
void cli_progress_text(CliProgress *progress, bool always, const char *text);

/* Ends the line, so that messages start on a new one. All message functions call it. */
void cli_progress_end(CliProgress *progress);

/*
 * Format 12345678 as "12,345,678", a rate as "0.92", "12.3" or "1,800", bytes as "1.23 GiB", and
 * seconds as "1 h 02 min". The result is in one of 16 static buffers, used in turn.
 */
const char *cli_count(unsigned long long value);
const char *cli_rate(double value);
const char *cli_bytes(unsigned long long bytes);
const char *cli_duration(double seconds);

/* The subcommands: each returns the exit code. argv[0] is the subcommand's name. */
int cmd_auc(int argc, char **argv);
int cmd_bench(int argc, char **argv);
int cmd_calibrate(int argc, char **argv);
int cmd_compare(int argc, char **argv);
int cmd_demo(int argc, char **argv);
int cmd_eval(int argc, char **argv);
int cmd_export(int argc, char **argv);
int cmd_faces(int argc, char **argv);
int cmd_features(int argc, char **argv);
int cmd_init(int argc, char **argv);
int cmd_inspect(int argc, char **argv);
int cmd_lists(int argc, char **argv);
int cmd_predict(int argc, char **argv);
int cmd_synth(int argc, char **argv);
int cmd_train(int argc, char **argv);

#endif
