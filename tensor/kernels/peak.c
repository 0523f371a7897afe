/*
 * peak.c - see peak.h.
 *
 * Each loop keeps enough independent sums to hide the latency of its instruction (vectors: at most
 * 8 cycles, two instructions per cycle; tiles: 52 cycles, one instruction per 16 cycles) and starts
 * from values that stay finite and normal: some processors slow down on others. Results go to the
 * volatile `keep`, so that the compiler cannot remove the loops.
 */
#include "tensor/kernels/peak.h"

#include "tensor/kernels/kernels.h"
#include "tensor/kernels/tiles_private.h"

#include <string.h>

static volatile float keep; /* written, never read */

/* Plain C, compiled for the target of the whole build. */
enum { PLAIN_SUMS = 32 };

static double peak_plain(int rounds)
{
    float sums[PLAIN_SUMS];
    const float half = 0.5F + 0 * keep, one = 1;
    for (int i = 0; i < PLAIN_SUMS; i++)
        sums[i] = (float)i;
    for (int r = 0; r < rounds; r++)
        for (int i = 0; i < PLAIN_SUMS; i++)
            sums[i] = sums[i] * half + one;
    for (int i = 1; i < PLAIN_SUMS; i++)
        sums[0] += sums[i];
    keep = sums[0] * 0;
    return 2.0 * PLAIN_SUMS * rounds;
}

#if defined(__x86_64__)

#include <immintrin.h>

enum {
    SUMS = 12, /* registers of sums; AVX2 has 16 registers */
    REPEATS = 4,
    YMM_F32 = 2 * 8, /* operations of one instruction */
    ZMM_F32 = 2 * 16,
    ZMM_BF16 = 2 * 32,
    ZMM_INT8 = 2 * 64,
    TILE_BF16 = 2 * TILE_SIDE * TILE_SIDE * 32,
    TILE_INT8 = 2 * TILE_SIDE * TILE_SIDE * 64,
};

__attribute__((target("avx2,fma"))) static double peak_fma_ymm(int rounds)
{
    __m256 sum[SUMS];
    const __m256 half = _mm256_set1_ps(0.5F + 0 * keep), one = _mm256_set1_ps(1);
    for (int i = 0; i < SUMS; i++)
        sum[i] = _mm256_set1_ps((float)i);
    for (int r = 0; r < rounds * REPEATS; r++)
        for (int i = 0; i < SUMS; i++)
            sum[i] = _mm256_fmadd_ps(sum[i], half, one);
    for (int i = 1; i < SUMS; i++)
        sum[0] = _mm256_add_ps(sum[0], sum[i]);
    keep = _mm256_cvtss_f32(sum[0]) * 0;
    return (double)YMM_F32 * SUMS * REPEATS * rounds;
}

__attribute__((target("avx512f"))) static double peak_fma_zmm(int rounds)
{
    __m512 sum[SUMS];
    const __m512 half = _mm512_set1_ps(0.5F + 0 * keep), one = _mm512_set1_ps(1);
    for (int i = 0; i < SUMS; i++)
        sum[i] = _mm512_set1_ps((float)i);
    for (int r = 0; r < rounds * REPEATS; r++)
        for (int i = 0; i < SUMS; i++)
            sum[i] = _mm512_fmadd_ps(sum[i], half, one);
    for (int i = 1; i < SUMS; i++)
        sum[0] = _mm512_add_ps(sum[0], sum[i]);
    keep = _mm512_cvtss_f32(sum[0]) * 0;
    return (double)ZMM_F32 * SUMS * REPEATS * rounds;
}

__attribute__((target("avx512f,avx512vnni"))) static double peak_vnni_zmm(int rounds)
{
    __m512i sum[SUMS];
    const __m512i a = _mm512_set1_epi8((char)(1 + 0 * keep));
    for (int i = 0; i < SUMS; i++)
        sum[i] = _mm512_set1_epi32(i);
    for (int r = 0; r < rounds * REPEATS; r++)
        for (int i = 0; i < SUMS; i++)
            sum[i] = _mm512_dpbusd_epi32(sum[i], a, a);
    for (int i = 1; i < SUMS; i++)
        sum[0] = _mm512_add_epi32(sum[0], sum[i]);
    keep = (float)_mm_cvtsi128_si32(_mm512_castsi512_si128(sum[0])) * 0;
    return (double)ZMM_INT8 * SUMS * REPEATS * rounds;
}

__attribute__((target("avx512f,avx512bf16"))) static double peak_bf16_zmm(int rounds)
{
    __m512 sum[SUMS];
    const __m512 small = _mm512_set1_ps(1e-9F + 0 * keep);
    const __m512bh a = _mm512_cvtne2ps_pbh(small, small);
    for (int i = 0; i < SUMS; i++)
        sum[i] = _mm512_set1_ps((float)i);
    for (int r = 0; r < rounds * REPEATS; r++)
        for (int i = 0; i < SUMS; i++)
            sum[i] = _mm512_dpbf16_ps(sum[i], a, a);
    for (int i = 1; i < SUMS; i++)
        sum[0] = _mm512_add_ps(sum[0], sum[i]);
    keep = _mm512_cvtss_f32(sum[0]) * 0;
    return (double)ZMM_BF16 * SUMS * REPEATS * rounds;
}

/* Six tiles of sums and two operands. */
static const TileShapes tile_shapes = TILE_SHAPES(TILE_SIDE);

enum { TILE_SUMS = 6, TILE_BYTES = TILE_SIDE * TILE_LINE };

/*
 * Sets the sums to zero and fills both operands with `byte`: 0x2a is 1.5e-13 in bf16 and 42 in
 * int8.
 */
__attribute__((target("amx-tile"))) static void tiles_begin(int byte)
{
    unsigned char numbers[TILE_BYTES];
    memset(numbers, byte, sizeof numbers);
    /* The compilers do not see that the tile instructions read memory. */
    __asm__ volatile("" : : "r"(numbers) : "memory");
    _tile_loadconfig(&tile_shapes);
    _tile_loadd(6, numbers, 64);
    _tile_loadd(7, numbers, 64);
    __asm__ volatile("" : : "r"(numbers) : "memory");
}

#define SPACED(multiply, sum)                                                                      \
    do {                                                                                           \
        multiply(sum, 6, 7);                                                                       \
        TILE_SPACE();                                                                              \
    } while (0)

__attribute__((target("amx-tile,amx-bf16"))) static double peak_bf16_tile(int rounds)
{
    tiles_begin(0x2a);
    for (int r = 0; r < rounds; r++) {
        SPACED(_tile_dpbf16ps, 0);
        SPACED(_tile_dpbf16ps, 1);
        SPACED(_tile_dpbf16ps, 2);
        SPACED(_tile_dpbf16ps, 3);
        SPACED(_tile_dpbf16ps, 4);
        SPACED(_tile_dpbf16ps, 5);
    }
    _tile_release();
    return (double)TILE_BF16 * TILE_SUMS * rounds;
}

__attribute__((target("amx-tile,amx-int8"))) static double peak_int8_tile(int rounds)
{
    tiles_begin(0x2a);
    for (int r = 0; r < rounds; r++) {
        SPACED(_tile_dpbusd, 0);
        SPACED(_tile_dpbusd, 1);
        SPACED(_tile_dpbusd, 2);
        SPACED(_tile_dpbusd, 3);
        SPACED(_tile_dpbusd, 4);
        SPACED(_tile_dpbusd, 5);
    }
    _tile_release();
    return (double)TILE_INT8 * TILE_SUMS * rounds;
}

#endif

/* One loop, and the lowest ISA level at which it may run. */
typedef struct Peak {
    const char *level;
    const char *instruction;
    double (*run)(int rounds);
} Peak;

/* Ordered by ISA level. The loops of f32 serve every precision. */
static const Peak f32_peaks[] = {
    {"ref", "plain C", peak_plain},
#if defined(__x86_64__)
    {"avx2", "vfmadd ymm", peak_fma_ymm},
    {"avx512", "vfmadd zmm", peak_fma_zmm},
#endif
};
static const Peak bf16_peaks[] = {
#if defined(__x86_64__)
    {"avx512_bf16", "vdpbf16ps zmm", peak_bf16_zmm},
    {"amx", "tdpbf16ps", peak_bf16_tile},
#endif
    {0},
};
static const Peak int8_peaks[] = {
#if defined(__x86_64__)
    {"avx512_vnni", "vpdpbusd zmm", peak_vnni_zmm},
    {"amx", "tdpbusd", peak_int8_tile},
#endif
    {0},
};

/* The position of a level in the order of LNCLIP_CPU. */
static int level_number(const char *name)
{
    int i = 0;
    while (kernels_variant_name(i) && strcmp(kernels_variant_name(i), name) != 0)
        i++;
    return i;
}

static void improve(const Peak **best, const Peak *peaks, size_t count)
{
    const int allowed = level_number(kernels()->name);
    for (size_t i = 0; i < count; i++)
        if (peaks[i].run && level_number(peaks[i].level) <= allowed)
            *best = &peaks[i];
}

static const Peak *peak_of(Precision precision)
{
    const Peak *best = NULL;
    improve(&best, f32_peaks, sizeof f32_peaks / sizeof *f32_peaks);
    if (precision == PRECISION_BF16)
        improve(&best, bf16_peaks, sizeof bf16_peaks / sizeof *bf16_peaks);
    if (precision == PRECISION_INT8)
        improve(&best, int8_peaks, sizeof int8_peaks / sizeof *int8_peaks);
    return best;
}

double kernels_peak(Precision precision, int rounds)
{
    return peak_of(precision)->run(rounds);
}

const char *kernels_peak_instruction(Precision precision)
{
    return peak_of(precision)->instruction;
}

uint64_t kernels_read(const void *data, size_t bytes)
{
    enum { WORDS = 8 }; /* words per line of 64 bytes */
    const uint64_t *words = data;
    uint64_t mixed[WORDS] = {0};
    for (size_t i = 0; i < bytes / sizeof *words; i += WORDS)
        for (size_t w = 0; w < WORDS; w++)
            mixed[w] ^= words[i + w];
    for (size_t w = 1; w < WORDS; w++)
        mixed[0] ^= mixed[w];
    return mixed[0];
}
