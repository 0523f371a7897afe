/*
 * error.c - see error.h. It only formats: it neither prints nor allocates, so it cannot fail.
 */
#include "tensor/base/error.h"

#include "tensor/base/c_locale.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

void error_clear(Error *error)
{
    assert(error);
    memset(error, 0, sizeof *error);
}

Status error_set(Error *error, Status status, const char *format, ...)
{
    assert(error && status != STATUS_OK);
    error->status = status;
    va_list arguments;
    va_start(arguments, format);
    const locale_t before = c_locale_begin();
    vsnprintf(error->message, sizeof error->message, format, arguments);
    c_locale_end(before);
    va_end(arguments);
    return status;
}

void error_detail(Error *error, const char *format, ...)
{
    assert(error);
    if (error->problems < ERROR_MAX_DETAILS) {
        va_list arguments;
        va_start(arguments, format);
        const locale_t before = c_locale_begin();
        vsnprintf(error->detail[error->problems], sizeof error->detail[0], format, arguments);
        c_locale_end(before);
        va_end(arguments);
    }
    error->problems++;
}

static int minimum3(int a, int b, int c)
{
    const int ab = a < b ? a : b;
    return ab < c ? ab : c;
}

int error_distance(const char *a, const char *b)
{
    assert(a && b);
    const int n = (int)strnlen(a, ERROR_NAME_SIZE), m = (int)strnlen(b, ERROR_NAME_SIZE);
    int rows[3][ERROR_NAME_SIZE + 1]; /* rows i-2, i-1 and i of the table, at i mod 3 */
    for (int j = 0; j <= m; j++)
        rows[0][j] = j;
    for (int i = 1; i <= n; i++) {
        int *row = rows[i % 3];
        const int *above = rows[(i + 2) % 3], *above2 = rows[(i + 1) % 3];
        row[0] = i;
        for (int j = 1; j <= m; j++) {
            row[j] = minimum3(above[j] + 1, row[j - 1] + 1, above[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                above2[j - 2] + 1 < row[j])
                row[j] = above2[j - 2] + 1;
        }
    }
    return rows[n % 3][m];
}
