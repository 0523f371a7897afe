/*
 * init.c - vit_create: random weights as transformers' CLIPPreTrainedModel draws them.
 *
 * Every four values are a function of (seed, parameter, position), so threads can draw chunks in
 * any order. Box-Muller in f32 on 32-bit uniforms has tails up to 6.7 standard deviations, enough
 * for 300 million values. Logarithm, sine and cosine are explicit series: the compiler vectorises
 * their loops, and the weights do not depend on a math library.
 */
#include "tensor/base/arithmetic.h"
#include "tensor/base/mem.h"
#include "tensor/random.h"
#include "vit/names.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    CHUNK = 1 << 16, /* values per task, a multiple of BLOCK */
    BLOCK = 256,     /* values drawn together; their scratch fits in the L1 cache */
    PAIRS = BLOCK / 2,
};

/* One tensor to fill. */
typedef struct Fill {
    float *target;
    size_t count;
    float std;
    uint32_t index; /* index of the parameter, which selects the random stream */
    int first_task;
} Fill;

typedef struct Plan {
    uint32_t key[2];
    const Fill *fills;
    int count;
} Plan;

/*
 * -2 log(u), u = (word + 1/2) / 2^32. With u = m 2^e and m in [sqrt(1/2), sqrt(2)), log(m) = 2
 * atanh(s), s = (m - 1) / (m + 1), |s| < 0.172. The series is cut after s^9, an error of 2e-9.
 */
static float minus_two_log(uint32_t word)
{
    uint32_t bits = float_bits((float)word + 0.5F);
    const uint32_t shifted = bits - 0x3F3504F3; /* the bits of sqrt(1/2) */
    const int32_t exponent = (int32_t)shifted >> 23;
    bits -= (uint32_t)exponent << 23;
    const float m = float_from_bits(bits);
    const float s = (m - 1) / (m + 1), t = s * s;
    const float log_m =
        2 * s * (1 + t * (1 / 3.0F + t * (1 / 5.0F + t * (1 / 7.0F + t * (1 / 9.0F)))));
    const float result = -2 * (log_m + 0.693147181F * (float)(exponent - 32));
    return result > 0 ? result : 0; /* u may round to 1 */
}

/*
 * cos and sin of 2 pi word / 2^32. The angle is a multiple of a quarter turn plus a remainder x,
 * |x| <= pi/4, whose Taylor series are cut after x^9 and x^10, errors of 2e-9.
 */
static void cosine_sine(uint32_t word, float *cosine, float *sine)
{
    const uint32_t quarter = (word + (1U << 29)) >> 30 & 3;
    const float x = (float)(int32_t)(word - (quarter << 30)) * (6.28318531F * 0x1p-32F), t = x * x;
    const float s =
        x * (1 - t * (1 / 6.0F) *
                     (1 - t * (1 / 20.0F) * (1 - t * (1 / 42.0F) * (1 - t * (1 / 72.0F)))));
    const float c =
        1 - t * (1 / 2.0F) *
                (1 - t * (1 / 12.0F) *
                         (1 - t * (1 / 30.0F) * (1 - t * (1 / 56.0F) * (1 - t * (1 / 90.0F)))));
    const float along = quarter & 1 ? s : c, across = quarter & 1 ? c : s;
    *cosine = quarter == 1 || quarter == 2 ? -along : along;
    *sine = quarter >= 2 ? -across : across;
}

/* Draws BLOCK normal values of one stream, starting at `position`, a multiple of 4. */
static void normal_block(const uint32_t key[2], uint32_t index, size_t position, float std,
                         float normal[BLOCK])
{
    uint32_t first[PAIRS], second[PAIRS];
    float radius[PAIRS];
    for (int i = 0; i < PAIRS; i += 2) {
        const uint32_t counter[4] = {(uint32_t)(position / 4) + (uint32_t)i / 2, RANDOM_WEIGHTS,
                                     index, 0};
        uint32_t word[4];
        random_philox(key, counter, word);
        for (int k = 0; k < 2; k++) {
            first[i + k] = word[2 * k];
            second[i + k] = word[2 * k + 1];
        }
    }
    for (int i = 0; i < PAIRS; i++)
        radius[i] = minus_two_log(first[i]);
    for (int i = 0; i < PAIRS; i++)
        radius[i] = std * sqrtf(radius[i]);
    for (int i = 0; i < PAIRS; i++) {
        float cosine, sine;
        cosine_sine(second[i], &cosine, &sine);
        normal[i] = radius[i] * cosine;
        normal[PAIRS + i] = radius[i] * sine;
    }
}

/* Draws chunk number `task`, counted over all tensors. */
static void fill_task(void *context, int task, int worker)
{
    (void)worker;
    const Plan *plan = context;
    int low = 0, high = plan->count; /* binary search for the fill that contains the task */
    while (high - low > 1) {
        const int middle = (low + high) / 2;
        *(plan->fills[middle].first_task <= task ? &low : &high) = middle;
    }
    const Fill *fill = &plan->fills[low];
    const size_t begin = (size_t)(task - fill->first_task) * CHUNK;
    const size_t end = min_size(begin + CHUNK, fill->count);
    for (size_t i = begin; i < end; i += BLOCK) {
        float normal[BLOCK];
        normal_block(plan->key, fill->index, i, fill->std, normal);
        memcpy(fill->target + i, normal, min_size(end - i, BLOCK) * sizeof *normal);
    }
}

static float std_of(VitDraw draw, const VitConfig *config)
{
    const double width = config->width, layers = config->layers;
    switch (draw) {
    case VIT_DRAW_0_02:
        return 0.02F;
    case VIT_DRAW_WIDTH:
        return (float)(1 / sqrt(width));
    case VIT_DRAW_MLP:
        return (float)(1 / sqrt(2 * width));
    case VIT_DRAW_RESIDUAL:
        return (float)(1 / sqrt(width) / sqrt(2 * layers));
    case VIT_DRAW_ZERO:
    case VIT_DRAW_ONE:
        break;
    }
    return 0;
}

/* Sets the constant parameters and lists the others in `fills`. Returns their number. */
static int plan_fills(Vit *vit, Fill *fills, int *tasks)
{
    int count = 0;
    *tasks = 0;
    for (int i = 0; i < vit->parameter_count; i++) {
        const VitParameter *parameter = &vit->parameters[i];
        float *target = tensor_f32(&parameter->tensor);
        const size_t size = tensor_count(&parameter->tensor);
        const VitDraw draw = parameter->row->draw;
        if (draw != VIT_DRAW_ZERO && draw != VIT_DRAW_ONE) {
            fills[count++] = (Fill){target, size, std_of(draw, &vit->config), (uint32_t)i, *tasks};
            *tasks += (int)ceil_div(size, CHUNK);
            continue;
        }
        for (size_t k = 0; k < size; k++)
            target[k] = draw == VIT_DRAW_ONE ? 1 : 0;
    }
    return count;
}

static Status draw_values(Vit *vit, uint64_t seed, Threads *threads, Error *error)
{
    TRY(vit_allocate_values(vit, error));
    Fill *fills = mem_new(vit->parameter_count, sizeof *fills, "the weights to draw", error);
    if (!fills)
        return STATUS_FAILED;
    int tasks;
    const int count = plan_fills(vit, fills, &tasks);
    Plan plan = {.key = {(uint32_t)seed, (uint32_t)(seed >> 32)}, .fills = fills, .count = count};
    threads_run(threads, tasks, fill_task, &plan);
    free(fills);
    return vit_compute_fingerprint(vit, "model", threads, error);
}

Status vit_create(Vit **out, const VitConfig *config, uint64_t seed, Threads *threads, Error *error)
{
    assert(out && config && error);
    *out = NULL;
    Vit *vit;
    TRY(vit_build(&vit, config, error));
    const Status status = draw_values(vit, seed, threads, error);
    if (status == STATUS_OK)
        *out = vit;
    else
        vit_destroy(vit);
    return status;
}
