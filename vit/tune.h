/*
 * tune.h - the trainable parameters: values and gradients in two flat arrays of the same order.
 *
 * vit_tune moves the selected parameters of the encoder, and the head, into these arrays; their
 * Tensors become views. The optimizer and the checkpoint are thus one loop each.
 *
 * Tests: tests/test_vit_tune.c, tests/test_lora.c.
 */
#ifndef LNCLIP_VIT_TUNE_H
#define LNCLIP_VIT_TUNE_H

#include "vit/head.h"

typedef struct VitTunedEntry {
    const char *name; /* native: "feature_extractor.vision_model...." or "model.linear.weight" */
    Tensor *tensor;
    size_t offset, count; /* in floats, within values and grads */
    bool decays;          /* weight decay applies: false for biases and LayerNorms */
} VitTunedEntry;

typedef struct VitTuned {
    float *values; /* [count] */
    float *grads;  /* [count] */
    float *base;   /* [count] the values before training, to measure changes */
    size_t count;
    VitTunedEntry *entries; /* [entry_count], in the encoder's order, then the head */
    int entry_count;
    Tensor *parts; /* [part_count], weight by weight (part.h); views into the arrays */
    int part_count;
    char *tune;  /* the text given to vit_tune, stored in adapters */
    char *names; /* memory of the entries' names */
} VitTuned;

/* The choice for one parameter: full training, parts of a method, or frozen. */
typedef struct VitChoice {
    bool trains;
    const VitMethod *method; /* NULL: no parts */
    int rank;                /* 0 for a method without rank */
} VitChoice;

/*
 * Checks the syntax of `tune`, a comma-separated list of items that add up:
 *
 *     ln              every LayerNorm
 *     bias            every bias, LayerNorm included: BitFit, Ben Zaken et al., arXiv 2106.10199
 *     lora:R[:q+v]    LoRA of rank R (lora.h) at the weights q, k, v, out, fc1, fc2; default q+v
 *     all             everything
 *     none            the head alone
 *     PATTERN         an fnmatch pattern for names that start with "vision_model."
 *
 * STATUS_USAGE, naming the item, if it is invalid for every model: an empty item, a rank out of
 * range, an unknown linear map, LoRA twice. Thread-safe.
 */
Status vit_tune_check(const char *tune, Error *error);

/*
 * Applies `tune` to the parameters of a model: sets chosen [parameter_count]. STATUS_USAGE as in
 * vit_tune_check, and for a pattern without a match, LoRA at a fully trained weight, or a rank
 * above the model width.
 */
Status vit_tune_choose(const Vit *vit, const char *tune, VitChoice *chosen, Error *error);

/*
 * Moves the parameters selected by `tune` (vit_tune_choose), and the head, which always trains,
 * into *tuned. Their Tensors become views with needs_grad set. Parts of methods are created, drawn
 * from `seed`, and attached (part.h); their entries take the position of their weight. `head` is
 * NULL only for pretraining. Call once per Vit. vit and head must outlive *tuned, which the caller
 * destroys first. STATUS_USAGE as in vit_tune_choose, if nothing would train, or if an adapter has
 * already added parts to a selected weight; STATUS_FAILED: out of memory.
 */
Status vit_tune(VitTuned **tuned, Vit *vit, VitHead *head, const char *tune, uint64_t seed,
                Error *error);

/*
 * Sets the scale of all trainable parts to alpha / rank, for methods with a scale (scale_key).
 * alpha 0 means alpha = rank, the initial scale 1. Call after vit_tune.
 */
void vit_tune_set_alpha(Vit *vit, double alpha);

/* Frees the arrays. The parameters in them may then only be destroyed. NULL is allowed. */
void vit_tuned_destroy(VitTuned *tuned);

/* Number of elements, among `count`, that belong to parts of methods. */
size_t vit_tuned_added(const VitTuned *tuned);

/* Sets all gradients to 0. */
void vit_tuned_zero_grads(VitTuned *tuned);

#endif
