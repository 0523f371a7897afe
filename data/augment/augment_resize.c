/*
 * augment_resize.c - resizing as a loss of detail, not as preprocessing: see augment.h.
 */
#include "data/augment/augment.h"

#include <assert.h>

Status data_resize_shorter(DataImage *image, int size, DataFilter filter, Error *error)
{
    assert(image && image->pixels && size > 0 && error);
    int width = 0, height = 0;
    if (!data_resized_shape(image->width, image->height, size, &width, &height))
        return error_set(error, STATUS_FAILED,
                         "image of %d x %d pixels: resized to %d it would exceed %d pixels; resize "
                         "to less, or leave it out",
                         image->width, image->height, size, DATA_MAX_PIXELS);
    DataImage out;
    TRY(data_image_create(&out, width, height, error));
    DataResizer resizer = {.filter = filter};
    const Status status = data_resize(&resizer, image, width, height, out.pixels, error);
    data_resizer_free(&resizer);
    if (status != STATUS_OK) {
        data_image_free(&out);
        return status;
    }
    data_image_free(image);
    *image = out;
    return STATUS_OK;
}
