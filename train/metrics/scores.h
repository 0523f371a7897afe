/*
 * scores.h - the scores of one data set, by frame and by video.
 *
 * Metrics, intervals, curves and comparisons are computed from these arrays. Rows are in file order
 * within their data set, so that the mean of a video does not depend on other data sets.
 *
 * Tests: tests/test_reports.c.
 */
#ifndef LNCLIP_TRAIN_METRICS_SCORES_H
#define LNCLIP_TRAIN_METRICS_SCORES_H

#include "train/metrics/predictions.h"

/* With more fake sources than this, the folders are not manipulations; sources are ignored. */
enum { METRICS_MAX_SOURCES = 256, METRICS_NO_SOURCE = -1 };

typedef struct MetricsScores {
    const char *dataset; /* borrowed from the table */
    size_t frames;
    const double *scores; /* [frames] p_fake */
    /*
     * [frames] values that rank the frames: margins, or `scores` itself (equal pointer) if the
     * table has none. Margins distinguish frames whose p_fake rounds to 0 or 1.
     */
    const double *ranks;
    const uint8_t *labels; /* [frames] */
    const uint32_t *rows;  /* [frames] row in the table; NULL: frame i is row i */
    /* If a frame has no video, has_videos is false and the rest is 0 and NULL. */
    bool has_videos;
    uint32_t videos; /* sorted bytewise by name, so that results do not depend on row order */
    const uint32_t *frame_video; /* [frames] index into the arrays below */
    const uint32_t *video_index; /* [videos] index into the table's videos */
    const double *video_mean;    /* [videos] mean p_fake of the frames, summed in file order */
    const double *video_median;  /* [videos] median p_fake of the frames */
    /*
     * [videos] values that rank means and medians. With margins: the logit of the mean of
     * sigmoid(margin), in double, without rounding a probability. Otherwise the arrays above.
     */
    const double *video_mean_ranks, *video_median_ranks;
    const uint8_t *video_labels; /* [videos] */
    const int
        *video_source; /* [videos] index into sources of a fake video, else METRICS_NO_SOURCE */
    const char *const *sources; /* [source_count] fake sources, bytewise order; borrowed */
    int source_count;
    struct TrainScoresMemory *memory; /* shared by all sets of one call */
} MetricsScores;

/*
 * Gathers the data sets of the table, in order of first row. The caller frees *sets [*count] by
 * metrics_scores_free; they borrow from the table (bare scores are not copied). STATUS_FAILED for
 * an empty table or if out of memory.
 */
Status metrics_scores_gather(const MetricsPredictions *table, MetricsScores **sets, int *count,
                             Error *error);
void metrics_scores_free(MetricsScores *sets, int count);

/*
 * Select the frames or videos of one fake source and all reals: fill selected [frames or videos]
 * with indices and return their number. source = METRICS_NO_SOURCE selects all.
 */
size_t metrics_scores_select_frames(const MetricsScores *set, int source, uint32_t *selected);
size_t metrics_scores_select_videos(const MetricsScores *set, int source, uint32_t *selected);

#endif
