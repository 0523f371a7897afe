/*
 * cli.h - what all subcommands share: options, messages, exit codes, signals.
 */
#ifndef LNCLIP_TOOLS_CLI_H
#define LNCLIP_TOOLS_CLI_H

#include "tensor/error.h"
#include "tensor/threads.h"

#include <signal.h>
#include <stdbool.h>

typedef enum CliKind {
    CLI_FLAG,    /* --name              -> bool                                  */
    CLI_STRING,  /* --name VALUE        -> const char *, may be given once        */
    CLI_STRINGS, /* --name A B --name C -> CliStrings, repeated or in a row       */
    CLI_INT,     /* --name N            -> int, within [minimum, maximum]         */
    CLI_UINT64,  /* --name N            -> uint64_t                               */
} CliKind;

typedef struct CliStrings {
    const char **items;
    int count;
} CliStrings;

typedef struct CliOption {
    const char *name; /* with dashes: "--model"; a NULL name ends the table */
    CliKind kind;
    void *target; /* of the type the kind says, holding the default */
    int minimum, maximum;
    const char *argument; /* its placeholder in the help, e.g. "DIR" */
    const char *help;
} CliOption;

typedef struct CliCommand {
    const char *name;     /* "train" */
    const char *summary;  /* one line */
    const char *usage;    /* "lnclip train --model M ..." */
    const char *details;  /* paragraphs under the usage, may be NULL */
    const char *example;  /* shown by --help */
    CliOption *options;   /* common ones (--help, --quiet, --threads) are added by cli_parse */
    bool takes_settings;  /* KEY=VALUE arguments are set apart */
} CliCommand;

/* What cli_parse left over, and the common options. Freed at exit. */
typedef struct CliArguments {
    CliStrings positional;
    CliStrings settings; /* KEY=VALUE: text before the first '=' is [a-z_.]+ and no such file exists */
    bool quiet;
    int threads; /* 0 = all processors */
} CliArguments;

/*
 * Parses argv[1..]. Prints help and exits 0 on --help; on wrong usage prints the error and exits 2.
 * `--name=VALUE` and `--` are understood.
 */
void cli_parse(const CliCommand *command, int argc, char **argv, CliArguments *arguments);

/* Prints details (indented) and "lnclip: error: MESSAGE" to stderr, control characters escaped; returns the exit code. */
int cli_report(const Error *error);

/* A usage error built in place: prints like cli_report and returns 2. */
int cli_usage_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* "lnclip: warning: ..." and plain notes to stderr (notes are silent with --quiet). */
void cli_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));
void cli_note(const CliArguments *arguments, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/*
 * Installs handlers for SIGINT and SIGTERM: the first sets the flag returned (and is remembered for the exit code
 * 130 or 143), the second ends the process at once.
 */
volatile sig_atomic_t *cli_catch_signals(void);

/* 12345678 -> "12,345,678" in one of a few static buffers; bytes -> "1.23 GiB"; seconds -> "1 h 02 min". */
const char *cli_count(unsigned long long value);
const char *cli_bytes(unsigned long long bytes);
const char *cli_duration(double seconds);

/* The subcommands: each returns the exit code. argv[0] is the subcommand's name. */
int cmd_auc(int argc, char **argv);
int cmd_demo(int argc, char **argv);
int cmd_eval(int argc, char **argv);
int cmd_features(int argc, char **argv);
int cmd_init(int argc, char **argv);
int cmd_inspect(int argc, char **argv);
int cmd_predict(int argc, char **argv);
int cmd_synth(int argc, char **argv);
int cmd_train(int argc, char **argv);

#endif
