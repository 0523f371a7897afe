/*
 * sets_collect.c - a JSON file of DeepfakeBench given in place of a list: the frames of one of its
 * splits.
 */
#include "data/lists/list_collect_private.h"
#include "data/sets/sets.h"

#include <assert.h>
#include <string.h>

static const DataSetsKind *find_kind(const char *name)
{
    int count;
    const DataSetsKind *kinds = data_sets_kinds(&count);
    for (int i = 0; i < count; i++)
        if (strcmp(kinds[i].name, name) == 0)
            return &kinds[i];
    assert(0 && "a known kind");
    return NULL;
}

/* Adds the frames of one source. *missing counts its videos without any. */
static Status add_source(DataCollection *collection, const char *file, const DataSetsSource *source,
                         int *missing, Error *error)
{
    const char *name =
        mem_pool_text(collection->pool, source->name, strlen(source->name), file, error);
    if (!name)
        return error->status;
    for (int v = 0; v < source->count; v++) {
        const DataSetsVideo *video = &source->videos[v];
        *missing += video->count == 0;
        for (int i = 0; i < video->count; i++)
            TRY(data_collect_frame(collection, file, video->frames[i], name, source->label, error));
    }
    return STATUS_OK;
}

static Status add_split(DataCollection *collection, const char *file, const DataSets *sets,
                        Error *error)
{
    const bool all = collection->split == DATA_SPLITS;
    const char *split = all ? "any" : data_split_names[collection->split];
    int missing = 0, videos = 0;
    const int before = collection->entries.count;
    for (int i = 0; i < sets->count; i++) {
        if (!all && sets->sources[i].split != collection->split)
            continue;
        videos += sets->sources[i].count;
        TRY(add_source(collection, file, &sets->sources[i], &missing, error));
    }
    if (collection->entries.count == before)
        return error_set(error, STATUS_FAILED,
                         "%s: has no frames in its split %s; make lists of the others with lnclip "
                         "lists deepfakebench %s --out DIR, and name them",
                         file, split, file);
    TRY(data_collect_note(collection, false, error, "%s: the split %s of a DeepfakeBench file",
                          file, split));
    if (missing == 0)
        return STATUS_OK;
    return data_collect_note(collection, true, error,
                             "%s: %d of %d videos are missing; lnclip lists deepfakebench %s --out "
                             "DIR names them",
                             file, missing, videos, file);
}

Status data_collect_json(DataCollection *collection, const char *file, Error *error)
{
    DataSets sets;
    Error reason = {0};
    const DataSetsOptions options = {.file = file};
    if (data_sets_read(&sets, find_kind("deepfakebench"), &options, &reason) != STATUS_OK)
        return error_set(error, reason.status, "%s", reason.message);
    Status status = add_split(collection, file, &sets, error);
    for (int i = 0; i < sets.warning_count && status == STATUS_OK; i++)
        if (strstr(sets.warnings[i], "do not exist"))
            status = data_collect_note(collection, true, error, "%s", sets.warnings[i]);
    data_sets_free(&sets);
    return status;
}
