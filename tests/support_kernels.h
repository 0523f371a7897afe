/*
 * support_kernels.h - what the tests of kernels share: every variant in turn, bits of numbers, and
 * the time of a call.
 */
#ifndef LNCLIP_TESTS_SUPPORT_KERNELS_H
#define LNCLIP_TESTS_SUPPORT_KERNELS_H

#include "tests/support.h"

#include "tensor/kernels/kernels.h"

/* The table of that ISA level (kernels_variant_name), or NULL where this processor lacks it. */
const Kernels *support_level(int level);

/* The number of ISA levels: tests run once for each, with the level in Check's _i. */
int support_levels(void);

/* The number that the bits of a bf16 are. */
float support_f32_of(uint16_t bf16);

/* Whether `found` is `exact` rounded to bf16, if exact was first off by `slack` of itself. */
bool support_is_rounded(uint16_t found, double exact, double slack);

/* Whether speeds are to be measured and printed: LNCLIP_TEST_TIME is set, and not to "". */
bool support_speed_wanted(void);

/*
 * Seconds of this thread's processor time that `call` takes: the mean over a round of at least
 * `least` seconds, in the best of `rounds`. The clock is read once a round, so short calls are not
 * burdened by it.
 */
double support_seconds_of(void (*call)(void *context), void *context, int rounds, double least);

#endif
