/*
 * test_safetensors.c - what is written reads back, the same bytes each time; and no file, however
 * damaged, is read beyond its end.
 */
#include "tensor/base/file.h"
#include "tensor/random.h"
#include "tensor/safetensors.h"
#include "tests/support_allocations.h"
#include "tests/support_folder.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

/* A file of this header text (not padded) and `data` bytes of zeros, claiming header length
 * `claim`. */
static void write_raw(const char *name, uint64_t claim, const char *header, size_t data)
{
    Error error = {0};
    const size_t text = strlen(header);
    char *const content = calloc(1, 8 + text + data + 1);
    for (int i = 0; i < 8; i++)
        content[i] = (char)(claim >> (8 * i) & 255);
    memcpy(content + 8, header, text);
    ck_ok(file_write(support_in_folder(name), content, 8 + text + data, &error), &error);
    free(content);
}

static const float numbers[6] = {1, 2, 3, 4, 5, 6};
static const unsigned char bytes[3] = {7, 8, 9};
static const int64_t wide[1] = {-5};

static const SafeTensor sample[] = {
    {.name = "b", .dtype = DTYPE_F32, .ndim = 2, .shape = {2, 3}, .data = numbers, .bytes = 24},
    {.name = "a", .dtype = DTYPE_U8, .ndim = 1, .shape = {3}, .data = bytes, .bytes = 3},
    {.name = "c", .dtype = DTYPE_I64, .ndim = 0, .data = wide, .bytes = 8},
    {.name = "empty", .dtype = DTYPE_F32, .ndim = 2, .shape = {0, 4}, .bytes = 0},
    {.name = "\xc3\xa9", .dtype = DTYPE_F32, .ndim = 1, .shape = {2}, .data = numbers, .bytes = 8},
};
static const SafeTensorsMetadata sample_metadata[] = {
    {"seed", "42"}, {"format", "pt"}, {"quote", "\"\n"}};

static void write_sample(const char *name)
{
    Error error = {0};
    ck_ok(safetensors_write(support_in_folder(name), sample, 5, sample_metadata, 3, &error),
          &error);
}

START_TEST(round_trip)
{
    Error error = {0};
    SafeTensors *file;
    write_sample("x.safetensors");
    ck_ok(safetensors_open(&file, support_in_folder("x.safetensors"), &error), &error);
    ck_assert_str_eq(safetensors_path(file), support_in_folder("x.safetensors"));
    static const char *const names[] = {"a", "b", "c", "empty", "\xc3\xa9"};
    ck_assert_int_eq(safetensors_count(file), 5);
    for (int i = 0; i < 5; i++)
        ck_assert_str_eq(safetensors_at(file, i)->name, names[i]);
    for (int i = 0; i < 5; i++) {
        const SafeTensor *const found = safetensors_find(file, sample[i].name);
        ck_assert_ptr_nonnull(found);
        ck_assert_int_eq(found->dtype, sample[i].dtype);
        ck_assert_str_eq(found->dtype_text, dtype_name(sample[i].dtype));
        ck_assert_int_eq(found->ndim, sample[i].ndim);
        for (int d = 0; d < found->ndim; d++)
            ck_assert_int_eq(found->shape[d], sample[i].shape[d]);
        ck_assert_uint_eq(found->bytes, sample[i].bytes);
        if (found->bytes > 0)
            ck_assert_mem_eq(found->data, sample[i].data, found->bytes);
        ck_assert_uint_eq((uintptr_t)found->data % dtype_size(found->dtype), 0);
    }
    ck_assert_ptr_null(safetensors_find(file, "d"));
    ck_assert_ptr_null(safetensors_find(file, "__metadata__"));
    ck_assert_int_eq(safetensors_metadata_count(file), 3);
    ck_assert_str_eq(safetensors_metadata_key(file, 0), "format");
    ck_assert_str_eq(safetensors_metadata_key(file, 2), "seed");
    ck_assert_str_eq(safetensors_metadata(file, "quote"), "\"\n");
    ck_assert_ptr_null(safetensors_metadata(file, "none"));
    safetensors_close(file);
    safetensors_close(NULL);
}
END_TEST

/* The layout is fixed, down to the byte, and does not depend on the order of the arguments. */
START_TEST(bytes_are_fixed)
{
    Error error = {0};
    char *first, *second;
    size_t first_size, second_size;
    write_sample("x");
    ck_ok(file_read(support_in_folder("x"), 1 << 20, &first, &first_size, &error), &error);
    const SafeTensor shuffled[] = {sample[4], sample[2], sample[0], sample[3], sample[1]};
    const SafeTensorsMetadata pairs[] = {sample_metadata[2], sample_metadata[0],
                                         sample_metadata[1]};
    ck_ok(safetensors_write(support_in_folder("x"), shuffled, 5, pairs, 3, &error), &error);
    ck_ok(file_read(support_in_folder("x"), 1 << 20, &second, &second_size, &error), &error);
    ck_assert_uint_eq(first_size, second_size);
    ck_assert_mem_eq(first, second, first_size);
    free(second);

    const char *const header =
        "{\"__metadata__\":{\"format\":\"pt\",\"quote\":\"\\\"\\n\",\"seed\":\"42\"},"
        "\"c\":{\"dtype\":\"I64\",\"shape\":[],\"data_offsets\":[0,8]},"
        "\"b\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[8,32]},"
        "\"empty\":{\"dtype\":\"F32\",\"shape\":[0,4],\"data_offsets\":[32,32]},"
        "\"\xc3\xa9\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[32,40]},"
        "\"a\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[40,43]}}";
    const size_t padded = (strlen(header) + 7) / 8 * 8;
    ck_assert_uint_eq(first_size, 8 + padded + 43);
    ck_assert_uint_eq((unsigned char)first[0] + 256u * (unsigned char)first[1], padded);
    ck_assert_mem_eq(first + 8, header, strlen(header));
    for (size_t i = strlen(header); i < padded; i++)
        ck_assert_int_eq(first[8 + i], ' ');
    ck_assert_mem_eq(first + 8 + padded + 8, numbers, 24);
    free(first);
}
END_TEST

#define T(name, dtype, shape, begin, end)                                                          \
    "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":[" shape "],\"data_offsets\":[" begin "," end \
    "]}"

static const struct {
    const char *header;
    size_t data;
    const char *why; /* part of the message; NULL: the file is sound */
} files[] = {
    {"{}", 0, NULL},
    {"{}  \n\t ", 0, NULL},
    {"{" T("a", "F32", "2", "0", "8") "}", 8, NULL},
    {"{" T("a", "F32", "", "0", "4") "}", 4, NULL},
    {"{" T("a", "F32", "0", "0", "0") "," T("b", "U8", "1", "0", "1") "}", 1, NULL},
    {"{" T("b", "F32", "1", "4", "8") "," T("a", "F32", "1", "0", "4") "}", 8, NULL},
    {"{" T("a", "I32", "2", "0", "8") "}", 8, NULL},
    {"{" T("a", "BOOL", "3", "0", "3") "}", 3, NULL},
    {"{" T("a", "F8_E4M3", "3", "0", "3") "}", 3, NULL},
    {"{" T("a", "F4", "4", "0", "2") "}", 2, NULL},
    {"{\"__metadata__\":{}," T("a", "U8", "1", "0", "1") "}", 1, NULL},
    {"{\"__metadata__\":null," T("a", "U8", "1", "0", "1") "}", 1, NULL},
    {"{" T("a", "U8", "1", "0", "1") ",\"__metadata__\":{\"z\":\"\",\"\":\"1\",\"b\":\"\\u00e9\"}}",
     1, NULL},
    {"{\"__metadata__\":null}", 0, NULL},
    {"{" T("a", "F32", "0,9223372036854775807,9223372036854775807", "0", "0") "}", 0, NULL},

    {"", 0, "not valid JSON"},
    {"[]", 0, "not a JSON object"},
    {"{", 0, "not valid JSON"},
    {"{} x", 0, "not valid JSON"},
    {"{\"a\":1}", 0, "tensor a: is not described by a JSON object"},
    {"{\"a\":{}}", 0, "\"dtype\" is missing"},
    {"{\"a\":{\"dtype\":5}}", 0, "\"dtype\" is missing or not a string"},
    {"{\"a\":{\"dtype\":\"F32\"}}", 0, "\"shape\" is missing"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":{}}}", 0, "\"shape\" is missing or not an array"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[]}}", 4, "not two integers"},
    {"{" T("a", "F33", "1", "0", "4") "}", 4, "tensor a has the unknown dtype \"F33\""},
    {"{" T("a", "f32", "1", "0", "4") "}", 4, "unknown dtype \"f32\""},
    {"{" T("a", "F32", "-1", "0", "4") "}", 4, "not an integer >= 0"},
    {"{" T("a", "F32", "1.0", "0", "4") "}", 4, "not an integer >= 0"},
    {"{" T("a", "F32", "\"1\"", "0", "4") "}", 4, "not an integer >= 0"},
    {"{" T("a", "F32", "1,1,1,1,1,1,1,1,1", "0", "4") "}", 4, "more than 8 dimensions"},
    {"{" T("a", "F32", "4294967296,4294967296", "0", "0") "}", 0, "its shape overflows"},
    {"{" T("a", "F32", "4611686018427387905", "0", "4") "}", 4, "its shape overflows"},
    {"{" T("a", "F32", "99999999999999999999", "0", "4") "}", 4, "not valid JSON"},
    {"{" T("a", "F4", "3", "0", "1") "}", 1, "do not fill whole bytes"},
    {"{" T("a", "F32", "1", "0", "8") "}", 8, "occupies 8 bytes, but its type and shape need 4"},
    {"{" T("a", "F32", "2", "0", "4") "}", 4, "occupies 4 bytes"},
    {"{" T("a", "F32", "2", "0", "8") "}", 7, "ends at byte 8 of 7"},
    {"{" T("a", "F32", "1", "-4", "0") "}", 4, "not two integers"},
    {"{" T("a", "F32", "1", "4", "0") "}", 4, "first <= last"},
    {"{" T("a", "F32", "1", "9223372036854775803", "9223372036854775807") "}", 4, "ends at byte"},
    {"{" T("a", "F32", "2", "0,8", "8") "}", 8, "not two integers"},
    {"{" T("a", "F32", "1", "4", "8") "}", 8, "4 bytes before tensor a belong to no tensor"},
    {"{" T("a", "U8", "1", "0", "1") "," T("b", "U8", "1", "2", "3") "}", 3,
     "1 bytes before tensor b"},
    {"{" T("a", "F32", "2", "0", "8") "," T("b", "F32", "1", "4", "8") "}", 8, "a and b overlap"},
    {"{" T("a", "F32", "2", "0", "8") "," T("b", "F32", "2", "0", "8") "}", 8, "overlap"},
    {"{" T("a", "F32", "1", "0", "4") "}", 5, "1 bytes follow the last tensor"},
    {"{}", 1, "1 bytes follow"},
    {"{" T("a", "F32", "1", "0", "4") "," T("a", "F32", "1", "4", "8") "}", 8,
     "duplicate object key"},
    {"{\"__metadata__\":[]}", 0, "\"__metadata__\" is not a JSON object"},
    {"{\"__metadata__\":{\"a\":1}}", 0, "the value of \"a\" is not a string"},
    {"{\"__metadata__\":{\"a\":\"b\",\"a\":\"c\"}}", 0, "duplicate object key"},
    {"{\"a\xff\":{}}", 0, "not valid JSON"},
    {"{\"a\\u0000\":{}}", 0, "not valid JSON"},
};

START_TEST(table_of_files)
{
    Error error = {0};
    SafeTensors *file;
    write_raw("x", strlen(files[_i].header), files[_i].header, files[_i].data);
    const Status status = safetensors_open(&file, support_in_folder("x"), &error);
    if (files[_i].why) {
        ck_assert_msg(status == STATUS_FAILED, "accepted: %s", files[_i].header);
        ck_assert_ptr_null(file);
        ck_assert_msg(strstr(error.message, files[_i].why) &&
                          strstr(error.message, support_in_folder("x")),
                      "%s: message %s", files[_i].header, error.message);
    } else {
        ck_assert_msg(status == STATUS_OK, "%s: %s", files[_i].header, error.message);
        safetensors_close(file);
    }
}
END_TEST

/* A type this library does not compute with is stepped over, and can be named. */
START_TEST(other_types)
{
    Error error = {0};
    SafeTensors *file;
    const char *const header =
        "{" T("a", "I32", "2", "0", "8") "," T("b", "F32", "1", "8", "12") "}";
    write_raw("x", strlen(header), header, 12);
    ck_ok(safetensors_open(&file, support_in_folder("x"), &error), &error);
    ck_assert_int_eq(safetensors_find(file, "a")->dtype, DTYPE_COUNT);
    ck_assert_str_eq(safetensors_find(file, "a")->dtype_text, "I32");
    ck_assert_int_eq(safetensors_find(file, "b")->dtype, DTYPE_F32);
    safetensors_close(file);
}
END_TEST

/* Every type of the format is kept when a file is written again: eight elements of each. */
START_TEST(all_types)
{
    static const char *const types[] = {
        "BOOL",    "F4",  "F6_E2M3", "F6_E3M2", "U8",          "I8",          "F8_E5M2", "F8_E4M3",
        "F8_E8M0", "I16", "U16",     "F16",     "BF16",        "I32",         "U32",     "F32",
        "C64",     "F64", "I64",     "U64",     "F8_E5M2FNUZ", "F8_E4M3FNUZ",
    };
    enum { TYPES = sizeof types / sizeof types[0] };
    Error error = {0};
    SafeTensor tensors[TYPES];
    static unsigned char content[8 * 8];
    for (int i = 0; i < 64; i++)
        content[i] = (unsigned char)(i + 1);
    for (int i = 0; i < TYPES; i++)
        tensors[i] = (SafeTensor){.name = types[i],
                                  .dtype = DTYPE_COUNT,
                                  .dtype_text = types[i],
                                  .ndim = 2,
                                  .shape = {2, 4},
                                  .data = content,
                                  .bytes = safetensors_element_bits(types[i])};
    ck_ok(safetensors_write(support_in_folder("x"), tensors, TYPES, NULL, 0, &error), &error);
    SafeTensors *file;
    ck_ok(safetensors_open(&file, support_in_folder("x"), &error), &error);
    ck_assert_int_eq(safetensors_count(file), TYPES);
    for (int i = 0; i < TYPES; i++) {
        const SafeTensor *const found = safetensors_find(file, types[i]);
        ck_assert_str_eq(found->dtype_text, types[i]);
        ck_assert_uint_eq(safetensors_elements(found), 8);
        ck_assert_uint_eq(found->bytes, tensors[i].bytes);
        ck_assert_mem_eq(found->data, content, found->bytes);
        tensors[i] = *found;
    }
    /* And once more from what was read, some of it with a dtype of this library. */
    ck_ok(safetensors_write(support_in_folder("y"), tensors, TYPES, NULL, 0, &error), &error);
    char *first, *second;
    size_t size, again;
    ck_ok(file_read(support_in_folder("x"), 1 << 20, &first, &size, &error), &error);
    ck_ok(file_read(support_in_folder("y"), 1 << 20, &second, &again, &error), &error);
    ck_assert_uint_eq(size, again);
    ck_assert_mem_eq(first, second, size);
    free(first);
    free(second);
    safetensors_close(file);
}
END_TEST

/* Whichever allocation fails: the file is the one that was meant, or the previous one
 * and an error. */
START_TEST(failed_allocations)
{
    Error error = {0};
    char *wanted, *found, x[FILE_PATH_SIZE];
    size_t wanted_size, size;
    snprintf(x, sizeof x, "%s", support_in_folder("x"));
    write_sample("x");
    ck_ok(file_read(x, 1 << 20, &wanted, &wanted_size, &error), &error);
    int failed = 0;
    for (long n = 1; SUPPORT_ALLOCATIONS; n++) {
        ck_ok(file_write(x, "previous", 8, &error), &error);
        error_clear(&error);
        const long before = support_allocations();
        support_fail_allocation(n, n % 2 == 0);
        const Status status = safetensors_write(x, sample, 5, sample_metadata, 3, &error);
        const bool all = support_allocations() - before < n;
        support_fail_allocation(0, 0);
        failed += status != STATUS_OK;
        ck_assert(status == STATUS_OK || error.message[0] != '\0');
        ck_ok(file_read(x, 1 << 20, &found, &size, &error), &error);
        if (status == STATUS_OK) {
            ck_assert_uint_eq(size, wanted_size);
            ck_assert_mem_eq(found, wanted, size);
        } else {
            ck_assert_uint_eq(size, 8);
            ck_assert_mem_eq(found, "previous", 8);
        }
        free(found);
        if (all)
            break;
    }
    ck_assert(failed > 20 || !SUPPORT_ALLOCATIONS);

    ck_ok(file_write(x, wanted, wanted_size, &error), &error);
    for (long n = 1; SUPPORT_ALLOCATIONS; n++) {
        SafeTensors *file;
        error_clear(&error);
        const long before = support_allocations();
        support_fail_allocation(n, 0);
        const Status status = safetensors_open(&file, x, &error);
        const bool all = support_allocations() - before < n;
        support_fail_allocation(0, 0);
        ck_assert((status == STATUS_OK) == (file != NULL));
        ck_assert(!file || (safetensors_count(file) == 5 && safetensors_metadata_count(file) == 3));
        safetensors_close(file);
        if (all)
            break;
    }
    free(wanted);
}
END_TEST

static void expect_refused(const char *path, const char *why)
{
    Error error = {0};
    SafeTensors *file;
    ck_assert_int_eq(safetensors_open(&file, path, &error), STATUS_FAILED);
    ck_assert_ptr_null(file);
    if (strstr(error.message, why))
        return;
    for (int i = 0; i < error.problems && i < ERROR_MAX_DETAILS; i++)
        if (strstr(error.detail[i], why))
            return;
    ck_abort_msg("\"%s\" not found in: %s", why, error.message);
}

START_TEST(lying_lengths)
{
    const char *const header = "{" T("a", "F32", "1", "0", "4") "}";
    static const uint64_t claims[] = {UINT64_MAX, (uint64_t)1 << 63, UINT64_MAX - 7, 4096, 55};
    for (size_t i = 0; i < sizeof claims / sizeof claims[0]; i++) {
        write_raw("x", claims[i], header, 0);
        expect_refused(support_in_folder("x"), "claims a header of");
    }
    write_raw("x", 0, header, 4);
    expect_refused(support_in_folder("x"), "not valid JSON");
    write_raw("x", strlen(header) - 1, header, 4);
    expect_refused(support_in_folder("x"), "not valid JSON");
    write_raw("x", strlen(header) + 1, header, 4);
    expect_refused(support_in_folder("x"), "not valid JSON");

    Error error = {0};
    ck_ok(file_write(support_in_folder("x"), "", 0, &error), &error);
    expect_refused(support_in_folder("x"), "has 0 bytes");
    ck_ok(file_write(support_in_folder("x"), "\2\0\0\0\0\0\0", 7, &error), &error);
    expect_refused(support_in_folder("x"), "has 7 bytes");
    ck_ok(file_write(support_in_folder("x"), "version https://git-lfs.github.com/spec/v1\n", 43,
                     &error),
          &error);
    expect_refused(support_in_folder("x"), "Git LFS pointer");
    ck_ok(file_write(support_in_folder("x"), "PK\3\4aaaaaaaaa", 13, &error), &error);
    expect_refused(support_in_folder("x"), "PyTorch");
    expect_refused(support_in_folder("none"), "cannot be read");
    expect_refused(support_in_folder(""), "is a folder");

    /* A header longer than allowed, in a file that is large enough (and sparse). */
    FILE *const sparse = fopen(support_in_folder("x"), "wb");
    const uint64_t claim = SAFETENSORS_MAX_HEADER + (uint64_t)1;
    fwrite(&claim, 1, 8, sparse); /* little-endian machines only, as the library itself */
    ck_assert_int_eq(fseek(sparse, (long)claim + 8, SEEK_SET), 0);
    fputc(0, sparse);
    fclose(sparse);
    expect_refused(support_in_folder("x"), "more than the 100000000 allowed");
}
END_TEST

/* Every accepted tensor must be readable to its last byte; a sanitizer or
 * SIGBUS tells otherwise. */
static int read_everything(const char *path)
{
    Error error = {0};
    SafeTensors *file;
    if (safetensors_open(&file, path, &error) != STATUS_OK) {
        ck_assert_uint_gt(strlen(error.message), strlen(path));
        return 0;
    }
    volatile unsigned sum = 0;
    for (int i = 0; i < safetensors_count(file); i++) {
        const SafeTensor *const tensor = safetensors_at(file, i);
        for (size_t k = 0; k < tensor->bytes; k++)
            sum += ((const unsigned char *)tensor->data)[k];
    }
    (void)sum;
    safetensors_close(file);
    return 1;
}

/* A page boundary follows a mapping, so a file is also truncated at every length. */
START_TEST(damaged_files_never_crash)
{
    Error error = {0};
    char *content;
    size_t size;
    write_sample("x");
    ck_ok(file_read(support_in_folder("x"), 1 << 20, &content, &size, &error), &error);
    char *const copy = malloc(size);
    int accepted = 0;
    for (unsigned i = 0; i < 3000; i++) {
        Random random = random_stream(1, RANDOM_TEST, i, 0);
        memcpy(copy, content, size);
        const unsigned flips = 1 + random_below(&random, 4);
        for (unsigned k = 0; k < flips; k++)
            copy[random_below(&random, (uint32_t)size)] ^= (char)(1u << random_below(&random, 8));
        FILE *const out = fopen(support_in_folder("y"), "wb");
        fwrite(copy, 1, size, out);
        fclose(out);
        accepted += read_everything(support_in_folder("y"));
    }
    ck_assert_int_gt(accepted, 0); /* flips in the numbers alone leave a sound file */
    ck_assert_int_lt(accepted, 2000);
    for (size_t length = 0; length < size; length++) {
        FILE *const out = fopen(support_in_folder("y"), "wb");
        fwrite(content, 1, length, out);
        fclose(out);
        ck_assert_int_eq(read_everything(support_in_folder("y")), 0);
    }
    free(copy);
    free(content);
}
END_TEST

static void write_shard(const char *name, const char *first, const char *second)
{
    Error error = {0};
    const SafeTensor tensors[] = {
        {.name = first, .dtype = DTYPE_F32, .ndim = 1, .shape = {2}, .data = numbers, .bytes = 8},
        {.name = second, .dtype = DTYPE_F32, .ndim = 1, .shape = {3}, .data = numbers, .bytes = 12},
    };
    const SafeTensorsMetadata metadata[] = {{"format", "pt"}, {"shard", name}};
    ck_ok(safetensors_write(support_in_folder(name), tensors, second ? 2 : 1, metadata, 2, &error),
          &error);
}

static const char *write_index(const char *text)
{
    Error error = {0};
    ck_ok(file_write(support_in_folder("m.json"), text, strlen(text), &error), &error);
    return support_in_folder("m.json");
}

START_TEST(shards)
{
    Error error = {0};
    SafeTensors *file;
    write_shard("1.st", "c", "a");
    ck_ok(file_make_folders(support_in_folder("sub"), &error), &error);
    write_shard("sub/2.st", "b", NULL);
    const char *const path = write_index("{\"metadata\":{\"total_size\":28},\"weight_map\":{\"a\":"
                                         "\"1.st\",\"b\":\"sub/2.st\",\"c\":\"1.st\"}}");
    ck_ok(safetensors_open(&file, path, &error), &error);
    ck_assert_int_eq(safetensors_count(file), 3);
    ck_assert_str_eq(safetensors_at(file, 1)->name, "b");
    ck_assert_mem_eq(safetensors_find(file, "a")->data, numbers, 12);
    ck_assert_int_eq(safetensors_metadata_count(file), 2);
    ck_assert_str_eq(safetensors_metadata(file, "shard"), "1.st");
    safetensors_close(file);
}
END_TEST

START_TEST(bad_indexes)
{
    static const struct {
        const char *text, *why;
    } table[] = {
        {"{", "not valid JSON"},
        {"[]", "\"weight_map\" is missing"},
        {"{\"weight_map\":[]}", "\"weight_map\" is missing or not a JSON object"},
        {"{\"weight_map\":{}}", "names 0 shards, not 1 to 10000"},
        {"{\"weight_map\":{\"a\":1}}", "the shard of a is not a string"},
        {"{\"weight_map\":{\"a\":\"/etc/passwd\"}}", "lies outside"},
        {"{\"weight_map\":{\"a\":\"../1.st\"}}", "lies outside"},
        {"{\"weight_map\":{\"a\":\"sub/../../1.st\"}}", "lies outside"},
        {"{\"weight_map\":{\"a\":\"\"}}", "lies outside"},
        {"{\"weight_map\":{\"a\":\"3.st\"}}", "missing shard: "},
        {"{\"weight_map\":{\"a\":\"1.st\"}}", "not in the index: c (1.st)"},
        {"{\"weight_map\":{\"a\":\"1.st\",\"c\":\"1.st\",\"d\":\"1.st\"}}",
         "missing from all shards: d"},
        {"{\"weight_map\":{\"a\":\"1.st\",\"c\":\"2.st\"}}",
         "not in the shard given by the index: c"},
        {"{\"weight_map\":{\"a\":\"1.st\",\"c\":\"1.st\",\"b\":\"4.st\"}}", "in two shards: a"},
        {"{\"weight_map\":{\"a\":\"1.st\",\"a\":\"1.st\"}}", "duplicate object key"},
        {"{\"weight_map\":{\"a\":\"m.json\"}}", "m.json"},
    };
    write_shard("1.st", "c", "a");
    write_shard("2.st", "b", NULL);
    write_shard("4.st", "b", "a");
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        expect_refused(write_index(table[i].text), table[i].why);

    char *const many = malloc(400000), *end = many + sprintf(many, "{\"weight_map\":{");
    for (int i = 0; i <= SAFETENSORS_MAX_SHARDS; i++)
        end += sprintf(end, "%s\"t%d\":\"s%d\"", i ? "," : "", i, i);
    memcpy(end, "}}", 3);
    expect_refused(write_index(many), "names 10001 shards");
    free(many);
}
END_TEST

START_TEST(full_disk_leaves_the_old_file)
{
    Error error = {0};
    char *before, *after;
    size_t size, size_after;
    write_sample("x");
    ck_ok(file_read(support_in_folder("x"), 1 << 20, &before, &size, &error), &error);
    static float many[50000];
    const SafeTensor large = {.name = "l",
                              .dtype = DTYPE_F32,
                              .ndim = 1,
                              .shape = {50000},
                              .data = many,
                              .bytes = sizeof many};
    signal(SIGXFSZ, SIG_IGN);
    const struct rlimit limit = {.rlim_cur = 100000, .rlim_max = RLIM_INFINITY};
    const struct rlimit none = {.rlim_cur = RLIM_INFINITY, .rlim_max = RLIM_INFINITY};
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    const Status status = safetensors_write(support_in_folder("x"), &large, 1, NULL, 0, &error);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &none), 0);
    ck_assert_int_eq(status, STATUS_FAILED);
    ck_ok(file_read(support_in_folder("x"), 1 << 20, &after, &size_after, &error), &error);
    ck_assert_uint_eq(size, size_after);
    ck_assert_mem_eq(before, after, size);
    free(before);
    free(after);

    error_clear(&error);
    const SafeTensorsMetadata bad = {"path", "\xff"};
    ck_assert_int_eq(safetensors_write(support_in_folder("y"), &large, 1, &bad, 1, &error),
                     STATUS_FAILED);
    ck_assert(!file_exists(support_in_folder("y")));
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("safetensors");
    TCase *const cases = support_case(suite, "safetensors", 60);
    tcase_add_checked_fixture(cases, support_folder_setup, support_folder_teardown);
    tcase_add_test(cases, round_trip);
    tcase_add_test(cases, bytes_are_fixed);
    tcase_add_loop_test(cases, table_of_files, 0, sizeof files / sizeof files[0]);
    tcase_add_test(cases, other_types);
    tcase_add_test(cases, all_types);
    tcase_add_test(cases, failed_allocations);
    tcase_add_test(cases, lying_lengths);
    tcase_add_test(cases, damaged_files_never_crash);
    tcase_add_test(cases, shards);
    tcase_add_test(cases, bad_indexes);
    tcase_add_test(cases, full_disk_leaves_the_old_file);
    return support_main(suite);
}
