/*
 * cli_lists.h - reads the lists of data sets, and tells what they hold, before anything is
 * computed.
 */
#ifndef LNCLIP_TOOLS_CLI_CLI_LISTS_H
#define LNCLIP_TOOLS_CLI_CLI_LISTS_H

#include "data/lists/list.h"
#include "tools/cli/cli.h"

/* Which frames are kept of what is listed. All zero: all. */
typedef struct CliFrames {
    int a_video; /* at most, 0 = all */
    DataFrameChoice choice;
    int limit; /* most frames of the set: random videos, class ratio kept; 0 = all */
    uint64_t seed;
} CliFrames;

/* "even" (or NULL) or "random"; exits 2 for another word. */
DataFrameChoice cli_frame_choice_expect(const char *text);

/* One set: its lists, and where they are read to. */
typedef struct CliSet {
    const char *name;         /* for messages */
    const char *const *lists; /* [count] paths, borrowed */
    int count;
    CliFrames frames;
    DataList *list; /* empty; on success owned by whoever holds it (data_list_free) */
} CliSet;

/* The option --label of every command that reads lists; target: a CliStrings. */
#define CLI_LABEL_OPTION(labels)                                                                   \
    {                                                                                              \
        "--label", CLI_REPEATED, &(labels), 0, 0, "NAME=real|fake",                                \
            "label of a source whose name does not tell, or tells wrong"                           \
    }

/*
 * One value of --label, NAME=real or NAME=fake (NAME may hold an equals sign): label->source is the
 * caller's to free. STATUS_USAGE for another form.
 */
Status cli_label_parse(const char *text, DataSourceLabel *label, Error *error);

/*
 * Reads all sets [count], so that what is missing in any of them is known before any work begins:
 * on failure *error counts the problems of all. Sets that could be read stay read. `labels` are the
 * values of --label: STATUS_USAGE for another form, or for a source that no list has.
 */
Status cli_read_sets(const CliSet *sets, int count, const CliStrings *labels, Error *error);

/* The head of the table that cli_tell_sources continues. */
void cli_tell_sources_head(const CliArguments *arguments);

/*
 * A note for each source of `set`: its label, videos and frames, so that a mislabelled folder is
 * seen at once; notes of frames that were left out; warnings of duplicates, of labels that may be
 * wrong, and of what was passed over (cli_tell_skipped).
 */
void cli_tell_sources(const CliArguments *arguments, const char *set, const DataList *list);

/*
 * What was passed over beside the frames of `what`: ten rows by folder and suffix, and a line with
 * the sum. A warning if images or videos are among it, else a note.
 */
void cli_tell_skipped(const CliArguments *arguments, const char *what, const DataList *list);

#endif
