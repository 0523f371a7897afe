/*
 * compare_tables.c - see compare_tables.h.
 */
#include "tools/compare/compare_tables.h"

#include "tensor/base/file.h"
#include "tensor/base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char purpose[] = "the comparison";

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "?";
}

static double number_or_nan(const json_t *value)
{
    return json_is_number(value) ? json_number_value(value) : (double)NAN;
}

/* ---- order and groups ------------------------------------------------------------------------ */

/* One item while sorting. */
typedef struct Ranked {
    const json_t *item;
    double value, group_value; /* higher is better; NaN last */
    int group;
} Ranked;

static const char *level_key(bool videos)
{
    return videos ? "video" : "frame";
}

/* The metrics of an evaluation on one data set at one level; NULL if it has none. */
static const json_t *level_of(const json_t *evaluation, const char *set, bool videos)
{
    const json_t *metrics = json_object_get(json_object_get(evaluation, "metrics"), set);
    return json_object_get(metrics, level_key(videos));
}

/* A metric of an evaluation on one data set; NaN if it has none. */
static double value_of(const json_t *evaluation, const char *set, bool videos, const char *metric)
{
    return number_or_nan(json_object_get(level_of(evaluation, set, videos), metric));
}

/* The mean over the data sets of the evaluation; NaN if one has no value. */
static double mean_over_sets(const json_t *evaluation, bool videos, const char *metric)
{
    double sum = 0;
    const char *set;
    json_t *unused;
    json_t *metrics = json_object_get(evaluation, "metrics");
    json_object_foreach(metrics, set, unused)
    {
        sum += value_of(evaluation, set, videos, metric);
    }
    return sum / (double)json_object_size(metrics);
}

/* What items are sorted by: best mAP of a run, mean AUROC of an evaluation. */
static double rank_value(const json_t *item)
{
    const json_t *best = json_object_get(item, "best_epoch");
    const bool run = json_object_get(item, "metrics") == NULL;
    const double video = run ? number_or_nan(json_object_get(best, "val_map_video"))
                             : mean_over_sets(item, true, "auroc");
    if (isfinite(video))
        return video;
    return run ? number_or_nan(json_object_get(best, "val_map_frame"))
               : mean_over_sets(item, false, "auroc");
}

/* True for the recipe keys that do not make another method. */
static bool is_incidental(const char *key)
{
    static const char *const keys[] = {"seed",   "threads",     "workers",
                                       "memory", "micro_batch", "log.tensorboard"};
    for (size_t i = 0; i < COUNT_OF(keys); i++)
        if (strcmp(key, keys[i]) == 0)
            return true;
    return false;
}

/* The hash of an item's training lists, or NULL. */
static const json_t *training_hash(const json_t *item)
{
    return json_object_get(json_object_get(json_object_get(item, "record"), "train"), "hash");
}

static const json_t *seed_of(const json_t *item)
{
    return json_object_get(json_object_get(item, "recipe"), "seed");
}

/* True if both items trained on the same lists by recipes that differ only in incidental keys. */
static bool same_method(const json_t *a, const json_t *b)
{
    json_t *of_a = json_object_get(a, "recipe"), *of_b = json_object_get(b, "recipe"), *value;
    const json_t *hash_a = training_hash(a), *hash_b = training_hash(b);
    const char *key;
    if (!of_a || !of_b || json_object_size(of_a) != json_object_size(of_b) || !hash_a || !hash_b ||
        !json_equal(hash_a, hash_b))
        return false;
    json_object_foreach(of_a, key, value)
    {
        if (!is_incidental(key) && !json_equal(value, json_object_get(of_b, key)))
            return false;
    }
    return true;
}

static int descending(double a, double b)
{
    if (isnan(a) || isnan(b))
        return isnan(a) - isnan(b);
    return (a < b) - (a > b);
}

static int by_group(const void *a, const void *b)
{
    const Ranked *x = a, *y = b;
    int order = descending(x->group_value, y->group_value);
    if (order == 0)
        order = (x->group > y->group) - (x->group < y->group);
    if (order == 0)
        order = descending(x->value, y->value);
    return order ? order : strcmp(text_of(x->item, "path"), text_of(y->item, "path"));
}

/* True if item `i` has the method of every earlier member of `group`, with another seed. */
static bool belongs(const Ranked *ranked, size_t i, int group)
{
    for (size_t j = 0; j < i; j++)
        if (ranked[j].group == group &&
            (!same_method(ranked[i].item, ranked[j].item) ||
             json_equal(seed_of(ranked[i].item), seed_of(ranked[j].item))))
            return false;
    return true;
}

/* Numbers the methods and gives each item the mean value of its method. */
static void find_groups(Ranked *ranked, size_t count)
{
    int groups = 0;
    for (size_t i = 0; i < count; i++) {
        int group = 0;
        while (group < groups && !belongs(ranked, i, group))
            group++;
        ranked[i].group = group;
        groups = group == groups ? groups + 1 : groups;
    }
    for (size_t i = 0; i < count; i++) {
        double sum = 0;
        int members = 0;
        for (size_t j = 0; j < count; j++)
            if (ranked[j].group == ranked[i].group) {
                sum += ranked[j].value;
                members++;
            }
        ranked[i].group_value = sum / members;
    }
}

/* The number of bytes of the folders that all paths begin with. */
static size_t common_folders(const json_t *items)
{
    const char *first = text_of(json_array_get(items, 0), "path");
    size_t shared = json_array_size(items) > 1 ? strlen(first) : 0;
    for (size_t i = 1; i < json_array_size(items); i++)
        shared = file_shared_folders(first, text_of(json_array_get(items, i), "path"), shared);
    return shared;
}

const char *compare_name(const CompareItems *sorted, const json_t *item)
{
    return text_of(item, "path") + sorted->prefix;
}

/* The text that the names of a group begin with, without separators at its end. */
static char *group_name(const CompareItems *sorted, int group, Error *error)
{
    const char *first = NULL;
    size_t length = 0, members = 0;
    for (size_t i = 0; i < sorted->count; i++) {
        if (sorted->group[i] != group)
            continue;
        const char *name = compare_name(sorted, sorted->order[i]);
        if (members++ == 0)
            length = strlen(first = name);
        size_t same = 0;
        while (same < length && name[same] == first[same])
            same++;
        length = same;
    }
    while (members > 1 && length > 0 && strchr("-_./= ", first[length - 1]))
        length--;
    if (length == 0)
        length = strlen(first);
    return mem_print(purpose, error, "%.*s", (int)length, first);
}

Status compare_items_sort(CompareItems *sorted, json_t *items, Error *error)
{
    const size_t count = json_array_size(items);
    *sorted = (CompareItems){.items = items, .count = count};
    if (count == 0)
        return STATUS_OK;
    Ranked *ranked = mem_new(count, sizeof *ranked, purpose, error);
    Status status = STATUS_FAILED;
    if (!ranked || !(sorted->order = mem_new(count, sizeof *sorted->order, purpose, error)) ||
        !(sorted->group = mem_new(count, sizeof *sorted->group, purpose, error)) ||
        !(sorted->group_names = mem_new(count, sizeof *sorted->group_names, purpose, error)))
        goto done;
    for (size_t i = 0; i < count; i++) {
        const json_t *item = json_array_get(items, i);
        ranked[i] = (Ranked){.item = item, .value = rank_value(item)};
    }
    find_groups(ranked, count);
    qsort(ranked, count, sizeof *ranked, by_group);
    for (size_t i = 0; i < count; i++) {
        sorted->order[i] = ranked[i].item;
        if (i == 0 || ranked[i].group != ranked[i - 1].group)
            sorted->groups++;
        sorted->group[i] = sorted->groups - 1;
    }
    sorted->prefix = common_folders(items);
    for (int g = 0; g < sorted->groups; g++)
        if (!(sorted->group_names[g] = group_name(sorted, g, error)))
            goto done;
    status = STATUS_OK;
done:
    free(ranked);
    return status;
}

void compare_items_free(CompareItems *sorted)
{
    for (int g = 0; sorted->group_names && g < sorted->groups; g++)
        free(sorted->group_names[g]);
    free(sorted->group_names);
    free(sorted->order);
    free(sorted->group);
    *sorted = (CompareItems){0};
}

bool compare_has_seeds(const CompareItems *sorted)
{
    return (size_t)sorted->groups < sorted->count;
}

/* ---- cells ----------------------------------------------------------------------------------- */

/* A string or number as in the file; "-" for anything else. */
static void value_cell(CliTable *table, const json_t *value)
{
    char text[CLI_NUMBER_SIZE] = "-";
    if (json_is_integer(value))
        snprintf(text, sizeof text, "%lld", (long long)json_integer_value(value));
    else if (json_is_real(value))
        snprintf(text, sizeof text, "%.9g", json_real_value(value));
    cli_table_words(table, json_is_string(value) ? json_string_value(value) : text);
}

/* Mean and sample variance of values. */
typedef struct Spread {
    double mean, squares; /* squares: sum of squared distances from the mean */
    int count;
} Spread;

/* Welford's update. */
static void spread_add(Spread *spread, double value)
{
    const double distance = value - spread->mean;
    spread->count++;
    spread->mean += distance / spread->count;
    spread->squares += distance * (value - spread->mean);
}

/* "0.9123 ± 0.0045", or "0.9123" for a single value. */
static void spread_cell(CliTable *table, const CliView *view, const Spread *spread)
{
    char text[1024]; /* room for two doubles of any size */
    const int digits = view->digits > 0 ? view->digits : view->percent ? 2 : 4;
    const double scale = view->percent ? 100 : 1;
    int length = snprintf(text, sizeof text, "%.*f", digits, scale * spread->mean);
    if (isnan(spread->mean))
        snprintf(text, sizeof text, "-");
    else if (spread->count > 1)
        snprintf(text + length, sizeof text - (size_t)length, " ± %.*f", digits,
                 scale * sqrt(spread->squares / (spread->count - 1)));
    cli_table_words(table, text);
}

/* ---- runs ------------------------------------------------------------------------------------ */

/* True if any run has another value for a recipe key, or lacks the key. */
static bool differs(const json_t *runs, const char *key, const json_t *value)
{
    for (size_t i = 0; i < json_array_size(runs); i++) {
        const json_t *recipe = json_object_get(json_array_get(runs, i), "recipe");
        if (!json_equal(value, json_object_get(recipe, key)))
            return true;
    }
    return false;
}

/* The recipe keys in which runs differ, as members of a new object, in the order of the files. */
static json_t *differing_keys(const json_t *runs)
{
    json_t *all = json_object(), *keys = json_object(), *value;
    const char *key;
    for (size_t i = 0; i < json_array_size(runs); i++)
        json_object_update_missing(all, json_object_get(json_array_get(runs, i), "recipe"));
    json_object_foreach(all, key, value)
    {
        if (differs(runs, key, value))
            json_object_set(keys, key, value);
    }
    json_decref(all);
    return keys;
}

/* The metrics of runs that the tables show: of videos if any run has them. */
static const char *const of_videos[] = {"val_auroc_video", "val_map_video", "val_loss"};
static const char *const of_frames[] = {"val_auroc_frame", "val_map_frame", "val_loss"};
enum { RUN_METRICS = COUNT_OF(of_videos) };

static const char *const *run_metrics(const CompareItems *runs)
{
    for (size_t i = 0; i < runs->count; i++)
        if (json_is_number(
                json_object_get(json_object_get(runs->order[i], "best_epoch"), of_videos[0])))
            return of_videos;
    return of_frames;
}

static void epoch_cell(CliTable *table, const json_t *run)
{
    char text[CLI_NUMBER_SIZE] = "-";
    const json_t *best = json_object_get(json_object_get(run, "best_epoch"), "epoch");
    const json_t *last = json_object_get(json_object_get(run, "last_epoch"), "epoch");
    if (json_is_integer(best) && json_is_integer(last))
        snprintf(text, sizeof text, "%lld of %lld", (long long)json_integer_value(best),
                 (long long)json_integer_value(last));
    cli_table_words(table, text);
}

CliTable *compare_runs_table(const CompareItems *runs)
{
    const char *const *metrics = run_metrics(runs);
    const char *level = metrics == of_videos ? "videos" : "frames";
    const CliColumn first = {.heading = "run"};
    const CliColumn columns[] = {
        {.heading = "parameters", .unit = CLI_FIGURES},
        {.heading = "best epoch", .unit = CLI_FIGURES},
        {.heading = "AUROC", .unit = CLI_FRACTION},
        {.heading = "mAP", .unit = CLI_FRACTION},
        {.heading = "loss", .unit = CLI_FRACTION},
    };
    CliTable *table = cli_table_create(NULL, &first, 1);
    cli_table_title(table, "Training runs, best first: validation at the best epoch, %s", level);
    json_t *keys = differing_keys(runs->items), *value;
    const char *key;
    json_object_foreach(keys, key, value)
    {
        cli_table_column(table, (CliColumn){.heading = key, .unit = CLI_FIGURES});
    }
    for (size_t c = 0; c < COUNT_OF(columns); c++)
        cli_table_column(table, columns[c]);
    for (size_t i = 0; i < runs->count; i++) {
        const json_t *run = runs->order[i];
        cli_table_words(table, compare_name(runs, run));
        json_object_foreach(keys, key, value)
        {
            value_cell(table, json_object_get(json_object_get(run, "recipe"), key));
        }
        value_cell(table, json_object_get(run, "trained_parameters"));
        epoch_cell(table, run);
        for (int m = 0; m < RUN_METRICS; m++)
            cli_table_number(table, number_or_nan(json_object_get(
                                        json_object_get(run, "best_epoch"), metrics[m])));
    }
    json_decref(keys);
    return table;
}

static void seeds_cell(CliTable *table, const CompareItems *sorted, int group)
{
    unsigned long long members = 0;
    for (size_t i = 0; i < sorted->count; i++)
        members += sorted->group[i] == group;
    cli_table_count(table, members);
}

CliTable *compare_seeds_table(const CompareItems *runs, const CliView *view)
{
    const char *const *metrics = run_metrics(runs);
    static const CliColumn columns[] = {
        {.heading = "method"},
        {.heading = "seeds", .unit = CLI_COUNT},
        {.heading = "AUROC", .unit = CLI_FIGURES},
        {.heading = "mAP", .unit = CLI_FIGURES},
        {.heading = "loss", .unit = CLI_FIGURES},
    };
    CliTable *table =
        cli_table_create("Mean and standard deviation over seeds", columns, COUNT_OF(columns));
    for (int g = 0; g < runs->groups; g++) {
        cli_table_words(table, runs->group_names[g]);
        seeds_cell(table, runs, g);
        for (int m = 0; m < RUN_METRICS; m++) {
            Spread spread = {0};
            for (size_t i = 0; i < runs->count; i++)
                if (runs->group[i] == g)
                    spread_add(&spread,
                               number_or_nan(json_object_get(
                                   json_object_get(runs->order[i], "best_epoch"), metrics[m])));
            /* The loss is no fraction. */
            const CliView plain = {.digits = view->digits};
            spread_cell(table, strcmp(metrics[m], "val_loss") == 0 ? &plain : view, &spread);
        }
    }
    return table;
}

/* ---- evaluations ----------------------------------------------------------------------------- */

/* The data sets of all evaluations, as members of a new object. */
static json_t *all_sets(const CompareItems *evaluations)
{
    json_t *sets = json_object();
    for (size_t i = 0; i < evaluations->count; i++)
        json_object_update_missing(sets, json_object_get(evaluations->order[i], "metrics"));
    return sets;
}

/* A group's values on one data set, or with set NULL the means over all data sets. */
static Spread group_values(const CompareItems *evaluations, int group, const json_t *sets,
                           const char *set, bool videos, const char *metric)
{
    Spread spread = {0};
    for (size_t i = 0; i < evaluations->count; i++) {
        const json_t *evaluation = evaluations->order[i];
        if (evaluations->group[i] != group)
            continue;
        /* The mean over fewer data sets than the others have is not comparable. */
        const bool complete =
            json_object_size(json_object_get(evaluation, "metrics")) == json_object_size(sets);
        spread_add(&spread, set        ? value_of(evaluation, set, videos, metric)
                            : complete ? mean_over_sets(evaluation, videos, metric)
                                       : (double)NAN);
    }
    return spread;
}

/* Adds a column of cells, one per group, to values [groups]; returns the best mean. */
static double best_mean(const CompareItems *evaluations, const json_t *sets, const char *set,
                        bool videos, Metric metric)
{
    double best = NAN;
    const int better = metrics_names[metric].better;
    for (int g = 0; g < evaluations->groups && better != 0; g++) {
        const double mean =
            group_values(evaluations, g, sets, set, videos, metrics_names[metric].name).mean;
        if (isfinite(mean) && (isnan(best) || better * mean > better * best))
            best = mean;
    }
    return best;
}

CliTable *compare_pivot_table(const CompareItems *evaluations, const CliView *view, Metric metric,
                              bool videos)
{
    static const CliColumn columns[] = {{.heading = "method"},
                                        {.heading = "seeds", .unit = CLI_COUNT}};
    const char *name = metrics_names[metric].name, *set;
    json_t *sets = all_sets(evaluations), *unused;
    const bool seeds = compare_has_seeds(evaluations), many = json_object_size(sets) > 1;
    CliTable *table = cli_table_create(NULL, columns, seeds ? 2 : 1);
    cli_table_title(table, "%s, %s%s%s", metrics_names[metric].heading,
                    videos ? "videos" : "frames", view->percent ? ", per cent" : "",
                    seeds ? ": mean and standard deviation over seeds" : "");
    json_object_foreach(sets, set, unused)
    {
        cli_table_column(table, (CliColumn){.heading = set, .unit = CLI_FIGURES});
    }
    if (many)
        cli_table_column(table, (CliColumn){.heading = "mean", .unit = CLI_FIGURES});
    for (int g = 0; g < evaluations->groups; g++) {
        cli_table_words(table, evaluations->group_names[g]);
        if (seeds)
            seeds_cell(table, evaluations, g);
        json_object_foreach(sets, set, unused)
        {
            const Spread spread = group_values(evaluations, g, sets, set, videos, name);
            spread_cell(table, view, &spread);
            if (spread.mean == best_mean(evaluations, sets, set, videos, metric))
                cli_table_best(table);
        }
        const Spread mean = group_values(evaluations, g, sets, NULL, videos, name);
        if (many)
            spread_cell(table, view, &mean);
        if (many && mean.mean == best_mean(evaluations, sets, NULL, videos, metric))
            cli_table_best(table);
    }
    json_decref(sets);
    return table;
}

static void interval_row(CliTable *table, const CompareItems *evaluations, size_t i,
                         const char *set, bool videos)
{
    const json_t *evaluation = evaluations->order[i];
    const json_t *level = level_of(evaluation, set, videos);
    const json_t *ends = json_object_get(level, "auroc_ci95");
    const MetricsInterval interval = {number_or_nan(json_array_get(ends, 0)),
                                      number_or_nan(json_array_get(ends, 1))};
    if (!level)
        return;
    cli_table_words(table, set);
    cli_table_words(table, level_key(videos));
    cli_table_words(table, compare_name(evaluations, evaluation));
    cli_table_number(table, number_or_nan(json_object_get(level, "auroc")));
    cli_table_interval(table, interval);
    cli_table_estimate(table, number_or_nan(json_object_get(level, "auroc")), interval);
}

/* The lower end of the axis of AUROCs: a tenth, 0.9 at most. */
static double auroc_axis(const CompareItems *evaluations, const json_t *sets)
{
    double low = 0.9;
    const char *set;
    json_t *unused;
    for (size_t i = 0; i < evaluations->count; i++)
        json_object_foreach((json_t *)sets, set, unused)
        {
            for (int videos = 0; videos < 2; videos++) {
                const json_t *level = level_of(evaluations->order[i], set, videos);
                const double value = number_or_nan(json_object_get(level, "auroc"));
                const double lower =
                    number_or_nan(json_array_get(json_object_get(level, "auroc_ci95"), 0));
                low = fmin(low, fmin(isfinite(value) ? value : 1, isfinite(lower) ? lower : 1));
            }
        }
    return fmax(floor(low * 10) / 10, 0);
}

CliTable *compare_intervals_table(const CompareItems *evaluations, const CliView *view)
{
    json_t *sets = all_sets(evaluations), *unused;
    const double low = auroc_axis(evaluations, sets);
    char heading[64];
    snprintf(heading, sizeof heading, "AUROC, axis %.1f-1", low);
    const CliColumn columns[] = {
        {.heading = "data set", .once = true},
        {.heading = "level", .once = true},
        {.heading = "evaluation"},
        {.heading = "AUROC", .unit = CLI_FRACTION},
        {.heading = "95% interval", .unit = CLI_INTERVAL},
        {.heading = heading, .unit = CLI_FOREST, .low = low, .high = 1},
    };
    CliTable *table = cli_table_create("AUROC and its interval", columns, COUNT_OF(columns));
    const char *set;
    json_object_foreach(sets, set, unused)
    {
        for (int videos = 0; videos < 2; videos++) {
            cli_table_rule(table);
            for (size_t i = 0; i < evaluations->count; i++)
                if (videos ? !view->no_videos : !view->no_frames)
                    interval_row(table, evaluations, i, set, videos);
        }
    }
    json_decref(sets);
    return table;
}

/* ---- selection ------------------------------------------------------------------------------- */

/* The part of "METRIC VALUE (epoch E of N) on LISTS (...)" that may be common to all runs. */
static const char *selecting_lists(const json_t *item)
{
    const char *text = text_of(item, "selected_on"), *on = strstr(text, ") on ");
    return on ? on + strlen(") on ") : text;
}

CliTable *compare_selection_table(const CompareItems *sorted)
{
    static const CliColumn columns[] = {{.heading = "name"},
                                        {.heading = "weights selected on", .style = CLI_LONG}};
    CliTable *table = cli_table_create(NULL, columns, COUNT_OF(columns));
    for (size_t i = 0; i < sorted->count; i++) {
        const char *lists = selecting_lists(sorted->order[i]);
        char name[1024];
        size_t others = 0;
        bool seen = false;
        for (size_t j = 0; j < sorted->count; j++) {
            const bool same = strcmp(selecting_lists(sorted->order[j]), lists) == 0;
            seen = seen || (same && j < i);
            others += same && j > i;
        }
        if (seen)
            continue;
        int length = snprintf(name, sizeof name, "%.900s", compare_name(sorted, sorted->order[i]));
        if (others > 0)
            snprintf(name + length, sizeof name - (size_t)length, " and %zu more", others);
        cli_table_words(table, name);
        cli_table_words(table, lists);
    }
    return table;
}

/* ---- exact formats --------------------------------------------------------------------------- */

/* Adds one row, unless the value is neither a number nor a string. */
static void exact_row(CliTable *table, const char *path, const char *kind, const char *group,
                      const char *level, const char *item, const json_t *value)
{
    if (!json_is_string(value) && !json_is_number(value))
        return;
    cli_table_words(table, path);
    cli_table_words(table, kind);
    cli_table_words(table, group);
    cli_table_words(table, level);
    cli_table_words(table, item);
    if (json_is_real(value))
        cli_table_number(table, json_real_value(value));
    else
        value_cell(table, value);
}

static void exact_members(CliTable *table, const char *path, const char *kind, const char *group,
                          const char *level, json_t *members)
{
    const char *key;
    json_t *value;
    json_object_foreach(members, key, value)
    {
        exact_row(table, path, kind, group, level, key, value);
        if (json_is_array(value) && json_array_size(value) == 2) { /* an interval */
            char end[128];
            snprintf(end, sizeof end, "%.110s_lower", key);
            exact_row(table, path, kind, group, level, end, json_array_get(value, 0));
            snprintf(end, sizeof end, "%.110s_upper", key);
            exact_row(table, path, kind, group, level, end, json_array_get(value, 1));
        }
    }
}

CliTable *compare_exact_table(const json_t *runs, const json_t *evaluations)
{
    static const CliColumn columns[] = {{.key = "path"},  {.key = "kind"}, {.key = "group"},
                                        {.key = "level"}, {.key = "item"}, {.key = "value"}};
    static const char *const parts[] = {"recipe", "best_epoch", "last_epoch"};
    CliTable *table = cli_table_create(NULL, columns, COUNT_OF(columns));
    size_t i;
    json_t *item, *set, *level;
    const char *name, *level_name;
    json_array_foreach(runs, i, item)
    {
        exact_members(table, text_of(item, "path"), "run", "", "", item);
        for (int p = 0; p < 3; p++)
            exact_members(table, text_of(item, "path"), "run", parts[p], "",
                          json_object_get(item, parts[p]));
    }
    json_array_foreach(evaluations, i, item)
    {
        exact_members(table, text_of(item, "path"), "evaluation", "", "", item);
        json_object_foreach(json_object_get(item, "metrics"), name, set)
        {
            json_object_foreach(set, level_name, level)
            {
                exact_members(table, text_of(item, "path"), "evaluation", name, level_name, level);
            }
        }
    }
    return table;
}
