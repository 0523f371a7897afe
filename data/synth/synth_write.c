/*
 * synth_write.c - writes the synthetic data set: FF++ folders, frames as PNG, lists by split.
 *
 * Frames are drawn in chunks by the thread pool. Each frame is a pure function of the settings, so
 * the assignment to threads does not matter. The folder must be empty: data sets are never mixed.
 */
#include "data/synth/synth.h"

#include "tensor/base/arithmetic.h"
#include "tensor/base/file.h"
#include "tensor/base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK = 64, MAX_FRAMES = 999, SPLITS = 3 };

static const char *const split_names[SPLITS] = {"train", "val", "test"};

/* A chunk of frames to draw and write. */
typedef struct Chunk {
    const char *folder;
    const DataSynthSettings *settings;
    int first; /* number of its first frame */
    Status status[CHUNK];
    Error *errors; /* [CHUNK] */
} Chunk;

DataSynthSettings data_synth_defaults(void)
{
    return (DataSynthSettings){.videos = 40, .frames = 8, .size = 224, .seed = 0};
}

static Status check(const DataSynthSettings *settings, Error *error)
{
    if (settings->videos < DATA_SYNTH_MIN_VIDEOS || settings->videos > DATA_SYNTH_MAX_VIDEOS)
        return error_set(error, STATUS_USAGE, "videos %d: out of range; use %d to %d",
                         settings->videos, DATA_SYNTH_MIN_VIDEOS, DATA_SYNTH_MAX_VIDEOS);
    if (settings->frames < 1 || settings->frames > MAX_FRAMES)
        return error_set(error, STATUS_USAGE, "frames %d: out of range; use 1 to %d",
                         settings->frames, MAX_FRAMES);
    if (settings->size < DATA_SYNTH_MIN_SIZE || settings->size > DATA_SYNTH_MAX_SIZE)
        return error_set(error, STATUS_USAGE, "size %d: out of range; use %d to %d pixels",
                         settings->size, DATA_SYNTH_MIN_SIZE, DATA_SYNTH_MAX_SIZE);
    return STATUS_OK;
}

/* A folder that does not exist yet counts as empty. */
static Status check_empty(const char *folder, Error *error)
{
    DIR *stream = opendir(folder);
    if (stream == NULL) {
        if (errno == ENOENT)
            return STATUS_OK;
        return error_set(error, STATUS_FAILED,
                         "%s: cannot be opened as a folder: %s; choose another folder", folder,
                         strerror(errno));
    }
    bool empty = true;
    for (const struct dirent *entry; empty && (entry = readdir(stream)) != NULL;)
        empty = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
    closedir(stream);
    if (!empty)
        return error_set(error, STATUS_FAILED,
                         "%s: is not empty; name a new folder, or empty this one", folder);
    return STATUS_OK;
}

/* "SOURCE/VIDEO" below the folder of the data set. */
static void video_name(char *out, size_t size, DataSynthFamily family, int identity)
{
    if (family == DATA_SYNTH_REAL)
        snprintf(out, size, "%s/%03d", data_synth_name(family), identity);
    else
        snprintf(out, size, "%s/%03d_%03d", data_synth_name(family), identity, identity ^ 1);
}

/* Frames are numbered family by family, video by video. */
static Status write_frame(const Chunk *chunk, int number, Error *error)
{
    const DataSynthSettings *settings = chunk->settings;
    const int frame = number % settings->frames;
    const int identity = number / settings->frames % settings->videos;
    const DataSynthFamily family = (DataSynthFamily)(number / settings->frames / settings->videos);
    char video[64], name[80], path[FILE_PATH_SIZE];
    video_name(video, sizeof(video), family, identity);
    snprintf(name, sizeof(name), "%s/%03d.png", video, frame);
    TRY(file_join(path, chunk->folder, name, error));
    DataImage image;
    TRY(data_synth_frame(&image, family, settings->seed, identity, frame, settings->size, NULL,
                         error));
    const Status status = data_image_write_png(&image, path, error);
    data_image_free(&image);
    return status;
}

static void frame_task(void *context, int task, int worker)
{
    Chunk *chunk = context;
    (void)worker;
    chunk->status[task] = write_frame(chunk, chunk->first + task, &chunk->errors[task]);
}

static Status write_frames(Chunk *chunk, int total,
                           void (*progress)(void *context, int done, int total), void *context,
                           Error *error)
{
    for (chunk->first = 0; chunk->first < total; chunk->first += CHUNK) {
        const int count = min_int(total - chunk->first, CHUNK);
        threads_run(chunk->settings->threads, count, frame_task, chunk);
        for (int i = 0; i < count; i++) {
            if (chunk->status[i] != STATUS_OK) {
                *error = chunk->errors[i];
                return chunk->status[i];
            }
        }
        if (progress != NULL)
            progress(context, chunk->first + count, total);
    }
    return STATUS_OK;
}

static Status make_folders(const char *folder, const DataSynthSettings *settings, Error *error)
{
    char path[FILE_PATH_SIZE], name[64];
    for (int family = 0; family < DATA_SYNTH_FAMILIES; family++) {
        for (int identity = 0; identity < settings->videos; identity++) {
            video_name(name, sizeof(name), (DataSynthFamily)family, identity);
            TRY(file_join(path, folder, name, error));
            TRY(file_make_folders(path, error));
        }
    }
    for (int split = 0; split < SPLITS; split++) {
        snprintf(name, sizeof(name), "lists/%s", split_names[split]);
        TRY(file_join(path, folder, name, error));
        TRY(file_make_folders(path, error));
    }
    return STATUS_OK;
}

/*
 * First identity of a split; SPLITS gives the end of the last. Pairs stay together, because a fake
 * shows both of its pair; with fewer than three pairs that is impossible, and each split gets at
 * least one video instead.
 */
static int split_begin(int split, int videos)
{
    const int unit = videos >= 2 * SPLITS ? 2 : 1;
    const int units = (videos + unit - 1) / unit;
    const int test = max_int(units / 4, 1), val = max_int(units * 3 / 20, 1);
    const int begins[SPLITS + 1] = {0, units - test - val, units - test, units};
    return min_int(begins[split] * unit, videos);
}

static Status write_list(const char *folder, const DataSynthSettings *settings, int split,
                         DataSynthFamily family, Error *error)
{
    char name[64], path[FILE_PATH_SIZE], video[64];
    snprintf(name, sizeof(name), "lists/%s/%s.txt", split_names[split], data_synth_name(family));
    TRY(file_join(path, folder, name, error));
    FileWriter writer;
    TRY(file_begin(&writer, path, error));
    for (int identity = split_begin(split, settings->videos);
         identity < split_begin(split + 1, settings->videos); identity++) {
        video_name(video, sizeof(video), family, identity);
        for (int frame = 0; frame < settings->frames; frame++)
            fprintf(writer.stream, "../../%s/%03d.png\n", video, frame);
    }
    return file_commit(&writer, error);
}

Status data_synth_write(const char *folder, const DataSynthSettings *settings,
                        void (*progress)(void *context, int done, int total), void *context,
                        Error *error)
{
    TRY(check(settings, error));
    TRY(check_empty(folder, error));
    TRY(make_folders(folder, settings, error));
    Chunk chunk = {.folder = folder, .settings = settings};
    chunk.errors = mem_new(CHUNK, sizeof(Error), folder, error);
    if (!chunk.errors)
        return error->status;
    const int total = DATA_SYNTH_FAMILIES * settings->videos * settings->frames;
    const Status status = write_frames(&chunk, total, progress, context, error);
    free(chunk.errors);
    TRY(status);
    for (int split = 0; split < SPLITS; split++)
        for (int family = 0; family < DATA_SYNTH_FAMILIES; family++)
            TRY(write_list(folder, settings, split, (DataSynthFamily)family, error));
    return STATUS_OK;
}
