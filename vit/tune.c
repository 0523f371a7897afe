/*
 * tune.c - see tune.h.
 *
 * First the text of `tune`: it is read into items, which needs no model, so that a recipe can refuse an invalid
 * one before a model is loaded; then each item chooses among the parameters of a model. Items add up: a parameter
 * that two items name trains once. A parameter that trains fully cannot have LoRA as well.
 */
#include "vit/tune.h"

#include "tensor/base/mem.h"
#include "vit/lora.h"
#include "vit/names.h"

#include <assert.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- what trains --------------------------------------------------------------------------------- */

#define KNOWN "ln, bias, lora:R, all, none or patterns such as *.layers.0.*"

enum { ITEM_SIZE = 256, LORA_HIGHEST_RANK = 4096 };

typedef enum ItemKind { ITEM_LN, ITEM_BIAS, ITEM_ALL, ITEM_NONE, ITEM_LORA, ITEM_PATTERN } ItemKind;

typedef struct Item {
    ItemKind kind;
    char text[ITEM_SIZE];
    int rank;        /* of LoRA */
    unsigned wanted; /* bit s: LoRA of the weights of VitSlot s */
} Item;

/* "q+v+out" -> bits; false, and *wrong the first name that is none. */
static bool parse_targets(const char *text, unsigned *wanted, char wrong[ITEM_SIZE])
{
    *wanted = 0;
    for (;;) {
        const size_t length = strcspn(text, "+");
        unsigned bit = 0;
        for (int i = 0; i < vit_clip.row_count; i++) {
            const char *target = vit_clip.rows[i].target;
            if (target && strlen(target) == length && strncmp(target, text, length) == 0)
                bit = 1U << vit_clip.rows[i].slot;
        }
        if (bit == 0 || (*wanted & bit)) {
            snprintf(wrong, ITEM_SIZE, "%.*s", (int)length, text);
            return false;
        }
        *wanted |= bit;
        if (text[length] == '\0')
            return true;
        text += length + 1;
    }
}

/* "lora:R" or "lora:R:q+v" */
static Status parse_lora(const char *tune, Item *item, Error *error)
{
    const char *digits = item->text + strlen("lora") + (item->text[4] == ':');
    const size_t length = strspn(digits, "0123456789");
    const char *rest = digits + length;
    if (length == 0 || length > 4 || (*rest != '\0' && *rest != ':') || digits[0] == '0' ||
        atoi(digits) > LORA_HIGHEST_RANK)
        return error_set(error, STATUS_USAGE,
                         "tune=%s: %s names no rank from 1 to %d; write lora:8 or lora:8:q+v+out",
                         tune, item->text, LORA_HIGHEST_RANK);
    item->rank = atoi(digits);
    item->wanted = 1U << VIT_Q_WEIGHT | 1U << VIT_V_WEIGHT;
    char wrong[ITEM_SIZE];
    if (*rest == ':' && !parse_targets(rest + 1, &item->wanted, wrong))
        return error_set(error, STATUS_USAGE,
                         "tune=%s: \"%s\" is no linear map, or named twice; join q, k, v, out, fc1 "
                         "and fc2 by +",
                         tune, wrong);
    return STATUS_OK;
}

/* Reads the item at *next and moves *next behind it; NULL at the end. */
static Status parse_item(const char *tune, const char **next, Item *item, Error *error)
{
    static const char *const words[] = {
        [ITEM_LN] = "ln", [ITEM_BIAS] = "bias", [ITEM_ALL] = "all", [ITEM_NONE] = "none"};
    const size_t length = strcspn(*next, ",");
    *item = (Item){.kind = ITEM_PATTERN};
    if (length == 0)
        return error_set(error, STATUS_USAGE,
                         "tune=%s: names nothing, or nothing at a comma; " KNOWN, tune);
    if (length >= sizeof item->text)
        return error_set(error, STATUS_USAGE, "tune=%.64s...: an item of %zu letters; " KNOWN, tune,
                         length);
    memcpy(item->text, *next, length);
    *next = (*next)[length] == ',' ? *next + length + 1 : NULL;
    for (int kind = ITEM_LN; kind <= ITEM_NONE; kind++)
        if (strcmp(item->text, words[kind]) == 0)
            item->kind = (ItemKind)kind;
    if (strcmp(item->text, "lora") != 0 && strncmp(item->text, "lora:", 5) != 0)
        return STATUS_OK;
    item->kind = ITEM_LORA;
    return parse_lora(tune, item, error);
}

Status vit_tune_check(const char *tune, Error *error)
{
    assert(tune && error);
    int loras = 0;
    for (const char *next = tune; next;) {
        Item item;
        TRY(parse_item(tune, &next, &item, error));
        loras += item.kind == ITEM_LORA;
    }
    if (loras > 1)
        return error_set(
            error, STATUS_USAGE,
            "tune=%s: names LoRA twice; join its linear maps in one item, as lora:8:q+v", tune);
    return STATUS_OK;
}

static bool trains(const Item *item, const VitParameter *parameter)
{
    switch (item->kind) {
    case ITEM_LN:
        return parameter->kind == VIT_LAYER_NORM;
    case ITEM_BIAS: {
        const char *last = strrchr(parameter->name, '.');
        return last && strcmp(last, ".bias") == 0;
    }
    case ITEM_ALL:
        return true;
    case ITEM_PATTERN:
        return fnmatch(item->text, parameter->name, 0) == 0;
    case ITEM_NONE:
    case ITEM_LORA:
        break;
    }
    return false;
}

/* Adds what an item that is no LoRA chooses. */
static Status choose(const Vit *vit, const char *tune, const Item *item, VitChoice *chosen,
                     Error *error)
{
    bool any = item->kind != ITEM_PATTERN;
    for (int i = 0; i < vit->parameter_count; i++) {
        if (!trains(item, &vit->parameters[i]))
            continue;
        any = true;
        chosen[i] = VIT_TRAINS;
    }
    if (any)
        return STATUS_OK;
    return error_set(error, STATUS_USAGE,
                     "tune=%s: the pattern \"%s\" matches no tensor; choose " KNOWN, tune,
                     item->text);
}

/* Adds LoRA, once all else is chosen. */
static Status choose_lora(const Vit *vit, const char *tune, const Item *item, VitChoice *chosen,
                          Error *error)
{
    for (int i = 0; i < vit->parameter_count; i++) {
        const VitParameter *parameter = &vit->parameters[i];
        if (!(item->wanted >> parameter->row->slot & 1U))
            continue;
        if (chosen[i] == VIT_TRAINS)
            return error_set(error, STATUS_USAGE,
                             "tune=%s: %s would train whole and by LoRA; leave out one", tune,
                             parameter->name);
        if (item->rank > vit->config.width)
            return error_set(error, STATUS_USAGE,
                             "tune=%s: a rank of %d is no lower one in a model of width %d; choose "
                             "a smaller rank",
                             tune, item->rank, vit->config.width);
        chosen[i] = VIT_LORA;
    }
    return STATUS_OK;
}

Status vit_tune_choose(const Vit *vit, const char *tune, VitChoice *chosen, int *rank, Error *error)
{
    assert(vit && tune && chosen && rank && error);
    TRY(vit_tune_check(tune, error));
    for (int i = 0; i < vit->parameter_count; i++)
        chosen[i] = VIT_FROZEN;
    *rank = 0;
    Item lora = {.rank = 0};
    for (const char *next = tune; next;) {
        Item item;
        TRY(parse_item(tune, &next, &item, error));
        if (item.kind == ITEM_LORA)
            lora = item;
        else
            TRY(choose(vit, tune, &item, chosen, error));
    }
    if (lora.rank == 0)
        return STATUS_OK;
    *rank = lora.rank;
    return choose_lora(vit, tune, &lora, chosen, error);
}

/* ---- the array of trainable parameters ------------------------------------------------------------ */

static const char WHAT[] = "the trainable parameters";

/* Lists a tensor as the next entry, without moving it yet. */
static void add_entry(VitTuned *tuned, const char *prefix, const char *name, Tensor *tensor,
                      bool decays)
{
    VitTunedEntry *entry = &tuned->entries[tuned->entry_count];
    char *full = tuned->names + (size_t)tuned->entry_count * 2 * VIT_NAME_SIZE;
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
        const VitTunedEntry *entry = &tuned->entries[i];
        Tensor *tensor = entry->tensor;
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
    const Tensor *weight = &parameter->tensor;
    Tensor *down = &tuned->lora[tuned->loras], *up = down + 1;
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
    tuned->tune = mem_copy(tune, WHAT, error);
    tuned->entries = mem_new(entries, sizeof *tuned->entries, WHAT, error);
    tuned->names = mem_new(entries, (size_t)2 * VIT_NAME_SIZE, WHAT, error);
    tuned->lora = mem_new(loras, sizeof *tuned->lora, WHAT, error);
    if (!tuned->tune || !tuned->entries || !tuned->names || !tuned->lora)
        return STATUS_FAILED;
    for (int i = 0; i < vit->parameter_count; i++) {
        VitParameter *parameter = &vit->parameters[i];
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
    tuned->values = mem_new(tuned->count, sizeof *tuned->values, WHAT, error);
    tuned->grads = mem_new(tuned->count, sizeof *tuned->grads, WHAT, error);
    tuned->base = mem_new(tuned->count, sizeof *tuned->base, WHAT, error);
    if (!tuned->values || !tuned->grads || !tuned->base)
        return STATUS_FAILED;
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
    VitTuned *tuned = mem_new(1, sizeof *tuned, WHAT, error);
    VitChoice *chosen = mem_new(vit->parameter_count, sizeof *chosen, WHAT, error);
    Status status = tuned && chosen ? STATUS_OK : STATUS_FAILED;
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
