/*
 * vit.h - the encoder: its weights by name, and its forward.
 *
 *     patches = conv(pixels)                                        [B,T-1,D]
 *     x       = pre_layrnorm(concat(class, patches) + position)     [B,T,D]
 *     L times: x = x + out(attention(ln1(x)));  x = x + fc2(act(fc1(ln2(x))))
 *     feature = post_layernorm(x[:, 0])                             [B,1,D]
 *
 * (Radford et al., arXiv 2103.00020; tensor names of Hugging Face's CLIPVisionModel.) The last
 * block computes keys and values of all tokens, and everything else for the class token alone.
 */
#ifndef LNCLIP_VIT_VIT_H
#define LNCLIP_VIT_VIT_H

#include "tensor/arena.h"
#include "tensor/base/file.h"
#include "tensor/safetensors.h"
#include "tensor/threads.h"
#include "vit/config.h"
#include "vit/towers/tower.h"

#include <stdint.h>

/* A method that adds parameters to the encoder (part.h). */
typedef struct VitMethod VitMethod;

/* One named parameter of the encoder: the single list behind loading, tuning,
 * adapters and inspect. */
typedef struct VitParameter {
    char name[VIT_NAME_SIZE]; /* as in Hugging Face, from "vision_model." on */
    const VitTensorRow *row;  /* of the family's table */
    int block;                /* whose tensor it is; 0 if it is not a block's */
    VitKind kind;             /* as in the row */
    Tensor tensor;  /* frozen until vit_tune makes it train; data may lie in a read-only mapping */
    float *adapted; /* own memory of a frozen tensor that an adapter has set, or NULL */
    bool changed;   /* an adapter gave it other numbers than the model has */
    bool mapped;    /* as loaded, its numbers lay in the mapped file */
    bool packed;    /* vit_pack made packs of it: forward and backward read those */

    /* What a method of `tune` adds to a weight (part.h). */
    const VitMethod *method; /* NULL: nothing */
    Tensor *parts;           /* [method->row_count], of the VitTuned or its own */
    bool owns_parts;         /* an adapter brought them: freed with the Vit */
    int rank;                /* 0 where the method has none */
    float scale;             /* s, 1 where the method has none */
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
        Linear maps[VIT_MAPS]; /* the same ones */
    };
} VitBlock;

typedef struct Vit {
    VitConfig config;
    VitHints hints; /* what the caller said when it was loaded: holds for heads read later, too */
    VitParameter *parameters; /* [parameter_count] */
    int parameter_count;
    Tensor *class_embedding;    /* [D] */
    Tensor *patch_embedding;    /* [D,3,P,P] */
    Tensor *position_embedding; /* [T,D] */
    VitLayerNorm pre, post;
    VitBlock *blocks;     /* [L] */
    SafeTensors *file;    /* mapped, when parameters point into it; NULL after vit_create */
    Arena *arena;         /* numbers that had to be converted or made, and all LayerNorms */
    PackedMatrix *packed; /* what vit_pack made, two places a Linear and one more, or NULL */
    const PackedMatrix *patch_pack; /* that one: W^T [3 P P, D] of the patch embedding, or NULL */
    Arena *packs;                   /* the memory behind them */
    char fingerprint[33]; /* XXH3-128 over names, shapes and f32 values as loaded, hexadecimal */
} Vit;

/*
 * Loads a model: a folder with config.json and model.safetensors (or its index), or one
 * .safetensors file (config.json beside it, else its metadata). Where neither tells the shape
 * (GenD, bare files) it is that of the tensors; what these do not tell is taken from the
 * config.json of the backbone that a GenD file names (openai/clip-vit-*: known; else a local path
 * or the Hugging Face cache), else from `hints`. Up to width 1024 heads of 64 and eps 1e-5 are
 * assumed, and reported in config.assumptions; an unknown activation, and unknown heads of wider
 * models, are STATUS_FAILED. STATUS_USAGE for hints that contradict the files. Whole CLIP,
 * vision-only and GenD files; F32 is used in place from the mapping, F16 and BF16 are converted.
 * All missing and unexpected tensors are listed. *vit is owned by the caller. If the file holds a
 * GenD head, vit_head_read (head.h) finds it.
 */
Status vit_load_with(Vit **vit, const char *path, const VitHints *hints, Threads *threads,
                     Error *error);

/* The same without hints. */
Status vit_load(Vit **vit, const char *path, Threads *threads, Error *error);

/*
 * Random weights as Hugging Face initialises CLIPVisionModel (initializer factor 1): class
 * embedding N(0, D^-1/2), patch and position N(0, 0.02), q, k, v N(0, D^-1/2 (2L)^-1/2), out N(0,
 * D^-1/2), fc1 N(0, (2D)^-1/2), fc2 N(0, D^-1/2 (2L)^-1/2), biases 0, LayerNorms 1 and 0. A pure
 * function of (config, seed).
 */
Status vit_create(Vit **vit, const VitConfig *config, uint64_t seed, Threads *threads,
                  Error *error);

/* The file with the tensors (or their index) of a model that vit_load takes by `path`.
 * STATUS_FAILED without one. */
Status vit_model_file(const char *path, char file[FILE_PATH_SIZE], Error *error);

/*
 * Writes config.json, preprocessor_config.json and model.safetensors in Hugging Face's layout, into
 * a folder that is new or empty; anything else is refused. The folder gets its name when it is
 * complete (file_folder_commit).
 */
Status vit_save(const Vit *vit, const char *folder, Error *error);

void vit_destroy(Vit *vit);

/* The parameter of that name (from "vision_model." on), or NULL. */
VitParameter *vit_find(const Vit *vit, const char *name);

/* Number of elements of all parameters. */
size_t vit_size(const Vit *vit);

/*
 * Packs the linear maps whose weights do not train, patch embedding included, for the forward and,
 * if `backward`, for the gradients that flow through them to what trains before them: no others are
 * made. Then lets the weights' file pages go; the numbers stay readable, from the file. Where
 * packing gains nothing (packed_pays) it does nothing. `precision` is that of all later forwards:
 * in bf16 and int8 activations between products are bf16 tensors; the residual stream and what
 * trains stay f32, but products with a weight that trains are made in bf16 from it. int8 asserts
 * that `backward` is false. Call once, after vit_adapter_read and vit_tune: neither may follow.
 * STATUS_FAILED without memory.
 */
Status vit_pack(Vit *vit, Precision precision, bool backward, Threads *threads, Error *error);

/* Bytes of memory that the encoder takes: packs, and the numbers of whatever is not packed. */
size_t vit_bytes(const Vit *vit);

/*
 * pixels [B,3,S,S], normalised -> features [B,1,D]. Transient values are released as soon as no one
 * needs them, so inference holds a few [B,T,D] at a time. `probabilities`: NULL, or L leaves
 * [B,H,Tq,T] (Tq = T, 1 in the last block), one for the attention of each block, as op_attention
 * takes them: filled if they have data, and given their gradient in the backward if they need one.
 * On a tape with an inner one (tape_allow_recompute, vit_block_operations) a recorded block keeps
 * its input only and is computed again in the backward; then `probabilities` must be NULL.
 */
Tensor *vit_forward(const Vit *vit, Tape *tape, Tensor *pixels, Tensor *probabilities);

/*
 * The model: the encoder and what methods add to it. pixels [B,3,S,S] -> features [B,1,W], W =
 * vit_model_width, for the head; otherwise as vit_forward. Training, scoring, cached features and
 * explanations call this, so a method that reads other tokens or another tower changes these three
 * functions alone.
 */
Tensor *vit_model_forward(const Vit *vit, Tape *tape, Tensor *pixels, Tensor *probabilities);
int vit_model_width(const Vit *vit);
int vit_model_operations(const Vit *vit); /* an upper bound, for tape_create */

/* Upper bounds on the operations of one vit_forward, for tape_create, and of one block, for
 * tape_allow_recompute. */
int vit_forward_operations(const Vit *vit);
int vit_block_operations(const Vit *vit);

#endif
