/*
 * init.c - vit_create: random weights as transformers' CLIPPreTrainedModel draws them.
 *
 * Every four numbers are a function of (seed, parameter, position), so that the work can be cut anywhere
 * and shared among threads. Box-Muller in f32 on 32-bit uniforms: 300 million numbers in a few seconds,
 * tails up to 6.6 standard deviations, which is beyond what so many numbers show.
 */
#include "tensor/random.h"
#include "vit/names.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK = 1 << 16 }; /* numbers of one task, a multiple of 4 */

/* One tensor to fill. */
typedef struct Fill {
    float *target;
    size_t count;
    float std;
    uint32_t index; /* of the parameter: its stream of random numbers */
    int first_task;
} Fill;

typedef struct Plan {
    uint32_t key[2];
    const Fill *fills;
    int count;
} Plan;

/* The chunk of numbers that is `task`, of the tensor that holds it. */
static void fill_task(void *context, int task, int worker)
{
    (void)worker;
    const Plan *const plan = context;
    int low = 0, high = plan->count; /* the last fill whose first task is not beyond ours */
    while (high - low > 1) {
        const int middle = (low + high) / 2;
        *(plan->fills[middle].first_task <= task ? &low : &high) = middle;
    }
    const Fill *const fill = &plan->fills[low];
    const size_t begin = (size_t)(task - fill->first_task) * CHUNK;
    const size_t end = begin + CHUNK < fill->count ? begin + CHUNK : fill->count;
    const float two_pi = 6.28318531F, unit = 0x1p-32F;
    for (size_t i = begin; i < end; i += 4) {
        const uint32_t counter[4] = {(uint32_t)(i / 4), RANDOM_WEIGHTS, fill->index, 0};
        uint32_t word[4];
        float normal[4];
        random_philox(plan->key, counter, word);
        for (int k = 0; k < 4; k += 2) {
            const float radius = fill->std * sqrtf(-2 * logf(((float)word[k] + 0.5F) * unit));
            const float angle = two_pi * ((float)word[k + 1] * unit);
            normal[k] = radius * cosf(angle);
            normal[k + 1] = radius * sinf(angle);
        }
        memcpy(fill->target + i, normal, (end - i < 4 ? end - i : 4) * sizeof *normal);
    }
}

/* The standard deviation of a parameter that is drawn; transformers' initializer_factor is 1. */
static float std_of(const Vit *vit, const VitParameter *parameter)
{
    const double width = vit->config.width, layers = vit->config.layers;
    const char *const name = parameter->name;
    if (parameter->kind == VIT_EMBEDDING)
        return &parameter->tensor == vit->class_embedding ? (float)(1 / sqrt(width)) : 0.02F;
    if (strstr(name, ".out_proj."))
        return (float)(1 / sqrt(width));
    if (strstr(name, ".fc1."))
        return (float)(1 / sqrt(2 * width));
    return (float)(1 / sqrt(width) / sqrt(2 * layers)); /* q, k, v and fc2 */
}

/* LayerNorm weights 1; their biases and all other biases 0. The rest is listed in `fills`. */
static int plan_fills(Vit *vit, Fill *fills, int *tasks)
{
    int count = 0;
    *tasks = 0;
    for (int i = 0; i < vit->parameter_count; i++) {
        const VitParameter *const parameter = &vit->parameters[i];
        float *const target = tensor_f32(&parameter->tensor);
        const size_t size = tensor_count(&parameter->tensor);
        if (parameter->kind == VIT_EMBEDDING || parameter->kind == VIT_WEIGHT) {
            fills[count++] = (Fill){target, size, std_of(vit, parameter), (uint32_t)i, *tasks};
            *tasks += (int)((size + CHUNK - 1) / CHUNK);
            continue;
        }
        const bool weight = strcmp(strrchr(parameter->name, '.'), ".weight") == 0;
        for (size_t k = 0; k < size; k++)
            target[k] = weight ? 1 : 0;
    }
    return count;
}

/* Gives every parameter a block of the arena. */
static void place(Vit *vit, Arena *arena)
{
    for (int i = 0; i < vit->parameter_count; i++) {
        Tensor *const tensor = &vit->parameters[i].tensor;
        tensor->data = arena_alloc(arena, tensor_count(tensor) * sizeof(float));
    }
}

static Status make_numbers(Vit *vit, uint64_t seed, Threads *threads, Error *error)
{
    Arena *plan_arena;
    TRY(arena_create_measuring(&plan_arena, error));
    place(vit, plan_arena);
    const size_t capacity = arena_peak(plan_arena);
    arena_destroy(plan_arena);
    TRY(arena_create(&vit->arena, capacity, error));
    place(vit, vit->arena);

    Fill *const fills = calloc((size_t)vit->parameter_count, sizeof *fills);
    if (!fills)
        return error_set(error, STATUS_FAILED, "model: no memory for its plan; free some");
    int tasks;
    const int count = plan_fills(vit, fills, &tasks);
    Plan plan = {.key = {(uint32_t)seed, (uint32_t)(seed >> 32)}, .fills = fills, .count = count};
    threads_run(threads, tasks, fill_task, &plan);
    free(fills);
    return vit_compute_fingerprint(vit, threads, error);
}

Status vit_create(Vit **out, const VitConfig *config, uint64_t seed, Threads *threads, Error *error)
{
    assert(out && config && error);
    *out = NULL;
    Vit *vit;
    TRY(vit_build(&vit, config, error));
    const Status status = make_numbers(vit, seed, threads, error);
    if (status != STATUS_OK) {
        vit_destroy(vit);
        return status;
    }
    *out = vit;
    return STATUS_OK;
}
