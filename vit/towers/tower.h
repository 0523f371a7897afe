/*
 * tower.h - what one family of encoders calls its tensors, and what is constant in it.
 *
 * A family is one VitTower: a table of rows and a few names and defaults. Building, loading,
 * saving, drawing and tuning loop over the rows; the forward reads slots, which name the role of a
 * tensor and are the same for all families. A family without a tensor (DINOv3 has no bias of k) has
 * no row for its slot. Another family adds a VitTower, and slots for tensors that no family had
 * before (registers, LayerScale). Where its files store several slots as one tensor (attn.qkv of
 * the Perception Encoder), the rows share a name and say which part.
 */
#ifndef LNCLIP_VIT_TOWERS_TOWER_H
#define LNCLIP_VIT_TOWERS_TOWER_H

#include "tensor/tensor.h"

#include <stdbool.h>

enum { VIT_NAME_SIZE = 96 };

/* What a parameter is, so that `tune` can choose by kind. */
typedef enum VitKind { VIT_EMBEDDING, VIT_LAYER_NORM, VIT_WEIGHT, VIT_BIAS } VitKind;

/*
 * The role of a tensor in the forward. The bias of a weight follows it. Slots from VIT_LN1_WEIGHT
 * to VIT_FC2_BIAS are those of a block, each block has its own.
 */
typedef enum VitSlot {
    VIT_CLASS_EMBEDDING,
    VIT_PATCH_EMBEDDING,
    VIT_POSITION_EMBEDDING,
    VIT_PRE_WEIGHT, /* LayerNorm before the blocks */
    VIT_PRE_BIAS,
    VIT_LN1_WEIGHT,
    VIT_LN1_BIAS,
    VIT_Q_WEIGHT,
    VIT_Q_BIAS,
    VIT_K_WEIGHT,
    VIT_K_BIAS,
    VIT_V_WEIGHT,
    VIT_V_BIAS,
    VIT_OUT_WEIGHT,
    VIT_OUT_BIAS,
    VIT_LN2_WEIGHT,
    VIT_LN2_BIAS,
    VIT_FC1_WEIGHT,
    VIT_FC1_BIAS,
    VIT_FC2_WEIGHT,
    VIT_FC2_BIAS,
    VIT_POST_WEIGHT, /* LayerNorm of the feature */
    VIT_POST_BIAS,
    VIT_SLOTS,
    VIT_BLOCK_SLOTS = VIT_FC2_BIAS - VIT_LN1_WEIGHT + 1
} VitSlot;

/* An extent that depends on the configuration. */
typedef enum VitExtent {
    VIT_NONE,
    VIT_WIDTH,
    VIT_MLP,
    VIT_TOKENS,
    VIT_COLOURS,
    VIT_PATCH
} VitExtent;

/* Initial values: constants, or N(0, std) with the std that follows. D is the width,
 * L the layers. */
typedef enum VitDraw {
    VIT_DRAW_ZERO,
    VIT_DRAW_ONE,
    VIT_DRAW_0_02,     /* 0.02 */
    VIT_DRAW_WIDTH,    /* D^-1/2 */
    VIT_DRAW_MLP,      /* (2D)^-1/2 */
    VIT_DRAW_RESIDUAL, /* D^-1/2 (2L)^-1/2 */
} VitDraw;

/* One tensor of the encoder, or of each block. */
typedef struct VitTensorRow {
    VitSlot slot;
    const char *name; /* behind the tower's prefix, of a block's tensor behind the block's prefix */
    VitKind kind;
    VitExtent shape[TENSOR_MAX_DIMS];
    VitDraw draw;
    const char *target; /* what `tune` calls it as a target of LoRA, or NULL */
} VitTensorRow;

/* A shape that has a name. */
typedef struct VitShape {
    const char *name; /* "vit-l-14" */
    const char *hub;  /* its weights on the Hugging Face Hub, or NULL */
    int image_size, patch_size, width, layers, heads, mlp;
} VitShape;

typedef struct VitTower {
    const VitTensorRow *rows; /* [row_count] in the order of slots, which is that of parameters */
    int row_count;
    const char *prefix; /* before all names */
    const char *block;  /* then before names of a block's tensors, and its number follows */
    /* Tensors of a whole model that are not the encoder's: names, NULL-terminated, and a name's
     * beginning and end */
    const char *const *ignored;
    const char *ignored_prefix, *ignored_suffix;
    const char *projection; /* one of `ignored` that a strict load of GenD's class wants, unused */

    const VitShape *shapes; /* [shape_count] */
    int shape_count;
    const char *shape_names;    /* the list of their names for a message */
    VitShape defaults;          /* what config.json leaves out */
    const char *activation;     /* the same */
    float eps, mean[3], std[3]; /* the same; preprocessing of RGB in 0..1 */
    const char *known;          /* prefix of hub names whose models have this eps and activation */
    int head_width, head_width_limit; /* all models up to this width have heads of head_width */

    const char *model_type,
        *whole_type; /* in config.json: of the encoder alone, of the whole model */
    const char *architecture, *image_processor; /* the classes of transformers */
    const char
        *mark; /* in names of GenD's backbones, any case, and the beginning of image processors */
} VitTower;

/* OpenAI's CLIP and all that has its shape, as transformers' CLIPVisionModel names it. */
extern const VitTower vit_clip;

/* The family of a model whose files name none: vit_clip. */
extern const VitTower *const vit_tower_default;

/* Whether each block has a tensor of this slot. */
static inline bool vit_slot_in_block(VitSlot slot)
{
    return slot >= VIT_LN1_WEIGHT && slot <= VIT_FC2_BIAS;
}

/* The native name of a row's tensor in that block (0 where it is not a block's). Thread-safe, as
 * all here. */
void vit_tensor_name(const VitTower *tower, const VitTensorRow *row, int block,
                     char name[VIT_NAME_SIZE]);

/* The row of a slot, or NULL. */
const VitTensorRow *vit_tower_row(const VitTower *tower, VitSlot slot);

/* Whether `name`, which lacks the prefix, may be the encoder's: it begins as one of its tensors. */
bool vit_tower_begins(const VitTower *tower, const char *name);

/* Whether `name` is one that `ignored` and its prefix and suffix tell. */
bool vit_tower_ignores(const VitTower *tower, const char *name);

#endif
