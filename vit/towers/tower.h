/*
 * tower.h - a family of encoders: tensor names, shapes, initial values and defaults.
 *
 * A family is one VitTower: a table of tensor rows, names and defaults. Building, loading, saving,
 * initialisation and tuning loop over the rows. The forward reads slots, which name the role of a
 * tensor and are common to all families. A family that lacks a tensor has no row for its slot. A
 * new family adds a VitTower, and slots for new kinds of tensors (registers, LayerScale).
 *
 * Tests: tests/test_vit_create.c.
 */
#ifndef LNCLIP_VIT_TOWERS_TOWER_H
#define LNCLIP_VIT_TOWERS_TOWER_H

#include "tensor/tensor.h"

#include <stdbool.h>

enum { VIT_NAME_SIZE = 96 };

/* The kind of a parameter; `tune` selects by it. */
typedef enum VitKind { VIT_EMBEDDING, VIT_LAYER_NORM, VIT_WEIGHT, VIT_BIAS } VitKind;

/*
 * The role of a tensor in the forward. A bias follows its weight. Every block has a tensor for each
 * of the slots VIT_LN1_WEIGHT to VIT_FC2_BIAS.
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

/* A dimension that depends on the configuration. */
typedef enum VitExtent {
    VIT_NONE,
    VIT_WIDTH,
    VIT_MLP,
    VIT_TOKENS,
    VIT_COLOURS,
    VIT_PATCH
} VitExtent;

/* Initial values: a constant, or N(0, std) with the std given here. D: width, L: layers. */
typedef enum VitDraw {
    VIT_DRAW_ZERO,
    VIT_DRAW_ONE,
    VIT_DRAW_0_02,     /* 0.02 */
    VIT_DRAW_WIDTH,    /* D^-1/2 */
    VIT_DRAW_MLP,      /* (2D)^-1/2 */
    VIT_DRAW_RESIDUAL, /* D^-1/2 (2L)^-1/2 */
} VitDraw;

/* One tensor of the encoder or of every block. */
typedef struct VitTensorRow {
    VitSlot slot;
    const char *name; /* without the prefixes of tower and block */
    VitKind kind;
    VitExtent shape[TENSOR_MAX_DIMS];
    VitDraw draw;
    const char *target; /* name as a target of methods in `tune`, or NULL */
} VitTensorRow;

/* A named architecture. */
typedef struct VitShape {
    const char *name; /* "vit-l-14" */
    const char *hub;  /* repository on the Hugging Face Hub, or NULL */
    int image_size, patch_size, width, layers, heads, mlp;
} VitShape;

typedef struct VitTower {
    const VitTensorRow *rows; /* [row_count] in the order of slots and of parameters */
    int row_count;
    const char *prefix; /* prefix of all names */
    const char *block;  /* next prefix of a block's tensors, before the block number */
    /* Tensors of a full model outside the encoder: full names (NULL-terminated), a prefix and a
     * suffix. */
    const char *const *ignored;
    const char *ignored_prefix, *ignored_suffix;
    const char *projection; /* the one in `ignored` that GenD's class requires but does not use */

    const VitShape *shapes; /* [shape_count] */
    int shape_count;
    const char *shape_names;          /* list of the names for messages */
    VitShape defaults;                /* sizes missing in config.json */
    const char *activation;           /* default of config.json */
    float eps, mean[3], std[3];       /* defaults; mean and std of RGB values in 0..1 */
    const char *known;                /* prefix of hub names of models with these defaults */
    int head_width, head_width_limit; /* models up to the limit have heads of head_width */

    const char *model_type;                     /* in config.json of the encoder alone */
    const char *full_type;                      /* in config.json of the full model */
    const char *architecture, *image_processor; /* classes of transformers */
    const char *mark; /* in GenD's backbone names (any case); prefix of image processor names */
} VitTower;

/* CLIP, with the names of transformers' CLIPVisionModel. */
extern const VitTower vit_clip;

/* The family of a model whose files do not name one: vit_clip. */
extern const VitTower *const vit_tower_default;

/* True if each block has its own tensor for this slot. */
static inline bool vit_slot_in_block(VitSlot slot)
{
    return slot >= VIT_LN1_WEIGHT && slot <= VIT_FC2_BIAS;
}

/* The native name of a row's tensor in a block (0 outside the blocks). Thread-safe. */
void vit_tensor_name(const VitTower *tower, const VitTensorRow *row, int block,
                     char name[VIT_NAME_SIZE]);

/* The row of a slot, or NULL. */
const VitTensorRow *vit_tower_row(const VitTower *tower, VitSlot slot);

/* True if `name`, without the tower's prefix, begins like a tensor of the encoder. */
bool vit_tower_begins(const VitTower *tower, const char *name);

/* True if `name` matches `ignored`, ignored_prefix or ignored_suffix. */
bool vit_tower_ignores(const VitTower *tower, const char *name);

#endif
