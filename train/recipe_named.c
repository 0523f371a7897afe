/*
 * recipe_named.c - the built-in recipes: see recipe.h.
 *
 * A recipe is told as what it changes. Where this version lacks a published value, the table names what
 * stands in for it, and train_recipe_note tells the user: nothing is replaced in silence.
 */
#include "train/recipe.h"

#include <assert.h>
#include <string.h>

/* One thing in which a built-in recipe differs from `paper`, which comes first. */
typedef struct Difference {
    const char *recipe, *key, *value;
    const char *stand_in; /* if this version refuses the value; NULL if it cannot */
} Difference;

/*
 * Sources: the public code of arXiv 2503.19683 (paper; released: its published checkpoint) and of
 * arXiv 2508.06248 (gend). What they do not set is ours: seed, workers, save_every, keep, frames and epochs of cpu.
 */
static const Difference differences[] = {
    {"paper", "batch_size", "128", NULL},
    {"paper", "micro_batch", "0", NULL},
    {"paper", "memory", "0", NULL},
    {"paper", "epochs", "10", NULL},
    {"paper", "max_steps", "0", NULL},
    {"paper", "lr", "8e-5", NULL},
    {"paper", "min_lr", "5e-5", NULL},
    {"paper", "scheduler", "cosine", NULL},
    {"paper", "cycle_epochs", "10", NULL},
    {"paper", "warmup_epochs", "0", NULL},
    {"paper", "drop_last", "off", NULL},
    {"paper", "optimizer", "adamw", NULL},
    {"paper", "beta1", "0.9", NULL},
    {"paper", "beta2", "0.999", NULL},
    {"paper", "weight_decay", "0", NULL},
    {"paper", "grad_clip", "0", NULL},
    {"paper", "head", "LinearNorm", NULL},
    {"paper", "loss.ce", "1", NULL},
    {"paper", "loss.label_smoothing", "0", NULL},
    {"paper", "loss.alignment", "0", NULL},
    {"paper", "loss.uniformity", "0", NULL},
    {"paper", "slerp", "on", NULL},
    {"paper", "tune", "ln", NULL},
    {"paper", "precision", "bf16", NULL},
    {"paper", "seed", "42", NULL},
    {"paper", "threads", "0", NULL},
    {"paper", "workers", "2", NULL},
    {"paper", "shuffle", "on", NULL},
    {"paper", "pairs", "off", NULL},
    {"paper", "augment", "paper", "flip"},
    {"paper", "frames", "32", NULL},
    {"paper", "monitor", "val_map_video", NULL},
    {"paper", "early_stopping", "0", NULL},
    {"paper", "save_every", "10", NULL},
    {"paper", "keep", "0", NULL},
    {"released", "loss.alignment", "0.1", NULL},
    {"released", "loss.uniformity", "0.1", NULL},
    {"gend", "epochs", "30", NULL},
    {"gend", "lr", "3e-4", NULL},
    {"gend", "min_lr", "1e-5", NULL},
    {"gend", "scheduler", "cyclic", NULL},
    {"gend", "warmup_epochs", "1", NULL},
    {"gend", "drop_last", "on", NULL},
    {"gend", "loss.alignment", "0.1", NULL},
    {"gend", "loss.uniformity", "0.5", NULL},
    {"gend", "slerp", "off", NULL},
    {"gend", "augment", "gend", "flip"},
    {"gend", "early_stopping", "30", NULL},
    {"probe", "tune", "none", NULL},
    {"cpu", "frames", "4", NULL},
    {"cpu", "epochs", "5", NULL},
};

enum { DIFFERENCES = sizeof differences / sizeof differences[0] };

static const char *builtin_name(int i)
{
    static const char *const names[] = {"paper", "released", "gend", "probe", "cpu"};
    return i < (int)(sizeof names / sizeof names[0]) ? names[i] : NULL;
}

static void apply(TrainRecipe *recipe, const Difference *difference)
{
    Error error = {0};
    Status status = train_recipe_set(recipe, difference->key, difference->value, &error);
    if (status != STATUS_OK && difference->stand_in)
        status = train_recipe_set(recipe, difference->key, difference->stand_in, &error);
    assert(status == STATUS_OK);
}

Status train_recipe_named(TrainRecipe *recipe, const char *name, Error *error)
{
    assert(recipe && name && error);
    int known = 0;
    while (builtin_name(known) && strcmp(builtin_name(known), name) != 0)
        known++;
    if (!builtin_name(known)) {
        return error_set(
            error, STATUS_USAGE,
            "recipe %.80s: is not built in; use paper, released, gend, probe, cpu or a file", name);
    }
    memset(recipe, 0, sizeof *recipe);
    snprintf(recipe->name, sizeof recipe->name, "%s", name);
    for (int i = 0; i < DIFFERENCES; i++)
        if (strcmp(differences[i].recipe, "paper") == 0 || strcmp(differences[i].recipe, name) == 0)
            apply(recipe, &differences[i]);
    return STATUS_OK;
}

bool train_recipe_note(const TrainRecipe *recipe, char out[TRAIN_TEXT_SIZE])
{
    size_t used = 0;
    out[0] = '\0';
    for (int i = 0; i < DIFFERENCES && used < TRAIN_TEXT_SIZE; i++) {
        const Difference *const d = &differences[i];
        bool applies = strcmp(d->recipe, "paper") == 0 || strcmp(d->recipe, recipe->name) == 0;
        for (int j = i + 1; j < DIFFERENCES; j++) /* the recipe's own line replaces that of paper */
            applies = applies && (strcmp(differences[j].recipe, recipe->name) != 0 ||
                                  strcmp(differences[j].key, d->key) != 0);
        char value[TRAIN_TEXT_SIZE];
        train_recipe_get(recipe, d->key, value);
        if (!d->stand_in || !applies || strcmp(value, d->stand_in) != 0)
            continue;
        used +=
            (size_t)snprintf(out + used, TRAIN_TEXT_SIZE - used,
                             "%s%s = %s stands in for the published %s, which this version lacks",
                             used > 0 ? "; " : "", d->key, value, d->value);
    }
    return used > 0;
}
