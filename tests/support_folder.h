/*
 * support_folder.h - a new folder for each test, as a checked fixture of Check.
 */
#ifndef LNCLIP_TESTS_SUPPORT_FOLDER_H
#define LNCLIP_TESTS_SUPPORT_FOLDER_H

#include "tests/support.h"

/*
 * Set-up and tear-down for tcase_add_checked_fixture: create the folder, and delete it with its
 * contents.
 */
void support_folder_setup(void);
void support_folder_teardown(void);

/*
 * The path of `name` in that folder, or of the folder for "". Returns one of four buffers, used in
 * turn.
 */
const char *support_in_folder(const char *name);

#endif
