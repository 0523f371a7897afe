/* sets_write.c - writes the lists of a data set and moves them into place when all are complete. */
#include "data/sets/sets.h"

#include "data/lists/path.h"
#include "data/sets/sets_build_private.h"
#include "tensor/base/file.h"

#include <assert.h>
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The parts of an output. */
static const char *const PARTS[] = {"train", "val", "test", "coverage.json"};
enum { PART_COUNT = 4 };

/* Leftovers of killed runs of versions up to 0.1; removed with the folder that is replaced. */
#define OLD_WORKPLACE ".lists-"

bool data_sets_own_video(const DataSetsVideo *video)
{
    return video->count == 1 && strcmp(video->name, file_name(video->frames[0])) == 0;
}

/* The header line that a list needs because its paths imply something else. */
typedef struct Header {
    bool needed;
    bool videos; /* it must also define what a video is */
} Header;

static Header find_header(const DataSetsSource *source)
{
    const size_t length = strlen(source->name);
    Header header = {false, false};
    for (int v = 0; v < source->count; v++) {
        const DataSetsVideo *video = &source->videos[v];
        const bool own = data_sets_own_video(video);
        for (int i = 0; i < video->count; i++) {
            bool above;
            const DataPath parts = data_path_read(video->frames[i]);
            const DataLabel label = data_path_label(video->frames[i], &parts, 0, false, &above);
            header.videos |= parts.own_video || own || video->named;
            header.needed |= parts.source_length != length ||
                             strncmp(parts.source, source->name, length) != 0 ||
                             label.label != source->label || parts.own_video != own || video->named;
        }
    }
    return header;
}

static Status write_list(const DataSetsSource *source, const char *folder, Error *error)
{
    char name[300], path[FILE_PATH_SIZE];
    FileWriter writer;
    const Header header = find_header(source);
    snprintf(name, sizeof name, "%s/%s.txt", data_split_names[source->split], source->name);
    TRY(file_join(path, folder, name, error));
    TRY(file_begin(&writer, path, error));
    const char *said = NULL; /* the setting of videos in the last header line */
    for (int v = 0; v < source->count; v++) {
        const DataSetsVideo *video = &source->videos[v];
        if (video->count == 0)
            continue;
        const char *setting = !header.videos               ? ""
                              : video->named               ? video->name
                              : data_sets_own_video(video) ? " video=image"
                                                           : " video=folder";
        if (header.needed && (!said || video->named || strcmp(said, setting) != 0)) {
            fprintf(writer.stream, "# lnclip: label=%s", source->label ? "fake" : "real");
            if (video->named)
                data_list_write_video_name(writer.stream, setting);
            else
                fputs(setting, writer.stream);
            fprintf(writer.stream, " source=%s\n", source->name);
        }
        said = setting;
        for (int i = 0; i < video->count; i++) {
            fputs(video->frames[i], writer.stream);
            putc('\n', writer.stream);
        }
    }
    return file_commit(&writer, error);
}

static Status write_parts(const DataSets *sets, const char *folder, const char *content,
                          size_t size, Error *error)
{
    char path[FILE_PATH_SIZE];
    for (int i = 0; i < sets->count; i++) {
        bool any = false;
        for (int v = 0; v < sets->sources[i].count; v++)
            any |= sets->sources[i].videos[v].count > 0;
        if (!any)
            continue;
        TRY(file_join(path, folder, data_split_names[sets->sources[i].split], error));
        TRY(file_make_folders(path, error));
        TRY(write_list(&sets->sources[i], folder, error));
    }
    TRY(file_join(path, folder, "coverage.json", error));
    return file_write(path, content, size, error);
}

/*
 * True if every name in the folder, leftovers aside, passes `belongs`, or if the folder does not
 * exist.
 */
static bool holds_only(const char *folder, bool (*belongs)(const char *name))
{
    DIR *stream = opendir(folder);
    bool all = true;
    for (const struct dirent *item; stream && all && (item = readdir(stream));)
        all = strcmp(item->d_name, ".") == 0 || strcmp(item->d_name, "..") == 0 ||
              strncmp(item->d_name, OLD_WORKPLACE, strlen(OLD_WORKPLACE)) == 0 ||
              belongs(item->d_name);
    if (stream)
        closedir(stream);
    return all;
}

static bool is_nothing(const char *name)
{
    (void)name;
    return false;
}

static bool is_part(const char *name)
{
    for (int i = 0; i < PART_COUNT; i++)
        if (strcmp(name, PARTS[i]) == 0)
            return true;
    return false;
}

static bool is_list(const char *name)
{
    const size_t length = strlen(name);
    return length > 4 && strcmp(name + length - 4, ".txt") == 0;
}

/* Checks that `out` is empty, or holds only an earlier output that may be replaced. */
static Status check_out(const char *out, bool replace, Error *error)
{
    char path[FILE_PATH_SIZE];
    if (holds_only(out, is_nothing))
        return STATUS_OK;
    if (!replace)
        return error_set(error, STATUS_FAILED,
                         "%s: the folder is not empty; choose another --out, or add --overwrite to "
                         "replace existing lists",
                         out);
    bool ours = holds_only(out, is_part);
    for (int split = 0; split < DATA_SPLITS && ours; split++) {
        TRY(file_join(path, out, data_split_names[split], error));
        ours = holds_only(path, is_list);
    }
    TRY(file_join(path, out, "coverage.json", error));
    if (!ours || !file_exists(path))
        return error_set(error, STATUS_FAILED,
                         "%s: has files that lnclip did not write; choose another --out", out);
    return STATUS_OK;
}

Status data_sets_write(const DataSets *sets, const char *out, bool replace, const char *content,
                       size_t size, Error *error)
{
    assert(sets && out && content && error);
    FolderWriter writer;
    TRY(check_out(out, replace, error));
    TRY(file_folder_begin(&writer, out, error));
    Status status = write_parts(sets, writer.temporary, content, size, error);
    if (status == STATUS_OK)
        status = file_folder_commit(&writer, error);
    file_folder_abort(&writer);
    return status;
}
