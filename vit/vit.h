/*
 * vit.h - the encoder: its named parameters and its forward.
 *
 *     patches = conv(pixels)                                        [B,T-1,D]
 *     x       = pre_layrnorm(concat(class, patches) + position)     [B,T,D]
 *     L times: x = x + out(attention(ln1(x)));  x = x + fc2(act(fc1(ln2(x))))
 *     feature = post_layernorm(x[:, 0])                             [B,1,D]
 *
 * Source: Radford et al., arXiv 2103.00020. Tensor names: Hugging Face's CLIPVisionModel. Only the
 * class token of the last block is read, so that block computes keys and values for all tokens and
 * everything else for the class token alone.
 *
 * Several threads may use a const Vit at the same time. Other functions need exclusive access.
 *
 * Tests: tests/test_vit_create.c, tests/test_vit_load.c, tests/test_vit_forward.c.
 */
#ifndef LNCLIP_VIT_VIT_H
#define LNCLIP_VIT_VIT_H

#include "tensor/arena.h"
#include "tensor/base/file.h"
#include "tensor/base/hash.h"
#include "tensor/safetensors.h"
#include "tensor/threads.h"
#include "vit/config.h"
#include "vit/towers/tower.h"

#include <stdint.h>

/* A method that adds parameters to the encoder (part.h). */
typedef struct VitMethod VitMethod;

/* One named parameter of the encoder. Loading, tuning, adapters and inspect loop over the list. */
typedef struct VitParameter {
    char name[VIT_NAME_SIZE]; /* Hugging Face's, starting with "vision_model." */
    const VitTensorRow *row;  /* its row in the family's table */
    int block;                /* index of its block; 0 outside the blocks */
    VitKind kind;             /* copy of row->kind */
    Tensor tensor;  /* frozen until vit_tune selects it; data may be in a read-only mapping */
    float *adapted; /* own memory for values that an adapter has set, or NULL */
    bool changed;   /* an adapter has changed its values */
    bool mapped;    /* its values as loaded are in the mapped file */
    bool packed;    /* vit_pack has packed it: forward and backward read the packs */

    /* The parts that a method of `tune` adds to a weight (part.h). */
    const VitMethod *method; /* NULL: no parts */
    Tensor *parts;           /* [method->row_count], owned by the VitTuned unless owns_parts */
    bool owns_parts;         /* parts from an adapter: freed with the Vit */
    int rank;                /* 0 for a method without rank */
    float scale;             /* s; 1 for a method without scale */
} VitParameter;

typedef struct VitLayerNorm {
    Tensor *weight, *bias; /* [D] */
} VitLayerNorm;

/* The linear maps of a block. */
enum { VIT_MAP_Q, VIT_MAP_KV, VIT_MAP_OUT, VIT_MAP_FC1, VIT_MAP_FC2, VIT_MAPS };

typedef struct VitBlock {
    VitLayerNorm ln1, ln2;
    union {
        struct {
            Linear q;   /* D -> D */
            Linear kv;  /* D -> 2D, parts k and v */
            Linear out; /* D -> D */
            Linear fc1; /* D -> F */
            Linear fc2; /* F -> D */
        };
        Linear maps[VIT_MAPS]; /* the five above, by VIT_MAP_... */
    };
} VitBlock;

typedef struct Vit {
    VitConfig config;
    VitHints hints;           /* given at loading; also apply to a head read later */
    VitParameter *parameters; /* [parameter_count] */
    int parameter_count;
    Tensor *class_embedding;    /* [D] */
    Tensor *patch_embedding;    /* [D,3,P,P] */
    Tensor *position_embedding; /* [T,D] */
    VitLayerNorm pre, post;
    VitBlock *blocks;     /* [L] */
    SafeTensors *file;    /* kept open while parameters point into it; NULL after vit_create */
    Arena *arena;         /* values that were converted or drawn, and all LayerNorms */
    PackedMatrix *packed; /* packs: forward and backward of each Linear, patch embedding; or NULL */
    const PackedMatrix *patch_pack; /* W^T [3 P P, D] of the patch embedding, or NULL */
    Arena *packs;                   /* memory of the packs */
    char fingerprint
        [HASH_TEXT_SIZE]; /* XXH3-128 over names, shapes and f32 values as loaded, hexadecimal */
} Vit;

/*
 * Loads a model: a folder with config.json and model.safetensors (or its index), or one
 * .safetensors file with its configuration in a config.json next to it or in its metadata. Full
 * CLIP, vision-only and GenD files are accepted. F32 is used in place from the mapping; F16 and
 * BF16 are converted.
 *
 * If no configuration gives the shape (GenD, bare files), the tensors do. The rest then comes from
 * the config.json of the backbone that a GenD file names (openai/clip-vit-*: known; others: a local
 * path or the Hugging Face cache), else from `hints`. Up to width 1024, a head width of 64 and eps
 * 1e-5 are assumed and reported in config.assumptions.
 *
 * STATUS_FAILED: missing or unexpected tensors (all are listed), an unknown activation, an unknown
 * number of heads in a wider model, or out of memory. STATUS_USAGE: hints that contradict the
 * files. The caller owns *vit. vit_head_read (head.h) reads a GenD head from the same file.
 */
Status vit_load_with(Vit **vit, const char *path, const VitHints *hints, Threads *threads,
                     Error *error);

/* vit_load_with without hints. */
Status vit_load(Vit **vit, const char *path, Threads *threads, Error *error);

/*
 * Creates a model with random weights, initialised like Hugging Face's CLIPVisionModel with
 * initializer factor 1: class embedding N(0, D^-1/2), patch and position N(0, 0.02), q, k, v N(0,
 * D^-1/2 (2L)^-1/2), out N(0, D^-1/2), fc1 N(0, (2D)^-1/2), fc2 N(0, D^-1/2 (2L)^-1/2), biases 0,
 * LayerNorms 1 and 0. The weights are a pure function of (config, seed). The caller owns *vit.
 * STATUS_FAILED: out of memory or an invalid config.
 */
Status vit_create(Vit **vit, const VitConfig *config, uint64_t seed, Threads *threads,
                  Error *error);

/* Finds the tensor file (or its index) of the model that vit_load would load from `path`.
 * STATUS_FAILED if there is none. */
Status vit_model_file(const char *path, char file[FILE_PATH_SIZE], Error *error);

/*
 * Finds a model by `name`: an existing file or folder, or else "owner/name", whose snapshot of the
 * main branch is looked up in the download cache of huggingface_hub (HF_HUB_CACHE, HF_HOME/hub,
 * XDG_CACHE_HOME/huggingface/hub, ~/.cache/huggingface/hub). Nothing is downloaded. `path` is what
 * vit_load accepts. STATUS_FAILED if there is none, with commands to download it, or if a folder
 * has no model.safetensors. Reads the environment.
 */
Status vit_model_find(const char *name, char path[FILE_PATH_SIZE], Error *error);

/*
 * Writes config.json, preprocessor_config.json and model.safetensors in Hugging Face's layout.
 * `folder` must be new or empty. It appears under its name only once complete (file_folder_commit).
 * STATUS_FAILED as in vit_save_as (head.h).
 */
Status vit_save(const Vit *vit, const char *folder, Error *error);

/* Frees the model and closes its file. NULL is allowed. */
void vit_destroy(Vit *vit);

/* The parameter named `name`, which starts with "vision_model."; NULL if there is none. */
VitParameter *vit_find(const Vit *vit, const char *name);

/* Number of elements of all parameters. */
size_t vit_size(const Vit *vit);

/*
 * Packs the frozen weights of linear maps and the patch embedding for the forward. With `backward`,
 * also packs the maps through which gradients flow to earlier trainable parameters. The weights'
 * file pages are released; the values stay readable from the file. Does nothing if packing does not
 * pay (packed_pays).
 *
 * `precision` applies to all later forwards. With bf16 and int8, activations between products are
 * bf16; the residual stream and the trainable parameters stay f32, and products with a trainable
 * weight convert it to bf16. int8 requires `backward` to be false (asserted).
 *
 * Call once, after vit_adapter_read and vit_tune; neither may follow. STATUS_FAILED: out of memory,
 * or a model too wide for int8.
 */
Status vit_pack(Vit *vit, Precision precision, bool backward, Threads *threads, Error *error);

/* Memory of the encoder in bytes: packs, and the values of all parameters not packed. */
size_t vit_bytes(const Vit *vit);

/*
 * pixels [B,3,S,S], normalised -> features [B,1,D]. Each intermediate tensor is released after its
 * last use, so inference holds a few [B,T,D] at a time.
 *
 * `probabilities` is NULL or L leaves [B,H,Tq,T], one for the attention of each block (Tq = T, but
 * 1 in the last block). Leaves with data are filled; leaves that need a gradient receive it in the
 * backward (op_attention).
 *
 * On a tape with activation checkpointing (tape_allow_recompute, vit_block_operations), a recorded
 * block keeps only its input and is recomputed in the backward. `probabilities` must then be NULL.
 */
Tensor *vit_forward(const Vit *vit, Tape *tape, Tensor *pixels, Tensor *probabilities);

/*
 * The model: the encoder with the parts of methods. pixels [B,3,S,S] -> features [B,1,W] for the
 * head, W = vit_model_width; other operands as in vit_forward. Training, scoring, cached features
 * and explanations call these three functions, so a method that reads other tokens or another tower
 * changes only them.
 */
Tensor *vit_model_forward(const Vit *vit, Tape *tape, Tensor *pixels, Tensor *probabilities);
int vit_model_width(const Vit *vit);      /* W */
int vit_model_operations(const Vit *vit); /* upper bound, for tape_create */

/* Upper bounds on the operations of vit_forward (for tape_create) and of one block (for
 * tape_allow_recompute). */
int vit_forward_operations(const Vit *vit);
int vit_block_operations(const Vit *vit);

#endif
