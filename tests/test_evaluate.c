/*
 * test_evaluate.c - scores of frames: the same for every batch size, worker and start, and what
 * becomes of frames that cannot be read.
 */
#include "tests/support_folder.h"
#include "tests/support_train.h"

#include "train/evaluate.h"
#include "train/validate.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

enum { FRAMES = 24, WIDTH = 32 };

static SupportJob job;

typedef struct Scores {
    float features[FRAMES * WIDTH], probabilities[FRAMES * VIT_CLASSES], cross_entropy[FRAMES];
    float margins[FRAMES];
} Scores;

static void setup(void)
{
    const VitConfig config = support_tiny_config();
    support_folder_setup();
    support_write_frames(support_in_folder(""), 4, 4, 40);
    support_job_open(&job, support_in_folder(""), NULL, &config, "threads=2");
    ck_assert_int_eq(job.train.count, FRAMES);
}

static void teardown(void)
{
    support_job_close(&job);
    support_folder_teardown();
}

static Status score(TrainScoring scoring, int first, Scores *scores, Error *error)
{
    scoring.cross_entropy = scores->cross_entropy;
    scoring.margins = scores->margins;
    return train_score(job.vit, &job.head, &job.train, first, &scoring, job.threads,
                       scores->features, scores->probabilities, error);
}

static Scores score_all(int batch_size, int workers)
{
    Error error = {0};
    Scores scores;
    TrainScoring scoring = train_scoring_defaults();
    scoring.batch_size = batch_size;
    scoring.workers = workers;
    memset(&scores, 0, sizeof scores);
    ck_ok(score(scoring, 0, &scores, &error), &error);
    return scores;
}

START_TEST(scores_are_what_encoder_and_head_say)
{
    const Scores scores = score_all(8, 1);
    const float *const W = tensor_f32(&job.head.weight), *const b = tensor_f32(&job.head.bias);
    for (int i = 0; i < FRAMES; i++) {
        const float *const f = scores.features + i * WIDTH;
        double norm = 0, logits[2] = {(double)b[0], (double)b[1]};
        for (int d = 0; d < WIDTH; d++)
            norm += (double)f[d] * (double)f[d];
        for (int d = 0; d < WIDTH; d++) {
            logits[0] += (double)W[d] * (double)f[d] / sqrt(norm);
            logits[1] += (double)W[WIDTH + d] * (double)f[d] / sqrt(norm);
        }
        const double p_fake = 1 / (1 + exp(logits[0] - logits[1]));
        ck_close(scores.probabilities[i * 2 + 1], p_fake, 1e-6);
        ck_close(scores.probabilities[i * 2], 1 - p_fake, 1e-6);
        ck_close(scores.margins[i], logits[1] - logits[0], 1e-5);
        ck_close(scores.cross_entropy[i], -log(job.train.frames[i].label ? p_fake : 1 - p_fake),
                 1e-6);
    }
}
END_TEST

START_TEST(scores_do_not_depend_on_batches_and_workers)
{
    const Scores expected = score_all(8, 1);
    const int sizes[] = {1, 5, 24, 100};
    for (int i = 0; i < 4; i++) {
        const Scores scores = score_all(sizes[i], i);
        ck_assert_mem_eq(&scores, &expected, sizeof scores);
    }
}
END_TEST

START_TEST(scoring_can_start_anywhere)
{
    const Scores expected = score_all(8, 1);
    Error error = {0};
    Scores scores;
    enum { FIRST = 7, REST = FRAMES - FIRST };
    memset(&scores, 0, sizeof scores);
    ck_ok(score(train_scoring_defaults(), FIRST, &scores, &error), &error);
    for (int i = 0; i < FIRST; i++)
        ck_assert_float_eq(scores.probabilities[i * 2], 0.0F);
    ck_assert_mem_eq(scores.features + FIRST * WIDTH, expected.features + FIRST * WIDTH,
                     REST * WIDTH * sizeof(float));
    ck_assert_mem_eq(scores.probabilities + FIRST * 2, expected.probabilities + FIRST * 2,
                     REST * 2 * sizeof(float));
    ck_assert_mem_eq(scores.cross_entropy + FIRST, expected.cross_entropy + FIRST,
                     REST * sizeof(float));
    ck_ok(score(train_scoring_defaults(), FRAMES, &scores, &error), &error);
}
END_TEST

/* A frame's noise is its own: whatever the batches, and wherever an interrupted
 * evaluation goes on. */
START_TEST(perturbed_scores_depend_on_the_frame_alone)
{
    const Scores plain = score_all(8, 1);
    Error error = {0};
    Scores expected, scores;
    TrainScoring scoring = train_scoring_defaults();
    scoring.seed = 3;
    DataPerturbation noise;
    ck_ok(data_augment_perturb("noise=0.1", &noise, &error), &error);
    scoring.augment = noise.augment;
    ck_ok(score(scoring, 0, &expected, &error), &error);
    for (int i = 0; i < FRAMES; i++)
        ck_assert_float_ne(expected.probabilities[2 * i], plain.probabilities[2 * i]);
    scores = expected;
    memset(scores.probabilities + 2 * 7, 0, (FRAMES - 7) * 2 * sizeof(float));
    scoring.batch_size = 3;
    scoring.workers = 2;
    ck_ok(score(scoring, 7, &scores, &error), &error);
    ck_assert_mem_eq(&scores, &expected, sizeof scores);
    scoring.seed = 4;
    ck_ok(score(scoring, 0, &scores, &error), &error);
    ck_assert_mem_ne(&scores, &expected, sizeof scores);
}
END_TEST

START_TEST(ready_features_give_the_same_scores)
{
    const Scores expected = score_all(8, 1);
    Error error = {0};
    Scores scores;
    int labels[FRAMES];
    for (int i = 0; i < FRAMES; i++)
        labels[i] = job.train.frames[i].label;
    ck_ok(train_score_features(&job.head, expected.features, labels, FRAMES, job.threads,
                               scores.probabilities, scores.cross_entropy, scores.margins, &error),
          &error);
    ck_assert_mem_eq(scores.margins, expected.margins, sizeof scores.margins);
    ck_assert_mem_eq(scores.probabilities, expected.probabilities, sizeof scores.probabilities);
    ck_assert_mem_eq(scores.cross_entropy, expected.cross_entropy, sizeof scores.cross_entropy);
}
END_TEST

/* A head of a thousand times the weights orders the frames as before, though all p_fake are then 0
 * or 1. */
START_TEST(validation_ranks_by_the_margin)
{
    TrainEpoch plain = train_epoch_empty(), large = train_epoch_empty();
    Error error = {0};
    Scores scores = score_all(8, 1);
    ck_ok(train_validation_metrics(&job.train, scores.probabilities, scores.margins,
                                   scores.cross_entropy, &plain, &error),
          &error);
    for (size_t i = 0; i < VIT_CLASSES * WIDTH; i++)
        tensor_f32(&job.head.weight)[i] *= 1e5F;
    for (size_t i = 0; i < VIT_CLASSES; i++)
        tensor_f32(&job.head.bias)[i] *= 1e5F;
    scores = score_all(8, 1);
    for (int i = 0; i < FRAMES * VIT_CLASSES; i++)
        ck_assert(scores.probabilities[i] == 0 || scores.probabilities[i] == 1);
    ck_ok(train_validation_metrics(&job.train, scores.probabilities, scores.margins,
                                   scores.cross_entropy, &large, &error),
          &error);
    ck_close(large.frame.auroc, plain.frame.auroc, 0.02); /* f32 rounds either head its own way */
    ck_assert_double_ne(large.frame.auroc, 0.5);
    ck_assert_double_eq(large.frame.map > 0.5, plain.frame.map > 0.5);
}
END_TEST

static void count_unreadable(void *context, const DataFrame *frame, const Error *error)
{
    ck_assert_str_eq(frame->path, job.train.frames[5].path);
    ck_assert_str_ne(error->message, "");
    ++*(int *)context;
}

START_TEST(an_unreadable_frame_ends_scoring_or_is_nan)
{
    const Scores expected = score_all(8, 1);
    Error error = {0};
    Scores scores;
    int told = 0;
    ck_assert_int_eq(truncate(job.train.frames[5].file, 60), 0);
    ck_assert_int_eq(score(train_scoring_defaults(), 0, &scores, &error), STATUS_FAILED);
    ck_assert_ptr_nonnull(strstr(error.message, job.train.frames[5].file));

    TrainScoring scoring = train_scoring_defaults();
    scoring.tolerant = true;
    scoring.unreadable = count_unreadable;
    scoring.context = &told;
    error_clear(&error);
    ck_ok(score(scoring, 0, &scores, &error), &error);
    ck_assert_int_eq(told, 1);
    for (int i = 0; i < FRAMES; i++) {
        const bool readable = i != 5;
        ck_assert_int_eq(!isnan(scores.probabilities[i * 2 + 1]), readable);
        ck_assert_int_eq(!isnan(scores.features[i * WIDTH + 3]), readable);
        ck_assert_int_eq(!isnan(scores.cross_entropy[i]), readable);
        if (readable)
            ck_assert_float_eq(scores.probabilities[i * 2], expected.probabilities[i * 2]);
    }
}
END_TEST

START_TEST(weights_that_are_no_numbers_are_told)
{
    Error error = {0};
    Scores scores;
    TrainScoring scoring = train_scoring_defaults();
    scoring.tolerant = true; /* of images, not of weights */
    tensor_f32(&job.head.bias)[1] = NAN;
    ck_assert_int_eq(score(scoring, 0, &scores, &error), STATUS_FAILED);
    ck_assert_ptr_nonnull(strstr(error.message, job.train.frames[0].path));
    ck_assert_ptr_nonnull(strstr(error.message, "not finite"));
}
END_TEST

START_TEST(a_stop_ends_scoring)
{
    volatile sig_atomic_t stop = 1;
    Error error = {0};
    Scores scores;
    TrainScoring scoring = train_scoring_defaults();
    scoring.stop = &stop;
    ck_assert_int_eq(score(scoring, 0, &scores, &error), STATUS_INTERRUPTED);
}
END_TEST

START_TEST(an_offered_arena_is_used_and_left_empty)
{
    const Scores expected = score_all(8, 1);
    Error error = {0};
    const size_t sizes[] = {4096, 16 << 20}; /* too small: one of its own; large enough */
    for (int i = 0; i < 2; i++) {
        Arena *arena = NULL;
        Scores scores;
        ck_ok(arena_create(&arena, sizes[i], &error), &error);
        TrainScoring scoring = train_scoring_defaults();
        scoring.arena = arena;
        ck_ok(score(scoring, 0, &scores, &error), &error);
        ck_assert_mem_eq(scores.probabilities, expected.probabilities, sizeof scores.probabilities);
        ck_assert_uint_eq(arena_used(arena), 0);
        ck_assert_int_eq(arena_peak(arena) > 0, i == 1);
        arena_destroy(arena);
    }
}
END_TEST

static Suite *suite(void)
{
    const TTest *const tests[] = {
        scores_are_what_encoder_and_head_say,
        scores_do_not_depend_on_batches_and_workers,
        scoring_can_start_anywhere,
        perturbed_scores_depend_on_the_frame_alone,
        ready_features_give_the_same_scores,
        validation_ranks_by_the_margin,
        an_unreadable_frame_ends_scoring_or_is_nan,
        weights_that_are_no_numbers_are_told,
        a_stop_ends_scoring,
        an_offered_arena_is_used_and_left_empty,
    };
    Suite *const suite = suite_create("evaluate");
    TCase *const cases = support_case(suite, "evaluate", 60);
    tcase_add_checked_fixture(cases, setup, teardown);
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
        tcase_add_test(cases, tests[i]);
    return suite;
}

int main(void)
{
    return support_main(suite());
}
