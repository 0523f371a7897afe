/*
 * test_train_golden.c - twelve training steps against PyTorch (tests/golden/make_train.py).
 */
#include "tests/splitmix.h"
#include "tests/support_folder.h"
#include "tests/support_image.h"
#include "tests/support_train.h"

#include "data/image/image.h"
#include "tensor/base/file.h"
#include "tensor/safetensors.h"

#include <math.h>
#include <string.h>

enum { FRAMES = 14, SIZE = 32, STEPS = 12, COLUMNS = 6 };
static const unsigned labels = 0x2D32; /* bit f: frame f is fake; 0b10110100110010 */

/* Frame f: bytes of SplitMix64 seeded with 1000 + f; the names keep their order when sorted. */
static void write_frames(void)
{
    Error error = {0};
    FILE *const list = fopen(support_in_folder("train.txt"), "w");
    ck_assert_ptr_nonnull(list);
    for (unsigned frame = 0; frame < FRAMES; frame++) {
        char name[64];
        DataImage image;
        uint64_t random = 1000 + frame;
        ck_ok(data_image_create(&image, SIZE, SIZE, &error), &error);
        for (int i = 0; i < SIZE * SIZE * 3; i++)
            image.pixels[i] = (uint8_t)(splitmix(&random) >> 56);
        snprintf(name, sizeof name, "f%02u/%s/v", frame, labels >> frame & 1 ? "fake" : "real");
        ck_ok(file_make_folders(support_in_folder(name), &error), &error);
        strcat(name, "/0.png");
        support_write_image(support_in_folder(name), &image);
        fprintf(list, "%s\n", name);
        data_image_free(&image);
    }
    fclose(list);
}

/*
 * The head of make_train.py: U(-1/sqrt(D), 1/sqrt(D)) with 24 bits, from SplitMix64 seeded with 7.
 */
static void draw_head(VitHead *head, int width)
{
    uint64_t random = 7;
    const double bound = 1 / sqrt(width);
    for (int i = 0; i < VIT_CLASSES * width + VIT_CLASSES; i++) {
        const double uniform = (double)(splitmix(&random) >> 40) / (1 << 24);
        float *const values =
            i < VIT_CLASSES * width ? tensor_f32(&head->weight) : tensor_f32(&head->bias);
        values[i < VIT_CLASSES * width ? i : i - VIT_CLASSES * width] =
            (float)(bound * (2 * uniform - 1));
    }
}

/* Each row of steps.csv against PyTorch's: lr, loss, its parts, gradient norm. */
static void check_steps(const SafeTensors *golden)
{
    Error error = {0};
    double expected[STEPS][COLUMNS];
    const SafeTensor *const tensor = safetensors_find(golden, "steps");
    ck_assert_ptr_nonnull(tensor);
    ck_assert_uint_eq(tensor->bytes, sizeof expected);
    memcpy(expected, tensor->data, sizeof expected);
    char *content = NULL;
    size_t size = 0;
    ck_ok(file_read(support_in_folder("run/steps.csv"), 1 << 20, &content, &size, &error), &error);
    const char *line = strchr(content, '\n') + 1;
    for (int step = 0; step < STEPS; step++, line = strchr(line, '\n') + 1) {
        int read = -1, epoch = -1;
        double row[COLUMNS];
        ck_assert_int_eq(sscanf(line, "%d,%d,%lf,%lf,%lf,%lf,%lf,%lf", &read, &epoch, &row[0],
                                &row[1], &row[2], &row[3], &row[4], &row[5]),
                         8);
        ck_assert_int_eq(read, step);
        ck_assert_int_eq(epoch, step / 4 + 1);
        ck_assert_double_eq_tol(row[0], expected[step][0], 1e-12);
        for (int i = 1; i < COLUMNS; i++) {
            const double tolerance = 1e-4 * fmax(fabs(expected[step][i]), 0.01);
            ck_assert_msg(fabs(row[i] - expected[step][i]) <= tolerance,
                          "step %d, column %d: %.9g, PyTorch has %.9g", step, i, row[i],
                          expected[step][i]);
        }
    }
    free(content);
}

/* How far each trained tensor moved, against how far PyTorch moved it. */
static void check_changes(const SafeTensors *golden, const VitTuned *tuned)
{
    int compared = 0;
    for (int i = 0; i < tuned->entry_count; i++) {
        const VitTunedEntry *const entry = &tuned->entries[i];
        const char *name = strstr(entry->name, "vision_model.");
        char key[160];
        snprintf(key, sizeof key, "change/%s", name ? name : strrchr(entry->name, '.') + 1);
        const SafeTensor *const expected = safetensors_find(golden, key);
        ck_assert_msg(expected && expected->bytes == entry->count * sizeof(float), "%s", key);
        float *const change = malloc(2 * entry->count * sizeof(float));
        float *const wanted = change + entry->count;
        memcpy(wanted, expected->data, expected->bytes);
        for (size_t j = 0; j < entry->count; j++)
            change[j] = tuned->values[entry->offset + j] - tuned->base[entry->offset + j];
        const double off = support_relative_error(change, wanted, entry->count);
        ck_assert_msg(off <= 1e-3, "%s: moved with a relative error of %.3g", key, off);
        free(change);
        compared++;
    }
    ck_assert_int_eq(compared, safetensors_count(golden) - 1); /* beside "steps" */
}

START_TEST(twelve_steps_are_those_of_pytorch)
{
    Error error = {0};
    char path[4096];
    write_frames();
    const char *const lists[1] = {support_in_folder("train.txt")};
    const char *const settings[][2] = {
        {"batch_size", "4"},      {"epochs", "3"},
        {"slerp", "off"},         {"shuffle", "off"},
        {"augment", "off"},       {"loss.alignment", "0.1"},
        {"weight_decay", "0.01"}, {"loss.uniformity", "0.5"},
        {"micro_batch", "3"},     {"precision", "f32"},
    };
    TrainRecipe recipe;
    ck_ok(train_recipe_named(&recipe, "paper", &error), &error);
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++)
        ck_ok(train_recipe_set(&recipe, settings[i][0], settings[i][1], &error), &error);
    DataList list;
    Threads *threads = NULL;
    Vit *vit = NULL;
    VitHead head;
    VitTuned *tuned = NULL;
    ck_ok(data_list_read(&list, lists, 1, &error), &error);
    ck_ok(threads_create(&threads, 2, &error), &error);
    support_golden(path, "vit_model.safetensors");
    ck_ok(vit_load(&vit, path, threads, &error), &error);
    ck_ok(vit_head_create(&head, recipe.head, vit->config.width, 0, &error), &error);
    draw_head(&head, vit->config.width);
    ck_ok(vit_tune(&tuned, vit, &head, "ln", 0, &error), &error);
    const TrainJob job = {
        .vit = vit,
        .head = &head,
        .tuned = tuned,
        .recipe = &recipe,
        .train = &list,
        .folder = support_in_folder("run"),
        .threads = threads,
    };
    TrainResult result;
    ck_ok(train_run(&job, &result, &error), &error);
    ck_assert_int_eq((int)result.steps_done, STEPS);

    SafeTensors *golden = NULL;
    support_golden(path, "train.safetensors");
    ck_ok(safetensors_open(&golden, path, &error), &error);
    check_steps(golden);
    check_changes(golden, tuned);
    safetensors_close(golden);
    vit_tuned_destroy(tuned);
    vit_head_destroy(&head);
    vit_destroy(vit);
    threads_destroy(threads);
    data_list_free(&list);
}
END_TEST

static Suite *suite(void)
{
    Suite *const suite = suite_create("train_golden");
    TCase *const golden = support_case(suite, "against PyTorch", 60);
    tcase_add_checked_fixture(golden, support_folder_setup, support_folder_teardown);
    tcase_add_test(golden, twelve_steps_are_those_of_pytorch);
    return suite;
}

int main(void)
{
    return support_main(suite());
}
