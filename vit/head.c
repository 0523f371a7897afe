/*
 * head.c - see head.h.
 */
#include "vit/head.h"

#include "tensor/base/mem.h"
#include "vit/names.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Lower bound of the norm that a feature is divided by, as in torch.nn.functional.normalize. */
static const float NORM_EPS = 1e-12F;

static const char *const kind_names[] = {
    [VIT_HEAD_LINEAR_NORM] = "LinearNorm",
    [VIT_HEAD_LINEAR] = "linear",
};

bool vit_head_kind_parse(const char *name, VitHeadKind *kind)
{
    for (int i = 0; i <= VIT_HEAD_LINEAR; i++) {
        if (strcmp(name, kind_names[i]) != 0)
            continue;
        *kind = (VitHeadKind)i;
        return true;
    }
    return false;
}

const char *vit_head_kind_name(VitHeadKind kind)
{
    return kind_names[kind];
}

const VitPartRow vit_head_rows[VIT_HEAD_TENSORS] = {
    {VIT_HEAD_WEIGHT, {VIT_PART_OUT, VIT_PART_IN}, VIT_PART_UNIFORM, true},
    {VIT_HEAD_BIAS, {VIT_PART_OUT}, VIT_PART_UNIFORM, false},
};

Tensor *vit_head_tensor(VitHead *head, int row)
{
    return row == 0 ? &head->weight : &head->bias;
}

Status vit_head_create(VitHead *head, VitHeadKind kind, int width, uint64_t seed, Error *error)
{
    assert(head && width > 0 && error);
    const size_t weights = (size_t)VIT_CLASSES * width;
    *head = (VitHead){.kind = kind};
    head->storage = mem_new(weights + VIT_CLASSES, sizeof *head->storage, "the head", error);
    if (!head->storage)
        return STATUS_FAILED;
    head->weight = tensor_leaf(head->storage, 2, (const int[]){VIT_CLASSES, width});
    head->bias = tensor_leaf(head->storage + weights, 1, (const int[]){VIT_CLASSES});
    Random random = random_stream(seed, RANDOM_HEAD, 0, 0);
    for (int i = 0; i < VIT_HEAD_TENSORS; i++)
        vit_part_draw(&vit_head_rows[i], vit_head_tensor(head, i), width, &random);
    return STATUS_OK;
}

void vit_head_destroy(VitHead *head)
{
    free(head->storage);
    *head = (VitHead){0};
}

Tensor *vit_head_forward(VitHead *head, Tape *tape, Tensor *features, Tensor **normalised)
{
    const Linear linear = {.in = head->weight.shape[1],
                           .out = VIT_CLASSES,
                           .parts = 1,
                           .weight = {&head->weight},
                           .bias = {&head->bias}};
    const bool on_sphere = head->kind == VIT_HEAD_LINEAR_NORM;
    Tensor *z = on_sphere || normalised ? op_l2_normalize(tape, features, NORM_EPS) : NULL;
    Tensor *logits = op_linear(tape, on_sphere ? z : features, &linear, ACTIVATION_NONE, NULL);
    if (normalised)
        *normalised = z;
    else
        tape_release(tape, z);
    return logits;
}
