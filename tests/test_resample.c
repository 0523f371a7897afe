/*
 * test_resample.c - the kernels of resizing: every ISA level equals the C reference bit for bit on
 * all small sizes and on extreme weights, and touches nothing outside its operands; the reference
 * itself against arithmetic in 64 bits.
 */
#include "tensor/kernels/kernels.h"
#include "tensor/random.h"
#include "tests/support_kernels.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

enum { PAGE = 4096, ROOM = 8 * PAGE };

/* ROOM bytes between two pages that may not be touched. */
typedef struct Guarded {
    uint8_t *pages;
} Guarded;

static Guarded guard(void)
{
    uint8_t *const pages =
        mmap(NULL, ROOM + 2 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ck_assert(pages != MAP_FAILED);
    ck_assert_int_eq(mprotect(pages + PAGE, ROOM, PROT_READ | PROT_WRITE), 0);
    return (Guarded){pages};
}

static void release(Guarded guarded)
{
    munmap(guarded.pages, ROOM + 2 * PAGE);
}

/* `bytes` that end where the upper guard begins, or begin where the lower one ends. */
static uint8_t *place(Guarded guarded, size_t bytes, bool at_end)
{
    ck_each(bytes <= ROOM, "%zu bytes do not fit", bytes);
    return guarded.pages + PAGE + (at_end ? ROOM - bytes : 0);
}

static void fill(uint8_t *bytes, size_t n, Random *random, int kind)
{
    for (size_t i = 0; i < n; i++)
        bytes[i] = kind == 0 ? (uint8_t)random_u32(random) : kind == 1 ? 255 : 0;
}

/*
 * Weights that sum to about 2^22 like those of a resize, or so large that the sum nearly leaves 32
 * bits, upwards or downwards: +-2^23 in all, spread over the taps, with all low bits in use.
 */
static void fill_weights(int32_t *weights, int taps, Random *random, int kind)
{
    const int32_t share = (1 << 23) / taps - 1;
    for (int k = 0; k < taps; k++) {
        const int32_t noise = (int32_t)random_below(random, (uint32_t)share);
        weights[k] = kind == 0   ? (k % 2 == 0 ? noise : -noise / 4)
                     : kind == 1 ? share
                     : kind == 2 ? -share
                                 : noise - share / 2;
    }
}

/* What kernels.h promises, in 64 bits. */
static uint8_t blend_exactly(const int32_t *weights, int taps, const uint8_t *in, size_t stride)
{
    int64_t sum = 1 << (KERNELS_WEIGHT_BITS - 1);
    for (int k = 0; k < taps; k++)
        sum += (int64_t)weights[k] * in[(size_t)k * stride];
    const int64_t value = sum >> KERNELS_WEIGHT_BITS;
    return (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
}

static void check_blend(const Kernels *table, Guarded in_pages, Guarded out_pages, int taps,
                        size_t n, size_t stride, int kind, bool at_end, Random *random)
{
    int32_t weights[64];
    fill_weights(weights, taps, random, kind);
    const size_t in_bytes = (size_t)(taps - 1) * stride + n;
    uint8_t *const in = place(in_pages, in_bytes, at_end), *const out = place(out_pages, n, at_end);
    fill(in, in_bytes, random, kind % 3);
    uint8_t *const outside = at_end ? out - 1 : out + n; /* the side without a guard */
    *outside = 77;
    table->blend(weights, taps, in, stride, out, n);
    for (size_t i = 0; i < n; i++) {
        const uint8_t wanted = blend_exactly(weights, taps, in + i, stride);
        ck_each(out[i] == wanted, "%s: %d taps, %zu bytes, kind %d: [%zu] = %d, exactly %d",
                table->name, taps, n, kind, i, out[i], wanted);
    }
    ck_each(*outside == 77, "%s: %d taps, %zu bytes: wrote outside", table->name, taps, n);
}

START_TEST(test_blend_is_exact)
{
    const Kernels *const table = support_level(_i);
    if (!table)
        return; /* this processor cannot run it */
    const Guarded in = guard(), out = guard();
    Random random = random_stream(3, RANDOM_TEST, 0, 0);
    for (size_t n = 1; n <= 200; n++)
        for (int taps = 1; taps <= 9; taps++)
            for (int kind = 0; kind < 4; kind++)
                check_blend(table, in, out, taps, n, n + (size_t)kind, kind, n % 2 != 0, &random);
    for (int taps = 10; taps <= 64; taps++)
        check_blend(table, in, out, taps, 500 - (size_t)taps, 500, taps % 4, taps % 2 != 0,
                    &random);
    release(in);
    release(out);
}
END_TEST

/* Every pair of a weight's sign and low bits with every pixel: the split of the weight loses
 * nothing. */
START_TEST(test_blend_single_weights)
{
    const Kernels *const table = support_level(_i);
    if (!table)
        return;
    uint8_t in[256], out[256];
    for (int i = 0; i < 256; i++)
        in[i] = (uint8_t)i;
    for (int32_t weight = -(1 << 23) + 1; weight < 1 << 23; weight += 1021) {
        table->blend(&weight, 1, in, 256, out, 256);
        for (size_t i = 0; i < 256; i++)
            ck_each(out[i] == blend_exactly(&weight, 1, in + i, 256), "%s: weight %d, pixel %zu",
                    table->name, weight, i);
    }
}
END_TEST

START_TEST(test_transpose)
{
    static const size_t SIZES[] = {1, 2, 7, 15, 16, 17, 31, 32, 33, 48, 63, 64, 65, 97};
    enum { COUNT = sizeof SIZES / sizeof *SIZES };
    const Kernels *const table = support_level(_i);
    if (!table)
        return;
    const Guarded in_pages = guard(), out_pages = guard();
    Random random = random_stream(4, RANDOM_TEST, 0, 0);
    for (int trial = 0; trial < COUNT * COUNT * 2; trial++) {
        const size_t rows = SIZES[trial / 2 / COUNT], columns = SIZES[trial / 2 % COUNT];
        const bool at_end = trial % 2 != 0;
        const size_t in_stride = columns + (size_t)trial % 5, out_stride = rows + (size_t)trial % 3;
        const size_t in_bytes = (rows - 1) * in_stride + columns;
        const size_t out_bytes = (columns - 1) * out_stride + rows;
        uint8_t *const in = place(in_pages, in_bytes, at_end);
        uint8_t *const out = place(out_pages, out_bytes, at_end);
        fill(in, in_bytes, &random, 0);
        memset(out, 77, out_bytes);
        table->transpose_bytes(in, in_stride, rows, columns, out, out_stride);
        for (size_t i = 0; i < out_bytes; i++) {
            const size_t column = i / out_stride, row = i % out_stride;
            const uint8_t wanted = row < rows ? in[row * in_stride + column] : 77;
            ck_each(out[i] == wanted, "%s: %zu x %zu: [%zu,%zu] = %d, not %d", table->name, rows,
                    columns, column, row, out[i], wanted);
        }
    }
    release(in_pages);
    release(out_pages);
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("resample");
    TCase *const kernels = support_case(suite, "kernels", 60);
    tcase_add_loop_test(kernels, test_blend_is_exact, 0, support_levels());
    tcase_add_loop_test(kernels, test_blend_single_weights, 0, support_levels());
    tcase_add_loop_test(kernels, test_transpose, 0, support_levels());
    return support_main(suite);
}
