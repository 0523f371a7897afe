/*
 * crop.c - see crop.h.
 */
#include "data/faces/crop.h"

#include <assert.h>

const char *const data_like_names[DATA_LIKES] = {
    [DATA_LIKE_DFB] = "dfb", [DATA_LIKE_GEND] = "gend", [DATA_LIKE_FFPP] = "ffpp"};

DataCropSettings data_crop_defaults(void)
{
    return (DataCropSettings){.like = DATA_LIKE_DFB, .upsample = true, .size = 256, .scale = 1.3};
}

/*
 * DeepfakeBench takes the iBUG numbers, which count from 1, as indices from 0: lids instead of
 * corners of the eyes, and points next to the corners of the mouth. Its crops have this bias.
 */
static DataPoints points_dfb(int landmarks[DATA_SHAPE_POINTS][2])
{
    static const int INDEX[DATA_ALIGN_POINTS] = {37, 44, 30, 49, 55};
    DataPoints points;
    for (int i = 0; i < DATA_ALIGN_POINTS; i++)
        for (int j = 0; j < 2; j++)
            points.at[i][j] = landmarks[INDEX[i]][j];
    return points;
}

/* Means of the six points of each eye, the tip of the nose, the corners of the mouth. */
static DataPoints points_gend(int landmarks[DATA_SHAPE_POINTS][2])
{
    enum { RIGHT_EYE = 36, LEFT_EYE = 42, EYE_POINTS = 6, NOSE = 30, MOUTH_RIGHT = 48 };
    enum { MOUTH_LEFT = 54 };
    DataPoints points = {0};
    for (int j = 0; j < 2; j++) {
        for (int k = 0; k < EYE_POINTS; k++) {
            points.at[0][j] += landmarks[RIGHT_EYE + k][j] / (double)EYE_POINTS;
            points.at[1][j] += landmarks[LEFT_EYE + k][j] / (double)EYE_POINTS;
        }
        points.at[2][j] = landmarks[NOSE][j];
        points.at[3][j] = landmarks[MOUTH_RIGHT][j];
        points.at[4][j] = landmarks[MOUTH_LEFT][j];
    }
    return points;
}

/* Aligns the face; crop->found stays false if its points coincide. */
static Status align(const DataImage *image, const DataCropSettings *settings, DataCrop *crop,
                    Error *error)
{
    int landmarks[DATA_SHAPE_POINTS][2];
    TRY(data_shape_find(settings->landmarks, image, &crop->face.box, landmarks, error));
    DataSimilarity map;
    bool mapped;
    if (settings->like == DATA_LIKE_DFB) {
        const DataPoints target = data_align_template_dfb(settings->size, settings->scale);
        crop->points = points_dfb(landmarks);
        mapped = data_align_least_squares(&crop->points, &target, &map);
    } else {
        const DataPoints target = data_align_template_gend(settings->size, settings->scale);
        crop->points = points_gend(landmarks);
        mapped = data_align_least_median(&crop->points, &target, &map);
    }
    if (!mapped || (map.a == 0 && map.b == 0))
        return STATUS_OK;
    const DataWarp warp = settings->like == DATA_LIKE_DFB ? DATA_WARP_FIXED : DATA_WARP_FLOAT;
    TRY(data_align_warp(image, &map, settings->size, warp, &crop->image, error));
    crop->found = crop->aligned = true;
    return STATUS_OK;
}

static Status cut_square(const DataImage *image, const DataCropSettings *settings, DataCrop *crop,
                         Error *error)
{
    DataBox square;
    data_align_square(image, &crop->face.box, settings->scale, &square);
    if (square.right < square.left || square.bottom < square.top)
        return STATUS_OK;
    TRY(data_align_copy(image, &square, &crop->image, error));
    crop->found = true;
    return STATUS_OK;
}

/* DeepfakeBench looks for landmarks in the crop and drops it if it finds no face there. */
static Status find_again(DataCrop *crop, Threads *threads, DataFaces *faces, Error *error)
{
    const bool UPSAMPLE = true;
    TRY(data_faces_find(&crop->image, UPSAMPLE, threads, faces, error));
    crop->found = faces->count > 0;
    return STATUS_OK;
}

Status data_crop_face(const DataImage *image, const DataCropSettings *settings, Threads *threads,
                      DataCrop *crop, Error *error)
{
    assert(settings->like == DATA_LIKE_FFPP || settings->landmarks);
    *crop = (DataCrop){0};
    DataFaces faces = {0};
    Status status = data_faces_find(image, settings->upsample, threads, &faces, error);
    const int largest = data_faces_largest(&faces);
    if (status == STATUS_OK && largest >= 0) {
        crop->index = largest;
        crop->face = faces.items[largest];
        status = settings->like == DATA_LIKE_FFPP ? cut_square(image, settings, crop, error)
                                                  : align(image, settings, crop, error);
        if (status == STATUS_OK && crop->found && settings->like == DATA_LIKE_DFB)
            status = find_again(crop, threads, &faces, error);
    }
    data_faces_free(&faces);
    if (status != STATUS_OK || !crop->found)
        data_crop_free(crop);
    return status;
}

void data_crop_free(DataCrop *crop)
{
    data_image_free(&crop->image);
    *crop = (DataCrop){0};
}
