/*
 * cli_lists.h - reads the lists of data sets, and tells what they hold, before anything is computed.
 */
#ifndef LNCLIP_TOOLS_CLI_LISTS_H
#define LNCLIP_TOOLS_CLI_LISTS_H

#include "data/list.h"
#include "tools/cli.h"

/* One set: its lists, and where they are read to. */
typedef struct CliSet {
    const char *const *lists; /* [count] paths, borrowed */
    int count;
    int frames;     /* kept of each video, spread evenly; 0 = all */
    DataList *list; /* empty; on success owned by whoever holds it (data_list_free) */
} CliSet;

/*
 * Reads all sets [count], so that what is missing in any of them is known before any work begins: on
 * failure *error counts the problems of all. Sets that could be read stay read.
 */
Status cli_read_sets(const CliSet *sets, int count, Error *error);

/* The head of the table that cli_tell_sources continues. */
void cli_tell_sources_head(const CliArguments *arguments);

/*
 * A note for each source of `set`: its label, videos and frames, so that a mislabelled folder is seen at
 * once; and a warning if lines of the lists were left out as duplicates.
 */
void cli_tell_sources(const CliArguments *arguments, const char *set, const DataList *list);

#endif
