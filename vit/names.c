/*
 * names.c - see names.h.
 */
#include "vit/names.h"

#include "tensor/base/mem.h"
#include "vit/part.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool starts(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

static bool is_one_of(const char *text, const char *const *list)
{
    for (; *list; list++)
        if (strcmp(text, *list) == 0)
            return true;
    return false;
}

/* Removes the first `infix` from `text`. False if there is none. */
static bool remove_infix(char *text, const char *infix)
{
    char *at = strstr(text, infix);
    if (!at)
        return false;
    const char *rest = at + strlen(infix);
    memmove(at, rest, strlen(rest) + 1);
    return true;
}

/* vit_name_kind; for a part also gives method and row index. */
static VitNameKind kind_of(const VitTower *tower, const char *name, char native[VIT_NAME_SIZE],
                           const VitMethod **method, int *part)
{
    static const char *const weights[] = {VIT_HEAD_WEIGHT, "linear.weight", "head.weight", NULL};
    static const char *const biases[] = {VIT_HEAD_BIAS, "linear.bias", "head.bias", NULL};
    native[0] = '\0';
    if (is_one_of(name, weights))
        return VIT_NAME_HEAD_WEIGHT;
    if (is_one_of(name, biases))
        return VIT_NAME_HEAD_BIAS;
    if (starts(name, VIT_PREFIX))
        name += strlen(VIT_PREFIX);
    if (starts(name, "base_model.model."))
        name += strlen("base_model.model.");
    if (vit_tower_ignores(tower, name))
        return VIT_NAME_IGNORED;

    const bool prefixed = starts(name, tower->prefix);
    const char *prefix = prefixed ? "" : tower->prefix;
    const bool encoder = prefixed || vit_tower_begins(tower, name);
    char full[2 * VIT_NAME_SIZE];
    const int length = snprintf(full, sizeof full, "%s%s", prefix, name);
    if (!encoder || length < 0 || (size_t)length >= sizeof full)
        return VIT_NAME_UNKNOWN;
    if (remove_infix(full, "ln_tuning_layers."))
        remove_infix(full, "default.");
    const bool original = remove_infix(full, "base_layer.");
    if (strlen(full) >= VIT_NAME_SIZE)
        return VIT_NAME_UNKNOWN;
    *method = vit_part_parse(full, part);
    if (strlen(full) >= VIT_NAME_SIZE)
        return VIT_NAME_UNKNOWN;
    memcpy(native, full, strlen(full) + 1);
    if (*method)
        return VIT_NAME_PART;
    return original ? VIT_NAME_ORIGINAL : VIT_NAME_ENCODER;
}

VitNameKind vit_name_kind(const VitTower *tower, const char *name, char native[VIT_NAME_SIZE])
{
    const VitMethod *method = NULL;
    int part;
    return kind_of(tower, name, native, &method, &part);
}

/* `name` without the prefixes of wrapper modules. */
static const char *without_wrappers(const char *name)
{
    static const char *const wrappers[] = {
        VIT_PREFIX, "base_model.model.", "module.", "model.", "backbone.",
        "clip.",    "image_encoder.",    "visual.", "trunk.", "_orig_mod.",
    };
    for (size_t i = 0; i < COUNT_OF(wrappers);) {
        const bool wrapped = starts(name, wrappers[i]);
        name += wrapped ? strlen(wrappers[i]) : 0;
        i = wrapped ? 0 : i + 1;
    }
    return name;
}

/*
 * Recognises an unsupported family by the beginning of a tensor name after its wrappers; NULL if
 * there is none. *is_clip: the file is a CLIP with other names and can be converted. Marks of other
 * networks come first, because these share most names with CLIP.
 */
static const char *other_family(const SafeTensors *file, bool *is_clip)
{
    static const struct {
        const char *mark, *family;
        bool is_clip;
    } marks[] = {
        {"vision_model.head.", "a SigLIP", false},
        {"attn_pool.", "a Perception Encoder (PE) or another model with attention pooling", false},
        {"embeddings.register_tokens", "a DINOv2 or DINOv3 with registers", false},
        {"embeddings.mask_token", "a DINOv2 or DINOv3", false},
        {"embeddings.cls_token", "a ViT or DINO of Hugging Face", false},
        {"embeddings.patch_embeddings.", "a ViT or DINO of Hugging Face", false},
        {"register_tokens", "a DINOv2 or DINOv3 with registers", false},
        {"storage_tokens", "a DINOv3", false},
        {"reg_token", "a timm vision transformer with registers", false},
        {"mask_token", "a DINOv2 or DINOv3", false},
        {"blocks.0.ls1.", "a vision transformer with LayerScale, such as DINOv2", false},
        {"blocks.0.gamma_1", "a vision transformer with LayerScale", false},
        {"blocks.0.attn.q_proj.", "an EVA", false},
        {"blocks.0.attn.q_bias", "an EVA", false},
        {"blocks.0.mlp.w1.", "an EVA", false},
        {"fc_norm.", "a timm vision transformer with average pooling", false},
        {"transformer.resblocks.0.ls_1.", "an open_clip model with LayerScale", false},
        {"class_embedding", "an OpenAI or open_clip checkpoint", true},
        {"transformer.resblocks.0.ln_1.", "an OpenAI or open_clip checkpoint", true},
        {"cls_token", "a timm vision transformer", true},
        {"blocks.0.attn.qkv.", "a timm vision transformer", true},
    };
    for (size_t m = 0; m < COUNT_OF(marks); m++)
        for (int i = 0; i < safetensors_count(file); i++) {
            const char *name = safetensors_at(file, i)->name;
            /* The text tower of a full CLIP also has resblocks, without a wrapper. */
            const bool text = starts(name, "transformer.") || starts(name, "text_model.");
            if (text || !starts(without_wrappers(name), marks[m].mark))
                continue;
            *is_clip = marks[m].is_clip;
            return marks[m].family;
        }
    for (int i = 0; i < safetensors_count(file); i++) {
        const char *name = safetensors_at(file, i)->name;
        *is_clip = true;
        if (starts(name, "backbone.") && (strstr(name, "embeddings.class_embedding")))
            return "a DeepfakeBench checkpoint";
    }
    return NULL;
}

static int by_native(const void *a, const void *b)
{
    const VitNamed *x = a, *y = b;
    if (x->kind != y->kind)
        return x->kind < y->kind ? -1 : 1;
    if (x->part != y->part)
        return x->part < y->part ? -1 : 1;
    const int names = strcmp(x->native, y->native);
    return names != 0 || x->method == y->method ? names : strcmp(x->method->name, y->method->name);
}

Status vit_named_list(const SafeTensors *file, const VitTower *tower, VitNamed **out, Error *error)
{
    const int count = safetensors_count(file);
    bool is_clip;
    const char *path = safetensors_path(file), *family = other_family(file, &is_clip);
    *out = NULL;
    if (family && is_clip)
        return error_set(error, STATUS_FAILED,
                         "%s: is %s; convert it to Hugging Face's CLIPVisionModel first", path,
                         family);
    if (family)
        return error_set(error, STATUS_FAILED,
                         "%s: is %s, not a CLIP; only CLIP vision models are supported", path,
                         family);
    VitNamed *named = mem_new(count, sizeof *named, path, error);
    if (!named)
        return STATUS_FAILED;
    for (int i = 0; i < count; i++) {
        named[i].tensor = safetensors_at(file, i);
        named[i].kind = kind_of(tower, named[i].tensor->name, named[i].native, &named[i].method,
                                &named[i].part);
    }
    qsort(named, count, sizeof *named, by_native);
    for (int i = 1; i < count; i++)
        if (named[i].kind < VIT_NAME_IGNORED && by_native(&named[i - 1], &named[i]) == 0)
            error_detail(error, "duplicate tensor: %.150s and %.150s", named[i - 1].tensor->name,
                         named[i].tensor->name);
    if (error->problems > 0) {
        free(named);
        return error_set(error, STATUS_FAILED, "%s: %d duplicate tensors; remove one of each", path,
                         error->problems);
    }
    *out = named;
    return STATUS_OK;
}

/* The entry that equals `key` and has this native name, or NULL. */
static const VitNamed *find_key(const VitNamed *named, int count, VitNamed key, const char *native)
{
    assert(strlen(native) < sizeof key.native);
    memcpy(key.native, native, strlen(native) + 1);
    return count > 0 ? bsearch(&key, named, count, sizeof key, by_native) : NULL;
}

const VitNamed *vit_named_find(const VitNamed *named, int count, const char *native)
{
    return find_key(named, count, (VitNamed){.kind = VIT_NAME_ENCODER}, native);
}

const VitNamed *vit_named_find_part(const VitNamed *named, int count, const VitMethod *method,
                                    int part, const char *native)
{
    const VitNamed key = {.kind = VIT_NAME_PART, .method = method, .part = part};
    return find_key(named, count, key, native);
}

const VitNamed *vit_named_of_kind(const VitNamed *named, int count, VitNameKind kind)
{
    for (int i = 0; i < count; i++)
        if (named[i].kind == kind)
            return &named[i];
    return NULL;
}

bool vit_is_float(const SafeTensor *tensor)
{
    return tensor->dtype == DTYPE_F32 || tensor->dtype == DTYPE_F16 || tensor->dtype == DTYPE_BF16;
}

bool vit_same_shape(const SafeTensor *stored, const Tensor *tensor)
{
    if (stored->ndim != tensor->ndim)
        return false;
    for (int i = 0; i < tensor->ndim; i++)
        if (stored->shape[i] != tensor->shape[i])
            return false;
    return true;
}

const char *vit_shape_text(char text[VIT_SHAPE_TEXT], const SafeTensor *stored)
{
    int used = snprintf(text, VIT_SHAPE_TEXT, "[");
    for (int i = 0; i < stored->ndim; i++)
        used += snprintf(text + used, VIT_SHAPE_TEXT - used, "%s%" PRId64, i ? "," : "",
                         stored->shape[i]);
    snprintf(text + used, VIT_SHAPE_TEXT - used, "]");
    return text;
}

const char *vit_tensor_shape_text(char text[VIT_SHAPE_TEXT], const Tensor *tensor)
{
    SafeTensor shape = {.ndim = tensor->ndim};
    for (int i = 0; i < tensor->ndim; i++)
        shape.shape[i] = tensor->shape[i];
    return vit_shape_text(text, &shape);
}

SafeTensor vit_stored(const char *name, const Tensor *tensor)
{
    SafeTensor stored = {.name = name,
                         .dtype = DTYPE_F32,
                         .ndim = tensor->ndim,
                         .data = tensor_f32(tensor),
                         .bytes = tensor_count(tensor) * sizeof(float)};
    for (int i = 0; i < tensor->ndim; i++)
        stored.shape[i] = tensor->shape[i];
    return stored;
}
