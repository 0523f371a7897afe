/*
 * names.h - tensor names in CLIP files, and the construction of the encoder from them.
 *
 * The native name of an encoder tensor begins with "vision_model.". GenD files prefix it with
 * "feature_extractor.", peft with "base_model.model."; peft's LN-tuning stores trained values under
 * ".ln_tuning_layers." and original ones under ".base_layer.". All these names are recognised.
 * Files with other names and layouts (OpenAI, open_clip, timm) are detected only to give a clear
 * error.
 *
 * Tests: tests/test_vit_load.c.
 */
#ifndef LNCLIP_VIT_NAMES_H
#define LNCLIP_VIT_NAMES_H

#include "vit/vit.h"

#define VIT_PREFIX      "feature_extractor." /* prefix of encoder names in GenD files, adapters */
#define VIT_HEAD_WEIGHT "model.linear.weight"
#define VIT_HEAD_BIAS   "model.linear.bias"

typedef enum VitNameKind {
    VIT_NAME_ENCODER,  /* an encoder tensor; vit_find decides if it exists */
    VIT_NAME_ORIGINAL, /* a LayerNorm before peft's tuning */
    VIT_NAME_HEAD_WEIGHT,
    VIT_NAME_HEAD_BIAS,
    VIT_NAME_PART,    /* a method's part; `native` names its weight */
    VIT_NAME_IGNORED, /* other tensors of CLIP: text tower, projections, position_ids */
    VIT_NAME_UNKNOWN,
} VitNameKind;

/* One tensor of a file. */
typedef struct VitNamed {
    const SafeTensor *tensor;
    VitNameKind kind;
    char native[VIT_NAME_SIZE]; /* "vision_model...." for an encoder tensor, else "" */
    const VitMethod *method;    /* for a part */
    int part;                   /* for a part: index of its row */
} VitNamed;

/* Classifies a tensor name and, for encoder names, gives the native name. Any text is allowed. */
VitNameKind vit_name_kind(const VitTower *tower, const char *name, char native[VIT_NAME_SIZE]);

/*
 * Classifies all tensors of a file: named [safetensors_count], sorted by kind and native name. The
 * caller frees the list. STATUS_FAILED: out of memory, duplicate tensors, or an unsupported family.
 */
Status vit_named_list(const SafeTensors *file, const VitTower *tower, VitNamed **named,
                      Error *error);

/* The entry of kind VIT_NAME_ENCODER with this native name, or NULL. */
const VitNamed *vit_named_find(const VitNamed *named, int count, const char *native);

/* The entry of part number `part` of `method` for the weight `native`, or NULL. */
const VitNamed *vit_named_find_part(const VitNamed *named, int count, const VitMethod *method,
                                    int part, const char *native);

/* The first entry of this kind, or NULL. For the head's tensors. */
const VitNamed *vit_named_of_kind(const VitNamed *named, int count, VitNameKind kind);

/* True for the supported types of weights: F32, F16 and BF16. */
bool vit_is_float(const SafeTensor *tensor);

/* True if both have the same number of dimensions and equal extents. */
bool vit_same_shape(const SafeTensor *stored, const Tensor *tensor);

/* A shape for messages, such as "[2,1024]"; returns `text`. */
enum { VIT_SHAPE_TEXT = 192 };
const char *vit_shape_text(char text[VIT_SHAPE_TEXT], const SafeTensor *stored);
const char *vit_tensor_shape_text(char text[VIT_SHAPE_TEXT], const Tensor *tensor);

/* The file entry `name` for an f32 tensor; name and data are borrowed. */
SafeTensor vit_stored(const char *name, const Tensor *tensor);

/*
 * Builds an encoder without values: named parameters with shapes and data NULL, and the blocks that
 * refer to them. The caller owns *vit (vit_destroy). STATUS_FAILED: out of memory or an invalid
 * config.
 */
Status vit_build(Vit **vit, const VitConfig *config, Error *error);

/*
 * Creates vit->arena and allocates in it the values of all parameters that are not `mapped`. Call
 * once. STATUS_FAILED: out of memory.
 */
Status vit_allocate_values(Vit *vit, Error *error);

/*
 * Computes vit->fingerprint from names, shapes and values, in parallel. STATUS_FAILED: out of
 * memory, or NaN or infinity in a tensor; the message lists these tensors and names `path` as their
 * file.
 */
Status vit_compute_fingerprint(Vit *vit, const char *path, Threads *threads, Error *error);

#endif
