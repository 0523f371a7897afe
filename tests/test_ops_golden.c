/*
 * test_ops_golden.c - every operation against PyTorch: output and all gradients.
 *
 * tests/golden/ops.safetensors (made by make_ops.py) holds for each case the operands, the seed of
 * the backward, and what PyTorch computed in float64. A case here names its operands in that file
 * and says how to build the operation. What is compared is the relative error of whole tensors, in
 * the Euclidean norm: float32 arithmetic over sums of a few dozen terms keeps 1e-6; what is
 * computed in double and rounded once keeps 1e-7.
 */
#include "tensor/ops/op.h"
#include "tensor/safetensors.h"
#include "tests/support.h"

#include <stdio.h>
#include <string.h>

enum { MAX_OPERANDS = 6, MAX_ROWS = 8 };

/* The tensors and integers of one case, as the builders want them. */
typedef struct Bench {
    const SafeTensors *file;
    const char *name;
    Tape *tape;
    Tensor leaf[MAX_OPERANDS]; /* borrow `numbers` */
    float *numbers[MAX_OPERANDS];
    int labels[MAX_ROWS], partner[MAX_ROWS];
    float t[MAX_ROWS];
    Tensor probabilities; /* what op_attention handed out; {0} of other operations */
} Bench;

typedef struct Case {
    OpKind kind;
    const char *name;
    const char *operand[MAX_OPERANDS]; /* names in the file, in the order the builder expects */
    Tensor *(*build)(Bench *bench);
    double tolerance;
} Case;

static const SafeTensor *find(const Bench *bench, const char *field)
{
    char key[128];
    snprintf(key, sizeof key, "%s/%s", bench->name, field);
    return safetensors_find(bench->file, key);
}

/* A copy of the numbers of a field that must be there; free with free(). */
static float *numbers_of(const Bench *bench, const char *field, size_t *count)
{
    const SafeTensor *const stored = find(bench, field);
    ck_assert_msg(stored && stored->dtype == DTYPE_F32, "%s/%s is missing", bench->name, field);
    *count = stored->bytes / sizeof(float);
    float *const numbers = malloc(stored->bytes);
    memcpy(numbers, stored->data, stored->bytes);
    return numbers;
}

static void integers_of(const Bench *bench, const char *field, int *out)
{
    const SafeTensor *const stored = find(bench, field);
    for (size_t i = 0; stored && i < stored->bytes / sizeof(int64_t); i++) {
        int64_t value;
        memcpy(&value, (const char *)stored->data + i * sizeof value, sizeof value);
        out[i] = (int)value;
    }
}

static void compare(const Bench *bench, const char *field, const float *found, double tolerance)
{
    size_t count;
    float *const expected = numbers_of(bench, field, &count);
    const double error = support_relative_error(found, expected, count);
    bool zero = true; /* an expected tensor of zeros is met by zeros alone */
    for (size_t i = 0; i < count; i++)
        zero = zero && expected[i] == 0 && found[i] == 0;
    ck_assert_msg(zero || error <= tolerance, "%s/%s: relative error %.3g, allowed %.3g",
                  bench->name, field, error, tolerance);
    free(expected);
}

static Tensor *linear(Bench *bench, int parts, const bool *has_bias, Activation activation,
                      bool residual)
{
    Tensor *const leaf = bench->leaf;
    Linear map = {.in = leaf[0].shape[leaf[0].ndim - 1], .parts = parts};
    int next = 1;
    for (int part = 0; part < parts; part++) {
        map.weight[part] = &leaf[next++];
        map.out += map.weight[part]->shape[0];
    }
    for (int part = 0; part < parts; part++)
        map.bias[part] = has_bias[part] ? &leaf[next++] : NULL;
    return op_linear(bench->tape, &leaf[0], &map, activation, residual ? &leaf[next] : NULL);
}

static Tensor *build_linear(Bench *bench)
{
    return linear(bench, 1, (const bool[]){true}, ACTIVATION_NONE, false);
}

static Tensor *build_linear_residual(Bench *bench)
{
    return linear(bench, 1, (const bool[]){true}, ACTIVATION_NONE, true);
}

static Tensor *build_linear_quick_gelu(Bench *bench)
{
    return linear(bench, 1, (const bool[]){true}, ACTIVATION_QUICK_GELU, false);
}

static Tensor *build_linear_gelu(Bench *bench)
{
    return linear(bench, 1, (const bool[]){true}, ACTIVATION_GELU, false);
}

static Tensor *build_linear_parts(Bench *bench)
{
    return linear(bench, 3, (const bool[]){true, false, true}, ACTIVATION_NONE, false);
}

static Tensor *build_layer_norm(Bench *bench)
{
    return op_layer_norm(bench->tape, &bench->leaf[0], &bench->leaf[1], &bench->leaf[2], 1e-5F,
                         DTYPE_F32);
}

static Tensor *attention(Bench *bench, int heads)
{
    const Tensor *const q = &bench->leaf[0], *const kv = &bench->leaf[1];
    const size_t count = (size_t)(q->shape[0] * heads * q->shape[1] * kv->shape[1]);
    bench->probabilities =
        tensor_leaf(calloc(count, sizeof(float)), 4,
                    (const int[]){q->shape[0], heads, q->shape[1], kv->shape[1]});
    return op_attention(bench->tape, &bench->leaf[0], &bench->leaf[1], heads,
                        &bench->probabilities);
}

static Tensor *build_attention(Bench *bench)
{
    return attention(bench, 4);
}

static Tensor *build_attention_class(Bench *bench)
{
    return attention(bench, 3);
}

static Tensor *build_patch_embed(Bench *bench)
{
    return op_patch_embed(bench->tape, &bench->leaf[0], &bench->leaf[1], NULL);
}

static Tensor *build_embed_tokens(Bench *bench)
{
    return op_embed_tokens(bench->tape, &bench->leaf[0], &bench->leaf[1], &bench->leaf[2]);
}

static Tensor *build_cast(Bench *bench)
{
    return op_cast(bench->tape, op_cast(bench->tape, &bench->leaf[0], DTYPE_BF16), DTYPE_F32);
}

static Tensor *build_select_token(Bench *bench)
{
    return op_select_token(bench->tape, &bench->leaf[0], 2);
}

static Tensor *build_add(Bench *bench)
{
    return op_add(bench->tape, &bench->leaf[0], &bench->leaf[1]);
}

static Tensor *build_scale(Bench *bench)
{
    return op_scale(bench->tape, &bench->leaf[0], -1.75F);
}

static Tensor *build_gelu(Bench *bench)
{
    return op_gelu(bench->tape, &bench->leaf[0]);
}

static Tensor *build_softmax(Bench *bench)
{
    return op_softmax(bench->tape, &bench->leaf[0]);
}

static Tensor *build_l2_normalize(Bench *bench)
{
    return op_l2_normalize(bench->tape, &bench->leaf[0], 1e-3F);
}

static Tensor *build_cross_entropy(Bench *bench)
{
    return op_cross_entropy(bench->tape, &bench->leaf[0], bench->labels, 0);
}

static Tensor *build_cross_entropy_smoothed(Bench *bench)
{
    return op_cross_entropy(bench->tape, &bench->leaf[0], bench->labels, 0.1F);
}

static Tensor *build_alignment(Bench *bench)
{
    return op_alignment(bench->tape, &bench->leaf[0], bench->labels);
}

static Tensor *build_uniformity(Bench *bench)
{
    return op_uniformity(bench->tape, &bench->leaf[0]);
}

static Tensor *build_slerp(Bench *bench)
{
    return op_slerp(bench->tape, &bench->leaf[0], bench->partner, bench->t);
}

static const Case cases[] = {
    {OP_LINEAR, "linear", {"x", "w0", "b0"}, build_linear, 1e-6},
    {OP_LINEAR, "linear_residual", {"x", "w0", "b0", "r"}, build_linear_residual, 1e-6},
    {OP_LINEAR, "linear_quick_gelu", {"x", "w0", "b0"}, build_linear_quick_gelu, 1e-6},
    {OP_LINEAR, "linear_gelu", {"x", "w0", "b0"}, build_linear_gelu, 1e-6},
    {OP_LINEAR, "linear_parts", {"x", "w0", "w1", "w2", "b0", "b2"}, build_linear_parts, 1e-6},
    {OP_LAYER_NORM, "layer_norm", {"x", "gamma", "beta"}, build_layer_norm, 1e-6},
    /* A mean thirty times the deviation: x - mean loses five of 24 bits to the rounding of the
     * mean. */
    {OP_LAYER_NORM, "layer_norm_offset", {"x", "gamma", "beta"}, build_layer_norm, 5e-6},
    {OP_ATTENTION, "attention", {"q", "kv"}, build_attention, 1e-6},
    /* Scores of up to 30, so a relative error of 6e-8 in a score is 2e-6 in its exponential. */
    {OP_ATTENTION, "attention_class", {"q", "kv"}, build_attention_class, 3e-6},
    {OP_PATCH_EMBED, "patch_embed", {"pixels", "weight"}, build_patch_embed, 1e-6},
    {OP_EMBED_TOKENS, "embed_tokens", {"patches", "cls", "position"}, build_embed_tokens, 1e-7},
    {OP_CAST, "cast", {"x"}, build_cast, 0},
    {OP_SELECT_TOKEN, "select_token", {"x"}, build_select_token, 0},
    {OP_ADD, "add", {"a", "b"}, build_add, 1e-7},
    {OP_SCALE, "scale", {"x"}, build_scale, 1e-7},
    {OP_GELU, "gelu", {"x"}, build_gelu, 1e-6},
    {OP_SOFTMAX, "softmax", {"x"}, build_softmax, 1e-6},
    {OP_L2_NORMALIZE, "l2_normalize", {"x"}, build_l2_normalize, 1e-7},
    {OP_CROSS_ENTROPY, "cross_entropy_0", {"x"}, build_cross_entropy, 1e-7},
    {OP_CROSS_ENTROPY, "cross_entropy_0.1", {"x"}, build_cross_entropy_smoothed, 1e-7},
    {OP_ALIGNMENT, "alignment", {"z"}, build_alignment, 1e-7},
    {OP_ALIGNMENT, "alignment_collinear", {"z"}, build_alignment, 1e-7},
    {OP_ALIGNMENT, "alignment_equal_but_rounding", {"z"}, build_alignment, 1e-7},
    {OP_ALIGNMENT, "alignment_no_pair", {"z"}, build_alignment, 0},
    {OP_UNIFORMITY, "uniformity", {"z"}, build_uniformity, 1e-7},
    {OP_UNIFORMITY, "uniformity_collinear", {"z"}, build_uniformity, 1e-7},
    /* Squared distances near 1e-11: the rounding of a 1 beside them in double is already 1e-5 of
     * them. */
    {OP_UNIFORMITY, "uniformity_equal_but_rounding", {"z"}, build_uniformity, 1e-7},
    {OP_SLERP, "slerp", {"z"}, build_slerp, 1e-7},
    {OP_SLERP, "slerp_collinear", {"z"}, build_slerp, 2e-7},
    {OP_SLERP, "slerp_near_clamp", {"z"}, build_slerp, 2e-7},
    {OP_SLERP, "slerp_clamped", {"z"}, build_slerp, 2e-7},
    {OP_SLERP, "slerp_opposite", {"z"}, build_slerp, 2e-7},
    {OP_SLERP, "slerp_tiny", {"z"}, build_slerp, 2e-7},
};

enum { CASES = sizeof cases / sizeof *cases };

/* Fills bench->leaf with the operands of the case, all wanting a gradient; returns how many. */
static int load_operands(Bench *bench, const Case *c)
{
    int operands = 0;
    for (; operands < MAX_OPERANDS && c->operand[operands]; operands++) {
        const SafeTensor *const stored = find(bench, c->operand[operands]);
        size_t count;
        bench->numbers[operands] = numbers_of(bench, c->operand[operands], &count);
        int shape[TENSOR_MAX_DIMS] = {0};
        for (int i = 0; i < stored->ndim; i++)
            shape[i] = (int)stored->shape[i];
        bench->leaf[operands] = tensor_leaf(bench->numbers[operands], stored->ndim, shape);
        bench->leaf[operands].needs_grad = true;
    }
    integers_of(bench, "labels", bench->labels);
    integers_of(bench, "partner", bench->partner);
    const SafeTensor *const t = find(bench, "t");
    if (t)
        memcpy(bench->t, t->data, t->bytes);
    return operands;
}

START_TEST(equals_pytorch)
{
    const Case *const c = &cases[_i];
    Error error = {0};
    char path[4096];
    support_golden(path, "ops.safetensors");
    SafeTensors *file;
    ck_ok(safetensors_open(&file, path, &error), &error);
    SupportEngine engine;
    support_engine_open(&engine, 1, 1 << 20);
    Bench bench = {.file = file, .name = c->name, .tape = engine.tape};
    const int operands = load_operands(&bench, c);

    Tensor *const y = c->build(&bench);
    compare(&bench, "y", tensor_f32(y), c->tolerance);
    if (bench.probabilities.data)
        compare(&bench, "probabilities", bench.probabilities.data, c->tolerance);
    size_t count;
    float *const seed = numbers_of(&bench, "seed", &count);
    ck_assert_uint_eq(count, tensor_count(y));
    tape_backward(bench.tape, y, seed);
    for (int i = 0; i < operands; i++) {
        char field[64];
        snprintf(field, sizeof field, "d%s", c->operand[i]);
        compare(&bench, field, bench.leaf[i].grad, c->tolerance);
        free(bench.numbers[i]);
    }
    free(bench.probabilities.data);
    free(seed);
    support_engine_close(&engine);
    safetensors_close(file);
}
END_TEST

START_TEST(every_operation_has_a_case)
{
    for (int kind = 0; kind < OP_COUNT; kind++) {
        /* OP_RECOMPUTE computes nothing of its own; test_lora.c has golden values of OP_LORA. */
        bool found = kind == OP_RECOMPUTE || kind == OP_LORA;
        for (int i = 0; i < CASES; i++)
            found = found || (int)cases[i].kind == kind;
        ck_assert_msg(found, "%s has no golden values", op_table[kind].name);
    }
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("ops_golden");
    TCase *const golden = support_case(suite, "golden", 60);
    tcase_add_loop_test(golden, equals_pytorch, 0, CASES);
    tcase_add_test(golden, every_operation_has_a_case);
    return support_main(suite);
}
