/*
 * support_list.c - see support_list.h.
 */
#include "tests/support_list.h"

#include "tests/support.h"
#include "tests/support_image.h"

#include <string.h>
#include <unistd.h>

static char root[4096];

void support_list_enter(void)
{
    support_make_folder(root);
    ck_assert_int_eq(chdir(root), 0);
}

const char *support_list_root(void)
{
    return root;
}

void support_list_leave(void)
{
    ck_assert_int_eq(chdir("/"), 0);
    support_remove_folder(root);
}

void support_list_text(const char *name, const char *text)
{
    support_write_file(".", name, text, strlen(text));
}

void support_list_frames(const char *const *paths)
{
    for (; *paths; paths++)
        support_list_text(*paths, "x");
}

void support_list_read(DataList *list, const char *const *lists, int count)
{
    Error error = {0};
    ck_ok(data_list_read(list, lists, count, &error), &error);
}

void support_list_paths(const DataList *list, const char *const *expected)
{
    int i = 0;
    for (; expected[i]; i++) {
        ck_assert_int_lt(i, list->count);
        ck_assert_str_eq(list->frames[i].path, expected[i]);
    }
    ck_assert_int_eq(list->count, i);
}
