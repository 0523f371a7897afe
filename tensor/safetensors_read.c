/*
 * safetensors_read.c - the reader behind safetensors.h.
 *
 * Files are untrusted: every length, offset and product is checked against the size of the file, in
 * arithmetic that cannot wrap, before a pointer into the mapping is formed. JSON is parsed by
 * jansson; its strings (names, metadata) are borrowed until the file is closed.
 */
#include "tensor/base/file.h"
#include "tensor/base/mem.h"
#include "tensor/safetensors.h"

#include <assert.h>
#include <inttypes.h>
#include <jansson.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* The format is little-endian, its data are used in place, and offsets have 64 bits. */
static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "data would have to be byte-swapped");
static_assert(sizeof(size_t) == sizeof(uint64_t), "offsets would be truncated");

/* Format of a name in a message. Truncated, because names in hostile files may have megabytes. */
#define NAME "%.200s"

typedef struct Entry {
    SafeTensor tensor;
    size_t begin, end; /* bytes from the end of its shard's header */
    int shard;
} Entry;

typedef struct Pair {
    const char *key, *value;
    int order; /* order of reading: of equal keys the first is used */
} Pair;

typedef struct Shard {
    char path[FILE_PATH_SIZE];
    FileMap map;
    json_t *header; /* owns the strings of the shard's entries */
    size_t data;    /* offset of the data */
} Shard;

struct SafeTensors {
    char path[FILE_PATH_SIZE];
    Shard *shards; /* [shard_count] */
    int shard_count;
    Entry *entries; /* [count], bytewise by name */
    int count;
    Pair *metadata; /* [metadata_count], bytewise by key */
    int metadata_count;
};

/*
 * Every element type of the format, with its bits. Only types of dtype.h are converted; the others
 * are listed without conversion.
 */
static const struct {
    const char *name;
    unsigned bits;
} element_types[] = {
    {"BOOL", 8},        {"F4", 4},          {"F6_E2M3", 6}, {"F6_E3M2", 6}, {"U8", 8},
    {"I8", 8},          {"F8_E5M2", 8},     {"F8_E4M3", 8}, {"F8_E8M0", 8}, {"I16", 16},
    {"U16", 16},        {"F16", 16},        {"BF16", 16},   {"I32", 32},    {"U32", 32},
    {"F32", 32},        {"C64", 64},        {"F64", 64},    {"I64", 64},    {"U64", 64},
    {"F8_E5M2FNUZ", 8}, {"F8_E4M3FNUZ", 8},
};

unsigned safetensors_element_bits(const char *dtype_text)
{
    for (size_t i = 0; i < COUNT_OF(element_types); i++)
        if (strcmp(element_types[i].name, dtype_text) == 0)
            return element_types[i].bits;
    return 0;
}

size_t safetensors_elements(const SafeTensor *tensor)
{
    size_t count = 1;
    for (int i = 0; i < tensor->ndim; i++)
        count *= (size_t)tensor->shape[i];
    return count;
}

/*
 * Recognises common files that are not safetensors by their first bytes: returns a description, or
 * NULL.
 */
static const char *recognise(const FileMap *map)
{
    static const struct {
        const char *start, *what;
    } known[] = {
        {"version https://git-lfs", "a Git LFS pointer, not the file itself; run git lfs pull"},
        {"PK\x03\x04", "a PyTorch or zip archive; convert it to safetensors"},
        {"\x80\x02", "a Python pickle; convert it to safetensors"},
        {"GGUF", "a GGUF file; convert it to safetensors"},
        {"<!DOCTYPE", "a web page; download the file itself"},
    };
    for (size_t i = 0; i < COUNT_OF(known); i++) {
        const size_t length = strlen(known[i].start);
        if (map->size >= length && memcmp(map->data, known[i].start, length) == 0)
            return known[i].what;
    }
    return NULL;
}

/* Parses the JSON header of a mapped shard. */
static Status read_header(Shard *shard, Error *error)
{
    const FileMap *map = &shard->map;
    const char *path = shard->path;
    const char *what = recognise(map);
    if (what)
        return error_set(error, STATUS_FAILED, "%s: is not a safetensors file but %s", path, what);
    if (map->size < 8)
        return error_set(error, STATUS_FAILED,
                         "%s: has %zu bytes, a safetensors file at least 8; fetch it again", path,
                         map->size);
    uint64_t length = 0;
    for (int i = 7; i >= 0; i--)
        length = length << 8 | map->data[i];
    if (length > map->size - 8)
        return error_set(error, STATUS_FAILED,
                         "%s: claims a header of %" PRIu64
                         " bytes, but only %zu follow; it is truncated or "
                         "not a safetensors file",
                         path, length, map->size - 8);
    if (length > SAFETENSORS_MAX_HEADER)
        return error_set(error, STATUS_FAILED,
                         "%s: claims a header of %" PRIu64
                         " bytes, more than the %d allowed; it is not a usual "
                         "model file",
                         path, length, SAFETENSORS_MAX_HEADER);

    json_error_t reason;
    shard->header =
        json_loadb((const char *)map->data + 8, length, JSON_REJECT_DUPLICATES, &reason);
    if (!shard->header)
        return error_set(
            error, STATUS_FAILED,
            "%s: its header is not valid JSON: %s (byte %d); it is damaged, fetch it again", path,
            reason.text, reason.position + 8);
    if (!json_is_object(shard->header))
        return error_set(error, STATUS_FAILED, "%s: its header is not a JSON object; it is damaged",
                         path);
    shard->data = 8 + (size_t)length;
    return STATUS_OK;
}

static Status bad_tensor(const Shard *shard, const char *name, const char *what, Error *error)
{
    return error_set(error, STATUS_FAILED,
                     "%s: tensor " NAME ": %s; the file is damaged or of a newer format",
                     shard->path, name, what);
}

/* Reads "shape" into the tensor and its size into *bytes; checks every product. */
static Status read_shape(const Shard *shard, const json_t *shape, unsigned bits, SafeTensor *tensor,
                         size_t *bytes, Error *error)
{
    if (!json_is_array(shape))
        return bad_tensor(shard, tensor->name, "\"shape\" is missing or not an array", error);
    if (json_array_size(shape) > SAFETENSORS_MAX_DIMS)
        return bad_tensor(shard, tensor->name, "has more than 8 dimensions", error);
    tensor->ndim = (int)json_array_size(shape);
    size_t count = 1;
    bool empty = false, overflow = false;
    for (int i = 0; i < tensor->ndim; i++) {
        const json_t *extent = json_array_get(shape, i);
        if (!json_is_integer(extent) || json_integer_value(extent) < 0)
            return bad_tensor(shard, tensor->name, "an extent of its shape is not an integer >= 0",
                              error);
        tensor->shape[i] = json_integer_value(extent);
        empty = empty || tensor->shape[i] == 0;
        overflow = __builtin_mul_overflow(count, (size_t)tensor->shape[i], &count) || overflow;
    }
    if (empty)
        count = 0;
    else if (overflow || count > (SIZE_MAX - 7) / bits)
        return bad_tensor(shard, tensor->name, "its shape overflows", error);
    if (count * bits % 8 != 0)
        return bad_tensor(shard, tensor->name, "its elements do not fill whole bytes", error);
    *bytes = count * bits / 8;
    return STATUS_OK;
}

/* Reads "data_offsets" and checks that they lie in the file and hold `bytes`. */
static Status read_extent(const Shard *shard, const json_t *offsets, size_t bytes, Entry *entry,
                          Error *error)
{
    const char *name = entry->tensor.name;
    const json_t *begin = json_array_get(offsets, 0), *end = json_array_get(offsets, 1);
    if (json_array_size(offsets) != 2 || !json_is_integer(begin) || !json_is_integer(end) ||
        json_integer_value(begin) < 0 || json_integer_value(end) < json_integer_value(begin))
        return bad_tensor(shard, name, "\"data_offsets\" are not two integers, first <= last",
                          error);
    const size_t available = shard->map.size - shard->data;
    entry->begin = (size_t)json_integer_value(begin);
    entry->end = (size_t)json_integer_value(end);
    if (entry->end > available)
        return error_set(error, STATUS_FAILED,
                         "%s: tensor " NAME
                         " ends at byte %zu of %zu; the file is truncated, fetch it again",
                         shard->path, name, entry->end, available);
    if (entry->end - entry->begin != bytes)
        return error_set(error, STATUS_FAILED,
                         "%s: tensor " NAME
                         " occupies %zu bytes, but its type and shape need %zu; the file is "
                         "damaged",
                         shard->path, name, entry->end - entry->begin, bytes);
    entry->tensor.bytes = bytes;
    entry->tensor.data = shard->map.data + shard->data + entry->begin;
    return STATUS_OK;
}

static Status read_entry(const Shard *shard, const char *name, const json_t *value, Entry *entry,
                         Error *error)
{
    entry->tensor.name = name;
    if (!json_is_object(value))
        return bad_tensor(shard, name, "is not described by a JSON object", error);
    const char *type = json_string_value(json_object_get(value, "dtype"));
    if (!type)
        return bad_tensor(shard, name, "\"dtype\" is missing or not a string", error);
    const unsigned bits = safetensors_element_bits(type);
    if (bits == 0)
        return error_set(error, STATUS_FAILED,
                         "%s: tensor " NAME
                         " has the unknown dtype \"%.32s\"; the file is damaged or of a newer "
                         "format",
                         shard->path, name, type);
    entry->tensor.dtype_text = type;
    entry->tensor.dtype = DTYPE_COUNT;
    (void)dtype_parse(type, &entry->tensor.dtype);
    size_t bytes = 0;
    TRY(read_shape(shard, json_object_get(value, "shape"), bits, &entry->tensor, &bytes, error));
    return read_extent(shard, json_object_get(value, "data_offsets"), bytes, entry, error);
}

static int by_extent(const void *a, const void *b)
{
    const Entry *x = a, *y = b;
    if (x->begin != y->begin)
        return x->begin < y->begin ? -1 : 1;
    return (x->end > y->end) - (x->end < y->end);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const Entry *)a)->tensor.name, ((const Entry *)b)->tensor.name);
}

static int by_key(const void *a, const void *b)
{
    const Pair *x = a, *y = b;
    const int keys = strcmp(x->key, y->key);
    return keys != 0 ? keys : (x->order > y->order) - (x->order < y->order);
}

/* Checks that the extents of one shard cover its data exactly, without overlap or hole. */
static Status check_tiling(const Shard *shard, Entry *entries, int count, Error *error)
{
    if (count > 0)
        qsort(entries, count, sizeof *entries, by_extent);
    size_t reached = 0;
    for (int i = 0; i < count; i++) {
        if (entries[i].begin < reached)
            return error_set(error, STATUS_FAILED,
                             "%s: tensors " NAME " and " NAME " overlap; the file is damaged",
                             shard->path, entries[i - 1].tensor.name, entries[i].tensor.name);
        if (entries[i].begin > reached)
            return error_set(error, STATUS_FAILED,
                             "%s: %zu bytes before tensor " NAME
                             " belong to no tensor; the file is damaged",
                             shard->path, entries[i].begin - reached, entries[i].tensor.name);
        reached = entries[i].end;
    }
    const size_t available = shard->map.size - shard->data;
    if (reached != available)
        return error_set(error, STATUS_FAILED,
                         "%s: %zu bytes follow the last tensor; the file is damaged", shard->path,
                         available - reached);
    return STATUS_OK;
}

static Status read_metadata(SafeTensors *file, const Shard *shard, json_t *metadata, Error *error)
{
    if (!metadata || json_is_null(metadata)) /* null is the reference reader's None */
        return STATUS_OK;
    if (!json_is_object(metadata))
        return error_set(error, STATUS_FAILED,
                         "%s: \"__metadata__\" is not a JSON object; the file is damaged",
                         shard->path);
    const size_t total = (size_t)file->metadata_count + json_object_size(metadata);
    if (total == 0)
        return STATUS_OK;
    Pair *grown = realloc(file->metadata, total * sizeof *grown);
    if (!grown)
        return mem_full(total * sizeof *grown, shard->path, error);
    file->metadata = grown;
    const char *key;
    json_t *value;
    json_object_foreach(metadata, key, value)
    {
        if (!json_is_string(value))
            return error_set(error, STATUS_FAILED,
                             "%s: \"__metadata__\": the value of \"" NAME
                             "\" is not a string; the file is damaged",
                             shard->path, key);
        const int order = file->metadata_count++;
        grown[order] = (Pair){.key = key, .value = json_string_value(value), .order = order};
    }
    return STATUS_OK;
}

/* Maps the shard `index`, whose path is set, and appends its tensors and metadata to the file. */
static Status read_shard(SafeTensors *file, int index, Error *error)
{
    Shard *shard = &file->shards[index];
    TRY(file_map(shard->path, &shard->map, error));
    TRY(read_header(shard, error));
    TRY(read_metadata(file, shard, json_object_get(shard->header, "__metadata__"), error));

    const size_t total = (size_t)file->count + json_object_size(shard->header);
    if (total > INT_MAX)
        return error_set(error, STATUS_FAILED, "%s: has too many tensors; split it", shard->path);
    if (total > 0) {
        Entry *grown = realloc(file->entries, total * sizeof *grown);
        if (!grown)
            return mem_full(total * sizeof *grown, shard->path, error);
        file->entries = grown;
    }
    const int first = file->count;
    const char *name;
    json_t *value;
    json_object_foreach(shard->header, name, value)
    {
        if (strcmp(name, "__metadata__") == 0)
            continue;
        Entry *entry = &file->entries[file->count];
        *entry = (Entry){.shard = index};
        TRY(read_entry(shard, name, value, entry, error));
        file->count++;
    }
    return check_tiling(shard, file->entries ? file->entries + first : NULL, file->count - first,
                        error);
}

/* Sorts entries and metadata bytewise; of equal metadata keys only the first read is kept. */
static void sort_contents(SafeTensors *file)
{
    if (file->count > 0)
        qsort(file->entries, file->count, sizeof *file->entries, by_name);
    if (file->metadata_count == 0)
        return;
    qsort(file->metadata, file->metadata_count, sizeof *file->metadata, by_key);
    int kept = 1;
    for (int i = 1; i < file->metadata_count; i++)
        if (strcmp(file->metadata[i].key, file->metadata[kept - 1].key) != 0)
            file->metadata[kept++] = file->metadata[i];
    file->metadata_count = kept;
}

/* True if the path of a shard stays inside the folder of the index. */
static bool stays_inside(const char *name)
{
    if (name[0] == '\0' || name[0] == '/')
        return false;
    for (const char *part = name; part;) {
        const char *slash = strchr(part, '/');
        const size_t length = slash ? (size_t)(slash - part) : strlen(part);
        if (length == 2 && part[0] == '.' && part[1] == '.')
            return false;
        part = slash ? slash + 1 : NULL;
    }
    return true;
}

/*
 * Stores the distinct shards of a weight_map in file->shards, and their indices by name in
 * *numbers.
 */
static Status list_shards(SafeTensors *file, json_t *weight_map, json_t *numbers, Error *error)
{
    const char *name;
    json_t *value;
    json_object_foreach(weight_map, name, value)
    {
        const char *shard = json_string_value(value);
        if (!shard)
            return error_set(error, STATUS_FAILED,
                             "%s: the shard of " NAME " is not a string; fetch the index "
                             "again",
                             file->path, name);
        if (!stays_inside(shard))
            return error_set(error, STATUS_FAILED,
                             "%s: the shard \"" NAME
                             "\" lies outside the index's folder; put all shards next to "
                             "the index",
                             file->path, shard);
        if (!json_object_get(numbers, shard) &&
            json_object_set_new(numbers, shard,
                                json_integer((json_int_t)json_object_size(numbers))) != 0)
            return mem_full(0, file->path, error);
    }
    const size_t count = json_object_size(numbers);
    if (count == 0 || count > SAFETENSORS_MAX_SHARDS)
        return error_set(error, STATUS_FAILED,
                         "%s: \"weight_map\" names %zu shards, not 1 to %d; fetch the index again",
                         file->path, count, SAFETENSORS_MAX_SHARDS);
    file->shards = mem_new(count, sizeof *file->shards, file->path, error);
    if (!file->shards)
        return error->status;
    file->shard_count = (int)count;

    char folder[FILE_PATH_SIZE];
    const size_t length = (size_t)(file_name(file->path) - file->path);
    memcpy(folder, file->path, length);
    folder[length] = '\0';
    json_object_foreach(numbers, name, value)
    {
        char *path = file->shards[json_integer_value(value)].path;
        TRY(file_join(path, folder, name, error));
        if (!file_exists(path))
            error_detail(error, "missing shard: %s", path);
    }
    if (error->problems > 0)
        return error_set(error, STATUS_FAILED, "%s: %d of its %zu shards are missing; fetch them",
                         file->path, error->problems, count);
    return STATUS_OK;
}

/* Checks that the index and its shards list the same tensors in the same shards. */
static Status check_index(const SafeTensors *file, json_t *weight_map, json_t *numbers,
                          Error *error)
{
    for (int i = 0; i < file->count; i++) {
        const Entry *entry = &file->entries[i];
        const char *path = file->shards[entry->shard].path;
        if (i > 0 && by_name(entry - 1, entry) == 0)
            error_detail(error, "in two shards: " NAME, entry->tensor.name);
        const char *said = json_string_value(json_object_get(weight_map, entry->tensor.name));
        if (!said)
            error_detail(error, "not in the index: " NAME " (%s)", entry->tensor.name,
                         file_name(path));
        else if (json_integer_value(json_object_get(numbers, said)) != entry->shard)
            error_detail(error, "not in the shard given by the index: " NAME " (%s)",
                         entry->tensor.name, file_name(path));
    }
    const char *name;
    json_t *value;
    json_object_foreach(weight_map, name, value)
    {
        if (!safetensors_find(file, name))
            error_detail(error, "missing from all shards: " NAME, name);
    }
    if (error->problems > 0)
        return error_set(
            error, STATUS_FAILED,
            "%s: %d tensors differ between the index and its shards; fetch all files again",
            file->path, error->problems);
    return STATUS_OK;
}

static Status open_shards(SafeTensors *file, json_t *index, json_t *numbers, Error *error)
{
    json_t *weight_map = json_object_get(index, "weight_map");
    if (!json_is_object(weight_map))
        return error_set(
            error, STATUS_FAILED,
            "%s: \"weight_map\" is missing or not a JSON object; it is not a safetensors index",
            file->path);
    TRY(list_shards(file, weight_map, numbers, error));
    for (int i = 0; i < file->shard_count; i++)
        TRY(read_shard(file, i, error));
    sort_contents(file);
    return check_index(file, weight_map, numbers, error);
}

static Status open_index(SafeTensors *file, Error *error)
{
    char *text = NULL;
    size_t size = 0;
    TRY(file_read(file->path, SAFETENSORS_MAX_HEADER, &text, &size, error));
    json_error_t reason;
    json_t *index = json_loadb(text, size, JSON_REJECT_DUPLICATES, &reason);
    free(text);
    if (!index)
        return error_set(error, STATUS_FAILED,
                         "%s: is not valid JSON: %s (line %d); fetch it again", file->path,
                         reason.text, reason.line);
    json_t *numbers = json_object();
    const Status status =
        numbers ? open_shards(file, index, numbers, error) : mem_full(0, file->path, error);
    json_decref(numbers);
    json_decref(index);
    return status;
}

static Status open_single(SafeTensors *file, Error *error)
{
    file->shards = mem_new(1, sizeof *file->shards, file->path, error);
    if (!file->shards)
        return error->status;
    file->shard_count = 1;
    memcpy(file->shards[0].path, file->path, sizeof file->path);
    TRY(read_shard(file, 0, error));
    sort_contents(file);
    return STATUS_OK;
}

Status safetensors_open(SafeTensors **out, const char *path, Error *error)
{
    assert(out && path && error);
    *out = NULL;
    SafeTensors *file = mem_new(1, sizeof *file, path, error);
    if (!file)
        return error->status;
    const size_t length = strlen(path);
    Status status = file_join(file->path, "", path, error);
    if (status == STATUS_OK && length > 5 && strcmp(path + length - 5, ".json") == 0)
        status = open_index(file, error);
    else if (status == STATUS_OK)
        status = open_single(file, error);
    if (status != STATUS_OK) {
        safetensors_close(file);
        return status;
    }
    *out = file;
    return STATUS_OK;
}

void safetensors_close(SafeTensors *file)
{
    if (!file)
        return;
    for (int i = 0; i < file->shard_count; i++) {
        json_decref(file->shards[i].header);
        file_unmap(&file->shards[i].map);
    }
    free(file->shards);
    free(file->entries);
    free(file->metadata);
    free(file);
}

int safetensors_count(const SafeTensors *file)
{
    return file->count;
}

const SafeTensor *safetensors_at(const SafeTensors *file, int index)
{
    assert(index >= 0 && index < file->count);
    return &file->entries[index].tensor;
}

const SafeTensor *safetensors_find(const SafeTensors *file, const char *name)
{
    const Entry key = {.tensor.name = name};
    const Entry *entry =
        file->count > 0 ? bsearch(&key, file->entries, file->count, sizeof key, by_name) : NULL;
    return entry ? &entry->tensor : NULL;
}

const char *safetensors_metadata(const SafeTensors *file, const char *key)
{
    for (int i = 0; i < file->metadata_count; i++)
        if (strcmp(file->metadata[i].key, key) == 0)
            return file->metadata[i].value;
    return NULL;
}

int safetensors_metadata_count(const SafeTensors *file)
{
    return file->metadata_count;
}

const char *safetensors_metadata_key(const SafeTensors *file, int index)
{
    assert(index >= 0 && index < file->metadata_count);
    return file->metadata[index].key;
}

const char *safetensors_path(const SafeTensors *file)
{
    return file->path;
}
