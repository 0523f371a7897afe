/*
 * test_objective.c - the loss of a whole batch: its parts against the formulas written out in
 * double, SLERP's draws, and the gradient along random directions.
 */
#include "tests/support.h"

#include "train/recipe.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { N = 9, D = 12 };

typedef struct Setup {
    TrainRecipe recipe;
    TrainObjective objective;
    VitHead head;
    SupportEngine engine;
    float features[N * D], dfeatures[N * D];
    float dweight[VIT_CLASSES * D], dbias[VIT_CLASSES];
    int labels[N];
} Setup;

static void setup_open(Setup *setup, const char *const settings[][2], int count)
{
    Error error = {0};
    *setup = (Setup){.labels = {0, 1, 1, 0, 1, 0, 0, 1, 1}};
    ck_ok(train_recipe_named(&setup->recipe, "paper", &error), &error);
    ck_ok(train_recipe_set(&setup->recipe, "batch_size", "9", &error), &error);
    for (int i = 0; i < count; i++)
        ck_ok(train_recipe_set(&setup->recipe, settings[i][0], settings[i][1], &error), &error);
    ck_ok(train_objective_create(&setup->objective, &setup->recipe, &error), &error);
    ck_ok(vit_head_create(&setup->head, setup->recipe.head, D, 5, &error), &error);
    setup->head.weight.needs_grad = setup->head.bias.needs_grad = true;
    setup->head.weight.grad = setup->dweight;
    setup->head.bias.grad = setup->dbias;
    support_engine_open(&setup->engine, 1, 1 << 20);
    support_fill_normal(setup->features, N * D, 1, 2);
}

static void setup_close(Setup *setup)
{
    support_engine_close(&setup->engine);
    vit_head_destroy(&setup->head);
    train_objective_destroy(&setup->objective);
}

/* Runs the objective; with `backward` also fills the gradients. */
static TrainLosses run(Setup *setup, int rows, int64_t step, bool training, bool backward)
{
    TrainLosses losses;
    Tensor leaf = tensor_leaf(setup->features, 2, (const int[]){rows, D});
    leaf.needs_grad = backward;
    leaf.grad = setup->dfeatures;
    memset(setup->dfeatures, 0, sizeof setup->dfeatures);
    memset(setup->dweight, 0, sizeof setup->dweight);
    memset(setup->dbias, 0, sizeof setup->dbias);
    Tensor *const total =
        train_objective_forward(&setup->objective, setup->engine.tape, &setup->head, &leaf,
                                setup->labels, step, training, &losses);
    if (backward)
        tape_backward(setup->engine.tape, total, NULL);
    tape_reset(setup->engine.tape);
    return losses;
}

/* The three parts without slerp, written out in double (docs/method.md). */
static void expected_losses(const Setup *setup, double *ce, double *alignment, double *uniformity)
{
    const float *const W = tensor_f32(&setup->head.weight), *const b =
                                                                tensor_f32(&setup->head.bias);
    double z[N][D], kernel_sum = 0, distance_sum = 0;
    int pairs = 0, same = 0;
    *ce = 0;
    for (int i = 0; i < N; i++) {
        double norm = 0, logits[2] = {(double)b[0], (double)b[1]};
        for (int d = 0; d < D; d++)
            norm += pow((double)setup->features[i * D + d], 2);
        for (int d = 0; d < D; d++) {
            z[i][d] = (double)setup->features[i * D + d] / sqrt(norm);
            logits[0] += (double)W[d] * z[i][d];
            logits[1] += (double)W[D + d] * z[i][d];
        }
        *ce += log(exp(logits[0]) + exp(logits[1])) - logits[setup->labels[i]];
    }
    for (int i = 0; i < N; i++) {
        for (int j = i + 1; j < N; j++) {
            double distance = 0;
            for (int d = 0; d < D; d++)
                distance += pow(z[i][d] - z[j][d], 2);
            kernel_sum += exp(-2 * distance);
            pairs++;
            if (setup->labels[i] == setup->labels[j]) {
                distance_sum += distance;
                same++;
            }
        }
    }
    *ce /= N;
    *alignment = distance_sum / same;
    *uniformity = log(kernel_sum / pairs);
}

START_TEST(parts_are_the_formulas_and_the_total_their_weighted_sum)
{
    const char *const settings[][2] = {
        {"slerp", "off"}, {"loss.ce", "0.5"}, {"loss.alignment", "0.25"}, {"loss.uniformity", "2"}};
    Setup setup;
    double ce, alignment, uniformity;
    setup_open(&setup, settings, 4);
    expected_losses(&setup, &ce, &alignment, &uniformity);
    const TrainLosses losses = run(&setup, N, 0, true, false);
    ck_close(losses.part[TRAIN_LOSS_CE], ce, 1e-6);
    ck_close(losses.part[TRAIN_LOSS_ALIGNMENT], alignment, 1e-6);
    ck_close(losses.part[TRAIN_LOSS_UNIFORMITY], uniformity, 1e-6);
    ck_close(losses.total, 0.5 * ce + 0.25 * alignment + 2 * uniformity, 1e-6);
    setup_close(&setup);
}
END_TEST

START_TEST(parts_are_told_at_weight_0_and_send_no_gradient)
{
    const char *const settings[][2] = {{"slerp", "off"}};
    Setup setup;
    double ce, alignment, uniformity;
    setup_open(&setup, settings, 1);
    expected_losses(&setup, &ce, &alignment, &uniformity);
    const TrainLosses losses = run(&setup, N, 0, true, true);
    ck_close(losses.part[TRAIN_LOSS_ALIGNMENT], alignment, 1e-6);
    ck_close(losses.part[TRAIN_LOSS_UNIFORMITY], uniformity, 1e-6);
    ck_assert_float_eq(losses.total, losses.part[TRAIN_LOSS_CE]);
    /* A constant shift of all logits of a class is all that the bias does: its gradients cancel. */
    ck_assert_float_eq_tol(setup.dbias[0] + setup.dbias[1], 0.0F, 1e-6F);
    setup_close(&setup);
}
END_TEST

START_TEST(a_batch_of_one_has_no_pairs)
{
    const char *const settings[][2] = {{"loss.alignment", "1"}, {"loss.uniformity", "1"}};
    Setup setup;
    setup_open(&setup, settings, 2);
    const TrainLosses losses = run(&setup, 1, 0, true, true);
    ck_assert_float_eq(losses.part[TRAIN_LOSS_ALIGNMENT], 0.0F);
    ck_assert_float_eq(losses.part[TRAIN_LOSS_UNIFORMITY], 0.0F);
    ck_assert(isfinite(losses.total) && isfinite(setup.dfeatures[0]));
    setup_close(&setup);
}
END_TEST

START_TEST(slerp_pairs_rows_of_one_class_by_a_permutation)
{
    Setup setup;
    setup_open(&setup, NULL, 0);
    for (int64_t step = 0; step < 50; step++) {
        int taken[N] = {0};
        run(&setup, N, step, true, false);
        for (int i = 0; i < N; i++) {
            const int partner = setup.objective.partner[i];
            ck_assert_int_ge(partner, 0);
            ck_assert_int_eq(setup.labels[partner], setup.labels[i]);
            taken[partner]++;
            ck_assert(setup.objective.t[i] >= 0 && setup.objective.t[i] <= 1);
        }
        for (int i = 0; i < N; i++)
            ck_assert_int_eq(taken[i], 1);
    }
    setup_close(&setup);
}
END_TEST

START_TEST(slerp_leaves_the_only_row_of_a_class)
{
    Setup setup;
    setup_open(&setup, NULL, 0);
    memset(setup.labels, 0, sizeof setup.labels);
    setup.labels[4] = 1;
    run(&setup, N, 3, true, false);
    for (int i = 0; i < N; i++)
        ck_assert_int_eq(setup.objective.partner[i] == -1, i == 4);
    setup_close(&setup);
}
END_TEST

START_TEST(slerp_belongs_to_seed_and_step)
{
    Setup setup;
    setup_open(&setup, NULL, 0);
    const TrainLosses first = run(&setup, N, 7, true, false);
    const TrainLosses other = run(&setup, N, 8, true, false);
    const TrainLosses again = run(&setup, N, 7, true, true);
    ck_assert_mem_eq(&first, &again, sizeof first);
    ck_assert_float_ne(first.total, other.total);
    setup.recipe.seed++;
    ck_assert_float_ne(run(&setup, N, 7, true, false).total, first.total);
    setup_close(&setup);
}
END_TEST

/* t lies in the range of the keys, and is the t of 0 to 1 stretched, as in the published code. */
START_TEST(slerp_draws_t_from_its_range)
{
    const struct {
        const char *least, *most;
    } ranges[] = {{"0.25", "0.75"}, {"-0.5", "1.5"}, {"0.5", "0.5"}, {"0", "1"}};
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
        const char *const settings[][2] = {{"slerp.min", ranges[i].least},
                                           {"slerp.max", ranges[i].most}};
        const double least = strtod(ranges[i].least, NULL), most = strtod(ranges[i].most, NULL);
        Setup plain, ranged;
        setup_open(&plain, NULL, 0);
        setup_open(&ranged, settings, 2);
        for (int64_t step = 0; step < 20; step++) {
            run(&plain, N, step, true, false);
            run(&ranged, N, step, true, false);
            ck_assert_mem_eq(plain.objective.partner, ranged.objective.partner, N * sizeof(int));
            for (int row = 0; row < N; row++) {
                const double t = (double)ranged.objective.t[row];
                const double unit = (double)plain.objective.t[row];
                ck_assert(t >= least && t <= most);
                ck_close(t, least + unit * (most - least), 1e-7);
            }
        }
        setup_close(&ranged);
        setup_close(&plain);
    }
}
END_TEST

START_TEST(validation_sees_no_slerp)
{
    Setup setup;
    double ce, alignment, uniformity;
    setup_open(&setup, NULL, 0);
    expected_losses(&setup, &ce, &alignment, &uniformity);
    ck_close(run(&setup, N, 0, false, false).part[TRAIN_LOSS_CE], ce, 1e-6);
    setup_close(&setup);
}
END_TEST

/*
 * (L(f + h d) - L(f - h d)) / 2h against <dL/df, d>, for all weights on, slerp included. f32 losses
 * of size 1 carry 6e-8, so h = 1e-2 leaves 1e-5 of noise beside a curvature of about h^2.
 */
START_TEST(the_gradient_is_the_slope)
{
    const char *const settings[][2] = {{"loss.alignment", "0.5"},
                                       {"loss.uniformity", "0.5"},
                                       {"loss.label_smoothing", "0.1"},
                                       {"slerp.min", "-0.5"},
                                       {"slerp.max", "1.5"}};
    for (int way = 0; way < 4; way++) {
        const int kind = way / 2;
        Setup setup;
        setup_open(&setup, settings, way % 2 ? 5 : 3);
        setup.head.kind = kind ? VIT_HEAD_LINEAR : VIT_HEAD_LINEAR_NORM;
        float saved[N * D], direction[N * D], gradient[N * D];
        memcpy(saved, setup.features, sizeof saved);
        run(&setup, N, 2, true, true);
        memcpy(gradient, setup.dfeatures, sizeof gradient);
        for (unsigned trial = 0; trial < 5; trial++) {
            const float h = 1e-2F;
            double slope = 0;
            support_fill_normal(direction, N * D, 100 + trial, 1);
            for (int i = 0; i < N * D; i++) {
                slope += (double)gradient[i] * (double)direction[i];
                setup.features[i] = saved[i] + h * direction[i];
            }
            const double above = (double)run(&setup, N, 2, true, false).total;
            for (int i = 0; i < N * D; i++)
                setup.features[i] = saved[i] - h * direction[i];
            const double below = (double)run(&setup, N, 2, true, false).total;
            ck_close((above - below) / (2 * (double)h), slope, 2e-3);
        }
        setup_close(&setup);
    }
}
END_TEST

START_TEST(planning_runs_on_shapes_alone)
{
    Setup setup;
    Error error = {0};
    Arena *arena = NULL;
    Tape *tape = NULL;
    setup_open(&setup, NULL, 0);
    ck_ok(arena_create_measuring(&arena, &error), &error);
    ck_ok(tape_create(&tape, arena, NULL, TRAIN_OBJECTIVE_OPERATIONS, &error), &error);
    Tensor leaf = tensor_leaf(setup.features, 2, (const int[]){N, D});
    leaf.needs_grad = true;
    leaf.grad = setup.dfeatures;
    Tensor *const total = train_objective_forward(&setup.objective, tape, &setup.head, &leaf, NULL,
                                                  0, true, &(TrainLosses){0});
    tape_backward(tape, total, NULL);
    tape_reset(tape);
    ck_assert_uint_eq(arena_used(arena), 0);
    ck_assert_uint_gt(arena_peak(arena), 0);
    tape_destroy(tape);
    arena_destroy(arena);
    setup_close(&setup);
}
END_TEST

static Suite *suite(void)
{
    const TTest *const tests[] = {
        parts_are_the_formulas_and_the_total_their_weighted_sum,
        parts_are_told_at_weight_0_and_send_no_gradient,
        a_batch_of_one_has_no_pairs,
        slerp_pairs_rows_of_one_class_by_a_permutation,
        slerp_leaves_the_only_row_of_a_class,
        slerp_belongs_to_seed_and_step,
        slerp_draws_t_from_its_range,
        validation_sees_no_slerp,
        the_gradient_is_the_slope,
        planning_runs_on_shapes_alone,
    };
    Suite *const suite = suite_create("objective");
    TCase *const cases = support_case(suite, "objective", 30);
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
        tcase_add_test(cases, tests[i]);
    return suite;
}

int main(void)
{
    return support_main(suite());
}
