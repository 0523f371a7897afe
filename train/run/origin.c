/*
 * origin.c - see origin.h.
 */
#include "train/run/origin.h"

#include "data/image/image.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

static void hex(XXH128_hash_t hash, char out[33])
{
    snprintf(out, 33, "%016llx%016llx", (unsigned long long)hash.high64,
             (unsigned long long)hash.low64);
}

/* Of the keys and values alone: from which built-in recipe they came does not matter. */
static Status hash_recipe(const TrainRecipe *recipe, char out[33], Error *error)
{
    char *const text = train_recipe_identity(recipe);
    if (!text)
        return error_set(error, STATUS_FAILED, "training: no memory; close other programs");
    const char *const keys = text + strcspn(text, "\n");
    hex(XXH3_128bits(keys, strlen(keys)), out);
    free(text);
    return STATUS_OK;
}

/* Of what an adapter may have changed, and training does not. */
static Status hash_frozen(const Vit *vit, char out[33], Error *error)
{
    XXH3_state_t *const hash = XXH3_createState();
    if (!hash)
        return error_set(error, STATUS_FAILED, "training: no memory; close other programs");
    XXH3_128bits_reset(hash);
    for (int i = 0; i < vit->parameter_count; i++) {
        const VitParameter *const parameter = &vit->parameters[i];
        const bool changed = parameter->kind == VIT_LAYER_NORM || parameter->adapted;
        if (changed && !parameter->tensor.needs_grad)
            XXH3_128bits_update(hash, tensor_f32(&parameter->tensor),
                                tensor_count(&parameter->tensor) * sizeof(float));
    }
    hex(XXH3_128bits_digest(hash), out);
    XXH3_freeState(hash);
    return STATUS_OK;
}

Status train_origin_find(TrainOrigin *origin, const Vit *vit, const TrainRecipe *recipe,
                         const DataList *train, const DataList *val, Error *error)
{
    *origin = (TrainOrigin){.decoders = data_image_decoders()};
    snprintf(origin->base, sizeof origin->base, "%s", vit->fingerprint);
    char preprocessing[VIT_CONFIG_TEXT];
    vit_config_describe_network(&vit->config, origin->network);
    vit_config_describe_preprocessing(&vit->config, preprocessing);
    const size_t used = strlen(origin->network);
    snprintf(origin->network + used, sizeof origin->network - used, ", %s", preprocessing);
    data_list_hash(train, origin->train);
    if (val)
        data_list_hash(val, origin->val);
    TRY(hash_recipe(recipe, origin->recipe, error));
    return hash_frozen(vit, origin->frozen, error);
}
