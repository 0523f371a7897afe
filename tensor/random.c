/*
 * random.c - see random.h. The constants are those of Salmon et al., SC 2011, section 3.3 and table
 * 2.
 */
#include "tensor/random.h"

#include <assert.h>
#include <math.h>
#include <string.h>

enum { PHILOX_ROUNDS = 10 };

static const uint32_t PHILOX_MULTIPLIER[2] = {0xD2511F53, 0xCD9E8D57};
static const uint32_t PHILOX_WEYL[2] = {0x9E3779B9, 0xBB67AE85}; /* golden ratio, sqrt(3) - 1 */

void random_philox(const uint32_t key[2], const uint32_t counter[4], uint32_t out[4])
{
    uint32_t k0 = key[0], k1 = key[1];
    uint32_t x0 = counter[0], x1 = counter[1], x2 = counter[2], x3 = counter[3];
    for (int round = 0; round < PHILOX_ROUNDS; round++) {
        const uint64_t p0 = (uint64_t)PHILOX_MULTIPLIER[0] * x0;
        const uint64_t p1 = (uint64_t)PHILOX_MULTIPLIER[1] * x2;
        x0 = (uint32_t)(p1 >> 32) ^ x1 ^ k0;
        x1 = (uint32_t)p1;
        x2 = (uint32_t)(p0 >> 32) ^ x3 ^ k1;
        x3 = (uint32_t)p0;
        k0 += PHILOX_WEYL[0];
        k1 += PHILOX_WEYL[1];
    }
    out[0] = x0;
    out[1] = x1;
    out[2] = x2;
    out[3] = x3;
}

Random random_stream(uint64_t seed, RandomPurpose purpose, uint32_t index, uint32_t sub)
{
    return random_stream_part(seed, purpose, index, sub, 0);
}

Random random_stream_part(uint64_t seed, RandomPurpose purpose, uint32_t index, uint32_t sub,
                          uint32_t part)
{
    /* counter[0] is the position: 2^32 blocks of four words. A purpose takes eight bits. */
    Random random = {
        .key = {(uint32_t)seed, (uint32_t)(seed >> 32)},
        .counter = {0, (uint32_t)purpose | part << 8, index, sub},
        .used = 4,
    };
    return random;
}

uint32_t random_u32(Random *random)
{
    if (random->used == 4) {
        random_philox(random->key, random->counter, random->block);
        random->counter[0]++;
        random->used = 0;
    }
    return random->block[random->used++];
}

void random_words(const Random *stream, uint64_t first, size_t count, uint32_t *words)
{
    uint32_t counter[4] = {0, stream->counter[1], stream->counter[2], stream->counter[3]};
    while (count > 0) {
        uint32_t block[4];
        const size_t skipped = (size_t)(first % 4), left = 4 - skipped;
        const size_t used = count < left ? count : left;
        counter[0] = (uint32_t)(first / 4);
        random_philox(stream->key, counter, block);
        memcpy(words, block + skipped, used * sizeof *words);
        words += used;
        first += used;
        count -= used;
    }
}

uint32_t random_below(Random *random, uint32_t bound)
{
    assert(bound > 0);
    /*
     * The lowest 2^32 mod bound values are rejected; the number of the others is a multiple of
     * bound.
     */
    const uint32_t refused = (UINT32_MAX - bound + 1) % bound;
    uint32_t value;
    do
        value = random_u32(random);
    while (value < refused);
    return value % bound;
}

double random_uniform(Random *random)
{
    const uint64_t high = random_u32(random);
    const uint64_t low = random_u32(random);
    return (double)((high << 32 | low) >> 11) * 0x1p-53;
}

double random_normal(Random *random)
{
    const double two_pi = 6.283185307179586476925;
    const double radius = sqrt(-2 * log(1 - random_uniform(random))); /* 1 - u is never 0 */
    return radius * cos(two_pi * random_uniform(random));
}

void random_permutation(Random *random, int count, int *order)
{
    assert(count >= 0);
    for (int i = 0; i < count; i++)
        order[i] = i;
    for (int i = count - 1; i > 0; i--) {
        const int other = (int)random_below(random, (uint32_t)i + 1);
        const int kept = order[i];
        order[i] = order[other];
        order[other] = kept;
    }
}
