/*
 * test_video.c - frames of videos: values, counts, choice, refusals. tests/check_long_faces.sh
 * compares whole videos of many formats with OpenCV: `test_video dump VIDEO OUT` writes all frames.
 */
#include "data/faces/video.h"
#include "tensor/base/file.h"
#include "tests/support.h"
#include "tests/support_image.h"

#include <string.h>

/* The first of equally long gaps, its middle, and so on. */
START_TEST(gap_order)
{
    static const int TEN[] = {5, 2, 8, 1, 4, 7, 0, 3, 6, 9};
    int order[1000];
    bool seen[1000] = {false};
    Error error = {0};
    ck_ok(data_video_gap_order(10, order, &error), &error);
    ck_assert_mem_eq(order, TEN, sizeof TEN);
    ck_ok(data_video_gap_order(1, order, &error), &error);
    ck_assert_int_eq(order[0], 0);
    ck_ok(data_video_gap_order(1000, order, &error), &error);
    for (int i = 0; i < 1000; i++) {
        ck_each(!seen[order[i]], "%d twice", order[i]);
        seen[order[i]] = true;
    }
}
END_TEST

static void refused(const char *path, const char *key)
{
    DataVideo *video;
    Error error = {0};
    ck_assert_int_eq(data_video_open(&video, path, 1, &error), STATUS_FAILED);
    ck_assert_ptr_null(video);
    ck_assert_msg(strstr(error.message, key), "'%s' lacks '%s'", error.message, key);
}

#if LNCLIP_WITH_AV

/* True if the frame differs by at most 3, which FFmpeg's code without vectors may do. */
static void check_frame(const DataImage *frame, const DataImage *golden, int at)
{
    ck_assert_int_eq(frame->width, golden->width / 3);
    ck_assert_int_eq(frame->height, golden->height);
    for (int y = 0; y < frame->height; y++)
        for (int x = 0; x < 3 * frame->width; x++) {
            const int a = frame->pixels[3 * y * frame->width + x];
            const int b = golden->pixels[3 * (y * golden->width + at * frame->width) + x];
            ck_each(abs(a - b) <= 3, "byte %d of row %d: %d, expected %d", x, y, a, b);
        }
}

START_TEST(frames)
{
    static const int FRAMES[] = {0, 4, 9};
    char path[4096];
    Error error = {0};
    DataImage golden, frame;
    support_golden(path, "faces_video.png");
    ck_ok(data_image_read(path, &golden, &error), &error);
    support_golden(path, "faces.mp4");
    for (int threads = 1; threads <= 2; threads++) {
        DataVideo *video;
        bool end = false;
        int found = 0;
        ck_ok(data_video_open(&video, path, threads, &error), &error);
        ck_assert_int_eq(data_video_count(video), 10);
        while (!end) {
            const int at = data_video_position(video);
            const bool wanted = found < 3 && at == FRAMES[found];
            ck_ok(data_video_next(video, wanted, &frame, &end, &error), &error);
            ck_assert((frame.pixels != NULL) == (wanted && !end));
            if (frame.pixels)
                check_frame(&frame, &golden, found++);
            data_image_free(&frame);
        }
        ck_assert_int_eq(found, 3);
        ck_assert_int_eq(data_video_position(video), 10);
        ck_assert_int_eq(data_video_damaged(video), 0);
        data_video_close(video);
    }
    data_image_free(&golden);
    ck_assert_ptr_nonnull(strstr(data_video_decoders(), "libavcodec "));
}
END_TEST

/* Bytes that are damaged or missing: an error, or fewer frames. */
START_TEST(damage)
{
    char path[4096], folder[4096], *bytes;
    size_t size;
    Error error = {0};
    support_golden(path, "faces.mp4");
    ck_ok(file_read(path, 1 << 20, &bytes, &size, &error), &error);
    support_make_folder(folder);
    snprintf(path, sizeof path, "%.4000s/x.mp4", folder);
    for (int trial = 0; trial < 60; trial++) {
        const size_t length = trial < 20 ? size * trial / 20 : size;
        char *copy = malloc(size);
        memcpy(copy, bytes, size);
        for (int i = 0; i < trial - 19; i++)
            copy[(trial * 7919 + i * 104729) % size] ^= (char)(1 + trial * i);
        support_write_file(folder, "x.mp4", copy, length);
        free(copy);
        DataVideo *video;
        if (data_video_open(&video, path, 1, &error) != STATUS_OK) {
            ck_assert_ptr_nonnull(strstr(error.message, "x.mp4: "));
            continue;
        }
        bool end = false;
        while (!end && data_video_position(video) < 100) {
            DataImage frame;
            if (data_video_next(video, true, &frame, &end, &error) != STATUS_OK)
                break;
            data_image_free(&frame);
        }
        data_video_close(video);
    }
    free(bytes);
    support_write_file(folder, "x.mp4", "just text\n", 10);
    refused(path, "not a video");
    support_write_file(folder, "x.mp4", "", 0);
    refused(path, "not a video");
    static const char PLAYLIST[] = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n/etc/passwd\n";
    support_write_file(folder, "x.mp4", PLAYLIST, sizeof PLAYLIST - 1);
    refused(path, "not a video");
    static const char CONCAT[] = "ffconcat version 1.0\nfile /etc/passwd\n";
    support_write_file(folder, "x.mp4", CONCAT, sizeof CONCAT - 1);
    refused(path, "not a video");
    refused("missing.mp4", "missing.mp4");
    support_remove_folder(folder);
}
END_TEST

#else

START_TEST(without_av)
{
    refused("missing.mp4", "WITH_AV=1");
    ck_assert_str_eq(data_video_decoders(), "none");
}
END_TEST

#endif

/* Writes the pixels of all frames to a file. */
static int dump(const char *path, const char *out)
{
    DataVideo *video;
    DataImage frame;
    Error error = {0};
    bool end = false;
    FILE *file = fopen(out, "wb");
    if (!file || data_video_open(&video, path, 2, &error) != STATUS_OK)
        return 1;
    while (!end && data_video_next(video, true, &frame, &end, &error) == STATUS_OK) {
        if (!end)
            fwrite(frame.pixels, 3, (size_t)frame.width * frame.height, file);
        data_image_free(&frame);
    }
    data_video_close(video);
    return fclose(file) != 0 || !end;
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "dump") == 0)
        return dump(argv[2], argv[3]);
    Suite *const suite = suite_create("video");
    TCase *const all = support_case(suite, "video", 120);
    tcase_add_test(all, gap_order);
#if LNCLIP_WITH_AV
    tcase_add_test(all, frames);
    tcase_add_test(all, damage);
#else
    tcase_add_test(all, without_av);
#endif
    return support_main(suite);
}
