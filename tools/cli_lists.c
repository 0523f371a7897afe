/*
 * cli_lists.c - see cli_lists.h.
 */
#include "tools/cli_lists.h"

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
