/*
 * eval_scores.c - see eval_scores.h.
 */
#include "train/eval/eval_scores.h"

#include "tensor/base/hash.h"
#include "tensor/base/mem.h"
#include "tensor/kernels/kernels.h"
#include "train/plan.h"

#include <stdlib.h>
#include <string.h>

/* The scoring of one adapter in progress. */
typedef struct Work {
    const EvalScoring *scoring;
    EvalScores *scores;
    EvalImages images;
    int pass;
    size_t before;  /* frames of this pass done before the current set */
    double started; /* train_clock() when scoring began */
    size_t reused;  /* scores of all passes kept from an interrupted evaluation */
} Work;

/* ---- keys ------------------------------------------------------------------------------------ */

static void hash_floats(Hash *hash, const Tensor *tensor)
{
    hash_bytes(hash, tensor_f32(tensor), tensor_count(tensor) * sizeof(float));
}

static void hash_model(Hash *hash, const EvalScoring *scoring)
{
    const Vit *vit = scoring->vit;
    const VitConfig *config = &vit->config;
    const float numbers[] = {(float)config->image_size,
                             (float)config->heads,
                             (float)config->activation,
                             (float)scoring->head->kind,
                             config->eps,
                             config->mean[0],
                             config->mean[1],
                             config->mean[2],
                             config->std[0],
                             config->std[1],
                             config->std[2]};
    hash_text(hash, precision_name(scoring->precision));
    hash_text(hash, vit->fingerprint);
    hash_bytes(hash, numbers, sizeof numbers);
    for (int i = 0; i < vit->parameter_count; i++)
        if (vit->parameters[i].kind == VIT_LAYER_NORM || vit->parameters[i].adapted)
            hash_floats(hash, &vit->parameters[i].tensor);
    hash_floats(hash, &scoring->head->weight);
    hash_floats(hash, &scoring->head->bias);
}

/*
 * Hashes everything that the scores of a pass depend on except the images: program, kernels,
 * precision, weights, frames, perturbation.
 */
static void make_key(const EvalScoring *scoring, int pass, char key[EVAL_KEY_SIZE])
{
    _Static_assert((int)EVAL_KEY_SIZE == (int)HASH_TEXT_SIZE, "a key is a hash");
    Hash hash;
    hash_begin(&hash);
    hash_text(&hash, LNCLIP_VERSION);
    hash_text(&hash, kernels()->name);
    hash_model(&hash, scoring);
    for (int i = 0; i < scoring->sets->set_count; i++) {
        hash_text(&hash, scoring->sets->sets[i].name);
        hash_text(&hash, scoring->sets->sets[i].hash);
    }
    if (pass > 0) {
        const DataPerturbation *perturbation = &scoring->perturbations[pass - 1];
        const uint64_t seed = perturbation->augment.noise > 0 ? scoring->seed : 0;
        hash_text(&hash, perturbation->kind);
        hash_bytes(&hash, perturbation->strengths,
                   (size_t)perturbation->count * sizeof perturbation->strengths[0]);
        hash_bytes(&hash, &seed, sizeof seed);
    }
    hash_end(&hash, key);
}

/* ---- scoring --------------------------------------------------------------------------------- */

static EvalKept of_pass(const Work *work, int pass)
{
    const size_t first = (size_t)pass * work->scores->count;
    return (EvalKept){work->scores->probabilities + 2 * first, work->scores->margins + first};
}

static void keep_scores(void *context, int done, int total, double images_per_second)
{
    Work *work = context;
    /* Progress of this train_score; reports are about all sets and passes. */
    (void)total;
    (void)images_per_second;
    const EvalEvents *events = &work->scoring->events;
    const size_t count = work->scores->count, in_pass = work->before + (size_t)done;
    EvalPartial *partial = &work->scores->partials[work->pass];
    const EvalKept scores = of_pass(work, work->pass);
    if (!eval_partial_append(partial, &work->images, &scores, in_pass) && events->not_kept)
        events->not_kept(events->context, partial->path);
    size_t all = work->pass * count + in_pass;
    for (int pass = work->pass + 1; pass < work->scores->passes; pass++)
        all += work->scores->partials[pass].done; /* kept from an interrupted evaluation */
    if (events->progress)
        events->progress(events->context, all, work->scores->passes * count,
                         (double)(all - work->reused) / (train_clock() - work->started));
}

static Status score_pass(Work *work, Error *error)
{
    const EvalScoring *wanted = work->scoring;
    TrainScoring settings = wanted->settings;
    settings.progress = keep_scores;
    settings.context = work;
    if (work->pass > 0) {
        settings.augment = wanted->perturbations[work->pass - 1].augment;
        settings.seed = wanted->seed;
    }
    const EvalKept scores = of_pass(work, work->pass);
    const size_t kept = work->scores->partials[work->pass].done;
    for (int i = 0; i < wanted->sets->set_count; i++) {
        const EvalSet *set = &wanted->sets->sets[i];
        const size_t count = (size_t)set->frames.count;
        const size_t first = kept > set->first ? kept - set->first : 0;
        work->before = set->first + first;
        settings.margins = scores.margins + set->first;
        if (first < count)
            TRY(train_score(wanted->vit, wanted->head, &set->frames, (int)first, &settings,
                            wanted->threads, NULL, scores.probabilities + 2 * set->first, error));
    }
    return STATUS_OK;
}

/* Packs the weights and scores the remaining frames, if any. */
static Status score_passes(Work *work, Error *error)
{
    const EvalScoring *scoring = work->scoring;
    EvalScores *scores = work->scores;
    for (int pass = 0; pass < scores->passes; pass++)
        work->reused += scores->partials[pass].done;
    if (work->reused == (size_t)scores->passes * scores->count)
        return STATUS_OK;
    work->started = train_clock();
    TRY(vit_pack(scoring->vit, scoring->precision, false, scoring->threads, error));
    for (work->pass = 0; work->pass < scores->passes; work->pass++)
        TRY(score_pass(work, error));
    return STATUS_OK;
}

/* Lists the files of all frames with their stamps, before any is read. */
static Status list_images(Work *work, Error *error)
{
    const EvalSets *sets = work->scoring->sets;
    const char **files = mem_new(sets->count, sizeof *files, "the list of images", error);
    uint64_t *stamps =
        files ? mem_new(sets->count, sizeof *stamps, "the list of images", error) : NULL;
    work->images = (EvalImages){files, stamps, sets->count};
    if (!stamps)
        return error->status;
    for (int s = 0; s < sets->set_count; s++)
        for (int i = 0; i < sets->sets[s].frames.count; i++) {
            const size_t at = sets->sets[s].first + (size_t)i;
            files[at] = sets->sets[s].frames.frames[i].file;
            stamps[at] = file_stamp(files[at]);
        }
    return STATUS_OK;
}

/* Creates the folder and opens the scores saved by an interrupted evaluation. */
static Status open_folder(Work *work, const char *folder, Error *error)
{
    const EvalEvents *events = &work->scoring->events;
    char key[EVAL_KEY_SIZE];
    TRY(list_images(work, error));
    TRY(file_make_folders(folder, error));
    for (int pass = 0; pass < work->scores->passes; pass++) {
        const EvalKept scores = of_pass(work, pass);
        make_key(work->scoring, pass, key);
        TRY(eval_partial_open(&work->scores->partials[pass], folder, key, &work->images, &scores,
                              error));
    }
    if (events->opened)
        events->opened(events->context, work->scores);
    return STATUS_OK;
}

static void describe_model(const EvalScoring *scoring, EvalProvenance *provenance)
{
    const Vit *vit = scoring->vit;
    provenance->model = scoring->model;
    snprintf(provenance->arch, sizeof provenance->arch, "%s", vit_config_name(&vit->config));
    snprintf(provenance->fingerprint, sizeof provenance->fingerprint, "%s", vit->fingerprint);
    provenance->image_size = vit->config.image_size;
    provenance->head = scoring->head->kind;
    provenance->precision = precision_name(scoring->precision);
    provenance->kernels = kernels()->name;
    provenance->decoders = data_image_decoders();
}

static Status allocate(EvalScores *scores, int passes, size_t count, Error *error)
{
    const char *what = "the scores";
    *scores = (EvalScores){.passes = passes, .count = count};
    scores->partials = mem_new(passes, sizeof *scores->partials, what, error);
    if (!scores->partials)
        return error->status;
    scores->margins = mem_new(passes * count, sizeof *scores->margins, what, error);
    if (!scores->margins)
        return error->status;
    scores->probabilities = mem_new(passes * count, 2 * sizeof *scores->probabilities, what, error);
    return scores->probabilities ? STATUS_OK : error->status;
}

Status eval_score(const EvalScoring *scoring, const EvalAdapter *adapter, const char *folder,
                  EvalScores *scores, EvalProvenance *provenance, Error *error)
{
    Work work = {.scoring = scoring, .scores = scores};
    Status status = allocate(scores, 1 + scoring->perturbation_count, scoring->sets->count, error);
    if (status != STATUS_OK)
        goto done;
    if (adapter->calibrated)
        metrics_calibration_apply(scoring->head, &adapter->calibration);
    describe_model(scoring, provenance);
    if (folder)
        status = open_folder(&work, folder, error);
    if (status == STATUS_OK)
        status = score_passes(&work, error);
done:
    free((void *)(uintptr_t)work.images.files);
    free((void *)(uintptr_t)work.images.stamps);
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
