/*
 * support.h - what the test programs share.
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

/* Adds a case with a timeout in seconds (sanitizers are slow) to the suite, and returns it. */
TCase *support_case(Suite *suite, const char *name, double timeout);

/* Asserts that a call succeeded, printing the error's message and details otherwise. */
#define ck_ok(call, error) ck_assert_msg((call) == STATUS_OK, "%s: %s", #call, (error)->message)

/*
 * ck_assert_msg for inner loops: Check records every success of its own with a system call, this
 * one only failures.
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

/* Deterministic normal numbers into values [n]; different `stream`s are independent. */
void support_fill_normal(float *values, size_t n, unsigned stream, double scale);

/* A fresh folder under $TMPDIR (or /tmp), deleted with all in it by support_remove_folder. */
void support_make_folder(char out[4096]);
void support_remove_folder(const char *path);

/* A tape over an arena of its own: what a test needs to run operations. */
typedef struct SupportEngine {
    Threads *threads;
    Arena *arena;
    Tape *tape;
} SupportEngine;

/* Opens one for a few dozen operations. `bytes` is the arena's capacity; 0 makes it a measuring
 * arena. */
void support_engine_open(SupportEngine *engine, int threads, size_t bytes);
void support_engine_close(SupportEngine *engine);

/* Path of a golden file: tests/golden/NAME, found through $LNCLIP_GOLDEN (default tests/golden). */
void support_golden(char out[4096], const char *name);

/* Opens one for reading. */
FILE *support_golden_open(const char *name);

#endif
