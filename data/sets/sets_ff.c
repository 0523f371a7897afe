/*
 * sets_ff.c - FaceForensics++ and DeepFakeDetection, which share one folder tree.
 *
 * Original layout: original_sequences/youtube/c23/frames/071,
 * manipulated_sequences/Deepfakes/c23/frames/071_054. Reference layout: real/071, DF/071_054. The
 * official splits are pairs of originals: a pair (a, b) means the reals a and b and, for each
 * method, the fakes a_b and b_a.
 */
#include "data/sets/sets_build_private.h"
#include "data/sets/sets_text_private.h"
#include "tensor/base/mem.h"

#include <stdlib.h>
#include <string.h>

static const char PUBLISHED[] = "github.com/ondyari/FaceForensics, folder dataset/splits";

/* Folders of the data set below the root. */
static const char *const BASES[] = {"FaceForensics++", "FaceForensics", "FF++", "FF", NULL};
static const char *const ORIGINAL[] = {"original_sequences", "manipulated_sequences", NULL};

typedef struct Method {
    const char *name;   /* name of the source, as in the method's own lists */
    const char *folder; /* folder in the original layout */
    const char *other;  /* alternative name in the reference layout */
    int label;
    bool optional; /* not reported if it does not exist */
} Method;

static const Method METHODS[] = {
    {"real", "original_sequences/youtube", "youtube", 0, false},
    {"DF", "manipulated_sequences/Deepfakes", "Deepfakes", 1, false},
    {"F2F", "manipulated_sequences/Face2Face", "Face2Face", 1, false},
    {"FS", "manipulated_sequences/FaceSwap", "FaceSwap", 1, false},
    {"NT", "manipulated_sequences/NeuralTextures", "NeuralTextures", 1, false},
    {"FSh", "manipulated_sequences/FaceShifter", "FaceShifter", 1, true},
};
enum { METHOD_COUNT = COUNT_OF(METHODS) };

/* ---- compression ----------------------------------------------------------------------------- */

/* Finds the folder of the compression level below `base`; raw and c0 are the same level. */
static Status find_level(DataSetsBuilder *builder, char out[FILE_PATH_SIZE], const char *base,
                         Error *error)
{
    const char *wanted = builder->options->compression ? builder->options->compression : "c23";
    const bool raw = strcmp(wanted, "raw") == 0 || strcmp(wanted, "c0") == 0;
    if (!raw && strcmp(wanted, "c23") != 0 && strcmp(wanted, "c40") != 0)
        return error_set(error, STATUS_USAGE,
                         "--compression %s: unknown level; use c23, c40 or raw", wanted);
    const char *other = NULL;
    for (int i = 0; i < DATA_SETS_LEVELS; i++) {
        TRY(file_join(out, base, data_sets_levels[i], error));
        if (!file_is_folder(out))
            continue;
        if (strcmp(wanted, data_sets_levels[i]) == 0 || (raw && i >= DATA_SETS_RAW))
            return STATUS_OK;
        other = data_sets_levels[i];
    }
    return error_set(error, STATUS_FAILED, "%s: has no folder %s; %s%s", base, wanted,
                     other ? "choose the existing level: --compression " : "check the folder",
                     other ? other : "");
}

/* ---- splits ---------------------------------------------------------------------------------- */

/* The originals of all splits, to detect a video in two of them. */
typedef struct Original {
    const char *name;
    DataSplit split;
} Original;

typedef struct Splits {
    json_t *pairs[DATA_SPLITS];
    Original *originals; /* [count] */
    size_t count;
} Splits;

static void free_splits(Splits *splits)
{
    for (int i = 0; i < DATA_SPLITS; i++)
        json_decref(splits->pairs[i]);
    free(splits->originals);
}

static bool is_video_name(const json_t *name)
{
    const char *text = json_string_value(name);
    return text && text[0] && text[0] != '.' && strlen(text) < 100 && !strpbrk(text, "/\\\n\r");
}

/* Checks that `pairs` is a non-empty list of pairs of two different names. */
static Status check_pairs(const char *path, const json_t *pairs, Error *error)
{
    size_t i;
    const json_t *pair;
    if (!json_is_array(pairs) || json_array_size(pairs) == 0)
        return error_set(error, STATUS_FAILED,
                         "%s: is not a list of pairs; use FaceForensics++'s own file (%s)", path,
                         PUBLISHED);
    json_array_foreach(pairs, i, pair)
    {
        const json_t *a = json_array_get(pair, 0), *b = json_array_get(pair, 1);
        if (json_array_size(pair) != 2 || !is_video_name(a) || !is_video_name(b) ||
            json_equal(a, b))
            return error_set(error, STATUS_FAILED,
                             "%s: entry %zu is not a pair of names such as [\"071\", \"054\"]; use "
                             "FaceForensics++'s own file (%s)",
                             path, i + 1, PUBLISHED);
    }
    return STATUS_OK;
}

/* Finds train.json, val.json or test.json: in --splits, else next to the data. */
static Status find_split(const DataSetsBuilder *builder, const char *base, const char *name,
                         char path[FILE_PATH_SIZE], Error *error)
{
    static const char *const SUBFOLDERS[] = {"", "splits", "dataset/splits"};
    char file[16], folder[FILE_PATH_SIZE];
    snprintf(file, sizeof file, "%s.json", name);
    const char *given = builder->options->splits;
    const char *candidates[] = {given ? given : base, given ? given : builder->root};
    for (int i = 0; i < 2; i++) {
        for (int j = 0; j < 3; j++) {
            TRY(file_join(folder, candidates[i], SUBFOLDERS[j], error));
            TRY(file_join(path, folder, file, error));
            if (file_exists(path))
                return STATUS_OK;
        }
    }
    return error_set(
        error, STATUS_FAILED,
        "%s: the split file %s is missing; get train.json, val.json and test.json from %s, "
        "and name their folder with --splits",
        given ? given : base, file, PUBLISHED);
}

static int compare_originals(const void *a, const void *b)
{
    return strcmp(((const Original *)a)->name, ((const Original *)b)->name);
}

/* Refuses duplicate originals: training on a pair of another split would leak into the test. */
static Status check_originals(Splits *splits, Error *error)
{
    for (int i = 0; i < DATA_SPLITS; i++)
        splits->count += 2 * json_array_size(splits->pairs[i]);
    splits->originals = mem_new(splits->count, sizeof *splits->originals, "the splits", error);
    if (!splits->originals)
        return error->status;
    size_t n = 0;
    for (int s = 0; s < DATA_SPLITS; s++)
        for (size_t i = 0; i < 2 * json_array_size(splits->pairs[s]); i++)
            splits->originals[n++] = (Original){
                json_string_value(json_array_get(json_array_get(splits->pairs[s], i / 2), i % 2)),
                (DataSplit)s};
    qsort(splits->originals, n, sizeof *splits->originals, compare_originals);
    for (size_t i = 1; i < n; i++) {
        const Original *a = &splits->originals[i - 1], *b = &splits->originals[i];
        if (strcmp(a->name, b->name) == 0)
            return error_set(error, STATUS_FAILED,
                             "splits: the video %s is in %s.json and again in %s.json; use "
                             "FaceForensics++'s own files (%s)",
                             a->name, data_split_names[a->split], data_split_names[b->split],
                             PUBLISHED);
    }
    return STATUS_OK;
}

static Status read_splits(DataSetsBuilder *builder, const char *base, Splits *splits, Error *error)
{
    static const size_t OFFICIAL[DATA_SPLITS] = {360, 70, 70};
    char paths[DATA_SPLITS][FILE_PATH_SIZE];
    for (int i = 0; i < DATA_SPLITS; i++)
        TRY(find_split(builder, base, data_split_names[i], paths[i], error));
    for (int i = 0; i < DATA_SPLITS; i++) {
        TRY(data_json_read(paths[i], &splits->pairs[i], error));
        TRY(check_pairs(paths[i], splits->pairs[i], error));
        const size_t pairs = json_array_size(splits->pairs[i]);
        if (pairs != OFFICIAL[i])
            data_sets_warn(builder, "%s: has %zu pairs, where the official split has %zu", paths[i],
                           pairs, OFFICIAL[i]);
    }
    return check_originals(splits, error);
}

/* ---- FaceForensics++ ------------------------------------------------------------------------- */

/* Finds the folder whose subfolders are the videos of `method`; "" if there is none. */
static Status find_method(DataSetsBuilder *builder, char container[FILE_PATH_SIZE],
                          const char *base, const Method *method, bool original, bool *there,
                          Error *error)
{
    char folder[FILE_PATH_SIZE];
    if (original) {
        TRY(file_join(folder, base, method->folder, error));
        if (!file_is_folder(folder))
            folder[0] = '\0';
    } else {
        TRY(data_find_folder(folder, base, method->name, error));
        if (folder[0] == '\0')
            TRY(data_find_folder(folder, base, method->other, error));
    }
    *there = folder[0] != '\0';
    container[0] = '\0';
    if (!*there)
        return STATUS_OK;
    char level[FILE_PATH_SIZE];
    memcpy(level, folder, strlen(folder) + 1);
    if (original)
        TRY(find_level(builder, level, folder, error));
    return data_find_container(builder, container, level, error);
}

/* Adds the videos of one pair: two reals, or two fakes. */
static Status add_pair(DataSetsBuilder *builder, int source, const char *container,
                       const Method *method, const json_t *pair, Error *error)
{
    const char *a = json_string_value(json_array_get(pair, 0));
    const char *b = json_string_value(json_array_get(pair, 1));
    char first[256], second[256];
    snprintf(first, sizeof first, method->label ? "%s_%s" : "%s", a, b);
    snprintf(second, sizeof second, method->label ? "%s_%s" : "%s", b, a);
    TRY(data_sets_contained(builder, source, container, first, error));
    return data_sets_contained(builder, source, container, second, error);
}

static Status add_method(DataSetsBuilder *builder, const char *base, const Method *method,
                         bool original, const Splits *splits, Error *error)
{
    char container[FILE_PATH_SIZE];
    bool there;
    TRY(find_method(builder, container, base, method, original, &there, error));
    if (!there && method->optional)
        return STATUS_OK;
    for (int split = 0; split < DATA_SPLITS; split++) {
        int source;
        size_t i;
        const json_t *pair;
        TRY(data_sets_source(builder, (DataSplit)split, method->name, method->label, &source,
                             error));
        json_array_foreach(splits->pairs[split], i, pair)
            TRY(add_pair(builder, source, container, method, pair, error));
    }
    if (!there)
        data_sets_warn(builder, "%s (%s): the folder does not exist", method->name, method->folder);
    return STATUS_OK;
}

Status data_sets_ff(DataSetsBuilder *builder, Error *error)
{
    const char *reference[2 * METHOD_COUNT + 1] = {NULL};
    for (int i = 0; i < METHOD_COUNT; i++) {
        reference[2 * i] = METHODS[i].name;
        reference[2 * i + 1] = METHODS[i].other;
    }
    char base[FILE_PATH_SIZE];
    TRY(data_find_base(base, builder->root, BASES, ORIGINAL, error));
    const bool original = base[0] != '\0';
    if (!original)
        TRY(data_find_base(base, builder->root, BASES, reference, error));
    if (base[0] == '\0')
        return data_sets_wrong_root(builder,
                                    "original_sequences and manipulated_sequences, or real, DF, "
                                    "F2F, FS and NT",
                                    error);
    if (!original && builder->options->compression)
        return error_set(
            error, STATUS_FAILED,
            "%s: this layout (SOURCE/VIDEO/FRAME) has no folder of a compression level; "
            "remove --compression",
            base);
    Splits splits = {0};
    Status status = read_splits(builder, base, &splits, error);
    for (int i = 0; i < METHOD_COUNT && status == STATUS_OK; i++)
        status = add_method(builder, base, &METHODS[i], original, &splits, error);
    free_splits(&splits);
    return status;
}

/* ---- DeepFakeDetection ----------------------------------------------------------------------- */

Status data_sets_dfd(DataSetsBuilder *builder, Error *error)
{
    static const struct {
        const char *name, *folders[3];
        int label, published;
    } SOURCES[] = {
        {"real",
         {"original_sequences/actors", "manipulated_sequences/DeepFakeDetection_original", NULL},
         0,
         363},
        {"fake", {"manipulated_sequences/DeepFakeDetection", NULL, NULL}, 1, 3068},
    };
    static const char *const MARKS[] = {"original_sequences/actors",
                                        "manipulated_sequences/DeepFakeDetection", NULL};
    static const char *const PLAIN[] = {"real", "fake", NULL};
    static const char *const PLAIN_BASES[] = {"DFD", "DeepFakeDetection", NULL};
    DataSplit split;
    TRY(data_sets_split(builder, &split, error));
    char base[FILE_PATH_SIZE], folder[FILE_PATH_SIZE], level[FILE_PATH_SIZE];
    TRY(data_find_base(base, builder->root, BASES, MARKS, error));
    const bool original = base[0] != '\0';
    if (!original)
        TRY(data_find_base(base, builder->root, PLAIN_BASES, PLAIN, error));
    if (base[0] == '\0')
        return data_sets_wrong_root(builder,
                                    "original_sequences/actors and "
                                    "manipulated_sequences/DeepFakeDetection, or real and fake",
                                    error);
    for (int i = 0; i < 2; i++) {
        int source;
        TRY(data_sets_source(builder, split, SOURCES[i].name, SOURCES[i].label, &source, error));
        bool there = false;
        for (int f = 0; !there && (original ? SOURCES[i].folders[f] != NULL : f == 0); f++) {
            TRY(file_join(folder, base, original ? SOURCES[i].folders[f] : SOURCES[i].name, error));
            there = file_is_folder(folder);
        }
        if (!there) {
            data_sets_warn(builder, "%s: none of its folders exists", SOURCES[i].name);
            continue;
        }
        memcpy(level, folder, strlen(folder) + 1);
        if (original)
            TRY(find_level(builder, level, folder, error));
        TRY(data_sets_discover(builder, source, level, NULL, NULL, error));
        data_sets_expect(builder, SOURCES[i].name, SOURCES[i].published);
    }
    return STATUS_OK;
}
