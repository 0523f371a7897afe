/*
 * sets_dfb.c - DeepfakeBench's JSON files, one per data set: {name: {label: {split: {[compression:]
 * {video: {"label": label, "frames": [path...], "masks": [...]}}}}}}.
 *
 * Paths in released files have backslashes and start in their authors' folders: --replace and
 * --root map them to local ones. A video's frames are compared with the contents of its folder,
 * which is read once.
 */
#include "data/sets/sets_build_private.h"
#include "data/sets/sets_text_private.h"
#include "tensor/base/mem.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* The complete label dictionary of DeepfakeBench's configuration. */
static const struct {
    const char *name;
    int label;
} LABELS[] = {
    {"DFD_fake", 1},       {"DFD_real", 0},       {"FF-SH", 1},          {"FF-F2F", 1},
    {"FF-DF", 1},          {"FF-FS", 1},          {"FF-NT", 1},          {"FF-FH", 1},
    {"FF-real", 0},        {"CelebDFv1_real", 0}, {"CelebDFv1_fake", 1}, {"CelebDFv2_real", 0},
    {"CelebDFv2_fake", 1}, {"DFDCP_Real", 0},     {"DFDCP_FakeA", 1},    {"DFDCP_FakeB", 1},
    {"DFDC_Fake", 1},      {"DFDC_Real", 0},      {"DF_fake", 1},        {"DF_real", 0},
    {"UADFV_Fake", 1},     {"UADFV_Real", 0},     {"roop_Real", 0},      {"roop_Fake", 1},
};

typedef struct Bench {
    DataSetsBuilder *builder;
    DataJson *json;
    const char *file;
    char at[600];                /* position in the file: "FF-DF / FF-real / train" */
    bool has_levels;             /* the file has compression levels */
    char folder[FILE_PATH_SIZE]; /* the last folder read, with its slash */
    DataListing listing;         /* its contents: images sorted bytewise */
    const char **frames;         /* [capacity] frames of one video; their text is in `scratch` */
    size_t capacity;
    MemPool scratch;
    bool placed;    /* builder->root is final */
    long long lost; /* missing frames of videos that have others */
    int lost_videos;
} Bench;

static Status other_shape(const Bench *bench, const char *what, Error *error)
{
    return error_set(error, STATUS_FAILED,
                     "%s: %s: %s; use a file of DeepfakeBench's rearrange step", bench->file,
                     bench->at, what);
}

/* 0, 1, or -1 for a name that is neither in the dictionary nor set by --real or --fake. */
static int find_label(const Bench *bench, const char *name)
{
    const DataSetsOptions *options = bench->builder->options;
    for (int i = 0; i < options->real_count; i++)
        if (strcmp(options->real[i], name) == 0)
            return 0;
    for (int i = 0; i < options->fake_count; i++)
        if (strcmp(options->fake[i], name) == 0)
            return 1;
    for (size_t i = 0; i < COUNT_OF(LABELS); i++)
        if (strcmp(LABELS[i].name, name) == 0)
            return LABELS[i].label;
    return -1;
}

/* ---- paths ----------------------------------------------------------------------------------- */

static void use_slashes(char *text)
{
    for (; *text; text++)
        *text = (char)(*text == '\\' ? '/' : *text);
}

/* Applies the first --replace OLD=NEW whose OLD the path begins with. */
static Status replace_prefix(const Bench *bench, char path[FILE_PATH_SIZE], Error *error)
{
    const DataSetsOptions *options = bench->builder->options;
    for (int i = 0; i < options->replace_count; i++) {
        char old[FILE_PATH_SIZE], rest[FILE_PATH_SIZE];
        const char *rule = options->replace[i], *equals = strchr(rule, '=');
        const size_t length = equals - rule;
        memcpy(old, rule, length);
        old[length] = '\0';
        use_slashes(old);
        if (strncmp(path, old, length) != 0)
            continue;
        const size_t rest_length = strlen(path + length), new_length = strlen(equals + 1);
        if (rest_length + new_length >= FILE_PATH_SIZE)
            return error_set(error, STATUS_FAILED,
                             "%.200s...: the path is too long; use a shorter "
                             "--replace",
                             path);
        memcpy(rest, path + length, rest_length + 1);
        memcpy(path, equals + 1, new_length);
        memcpy(path + new_length, rest, rest_length + 1);
        return STATUS_OK;
    }
    return STATUS_OK;
}

static Status check_rules(const DataSetsOptions *options, Error *error)
{
    for (int i = 0; i < options->replace_count; i++) {
        const char *equals = strchr(options->replace[i], '=');
        if (!equals || equals == options->replace[i] ||
            equals - options->replace[i] >= FILE_PATH_SIZE)
            return error_set(error, STATUS_USAGE,
                             "--replace %.200s: is not of the form OLD=NEW; give the prefix of the "
                             "paths in the file and its local replacement",
                             options->replace[i]);
    }
    return STATUS_OK;
}

/*
 * Without --root, sets builder->root to the first folder that has the first part of `path`: the
 * working folder, that of the file, or one above it; or datasets/rgb or datasets in one of these,
 * as in DeepfakeBench's own tree. If there is none, the root stays the working folder.
 */
static Status find_root(Bench *bench, const char *path, Error *error)
{
    static const char *const BELOW[] = {".", "datasets/rgb", "datasets"};
    DataSetsBuilder *builder = bench->builder;
    char top[FILE_PATH_SIZE], beside[FILE_PATH_SIZE];
    const size_t length = strcspn(path, "/");
    bench->placed = true;
    if (builder->rooted || length == 0)
        return STATUS_OK;
    memcpy(top, path, length);
    top[length] = '\0';
    TRY(file_join(beside, builder->root, bench->file, error));
    beside[file_name(beside) - beside] = '\0';
    for (int up = -1; up < 3; up++) {
        char base[FILE_PATH_SIZE], folder[FILE_PATH_SIZE], found[FILE_PATH_SIZE], real[PATH_MAX];
        TRY(file_join(base, up < 0 ? builder->root : beside,
                      up > 1   ? "../.."
                      : up > 0 ? ".."
                               : ".",
                      error));
        for (size_t i = 0; i < COUNT_OF(BELOW); i++) {
            TRY(file_join(folder, base, BELOW[i], error));
            TRY(file_join(found, folder, top, error));
            if (!file_exists(found) || !realpath(folder, real))
                continue;
            memcpy(builder->root, real, strlen(real) + 1);
            return STATUS_OK;
        }
    }
    return STATUS_OK;
}

/* Makes the absolute path of a frame: slashes, prefix, root; "./" dropped. */
static Status make_path(Bench *bench, const char *text, char path[FILE_PATH_SIZE], Error *error)
{
    const size_t length = strlen(text);
    if (length == 0 || length >= FILE_PATH_SIZE)
        return other_shape(bench, "a frame's path is empty or too long", error);
    memcpy(path, text, length + 1);
    use_slashes(path);
    TRY(replace_prefix(bench, path, error));
    size_t skip = 0;
    while (strncmp(path + skip, "./", 2) == 0)
        skip += 2;
    if (!bench->placed)
        TRY(find_root(bench, path + skip, error));
    return file_join(path, bench->builder->root, path + skip, error);
}

/* Sets *there if the frame exists; reads its folder unless it was the last one. */
static Status frame_exists(Bench *bench, const char *path, bool *there, Error *error)
{
    const char *name = file_name(path);
    const size_t length = name - path;
    if (strncmp(path, bench->folder, length) != 0 || bench->folder[length] != '\0') {
        bool found;
        data_listing_free(&bench->listing);
        memcpy(bench->folder, path, length);
        bench->folder[length] = '\0';
        TRY(data_listing_read(&bench->listing, bench->builder, bench->folder, &found, error));
        DataTexts *images = &bench->listing.images;
        if (images->count > 0)
            data_texts_sort_bytewise(images);
    }
    const DataTexts *images = &bench->listing.images;
    *there = data_texts_has(images, name);
    return STATUS_OK;
}

/* ---- videos ---------------------------------------------------------------------------------- */

/* Collects the existing frames of a video in bench->frames [*count]. */
static Status collect_frames(Bench *bench, const json_t *frames, size_t *count, Error *error)
{
    const size_t named = json_array_size(frames);
    TRY(mem_grow(&bench->frames, named, &bench->capacity, sizeof *bench->frames, bench->file,
                 error));
    *count = 0;
    for (size_t i = 0; i < named; i++) {
        const char *text = json_string_value(json_array_get(frames, i));
        char path[FILE_PATH_SIZE];
        bool there;
        if (!text)
            return other_shape(bench, "a frame is not a string", error);
        TRY(make_path(bench, text, path, error));
        TRY(frame_exists(bench, path, &there, error));
        if (!there)
            continue;
        bench->frames[*count] =
            mem_pool_text(&bench->scratch, path, strlen(path), bench->file, error);
        if (!bench->frames[(*count)++])
            return error->status;
    }
    if (*count > 0 && *count < named) {
        bench->lost += named - *count;
        bench->lost_videos++;
    }
    return STATUS_OK;
}

static Status add_video(Bench *bench, int source, const char *label, const char *name,
                        const json_t *video, Error *error)
{
    const json_t *frames = json_object_get(video, "frames");
    const json_t *own = json_object_get(video, "label");
    if (!json_is_array(frames))
        return other_shape(bench, "a video has no list of frames", error);
    if (own && (!json_is_string(own) || strcmp(json_string_value(own), label) != 0))
        return other_shape(bench, "a video's label differs from the label it is listed under",
                           error);
    size_t count;
    Status status = collect_frames(bench, frames, &count, error);
    if (status == STATUS_OK)
        status = data_sets_frames(bench->builder, source, name, bench->frames, count,
                                  json_array_size(frames) == 0 ? "the file names no frame"
                                                               : "none of its frames is there",
                                  error);
    mem_pool_free(&bench->scratch);
    return status;
}

static Status add_videos(Bench *bench, int source, const char *label, const json_t *videos,
                         Error *error)
{
    const char *name;
    json_t *node;
    json_object_foreach((json_t *)videos, name, node)
    {
        const json_t *video;
        TRY(data_json_value(bench->json, node, &video, error));
        TRY(add_video(bench, source, label, name, video, error));
    }
    return STATUS_OK;
}

/* ---- the outline ----------------------------------------------------------------------------- */

static bool is_level(const char *name)
{
    for (int i = 0; i < DATA_SETS_LEVELS; i++)
        if (strcmp(name, data_sets_levels[i]) == 0)
            return true;
    return false;
}

/*
 * Sets *any if the members of a split are compression levels, not videos; writes their names to
 * levels [size].
 */
static Status find_levels(Bench *bench, const json_t *split, char *levels, size_t size, bool *any,
                          Error *error)
{
    const char *name;
    json_t *node;
    *any = false;
    json_object_foreach((json_t *)split, name, node)
    {
        const json_t *value = NULL;
        if (is_level(name))
            TRY(data_json_value(bench->json, node, &value, error));
        *any |= json_is_object(value) && !json_object_get(value, "frames");
    }
    levels[0] = '\0';
    json_object_foreach((json_t *)split, name, node)
    {
        if (*any && !json_is_object(node))
            return other_shape(bench, "a compression level is not an object", error);
        if (strlen(levels) + strlen(name) + 3 < size)
            strcat(strcat(levels, levels[0] ? ", " : ""), name);
    }
    return STATUS_OK;
}

/* The name of the requested level: --compression, else the only one, else c23. */
static const char *choose_level(const Bench *bench, const json_t *split)
{
    const char *wanted = bench->builder->options->compression;
    if (wanted && (strcmp(wanted, "raw") == 0 || strcmp(wanted, "c0") == 0))
        return json_object_get(split, "c0") ? "c0" : "raw";
    if (wanted)
        return wanted;
    return json_object_size(split) == 1 ? json_object_iter_key(json_object_iter((json_t *)split))
                                        : "c23";
}

static Status read_split(Bench *bench, const char *label, int value, const char *name,
                         const json_t *node, Error *error)
{
    int number = 0, source;
    while (number < DATA_SPLITS && strcmp(data_split_names[number], name) != 0)
        number++;
    if (number == DATA_SPLITS)
        return other_shape(bench, "there is a split that is not train, val or test", error);
    const json_t *videos;
    TRY(data_json_value(bench->json, node, &videos, error));
    if (!json_is_object(videos))
        return other_shape(bench, "a split is not an object of videos", error);
    char levels[200];
    bool any;
    TRY(find_levels(bench, videos, levels, sizeof levels, &any, error));
    if (any) {
        const char *level = choose_level(bench, videos);
        node = json_object_get(videos, level);
        if (!node)
            return error_set(
                error, STATUS_FAILED,
                "%s: %s: has no compression level %s, but %s; choose one with --compression",
                bench->file, bench->at, level, levels);
        TRY(data_json_value(bench->json, node, &videos, error));
        bench->has_levels = true;
    }
    if (json_object_size(videos) == 0)
        return STATUS_OK;
    TRY(data_sets_source(bench->builder, (DataSplit)number, label, value, &source, error));
    return add_videos(bench, source, label, videos, error);
}

static Status read_label(Bench *bench, const char *set, const char *label, const json_t *node,
                         Error *error)
{
    const int number = find_label(bench, label);
    if (number < 0)
        return error_set(
            error, STATUS_FAILED,
            "%s: %s: the label %s is not in DeepfakeBench's dictionary; define it with "
            "--real %s or --fake %s",
            bench->file, set, label, label, label);
    snprintf(bench->at, sizeof bench->at, "%.200s / %.200s", set, label);
    const json_t *splits;
    TRY(data_json_value(bench->json, node, &splits, error));
    if (!json_is_object(splits))
        return other_shape(bench, "a label holds no splits", error);
    const char *name;
    json_t *split;
    json_object_foreach((json_t *)splits, name, split)
    {
        snprintf(bench->at, sizeof bench->at, "%.200s / %.200s / %.100s", set, label, name);
        TRY(read_split(bench, label, number, name, split, error));
    }
    return STATUS_OK;
}

static Status read_document(Bench *bench, Error *error)
{
    const char *set, *label;
    json_t *node, *splits;
    const json_t *document, *labels;
    TRY(data_json_value(bench->json, bench->json->outline, &document, error));
    if (!json_is_object(document) || json_object_size(document) == 0)
        return other_shape(bench, "there is no object of a data set", error);
    json_object_foreach((json_t *)document, set, node)
    {
        snprintf(bench->at, sizeof bench->at, "%.200s", set);
        TRY(data_json_value(bench->json, node, &labels, error));
        if (!json_is_object(labels) || json_object_size(labels) == 0)
            return other_shape(bench, "the data set holds no labels", error);
        json_object_foreach((json_t *)labels, label, splits)
            TRY(read_label(bench, set, label, splits, error));
    }
    return STATUS_OK;
}

Status data_sets_deepfakebench(DataSetsBuilder *builder, Error *error)
{
    TRY(check_rules(builder->options, error));
    const char *file = builder->options->file;
    Status status = STATUS_FAILED;
    Bench *bench = mem_new(1, sizeof *bench, file, error);
    DataJson *json = mem_new(1, sizeof *json, file, error);
    if (!bench || !json ||
        (status = data_json_open(json, file, builder->options->threads, error)) != STATUS_OK)
        goto done;
    *bench = (Bench){.builder = builder, .json = json, .file = file, .at = "the top"};
    status = read_document(bench, error);
    if (status == STATUS_OK && builder->options->compression && !bench->has_levels)
        status = error_set(error, STATUS_FAILED,
                           "%s: has no compression levels; remove --compression", file);
    if (bench->lost > 0)
        data_sets_warn(builder, "%lld frames of %d videos are named in the file but do not exist",
                       bench->lost, bench->lost_videos);
    data_listing_free(&bench->listing);
    mem_pool_free(&bench->scratch);
    free(bench->frames);
    data_json_close(json);
done:
    free(json);
    free(bench);
    return status;
}
