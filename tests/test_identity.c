/*
 * test_identity.c - identities from the names of videos, and names that only look similar.
 */
#include "data/lists/identity.h"
#include "tests/support.h"

#include <stdio.h>
#include <string.h>

/* A row: the path of a folder, then what is to be read. */
typedef struct Known {
    const char *video, *origin, *target, *source;
    bool ffpp, ffpp_pair;
} Known;

static void check(const Known *known)
{
    DataIdentity identity;
    memset(&identity, 'x', sizeof identity);
    data_identity(known->video, &identity);
    ck_assert_msg(strcmp(identity.origin, known->origin) == 0, "%s: origin %s", known->video,
                  identity.origin);
    ck_assert_msg(strcmp(identity.target, known->target) == 0, "%s: target %s", known->video,
                  identity.target);
    ck_assert_msg(strcmp(identity.source, known->source) == 0, "%s: source %s", known->video,
                  identity.source);
    ck_assert_msg(identity.ffpp == known->ffpp && identity.ffpp_pair == known->ffpp_pair,
                  "%s: ffpp %d, pair %d", known->video, identity.ffpp, identity.ffpp_pair);
}

START_TEST(the_names_of_the_data_sets_are_read)
{
    static const Known KNOWN[] = {
        {"/data/FF/DF/000_003", "000", "000", "003", true, true},
        {"999_000", "999", "999", "000", true, true},
        {"/data/FF/real/003", "003", "003", "", true, false},
        {"Celeb-synthesis/id0_id1_0000", "id0_0000", "id0", "id1", false, false},
        {"id61_id60_0007", "id61_0007", "id61", "id60", false, false},
        {"Celeb-real/id0_0000", "id0_0000", "id0", "", false, false},
        {"01_02__walking_and_outside__YVGY8LOK", "01__walking_and_outside", "01", "02", false,
         false},
        {"dfd/28_01__hugging_happy", "28__hugging_happy", "28", "01", false, false},
        {"01__walking_and_outside", "01__walking_and_outside", "01", "", false, false},
        {"01__kitchen__still", "01__kitchen__still", "01", "", false, false},
    };
    for (size_t i = 0; i < sizeof KNOWN / sizeof *KNOWN; i++)
        check(&KNOWN[i]);
}
END_TEST

START_TEST(similar_names_are_their_own_origin)
{
    static const char *const NAMES[] = {
        "0000_003",  "000_03",       "000_0031",     "000-003",  "000_003_1",
        "000_003x",  "00",           "0000",         "a000",     "000_",
        "id0",       "id0_",         "id_0000",      "id0_id1",  "id0_id1_",
        "id0_id_00", "id0_id1_00x",  "ID0_ID1_0000", "idx_0000", "id0-id1-0000",
        "1_02__a",   "01_02_a",      "01_02__",      "01__",     "01_2__a__KEY",
        "001__a",    "01_02____KEY", "01_002__a",    "00001",    "vid.mp4",
        "_",         " 000_003",     "aaqaifqrwn_0",
    };
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++) {
        char path[100];
        snprintf(path, sizeof path, "/000_003/id0_0000/%s", NAMES[i]);
        check(&(const Known){path, NAMES[i], NAMES[i], "", false, false});
        check(&(const Known){NAMES[i], NAMES[i], NAMES[i], "", false, false});
    }
    check(&(const Known){"", "", "", "", false, false});
}
END_TEST

START_TEST(long_names_are_cut)
{
    static const char *const BEGINNINGS[] = {"", "01__", "01_02__", "id1_id2_"};
    char name[2000], cut[DATA_IDENTITY_SIZE];
    for (size_t i = 0; i < sizeof BEGINNINGS / sizeof *BEGINNINGS; i++) {
        const int used = snprintf(name, sizeof name, "%s", BEGINNINGS[i]);
        memset(name + used, '7', sizeof name - 1 - (size_t)used);
        name[sizeof name - 1] = '\0';
        DataIdentity identity;
        data_identity(name, &identity);
        ck_assert_uint_lt(strlen(identity.origin), DATA_IDENTITY_SIZE);
        if (i < 2) { /* the two that keep the whole name */
            snprintf(cut, sizeof cut, "%.*s", DATA_IDENTITY_SIZE - 1, name);
            ck_assert_str_eq(identity.origin, cut);
        }
    }
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("identity");
    TCase *const names = support_case(suite, "names", 20);
    tcase_add_test(names, the_names_of_the_data_sets_are_read);
    tcase_add_test(names, similar_names_are_their_own_origin);
    tcase_add_test(names, long_names_are_cut);
    return support_main(suite);
}
