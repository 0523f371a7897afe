/*
 * kernels.c - see kernels.h: builds a table for each rung of the ladder that the processor reaches, and
 * chooses one once.
 */
#include "tensor/kernels/kernels.h"

#include "tensor/kernels/cpu_private.h"
#include "tensor/kernels/variants_private.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

typedef struct Rung {
    const char *name;
    bool (*supported)(void); /* NULL: always */
    void (*overlay)(Kernels *table);
} Rung;

#if defined(__x86_64__)
#define X86(overlay) overlay
#else
#define X86(overlay) NULL /* not there, and not asked for: cpu.h says no */
#endif

static const Rung ladder[] = {
    {"ref", NULL, kernels_overlay_reference},
    {"avx2", cpu_has_avx2, X86(kernels_overlay_avx2)},
    {"avx512", cpu_has_avx512, X86(kernels_overlay_avx512)},
    {"avx512_vnni", cpu_has_avx512_vnni, X86(kernels_overlay_avx512_vnni)},
    {"avx512_bf16", cpu_has_avx512_bf16, X86(kernels_overlay_avx512_bf16)},
    {"amx", cpu_has_amx, X86(kernels_overlay_amx)},
};
#define NAMES "ref, avx2, avx512, avx512_vnni, avx512_bf16 or amx"

enum { RUNGS = sizeof ladder / sizeof *ladder };

static pthread_once_t build_once = PTHREAD_ONCE_INIT, choose_once = PTHREAD_ONCE_INIT;
static Kernels tables[RUNGS]; /* of the rungs that the processor reaches */
static int reached;
static const Kernels *chosen; /* NULL: choosing failed, and `failure` says why */
static bool plain;
static Error failure;

static void build(void)
{
    for (; reached < RUNGS; reached++) {
        const Rung *const rung = &ladder[reached];
        if (rung->supported && !rung->supported())
            return;
        if (reached > 0)
            tables[reached] = tables[reached - 1];
        tables[reached].name = rung->name;
        rung->overlay(&tables[reached]);
    }
}

/* RUNGS if there is none of that name. */
static int rung_of(const char *name)
{
    int rung = 0;
    while (rung < RUNGS && strcmp(name, ladder[rung].name) != 0)
        rung++;
    return rung;
}

const char *kernels_variant_name(int rung)
{
    return rung < RUNGS ? ladder[rung].name : NULL;
}

const Kernels *kernels_variant(const char *name)
{
    pthread_once(&build_once, build);
    const int rung = rung_of(name);
    return rung < reached ? &tables[rung] : NULL;
}

const Kernels *kernels_reference(void)
{
    pthread_once(&build_once, build);
    return &tables[0];
}

static void choose(void)
{
    pthread_once(&build_once, build);
    const char *const wanted = getenv("LNCLIP_CPU");
    if (!wanted || !*wanted) {
        chosen = &tables[reached - 1];
    } else if (rung_of(wanted) == RUNGS) {
        error_set(&failure, STATUS_USAGE,
                  "LNCLIP_CPU: unknown value '%s'; use " NAMES ", or unset it", wanted);
    } else {
        chosen = kernels_variant(wanted);
        plain = strcmp(wanted, "ref") == 0;
        if (!chosen)
            error_set(&failure, STATUS_FAILED,
                      "LNCLIP_CPU: this processor or system lacks %s; use a plainer one of " NAMES
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
    assert(chosen && "LNCLIP_CPU cannot be met: call kernels_init first to have it reported");
    return chosen;
}

bool kernels_plain(void)
{
    return kernels() == kernels_reference() && plain;
}
