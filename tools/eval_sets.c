/*
 * eval_sets.c - data sets and perturbations of an evaluation: see eval_sets.h.
 */
#include "tools/eval_sets.h"

#include "tensor/file.h"
#include "train/number.h"

#include <stdlib.h>
#include <string.h>

static Status no_memory(Error *error)
{
    return error_set(error, STATUS_FAILED, "eval: not enough memory; evaluate fewer frames");
}

/* ---- data sets ----------------------------------------------------------------------------------- */

/* The set of that name, made if there is none. The array has room for one set an argument. */
static EvalSet *find_set(EvalSets *sets, const char *name)
{
    for (int i = 0; i < sets->set_count; i++)
        if (strcmp(sets->sets[i].name, name) == 0)
            return &sets->sets[i];
    EvalSet *const set = &sets->sets[sets->set_count++];
    set->name = name;
    return set;
}

static Status add_list(EvalSet *set, const char *list, const char *argument, Error *error)
{
    if (list[0] == '\0')
        return error_set(error, STATUS_USAGE,
                         "%s: the name of a list is empty; write NAME=LIST[,LIST...]", argument);
    const char **const lists = realloc(set->lists, (size_t)(set->list_count + 1) * sizeof *lists);
    if (!lists)
        return no_memory(error);
    set->lists = lists;
    set->lists[set->list_count++] = list;
    return STATUS_OK;
}

/* NAME=LIST[,LIST...]; commas separate only if there is no file of the whole name. */
static Status add_argument(EvalSets *sets, const char *argument, Error *error)
{
    char *const text = strdup(argument);
    if (!text)
        return no_memory(error);
    sets->texts[sets->text_count++] = text;
    char *const equals = strchr(text, '=');
    if (!equals || equals == text)
        return error_set(error, STATUS_USAGE,
                         "%s: does not name a data set; write NAME=LIST[,LIST...]", argument);
    *equals = '\0';
    EvalSet *const set = find_set(sets, text);
    char *list = equals + 1;
    if (file_exists(list))
        return add_list(set, list, argument, error);
    for (char *comma; (comma = strchr(list, ',')); list = comma + 1) {
        *comma = '\0';
        TRY(add_list(set, list, argument, error));
    }
    return add_list(set, list, argument, error);
}

/* Reads the lists of every set and lines their frames up. */
static Status read_lists(EvalSets *sets, const CliFrames *frames, const CliStrings *labels,
                         Error *error)
{
    CliSet *const wanted = calloc((size_t)sets->set_count, sizeof *wanted);
    if (!wanted)
        return no_memory(error);
    for (int i = 0; i < sets->set_count; i++) {
        EvalSet *const set = &sets->sets[i];
        wanted[i] = (CliSet){set->name, set->lists, set->list_count, *frames, &set->frames};
    }
    const Status status = cli_read_sets(wanted, sets->set_count, labels, error);
    free(wanted);
    for (int i = 0; status == STATUS_OK && i < sets->set_count; i++) {
        EvalSet *const set = &sets->sets[i];
        data_list_hash(&set->frames, set->hash);
        set->first = sets->count;
        sets->count += (size_t)set->frames.count;
    }
    return status;
}

static Status allocate(EvalSets *sets, int count, Error *error)
{
    *sets = (EvalSets){
        .sets = calloc((size_t)count, sizeof *sets->sets),
        .texts = calloc((size_t)count, sizeof *sets->texts),
    };
    return sets->sets && sets->texts ? STATUS_OK : no_memory(error);
}

Status eval_sets_read(EvalSets *sets, const CliStrings *arguments, const CliFrames *frames,
                      const CliStrings *labels, Error *error)
{
    TRY(allocate(sets, arguments->count, error));
    for (int i = 0; i < arguments->count; i++)
        TRY(add_argument(sets, arguments->items[i], error));
    return read_lists(sets, frames, labels, error);
}

Status eval_sets_read_one(EvalSets *sets, const char *name, const CliStrings *lists,
                          const CliFrames *frames, const CliStrings *labels, Error *error)
{
    TRY(allocate(sets, 1, error));
    EvalSet *const set = find_set(sets, name);
    for (int i = 0; i < lists->count; i++)
        TRY(add_list(set, lists->items[i], lists->items[i], error));
    return read_lists(sets, frames, labels, error);
}

void eval_sets_free(EvalSets *sets)
{
    for (int i = 0; i < sets->set_count; i++) {
        free(sets->sets[i].lists);
        data_list_free(&sets->sets[i].frames);
    }
    for (int i = 0; i < sets->text_count; i++)
        free(sets->texts[i]);
    free(sets->sets);
    free(sets->texts);
    *sets = (EvalSets){0};
}

/* ---- perturbations ------------------------------------------------------------------------------- */

typedef struct Perturbations {
    EvalPerturbation *items; /* [count] */
    int count;
} Perturbations;

/* Puts it behind the others of its kind. */
static Status insert(Perturbations *all, const EvalPerturbation *one, Error *error)
{
    EvalPerturbation *const items =
        realloc(all->items, (size_t)(all->count + 1) * sizeof *all->items);
    if (!items)
        return no_memory(error);
    all->items = items;
    int at = all->count;
    for (int i = 0; i < all->count; i++) {
        if (strcmp(items[i].kind, one->kind) != 0)
            continue;
        if (items[i].strength == one->strength)
            return error_set(error, STATUS_USAGE,
                             "--perturb %s=%s: is given twice; give every strength once", one->kind,
                             one->text);
        at = i + 1;
    }
    memmove(items + at + 1, items + at, (size_t)(all->count - at) * sizeof *items);
    items[at] = *one;
    all->count++;
    return STATUS_OK;
}

/* One strength, text [length], of the kind that argument [kind] begins with. */
static Status add_strength(Perturbations *all, const char *argument, size_t kind, const char *text,
                           size_t length, Error *error)
{
    EvalPerturbation one = {0};
    char whole[sizeof one.kind + sizeof one.text];
    if (kind < sizeof one.kind && length < sizeof one.text) {
        memcpy(one.kind, argument, kind);
        memcpy(one.text, text, length);
        snprintf(whole, sizeof whole, "%s=%s", one.kind, one.text);
    } else {
        snprintf(whole, sizeof whole, "%.40s", argument);
    }
    TRY(data_augment_perturb(whole, &one.augment, error));
    if (!train_number_parse(one.text, strlen(one.text), &one.strength))
        return error_set(error, STATUS_USAGE, "--perturb %s: is no number; give KIND=NUMBER",
                         whole);
    return insert(all, &one, error);
}

static Status add_perturbation(Perturbations *all, const char *argument, Error *error)
{
    const size_t kind = strcspn(argument, "=");
    if (argument[kind] == '\0') /* data_augment_perturb knows what to say */
        return add_strength(all, argument, sizeof((EvalPerturbation *)0)->kind, "", 0, error);
    const char *text = argument + kind + 1;
    for (const char *comma; (comma = strchr(text, ',')); text = comma + 1)
        TRY(add_strength(all, argument, kind, text, (size_t)(comma - text), error));
    return add_strength(all, argument, kind, text, strlen(text), error);
}

Status eval_perturbations_parse(const CliStrings *arguments, EvalPerturbation **perturbations,
                                int *count, Error *error)
{
    Perturbations all = {0};
    Status status = STATUS_OK;
    for (int i = 0; i < arguments->count && status == STATUS_OK; i++)
        status = add_perturbation(&all, arguments->items[i], error);
    if (status != STATUS_OK) {
        free(all.items);
        all = (Perturbations){0};
    }
    *perturbations = all.items;
    *count = all.count;
    return status;
}
