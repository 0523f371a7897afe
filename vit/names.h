/*
 * names.h - what the tensors of CLIP files are called, and what each of them is.
 *
 * The native name of an encoder tensor begins with "vision_model."; GenD files put
 * "feature_extractor." before it, peft "base_model.model.", and peft's LN-tuning puts the trained
 * numbers under ".ln_tuning_layers." and the original ones under ".base_layer.". All are one thing
 * here. Files that name and pack tensors differently (OpenAI, open_clip, timm) are recognised only
 * to be refused clearly.
 */
#ifndef LNCLIP_VIT_NAMES_H
#define LNCLIP_VIT_NAMES_H

#include "vit/vit.h"

#define VIT_PREFIX      "feature_extractor." /* of encoder names in GenD files and our adapters */
#define VIT_HEAD_WEIGHT "model.linear.weight"
#define VIT_HEAD_BIAS   "model.linear.bias"

typedef enum VitNameKind {
    VIT_NAME_ENCODER,  /* may be a parameter: vit_find tells */
    VIT_NAME_ORIGINAL, /* a LayerNorm as it was before peft tuned it */
    VIT_NAME_HEAD_WEIGHT,
    VIT_NAME_HEAD_BIAS,
    VIT_NAME_PART,    /* a method's part at the weight of that native name */
    VIT_NAME_IGNORED, /* of CLIP, not of the encoder: text tower, projections, position_ids */
    VIT_NAME_UNKNOWN,
} VitNameKind;

/* One tensor of a file. */
typedef struct VitNamed {
    const SafeTensor *tensor;
    VitNameKind kind;
    char native[VIT_NAME_SIZE]; /* of an encoder tensor, "vision_model....", else "" */
    const VitMethod *method;    /* of a part */
    int part;                   /* the number of its row */
} VitNamed;

/* What `name` is in a file of this family; for encoder names fills `native`. Any text is
 * allowed. */
VitNameKind vit_name_kind(const VitTower *tower, const char *name, char native[VIT_NAME_SIZE]);

/*
 * All tensors of a file, named [safetensors_count], bytewise by native name; the caller frees them.
 * STATUS_FAILED without memory, when two tensors mean the same, or for a family of another layout.
 */
Status vit_named_list(const SafeTensors *file, const VitTower *tower, VitNamed **named,
                      Error *error);

/* The entry of that native name and kind (VIT_NAME_ENCODER), or NULL. */
const VitNamed *vit_named_find(const VitNamed *named, int count, const char *native);

/* The part of that row of a method at the weight of that native name, or NULL. */
const VitNamed *vit_named_find_part(const VitNamed *named, int count, const VitMethod *method,
                                    int part, const char *native);

/* The entry of this kind, or NULL: for the head's tensors. */
const VitNamed *vit_named_of_kind(const VitNamed *named, int count, VitNameKind kind);

/* True for the types that hold weights here: F32, F16, BF16. */
bool vit_is_float(const SafeTensor *tensor);

/* True if the shapes agree. A shape is written as "[2,1024]" into `text` for messages. */
bool vit_same_shape(const SafeTensor *stored, const Tensor *tensor);
enum { VIT_SHAPE_TEXT = 192 };
const char *vit_shape_text(char text[VIT_SHAPE_TEXT], const SafeTensor *stored);
const char *vit_tensor_shape_text(char text[VIT_SHAPE_TEXT], const Tensor *tensor);

/* `tensor`, which is f32, as it is written to a file under `name` (both borrowed). */
SafeTensor vit_stored(const char *name, const Tensor *tensor);

/*
 * Makes the encoder of this shape without its numbers: parameters named, of their shapes, data
 * NULL, and wired into the blocks. *vit is owned by the caller (vit_destroy). STATUS_FAILED without
 * memory.
 */
Status vit_build(Vit **vit, const VitConfig *config, Error *error);

/*
 * Gives each parameter that is not `mapped` a block of vit->arena, which it creates in the size of
 * all of them, for its numbers. STATUS_FAILED without memory. Call once.
 */
Status vit_make_room(Vit *vit, Error *error);

/*
 * Computes vit->fingerprint from names, shapes and numbers, on all threads. STATUS_FAILED without
 * memory, and where a number is NaN or infinity: the tensors are listed, `path` is named as the
 * file they are from.
 */
Status vit_compute_fingerprint(Vit *vit, const char *path, Threads *threads, Error *error);

#endif
