/*
 * tune.c - see tune.h.
 */
#include "vit/tune.h"

#include "vit/names.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Lists a tensor as the next entry, without moving it yet. */
static void add_entry(VitTuned *tuned, const char *prefix, const char *name, Tensor *tensor)
{
    VitTunedEntry *const entry = &tuned->entries[tuned->entry_count];
    char *const full = tuned->names + (size_t)tuned->entry_count * 2 * VIT_NAME_SIZE;
    tuned->entry_count++;
    snprintf(full, 2 * VIT_NAME_SIZE, "%s%s", prefix, name);
    *entry = (VitTunedEntry){.name = full,
                             .tensor = tensor,
                             .offset = tuned->count,
                             .count = tensor_count(tensor),
                             .decays = tensor->ndim >= 2};
    tuned->count += entry->count;
}

/* Copies the numbers into the array and makes the tensors views of it. */
static void adopt(VitTuned *tuned)
{
    for (int i = 0; i < tuned->entry_count; i++) {
        const VitTunedEntry *const entry = &tuned->entries[i];
        Tensor *const tensor = entry->tensor;
        assert(!tensor->needs_grad && "already tuned");
        memcpy(tuned->values + entry->offset, tensor_f32(tensor), entry->count * sizeof(float));
        tensor->data = tuned->values + entry->offset;
        tensor->grad = tuned->grads + entry->offset;
        tensor->needs_grad = true;
    }
    memcpy(tuned->base, tuned->values, tuned->count * sizeof *tuned->base);
}

static Status no_memory(Error *error)
{
    return error_set(error, STATUS_FAILED,
                     "tune: no memory for what trains; free some or tune less");
}

/* Makes the table of entries and then the arrays. */
static Status build(VitTuned *tuned, Vit *vit, VitHead *head, const char *tune,
                    const VitChoice *chosen, Error *error)
{
    size_t entries = head ? 2 : 0;
    for (int i = 0; i < vit->parameter_count; i++)
        entries += chosen[i] == VIT_TRAINS;
    if (entries == 0)
        return error_set(error, STATUS_USAGE,
                         "tune=%s: nothing would train; choose ln, all or patterns", tune);
    tuned->tune = strdup(tune);
    tuned->entries = calloc(entries, sizeof *tuned->entries);
    tuned->names = calloc(entries, (size_t)2 * VIT_NAME_SIZE);
    if (!tuned->tune || !tuned->entries || !tuned->names)
        return no_memory(error);
    for (int i = 0; i < vit->parameter_count; i++)
        if (chosen[i] == VIT_TRAINS)
            add_entry(tuned, VIT_PREFIX, vit->parameters[i].name, &vit->parameters[i].tensor);
    if (head) {
        add_entry(tuned, "", VIT_HEAD_WEIGHT, &head->weight);
        add_entry(tuned, "", VIT_HEAD_BIAS, &head->bias);
    }
    tuned->values = malloc(tuned->count * sizeof *tuned->values);
    tuned->grads = calloc(tuned->count, sizeof *tuned->grads);
    tuned->base = malloc(tuned->count * sizeof *tuned->base);
    if (!tuned->values || !tuned->grads || !tuned->base)
        return no_memory(error);
    adopt(tuned);
    return STATUS_OK;
}

Status vit_tune(VitTuned **out, Vit *vit, VitHead *head, const char *tune, uint64_t seed,
                Error *error)
{
    (void)seed;
    assert(out && vit && tune && error);
    assert(!vit->packed && "what trains is chosen before the rest is packed");
    *out = NULL;
    int rank = 0;
    VitTuned *const tuned = calloc(1, sizeof *tuned);
    VitChoice *const chosen = calloc((size_t)vit->parameter_count, sizeof *chosen);
    Status status = tuned && chosen ? STATUS_OK : no_memory(error);
    if (status == STATUS_OK)
        status = vit_tune_choose(vit, tune, chosen, &rank, error);
    if (status == STATUS_OK && rank > 0)
        status = error_set(error, STATUS_USAGE, "tune=%s: LoRA is not in this version", tune);
    if (status == STATUS_OK)
        status = build(tuned, vit, head, tune, chosen, error);
    free(chosen);
    if (status != STATUS_OK) {
        vit_tuned_destroy(tuned);
        return status;
    }
    *out = tuned;
    return STATUS_OK;
}

void vit_tuned_destroy(VitTuned *tuned)
{
    if (!tuned)
        return;
    free(tuned->values);
    free(tuned->grads);
    free(tuned->base);
    free(tuned->entries);
    free(tuned->names);
    free(tuned->tune);
    free(tuned);
}

void vit_tuned_zero_grads(VitTuned *tuned)
{
    memset(tuned->grads, 0, tuned->count * sizeof *tuned->grads);
}
