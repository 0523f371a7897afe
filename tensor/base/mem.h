/*
 * mem.h - heap memory: allocation that fills the Error itself, growing arrays, a pool of small
 * objects.
 *
 * Returned memory is freed with free(), except that of a pool. `what` names the purpose of the
 * memory, as a noun phrase or a path ("the list of frames"): the message is "out of memory: N bytes
 * for WHAT; close other programs or allow this one more". No function aborts or exits. All are
 * thread-safe on distinct operands.
 *
 * Tests: tests/test_base.c.
 */
#ifndef LNCLIP_TENSOR_BASE_MEM_H
#define LNCLIP_TENSOR_BASE_MEM_H

#include "tensor/base/error.h"

#include <stddef.h>

/* Number of elements of an array (not of a pointer). */
#define COUNT_OF(array) (sizeof(array) / sizeof(array)[0])

/*
 * `count` zeroed elements of `size` bytes each (one byte at least), owned by the caller. NULL, with
 * the error filled, if out of memory or if count * size overflows.
 */
void *mem_new(size_t count, size_t size, const char *what, Error *error);

/*
 * Makes room for `needed` elements of `size` bytes in the array *items (a pointer to the caller's
 * pointer, initially NULL). If *capacity is too small, it is at least doubled; elements are kept,
 * new ones are uninitialised. On failure *items and *capacity are unchanged.
 */
Status mem_grow(void *items, size_t needed, size_t *capacity, size_t size, const char *what,
                Error *error);

/*
 * A copy of `text`, or the text that printf would print, owned by the caller. On failure NULL, with
 * the error filled.
 */
char *mem_copy(const char *text, const char *what, Error *error);
char *mem_print(const char *what, Error *error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/*
 * Fills the error and returns its status for a failed allocation of `bytes`. With 0 (size unknown)
 * the message is "WHAT: out of memory; ...".
 */
Status mem_full(size_t bytes, const char *what, Error *error);

/*
 * Many small objects that are freed together. Must be zero-initialised; mem_pool_free resets it to
 * zero.
 */
typedef struct MemPool {
    struct MemPoolBlock *blocks;
    char *free; /* [room] in the newest block */
    size_t room;
} MemPool;

/*
 * Uninitialised memory for any object of `bytes` bytes; a zero-terminated copy of text [length].
 * Both live until mem_pool_free. On failure NULL, with the error filled.
 */
void *mem_pool_new(MemPool *pool, size_t bytes, const char *what, Error *error);
const char *mem_pool_text(MemPool *pool, const char *text, size_t length, const char *what,
                          Error *error);
void mem_pool_free(MemPool *pool);

#endif
