/*
 * cli_checks.h - reports problems in lists of frames before any computation: for train, eval and
 * calibrate.
 *
 * The checks are described in train/list_checks.h, their meaning in docs/pitfalls.md. Overlap
 * between the sets of a training run is an error; all other problems are warnings, with the first
 * ten images.
 *
 * Tests: tests/test_checks.sh.
 */
#ifndef LNCLIP_TOOLS_CLI_CLI_CHECKS_H
#define LNCLIP_TOOLS_CLI_CLI_CHECKS_H

#include "tools/cli/cli.h"
#include "train/list_checks.h"

/* A row of an option table, for a `const char *` initialised to NULL. */
/* clang-format off */
#define CLI_CHECKS_OPTION(text)                                                                    \
    {"--checks", CLI_STRING, &(text), 0, 0, "LEVEL",                                               \
     "checks of the lists: full (default), quick (files are\nnot read, so copies not found), off"}
/* clang-format on */

/*
 * The level named `text`; full if NULL. Exits 2 for an unknown name: to be called right after
 * cli_parse.
 */
TrainChecks cli_checks_expect(const char *text);

/* One set of a training run: "train", "val" or "test". */
typedef struct CliCheckedSet {
    const char *name;
    const DataList *list;
} CliCheckedSet;

/*
 * Checks sets [count] of a training run, each alone and each pair for overlap, and prints notes and
 * warnings. STATUS_FAILED if images cannot be read, or if sets share files, copies or FF++ people;
 * with `allow_overlap` the latter is a warning.
 */
Status cli_check_training(const CliArguments *arguments, const CliCheckedSet *sets, int count,
                          TrainChecks checks, bool allow_overlap, Error *error);

/*
 * Checks one set to be evaluated and prints notes and warnings. Warns if an adapter in `adapters`
 * was trained or selected on this list. STATUS_FAILED if images or adapters cannot be read.
 */
Status cli_check_evaluated(const CliArguments *arguments, const char *name, const DataList *list,
                           TrainChecks checks, const CliStrings *adapters, Error *error);

#endif
