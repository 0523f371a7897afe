/*
 * support_folder.c - see support_folder.h.
 */
#include "tests/support_folder.h"

#include <stdio.h>

static char folder[4096];

void support_folder_setup(void)
{
    support_make_folder(folder);
}

void support_folder_teardown(void)
{
    support_remove_folder(folder);
}

const char *support_in_folder(const char *name)
{
    static char paths[4][8192];
    static int turn;
    turn = (turn + 1) % 4;
    snprintf(paths[turn], sizeof paths[turn], "%s%s%s", folder, name[0] ? "/" : "", name);
    return paths[turn];
}
