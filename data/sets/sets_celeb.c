/*
 * sets_celeb.c - data sets defined by their folders: Celeb-DF-v2, UADFV, FFIW-10K, and custom
 * folders.
 */
#include "data/sets/sets_build_private.h"
#include "data/sets/sets_text_private.h"
#include "tensor/base/mem.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- Celeb-DF-v2 ----------------------------------------------------------------------------- */

static const struct {
    const char *name;
    int label, published;
} CELEB[] = {{"Celeb-real", 0, 590}, {"YouTube-real", 0, 300}, {"Celeb-synthesis", 1, 5639}};
enum { CELEB_SOURCES = 3 };

typedef struct Celeb {
    DataSetsBuilder *builder;
    const char *list;
    char containers[CELEB_SOURCES][FILE_PATH_SIZE];
    int sources[CELEB_SOURCES];      /* sources of the test split */
    DataTexts tested[CELEB_SOURCES]; /* names in the test list */
} Celeb;

/* Finds List_of_testing_videos.txt: in --splits, else next to the folders. */
static Status find_celeb_list(const DataSetsBuilder *builder, const char *base,
                              char path[FILE_PATH_SIZE], Error *error)
{
    static const char NAME[] = "List_of_testing_videos.txt";
    const char *given = builder->options->splits;
    TRY(file_join(path, given ? given : base, NAME, error));
    if (!given && !file_exists(path))
        TRY(file_join(path, builder->root, NAME, error));
    if (file_exists(path))
        return STATUS_OK;
    return error_set(
        error, STATUS_FAILED,
        "%s: %s not found; it comes with Celeb-DF-v2 "
        "(github.com/yuezunli/celeb-deepfakeforensics): put it there, or name its folder "
        "with --splits",
        given ? given : base, NAME);
}

static Status bad_celeb_line(const Celeb *celeb, int line, const char *text, Error *error)
{
    return error_set(error, STATUS_FAILED,
                     "%s: line %d: '%.100s' is not of the form '1 YouTube-real/00170.mp4'; use the "
                     "file that comes with Celeb-DF-v2",
                     celeb->list, line, text);
}

/* Reads one line: "1 FOLDER/NAME.mp4"; 1 means REAL. */
static Status read_celeb_line(Celeb *celeb, char *text, int line, Error *error)
{
    const int real = text[0] == '1';
    for (char *c = text; *c; c++) /* lists made on Windows */
        *c = (char)(*c == '\\' ? '/' : *c);
    const char *path = text + 1 + strspn(text + 1, " \t");
    const char *name = file_name(path);
    if ((text[0] != '0' && text[0] != '1') || path == text + 1 || name == path || !*name)
        return bad_celeb_line(celeb, line, text, error);
    int s = 0;
    const size_t folder = name - path - 1;
    while (s < CELEB_SOURCES &&
           (strlen(CELEB[s].name) != folder || strncasecmp(CELEB[s].name, path, folder) != 0))
        s++;
    if (s == CELEB_SOURCES)
        return bad_celeb_line(celeb, line, text, error);
    if (real == CELEB[s].label)
        return error_set(
            error, STATUS_FAILED,
            "%s: line %d: '%.100s' contradicts its folder (1 means real in this file); "
            "use the file that comes with Celeb-DF-v2",
            celeb->list, line, text);
    size_t stem;
    data_is_video(name, &stem);
    TRY(data_texts_add(&celeb->tested[s], celeb->builder->pool, name, stem, error));
    return data_sets_contained(celeb->builder, celeb->sources[s], celeb->containers[s],
                               celeb->tested[s].items[celeb->tested[s].count - 1], error);
}

static Status read_celeb_list(Celeb *celeb, Error *error)
{
    DataLines lines;
    TRY(data_lines_open(&lines, celeb->list, error));
    Status status = STATUS_OK;
    int count = 0;
    for (char *text; status == STATUS_OK && (text = data_lines_next(&lines)); count++)
        status = read_celeb_line(celeb, text, lines.line, error);
    free(lines.content);
    if (status == STATUS_OK && count == 0)
        return error_set(error, STATUS_FAILED,
                         "%s: the file is empty; use the one that comes with Celeb-DF-v2",
                         celeb->list);
    return status;
}

/* All videos that are not in the test list are training videos. */
static Status read_celeb_rest(Celeb *celeb, const char *base, Error *error)
{
    for (int s = 0; s < CELEB_SOURCES; s++) {
        char folder[FILE_PATH_SIZE];
        DataTexts *tested = &celeb->tested[s];
        int source;
        TRY(data_find_folder(folder, base, CELEB[s].name, error));
        if (folder[0] == '\0') {
            data_sets_warn(celeb->builder, "%s: the folder does not exist", CELEB[s].name);
            continue;
        }
        if (tested->count > 0)
            data_texts_sort_bytewise(tested);
        TRY(data_sets_source(celeb->builder, DATA_TRAIN, CELEB[s].name, CELEB[s].label, &source,
                             error));
        TRY(data_sets_discover(celeb->builder, source, folder, tested, NULL, error));
        data_sets_expect(celeb->builder, CELEB[s].name, CELEB[s].published);
    }
    return STATUS_OK;
}

/* Finds the folders of the sources, and reads the test list and everything else. */
static Status read_celeb(Celeb *celeb, const char *base, Error *error)
{
    char folder[FILE_PATH_SIZE];
    for (int s = 0; s < CELEB_SOURCES; s++) {
        TRY(data_find_folder(folder, base, CELEB[s].name, error));
        if (folder[0])
            TRY(data_find_container(celeb->builder, celeb->containers[s], folder, error));
        TRY(data_sets_source(celeb->builder, DATA_TEST, CELEB[s].name, CELEB[s].label,
                             &celeb->sources[s], error));
    }
    TRY(read_celeb_list(celeb, error));
    return read_celeb_rest(celeb, base, error);
}

Status data_sets_celebdf2(DataSetsBuilder *builder, Error *error)
{
    static const char *const BASES[] = {"Celeb-DF-v2", "CDFv2", "Celeb-DF", NULL};
    static const char *const MARKS[] = {"Celeb-synthesis", "Celeb-real", "YouTube-real", NULL};
    char base[FILE_PATH_SIZE], list[FILE_PATH_SIZE];
    TRY(data_find_base(base, builder->root, BASES, MARKS, error));
    if (base[0] == '\0')
        return data_sets_wrong_root(builder, "Celeb-real, YouTube-real and Celeb-synthesis", error);
    TRY(find_celeb_list(builder, base, list, error));
    Celeb *celeb = mem_new(1, sizeof *celeb, "the folders of Celeb-DF-v2", error);
    if (!celeb)
        return error->status;
    *celeb = (Celeb){.builder = builder, .list = list};
    const Status status = read_celeb(celeb, base, error);
    for (int s = 0; s < CELEB_SOURCES; s++)
        free(celeb->tested[s].items);
    free(celeb);
    return status;
}

/* ---- UADFV ----------------------------------------------------------------------------------- */

Status data_sets_uadfv(DataSetsBuilder *builder, Error *error)
{
    static const char *const BASES[] = {"UADFV", "UADFD", NULL}; /* some lists spell it so */
    static const char *const SOURCES[] = {"real", "fake", NULL};
    DataSplit split;
    TRY(data_sets_split(builder, &split, error));
    char base[FILE_PATH_SIZE], folder[FILE_PATH_SIZE];
    TRY(data_find_base(base, builder->root, BASES, SOURCES, error));
    if (base[0] == '\0')
        return data_sets_wrong_root(builder, "real and fake", error);
    for (int label = 0; label < 2; label++) {
        int source;
        TRY(data_find_folder(folder, base, SOURCES[label], error));
        if (folder[0] == '\0') {
            data_sets_warn(builder, "%s: the folder does not exist", SOURCES[label]);
            continue;
        }
        TRY(data_sets_source(builder, split, SOURCES[label], label, &source, error));
        TRY(data_sets_discover(builder, source, folder, NULL, NULL, error));
        data_sets_expect(builder, SOURCES[label], 49);
    }
    return STATUS_OK;
}

/* ---- FFIW-10K -------------------------------------------------------------------------------- */

/* Reads source/SPLIT and target/SPLIT below one root. */
static Status read_ffiw(DataSetsBuilder *builder, const char *base, bool *any, Error *error)
{
    static const char *const FOLDERS[] = {"source", "target"}, *const NAMES[] = {"real", "fake"};
    for (int split = 0; split < DATA_SPLITS; split++) {
        for (int label = 0; label < 2; label++) {
            char parent[FILE_PATH_SIZE], folder[FILE_PATH_SIZE];
            int source;
            TRY(file_join(parent, base, FOLDERS[label], error));
            TRY(file_join(folder, parent, data_split_names[split], error));
            if (!file_is_folder(folder))
                continue;
            *any = true;
            TRY(data_sets_source(builder, (DataSplit)split, NAMES[label], label, &source, error));
            TRY(data_sets_discover(builder, source, folder, NULL, NULL, error));
        }
    }
    return STATUS_OK;
}

Status data_sets_ffiw(DataSetsBuilder *builder, Error *error)
{
    static const char *const BASES[] = {"", "FFIW10K-v1-release", "FFIW10K-v1-release-test",
                                        "FFIW"};
    bool any = false;
    for (size_t i = 0; i < COUNT_OF(BASES); i++) {
        char base[FILE_PATH_SIZE];
        TRY(file_join(base, builder->root, BASES[i], error));
        TRY(read_ffiw(builder, base, &any, error));
    }
    if (!any)
        return data_sets_wrong_root(builder,
                                    "source and target, each with train, val or test in it", error);
    return STATUS_OK;
}

/* ---- custom folders -------------------------------------------------------------------------- */

/*
 * Reads one source folder. Its list is named after its path below the root, with '_' for each
 * slash.
 */
static Status read_own_folder(DataSetsBuilder *builder, DataSplit split, const char *written,
                              int label, Error *error)
{
    char name[FILE_PATH_SIZE], folder[FILE_PATH_SIZE], list_name[FILE_PATH_SIZE];
    TRY(file_join(name, written, "", error)); /* checks the length */
    for (size_t length = strlen(name); length > 1 && name[length - 1] == '/'; length--)
        name[length - 1] = '\0'; /* slashes that shells append */
    TRY(file_join(folder, builder->root, name, error));
    if (!file_is_folder(folder))
        return error_set(error, STATUS_FAILED,
                         "%s: the folder does not exist; name a source below --root", folder);
    const char *own = name[0] == '/' ? file_name(name) : name;
    while (strncmp(own, "./", 2) == 0)
        own += 2;
    memcpy(list_name, own, strlen(own) + 1);
    for (char *c = list_name; *c; c++)
        *c = (char)(*c == '/' ? '_' : *c);
    int source, added;
    TRY(data_sets_source(builder, split, list_name, label, &source, error));
    if (builder->sets->sources[source].count > 0)
        return error_set(error, STATUS_USAGE, "%s: the source is named twice; name it once", name);
    TRY(data_sets_discover(builder, source, folder, NULL, &added, error));
    if (added == 0)
        data_sets_warn(builder, "%s: no folder with images below it", folder);
    return STATUS_OK;
}

/* Reads every folder below the root as a source, if its name has a word for real or fake. */
static Status read_all_folders(DataSetsBuilder *builder, DataSplit split, Error *error)
{
    DataListing listing;
    bool found;
    int problems = 0;
    Status status = data_listing_read(&listing, builder, builder->root, &found, error);
    data_texts_sort(&listing.folders);
    for (size_t i = 0; i < listing.folders.count; i++) {
        const char *name = listing.folders.items[i];
        const DataLabel label = data_label(name, strlen(name));
        if (label.by_word)
            continue;
        error_detail(error, "%s: %s", name,
                     label.doubt ? label.doubt : "its name has no word for real or fake");
        problems++;
    }
    if (status == STATUS_OK && listing.folders.count == 0)
        status = data_sets_wrong_root(builder, "folders of the sources in it", error);
    else if (status == STATUS_OK && problems > 0)
        status = error_set(
            error, STATUS_USAGE,
            "folder: no source was named, and %d of %zu folders do not say whether they are real "
            "or fake; name every source with --real NAME or --fake NAME",
            problems, listing.folders.count);
    for (size_t i = 0; i < listing.folders.count && status == STATUS_OK; i++) {
        const char *name = listing.folders.items[i];
        status = read_own_folder(builder, split, name, data_label(name, strlen(name)).label, error);
    }
    data_listing_free(&listing);
    return status;
}

Status data_sets_any_folder(DataSetsBuilder *builder, Error *error)
{
    const DataSetsOptions *options = builder->options;
    DataSplit split;
    TRY(data_sets_split(builder, &split, error));
    if (options->real_count + options->fake_count == 0)
        return read_all_folders(builder, split, error);
    for (int i = 0; i < options->real_count; i++)
        TRY(read_own_folder(builder, split, options->real[i], 0, error));
    for (int i = 0; i < options->fake_count; i++)
        TRY(read_own_folder(builder, split, options->fake[i], 1, error));
    return STATUS_OK;
}
