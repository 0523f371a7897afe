/*
 * safetensors_write.c - the writer behind safetensors.h.
 *
 * The file depends only on its contents, never on the order of the arguments, the time or the
 * machine: equal values give equal bytes.
 */
#include "tensor/base/file.h"
#include "tensor/safetensors.h"

#include <assert.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static const char *type_name(const SafeTensor *tensor)
{
    return tensor->dtype == DTYPE_COUNT ? tensor->dtype_text : dtype_name(tensor->dtype);
}

static unsigned element_bits(const SafeTensor *tensor)
{
    return safetensors_element_bits(type_name(tensor));
}

/* Wider elements first, so that each tensor starts on a multiple of its element; then by name. */
static int by_width_and_name(const void *a, const void *b)
{
    const SafeTensor *x = *(const SafeTensor *const *)a, *y = *(const SafeTensor *const *)b;
    const unsigned wx = element_bits(x), wy = element_bits(y);
    return wx != wy ? (wx > wy ? -1 : 1) : strcmp(x->name, y->name);
}

static int by_metadata_key(const void *a, const void *b)
{
    return strcmp((*(const SafeTensorsMetadata *const *)a)->key,
                  (*(const SafeTensorsMetadata *const *)b)->key);
}

/* {"dtype":..,"shape":[..],"data_offsets":[..]}, or NULL if out of memory. */
static json_t *describe(const SafeTensor *tensor, size_t begin)
{
    assert(tensor->ndim >= 0 && tensor->ndim <= SAFETENSORS_MAX_DIMS);
    json_t *shape = json_array();
    const size_t bytes = safetensors_elements(tensor) * element_bits(tensor) / 8;
    for (int i = 0; i < tensor->ndim; i++) {
        assert(tensor->shape[i] >= 0);
        if (json_array_append_new(shape, json_integer(tensor->shape[i])) != 0) {
            json_decref(shape);
            return NULL;
        }
    }
    assert(bytes == tensor->bytes && (bytes == 0 || tensor->data));
    return json_pack("{s:s, s:o, s:[I,I]}", "dtype", type_name(tensor), "shape", shape,
                     "data_offsets", (json_int_t)begin, (json_int_t)(begin + bytes));
}

/* True if `text` parses to `header`: false if a failed allocation truncated it. */
static bool reads_as(const char *text, const json_t *header)
{
    json_t *again = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    const bool same = again && json_equal(again, header);
    json_decref(again);
    return same;
}

/* The header as JSON text, freed by the caller. NULL if out of memory or a string is not UTF-8. */
static char *make_header(const SafeTensor *const *tensors, int count,
                         const SafeTensorsMetadata *const *metadata, int metadata_count)
{
    json_t *header = json_object();
    bool fine = header != NULL;
    if (metadata_count > 0) {
        json_t *table = json_object();
        for (int i = 0; fine && i < metadata_count; i++) {
            assert(i == 0 || strcmp(metadata[i - 1]->key, metadata[i]->key) != 0);
            fine =
                json_object_set_new(table, metadata[i]->key, json_string(metadata[i]->value)) == 0;
        }
        fine = json_object_set_new(header, "__metadata__", table) == 0 && fine;
    }
    size_t begin = 0;
    for (int i = 0; fine && i < count; i++) {
        assert(strcmp(tensors[i]->name, "__metadata__") != 0);
        assert(!json_object_get(header, tensors[i]->name)); /* names are unique */
        fine = json_object_set_new(header, tensors[i]->name, describe(tensors[i], begin)) == 0;
        begin += tensors[i]->bytes;
    }
    char *text = fine ? json_dumps(header, JSON_COMPACT) : NULL;
    if (text && !reads_as(text, header)) {
        free(text);
        text = NULL;
    }
    json_decref(header);
    return text;
}

static Status write_file(const char *path, const char *header, const SafeTensor *const *tensors,
                         int count, Error *error)
{
    FileWriter writer;
    Error before;
    const bool sound = file_check_mappings(&before) == STATUS_OK;
    TRY(file_begin(&writer, path, error));
    file_remove_leftovers(path);
    const size_t text = strlen(header), length = (text + 7) / 8 * 8;
    for (int i = 0; i < 8; i++)
        putc((int)((uint64_t)length >> (8 * i) & 255), writer.stream);
    fprintf(writer.stream, "%s%*s", header, (int)(length - text), "");
    for (int i = 0; i < count; i++)
        if (tensors[i]->bytes > 0)
            (void)fwrite(tensors[i]->data, 1, tensors[i]->bytes, writer.stream);
    /*
     * Fails if a mapping, which may hold the data, has shrunk since the write began. An earlier one
     * is no reason to fail.
     */
    if (sound && file_check_mappings(error) != STATUS_OK) {
        file_abort(&writer);
        return STATUS_FAILED;
    }
    return file_commit(&writer, error); /* sees every failed write above */
}

Status safetensors_write(const char *path, const SafeTensor *tensors, int count,
                         const SafeTensorsMetadata *metadata, int metadata_count, Error *error)
{
    assert(path && error && count >= 0 && metadata_count >= 0);
    const SafeTensor **order = malloc(((size_t)count + 1) * sizeof *order);
    const SafeTensorsMetadata **keys = malloc(((size_t)metadata_count + 1) * sizeof *keys);
    char *header = NULL;
    if (order && keys) {
        for (int i = 0; i < count; i++)
            order[i] = &tensors[i];
        for (int i = 0; i < metadata_count; i++)
            keys[i] = &metadata[i];
        qsort(order, count, sizeof *order, by_width_and_name);
        qsort(keys, metadata_count, sizeof *keys, by_metadata_key);
        header = make_header(order, count, keys, metadata_count);
    }
    Status status;
    if (header)
        status = write_file(path, header, order, count, error);
    else
        status = error_set(
            error, STATUS_FAILED,
            "%s: a name or metadata value is not UTF-8, or out of memory; check the paths in it",
            path);
    free(header);
    free(keys);
    free(order);
    return status;
}
