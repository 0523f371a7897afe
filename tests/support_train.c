/*
 * support_train.c - see support_train.h.
 */
#include "tests/support_train.h"

#include "data/image/image.h"
#include "tensor/base/file.h"
#include "tensor/random.h"
#include "tests/support_image.h"

#include <stdio.h>
#include <string.h>

VitConfig support_tiny_config(void)
{
    Error error = {0};
    VitConfig config;
    ck_ok(vit_config_named("tiny", &config, &error), &error);
    config.image_size = 32;
    config.patch_size = 16;
    config.width = 32;
    config.layers = 2;
    config.heads = 2;
    config.mlp = 64;
    return config;
}

/* Noise on a colour that depends weakly on the label. */
static void write_frame(const char *path, int label, uint32_t frame, int size)
{
    Error error = {0};
    DataImage image;
    ck_ok(data_image_create(&image, size, size, &error), &error);
    Random random = random_stream(1, RANDOM_TEST, frame, (uint32_t)label);
    for (int i = 0; i < size * size * 3; i++)
        image.pixels[i] = (uint8_t)(random_below(&random, 200) + (label && i % 3 == 0 ? 40U : 10U));
    support_write_image(path, &image);
    data_image_free(&image);
}

void support_write_frames(const char *folder, int videos, int frames, int size)
{
    Error error = {0};
    char path[8192], list[2][8192];
    snprintf(list[0], sizeof list[0], "%s/train.txt", folder);
    snprintf(list[1], sizeof list[1], "%s/val.txt", folder);
    FILE *const streams[2] = {fopen(list[0], "w"), fopen(list[1], "w")};
    ck_assert(streams[0] && streams[1]);
    for (int label = 0; label < 2; label++) {
        for (int video = 0; video < videos; video++) {
            snprintf(path, sizeof path, "%s/data/%s/v%02d", folder, label ? "fake" : "real", video);
            ck_ok(file_make_folders(path, &error), &error);
            for (int frame = 0; frame < frames; frame++) {
                const uint32_t number = (uint32_t)(video * frames + frame);
                snprintf(path, sizeof path, "%s/data/%s/v%02d/%03d.png", folder,
                         label ? "fake" : "real", video, frame);
                write_frame(path, label, number, size);
                fprintf(streams[video == videos - 1], "data/%s/v%02d/%03d.png\n",
                        label ? "fake" : "real", video, frame);
            }
        }
    }
    fclose(streams[0]);
    fclose(streams[1]);
}

static void apply_settings(TrainRecipe *recipe, const char *settings)
{
    Error error = {0};
    char text[1024];
    snprintf(text, sizeof text, "%s", settings);
    for (char *word = strtok(text, " "); word; word = strtok(NULL, " ")) {
        char *const equals = strchr(word, '=');
        ck_assert_ptr_nonnull(equals);
        *equals = '\0';
        ck_ok(train_recipe_set(recipe, word, equals + 1, &error), &error);
    }
}

static void read_list(DataList *list, const char *folder, const char *name)
{
    Error error = {0};
    char path[8192];
    const char *const paths[1] = {path};
    snprintf(path, sizeof path, "%s/%s", folder, name);
    ck_ok(data_list_read(list, paths, 1, &error), &error);
}

void support_job_open(SupportJob *job, const char *folder, const char *run, const VitConfig *config,
                      const char *settings)
{
    static char run_folder[8192];
    Error error = {0};
    *job = (SupportJob){0};
    ck_ok(train_recipe_named(&job->recipe, "paper", &error), &error);
    apply_settings(&job->recipe,
                   "batch_size=6 epochs=2 memory=2 save_every=0 threads=1 workers=1 precision=f32");
    if (!LNCLIP_WITH_JPEG)
        apply_settings(&job->recipe, "augment=flip");
    apply_settings(&job->recipe, settings);
    ck_ok(threads_create(&job->threads, job->recipe.threads, &error), &error);
    ck_ok(vit_create(&job->vit, config, 3, job->threads, &error), &error);
    ck_ok(vit_head_create(&job->head, job->recipe.head, config->width, job->recipe.seed, &error),
          &error);
    ck_ok(vit_tune(&job->tuned, job->vit, &job->head, job->recipe.tune, job->recipe.seed, &error),
          &error);
    vit_tune_set_alpha(job->vit, job->recipe.lora_alpha);
    read_list(&job->train, folder, "train.txt");
    read_list(&job->val, folder, "val.txt");
    snprintf(run_folder, sizeof run_folder, "%s/%s", folder, run ? run : "");
    job->job = (TrainJob){
        .vit = job->vit,
        .head = &job->head,
        .tuned = job->tuned,
        .recipe = &job->recipe,
        .train = &job->train,
        .val = &job->val,
        .folder = run ? run_folder : NULL,
        .threads = job->threads,
    };
}

void support_job_close(SupportJob *job)
{
    data_list_free(&job->val);
    data_list_free(&job->train);
    vit_tuned_destroy(job->tuned);
    vit_head_destroy(&job->head);
    vit_destroy(job->vit);
    threads_destroy(job->threads);
    *job = (SupportJob){0};
}
