/*
 * recipe.h - every setting of a training run, by name.
 *
 * One table (recipe.c) holds key, type, range, default and help of each setting; parsing, printing, nearest-key
 * suggestions and the equality check of --resume are loops over it. Keys: see docs/recipes.md.
 */
#ifndef LNCLIP_TRAIN_RECIPE_H
#define LNCLIP_TRAIN_RECIPE_H

#include "data/augment.h"
#include "vit/head.h"

#include <stdio.h>

typedef enum TrainScheduler {
    TRAIN_SCHEDULER_COSINE,
    TRAIN_SCHEDULER_CYCLIC,
    TRAIN_SCHEDULER_CONSTANT
} TrainScheduler;
typedef enum TrainOptimizerKind { TRAIN_OPTIMIZER_ADAMW, TRAIN_OPTIMIZER_SGD } TrainOptimizerKind;

enum { TRAIN_TEXT_SIZE = 256 };

typedef struct TrainRecipe {
    char name[32]; /* the recipe it started from */
    int batch_size, micro_batch;
    double memory; /* GiB for the whole process; 0 = three quarters of what the machine has */
    int epochs, max_steps; /* max_steps 0 = no limit */
    double lr, min_lr;
    TrainScheduler scheduler;
    double cycle_epochs, warmup_epochs;
    bool drop_last;
    TrainOptimizerKind optimizer;
    double beta1, beta2, weight_decay, grad_clip; /* grad_clip 0 = off */
    VitHeadKind head;
    double loss_ce, loss_label_smoothing, loss_alignment, loss_uniformity;
    bool slerp;
    char tune[TRAIN_TEXT_SIZE];
    char precision[8];
    uint64_t seed;
    int threads, workers; /* 0 = all processors; workers of the loader */
    bool shuffle;
    char augment[TRAIN_TEXT_SIZE];
    int frames; /* a video; 0 = all */
    char monitor[32]; /* val_map_video, val_auroc_video, ... or val_loss */
    int early_stopping, save_every, keep;
} TrainRecipe;

/* The built-in recipe `name`: paper, released, gend, probe, cpu. STATUS_USAGE lists them for another. */
Status train_recipe_named(TrainRecipe *recipe, const char *name, Error *error);

/* Applies a file of `key = value` lines (# comments). Errors name file and line. */
Status train_recipe_read(TrainRecipe *recipe, const char *path, Error *error);

/*
 * Sets one key. STATUS_USAGE names the nearest key for an unknown one, the accepted values for a
 * bad value, and says so by name for a value that this version does not have yet.
 */
Status train_recipe_set(TrainRecipe *recipe, const char *key, const char *value, Error *error);

/* Checks what no single key can (min_lr <= lr, micro_batch <= batch_size, ...). */
Status train_recipe_check(const TrainRecipe *recipe, Error *error);

/* Every key and its value, one `key = value` a line: what recipe.txt holds and train_recipe_read takes. */
void train_recipe_print(const TrainRecipe *recipe, FILE *stream);

/*
 * For --resume: STATUS_USAGE naming the keys in which the two differ, other than threads, workers, memory,
 * micro_batch, which never change a result.
 */
Status train_recipe_same(const TrainRecipe *saved, const TrainRecipe *wanted, Error *error);

#endif
