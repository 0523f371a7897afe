/*
 * test_loader.c - the same batches whatever the workers; errors, resume, and ends at bad moments.
 */
#include "data/augment/sbi.h"
#include "data/image/preprocess.h"
#include "data/loader.h"
#include "tests/support.h"
#include "tests/support_allocations.h"
#include "tests/support_image.h"

#include <malloc.h>
#include <stdio.h>
#include <string.h>

enum { FRAMES = 23, SIZE = 16 };

static char root[4096];

/* A pattern of that size as root/name. */
static void write_frame(const char *name, int width, int height)
{
    DataImage image;
    support_pattern(&image, width, height);
    const size_t pixels = (size_t)(image.width * image.height * 3);
    char *const file = malloc(pixels + 100);
    const int header = sprintf(file, "P6 %d %d 255\n", image.width, image.height);
    memcpy(file + header, image.pixels, pixels);
    support_write_file(root, name, file, (size_t)header + pixels);
    free(file);
    data_image_free(&image);
}

/* FRAMES images of different sizes and the list of them. */
static void make_set(DataList *list)
{
    support_make_folder(root);
    for (int i = 0; i < FRAMES; i++) {
        char name[100];
        snprintf(name, sizeof name, "FF/%s/%d/%03d.ppm", i % 3 ? "DF" : "real", i / 5, i);
        write_frame(name, 17 + i, 40 - i % 7);
    }
    Error error = {0};
    ck_ok(data_list_read(list, (const char *const[]){root}, 1, &error), &error);
    ck_assert_int_eq(list->count, FRAMES);
}

static void drop_set(DataList *list)
{
    data_list_free(list);
    support_remove_folder(root);
}

static DataLoaderSettings small_settings(void)
{
    DataLoaderSettings settings = data_loader_defaults();
    settings.image_size = SIZE;
    settings.batch_size = 5;
    settings.seed = 3;
    return settings;
}

static DataLoader *create(const DataList *list, const DataLoaderSettings *settings)
{
    Error error = {0};
    DataLoader *loader;
    ck_ok(data_loader_create(&loader, list, settings, &error), &error);
    return loader;
}

static void start(DataLoader *loader, int epoch, int first)
{
    Error error = {0};
    ck_ok(data_loader_start(loader, epoch, first, &error), &error);
}

/* One number for everything the rest of an epoch delivers; the frames are counted in *frames. */
static uint32_t drain(DataLoader *loader, int batches, int *frames)
{
    uint32_t sum = 0;
    for (int b = 0; b < batches; b++) {
        Error error = {0};
        DataBatch batch;
        ck_ok(data_loader_next(loader, &batch, &error), &error);
        const size_t count = (size_t)batch.count;
        sum = sum * 31 + support_crc32(batch.pixels, count * SIZE * SIZE * 3);
        sum = sum * 31 + support_crc32(batch.index, count * sizeof *batch.index);
        sum = sum * 31 + support_crc32(batch.labels, count * sizeof *batch.labels);
        *frames += batch.count;
    }
    return sum;
}

/* Asserts that frame i of the batch is the image augmented with these draws, resized and cropped.
 * Frees it. */
static void check_pixels(const DataBatch *batch, int i, DataImage *image,
                         const DataAugment *augment, Random random)
{
    Error error = {0};
    uint8_t pixels[SIZE * SIZE * 3];
    DataResizer resizer = {0};
    ck_ok(data_augment_apply(augment, &random, image, &error), &error);
    ck_ok(data_resize_crop(&resizer, image, SIZE, pixels, &error), &error);
    ck_assert_mem_eq(batch->pixels + (size_t)i * sizeof pixels, pixels, sizeof pixels);
    data_resizer_free(&resizer);
    data_image_free(image);
}

START_TEST(test_batches_do_not_depend_on_workers)
{
    static const int WORKERS[] = {0, 1, 2, 4, 7}, PREFETCH[] = {1, 2, 5};
    DataList list;
    make_set(&list);
    for (int variant = 0; variant < 4; variant++) {
        uint32_t expected[2] = {0};
        for (size_t w = 0; w < sizeof WORKERS / sizeof *WORKERS; w++) {
            for (size_t p = 0; p < sizeof PREFETCH / sizeof *PREFETCH; p++) {
                DataLoaderSettings settings = small_settings();
                settings.workers = WORKERS[w];
                settings.prefetch = PREFETCH[p];
                settings.shuffle = variant & 1;
                settings.drop_last = variant & 2;
                settings.augment.flip = variant & 1 ? 0.5 : 0;
                DataLoader *const loader = create(&list, &settings);
                const int batches = data_loader_batches(loader);
                ck_assert_int_eq(batches, settings.drop_last ? 4 : 5);
                for (int epoch = 0; epoch < 2; epoch++) {
                    int frames = 0;
                    start(loader, epoch, 0);
                    const uint32_t sum = drain(loader, batches, &frames);
                    ck_assert_int_eq(frames, settings.drop_last ? 20 : FRAMES);
                    if (w == 0 && p == 0)
                        expected[epoch] = sum;
                    ck_assert_msg(sum == expected[epoch], "variant %d, %d workers, prefetch %d",
                                  variant, WORKERS[w], PREFETCH[p]);
                }
                data_loader_destroy(loader);
            }
        }
        /* Epochs differ exactly if something is drawn. */
        ck_assert_int_eq(expected[0] == expected[1], !(variant & 1));
    }
    drop_set(&list);
}
END_TEST

/* Everything that training draws, by any number of workers: the same bits, and others in every
 * epoch. */
START_TEST(test_augmentation_does_not_depend_on_workers)
{
    static const char *const NAMES[] = {"paper", "gend"};
    DataList list;
    make_set(&list);
    for (int name = 0; name < 2; name++) {
        DataLoaderSettings settings = small_settings();
        Error error = {0};
        ck_ok(data_augment_parse(NAMES[name], &settings.augment, &error), &error);
        if (!LNCLIP_WITH_JPEG)
            settings.augment.quality_low = settings.augment.quality_high = 0;
        uint32_t expected[2] = {0};
        for (settings.workers = 0; settings.workers <= 5; settings.workers++) {
            DataLoader *const loader = create(&list, &settings);
            for (int epoch = 0; epoch < 2; epoch++) {
                int frames = 0;
                start(loader, epoch, 0);
                const uint32_t sum = drain(loader, data_loader_batches(loader), &frames);
                if (settings.workers == 0)
                    expected[epoch] = sum;
                ck_assert_msg(sum == expected[epoch], "%s, %d workers", NAMES[name],
                              settings.workers);
            }
            data_loader_destroy(loader);
        }
        ck_assert_uint_ne(expected[0], expected[1]);
    }
    drop_set(&list);
}
END_TEST

/* Frames too small for the recipe's blur are named, with what to do. */
START_TEST(test_frame_too_small_to_augment)
{
    DataList list;
    make_set(&list);
    FILE *const file = fopen(list.frames[0].file, "wb");
    fputs("P6 3 3 255\n123456789abcdefghijklmnopqr", file);
    fclose(file);
    DataLoaderSettings settings = small_settings();
    Error error = {0};
    ck_ok(data_augment_parse("paper", &settings.augment, &error), &error);
    DataLoader *const loader = create(&list, &settings);
    DataBatch batch;
    start(loader, 0, 0);
    ck_assert_int_eq(data_loader_next(loader, &batch, &error), STATUS_FAILED);
    ck_assert(strstr(error.message, list.frames[0].file) &&
              strstr(error.message, "too small for a blur"));
    data_loader_destroy(loader);
    drop_set(&list);
}
END_TEST

START_TEST(test_contents)
{
    DataList list;
    make_set(&list);
    DataLoaderSettings settings = small_settings();
    settings.shuffle = true;
    settings.augment.flip = 0.5;
    DataLoader *const loader = create(&list, &settings);
    start(loader, 4, 0);
    int order[FRAMES], at = 0, seen[FRAMES] = {0};
    Random shuffle = random_stream(settings.seed, RANDOM_SHUFFLE, 4, 0);
    random_permutation(&shuffle, FRAMES, order);
    for (int b = 0; b < data_loader_batches(loader); b++) {
        Error error = {0};
        DataBatch batch;
        ck_ok(data_loader_next(loader, &batch, &error), &error);
        for (int i = 0; i < batch.count; i++, at++) {
            const int index = batch.index[i];
            ck_assert_int_eq(index, order[at]);
            ck_assert_int_eq(batch.labels[i], list.frames[index].label);
            ck_assert_ptr_null(batch.errors[i]);
            seen[index]++;
            DataImage image;
            ck_ok(data_image_read(list.frames[index].file, &image, &error), &error);
            Random random = random_stream(settings.seed, RANDOM_AUGMENT, (uint32_t)index, 4);
            check_pixels(&batch, i, &image, &settings.augment, random);
        }
    }
    for (int i = 0; i < FRAMES; i++)
        ck_assert_int_eq(seen[i], 1);
    data_loader_destroy(loader);
    drop_set(&list);
}
END_TEST

/*
 * A repeated frame gets new draws each time, whichever worker makes it; resume finds the same
 * draws.
 */
START_TEST(test_repeated_frames)
{
    DataList list;
    make_set(&list); /* videos of one name: three fake frames a video for one or two real ones */
    DataLoaderSettings settings = small_settings();
    ck_assert_int_eq(data_epoch_batches(&settings, 46), 10);
    settings.shuffle = settings.pairs = true;
    settings.batch_size = 6;
    settings.augment.flip = 0.5;
    settings.augment.brightness = 0.5;
    uint32_t expected = 0, rest = 0;
    for (settings.workers = 0; settings.workers <= 4; settings.workers++) {
        DataLoader *const loader = create(&list, &settings);
        int frames = 0;
        start(loader, 2, 0);
        const uint32_t sum = drain(loader, data_loader_batches(loader), &frames);
        start(loader, 2, 3);
        const uint32_t end = drain(loader, data_loader_batches(loader) - 3, &frames);
        expected = settings.workers == 0 ? sum : expected;
        rest = settings.workers == 0 ? end : rest;
        ck_assert(sum == expected && end == rest);
        data_loader_destroy(loader);
    }
    settings.workers = 2;
    Error error = {0};
    DataOrder *order;
    ck_ok(data_loader_order(&order, &list, &settings, &error), &error);
    DataSample *const samples = malloc((size_t)data_order_count(order) * sizeof *samples);
    data_order_fill(order, 2, samples);
    DataLoader *const loader = create(&list, &settings);
    int again = 0, at = 0;
    start(loader, 2, 0);
    for (int b = 0; b < data_loader_batches(loader); b++) {
        DataBatch batch;
        ck_ok(data_loader_next(loader, &batch, &error), &error);
        for (int i = 0; i < batch.count; i++, at++) {
            const DataSample *const sample = &samples[at];
            ck_assert_int_eq(batch.index[i], sample->frame);
            DataImage image;
            ck_ok(data_image_read(list.frames[sample->frame].file, &image, &error), &error);
            Random random =
                random_stream_part(settings.seed, RANDOM_AUGMENT, (uint32_t)sample->frame, 2,
                                   (uint32_t)sample->occurrence);
            check_pixels(&batch, i, &image, &settings.augment, random);
            again += sample->occurrence > 0;
        }
    }
    ck_assert_int_eq(at, data_order_count(order));
    ck_assert_int_gt(again, 3);
    data_loader_destroy(loader);
    data_order_destroy(order);
    free(samples);
    drop_set(&list);
}
END_TEST

/* Landmarks that are none are named. */
static void expect_bad_landmarks(const DataList *list, const DataLoaderSettings *settings)
{
    support_write_file(root, "FF/real/0/0.npy", "no array", 8);
    DataLoader *const loader = create(list, settings);
    Status status = STATUS_OK;
    Error error = {0};
    DataBatch batch;
    start(loader, 1, 0);
    for (int b = 0; b < data_loader_batches(loader) && status == STATUS_OK; b++)
        status = data_loader_next(loader, &batch, &error);
    ck_assert_int_eq(status, STATUS_FAILED);
    ck_assert_msg(strstr(error.message, "0.npy") != NULL, "%s", error.message);
    data_loader_destroy(loader);
}

/*
 * A self-blended fake and its real frame: the same draws, the same augmentation, whichever worker
 * makes them.
 */
START_TEST(test_blends)
{
    enum { SIDE = 48 };
    support_make_folder(root);
    for (int i = 0; i < 6; i++) {
        char name[100];
        snprintf(name, sizeof name, "FF/%s/%d/%d.ppm", i == 5 ? "DF" : "real", i, i);
        write_frame(name, SIDE, SIDE + i);
    }
    DataList list;
    Error error = {0};
    ck_ok(data_list_read(&list, (const char *const[]){root}, 1, &error), &error);
    DataLoaderSettings settings = small_settings();
    settings.shuffle = settings.blend = true;
    settings.batch_size = 4;
    settings.augment.flip = 0.5;
    uint32_t expected = 0;
    for (settings.workers = 0; settings.workers <= 3; settings.workers++) {
        DataLoader *const loader = create(&list, &settings);
        int frames = 0;
        start(loader, 1, 0);
        const uint32_t sum = drain(loader, data_loader_batches(loader), &frames);
        expected = settings.workers == 0 ? sum : expected;
        ck_assert(sum == expected && frames == 10);
        data_loader_destroy(loader);
    }
    DataLoader *const loader = create(&list, &settings);
    start(loader, 1, 0);
    for (int b = 0; b < data_loader_batches(loader); b++) {
        DataBatch batch;
        ck_ok(data_loader_next(loader, &batch, &error), &error);
        for (int i = 0; i < batch.count; i++) {
            const int frame = batch.index[i], label = batch.labels[i];
            ck_assert_int_eq(label, i % 2);
            ck_assert_int_eq(list.frames[frame].label, 0);
            DataImage image;
            ck_ok(data_image_read(list.frames[frame].file, &image, &error), &error);
            Random random = random_stream(settings.seed, RANDOM_BLEND, (uint32_t)frame, 1);
            if (label == 1)
                ck_ok(data_self_blend(&image, NULL, &random, &error), &error);
            else
                ck_ok(data_self_blend_real(&image, &random, &error), &error);
            random = random_stream(settings.seed, RANDOM_AUGMENT, (uint32_t)frame, 1);
            check_pixels(&batch, i, &image, &settings.augment, random);
        }
    }
    data_loader_destroy(loader);

    expect_bad_landmarks(&list, &settings);
    const size_t bytes = data_loader_bytes(&settings);
    settings.blend = false;
    ck_assert_uint_lt(data_loader_bytes(&settings), bytes);
    drop_set(&list);
}
END_TEST

/* What the order refuses, the loader refuses. */
START_TEST(test_order_that_cannot_be)
{
    support_make_folder(root);
    support_write_file(root, "FF/real/000/0.ppm", "P6 1 1 255\nabc", 14);
    support_write_file(root, "FF/DF/xyz/0.ppm", "P6 1 1 255\nabc", 14);
    DataList list;
    Error error = {0};
    ck_ok(data_list_read(&list, (const char *const[]){root}, 1, &error), &error);
    DataLoaderSettings settings = small_settings();
    settings.batch_size = 2;
    settings.pairs = true;
    DataLoader *loader = NULL;
    ck_assert_int_eq(data_loader_create(&loader, &list, &settings, &error), STATUS_FAILED);
    ck_assert_ptr_null(loader);
    ck_assert(strstr(error.message, "pairs=on") != NULL);
    drop_set(&list);
}
END_TEST

START_TEST(test_resume_and_restart)
{
    DataList list;
    make_set(&list);
    DataLoaderSettings settings = small_settings();
    settings.shuffle = true;
    settings.augment.flip = 0.5;
    for (settings.workers = 0; settings.workers <= 3; settings.workers++) {
        DataLoader *const loader = create(&list, &settings);
        for (int first = 0; first <= 5; first++) {
            int frames = 0;
            start(loader, 1, 0);
            drain(loader, first, &frames);
            const uint32_t rest = drain(loader, 5 - first, &frames);
            start(loader, 0, 0); /* another epoch is under way and dropped */
            drain(loader, first % 3, &frames);
            start(loader, 1, first);
            ck_assert_uint_eq(drain(loader, 5 - first, &frames), rest);
        }
        data_loader_destroy(loader);
    }
    drop_set(&list);
}
END_TEST

START_TEST(test_first_bad_frame_is_named)
{
    DataList list;
    make_set(&list);
    /* In list order DF/... comes first: the frames of batch 1 are list positions 5..9. */
    char name[3][4200];
    for (int i = 0; i < 3; i++) {
        snprintf(name[i], sizeof name[i], "%s", list.frames[6 + i].file);
        FILE *const file = fopen(name[i], "wb");
        fputs(i == 0 ? "P6 1 9000 255\n" : "no image", file);
        for (int k = 0; i == 0 && k < 27000; k++) /* decodes, but is too thin to resize */
            fputc('x', file);
        fclose(file);
    }
    for (int workers = 0; workers <= 4; workers++) {
        for (int tolerant = 0; tolerant < 2; tolerant++) {
            DataLoaderSettings settings = small_settings();
            settings.image_size = 224;
            settings.workers = workers;
            settings.tolerant = tolerant;
            DataLoader *const loader = create(&list, &settings);
            for (int again = 0; again < 2; again++) {
                Error error = {0};
                DataBatch batch;
                start(loader, 0, 0);
                ck_ok(data_loader_next(loader, &batch, &error), &error);
                const Status status = data_loader_next(loader, &batch, &error);
                ck_assert_int_eq(status, tolerant ? STATUS_OK : STATUS_FAILED);
                if (!tolerant) {
                    ck_assert(strstr(error.message, name[0]) &&
                              strstr(error.message, "too elongated"));
                } else {
                    ck_assert(!batch.errors[0] && batch.errors[1] && batch.errors[2] &&
                              batch.errors[3]);
                    ck_assert(strstr(batch.errors[2]->message, name[1]) && !batch.errors[4]);
                    for (size_t k = 0; k < 224 * 224 * 3; k++)
                        ck_assert_int_eq(batch.pixels[(size_t)2 * 224 * 224 * 3 + k], 0);
                }
                error_clear(&error);
                ck_ok(data_loader_next(loader, &batch, &error), &error); /* continues after it */
                ck_assert_int_eq(batch.index[0], 10);
            }
            data_loader_destroy(loader);
        }
    }
    drop_set(&list);
}
END_TEST

START_TEST(test_ends_at_bad_moments)
{
    DataList list;
    make_set(&list);
    for (int moment = 0; moment < 40; moment++) {
        DataLoaderSettings settings = small_settings();
        settings.workers = moment % 5;
        settings.prefetch = 1 + moment % 3;
        DataLoader *const loader = create(&list, &settings);
        int frames = 0;
        if (moment % 4 > 0)
            start(loader, 0, moment % 3);
        if (moment % 4 > 1)
            drain(loader, 2, &frames);
        if (moment % 4 > 2)
            start(loader, 1, 5); /* past the last batch: nothing to deliver */
        data_loader_destroy(loader);
    }
    data_loader_destroy(NULL);
    drop_set(&list);
}
END_TEST

START_TEST(test_file_lost_after_listing)
{
    DataList list;
    make_set(&list);
    ck_assert_int_eq(remove(list.frames[0].file), 0);
    DataLoaderSettings settings = small_settings();
    DataLoader *const loader = create(&list, &settings);
    Error error = {0};
    DataBatch batch;
    start(loader, 0, 0);
    ck_assert_int_eq(data_loader_next(loader, &batch, &error), STATUS_FAILED);
    ck_assert(strstr(error.message, list.frames[0].file) != NULL);
    data_loader_destroy(loader);
    drop_set(&list);
}
END_TEST

START_TEST(test_bytes)
{
    DataLoaderSettings settings = data_loader_defaults();
    settings.batch_size = 128;
    settings.prefetch = 2;
    const size_t pixels = (size_t)3 * 128 * 224 * 224 * 3, bytes = data_loader_bytes(&settings);
    ck_assert(bytes > pixels && bytes < pixels + (16 << 20));
    settings.prefetch = 3;
    ck_assert_uint_ge(data_loader_bytes(&settings), bytes + pixels / 3);
    settings.prefetch = 2;
    settings.workers = 8;
    const size_t many = data_loader_bytes(&settings);
    ck_assert_uint_gt(many, bytes);
    Error error = {0};
    ck_ok(data_augment_parse("paper", &settings.augment, &error), &error);
    const size_t frame = (size_t)512 * 512 * 3, packed = data_image_decoding_bytes(512, 512);
    ck_assert_uint_eq(packed, LNCLIP_WITH_PNG && LNCLIP_WITH_DEFLATE ? 2 * frame + 512 : frame);
    /* A file and its unpacked data have gone when pixels are augmented. */
    const size_t more = packed > 2 * frame ? 0 : 2 * frame - packed;
    ck_assert_uint_eq(data_loader_bytes(&settings), many + 8 * more);
}
END_TEST

/* ---- memory ---- */

/* A loader that was given one byte serves one frame after the other, of whatever size, in the same
 * batches. */
START_TEST(test_little_memory_changes_no_batch)
{
    DataList list;
    make_set(&list);
    DataLoaderSettings settings = small_settings();
    settings.shuffle = true;
    settings.workers = 8;
    uint32_t sums[3];
    for (int i = 0; i < 3; i++) {
        int frames = 0;
        settings.decode_bytes = (size_t[]){0, 1, 20000}[i];
        DataLoader *const loader = create(&list, &settings);
        start(loader, 1, 0);
        sums[i] = drain(loader, data_loader_batches(loader), &frames);
        ck_assert_int_eq(frames, FRAMES);
        start(loader, 2, 1); /* and it can be left while frames wait */
        data_loader_destroy(loader);
    }
    ck_assert(sums[1] == sums[0] && sums[2] == sums[0]);
    drop_set(&list);
}
END_TEST

START_TEST(test_largest_frame)
{
    DataList list;
    make_set(&list);
    data_list_free(&list);
    write_frame("FF/real/9/large.ppm", 300, 200);
    support_write_file(root, "FF/real/9/no-image.ppm", "x", 1);
    Error error = {0};
    ck_ok(data_list_read(&list, (const char *const[]){root}, 1, &error), &error);
    const DataLoaderSettings settings = small_settings();
    size_t bytes = 0;
    int frame = -1;
    ck_ok(data_loader_largest(&list, &settings, NULL, &bytes, &frame, &error), &error);
    ck_assert_ptr_nonnull(strstr(list.frames[frame].file, "large.ppm"));
    /* Its pixels, the file that is in memory with them, and the rows of the resize. */
    const size_t pixels = (size_t)300 * 200 * 3;
    ck_assert_uint_ge(bytes, 2 * pixels + 200 * 3 * SIZE);
    ck_assert_uint_le(bytes, 2 * pixels + 200 * 3 * SIZE + 100);
    drop_set(&list);
}
END_TEST

/* Beyond DATA_LOADER_HEADERS frames only some headers are read, those of the largest files among
 * them. */
START_TEST(test_largest_of_many)
{
    enum { COPIES = DATA_LOADER_HEADERS + 500 };
    support_make_folder(root);
    write_frame("small.ppm", 8, 8);
    write_frame("large.ppm", 60, 50);
    char small[8192], large[8192];
    snprintf(small, sizeof small, "%s/small.ppm", root);
    snprintf(large, sizeof large, "%s/large.ppm", root);
    static const char *paths[COPIES];
    for (int i = 0; i < COPIES; i++)
        paths[i] = i == 4097 ? large : small;
    DataList list;
    Error error = {0};
    ck_ok(data_list_paths(&list, paths, COPIES, &error), &error);
    const DataLoaderSettings settings = small_settings();
    size_t bytes = 0;
    int frame = -1;
    ck_ok(data_loader_largest(&list, &settings, NULL, &bytes, &frame, &error), &error);
    ck_assert_int_eq(frame, 4097);
    drop_set(&list);
}
END_TEST

START_TEST(test_share_of_memory)
{
    DataLoaderSettings settings = small_settings();
    settings.workers = 8;
    const size_t small = 1 << 20, large = 100 << 20, huge = (size_t)1 << 40;
    ck_assert_uint_eq(data_loader_decode_bytes(&settings, small, 1), 0);
    ck_assert_uint_eq(data_loader_decode_bytes(&settings, large, 1), large);
    ck_assert_uint_eq(data_loader_decode_bytes(&settings, large, 3 * large), 3 * large);
    ck_assert_uint_eq(data_loader_decode_bytes(&settings, large, huge), 8 * large);
    settings.decode_bytes = 0;
    const size_t without = data_loader_bytes(&settings);
    settings.decode_bytes = large;
    ck_assert_uint_eq(data_loader_bytes(&settings), without + large);
}
END_TEST

#if SUPPORT_ALLOCATIONS
/* Bytes of this process in memory at their largest. */
static size_t peak_bytes(void)
{
    char line[200];
    size_t peak = 0;
    FILE *const file = fopen("/proc/self/status", "r");
    while (file && fgets(line, sizeof line, file))
        if (strncmp(line, "VmHWM:", 6) == 0)
            peak = (size_t)strtoull(line + 6, NULL, 10) * 1024;
    if (file)
        fclose(file);
    return peak;
}

/* Eight workers with frames of 12 MB each took what eight such frames take, whatever
 * the plan said. */
START_TEST(test_large_frames_wait)
{
    enum { SIDE = 2000 };
    support_make_folder(root);
    mallopt(M_MMAP_THRESHOLD, 1 << 20); /* as the program does: freed frames are given back */
    write_frame("large.ppm", SIDE, SIDE);
    char path[8192];
    snprintf(path, sizeof path, "%s/large.ppm", root);
    const char *paths[32];
    for (int i = 0; i < 32; i++)
        paths[i] = path;
    DataList list;
    Error error = {0};
    ck_ok(data_list_paths(&list, paths, 32, &error), &error);
    DataLoaderSettings settings = small_settings();
    settings.workers = 8;
    size_t largest = 0;
    int frame = 0, frames = 0;
    ck_ok(data_loader_largest(&list, &settings, NULL, &largest, &frame, &error), &error);
    settings.decode_bytes = data_loader_decode_bytes(&settings, largest, largest);
    const size_t before = peak_bytes();
    DataLoader *const loader = create(&list, &settings);
    start(loader, 0, 0);
    drain(loader, data_loader_batches(loader), &frames);
    const size_t grown = peak_bytes() - before;
    ck_assert_int_eq(frames, 32);
    /* What write_frame took before counts for the peak: one frame and its file, too. */
    ck_assert_msg(grown < largest + (4 << 20), "grew by %zu of %zu bytes", grown, largest);
    data_loader_destroy(loader);
    drop_set(&list);
}
END_TEST
#endif

int main(void)
{
    Suite *const suite = suite_create("loader");
    TCase *const loader = support_case(suite, "loader", 120);
    tcase_add_test(loader, test_batches_do_not_depend_on_workers);
    tcase_add_test(loader, test_augmentation_does_not_depend_on_workers);
    tcase_add_test(loader, test_frame_too_small_to_augment);
    tcase_add_test(loader, test_contents);
    tcase_add_test(loader, test_repeated_frames);
    tcase_add_test(loader, test_blends);
    tcase_add_test(loader, test_order_that_cannot_be);
    tcase_add_test(loader, test_resume_and_restart);
    tcase_add_test(loader, test_first_bad_frame_is_named);
    tcase_add_test(loader, test_ends_at_bad_moments);
    tcase_add_test(loader, test_file_lost_after_listing);
    tcase_add_test(loader, test_bytes);
    TCase *const memory = support_case(suite, "memory", 120);
    tcase_add_test(memory, test_little_memory_changes_no_batch);
    tcase_add_test(memory, test_largest_frame);
    tcase_add_test(memory, test_largest_of_many);
    tcase_add_test(memory, test_share_of_memory);
#if SUPPORT_ALLOCATIONS
    tcase_add_test(memory, test_large_frames_wait);
#endif
    return support_main(suite);
}
