/*
 * tune.h - what trains: one flat array of numbers, their gradients beside it in the same order.
 *
 * vit_tune moves the chosen parameters of the encoder, and the head, into that array; their Tensors become
 * views into it. The optimizer, the checkpoint and the sentence "104,450 of 303 M" are each one loop.
 */
#ifndef LNCLIP_VIT_TUNE_H
#define LNCLIP_VIT_TUNE_H

#include "vit/head.h"

typedef struct VitTunedEntry {
    const char
        *name; /* full native name: "feature_extractor.vision_model...." or "model.linear.weight" */
    Tensor *tensor;
    size_t offset, count; /* floats, within values and grads */
    bool decays; /* weight decay applies: two or more dimensions, so never biases and norms */
} VitTunedEntry;

typedef struct VitTuned {
    float *values; /* [count] */
    float *grads;  /* [count] */
    float *base;   /* [count] the values before training: drift, and what an adapter changes */
    size_t count;
    VitTunedEntry *entries; /* [entry_count], in the order of the encoder, then the head */
    int entry_count;
    char *tune;  /* what was asked for: goes into adapters, so that they can be read back */
    char *names; /* the memory behind the entries' names */
} VitTuned;

/*
 * Which parameters `tune` means: "ln" (every LayerNorm), "none", "all", or a comma list of name patterns
 * (fnmatch, against names from "vision_model." on). Sets chosen [parameter_count] and *count. STATUS_USAGE,
 * naming it, for a pattern that matches nothing or a method this version lacks.
 */
Status vit_tune_choose(const Vit *vit, const char *tune, bool *chosen, int *count, Error *error);

/*
 * Moves what `tune` chooses (vit_tune_choose) and the head, which always trains, into one array; their
 * Tensors become views of it, with needs_grad set and the gradient beside. `head` may be NULL only for
 * pretraining, where none exists. vit and head must outlive *tuned; destroy it first. Once per Vit.
 */
Status vit_tune(VitTuned **tuned, Vit *vit, VitHead *head, const char *tune, uint64_t seed,
                Error *error);

/* Frees the array; the parameters it held must not be used afterwards, only destroyed. NULL is allowed. */
void vit_tuned_destroy(VitTuned *tuned);

/* grads = 0. The one place where parameters' gradients are zeroed. */
void vit_tuned_zero_grads(VitTuned *tuned);

#endif
