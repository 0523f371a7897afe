/*
 * eval_model.c - see eval_model.h.
 */
#include "tools/eval/eval_model.h"

#include "tensor/base/mem.h"
#include "train/eval/eval_files.h"

#include <stdlib.h>
#include <string.h>

Status eval_read_lists(EvalSets *sets, DataSplit split, const CliFrames *frames,
                       const CliStrings *labels, Error *error)
{
    CliSet *wanted = mem_new(sets->set_count, sizeof *wanted, "the data sets", error);
    if (!wanted)
        return error->status;
    for (int i = 0; i < sets->set_count; i++) {
        EvalSet *set = &sets->sets[i];
        wanted[i] = (CliSet){set->name, set->lists, set->list_count, split, *frames, &set->frames};
    }
    const Status status = cli_read_sets(wanted, sets->set_count, labels, error);
    free(wanted);
    if (status == STATUS_OK)
        eval_sets_line_up(sets);
    return status;
}

/* The context of the scoring events. */
typedef struct Show {
    const char *folder;
    CliProgress progress;
} Show;

/*
 * Reports scores reused from an interrupted evaluation. These are warnings, which --quiet does not
 * suppress, since the results then come from two runs.
 */
static void show_opened(void *context, const EvalScores *scores)
{
    const Show *show = context;
    const char *replaced = NULL;
    size_t kept = 0;
    for (int pass = 0; pass < scores->passes; pass++) {
        kept += scores->partials[pass].done;
        replaced = replaced ? replaced : scores->partials[pass].replaced;
    }
    if (kept > 0)
        cli_warn("%s: %s of %s scores are reused from an interrupted evaluation of the same model, "
                 "settings and images; the rest is computed",
                 show->folder, cli_count(kept), cli_count((size_t)scores->passes * scores->count));
    if (replaced)
        cli_warn(
            "%s: the image has changed since it was scored; it and all later ones are scored again",
            replaced);
    if (scores->partials[0].unlocked)
        cli_warn("%s: this file system does not support locks; make sure that no other process "
                 "writes to this folder",
                 show->folder);
}

static void show_progress(void *context, size_t done, size_t total, double images_per_second)
{
    Show *show = context;
    cli_progress_show(&show->progress, (long long)done, (long long)total, images_per_second);
}

static void show_not_kept(void *context, const char *path)
{
    (void)context;
    cli_warn("%s: scores can no longer be saved for a restart (disk full?)", path);
}

/*
 * Notes that the folder contains an evaluation, which is kept until this one is finished.
 * STATUS_FAILED if it is of another model and `overwrite` is off.
 */
static Status note_earlier(const CliArguments *arguments, const char *folder,
                           const char *fingerprint, bool overwrite, Error *error)
{
    EvalOrigin origin;
    eval_origin_read(folder, &origin);
    if (!origin.found)
        return STATUS_OK;
    if (!overwrite && strcmp(origin.fingerprint, fingerprint) != 0)
        return error_set(error, STATUS_FAILED,
                         "%s: contains an evaluation of another model; choose another --out, or "
                         "replace it with --overwrite",
                         folder);
    cli_note(arguments, "%s: contains an evaluation; it is replaced when this one is finished",
             folder);
    return STATUS_OK;
}

Status eval_score_model(const EvalScoring *scoring, const CliModelOptions *options,
                        const CliArguments *arguments, const EvalAdapter *adapter,
                        const char *folder, bool overwrite, EvalScores *scores,
                        EvalProvenance *provenance, Error *error)
{
    CliModelOptions adapted = *options;
    adapted.adapter = adapter->path;
    CliModel model = {0};
    Show show = {.folder = folder};
    EvalScoring with_model = *scoring;
    Status status = cli_model_load(&model, &adapted, arguments, CLI_HEAD_NEEDED, error);
    if (status == STATUS_OK && folder)
        status = note_earlier(arguments, folder, model.vit->fingerprint, overwrite, error);
    if (status != STATUS_OK)
        goto done;
    with_model.model = options->model;
    with_model.vit = model.vit;
    with_model.head = &model.head;
    with_model.precision = model.precision;
    with_model.threads = model.threads;
    with_model.settings = cli_model_scoring(options);
    with_model.settings.stop = cli_catch_signals();
    with_model.events = (EvalEvents){show_opened, show_progress, show_not_kept, &show};
    show.progress = cli_progress_begin(arguments, "scoring", "images");
    status = eval_score(&with_model, adapter, folder, scores, provenance, error);
    cli_progress_end(&show.progress);
    if (status == STATUS_INTERRUPTED)
        cli_interrupted("eval", "the scores so far are saved; the same command continues", error);
done:
    cli_model_free(&model);
    return status;
}
