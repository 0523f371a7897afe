/*
 * eval_scores.c - see eval_scores.h.
 */
#include "tools/eval/eval_scores.h"

#include "tensor/kernels/kernels.h"
#include "train/metrics/calibration.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

/* The scoring of one adapter under way. */
typedef struct Work {
    const EvalScoring *scoring;
    EvalScores *scores;
    CliModel model;
    CliProgress progress;
    EvalImages images;
    int pass;
    size_t before; /* frames of this pass done when the set at hand was begun */
} Work;

/* ---- keys ------------------------------------------------------------------------------------ */

static void hash_text(XXH3_state_t *state, const char *text)
{
    XXH3_128bits_update(state, text, strlen(text) + 1);
}

static void hash_floats(XXH3_state_t *state, const Tensor *tensor)
{
    XXH3_128bits_update(state, tensor_f32(tensor), tensor_count(tensor) * sizeof(float));
}

static void hash_model(XXH3_state_t *state, const CliModel *model)
{
    const Vit *const vit = model->vit;
    const VitConfig *const config = &vit->config;
    const float numbers[] = {(float)config->image_size,
                             (float)config->heads,
                             (float)config->activation,
                             (float)model->head.kind,
                             config->eps,
                             config->mean[0],
                             config->mean[1],
                             config->mean[2],
                             config->std[0],
                             config->std[1],
                             config->std[2]};
    hash_text(state, precision_name(model->precision));
    hash_text(state, vit->fingerprint);
    XXH3_128bits_update(state, numbers, sizeof numbers);
    for (int i = 0; i < vit->parameter_count; i++)
        if (vit->parameters[i].kind == VIT_LAYER_NORM || vit->parameters[i].adapted)
            hash_floats(state, &vit->parameters[i].tensor);
    hash_floats(state, &model->head.weight);
    hash_floats(state, &model->head.bias);
}

/* All that the scores of a pass depend on but the contents of the images: program, kernels, precision, weights,
 * frames, perturbation. */
static Status make_key(const Work *work, int pass, char key[EVAL_KEY_SIZE], Error *error)
{
    const EvalScoring *const scoring = work->scoring;
    XXH3_state_t *const state = XXH3_createState();
    if (!state)
        return error_set(error, STATUS_FAILED, "eval: not enough memory; free some");
    XXH3_128bits_reset(state);
    hash_text(state, LNCLIP_VERSION);
    hash_text(state, kernels()->name);
    hash_model(state, &work->model);
    for (int i = 0; i < scoring->sets->set_count; i++) {
        hash_text(state, scoring->sets->sets[i].name);
        hash_text(state, scoring->sets->sets[i].hash);
    }
    if (pass > 0) {
        const DataPerturbation *const perturbation = &scoring->perturbations[pass - 1];
        const uint64_t seed = perturbation->augment.noise > 0 ? scoring->seed : 0;
        hash_text(state, perturbation->kind);
        XXH3_128bits_update(state, perturbation->strengths,
                            (size_t)perturbation->count * sizeof perturbation->strengths[0]);
        XXH3_128bits_update(state, &seed, sizeof seed);
    }
    const XXH128_hash_t hash = XXH3_128bits_digest(state);
    XXH3_freeState(state);
    snprintf(key, EVAL_KEY_SIZE, "%016llx%016llx", (unsigned long long)hash.high64,
             (unsigned long long)hash.low64);
    return STATUS_OK;
}

/* ---- scoring --------------------------------------------------------------------------------- */

static EvalKept of_pass(const Work *work, int pass)
{
    const size_t first = (size_t)pass * work->scoring->sets->count;
    return (EvalKept){work->scores->probabilities + 2 * first, work->scores->margins + first};
}

static void show_progress(void *context, int done, int total, double images_per_second)
{
    Work *const work = context;
    (void)total; /* of this call of train_score; shown is the whole evaluation */
    const size_t count = work->scoring->sets->count, in_pass = work->before + (size_t)done;
    EvalPartial *const partial = &work->scores->partials[work->pass];
    const EvalKept scores = of_pass(work, work->pass);
    if (!eval_partial_append(partial, &work->images, &scores, in_pass))
        cli_warn("%s: scores can no longer be kept for a restart (a full disk?)", partial->path);
    cli_progress_show(&work->progress, (long long)((size_t)work->pass * count + in_pass),
                      (long long)((size_t)work->scores->passes * count), images_per_second);
}

static Status score_pass(Work *work, Error *error)
{
    const EvalScoring *const wanted = work->scoring;
    TrainScoring scoring = cli_model_scoring(wanted->options);
    scoring.stop = cli_catch_signals();
    scoring.progress = show_progress;
    scoring.context = work;
    if (work->pass > 0) {
        scoring.augment = wanted->perturbations[work->pass - 1].augment;
        scoring.seed = wanted->seed;
    }
    const EvalKept scores = of_pass(work, work->pass);
    const size_t kept = work->scores->partials[work->pass].done;
    for (int i = 0; i < wanted->sets->set_count; i++) {
        const EvalSet *const set = &wanted->sets->sets[i];
        const size_t count = (size_t)set->frames.count;
        const size_t first = kept > set->first ? kept - set->first : 0;
        work->before = set->first + first;
        scoring.margins = scores.margins + set->first;
        if (first < count)
            TRY(train_score(work->model.vit, &work->model.head, &set->frames, (int)first, &scoring,
                            work->model.threads, NULL, scores.probabilities + 2 * set->first,
                            error));
    }
    return STATUS_OK;
}

/* Packs the weights, if anything is left to score, and scores it. */
static Status score_passes(Work *work, Error *error)
{
    EvalScores *const scores = work->scores;
    bool done = true;
    for (int pass = 0; pass < scores->passes; pass++)
        done = done && scores->partials[pass].done == work->scoring->sets->count;
    if (done)
        return STATUS_OK;
    TRY(vit_pack(work->model.vit, work->model.precision, false, work->model.threads, error));
    work->progress = cli_progress_begin(work->scoring->arguments, "scoring", "images");
    Status status = STATUS_OK;
    for (work->pass = 0; work->pass < scores->passes && status == STATUS_OK; work->pass++)
        status = score_pass(work, error);
    cli_progress_end(&work->progress);
    if (status == STATUS_INTERRUPTED)
        cli_interrupted("eval", "the scores so far are kept: the same command goes on", error);
    return status;
}

/* The files of all frames, and their state before any of them is read. */
static Status list_images(Work *work, Error *error)
{
    const EvalSets *const sets = work->scoring->sets;
    const char **const files = malloc((sets->count + 1) * sizeof *files);
    uint64_t *const stamps = malloc((sets->count + 1) * sizeof *stamps);
    work->images = (EvalImages){files, stamps, sets->count};
    if (!files || !stamps)
        return error_set(error, STATUS_FAILED, "eval: not enough memory; evaluate fewer frames");
    for (int s = 0; s < sets->set_count; s++)
        for (int i = 0; i < sets->sets[s].frames.count; i++) {
            const size_t at = sets->sets[s].first + (size_t)i;
            files[at] = sets->sets[s].frames.frames[i].file;
            stamps[at] = file_stamp(files[at]);
        }
    return STATUS_OK;
}

/*
 * What is taken from an earlier try and what is not, even with --quiet: a figure made of scores of two moments must
 * not look like one of this command alone.
 */
static void tell_kept(const Work *work, const char *folder)
{
    const EvalScores *const scores = work->scores;
    const char *replaced = NULL;
    size_t kept = 0;
    for (int pass = 0; pass < scores->passes; pass++) {
        kept += scores->partials[pass].done;
        replaced = replaced ? replaced : scores->partials[pass].replaced;
    }
    if (kept > 0)
        cli_warn("%s: %s of %s scores are reused from an interrupted evaluation of the same model, "
                 "settings and images; the rest is computed",
                 folder, cli_count(kept), cli_count((size_t)scores->passes * work->images.count));
    if (replaced)
        cli_warn("%s: is another image than when it was scored; it and all after it are scored "
                 "again",
                 replaced);
    if (scores->partials[0].unlocked)
        cli_warn("%s: this file system has no locks; make sure that no other process evaluates "
                 "into this folder",
                 folder);
}

/* Makes the folder, and opens the scores an earlier try may have left there. */
static Status open_folder(Work *work, const char *folder, Error *error)
{
    const CliArguments *const arguments = work->scoring->arguments;
    char key[EVAL_KEY_SIZE], path[FILE_PATH_SIZE];
    TRY(list_images(work, error));
    TRY(file_make_folders(folder, error));
    TRY(file_join(path, folder, "predictions.csv", error));
    if (file_exists(path))
        cli_note(arguments, "%s: holds an evaluation; it is replaced when this one is finished",
                 folder);
    for (int pass = 0; pass < work->scores->passes; pass++) {
        EvalPartial *const partial = &work->scores->partials[pass];
        const EvalKept scores = of_pass(work, pass);
        TRY(make_key(work, pass, key, error));
        TRY(eval_partial_open(partial, folder, key, &work->images, &scores, error));
    }
    tell_kept(work, folder);
    return STATUS_OK;
}

static void describe_model(const CliModel *model, const CliModelOptions *options,
                           EvalProvenance *provenance)
{
    provenance->model = options->model;
    snprintf(provenance->arch, sizeof provenance->arch, "%s", vit_config_name(&model->vit->config));
    snprintf(provenance->fingerprint, sizeof provenance->fingerprint, "%s",
             model->vit->fingerprint);
    provenance->image_size = model->vit->config.image_size;
    provenance->head = model->head.kind;
    provenance->precision = precision_name(model->precision);
    provenance->kernels = kernels()->name;
    provenance->decoders = data_image_decoders();
}

static Status allocate(EvalScores *scores, int passes, size_t count, Error *error)
{
    *scores = (EvalScores){
        .probabilities = calloc((size_t)passes * count, 2 * sizeof *scores->probabilities),
        .margins = calloc((size_t)passes * count, sizeof *scores->margins),
        .partials = calloc((size_t)passes, sizeof *scores->partials),
        .passes = passes,
    };
    if (scores->probabilities && scores->margins && scores->partials)
        return STATUS_OK;
    return error_set(error, STATUS_FAILED, "eval: not enough memory; evaluate fewer frames");
}

/* Nothing is written before the model is known to be good. */
Status eval_score(const EvalScoring *scoring, const EvalAdapter *adapter, const char *folder,
                  EvalScores *scores, EvalProvenance *provenance, Error *error)
{
    Work work = {.scoring = scoring, .scores = scores};
    CliModelOptions options = *scoring->options;
    options.adapter = adapter->path;
    TRY(allocate(scores, 1 + scoring->perturbation_count, scoring->sets->count, error));
    Status status =
        cli_model_load(&work.model, &options, scoring->arguments, CLI_HEAD_NEEDED, error);
    if (status == STATUS_OK) {
        if (adapter->calibrated)
            metrics_calibration_apply(&work.model.head, &adapter->calibration);
        describe_model(&work.model, &options, provenance);
        if (folder)
            status = open_folder(&work, folder, error);
    }
    if (status == STATUS_OK)
        status = score_passes(&work, error);
    free((void *)(uintptr_t)work.images.files);
    free((void *)(uintptr_t)work.images.stamps);
    cli_model_free(&work.model);
    return status;
}

void eval_scores_close(EvalScores *scores, bool finished)
{
    for (int pass = 0; pass < scores->passes && scores->partials; pass++)
        eval_partial_close(&scores->partials[pass], finished);
    free(scores->partials);
    free(scores->probabilities);
    free(scores->margins);
    *scores = (EvalScores){0};
}
