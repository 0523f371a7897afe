/*
 * cli_lists.c - see cli_lists.h.
 */
#include "tools/cli/cli_lists.h"

#include "tensor/base/arithmetic.h"
#include "tensor/base/mem.h"

#include <stdlib.h>
#include <string.h>

/* Adds the problems of one set to those of all sets. */
static void join_errors(Error *all, const Error *one)
{
    const int problems = all->problems + max_int(one->problems, 1);
    const int kept = min_int(one->problems, ERROR_MAX_DETAILS);
    for (int i = 0; i < kept; i++)
        error_detail(all, "%s", one->detail[i]);
    if (one->problems == 0)
        error_detail(all, "%s", one->message);
    all->problems = problems;
    all->status = one->status;
}

DataFrameChoice cli_frame_choice_expect(const char *text)
{
    for (int i = 0; text && data_frame_choice_name(i); i++)
        if (strcmp(text, data_frame_choice_name(i)) == 0)
            return (DataFrameChoice)i;
    if (text)
        exit(cli_finish(
            cli_usage_error("--frame-choice %s: unknown choice; use even or random", text)));
    return DATA_FRAMES_EVEN;
}

Status cli_label_parse(const char *text, DataSourceLabel *label, Error *error)
{
    const char *equals = strrchr(text, '=');
    const bool real = equals && strcmp(equals, "=real") == 0;
    if (!equals || equals == text || !(real || strcmp(equals, "=fake") == 0))
        return error_set(error, STATUS_USAGE,
                         "--label %s: is not of the form NAME=real or NAME=fake; give the name of "
                         "a source",
                         text);
    char *name = mem_print("a label", error, "%.*s", (int)(equals - text), text);
    if (!name)
        return error->status;
    *label = (DataSourceLabel){.source = name, .label = !real};
    return STATUS_OK;
}

/* STATUS_USAGE for a --label whose source is in no set: a typing error. */
static Status check_labels(const CliSet *sets, int count, const DataSourceLabel *labels,
                           int label_count, Error *error)
{
    enum { MOST = 64 };
    const char *names[MOST];
    int known = 0;
    for (int s = 0; s < count; s++)
        for (int i = 0; i < sets[s].list->source_count && known < MOST; i++)
            names[known++] = sets[s].list->sources[i];
    for (int l = 0; l < label_count; l++) {
        if (labels[l].used)
            continue;
        const char *nearest = cli_nearest(labels[l].source, names, known);
        if (nearest)
            return error_set(error, STATUS_USAGE,
                             "--label %s: no list has a source of this name; did you mean '%s'?",
                             labels[l].source, nearest);
        return error_set(error, STATUS_USAGE,
                         "--label %s: no list has a source of this name; sources are the folders "
                         "above those of the videos",
                         labels[l].source);
    }
    return STATUS_OK;
}

/* Reads one set and selects its frames. */
static Status read_set(const CliSet *set, DataSourceLabel *labels, int label_count, Error *error)
{
    const CliFrames *frames = &set->frames;
    TRY(data_list_read_labelled(set->list, set->lists, set->count, set->split, labels, label_count,
                                error));
    Status status =
        data_list_choose_frames(set->list, frames->a_video, frames->choice, frames->seed, error);
    if (status == STATUS_OK)
        status = data_list_limit_ratio(set->list, frames->limit, frames->seed, error);
    if (status != STATUS_OK)
        data_list_free(set->list);
    return status;
}

Status cli_read_sets(const CliSet *sets, int count, const CliStrings *labels, Error *error)
{
    int failed = 0, label_count = 0;
    Error one, last = {0};
    Status status = STATUS_OK;
    DataSourceLabel *given = mem_new(labels->count, sizeof *given, "the labels of sources", error);
    if (!given)
        return error->status;
    for (; label_count < labels->count; label_count++) {
        status = cli_label_parse(labels->items[label_count], &given[label_count], error);
        if (status != STATUS_OK)
            goto done;
    }
    for (int i = 0; i < count; i++) {
        error_clear(&one);
        if (read_set(&sets[i], given, label_count, &one) == STATUS_OK)
            continue;
        join_errors(error, &one);
        last = one;
        failed++;
    }
    if (failed > 1) {
        status =
            error_set(error, STATUS_FAILED, "lists: %d problems in %d data sets; correct the lists",
                      error->problems, failed);
    } else if (failed == 1) {
        *error = last;
        status = last.status;
    } else {
        status = check_labels(sets, count, given, label_count, error);
    }
done:
    for (int i = 0; i < label_count; i++)
        free((char *)given[i].source);
    free(given);
    return status;
}

void cli_print_sources_head(const CliArguments *arguments)
{
    cli_note(arguments, "%-16s %-24s %-5s %10s %10s", "set", "source", "label", "videos", "frames");
}

/*
 * Counts videos and frames of each source [source_count]. A video belongs to the source of its
 * first frame. False without memory.
 */
static bool count_sources(const DataList *list, unsigned *videos, unsigned *frames)
{
    bool *seen = calloc(list->video_count + 1, sizeof *seen);
    for (int i = 0; seen && i < list->count; i++) {
        const DataFrame *frame = &list->frames[i];
        frames[frame->source]++;
        videos[frame->source] += !seen[frame->video];
        seen[frame->video] = true;
    }
    free(seen);
    return seen != NULL;
}

void cli_print_skipped(const CliArguments *arguments, const char *what, const DataList *list)
{
    enum { SHOWN = 10 };
    unsigned all = 0;
    bool lost = false; /* files that were possibly meant as frames */
    for (int i = 0; i < list->skipped_count; i++) {
        all += (unsigned)list->skipped[i].count;
        lost |= list->skipped[i].reason == DATA_SKIP_FORMAT ||
                list->skipped[i].reason == DATA_SKIP_VIDEO;
    }
    if (all == 0 || (arguments->quiet && !lost))
        return;
    for (int i = 0; i < list->skipped_count && i < SHOWN; i++) {
        char text[512];
        data_skipped_describe(&list->skipped[i], text, sizeof text);
        fputs("  ", stderr);
        cli_print_escaped(stderr, text);
        putc('\n', stderr);
    }
    if (list->skipped_count > SHOWN)
        fprintf(stderr, "  ... and %d more such rows\n", list->skipped_count - SHOWN);
    if (lost)
        cli_warn("%s: skipped %s other files and folders, among them images or videos that cannot "
                 "be read",
                 what, cli_count(all));
    else
        cli_note(arguments, "%s: skipped %s other files and folders", what, cli_count(all));
}

void cli_print_sources(const CliArguments *arguments, const char *set, const DataList *list)
{
    unsigned *counts = calloc(2 * (size_t)list->source_count + 1, sizeof *counts);
    unsigned *frames = counts ? counts + list->source_count : NULL;
    const bool counted = counts && count_sources(list, counts, frames);
    for (int source = 0; counted && source < list->source_count; source++)
        cli_note(arguments, "%-16s %-24s %-5s %10s %10s", set, list->sources[source],
                 list->source_label[source] ? "fake" : "real", cli_count(counts[source]),
                 cli_count(frames[source]));
    free(counts);
    for (int i = 0; i < list->note_count; i++) {
        if (list->notes[i].warning)
            cli_warn("%s: %s", set, list->notes[i].text);
        else
            cli_note(arguments, "%s: %s", set, list->notes[i].text);
    }
    for (int source = 0; source < list->source_count; source++)
        if (list->source_doubt[source])
            cli_warn(
                "%s: source %s is assumed to be fake, but %s; if it is real, give --label %s=real",
                set, list->sources[source], list->source_doubt[source], list->sources[source]);
    if (list->left_out > 0)
        cli_note(arguments, "%s: %s of %s frames are used, %s are not", set,
                 cli_count((unsigned)list->count),
                 cli_count((unsigned)list->count + (unsigned)list->left_out),
                 cli_count((unsigned)list->left_out));
    if (list->duplicates > 0)
        cli_warn("%s: %s lines repeat a frame; each frame counts once", set,
                 cli_count((unsigned)list->duplicates));
    cli_print_skipped(arguments, set, list);
}
