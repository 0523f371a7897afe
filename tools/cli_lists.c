/*
 * cli_lists.c - see cli_lists.h.
 */
#include "tools/cli_lists.h"

/* Adds what is wrong with one set to what is wrong with all. */
static void join_errors(Error *all, const Error *one)
{
    const int problems = all->problems + (one->problems > 0 ? one->problems : 1);
    const int kept = one->problems < ERROR_MAX_DETAILS ? one->problems : ERROR_MAX_DETAILS;
    for (int i = 0; i < kept; i++)
        error_detail(all, "%s", one->detail[i]);
    if (one->problems == 0)
        error_detail(all, "%s", one->message);
    all->problems = problems;
    all->status = one->status;
}

Status cli_read_sets(const CliSet *sets, int count, Error *error)
{
    int failed = 0;
    Error one, last = {0};
    for (int i = 0; i < count; i++) {
        error_clear(&one);
        if (data_list_read(sets[i].list, sets[i].lists, sets[i].count, &one) == STATUS_OK) {
            data_list_limit_frames(sets[i].list, sets[i].frames);
            continue;
        }
        join_errors(error, &one);
        last = one;
        failed++;
    }
    if (failed == 0)
        return STATUS_OK;
    if (failed > 1)
        return error_set(error, STATUS_FAILED,
                         "lists: %d problems in %d data sets; correct the lists", error->problems,
                         failed);
    *error = last;
    return last.status;
}

void cli_tell_sources_head(const CliArguments *arguments)
{
    cli_note(arguments, "%-16s %-24s %-5s %10s %10s", "set", "source", "label", "videos", "frames");
}

void cli_tell_sources(const CliArguments *arguments, const char *set, const DataList *list)
{
    for (int source = 0; source < list->source_count; source++) {
        unsigned videos = 0, frames = 0;
        int last_video = -1;
        for (int i = 0; i < list->count; i++) {
            if (list->frames[i].source != source)
                continue;
            frames++;
            videos += list->frames[i].video != last_video;
            last_video = list->frames[i].video;
        }
        cli_note(arguments, "%-16s %-24s %-5s %10s %10s", set, list->sources[source],
                 list->source_label[source] ? "fake" : "real", cli_count(videos),
                 cli_count(frames));
    }
    if (list->duplicates > 0)
        cli_warn("%s: %s lines name a frame that is there already; it counts once", set,
                 cli_count((unsigned)list->duplicates));
}
