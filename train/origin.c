/*
 * origin.c - see origin.h.
 */
#include "train/origin.h"

#include "data/image.h"

#include <stdio.h>
#include <xxhash.h>

Status train_origin_find(TrainOrigin *origin, const Vit *vit, const DataList *train,
                         const DataList *val, Error *error)
{
    *origin = (TrainOrigin){.decoders = data_image_decoders()};
    snprintf(origin->base, sizeof origin->base, "%s", vit->fingerprint);
    data_list_hash(train, origin->train);
    if (val)
        data_list_hash(val, origin->val);

    XXH3_state_t *const hash = XXH3_createState();
    if (!hash)
        return error_set(error, STATUS_FAILED, "training: no memory; close other programs");
    XXH3_128bits_reset(hash);
    for (int i = 0; i < vit->parameter_count; i++) {
        const VitParameter *const parameter = &vit->parameters[i];
        if (parameter->kind == VIT_LAYER_NORM && !parameter->tensor.needs_grad)
            XXH3_128bits_update(hash, tensor_f32(&parameter->tensor),
                                tensor_count(&parameter->tensor) * sizeof(float));
    }
    const XXH128_hash_t digest = XXH3_128bits_digest(hash);
    XXH3_freeState(hash);
    snprintf(origin->frozen, sizeof origin->frozen, "%016llx%016llx",
             (unsigned long long)digest.high64, (unsigned long long)digest.low64);
    return STATUS_OK;
}
