/*
 * compare_tables.h - the tables of lnclip compare, from runs and evaluations as cmd_compare.h reads
 * them.
 *
 * Runs on the same lists whose recipes differ only in the seed, and evaluations of their adapters,
 * form a group: one method, whose results have a mean and a standard deviation over seeds. Names
 * are paths without the folders that all items have in common. Each function returns a table for
 * cli_view_print, or NULL without memory; `items` is an array of runs or of evaluations, borrowed.
 *
 * Tests: tests/test_eval.sh.
 */
#ifndef LNCLIP_TOOLS_COMPARE_COMPARE_TABLES_H
#define LNCLIP_TOOLS_COMPARE_COMPARE_TABLES_H

#include "tools/cli/cli_view.h"

#include <jansson.h>

/* The items of a comparison, best first. */
typedef struct CompareItems {
    json_t *items; /* array, borrowed */
    size_t count;
    const json_t **order; /* [count] items, best first */
    int *group;           /* [count] group of order[i]; groups are numbered in order of first */
    int groups;
    size_t prefix;      /* bytes of the folders that all paths begin with */
    char **group_names; /* [groups] the text that the names of a group have in common */
} CompareItems;

/*
 * Sorts and groups runs by the best validation metric, or evaluations by the mean AUROC over data
 * sets. Free with compare_items_free, also after failure. STATUS_FAILED without memory.
 */
Status compare_items_sort(CompareItems *sorted, json_t *items, Error *error);
void compare_items_free(CompareItems *sorted);

/* The name of an item: its path without the common folders. */
const char *compare_name(const CompareItems *sorted, const json_t *item);

/* True if a group has several items. */
bool compare_has_seeds(const CompareItems *sorted);

/* Runs, best first: the recipe keys in which they differ, parameters, best epoch, its metrics. */
CliTable *compare_runs_table(const CompareItems *runs);

/* Mean and standard deviation over seeds of the metrics of runs, one row per group. */
CliTable *compare_seeds_table(const CompareItems *runs, const CliView *view);

/*
 * One metric of evaluations at one level: a row per group, a column per data set and one for their
 * mean; with several seeds mean and standard deviation. The best of each column is marked.
 */
CliTable *compare_pivot_table(const CompareItems *evaluations, const CliView *view, Metric metric,
                              bool videos);

/* The AUROC of each evaluation with its interval: a row per data set, level and evaluation. */
CliTable *compare_intervals_table(const CompareItems *evaluations, const CliView *view);

/* The lists that selected the weights, each with the items that they selected. */
CliTable *compare_selection_table(const CompareItems *sorted);

/* All values of runs and evaluations, one per row, for exact formats. */
CliTable *compare_exact_table(const json_t *runs, const json_t *evaluations);

#endif
