/*
 * support_kernels.c - see support_kernels.h.
 */
#include "tests/support_kernels.h"

#include <math.h>
#include <time.h>

const Kernels *support_level(int level)
{
    return kernels_variant(kernels_variant_name(level));
}

int support_levels(void)
{
    int levels = 0;
    while (kernels_variant_name(levels))
        levels++;
    return levels;
}

float support_f32_of(uint16_t bf16)
{
    float value;
    dtype_to_f32(DTYPE_BF16, &bf16, &value, 1);
    return value;
}

bool support_is_rounded(uint16_t found, double exact, double slack)
{
    const double half_a_step = fabs(exact) / 256;
    return fabs(support_f32_of(found) - exact) <= half_a_step + slack * fabs(exact) + 1e-37;
}

bool support_speed_wanted(void)
{
    const char *const wanted = getenv("LNCLIP_TEST_TIME");
    return wanted && *wanted;
}

static double processor_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

double support_seconds_of(void (*call)(void *context), void *context, int rounds, double least)
{
    double best = INFINITY;
    size_t calls = 1;
    for (int round = 0; round < rounds;) {
        const double start = processor_seconds();
        for (size_t i = 0; i < calls; i++)
            call(context);
        const double spent = processor_seconds() - start;
        if (spent < least) {
            calls *= 2;
            continue;
        }
        best = fmin(best, spent / (double)calls);
        round++;
    }
    return best;
}
