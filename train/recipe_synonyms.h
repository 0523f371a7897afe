/*
 * recipe_synonyms.h - names that other programs give to recipe keys and options of lnclip.
 *
 * For advice only: no synonym is accepted in place of the name. The words are those of PyTorch
 * Lightning, timm, Hugging Face's Trainer and DeepfakeBench.
 *
 * Tests: tests/test_recipe.c.
 */
#ifndef LNCLIP_TRAIN_RECIPE_SYNONYMS_H
#define LNCLIP_TRAIN_RECIPE_SYNONYMS_H

#include <stdbool.h>
#include <stddef.h>

typedef struct TrainSynonym {
    const char *word; /* as other programs name it, with underscores */
    const char *name; /* the recipe key ("lr") or option ("--out"); NULL if there is none */
    const char *help; /* what to do instead, if name is NULL */
} TrainSynonym;

/*
 * The row of `word`, or NULL. Leading dashes and case are ignored; '-' and '.' count as '_'. The
 * row is static. Any thread may call it.
 */
const TrainSynonym *train_synonym(const char *word);

/*
 * True if names a [length] and b are equal when leading dashes are ignored and '-', '.' and '_' are
 * not distinguished: "--batch-size" and "batch_size".
 */
bool train_same_name(const char *a, size_t length, const char *b);

/* For tests. Row i of the table, from 0; NULL past the last. */
const TrainSynonym *train_synonym_row(int i);

#endif
