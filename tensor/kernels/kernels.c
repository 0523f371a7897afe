/*
 * kernels.c - see kernels.h: compiles the templates for each ISA level, builds a table for each
 * level that the processor supports, and chooses one.
 */
#include "tensor/kernels/kernels.h"

#include "tensor/kernels/cpu_private.h"
#include "tensor/kernels/kernels_private.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* --- The table of each ISA level: the kernels that replace those of the level below --- */

#define TARGET        /* the target of the whole build */
#define NAME(x)       x##_reference
#define MADD(a, b, c) ((a) * (b) + (c))
#include "tensor/kernels/rows_template.h"

static void fill_reference(Kernels *table)
{
    fill_rows_reference(table);
    table->product[PRECISION_F32] = kernels_product_f32_reference;
    table->product[PRECISION_BF16] = kernels_product_bf16_reference;
    table->product[PRECISION_INT8] = kernels_product_int8_reference;
    table->pack_a = kernels_pack_a_reference;
    table->transpose = kernels_transpose_reference;
    table->blend = kernels_blend_reference;
    table->transpose_bytes = kernels_transpose_bytes_reference;
    table->product_is_fast = false;
    table->product_wants_odd_rows = false;
}

#if defined(__x86_64__)

#define TARGET        __attribute__((target("avx2,fma")))
#define NAME(x)       x##_avx2
#define MADD(a, b, c) __builtin_fmaf(a, b, c)
#include "tensor/kernels/rows_template.h"

static void fill_avx2(Kernels *table)
{
    fill_rows_avx2(table);
    table->product[PRECISION_F32] = kernels_product_f32_avx2;
    table->product[PRECISION_BF16] = kernels_product_bf16_avx2;
    table->product[PRECISION_INT8] = kernels_product_int8_avx2;
    table->pack_a = kernels_pack_a_avx2;
    table->transpose = kernels_transpose_avx2;
    table->blend = kernels_blend_avx2;
    table->transpose_bytes = kernels_transpose_bytes_avx2;
    table->product_is_fast = true;
}

#define TARGET        __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")))
#define NAME(x)       x##_avx512
#define MADD(a, b, c) __builtin_fmaf(a, b, c)
#include "tensor/kernels/rows_template.h"

static void fill_avx512(Kernels *table)
{
    fill_rows_avx512(table);
    table->softmax_bf16 = kernels_softmax_bf16_avx512;
    table->softmax_gradient_bf16 = kernels_softmax_gradient_bf16_avx512;
    table->product[PRECISION_F32] = kernels_product_f32_avx512;
    table->product[PRECISION_BF16] = kernels_product_bf16_avx512;
    table->pack_a = kernels_pack_a_avx512;
    table->transpose = kernels_transpose_avx512;
    table->blend = kernels_blend_avx512;
}

static void fill_avx512_vnni(Kernels *table)
{
    table->product[PRECISION_INT8] = kernels_product_int8_avx512_vnni;
}

static void fill_avx512_bf16(Kernels *table)
{
    table->product[PRECISION_BF16] = kernels_product_bf16_avx512_bf16;
}

static void fill_amx(Kernels *table)
{
    table->product[PRECISION_BF16] = kernels_product_bf16_amx;
    table->product[PRECISION_INT8] = kernels_product_int8_amx;
    table->product_wants_odd_rows = true;
}

#define X86(fill) fill
#else
#define X86(fill) NULL /* never called, since cpu_has_* are false */
#endif

/* --- The choice --- */

typedef struct IsaLevel {
    const char *name;
    bool (*supported)(void); /* NULL: always */
    void (*fill)(Kernels *table);
} IsaLevel;

static const IsaLevel levels[] = {
    {"ref", NULL, fill_reference},
    {"avx2", cpu_has_avx2, X86(fill_avx2)},
    {"avx512", cpu_has_avx512, X86(fill_avx512)},
    {"avx512_vnni", cpu_has_avx512_vnni, X86(fill_avx512_vnni)},
    {"avx512_bf16", cpu_has_avx512_bf16, X86(fill_avx512_bf16)},
    {"amx", cpu_has_amx, X86(fill_amx)},
};
#define NAMES "ref, avx2, avx512, avx512_vnni, avx512_bf16 or amx"

enum { LEVELS = sizeof levels / sizeof *levels };

static pthread_once_t build_once = PTHREAD_ONCE_INIT, choose_once = PTHREAD_ONCE_INIT;
static Kernels tables[LEVELS]; /* tables of the levels that the processor supports */
static int available;
static const Kernels *chosen; /* NULL if choosing failed; `failure` has the reason */
static bool plain;
static Error failure;

static void build(void)
{
    for (; available < LEVELS; available++) {
        const IsaLevel *level = &levels[available];
        if (level->supported && !level->supported())
            return;
        if (available > 0)
            tables[available] = tables[available - 1];
        tables[available].name = level->name;
        level->fill(&tables[available]);
    }
}

/* The number of a level by name; LEVELS if unknown. */
static int level_of(const char *name)
{
    int level = 0;
    while (level < LEVELS && strcmp(name, levels[level].name) != 0)
        level++;
    return level;
}

const char *kernels_variant_name(int level)
{
    return level < LEVELS ? levels[level].name : NULL;
}

const Kernels *kernels_variant(const char *name)
{
    pthread_once(&build_once, build);
    const int level = level_of(name);
    return level < available ? &tables[level] : NULL;
}

const Kernels *kernels_reference(void)
{
    pthread_once(&build_once, build);
    return &tables[0];
}

static void choose(void)
{
    pthread_once(&build_once, build);
    const char *wanted = getenv("LNCLIP_CPU");
    if (!wanted || !*wanted) {
        chosen = &tables[available - 1];
    } else if (level_of(wanted) == LEVELS) {
        error_set(&failure, STATUS_USAGE,
                  "LNCLIP_CPU: unknown value '%s'; use " NAMES ", or unset it", wanted);
    } else {
        chosen = kernels_variant(wanted);
        plain = strcmp(wanted, "ref") == 0;
        if (!chosen)
            error_set(&failure, STATUS_FAILED,
                      "LNCLIP_CPU: this processor or system lacks %s; use a lower one of " NAMES
                      ", or unset it",
                      wanted);
    }
}

Status kernels_init(Error *error)
{
    pthread_once(&choose_once, choose);
    if (!chosen)
        *error = failure;
    return chosen ? STATUS_OK : failure.status;
}

const Kernels *kernels(void)
{
    pthread_once(&choose_once, choose);
    assert(chosen && "invalid LNCLIP_CPU: call kernels_init first to report it");
    return chosen;
}

bool kernels_plain(void)
{
    return kernels() == kernels_reference() && plain;
}
