/*
 * inputs.h - the images and videos to crop, and where their crops go.
 *
 * An input is an image, a video, a folder (all images and videos below it) or a text list. The crop
 * of an image has the path of the image below its input, with the suffix .png; the crops of a video
 * are in the folder of that path without suffix: frames of FaceForensics++ keep its
 * folders, so that `lnclip lists` reads the crops as the frames. Below a list means below the
 * folder that all its images share, but at least SOURCE/VIDEO/FRAME.
 *
 * Tests: tests/test_faces.sh.
 */
#ifndef LNCLIP_DATA_FACES_INPUTS_H
#define LNCLIP_DATA_FACES_INPUTS_H

#include "tensor/base/error.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct DataFacesInput {
    const char
        *path; /* as written; images of a list that are next to it have its folder in front */
    const char *crop; /* path below the output folder: of the crop, or of a video's folder */
    int frame;        /* of an image: the number that is its name, -1 if it is not a number */
    bool is_video;
} DataFacesInput;

typedef struct DataFacesInputs {
    DataFacesInput *items; /* [count] in the order given, folders in bytewise order */
    int count;
    size_t capacity;
    void *memory; /* owns the strings */
} DataFacesInputs;

/*
 * Finds the files of paths [count]. STATUS_FAILED for a missing path, a folder or list without
 * images and videos, an unreadable list, a path with a line end, two files with the same crop,
 * and when out of memory. A file given twice counts once. *inputs is owned by the caller
 * (data_faces_inputs_free); it is empty on failure. Thread-safe.
 */
Status data_faces_inputs_read(DataFacesInputs *inputs, const char *const *paths, int count,
                              Error *error);

/* Frees the inputs and empties the struct. An empty one is allowed. */
void data_faces_inputs_free(DataFacesInputs *inputs);

#endif
