/*
 * test_base.c - allocation that names what it is for, arrays that grow, pools of texts, the table
 * of names, hashes.
 */
#include "tests/support.h"

#include "tensor/base/arithmetic.h"
#include "tensor/base/hash.h"
#include "tensor/base/mem.h"
#include "tensor/base/table.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static Error error;

START_TEST(new_memory_is_zero_and_what_overflows_is_refused)
{
    unsigned char *const bytes = mem_new(1000, 1, "a test", &error);
    for (int i = 0; i < 1000; i++)
        ck_assert_int_eq(bytes[i], 0);
    free(bytes);
    void *const none = mem_new(0, 8, "nothing", &error);
    ck_assert_ptr_nonnull(none);
    free(none);
    ck_assert_ptr_null(mem_new(SIZE_MAX / 2, 4, "the list of frames", &error));
    ck_assert_int_eq(error.status, STATUS_FAILED);
    ck_assert_ptr_nonnull(strstr(error.message, "out of memory"));
    ck_assert_ptr_nonnull(strstr(error.message, "the list of frames"));
}
END_TEST

START_TEST(an_array_grows_and_keeps_its_elements)
{
    int *items = NULL;
    size_t capacity = 0, moves = 0;
    for (size_t count = 0; count < 10000; count++) {
        const size_t before = capacity;
        ck_ok(mem_grow(&items, count + 1, &capacity, sizeof *items, "numbers", &error), &error);
        moves += capacity != before;
        items[count] = (int)count;
    }
    ck_assert_uint_le(moves, 11);
    for (int i = 0; i < 10000; i++)
        ck_assert_int_eq(items[i], i);
    int *const kept = items;
    const size_t room = capacity;
    ck_assert_int_eq(mem_grow(&items, SIZE_MAX / 2, &capacity, sizeof *items, "numbers", &error),
                     STATUS_FAILED);
    ck_assert_ptr_eq(items, kept);
    ck_assert_uint_eq(capacity, room);
    free(items);
}
END_TEST

START_TEST(a_pool_keeps_texts_and_aligns_objects)
{
    MemPool pool = {0};
    const char *texts[5000];
    char text[32];
    for (int i = 0; i < 5000; i++) {
        const int length = snprintf(text, sizeof text, "video %d and more", i);
        texts[i] = mem_pool_text(&pool, text, (size_t)length - 9, "names", &error);
        const void *const object = mem_pool_new(&pool, 24, "objects", &error);
        ck_assert_uint_eq((uintptr_t)object % alignof(max_align_t), 0);
    }
    const char *const large = mem_pool_text(&pool, "", 0, "names", &error);
    char *const block = mem_pool_new(&pool, 1 << 20, "a block", &error);
    memset(block, 1, 1 << 20);
    ck_assert_str_eq(large, "");
    for (int i = 0; i < 5000; i++) {
        snprintf(text, sizeof text, "video %d", i);
        ck_assert_str_eq(texts[i], text);
    }
    mem_pool_free(&pool);
    ck_assert_ptr_null(pool.blocks);
}
END_TEST

enum { NAMES = 20000 };

static TableKey key_of(const void *context, uint32_t value)
{
    const char(*const names)[16] = context;
    return (TableKey){names[value / 2], strlen(names[value / 2]), value % 2};
}

START_TEST(a_table_finds_every_name_of_every_group)
{
    static char names[NAMES][16];
    Table table = {0};
    for (int round = 0; round < 2; round++)
        for (uint32_t i = 0; i < 2 * NAMES; i++) {
            snprintf(names[i / 2], sizeof names[0], "%u.png", i / 2);
            uint32_t value = round == 0 ? i : 0;
            bool added = false;
            ck_ok(table_find(&table, key_of(names, i), key_of, names, &value, &added, &error),
                  &error);
            ck_assert_uint_eq(value, i);
            ck_assert_int_eq(added, round == 0);
        }
    ck_assert_uint_eq(table.used, 2 * NAMES);
    table_free(&table);
}
END_TEST

START_TEST(a_hash_separates_texts)
{
    char digits[3][HASH_TEXT_SIZE];
    const char *const parts[3][2] = {{"a", "bc"}, {"ab", "c"}, {"a", "bc"}};
    for (int i = 0; i < 3; i++) {
        Hash hash;
        hash_begin(&hash);
        hash_text(&hash, parts[i][0]);
        hash_text(&hash, parts[i][1]);
        hash_end(&hash, digits[i]);
    }
    ck_assert_str_ne(digits[0], digits[1]);
    ck_assert_str_eq(digits[0], digits[2]);
    /* of the empty input, by the specification of XXH3-128 */
    Hash hash;
    hash_begin(&hash);
    hash_end(&hash, digits[0]);
    ck_assert_str_eq(digits[0], "99aa06d3014798d86001c324468d497f");
}
END_TEST

START_TEST(arithmetic)
{
    ck_assert_uint_eq(ceil_div(0, 8), 0);
    ck_assert_uint_eq(ceil_div(17, 8), 3);
    ck_assert_uint_eq(ceil_div(SIZE_MAX, 2), SIZE_MAX / 2 + 1);
    ck_assert_uint_eq(round_up(17, 8), 24);
    ck_assert_int_eq(min_int(-1, 2), -1);
    ck_assert_int_eq(max_int(-1, 2), 2);
    ck_assert_uint_eq(float_bits(-2.0f), 0xC0000000u);
    ck_assert(bf16_to_float(0x3FC0) == 1.5f);
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("base");
    TCase *const cases = support_case(suite, "base", 60);
    tcase_add_test(cases, new_memory_is_zero_and_what_overflows_is_refused);
    tcase_add_test(cases, an_array_grows_and_keeps_its_elements);
    tcase_add_test(cases, a_pool_keeps_texts_and_aligns_objects);
    tcase_add_test(cases, a_table_finds_every_name_of_every_group);
    tcase_add_test(cases, a_hash_separates_texts);
    tcase_add_test(cases, arithmetic);
    return support_main(suite);
}
