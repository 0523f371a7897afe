/*
 * crop_check.h - whether an image has the shape of an aligned face crop.
 *
 * The method sees faces that a detector found, aligned and cropped: square or nearly so, and of
 * some size. Anything else is scored without complaint and means little, for the centre crop of a
 * video frame rarely is a face. The shape is all that is judged here: no pixel is looked at, and
 * nothing is refused.
 */
#ifndef LNCLIP_DATA_LISTS_CROP_CHECK_H
#define LNCLIP_DATA_LISTS_CROP_CHECK_H

typedef enum DataCropShape {
    DATA_CROP_FACE, /* nothing speaks against it */
    /*
     * The shape of a video frame: 16:9 or 4:3, upright too, within 1 %, from 320 pixels on; or not
     * square and longer than 800 pixels.
     */
    DATA_CROP_WHOLE_FRAME,
    /* Sides that differ by more than 5 % of the longer, which the centre crop cuts off. */
    DATA_CROP_NOT_SQUARE,
    /* A side under 64 pixels: what forgeries leave behind is gone, or made up by enlarging. */
    DATA_CROP_SMALL,
} DataCropShape;

/*
 * The shape of an image of width x height pixels, both positive; the first of the above that is not
 * a face's.
 */
DataCropShape data_crop_shape(int width, int height);

/* "a whole video frame", "not square", "small"; "a face crop" for the first. A static string. */
const char *data_crop_shape_name(DataCropShape shape);

#endif
