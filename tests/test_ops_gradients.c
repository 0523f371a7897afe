/*
 * test_ops_gradients.c - the contract of every operation, on every case of support_op_cases.c:
 *
 *   - its gradients equal finite differences, for every operand;
 *   - a frozen operand gets no gradient, and the gradients of the others are bit-identical for
 *     every set of frozen operands;
 *   - backward adds to the gradient it finds;
 *   - the number of threads, and dividing the batch into micro-batches, change no bit;
 *   - planning over a measuring arena finds exactly the memory that running takes.
 *
 * Finite differences are central and of fourth order, (8 (f(h) - f(-h)) - (f(2h) - f(-2h))) / 12h,
 * on the objective f = sum(seed y) in double. With values near 1 the truncation error, about h^4 /
 * 30 of the gradient, is below 1e-6. The error allowed, in the Euclidean norm over an operand, is
 * 1e-4 of the gradient plus the rounding error of a float32 y divided by h.
 *
 * Cases in bf16 cast their operands to bf16 and the result back. Their values are multiples of h
 * below 8: bf16 represents them and their steps exactly, so the same bounds apply. Rounding in bf16
 * is tested in test_ops_bf16.c.
 */
#include "tests/support.h"
#include "tests/support_op_cases.h"

#include <math.h>
#include <string.h>

enum { MAX_OPERANDS = 8, SAMPLED = 48, ARENA_BYTES = 1 << 23 };

#define STEP (1.0 / 32)

typedef struct Operand {
    bool batched;
    int ndim, shape[TENSOR_MAX_DIMS];
} Operand;

/* Operands and seed of one case. */
typedef struct Bench {
    const SupportOpCase *c;
    int operands;
    Operand operand[MAX_OPERANDS];
    size_t count[MAX_OPERANDS];
    float *data[MAX_OPERANDS];
    size_t outputs;
    float *seed; /* [outputs] */
} Bench;

/* Results of a run: y and the gradients of the operands that need one. */
typedef struct Run {
    float *y;
    float *grad[MAX_OPERANDS];
} Run;

static Tensor operand_leaf(const Bench *bench, int i, int first, int samples)
{
    const Operand *const operand = &bench->operand[i];
    int shape[TENSOR_MAX_DIMS];
    memcpy(shape, operand->shape, sizeof shape);
    float *data = bench->data[i];
    if (operand->batched) {
        data += (size_t)first * (bench->count[i] / (size_t)shape[0]);
        shape[0] = samples;
    }
    return tensor_leaf(data, operand->ndim, shape);
}

/*
 * Rounds to multiples of STEP. bf16 represents them, and their sums with small multiples of STEP,
 * exactly up to 8.
 */
static void make_exact(float *values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        values[i] = (float)(round(values[i] / STEP) * STEP);
}

static bool is_in_bf16(const SupportOpCase *c)
{
    return c->kind == OP_CAST || c->kind == OP_SELECT_TOKEN;
}

/* Samples of the whole batch; 1 if the case has none. */
static int batch_of(const Bench *bench)
{
    return bench->operand[0].batched ? bench->operand[0].shape[0] : 1;
}

/* Parses the next operand in the text of a case's shapes; returns the rest of the text. */
static const char *parse_operand(const char *text, Operand *operand)
{
    *operand = (Operand){.batched = *text == 'b'};
    text += operand->batched;
    for (;; text++) {
        ck_assert_int_lt(operand->ndim, TENSOR_MAX_DIMS);
        char *end;
        operand->shape[operand->ndim++] = (int)strtol(text, &end, 10);
        text = end;
        if (*text != 'x')
            return text + (*text == ' ');
    }
}

static void bench_open(Bench *bench, const SupportOpCase *c)
{
    *bench = (Bench){.c = c};
    for (const char *text = c->shapes; *text;) {
        ck_assert_int_lt(bench->operands, MAX_OPERANDS);
        const int i = bench->operands++;
        Operand *const operand = &bench->operand[i];
        text = parse_operand(text, operand);
        const Tensor whole = tensor_leaf(NULL, operand->ndim, operand->shape);
        bench->count[i] = tensor_count(&whole);
        bench->data[i] = malloc(bench->count[i] * sizeof(float));
        support_fill_normal(bench->data[i], bench->count[i], (unsigned)i, 1);
        if (is_in_bf16(c))
            make_exact(bench->data[i], bench->count[i]);
    }
    SupportEngine engine;
    support_engine_open(&engine, 1, 0);
    Tensor leaf[MAX_OPERANDS] = {0}, *in[MAX_OPERANDS];
    for (int i = 0; i < bench->operands; i++) {
        leaf[i] = operand_leaf(bench, i, 0, batch_of(bench));
        in[i] = &leaf[i];
    }
    bench->outputs = tensor_count(c->build(c, engine.tape, in));
    bench->seed = malloc(bench->outputs * sizeof(float));
    support_fill_normal(bench->seed, bench->outputs, 100, 1);
    if (is_in_bf16(c))
        make_exact(bench->seed, bench->outputs);
    support_engine_close(&engine);
}

static void bench_close(Bench *bench)
{
    for (int i = 0; i < bench->operands; i++)
        free(bench->data[i]);
    free(bench->seed);
}

static Run run_open(const Bench *bench)
{
    Run run = {.y = calloc(bench->outputs, sizeof(float))};
    for (int i = 0; i < bench->operands; i++)
        run.grad[i] = calloc(bench->count[i], sizeof(float));
    return run;
}

static void run_close(Run *run)
{
    free(run->y);
    for (int i = 0; i < MAX_OPERANDS; i++)
        free(run->grad[i]);
}

/*
 * Runs the forward of some samples, and the backward for the operands in `mask`; adds to the
 * gradients of `run`.
 */
static void run_samples(const Bench *bench, Tape *tape, unsigned mask, int first, int samples,
                        Run *run)
{
    Tensor leaf[MAX_OPERANDS] = {0}, *in[MAX_OPERANDS];
    for (int i = 0; i < bench->operands; i++) {
        leaf[i] = operand_leaf(bench, i, first, samples);
        leaf[i].needs_grad = mask >> i & 1;
        if (leaf[i].needs_grad)
            leaf[i].grad = run->grad[i] + ((float *)leaf[i].data - bench->data[i]);
        in[i] = &leaf[i];
    }
    tape_set_dropout(tape, (TapeDropout){.first = (uint32_t)first});
    Tensor *const y = bench->c->build(bench->c, tape, in);
    const size_t count = tensor_count(y);
    const size_t start = count == bench->outputs ? 0 : (size_t)first * count / (size_t)samples;
    if (!tape_is_planning(tape))
        memcpy(run->y + start, tensor_f32(y), count * sizeof(float));
    if (mask == 0) {
        ck_assert_int_eq(tape_nodes(tape), 0);
        ck_assert_uint_eq(tape_kept_bytes(tape), 0);
    } else {
        tape_release(tape, y);
        tape_backward(tape, y, bench->seed + start);
    }
    for (int i = 0; i < bench->operands; i++)
        ck_assert_msg(leaf[i].needs_grad || leaf[i].grad == NULL,
                      "%s: operand %d is frozen and got a gradient", bench->c->name, i);
    tape_reset(tape);
}

/* run_samples for the whole batch on a new tape; returns the arena's peak in bytes. */
static size_t run_whole(const Bench *bench, int threads, unsigned mask, Run *run)
{
    SupportEngine engine;
    support_engine_open(&engine, threads, ARENA_BYTES);
    run_samples(bench, engine.tape, mask, 0, batch_of(bench), run);
    const size_t peak = arena_peak(engine.arena);
    ck_assert_uint_eq(arena_used(engine.arena), 0);
    support_engine_close(&engine);
    return peak;
}

static void assert_same_bits(const Bench *bench, const Run *a, const Run *b, unsigned mask,
                             const char *what)
{
    ck_assert_msg(memcmp(a->y, b->y, bench->outputs * sizeof(float)) == 0, "%s: y differs %s",
                  bench->c->name, what);
    for (int i = 0; i < bench->operands; i++)
        ck_assert_msg(!(mask >> i & 1) ||
                          memcmp(a->grad[i], b->grad[i], bench->count[i] * sizeof(float)) == 0,
                      "%s: the gradient of operand %d differs %s", bench->c->name, i, what);
}

static unsigned all_operands(const Bench *bench)
{
    return (1U << bench->operands) - 1;
}

/* The objective sum(seed y) with one element of one operand moved by `move`. */
static double objective(Bench *bench, Tape *tape, Run *run, int operand, size_t at, double move)
{
    float *const number = &bench->data[operand][at];
    const float before = *number;
    *number = (float)(before + move);
    run_samples(bench, tape, 0, 0, batch_of(bench), run);
    *number = before;
    double sum = 0;
    for (size_t i = 0; i < bench->outputs; i++)
        sum += (double)bench->seed[i] * run->y[i];
    return sum;
}

static double difference_quotient(Bench *bench, Tape *tape, Run *run, int operand, size_t at)
{
    const double h = STEP;
    const double near =
        objective(bench, tape, run, operand, at, h) - objective(bench, tape, run, operand, at, -h);
    const double far = objective(bench, tape, run, operand, at, 2 * h) -
                       objective(bench, tape, run, operand, at, -2 * h);
    return (8 * near - far) / (12 * h);
}

/*
 * `whole` in the checks below: the results of the whole batch on one thread, all operands
 * trainable.
 */

/* Euclidean norm of seed y. Rounding y changes the objective by about 2e-7 of it. */
static double objective_size(const Bench *bench, const Run *run)
{
    double sum = 0;
    for (size_t i = 0; i < bench->outputs; i++)
        sum += pow((double)bench->seed[i] * run->y[i], 2);
    return sqrt(sum);
}

static void check_finite_differences(Bench *bench, const Run *whole)
{
    const double rounding = 2e-7 * objective_size(bench, whole) / STEP;
    SupportEngine engine;
    support_engine_open(&engine, 1, ARENA_BYTES);
    Run run = run_open(bench);
    for (int i = 0; i < bench->operands; i++) {
        const size_t checked = bench->count[i] < SAMPLED ? bench->count[i] : SAMPLED;
        double error = 0, size = 0;
        for (size_t n = 0; n < checked; n++) {
            /* Spread over the operand, the last element included. */
            const size_t at = checked > 1 ? n * (bench->count[i] - 1) / (checked - 1) : 0;
            const double expected = difference_quotient(bench, engine.tape, &run, i, at);
            error += pow(whole->grad[i][at] - expected, 2);
            size += pow(expected, 2);
        }
        const double allowed = 1e-4 * sqrt(size) + rounding * sqrt((double)checked);
        ck_assert_msg(sqrt(error) <= allowed, "%s, operand %d: error %.3g of %.3g, allowed %.3g",
                      bench->c->name, i, sqrt(error), sqrt(size), allowed);
    }
    run_close(&run);
    support_engine_close(&engine);
}

/* Runs every set of frozen operands; planning must predict the memory to the byte. */
static void check_frozen_and_planned(const Bench *bench, const Run *whole)
{
    for (unsigned mask = 0; mask <= all_operands(bench); mask++) {
        Run part = run_open(bench);
        const size_t used = run_whole(bench, 2, mask, &part);
        assert_same_bits(bench, &part, whole, mask, "when others are frozen");
        SupportEngine engine;
        support_engine_open(&engine, 2, 0);
        run_samples(bench, engine.tape, mask, 0, batch_of(bench), &part);
        ck_assert_msg(arena_peak(engine.arena) == used, "%s: planned %zu bytes, took %zu",
                      bench->c->name, arena_peak(engine.arena), used);
        support_engine_close(&engine);
        run_close(&part);
    }
}

static void check_accumulation(const Bench *bench, const Run *whole)
{
    Run again = run_open(bench);
    for (int i = 0; i < bench->operands; i++)
        support_fill_normal(again.grad[i], bench->count[i], 50, 1);
    run_whole(bench, 1, all_operands(bench), &again);
    for (int i = 0; i < bench->operands; i++) {
        float *const sum = malloc(bench->count[i] * sizeof *sum);
        support_fill_normal(sum, bench->count[i], 50, 1);
        for (size_t n = 0; n < bench->count[i]; n++)
            sum[n] += whole->grad[i][n];
        /* The terms are the same, their order is not. */
        const double relative = support_relative_error(again.grad[i], sum, bench->count[i]);
        ck_assert_msg(relative <= 2e-6, "%s: the gradient of operand %d was overwritten: %.3g",
                      bench->c->name, i, relative);
        free(sum);
    }
    run_close(&again);
}

static void check_threads(const Bench *bench, const Run *whole)
{
    for (int threads = 2; threads <= 3; threads++) {
        Run more = run_open(bench);
        run_whole(bench, threads, all_operands(bench), &more);
        assert_same_bits(bench, &more, whole, all_operands(bench), "with more threads");
        run_close(&more);
    }
}

static void check_micro_batches(const Bench *bench, const Run *whole)
{
    const int B = batch_of(bench);
    SupportEngine engine;
    support_engine_open(&engine, 1, ARENA_BYTES);
    Run parts = run_open(bench);
    for (int first = 0; first < B; first += first ? 2 : 1) { /* one sample, then two at a time */
        const int left = B - first, most = first ? 2 : 1;
        run_samples(bench, engine.tape, all_operands(bench), first, left < most ? left : most,
                    &parts);
    }
    assert_same_bits(bench, &parts, whole, all_operands(bench), "in micro-batches");
    run_close(&parts);
    support_engine_close(&engine);
}

START_TEST(satisfies_the_op_contract)
{
    Bench bench;
    bench_open(&bench, &support_op_cases[_i]);
    Run whole = run_open(&bench);
    run_whole(&bench, 1, all_operands(&bench), &whole);
    check_finite_differences(&bench, &whole);
    check_frozen_and_planned(&bench, &whole);
    check_accumulation(&bench, &whole);
    check_threads(&bench, &whole);
    check_micro_batches(&bench, &whole);
    run_close(&whole);
    bench_close(&bench);
}
END_TEST

START_TEST(every_operation_has_a_case)
{
    for (int kind = 0; kind < OP_COUNT; kind++) {
        bool found = false;
        for (int i = 0; i < support_op_case_count; i++)
            found = found || (int)support_op_cases[i].kind == kind;
        ck_assert_msg(found, "%s has no case", op_table[kind].name);
    }
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("ops_gradients");
    TCase *const each = support_case(suite, "each operation", 120);
    tcase_add_loop_test(each, satisfies_the_op_contract, 0, support_op_case_count);
    tcase_add_test(each, every_operation_has_a_case);
    return support_main(suite);
}
