/*
 * tune.h - the trainable parameters: values and gradients in two flat arrays of the same order.
 *
 * vit_tune moves the chosen parameters of the encoder, and the head, into that array; their Tensors
 * become views into it. The optimizer, the checkpoint and the sentence "104,450 of 303 M" are each
 * one loop.
 */
#ifndef LNCLIP_VIT_TUNE_H
#define LNCLIP_VIT_TUNE_H

#include "vit/head.h"

typedef struct VitTunedEntry {
    const char *name; /* native: "feature_extractor.vision_model...." or "model.linear.weight" */
    Tensor *tensor;
    size_t offset, count; /* floats, within values and grads */
    bool decays;          /* weight decay applies: to all but biases and LayerNorms */
} VitTunedEntry;

typedef struct VitTuned {
    float *values; /* [count] */
    float *grads;  /* [count] */
    float *base;   /* [count] the values before training: drift, and what an adapter changes */
    size_t count;
    VitTunedEntry *entries; /* [entry_count], in the order of the encoder, then the head */
    int entry_count;
    Tensor *parts; /* [part_count] those of each weight in turn (part.h), views into the array */
    int part_count;
    char *tune;  /* what was asked for: goes into adapters, so that they can be read back */
    char *names; /* the memory behind the entries' names */
} VitTuned;

/* What `tune` selects for one parameter: full training, parts of a method, or nothing. */
typedef struct VitChoice {
    bool trains;
    const VitMethod *method; /* or NULL */
    int rank;                /* of the method, 0 where it has none */
} VitChoice;

/*
 * The text of `tune` is a comma list whose items add up:
 *
 *     ln              every LayerNorm
 *     bias            every bias, LayerNorm included: BitFit, Ben Zaken et al., arXiv 2106.10199
 *     lora:R[:q+v]    LoRA of rank R (lora.h) of the weights q, k, v, out, fc1, fc2; default q+v
 *     all             everything
 *     none            nothing: the head alone
 *     PATTERN         fnmatch, against names from "vision_model." on
 *
 * STATUS_USAGE, naming it, for an item that no model could make sense of: an empty one, a rank out
 * of range, an unknown linear map, LoRA twice. Thread-safe.
 */
Status vit_tune_check(const char *tune, Error *error);

/*
 * What `tune` means for the parameters of a model: sets chosen [parameter_count]. STATUS_USAGE as
 * vit_tune_check has it, and for a pattern that matches nothing, LoRA of a weight that trains
 * itself, and a rank above the width.
 */
Status vit_tune_choose(const Vit *vit, const char *tune, VitChoice *chosen, Error *error);

/*
 * Moves what `tune` chooses (vit_tune_choose) and the head, which always trains, into one array;
 * their Tensors become views of it, with needs_grad set and the gradient beside. The parts of
 * methods are made here, drawn from `seed`, and attached (part.h): their entries are where that of
 * their weight would be. `head` may be NULL only for pretraining, where none exists. vit and head
 * must outlive *tuned; destroy it first. Once per Vit.
 */
Status vit_tune(VitTuned **tuned, Vit *vit, VitHead *head, const char *tune, uint64_t seed,
                Error *error);

/*
 * Makes the scale of all parts that train alpha / rank, where their method has a scale
 * (scale_key); alpha 0 is the rank, the scale 1 that they have before. Call after vit_tune.
 */
void vit_tune_set_alpha(Vit *vit, double alpha);

/* Frees the array; the parameters it held must not be used afterwards, only destroyed. NULL is
 * allowed. */
void vit_tuned_destroy(VitTuned *tuned);

/* Parameters among `count` that methods add to the encoder. */
size_t vit_tuned_added(const VitTuned *tuned);

/* grads = 0. The one place where parameters' gradients are zeroed. */
void vit_tuned_zero_grads(VitTuned *tuned);

#endif
