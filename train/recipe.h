/*
 * recipe.h - the training configuration: all settings of a run, by key.
 *
 * One table (recipe.c) holds key, type, range and help of each setting; parsing, printing,
 * suggestions for misspelt keys and the check of --resume are loops over it. docs/recipes.md
 * explains the keys.
 *
 * Functions keep no state: any thread may call them, on distinct recipes.
 *
 * Tests: tests/test_recipe.c.
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
    char name[32]; /* built-in recipe that it is based on */
    int batch_size;
    int micro_batch; /* images in memory at once; 0 = chosen from `memory` */
    double memory;   /* GiB for the whole process; 0 = 3/4 of the machine's, at most what is free */
    int epochs;
    int max_steps; /* 0 = no limit */
    double lr, min_lr;
    TrainScheduler scheduler;
    double cycle_epochs, warmup_epochs;
    bool drop_last;
    TrainOptimizerKind optimizer;
    double beta1, beta2, weight_decay, grad_clip; /* grad_clip: largest norm; 0 = off */
    double sam_rho;                               /* radius of SAM; 0 = off */
    bool sam_adaptive;                            /* ASAM: radius relative to |parameter| */
    double ema;                                   /* decay of the averaged parameters; 0 = off */
    VitHeadKind head;
    double loss_weight[TRAIN_LOSSES];
#define PARAMETER(name, ...) double loss_##name;
    TRAIN_LOSS_ROWS(TRAIN_LOSS_SKIP, PARAMETER)
#undef PARAMETER
    bool slerp;
    double slerp_min, slerp_max; /* range of t */
    char tune[TRAIN_TEXT_SIZE];  /* trainable parameters, in the syntax of vit_tune */
    double lora_alpha;           /* LoRA scale = alpha / rank; 0 = rank, a scale of 1 */
    double lora_dropout;         /* probability of dropping an input of LoRA's A; 0 = off */
    char precision[8];           /* "f32" or "bf16" */
    uint64_t seed;
    int threads; /* compute threads; 0 = all processors */
    int workers; /* loader threads */
    bool shuffle, pairs;
    DataSampling sampling;
    bool sbi;                      /* data.sbi: real frames only, with self-blended fakes */
    char augment[TRAIN_TEXT_SIZE]; /* preset of `augmentation`, for data_augment_parse */
    DataAugment augmentation;      /* keys augment.* */
    int frames;                    /* training frames per video; 0 = all */
    DataFrameChoice frame_choice;  /* how these frames are chosen */
    int limit;                     /* training frames: random videos, class ratio kept; 0 = all */
    int val_frames; /* maximum number of validation frames, in whole videos; 0 = all */
    int val_limit;  /* maximum number of validation frames, chosen like `limit`; 0 = all */
    bool log_tensorboard;
    char monitor[48];   /* selects the best epoch; a name for train_monitor_parse */
    int early_stopping; /* epochs without improvement before the run stops; 0 = off */
    int save_every;     /* steps between saved states, in addition to every epoch; 0 = none */
    int keep;           /* number of best epochs whose adapters are kept; 0 = none */
};

/*
 * Sets *recipe to the built-in recipe `name`: paper, released, gend, probe, probe-norm or cpu.
 * STATUS_USAGE for another name; *recipe is unchanged then.
 */
Status train_recipe_named(TrainRecipe *recipe, const char *name, Error *error);

/*
 * Applies a file of `key = value` lines (# comments, CRLF and BOM are accepted). A first line
 * `recipe = NAME` resets all keys to that built-in recipe. Messages give file and line.
 * STATUS_USAGE for an unknown key or invalid value; STATUS_FAILED for a file that cannot be read, a
 * malformed line or a duplicate key. On failure *recipe may be partly changed.
 */
Status train_recipe_read(TrainRecipe *recipe, const char *path, Error *error);

/*
 * Sets one key; on failure the recipe is unchanged. Key `augment` also sets all keys augment.*.
 * STATUS_USAGE for an unknown key (the message suggests a synonym's key or the nearest one) or an
 * invalid value (it lists the accepted ones).
 */
Status train_recipe_set(TrainRecipe *recipe, const char *key, const char *value, Error *error);

/* For tests. Prints the value of a known `key` in the form that train_recipe_set accepts. */
void train_recipe_get(const TrainRecipe *recipe, const char *key, char out[TRAIN_TEXT_SIZE]);

/* Key i of the table, from 0; NULL past the last. */
const char *train_recipe_key(int i);

/* The key nearest to a misspelt or incomplete one; NULL if none is close. Static. */
const char *train_recipe_nearest(const char *word);

/*
 * Checks combinations of keys: min_lr <= lr, micro_batch <= batch_size, slerp.min <= slerp.max,
 * lora.* only with LoRA, at least one loss weight above 0, ranges of augment.*, and the
 * requirements of pairs and data.sbi (data/order.h). STATUS_USAGE if one is violated.
 */
Status train_recipe_check(const TrainRecipe *recipe, Error *error);

/*
 * Prints `recipe = NAME`, then one line `key = value` for every key: the contents of recipe.txt.
 * train_recipe_read restores all values bit-identically. Write errors are left to ferror(stream).
 */
void train_recipe_print(const TrainRecipe *recipe, FILE *stream);

/*
 * Prints " key=value" for every key that differs from the built-in recipe recipe->name, or nothing.
 */
void train_recipe_print_changes(const TrainRecipe *recipe, FILE *stream);

/*
 * The text of train_recipe_print without threads, workers, memory, micro_batch and log.tensorboard,
 * which never change a result. The caller frees it. NULL if out of memory.
 */
char *train_recipe_identity(const TrainRecipe *recipe);

/* Prints one line per key with its meaning and accepted values, for --help. */
void train_recipe_describe(FILE *stream);

/*
 * True if no learning rate depends on the length of the run (epochs, max_steps): not for cosine.
 * A longer run then begins with the same steps.
 */
bool train_recipe_can_be_extended(const TrainRecipe *recipe);

/*
 * For --resume. STATUS_USAGE if the recipes differ in a key that can change a result, that is any
 * except threads, workers, memory, micro_batch and log.tensorboard, and epochs and max_steps if the
 * run can be extended. The message lists these keys.
 */
Status train_recipe_same(const TrainRecipe *saved, const TrainRecipe *wanted, Error *error);

/* recipe->precision as an enum: f32 or bf16. */
Precision train_recipe_precision(const TrainRecipe *recipe);

/* The quantity that selects the best epoch. */
typedef struct TrainMonitor {
    int metric;    /* index into metrics_names; -1: validation loss */
    bool video;    /* per video, not per frame */
    bool descends; /* a smaller value is better */
} TrainMonitor;

/*
 * Parses val_loss, val_METRIC_frame or val_METRIC_video, where METRIC is an entry of metrics_names
 * that has a direction (better != 0). False for another name; *monitor is unchanged then.
 */
bool train_monitor_parse(const char *name, TrainMonitor *monitor);

#endif
