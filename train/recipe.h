/*
 * recipe.h - every setting of a training run, by name.
 *
 * One table (recipe.c) holds key, type, range and help of each setting; parsing, printing,
 * nearest-key suggestions and the equality check of --resume are loops over it. Keys: see
 * docs/recipes.md.
 *
 * No function here keeps state: all may be called from any thread on distinct recipes.
 */
#ifndef LNCLIP_TRAIN_RECIPE_H
#define LNCLIP_TRAIN_RECIPE_H

#include "data/augment/augment.h"
#include "data/order.h"
#include "tensor/precision.h"
#include "train/objective.h"
#include "vit/head.h"

#include <stdio.h>

typedef enum TrainScheduler {
    TRAIN_SCHEDULER_COSINE,
    TRAIN_SCHEDULER_CYCLIC,
    TRAIN_SCHEDULER_CONSTANT
} TrainScheduler;
typedef enum TrainOptimizerKind { TRAIN_OPTIMIZER_ADAMW, TRAIN_OPTIMIZER_SGD } TrainOptimizerKind;

enum { TRAIN_TEXT_SIZE = 256 };

struct TrainRecipe {
    char name[32]; /* the built-in recipe it started from */
    int batch_size;
    int micro_batch; /* images in memory at once; 0 = chosen from `memory` */
    double memory;   /* GiB for the whole process; 0 = three quarters of what the machine has */
    int epochs;
    int max_steps; /* 0 = no limit */
    double lr, min_lr;
    TrainScheduler scheduler;
    double cycle_epochs, warmup_epochs;
    bool drop_last;
    TrainOptimizerKind optimizer;
    double beta1, beta2, weight_decay, grad_clip; /* grad_clip: largest norm; 0 = off */
    double sam_rho;                               /* of sharpness-aware minimisation; 0 = off */
    bool sam_adaptive;                            /* scaled by the size of each parameter */
    double ema;                                   /* decay of the average of the weights; 0 = off */
    VitHeadKind head;
    double loss_weight[TRAIN_LOSSES];
#define PARAMETER(name, ...) double loss_##name;
    TRAIN_LOSS_ROWS(TRAIN_LOSS_SKIP, PARAMETER)
#undef PARAMETER
    bool slerp;
    double slerp_min, slerp_max; /* range of t */
    char tune[TRAIN_TEXT_SIZE];  /* as vit_tune takes it */
    double lora_alpha;           /* LoRA's scale is alpha / rank; 0 = the rank, a scale of 1 */
    double lora_dropout;         /* share of x that LoRA's A does not see in training; 0 = off */
    char precision[8];           /* see train_recipe_precision */
    uint64_t seed;
    int threads; /* 0 = all processors */
    int workers; /* of the loader */
    bool shuffle, pairs;
    DataSampling sampling;
    bool sbi; /* real frames alone, with self-blended fakes: `data.sbi` */
    char augment
        [TRAIN_TEXT_SIZE];    /* as data_augment_parse takes it: what augmentation started from */
    DataAugment augmentation; /* its parameters: the keys `augment.` */
    int frames;               /* a video; 0 = all */
    DataFrameChoice frame_choice; /* which these are */
    int limit;                    /* frames of training at most, classes in proportion; 0 = all */
    int val_frames;               /* of validation at most, whole videos; 0 = all */
    int val_limit;                /* the same of validation as `limit` of training */
    bool log_tensorboard;
    char monitor[48];   /* as train_monitor_parse takes it */
    int early_stopping; /* epochs without a better value of `monitor`; 0 = off */
    int save_every;     /* steps between saved states; each epoch saves too; 0 = none */
    int keep;           /* adapters of the best epochs that stay, one file an epoch; 0 = none */
};                      /* TrainRecipe */

/*
 * The built-in recipe `name`: paper, released, gend, probe, probe-norm, cpu. STATUS_USAGE lists
 * them for another, and leaves *recipe as it is.
 */
Status train_recipe_named(TrainRecipe *recipe, const char *name, Error *error);

/*
 * Applies a file of `key = value` lines (# comments, CRLF and BOM accepted). A first line `recipe =
 * NAME` starts over from that built-in recipe. Errors name file and line: STATUS_USAGE for keys and
 * values, STATUS_FAILED for a file that cannot be read, a line of another form, a key given twice.
 * *recipe may be half changed then.
 */
Status train_recipe_read(TrainRecipe *recipe, const char *path, Error *error);

/*
 * Sets one key; on failure the recipe is unchanged. `augment` sets all keys that begin with
 * `augment.`, too. STATUS_USAGE names the nearest key for an unknown one, the accepted values for a
 * bad value, and says so by name for a value that this version does not have yet.
 */
Status train_recipe_set(TrainRecipe *recipe, const char *key, const char *value, Error *error);

/* For tests. The value of `key`, which must be known, as train_recipe_set takes it. */
void train_recipe_get(const TrainRecipe *recipe, const char *key, char out[TRAIN_TEXT_SIZE]);

/* For tests. The keys in the order of the table, i from 0; NULL past the last. */
const char *train_recipe_key(int i);

/*
 * Checks what no single key can: min_lr <= lr, micro_batch <= batch_size, slerp.min <= slerp.max,
 * lora.alpha and lora.dropout with LoRA alone, some loss above 0, and what pairs and
 * data.sbi ask of the other keys (data/order.h). STATUS_USAGE.
 */
Status train_recipe_check(const TrainRecipe *recipe, Error *error);

/*
 * `recipe = NAME`, then every key and its value, one `key = value` a line: what recipe.txt holds
 * and train_recipe_read takes, with the same bits in every number. Write errors stay with the
 * stream.
 */
void train_recipe_print(const TrainRecipe *recipe, FILE *stream);

/*
 * What train_recipe_print prints, less threads, workers, memory, micro_batch and log.tensorboard,
 * which never change a result. Free it. NULL without memory.
 */
char *train_recipe_identity(const TrainRecipe *recipe);

/* One line a key with its accepted values and meaning: for help and documents. */
void train_recipe_describe(FILE *stream);

/*
 * For --resume: STATUS_USAGE naming the keys in which the two differ, other than threads, workers,
 * memory, micro_batch and log.tensorboard, which never change a result.
 */
Status train_recipe_same(const TrainRecipe *saved, const TrainRecipe *wanted, Error *error);

/* The precision of the encoder in a run: f32 or bf16. */
Precision train_recipe_precision(const TrainRecipe *recipe);

/* What a monitor names. */
typedef struct TrainMonitor {
    int metric;    /* index into metrics_names; -1: the loss of validation */
    bool video;    /* of videos, not of frames */
    bool descends; /* a smaller value is better */
} TrainMonitor;

/*
 * Takes val_loss, and val_METRIC_frame or val_METRIC_video for every metric of metrics_names that
 * has a better and a worse. False, and *monitor as it was, for another name.
 */
bool train_monitor_parse(const char *name, TrainMonitor *monitor);

#endif
