/*
 * test_list_table.c - tables of paths and labels: separators, names of columns, labels, splits,
 * sources, videos, and every message.
 */
#include "data/lists/list_table.h"
#include "tests/support.h"
#include "tests/support_list.h"

#include <string.h>

static DataTable read_table(const char *text, const char *const *names)
{
    DataTable table;
    Error error = {0};
    support_list_text("t.csv", text);
    ck_ok(data_table_read(&table, "t.csv", names, &error), &error);
    return table;
}

static void check_row(const DataTable *table, int i, const char *path, int label, int split,
                      const char *source, DataVideoBy video_by)
{
    const DataTableRow *row = &table->rows[i];
    ck_assert_str_eq(row->path, path);
    ck_assert_int_eq(row->label, label);
    ck_assert_int_eq(row->split, split);
    ck_assert_str_eq(row->source, source);
    ck_assert_int_eq(row->video_by, video_by);
}

START_TEST(columns_are_found)
{
    static const char *const TABLES[] = {
        "path,label\na/b/0.png,0\n\"a/c/1,2.png\",1\n",
        "\xef\xbb\xbfimg_path;Target\r\na/b/0.png;real\r\n\r\na/c/1,2.png;FAKE",
        "id\tLabel\tImage Path\n7\t0.0\ta/b/0.png\n8\t 1 \ta/c/1,2.png\n",
    };
    support_list_enter();
    for (size_t i = 0; i < COUNT_OF(TABLES); i++) {
        DataTable table = read_table(TABLES[i], NULL);
        ck_assert_int_eq(table.count, 2);
        ck_assert(!table.has_split);
        check_row(&table, 0, "a/b/0.png", 0, -1, "real", DATA_VIDEO_FOLDER);
        check_row(&table, 1, "a/c/1,2.png", 1, -1, "fake", DATA_VIDEO_FOLDER);
        ck_assert_ptr_nonnull(strstr(table.taken, "videos are the folders"));
        data_table_free(&table);
    }
    support_list_leave();
}
END_TEST

START_TEST(splits_videos_and_sources)
{
    support_list_enter();
    DataTable table = read_table("file,label,video,subset,method\n"
                                 "x/0.png,0,v 1,Training,\n"
                                 "x/1.png,1,v2,valid,swap/a\n"
                                 "x/2.png,1,,test,set\n"
                                 "x/3.png,0,v3,test,set\n",
                                 NULL);
    ck_assert(table.has_split);
    check_row(&table, 0, "x/0.png", 0, DATA_TRAIN, "real", DATA_VIDEO_NAME);
    ck_assert_str_eq(table.rows[0].video, "v 1");
    check_row(&table, 1, "x/1.png", 1, DATA_VAL, "swap_a", DATA_VIDEO_NAME);
    check_row(&table, 2, "x/2.png", 1, DATA_TEST, "set-fake", DATA_VIDEO_IMAGE);
    check_row(&table, 3, "x/3.png", 0, DATA_TEST, "set-real", DATA_VIDEO_NAME);
    data_table_free(&table);

    /* Sources by the paths; images in folders of a class, and of both classes, are videos. */
    table = read_table("path,label\nD/real/1.png,0\nD/DF/v/1.png,1\nD/mixed/1.png,0\n"
                       "D/mixed/2.png,1\n",
                       NULL);
    check_row(&table, 0, "D/real/1.png", 0, -1, "real", DATA_VIDEO_IMAGE);
    check_row(&table, 1, "D/DF/v/1.png", 1, -1, "DF", DATA_VIDEO_FOLDER);
    check_row(&table, 2, "D/mixed/1.png", 0, -1, "real", DATA_VIDEO_IMAGE);
    check_row(&table, 3, "D/mixed/2.png", 1, -1, "fake", DATA_VIDEO_IMAGE);
    ck_assert_ptr_null(table.doubts);
    data_table_free(&table);

    static const char *const NAMES[DATA_COLUMNS] = {
        [DATA_COLUMN_PATH] = "b", [DATA_COLUMN_VIDEO] = "none", [DATA_COLUMN_SPLIT] = "none"};
    table = read_table("path,b,label,video,split\nx,D/DF/v/1.png,1,v,fold3\n", NAMES);
    check_row(&table, 0, "D/DF/v/1.png", 1, -1, "DF", DATA_VIDEO_FOLDER);
    data_table_free(&table);
    support_list_leave();
}
END_TEST

START_TEST(labels_that_contradict_their_folders)
{
    support_list_enter();
    DataTable table = read_table("path,label\nD/real/1.png,fake\nD/fake/1.png,real\n", NULL);
    ck_assert_ptr_nonnull(strstr(table.doubts, "2 of 2 rows have a label that contradicts"));
    data_table_free(&table);
    table = read_table("path,label\nD/real/1.png,0\nD/real/2.png,0\nD/fake/1.png,0\n", NULL);
    ck_assert_ptr_nonnull(strstr(table.doubts, "the first in line 4: D/fake/1.png is real"));
    data_table_free(&table);
    support_list_leave();
}
END_TEST

START_TEST(bad_tables)
{
    static const struct {
        const char *text, *message;
    } CASES[] = {
        {"", "is empty"},
        {"path,score\na,1\n", "no column of labels is found by its name; name it with "
                              "--label-column (the columns are: path, score)"},
        {"a.png,1\nb.png,0\n", "no column of paths is found by its name; name it with "
                               "--path-column"},
        {"path,file,label\na,b,1\n", "the columns 'path' and 'file' can both be the paths; name "
                                     "one with --path-column"},
        {"path,label,set,split\na,1,x,y\n", "can both be the splits; name one with --split-column"},
        {"path,label\n", "has a header but no rows"},
        {"path,label\na,2\n", "line 2, column 'label': '2' is not a label"},
        {"path,label\na,original\n", "'original' is not a label"},
        {"path,label\n,1\n", "line 2, column 'path': '' is not a path"},
        {"path,label\na,1,2\n", "line 2: has 3 columns, but the first line has 2"},
        {"path,label,split\na,1,fold1\n", "'fold1' is not train, val or test"},
        {"path,label\n\"a,1\n", "line 2: opens a quote that is never closed"},
        {"path,label\nD/real/1.png,1\nD/fake/1.png,0\n",
         "line 2: D/real/1.png has label 1, and all "
         "folders that say real or fake contradict"},
    };
    support_list_enter();
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        DataTable table;
        Error error = {0};
        support_list_text("t.csv", CASES[i].text);
        ck_assert_int_eq(data_table_read(&table, "t.csv", NULL, &error), STATUS_FAILED);
        ck_assert_msg(strstr(error.message, CASES[i].message) != NULL, "case %zu: %s", i,
                      error.message);
        ck_assert_ptr_null(table.rows);
    }
    support_list_leave();
}
END_TEST

START_TEST(headers_and_cells)
{
    char yes[] = "Image_Path\tClass\r", quoted[] = "\"file\";\"label\"", no[] = "a/b/0.png,1";
    ck_assert(data_table_has_header(yes, strlen(yes)));
    ck_assert(data_table_has_header(quoted, strlen(quoted)));
    ck_assert(!data_table_has_header(no, strlen(no)));
    ck_assert_int_eq(data_label_of_cell(" Real", 5), 0);
    ck_assert_int_eq(data_label_of_cell("1.0", 3), 1);
    ck_assert_int_eq(data_label_of_cell("0.5", 3), -1);
    ck_assert_int_eq(data_label_of_cell("", 0), -1);
    ck_assert_int_eq(data_split_parse("Validation"), DATA_VAL);
    ck_assert_int_eq(data_split_parse("eval"), -1);
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("list_table");
    TCase *const tables = support_case(suite, "tables", 20);
    tcase_add_test(tables, columns_are_found);
    tcase_add_test(tables, splits_videos_and_sources);
    tcase_add_test(tables, labels_that_contradict_their_folders);
    tcase_add_test(tables, bad_tables);
    tcase_add_test(tables, headers_and_cells);
    return support_main(suite);
}
