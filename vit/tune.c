/*
 * tune.c - see tune.h.
 *
 * The text of `tune` is first parsed into items. This needs no model, so a recipe can refuse
 * invalid text before a model is loaded. Each item then selects parameters of the model. Items add
 * up; a parameter may be selected twice. A fully trained parameter cannot have LoRA as well.
 */
#include "vit/tune.h"

#include "tensor/base/mem.h"
#include "vit/names.h"
#include "vit/part.h"

#include <assert.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- parsing of `tune` ---- */

enum { ITEM_SIZE = 256, KNOWN_SIZE = 256 };

typedef enum ItemKind {
    ITEM_LN,
    ITEM_BIAS,
    ITEM_ALL,
    ITEM_NONE,
    ITEM_METHOD,
    ITEM_PATTERN
} ItemKind;

typedef struct Item {
    ItemKind kind;
    char text[ITEM_SIZE];
    const VitMethod *method;
    int rank;         /* 0 for a method without rank */
    unsigned targets; /* bit s: the weights of VitSlot s get parts */
} Item;

/* The list of valid items for messages. */
static const char *list_items(char text[KNOWN_SIZE])
{
    int used = snprintf(text, KNOWN_SIZE, "ln, bias");
    for (int m = 0; vit_methods[m]; m++)
        used += snprintf(text + used, KNOWN_SIZE - used, ", %s", vit_methods[m]->usage);
    snprintf(text + used, KNOWN_SIZE - used, ", all, none or patterns such as *.layers.0.*");
    return text;
}

/* Parses "q+v+out" into bits. False: `wrong` is the first unknown or repeated name. */
static bool parse_targets(const char *text, const VitTower *tower, unsigned *targets,
                          char wrong[ITEM_SIZE])
{
    *targets = 0;
    for (;;) {
        const size_t length = strcspn(text, "+");
        unsigned bit = 0;
        for (int i = 0; i < tower->row_count; i++) {
            const char *target = tower->rows[i].target;
            if (target && strlen(target) == length && strncmp(target, text, length) == 0)
                bit = 1U << tower->rows[i].slot;
        }
        if (bit == 0 || (*targets & bit)) {
            snprintf(wrong, ITEM_SIZE, "%.*s", (int)length, text);
            return false;
        }
        *targets |= bit;
        if (text[length] == '\0')
            return true;
        text += length + 1;
    }
}

/* Parses "lora", "lora:R" or "lora:R:q+v". */
static Status parse_method(const char *tune, const VitTower *tower, const VitMethod *method,
                           Item *item, Error *error)
{
    const char *word = method->word, *rest = item->text + strlen(word);
    char wrong[ITEM_SIZE];
    item->kind = ITEM_METHOD;
    item->method = method;
    item->targets = method->targets;
    if (method->max_rank == 0) {
        if (*rest == '\0')
            return STATUS_OK;
        return error_set(error, STATUS_USAGE, "tune=%s: %s takes no rank; write %s alone", tune,
                         method->name, word);
    }
    const char *digits = rest + (*rest == ':');
    const size_t length = strspn(digits, "0123456789");
    rest = digits + length;
    if (length == 0 || length > 4 || (*rest != '\0' && *rest != ':') || digits[0] == '0' ||
        atoi(digits) > method->max_rank)
        return error_set(error, STATUS_USAGE,
                         "tune=%s: %s: invalid rank (1 to %d); write %s:8 or %s:8:q+v+out", tune,
                         item->text, method->max_rank, word, word);
    item->rank = atoi(digits);
    if (*rest == ':' && !parse_targets(rest + 1, tower, &item->targets, wrong))
        return error_set(
            error, STATUS_USAGE,
            "tune=%s: \"%s\" is not a linear map, or is named twice; join q, k, v, out, fc1 "
            "and fc2 by +",
            tune, wrong);
    return STATUS_OK;
}

/* Parses the item at *next and advances *next to the following item, or NULL at the end. */
static Status parse_item(const char *tune, const VitTower *tower, const char **next, Item *item,
                         Error *error)
{
    static const char *const words[] = {
        [ITEM_LN] = "ln", [ITEM_BIAS] = "bias", [ITEM_ALL] = "all", [ITEM_NONE] = "none"};
    const size_t length = strcspn(*next, ",");
    char items[KNOWN_SIZE];
    *item = (Item){.kind = ITEM_PATTERN};
    if (length == 0)
        return error_set(error, STATUS_USAGE, "tune=%s: an item is empty; choose %s", tune,
                         list_items(items));
    if (length >= sizeof item->text)
        return error_set(error, STATUS_USAGE,
                         "tune=%.64s...: an item of %zu characters is too long; choose %s", tune,
                         length, list_items(items));
    memcpy(item->text, *next, length);
    *next = (*next)[length] == ',' ? *next + length + 1 : NULL;
    for (int kind = ITEM_LN; kind <= ITEM_NONE; kind++)
        if (strcmp(item->text, words[kind]) == 0)
            item->kind = (ItemKind)kind;
    for (int m = 0; vit_methods[m]; m++) {
        const size_t word = strlen(vit_methods[m]->word);
        if (strncmp(item->text, vit_methods[m]->word, word) == 0 &&
            (item->text[word] == '\0' || item->text[word] == ':'))
            return parse_method(tune, tower, vit_methods[m], item, error);
    }
    return STATUS_OK;
}

static Status check_items(const char *tune, const VitTower *tower, Error *error)
{
    for (const char *next = tune; next;) {
        Item item, other;
        TRY(parse_item(tune, tower, &next, &item, error));
        for (const char *rest = next; item.kind == ITEM_METHOD && rest;) {
            TRY(parse_item(tune, tower, &rest, &other, error));
            if (other.method == item.method)
                return error_set(error, STATUS_USAGE,
                                 "tune=%s: names %s twice; join its linear maps in one item, such "
                                 "as %s:8:q+v",
                                 tune, item.method->name, item.method->word);
        }
    }
    return STATUS_OK;
}

Status vit_tune_check(const char *tune, Error *error)
{
    assert(tune && error);
    return check_items(tune, vit_tower_default, error);
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
    case ITEM_METHOD:
        break;
    }
    return false;
}

/* Marks the parameters that an item selects for full training. */
static Status choose(const Vit *vit, const char *tune, const Item *item, VitChoice *chosen,
                     Error *error)
{
    char items[KNOWN_SIZE];
    bool any = item->kind != ITEM_PATTERN;
    for (int i = 0; i < vit->parameter_count; i++) {
        if (!trains(item, &vit->parameters[i]))
            continue;
        any = true;
        chosen[i].trains = true;
    }
    if (any)
        return STATUS_OK;
    return error_set(error, STATUS_USAGE,
                     "tune=%s: the pattern \"%s\" matches no tensor; choose %s", tune, item->text,
                     list_items(items));
}

/* Marks the weights that get parts of a method. Call after choose() for all items, to detect
 * weights selected for both. */
static Status choose_parts(const Vit *vit, const char *tune, const Item *item, VitChoice *chosen,
                           Error *error)
{
    for (int i = 0; i < vit->parameter_count; i++) {
        const VitParameter *parameter = &vit->parameters[i];
        if (!(item->targets >> parameter->row->slot & 1U))
            continue;
        if (chosen[i].trains || chosen[i].method)
            return error_set(error, STATUS_USAGE,
                             "tune=%s: %s is selected both for full training and for %s; keep one",
                             tune, parameter->name, item->method->name);
        if (item->rank > vit->config.width)
            return error_set(
                error, STATUS_USAGE,
                "tune=%s: rank %d is not below the model width %d; choose a smaller rank", tune,
                item->rank, vit->config.width);
        chosen[i].method = item->method;
        chosen[i].rank = item->rank;
    }
    return STATUS_OK;
}

Status vit_tune_choose(const Vit *vit, const char *tune, VitChoice *chosen, Error *error)
{
    assert(vit && tune && chosen && error);
    const VitTower *tower = vit->config.tower;
    TRY(check_items(tune, tower, error));
    for (int i = 0; i < vit->parameter_count; i++)
        chosen[i] = (VitChoice){0};
    for (int methods = 0; methods < 2; methods++)
        for (const char *next = tune; next;) {
            Item item;
            TRY(parse_item(tune, tower, &next, &item, error));
            if (methods && item.kind == ITEM_METHOD)
                TRY(choose_parts(vit, tune, &item, chosen, error));
            else if (!methods && item.kind != ITEM_METHOD)
                TRY(choose(vit, tune, &item, chosen, error));
        }
    return STATUS_OK;
}

/* ---- the array of trainable parameters ---- */

enum { ENTRY_NAME_SIZE = VIT_PART_NAME_SIZE + sizeof VIT_PREFIX };

static const char WHAT[] = "the trainable parameters";

/* Appends an entry for a tensor, without moving its values yet. */
static void add_entry(VitTuned *tuned, const char *prefix, const char *name, Tensor *tensor,
                      bool decays)
{
    VitTunedEntry *entry = &tuned->entries[tuned->entry_count];
    char *full = tuned->names + (size_t)tuned->entry_count * ENTRY_NAME_SIZE;
    tuned->entry_count++;
    snprintf(full, ENTRY_NAME_SIZE, "%s%s", prefix, name);
    *entry = (VitTunedEntry){.name = full,
                             .tensor = tensor,
                             .offset = tuned->count,
                             .count = tensor_count(tensor),
                             .decays = decays};
    tuned->count += entry->count;
}

/* Copies the values into the arrays and makes the tensors views of them. */
static void adopt(VitTuned *tuned)
{
    for (int i = 0; i < tuned->entry_count; i++) {
        const VitTunedEntry *entry = &tuned->entries[i];
        Tensor *tensor = entry->tensor;
        assert(!tensor->needs_grad && "already tuned");
        if (tensor->data) /* NULL for parts, which are drawn later */
            memcpy(tuned->values + entry->offset, tensor_f32(tensor), entry->count * sizeof(float));
        tensor->data = tuned->values + entry->offset;
        tensor->grad = tuned->grads + entry->offset;
        tensor->needs_grad = true;
    }
}

/* Appends entries for the parts of a weight. */
static void add_parts(VitTuned *tuned, const VitParameter *parameter, const VitChoice *choice)
{
    const int *shape = parameter->tensor.shape;
    for (int i = 0; i < choice->method->row_count; i++) {
        const VitPartRow *row = &choice->method->rows[i];
        char name[VIT_PART_NAME_SIZE];
        Tensor *part = &tuned->parts[tuned->part_count++];
        *part = vit_part_tensor(row, shape[0], shape[1], choice->rank);
        vit_part_name(row, parameter->name, name);
        add_entry(tuned, VIT_PREFIX, name, part, row->decays);
    }
}

/* Draws the initial values of all parts and attaches them to their weights. */
static void attach_parts(VitTuned *tuned, Vit *vit, const VitChoice *chosen, uint64_t seed)
{
    Tensor *parts = tuned->parts;
    for (int i = 0; i < vit->parameter_count; i++) {
        VitParameter *parameter = &vit->parameters[i];
        const VitMethod *method = chosen[i].method;
        if (!method)
            continue;
        Random random = random_stream(seed, method->purpose, (uint32_t)i, 0);
        for (int k = 0; k < method->row_count; k++)
            vit_part_draw(&method->rows[k], &parts[k], parameter->tensor.shape[1], &random);
        vit_part_attach(parameter, method, parts, chosen[i].rank);
        parts += method->row_count;
    }
}

/* Creates the entries, the arrays and the parts. */
static Status build(VitTuned *tuned, Vit *vit, VitHead *head, const char *tune,
                    const VitChoice *chosen, uint64_t seed, Error *error)
{
    int entries = head ? VIT_HEAD_TENSORS : 0, parts = 0;
    for (int i = 0; i < vit->parameter_count; i++) {
        entries += chosen[i].trains;
        parts += chosen[i].method ? chosen[i].method->row_count : 0;
    }
    entries += parts;
    for (int i = 0; i < vit->parameter_count; i++)
        if (chosen[i].method && vit->parameters[i].method)
            return error_set(error, STATUS_USAGE,
                             "tune=%s: %s already has parts of %s from an adapter; start without "
                             "the adapter, or leave out %s",
                             tune, vit->parameters[i].name, vit->parameters[i].method->name,
                             chosen[i].method->word);
    if (entries == 0)
        return error_set(error, STATUS_USAGE,
                         "tune=%s: nothing would train; choose ln, all or patterns", tune);
    tuned->tune = mem_copy(tune, WHAT, error);
    tuned->entries = mem_new(entries, sizeof *tuned->entries, WHAT, error);
    tuned->names = mem_new(entries, ENTRY_NAME_SIZE, WHAT, error);
    tuned->parts = mem_new(parts, sizeof *tuned->parts, WHAT, error);
    if (!tuned->tune || !tuned->entries || !tuned->names || !tuned->parts)
        return STATUS_FAILED;
    for (int i = 0; i < vit->parameter_count; i++) {
        VitParameter *parameter = &vit->parameters[i];
        if (chosen[i].trains)
            add_entry(tuned, VIT_PREFIX, parameter->name, &parameter->tensor,
                      parameter->kind == VIT_EMBEDDING || parameter->kind == VIT_WEIGHT);
        else if (chosen[i].method)
            add_parts(tuned, parameter, &chosen[i]);
    }
    for (int i = 0; head && i < VIT_HEAD_TENSORS; i++)
        add_entry(tuned, "", vit_head_rows[i].name, vit_head_tensor(head, i),
                  vit_head_rows[i].decays);
    tuned->values = mem_new(tuned->count, sizeof *tuned->values, WHAT, error);
    tuned->grads = mem_new(tuned->count, sizeof *tuned->grads, WHAT, error);
    tuned->base = mem_new(tuned->count, sizeof *tuned->base, WHAT, error);
    if (!tuned->values || !tuned->grads || !tuned->base)
        return STATUS_FAILED;
    adopt(tuned);
    attach_parts(tuned, vit, chosen, seed);
    memcpy(tuned->base, tuned->values, tuned->count * sizeof *tuned->base);
    return STATUS_OK;
}

Status vit_tune(VitTuned **out, Vit *vit, VitHead *head, const char *tune, uint64_t seed,
                Error *error)
{
    assert(out && vit && tune && error);
    assert(!vit->packed && "vit_tune comes before vit_pack");
    *out = NULL;
    VitTuned *tuned = mem_new(1, sizeof *tuned, WHAT, error);
    VitChoice *chosen = mem_new(vit->parameter_count, sizeof *chosen, WHAT, error);
    Status status = tuned && chosen ? vit_tune_choose(vit, tune, chosen, error) : STATUS_FAILED;
    if (status == STATUS_OK)
        status = build(tuned, vit, head, tune, chosen, seed, error);
    if (status == STATUS_OK)
        *out = tuned;
    else
        vit_tuned_destroy(tuned);
    free(chosen);
    return status;
}

void vit_tune_set_alpha(Vit *vit, double alpha)
{
    assert(alpha >= 0);
    for (int i = 0; i < vit->parameter_count; i++) {
        VitParameter *parameter = &vit->parameters[i];
        if (vit_parts_train(parameter) && parameter->method->scale_key)
            parameter->scale = alpha == 0 ? 1 : (float)(alpha / parameter->rank);
    }
}

void vit_tuned_destroy(VitTuned *tuned)
{
    if (!tuned)
        return;
    free(tuned->values);
    free(tuned->grads);
    free(tuned->base);
    free(tuned->entries);
    free(tuned->parts);
    free(tuned->names);
    free(tuned->tune);
    free(tuned);
}

size_t vit_tuned_added(const VitTuned *tuned)
{
    size_t count = 0;
    for (int i = 0; i < tuned->part_count; i++)
        count += tensor_count(&tuned->parts[i]);
    return count;
}

void vit_tuned_zero_grads(VitTuned *tuned)
{
    memset(tuned->grads, 0, tuned->count * sizeof *tuned->grads);
}
