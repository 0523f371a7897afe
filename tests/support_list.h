/*
 * support_list.h - a folder with frames and lists, in which a test works.
 */
#ifndef LNCLIP_TESTS_SUPPORT_LIST_H
#define LNCLIP_TESTS_SUPPORT_LIST_H

#include "data/lists/list.h"

/* Makes a new folder and goes there; goes away and removes it. */
void support_list_enter(void);
void support_list_leave(void);
const char *support_list_root(void);

/* Writes the file `name` below the folder. */
void support_list_text(const char *name, const char *text);

/* Writes frames [NULL ends]: lists look at names and permissions only, never into the images. */
void support_list_frames(const char *const *paths);

/* data_list_read; asserts that it succeeds. */
void support_list_read(DataList *list, const char *const *lists, int count);

/* Asserts that the paths of the list are these [NULL ends]. */
void support_list_paths(const DataList *list, const char *const *expected);

#endif
