/*
 * splitmix.h - SplitMix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number generators",
 * 2014).
 *
 * Simple enough to be the same in tests/golden/splitmix.py: both draw the same inputs from a seed,
 * so that golden files hold expected results only.
 */
#ifndef LNCLIP_TESTS_SPLITMIX_H
#define LNCLIP_TESTS_SPLITMIX_H

#include <stdint.h>

static inline uint64_t splitmix(uint64_t *state)
{
    uint64_t z = *state += 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

#endif
