/*
 * video.h - the frames of a video, equal to those of OpenCV's VideoCapture byte for byte.
 *
 * FFmpeg's libraries decode. They are loaded when the first video is opened, because they pull in
 * two hundred others, which would make every start of the program ten times as long. Frames are
 * read in order, and frame i is the i-th that the decoder returns: seeking by time finds other
 * frames in videos of variable rate. Colours are converted as OpenCV does, which ignores the colour
 * matrix of the file, and frames of turned phones are turned upright.
 *
 * Only local files are opened, in the containers of the usual data sets; playlists, which name
 * other files, are refused. A build with WITH_AV=0 refuses every video.
 *
 * Tests: tests/test_video.c.
 */
#ifndef LNCLIP_DATA_FACES_VIDEO_H
#define LNCLIP_DATA_FACES_VIDEO_H

#include "data/image/image.h"

#include <stdbool.h>

enum { DATA_VIDEO_SIDE = 16384 }; /* largest width or height in pixels */

typedef struct DataVideo DataVideo;

/*
 * Opens the video at `path`; decodes with `threads` threads (the frames do not depend on it).
 * STATUS_FAILED, naming the file, if it cannot be read, is not a video in a known container, has no
 * frames or too large ones, when out of memory, or if the libraries are missing. *video is owned by
 * the caller (data_video_close); it is NULL on failure. Thread-safe.
 */
Status data_video_open(DataVideo **video, const char *path, int threads, Error *error);

/* Closes the video. NULL is allowed. */
void data_video_close(DataVideo *video);

/* Number of frames: as the file says, else counted without decoding. A damaged file has fewer. */
int data_video_count(const DataVideo *video);

/*
 * Reads the next frame, number data_video_position before the call. With `wanted` *image is the
 * frame, owned by the caller; otherwise, and at the end of the video, it is empty. *end is set at
 * the end, also where the file is cut. STATUS_FAILED when out of memory or if a frame cannot be
 * converted.
 */
Status data_video_next(DataVideo *video, bool wanted, DataImage *image, bool *end, Error *error);

/* Number of frames read so far. */
int data_video_position(const DataVideo *video);

/* Number of frames read so far that the decoder repaired or marked as corrupt. */
int data_video_damaged(const DataVideo *video);

/* Versions of the libraries, e.g. "libavcodec 59.37.100, libswscale 6.7.100"; "none". Static. */
const char *data_video_decoders(void);

/*
 * The order in which GenD takes frames: first the middle, then always the middle of the longest gap
 * between frames taken, the first of equals. order [count]: all frames. STATUS_FAILED when out of
 * memory.
 */
Status data_video_gap_order(int count, int *order, Error *error);

#endif
