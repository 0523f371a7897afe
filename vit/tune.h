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
    const char *name; /* full native name: "feature_extractor.vision_model...." or "model.linear.weight" */
    Tensor *tensor;
    size_t offset, count; /* floats, within values and grads */
    bool decays;          /* weight decay applies: the head's W, and matrices under tune=all */
} VitTunedEntry;

typedef struct VitTuned {
    float *values; /* [count] */
    float *grads;  /* [count] */
    float *base;   /* [count] the values before training: drift, and what an adapter changes */
    size_t count;
    VitTunedEntry *entries; /* [entry_count], LayerNorms in the order of the encoder, then the head */
    int entry_count;
} VitTuned;

/*
 * tune: "ln" (every LayerNorm), "none" (the head alone), "all", or a comma list of name patterns
 * (fnmatch, against names from "vision_model." on). The head always trains. STATUS_USAGE for a pattern
 * that matches nothing, or a method this build lacks (named). `head` may be NULL only for
 * pretraining, where none exists. vit and head must outlive *tuned; destroy it first.
 */
Status vit_tune(VitTuned **tuned, Vit *vit, VitHead *head, const char *tune, Error *error);

/* Frees the array; the parameters it held must not be used afterwards. NULL is allowed. */
void vit_tuned_destroy(VitTuned *tuned);

/* grads = 0. The one place where parameters' gradients are zeroed. */
void vit_tuned_zero_grads(VitTuned *tuned);

#endif
