/*
 * support.c - see support.h.
 */
#include "tests/support.h"

#include "tensor/random.h"

#include <math.h>

int support_main(Suite *suite)
{
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

TCase *support_case(Suite *suite, const char *name, double timeout)
{
    TCase *const test_case = tcase_create(name);
    tcase_set_timeout(test_case, timeout);
    suite_add_tcase(suite, test_case);
    return test_case;
}

int support_close(double a, double b, double tolerance)
{
    return fabs(a - b) <= tolerance * fmax(1.0, fabs(b));
}

double support_relative_error(const float *a, const float *b, size_t n)
{
    double difference = 0, norm = 0;
    for (size_t i = 0; i < n; i++) {
        difference += ((double)a[i] - b[i]) * ((double)a[i] - b[i]);
        norm += (double)b[i] * b[i];
    }
    return sqrt(difference) / fmax(sqrt(norm), 1e-300);
}

void support_fill_normal(float *values, size_t n, unsigned stream, double scale)
{
    Random random = random_stream(20240229, RANDOM_TEST, stream, 0);
    for (size_t i = 0; i < n; i++)
        values[i] = (float)(scale * random_normal(&random));
}

void support_make_folder(char out[4096])
{
    const char *const base = getenv("TMPDIR");
    snprintf(out, 4096, "%s/lnclip-test-XXXXXX", base ? base : "/tmp");
    ck_assert_msg(mkdtemp(out) != NULL, "cannot create a folder like %s", out);
}

void support_remove_folder(const char *path)
{
    char command[4200];
    snprintf(command, sizeof command, "rm -rf -- '%s'", path);
    ck_assert_int_eq(system(command), 0);
}

void support_engine_open(SupportEngine *engine, int threads, size_t bytes)
{
    Error error = {0};
    ck_ok(threads_create(&engine->threads, threads, &error), &error);
    ck_ok(bytes ? arena_create(&engine->arena, bytes, &error)
                : arena_create_measuring(&engine->arena, &error),
          &error);
    ck_ok(tape_create(&engine->tape, engine->arena, engine->threads, 64, &error), &error);
}

void support_engine_close(SupportEngine *engine)
{
    tape_destroy(engine->tape);
    arena_destroy(engine->arena);
    threads_destroy(engine->threads);
}

void support_golden(char out[4096], const char *name)
{
    const char *const base = getenv("LNCLIP_GOLDEN");
    snprintf(out, 4096, "%s/%s", base ? base : "tests/golden", name);
}

FILE *support_golden_open(const char *name)
{
    char path[4096];
    support_golden(path, name);
    FILE *const file = fopen(path, "rb");
    ck_assert_msg(file != NULL, "cannot open %s", path);
    return file;
}
