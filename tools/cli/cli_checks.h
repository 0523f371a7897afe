/*
 * cli_checks.h - tells what is wrong with lists of frames before anything is computed: shared by
 * train and eval.
 *
 * What is looked for is told in train/list_checks.h, and what it means in docs/pitfalls.md. Between
 * the sets of a training, overlap is an error; all else is a warning, with the first ten images it
 * was found in.
 */
#ifndef LNCLIP_TOOLS_CLI_CLI_CHECKS_H
#define LNCLIP_TOOLS_CLI_CLI_CHECKS_H

#include "tools/cli/cli.h"
#include "train/list_checks.h"

/* A row of an option table, for a `const char *` that is NULL at first. */
/* clang-format off */
#define CLI_CHECKS_OPTION(text)                                                                    \
    {"--checks", CLI_STRING, &(text), 0, 0, "LEVEL",                                               \
     "what to look for in the lists: full (default), quick (no\ncopies: files stay unread), off"}
/* clang-format on */

/* The level called `text` (NULL: full). Exits 2 for an unknown one: for use
 * right after cli_parse. */
TrainChecks cli_checks_expect(const char *text);

/* The sets of a training: "train", and "val" and "test" if they are there. */
typedef struct CliCheckedSet {
    const char *name;
    const DataList *list;
} CliCheckedSet;

/*
 * Checks sets [count] of a training, each alone and all against each other, telling notes and
 * warnings. STATUS_FAILED for images that cannot be read, and, unless `allow_overlap`, for sets
 * that share files, copies or FF++ people; the last then is a warning.
 */
Status cli_check_training(const CliArguments *arguments, const CliCheckedSet *sets, int count,
                          TrainChecks checks, bool allow_overlap, Error *error);

/*
 * Checks one set to be evaluated, telling notes and warnings; among them, that the run of an
 * adapter in `adapters` was trained or selected on this very list. STATUS_FAILED for images or
 * adapters that cannot be read.
 */
Status cli_check_evaluated(const CliArguments *arguments, const char *name, const DataList *list,
                           TrainChecks checks, const CliStrings *adapters, Error *error);

#endif
