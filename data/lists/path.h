/*
 * path.h - what the path of a frame says: its source, its video, its label and its position in the
 * video.
 *
 *     .../SOURCE/VIDEO/FRAME.png      the layout of the method's lists
 *     .../real/IMAGE.png              images without video folders: each is its own video
 *
 * The source is the third-last part of the path. If the folder of the frame is itself named after a
 * class (real, fake, 0_real, real_images, ...), it is the source, and each image in it is a video.
 *
 * The label comes from the whole words of the source's name. The name is split at every character
 * that is not a letter and between the words of camel case: Celeb-real, YouTube-real, real_videos
 * and RealVideos are real. A source without such a word is fake, as in the method's own lists. If a
 * name is ambiguous (surreal, RealityForge, not-real, real-vs-fake) there is no label, and the user
 * has to set one.
 *
 * All functions are pure and thread-safe.
 *
 * Tests: tests/test_list.c, tests/test_list_limit.c.
 */
#ifndef LNCLIP_DATA_LISTS_PATH_H
#define LNCLIP_DATA_LISTS_PATH_H

#include <stdbool.h>
#include <stddef.h>

/* What the frames of a list are for. */
typedef enum DataSplit { DATA_TRAIN, DATA_VAL, DATA_TEST, DATA_SPLITS } DataSplit;

/* "train", "val", "test". */
extern const char *const data_split_names[DATA_SPLITS];

/* The split of this name, in any case, also training, valid, validation, dev, testing; else -1. */
int data_split_parse(const char *name);

/* The label that the name of a source implies. */
typedef struct DataLabel {
    int label;    /* 0 real, 1 fake, -1 unknown */
    bool by_word; /* a word of the name says it; false: fake by default */
    const char
        *doubt; /* why there is no label, or (label 1) why it may be wrong; else NULL. Static */
} DataLabel;

/* The label of a source name [length]. */
DataLabel data_label(const char *name, size_t length);

/* The parts of a path; slashes and backslashes separate, empty parts and "." do not count. */
typedef struct DataPath {
    const char *source; /* [source_length] within the path; length 0 if there is none */
    size_t source_length;
    /* The video is path[0..video_length): its folder, or the entire path; 0 without a folder. */
    size_t video_length;
    bool own_video; /* each image is its own video */
} DataPath;

DataPath data_path_read(const char *path);

/*
 * The name of the video of `path`, used to group frames without access to files:
 * path[0..video_length) with forward slashes, without empty parts and ".". Borrowed from `path` if
 * it already has this form, else written to buffer [size]; a longer name stays as it is. *length is
 * 0 if the path has no folder.
 */
const char *data_path_video(const char *path, char *buffer, size_t size, size_t *length);

/*
 * The label of the source of `path`, given its `parts` from data_path_read. In a folder that was
 * `walked`, the names of folders from position `top` on count, too: real/youtube/000/0.png is real,
 * and *above is set. In a list, a folder named real above a source without a label makes the label
 * doubtful. A path without a source has no label and no reason.
 */
DataLabel data_path_label(const char *path, const DataPath *parts, size_t top, bool walked,
                          bool *above);

/*
 * Natural order of names and paths: numbers compare by value (9.png before 10.png), all other
 * characters by bytes; names that are equal in this sense compare by bytes, so it is a total order.
 * Negative, 0 or positive.
 */
int data_path_compare(const char *a, const char *b);

/* Reasons for skipping files and folders in the search for frames. */
typedef enum DataSkip {
    /* Not skipped: an image by suffix (png, jpg, jpeg, bmp, ppm, pgm), or a folder to search. */
    DATA_SKIP_NONE,
    /* Hidden names; thumbnails and index files of file managers, NAS and archives. */
    DATA_SKIP_SYSTEM,
    DATA_SKIP_MASKS,  /* folders of masks and landmarks */
    DATA_SKIP_FORMAT, /* images in unsupported formats: webp, heic, tiff, gif... */
    DATA_SKIP_VIDEO,  /* videos */
    DATA_SKIP_OTHER,  /* anything else: text, JSON, landmarks */
    DATA_SKIPS
} DataSkip;

/* The reason for skipping a file or folder of this name, DATA_SKIP_NONE if it is not skipped. */
DataSkip data_path_skip(const char *name, bool folder);

/* The reason in words, for messages. A static string. */
const char *data_skip_reason(DataSkip skip);

/*
 * True if the name has the suffix of a video. *stem, unless NULL, is set to the length of the name
 * without that suffix.
 */
bool data_is_video(const char *name, size_t *stem);

/* The suffix with its dot, "" if there is none. Borrowed from `name`. */
const char *data_path_suffix(const char *name);

#endif
