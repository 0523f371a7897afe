/*
 * crop_check.h - checks whether an image has the shape of an aligned face crop.
 *
 * The method expects faces that were detected, aligned and cropped: approximately square and not
 * too small. Scores of other images are meaningless, because the centre crop of a video frame
 * rarely shows a face. Only the shape is checked; no pixel is read, and nothing is refused.
 *
 * Tests: tests/test_crop_check.c.
 */
#ifndef LNCLIP_DATA_LISTS_CROP_CHECK_H
#define LNCLIP_DATA_LISTS_CROP_CHECK_H

typedef enum DataCropShape {
    DATA_CROP_FACE, /* plausible as a face crop */
    /*
     * The shape of a video frame: 16:9 or 4:3, in either orientation, within 1 %, from 320 pixels;
     * or not square and longer than 800 pixels.
     */
    DATA_CROP_WHOLE_FRAME,
    /* Sides that differ by more than 5 % of the longer; the centre crop removes the difference. */
    DATA_CROP_NOT_SQUARE,
    /* A side below 64 pixels: traces of forgery are lost, or invented by enlarging. */
    DATA_CROP_SMALL,
} DataCropShape;

/*
 * Classifies an image of width x height pixels (both positive). Values are tried in the order
 * above, DATA_CROP_FACE last. Cannot fail. Thread-safe.
 */
DataCropShape data_crop_shape(int width, int height);

/* Returns a static string for messages, e.g. "a whole video frame" or "not square". */
const char *data_crop_shape_name(DataCropShape shape);

#endif
