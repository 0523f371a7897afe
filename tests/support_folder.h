/*
 * support_folder.h - a fresh folder for each test, as a checked fixture of Check.
 */
#ifndef LNCLIP_TESTS_SUPPORT_FOLDER_H
#define LNCLIP_TESTS_SUPPORT_FOLDER_H

#include "tests/support.h"

/* Set-up and tear-down for tcase_add_checked_fixture: makes the folder, deletes it with
 * all in it. */
void support_folder_setup(void);
void support_folder_teardown(void);

/* Path of `name` in that folder, or the folder's own for "". One of four buffers used in turn. */
const char *support_in_folder(const char *name);

#endif
