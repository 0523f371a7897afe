/*
 * lora.c - see lora.h.
 */
#include "vit/lora.h"

#include "tensor/gemm.h"
#include "tensor/random.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static const char WEIGHT[] = ".weight";
static const char *const marks[2] = {".lora_A", ".lora_B"};

/* Gives the part of `linear` that has this weight A and B in `lora`; false if none has it. */
static bool attach_part(Lora *lora, const Linear *linear, const Tensor *weight, Tensor *down,
                        Tensor *up)
{
    for (int part = 0; part < linear->parts; part++) {
        if (linear->weight[part] != weight)
            continue;
        lora->in = linear->in;
        lora->out = linear->out;
        lora->parts = linear->parts;
        for (int i = 0; i < linear->parts; i++)
            lora->rows[i] = linear->weight[i]->shape[0];
        lora->down[part] = down;
        lora->up[part] = up;
        return true;
    }
    return false;
}

void vit_lora_attach(Vit *vit, VitParameter *parameter, Tensor *down, Tensor *up)
{
    bool found = false;
    for (int i = 0; i < vit->config.layers && !found; i++) {
        VitBlock *block = &vit->blocks[i];
        const Linear *const maps[VIT_MAPS] = {[VIT_MAP_Q] = &block->q,
                                              [VIT_MAP_KV] = &block->kv,
                                              [VIT_MAP_OUT] = &block->out,
                                              [VIT_MAP_FC1] = &block->fc1,
                                              [VIT_MAP_FC2] = &block->fc2};
        for (int k = 0; k < VIT_MAPS && !found; k++) {
            found = attach_part(&block->lora[k], maps[k], &parameter->tensor, down, up);
            if (found)
                block->lora[k].map = (uint16_t)(i * VIT_MAPS + k);
        }
    }
    assert(found && "LoRA belongs to the weight of a linear map");
    parameter->lora = true;
}

void vit_lora_scale(Vit *vit, float scale)
{
    for (int i = 0; i < vit->config.layers; i++)
        for (int k = 0; k < VIT_MAPS; k++)
            vit->blocks[i].lora[k].scale = scale;
}

void vit_lora_start(float *down, int rank, int in, uint64_t seed, uint32_t index)
{
    const double bound = 1 / sqrt(in);
    Random random = random_stream(seed, RANDOM_LORA, index, 0);
    for (size_t i = 0; i < (size_t)rank * (size_t)in; i++)
        down[i] = (float)((2 * random_uniform(&random) - 1) * bound);
}

void vit_lora_merge(const float *weight, const float *down, const float *up, float scale, int out,
                    int in, int rank, float *merged)
{
    if (merged != weight)
        memcpy(merged, weight, (size_t)out * (size_t)in * sizeof *merged);
    gemm(false, false, out, in, rank, scale, up, rank, down, in, 1, merged, in);
}

void vit_lora_name(const char *weight, bool up, char *out, size_t size)
{
    const size_t stem = strlen(weight) - strlen(WEIGHT);
    assert(strlen(weight) > strlen(WEIGHT) && strcmp(weight + stem, WEIGHT) == 0);
    const int length = snprintf(out, size, "%.*s%s%s", (int)stem, weight, marks[up], WEIGHT);
    assert(length > 0 && (size_t)length < size);
    (void)length;
}

bool vit_lora_name_parse(char *name, bool *up)
{
    static const char *const tails[] = {".weight", ".default.weight"};
    for (int side = 0; side < 2; side++) {
        char *mark = strstr(name, marks[side]);
        for (int i = 0; mark && i < 2; i++) {
            if (strcmp(mark + strlen(marks[side]), tails[i]) != 0)
                continue;
            memcpy(mark, WEIGHT, sizeof WEIGHT);
            *up = side == 1;
            return true;
        }
    }
    return false;
}
