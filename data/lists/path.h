/*
 * path.h - what the path of a frame says: its source, its video, its label, and its place in its
 * video.
 *
 *     .../SOURCE/VIDEO/FRAME.png      the layout of the method's lists
 *     .../real/IMAGE.png              images without folders of videos: each is its own video
 *
 * The source is the third-last part of the path. If the folder of the frame is itself called after
 * a class (real, fake, 0_real, real_images, ...), it is the source, and each image in it is a
 * video.
 *
 * The label comes from the whole words of the source's name, which is split at whatever is not a
 * letter and between the words of camel case: Celeb-real, YouTube-real, real_videos and RealVideos
 * are real. A source without such a word is fake, as in the method's own lists. Where a name allows
 * two readings (surreal, RealityForge, not-real, real-vs-fake) there is no label: the user has to
 * give one.
 *
 * All functions are pure, and may be called from any thread.
 */
#ifndef LNCLIP_DATA_LISTS_PATH_H
#define LNCLIP_DATA_LISTS_PATH_H

#include <stdbool.h>
#include <stddef.h>

/* What the name of a source says. */
typedef struct DataLabel {
    int label;    /* 0 real, 1 fake, -1 in doubt */
    bool by_word; /* a word of the name says it; false: fake because nothing says real */
    const char
        *doubt; /* why there is no label, or (label 1) why it may be wrong; else NULL. Static */
} DataLabel;

/* Reads the name [length] of a source. */
DataLabel data_label(const char *name, size_t length);

/*
 * 0 or 1 if a folder of this name [length] is called after a class and nothing else: real, fake,
 * 0_real, 1_fake, real_images, FakeFaces; else -1. (0000_fake is a video of UADFV.)
 */
int data_class_folder(const char *name, size_t length);

/* Parts of a path: both slashes separate, empty parts and "." do not count. */
typedef struct DataPath {
    const char *source; /* [source_length] within the path; length 0 if it does not name one */
    size_t source_length;
    /* The video is path[0..video_length): its folder, or all of it; 0 without a folder. */
    size_t video_length;
    bool own_video; /* the image is a video by itself */
} DataPath;

DataPath data_path_read(const char *path);

/*
 * The name of the video of `path`, by which frames are grouped where no file can be looked at:
 * path[0..video_length) with forward slashes, without empty parts and ".". Borrowed from `path`
 * where it is written so, else made in `buffer` [size]; a longer one stays as it is. *length is 0
 * if the path has no folder.
 */
const char *data_path_video(const char *path, char *buffer, size_t size, size_t *length);

/*
 * The label of the source of `path`, which data_path_read read. In a folder that was `walked` the
 * names of folders from position `top` on count, too: real/youtube/000/0.png is real, and *above is
 * set. In a list a folder called real above a source without a label is a doubt. A path without a
 * source has no label and no reason.
 */
DataLabel data_path_label(const char *path, const DataPath *parts, size_t top, bool walked,
                          bool *above);

/*
 * Order of names and paths as people count: numbers in them compare by value (9.png before 10.png),
 * all else by bytes; of equals the bytes decide, so that it is a total order. Negative, 0 or
 * positive.
 */
int data_path_compare(const char *a, const char *b);

/* Why files and folders are passed over where frames are looked for. */
typedef enum DataSkip {
    DATA_SKIP_NONE, /* an image by its suffix, or a folder to look into */
    /* Hidden names, thumbnails and index files of file managers, NAS and archives. */
    DATA_SKIP_SYSTEM,
    DATA_SKIP_MASKS,  /* folders of masks and landmarks */
    DATA_SKIP_FORMAT, /* images of formats that are not read: webp, heic, tiff, gif... */
    DATA_SKIP_VIDEO,  /* videos */
    DATA_SKIP_OTHER,  /* anything else: text, JSON, landmarks */
    DATA_SKIPS
} DataSkip;

/* What to do with a file, or folder, of this name. */
DataSkip data_path_skip(const char *name, bool folder);

/* The reason in words, "images in a format that is not read": for messages. Static. */
const char *data_skip_reason(DataSkip skip);

/* Whether the name ends in the suffix of an image: png, jpg, jpeg, bmp, ppm, pgm in any case. */
bool data_is_image(const char *name);

/*
 * Whether the name ends in the suffix of a video. `*stem`, unless NULL, becomes its length without
 * that.
 */
bool data_is_video(const char *name, size_t *stem);

/* The suffix with its dot, "" without one. Borrowed from `name`. */
const char *data_path_suffix(const char *name);

#endif
