/*
 * lora.c - see lora.h.
 */
#include "vit/lora.h"

#include "tensor/base/mem.h"
#include "tensor/gemm.h"

#include <assert.h>
#include <string.h>

static void attach(Vit *vit, VitParameter *parameter, Tensor *parts)
{
    VitBlock *block = &vit->blocks[parameter->block];
    for (int map = 0; map < VIT_MAPS; map++) {
        const Linear *linear = &block->maps[map];
        Lora *lora = &block->lora[map];
        for (int part = 0; part < linear->parts; part++) {
            if (linear->weight[part] != &parameter->tensor)
                continue;
            lora->in = linear->in;
            lora->out = linear->out;
            lora->parts = linear->parts;
            for (int i = 0; i < linear->parts; i++)
                lora->rows[i] = linear->weight[i]->shape[0];
            lora->down[part] = &parts[0];
            lora->up[part] = &parts[1];
            lora->map = (uint16_t)(parameter->block * VIT_MAPS + map);
            return;
        }
    }
    assert(false && "LoRA belongs to the weight of a linear map");
}

void vit_lora_scale(Vit *vit, float scale)
{
    for (int i = 0; i < vit->config.layers; i++)
        for (int k = 0; k < VIT_MAPS; k++)
            vit->blocks[i].lora[k].scale = scale;
}

/* W + s B A */
static void merge(const Tensor *weight, float *const *parts, int rank, float scale, float *merged)
{
    const int out = weight->shape[0], in = weight->shape[1];
    memcpy(merged, tensor_f32(weight), tensor_count(weight) * sizeof *merged);
    gemm(false, false, out, in, rank, scale, parts[1], rank, parts[0], in, 1, merged, in);
}

/* B is 0 at first, so that the first forward is that of the model as loaded. */
static const VitPartRow rows[] = {
    {".lora_A.weight", {VIT_PART_RANK, VIT_PART_IN}, VIT_PART_UNIFORM, true},
    {".lora_B.weight", {VIT_PART_OUT, VIT_PART_RANK}, VIT_PART_ZERO, true},
};

const VitMethod vit_lora = {
    .name = "LoRA",
    .word = "lora",
    .highest_rank = 4096,
    .targets = 1U << VIT_Q_WEIGHT | 1U << VIT_V_WEIGHT,
    .scale_key = "lora_scale",
    .purpose = RANDOM_LORA,
    .rows = rows,
    .row_count = COUNT_OF(rows),
    .attach = attach,
    .merge = merge,
};
