/*
 * feature_cache.c - see feature_cache.h.
 */
#include "train/feature_cache.h"

#include "tensor/base/file.h"
#include "tensor/base/mem.h"
#include "tensor/safetensors.h"

#include <stdlib.h>
#include <string.h>

static const char FORMAT[] = "lnclip features 1";

static size_t list_bytes(const Vit *vit, const DataList *list)
{
    return list ? (size_t)list->count * vit_model_width(vit) * sizeof(float) : 0;
}

size_t train_feature_cache_bytes(const Vit *vit, const DataList *train, const DataList *val)
{
    return list_bytes(vit, train) + list_bytes(vit, val);
}

/*
 * Metadata that must match for saved features to be valid: the record without the recipe, which is
 * constant within a run, plus the images and the format.
 */
enum { KEYS = TRAIN_RECORD_KEYS + 1, IMAGES_SIZE = 17 };
static void origin_keys(const TrainRecord *record, const char *images,
                        SafeTensorsMetadata keys[KEYS])
{
    train_record_metadata(record, keys);
    keys[TRAIN_RECORD_KEYS - 1] = (SafeTensorsMetadata){"images", images};
    keys[TRAIN_RECORD_KEYS] = (SafeTensorsMetadata){"format", FORMAT};
}

/* Hash of size and times of every image, taken before it is read. `val` may be NULL. */
static void stamp_images(const DataList *train, const DataList *val, char images[IMAGES_SIZE])
{
    const DataList *lists[] = {train, val};
    XXH3_state_t state;
    XXH3_64bits_reset(&state);
    for (int l = 0; l < 2; l++)
        for (int i = 0; lists[l] && i < lists[l]->count; i++) {
            const uint64_t stamp = file_stamp(lists[l]->frames[i].file);
            XXH3_64bits_update(&state, &stamp, sizeof stamp);
        }
    snprintf(images, IMAGES_SIZE, "%016llx", (unsigned long long)XXH3_64bits_digest(&state));
}

/* Copies tensor `name` if it is F32 [count,D]. */
static bool copy_features(const SafeTensors *file, const char *name, const Vit *vit,
                          const DataList *list, float *target)
{
    if (!list)
        return true;
    const SafeTensor *tensor = safetensors_find(file, name);
    if (!tensor || tensor->dtype != DTYPE_F32 || tensor->ndim != 2 ||
        tensor->shape[0] != list->count || tensor->shape[1] != vit_model_width(vit))
        return false;
    memcpy(target, tensor->data, tensor->bytes);
    return true;
}

/* False if the file is missing or does not match; the features are then computed again. */
static bool read_cache(TrainFeatureCache *cache, const Vit *vit, const DataList *train,
                       const DataList *val, const TrainRecord *record, const char *images,
                       const char *path)
{
    SafeTensors *file = NULL;
    Error ignored = {0};
    if (!file_exists(path) || safetensors_open(&file, path, &ignored) != STATUS_OK)
        return false;
    SafeTensorsMetadata keys[KEYS];
    origin_keys(record, images, keys);
    bool same = true;
    for (int i = 0; i < KEYS; i++) {
        const char *found = safetensors_metadata(file, keys[i].key);
        same = same && found && strcmp(found, keys[i].value) == 0;
    }
    same = same && copy_features(file, "train", vit, train, cache->train) &&
           copy_features(file, "val", vit, val, cache->val);
    safetensors_close(file);
    return same;
}

/* The features of a list as a tensor [count,D], for safetensors_write. */
static SafeTensor matrix(const char *name, const Vit *vit, const DataList *list,
                         const float *features)
{
    return (SafeTensor){.name = name,
                        .dtype = DTYPE_F32,
                        .ndim = 2,
                        .shape = {list->count, vit_model_width(vit)},
                        .data = features,
                        .bytes = list_bytes(vit, list)};
}

static Status write_cache(const TrainFeatureCache *cache, const Vit *vit, const DataList *train,
                          const DataList *val, const TrainRecord *record, const char *images,
                          const char *path, Error *error)
{
    const SafeTensor tensors[2] = {
        matrix("train", vit, train, cache->train),
        matrix("val", vit, val ? val : train, cache->val), /* not written without validation */
    };
    SafeTensorsMetadata keys[KEYS];
    origin_keys(record, images, keys);
    return safetensors_write(path, tensors, val ? 2 : 1, keys, KEYS, error);
}

static Status compute(TrainFeatureCache *cache, const Vit *vit, const DataList *train,
                      const DataList *val, const TrainScoring *scoring, Threads *threads,
                      Error *error)
{
    TRY(train_score(vit, NULL, train, 0, scoring, threads, cache->train, NULL, error));
    if (val)
        TRY(train_score(vit, NULL, val, 0, scoring, threads, cache->val, NULL, error));
    return STATUS_OK;
}

Status train_feature_cache_fill(TrainFeatureCache *cache, const Vit *vit, const DataList *train,
                                const DataList *val, const TrainRecord *record, const char *folder,
                                const TrainScoring *scoring, Threads *threads, bool *from_file,
                                Error *error)
{
    char path[FILE_PATH_SIZE], images[IMAGES_SIZE];
    const char *what = "the features of all frames";
    *from_file = false;
    *cache = (TrainFeatureCache){0};
    Status status = STATUS_FAILED;
    if (!(cache->train = mem_new(list_bytes(vit, train), 1, what, error)) ||
        (val && !(cache->val = mem_new(list_bytes(vit, val), 1, what, error))))
        goto done;
    if (folder) {
        if ((status = file_join(path, folder, "features.safetensors", error)) != STATUS_OK)
            goto done;
        stamp_images(train, val, images);
        *from_file = read_cache(cache, vit, train, val, record, images, path);
    }
    status = *from_file ? STATUS_OK : compute(cache, vit, train, val, scoring, threads, error);
    if (status == STATUS_OK && folder && !*from_file)
        status = write_cache(cache, vit, train, val, record, images, path, error);
done:
    if (status != STATUS_OK)
        train_feature_cache_free(cache);
    return status;
}

void train_feature_cache_free(TrainFeatureCache *cache)
{
    free(cache->train);
    free(cache->val);
    *cache = (TrainFeatureCache){0};
}
