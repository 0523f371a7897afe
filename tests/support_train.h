/*
 * support_train.h - a small encoder, a folder of frames and a recipe: what tests of training need.
 */
#ifndef LNCLIP_TESTS_SUPPORT_TRAIN_H
#define LNCLIP_TESTS_SUPPORT_TRAIN_H

#include "tests/support.h"
#include "train/train.h"

/* Everything of a training job, owned. */
typedef struct SupportJob {
    Threads *threads;
    Vit *vit;
    VitHead head;
    VitTuned *tuned;
    TrainRecipe recipe;
    DataList train, val;
    TrainJob job;
} SupportJob;

/* 32 pixels, patches of 16, width 32, two blocks: a step takes a millisecond. */
VitConfig support_tiny_config(void);

/*
 * Writes folder/data/{real,fake}/vNN/NNN.png, `videos` videos of each source with `frames` frames
 * of noise of `size` pixels whose colour depends on the label, and lists folder/train.txt (all
 * videos but the last of each source) and folder/val.txt (the last ones).
 */
void support_write_frames(const char *folder, int videos, int frames, int size);

/*
 * Opens a job over the frames in `folder`: recipe paper with batch 6, 2 epochs, memory for
 * everything, then `settings`, "key=value" words separated by spaces. The run goes to folder/`run`;
 * NULL: nowhere.
 */
void support_job_open(SupportJob *job, const char *folder, const char *run, const VitConfig *config,
                      const char *settings);
void support_job_close(SupportJob *job);

#endif
