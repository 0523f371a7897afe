/*
 * support.h - helpers for all test programs.
 *
 * Every test program is tests/test_NAME.c with a main() that calls support_main with its suites. It
 * exits non-zero on any failure and ends with Check's own summary line.
 */
#ifndef LNCLIP_TESTS_SUPPORT_H
#define LNCLIP_TESTS_SUPPORT_H

#include "tensor/tape.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

/* Runs one suite and returns the exit code of the program. */
int support_main(Suite *suite);

/*
 * Adds a case with a timeout in seconds to the suite and returns it. Sanitizers need long timeouts.
 */
TCase *support_case(Suite *suite, const char *name, double timeout);

/* Asserts that a call succeeded; otherwise prints the error's message and details. */
#define ck_ok(call, error) ck_assert_msg((call) == STATUS_OK, "%s: %s", #call, (error)->message)

/*
 * ck_assert_msg for inner loops: reports only failures, where Check makes a system call for each
 * success.
 */
#define ck_each(condition, ...)                                                                    \
    do {                                                                                           \
        if (!(condition))                                                                          \
            ck_abort_msg(__VA_ARGS__);                                                             \
    } while (0)

/* |a - b| <= tolerance * max(1, |b|). */
#define ck_close(a, b, tolerance)                                                                  \
    ck_each(support_close((double)(a), (double)(b), (tolerance)), "%s = %.9g, expected %.9g", #a,  \
            (double)(a), (double)(b))
int support_close(double a, double b, double tolerance);

/* Relative error |a - b| / |b| of two vectors (Euclidean norms, double). */
double support_relative_error(const float *a, const float *b, size_t n);

/*
 * Fills values [n] with deterministic normal random numbers; different `stream`s are independent.
 */
void support_fill_normal(float *values, size_t n, unsigned stream, double scale);

/* Creates a folder in $TMPDIR (or /tmp). Delete it and its contents with support_remove_folder. */
void support_make_folder(char out[4096]);
void support_remove_folder(const char *path);

/* A tape with its own arena, for running operations in a test. */
typedef struct SupportEngine {
    Threads *threads;
    Arena *arena;
    Tape *tape;
} SupportEngine;

/*
 * Opens a tape for a few dozen operations. `bytes` is the capacity of the arena; 0 makes it a
 * measuring arena.
 */
void support_engine_open(SupportEngine *engine, int threads, size_t bytes);
void support_engine_close(SupportEngine *engine);

/* The path of a golden file: $LNCLIP_GOLDEN/NAME (default tests/golden/NAME). */
void support_golden(char out[4096], const char *name);

/* Opens a golden file for reading. */
FILE *support_golden_open(const char *name);

#endif
