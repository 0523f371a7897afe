/*
 * demo_compare.c - compares a linear probe with LN-tuning on seen and unseen forgery methods.
 *
 * Each method is a recipe of `lnclip train`, run by train_run and scored by the functions of
 * `lnclip eval`. Both load the same frozen backbone and start from the same head.
 */
#include "tools/demo/demo.h"

#include "tensor/base/file.h"
#include "tensor/base/mem.h"
#include "train/evaluate.h"
#include "train/metrics/reports.h"
#include "train/train.h"
#include "vit/checkpoint/adapter.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The classes in the training data. Reenact and warp are only in the test data. */
static const bool seen_families[DATA_SYNTH_FAMILIES] = {
    [DATA_SYNTH_REAL] = true,
    [DATA_SYNTH_SWAP] = true,
    [DATA_SYNTH_RESYNTHESIS] = true,
    [DATA_SYNTH_SPLICE] = true,
};

typedef struct Method {
    const char *name, *file, *recipe;
} Method;

static const Method methods[DEMO_METHODS] = {
    {"linear probe", "probe.safetensors", "probe-norm"},
    {"LN-tuning", "ln.safetensors", "paper"},
};

/*
 * Recipe settings of both methods. The learning rate is high because the encoder is small and the
 * run short: on normalised features the weights of the head must grow. The probe has four times as
 * many epochs (cmd_demo.c), so that it is fully trained; on cached features they cost little.
 */
static const char *const settings[][2] = {
    {"batch_size", "32"}, {"lr", "3e-2"},     {"min_lr", "0"},
    {"slerp", "off"},     {"augment", "off"}, {"precision", "f32"},
};
enum { SETTINGS = COUNT_OF(settings) };

bool demo_family_is_seen(DataSynthFamily family)
{
    assert((unsigned)family < DATA_SYNTH_FAMILIES);
    return seen_families[family];
}

static int epochs_of(const Demo *demo, int index)
{
    return index == 0 ? demo->scale->probe_epochs : demo->scale->tuning_epochs;
}

void demo_print_recipe(const Demo *demo, int index, FILE *stream)
{
    fprintf(stream, "--recipe %s seed=%" PRIu64 " epochs=%d", methods[index].recipe, demo->seed,
            epochs_of(demo, index));
    for (int i = 0; i < SETTINGS; i++)
        fprintf(stream, " %s=%s", settings[i][0], settings[i][1]);
}

/* The state of one method. */
typedef struct Trial {
    const Demo *demo;
    const Method *method;
    TrainRecipe recipe;
    Vit *vit;
    VitHead head;
    VitTuned *tuned;
    DataList train, test;
    CliProgress progress;
} Trial;

static Status make_recipe(Trial *trial, Error *error)
{
    TrainRecipe *recipe = &trial->recipe;
    TRY(train_recipe_named(recipe, trial->method->recipe, error));
    for (int i = 0; i < SETTINGS; i++)
        TRY(train_recipe_set(recipe, settings[i][0], settings[i][1], error));
    recipe->seed = trial->demo->seed;
    recipe->epochs = epochs_of(trial->demo, (int)(trial->method - methods));
    return train_recipe_check(recipe, error);
}

/* Reads the lists of a split: of all sources, or of the seen ones. */
static Status read_lists(const Trial *trial, const char *split, bool seen_only, DataList *list,
                         Error *error)
{
    char paths[DATA_SYNTH_FAMILIES][FILE_PATH_SIZE], name[64];
    const char *lists[DATA_SYNTH_FAMILIES];
    int count = 0;
    for (int family = 0; family < DATA_SYNTH_FAMILIES; family++) {
        if (seen_only && !seen_families[family])
            continue;
        snprintf(name, sizeof name, DEMO_DATA "/lists/%s/%s.txt", split,
                 data_synth_name((DataSynthFamily)family));
        TRY(file_join(paths[count], trial->demo->out, name, error));
        lists[count] = paths[count];
        count++;
    }
    return data_list_read(list, lists, count, error);
}

static Status open_trial(Trial *trial, Error *error)
{
    char backbone[FILE_PATH_SIZE];
    TRY(make_recipe(trial, error));
    TRY(read_lists(trial, "train", true, &trial->train, error));
    TRY(read_lists(trial, "test", false, &trial->test, error));
    TRY(file_join(backbone, trial->demo->out, DEMO_BACKBONE, error));
    TRY(vit_load(&trial->vit, backbone, trial->demo->threads, error));
    TRY(vit_head_create(&trial->head, trial->recipe.head, trial->vit->config.width,
                        trial->recipe.seed, error));
    return vit_tune(&trial->tuned, trial->vit, &trial->head, trial->recipe.tune, trial->recipe.seed,
                    error);
}

static void close_trial(Trial *trial)
{
    vit_tuned_destroy(trial->tuned);
    vit_head_destroy(&trial->head);
    vit_destroy(trial->vit);
    data_list_free(&trial->train);
    data_list_free(&trial->test);
}

/* ---- training -------------------------------------------------------------------------------- */

static void show_training(void *context, const TrainEvent *event)
{
    Trial *trial = context;
    const TrainProgress *progress = event->progress;
    char text[160];
    if (!progress || event->kind == TRAIN_STEP_PART) /* steps are short here */
        return;
    snprintf(text, sizeof text, "%s: %s %" PRId64 "/%" PRId64 ", loss %.3f", trial->method->name,
             progress->phase, progress->step, progress->total_steps,
             (double)progress->losses.total);
    cli_progress_text(&trial->progress, progress->step == progress->total_steps, text);
}

static Status train_trial(Trial *trial, double *seconds, Error *error)
{
    const TrainJob job = {
        .vit = trial->vit,
        .head = &trial->head,
        .tuned = trial->tuned,
        .recipe = &trial->recipe,
        .train = &trial->train,
        .threads = trial->demo->threads,
        .stop = trial->demo->stop,
        .event = show_training,
        .context = trial,
    };
    TrainResult result;
    trial->progress = cli_progress_begin(trial->demo->arguments, trial->method->name, "steps");
    const Status status = train_run(&job, &result, error);
    cli_progress_end(&trial->progress);
    *seconds = result.seconds;
    return status;
}

static Status write_adapter(const Trial *trial, Error *error)
{
    char path[FILE_PATH_SIZE], seed[24];
    snprintf(seed, sizeof seed, "%" PRIu64, trial->recipe.seed);
    const SafeTensorsMetadata metadata[] = {{"recipe", trial->recipe.name}, {"seed", seed}};
    TRY(file_join(path, trial->demo->out, trial->method->file, error));
    return vit_adapter_write(trial->vit, &trial->head, trial->tuned, path, metadata, 2, error);
}

/* ---- the test -------------------------------------------------------------------------------- */

/* The forgery method of a source of the list. */
static DataSynthFamily family_of(const DataList *list, int source)
{
    for (int family = 0; family < DATA_SYNTH_FAMILIES; family++)
        if (strcmp(list->sources[source], data_synth_name((DataSynthFamily)family)) == 0)
            return (DataSynthFamily)family;
    assert(0 && "a source of the demo's own lists is a family");
    return DATA_SYNTH_REAL;
}

/*
 * Appends the rows of the data sets "seen" and "unseen": all real frames, and the fakes of the seen
 * or unseen forgery methods.
 */
static Status group(const Trial *trial, const float *probabilities, const float *margins,
                    MetricsPredictions *predictions, Error *error)
{
    const DataList *list = &trial->test;
    for (int seen = 1; seen >= 0; seen--) {
        for (int i = 0; i < list->count; i++) {
            const DataFrame *frame = &list->frames[i];
            if (frame->label == 1 && seen_families[family_of(list, frame->source)] != (seen == 1))
                continue;
            const MetricsPrediction row = {
                .file = frame->file,
                .dataset = seen ? "seen" : "unseen",
                .video = list->videos[frame->video],
                .label = frame->label,
                .real = (double)probabilities[2 * i],
                .fake = (double)probabilities[2 * i + 1],
                .has_margin = true,
                .margin = (double)margins[i],
            };
            TRY(metrics_predictions_append(predictions, &row, error));
        }
    }
    return STATUS_OK;
}

MetricsUncertainty demo_uncertainty(const Demo *demo)
{
    MetricsUncertainty uncertainty = metrics_uncertainty_defaults();
    uncertainty.seed = demo->seed;
    uncertainty.threads = demo->threads;
    return uncertainty;
}

static Status sum_up(const Demo *demo, DemoScore *score, Error *error)
{
    const MetricsUncertainty uncertainty = demo_uncertainty(demo);
    int count;
    TRY(metrics_reports_with(&score->predictions, &uncertainty, &score->reports, &count, error));
    assert(count == DEMO_SETS);
    const MetricsReport *reports = score->reports;
    score->seen = reports[0].video.auroc;
    score->unseen = reports[1].video.auroc;
    for (int r = 0; r < count; r++)
        for (int s = 0; s < reports[r].source_count; s++)
            for (int family = 1; family < DATA_SYNTH_FAMILIES; family++)
                if (strcmp(reports[r].sources[s].name, data_synth_name((DataSynthFamily)family)) ==
                    0)
                    score->family[family] = reports[r].sources[s].video.auroc;
    return STATUS_OK;
}

void demo_score_free(DemoScore *score)
{
    metrics_reports_free(score->reports, score->reports ? DEMO_SETS : 0);
    metrics_predictions_free(&score->predictions);
}

static Status test_trial(Trial *trial, DemoScore *score, Error *error)
{
    float *probabilities = calloc(trial->test.count, 2 * sizeof(float));
    float *margins = calloc(trial->test.count, sizeof *margins);
    if (!probabilities || !margins) {
        free(probabilities);
        free(margins);
        return mem_full(0, "the scores", error);
    }
    TrainScoring scoring = train_scoring_defaults();
    scoring.batch_size = 64;
    scoring.stop = trial->demo->stop;
    scoring.margins = margins;
    Status status = train_score(trial->vit, &trial->head, &trial->test, 0, &scoring,
                                trial->demo->threads, NULL, probabilities, error);
    if (status == STATUS_OK)
        status = group(trial, probabilities, margins, &score->predictions, error);
    if (status == STATUS_OK)
        status = sum_up(trial->demo, score, error);
    free(margins);
    free(probabilities);
    return status;
}

Status demo_method(const Demo *demo, int index, DemoScore *score, Error *error)
{
    assert(index >= 0 && index < DEMO_METHODS);
    Trial trial = {.demo = demo, .method = &methods[index]};
    *score = (DemoScore){.method = trial.method->name,
                         .file = trial.method->file,
                         .predictions = metrics_predictions_empty()};
    score->family[DATA_SYNTH_REAL] = NAN;
    Status status = open_trial(&trial, error);
    if (status == STATUS_OK) {
        score->trained = trial.tuned->count;
        score->parameters =
            vit_size(trial.vit) + tensor_count(&trial.head.weight) + tensor_count(&trial.head.bias);
        status = train_trial(&trial, &score->seconds, error);
    }
    if (status == STATUS_OK)
        status = write_adapter(&trial, error);
    if (status == STATUS_OK)
        status = test_trial(&trial, score, error);
    close_trial(&trial);
    return status;
}
