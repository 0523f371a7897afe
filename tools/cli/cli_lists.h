/*
 * cli_lists.h - reads the lists of data sets and prints their contents before any computation.
 *
 * Tests: tests/test_lists.sh.
 */
#ifndef LNCLIP_TOOLS_CLI_CLI_LISTS_H
#define LNCLIP_TOOLS_CLI_CLI_LISTS_H

#include "data/lists/list.h"
#include "tools/cli/cli.h"

/* The selection of frames from a set. {0} keeps all. */
typedef struct CliFrames {
    int a_video; /* maximum per video; 0 = all */
    DataFrameChoice choice;
    int limit; /* maximum of the set: random videos, class ratio kept; 0 = all */
    uint64_t seed;
} CliFrames;

/* The choice named "even" (also NULL) or "random". Exits 2 for another name. */
DataFrameChoice cli_frame_choice_expect(const char *text);

/* One set: its lists, and the DataList to read into. */
typedef struct CliSet {
    const char *name;         /* for messages */
    const char *const *lists; /* [count] paths, borrowed */
    int count;
    DataSplit split; /* what the set is for */
    CliFrames frames;
    DataList *list; /* empty; after success freed by the caller (data_list_free) */
} CliSet;

/* The option --label of every command that reads lists; target: a CliStrings. */
#define CLI_LABEL_OPTION(labels)                                                                   \
    {                                                                                              \
        "--label", CLI_REPEATED, &(labels), 0, 0, "NAME=real|fake",                                \
            "label of a source, if its name does not show it"                                      \
    }

/*
 * Parses a value of --label, NAME=real or NAME=fake; NAME may contain an equals sign. The caller
 * frees label->source. STATUS_USAGE for another form.
 */
Status cli_label_parse(const char *text, DataSourceLabel *label, Error *error);

/*
 * Reads all sets [count]. On failure *error counts the problems of all sets, and the sets that
 * could be read remain filled. `labels` are the values of --label: STATUS_USAGE for an invalid
 * form, or for a source that no list has.
 */
Status cli_read_sets(const CliSet *sets, int count, const CliStrings *labels, Error *error);

/* Prints the heading of the table whose rows cli_print_sources prints. */
void cli_print_sources_head(const CliArguments *arguments);

/*
 * Prints a note for each source of `set` with its label, videos and frames, so that a mislabelled
 * folder is noticed. Also prints the number of omitted frames, warnings about duplicates and
 * doubtful labels, and the skipped files (cli_print_skipped).
 */
void cli_print_sources(const CliArguments *arguments, const char *set, const DataList *list);

/*
 * Prints the files and folders skipped while reading `what`: ten rows by folder and suffix, and the
 * total. A warning if they include images or videos, else a note.
 */
void cli_print_skipped(const CliArguments *arguments, const char *what, const DataList *list);

#endif
