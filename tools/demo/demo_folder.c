/*
 * demo_folder.c - the folder of the demo: whose it is, and clearing what an earlier demo left.
 *
 * A demo's folder is recognised by demo.json, written before anything else. Only names that a demo writes are
 * ever deleted, and none of them if there is any other beside them: then the folder is not ours alone.
 */
#include "tools/demo/demo.h"

#include "tensor/base/file.h"

#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char *const own_names[] = {DEMO_BACKBONE, DEMO_DATA, "probe.safetensors",
                                        "ln.safetensors", "demo.json"};
enum { OWN_NAMES = sizeof own_names / sizeof own_names[0] };

static bool is_own(const char *name)
{
    for (int i = 0; i < OWN_NAMES; i++)
        if (strcmp(name, own_names[i]) == 0)
            return true;
    return false;
}

static int remove_entry(const char *path, const struct stat *facts, int type, struct FTW *position)
{
    (void)facts;
    (void)type;
    (void)position;
    return remove(path);
}

/* Deletes what a demo wrote; links are removed, never followed. */
static Status clear(const char *folder, Error *error)
{
    char path[FILE_PATH_SIZE];
    for (int i = 0; i < OWN_NAMES; i++) {
        TRY(file_join(path, folder, own_names[i], error));
        if (nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS) != 0 && errno != ENOENT)
            return error_set(
                error, STATUS_FAILED,
                "%s: what an earlier demo left cannot be deleted: %s; choose another --out", path,
                strerror(errno));
    }
    return STATUS_OK;
}

/* Looks through the folder: *entries in it, and the first name that is not a demo's in `foreign`, else "". */
static Status look(const char *folder, int *entries, char foreign[256], Error *error)
{
    *entries = 0;
    foreign[0] = '\0';
    DIR *const stream = opendir(folder);
    if (!stream && errno == ENOENT)
        return STATUS_OK;
    if (!stream)
        return error_set(error, STATUS_FAILED,
                         "%s: cannot be opened as a folder: %s; choose another --out", folder,
                         strerror(errno));
    for (const struct dirent *entry; (entry = readdir(stream)) != NULL;) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        (*entries)++;
        if (!is_own(entry->d_name))
            snprintf(foreign, 256, "%s", entry->d_name);
    }
    closedir(stream);
    return STATUS_OK;
}

Status demo_folder_prepare(const char *folder, Error *error)
{
    char foreign[256], mark[FILE_PATH_SIZE];
    int entries = 0;
    TRY(look(folder, &entries, foreign, error));
    TRY(file_join(mark, folder, "demo.json", error));
    if (foreign[0] != '\0')
        return error_set(error, STATUS_FAILED,
                         "%s: holds %s, which no demo wrote; choose another --out, or move it away",
                         folder, foreign);
    if (entries > 0 && !file_exists(mark))
        return error_set(error, STATUS_FAILED,
                         "%s: is not empty and has no demo.json; choose another --out", folder);
    TRY(clear(folder, error));
    TRY(file_make_folders(folder, error));
    static const char unfinished[] = "{\"finished\": false}\n";
    return file_write(mark, unfinished, sizeof unfinished - 1, error);
}
