/*
 * sets_dfdc.c - DFDC (metadata.json in every train part; labels.csv or metadata.json for validation
 * and test) and its preview (dataset.json).
 *
 * In labels.csv, and for is_fake in the test's metadata.json, 1 means fake. The preview has no
 * validation part; its test part is not used for validation.
 */
#include "data/lists/list_table.h"
#include "data/sets/sets_build_private.h"
#include "data/sets/sets_text_private.h"
#include "tensor/base/csv.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char *const NAMES[] = {"real", "fake"};

/*
 * The name of a video: the last part of `path` without the suffix of a video. False if there is
 * none.
 */
static bool read_stem(char stem[FILE_PATH_SIZE], const char *path)
{
    const char *name = file_name(path);
    size_t length;
    data_is_video(name, &length);
    if (length == 0 || length >= FILE_PATH_SIZE || name[0] == '.' || strpbrk(name, "\\\n\r"))
        return false;
    memcpy(stem, name, length);
    stem[length] = '\0';
    return true;
}

/* 0 real, 1 fake, -1 anything else. */
static int read_label(const json_t *label)
{
    const char *text = json_string_value(label);
    for (int i = 0; text && i < 2; i++)
        if (strcasecmp(text, NAMES[i]) == 0)
            return i;
    return -1;
}

/* ---- DFDC: train parts ----------------------------------------------------------------------- */

static Status bad_entry(const char *path, const char *key, const char *what, Error *error)
{
    return error_set(error, STATUS_FAILED,
                     "%s: %.200s: %s; use the file that comes with the data set", path, key, what);
}

static Status read_split(const char *path, const char *key, const json_t *value, DataSplit *split,
                         Error *error)
{
    const char *text = json_string_value(value);
    if (!value || (text && strcasecmp(text, "train") == 0))
        *split = DATA_TRAIN;
    else if (text && (strcasecmp(text, "val") == 0 || strcasecmp(text, "validation") == 0))
        *split = DATA_VAL;
    else if (text && strcasecmp(text, "test") == 0)
        *split = DATA_TEST;
    else
        return bad_entry(path, key, "its split is not train, validation or test", error);
    return STATUS_OK;
}

/*
 * The label of an entry: "label": "FAKE", or "is_fake": 1; -1 without either, or if they are
 * contradictory.
 */
static int read_entry_label(const json_t *entry)
{
    const json_t *is_fake = json_object_get(entry, "is_fake");
    const json_t *label = json_object_get(entry, "label");
    int fake = -1;
    if (json_is_boolean(is_fake))
        fake = json_is_true(is_fake);
    else if (json_is_integer(is_fake) && json_integer_value(is_fake) >= 0 &&
             json_integer_value(is_fake) <= 1)
        fake = (int)json_integer_value(is_fake);
    else if (is_fake)
        return -1;
    if (!label)
        return fake;
    return fake < 0 || fake == read_label(label) ? read_label(label) : -1;
}

/*
 * Adds the videos of a train part, {"x.mp4": {"label": "FAKE", "split": "train", ...}}, or of the
 * test, {"x.mp4": {"is_fake": 1, ...}}. A video without "split" belongs to `usual`.
 */
static Status read_metadata(DataSetsBuilder *builder, const char *part, const char *path,
                            const json_t *document, DataSplit usual, Error *error)
{
    char container[FILE_PATH_SIZE], stem[FILE_PATH_SIZE];
    const char *key;
    json_t *entry;
    if (!json_is_object(document))
        return error_set(error, STATUS_FAILED,
                         "%s: is not an object of videos; use the file that comes with DFDC", path);
    TRY(data_find_container(builder, container, part, error));
    json_object_foreach((json_t *)document, key, entry)
    {
        const int label = read_entry_label(entry);
        DataSplit split = json_object_get(entry, "is_fake") && usual == DATA_TRAIN
                              ? DATA_TEST /* the test's file, in a root that has only the test */
                              : usual;
        int source;
        if (label < 0)
            return bad_entry(path, key, "has no label REAL or FAKE, and no is_fake 0 or 1", error);
        if (!read_stem(stem, key))
            return bad_entry(path, key, "is not the name of a video", error);
        if (json_object_get(entry, "split"))
            TRY(read_split(path, key, json_object_get(entry, "split"), &split, error));
        TRY(data_sets_source(builder, split, NAMES[label], label, &source, error));
        TRY(data_sets_contained(builder, source, container, stem, error));
    }
    return STATUS_OK;
}

/* Reads metadata.json of `folder`, if it exists. */
static Status read_part(DataSetsBuilder *builder, const char *folder, DataSplit usual, bool *found,
                        Error *error)
{
    char path[FILE_PATH_SIZE];
    TRY(file_join(path, folder, "metadata.json", error));
    *found = file_exists(path);
    if (!*found)
        return STATUS_OK;
    json_t *document;
    TRY(data_json_read(path, &document, error));
    const Status status = read_metadata(builder, folder, path, document, usual, error);
    json_decref(document);
    return status;
}

/* True for folders of frames or of other splits: they contain no train part. */
static bool is_other(const char *name)
{
    static const char *const OTHERS[] = {"test", "validation", "val", "frames", "videos"};
    for (size_t i = 0; i < COUNT_OF(OTHERS); i++)
        if (strcasecmp(name, OTHERS[i]) == 0)
            return true;
    return false;
}

/* Reads metadata.json of `folder`, or searches for parts below it. */
static Status read_parts(DataSetsBuilder *builder, const char *folder, int depth, int *parts,
                         Error *error)
{
    bool found;
    TRY(read_part(builder, folder, DATA_TRAIN, &found, error));
    *parts += found;
    if (found || depth == 0)
        return STATUS_OK;
    DataListing listing;
    Status status = data_listing_read(&listing, builder, folder, &found, error);
    data_texts_sort(&listing.folders);
    for (size_t i = 0; i < listing.folders.count && status == STATUS_OK; i++) {
        char path[FILE_PATH_SIZE];
        if (is_other(listing.folders.items[i]))
            continue;
        status = file_join(path, folder, listing.folders.items[i], error);
        if (status == STATUS_OK)
            status = read_parts(builder, path, depth - 1, parts, error);
    }
    data_listing_free(&listing);
    return status;
}

/* ---- DFDC: validation and test --------------------------------------------------------------- */

static const char *const TITLES[] = {"filename", "label"};

/* Finds the columns of TITLES. */
static Status read_header(CsvReader *csv, int columns[2], Error *error)
{
    bool any;
    columns[0] = columns[1] = -1;
    TRY(csv_record(csv, &any, error));
    for (int i = 0; any && csv_more(csv); i++) {
        CsvField field;
        TRY(csv_field(csv, &field, error));
        csv_trim(&field);
        for (int c = 0; c < 2; c++)
            if (strcasecmp(field.text, TITLES[c]) == 0)
                columns[c] = i;
    }
    if (columns[0] < 0 || columns[1] < 0)
        return error_set(error, STATUS_FAILED,
                         "%s: the first line does not name the columns filename and label; use the "
                         "file that comes with DFDC",
                         csv->path);
    return STATUS_OK;
}

/* Reads one record. */
static Status read_row(DataSetsBuilder *builder, DataSplit split, const char *container,
                       CsvReader *csv, const int columns[2], Error *error)
{
    CsvField cells[2] = {{0}};
    char stem[FILE_PATH_SIZE];
    for (int i = 0; csv_more(csv); i++) {
        CsvField field;
        TRY(csv_field(csv, &field, error));
        csv_trim(&field);
        for (int c = 0; c < 2; c++)
            if (columns[c] == i)
                cells[c] = field;
    }
    const char *problem = NULL;
    int label = -1, source;
    if (!cells[0].text || !cells[1].text)
        problem = "has too few columns";
    else if (strlen(cells[0].text) != cells[0].length || !read_stem(stem, cells[0].text))
        problem = "the filename is not the name of a video";
    else if ((label = data_label_of_cell(cells[1].text, cells[1].length)) < 0)
        problem = "the label is not 0 (real) or 1 (fake)";
    if (problem)
        return error_set(error, STATUS_FAILED,
                         "%s: line %zu: %s; use the file that comes with DFDC", csv->path,
                         csv->line, problem);
    TRY(data_sets_source(builder, split, NAMES[label], label, &source, error));
    return data_sets_contained(builder, source, container, stem, error);
}

/* Reads labels.csv of `folder`, if it exists. */
static Status read_table(DataSetsBuilder *builder, const char *folder, DataSplit split, bool *found,
                         Error *error)
{
    char path[FILE_PATH_SIZE], container[FILE_PATH_SIZE];
    CsvReader csv;
    int columns[2];
    TRY(file_join(path, folder, "labels.csv", error));
    *found = file_exists(path);
    if (!*found)
        return STATUS_OK;
    TRY(data_find_container(builder, container, folder, error));
    TRY(csv_open(&csv, path, error));
    bool any = true;
    Status status = read_header(&csv, columns, error);
    while (status == STATUS_OK && (status = csv_record(&csv, &any, error)) == STATUS_OK && any)
        status = read_row(builder, split, container, &csv, columns, error);
    csv_close(&csv);
    return status;
}

/*
 * Reads a split from a folder of one of `names` (NULL-terminated): labels.csv, else metadata.json.
 */
static Status read_folder(DataSetsBuilder *builder, const char *base, const char *const *names,
                          DataSplit split, bool *found, Error *error)
{
    for (*found = false; *names && !*found; names++) {
        char folder[FILE_PATH_SIZE];
        TRY(data_find_folder(folder, base, *names, error));
        if (folder[0] == '\0')
            continue;
        TRY(read_table(builder, folder, split, found, error));
        if (!*found)
            TRY(read_part(builder, folder, split, found, error));
        if (!*found)
            data_sets_warn(builder,
                           "%s: has neither labels.csv nor metadata.json, so its "
                           "videos have no labels; copy the file that comes with DFDC there",
                           folder);
    }
    return STATUS_OK;
}

Status data_sets_dfdc(DataSetsBuilder *builder, Error *error)
{
    static const char *const VALIDATION[] = {"validation", "val", NULL}, *const TEST[] = {"test",
                                                                                          NULL};
    char base[FILE_PATH_SIZE];
    int parts = 0;
    bool validation = false, test = false;
    TRY(file_join(base, builder->root, "DFDC", error)); /* the root may be the parent folder */
    if (!file_is_folder(base))
        TRY(file_join(base, builder->root, "", error));
    TRY(read_parts(builder, base, 3, &parts, error));
    TRY(read_folder(builder, base, VALIDATION, DATA_VAL, &validation, error));
    TRY(read_folder(builder, base, TEST, DATA_TEST, &test, error));
    if (!test)
        TRY(read_table(builder, base, DATA_TEST, &test, error));
    if (parts == 0 && !test && !validation)
        return data_sets_wrong_root(builder,
                                    "the train parts (each with a metadata.json), "
                                    "validation/labels.csv or test/labels.csv",
                                    error);
    if (parts == 0)
        data_sets_warn(builder, "train: no part with a metadata.json was found");
    if (!test)
        data_sets_warn(builder, "test: no labels.csv and no metadata.json was found");
    return STATUS_OK;
}

/* ---- the preview ----------------------------------------------------------------------------- */

/*
 * Finds the frames of METHOD/.../NAME.mp4: METHOD/frames/NAME, .../frames/NAME or .../NAME; "" if
 * there are none.
 */
static Status find_preview(const char *base, const char *key, const char *stem,
                           char folder[FILE_PATH_SIZE], Error *error)
{
    const size_t method = strcspn(key, "/"), parent = file_name(key) - key;
    const struct {
        size_t length; /* length of the key's prefix */
        const char *middle;
    } CANDIDATES[] = {{method, "/frames/"}, {parent, "frames/"}, {parent, ""}};
    for (int i = 0; i < 3; i++) {
        char path[3 * FILE_PATH_SIZE];
        snprintf(path, sizeof path, "%.*s%s%s", (int)CANDIDATES[i].length, key,
                 CANDIDATES[i].middle, stem);
        TRY(file_join(folder, base, path, error));
        if (file_is_folder(folder))
            return STATUS_OK;
    }
    folder[0] = '\0';
    return STATUS_OK;
}

/* Copies a key with slashes for backslashes. STATUS_FAILED if it is too long. */
static Status copy_key(char copy[FILE_PATH_SIZE], const char *path, const char *key, Error *error)
{
    if (strlen(key) >= FILE_PATH_SIZE)
        return bad_entry(path, key, "is too long", error);
    memcpy(copy, key, strlen(key) + 1);
    for (char *c = copy; *c; c++)
        *c = (char)(*c == '\\' ? '/' : *c);
    return STATUS_OK;
}

/* Reads one entry: "method_A/.../x.mp4": {"label": "fake", "set": "train", ...}. */
static Status read_preview(DataSetsBuilder *builder, const char *base, const char *path,
                           const char *key, const json_t *entry, Error *error)
{
    static const struct {
        const char *folder, *name;
        int label;
    } SOURCES[] = {
        {"original_videos/", "real", 0}, {"method_A/", "FakeA", 1}, {"method_B/", "FakeB", 1}};
    int s = 0;
    while (s < 3 && strncmp(key, SOURCES[s].folder, strlen(SOURCES[s].folder)) != 0)
        s++;
    char stem[FILE_PATH_SIZE], folder[FILE_PATH_SIZE];
    if (s == 3 || strstr(key, "..") || !read_stem(stem, key))
        return bad_entry(path, key, "is in none of original_videos, method_A and method_B", error);
    const json_t *label = json_object_get(entry, "label");
    if (read_label(label) < 0)
        return bad_entry(path, key, "has no label real or fake", error);
    if (read_label(label) != SOURCES[s].label)
        return bad_entry(path, key, "its label contradicts its folder", error);
    DataSplit split;
    int source;
    if (!json_object_get(entry, "set"))
        return bad_entry(path, key, "has no set", error);
    TRY(read_split(path, key, json_object_get(entry, "set"), &split, error));
    TRY(data_sets_source(builder, split, SOURCES[s].name, SOURCES[s].label, &source, error));
    TRY(find_preview(base, key, stem, folder, error));
    return data_sets_video(builder, source, stem, folder[0] ? folder : NULL, error);
}

/* Records a video file found in place of frames. */
static Status note_videos(DataSetsBuilder *builder, const char *base, const char *key, Error *error)
{
    char path[FILE_PATH_SIZE];
    if (builder->videos[0])
        return STATUS_OK;
    TRY(file_join(path, base, key, error));
    if (file_exists(path) && !file_is_folder(path))
        memcpy(builder->videos, base, strlen(base) + 1);
    return STATUS_OK;
}

Status data_sets_dfdcp(DataSetsBuilder *builder, Error *error)
{
    static const char *const BASES[] = {"", "DFDCP", "dfdc_preview_set"};
    char base[FILE_PATH_SIZE], path[FILE_PATH_SIZE] = "";
    for (int i = 0; i < 3 && (i == 0 || !file_exists(path)); i++) {
        TRY(file_join(base, builder->root, BASES[i], error));
        TRY(file_join(path, base, "dataset.json", error));
    }
    if (!file_exists(path))
        return data_sets_wrong_root(builder, "dataset.json, original_videos, method_A and method_B",
                                    error);
    json_t *document;
    TRY(data_json_read(path, &document, error));
    Status status = STATUS_OK;
    if (!json_is_object(document))
        status = error_set(
            error, STATUS_FAILED,
            "%s: is not an object of videos; use the file that comes with the data set", path);
    const char *written;
    json_t *entry;
    json_object_foreach(document, written, entry)
    {
        char key[FILE_PATH_SIZE];
        if (status == STATUS_OK)
            status = copy_key(key, path, written, error);
        if (status == STATUS_OK)
            status = read_preview(builder, base, path, key, entry, error);
        if (status == STATUS_OK)
            status = note_videos(builder, base, key, error);
    }
    json_decref(document);
    return status;
}
