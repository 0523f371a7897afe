/*
 * kernels.c - see kernels.h: chooses the table once.
 */
#include "tensor/kernels/kernels.h"

#include "tensor/kernels/cpu.h"
#include "tensor/kernels/variants.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static pthread_once_t choose_once = PTHREAD_ONCE_INIT;
static const Kernels *chosen; /* NULL: choosing failed, and `failure` says why */
static bool plain;
static Error failure;

/* The variants from plainest to best. */
static const char *const VARIANT_NAMES[] = {"ref", "avx2", "avx512"};
enum { VARIANT_COUNT = sizeof VARIANT_NAMES / sizeof *VARIANT_NAMES };

const Kernels *kernels_variant(const char *name)
{
    if (strcmp(name, "ref") == 0)
        return kernels_reference();
    if (strcmp(name, "avx2") == 0)
        return cpu_has_avx2() ? kernels_avx2_table() : NULL;
    if (strcmp(name, "avx512") == 0)
        return cpu_has_avx512() ? kernels_avx512_table() : NULL;
    return NULL;
}

static bool is_variant_name(const char *name)
{
    for (int i = 0; i < VARIANT_COUNT; i++) {
        if (strcmp(name, VARIANT_NAMES[i]) == 0)
            return true;
    }
    return false;
}

static void choose(void)
{
    const char *const wanted = getenv("LNCLIP_CPU");
    if (!wanted || !*wanted) {
        for (int i = 0; i < VARIANT_COUNT; i++) {
            const Kernels *const table = kernels_variant(VARIANT_NAMES[i]);
            if (table)
                chosen = table;
        }
    } else if (!is_variant_name(wanted)) {
        error_set(&failure, STATUS_USAGE,
                  "LNCLIP_CPU: unknown value '%s'; use ref, avx2 or avx512, or unset it", wanted);
    } else {
        chosen = kernels_variant(wanted);
        plain = strcmp(wanted, "ref") == 0;
        if (!chosen)
            error_set(
                &failure, STATUS_FAILED,
                "LNCLIP_CPU: this processor or system lacks %s; use a plainer one of ref, avx2, "
                "avx512, or unset it",
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
