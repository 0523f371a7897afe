/*
 * build.c - the one list of the encoder's parameters, behind loading, tuning, adapters and inspect.
 */
#include "tensor/base/file.h"
#include "tensor/base/mem.h"
#include "vit/names.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

/* An extent that depends on the configuration. */
typedef enum Extent { NONE, WIDTH, MLP, TOKENS, COLOURS, PATCH } Extent;

typedef struct Row {
    const char *name;
    VitKind kind;
    Extent shape[TENSOR_MAX_DIMS];
} Row;

static const Row first_rows[] = {
    {"embeddings.class_embedding", VIT_EMBEDDING, {WIDTH}},
    {"embeddings.patch_embedding.weight", VIT_EMBEDDING, {WIDTH, COLOURS, PATCH, PATCH}},
    {"embeddings.position_embedding.weight", VIT_EMBEDDING, {TOKENS, WIDTH}},
    {"pre_layrnorm.weight", VIT_LAYER_NORM, {WIDTH}}, /* the misspelling is in the files */
    {"pre_layrnorm.bias", VIT_LAYER_NORM, {WIDTH}},
};

enum {
    LN1_WEIGHT,
    LN1_BIAS,
    Q_WEIGHT,
    Q_BIAS,
    K_WEIGHT,
    K_BIAS,
    V_WEIGHT,
    V_BIAS,
    OUT_WEIGHT,
    OUT_BIAS,
    LN2_WEIGHT,
    LN2_BIAS,
    FC1_WEIGHT,
    FC1_BIAS,
    FC2_WEIGHT,
    FC2_BIAS,
    LAYER_ROWS
};

static const Row layer_rows[LAYER_ROWS] = {
    [LN1_WEIGHT] = {"layer_norm1.weight", VIT_LAYER_NORM, {WIDTH}},
    [LN1_BIAS] = {"layer_norm1.bias", VIT_LAYER_NORM, {WIDTH}},
    [Q_WEIGHT] = {"self_attn.q_proj.weight", VIT_WEIGHT, {WIDTH, WIDTH}},
    [Q_BIAS] = {"self_attn.q_proj.bias", VIT_BIAS, {WIDTH}},
    [K_WEIGHT] = {"self_attn.k_proj.weight", VIT_WEIGHT, {WIDTH, WIDTH}},
    [K_BIAS] = {"self_attn.k_proj.bias", VIT_BIAS, {WIDTH}},
    [V_WEIGHT] = {"self_attn.v_proj.weight", VIT_WEIGHT, {WIDTH, WIDTH}},
    [V_BIAS] = {"self_attn.v_proj.bias", VIT_BIAS, {WIDTH}},
    [OUT_WEIGHT] = {"self_attn.out_proj.weight", VIT_WEIGHT, {WIDTH, WIDTH}},
    [OUT_BIAS] = {"self_attn.out_proj.bias", VIT_BIAS, {WIDTH}},
    [LN2_WEIGHT] = {"layer_norm2.weight", VIT_LAYER_NORM, {WIDTH}},
    [LN2_BIAS] = {"layer_norm2.bias", VIT_LAYER_NORM, {WIDTH}},
    [FC1_WEIGHT] = {"mlp.fc1.weight", VIT_WEIGHT, {MLP, WIDTH}},
    [FC1_BIAS] = {"mlp.fc1.bias", VIT_BIAS, {MLP}},
    [FC2_WEIGHT] = {"mlp.fc2.weight", VIT_WEIGHT, {WIDTH, MLP}},
    [FC2_BIAS] = {"mlp.fc2.bias", VIT_BIAS, {WIDTH}},
};

static const Row last_rows[] = {
    {"post_layernorm.weight", VIT_LAYER_NORM, {WIDTH}},
    {"post_layernorm.bias", VIT_LAYER_NORM, {WIDTH}},
};

enum {
    FIRST_ROWS = COUNT_OF(first_rows),
    LAST_ROWS = COUNT_OF(last_rows),
};

static int extent_of(const VitConfig *config, Extent extent)
{
    switch (extent) {
    case WIDTH:
        return config->width;
    case MLP:
        return config->mlp;
    case TOKENS:
        return vit_tokens(config);
    case COLOURS:
        return 3;
    case PATCH:
        return config->patch_size;
    case NONE:
        break;
    }
    return 0;
}

/* Fills the next parameter from a row of the tables. */
static Tensor *add(Vit *vit, const char *prefix, const Row *row)
{
    VitParameter *parameter = &vit->parameters[vit->parameter_count++];
    const int length = snprintf(parameter->name, sizeof parameter->name, "%s%s", prefix, row->name);
    assert(length > 0 && length < VIT_NAME_SIZE);
    int ndim = 0, shape[TENSOR_MAX_DIMS];
    for (; ndim < TENSOR_MAX_DIMS && row->shape[ndim] != NONE; ndim++)
        shape[ndim] = extent_of(&vit->config, row->shape[ndim]);
    parameter->kind = row->kind;
    parameter->tensor = tensor_leaf(NULL, ndim, shape);
    return &parameter->tensor;
}

static Linear linear_of(Tensor *weight, Tensor *bias)
{
    return (Linear){.in = weight->shape[1],
                    .out = weight->shape[0],
                    .parts = 1,
                    .weight = {weight},
                    .bias = {bias}};
}

static void build_layer(Vit *vit, int layer)
{
    char prefix[VIT_NAME_SIZE];
    snprintf(prefix, sizeof prefix, "vision_model.encoder.layers.%d.", layer);
    Tensor *t[LAYER_ROWS];
    for (int i = 0; i < LAYER_ROWS; i++)
        t[i] = add(vit, prefix, &layer_rows[i]);
    const int D = vit->config.width;
    vit->blocks[layer] = (VitBlock){
        .ln1 = {t[LN1_WEIGHT], t[LN1_BIAS]},
        .ln2 = {t[LN2_WEIGHT], t[LN2_BIAS]},
        .q = linear_of(t[Q_WEIGHT], t[Q_BIAS]),
        .kv = {.in = D,
               .out = 2 * D,
               .parts = 2,
               .weight = {t[K_WEIGHT], t[V_WEIGHT]},
               .bias = {t[K_BIAS], t[V_BIAS]}},
        .out = linear_of(t[OUT_WEIGHT], t[OUT_BIAS]),
        .fc1 = linear_of(t[FC1_WEIGHT], t[FC1_BIAS]),
        .fc2 = linear_of(t[FC2_WEIGHT], t[FC2_BIAS]),
    };
}

Status vit_build(Vit **out, const VitConfig *config, Error *error)
{
    *out = NULL;
    TRY(vit_config_check(config, "model", error));
    const int L = config->layers;
    Vit *vit = mem_new(1, sizeof *vit, "the model", error);
    if (!vit)
        return STATUS_FAILED;
    vit->config = *config;
    vit->parameters = mem_new(FIRST_ROWS + LAST_ROWS + L * LAYER_ROWS, sizeof *vit->parameters,
                              "the parameters of the model", error);
    vit->blocks = mem_new(L, sizeof *vit->blocks, "the blocks of the model", error);
    if (!vit->parameters || !vit->blocks) {
        vit_destroy(vit);
        return STATUS_FAILED;
    }
    Tensor *first[FIRST_ROWS], *last[LAST_ROWS];
    for (int i = 0; i < FIRST_ROWS; i++)
        first[i] = add(vit, "vision_model.", &first_rows[i]);
    for (int i = 0; i < L; i++)
        build_layer(vit, i);
    for (int i = 0; i < LAST_ROWS; i++)
        last[i] = add(vit, "vision_model.", &last_rows[i]);
    vit->class_embedding = first[0];
    vit->patch_embedding = first[1];
    vit->position_embedding = first[2];
    vit->pre = (VitLayerNorm){first[3], first[4]};
    vit->post = (VitLayerNorm){last[0], last[1]};
    *out = vit;
    return STATUS_OK;
}

/* The blocks of vit_make_room, in `arena`. */
static void place(Vit *vit, Arena *arena)
{
    for (int i = 0; i < vit->parameter_count; i++) {
        Tensor *tensor = &vit->parameters[i].tensor;
        if (!vit->parameters[i].mapped)
            tensor->data = arena_alloc(arena, tensor_count(tensor) * sizeof(float));
    }
}

Status vit_make_room(Vit *vit, Error *error)
{
    assert(!vit->arena);
    Arena *plan;
    TRY(arena_create_measuring(&plan, error));
    place(vit, plan);
    const size_t capacity = arena_peak(plan);
    arena_destroy(plan);
    TRY(arena_create(&vit->arena, capacity, error));
    place(vit, vit->arena);
    return STATUS_OK;
}

void vit_destroy(Vit *vit)
{
    if (!vit)
        return;
    for (int i = 0; i < vit->parameter_count; i++)
        free(vit->parameters[i].adapted);
    safetensors_close(vit->file);
    arena_destroy(vit->packs);
    arena_destroy(vit->arena);
    free(vit->packed);
    free(vit->blocks);
    free(vit->parameters);
    free(vit);
}

VitParameter *vit_find(const Vit *vit, const char *name)
{
    for (int i = 0; i < vit->parameter_count; i++)
        if (strcmp(vit->parameters[i].name, name) == 0)
            return &vit->parameters[i];
    return NULL;
}

size_t vit_size(const Vit *vit)
{
    size_t count = 0;
    for (int i = 0; i < vit->parameter_count; i++)
        count += tensor_count(&vit->parameters[i].tensor);
    return count;
}

typedef struct Digest {
    const VitParameter *parameter;
    XXH128_canonical_t value;
    bool finite;
} Digest;

/* Hash of one parameter: name and shape seed the hash of its numbers. And whether these are finite. */
static void digest_task(void *context, int task, int worker)
{
    (void)worker;
    Digest *digest = (Digest *)context + task;
    const VitParameter *parameter = digest->parameter;
    const Tensor *tensor = &parameter->tensor;
    char text[VIT_NAME_SIZE + VIT_SHAPE_TEXT], shape[VIT_SHAPE_TEXT];
    const int length =
        snprintf(text, sizeof text, "%s %s", parameter->name, vit_tensor_shape_text(shape, tensor));
    const XXH64_hash_t seed = XXH3_64bits(text, length);
    const size_t bytes = tensor_count(tensor) * sizeof(float);
    XXH128_canonicalFromHash(&digest->value,
                             XXH3_128bits_withSeed(tensor_f32(tensor), bytes, seed));
    digest->finite = dtype_all_finite(tensor_f32(tensor), tensor_count(tensor));
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const Digest *)a)->parameter->name, ((const Digest *)b)->parameter->name);
}

/* Lists the tensors that hold NaN or infinity. */
static Status check_finite(const char *path, const Digest *digests, int count, Error *error)
{
    int broken = 0;
    for (int i = 0; i < count; i++) {
        if (digests[i].finite)
            continue;
        broken++;
        error_detail(error, "NaN or infinity: %s", digests[i].parameter->name);
    }
    if (broken == 0)
        return STATUS_OK;
    return error_set(error, STATUS_FAILED,
                     "%s: %d tensors hold NaN or infinity; the file is damaged or its training "
                     "diverged, use another copy",
                     path, broken);
}

Status vit_compute_fingerprint(Vit *vit, const char *path, Threads *threads, Error *error)
{
    const int count = vit->parameter_count;
    Digest *digests = mem_new(count, sizeof *digests, "the fingerprint of the model", error);
    if (!digests)
        return STATUS_FAILED;
    for (int i = 0; i < count; i++)
        digests[i].parameter = &vit->parameters[i];
    threads_run(threads, count, digest_task, digests);

    /* In the order of names, so that the fingerprint does not depend on the order of our list. */
    qsort(digests, count, sizeof *digests, by_name);
    XXH128_canonical_t chain[2] = {{{0}}}; /* what was hashed so far, and the next parameter */
    for (int i = 0; i < count; i++) {
        chain[1] = digests[i].value;
        XXH128_canonicalFromHash(&chain[0], XXH3_128bits(chain, sizeof chain));
    }
    Status status = file_check_mappings(error);
    if (status == STATUS_OK)
        status = check_finite(path, digests, count, error);
    free(digests);
    for (size_t i = 0; i < sizeof chain[0]; i++)
        snprintf(vit->fingerprint + 2 * i, 3, "%02x", chain[0].digest[i]);
    return status;
}
