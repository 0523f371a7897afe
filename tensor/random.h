/*
 * random.h - counter-based random numbers: Philox4x32-10.
 *
 * Source: Salmon, Moraes, Dror, Shaw, "Parallel Random Numbers: As Easy as 1, 2, 3", SC 2011. A
 * number is a pure function of (seed, purpose, index, sub-index, position). So results do not
 * depend on the number of workers, the order of work or resuming. Thread-safe on distinct Randoms.
 *
 * Tests: tests/test_random.c.
 */
#ifndef LNCLIP_TENSOR_RANDOM_H
#define LNCLIP_TENSOR_RANDOM_H

#include <stddef.h>
#include <stdint.h>

/* What a stream is used for. Never renumber: the value decides which numbers are drawn. */
typedef enum RandomPurpose {
    RANDOM_WEIGHTS = 1,    /* random initialisation of an encoder */
    RANDOM_HEAD = 2,       /* initialisation of the head */
    RANDOM_SHUFFLE = 3,    /* order of an epoch */
    RANDOM_AUGMENT = 4,    /* augmentation of one frame */
    RANDOM_SLERP = 5,      /* partners and t of one step */
    RANDOM_SYNTH = 6,      /* synthetic data set */
    RANDOM_TEST = 8,       /* tests, and operands of bench */
    RANDOM_NOISE = 9,      /* noise added to one image */
    RANDOM_BLEND = 10,     /* self-blending of one frame */
    RANDOM_BOOTSTRAP = 16, /* videos of one resample */
    RANDOM_LORA = 20,      /* initialisation of LoRA's A */
    RANDOM_DROPOUT = 21,   /* elements that dropout drops before LoRA's A in one step */
    RANDOM_FRAMES = 24,    /* frames of one video */
    RANDOM_LIMIT = 25,     /* videos of a class */
} RandomPurpose;

/* A stream: the numbers of one (seed, purpose, index, sub-index), and the position in them. */
typedef struct Random {
    uint32_t key[2];
    uint32_t counter[4];
    uint32_t block[4]; /* the ten-round output of the current counter */
    int used;          /* words of block already used: 0..4 */
} Random;

/* Philox4x32-10 itself: out = f(key, counter). For tests against the paper's known answers. */
void random_philox(const uint32_t key[2], const uint32_t counter[4], uint32_t out[4]);

/*
 * The stream of (seed, purpose, index, sub): e.g. index = frame, sub = epoch. Streams of different
 * arguments are independent; each holds 2^34 words before it repeats.
 */
Random random_stream(uint64_t seed, RandomPurpose purpose, uint32_t index, uint32_t sub);

/*
 * One of 2^24 streams for the same arguments, e.g. part = number of earlier occurrences of the
 * frame in the epoch. Part 0 is random_stream; parts that differ by a multiple of 2^24 are the
 * same.
 */
Random random_stream_part(uint64_t seed, RandomPurpose purpose, uint32_t index, uint32_t sub,
                          uint32_t part);

/* The next word of the stream. */
uint32_t random_u32(Random *random);

/*
 * Writes words first .. first + count - 1 of a stream to `words` [count], without using or changing
 * its position: word i is the result of the (i+1)-th call of random_u32 on a new stream. first +
 * count <= 2^34.
 */
void random_words(const Random *stream, uint64_t first, size_t count, uint32_t *words);

/* Uniform integer in [0, bound), without bias (rejection). bound > 0. */
uint32_t random_below(Random *random, uint32_t bound);

/* Uniform double in [0, 1), a multiple of 2^-53 (uses two words). */
double random_uniform(Random *random);

/* Standard normal, Box-Muller (uses four words). */
double random_normal(Random *random);

/* A uniform random permutation of 0..count-1 (Fisher-Yates) into `order` [count]. */
void random_permutation(Random *random, int count, int *order);

#endif
