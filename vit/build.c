/*
 * build.c - the encoder's list of parameters: construction, lookup and fingerprint.
 */
#include "tensor/base/file.h"
#include "tensor/base/mem.h"
#include "vit/names.h"
#include "vit/part.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int extent_of(const VitConfig *config, VitExtent extent)
{
    switch (extent) {
    case VIT_WIDTH:
        return config->width;
    case VIT_MLP:
        return config->mlp;
    case VIT_TOKENS:
        return vit_tokens(config);
    case VIT_COLOURS:
        return 3;
    case VIT_PATCH:
        return config->patch_size;
    case VIT_NONE:
        break;
    }
    return 0;
}

/* Adds the parameters for slots `first` to `last`. `block` is 0 outside the blocks. */
static void add_rows(Vit *vit, VitSlot first, VitSlot last, int block, Tensor *slots[VIT_SLOTS])
{
    const VitTower *tower = vit->config.tower;
    for (int i = 0; i < tower->row_count; i++) {
        const VitTensorRow *row = &tower->rows[i];
        if (row->slot < first || row->slot > last)
            continue;
        VitParameter *parameter = &vit->parameters[vit->parameter_count++];
        parameter->row = row;
        parameter->kind = row->kind;
        parameter->block = block;
        vit_tensor_name(tower, row, block, parameter->name);
        int ndim = 0, shape[TENSOR_MAX_DIMS];
        for (; ndim < TENSOR_MAX_DIMS && row->shape[ndim] != VIT_NONE; ndim++)
            shape[ndim] = extent_of(&vit->config, row->shape[ndim]);
        parameter->tensor = tensor_leaf(NULL, ndim, shape);
        slots[row->slot] = &parameter->tensor;
    }
}

/* The stacked weights of a linear map: every second slot, starting with `first`. */
typedef struct MapRow {
    VitSlot first;
    int parts;
} MapRow;

static const MapRow map_rows[VIT_MAPS] = {
    [VIT_MAP_Q] = {VIT_Q_WEIGHT, 1},     [VIT_MAP_KV] = {VIT_K_WEIGHT, 2},
    [VIT_MAP_OUT] = {VIT_OUT_WEIGHT, 1}, [VIT_MAP_FC1] = {VIT_FC1_WEIGHT, 1},
    [VIT_MAP_FC2] = {VIT_FC2_WEIGHT, 1},
};

/* The slot after each weight holds its bias or NULL. */
static Linear linear_of(Tensor *const slots[VIT_SLOTS], const MapRow *row)
{
    Linear linear = {.in = slots[row->first]->shape[1], .parts = row->parts};
    for (int part = 0; part < row->parts; part++) {
        linear.weight[part] = slots[row->first + 2 * part];
        linear.bias[part] = slots[row->first + 2 * part + 1];
        linear.out += linear.weight[part]->shape[0];
    }
    return linear;
}

Status vit_build(Vit **out, const VitConfig *config, Error *error)
{
    *out = NULL;
    TRY(vit_config_check(config, "model", error));
    Vit *vit = mem_new(1, sizeof *vit, "the model", error);
    if (!vit)
        return STATUS_FAILED;
    vit->config = *config;
    vit->parameters = mem_new(VIT_SLOTS + (config->layers - 1) * VIT_BLOCK_SLOTS,
                              sizeof *vit->parameters, "the parameters of the model", error);
    vit->blocks = mem_new(config->layers, sizeof *vit->blocks, "the blocks of the model", error);
    if (!vit->parameters || !vit->blocks) {
        vit_destroy(vit);
        return STATUS_FAILED;
    }
    Tensor *t[VIT_SLOTS] = {NULL};
    add_rows(vit, 0, VIT_LN1_WEIGHT - 1, 0, t);
    for (int i = 0; i < config->layers; i++) {
        add_rows(vit, VIT_LN1_WEIGHT, VIT_FC2_BIAS, i, t);
        vit->blocks[i] = (VitBlock){
            .ln1 = {t[VIT_LN1_WEIGHT], t[VIT_LN1_BIAS]},
            .ln2 = {t[VIT_LN2_WEIGHT], t[VIT_LN2_BIAS]},
        };
        for (int map = 0; map < VIT_MAPS; map++)
            vit->blocks[i].maps[map] = linear_of(t, &map_rows[map]);
    }
    add_rows(vit, VIT_FC2_BIAS + 1, VIT_SLOTS - 1, 0, t);
    vit->class_embedding = t[VIT_CLASS_EMBEDDING];
    vit->patch_embedding = t[VIT_PATCH_EMBEDDING];
    vit->position_embedding = t[VIT_POSITION_EMBEDDING];
    vit->pre = (VitLayerNorm){t[VIT_PRE_WEIGHT], t[VIT_PRE_BIAS]};
    vit->post = (VitLayerNorm){t[VIT_POST_WEIGHT], t[VIT_POST_BIAS]};
    *out = vit;
    return STATUS_OK;
}

/* Allocates the values in `arena`. */
static void place(Vit *vit, Arena *arena)
{
    for (int i = 0; i < vit->parameter_count; i++) {
        Tensor *tensor = &vit->parameters[i].tensor;
        if (!vit->parameters[i].mapped)
            tensor->data = arena_alloc(arena, tensor_count(tensor) * sizeof(float));
    }
}

Status vit_allocate_values(Vit *vit, Error *error)
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
    for (int i = 0; i < vit->parameter_count; i++) {
        free(vit->parameters[i].adapted);
        vit_part_detach(&vit->parameters[i]);
    }
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

/* Hashes the values of one parameter, seeded with its name and shape, and checks that they are
 * finite. */
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
                     "%s: %d tensors contain NaN or infinity; the file is damaged or its training "
                     "diverged; use another copy",
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

    /* Sorted by name, so the fingerprint does not depend on the order of the list. */
    qsort(digests, count, sizeof *digests, by_name);
    XXH128_canonical_t chain[2] = {{{0}}}; /* the hash so far, and that of the next parameter */
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
