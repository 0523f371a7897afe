/*
 * support_sets.h - small data sets in the folder of support_folder.h, and checks of reading them.
 *
 * Frames are empty files, since listing does not decode them.
 */
#ifndef LNCLIP_TESTS_SUPPORT_SETS_H
#define LNCLIP_TESTS_SUPPORT_SETS_H

#include "data/sets/sets.h"

/* Write a text file; frames NAME/000.png, 001.png...; a symbolic link. */
void support_text(const char *name, const char *content);
void support_video(const char *folder, int frames);
void support_link(const char *target, const char *name);

/* FaceForensics++'s folders of the originals and of four forgery methods. */
extern const char *const support_ff_folders[5];

/*
 * Writes a FaceForensics++ data set: six originals in three pairs, with frames in `level`
 * ("c23/frames") and split files.
 */
void support_ff_set(const char *root, const char *level);

/* Reads the data set of a kind at `root` ("": the folder itself); sets options.root. */
Status support_try_set(DataSets *sets, const char *kind, const char *root, DataSetsOptions options,
                       Error *error);

/* Like support_try_set, but asserts success. Free with data_sets_free. */
DataSets support_read_set(const char *kind, const char *root, DataSetsOptions options);

/*
 * Asserts that reading fails with a status and a message containing `words`, and that nothing
 * remains allocated.
 */
void support_refuse_set(const char *kind, const char *root, DataSetsOptions options, Status status,
                        const char *words);

/* The source with a name in a split, or NULL. */
const DataSetsSource *support_source(const DataSets *sets, DataSplit split, const char *name);

/* Asserts the label of a source, and its numbers of expected videos and of videos with frames. */
void support_check_source(const DataSets *sets, DataSplit split, const char *name, int label,
                          int expected, int found);

/* True if a warning contains `words`. */
bool support_set_warns(const DataSets *sets, const char *words);

/*
 * Writes the lists and reads one back as training does; asserts its source, label, videos and
 * frames.
 */
void support_check_list(const DataSets *sets, DataSplit split, const char *name, int label,
                        int videos, int frames);

#endif
