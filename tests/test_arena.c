/*
 * test_arena.c - placement, planning and misuse of arenas.
 */
#include "tests/support.h"

#include "tensor/arena.h"
#include "tensor/random.h"

#include <signal.h>
#include <stdint.h>
#include <string.h>

/*
 * Sanitizer builds put a red zone behind every block, so offsets are compared in units of `UNIT`.
 */
#if defined(__SANITIZE_ADDRESS__)
#define WITH_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WITH_ASAN 1
#endif
#endif
#ifdef WITH_ASAN
#include <sanitizer/asan_interface.h>
enum { UNIT = 2 * ARENA_ALIGNMENT };
#else
enum { UNIT = ARENA_ALIGNMENT };
#endif

static Error error;

static Arena *new_arena(size_t capacity)
{
    Arena *arena;
    ck_ok(arena_create(&arena, capacity, &error), &error);
    return arena;
}

START_TEST(blocks_are_aligned_and_apart)
{
    Arena *const arena = new_arena(1 << 20);
    unsigned char *blocks[64];
    for (size_t i = 0; i < 64; i++) {
        blocks[i] = arena_alloc(arena, i * 7 + 1);
        ck_assert_uint_eq((uintptr_t)blocks[i] % ARENA_ALIGNMENT, 0);
        memset(blocks[i], (int)i, i * 7 + 1);
    }
    for (size_t i = 0; i < 64; i++)
        for (size_t j = 0; j < i * 7 + 1; j++)
            ck_each(blocks[i][j] == i, "block %zu byte %zu was overwritten", i, j);
    arena_destroy(arena);
}
END_TEST

START_TEST(best_fit_takes_the_smallest_gap_and_the_lowest_of_equals)
{
    Arena *const arena = new_arena(1 << 20);
    char *block[8];
    const size_t units[8] = {3, 1, 2, 1, 1, 1, 1, 1}; /* gaps of 3, 2 and 1 units, apart by one */
    for (int i = 0; i < 8; i++)
        block[i] = arena_alloc(arena, units[i] * UNIT - (UNIT - ARENA_ALIGNMENT));
    for (int i = 0; i < 8; i += 2)
        arena_free(arena, block[i]);
    ck_assert_ptr_eq(arena_alloc(arena, 1), block[4]); /* exact fit, below block[6] */
    ck_assert_ptr_eq(arena_alloc(arena, 1), block[6]);
    ck_assert_ptr_eq(arena_alloc(arena, 1), block[2]); /* gap of 2, not the 3 at block[0] */
    ck_assert_ptr_eq(arena_alloc(arena, 1), block[2] + UNIT);
    ck_assert_ptr_eq(arena_alloc(arena, 4 * UNIT), block[7] + UNIT); /* no gap fits: the end */
    ck_assert_ptr_eq(arena_alloc(arena, 1), block[0]);

    arena_reset(arena); /* two equal gaps of 2 units, neither an exact fit */
    for (int i = 0; i < 4; i++)
        block[i] = arena_alloc(arena, (i % 2 ? 1 : 2) * UNIT - (UNIT - ARENA_ALIGNMENT));
    arena_free(arena, block[0]);
    arena_free(arena, block[2]);
    ck_assert_ptr_eq(arena_alloc(arena, 1), block[0]);
    arena_destroy(arena);
}
END_TEST

START_TEST(used_and_peak_follow_the_blocks)
{
    Arena *const arena = new_arena(10000);
    ck_assert_uint_ge(arena_capacity(arena), 10000);
    ck_assert_uint_eq(arena_used(arena), 0);
    void *const a = arena_alloc(arena, 1);
    void *const b = arena_alloc(arena, 1);
    ck_assert_uint_eq(arena_block_size(arena, a), UNIT);
    ck_assert_uint_eq(arena_used(arena), 2 * UNIT);
    arena_free(arena, a);
    arena_free(arena, NULL);
    ck_assert_uint_eq(arena_used(arena), UNIT);
    ck_assert_uint_eq(arena_peak(arena), 2 * UNIT);
    arena_free(arena, b);
    ck_assert_ptr_eq(arena_alloc(arena, 1), a);
    arena_reset(arena);
    ck_assert_uint_eq(arena_used(arena), 0);
    ck_assert_uint_eq(arena_peak(arena), 2 * UNIT);
    ck_assert_ptr_eq(arena_alloc(arena, 1), a);
    arena_destroy(arena);
    arena_destroy(NULL);
}
END_TEST

/* Allocates and frees a few hundred blocks at random; returns a hash of all offsets. */
static uint64_t live(Arena *arena, uintptr_t base, unsigned seed)
{
    enum { SLOTS = 200, MOVES = 5000 };
    void *slots[SLOTS] = {0};
    uint64_t hash = 0;
    Random random = random_stream(seed, RANDOM_TEST, 0, 0);
    for (int i = 0; i < MOVES; i++) {
        void **const slot = &slots[random_below(&random, SLOTS)];
        if (*slot) {
            arena_free(arena, *slot);
            *slot = NULL;
        } else {
            *slot = arena_alloc(arena, 1 + random_below(&random, 5000));
            hash = hash * 1000003 + ((uintptr_t)*slot - base);
        }
    }
    for (int i = 0; i < SLOTS; i++)
        arena_free(arena, slots[i]);
    ck_assert_uint_eq(arena_used(arena), 0);
    return hash;
}

START_TEST(measuring_predicts_offsets_and_peak)
{
    for (unsigned seed = 0; seed < 5; seed++) {
        Arena *plan;
        ck_ok(arena_create_measuring(&plan, &error), &error);
        ck_assert(arena_is_measuring(plan) && arena_capacity(plan) == 0);
        void *const first = arena_alloc(plan, 1);
        ck_assert_ptr_nonnull(first);
        arena_reset(plan);
        const uint64_t planned = live(plan, (uintptr_t)first, seed);
        ck_assert_uint_eq(live(plan, (uintptr_t)first, seed), planned);

        Arena *const arena = new_arena(arena_peak(plan)); /* exactly enough */
        ck_assert(!arena_is_measuring(arena));
        void *const start = arena_alloc(arena, 1);
        arena_free(arena, start);
        ck_assert_uint_eq(live(arena, (uintptr_t)start, seed), planned);
        ck_assert_uint_eq(arena_peak(arena), arena_peak(plan));
        arena_destroy(arena);
        arena_destroy(plan);
    }
}
END_TEST

START_TEST(many_blocks)
{
    enum { BLOCKS = 20000 }; /* more than the initial size of the table */
    Arena *plan;
    ck_ok(arena_create_measuring(&plan, &error), &error);
    void **const blocks = calloc(BLOCKS, sizeof *blocks);
    ck_assert_ptr_nonnull(blocks);
    for (int i = 0; i < BLOCKS; i++)
        blocks[i] = arena_alloc(plan, 64);
    for (int i = BLOCKS - 1; i >= 0; i--)
        arena_free(plan, blocks[i]);
    ck_assert_uint_eq(arena_used(plan), 0);
    ck_assert_uint_eq(arena_peak(plan), (size_t)BLOCKS * UNIT);
    free(blocks);
    arena_destroy(plan);
}
END_TEST

START_TEST(impossible_capacity_is_an_error)
{
    const size_t impossible[] = {SIZE_MAX, SIZE_MAX / 2};
    for (int i = 0; i < 2; i++) {
        Arena *arena;
        ck_assert_int_eq(arena_create(&arena, impossible[i], &error), STATUS_FAILED);
        ck_assert_ptr_null(arena);
        ck_assert_ptr_nonnull(strstr(error.message, "arena: cannot reserve"));
    }
}
END_TEST

START_TEST(an_empty_arena_can_be_made)
{
    arena_destroy(new_arena(0));
}
END_TEST

START_TEST(freeing_twice_aborts)
{
    Arena *const arena = new_arena(1000);
    void *const block = arena_alloc(arena, 10);
    arena_free(arena, block);
    arena_free(arena, block);
}
END_TEST

START_TEST(exhaustion_aborts)
{
    Arena *const arena = new_arena(1);
    arena_alloc(arena, arena_capacity(arena) + 1);
}
END_TEST

#ifdef WITH_ASAN
START_TEST(what_is_not_in_a_block_is_poisoned)
{
    Arena *const arena = new_arena(4096);
    char *const a = arena_alloc(arena, 10);
    char *const b = arena_alloc(arena, 64);
    ck_assert(!__asan_address_is_poisoned(a) && !__asan_address_is_poisoned(a + 9));
    ck_assert(__asan_address_is_poisoned(a + 16) && __asan_address_is_poisoned(b - 1));
    ck_assert(!__asan_address_is_poisoned(b + 63) && __asan_address_is_poisoned(b + 64));
    arena_free(arena, a);
    ck_assert(__asan_address_is_poisoned(a));
    arena_reset(arena);
    ck_assert(__asan_address_is_poisoned(b));
    arena_destroy(arena);
}
END_TEST
#endif

int main(void)
{
    Suite *const suite = suite_create("arena");
    TCase *const all = support_case(suite, "arena", 60);
    tcase_add_test(all, blocks_are_aligned_and_apart);
    tcase_add_test(all, best_fit_takes_the_smallest_gap_and_the_lowest_of_equals);
    tcase_add_test(all, used_and_peak_follow_the_blocks);
    tcase_add_test(all, measuring_predicts_offsets_and_peak);
    tcase_add_test(all, many_blocks);
    tcase_add_test(all, impossible_capacity_is_an_error);
    tcase_add_test(all, an_empty_arena_can_be_made);
    tcase_add_test_raise_signal(all, freeing_twice_aborts, SIGABRT);
    tcase_add_test_raise_signal(all, exhaustion_aborts, SIGABRT);
#ifdef WITH_ASAN
    tcase_add_test(all, what_is_not_in_a_block_is_poisoned);
#endif
    return support_main(suite);
}
