/*
 * support_train.h - a small encoder, a folder of frames and a recipe for training tests.
 */
#ifndef LNCLIP_TESTS_SUPPORT_TRAIN_H
#define LNCLIP_TESTS_SUPPORT_TRAIN_H

#include "tests/support.h"
#include "train/train.h"

/* A training job with all its objects, which it owns. */
typedef struct SupportJob {
    Threads *threads;
    Vit *vit;
    VitHead head;
    VitTuned *tuned;
    TrainRecipe recipe;
    DataList train, val;
    TrainJob job;
} SupportJob;

/*
 * The configuration of the encoder: 32 pixels, patches of 16, width 32, two blocks. A step takes a
 * millisecond.
 */
VitConfig support_tiny_config(void);

/*
 * Writes folder/data/{real,fake}/vNN/NNN.png, `videos` videos per source with `frames` frames of
 * `size` pixels: noise whose colour depends on the label. Also writes the lists folder/train.txt
 * (all videos except the last of each source) and folder/val.txt (the last ones).
 */
void support_write_frames(const char *folder, int videos, int frames, int size);

/*
 * Opens a job on the frames in `folder`: recipe paper with batch 6, 2 epochs and enough memory,
 * then `settings`, "key=value" separated by spaces. The run is written to folder/`run`, or not at
 * all if `run` is NULL.
 */
void support_job_open(SupportJob *job, const char *folder, const char *run, const VitConfig *config,
                      const char *settings);
void support_job_close(SupportJob *job);

#endif
