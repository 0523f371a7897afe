/*
 * test_ops_packed.c - op_linear with packs of its weights against the same without: values and
 * gradients.
 */
#include "tests/support.h"

#include "tensor/ops/ops.h"

#include <string.h>

static float *numbers(Arena *arena, size_t count, unsigned stream)
{
    float *const block = arena_alloc(arena, count * sizeof(float));
    support_fill_normal(block, count, stream, 1);
    return block;
}

enum { SAMPLES = 3, TOKENS = 11, IN = 70, OUT = 90 };

/* y and dx of one linear map of two parts, with or without packs. */
static void run_linear(bool packed, Activation activation, bool residual, float *y, float *dx)
{
    SupportEngine engine;
    Error error = {0};
    Arena *arena;
    support_engine_open(&engine, 2, 1 << 22);
    ck_ok(arena_create(&arena, 1 << 20, &error), &error);
    const int half = OUT / 2, rows[2] = {half, OUT - half};
    float *const W = numbers(arena, OUT * IN, 11);
    float *const bias = numbers(arena, OUT, 12);
    Tensor weights[2], biases[2];
    for (int p = 0; p < 2; p++) {
        weights[p] = tensor_leaf(W + (ptrdiff_t)p * half * IN, 2, (const int[]){rows[p], IN});
        biases[p] = tensor_leaf(bias + (ptrdiff_t)p * half, 1, &rows[p]);
    }
    /* One part has no bias, which counts as zeros. */
    Linear linear = {.in = IN,
                     .out = OUT,
                     .parts = 2,
                     .weight = {&weights[0], &weights[1]},
                     .bias = {residual ? &biases[0] : NULL, residual ? NULL : &biases[1]}};
    PackedMatrix forward = packed_place(arena, PRECISION_F32, IN, OUT);
    PackedMatrix backward = packed_place(arena, PRECISION_F32, OUT, IN);
    const PackedPart parts[] = {{weights[0].data, rows[0]}, {weights[1].data, rows[1]}};
    packed_fill_both(&forward, &backward, parts, 2, engine.threads);
    if (packed) {
        linear.forward = &forward;
        linear.backward = &backward;
    }
    Tensor x = tensor_leaf(numbers(arena, SAMPLES * TOKENS * IN, 13), 3,
                           (const int[]){SAMPLES, TOKENS, IN});
    Tensor add = tensor_leaf(numbers(arena, SAMPLES * TOKENS * OUT, 14), 3,
                             (const int[]){SAMPLES, TOKENS, OUT});
    float *const seed = numbers(arena, SAMPLES * TOKENS * OUT, 15);
    x.needs_grad = true;
    Tensor *const out = op_linear(engine.tape, &x, &linear, activation, residual ? &add : NULL);
    tape_backward(engine.tape, out, seed);
    memcpy(y, tensor_f32(out), SAMPLES * TOKENS * OUT * sizeof *y);
    memcpy(dx, x.grad, SAMPLES * TOKENS * IN * sizeof *dx);
    support_engine_close(&engine);
    arena_destroy(arena);
}

START_TEST(op_linear_agrees_with_and_without_packs)
{
    static float y[2][SAMPLES * TOKENS * OUT], dx[2][SAMPLES * TOKENS * IN];
    static const Activation activations[] = {ACTIVATION_NONE, ACTIVATION_QUICK_GELU,
                                             ACTIVATION_GELU, ACTIVATION_NONE};
    for (int i = 0; i < 4; i++) {
        for (int packed = 0; packed < 2; packed++)
            run_linear(packed, activations[i], i == 3, y[packed], dx[packed]);
        const double y_error = support_relative_error(y[1], y[0], SAMPLES * TOKENS * OUT);
        const double dx_error = support_relative_error(dx[1], dx[0], SAMPLES * TOKENS * IN);
        ck_each(y_error < 1e-6 && dx_error < 1e-6, "case %d: y differs by %g, dx by %g", i, y_error,
                dx_error);
    }
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("ops_packed");
    TCase *const users = support_case(suite, "op_linear", 120);
    tcase_add_test(users, op_linear_agrees_with_and_without_packs);
    return support_main(suite);
}
