/*
 * tune_choose.c - what the text of `tune` means: which parameters train, and which get LoRA.
 *
 * A text is read into items first, which needs no model, so that a recipe can refuse nonsense before one is
 * loaded; then each item chooses among the parameters of a model. Items add up: a parameter that two of them
 * name trains once. What trains whole cannot have LoRA beside it: that would be one thing twice.
 */
#include "vit/tune.h"

#include <assert.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KNOWN "ln, bias, lora:R, all, none or patterns such as *.layers.0.*"

enum { ITEM_SIZE = 256, LORA_HIGHEST_RANK = 4096 };

typedef enum ItemKind { ITEM_LN, ITEM_BIAS, ITEM_ALL, ITEM_NONE, ITEM_LORA, ITEM_PATTERN } ItemKind;

/* The linear maps of a block by the names that a LoRA item gives them, and in those of parameters. */
static const struct {
    const char *name, *infix;
} targets[] = {
    {"q", ".q_proj."},     {"k", ".k_proj."}, {"v", ".v_proj."},
    {"out", ".out_proj."}, {"fc1", ".fc1."},  {"fc2", ".fc2."},
};

enum { TARGETS = sizeof targets / sizeof targets[0], TARGET_Q = 0, TARGET_V = 2 };

typedef struct Item {
    ItemKind kind;
    char text[ITEM_SIZE];
    int rank;        /* of LoRA */
    unsigned wanted; /* bit i: LoRA of targets[i] */
} Item;

/* "q+v+out" -> bits; false, and *wrong the first name that is none. */
static bool parse_targets(const char *text, unsigned *wanted, char wrong[ITEM_SIZE])
{
    *wanted = 0;
    for (;;) {
        const size_t length = strcspn(text, "+");
        int i = 0;
        while (i < TARGETS &&
               (strlen(targets[i].name) != length || strncmp(targets[i].name, text, length) != 0))
            i++;
        if (i == TARGETS || (*wanted >> i & 1U)) {
            snprintf(wrong, ITEM_SIZE, "%.*s", (int)length, text);
            return false;
        }
        *wanted |= 1U << i;
        if (text[length] == '\0')
            return true;
        text += length + 1;
    }
}

/* "lora:R" or "lora:R:q+v" */
static Status parse_lora(const char *tune, Item *item, Error *error)
{
    const char *const digits = item->text + strlen("lora") + (item->text[4] == ':');
    const size_t length = strspn(digits, "0123456789");
    const char *const rest = digits + length;
    if (length == 0 || length > 4 || (*rest != '\0' && *rest != ':') || digits[0] == '0' ||
        atoi(digits) > LORA_HIGHEST_RANK)
        return error_set(error, STATUS_USAGE,
                         "tune=%s: %s names no rank from 1 to %d; write lora:8 or lora:8:q+v+out",
                         tune, item->text, LORA_HIGHEST_RANK);
    item->rank = atoi(digits);
    item->wanted = 1U << TARGET_Q | 1U << TARGET_V;
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

/* Whether LoRA of this item belongs to a parameter. */
static bool is_target(const Item *item, const VitParameter *parameter)
{
    for (int i = 0; parameter->kind == VIT_WEIGHT && i < TARGETS; i++)
        if ((item->wanted >> i & 1U) && strstr(parameter->name, targets[i].infix))
            return true;
    return false;
}

static bool trains(const Item *item, const VitParameter *parameter)
{
    switch (item->kind) {
    case ITEM_LN:
        return parameter->kind == VIT_LAYER_NORM;
    case ITEM_BIAS: {
        const char *const last = strrchr(parameter->name, '.');
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
        const VitParameter *const parameter = &vit->parameters[i];
        if (!is_target(item, parameter))
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
