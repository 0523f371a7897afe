/*
 * part.h - parameters that a method adds to the encoder, as one table a method.
 *
 * A method of `tune` is a VitMethod: the rows of its parts say entry name, shape, initial values
 * and decay, and two functions attach the parts to a linear map and merge them into its weight.
 * Tuning, adapters, export and inspect loop over the rows. Another method adds a VitMethod to
 * vit_methods (part.c) and the operation that the forward does with its parts. The head is a table
 * of such rows, too.
 */
#ifndef LNCLIP_VIT_PART_H
#define LNCLIP_VIT_PART_H

#include "tensor/random.h"
#include "vit/vit.h"

#include <stdint.h>

enum { VIT_PART_NAME_SIZE = VIT_NAME_SIZE + 16, VIT_MOST_PARTS = 4 };

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

struct VitMethod {
    const char *name; /* for messages: "LoRA" */
    const char *word; /* of `tune`: "lora" */
    int highest_rank; /* `tune` gives a rank up to this one, and may give targets; 0: neither */
    unsigned targets; /* bit s: the weights of VitSlot s get parts unless `tune` gives targets */
    const char
        *scale_key; /* metadata of adapters with the scale of the parts, or NULL: they have none */
    RandomPurpose purpose;  /* of the initial values */
    const VitPartRow *rows; /* [row_count], at most VIT_MOST_PARTS */
    int row_count;

    /* Makes the forward use the parts [row_count] (borrowed) at the linear map of this weight. */
    void (*attach)(Vit *vit, VitParameter *weight, Tensor *parts);

    /*
     * merged [out,in]: the weight with which the linear map alone computes what it does with the
     * parts. NULL: no weight does; the method cannot be merged, and vit_save_as refuses a model
     * that has it.
     */
    void (*merge)(const Tensor *weight, float *const *parts, int rank, float scale, float *merged);
};

/* All methods of `tune` that add parts, NULL-terminated. */
extern const VitMethod *const vit_methods[];

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
