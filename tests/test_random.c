/*
 * test_random.c - Philox against its published answers, and the properties promised by random.h.
 */
#include "tests/support.h"

#include "tensor/random.h"

#include <math.h>
#include <string.h>

/* Known answers for philox4x32 with 10 rounds: Random123 distribution, tests/kat_vectors. */
START_TEST(philox_gives_the_published_answers)
{
    static const struct {
        uint32_t counter[4], key[2], out[4];
    } known[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
         {0xffffffff, 0xffffffff},
         {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        uint32_t out[4];
        random_philox(known[i].key, known[i].counter, out);
        ck_assert_mem_eq(out, known[i].out, sizeof out);
    }
}
END_TEST

/* The layout of key and counter is part of every run's reproducibility, so it is pinned here. */
START_TEST(stream_is_philox_of_seed_purpose_index_and_sub)
{
    Random random = random_stream(0x0123456789abcdef, RANDOM_AUGMENT, 77, 5);
    const uint32_t key[2] = {0x89abcdef, 0x01234567};
    for (uint32_t position = 0; position < 3; position++) {
        const uint32_t counter[4] = {position, 4, 77, 5};
        uint32_t out[4];
        random_philox(key, counter, out);
        for (int word = 0; word < 4; word++)
            ck_assert_uint_eq(random_u32(&random), out[word]);
    }
}
END_TEST

/* Part 0 is the stream itself; the others have its purpose's counter word to themselves. */
START_TEST(parts_of_a_stream_are_streams_of_their_own)
{
    static const uint32_t PARTS[] = {0, 1, 2, 0xffffff};
    const uint32_t key[2] = {9, 0};
    for (size_t i = 0; i < sizeof PARTS / sizeof *PARTS; i++) {
        const uint32_t counter[4] = {0, 4 | PARTS[i] << 8, 77, 5};
        uint32_t out[4];
        random_philox(key, counter, out);
        Random part = random_stream_part(9, RANDOM_AUGMENT, 77, 5, PARTS[i]);
        for (int word = 0; word < 4; word++)
            ck_assert_uint_eq(random_u32(&part), out[word]);
    }
}
END_TEST

/* Words by their place are those in order, from any place, and the stream stays where it is. */
START_TEST(words_by_place_are_those_in_order)
{
    enum { WORDS = 23 };
    uint32_t ordered[WORDS], words[WORDS];
    Random random = random_stream_part(9, RANDOM_TEST, 77, 5, 3);
    const Random start = random;
    for (int i = 0; i < WORDS; i++)
        ordered[i] = random_u32(&random);
    const Random later = random;
    for (size_t first = 0; first < WORDS; first++)
        for (size_t count = 0; count <= WORDS - first; count++) {
            random_words(count % 2 ? &start : &random, first, count, words);
            ck_each(memcmp(words, ordered + first, count * sizeof *words) == 0, "from %zu", first);
        }
    ck_assert_mem_eq(&random, &later, sizeof random);

    /* Beyond 2^32 words, where the block's number still fits its 32 bits. */
    const uint32_t counter[4] = {0xfffffffe, RANDOM_TEST | 3U << 8, 77, 5};
    random_philox(start.key, counter, ordered);
    random_words(&start, 4 * (uint64_t)0xfffffffe, 4, words);
    ck_assert_mem_eq(words, ordered, 4 * sizeof *words);
}
END_TEST

START_TEST(below_is_uniform_without_bias)
{
    Random random = random_stream(1, RANDOM_TEST, 0, 0);
    ck_assert_uint_eq(random_below(&random, 1), 0);
    enum { DRAWS = 70000, FACES = 7 };
    int seen[FACES] = {0};
    for (int i = 0; i < DRAWS; i++)
        seen[random_below(&random, FACES)]++;
    double chi_square = 0;
    for (int i = 0; i < FACES; i++)
        chi_square += pow(seen[i] - DRAWS / FACES, 2) / (DRAWS / FACES);
    ck_each(chi_square < 22.5, "chi-square %.2f of 6 degrees of freedom (p < 0.001)", chi_square);

    /* With bound 3 2^30 a plain modulo would make the lowest third twice as likely. */
    int low = 0;
    for (int i = 0; i < 30000; i++)
        low += random_below(&random, 3u << 30) < 1u << 30;
    ck_each(abs(low - 10000) < 330, "%d of 30000 in the lowest third", low); /* 4 sigma */
}
END_TEST

START_TEST(uniform_and_normal_have_their_moments)
{
    enum { DRAWS = 200000 };
    Random random = random_stream(2, RANDOM_TEST, 0, 0);
    double sum = 0, square = 0;
    for (int i = 0; i < DRAWS; i++) {
        const double u = random_uniform(&random);
        ck_each(u >= 0 && u < 1 && u * 0x1p53 == floor(u * 0x1p53), "%a is out of range", u);
        sum += u;
        square += u * u;
    }
    ck_close(sum / DRAWS, 0.5, 0.003);
    ck_close(square / DRAWS, 1.0 / 3, 0.003);

    double moment[5] = {0};
    for (int i = 0; i < DRAWS; i++) {
        const double z = random_normal(&random);
        for (int power = 1; power <= 4; power++)
            moment[power] += pow(z, power) / DRAWS;
    }
    ck_close(moment[1], 0, 0.01); /* standard errors: 0.0022, 0.0032, 0.0087, 0.022 */
    ck_close(moment[2], 1, 0.013);
    ck_close(moment[3], 0, 0.035);
    ck_close(moment[4], 3, 0.03);
}
END_TEST

START_TEST(normal_spends_four_words_and_uniform_two)
{
    Random a = random_stream(3, RANDOM_TEST, 0, 0), b = a;
    random_normal(&a);
    random_uniform(&a);
    for (int i = 0; i < 6; i++)
        random_u32(&b);
    ck_assert_uint_eq(random_u32(&a), random_u32(&b));
}
END_TEST

START_TEST(permutation_holds_each_number_once_and_all_orders_occur)
{
    int order[1000];
    int seen[1000] = {0};
    Random random = random_stream(4, RANDOM_SHUFFLE, 0, 0);
    random_permutation(&random, 1000, order);
    for (int i = 0; i < 1000; i++) {
        ck_assert(order[i] >= 0 && order[i] < 1000);
        seen[order[i]]++;
    }
    for (int i = 0; i < 1000; i++)
        ck_assert_int_eq(seen[i], 1);

    int orders[27] = {0};
    for (int i = 0; i < 6000; i++) {
        random_permutation(&random, 3, order);
        orders[order[0] * 9 + order[1] * 3 + order[2]]++;
    }
    int found = 0;
    for (int i = 0; i < 27; i++) {
        found += orders[i] > 0;
        ck_each(orders[i] == 0 || abs(orders[i] - 1000) < 120, "order %d: %d times", i, orders[i]);
    }
    ck_assert_int_eq(found, 6);
    random_permutation(&random, 0, order); /* an empty one is allowed */
}
END_TEST

START_TEST(streams_of_different_arguments_differ)
{
    const Random streams[] = {
        random_stream(1, RANDOM_TEST, 1, 1),
        random_stream(2, RANDOM_TEST, 1, 1),
        random_stream(1ull << 32 | 1, RANDOM_TEST, 1, 1),
        random_stream(1, RANDOM_SYNTH, 1, 1),
        random_stream(1, RANDOM_TEST, 2, 1),
        random_stream(1, RANDOM_TEST, 1, 2),
    };
    enum { STREAMS = sizeof streams / sizeof *streams };
    for (int i = 0; i < STREAMS; i++) {
        for (int j = 0; j < i; j++) {
            Random a = streams[i], b = streams[j];
            int equal = 0;
            for (int word = 0; word < 8; word++)
                equal += random_u32(&a) == random_u32(&b);
            ck_each(equal == 0, "streams %d and %d share %d of 8 words", i, j, equal);
        }
    }
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("random");
    TCase *const all = support_case(suite, "random", 60);
    tcase_add_test(all, philox_gives_the_published_answers);
    tcase_add_test(all, stream_is_philox_of_seed_purpose_index_and_sub);
    tcase_add_test(all, parts_of_a_stream_are_streams_of_their_own);
    tcase_add_test(all, words_by_place_are_those_in_order);
    tcase_add_test(all, below_is_uniform_without_bias);
    tcase_add_test(all, uniform_and_normal_have_their_moments);
    tcase_add_test(all, normal_spends_four_words_and_uniform_two);
    tcase_add_test(all, permutation_holds_each_number_once_and_all_orders_occur);
    tcase_add_test(all, streams_of_different_arguments_differ);
    return support_main(suite);
}
