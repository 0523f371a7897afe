/*
 * cmd_compare.c - lnclip compare: tables of training runs and evaluations.
 *
 * All values are read from the files of the runs; nothing is scored. For the significance of a
 * difference use the paired comparison of `lnclip auc A B` or `lnclip eval`: overlapping intervals
 * do not answer it.
 */
#include "tools/cmd_compare.h"

#include "tensor/base/file.h"
#include "tensor/base/mem.h"
#include "tensor/safetensors.h"
#include "tools/cli/cli.h"
#include "tools/cli/cli_table.h"
#include "tools/cmd_inspect.h"
#include "train/eval/eval_files.h"
#include "train/json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_JSON = 1 << 30 }; /* bytes; metrics of a thousand data sets need far less */

/* Reads the JSON object in folder/name. The caller owns the reference. */
static Status read_object(const char *folder, const char *name, json_t **object, Error *error)
{
    char path[FILE_PATH_SIZE], *content = NULL;
    size_t size = 0;
    json_error_t wrong = {0};
    TRY(file_join(path, folder, name, error));
    TRY(file_read(path, MAX_JSON, &content, &size, error));
    *object = json_loadb(content, size, 0, &wrong);
    free(content);
    if (json_is_object(*object))
        return STATUS_OK;
    json_decref(*object);
    *object = NULL;
    return error_set(error, STATUS_FAILED,
                     "%s: not a JSON object of lnclip eval (line %d: %.100s); evaluate again", path,
                     wrong.line, wrong.text);
}

/* ---- reading a run --------------------------------------------------------------------------- */

/* Adds the number of trained parameters: an adapter holds these and no others. */
static Status describe_adapter(const char *folder, json_t *run, Error *error)
{
    const char *name =
        file_is_in(folder, "best.safetensors") ? "best.safetensors" : "last.safetensors";
    char path[FILE_PATH_SIZE];
    SafeTensors *file = NULL;
    if (!file_is_in(folder, name)) /* no epoch has ended yet */
        return STATUS_OK;
    TRY(file_join(path, folder, name, error));
    TRY(safetensors_open(&file, path, error));
    json_int_t parameters = 0;
    for (int i = 0; i < safetensors_count(file); i++) {
        const SafeTensor *tensor = safetensors_at(file, i);
        int64_t count = 1;
        /*
         * The reader limits the product, except if a dimension is 0: then the others may be huge.
         */
        for (int d = 0; d < tensor->ndim; d++)
            count = tensor->shape[d] == 0 ? 0 : count;
        for (int d = 0; d < tensor->ndim && count > 0; d++)
            count *= tensor->shape[d];
        parameters += (json_int_t)count;
    }
    const char *selected = safetensors_metadata(file, "selected_on");
    train_json_set(run, "trained_parameters", json_integer(parameters));
    train_json_set(run, "selected_on", train_json_string(selected ? selected : "unknown"));
    safetensors_close(file);
    return STATUS_OK;
}

static Status read_run(const char *folder, json_t *runs, Error *error)
{
    json_t *run = json_object();
    train_json_append(runs, run);
    TRY(cmd_inspect_run(folder, run, error));
    json_object_del(run, "kind");
    json_object_del(run, "files");
    return describe_adapter(folder, run, error);
}

/* ---- reading an evaluation ------------------------------------------------------------------- */

static Status read_evaluation(const char *folder, json_t *evaluations, Error *error)
{
    json_t *metrics = NULL, *origin = NULL;
    TRY(read_object(folder, "metrics.json", &metrics, error));
    json_t *evaluation = json_object();
    train_json_append(evaluations, evaluation);
    train_json_set(evaluation, "path", train_json_string(folder));
    train_json_set(evaluation, "adapter", json_null());
    train_json_set(evaluation, "selected_on", json_string("unknown"));
    train_json_set(evaluation, "metrics", metrics);
    if (!file_is_in(folder, "evaluation.json")) /* written by an earlier version */
        return STATUS_OK;
    TRY(read_object(folder, "evaluation.json", &origin, error));
    json_t *adapter = json_object_get(origin, "adapter");
    json_t *path = json_object_get(adapter, "path");
    json_t *selected = json_object_get(adapter, "selected_on");
    if (json_is_string(path))
        train_json_set(evaluation, "adapter", json_incref(path));
    if (json_is_string(selected))
        train_json_set(evaluation, "selected_on", json_incref(selected));
    json_decref(origin);
    return STATUS_OK;
}

/* Reads the evaluation of one of several adapters from folder/name. */
static Status read_named(const char *folder, const char *name, json_t *evaluations, Error *error)
{
    char path[FILE_PATH_SIZE];
    TRY(file_join(path, folder, name, error));
    return read_evaluation(path, evaluations, error);
}

/* Reads the evaluations of all adapters, in the order of comparison.json. */
static Status read_several(const char *folder, json_t *evaluations, Error *error)
{
    json_t *comparison = NULL, *value;
    const char *name;
    TRY(read_object(folder, "comparison.json", &comparison, error));
    const char *first = json_string_value(json_object_get(comparison, "first"));
    Status status = first ? read_named(folder, first, evaluations, error) : STATUS_OK;
    json_object_foreach(json_object_get(comparison, "others"), name, value)
    {
        if (status == STATUS_OK)
            status = read_named(folder, name, evaluations, error);
    }
    json_decref(comparison);
    return status;
}

Status cmd_compare_read(const char *folder, json_t *runs, json_t *evaluations, Error *error)
{
    if (!file_is_folder(folder))
        return error_set(error, STATUS_FAILED,
                         "%s: no such folder; name one written by lnclip train or lnclip eval",
                         folder);
    const bool run = file_is_in(folder, "recipe.txt"),
               evaluation = file_is_in(folder, "metrics.json");
    const bool several = file_is_in(folder, "comparison.json");
    if (!run && !evaluation && !several)
        return error_set(error, STATUS_FAILED,
                         "%s: contains neither a run (recipe.txt) nor a finished evaluation "
                         "(metrics.json); name a folder written by lnclip train or lnclip eval",
                         folder);
    if (run)
        TRY(read_run(folder, runs, error));
    if (evaluation)
        TRY(read_evaluation(folder, evaluations, error));
    return several ? read_several(folder, evaluations, error) : STATUS_OK;
}

/* The output stream. */
typedef struct Output {
    CliFormat format;
    FILE *stream;
    bool begun; /* print a blank line before the next table */
} Output;

static Status print_table(Output *output, CliTable *table, Error *error)
{
    if (output->begun)
        fputc('\n', output->stream);
    output->begun = true;
    return cli_table_print(table, output->format, output->stream, error);
}

static const char *path_of(const json_t *item)
{
    const char *path = json_string_value(json_object_get(item, "path"));
    return path ? path : "?";
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

static double number_or_nan(const json_t *value)
{
    return json_is_number(value) ? json_number_value(value) : NAN;
}

static void estimate_cell(CliTable *table, const json_t *level)
{
    const json_t *ends = json_object_get(level, "auroc_ci95");
    const MetricsInterval interval = {number_or_nan(json_array_get(ends, 0)),
                                      number_or_nan(json_array_get(ends, 1))};
    cli_table_estimate(table, number_or_nan(json_object_get(level, "auroc")), interval);
}

static void epoch_cell(CliTable *table, const json_t *value)
{
    char text[512] = "-"; /* room for any number of the file */
    if (json_is_integer(value))
        snprintf(text, sizeof text, "%.0f", json_number_value(value));
    cli_table_words(table, text);
}

/* ---- runs ------------------------------------------------------------------------------------ */

static Status print_runs(Output *output, const json_t *runs, Error *error)
{
    static const char *const of_best[] = {"val_auroc_frame", "val_auroc_video", "val_map_video",
                                          "val_loss"};
    static const CliColumn columns[] = {
        {.heading = "run"},
        {.heading = "trained parameters", .unit = CLI_FIGURES},
        {.heading = "steps", .unit = CLI_FIGURES},
        {.heading = "best epoch", .unit = CLI_FIGURES},
        {.heading = "val AUROC, FRAMES", .unit = CLI_FRACTION},
        {.heading = "val AUROC, VIDEOS", .unit = CLI_FRACTION},
        {.heading = "val mAP, VIDEOS", .unit = CLI_FRACTION},
        {.heading = "val loss", .unit = CLI_FRACTION},
        {.heading = "last epoch", .unit = CLI_FIGURES},
        {.heading = "last val AUROC, VIDEOS", .unit = CLI_FRACTION},
    };
    CliTable *table = cli_table_create("Training runs", columns, COUNT_OF(columns));
    size_t i;
    const json_t *run;
    json_array_foreach(runs, i, run)
    {
        const json_t *best = json_object_get(run, "best_epoch");
        const json_t *last = json_object_get(run, "last_epoch");
        cli_table_words(table, path_of(run));
        value_cell(table, json_object_get(run, "trained_parameters"));
        value_cell(table, json_object_get(run, "steps"));
        epoch_cell(table, json_object_get(best, "epoch"));
        for (int m = 0; m < 4; m++)
            cli_table_number(table, number_or_nan(json_object_get(best, of_best[m])));
        epoch_cell(table, json_object_get(last, "epoch"));
        cli_table_number(table, number_or_nan(json_object_get(last, "val_auroc_video")));
    }
    return print_table(output, table, error);
}

/* True if any run has another value for a recipe key, or lacks the key. */
static bool differs(const json_t *runs, const char *key, const json_t *value)
{
    size_t i;
    const json_t *run;
    json_array_foreach(runs, i,
                       run) if (!json_equal(value, json_object_get(json_object_get(run, "recipe"),
                                                                   key))) return true;
    return false;
}

/* The union of all recipes' keys, in the order of the files. */
static json_t *all_keys(const json_t *runs)
{
    json_t *keys = json_object();
    size_t i;
    const json_t *run;
    json_array_foreach(runs, i, run)
    {
        json_object_update_missing(keys, json_object_get(run, "recipe"));
    }
    return keys;
}

static Status print_recipes(Output *output, const json_t *runs, Error *error)
{
    CliTable *table =
        cli_table_create("Differences between the recipes", &(CliColumn){.heading = "key"}, 1);
    json_t *keys = all_keys(runs);
    size_t i;
    json_t *value;
    const json_t *run;
    const char *key;
    bool any = false;
    json_array_foreach(runs, i, run)
    {
        cli_table_column(table, (CliColumn){.heading = path_of(run)});
    }
    json_object_foreach(keys, key, value)
    {
        if (!differs(runs, key, value))
            continue;
        any = true;
        cli_table_words(table, key);
        json_array_foreach(runs, i, run)
        {
            value_cell(table, json_object_get(json_object_get(run, "recipe"), key));
        }
    }
    json_decref(keys);
    if (any)
        return print_table(output, table, error);
    cli_table_free(table);
    return STATUS_OK;
}

/* ---- evaluations ----------------------------------------------------------------------------- */

/* The adapter and the lists used for model selection, of runs or evaluations. */
static Status print_selections(Output *output, const json_t *items, const char *head, Error *error)
{
    const bool evaluations = strcmp(head, "evaluation") == 0;
    const CliColumn columns[] = {{.heading = head},
                                 {.heading = "adapter", .hidden = !evaluations},
                                 {.heading = "selected on"}};
    CliTable *table = cli_table_create(NULL, columns, COUNT_OF(columns));
    size_t i;
    const json_t *item;
    json_array_foreach(items, i, item)
    {
        cli_table_words(table, path_of(item));
        value_cell(table, json_object_get(item, "adapter"));
        value_cell(table, json_object_get(item, "selected_on"));
    }
    return print_table(output, table, error);
}

static Status print_auroc(Output *output, const json_t *evaluations, Error *error)
{
    static const char *const levels[] = {"frame", "video"};
    static const CliColumn columns[] = {{.heading = "data set"}, {.heading = "level"}};
    CliTable *table = cli_table_create("AUROC", columns, COUNT_OF(columns));
    json_t *sets = json_object();
    size_t i;
    const json_t *one;
    json_t *unused;
    const char *name;
    json_array_foreach(evaluations, i, one)
    {
        cli_table_column(table, (CliColumn){.heading = path_of(one), .unit = CLI_ESTIMATE});
        json_object_update_missing(sets, json_object_get(one, "metrics"));
    }
    json_object_foreach(sets, name, unused)
    {
        for (int l = 0; l < 2; l++) {
            cli_table_words(table, l == 0 ? name : "");
            cli_table_words(table, levels[l]);
            json_array_foreach(evaluations, i, one)
            {
                const json_t *set = json_object_get(json_object_get(one, "metrics"), name);
                estimate_cell(table, json_object_get(set, levels[l]));
            }
        }
    }
    json_decref(sets);
    return print_table(output, table, error);
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

static Status print_exact(Output *output, const json_t *runs, const json_t *evaluations,
                          Error *error)
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
        exact_members(table, path_of(item), "run", "", "", item);
        for (int p = 0; p < 3; p++)
            exact_members(table, path_of(item), "run", parts[p], "",
                          json_object_get(item, parts[p]));
    }
    json_array_foreach(evaluations, i, item)
    {
        exact_members(table, path_of(item), "evaluation", "", "", item);
        json_object_foreach(json_object_get(item, "metrics"), name, set)
        {
            json_object_foreach(set, level_name, level)
            {
                exact_members(table, path_of(item), "evaluation", name, level_name, level);
            }
        }
    }
    return print_table(output, table, error);
}

static Status print_all(Output *output, json_t *runs, json_t *evaluations, Error *error)
{
    if (output->format == CLI_JSON)
        return train_json_write(json_pack("{s:O, s:O}", "runs", runs, "evaluations", evaluations),
                                output->stream, 17, "compare", error);
    if (cli_format_is_exact(output->format))
        return print_exact(output, runs, evaluations, error);
    if (json_array_size(runs) > 0) {
        TRY(print_runs(output, runs, error));
        TRY(print_recipes(output, runs, error));
        TRY(print_selections(output, runs, "run", error));
    }
    if (json_array_size(evaluations) == 0)
        return STATUS_OK;
    TRY(print_auroc(output, evaluations, error));
    return print_selections(output, evaluations, "evaluation", error);
}

/* ---- the command ----------------------------------------------------------------------------- */

static Status compare(const CliArguments *arguments, CliFormat format, Error *error)
{
    Output output = {.format = format, .stream = stdout};
    json_t *runs = json_array(), *evaluations = json_array();
    Status status = STATUS_OK;
    for (int i = 0; i < arguments->positional.count && status == STATUS_OK; i++)
        status = cmd_compare_read(arguments->positional.items[i], runs, evaluations, error);
    if (status == STATUS_OK)
        status = print_all(&output, runs, evaluations, error);
    json_decref(runs);
    json_decref(evaluations);
    return status;
}

int cmd_compare(int argc, char **argv)
{
    const char *format_word = NULL;
    bool json = false;
    CliOption options[] = {
        {"--format", CLI_STRING, &format_word, 0, 0, "F", CLI_FORMAT_WORDS " (default text)"},
        {"--json", CLI_FLAG, &json, 0, 0, NULL, "same as --format json"},
        {0},
    };
    const CliCommand command = {
        .name = "compare",
        .summary = "compare training runs and evaluations",
        .usage = "lnclip compare FOLDER... [--format F]",
        .details = "A FOLDER was written by lnclip train or lnclip eval. Prints the differences "
                   "between recipes, the number\nof trained parameters, the best and the last "
                   "epoch, the AUROC of evaluations with confidence intervals,\nand the lists used "
                   "for model selection. To test a difference for significance, "
                   "use\nlnclip auc A/predictions.csv B/predictions.csv.",
        .example = "lnclip compare run-a run-b eval-a eval-b --format md",
        .options = options,
    };
    CliArguments arguments;
    CliFormat format = CLI_TEXT;
    cli_parse(&command, argc, argv, &arguments);
    cli_expect_positional(&arguments, 1, argc, "a run or evaluation folder");
    if (format_word && !cli_format_parse(format_word, &format))
        return cli_usage_error("--format %s: unknown format; use " CLI_FORMAT_WORDS, format_word);
    Error error = {0};
    return compare(&arguments, json ? CLI_JSON : format, &error) == STATUS_OK ? CLI_DONE
                                                                              : cli_report(&error);
}
