/*
 * test_sam.c - sharpness-aware minimisation and the moving average: steps against PyTorch
 * (tests/golden/make_sam.py), bits put back, and a whole run with both.
 */
#include "tests/splitmix.h"
#include "tests/support_folder.h"
#include "tests/support_train.h"

#include "data/loader.h"
#include "tensor/base/file.h"
#include "tensor/safetensors.h"
#include "train/ema.h"
#include "train/optimizer.h"
#include "train/sam.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { COUNT = 48, STEPS = 6 };

/* One entry without an encoder around it, and what its gradient w^3 - a goes to. */
typedef struct Toy {
    VitTuned tuned;
    VitTunedEntry entry;
    float values[COUNT], grads[COUNT], targets[COUNT];
} Toy;

static void draw(uint64_t *state, float *values)
{
    for (int i = 0; i < COUNT; i++)
        values[i] = (float)(((double)(splitmix(state) >> 40) / 16777216.0 - 0.5) * 2);
}

static void make_toy(Toy *toy, uint64_t seed)
{
    memset(toy, 0, sizeof *toy);
    toy->entry = (VitTunedEntry){.count = COUNT};
    toy->tuned = (VitTuned){.values = toy->values,
                            .grads = toy->grads,
                            .count = COUNT,
                            .entries = &toy->entry,
                            .entry_count = 1};
    draw(&seed, toy->values);
    draw(&seed, toy->targets);
}

static void toy_gradient(Toy *toy)
{
    for (int i = 0; i < COUNT; i++)
        toy->grads[i] = toy->values[i] * toy->values[i] * toy->values[i] - toy->targets[i];
}

static void check_row(FILE *golden, const float *values, const char *what, int number, int step)
{
    for (int i = 0; i < COUNT; i++) {
        double expected = 0;
        ck_assert_int_eq(fscanf(golden, "%lf", &expected), 1);
        /* Each step moves a value of size 1 by 0.05 at most: some units in the last place. */
        ck_assert_msg(fabs((double)values[i] - expected) <= 1e-6,
                      "case %d, step %d, %s %d: %.9g, expected %.9g", number, step, what, i,
                      (double)values[i], expected);
    }
}

static void run_case(FILE *golden, int number, const TrainRecipe *recipe, double lr)
{
    static Toy toy;
    TrainOptimizer optimizer;
    TrainSam sam;
    TrainEma ema;
    Error error = {0};
    make_toy(&toy, 100 + (uint64_t)number);
    ck_ok(train_optimizer_create(&optimizer, recipe, COUNT, &error), &error);
    ck_ok(train_sam_create(&sam, recipe, COUNT, &error), &error);
    ck_ok(train_ema_create(&ema, recipe, &toy.tuned, &error), &error);
    for (int step = 0; step < STEPS; step++) {
        float before[COUNT];
        memcpy(before, toy.values, sizeof before);
        toy_gradient(&toy);
        train_sam_climb(&sam, &toy.tuned);
        ck_assert(memcmp(before, toy.values, sizeof before) != 0);
        toy_gradient(&toy);
        train_sam_return(&sam, &toy.tuned);
        ck_assert(memcmp(before, toy.values, sizeof before) == 0);
        train_optimizer_step(&optimizer, &toy.tuned, lr);
        train_ema_update(&ema, &toy.tuned, optimizer.steps);
        check_row(golden, toy.values, "value", number, step);
        check_row(golden, ema.average, "average", number, step);
    }
    train_ema_destroy(&ema);
    train_sam_destroy(&sam);
    train_optimizer_destroy(&optimizer);
}

START_TEST(steps_equal_pytorch)
{
    FILE *const golden = support_golden_open("sam.txt");
    TrainRecipe recipe = {
        .optimizer = TRAIN_OPTIMIZER_SGD, .beta1 = 0.9, .sam_rho = 0.05, .ema = 0.9};
    run_case(golden, 0, &recipe, 0.05);
    recipe.sam_rho = 0.5;
    recipe.sam_adaptive = true;
    recipe.ema = 0.99;
    run_case(golden, 1, &recipe, 0.05);
    recipe = (TrainRecipe){
        .beta1 = 0.9, .beta2 = 0.999, .sam_rho = 0.1, .sam_adaptive = true, .ema = 0.5}; /* AdamW */
    run_case(golden, 2, &recipe, 0.01);
    fclose(golden);
}
END_TEST

/* The climb is rho long (in units of |w| if adaptive), and a gradient of 0 leads nowhere. */
START_TEST(the_climb_is_rho_long)
{
    static Toy toy;
    Error error = {0};
    for (int adaptive = 0; adaptive < 2; adaptive++) {
        const TrainRecipe recipe = {.sam_rho = 0.05, .sam_adaptive = adaptive};
        TrainSam sam;
        make_toy(&toy, 7);
        toy_gradient(&toy);
        ck_ok(train_sam_create(&sam, &recipe, COUNT, &error), &error);
        train_sam_climb(&sam, &toy.tuned);
        double sum = 0;
        for (int i = 0; i < COUNT; i++) {
            const double e = (double)toy.values[i] - (double)sam.saved[i];
            const double unit = adaptive ? (double)sam.saved[i] : 1;
            sum += e * e / (unit * unit);
        }
        ck_assert_double_eq_tol(sqrt(sum), 0.05, 1e-5);
        train_sam_return(&sam, &toy.tuned);
        memset(toy.grads, 0, sizeof toy.grads);
        train_sam_climb(&sam, &toy.tuned);
        ck_assert(memcmp(toy.values, sam.saved, sizeof toy.values) == 0);
        train_sam_destroy(&sam);
    }
}
END_TEST

START_TEST(swapping_twice_changes_nothing)
{
    static Toy toy;
    Error error = {0};
    TrainEma ema;
    const TrainRecipe on = {.ema = 0.9}, off = {0};
    make_toy(&toy, 8);
    ck_ok(train_ema_create(&ema, &on, &toy.tuned, &error), &error);
    float first[COUNT], second[COUNT];
    memcpy(first, toy.values, sizeof first);
    train_ema_update(&ema, &toy.tuned, 1);
    ck_assert(memcmp(ema.average, first, sizeof first) == 0); /* begins at the first values */
    draw(&(uint64_t){9}, toy.values);
    memcpy(second, toy.values, sizeof second);
    train_ema_swap(&ema, &toy.tuned);
    ck_assert(memcmp(toy.values, first, sizeof first) == 0);
    train_ema_swap(&ema, &toy.tuned);
    ck_assert(memcmp(toy.values, second, sizeof second) == 0);
    train_ema_destroy(&ema);

    ck_ok(train_ema_create(&ema, &off, &toy.tuned, &error), &error);
    train_ema_update(&ema, &toy.tuned, 1);
    train_ema_swap(&ema, &toy.tuned);
    ck_assert(memcmp(toy.values, second, sizeof second) == 0);
    train_ema_destroy(&ema);
}
END_TEST

/* ---- whole runs ------------------------------------------------------------------------------ */

static void setup(void)
{
    support_folder_setup();
    support_write_frames(support_in_folder(""), 3, 2, 40);
}

/* The values of a tensor of folder/run/name.safetensors [count], owned by the caller. */
static float *tensor_of(const char *name, const char *tensor, size_t count)
{
    Error error = {0};
    SafeTensors *file = NULL;
    char path[4200];
    snprintf(path, sizeof path, "%s/%s", support_in_folder("run"), name);
    ck_ok(safetensors_open(&file, path, &error), &error);
    const SafeTensor *const found = safetensors_find(file, tensor);
    ck_assert_ptr_nonnull(found);
    ck_assert_uint_eq(found->bytes, count * sizeof(float));
    float *const copy = malloc(found->bytes);
    memcpy(copy, found->data, found->bytes);
    safetensors_close(file);
    return copy;
}

/* One step by hand: two gradients of the same batch with the same draws, then the optimizer. */
START_TEST(a_step_of_a_run_is_the_step_of_the_method)
{
    const VitConfig config = support_tiny_config();
    const char *const settings =
        "batch_size=8 max_steps=1 epochs=1 sam.rho=0.2 sam.adaptive=on augment=off shuffle=off";
    SupportJob job;
    TrainResult result;
    Error error = {0};
    support_job_open(&job, support_in_folder(""), "run", &config, settings);
    const size_t count = job.tuned->count;
    ck_ok(train_run(&job.job, &result, &error), &error);
    float *const trained = tensor_of("state.safetensors", "values", count);
    support_job_close(&job);

    support_job_open(&job, support_in_folder(""), NULL, &config, settings);
    ck_ok(vit_pack(job.vit, PRECISION_F32, true, job.threads, &error), &error);
    DataLoaderSettings loading = data_loader_defaults();
    loading.image_size = config.image_size;
    loading.batch_size = 8;
    DataLoader *loader = NULL;
    DataBatch batch;
    ck_ok(data_loader_create(&loader, &job.train, &loading, &error), &error);
    ck_ok(data_loader_start(loader, 0, 0, &error), &error);
    ck_ok(data_loader_next(loader, &batch, &error), &error);
    TrainStepper *stepper = NULL;
    TrainSam sam;
    TrainOptimizer optimizer;
    TrainLosses losses, uphill;
    ck_ok(train_stepper_create(&stepper, job.vit, &job.head, job.tuned, &job.recipe,
                               job.recipe.batch_size, job.threads, 0, &error),
          &error);
    ck_ok(train_sam_create(&sam, &job.recipe, count, &error), &error);
    ck_ok(train_optimizer_create(&optimizer, &job.recipe, count, &error), &error);
    ck_ok(train_stepper_step(stepper, &batch, NULL, 0, NULL, &losses, &error), &error);
    train_sam_climb(&sam, job.tuned);
    ck_ok(train_stepper_step(stepper, &batch, NULL, 0, NULL, &uphill, &error), &error);
    ck_assert(uphill.total > losses.total);
    train_sam_return(&sam, job.tuned);
    train_optimizer_step(&optimizer, job.tuned, job.recipe.lr);
    ck_assert(memcmp(job.tuned->values, trained, count * sizeof(float)) == 0);

    train_optimizer_destroy(&optimizer);
    train_sam_destroy(&sam);
    train_stepper_destroy(stepper);
    data_loader_destroy(loader);
    support_job_close(&job);
    free(trained);
}
END_TEST

/* Each keeps a copy of what trains, and the plan of the memory counts it. */
START_TEST(the_plan_counts_what_they_keep)
{
    const VitConfig config = support_tiny_config();
    const char *const settings[] = {"augment=off", "augment=off sam.rho=0.1",
                                    "augment=off sam.rho=0.1 ema=0.9"};
    size_t state[3], count = 0;
    for (int i = 0; i < 3; i++) {
        SupportJob job;
        TrainStepper *stepper = NULL;
        Error error = {0};
        support_job_open(&job, support_in_folder(""), NULL, &config, settings[i]);
        count = job.tuned->count;
        ck_ok(train_stepper_create(&stepper, job.vit, &job.head, job.tuned, &job.recipe,
                                   job.recipe.batch_size, job.threads, 0, &error),
              &error);
        state[i] = train_stepper_plan(stepper)->state;
        train_stepper_destroy(stepper);
        support_job_close(&job);
    }
    ck_assert_uint_eq(state[1] - state[0], count * sizeof(float));
    ck_assert_uint_eq(state[2] - state[1], count * sizeof(float));
}
END_TEST

/* Adapters, validation and the values left behind are those of the average; the state has both. */
START_TEST(the_average_is_what_counts)
{
    const VitConfig config = support_tiny_config();
    SupportJob job;
    TrainResult result;
    Error error = {0};
    support_job_open(&job, support_in_folder(""), "run", &config, "ema=0.7 epochs=2 lr=1e-2");
    const size_t count = job.tuned->count;
    ck_ok(train_run(&job.job, &result, &error), &error);
    float *const values = tensor_of("state.safetensors", "values", count);
    float *const average = tensor_of("state.safetensors", "average", count);
    const int last = job.tuned->entry_count - 1;
    const VitTunedEntry *const bias = &job.tuned->entries[last];
    float *const adapter = tensor_of("last.safetensors", bias->name, bias->count);
    ck_assert(memcmp(values, average, count * sizeof(float)) != 0);
    ck_assert(memcmp(job.tuned->values, average, count * sizeof(float)) == 0);
    ck_assert(memcmp(adapter, average + bias->offset, bias->count * sizeof(float)) == 0);
    free(adapter);
    free(average);
    free(values);
    support_job_close(&job);
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("sam");
    TCase *const golden = support_case(suite, "steps", 10);
    tcase_add_test(golden, steps_equal_pytorch);
    tcase_add_test(golden, the_climb_is_rho_long);
    tcase_add_test(golden, swapping_twice_changes_nothing);
    TCase *const runs = support_case(suite, "runs", 60);
    tcase_add_checked_fixture(runs, setup, support_folder_teardown);
    tcase_add_test(runs, a_step_of_a_run_is_the_step_of_the_method);
    tcase_add_test(runs, the_plan_counts_what_they_keep);
    tcase_add_test(runs, the_average_is_what_counts);
    return support_main(suite);
}
