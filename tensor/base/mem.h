/*
 * mem.h - memory of the heap: allocation that fills the Error itself, arrays that grow, a pool of
 * texts.
 *
 * What the functions below return is freed by free(), but for the texts of a pool. `what` names
 * what the memory is for, as a noun phrase or a file ("the list of frames", a path): the message
 * then is "out of memory: N bytes for WHAT; close other programs or allow this one more". None of
 * them aborts or exits. All are thread-safe on distinct operands.
 */
#ifndef LNCLIP_TENSOR_BASE_MEM_H
#define LNCLIP_TENSOR_BASE_MEM_H

#include "tensor/base/error.h"

#include <stddef.h>

/* Number of elements of an array whose declaration is in sight. */
#define COUNT_OF(array) (sizeof(array) / sizeof(array)[0])

/* `count` zeroed elements of `size` bytes each (one byte at least), owned by the caller; NULL and
 * the error filled where there is no memory, or where count * size overflows. */
void *mem_new(size_t count, size_t size, const char *what, Error *error);

/*
 * Makes room in the array *items (a pointer to the caller's pointer; NULL at first) for `needed`
 * elements of `size` bytes each: at least doubles *capacity where it is too small. Elements stay,
 * new ones are not initialised. On failure *items and *capacity are as before.
 */
Status mem_grow(void *items, size_t needed, size_t *capacity, size_t size, const char *what,
                Error *error);

/* A copy of `text`, or the text that printf would print, owned by the caller; NULL and the error
 * filled. */
char *mem_copy(const char *text, const char *what, Error *error);
char *mem_print(const char *what, Error *error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/*
 * Fills the error where a library has found no memory: `bytes` of it; 0 where it does not say, and
 * the message is "WHAT: out of memory; ...".
 */
Status mem_full(size_t bytes, const char *what, Error *error);

/* Many small objects that are freed together. Zero-initialised; mem_pool_free leaves it so. */
typedef struct MemPool {
    struct MemPoolBlock *blocks;
    char *free; /* [room] in the newest block */
    size_t room;
} MemPool;

/*
 * Memory for any object of `bytes` bytes, not initialised; a copy of text [length],
 * zero-terminated. Both live until mem_pool_free; NULL and the error filled.
 */
void *mem_pool_new(MemPool *pool, size_t bytes, const char *what, Error *error);
const char *mem_pool_text(MemPool *pool, const char *text, size_t length, const char *what,
                          Error *error);
void mem_pool_free(MemPool *pool);

#endif
