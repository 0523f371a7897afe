/*
 * part.h - parameters that a method adds to the encoder, as one table a method.
 *
 * A method of `tune` is a VitMethod: the rows of its parts say entry name, shape, initial values
 * and decay; its functions say how a linear map uses the parts, and merge them into its weight.
 * Tuning, the forward, packing, adapters, export and inspect loop over the table vit_methods
 * (part.c), so another method is a file of its own and a line there. The head is a table of such
 * rows, too.
 */
#ifndef LNCLIP_VIT_PART_H
#define LNCLIP_VIT_PART_H

#include "tensor/random.h"
#include "vit/vit.h"

#include <stdint.h>

enum { VIT_PART_NAME_SIZE = VIT_NAME_SIZE + 16, VIT_MOST_PARTS = 4, VIT_MOST_METHODS = 8 };

/* An extent of a part: `in` and `out` of the weight that it belongs to, and the rank that `tune`
 * gives. */
typedef enum VitPartExtent {
    VIT_PART_NONE,
    VIT_PART_IN,
    VIT_PART_OUT,
    VIT_PART_RANK
} VitPartExtent;

typedef enum VitPartDraw {
    VIT_PART_ZERO,
    VIT_PART_ONE,
    VIT_PART_UNIFORM, /* U(-1/sqrt(in), 1/sqrt(in)) */
} VitPartDraw;

/* One part. */
typedef struct VitPartRow {
    const char *
        name; /* of its entry; of a method of `tune` what replaces ".weight" in the weight's name */
    VitPartExtent shape[TENSOR_MAX_DIMS];
    VitPartDraw draw;
    bool decays; /* weight decay applies */
} VitPartRow;

/* A linear map and the parts of one method at its weights, as the forward sees them. */
typedef struct VitMapParts {
    const Linear *linear;
    Tensor *parts[LINEAR_MAX_PARTS]; /* [row_count] at each of its weights, or NULL */
    float scale;                     /* s of VitParameter */
    int index;                       /* block * VIT_MAPS + VIT_MAP_..., for what a step draws */
} VitMapParts;

struct VitMethod {
    const char *name;  /* for messages: "LoRA" */
    const char *word;  /* of `tune`: "lora" */
    const char *usage; /* the same for the list of items in a message: "lora:R" */
    int highest_rank;  /* `tune` gives a rank up to this one, and may give targets; 0: neither */
    unsigned targets;  /* bit s: the weights of VitSlot s get parts unless `tune` gives targets */
    const char
        *scale_key; /* metadata of adapters with the scale of the parts, or NULL: they have none */
    RandomPurpose purpose;  /* of the initial values */
    const VitPartRow *rows; /* [row_count], at most VIT_MOST_PARTS */
    int row_count;

    /*
     * The forward at a linear map y = act(linear(x) + residual). `input`: what the map reads in
     * place of x, of the same shape and type. `residual`: what it adds in place of `residual`,
     * which is like y, f32 or of x's type, or NULL. Either may be NULL: no change. Both record
     * `operations` operations at most, and release none of their operands.
     */
    Tensor *(*input)(Tape *tape, const VitMapParts *map, Tensor *x);
    Tensor *(*residual)(Tape *tape, const VitMapParts *map, Tensor *x, Tensor *residual);
    int operations;
    /* The gradient of the parts needs that of what the map reads (`input`), and so a pack of the
     * weight for the backward. */
    bool through_weight;

    /*
     * merged [out,in]: the weight with which the linear map alone computes what it does with the
     * parts. NULL: no weight does; the method cannot be merged. Then the encoder keeps the parts
     * that an adapter brings, and vit_save_as refuses a model that has them.
     */
    void (*merge)(const Tensor *weight, float *const *parts, int rank, float scale, float *merged);
};

/* All methods of `tune` that add parts, NULL-terminated. Only tests write to it. */
extern const VitMethod *vit_methods[];

/* The parameter that a weight of the encoder is the tensor of. */
VitParameter *vit_parameter_of(const Tensor *weight);

/* True if a method has added parts to this parameter, and these train. */
bool vit_parts_train(const VitParameter *parameter);

/* Fills *parts with what `method` has added to a linear map (index as in VitMapParts); false if
 * that is nothing. */
bool vit_map_parts(const Linear *linear, const VitMethod *method, int index, VitMapParts *parts);

/* Makes the forward use parts [row_count] of a method at a weight, with a scale of 1. They are
 * borrowed. */
void vit_part_attach(VitParameter *weight, const VitMethod *method, Tensor *parts, int rank);

/* Undoes it, and frees the parts if the parameter owns them (each part's data, and the array). */
void vit_part_detach(VitParameter *weight);

/* The shape of a part, without data, for a weight [out,in]. */
Tensor vit_part_tensor(const VitPartRow *row, int out, int in, int rank);

/* Initial values of a part, which has data, from where `random` is. `in` is that of its weight. */
void vit_part_draw(const VitPartRow *row, const Tensor *part, int in, Random *random);

/* The name of the part's entry for the weight named `weight` ("....weight"). */
void vit_part_name(const VitPartRow *row, const char *weight, char name[VIT_PART_NAME_SIZE]);

/*
 * The inverse, in place: the name of a part (peft's in memory, "lora_A.default.weight", too)
 * becomes that of its weight. NULL, and nothing changed, for all other names; else its method, and
 * *part the number of its row.
 */
const VitMethod *vit_part_parse(char *name, int *part);

#endif
