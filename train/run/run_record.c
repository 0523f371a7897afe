/*
 * run_record.c - see run_record.h. Encoding is jansson's.
 */
#include "train/run/run_record.h"

#include "data/image/image.h"
#include "tensor/base/mem.h"
#include "tensor/base/text.h"
#include "tensor/gemm.h"
#include "tensor/kernels/kernels.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum { NAMED_IN_WORDS = 4 }; /* lists named in val_words; `json` names all */

void train_processor(char *out, size_t size)
{
    snprintf(out, size, "unknown");
    FILE *stream = fopen("/proc/cpuinfo", "r");
    char line[256];
    while (stream && fgets(line, sizeof line, stream)) {
        const char *colon = strncmp(line, "model name", 10) == 0 ? strchr(line, ':') : NULL;
        if (!colon)
            continue;
        line[strcspn(line, "\n")] = '\0';
        snprintf(out, size, "%s", colon + 1 + strspn(colon + 1, " "));
        break;
    }
    if (stream)
        fclose(stream);
}

/* A file name as JSON, with bytes that are not UTF-8 escaped. NULL if out of memory. */
static json_t *name_json(const char *name)
{
    char *text = text_printed(name);
    json_t *json = text ? json_string(text) : NULL;
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

/* The lists of one set; JSON null without a set. NULL if out of memory. */
static json_t *set_json(const DataList *list, const TrainListNames *names, const char *hash)
{
    if (!list)
        return json_null();
    int frames[2], videos[2];
    data_list_counts(list, frames, videos);
    json_t *lists = json_array();
    for (int i = 0; i < names->count; i++)
        if (json_array_append_new(lists, name_json(names->paths[i])) != 0) {
            json_decref(lists);
            return NULL;
        }
    return json_pack("{s:o, s:s, s:{s:i, s:i}, s:{s:i, s:i}}", "lists", lists, "hash", hash, "real",
                     "videos", videos[0], "frames", frames[0], "fake", "videos", videos[1],
                     "frames", frames[1]);
}

static char *record_json(const TrainJob *job, const TrainRecord *of)
{
    json_t *record = json_pack("{s:s, s:s, s:o, s:o, s:o}", "lnclip", LNCLIP_VERSION, "revision",
                               train_revision(), "machine", machine_json(), "train",
                               set_json(job->train, &job->train_names, of->train), "val",
                               set_json(job->val, &job->val_names, of->val));
    char *text = record ? json_dumps(record, 0) : NULL;
    json_decref(record);
    return text;
}

/* "a.txt, b.txt (640 frames of 20 videos, hash 0123...)". NULL if out of memory. */
static char *val_words(const TrainJob *job, const TrainRecord *of)
{
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    if (!stream)
        return NULL;
    const TrainListNames *names = &job->val_names;
    int frames[2], videos[2];
    data_list_counts(job->val, frames, videos);
    for (int i = 0; i < names->count && i < NAMED_IN_WORDS; i++) {
        fputs(i > 0 ? ", " : "", stream);
        text_print(stream, names->paths[i]);
    }
    if (names->count == 0)
        fputs("an unnamed list", stream);
    if (names->count > NAMED_IN_WORDS)
        fprintf(stream, " and %d more", names->count - NAMED_IN_WORDS);
    fprintf(stream, " (%d frames of %d videos, hash %s)", frames[0] + frames[1],
            videos[0] + videos[1], of->val);
    if (fclose(stream) == 0)
        return text;
    free(text);
    return NULL;
}

/*
 * Hashes the keys and values without the first line, the name of the built-in recipe, and without
 * the length of a run that can be extended.
 */
static Status hash_recipe(const TrainRecipe *recipe, char out[HASH_TEXT_SIZE], Error *error)
{
    TrainRecipe hashed = *recipe;
    if (train_recipe_can_be_extended(recipe)) {
        hashed.epochs = 1;
        hashed.max_steps = 0;
    }
    char *text = train_recipe_identity(&hashed);
    if (!text)
        return mem_full(0, "the text of the recipe", error);
    const char *keys = text + strcspn(text, "\n");
    Hash hash;
    hash_begin(&hash);
    hash_bytes(&hash, keys, strlen(keys));
    hash_end(&hash, out);
    free(text);
    return STATUS_OK;
}

/* Hashes the frozen parameters that an earlier adapter may have changed. */
static void hash_frozen(const Vit *vit, char out[HASH_TEXT_SIZE])
{
    Hash hash;
    hash_begin(&hash);
    for (int i = 0; i < vit->parameter_count; i++) {
        const VitParameter *parameter = &vit->parameters[i];
        const bool changed = parameter->kind == VIT_LAYER_NORM || parameter->adapted;
        if (changed && !parameter->tensor.needs_grad)
            hash_bytes(&hash, tensor_f32(&parameter->tensor),
                       tensor_count(&parameter->tensor) * sizeof(float));
    }
    hash_end(&hash, out);
}

Status train_record_create(TrainRecord *record, const TrainJob *job, Error *error)
{
    const Vit *vit = job->vit;
    char preprocessing[VIT_CONFIG_TEXT];
    *record = (TrainRecord){.decoders = data_image_decoders()};
    snprintf(record->base, sizeof record->base, "%s", vit->fingerprint);
    vit_config_describe_network(&vit->config, record->network);
    vit_config_describe_preprocessing(&vit->config, preprocessing);
    const size_t used = strlen(record->network);
    snprintf(record->network + used, sizeof record->network - used, ", %s", preprocessing);
    hash_frozen(vit, record->frozen);
    data_list_hash(job->train, record->train);
    if (job->val)
        data_list_hash(job->val, record->val);

    Status status = hash_recipe(job->recipe, record->recipe, error);
    if (status != STATUS_OK)
        goto done;
    record->json = record_json(job, record);
    record->val_words = job->val ? val_words(job, record) : NULL;
    if (!record->json || (job->val && !record->val_words))
        status = mem_full(0, "the record of the run", error);
done:
    if (status != STATUS_OK)
        train_record_free(record);
    return status;
}

void train_record_free(TrainRecord *record)
{
    free(record->json);
    free(record->val_words);
    *record = (TrainRecord){0};
}

void train_record_metadata(const TrainRecord *record, SafeTensorsMetadata keys[TRAIN_RECORD_KEYS])
{
    const SafeTensorsMetadata all[TRAIN_RECORD_KEYS] = {
        {"base_fingerprint", record->base},
        {"base_network", record->network},
        {"frozen_layer_norms", record->frozen},
        {"train_list", record->train},
        {"val_list", record->val},
        {"decoders", record->decoders},
        {"recipe", record->recipe},
    };
    memcpy(keys, all, sizeof all);
}
