/*
 * test_stepper.c - the gradient of one step: the same bits however the batch is cut, shared and
 * kept, within the planned memory; and the choice of the plan itself.
 */
#include "tests/support_allocations.h"
#include "tests/support_train.h"

#include "tensor/random.h"
#include "train/optimizer.h"

#include <math.h>
#include <string.h>

/*
 * 65 tokens, so that the activations of a batch (18 MB) stand out against the rest of the process.
 */
enum { S = 64, P = 8, WIDTH = 64, BATCH = 16 };

typedef struct Bench {
    Threads *threads;
    Vit *vit;
    VitHead head;
    VitTuned *tuned;
    TrainRecipe recipe;
    TrainStepper *stepper;
    uint8_t *pixels; /* [BATCH,S,S,3] */
    int labels[BATCH];
    TrainLosses losses;
} Bench;

static void set(Bench *bench, const char *key, const char *value)
{
    Error error = {0};
    ck_ok(train_recipe_set(&bench->recipe, key, value, &error), &error);
}

/* memory in GiB; micro_batch 0 = chosen. */
static void bench_open(Bench *bench, const char *tune, int threads, int micro_batch, double memory)
{
    Error error = {0};
    VitConfig config = support_tiny_config();
    config.image_size = S;
    config.patch_size = P;
    config.width = WIDTH;
    config.layers = 8;
    config.mlp = 4 * WIDTH;
    *bench = (Bench){0};
    ck_ok(train_recipe_named(&bench->recipe, "paper", &error), &error);
    set(bench, "batch_size", "16");
    set(bench, "loss.alignment", "0.1");
    set(bench, "loss.uniformity", "0.5");
    bench->recipe.micro_batch = micro_batch;
    bench->recipe.memory = memory;
    ck_ok(threads_create(&bench->threads, threads, &error), &error);
    ck_ok(vit_create(&bench->vit, &config, 4, bench->threads, &error), &error);
    ck_ok(vit_head_create(&bench->head, VIT_HEAD_LINEAR_NORM, WIDTH, 4, &error), &error);
    ck_ok(vit_tune(&bench->tuned, bench->vit, &bench->head, tune, 0, &error), &error);
    if (bench->tuned->part_count >
        0) { /* with dropout, and away from B = 0, where A would not matter */
        set(bench, "lora.dropout", "0.3");
        set(bench, "slerp", "off"); /* draws of the step too */
        for (int i = 1; i < bench->tuned->part_count; i += 2) {
            const Tensor *const B = &bench->tuned->parts[i];
            support_fill_normal(tensor_f32(B), tensor_count(B), (unsigned)i, 0.1);
        }
    }
    bench->pixels = malloc((size_t)BATCH * S * S * 3);
    Random random = random_stream(9, RANDOM_TEST, 0, 0);
    for (int i = 0; i < BATCH * S * S * 3; i++)
        bench->pixels[i] = (uint8_t)random_u32(&random);
    for (int i = 0; i < BATCH; i++)
        bench->labels[i] = (int)random_below(&random, 2);
    ck_ok(train_stepper_create(&bench->stepper, bench->vit, &bench->head, bench->tuned,
                               &bench->recipe, bench->recipe.batch_size, bench->threads, 0, &error),
          &error);
}

static void bench_close(Bench *bench)
{
    train_stepper_destroy(bench->stepper);
    free(bench->pixels);
    vit_tuned_destroy(bench->tuned);
    vit_head_destroy(&bench->head);
    vit_destroy(bench->vit);
    threads_destroy(bench->threads);
}

static void step(Bench *bench, int count, int64_t number)
{
    Error error = {0};
    const DataBatch batch = {.count = count, .pixels = bench->pixels, .labels = bench->labels};
    ck_ok(train_stepper_step(bench->stepper, &batch, NULL, number, NULL, &bench->losses, &error),
          &error);
}

static const TrainPlan *plan_of(const Bench *bench)
{
    return train_stepper_plan(bench->stepper);
}

/* What a step computed, kept beyond its bench. */
typedef struct Gradient {
    TrainLosses losses;
    size_t count;
    float *values; /* [count] */
} Gradient;

/* Opens a bench, runs one whole step, and closes it. */
static Gradient gradient_of(const char *tune, int threads, int micro_batch, double memory,
                            int64_t number, TrainPlan *plan)
{
    Bench bench;
    bench_open(&bench, tune, threads, micro_batch, memory);
    step(&bench, BATCH, number);
    const size_t bytes = bench.tuned->count * sizeof(float);
    const Gradient gradient = {bench.losses, bench.tuned->count, malloc(bytes)};
    memcpy(gradient.values, bench.tuned->grads, bytes);
    if (plan)
        *plan = *plan_of(&bench);
    bench_close(&bench);
    return gradient;
}

/* Asserts equal bits and frees `b`. */
static void same_gradient(const Gradient *a, Gradient b)
{
    ck_assert_mem_eq(&a->losses, &b.losses, sizeof b.losses);
    ck_assert_uint_eq(a->count, b.count);
    ck_assert(memcmp(a->values, b.values, b.count * sizeof(float)) == 0);
    free(b.values);
}

static void same_as_bench(const Bench *a, const Bench *b)
{
    ck_assert_mem_eq(&a->losses, &b->losses, sizeof a->losses);
    ck_assert(memcmp(a->tuned->grads, b->tuned->grads, a->tuned->count * sizeof(float)) == 0);
}

#define DROPS "lora:2:q+k+v+out+fc1+fc2"

START_TEST(bits_do_not_depend_on_micro_batch_and_threads)
{
    const char *const tunes[] = {"ln", "all", DROPS};
    const int sizes[] = {1, 3, 8, 16};
    for (int tune = 0; tune < 3; tune++) {
        const Gradient whole = gradient_of(tunes[tune], 1, 16, 2, 5, NULL);
        for (int i = 0; i < 4; i++)
            for (int threads = 1; threads <= 2; threads++)
                same_gradient(&whole, gradient_of(tunes[tune], threads, sizes[i], 2, 5, NULL));
        free(whole.values);
    }
}
END_TEST

START_TEST(bits_do_not_depend_on_what_is_kept)
{
    TrainPlan all;
    const char *const tune = _i ? DROPS : "ln";
    const Gradient whole = gradient_of(tune, 1, 2, 4, 1, &all);
    ck_assert_int_eq(all.kept, 8);
    ck_assert(!all.forward_twice);
    const double others = (double)(all.total - all.step), step_bytes = (double)all.step;
    const double shares[] = {0.8, 0.55}; /* of the activations that the budget leaves room for */
    int kept_before = 8;
    for (int i = 0; i < 2; i++) {
        TrainPlan some;
        const double memory = (others + shares[i] * step_bytes) / (1 << 30);
        same_gradient(&whole, gradient_of(tune, 1, 2, memory, 1, &some));
        ck_assert(some.forward_twice);
        ck_assert_int_lt(some.kept, kept_before);
        ck_assert_uint_le(some.total, some.budget);
        kept_before = some.kept;
    }
    free(whole.values);
}
END_TEST

/* A micro-batch that does not fit whole: its blocks keep their inputs only. */
START_TEST(bits_do_not_depend_on_recomputation)
{
    TrainPlan whole_plan, plan;
    const char *const tune = _i ? DROPS : "ln";
    const Gradient whole = gradient_of(tune, 1, 16, 4, 1, &whole_plan);
    ck_assert(!whole_plan.recompute);
    const double others = (double)(whole_plan.total - whole_plan.step);
    const double memory = (others + 0.85 * (double)whole_plan.step) / (1 << 30);
    same_gradient(&whole, gradient_of(tune, 1, 16, memory, 1, &plan));
    ck_assert(plan.recompute && plan.kept == 0);
    ck_assert_uint_le(plan.total, plan.budget);
    free(whole.values);
}
END_TEST

/* SAM's second pass of a step drops the same as the first, another step or seed something else. */
START_TEST(dropout_is_that_of_the_step)
{
    Bench first, second;
    bench_open(&first, DROPS, 1, 3, 2);
    bench_open(&second, DROPS, 1, 8, 2);
    step(&first, BATCH, 4);
    step(&second, BATCH, 3);
    ck_assert_double_gt(fabs(first.losses.total - second.losses.total), 1e-6);
    step(&second, BATCH, 4);
    same_as_bench(&first, &second);
    set(&second, "seed", "43");
    step(&second, BATCH, 4);
    ck_assert_double_gt(fabs(first.losses.total - second.losses.total), 1e-6);
    set(&second, "lora.dropout", "0");
    step(&second, BATCH, 4);
    ck_assert_double_gt(fabs(first.losses.total - second.losses.total), 1e-6);
    bench_close(&second);
    bench_close(&first);
}
END_TEST

START_TEST(a_short_batch_is_the_same_whatever_came_before)
{
    Bench used, fresh;
    bench_open(&used, "ln", 1, 3, 2);
    step(&used, BATCH, 0);
    step(&used, 7, 1);
    step(&used, 10, 2);
    bench_open(&fresh, "ln", 2, 8, 2);
    step(&fresh, 10, 2);
    same_as_bench(&used, &fresh);
    bench_close(&fresh);
    bench_close(&used);
}
END_TEST

START_TEST(the_arena_is_as_large_as_planned_and_empty_between_steps)
{
    Bench bench;
    bench_open(&bench, _i ? DROPS : "ln", 1, 3, 2);
    step(&bench, BATCH, 0);
    const Arena *const arena = train_stepper_arena(bench.stepper);
    ck_assert_uint_eq(arena_used(arena), 0);
    ck_assert_uint_eq(arena_peak(arena), plan_of(&bench)->step);
    bench_close(&bench);
}
END_TEST

START_TEST(a_step_allocates_nothing)
{
#if SUPPORT_ALLOCATIONS
    Bench bench;
    bench_open(&bench, _i ? DROPS : "ln", 2, 3, 2);
    step(&bench, BATCH, 0);
    Error error = {0};
    const DataBatch batch = {.count = BATCH, .pixels = bench.pixels, .labels = bench.labels};
    const long start = support_allocations();
    void *volatile block = malloc(1);
    free(block);
    const long before = support_allocations(); /* assertions of Check allocate: none in between */
    const Status status =
        train_stepper_step(bench.stepper, &batch, NULL, 1, NULL, &bench.losses, &error);
    const long after = support_allocations();
    ck_assert_int_eq(before - start, 1); /* the counter does count */
    ck_assert_int_eq(status, STATUS_OK);
    ck_assert_int_eq(after - before, 0);
    bench_close(&bench);
#endif
}
END_TEST

START_TEST(a_stop_between_micro_batches_leaves_the_stepper_usable)
{
    Bench stopped, fresh;
    Error error = {0};
    volatile sig_atomic_t stop = 1;
    bench_open(&stopped, "ln", 1, 4, 2);
    const DataBatch batch = {.count = BATCH, .pixels = stopped.pixels, .labels = stopped.labels};
    ck_assert_int_eq(
        train_stepper_step(stopped.stepper, &batch, NULL, 0, &stop, &stopped.losses, &error),
        STATUS_INTERRUPTED);
    ck_assert_uint_eq(arena_used(train_stepper_arena(stopped.stepper)), 0);
    step(&stopped, BATCH, 3);
    bench_open(&fresh, "ln", 1, 4, 2);
    step(&fresh, BATCH, 3);
    same_as_bench(&stopped, &fresh);
    bench_close(&fresh);
    bench_close(&stopped);
}
END_TEST

START_TEST(ready_features_give_the_same_gradient)
{
    Bench frozen;
    Error error = {0};
    TrainLosses cached;
    bench_open(&frozen, "none", 1, 3, 2);
    step(&frozen, BATCH, 4);
    ck_assert(!plan_of(&frozen)->forward_twice && plan_of(&frozen)->kept == 0);
    float gradient[2 * WIDTH + 2];
    ck_assert_uint_eq(frozen.tuned->count, 2 * WIDTH + 2);
    memcpy(gradient, frozen.tuned->grads, sizeof gradient);

    /* The features, image by image, through a tape of their own. */
    float *const features = malloc((size_t)BATCH * WIDTH * sizeof *features);
    float *const numbers = malloc((size_t)3 * S * S * sizeof *numbers);
    Arena *arena = NULL;
    Tape *tape = NULL;
    ck_ok(arena_create(&arena, 64 << 20, &error), &error);
    ck_ok(tape_create(&tape, arena, NULL, vit_forward_operations(frozen.vit), &error), &error);
    for (int i = 0; i < BATCH; i++) {
        train_normalize(&frozen.vit->config, frozen.pixels + (size_t)i * S * S * 3, 1, NULL,
                        numbers);
        Tensor leaf = tensor_leaf(numbers, 4, (const int[]){1, 3, S, S});
        const Tensor *const feature = vit_forward(frozen.vit, tape, &leaf, NULL);
        memcpy(features + (size_t)i * WIDTH, tensor_f32(feature), WIDTH * sizeof *features);
        tape_reset(tape);
    }
    tape_destroy(tape);
    arena_destroy(arena);
    const DataBatch ready = {.count = BATCH, .labels = frozen.labels};
    ck_ok(train_stepper_step(frozen.stepper, &ready, features, 4, NULL, &cached, &error), &error);
    ck_assert_mem_eq(&cached, &frozen.losses, sizeof cached);
    ck_assert_mem_eq(gradient, frozen.tuned->grads, sizeof gradient);
    free(numbers);
    free(features);
    bench_close(&frozen);
}
END_TEST

/* ---- the choice of the plan: 100 bytes an image at work, 20 with recompute, 50 an
 * image kept -- */

static Status made_up_need(void *context, int micro_batch, int kept, bool recompute, size_t *bytes,
                           Error *error)
{
    (void)error;
    ++*(int *)context;
    *bytes = (size_t)((recompute ? 20 : 100) * micro_batch + 50 * micro_batch * kept);
    return STATUS_OK;
}

static TrainPlan choose(size_t budget, int batch, int micro_batch, Status expected, Error *error)
{
    int measured = 0;
    const TrainPlanLimits limits = {.batch_size = batch,
                                    .micro_batch = micro_batch,
                                    .preferred = 8,
                                    .keeps = true,
                                    .table_bytes = 1};
    TrainPlan plan = {.model = 1000, .budget = budget};
    ck_assert_int_eq(train_plan_choose(&plan, &limits, made_up_need, &measured, error), expected);
    ck_assert_int_lt(measured, 12);
    return plan;
}

START_TEST(the_plan_takes_what_fits)
{
    Error error = {0};
    TrainPlan plan = choose(1 << 20, 32, 0, STATUS_OK, &error); /* all */
    ck_assert(plan.micro_batch == 8 && plan.kept == 4 && !plan.forward_twice);
    ck_assert_uint_eq(plan.total, 1000 + 800 + 4 * 400 + 4);
    plan = choose(1000 + 800 + 2 * 401, 32, 0, STATUS_OK, &error); /* two of four micro-batches */
    ck_assert(plan.micro_batch == 8 && plan.kept == 2 && plan.forward_twice);
    plan = choose(1000 + 800, 32, 0, STATUS_OK, &error); /* none */
    ck_assert(plan.micro_batch == 8 && plan.kept == 0 && plan.forward_twice);
    plan = choose(1000 + 250, 32, 0, STATUS_OK, &error); /* smaller micro-batches */
    ck_assert(plan.micro_batch == 2 && plan.forward_twice);
    plan = choose(1 << 20, 3, 0, STATUS_OK, &error); /* never more than the batch */
    ck_assert(plan.micro_batch == 3 && plan.kept == 1);
    plan = choose(1 << 20, 32, 5, STATUS_OK, &error); /* given */
    ck_assert(plan.micro_batch == 5 && plan.micro_batches == 7 && plan.kept == 7);
    plan = choose(1000 + 99, 32, 0, STATUS_OK, &error); /* not even one image whole */
    ck_assert(plan.micro_batch == 4 && plan.recompute && plan.kept == 0 && plan.forward_twice);
    choose(1000 + 19, 32, 0, STATUS_FAILED, &error);
    ck_assert_ptr_nonnull(strstr(error.message, "set memory="));
}
END_TEST

/* Planning looks at a few micro-batches, however many there are: a million images are refused. */
START_TEST(a_batch_far_too_large_is_refused)
{
    Bench bench;
    TrainStepper *stepper = NULL;
    Error error = {0};
    bench_open(&bench, "ln", 0, 0, 1);
    bench.recipe.batch_size = 1000000;
    bench.recipe.memory = 0.3;
    ck_assert_int_eq(train_stepper_create(&stepper, bench.vit, &bench.head, bench.tuned,
                                          &bench.recipe, bench.recipe.batch_size, bench.threads, 0,
                                          &error),
                     STATUS_FAILED);
    ck_assert_ptr_nonnull(strstr(error.message, "a micro-batch of 1 image needs"));
    bench_close(&bench);
}
END_TEST

static Suite *suite(void)
{
    const TTest *const tests[] = {
        bits_do_not_depend_on_micro_batch_and_threads,
        dropout_is_that_of_the_step,
        a_short_batch_is_the_same_whatever_came_before,
        a_stop_between_micro_batches_leaves_the_stepper_usable,
        ready_features_give_the_same_gradient,
        the_plan_takes_what_fits,
        a_batch_far_too_large_is_refused,
    };
    const TTest *const with_dropout_too[] = {
        bits_do_not_depend_on_what_is_kept,
        bits_do_not_depend_on_recomputation,
        the_arena_is_as_large_as_planned_and_empty_between_steps,
        a_step_allocates_nothing,
    };
    Suite *const suite = suite_create("stepper");
    TCase *const cases = support_case(suite, "stepper", 120);
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
        tcase_add_test(cases, tests[i]);
    for (size_t i = 0; i < sizeof with_dropout_too / sizeof with_dropout_too[0]; i++)
        tcase_add_loop_test(cases, with_dropout_too[i], 0, 2);
    return suite;
}

int main(void)
{
    return support_main(suite());
}
