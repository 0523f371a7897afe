/*
 * test_event_file.c - TensorBoard's event files: checksums against RFC 3720, records read back by a
 * reader of the test's own, and what resume cuts.
 */
#include "tests/support_folder.h"
#include "tests/support_train.h"

#include "tensor/base/file.h"
#include "train/run/event_file.h"

#include <math.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { MOST = 256 };

/* One scalar of a file. */
typedef struct Scalar {
    int64_t step;
    char tag[48];
    float value;
} Scalar;

typedef struct Scalars {
    Scalar items[MOST];
    int count;
    int records; /* also those without scalars */
    char version[32];
} Scalars;

/* ---- a reader of
 * its own ---------------------------------------------------------------------- */

static uint64_t little_endian(const unsigned char *at, int bytes)
{
    return bytes == 0 ? 0 : at[0] | little_endian(at + 1, bytes - 1) << 8;
}

static uint64_t varint(const unsigned char **at)
{
    const unsigned char byte = *(*at)++;
    return byte < 128 ? byte : (byte & 127) | varint(at) << 7;
}

static void read_summary(Scalars *out, int64_t step, const unsigned char *at,
                         const unsigned char *end)
{
    while (at < end) {
        ck_assert_int_eq(*at++, 0x0a); /* Value */
        const unsigned char *const value_end = at + 1 + *at;
        at++;
        Scalar *const scalar = &out->items[out->count++];
        ck_assert_int_le(out->count, MOST);
        ck_assert_int_eq(*at++, 0x0a); /* tag */
        const int length = *at++;
        memcpy(scalar->tag, at, (size_t)length);
        scalar->tag[length] = '\0';
        at += length;
        ck_assert_int_eq(*at++, 0x15); /* simple_value */
        const uint32_t bits = (uint32_t)little_endian(at, 4);
        memcpy(&scalar->value, &bits, 4);
        scalar->step = step;
        at += 4;
        ck_assert(at == value_end);
    }
}

static void read_record(Scalars *out, const unsigned char *at, const unsigned char *end)
{
    double now;
    int64_t step = 0;
    ck_assert_int_eq(*at, 0x09); /* wall_time */
    const uint64_t bits = little_endian(at + 1, 8);
    memcpy(&now, &bits, 8);
    ck_assert(fabs(now - (double)time(NULL)) < 1000);
    for (at += 9; at < end;) {
        const int key = *at++;
        if (key == 0x10) {
            step = (int64_t)varint(&at);
            continue;
        }
        const uint64_t length = varint(&at);
        ck_assert_uint_le(length, (uint64_t)(end - at));
        if (key == 0x1a)
            snprintf(out->version, sizeof out->version, "%.*s", (int)length, (const char *)at);
        else
            ck_assert_int_eq(key, 0x2a); /* summary */
        if (key == 0x2a)
            read_summary(out, step, at, at + length);
        at += length;
    }
    ck_assert(at == end);
}

static void read_events(const char *path, Scalars *out)
{
    Error error = {0};
    char *content = NULL;
    size_t size = 0;
    memset(out, 0, sizeof *out);
    ck_ok(file_read(path, (size_t)1 << 20, &content, &size, &error), &error);
    const unsigned char *at = (const unsigned char *)content;
    const unsigned char *const end = at + size;
    while (at < end) {
        ck_assert_int_ge(end - at, 16);
        const uint64_t length = little_endian(at, 8);
        ck_assert_uint_le(length, (uint64_t)(end - at) - 16);
        ck_assert_uint_eq(little_endian(at + 8, 4), train_event_masked(train_event_crc32c(at, 8)));
        ck_assert_uint_eq(little_endian(at + 12 + length, 4),
                          train_event_masked(train_event_crc32c(at + 12, length)));
        read_record(out, at + 12, at + 12 + length);
        out->records++;
        at += 16 + length;
    }
    free(content);
}

/* ---- the
 * file alone ---------------------------------------------------------------------------- */

START_TEST(checksums_of_rfc_3720)
{
    unsigned char bytes[32];
    memset(bytes, 0, 32);
    ck_assert_uint_eq(train_event_crc32c(bytes, 32), 0x8a9136aa);
    memset(bytes, 0xff, 32);
    ck_assert_uint_eq(train_event_crc32c(bytes, 32), 0x62a8ab43);
    for (int i = 0; i < 32; i++)
        bytes[i] = (unsigned char)i;
    ck_assert_uint_eq(train_event_crc32c(bytes, 32), 0x46dd794e);
    for (int i = 0; i < 32; i++)
        bytes[i] = (unsigned char)(31 - i);
    ck_assert_uint_eq(train_event_crc32c(bytes, 32), 0x113fdb5c);
    const unsigned char command[48] = {
        0x01, 0xc0, [16] = 0x14, [22] = 0x04, [27] = 0x14, [31] = 0x18, [32] = 0x28, [40] = 0x02};
    ck_assert_uint_eq(train_event_crc32c(command, 48), 0xd9963a56);
    ck_assert_uint_eq(train_event_crc32c("123456789", 9), 0xe3069283);
    ck_assert_uint_eq(train_event_masked(0), 0xa282ead8);
    ck_assert_uint_eq(train_event_masked(0x00018000), 0xa282ead8 + 3);
}
END_TEST

/* A file of `steps` steps, with the record of an epoch after every second one. */
static void write_file(const char *path, int steps)
{
    Error error = {0};
    FILE *stream = NULL;
    ck_ok(train_event_file_open(&stream, path, &error), &error);
    for (int step = 0; step < steps; step++) {
        const TrainEventValue values[] = {
            {"loss/total", 0.5 + step}, {"lost", NAN}, {"lr", 1e-5 * step}};
        train_event_file_write(stream, step, values, 3);
        if (step % 2 == 0)
            continue;
        const TrainEventValue epoch[] = {{TRAIN_EVENT_EPOCH, (double)(step / 2 + 1)},
                                         {"val/loss", 7}};
        train_event_file_write(stream, step + 1, epoch, 2);
    }
    fclose(stream);
}

START_TEST(what_is_written_is_read)
{
    static Scalars scalars;
    const char *const path = support_in_folder("events");
    write_file(path, 200); /* steps of one and of two bytes */
    /* 200 steps would be more scalars than the reader holds: cut most of them. */
    Error error = {0};
    ck_ok(train_event_file_cut(path, 100, 0, &error), &error);
    read_events(path, &scalars);
    ck_assert_str_eq(scalars.version, "brain.Event:2");
    ck_assert_int_eq(scalars.records, 101);
    ck_assert_int_eq(scalars.count, 200); /* NaN is left out */
    ck_assert_str_eq(scalars.items[6].tag, "loss/total");
    ck_assert(scalars.items[6].value == 3.5F && scalars.items[6].step == 3);
    ck_assert_str_eq(scalars.items[199].tag, "lr");
    ck_assert(scalars.items[199].value == (float)(1e-5 * 99) && scalars.items[199].step == 99);

    unlink(path);
    FILE *stream = NULL;
    ck_ok(train_event_file_open(&stream, path, &error), &error);
    train_event_file_write(stream, 300, &(TrainEventValue){"x", -1}, 1);
    fclose(stream);
    read_events(path, &scalars);
    ck_assert(scalars.count == 1 && scalars.items[0].step == 300);
}
END_TEST

START_TEST(cutting_knows_steps_and_epochs)
{
    static Scalars scalars;
    const char *const path = support_in_folder("events");
    Error error = {0};
    ck_ok(train_event_file_cut(path, 3, 1, &error), &error); /* none there: fine */
    ck_assert(!file_exists(path));
    write_file(path, 6);
    ck_ok(train_event_file_cut(path, 4, 1, &error), &error);
    read_events(path, &scalars);
    /* Step 4 is done, but epoch 1, whose record says step 4 too, was not closed. */
    ck_assert_int_eq(scalars.records, 1 + 4 + 1);
    ck_assert_str_eq(scalars.items[scalars.count - 1].tag, "lr");
    ck_assert_int_eq((int)scalars.items[scalars.count - 1].step, 3);
    struct stat before, after;
    stat(path, &before);
    ck_ok(train_event_file_cut(path, 4, 2, &error), &error);
    stat(path, &after);
    ck_assert_int_eq((int)before.st_ino, (int)after.st_ino); /* nothing newer: left alone */
}
END_TEST

START_TEST(any_end_that_was_cut_off_is_cut)
{
    static Scalars scalars;
    const char *const path = support_in_folder("events");
    Error error = {0};
    char *content = NULL;
    size_t size = 0;
    write_file(path, 5);
    ck_ok(train_event_file_cut(path, 4, 9, &error), &error);
    ck_ok(file_read(path, 1 << 20, &content, &size, &error), &error);
    const size_t whole = size;
    free(content);
    unlink(path);
    write_file(path, 5);
    ck_ok(file_read(path, 1 << 20, &content, &size, &error), &error);
    for (size_t end = whole; end < size; end++) {
        ck_ok(file_write(path, content, end, &error), &error);
        ck_ok(train_event_file_cut(path, 4, 9, &error), &error);
        read_events(path, &scalars);
        ck_assert_int_eq(scalars.records, 1 + 4 + 2);
    }
    /* Damage before the last step that counts is told; in a record that is not counted
     * it is not. */
    for (size_t at = 60; at < size; at += 7) {
        char *const damaged = malloc(size);
        memcpy(damaged, content, size);
        damaged[at] = (char)(damaged[at] ^ 0x10);
        ck_ok(file_write(path, damaged, size, &error), &error);
        const Status status = train_event_file_cut(path, 5, 9, &error);
        ck_assert_int_eq(status, STATUS_FAILED);
        ck_assert_ptr_nonnull(strstr(error.message, "damaged"));
        error_clear(&error);
        ck_ok(train_event_file_cut(path, 0, 0, &error), &error);
        free(damaged);
    }
    free(content);
}
END_TEST

/* ----
 * a run ------------------------------------------------------------------------------------- */

static int64_t stop_after;
static volatile sig_atomic_t stop;

static void watch(void *context, const TrainEvent *event)
{
    (void)context;
    if (event->kind == TRAIN_STEP_DONE && event->progress->step == stop_after)
        stop = 1;
}

static void train(const char *run, const char *settings, bool resume, int64_t stop_at)
{
    const VitConfig config = support_tiny_config();
    SupportJob job;
    TrainResult result;
    Error error = {0};
    stop_after = stop_at;
    stop = 0;
    support_job_open(&job, support_in_folder(""), run, &config, settings);
    job.job.resume = resume;
    job.job.stop = &stop;
    job.job.event = watch;
    const Status status = train_run(&job.job, &result, &error);
    ck_assert_msg(status == (stop_at > 0 ? STATUS_INTERRUPTED : STATUS_OK), "%s", error.message);
    support_job_close(&job);
}

START_TEST(a_resumed_run_has_the_events_of_a_whole_one)
{
    static Scalars whole, parts;
    const char *const on = "log.tensorboard=on epochs=2 batch_size=4";
    support_write_frames(support_in_folder(""), 3, 2, 40);
    train("whole", on, false, 0);
    train("parts", on, false, 2);
    /* As after a crash: newer records, and the beginning of one. */
    const char *const path = support_in_folder("parts/events.out.tfevents.lnclip");
    FILE *const stream = fopen(path, "ae");
    train_event_file_write(stream, 2, &(TrainEventValue){"loss/total", 99}, 1);
    fwrite("\30\0\0\0\0", 1, 5, stream);
    fclose(stream);
    train("parts", on, true, 3);
    train("parts", on, true, 0);
    read_events(support_in_folder("whole/events.out.tfevents.lnclip"), &whole);
    read_events(path, &parts);
    ck_assert_int_eq(whole.records, 1 + 4 + 2);
    ck_assert_int_eq(whole.records, parts.records);
    ck_assert_int_eq(whole.count, parts.count);
    for (int i = 0; i < whole.count; i++) {
        ck_assert_str_eq(whole.items[i].tag, parts.items[i].tag);
        ck_assert_int_eq((int)whole.items[i].step, (int)parts.items[i].step);
        if (strcmp(whole.items[i].tag, "images_per_second") != 0)
            ck_assert(whole.items[i].value == parts.items[i].value);
    }
    train("off", "epochs=1 batch_size=4", false, 0);
    ck_assert(!file_exists(support_in_folder("off/events.out.tfevents.lnclip")));
    train("off", "log.tensorboard=on epochs=1 batch_size=4", true, 0); /* may change on resume */
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("event_file");
    TCase *const files = support_case(suite, "files", 60);
    tcase_add_checked_fixture(files, support_folder_setup, support_folder_teardown);
    tcase_add_test(files, checksums_of_rfc_3720);
    tcase_add_test(files, what_is_written_is_read);
    tcase_add_test(files, cutting_knows_steps_and_epochs);
    tcase_add_test(files, any_end_that_was_cut_off_is_cut);
    tcase_add_test(files, a_resumed_run_has_the_events_of_a_whole_one);
    return support_main(suite);
}
