/*
 * arena.h - one region of memory per lifetime.
 *
 * The project has three: the model (weights), the training state (trainable parameters, their
 * gradients and moments) and the step (activations, saved values, gradients of activations,
 * scratch). The first two only grow. The blocks of the step arena are also freed one by one,
 * because a transformer's transient values are many times larger than the values its backward
 * needs; arena_reset empties it between steps.
 *
 * The same sequence of calls always yields the same offsets (best fit, lowest offset first). So the
 * size of a step is found by running the same code over a measuring arena, which has no memory: its
 * pointers must not be accessed. The measured size is exactly the size that will be used. Not
 * thread-safe.
 *
 * Tests: tests/test_arena.c.
 */
#ifndef LNCLIP_TENSOR_ARENA_H
#define LNCLIP_TENSOR_ARENA_H

#include "tensor/base/error.h"

#include <stdbool.h>
#include <stddef.h>

enum { ARENA_ALIGNMENT = 64 }; /* bytes: a cache line and an AVX-512 register */

typedef struct Arena Arena;

/*
 * Creates an arena of `capacity` bytes (0 is allowed; rounded up to pages; memory is committed as
 * it is touched). STATUS_FAILED, with *arena NULL, if the system cannot reserve it. The caller owns
 * *arena and frees it with arena_destroy.
 */
Status arena_create(Arena **arena, size_t capacity, Error *error);

/*
 * Creates a measuring arena, owned by the caller: blocks of any size fit, but must not be read or
 * written. STATUS_FAILED if out of memory.
 */
Status arena_create_measuring(Arena **arena, Error *error);

/* Frees the arena and all in it. NULL is allowed. */
void arena_destroy(Arena *arena);

/* True for a measuring arena. */
bool arena_is_measuring(const Arena *arena);

/*
 * Returns `bytes` (> 0) of uninitialised memory, aligned to ARENA_ALIGNMENT. The capacity was
 * planned beforehand, so running out is a programmer's mistake and asserts.
 */
void *arena_alloc(Arena *arena, size_t bytes);

/*
 * Frees one block, which arena_alloc of this arena returned and which is not freed yet. NULL is
 * allowed.
 */
void arena_free(Arena *arena, void *block);

/* Bytes that a block of this arena occupies: its size rounded up to the alignment. */
size_t arena_block_size(const Arena *arena, const void *block);

/* Frees all blocks. Peak and capacity stay. */
void arena_reset(Arena *arena);

/*
 * Bytes in use now (for tests); the highest end of any block so far, in bytes from the start; and
 * the capacity in bytes (0 when measuring). An arena of the measured peak always suffices for the
 * same calls.
 */
size_t arena_used(const Arena *arena);
size_t arena_peak(const Arena *arena);
size_t arena_capacity(const Arena *arena);

#endif
