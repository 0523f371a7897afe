/*
 * error.h - how every fallible function of this project reports failure.
 *
 * A function that can fail returns a Status and takes an `Error *` as its last parameter. Libraries
 * never print and never exit: they fill the Error, and the program (tools/) prints it and chooses
 * the exit code. Programmer's mistakes (a wrong shape, a NULL) are not errors in this sense: they
 * assert.
 *
 * The message has one form: "WHAT: WHY; WHAT TO DO". WHAT names the file, key or argument.
 *
 * Tests: tests/test_tensor.c, tests/test_cli.c.
 */
#ifndef LNCLIP_TENSOR_BASE_ERROR_H
#define LNCLIP_TENSOR_BASE_ERROR_H

#include <stdarg.h>

typedef enum Status {
    STATUS_OK = 0,
    STATUS_FAILED,      /* invalid file, missing file, out of memory, full disk: exit code 1 */
    STATUS_USAGE,       /* unknown option, key or value: exit code 2 */
    STATUS_INTERRUPTED, /* a signal asked for a clean stop: exit code 128 + signal */
} Status;

enum { ERROR_MESSAGE_SIZE = 2048, ERROR_MAX_DETAILS = 10, ERROR_DETAIL_SIZE = 512 };

typedef struct Error {
    Status status;
    int problems; /* number of calls of error_detail, including details not kept */
    char message[ERROR_MESSAGE_SIZE];
    char detail[ERROR_MAX_DETAILS][ERROR_DETAIL_SIZE]; /* the first ten, in the order found */
} Error;

/*
 * Clears `error` to "no failure". Every Error starts this way (or as `Error error = {0}`).
 */
void error_clear(Error *error);

/*
 * Records a failure. `format` yields "WHAT: WHY; WHAT TO DO" (printf format; truncated to fit).
 * Details recorded before are kept. Returns `status`, for `return error_set(...)`. Thread-safe on
 * distinct Errors. Cannot fail. `error` may not be NULL.
 */
Status error_set(Error *error, Status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/*
 * Counts one problem and keeps its text if it is among the first ERROR_MAX_DETAILS. Used when all
 * problems are to be reported at once (missing files, unexpected tensors); error_set then
 * summarises.
 */
void error_detail(Error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));

/*
 * The distance of two names: the number of insertions, deletions, substitutions and swaps of
 * neighbours that turn one into the other (optimal string alignment). For "did you mean ...?". Only
 * the first ERROR_NAME_SIZE bytes of a name are compared. Thread-safe.
 */
enum { ERROR_NAME_SIZE = 64 };
int error_distance(const char *a, const char *b);

/*
 * Returns the status of `expression` from the calling function if it is not STATUS_OK. Only where
 * the function owns nothing yet; otherwise use `if (status == STATUS_OK) status = ...` or jump to a
 * label.
 */
#define TRY(expression)                                                                            \
    do {                                                                                           \
        const Status try_status_ = (expression);                                                   \
        if (try_status_ != STATUS_OK)                                                              \
            return try_status_;                                                                    \
    } while (0)

#endif
