/*
 * test_optimizer.c - steps and learning rates against PyTorch (tests/golden/make_optimizer.py).
 */
#include "tests/splitmix.h"
#include "tests/support.h"

#include "train/optimizer.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { COUNT = 48, STEPS = 6, ENTRIES = 3 };

static const size_t entry_counts[ENTRIES] = {16, 24, 8};

static void fill(uint64_t *state, float *values, size_t count, double scale)
{
    for (size_t i = 0; i < count; i++)
        values[i] = (float)(((double)(splitmix(state) >> 40) / 16777216.0 - 0.5) * scale);
}

/* What trains, without an encoder around it: three entries, the first of which decays. */
typedef struct Toy {
    VitTuned tuned;
    VitTunedEntry entries[ENTRIES];
    float values[COUNT], grads[COUNT];
} Toy;

static void make_toy(Toy *toy)
{
    memset(toy, 0, sizeof *toy);
    size_t offset = 0;
    for (int i = 0; i < ENTRIES; i++) {
        toy->entries[i] =
            (VitTunedEntry){.offset = offset, .count = entry_counts[i], .decays = i == 0};
        offset += entry_counts[i];
    }
    toy->tuned = (VitTuned){.values = toy->values,
                            .grads = toy->grads,
                            .count = COUNT,
                            .entries = toy->entries,
                            .entry_count = ENTRIES};
}

typedef struct Case {
    TrainOptimizerKind kind;
    double beta1, beta2, weight_decay, limit;
} Case;

static const Case cases[] = {
    {TRAIN_OPTIMIZER_ADAMW, 0.9, 0.999, 0, 0},
    {TRAIN_OPTIMIZER_ADAMW, 0.8, 0.99, 0.1, 0},
    {TRAIN_OPTIMIZER_SGD, 0.9, 0, 0.05, 0},
    {TRAIN_OPTIMIZER_SGD, 0, 0, 0, 0.5},
};

static void run_case(uint64_t number, FILE *golden)
{
    const Case *const c = &cases[number];
    TrainRecipe recipe = {.optimizer = c->kind,
                          .beta1 = c->beta1,
                          .beta2 = c->beta2,
                          .weight_decay = c->weight_decay};
    static Toy toy;
    make_toy(&toy);
    TrainOptimizer optimizer;
    Error error = {0};
    ck_ok(train_optimizer_create(&optimizer, &recipe, COUNT, &error), &error);
    uint64_t state = number;
    fill(&state, toy.values, COUNT, 2);
    for (int step = 0; step < STEPS; step++) {
        for (int i = 0; i < ENTRIES; i++)
            fill(&state, toy.grads + toy.entries[i].offset, toy.entries[i].count,
                 i == 2 ? 0x1p-24 : 1);
        if (c->limit > 0)
            train_clip_grads(&toy.tuned, train_grad_norm(&toy.tuned), c->limit);
        train_optimizer_step(&optimizer, &toy.tuned, 1e-2 / (step + 1));
        for (int i = 0; i < COUNT; i++) {
            double expected = 0;
            ck_assert_int_eq(fscanf(golden, "%lf", &expected), 1);
            /* Parameters are of size 1 and move by 1e-2: two units in the last place of an f32. */
            ck_assert_msg(fabs(toy.values[i] - expected) <= 1.2e-7 * fmax(1, fabs(expected)),
                          "case %d, step %d, parameter %d: %.9g, expected %.9g", (int)number, step,
                          i, (double)toy.values[i], expected);
        }
    }
    ck_assert_int_eq(optimizer.steps, STEPS);
    train_optimizer_destroy(&optimizer);
}

START_TEST(steps_equal_pytorch)
{
    FILE *const golden = support_golden_open("optimizer.txt");
    for (uint64_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        run_case(i, golden);
    fclose(golden);
}
END_TEST

/* The schedules of make_optimizer.py: GenD's, with its 6 steps an epoch. */
typedef struct Schedule {
    TrainRecipe recipe;
    int steps;
} Schedule;

static const Schedule schedules[] = {
    {{.scheduler = TRAIN_SCHEDULER_COSINE, .lr = 8e-5, .min_lr = 5e-5}, 37},
    {{.scheduler = TRAIN_SCHEDULER_CYCLIC,
      .lr = 3e-4,
      .min_lr = 1e-5,
      .warmup_epochs = 1,
      .cycle_epochs = 2},
     37},
    /* The cosine's period is not shortened by the warm-up. */
    {{.scheduler = TRAIN_SCHEDULER_COSINE, .lr = 3e-4, .min_lr = 1e-5, .warmup_epochs = 1}, 36},
    /* Fractions of a step are cut: 4.5 steps of warm-up are 4; 1.8 are 1, 15.6 of a cycle 15. */
    {{.scheduler = TRAIN_SCHEDULER_COSINE, .lr = 3e-4, .min_lr = 1e-5, .warmup_epochs = 0.75}, 36},
    {{.scheduler = TRAIN_SCHEDULER_CYCLIC,
      .lr = 3e-4,
      .min_lr = 1e-5,
      .warmup_epochs = 0.3,
      .cycle_epochs = 2.6},
     36},
    {{.scheduler = TRAIN_SCHEDULER_CONSTANT, .lr = 3e-4, .min_lr = 1e-5, .warmup_epochs = 0.999},
     12},
};

START_TEST(rates_equal_pytorch)
{
    FILE *const golden = support_golden_open("optimizer.txt");
    double expected = 0;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0] * STEPS * COUNT; i++)
        ck_assert_int_eq(fscanf(golden, "%lf", &expected), 1);
    for (size_t i = 0; i < sizeof schedules / sizeof schedules[0]; i++) {
        const Schedule *const schedule = &schedules[i];
        for (int step = 0; step < schedule->steps; step++) {
            ck_assert_int_eq(fscanf(golden, "%lf", &expected), 1);
            const double rate = train_learning_rate(&schedule->recipe, step, schedule->steps, 6);
            ck_assert_msg(fabs(rate - expected) <= 1e-12 * expected,
                          "schedule %zu, step %d: %.17g, expected %.17g", i, step, rate, expected);
        }
    }
    fclose(golden);
}
END_TEST

START_TEST(constant_rate_and_ends)
{
    TrainRecipe recipe = {
        .lr = 1e-3, .min_lr = 1e-4, .scheduler = TRAIN_SCHEDULER_CONSTANT, .warmup_epochs = 0.5};
    ck_assert_double_eq(train_learning_rate(&recipe, 0, 100, 10), 1e-4);
    ck_assert_double_eq(train_learning_rate(&recipe, 5, 100, 10), 1e-3);
    ck_assert_double_eq(train_learning_rate(&recipe, 99, 100, 10), 1e-3);
    /* A run that ends within its warm-up, and one of a single step. */
    recipe.scheduler = TRAIN_SCHEDULER_COSINE;
    recipe.warmup_epochs = 3;
    ck_assert_double_eq_tol(train_learning_rate(&recipe, 9, 10, 10), 1e-4 + 9e-4 * 9 / 30, 1e-18);
    recipe.warmup_epochs = 0;
    ck_assert_double_eq(train_learning_rate(&recipe, 0, 1, 1), 1e-3);
}
END_TEST

/* Clipping leaves short gradients alone, to the bit, and does not divide by zero. */
START_TEST(clipping)
{
    static Toy toy;
    make_toy(&toy);
    toy.grads[3] = 3;
    toy.grads[40] = -4;
    ck_assert_double_eq(train_grad_norm(&toy.tuned), 5);
    train_clip_grads(&toy.tuned, 5, 5.1);
    ck_assert(toy.grads[3] == 3 && toy.grads[40] == -4);
    train_clip_grads(&toy.tuned, 5, 1);
    ck_assert_double_eq_tol(train_grad_norm(&toy.tuned), 1, 1e-6);
    memset(toy.grads, 0, sizeof toy.grads);
    train_clip_grads(&toy.tuned, 0, 1);
    ck_assert(toy.grads[0] == 0);
    toy.grads[7] = NAN;
    ck_assert(isnan(train_grad_norm(&toy.tuned)));
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("optimizer");
    TCase *const golden = support_case(suite, "golden", 10);
    tcase_add_test(golden, steps_equal_pytorch);
    tcase_add_test(golden, rates_equal_pytorch);
    TCase *const limits = support_case(suite, "limits", 10);
    tcase_add_test(limits, constant_rate_and_ends);
    tcase_add_test(limits, clipping);
    return support_main(suite);
}
