/*
 * bench_loader.c - frames per second that one core decodes, augments and resizes, from PNG and
 * JPEG, with the augmentations of the training recipes.
 *
 * The frames are synthetic, 256 x 256 pixels like published face crops, in a temporary folder that
 * is removed at the end. The loader runs without workers, so its time is that of one core. The
 * files are in the page cache.
 */
#include "tools/bench/bench.h"

#include "data/loader.h"
#include "data/synth/synth.h"
#include "tensor/base/file.h"
#include "train/json.h"
#include "train/plan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SIDE = 256, FRAMES = 32, QUICK_FRAMES = 4, JPEG_QUALITY = 90 };

typedef struct Loading {
    DataLoader *loader;
    DataList list;
    int frames, epoch;
    Status status;
    Error *error;
} Loading;

static double loader_run(void *context)
{
    Loading *l = context;
    DataBatch batch;
    const double start = train_clock();
    if (l->status == STATUS_OK)
        l->status = data_loader_start(l->loader, l->epoch++, 0, l->error);
    if (l->status == STATUS_OK)
        l->status = data_loader_next(l->loader, &batch, l->error);
    return train_clock() - start;
}

/* Only decodes. */
static double decode_run(void *context)
{
    Loading *l = context;
    const double start = train_clock();
    for (int i = 0; i < l->frames && l->status == STATUS_OK; i++) {
        DataImage image;
        l->status = data_image_read(l->list.frames[i].file, &image, l->error);
        if (l->status == STATUS_OK)
            data_image_free(&image);
    }
    return train_clock() - start;
}

static Status frame_path(char out[FILE_PATH_SIZE], const char *folder, int frame, bool jpeg,
                         Error *error)
{
    char name[32];
    snprintf(name, sizeof name, "%03d.%s", frame, jpeg ? "jpg" : "png");
    return file_join(out, folder, name, error);
}

static Status write_frames(const char *folder, int frames, bool jpeg, Error *error)
{
    for (int i = 0; i < frames; i++) {
        char path[FILE_PATH_SIZE];
        TRY(frame_path(path, folder, i, jpeg, error));
        DataImage image = {0};
        TRY(data_synth_frame(&image, DATA_SYNTH_REAL, 1, i, 0, SIDE, NULL, error));
        const Status status = jpeg ? data_image_write_jpeg(&image, path, JPEG_QUALITY, error)
                                   : data_image_write_png(&image, path, error);
        data_image_free(&image);
        TRY(status);
        TRY(cli_interrupted("bench", "no files were left", error));
    }
    return STATUS_OK;
}

/* Deletes the files of write_frames, also after a failure, and the folder. */
static void remove_frames(const char *folder, int frames, bool jpeg)
{
    for (int i = 0; i < frames; i++) {
        char path[FILE_PATH_SIZE];
        Error ignored = {0};
        if (frame_path(path, folder, i, jpeg, &ignored) == STATUS_OK)
            unlink(path);
    }
    rmdir(folder);
}

/* Prints a row and adds it to the report as FORMAT_AUGMENT, or FORMAT for augment=flip. */
static void report(Bench *bench, const char *format, const char *augment, double decode, double all)
{
    const double rate = 1e3 / all;
    char name[32], key[32];
    snprintf(name, sizeof name, "%s, augment=%s", format, augment);
    const bool plain = strcmp(augment, "flip") == 0;
    snprintf(key, sizeof key, "%s%s%s", format, plain ? "" : "_", plain ? "" : augment);
    bench_print(bench, "%-22s  %12.3f  %12.3f  %14.0f\n", name, decode, all, rate);
    train_json_set(json_object_get(bench->report, "loader"), key,
                   json_pack("{s:i, s:f, s:f, s:f}", "pixels", SIDE, "decode_ms", decode, "ms", all,
                             "images_per_second", rate));
}

/* Measures the loader with one augmentation; all->ms is the time of all frames. */
static Status measure_augment(Bench *bench, Loading *l, const char *augment, BenchTime *all,
                              Error *error)
{
    DataLoaderSettings settings = data_loader_defaults();
    settings.image_size = bench->config.image_size;
    settings.batch_size = l->frames;
    settings.workers = 0;
    settings.prefetch = 1;
    TRY(data_augment_parse(augment, &settings.augment, error));
    TRY(data_loader_create(&l->loader, &l->list, &settings, error));
    const Status status = bench_measure(bench, NULL, PRECISION_F32, loader_run, l, all, error);
    data_loader_destroy(l->loader);
    TRY(status);
    return l->status;
}

static Status measure(Bench *bench, Loading *l, const char *format, Error *error)
{
    static const char *const AUGMENTS[] = {"flip", "paper", "gend"};
    BenchTime decode = {0};
    TRY(bench_measure(bench, NULL, PRECISION_F32, decode_run, l, &decode, error));
    TRY(l->status);
    for (size_t i = 0; i < sizeof AUGMENTS / sizeof AUGMENTS[0]; i++) {
        BenchTime all = {0};
        TRY(measure_augment(bench, l, AUGMENTS[i], &all, error));
        report(bench, format, AUGMENTS[i], decode.ms / l->frames, all.ms / l->frames);
    }
    return STATUS_OK;
}

static Status measure_folder(Bench *bench, const char *folder, int frames, bool jpeg, Error *error)
{
    Loading l = {.frames = frames, .error = error};
    TRY(write_frames(folder, frames, jpeg, error));
    TRY(data_list_paths(&l.list, &folder, 1, error));
    const Status status = measure(bench, &l, jpeg ? "jpeg" : "png", error);
    data_list_free(&l.list);
    return status;
}

static Status measure_format(Bench *bench, bool jpeg, Error *error)
{
    const int frames = bench->quick ? QUICK_FRAMES : FRAMES;
    const char *base = getenv("TMPDIR");
    char folder[FILE_PATH_SIZE];
    TRY(file_join(folder, base && *base ? base : "/tmp", "lnclip-bench-XXXXXX", error));
    if (!mkdtemp(folder))
        return error_set(
            error, STATUS_FAILED,
            "%s: cannot create a temporary folder: %s; set TMPDIR to a writable folder", folder,
            strerror(errno));
    const Status status = measure_folder(bench, folder, frames, jpeg, error);
    remove_frames(folder, frames, jpeg);
    return status;
}

/*
 * PNG needs a build with libpng. Everything needs libjpeg-turbo: synthetic frames are
 * JPEG-compressed.
 */
Status bench_loader(Bench *bench, Error *error)
{
    bench_note(bench, "loader");
    bench_print(bench, "\n%-22s  %12s  %12s  %14s\n", "loader, 256 x 256", "ms decoding",
                "ms in total", "images/s/core");
    if (!LNCLIP_WITH_JPEG) {
        bench_print(bench, "not measured: needs a build with libjpeg-turbo\n");
        return STATUS_OK;
    }
    if (LNCLIP_WITH_PNG)
        TRY(measure_format(bench, false, error));
    return measure_format(bench, true, error);
}
