/*
 * cli_lists.h - tells what the lists of a data set hold, before anything is computed from them.
 */
#ifndef LNCLIP_TOOLS_CLI_LISTS_H
#define LNCLIP_TOOLS_CLI_LISTS_H

#include "data/list.h"
#include "tools/cli.h"

/* The head of the table that cli_tell_sources continues. */
void cli_tell_sources_head(const CliArguments *arguments);

/*
 * A note for each source of `set`: its label, videos and frames, so that a mislabelled folder is seen at
 * once; and a warning if lines of the lists were left out as duplicates.
 */
void cli_tell_sources(const CliArguments *arguments, const char *set, const DataList *list);

#endif
