/*
 * run_record.c - see run_record.h. Encoding is jansson's.
 */
#include "train/run/run_record.h"

#include "tensor/base/text.h"
#include "tensor/gemm.h"
#include "tensor/kernels/kernels.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum { NAMED_IN_WORDS = 4 }; /* lists; of more, the record has the rest */

void train_processor(char *out, size_t size)
{
    snprintf(out, size, "unknown");
    FILE *const stream = fopen("/proc/cpuinfo", "r");
    char line[256];
    while (stream && fgets(line, sizeof line, stream)) {
        const char *const colon = strncmp(line, "model name", 10) == 0 ? strchr(line, ':') : NULL;
        if (!colon)
            continue;
        line[strcspn(line, "\n")] = '\0';
        snprintf(out, size, "%s", colon + 1 + strspn(colon + 1, " "));
        break;
    }
    if (stream)
        fclose(stream);
}

/* File names need not be UTF-8, JSON must be. NULL without memory. */
static json_t *name_json(const char *name)
{
    char *const text = text_printed(name);
    json_t *const json = text ? json_string(text) : NULL;
    free(text);
    return json;
}

static json_t *machine_json(void)
{
    char processor[256];
    train_processor(processor, sizeof processor);
    return json_pack("{s:o, s:s, s:s, s:s}", "processor", name_json(processor), "kernels",
                     kernels()->name, "blas", gemm_library(), "core", gemm_core());
}

/* The lists of one set; null without one. NULL without memory. */
static json_t *set_json(const DataList *list, const TrainListNames *names, const char *hash)
{
    if (!list)
        return json_null();
    int frames[2], videos[2];
    data_list_counts(list, frames, videos);
    json_t *const lists = json_array();
    for (int i = 0; i < names->count; i++)
        if (json_array_append_new(lists, name_json(names->paths[i])) != 0) {
            json_decref(lists);
            return NULL;
        }
    return json_pack("{s:o, s:s, s:{s:i, s:i}, s:{s:i, s:i}}", "lists", lists, "hash", hash, "real",
                     "videos", videos[0], "frames", frames[0], "fake", "videos", videos[1],
                     "frames", frames[1]);
}

static char *record_json(const TrainJob *job, const TrainOrigin *origin)
{
    json_t *const record = json_pack(
        "{s:s, s:s, s:o, s:o, s:o}", "lnclip", LNCLIP_VERSION, "revision", train_revision(),
        "machine", machine_json(), "train", set_json(job->train, &job->train_names, origin->train),
        "val", set_json(job->val, &job->val_names, origin->val));
    char *const text = record ? json_dumps(record, 0) : NULL;
    json_decref(record);
    return text;
}

/* "a.txt, b.txt (640 frames of 20 videos, hash 0123...)". NULL without memory. */
static char *val_words(const TrainJob *job, const TrainOrigin *origin)
{
    char *text = NULL;
    size_t size = 0;
    FILE *const stream = open_memstream(&text, &size);
    if (!stream)
        return NULL;
    const TrainListNames *const names = &job->val_names;
    int frames[2], videos[2];
    data_list_counts(job->val, frames, videos);
    for (int i = 0; i < names->count && i < NAMED_IN_WORDS; i++) {
        fputs(i > 0 ? ", " : "", stream);
        text_print(stream, names->paths[i]);
    }
    if (names->count == 0)
        fputs("a list without a name", stream);
    if (names->count > NAMED_IN_WORDS)
        fprintf(stream, " and %d more", names->count - NAMED_IN_WORDS);
    fprintf(stream, " (%d frames of %d videos, hash %s)", frames[0] + frames[1],
            videos[0] + videos[1], origin->val);
    if (fclose(stream) == 0)
        return text;
    free(text);
    return NULL;
}

Status train_run_record_create(TrainRunRecord *record, const TrainJob *job,
                               const TrainOrigin *origin, Error *error)
{
    *record = (TrainRunRecord){.json = record_json(job, origin),
                               .val = job->val ? val_words(job, origin) : NULL};
    if (record->json && (record->val || !job->val))
        return STATUS_OK;
    train_run_record_free(record);
    return error_set(error, STATUS_FAILED,
                     "training: no memory for its record; close other "
                     "programs");
}

void train_run_record_free(TrainRunRecord *record)
{
    free(record->json);
    free(record->val);
    *record = (TrainRunRecord){0};
}
