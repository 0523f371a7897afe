/*
 * scores.h - the scores of one data set, gathered as frames and as videos.
 *
 * What metrics, intervals, curves and comparisons are computed from. Rows stand in file order
 * within their data set, so that the mean of a video has the same bits wherever its data set stands
 * in the file.
 */
#ifndef LNCLIP_TRAIN_METRICS_SCORES_H
#define LNCLIP_TRAIN_METRICS_SCORES_H

#include "train/metrics/predictions.h"

/* More fake sources than this are no manipulations but another layout of folders: none is told
 * apart then. */
enum { METRICS_MAX_SOURCES = 256, METRICS_NO_SOURCE = -1 };

typedef struct MetricsScores {
    const char *dataset; /* borrowed from the table */
    size_t frames;
    const double *scores; /* [frames] p_fake */
    /*
     * [frames] what puts them in order: the margins of the table, or `scores` itself (the same
     * pointer) without margins. A margin tells apart what p_fake rounds to the same 0 or 1.
     */
    const double *ranks;
    const uint8_t *labels; /* [frames] */
    const uint32_t *rows;  /* [frames] row in the table; NULL: the same number */
    /* Without videos (a frame that has none) the rest is 0 and NULL. */
    bool has_videos;
    uint32_t videos; /* bytewise by name, so that no figure depends on the order of rows */
    const uint32_t *frame_video; /* [frames] index into the arrays below */
    const uint32_t *video_index; /* [videos] index into the table's videos */
    const double *video_mean;    /* [videos] mean p_fake of its frames, summed in file order */
    const double *video_median;  /* [videos] the middle one, or the mean of the two in the middle */
    /*
     * [videos] what puts means and medians in order: with margins the logit of the mean of
     * sigmoid(margin), in double and without a rounded probability on the way; else the two arrays
     * above themselves.
     */
    const double *video_mean_ranks, *video_median_ranks;
    const uint8_t *video_labels; /* [videos] */
    const int
        *video_source; /* [videos] of a fake one: index into sources; else METRICS_NO_SOURCE */
    const char *const *sources; /* [source_count] of fake, bytewise order; strings of the table */
    int source_count;
    struct TrainScoresMemory *memory; /* of all sets gathered together */
} MetricsScores;

/*
 * Gathers every data set of the table, in order of first row. *sets [*count] is owned by the caller
 * (metrics_scores_free), borrows from the table, and copies nothing of a file of bare scores.
 * STATUS_FAILED for an empty table or without memory.
 */
Status metrics_scores_gather(const MetricsPredictions *table, MetricsScores **sets, int *count,
                             Error *error);
void metrics_scores_free(MetricsScores *sets, int count);

/*
 * Selects the videos of one source beside all real ones: fills selected [frames or videos] of `set`
 * with indices and returns how many. source = METRICS_NO_SOURCE selects all.
 */
size_t metrics_scores_select_frames(const MetricsScores *set, int source, uint32_t *selected);
size_t metrics_scores_select_videos(const MetricsScores *set, int source, uint32_t *selected);

#endif
