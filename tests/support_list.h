/*
 * support_list.h - a working directory with frames and lists.
 */
#ifndef LNCLIP_TESTS_SUPPORT_LIST_H
#define LNCLIP_TESTS_SUPPORT_LIST_H

#include "data/lists/list.h"

/* Create a new working directory; leave and remove it. */
void support_list_enter(void);
void support_list_leave(void);
const char *support_list_root(void);

/* Writes the file `name` in the folder. */
void support_list_text(const char *name, const char *text);

/* Writes frames, up to NULL, as empty files: lists use only names and permissions. */
void support_list_frames(const char *const *paths);

/* Calls data_list_read and asserts success. */
void support_list_read(DataList *list, const char *const *lists, int count);

/* Asserts that the list has these paths, up to NULL. */
void support_list_paths(const DataList *list, const char *const *expected);

#endif
