/*
 * save.c - vit_save: an encoder, and maybe its head, as files that other programs read.
 */
#include "tensor/file.h"
#include "vit/head.h"
#include "vit/names.h"

#include <assert.h>
#include <stdlib.h>

/* The tensors of a model into `tensors`, with room for the head's two; returns their number. */
static int list_tensors(const Vit *vit, const VitHead *head, SafeTensor *tensors)
{
    int count = 0;
    for (; count < vit->parameter_count; count++)
        tensors[count] = vit_stored(vit->parameters[count].name, &vit->parameters[count].tensor);
    if (head) {
        tensors[count++] = vit_stored(VIT_HEAD_WEIGHT, &head->weight);
        tensors[count++] = vit_stored(VIT_HEAD_BIAS, &head->bias);
    }
    return count;
}

Status vit_save_with_head(const Vit *vit, const VitHead *head, const char *folder, Error *error)
{
    assert(vit && folder && error);
    char path[FILE_PATH_SIZE];
    TRY(file_make_folders(folder, error));
    TRY(file_join(path, folder, "model.safetensors", error));
    SafeTensor *const tensors = calloc((size_t)vit->parameter_count + 2, sizeof *tensors);
    char *const config = vit_config_format(&vit->config);
    char *const seen = vit_config_format_preprocessor(&vit->config);
    Status status = STATUS_OK;
    if (tensors && config && seen) {
        /* "format" is what transformers asks for; the configurations let the file stand alone. */
        const SafeTensorsMetadata metadata[] = {
            {"format", "pt"},
            {"config", config},
            {"preprocessor_config", seen},
            {"head", head ? vit_head_kind_name(head->kind) : ""},
        };
        const int count = list_tensors(vit, head, tensors);
        status = safetensors_write(path, tensors, count, metadata, head ? 4 : 3, error);
    } else {
        status = error_set(error, STATUS_FAILED, "%s: no memory to write it; free some", path);
    }
    free(seen);
    free(config);
    free(tensors);
    /* After the large file, which a full disk refuses: what is left then is an empty folder, and no half model. */
    return status == STATUS_OK ? vit_config_write(&vit->config, folder, error) : status;
}

Status vit_save(const Vit *vit, const char *folder, Error *error)
{
    return vit_save_with_head(vit, NULL, folder, error);
}
