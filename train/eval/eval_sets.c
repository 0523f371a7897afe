/*
 * eval_sets.c - data sets and perturbations of an evaluation: see eval_sets.h.
 */
#include "train/eval/eval_sets.h"

#include "data/lists/input.h"
#include "tensor/base/mem.h"

#include <stdlib.h>
#include <string.h>

static const char WHAT[] = "the data sets";

/* ---- data sets ------------------------------------------------------------------------------- */

/* Finds or adds the set `name`. The array has room for one set per argument. */
static EvalSet *find_set(EvalSets *sets, const char *name)
{
    for (int i = 0; i < sets->set_count; i++)
        if (strcmp(sets->sets[i].name, name) == 0)
            return &sets->sets[i];
    EvalSet *set = &sets->sets[sets->set_count++];
    set->name = name;
    return set;
}

static Status add_list(EvalSet *set, const char *list, const char *argument, Error *error)
{
    if (list[0] == '\0')
        return error_set(error, STATUS_USAGE, "%s: empty list name; write NAME=LIST[,LIST...]",
                         argument);
    const char **lists = realloc(set->lists, (size_t)(set->list_count + 1) * sizeof *lists);
    if (!lists)
        return mem_full(0, WHAT, error);
    set->lists = lists;
    set->lists[set->list_count++] = list;
    return STATUS_OK;
}

/* Parses NAME=LIST[,LIST...]; commas separate only if no file has the full name. */
static Status add_argument(EvalSets *sets, const char *argument, Error *error)
{
    char *text = mem_copy(argument, WHAT, error);
    if (!text)
        return STATUS_FAILED;
    sets->texts[sets->text_count++] = text;
    char *equals = strchr(text, '=');
    if (!equals || equals == text)
        return error_set(error, STATUS_USAGE,
                         "%s: does not name a data set; write NAME=LIST[,LIST...]", argument);
    *equals = '\0';
    EvalSet *set = find_set(sets, text);
    char *list = equals + 1;
    for (;;) {
        const size_t length = data_input_first(list);
        const bool last = list[length] == '\0';
        list[length] = '\0';
        TRY(add_list(set, list, argument, error));
        if (last)
            return STATUS_OK;
        list += length + 1;
    }
}

static Status allocate(EvalSets *sets, int count, Error *error)
{
    *sets = (EvalSets){
        .sets = mem_new(count, sizeof *sets->sets, WHAT, error),
        .texts = mem_new(count, sizeof *sets->texts, WHAT, error),
    };
    return sets->sets && sets->texts ? STATUS_OK : STATUS_FAILED;
}

Status eval_sets_parse(EvalSets *sets, const char *const *arguments, int count, Error *error)
{
    TRY(allocate(sets, count, error));
    for (int i = 0; i < count; i++)
        TRY(add_argument(sets, arguments[i], error));
    return STATUS_OK;
}

Status eval_sets_name(EvalSets *sets, const char *name, const char *const *lists, int count,
                      Error *error)
{
    TRY(allocate(sets, 1, error));
    EvalSet *set = find_set(sets, name);
    for (int i = 0; i < count; i++)
        TRY(add_list(set, lists[i], lists[i], error));
    return STATUS_OK;
}

void eval_sets_line_up(EvalSets *sets)
{
    sets->count = 0;
    for (int i = 0; i < sets->set_count; i++) {
        EvalSet *set = &sets->sets[i];
        data_list_hash(&set->frames, set->hash);
        set->first = sets->count;
        sets->count += (size_t)set->frames.count;
    }
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

/* ---- perturbations --------------------------------------------------------------------------- */

typedef struct Perturbations {
    DataPerturbation *items; /* [count] */
    int count;
    size_t capacity; /* of items */
} Perturbations;

static bool same_perturbation(const DataPerturbation *a, const DataPerturbation *b)
{
    bool same = strcmp(a->kind, b->kind) == 0;
    for (int i = 0; same && i < a->count; i++)
        same = a->strengths[i] == b->strengths[i];
    return same;
}

/* Inserts a perturbation after the others of its kind. */
static Status add_perturbation(Perturbations *all, const char *text, Error *error)
{
    DataPerturbation one;
    TRY(data_augment_perturb(text, &one, error));
    if (all->count == EVAL_PERTURBATIONS_MOST)
        return error_set(error, STATUS_USAGE,
                         "--perturb: more than %d perturbations; give fewer strengths (each one "
                         "scores all frames again)",
                         EVAL_PERTURBATIONS_MOST);
    TRY(mem_grow(&all->items, all->count + 1, &all->capacity, sizeof *all->items,
                 "the perturbations", error));
    DataPerturbation *items = all->items;
    int at = all->count;
    for (int i = 0; i < all->count; i++) {
        if (strcmp(items[i].kind, one.kind) != 0)
            continue;
        if (same_perturbation(&items[i], &one))
            return error_set(error, STATUS_USAGE,
                             "--perturb %s: duplicate perturbation; give every strength once",
                             text);
        at = i + 1;
    }
    memmove(items + at + 1, items + at, (size_t)(all->count - at) * sizeof *items);
    items[at] = one;
    all->count++;
    return STATUS_OK;
}

/* A combination under construction: KIND=S joined by "+". */
typedef struct Chosen {
    char text[256];
    size_t length;
} Chosen;

static bool append(Chosen *chosen, const char *text, size_t length)
{
    if (length >= sizeof chosen->text - chosen->length)
        return false;
    memcpy(chosen->text + chosen->length, text, length);
    chosen->length += length;
    chosen->text[chosen->length] = '\0';
    return true;
}

/* Adds all combinations of strengths in `rest`, KIND=S[,S...][+...], each appended to `chosen`. */
static Status add_combinations(Perturbations *all, const char *rest, Chosen chosen, Error *error)
{
    const size_t end = strcspn(rest, "+"), equals = strcspn(rest, "+=");
    const size_t kind = equals < end ? equals + 1 : end;
    const bool fits = append(&chosen, rest, kind);
    for (const char *text = rest + kind;; text++) {
        Chosen next = chosen;
        const size_t length = strcspn(text, ",+");
        if (!fits || !append(&next, text, length) || (rest[end] == '+' && !append(&next, "+", 1)))
            return error_set(error, STATUS_USAGE,
                             "--perturb %.60s...: is too long for a perturbation; give at most one "
                             "each of blur, jpeg, resize and noise",
                             chosen.text);
        if (rest[end] == '+')
            TRY(add_combinations(all, rest + end + 1, next, error));
        else
            TRY(add_perturbation(all, next.text, error));
        text += length;
        if (*text != ',')
            return STATUS_OK;
    }
}

Status eval_perturbations_parse(const char *const *arguments, int argument_count,
                                DataPerturbation **perturbations, int *count, Error *error)
{
    Perturbations all = {0};
    Status status = STATUS_OK;
    for (int i = 0; i < argument_count && status == STATUS_OK; i++)
        status = add_combinations(&all, arguments[i], (Chosen){0}, error);
    if (status != STATUS_OK) {
        free(all.items);
        all = (Perturbations){0};
    }
    *perturbations = all.items;
    *count = all.count;
    return status;
}
