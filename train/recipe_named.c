/*
 * recipe_named.c - the built-in recipes: see recipe.h.
 *
 * A recipe is listed as what it changes in the one it is based on.
 */
#include "train/recipe.h"

#include <assert.h>
#include <string.h>

/* One key in which a built-in recipe differs from its base; `paper` comes first and has all keys. */
typedef struct Difference {
    const char *recipe, *key, *value;
} Difference;

/*
 * Sources: the public code of arXiv 2503.19683 (paper; released: its published checkpoint) and of
 * arXiv 2508.06248 (gend; probe: its baseline, the experiment wacv-Baseline, which shares all else
 * with gend). What they do not set is ours: seed, workers, save_every, keep, frames and epochs of
 * cpu, and probe-norm.
 */
static const Difference differences[] = {
    {"paper", "batch_size", "128"},
    {"paper", "micro_batch", "0"},
    {"paper", "memory", "0"},
    {"paper", "epochs", "10"},
    {"paper", "max_steps", "0"},
    {"paper", "lr", "8e-5"},
    {"paper", "min_lr", "5e-5"},
    {"paper", "scheduler", "cosine"},
    {"paper", "cycle_epochs", "10"},
    {"paper", "warmup_epochs", "0"},
    {"paper", "drop_last", "off"},
    {"paper", "optimizer", "adamw"},
    {"paper", "beta1", "0.9"},
    {"paper", "beta2", "0.999"},
    {"paper", "weight_decay", "0"},
    {"paper", "grad_clip", "0"},
    {"paper", "sam.rho", "0"},
    {"paper", "sam.adaptive", "on"},
    {"paper", "ema", "0"},
    {"paper", "head", "LinearNorm"},
    {"paper", "loss.ce", "1"},
    {"paper", "loss.label_smoothing", "0"},
    {"paper", "loss.alignment", "0"},
    {"paper", "loss.uniformity", "0"},
    {"paper", "slerp", "on"},
    {"paper", "slerp.min", "0"},
    {"paper", "slerp.max", "1"},
    {"paper", "tune", "ln"},
    {"paper", "lora.alpha", "0"},
    {"paper", "lora.dropout", "0"},
    {"paper", "precision", "bf16"},
    {"paper", "seed", "42"},
    {"paper", "threads", "0"},
    {"paper", "workers", "2"},
    {"paper", "shuffle", "on"},
    {"paper", "pairs", "off"},
    {"paper", "sampling", "all"},
    {"paper", "data.sbi", "off"},
    {"paper", "augment", "paper"},
    {"paper", "frames", "32"},
    {"paper", "frame_choice", "even"},
    {"paper", "limit", "0"},
    {"paper", "val_frames", "0"},
    {"paper", "val_limit", "0"},
    {"paper", "log.tensorboard", "off"},
    {"paper", "monitor", "val_map_video"},
    {"paper", "early_stopping", "0"},
    {"paper", "save_every", "10"},
    {"paper", "keep", "0"},
    {"released", "loss.alignment", "0.1"},
    {"released", "loss.uniformity", "0.1"},
    {"gend", "epochs", "30"},
    {"gend", "lr", "3e-4"},
    {"gend", "min_lr", "1e-5"},
    {"gend", "scheduler", "cyclic"},
    {"gend", "warmup_epochs", "1"},
    {"gend", "drop_last", "on"},
    {"gend", "loss.alignment", "0.1"},
    {"gend", "loss.uniformity", "0.5"},
    {"gend", "slerp", "off"},
    {"gend", "augment", "gend"},
    {"gend", "early_stopping", "30"},
    {"probe", "tune", "none"},
    {"probe", "head", "linear"},
    {"probe", "loss.alignment", "0"},
    {"probe", "loss.uniformity", "0"},
    {"probe-norm", "tune", "none"},
    {"cpu", "frames", "4"},
    {"cpu", "epochs", "5"},
};

enum { DIFFERENCES = sizeof differences / sizeof differences[0] };

/* The built-in recipes, and those they are based on. */
static const struct {
    const char *name, *base;
} builtins[] = {
    {"paper", NULL},   {"released", "paper"},   {"gend", "paper"},
    {"probe", "gend"}, {"probe-norm", "paper"}, {"cpu", "paper"},
};

enum { BUILTINS = sizeof builtins / sizeof builtins[0] };

/* Applies what `name` differs in, after what its bases differ in; false if it is not built in. */
static bool apply(TrainRecipe *recipe, const char *name)
{
    int i = 0;
    while (i < BUILTINS && strcmp(builtins[i].name, name) != 0)
        i++;
    if (i == BUILTINS)
        return false;
    if (builtins[i].base)
        apply(recipe, builtins[i].base);
    for (int d = 0; d < DIFFERENCES; d++) {
        if (strcmp(differences[d].recipe, name) != 0)
            continue;
        Error error = {0};
        const Status status =
            train_recipe_set(recipe, differences[d].key, differences[d].value, &error);
        assert(status == STATUS_OK);
        (void)status;
    }
    return true;
}

Status train_recipe_named(TrainRecipe *recipe, const char *name, Error *error)
{
    assert(recipe && name && error);
    TrainRecipe named;
    memset(&named, 0, sizeof named);
    snprintf(named.name, sizeof named.name, "%s", name);
    if (!apply(&named, name))
        return error_set(error, STATUS_USAGE,
                         "recipe %.80s: is not built in; use paper, released, gend, probe, "
                         "probe-norm, cpu or a file",
                         name);
    *recipe = named;
    return STATUS_OK;
}
