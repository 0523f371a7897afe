/*
 * support_kernels.h - helpers for kernel tests: ISA levels, bf16 values, and timing.
 */
#ifndef LNCLIP_TESTS_SUPPORT_KERNELS_H
#define LNCLIP_TESTS_SUPPORT_KERNELS_H

#include "tests/support.h"

#include "tensor/kernels/kernels.h"

/*
 * The kernels of an ISA level (kernels_variant_name), or NULL if this processor does not support
 * it.
 */
const Kernels *support_level(int level);

/* The number of ISA levels. Loop tests get the level as Check's _i. */
int support_levels(void);

/* The value of the bits of a bf16. */
float support_f32_of(uint16_t bf16);

/* True if `found` is the bf16 rounding of a value within `slack` (relative) of `exact`. */
bool support_is_rounded(uint16_t found, double exact, double slack);

/* True if speeds are to be measured and printed: LNCLIP_TEST_TIME is set and not empty. */
bool support_speed_wanted(void);

/*
 * The CPU seconds of this thread per `call`: the mean over a round of at least `least` seconds, in
 * the best of `rounds`. The clock is read once per round, so that it does not affect short calls.
 */
double support_seconds_of(void (*call)(void *context), void *context, int rounds, double least);

#endif
