/*
 * error.c - see error.h. Formatting only: it neither prints nor allocates, so it cannot fail itself.
 */
#include "tensor/error.h"

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
    vsnprintf(error->message, sizeof error->message, format, arguments);
    va_end(arguments);
    return status;
}

void error_detail(Error *error, const char *format, ...)
{
    assert(error);
    if (error->problems < ERROR_MAX_DETAILS) {
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(error->detail[error->problems], sizeof error->detail[0], format, arguments);
        va_end(arguments);
    }
    error->problems++;
}
