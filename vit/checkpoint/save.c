/*
 * save.c - vit_save: an encoder, optionally with a head, as files for other programs.
 *
 * There are two layouts. Hugging Face's clip_vision_model stores the head next to the encoder's
 * tensors. In GenD's layout (yermandy/GenD, src/hf/modeling_gend.py) all names start with
 * "feature_extractor." or "model.", and config.json names the backbone instead of giving the shape.
 */
#include "tensor/base/file.h"
#include "tensor/base/mem.h"
#include "vit/head.h"
#include "vit/names.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { OWN_METADATA = 4 };

typedef char Name[VIT_NAME_SIZE + sizeof VIT_PREFIX];

/* CLIP's projection in the model's file, or NULL. GenD's class requires it but does not use it. */
static const SafeTensor *find_projection(const Vit *vit)
{
    if (!vit->file)
        return NULL;
    Name prefixed;
    snprintf(prefixed, sizeof prefixed, "%s%s", VIT_PREFIX, vit->config.tower->projection);
    const SafeTensor *found = safetensors_find(vit->file, vit->config.tower->projection);
    return found ? found : safetensors_find(vit->file, prefixed);
}

/*
 * Lists the tensors of a model, including head and projection, and returns their number. `tensors`
 * and `names` have room for all of them.
 */
static int list_tensors(const Vit *vit, const VitSaving *saving, SafeTensor *tensors, Name *names)
{
    int count = 0;
    for (; count < vit->parameter_count; count++) {
        const VitParameter *parameter = &vit->parameters[count];
        snprintf(names[count], sizeof names[count], "%s%s", saving->backbone ? VIT_PREFIX : "",
                 parameter->name);
        tensors[count] = vit_stored(names[count], &parameter->tensor);
    }
    const SafeTensor *projection = saving->backbone ? find_projection(vit) : NULL;
    if (projection && vit_is_float(projection)) {
        snprintf(names[count], sizeof names[count], "%s%s", VIT_PREFIX,
                 vit->config.tower->projection);
        tensors[count] = *projection;
        tensors[count].name = names[count];
        count++;
    }
    for (int i = 0; saving->head && i < VIT_HEAD_TENSORS; i++)
        tensors[count++] =
            vit_stored(vit_head_rows[i].name, vit_head_tensor((VitHead *)saving->head, i));
    return count;
}

/* Writes the files of a model into an existing folder. */
static Status write_files(const Vit *vit, const VitSaving *saving, const char *folder, Error *error)
{
    const char *kind = saving->head ? vit_head_kind_name(saving->head->kind) : "";
    char path[FILE_PATH_SIZE];
    TRY(file_check_mappings(error));
    TRY(file_join(path, folder, "model.safetensors", error));
    const int room = vit->parameter_count + VIT_HEAD_TENSORS + 1;
    SafeTensor *tensors = mem_new(room, sizeof *tensors, path, error);
    Name *names = mem_new(room, sizeof *names, path, error);
    SafeTensorsMetadata *metadata =
        mem_new(saving->metadata_count + OWN_METADATA, sizeof *metadata, path, error);
    char *config = vit_config_format(&vit->config, error);
    char *preprocessor = vit_config_format_preprocessor(&vit->config, error);
    Status status = STATUS_FAILED;
    if (!tensors || !names || !metadata || !config || !preprocessor)
        goto done;
    int count = 0;
    for (; count < saving->metadata_count; count++)
        metadata[count] = saving->metadata[count];
    /* transformers requires "format". The configurations make the file usable on its own. */
    metadata[count++] = (SafeTensorsMetadata){"format", "pt"};
    metadata[count++] = (SafeTensorsMetadata){"config", config};
    metadata[count++] = (SafeTensorsMetadata){"preprocessor_config", preprocessor};
    if (saving->head)
        metadata[count++] = (SafeTensorsMetadata){"head", kind};
    status = safetensors_write(path, tensors, list_tensors(vit, saving, tensors, names), metadata,
                               count, error);
done:
    free(preprocessor);
    free(config);
    free(metadata);
    free(names);
    free(tensors);
    TRY(status);
    return saving->backbone
               ? vit_config_write_gend(&vit->config, saving->backbone, kind, folder, error)
               : vit_config_write(&vit->config, folder, error);
}

Status vit_save_as(const Vit *vit, const VitSaving *saving, const char *folder, Error *error)
{
    assert(vit && saving && folder && error && (!saving->backbone || saving->head));
    FolderWriter writer;
    for (int i = 0; i < vit->parameter_count; i++) {
        const VitMethod *method = vit->parameters[i].method;
        if (method && !method->merge)
            return error_set(error, STATUS_FAILED,
                             "%s: %s at %s cannot be merged into the weights, and a model file "
                             "cannot store it; keep the adapter",
                             folder, method->name, vit->parameters[i].name);
    }
    if (!file_folder_is_empty(folder))
        return error_set(error, STATUS_FAILED,
                         "%s: is not an empty folder; choose a new one for the model", folder);
    TRY(file_folder_begin(&writer, folder, error));
    Status status = write_files(vit, saving, writer.temporary, error);
    if (status == STATUS_OK)
        status = file_folder_commit(&writer, error);
    file_folder_abort(&writer);
    return status;
}

Status vit_save_with_head(const Vit *vit, const VitHead *head, const char *folder, Error *error)
{
    return vit_save_as(vit, &(VitSaving){.head = head}, folder, error);
}

Status vit_save(const Vit *vit, const char *folder, Error *error)
{
    return vit_save_as(vit, &(VitSaving){0}, folder, error);
}
