/*
 * arena.c - see arena.h.
 *
 * The blocks in use are one array sorted by offset, kept outside the region: free memory is the
 * gaps between neighbours, so no free blocks are ever merged or split. Finding a gap scans the
 * array and inserting moves its tail; with the few thousand blocks of a step that takes
 * microseconds, while operations take milliseconds. The array doubles when full, so a second
 * identical step allocates nothing.
 *
 * Under AddressSanitizer memory outside blocks is poisoned, and each block is followed by a red
 * zone. The offsets then differ from those of other builds, but a measuring arena still gives the
 * same ones.
 */
#include "tensor/arena.h"

#include "tensor/base/mem.h"

#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
#define ARENA_POISONS 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_POISONS 1
#endif
#endif

#ifdef ARENA_POISONS
#include <sanitizer/asan_interface.h>
enum { RED_ZONE = ARENA_ALIGNMENT };
#define POISON(start, bytes)   ASAN_POISON_MEMORY_REGION(start, bytes)
#define UNPOISON(start, bytes) ASAN_UNPOISON_MEMORY_REGION(start, bytes)
#else
enum { RED_ZONE = 0 };
#define POISON(start, bytes)   ((void)(start), (void)(bytes))
#define UNPOISON(start, bytes) ((void)(start), (void)(bytes))
#endif

enum { FIRST_BLOCKS = 1 << 14, HUGE_PAGE = 2 << 20 };

/* Base address of a measuring arena; not 0, so that no block is NULL. */
static const uintptr_t MEASURING_BASE = ARENA_ALIGNMENT;

typedef struct Block {
    size_t offset, size; /* size includes padding and red zone */
} Block;

struct Arena {
    char *memory; /* NULL when measuring */
    size_t capacity;
    Block *blocks; /* [blocks_allocated], the first block_count in use and sorted by offset */
    int block_count, blocks_allocated;
    size_t used, peak;
};

static Status create(Arena **out, Error *error)
{
    *out = NULL;
    Arena *arena = mem_new(1, sizeof *arena, "an arena", error);
    Block *blocks = mem_new(FIRST_BLOCKS, sizeof *blocks, "an arena", error);
    if (!arena || !blocks) {
        free(arena);
        free(blocks);
        return error->status;
    }
    arena->blocks = blocks;
    arena->blocks_allocated = FIRST_BLOCKS;
    *out = arena;
    return STATUS_OK;
}

Status arena_create(Arena **out, size_t capacity, Error *error)
{
    TRY(create(out, error));
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    const size_t pages = capacity / page + (capacity % page != 0 || capacity == 0);
    void *memory = MAP_FAILED;
    if (pages <= SIZE_MAX / page)
        memory =
            mmap(NULL, pages * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    else
        errno = ENOMEM;
    if (memory == MAP_FAILED) {
        const int reason = errno;
        arena_destroy(*out);
        *out = NULL;
        return error_set(error, STATUS_FAILED,
                         "arena: cannot reserve %.1f MiB (%s); lower the memory budget or batch",
                         (double)capacity / (1 << 20), strerror(reason));
    }
    Arena *arena = *out;
    arena->memory = memory;
    arena->capacity = pages * page;
    if (arena->capacity >= HUGE_PAGE)
        madvise(memory, arena->capacity,
                MADV_HUGEPAGE); /* fewer TLB misses; a refusal is harmless */
    POISON(arena->memory, arena->capacity);
    return STATUS_OK;
}

Status arena_create_measuring(Arena **out, Error *error)
{
    return create(out, error);
}

void arena_destroy(Arena *arena)
{
    if (!arena)
        return;
    if (arena->memory) {
        UNPOISON(arena->memory, arena->capacity); /* other code may map these addresses later */
        munmap(arena->memory, arena->capacity);
    }
    free(arena->blocks);
    free(arena);
}

bool arena_is_measuring(const Arena *arena)
{
    return arena->memory == NULL;
}

/* End of block `index`, where the gap after it starts; 0 for index -1. */
static size_t end_of(const Arena *arena, int index)
{
    return index < 0 ? 0 : arena->blocks[index].offset + arena->blocks[index].size;
}

/*
 * The index at which to insert a block of `size`: in the smallest gap that holds it, the lowest of
 * equals.
 */
static int best_fit(const Arena *arena, size_t size)
{
    int best = arena->block_count;
    size_t best_gap = SIZE_MAX;
    for (int i = 0; i < arena->block_count && best_gap > size; i++) {
        const size_t gap = arena->blocks[i].offset - end_of(arena, i - 1);
        if (gap >= size && gap < best_gap) {
            best = i;
            best_gap = gap;
        }
    }
    return best;
}

static void insert_block(Arena *arena, int index, Block block)
{
    if (arena->block_count == arena->blocks_allocated) {
        const int doubled = 2 * arena->blocks_allocated;
        Block *blocks = realloc(arena->blocks, doubled * sizeof *blocks);
        assert(blocks);
        arena->blocks = blocks;
        arena->blocks_allocated = doubled;
    }
    memmove(&arena->blocks[index + 1], &arena->blocks[index],
            (size_t)(arena->block_count - index) * sizeof block);
    arena->blocks[index] = block;
    arena->block_count++;
}

static void *address_of(const Arena *arena, size_t offset)
{
    return arena->memory ? arena->memory + offset : (void *)(MEASURING_BASE + offset);
}

static size_t offset_of(const Arena *arena, const void *block)
{
    const uintptr_t base = arena->memory ? (uintptr_t)arena->memory : MEASURING_BASE;
    assert((uintptr_t)block >= base);
    return (uintptr_t)block - base;
}

void *arena_alloc(Arena *arena, size_t bytes)
{
    const size_t spare = ARENA_ALIGNMENT - 1 + RED_ZONE;
    assert(bytes > 0 && bytes <= SIZE_MAX / 2 - spare);
    const size_t size = (bytes + spare) / ARENA_ALIGNMENT * ARENA_ALIGNMENT;
    const int index = best_fit(arena, size);
    const size_t offset = end_of(arena, index - 1);
    assert(offset <= SIZE_MAX / 2);
    assert((!arena->memory || offset + size <= arena->capacity) &&
           "the arena was planned too small");
    insert_block(arena, index, (Block){.offset = offset, .size = size});
    arena->used += size;
    if (arena->peak < offset + size)
        arena->peak = offset + size;
    if (arena->memory)
        UNPOISON(arena->memory + offset, bytes);
    return address_of(arena, offset);
}

/* Index of the block that begins at `block`; asserts that it exists. */
static int find_block(const Arena *arena, const void *block)
{
    const size_t offset = offset_of(arena, block);
    int low = 0, high = arena->block_count;
    while (low < high) {
        const int middle = low + (high - low) / 2;
        if (arena->blocks[middle].offset < offset)
            low = middle + 1;
        else
            high = middle;
    }
    assert(low < arena->block_count && arena->blocks[low].offset == offset);
    return low;
}

size_t arena_block_size(const Arena *arena, const void *block)
{
    return arena->blocks[find_block(arena, block)].size;
}

void arena_free(Arena *arena, void *block)
{
    if (!block)
        return;
    const int index = find_block(arena, block);
    const Block freed = arena->blocks[index];
    arena->block_count--;
    memmove(&arena->blocks[index], &arena->blocks[index + 1],
            (size_t)(arena->block_count - index) * sizeof freed);
    arena->used -= freed.size;
    if (arena->memory)
        POISON(arena->memory + freed.offset, freed.size);
}

void arena_reset(Arena *arena)
{
    arena->block_count = 0;
    arena->used = 0;
    if (arena->memory)
        POISON(arena->memory, arena->capacity);
}

size_t arena_used(const Arena *arena)
{
    return arena->used;
}

size_t arena_peak(const Arena *arena)
{
    return arena->peak;
}

size_t arena_capacity(const Arena *arena)
{
    return arena->capacity;
}
