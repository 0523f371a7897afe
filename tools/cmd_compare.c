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
#include "tools/cmd_inspect.h"
#include "tools/compare/compare_page.h"
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
    json_t *recipe = json_object_get(adapter, "recipe");
    if (json_is_string(selected))
        train_json_set(evaluation, "selected_on", json_incref(selected));
    json_t *record = json_object_get(adapter, "record");
    if (json_is_object(recipe))
        train_json_set(evaluation, "recipe", json_incref(recipe));
    if (json_is_object(record))
        train_json_set(evaluation, "record", json_incref(record));
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

Status cmd_compare_read(const char *given, json_t *runs, json_t *evaluations, Error *error)
{
    char folder[FILE_PATH_SIZE];
    TRY(file_join(folder, "", given, error));
    for (size_t length = strlen(folder); length > 1 && folder[length - 1] == '/'; length--)
        folder[length - 1] = '\0'; /* slashes that shells append */
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

/* ---- output ---------------------------------------------------------------------------------- */

typedef struct Output {
    const CliView *view;
    FILE *stream;
    bool begun; /* print a blank line before the next table */
} Output;

static Status print_table(Output *output, CliTable *table, Error *error)
{
    if (output->begun)
        fputc('\n', output->stream);
    output->begun = true;
    return cli_view_print(output->view, table, output->stream, error);
}

/* Prints what selected the weights, which is text and no result: not in LaTeX. */
static Status print_selection(Output *output, const CompareItems *items, Error *error)
{
    if (!cli_format_has_text(output->view->format))
        return STATUS_OK;
    return print_table(output, compare_selection_table(items), error);
}

static Status print_runs(Output *output, const CompareItems *runs, Error *error)
{
    TRY(print_table(output, compare_runs_table(runs), error));
    if (compare_has_seeds(runs))
        TRY(print_table(output, compare_seeds_table(runs, output->view), error));
    return print_selection(output, runs, error);
}

/* A pivot per metric and level, then intervals. */
static Status print_evaluations(Output *output, const CompareItems *evaluations, Error *error)
{
    static const Metric own[] = {METRICS_AUROC};
    const CliView *view = output->view;
    Metric metrics[METRICS_NAMES];
    const int count = cli_view_metrics(view, own, COUNT_OF(own), metrics);
    for (int m = 0; m < count; m++) {
        if (!view->no_videos)
            TRY(print_table(output, compare_pivot_table(evaluations, view, metrics[m], true),
                            error));
        if (!view->no_frames)
            TRY(print_table(output, compare_pivot_table(evaluations, view, metrics[m], false),
                            error));
    }
    TRY(print_table(output, compare_intervals_table(evaluations, view), error));
    return print_selection(output, evaluations, error);
}

/* Prints everything; `page`, if not NULL, is the file of the page to write. */
static Status print_all(Output *output, json_t *runs, json_t *evaluations, const char *page,
                        Error *error)
{
    CompareItems of_runs = {0}, of_evaluations = {0};
    if (output->view->format == CLI_JSON)
        return train_json_write(json_pack("{s:O, s:O}", "runs", runs, "evaluations", evaluations),
                                output->stream, 17, "compare", error);
    if (cli_format_is_exact(output->view->format))
        return print_table(output, compare_exact_table(runs, evaluations), error);
    Status status = compare_items_sort(&of_runs, runs, error);
    if (status != STATUS_OK)
        goto done;
    status = compare_items_sort(&of_evaluations, evaluations, error);
    if (status != STATUS_OK)
        goto done;
    if (page && (status = compare_page_write(page, &of_runs, &of_evaluations, output->view,
                                             error)) != STATUS_OK)
        goto done;
    if (of_runs.count > 0 && (status = print_runs(output, &of_runs, error)) != STATUS_OK)
        goto done;
    if (of_evaluations.count > 0)
        status = print_evaluations(output, &of_evaluations, error);
done:
    compare_items_free(&of_runs);
    compare_items_free(&of_evaluations);
    return status;
}

/* ---- the command ----------------------------------------------------------------------------- */

static Status compare(const CliArguments *arguments, const CliView *view, const char *page,
                      Error *error)
{
    Output output = {.view = view, .stream = stdout};
    json_t *runs = json_array(), *evaluations = json_array();
    Status status = STATUS_OK;
    for (int i = 0; i < arguments->positional.count && status == STATUS_OK; i++)
        status = cmd_compare_read(arguments->positional.items[i], runs, evaluations, error);
    if (status == STATUS_OK)
        status = print_all(&output, runs, evaluations, page, error);
    json_decref(runs);
    json_decref(evaluations);
    return status;
}

int cmd_compare(int argc, char **argv)
{
    CliViewOptions chosen = {0};
    const char *page = NULL;
    bool json = false;
    CliOption options[] = {
        {"--html", CLI_STRING, &page, 0, 0, "FILE.html",
         "also write a page with the tables and the curves of all\nruns, in any format but csv and "
         "json"},
        CLI_VIEW_OPTIONS(chosen),
        {"--json", CLI_FLAG, &json, 0, 0, NULL, "same as --format json"},
        {0},
    };
    const CliCommand command = {
        .name = "compare",
        .summary = "compare training runs and evaluations",
        .usage = "lnclip compare FOLDER... [--format F]",
        .details =
            "A FOLDER was written by lnclip train or lnclip eval. Runs, best first: the recipe "
            "keys "
            "in which they differ,\nnumber of trained parameters, best epoch and its validation "
            "metrics. Evaluations: a row per method, a\ncolumn per data set and one for their "
            "mean, the best in bold in md and latex; then each AUROC with its\ninterval. Items "
            "whose recipes differ only in the seed are one method, with mean and standard "
            "deviation.\nNothing is scored again. To test a difference for significance, "
            "use\nlnclip auc A/predictions.csv B/predictions.csv.",
        .example = "lnclip compare eval/*/ --level video --percent --digits 1 --format latex",
        .options = options,
    };
    CliArguments arguments;
    cli_parse(&command, argc, argv, &arguments);
    cli_expect_positional(&arguments, 1, argc, "a run or evaluation folder");
    CliView view = cli_view_expect(&chosen);
    if (json)
        view.format = CLI_JSON;
    if (page && cli_format_is_exact(view.format))
        return cli_usage_error("--html: not with --format csv or json; choose one of them");
    Error error = {0};
    return compare(&arguments, &view, page, &error) == STATUS_OK ? CLI_DONE : cli_report(&error);
}
