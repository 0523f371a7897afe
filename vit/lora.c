/*
 * lora.c - see lora.h.
 */
#include "vit/lora.h"

#include "tensor/base/mem.h"
#include "tensor/gemm.h"

#include <string.h>

static Tensor *residual(Tape *tape, const VitMapParts *map, Tensor *x, Tensor *added)
{
    const Linear *linear = map->linear;
    Lora lora = {.in = linear->in,
                 .out = linear->out,
                 .parts = linear->parts,
                 .scale = map->scale,
                 .map = (uint16_t)map->index};
    for (int i = 0; i < linear->parts; i++) {
        Tensor *parts = map->parts[i];
        lora.rows[i] = linear->weight[i]->shape[0];
        lora.down[i] = parts ? &parts[0] : NULL;
        lora.up[i] = parts ? &parts[1] : NULL;
    }
    return op_lora(tape, x, &lora, added);
}

/* W + s B A */
static void merge(const Tensor *weight, float *const *parts, int rank, float scale, float *merged)
{
    const int out = weight->shape[0], in = weight->shape[1];
    memcpy(merged, tensor_f32(weight), tensor_count(weight) * sizeof *merged);
    gemm(false, false, out, in, rank, scale, parts[1], rank, parts[0], in, 1, merged, in);
}

/* B starts at 0, so the first forward equals that of the loaded model. */
static const VitPartRow rows[] = {
    {".lora_A.weight", {VIT_PART_RANK, VIT_PART_IN}, VIT_PART_UNIFORM, true},
    {".lora_B.weight", {VIT_PART_OUT, VIT_PART_RANK}, VIT_PART_ZERO, true},
};

const VitMethod vit_lora = {
    .name = "LoRA",
    .word = "lora",
    .usage = "lora:R",
    .max_rank = 4096,
    .targets = 1U << VIT_Q_WEIGHT | 1U << VIT_V_WEIGHT,
    .scale_key = "lora_scale",
    .purpose = RANDOM_LORA,
    .rows = rows,
    .row_count = COUNT_OF(rows),
    .residual = residual,
    .operations = 1,
    .merge = merge,
};
