/*
 * part.h - methods of `tune` that add parameters ("parts") to the weights of linear maps.
 *
 * A method is a VitMethod. Its rows give entry name, shape, initial values and weight decay of each
 * part. Its functions change the forward of a linear map and merge the parts into the weight.
 * Tuning, the forward, packing, adapters, export and inspect loop over the table vit_methods
 * (part.c), so a new method is one file and one line in that table. The head uses such rows, too.
 *
 * Tests: tests/test_lora.c.
 */
#ifndef LNCLIP_VIT_PART_H
#define LNCLIP_VIT_PART_H

#include "tensor/random.h"
#include "vit/vit.h"

#include <stdint.h>

enum { VIT_PART_NAME_SIZE = VIT_NAME_SIZE + 16, VIT_MAX_PARTS = 4, VIT_MAX_METHODS = 8 };

/* A dimension of a part: `in` or `out` of its weight [out,in], or the rank given in `tune`. */
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
    /* A part's ending, which replaces ".weight" in the weight's name; for the head the full name */
    const char *name;
    VitPartExtent shape[TENSOR_MAX_DIMS];
    VitPartDraw draw;
    bool decays; /* weight decay applies */
} VitPartRow;

/* A linear map and the parts of one method at its weights, for the forward. */
typedef struct VitMapParts {
    const Linear *linear;
    Tensor *parts[LINEAR_MAX_PARTS]; /* [row_count] at each of its weights, or NULL */
    float scale;                     /* s of VitParameter */
    int index; /* block * VIT_MAPS + VIT_MAP_...; selects the stream of dropout */
} VitMapParts;

struct VitMethod {
    const char *name;       /* for messages: "LoRA" */
    const char *word;       /* in `tune`: "lora" */
    const char *usage;      /* for lists in messages: "lora:R" */
    int max_rank;           /* limit of the rank in `tune`; 0: no rank and no targets */
    unsigned targets;       /* default targets; bit s: the weights of VitSlot s get parts */
    const char *scale_key;  /* adapter metadata with the scale of the parts; NULL: no scale */
    RandomPurpose purpose;  /* random stream of the initial values */
    const VitPartRow *rows; /* [row_count], at most VIT_MAX_PARTS */
    int row_count;

    /*
     * The forward of a linear map y = act(linear(x) + residual). `input` returns a replacement for
     * x, of equal shape and type. `residual` returns a replacement for the residual, which has the
     * shape of y, is f32 or of x's type, and may be NULL. Either function may be NULL: no change.
     * Together they record at most `operations` operations and release none of their operands.
     */
    Tensor *(*input)(Tape *tape, const VitMapParts *map, Tensor *x);
    Tensor *(*residual)(Tape *tape, const VitMapParts *map, Tensor *x, Tensor *residual);
    int operations;
    /* The gradient of the parts flows through the weight (for `input`), which therefore needs a
     * pack for the backward. */
    bool through_weight;

    /*
     * Writes to merged [out,in] the weight that replaces the original weight and the parts. NULL:
     * the method cannot be merged. The encoder then keeps the parts read from an adapter, and
     * vit_save_as refuses the model.
     */
    void (*merge)(const Tensor *weight, float *const *parts, int rank, float scale, float *merged);
};

/* All methods that add parts, NULL-terminated. Only tests modify it. */
extern const VitMethod *vit_methods[];

/* The parameter that contains this tensor of the encoder. */
VitParameter *vit_parameter_of(const Tensor *weight);

/* True if the parameter has trainable parts. */
bool vit_parts_train(const VitParameter *parameter);

/* Gives the parts that `method` has added to a linear map; false if there are none. `index` is
 * VitMapParts.index. */
bool vit_map_parts(const Linear *linear, const VitMethod *method, int index, VitMapParts *parts);

/* Makes the forward use parts [row_count] at a weight, with scale 1. The parts are borrowed. */
void vit_part_attach(VitParameter *weight, const VitMethod *method, Tensor *parts, int rank);

/* Detaches the parts and, if owns_parts, frees their data and the array. */
void vit_part_detach(VitParameter *weight);

/* A part without data, of the right shape for a weight [out,in]. */
Tensor vit_part_tensor(const VitPartRow *row, int out, int in, int rank);

/* Writes a part's initial values, drawn from `random`. `in` is the input width of its weight. */
void vit_part_draw(const VitPartRow *row, const Tensor *part, int in, Random *random);

/* The entry name of the part for a weight name ending in ".weight". */
void vit_part_name(const VitPartRow *row, const char *weight, char name[VIT_PART_NAME_SIZE]);

/*
 * The inverse of vit_part_name, in place: replaces a part's name by its weight's, sets *part to the
 * index of its row and returns its method. Also accepts peft's "lora_A.default.weight". For other
 * names returns NULL and changes nothing.
 */
const VitMethod *vit_part_parse(char *name, int *part);

#endif
