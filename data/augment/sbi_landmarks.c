/*
 * sbi_landmarks.c - the landmarks beside a frame: see sbi.h.
 *
 * DeepfakeBench writes landmarks/VIDEO/NAME.npy beside frames/VIDEO/NAME.png, one face a file; the
 * preprocessing of the public SBI code writes all faces of a frame, the largest first.
 */
#include "data/augment/sbi.h"
#include "data/image/npy.h"

#include "tensor/base/file.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* Farther from an image than this no landmark lies; beyond it a file holds something else. */
static const double MAX_COORDINATE = 1e6;

/* The folders of frames that `landmarks` may stand beside. */
static const char *const FRAMES[] = {"frames", "faces", "crops", "images"};

/* The part of `path` before its last slash: its length, 0 if there is none. */
static size_t parent(const char *path, size_t length)
{
    while (length > 0 && path[length - 1] != '/')
        length--;
    while (length > 0 && path[length - 1] == '/')
        length--;
    return length;
}

/* Where the last of the parts of `path` [length] begins. */
static size_t last_part(const char *path, size_t length)
{
    while (length > 0 && path[length - 1] != '/')
        length--;
    return length;
}

/* Writes HEAD[head] + middle + TAIL[tail] + ".npy" to `out`; false if too long, or no such file is there. */
static bool find(char out[FILE_PATH_SIZE], const char *path, size_t head, const char *middle,
                 size_t from, size_t stem)
{
    const int length = snprintf(out, FILE_PATH_SIZE, "%.*s%s%.*s.npy", (int)head, path, middle,
                                (int)(stem - from), path + from);
    return length > 0 && length < FILE_PATH_SIZE && file_exists(out);
}

/* The file of the frame's landmarks; false if there is none. */
static bool find_landmarks(const char *file, char out[FILE_PATH_SIZE])
{
    const size_t length = strlen(file), name = last_part(file, length);
    if (length >= FILE_PATH_SIZE)
        return false;
    const char *const dot = strrchr(file + name, '.');
    const size_t stem = dot && dot > file + name ? (size_t)(dot - file) : length;
    if (find(out, file, 0, "", 0, stem))
        return true;
    const size_t video_end = parent(file, length), video = last_part(file, video_end);
    if (video_end == 0)
        return false;
    if (find(out, file, video, "landmarks/", video, stem))
        return true;
    const size_t folder_end = parent(file, video_end), folder = last_part(file, folder_end);
    for (size_t i = 0; i < sizeof FRAMES / sizeof FRAMES[0]; i++)
        if (strlen(FRAMES[i]) == folder_end - folder &&
            strncmp(file + folder, FRAMES[i], folder_end - folder) == 0)
            return find(out, file, folder, "landmarks/", video, stem);
    return false;
}

static Status take_points(const char *path, const DataArray *array, DataLandmarks *landmarks,
                          Error *error)
{
    const size_t *const shape = array->shape + (array->rank == 3);
    const bool faces = array->rank == 2 || (array->rank == 3 && array->shape[0] > 0);
    if (!faces || (shape[0] != 68 && shape[0] != 81) || shape[1] != 2)
        return error_set(error, STATUS_FAILED,
                         "%s: no landmarks: %d dimensions, [%zu, %zu, %zu]; give 68 or 81 points: "
                         "[81, 2], [68, 2], or one such array a face",
                         path, array->rank, array->shape[0], array->shape[1], array->shape[2]);
    const int count = (int)shape[0];
    for (int i = 0; i < count; i++) {
        const double x = array->values[2 * i], y = array->values[2 * i + 1];
        if (!(fabs(x) <= MAX_COORDINATE && fabs(y) <= MAX_COORDINATE))
            return error_set(
                error, STATUS_FAILED,
                "%s: landmark %d lies at (%g, %g); give pixels of the frame, or remove "
                "the file",
                path, i, x, y);
        landmarks->x[i] = (float)x;
        landmarks->y[i] = (float)y;
    }
    landmarks->count = count;
    return STATUS_OK;
}

Status data_landmarks_read(const char *file, DataLandmarks *landmarks, Error *error)
{
    assert(file && landmarks && error);
    *landmarks = (DataLandmarks){0};
    char path[FILE_PATH_SIZE];
    if (!find_landmarks(file, path))
        return STATUS_OK;
    DataArray array;
    TRY(data_npy_read(path, &array, error));
    const Status status = take_points(path, &array, landmarks, error);
    data_array_free(&array);
    return status;
}
