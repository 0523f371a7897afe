/*
 * tune.c - see tune.h.
 */
#include "vit/tune.h"

#include "vit/lora.h"
#include "vit/names.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Lists a tensor as the next entry, without moving it yet. */
static void add_entry(VitTuned *tuned, const char *prefix, const char *name, Tensor *tensor,
                      bool decays)
{
    VitTunedEntry *const entry = &tuned->entries[tuned->entry_count];
    char *const full = tuned->names + (size_t)tuned->entry_count * 2 * VIT_NAME_SIZE;
    tuned->entry_count++;
    snprintf(full, 2 * VIT_NAME_SIZE, "%s%s", prefix, name);
    *entry = (VitTunedEntry){.name = full,
                             .tensor = tensor,
                             .offset = tuned->count,
                             .count = tensor_count(tensor),
                             .decays = decays};
    tuned->count += entry->count;
}

/* Copies the numbers into the array and makes the tensors views of it. */
static void adopt(VitTuned *tuned)
{
    for (int i = 0; i < tuned->entry_count; i++) {
        const VitTunedEntry *const entry = &tuned->entries[i];
        Tensor *const tensor = entry->tensor;
        assert(!tensor->needs_grad && "already tuned");
        if (tensor->data) /* LoRA starts at zero */
            memcpy(tuned->values + entry->offset, tensor_f32(tensor), entry->count * sizeof(float));
        tensor->data = tuned->values + entry->offset;
        tensor->grad = tuned->grads + entry->offset;
        tensor->needs_grad = true;
    }
}

/* Lists A and B of a weight. */
static void add_lora(VitTuned *tuned, const VitParameter *parameter, int rank)
{
    const Tensor *const weight = &parameter->tensor;
    Tensor *const down = &tuned->lora[tuned->loras], *const up = down + 1;
    char name[VIT_NAME_SIZE + sizeof ".lora_A"];
    *down = tensor_leaf(NULL, 2, (const int[]){rank, weight->shape[1]});
    *up = tensor_leaf(NULL, 2, (const int[]){weight->shape[0], rank});
    tuned->loras += 2;
    vit_lora_name(parameter->name, false, name, sizeof name);
    add_entry(tuned, VIT_PREFIX, name, down, true);
    vit_lora_name(parameter->name, true, name, sizeof name);
    add_entry(tuned, VIT_PREFIX, name, up, true);
}

/* Draws every A and makes the maps use it. */
static void attach_loras(VitTuned *tuned, Vit *vit, const VitChoice *chosen, uint64_t seed)
{
    Tensor *down = tuned->lora;
    for (int i = 0; i < vit->parameter_count; i++) {
        if (chosen[i] != VIT_LORA)
            continue;
        vit_lora_start(tensor_f32(down), down->shape[0], down->shape[1], seed, (uint32_t)i);
        vit_lora_attach(vit, &vit->parameters[i], down, down + 1);
        down += 2;
    }
}

static Status no_memory(Error *error)
{
    return error_set(error, STATUS_FAILED,
                     "tune: no memory for what trains; free some or tune less");
}

/* Makes the table of entries and then the arrays. */
static Status build(VitTuned *tuned, Vit *vit, VitHead *head, const char *tune,
                    const VitChoice *chosen, int rank, uint64_t seed, Error *error)
{
    size_t entries = head ? 2 : 0, loras = 0;
    for (int i = 0; i < vit->parameter_count; i++) {
        entries += chosen[i] == VIT_TRAINS;
        loras += chosen[i] == VIT_LORA ? 2 : 0;
    }
    entries += loras;
    if (entries == 0)
        return error_set(error, STATUS_USAGE,
                         "tune=%s: nothing would train; choose ln, all or patterns", tune);
    tuned->lora_scale = 1;
    tuned->tune = strdup(tune);
    tuned->entries = calloc(entries, sizeof *tuned->entries);
    tuned->names = calloc(entries, (size_t)2 * VIT_NAME_SIZE);
    tuned->lora = calloc(loras + 1, sizeof *tuned->lora);
    if (!tuned->tune || !tuned->entries || !tuned->names || !tuned->lora)
        return no_memory(error);
    for (int i = 0; i < vit->parameter_count; i++) {
        VitParameter *const parameter = &vit->parameters[i];
        if (chosen[i] == VIT_TRAINS)
            add_entry(tuned, VIT_PREFIX, parameter->name, &parameter->tensor,
                      parameter->kind == VIT_EMBEDDING || parameter->kind == VIT_WEIGHT);
        else if (chosen[i] == VIT_LORA)
            add_lora(tuned, parameter, rank);
    }
    if (head) {
        add_entry(tuned, "", VIT_HEAD_WEIGHT, &head->weight, true);
        add_entry(tuned, "", VIT_HEAD_BIAS, &head->bias, false);
    }
    tuned->values = calloc(tuned->count, sizeof *tuned->values);
    tuned->grads = calloc(tuned->count, sizeof *tuned->grads);
    tuned->base = malloc(tuned->count * sizeof *tuned->base);
    if (!tuned->values || !tuned->grads || !tuned->base)
        return no_memory(error);
    adopt(tuned);
    attach_loras(tuned, vit, chosen, seed);
    memcpy(tuned->base, tuned->values, tuned->count * sizeof *tuned->base);
    return STATUS_OK;
}

Status vit_tune(VitTuned **out, Vit *vit, VitHead *head, const char *tune, uint64_t seed,
                Error *error)
{
    assert(out && vit && tune && error);
    assert(!vit->packed && "what trains is chosen before the rest is packed");
    *out = NULL;
    int rank = 0;
    VitTuned *const tuned = calloc(1, sizeof *tuned);
    VitChoice *const chosen = calloc((size_t)vit->parameter_count, sizeof *chosen);
    Status status = tuned && chosen ? STATUS_OK : no_memory(error);
    if (status == STATUS_OK)
        status = vit_tune_choose(vit, tune, chosen, &rank, error);
    if (status == STATUS_OK)
        status = build(tuned, vit, head, tune, chosen, rank, seed, error);
    free(chosen);
    if (status != STATUS_OK) {
        vit_tuned_destroy(tuned);
        return status;
    }
    *out = tuned;
    return STATUS_OK;
}

void vit_tuned_set_lora_alpha(VitTuned *tuned, Vit *vit, double alpha)
{
    assert(alpha >= 0);
    if (tuned->loras == 0)
        return;
    const int rank = tuned->lora[0].shape[0];
    tuned->lora_scale = alpha == 0 ? 1 : (float)(alpha / rank);
    vit_lora_scale(vit, tuned->lora_scale);
}

void vit_tuned_destroy(VitTuned *tuned)
{
    if (!tuned)
        return;
    free(tuned->values);
    free(tuned->grads);
    free(tuned->base);
    free(tuned->entries);
    free(tuned->lora);
    free(tuned->names);
    free(tuned->tune);
    free(tuned);
}

size_t vit_tuned_added(const VitTuned *tuned)
{
    size_t count = 0;
    for (int i = 0; i < tuned->loras; i++)
        count += tensor_count(&tuned->lora[i]);
    return count;
}

void vit_tuned_zero_grads(VitTuned *tuned)
{
    memset(tuned->grads, 0, tuned->count * sizeof *tuned->grads);
}
