/*
 * fuzz.h - declarations for all fuzzing harnesses.
 *
 * A harness passes untrusted bytes to a reader and aborts if the reader violates its contract: if
 * accepted data are inconsistent, cannot be written and read back, or differ from the result of an
 * independent implementation (an oracle). The sanitizers find memory errors and undefined
 * behaviour. All harnesses are in one program, build/fuzz/lnclip_fuzz NAME [libFuzzer arguments];
 * `make fuzz` runs each for some seconds.
 */
#ifndef LNCLIP_TESTS_FUZZ_H
#define LNCLIP_TESTS_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* X(name, maximum input size in bytes), by file. */
#define FUZZ_IMAGES(X)                                                                             \
    X(image, 4096)                                                                                 \
    X(png, 4096)                                                                                   \
    X(jpeg, 4096)                                                                                  \
    X(bmp_pnm, 2048)                                                                               \
    X(npy, 4096)                                                                                   \
    X(npy_header, 512)                                                                             \
    X(landmarks_file, 4096)                                                                        \
    X(shape_predictor, 20480)
#define FUZZ_NUMERIC(X)                                                                            \
    X(hull, 512)                                                                                   \
    X(self_blend, 512)                                                                             \
    X(resize, 1024)                                                                                \
    X(augment, 512)                                                                                \
    X(packed_product, 1024)
#define FUZZ_MODELS(X)                                                                             \
    X(safetensors, 4096)                                                                           \
    X(safetensors_header, 4096)                                                                    \
    X(safetensors_index, 2048)                                                                     \
    X(vit_config, 4096)                                                                            \
    X(vit_preprocessor, 2048)                                                                      \
    X(model, 8192)                                                                                 \
    X(adapter, 8192)                                                                               \
    X(state, 8192)                                                                                 \
    X(tune, 256)
#define FUZZ_LISTS(X)                                                                              \
    X(list, 4096)                                                                                  \
    X(json, 4096)                                                                                  \
    X(sets_dfb, 4096)                                                                              \
    X(sets_dfdc, 2048)                                                                             \
    X(sets_dfdc_csv, 2048)                                                                         \
    X(sets_dfdcp, 2048)                                                                            \
    X(sets_celeb, 2048)                                                                            \
    X(sets_ff, 2048)                                                                               \
    X(identity, 256)                                                                               \
    X(pairs, 1024)                                                                                 \
    X(natural_order, 96)                                                                           \
    X(faces_csv, 4096)
#define FUZZ_TABLES(X)                                                                             \
    X(number, 256)                                                                                 \
    X(number_bits, 256)                                                                            \
    X(predictions, 4096)                                                                           \
    X(steps_csv, 2048)                                                                             \
    X(epochs_csv, 2048)                                                                            \
    X(event_file, 2048)                                                                            \
    X(event_records, 2048)                                                                         \
    X(partial, 1024)                                                                               \
    X(inspect_recipe, 4096)                                                                        \
    X(inspect_steps, 2048)                                                                         \
    X(inspect_epochs, 2048)                                                                        \
    X(compare_metrics, 4096)                                                                       \
    X(compare_evaluation, 2048)                                                                    \
    X(recipe, 4096)                                                                                \
    X(augment_text, 256)                                                                           \
    X(perturb, 128)                                                                                \
    X(perturb_option, 256)                                                                         \
    X(command_line, 512)
#define FUZZ_TARGETS(X) FUZZ_IMAGES(X) FUZZ_NUMERIC(X) FUZZ_MODELS(X) FUZZ_LISTS(X) FUZZ_TABLES(X)

#define FUZZ_DECLARE(name, longest) void fuzz_##name(const uint8_t *data, size_t size);
FUZZ_TARGETS(FUZZ_DECLARE)
#undef FUZZ_DECLARE

/* Mutates a PNG, keeping checksums and compression valid (a custom mutator of libFuzzer). */
size_t fuzz_mutate_png(uint8_t *data, size_t size, size_t capacity, unsigned seed);

/* Writes seeds of models, adapters and states to corpus/TARGET/ (fuzz_models.c). */
void fuzz_write_model_seeds(const char *corpus);

/* Prints the condition and aborts if it is false. */
#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #condition);              \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

/* Prints the message of `error` and aborts unless `status` is STATUS_OK. */
#define CHECK_OK(status, error)                                                                    \
    do {                                                                                           \
        if ((status) != 0) {                                                                       \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, (error).message);                   \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

/* Reads all bytes, so that the sanitizers detect invalid memory. */
extern uint8_t fuzz_sink;
void fuzz_touch(const void *data, size_t size);

/* Copies the bytes to a zero-terminated string, which the caller frees. */
char *fuzz_text(const uint8_t *data, size_t size);

/* The path of an anonymous in-memory file with these bytes. The next call replaces its content. */
const char *fuzz_file(const void *data, size_t size);

/*
 * Writes the file `path`. The working directory is a private empty folder, in memory if possible.
 */
void fuzz_write(const char *path, const void *data, size_t size);

/* Creates a folder and its parents. */
void fuzz_folder(const char *path);

/* Reads parameters from the bytes of an input; zeros after the end. */
typedef struct FuzzInput {
    const uint8_t *data;
    size_t size;
} FuzzInput;
uint32_t fuzz_take(FuzzInput *input, size_t bytes); /* 1 to 4, little-endian */

#endif
