/*
 * head.h - the classifier on the pooled feature.
 *
 * Tests: tests/test_vit_forward.c.
 */
#ifndef LNCLIP_VIT_HEAD_H
#define LNCLIP_VIT_HEAD_H

#include "vit/part.h"

typedef enum VitHeadKind {
    VIT_HEAD_LINEAR_NORM, /* logits = W z + b, z = f / |f| (GenD) */
    VIT_HEAD_LINEAR,      /* logits = W f + b (ablation) */
} VitHeadKind;

enum { VIT_CLASSES = 2 }; /* 0 real, 1 fake */
enum { VIT_HEAD_TENSORS = 2 };

typedef struct VitHead {
    VitHeadKind kind;
    Tensor weight;  /* [2,D] */
    Tensor bias;    /* [2] */
    float *storage; /* memory of weight and bias until vit_tune moves them */
} VitHead;

/* Parses "LinearNorm" or "linear"; false for any other name. */
bool vit_head_kind_parse(const char *name, VitHeadKind *kind);

/* The name of a head kind. Static string. */
const char *vit_head_kind_name(VitHeadKind kind);

/* Creates a head with W and b ~ U(-1/sqrt(D), 1/sqrt(D)), a pure function of (width, seed).
 * STATUS_FAILED: out of memory. Free with vit_head_destroy. */
Status vit_head_create(VitHead *head, VitHeadKind kind, int width, uint64_t seed, Error *error);

/* Frees the head's memory. A zeroed head is allowed. */
void vit_head_destroy(VitHead *head);

/* Names, shapes, initial values and weight decay of the head's tensors: weight, then bias. */
extern const VitPartRow vit_head_rows[VIT_HEAD_TENSORS];

/* The tensor of a row of vit_head_rows. */
Tensor *vit_head_tensor(VitHead *head, int row);

/*
 * For tests. vit_save with a head, under GenD's names and with its kind in the metadata. vit_load
 * and vit_head_read can read the result. `head` may be NULL. The current values are written: merged
 * adapters are included, LoRA still in training is not.
 */
Status vit_save_with_head(const Vit *vit, const VitHead *head, const char *folder, Error *error);

/* Options of vit_save_as; all pointers are borrowed. */
typedef struct VitSaving {
    const VitHead *head;  /* NULL: the encoder alone */
    const char *backbone; /* NULL: Hugging Face's layout; else GenD's, naming this CLIP */
    /* [metadata_count], in addition to "format", "config", "preprocessor_config" and "head" */
    const SafeTensorsMetadata *metadata;
    int metadata_count;
} VitSaving;

/*
 * Writes config.json, preprocessor_config.json and model.safetensors, readable by vit_load and
 * vit_head_read. `folder` must be new or empty; it appears under its name only once complete.
 * GenD's layout requires a head (asserted) and includes visual_projection.weight if the model's
 * file has it. STATUS_FAILED: the folder is not empty, it cannot be written, a weight has parts
 * that cannot be merged, or out of memory.
 */
Status vit_save_as(const Vit *vit, const VitSaving *saving, const char *folder, Error *error);

/*
 * features [..,D] -> logits [..,2]. Unless `normalised` is NULL, *normalised receives z = f / |f|
 * [..,D], which the metric losses use, for either kind of head.
 */
Tensor *vit_head_forward(VitHead *head, Tape *tape, Tensor *features, Tensor **normalised);

#endif
