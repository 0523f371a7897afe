/*
 * cli.h - what all subcommands share: options, messages, exit codes, signals.
 *
 * Nothing of the method lives here. Data goes to stdout; progress, notes, warnings and errors go to
 * stderr, and whatever comes from files or arguments is printed with its control characters
 * escaped. All functions are for the main thread.
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
    const char **items; /* [count], borrowed from argv; the array lives until the process ends */
    int count;
} CliStrings;

typedef struct CliOption {
    const char *name; /* with dashes: "--model"; a NULL name ends the table */
    CliKind kind;
    void *target;         /* of the type the kind says, holding the default */
    int minimum, maximum; /* of CLI_INT */
    const char *argument; /* its placeholder in the help, e.g. "DIR" */
    const char *help;
} CliOption;

typedef struct CliCommand {
    const char *name;    /* "train" */
    const char *summary; /* one line */
    const char *usage;   /* "lnclip train --model M ..." */
    const char *details; /* paragraphs under the usage, may be NULL */
    const char *example; /* shown by --help */
    CliOption *options;  /* common ones (--help, --quiet, --threads) are added by cli_parse */
    bool takes_settings; /* KEY=VALUE arguments are set apart */
} CliCommand;

/* What cli_parse left over, and the common options. */
typedef struct CliArguments {
    const CliCommand *command; /* the one parsed for */
    CliStrings positional;
    /* KEY=VALUE: the text before the first '=' is [a-z_.][a-z0-9_.]*, and no such file exists. */
    CliStrings settings;
    bool quiet;
    int threads; /* 0 = all processors */
} CliArguments;

/*
 * Parses argv[1..argc), filling the targets of command->options and *arguments. `--name=VALUE` is
 * understood, and `--` ends the options. Prints help and exits 0 on --help. On wrong usage (an
 * unknown option: the nearest is named; a missing or bad value; a bad LNCLIP_CPU) prints the error
 * and exits 2. The kernels are chosen when it returns.
 */
void cli_parse(const CliCommand *command, int argc, char **argv, CliArguments *arguments);

/* Exits 2, naming `what` ("an image or a folder"), unless minimum <=
 * positional.count <= maximum. */
void cli_expect_positional(const CliArguments *arguments, int minimum, int maximum,
                           const char *what);

/* Exits 2 if `value` of the option called `option` is NULL: it was not given. */
void cli_expect_option(const CliArguments *arguments, const char *option, const char *value);

/*
 * Prints details (indented, with the number of those left out) and "lnclip: error: MESSAGE" to
 * stderr, control characters escaped. Returns the exit code: 2 for STATUS_USAGE, 128 + signal for
 * STATUS_INTERRUPTED, else 1.
 */
int cli_report(const Error *error);

/* A usage error built in place: prints like cli_report and returns 2. */
int cli_usage_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* "lnclip: warning: ..." and plain notes, a line each, to stderr (notes are
 * silent with --quiet). */
void cli_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));
void cli_note(const CliArguments *arguments, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Warns, once, if the system refused to start a thread. cli_finish does, too; long commands call it
 * early. */
void cli_warn_threads(void);

/* Writes text with control characters and bytes that are no UTF-8 as \n, \t, \r or \xNN. */
void cli_print_escaped(FILE *stream, const char *text);

/*
 * The one of names [count] that `word` most resembles (edit distance), or NULL if none is close
 * enough to be a slip of the keyboard. Borrowed from `names`.
 */
const char *cli_nearest(const char *word, const char *const *names, int count);

/*
 * Ends the output: closes stdout, and if anything written to it was lost (a full disk, a closed
 * descriptor) reports that and returns 1 in place of 0, or 141 without a word where stdout is a
 * pipe without a reader; else returns `code`. main calls it last.
 */
int cli_finish(int code);

/*
 * Installs handlers for SIGINT, SIGTERM and SIGHUP: the first sets the flag returned to the
 * signal's number (and is remembered for the exit code 130, 143 or 129), a second SIGINT or SIGTERM
 * ends the process at once. SIGHUP stays ignored where it is (nohup).
 */
volatile sig_atomic_t *cli_catch_signals(void);

/* STATUS_INTERRUPTED with the signal's name and `advice` once one has been
 * caught, else STATUS_OK. */
Status cli_interrupted(const char *what, const char *advice, Error *error);

/* A progress line: rewritten in place on a terminal, a plain line every few seconds in a log. */
typedef struct CliProgress {
    const char *what; /* "scoring", borrowed */
    const char *unit; /* "images", borrowed */
    bool silent;      /* --quiet */
    bool terminal;
    bool open; /* the cursor stands in an unfinished line */
    struct timespec last;
} CliProgress;

CliProgress cli_progress_begin(const CliArguments *arguments, const char *what, const char *unit);

/* Shows done of total if it is time to; `per_second` <= 0 means unknown. Always shows
 * the last one. */
void cli_progress_show(CliProgress *progress, long long done, long long total, double per_second);

/* The same for a line of the caller's own words; `always` shows it whatever was shown last. */
void cli_progress_text(CliProgress *progress, bool always, const char *text);

/* Ends the line, so that messages start on one of their own. Every message function
 * does so, too. */
void cli_progress_end(CliProgress *progress);

/* 12345678 -> "12,345,678" in one of a few static buffers; bytes -> "1.23 GiB"; seconds -> "1 h 02
 * min". */
const char *cli_count(unsigned long long value);
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
int cmd_features(int argc, char **argv);
int cmd_init(int argc, char **argv);
int cmd_inspect(int argc, char **argv);
int cmd_lists(int argc, char **argv);
int cmd_predict(int argc, char **argv);
int cmd_synth(int argc, char **argv);
int cmd_train(int argc, char **argv);

#endif
