/*
 * test_ops_network.c - operations together: a small vision transformer and a small MLP.
 *
 *   - the gradient of a whole transformer, from pixels to the sum of three losses, along random
 *     directions of all its parameters at once, against finite differences;
 *   - the same bits for it with one thread and several, and memory as planned;
 *   - an MLP whose every number trains learns labels that no linear map can separate;
 *   - what frozen weights keep in memory: nothing;
 *   - misuse stops the program at the operation.
 */
#include "tensor/ops/op.h"
#include "tests/support.h"

#include <math.h>
#include <signal.h>
#include <string.h>

/* The transformer: 6 images of 9 pixels in patches of 4 (one row and column ignored), one block. */
enum { B = 6, S = 9, P = 4, T = 5, D = 16, H = 4, F = 40, CLASSES = 2 };
enum { ARENA_BYTES = 1 << 22, MAX_PARAMETERS = 32 };

static const int labels[B] = {0, 1, 1, 0, 1, 0};
static const int partner[B] = {3, 1, 4, 5, -1, 0};
static const float between[B] = {0.3F, 0.5F, 0.9F, 0.2F, 0.6F, 0.7F};

/* Parameters (pixels included: they too want a gradient) with their gradients, in the
 * order of use. */
typedef struct Network {
    int count;
    Tensor tensor[MAX_PARAMETERS];
    int next; /* the forward takes them one by one */
} Network;

static void add_parameter(Network *network, int ndim, const int *shape, double scale, double offset)
{
    ck_assert_int_lt(network->count, MAX_PARAMETERS);
    Tensor parameter = tensor_leaf(NULL, ndim, shape);
    const size_t count = tensor_count(&parameter);
    float *const data = malloc(count * sizeof *data);
    support_fill_normal(data, count, (unsigned)network->count, scale);
    for (size_t i = 0; i < count; i++)
        data[i] += (float)offset;
    parameter.data = data;
    parameter.grad = calloc(count, sizeof(float));
    parameter.needs_grad = true;
    network->tensor[network->count++] = parameter;
}

static void add_vector(Network *network, int n, double scale, double offset)
{
    add_parameter(network, 1, &n, scale, offset);
}

/* weight and bias, scaled so that activations keep their size. */
static void add_linear(Network *network, int out, int in)
{
    add_parameter(network, 2, (const int[]){out, in}, 1 / sqrt(in), 0);
    add_vector(network, out, 0.1, 0);
}

static void add_norm(Network *network, int width)
{
    add_vector(network, width, 0.2, 1);
    add_vector(network, width, 0.2, 0);
}

static void network_close(Network *network)
{
    for (int i = 0; i < network->count; i++) {
        free(network->tensor[i].data);
        free(network->tensor[i].grad);
    }
}

static void transformer_open(Network *network)
{
    *network = (Network){0};
    add_parameter(network, 4, (const int[]){B, 3, S, S}, 1, 0);   /* pixels */
    add_parameter(network, 4, (const int[]){D, 3, P, P}, 0.2, 0); /* patch embedding */
    add_vector(network, D, 1, 0);                                 /* class token */
    add_parameter(network, 2, (const int[]){T, D}, 0.5, 0);       /* positions */
    add_norm(network, D);
    add_linear(network, D, D); /* q */
    add_linear(network, D, D); /* k */
    add_linear(network, D, D); /* v */
    add_linear(network, D, D); /* attention's output */
    add_norm(network, D);
    add_linear(network, F, D);
    add_linear(network, D, F);
    add_norm(network, D);
    add_linear(network, CLASSES, D);
}

static Tensor *take(Network *network)
{
    return &network->tensor[network->next++];
}

static Tensor *linear(Tape *tape, Network *network, Tensor *x, Activation activation,
                      Tensor *residual)
{
    Tensor *const weight = take(network), *const bias = take(network);
    const Linear map = {.in = weight->shape[1],
                        .out = weight->shape[0],
                        .parts = 1,
                        .weight = {weight},
                        .bias = {bias}};
    return op_linear(tape, x, &map, activation, residual);
}

static Tensor *keys_and_values(Tape *tape, Network *network, Tensor *x)
{
    Linear map = {.in = D, .out = 2 * D, .parts = 2};
    for (int part = 0; part < 2; part++) {
        map.weight[part] = take(network);
        map.bias[part] = take(network);
    }
    return op_linear(tape, x, &map, ACTIVATION_NONE, NULL);
}

static Tensor *norm(Tape *tape, Network *network, Tensor *x)
{
    Tensor *const gamma = take(network), *const beta = take(network);
    return op_layer_norm(tape, x, gamma, beta, 1e-5F, DTYPE_F32);
}

/* From pixels to the objective: cross-entropy + 0.1 alignment + 0.5 uniformity, through slerp. */
static Tensor *transformer(Tape *tape, Network *network)
{
    network->next = 0;
    Tensor *const pixels = take(network), *const patch_weight = take(network);
    Tensor *const class_embedding = take(network), *const position = take(network);
    Tensor *const patches = op_patch_embed(tape, pixels, patch_weight, NULL);
    Tensor *x = op_embed_tokens(tape, patches, class_embedding, position);
    tape_release(tape, patches);

    Tensor *const normed = norm(tape, network, x);
    Tensor *const q = linear(tape, network, normed, ACTIVATION_NONE, NULL);
    Tensor *const kv = keys_and_values(tape, network, normed);
    Tensor *const attended = op_attention(tape, q, kv, H, NULL);
    x = linear(tape, network, attended, ACTIVATION_NONE, x);
    Tensor *const hidden =
        linear(tape, network, norm(tape, network, x), ACTIVATION_QUICK_GELU, NULL);
    x = linear(tape, network, hidden, ACTIVATION_NONE, x);

    Tensor *const feature = norm(tape, network, op_select_token(tape, x, 0));
    Tensor *const mixed = op_slerp(tape, feature, partner, between);
    Tensor *const z = op_l2_normalize(tape, mixed, 1e-12F);
    Tensor *const logits = linear(tape, network, z, ACTIVATION_NONE, NULL);
    ck_assert_int_eq(network->next, network->count);
    Tensor *const metric = op_add(tape, op_scale(tape, op_alignment(tape, z, labels), 0.1F),
                                  op_scale(tape, op_uniformity(tape, z), 0.5F));
    return op_add(tape, op_cross_entropy(tape, logits, labels, 0.1F), metric);
}

/* Value of the objective; with `gradients`, also its gradient (added to the parameters'). */
static double run_transformer(Network *network, int threads, bool gradients)
{
    SupportEngine engine;
    support_engine_open(&engine, threads, ARENA_BYTES);
    tape_set_recording(engine.tape, gradients);
    Tensor *const loss = transformer(engine.tape, network);
    const double value = *tensor_f32(loss);
    if (gradients)
        tape_backward(engine.tape, loss, NULL);
    support_engine_close(&engine);
    return value;
}

/* Moves all parameters by `step` along direction number `stream`; returns <gradient, direction>. */
static double move(Network *network, unsigned stream, double step)
{
    double slope = 0;
    for (int i = 0; i < network->count; i++) {
        const size_t count = tensor_count(&network->tensor[i]);
        float *const direction = malloc(count * sizeof *direction);
        support_fill_normal(direction, count, stream * MAX_PARAMETERS + (unsigned)i, 1);
        for (size_t n = 0; n < count; n++) {
            tensor_f32(&network->tensor[i])[n] += (float)(step * direction[n]);
            slope += (double)tensor_grad(&network->tensor[i])[n] * direction[n];
        }
        free(direction);
    }
    return slope;
}

/* The objective at the parameters moved by `step`, and back: on a new network each time. */
static double moved_loss(unsigned stream, double step)
{
    Network network;
    transformer_open(&network);
    move(&network, stream, step);
    const double value = run_transformer(&network, 1, false);
    network_close(&network);
    return value;
}

START_TEST(transformer_along_a_direction)
{
    const unsigned stream = 10 + (unsigned)_i;
    Network network;
    transformer_open(&network);
    run_transformer(&network, 1, true);
    const double slope = move(&network, stream, 0);
    /* A step of h moves some 1,900 numbers by h each: truncation h^4, rounding of the loss 1e-7 /
     * h. */
    const double h = 1.0 / 256;
    const double near = moved_loss(stream, h) - moved_loss(stream, -h);
    const double far = moved_loss(stream, 2 * h) - moved_loss(stream, -2 * h);
    const double quotient = (8 * near - far) / (12 * h);
    ck_assert_msg(fabs(slope - quotient) <= 1e-3 * fmax(fabs(quotient), 0.1),
                  "along direction %u: %.7g, finite differences %.7g", stream, slope, quotient);
    network_close(&network);
}
END_TEST

START_TEST(transformer_threads_change_no_bit)
{
    Network one, more;
    transformer_open(&one);
    transformer_open(&more);
    const double value = run_transformer(&one, 1, true);
    ck_assert(run_transformer(&more, 3, true) == value);
    for (int i = 0; i < one.count; i++)
        ck_assert_msg(memcmp(one.tensor[i].grad, more.tensor[i].grad,
                             tensor_count(&one.tensor[i]) * sizeof(float)) == 0,
                      "the gradient of parameter %d differs", i);
    network_close(&one);
    network_close(&more);
}
END_TEST

START_TEST(transformer_memory_as_planned)
{
    size_t peak[2];
    for (int planning = 0; planning < 2; planning++) {
        Network network;
        transformer_open(&network);
        SupportEngine engine;
        support_engine_open(&engine, 2, planning ? 0 : ARENA_BYTES);
        tape_backward(engine.tape, transformer(engine.tape, &network), NULL);
        peak[planning] = arena_peak(engine.arena);
        support_engine_close(&engine);
        network_close(&network);
    }
    ck_assert_uint_eq(peak[0], peak[1]);
}
END_TEST

/* One step of gradient descent on all parameters; gradients are zero afterwards. */
static void descend(Network *network, float rate)
{
    for (int i = 0; i < network->count; i++) {
        const size_t count = tensor_count(&network->tensor[i]);
        for (size_t n = 0; n < count; n++)
            tensor_f32(&network->tensor[i])[n] -= rate * tensor_grad(&network->tensor[i])[n];
        memset(network->tensor[i].grad, 0, count * sizeof(float));
    }
}

START_TEST(mlp_learns_exclusive_or)
{
    float corners[] = {-1, -1, -1, 1, 1, -1, 1, 1};
    const int odd[] = {0, 1, 1, 0};
    Tensor x = tensor_leaf(corners, 2, (const int[]){4, 2});
    Network network = {0};
    add_linear(&network, 12, 2);
    add_linear(&network, 2, 12);
    SupportEngine engine;
    support_engine_open(&engine, 1, ARENA_BYTES);
    double first = 0, last = 0;
    for (int step = 0; step < 300; step++) {
        network.next = 0;
        Tensor *const hidden = linear(engine.tape, &network, &x, ACTIVATION_GELU, NULL);
        Tensor *const logits = linear(engine.tape, &network, hidden, ACTIVATION_NONE, NULL);
        Tensor *const loss = op_cross_entropy(engine.tape, logits, odd, 0);
        last = *tensor_f32(loss);
        first = step == 0 ? last : first;
        tape_backward(engine.tape, loss, NULL);
        descend(&network, 0.5F);
        tape_reset(engine.tape);
    }
    /* A linear map stays at log 2 = 0.69 on these labels. */
    ck_assert_msg(first > 0.3 && last < 0.02, "loss went from %.3f to %.3f", first, last);
    support_engine_close(&engine);
    network_close(&network);
}
END_TEST

/* A class ruled out by a logit of minus infinity costs nothing and gets no gradient. */
START_TEST(a_logit_of_minus_infinity)
{
    float numbers[] = {1, -INFINITY, 2};
    Tensor logits = tensor_leaf(numbers, 2, (const int[]){1, 3});
    logits.needs_grad = true;
    SupportEngine engine;
    support_engine_open(&engine, 1, ARENA_BYTES);
    Tensor *const loss = op_cross_entropy(engine.tape, &logits, (const int[]){2}, 0);
    ck_close(*tensor_f32(loss), log(1 + exp(-1)), 1e-7);
    tape_backward(engine.tape, loss, NULL);
    const double p = 1 / (1 + exp(1));
    ck_close(tensor_grad(&logits)[0], p, 1e-7);
    ck_assert(tensor_grad(&logits)[1] == 0);
    ck_close(tensor_grad(&logits)[2], -p, 1e-7);
    support_engine_close(&engine);
}
END_TEST

START_TEST(frozen_weights_keep_nothing)
{
    Network network = {0};
    add_parameter(&network, 3, (const int[]){2, 8, D}, 1, 0);
    add_linear(&network, 2 * D, D);
    network.tensor[1].needs_grad = network.tensor[2].needs_grad = false;
    SupportEngine engine;
    support_engine_open(&engine, 1, ARENA_BYTES);
    network.next = 0;
    Tensor *const x = op_scale(engine.tape, take(&network), 2);
    const size_t z_bytes = 2 * 8 * 2 * D * sizeof(float), x_bytes = z_bytes / 2;

    Tensor *y = linear(engine.tape, &network, x, ACTIVATION_NONE, NULL);
    ck_assert(y->needs_grad);
    ck_assert_uint_eq(tape_kept_bytes(engine.tape), 0);
    network.next = 1;
    linear(engine.tape, &network, x, ACTIVATION_QUICK_GELU, NULL);
    const size_t kept = tape_kept_bytes(engine.tape); /* z, and red zones under a sanitizer */
    ck_assert(kept >= z_bytes && kept < z_bytes + x_bytes);

    network.tensor[2].needs_grad = true; /* a bias trains without x */
    network.next = 1;
    linear(engine.tape, &network, x, ACTIVATION_NONE, NULL);
    ck_assert_uint_eq(tape_kept_bytes(engine.tape), kept);
    network.tensor[1].needs_grad = true; /* a weight needs it */
    network.next = 1;
    linear(engine.tape, &network, x, ACTIVATION_NONE, NULL);
    ck_assert_uint_ge(tape_kept_bytes(engine.tape), kept + x_bytes);
    support_engine_close(&engine);
    network_close(&network);
}
END_TEST

/* Each of these must abort; Check runs them in a process of their own. */
static void misuse(int which)
{
    float numbers[64] = {0};
    Tensor cube = tensor_leaf(numbers, 3, (const int[]){2, 4, 6});
    Tensor matrix = tensor_leaf(numbers, 2, (const int[]){4, 5});
    Tensor row = tensor_leaf(numbers, 1, (const int[]){5});
    const Linear map = {.in = 5, .out = 4, .parts = 1, .weight = {&matrix}};
    SupportEngine engine;
    support_engine_open(&engine, 1, ARENA_BYTES);
    switch (which) {
    case 0:
        op_linear(engine.tape, &cube, &map, ACTIVATION_NONE, NULL);
        break;
    case 1:
        op_layer_norm(engine.tape, &cube, &row, &row, 1e-5F, DTYPE_F32);
        break;
    case 2:
        op_attention(engine.tape, &cube, &cube, 2, NULL);
        break;
    case 3:
        op_add(engine.tape, &matrix, &row);
        break;
    case 4:
        op_select_token(engine.tape, &cube, 4);
        break;
    case 5:
        op_cross_entropy(engine.tape, &row, (const int[]){5}, 0);
        break;
    case 6:
        op_patch_embed(engine.tape, &cube, &matrix, NULL);
        break;
    case 7:
        op_slerp(engine.tape, &row, (const int[]){1}, (const float[]){0.5F});
        break;
    default:
        ck_abort_msg("no such case");
    }
}

enum { MISUSES = 8 };

START_TEST(misuse_aborts)
{
    misuse(_i);
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("ops_network");
    TCase *const together = support_case(suite, "together", 120);
    tcase_add_loop_test(together, transformer_along_a_direction, 0, 5);
    tcase_add_test(together, transformer_threads_change_no_bit);
    tcase_add_test(together, transformer_memory_as_planned);
    tcase_add_test(together, mlp_learns_exclusive_or);
    tcase_add_test(together, a_logit_of_minus_infinity);
    tcase_add_test(together, frozen_weights_keep_nothing);
    tcase_add_loop_test_raise_signal(together, misuse_aborts, SIGABRT, 0, MISUSES);
    return support_main(suite);
}
