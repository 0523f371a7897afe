/*
 * list_checks.c - see list_checks.h.
 */
#include "train/list_checks.h"

#include "tensor/base/mem.h"
#include "train/metrics/metrics.h"
#include "train/stepper.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

static const char WHAT[] = "the check of the lists";

/* ---- shapes ---------------------------------------------------------------------------------- */

static void add_odd(TrainOddImages *odd, const DataFrameSize *size)
{
    if (odd->count < DATA_COMPARE_NAMED)
        odd->first[odd->count] = *size;
    odd->count++;
}

static int compare_numbers(const void *left, const void *right)
{
    const int a = *(const int *)left, b = *(const int *)right;
    return (a > b) - (a < b);
}

/* Sorts values [count]; out = minimum, lower median, maximum. */
static void summarize(int *values, int count, int out[3])
{
    qsort(values, count, sizeof *values, compare_numbers);
    out[0] = values[0];
    out[1] = values[(count - 1) / 2];
    out[2] = values[count - 1];
}

static Status check_shapes(const DataFrameSize *sizes, int count, TrainSizes *out, Error *error)
{
    int *values = mem_new(count, sizeof *values, WHAT, error);
    if (!values)
        return error->status;
    for (int i = 0; i < count; i++) {
        const DataCropShape shape = data_crop_shape(sizes[i].width, sizes[i].height);
        if (shape != DATA_CROP_FACE)
            add_odd(&out->odd[shape], &sizes[i]);
    }
    for (int i = 0; i < count; i++)
        values[i] = sizes[i].width;
    summarize(values, count, out->width);
    for (int i = 0; i < count; i++)
        values[i] = sizes[i].height;
    summarize(values, count, out->height);
    free(values);
    return STATUS_OK;
}

/* ---- size and label -------------------------------------------------------------------------- */

/* Mean image size of each video. Filled by index in the list, then compacted to [count]. */
typedef struct VideoSizes {
    double *pixels, *bytes; /* [count] */
    uint8_t *labels;        /* [count] */
    int *images;            /* [list->video_count] */
    int count;
} VideoSizes;

static void video_sizes_free(VideoSizes *videos)
{
    free(videos->pixels);
    free(videos->bytes);
    free(videos->labels);
    free(videos->images);
}

static Status video_sizes_create(VideoSizes *videos, const DataList *list,
                                 const DataFrameSize *sizes, int count, Error *error)
{
    const size_t all = list->video_count;
    *videos = (VideoSizes){0};
    if (!(videos->pixels = mem_new(all, sizeof *videos->pixels, WHAT, error)) ||
        !(videos->bytes = mem_new(all, sizeof *videos->bytes, WHAT, error)) ||
        !(videos->labels = mem_new(all, sizeof *videos->labels, WHAT, error)) ||
        !(videos->images = mem_new(all, sizeof *videos->images, WHAT, error)))
        return error->status;
    for (int i = 0; i < count; i++) {
        const int video = list->frames[sizes[i].frame].video;
        videos->pixels[video] += (double)sizes[i].width * sizes[i].height;
        videos->bytes[video] += (double)sizes[i].bytes;
        videos->images[video]++;
    }
    for (int video = 0; video < list->video_count; video++) {
        const int images = videos->images[video];
        if (images == 0)
            continue;
        videos->pixels[videos->count] = videos->pixels[video] / images;
        videos->bytes[videos->count] = videos->bytes[video] / images;
        videos->labels[videos->count] = (uint8_t)list->video_label[video];
        videos->count++;
    }
    return STATUS_OK;
}

static Status compare_with_label(const double *values, const VideoSizes *videos,
                                 TrainSizeLabel *out, Error *error)
{
    Metrics metrics;
    TRY(metrics_compute(values, videos->labels, (size_t)videos->count, &metrics, error));
    const double real = (double)metrics.n_real, fake = (double)metrics.n_fake;
    const double standard_error = sqrt((real + fake + 1) / (12 * real * fake));
    const double distance = fabs(metrics.auroc - 0.5); /* NaN with one class: never telling */
    out->auroc = metrics.auroc;
    out->telling = distance >= 0.3 && distance > 3 * standard_error;
    return STATUS_OK;
}

static Status check_size_labels(const DataList *list, const DataFrameSize *sizes, int count,
                                TrainSizes *out, Error *error)
{
    VideoSizes videos;
    Status status = video_sizes_create(&videos, list, sizes, count, error);
    if (status == STATUS_OK)
        status = compare_with_label(videos.pixels, &videos, &out->pixels, error);
    if (status == STATUS_OK)
        status = compare_with_label(videos.bytes, &videos, &out->bytes, error);
    out->videos = videos.count;
    video_sizes_free(&videos);
    return status;
}

static Status check_sizes(const DataList *list, Threads *threads, TrainSizes *out, Error *error)
{
    DataFrameSize *sizes;
    int count;
    TRY(data_list_sizes(list, TRAIN_CHECKS_IMAGES, threads, &sizes, &count, error));
    out->images = count;
    Status status = check_shapes(sizes, count, out, error);
    if (status == STATUS_OK)
        status = check_size_labels(list, sizes, count, out, error);
    free(sizes);
    return status;
}

/* ---- all ------------------------------------------------------------------------------------- */

Status train_check_lists(const DataList *const *lists, int count, TrainChecks checks,
                         Threads *threads, TrainListFindings *findings, Error *error)
{
    assert(lists && 0 < count && count <= DATA_COMPARE_SETS && findings && error);
    const double started = train_clock();
    *findings = (TrainListFindings){0};
    for (int i = 0; i < count; i++) {
        assert(lists[i]->count > 0);
        data_list_counts(lists[i], findings->frames[i], findings->videos[i]);
    }
    if (checks == TRAIN_CHECKS_OFF)
        return STATUS_OK;
    for (int i = 0; i < count; i++)
        TRY(check_sizes(lists[i], threads, &findings->sizes[i], error));
    TRY(data_list_compare(lists, count, checks == TRAIN_CHECKS_FULL, threads, &findings->same,
                          error));
    findings->seconds = train_clock() - started;
    return STATUS_OK;
}

Status train_check_classes(const DataList *list, const char *name, Error *error)
{
    int frames[2], videos[2];
    data_list_counts(list, frames, videos);
    if (frames[0] > 0 && frames[1] > 0)
        return STATUS_OK;
    return error_set(error, STATUS_FAILED,
                     "%s list: all %d frames are %s; add a list of %s frames (a source is real if "
                     "its name contains the word \"real\", otherwise fake; --label NAME=real or "
                     "NAME=fake overrides it)",
                     name, list->count, frames[0] > 0 ? "real" : "fake",
                     frames[0] > 0 ? "fake" : "real");
}

Status train_check_labels(const DataList *train, const DataList *val, bool makes_fakes,
                          Error *error)
{
    if (!makes_fakes)
        TRY(train_check_classes(train, "training", error));
    return val ? train_check_classes(val, "validation", error) : STATUS_OK;
}

bool train_lists_overlap(const TrainListFindings *findings, int a, int b)
{
    const DataOverlap *overlap = &findings->same.overlap[a][b];
    return overlap->files.count > 0 || overlap->contents.count > 0 || overlap->people.count > 0;
}
