/*
 * head.h - the classifier on the pooled feature.
 */
#ifndef LNCLIP_VIT_HEAD_H
#define LNCLIP_VIT_HEAD_H

#include "vit/part.h"

typedef enum VitHeadKind {
    VIT_HEAD_LINEAR_NORM, /* logits = W z + b, z = f / |f|: the method */
    VIT_HEAD_LINEAR,      /* logits = W f + b: its ablation */
} VitHeadKind;

enum { VIT_CLASSES = 2 }; /* 0 real, 1 fake */
enum { VIT_HEAD_TENSORS = 2 };

typedef struct VitHead {
    VitHeadKind kind;
    Tensor weight;  /* [2,D] */
    Tensor bias;    /* [2] */
    float *storage; /* its own memory until the tuner adopts the numbers */
} VitHead;

/* "LinearNorm" or "linear"; false for another name. */
bool vit_head_kind_parse(const char *name, VitHeadKind *kind);
const char *vit_head_kind_name(VitHeadKind kind);

/* W and b ~ U(-1/sqrt(D), 1/sqrt(D)), a pure function of (width, seed). */
Status vit_head_create(VitHead *head, VitHeadKind kind, int width, uint64_t seed, Error *error);
void vit_head_destroy(VitHead *head);

/* What the head adds to the model: names, decay and initial values of its tensors, which are its
 * weight and bias. */
extern const VitPartRow vit_head_rows[VIT_HEAD_TENSORS];
Tensor *vit_head_tensor(VitHead *head, int row);

/*
 * vit_save with the head, named as in GenD's files, its kind in the metadata: vit_load and
 * vit_head_read take it back. `head` may be NULL. What the tensors hold at the time is written:
 * adapters are part of it, LoRA that still trains is not.
 */
Status vit_save_with_head(const Vit *vit, const VitHead *head, const char *folder, Error *error);

/* What vit_save_as writes besides the encoder; all borrowed. */
typedef struct VitSaving {
    const VitHead *head;  /* or NULL */
    const char *backbone; /* GenD's layout, over the CLIP of this name; NULL: Hugging Face's */
    /* [metadata_count] added to what is written anyway: "format", "config", "preprocessor_config",
     * "head" */
    const SafeTensorsMetadata *metadata;
    int metadata_count;
} VitSaving;

/*
 * Writes config.json, preprocessor_config.json and model.safetensors, which vit_load and
 * vit_head_read take back, into a folder that is new or empty, which gets its name when it is
 * complete. In GenD's layout a head is needed (asserted), and visual_projection.weight is written
 * if the model's file has it.
 */
Status vit_save_as(const Vit *vit, const VitSaving *saving, const char *folder, Error *error);

/*
 * features [..,D] -> logits [..,2]. *normalised receives z = f/|f| [..,D] (for the metric losses),
 * also for the linear head; may be NULL.
 */
Tensor *vit_head_forward(VitHead *head, Tape *tape, Tensor *features, Tensor **normalised);

#endif
