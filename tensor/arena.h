/*
 * arena.h - one region of memory per lifetime.
 *
 * The project has three: the model (weights), the training state (what trains, its gradient, its
 * moments) and the step (activations, saved values, gradients of activations, scratch). The first
 * two only grow. In the step arena blocks are also given back one by one, because a transformer's
 * transient values are many times larger than what its backward needs; arena_reset empties it
 * between steps.
 *
 * The same sequence of calls always yields the same offsets (best fit, lowest offset first). So the
 * size of a step is found by running the very same code over a measuring arena, which has no
 * memory: its pointers are addresses nobody may touch. What is measured is what will be used.
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
 * it is touched).
 * STATUS_FAILED if the system refuses. *arena is owned by the caller; free with arena_destroy.
 */
Status arena_create(Arena **arena, size_t capacity, Error *error);

/* Creates a measuring arena: any size fits, nothing may be read or written. */
Status arena_create_measuring(Arena **arena, Error *error);

/* Frees the arena and all in it. NULL is allowed. */
void arena_destroy(Arena *arena);

/* True for a measuring arena. */
bool arena_is_measuring(const Arena *arena);

/*
 * Returns `bytes` (> 0) of uninitialised memory, aligned to ARENA_ALIGNMENT. The capacity was
 * planned beforehand, so running out is a programmer's mistake and asserts. Not thread-safe.
 */
void *arena_alloc(Arena *arena, size_t bytes);

/* Gives one block back. `block` must come from arena_alloc of this arena, once; NULL is allowed. */
void arena_free(Arena *arena, void *block);

/* Bytes that a block of this arena occupies: what was asked for, rounded up to the alignment. */
size_t arena_block_size(const Arena *arena, const void *block);

/* Gives every block back. Peak and capacity stay. */
void arena_reset(Arena *arena);

/*
 * Bytes in use now, the largest extent ever reached (bytes), and the capacity (0 when measuring).
 * An arena of the measured peak always suffices for the same calls.
 */
size_t arena_used(const Arena *arena);
size_t arena_peak(const Arena *arena);
size_t arena_capacity(const Arena *arena);

#endif
