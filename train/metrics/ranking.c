/*
 * ranking.c - see ranking.h.
 *
 * An in-place radix sort from the most significant byte (American flag sort: McIlroy, Bostic,
 * McIlroy, "Engineering radix sort", 1993). It starts at the first bit in which keys of a class
 * differ, because scores in [0, 1] share sign and most of the exponent. Threads first split each
 * class into buckets, then sort the buckets; the result does not depend on the threads.
 */
#include "train/metrics/ranking.h"

#include "tensor/base/mem.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Purpose of allocations, for messages. */
static const char purpose[] = "the order of the scores";

#define SIGN_BIT (UINT64_C(1) << 63)

/*
 * Maps an IEEE 754 double to an integer of the same order: sets the sign bit of positive numbers
 * and inverts all bits of negative ones. Adding 0 turns -0 into +0.
 */
static uint64_t key_of(double score)
{
    const double value = score + 0.0;
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits & SIGN_BIT ? ~bits : bits | SIGN_BIT;
}

static double score_of(uint64_t key)
{
    const uint64_t bits = key & SIGN_BIT ? key & ~SIGN_BIT : ~key;
    double score;
    memcpy(&score, &bits, sizeof score);
    return score;
}

enum {
    SMALL_SORT = 48, /* below this size insertion sort is faster (measured) */
    BUCKETS = 256
};

static void insertion_sort(uint64_t *keys, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        const uint64_t key = keys[i];
        size_t j = i;
        for (; j > 0 && keys[j - 1] > key; j--)
            keys[j] = keys[j - 1];
        keys[j] = key;
    }
}

/* Moves keys [n] into buckets by the byte at `shift`: bucket b is [begin[b], begin[b + 1]). */
static void split(uint64_t *keys, size_t n, int shift, size_t begin[BUCKETS + 1])
{
    size_t next[BUCKETS];
    memset(begin, 0, (BUCKETS + 1) * sizeof *begin);
    for (size_t i = 0; i < n; i++)
        begin[(keys[i] >> shift & 255) + 1]++;
    for (int b = 0; b < BUCKETS; b++) {
        next[b] = begin[b];
        begin[b + 1] += begin[b];
    }
    for (int b = 0; b < BUCKETS; b++) {
        while (next[b] < begin[b + 1]) {
            uint64_t key = keys[next[b]];
            for (int home; (home = (int)(key >> shift & 255)) != b;) {
                const uint64_t evicted = keys[next[home]];
                keys[next[home]++] = key;
                key = evicted;
            }
            keys[next[b]++] = key;
        }
    }
}

/* Sorts keys [n] that agree in all bits from shift + 8 upwards. */
static void sort_keys(uint64_t *keys, size_t n, int shift)
{
    if (n <= SMALL_SORT) {
        insertion_sort(keys, n);
        return;
    }
    size_t begin[BUCKETS + 1];
    split(keys, n, shift, begin);
    const int lower = shift > 8 ? shift - 8 : 0; /* the last two bytes may overlap */
    for (int b = 0; b < BUCKETS && shift > 0; b++)
        if (begin[b + 1] - begin[b] > 1)
            sort_keys(keys + begin[b], begin[b + 1] - begin[b], lower);
}

/* A class being sorted. */
typedef struct Half {
    uint64_t *keys;
    size_t n;
    int shift; /* shift of the first byte in which keys differ */
    size_t begin[BUCKETS + 1];
} Half;

static void split_half(void *context, int task, int worker)
{
    Half *half = &((Half *)context)[task];
    (void)worker;
    uint64_t differing = 0;
    for (size_t i = 1; i < half->n; i++)
        differing |= half->keys[i] ^ half->keys[0];
    const int top = differing ? 63 - __builtin_clzll(differing) : 0;
    half->shift = top > 7 ? top - 7 : 0;
    split(half->keys, half->n, half->shift, half->begin);
}

static void sort_bucket(void *context, int task, int worker)
{
    const Half *half = &((const Half *)context)[task / BUCKETS];
    const size_t *begin = &half->begin[task % BUCKETS];
    (void)worker;
    if (half->shift > 0 && begin[1] - begin[0] > 1)
        sort_keys(half->keys + begin[0], begin[1] - begin[0],
                  half->shift > 8 ? half->shift - 8 : 0);
}

static Status check_count(size_t n, Error *error)
{
    if (n > 0 && n <= UINT32_MAX)
        return STATUS_OK;
    return error_set(error, STATUS_FAILED, "scores: %s; give between 1 and %lu rows",
                     n == 0 ? "no rows" : "too many rows", (unsigned long)UINT32_MAX);
}

static Status check_finite(const double *scores, size_t i, size_t n, Error *error)
{
    if (isfinite(scores[i]))
        return STATUS_OK;
    return error_set(error, STATUS_FAILED,
                     "scores: row %zu of %zu is not finite; find out what produced it", i + 1, n);
}

Status metrics_ranking_create(MetricsRanking *ranking, Threads *threads, const double *scores,
                              const uint8_t *labels, size_t n, Error *error)
{
    assert(ranking && error && (n == 0 || (scores && labels)));
    *ranking = (MetricsRanking){0};
    TRY(check_count(n, error));
    for (size_t i = 0; i < n; i++) {
        assert(labels[i] <= 1);
        ranking->n_fake += labels[i];
        TRY(check_finite(scores, i, n, error));
    }
    ranking->n_real = n - ranking->n_fake;
    ranking->reals = ranking->n_real;
    ranking->fakes = ranking->n_fake;
    ranking->real = mem_new(n, sizeof *ranking->real, purpose, error);
    if (!ranking->real)
        return error->status;
    ranking->fake = ranking->real + ranking->n_real;
    uint64_t *end[2] = {ranking->real, ranking->fake};
    for (size_t i = 0; i < n; i++)
        *end[labels[i]]++ = key_of(scores[i]);
    Half halves[2] = {{.keys = ranking->real, .n = (size_t)ranking->n_real},
                      {.keys = ranking->fake, .n = (size_t)ranking->n_fake}};
    threads_run(threads, 2, split_half, halves);
    threads_run(threads, 2 * BUCKETS, sort_bucket, halves);
    return STATUS_OK;
}

void metrics_ranking_free(MetricsRanking *ranking)
{
    free(ranking->real);
    *ranking = (MetricsRanking){0};
}

bool metrics_ranking_next(MetricsRanking *ranking, double *score, uint64_t *reals, uint64_t *fakes)
{
    uint64_t r = ranking->reals, f = ranking->fakes;
    if (r + f == 0)
        return false;
    uint64_t key = r > 0 ? ranking->real[r - 1] : 0; /* no finite score has key 0 */
    if (f > 0 && ranking->fake[f - 1] > key)
        key = ranking->fake[f - 1];
    while (r > 0 && ranking->real[r - 1] == key)
        r--;
    while (f > 0 && ranking->fake[f - 1] == key)
        f--;
    *score = score_of(key);
    *reals = ranking->reals - r;
    *fakes = ranking->fakes - f;
    ranking->reals = r;
    ranking->fakes = f;
    return true;
}

typedef struct Row {
    uint64_t key;
    uint32_t row;
} Row;

static int compare_rows(const void *a, const void *b)
{
    const Row *x = a, *y = b;
    if (x->key != y->key)
        return x->key < y->key ? 1 : -1;
    return x->row > y->row ? 1 : -1;
}

Status metrics_ranking_order(const double *scores, size_t n, uint32_t *order, Error *error)
{
    assert(error && (n == 0 || (scores && order)));
    TRY(check_count(n, error));
    Row *rows = mem_new(n, sizeof *rows, purpose, error);
    if (!rows)
        return error->status;
    Status status = STATUS_OK;
    for (size_t i = 0; i < n && status == STATUS_OK; i++) {
        status = check_finite(scores, i, n, error);
        rows[i] = (Row){key_of(scores[i]), (uint32_t)i};
    }
    if (status == STATUS_OK)
        qsort(rows, n, sizeof *rows, compare_rows);
    for (size_t i = 0; i < n && status == STATUS_OK; i++)
        order[i] = rows[i].row;
    free(rows);
    return status;
}
