/*
 * support_sets.h - small data sets below the folder of support_folder.h, read and checked.
 *
 * Frames are empty files, since nothing that lists them decodes them.
 */
#ifndef LNCLIP_TESTS_SUPPORT_SETS_H
#define LNCLIP_TESTS_SUPPORT_SETS_H

#include "data/sets/sets.h"

/* A text file; NAME/000.png, 001.png...; a symbolic link. */
void support_text(const char *name, const char *content);
void support_video(const char *folder, int frames);
void support_link(const char *target, const char *name);

/* FaceForensics++'s folders of originals and of four methods. */
extern const char *const support_ff_folders[5];

/* Such a set: six originals in three pairs, of the frames in `level`
 * ("c23/frames"); splits beside. */
void support_ff_set(const char *root, const char *level);

/* Reads the set at `root` ("": the folder itself) as that kind; options.root is filled in. */
Status support_try_set(DataSets *sets, const char *kind, const char *root, DataSetsOptions options,
                       Error *error);

/* The same; asserts that it succeeds. Free with data_sets_free. */
DataSets support_read_set(const char *kind, const char *root, DataSetsOptions options);

/* Asserts that it fails with that status and a message that holds `words`, and leaves nothing. */
void support_refuse_set(const char *kind, const char *root, DataSetsOptions options, Status status,
                        const char *words);

/* The source of that name in that split, or NULL. */
const DataSetsSource *support_source(const DataSets *sets, DataSplit split, const char *name);

/* Asserts that a source has that label, so many videos expected, and so many of
 * them with frames. */
void support_check_source(const DataSets *sets, DataSplit split, const char *name, int label,
                          int expected, int found);

/* Whether one of the warnings holds `words`. */
bool support_set_warns(const DataSets *sets, const char *words);

/* Writes the lists and reads one again as training does: asserts its source, label, videos and
 * frames. */
void support_check_list(const DataSets *sets, DataSplit split, const char *name, int label,
                        int videos, int frames);

#endif
