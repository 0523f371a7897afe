/*
 * support_sets.c - see support_sets.h.
 */
#include "tests/support_sets.h"

#include "data/lists/list.h"
#include "tensor/base/file.h"
#include "tests/support.h"
#include "tests/support_folder.h"
#include "tests/support_image.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Writes a text file in the folder of the test. */
void support_text(const char *name, const char *content)
{
    support_write_file(support_in_folder(""), name, content, strlen(content));
}

/* Writes folder/000.png, 001.png... */
void support_video(const char *folder, int frames)
{
    for (int i = 0; i < frames; i++) {
        char name[700];
        snprintf(name, sizeof name, "%.600s/%03d.png", folder, i);
        support_text(name, "");
    }
}

void support_link(const char *target, const char *name)
{
    ck_assert_int_eq(symlink(target, support_in_folder(name)), 0);
}

const char *const support_ff_folders[5] = {
    "original_sequences/youtube", "manipulated_sequences/Deepfakes",
    "manipulated_sequences/Face2Face", "manipulated_sequences/FaceSwap",
    "manipulated_sequences/NeuralTextures"};
void support_ff_set(const char *root, const char *level)
{
    static const char *const REALS[] = {"071", "054", "720", "672", "953", "974"};
    char name[600];
    for (int m = 0; m < 5; m++) {
        for (int i = 0; i < 6; i++) {
            snprintf(name, sizeof name, m ? "%s/%s/%s/%s_%s" : "%s/%s/%s/%s", root,
                     support_ff_folders[m], level, REALS[i], REALS[i ^ 1]);
            support_video(name, 3);
        }
    }
    snprintf(name, sizeof name, "%s/train.json", root);
    support_text(name, "[\n  [\n    \"071\",\n    \"054\"\n  ]\n]\n");
    snprintf(name, sizeof name, "%s/val.json", root);
    support_text(name, "\xef\xbb\xbf[[\"720\", \"672\"]]\r\n");
    snprintf(name, sizeof name, "%s/test.json", root);
    support_text(name, "[[\"953\",\"974\"]]");
}

static const DataSetsKind *kind_of(const char *name)
{
    int count;
    const DataSetsKind *const kinds = data_sets_kinds(&count);
    for (int i = 0; i < count; i++)
        if (strcmp(kinds[i].name, name) == 0)
            return &kinds[i];
    ck_abort_msg("no kind %s", name);
}

/* Reads the data set at `root` in the folder of the test ("" is that folder). */
Status support_try_set(DataSets *sets, const char *kind, const char *root, DataSetsOptions options,
                       Error *error)
{
    char path[FILE_PATH_SIZE];
    snprintf(path, sizeof path, "%s", support_in_folder(root));
    options.root = path;
    error_clear(error);
    return data_sets_read(sets, kind_of(kind), &options, error);
}

DataSets support_read_set(const char *kind, const char *root, DataSetsOptions options)
{
    DataSets sets;
    Error error;
    ck_ok(support_try_set(&sets, kind, root, options, &error), &error);
    return sets;
}

/* Asserts that reading fails with a status and a message containing `words`. */
void support_refuse_set(const char *kind, const char *root, DataSetsOptions options, Status status,
                        const char *words)
{
    DataSets sets;
    Error error;
    ck_assert_msg(support_try_set(&sets, kind, root, options, &error) == status,
                  "%s: status %d: %s", words, error.status, error.message);
    ck_assert_msg(strstr(error.message, words) != NULL, "'%s' is not in: %s", words, error.message);
    ck_assert_msg(strchr(error.message, ':') && strchr(error.message, ';'), "no advice: %s",
                  error.message);
    ck_assert_ptr_null(sets.memory);
    ck_assert_int_eq(sets.count, 0);
}

const DataSetsSource *support_source(const DataSets *sets, DataSplit split, const char *name)
{
    for (int i = 0; i < sets->count; i++)
        if (sets->sources[i].split == split && strcmp(sets->sources[i].name, name) == 0)
            return &sets->sources[i];
    return NULL;
}

/* Asserts the label of a source, and its numbers of expected videos and of videos with frames. */
void support_check_source(const DataSets *sets, DataSplit split, const char *name, int label,
                          int expected, int found)
{
    const DataSetsSource *const source = support_source(sets, split, name);
    ck_assert_msg(source != NULL, "no source %s in %s", name, data_split_names[split]);
    int there = 0;
    for (int v = 0; v < source->count; v++) {
        const DataSetsVideo *const one = &source->videos[v];
        there += one->count > 0;
        ck_assert((one->count > 0) == (one->problem == NULL));
        ck_assert((one->count > 0) == (one->frames != NULL));
    }
    ck_assert_msg(source->label == label && source->count == expected && there == found,
                  "%s/%s: label %d, %d expected, %d found", data_split_names[split], name,
                  source->label, source->count, there);
}

bool support_set_warns(const DataSets *sets, const char *words)
{
    for (int i = 0; i < sets->warning_count; i++)
        if (strstr(sets->warnings[i], words))
            return true;
    return false;
}

/*
 * Writes the lists and reads one back as training does; asserts its source, label, videos and
 * frames.
 */
void support_check_list(const DataSets *sets, DataSplit split, const char *name, int label,
                        int videos, int frames)
{
    char out[FILE_PATH_SIZE], path[FILE_PATH_SIZE + 300];
    Error error = {0};
    snprintf(out, sizeof out, "%s", support_in_folder("lists"));
    ck_ok(data_sets_write(sets, out, true, "{}", 2, &error), &error);
    snprintf(path, sizeof path, "%s/%s/%s.txt", out, data_split_names[split], name);
    DataList list;
    ck_ok(data_list_read(&list, (const char *const[]){path}, 1, &error), &error);
    ck_assert_int_eq(list.source_count, 1);
    ck_assert_str_eq(list.sources[0], name);
    ck_assert_int_eq(list.source_label[0], label);
    ck_assert_int_eq(list.video_count, videos);
    ck_assert_int_eq(list.count, frames);
    for (int i = 0; i < list.count; i++)
        ck_assert(list.frames[i].path[0] == '/' && list.frames[i].label == label);
    data_list_free(&list);
}
