/*
 * mem.c - see mem.h.
 */
#include "tensor/base/mem.h"

#include "tensor/base/c_locale.h"

#include <assert.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

Status mem_full(size_t bytes, const char *what, Error *error)
{
    assert(what && error);
    const char *remedy = "close other programs or allow this one more";
    if (bytes == 0)
        return error_set(error, STATUS_FAILED, "%s: out of memory; %s", what, remedy);
    return error_set(error, STATUS_FAILED, "out of memory: %zu bytes for %s; %s", bytes, what,
                     remedy);
}

void *mem_new(size_t count, size_t size, const char *what, Error *error)
{
    size_t bytes = 0;
    void *items = NULL;
    if (__builtin_mul_overflow(count, size, &bytes))
        bytes = SIZE_MAX;
    else
        items = calloc(bytes > 0 ? bytes : 1, 1);
    if (!items)
        mem_full(bytes, what, error);
    return items;
}

Status mem_grow(void *items, size_t needed, size_t *capacity, size_t size, const char *what,
                Error *error)
{
    assert(items && capacity && size > 0);
    enum { FIRST = 16 };
    if (needed <= *capacity)
        return STATUS_OK;
    size_t larger = *capacity < FIRST / 2 ? FIRST : *capacity * 2, bytes = 0;
    if (larger < needed)
        larger = needed;
    /* The caller's pointer may have any type, so its bytes are copied instead of its value. */
    void *old = NULL;
    memcpy(&old, items, sizeof old);
    if (__builtin_mul_overflow(larger, size, &bytes))
        return mem_full(SIZE_MAX, what, error);
    void *moved = realloc(old, bytes);
    if (!moved)
        return mem_full(bytes, what, error);
    memcpy(items, &moved, sizeof moved);
    *capacity = larger;
    /* cppcheck-suppress memleak ; it is in *items */
    return STATUS_OK;
}

char *mem_copy(const char *text, const char *what, Error *error)
{
    const size_t bytes = strlen(text) + 1;
    char *copy = malloc(bytes);
    if (!copy)
        mem_full(bytes, what, error);
    return copy ? memcpy(copy, text, bytes) : NULL;
}

char *mem_print(const char *what, Error *error, const char *format, ...)
{
    char *text = NULL;
    va_list arguments;
    va_start(arguments, format);
    const locale_t before = c_locale_begin();
    const int length = vasprintf(&text, format, arguments);
    c_locale_end(before);
    va_end(arguments);
    if (length >= 0)
        return text;
    mem_full(0, what, error);
    return NULL;
}

/* --- A pool --- */

struct MemPoolBlock {
    struct MemPoolBlock *previous;
    alignas(max_align_t) char bytes[];
};

/* Allocates `bytes` bytes at a multiple of `alignment`. */
static void *pool_allocate(MemPool *pool, size_t bytes, size_t alignment, const char *what,
                           Error *error)
{
    enum { BLOCK_SIZE = 1 << 18 };
    const size_t past = pool->free ? (uintptr_t)pool->free % alignment : 0;
    size_t skipped = past > 0 ? alignment - past : 0;
    if (!pool->free || skipped > pool->room || bytes > pool->room - skipped) {
        const size_t size = bytes > BLOCK_SIZE ? bytes : BLOCK_SIZE;
        struct MemPoolBlock *block = malloc(sizeof *block + size);
        if (!block) {
            mem_full(size, what, error);
            return NULL;
        }
        block->previous = pool->blocks;
        *pool = (MemPool){.blocks = block, .free = block->bytes, .room = size};
        skipped = 0;
    }
    void *allocated = pool->free + skipped;
    pool->free += skipped + bytes;
    pool->room -= skipped + bytes;
    return allocated;
}

void *mem_pool_new(MemPool *pool, size_t bytes, const char *what, Error *error)
{
    return pool_allocate(pool, bytes, alignof(max_align_t), what, error);
}

const char *mem_pool_text(MemPool *pool, const char *text, size_t length, const char *what,
                          Error *error)
{
    char *copy = pool_allocate(pool, length + 1, 1, what, error);
    if (copy) {
        memcpy(copy, text, length);
        copy[length] = '\0';
    }
    return copy;
}

void mem_pool_free(MemPool *pool)
{
    while (pool->blocks) {
        struct MemPoolBlock *previous = pool->blocks->previous;
        free(pool->blocks);
        pool->blocks = previous;
    }
    *pool = (MemPool){0};
}
