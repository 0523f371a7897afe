/*
 * test_recipe.c - recipes: what they hold, how they are read and printed, what they refuse.
 */
#include "tests/support.h"

#include "tensor/base/file.h"
#include "tensor/base/number.h"
#include "train/metrics/metrics.h"
#include "train/recipe.h"
#include "train/recipe_synonyms.h"

#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static TrainRecipe named(const char *name)
{
    TrainRecipe recipe;
    Error error = {0};
    ck_ok(train_recipe_named(&recipe, name, &error), &error);
    return recipe;
}

/* The keys of the command line's contract, all of which must be there. */
static const char *const contract[] = {"batch_size",
                                       "micro_batch",
                                       "memory",
                                       "epochs",
                                       "max_steps",
                                       "lr",
                                       "min_lr",
                                       "scheduler",
                                       "cycle_epochs",
                                       "warmup_epochs",
                                       "drop_last",
                                       "optimizer",
                                       "beta1",
                                       "beta2",
                                       "weight_decay",
                                       "grad_clip",
                                       "head",
                                       "loss.ce",
                                       "slerp",
                                       "slerp.min",
                                       "slerp.max",
                                       "loss.label_smoothing",
                                       "loss.alignment",
                                       "tune",
                                       "lora.alpha",
                                       "lora.dropout",
                                       "precision",
                                       "loss.uniformity",
                                       "seed",
                                       "threads",
                                       "workers",
                                       "shuffle",
                                       "pairs",
                                       "augment",
                                       "frames",
                                       "monitor",
                                       "early_stopping",
                                       "save_every",
                                       "keep",
                                       "sampling",
                                       "data.sbi",
                                       "sam.rho",
                                       "sam.adaptive",
                                       "ema",
                                       "val_frames",
                                       "log.tensorboard",
                                       "frame_choice",
                                       "limit",
                                       "val_limit",
                                       "augment.flip",
                                       "augment.rotation",
                                       "augment.translation",
                                       "augment.scale_min",
                                       "augment.scale_max",
                                       "augment.blur",
                                       "augment.blur_width",
                                       "augment.blur_height",
                                       "augment.blur_sigma_min",
                                       "augment.blur_sigma_max",
                                       "augment.brightness",
                                       "augment.contrast",
                                       "augment.jpeg_min",
                                       "augment.jpeg_max",
                                       "augment.resize",
                                       "augment.noise"};

enum { CONTRACT = sizeof contract / sizeof contract[0] };

START_TEST(keys_of_the_contract)
{
    int count = 0;
    while (train_recipe_key(count))
        count++;
    ck_assert_int_eq(count, CONTRACT);
    const TrainRecipe recipe = named("paper");
    char value[TRAIN_TEXT_SIZE];
    for (int i = 0; i < CONTRACT; i++) {
        train_recipe_get(&recipe, contract[i], value); /* asserts that the key is there */
        ck_assert_msg(value[0] != '\0', "%s", contract[i]);
    }
}
END_TEST

/* Asserts that two recipes differ in these keys, each followed by a space, and in no other. */
static void differ_in(const TrainRecipe *a, const TrainRecipe *b, const char *keys)
{
    char found[512] = "", left[TRAIN_TEXT_SIZE], right[TRAIN_TEXT_SIZE];
    for (int i = 0; train_recipe_key(i); i++) {
        train_recipe_get(a, train_recipe_key(i), left);
        train_recipe_get(b, train_recipe_key(i), right);
        if (strcmp(left, right) != 0)
            strcat(strcat(found, train_recipe_key(i)), " ");
    }
    ck_assert_str_eq(found, keys);
}

/* No synonym is a key or has two rows, and every key it names exists. */
START_TEST(synonyms_name_keys)
{
    TrainRecipe recipe = named("paper");
    char value[TRAIN_TEXT_SIZE];
    for (int i = 0; train_synonym_row(i); i++) {
        const TrainSynonym *row = train_synonym_row(i);
        ck_assert_ptr_eq(train_synonym(row->word), row);
        for (int k = 0; train_recipe_key(k); k++)
            ck_assert_str_ne(train_recipe_key(k), row->word);
        ck_assert_msg(!row->name != !row->help, "%s", row->word);
        if (row->name && row->name[0] != '-')
            train_recipe_get(&recipe, row->name, value); /* asserts that the key exists */
    }
}
END_TEST

START_TEST(changes_of_a_recipe)
{
    TrainRecipe gend = named("gend");
    Error error = {0};
    ck_assert_int_eq(train_recipe_set(&gend, "seed", "3", &error), STATUS_OK);
    ck_assert_int_eq(train_recipe_set(&gend, "lr", "1e-3", &error), STATUS_OK);
    char *text = NULL;
    size_t size = 0;
    FILE *const stream = open_memstream(&text, &size);
    train_recipe_print_changes(&gend, stream);
    fclose(stream);
    ck_assert_str_eq(text, " lr=0.001 seed=3");
    free(text);
}
END_TEST

/* The published settings: arXiv 2503.19683 and 2508.06248. */
START_TEST(built_in_recipes)
{
    const TrainRecipe paper = named("paper"), released = named("released"), gend = named("gend");
    const TrainRecipe probe = named("probe"), norm = named("probe-norm"), cpu = named("cpu");
    ck_assert(paper.batch_size == 128 && paper.epochs == 10 && paper.lr == 8e-5 &&
              paper.min_lr == 5e-5);
    ck_assert(paper.scheduler == TRAIN_SCHEDULER_COSINE && paper.warmup_epochs == 0 &&
              !paper.drop_last);
    ck_assert(paper.optimizer == TRAIN_OPTIMIZER_ADAMW && paper.beta1 == 0.9 &&
              paper.beta2 == 0.999);
    ck_assert(paper.weight_decay == 0 && paper.head == VIT_HEAD_LINEAR_NORM && paper.slerp);
    ck_assert(paper.loss_weight[TRAIN_LOSS_CE] == 1 &&
              paper.loss_weight[TRAIN_LOSS_ALIGNMENT] == 0 &&
              paper.loss_weight[TRAIN_LOSS_UNIFORMITY] == 0);
    ck_assert(paper.frames == 32 && paper.early_stopping == 0 && paper.shuffle && paper.seed == 42);
    ck_assert_str_eq(paper.tune, "ln");
    ck_assert_str_eq(paper.augment, "paper");
    ck_assert_str_eq(gend.augment, "gend");
    ck_assert_str_eq(paper.monitor, "val_map_video");
    ck_assert(released.loss_weight[TRAIN_LOSS_ALIGNMENT] == 0.1 &&
              released.loss_weight[TRAIN_LOSS_UNIFORMITY] == 0.1 && released.slerp);
    ck_assert(released.lr == paper.lr && released.epochs == paper.epochs);
    ck_assert(gend.loss_weight[TRAIN_LOSS_ALIGNMENT] == 0.1 &&
              gend.loss_weight[TRAIN_LOSS_UNIFORMITY] == 0.5 && !gend.slerp);
    ck_assert(gend.lr == 3e-4 && gend.min_lr == 1e-5 && gend.epochs == 30 &&
              gend.early_stopping == 30);
    ck_assert(gend.scheduler == TRAIN_SCHEDULER_CYCLIC && gend.cycle_epochs == 10);
    ck_assert(gend.warmup_epochs == 1 && gend.drop_last && gend.batch_size == 128);
    /* GenD's published baseline (wacv-Baseline): all else is as in gend. */
    ck_assert_str_eq(probe.tune, "none");
    ck_assert(probe.head == VIT_HEAD_LINEAR && probe.loss_weight[TRAIN_LOSS_CE] == 1);
    ck_assert(probe.loss_weight[TRAIN_LOSS_ALIGNMENT] == 0 &&
              probe.loss_weight[TRAIN_LOSS_UNIFORMITY] == 0 && !probe.slerp);
    differ_in(&probe, &gend, "head loss.alignment loss.uniformity tune ");
    differ_in(&norm, &paper, "tune ");
    ck_assert_str_eq(norm.tune, "none");
    ck_assert(cpu.frames == 4 && cpu.epochs == 5 && cpu.slerp);
    static const char *const names[] = {"paper", "released", "gend", "probe", "probe-norm", "cpu"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const TrainRecipe recipe = named(names[i]);
        Error error = {0};
        ck_ok(train_recipe_check(&recipe, &error), &error);
    }
    Error error = {0};
    TrainRecipe unknown;
    ck_assert_int_eq(train_recipe_named(&unknown, "papr", &error), STATUS_USAGE);
    ck_assert_ptr_nonnull(strstr(error.message, "paper"));
}
END_TEST

typedef struct Refusal {
    const char *key, *value, *says;
} Refusal;

static const Refusal refusals[] = {
    {"bath_size", "3", "did you mean batch_size?"},
    {"learning_rate", "1", "learning_rate: unknown; the key is lr"},
    {"Learning-Rate", "1", "the key is lr"},
    {"warmup", "1", "the key is warmup_epochs"},
    {"cycle", "1", "did you mean cycle_epochs?"},
    {"output_dir", "1", "the option is --out"},
    {"device", "cuda", "not on a GPU"},
    {"xyzzyxyzzy", "1", "--keys lists all"},
    {"alignment", "1", "did you mean loss.alignment?"},
    {"label_smoothing", "1", "did you mean loss.label_smoothing?"},
    {"", "1", "unknown recipe key"},
    {"recipe", "gend", "--recipe NAME"},
    {"batch_size", "0", "from 1 to"},
    {"batch_size", "1.5", "an integer"},
    {"batch_size", "", "an integer"},
    {"batch_size", "99999999999999999999", "an integer"},
    {"batch_size", "4294967297", "an integer"},
    {"epochs", "-1", "from 1"},
    {"lr", "fast", "a number"},
    {"lr", "nan", "a number"},
    {"lr", "inf", "a number"},
    {"lr", "1e-4x", "a number"},
    {"lr", "0x1p-3", "a number"},
    {"lr", "-1e-4", "from 0"},
    {"beta1", "1", "below 1"},
    {"loss.label_smoothing", "1", "below 1"},
    {"slerp", "yes", "on or off"},
    {"slerp.min", "-1.01", "from -1 to 2"},
    {"slerp.max", "nan", "from -1 to 2"},
    {"scheduler", "linear", "cosine, cyclic or constant"},
    {"optimizer", "adam", "adamw or sgd"},
    {"head", "linearnorm", "LinearNorm or linear"},
    {"seed", "-1", "18446744073709551615"},
    {"seed", "18446744073709551616", "18446744073709551615"},
    {"tune", "", "characters"},
    {"tune", "ln,,bias", "an item is empty"},
    {"tune", "lora:0", "invalid rank"},
    {"tune", "ln,lora:8:q+w", "\"w\" is not a linear map"},
    {"lora.alpha", "-1", "from 0 to"},
    {"lora.alpha", "inf", "from 0 to"},
    {"lora.dropout", "-0.1", "from 0 to below 1"},
    {"lora.dropout", "1", "from 0 to below 1"},
    {"lora.dropout", "nan", "from 0 to below 1"},
    {"precision", "int8", "use f32 or bf16"},
    {"precision", "f16", "use f32 or bf16"},
    {"pairs", "1", "on or off"},
    {"monitor", "val_map", "auroc, ap, map, eer, accuracy,"},
    {"monitor", "val_map", "partial_auroc_fpr_0.1, brier, log_loss, ece"},
    {"monitor", "val_eer_threshold_video", "val_METRIC_video"},
    {"monitor", "val_auroc_videos", "val_METRIC_video"},
    {"monitor", "val_loss_video", "use val_loss,"},
    {"augment", "nonsense", "augment"},
    {"augment.flip", "1.01", "augment.flip=1.01"},
    {"augment.rotation", "-1", "from 0 to 180"},
    {"augment.translation", "nan", "augment.translation"},
    {"augment.scale_max", "11", "from 0 to 10"},
    {"augment.blur", "2", "from 0 to 1"},
    {"augment.blur_width", "3.5", "an integer"},
    {"augment.jpeg_min", "101", "from 0 to 100"},
    {"augment.noise", "-0.1", "augment.noise"},
};

START_TEST(refuses_by_name)
{
    const Refusal *const refusal = &refusals[_i];
    TrainRecipe recipe = named("paper");
    const TrainRecipe before = recipe;
    Error error = {0};
    ck_assert_int_eq(train_recipe_set(&recipe, refusal->key, refusal->value, &error), STATUS_USAGE);
    ck_assert_msg(strstr(error.message, refusal->says) != NULL, "%s", error.message);
    ck_assert_mem_eq(&recipe, &before, sizeof recipe);
}
END_TEST

/* Numbers of any size: a key accepts one and prints it back, or is named in the error. */
START_TEST(extremes_are_taken_or_refused_by_name)
{
    const char *const values[] = {"-1",
                                  "0",
                                  "1",
                                  "1e300",
                                  "-1e300",
                                  "5e-324",
                                  "1e6",
                                  "1000000",
                                  "1000001",
                                  "2147483647",
                                  "2147483648",
                                  "4294967296",
                                  "1e-300",
                                  "inf",
                                  "-inf",
                                  "nan",
                                  "",
                                  "9007199254740993",
                                  "0.9999999999999999",
                                  "18446744073709551615",
                                  "18446744073709551616",
                                  "-9223372036854775809",
                                  "99999999999999999999999"};
    for (int i = 0; i < CONTRACT; i++) {
        for (size_t j = 0; j < sizeof values / sizeof *values; j++) {
            TrainRecipe recipe = named("paper");
            const TrainRecipe before = recipe;
            Error error = {0};
            char text[TRAIN_TEXT_SIZE];
            if (train_recipe_set(&recipe, contract[i], values[j], &error) == STATUS_OK) {
                TrainRecipe again = before;
                train_recipe_get(&recipe, contract[i], text);
                ck_ok(train_recipe_set(&again, contract[i], text, &error), &error);
                ck_assert_msg(memcmp(&recipe, &again, sizeof recipe) == 0, "%s=%s", contract[i],
                              text);
                continue;
            }
            ck_assert_int_eq(error.status, STATUS_USAGE);
            ck_assert_msg(strstr(error.message, contract[i]) == error.message, "%s=%s: %s",
                          contract[i], values[j], error.message);
            ck_assert_mem_eq(&recipe, &before, sizeof recipe);
        }
    }
}
END_TEST

/* A text longer than its field is refused, not cut. */
START_TEST(refuses_long_text)
{
    TrainRecipe recipe = named("paper");
    char text[TRAIN_TEXT_SIZE + 1];
    memset(text, 'x', sizeof text);
    text[TRAIN_TEXT_SIZE] = '\0';
    Error error = {0};
    ck_assert_int_eq(train_recipe_set(&recipe, "tune", text, &error), STATUS_USAGE);
    text[TRAIN_TEXT_SIZE - 1] = '\0';
    ck_ok(train_recipe_set(&recipe, "tune", text, &error), &error);
}
END_TEST

/* `augment` is a preset: it sets what data_augment_parse gives, keys after it change one parameter
 * each. */
START_TEST(augment_sets_its_parameters)
{
    const char *const presets[] = {"paper", "gend", "flip", "off"};
    for (size_t i = 0; i < sizeof presets / sizeof presets[0]; i++) {
        TrainRecipe recipe = named("paper");
        Error error = {0};
        DataAugment expected;
        ck_ok(train_recipe_set(&recipe, "augment.noise", "0.5", &error), &error);
        ck_ok(train_recipe_set(&recipe, "augment", presets[i], &error), &error);
        ck_ok(data_augment_parse(presets[i], &expected, &error), &error);
        ck_assert_mem_eq(&recipe.augmentation, &expected, sizeof expected);
        ck_ok(train_recipe_check(&recipe, &error), &error);
    }
    TrainRecipe recipe = named("gend");
    const TrainRecipe before = recipe;
    Error error = {0};
    ck_ok(train_recipe_set(&recipe, "augment.jpeg_min", "60", &error), &error);
    ck_assert_int_eq(recipe.augmentation.quality_low, 60);
    differ_in(&recipe, &before, "augment.jpeg_min ");
    ck_assert_int_eq(train_recipe_same(&before, &recipe, &error), STATUS_USAGE); /* --resume */
    ck_assert_ptr_nonnull(strstr(error.message, "augment.jpeg_min"));
}
END_TEST

START_TEST(checks_what_no_single_key_can)
{
    const char *const bad[][2] = {{"min_lr", "1"},
                                  {"micro_batch", "129"},
                                  {"loss.ce", "0"},
                                  {"slerp.min", "1.5"},
                                  {"lora.alpha", "16"}, /* without LoRA */
                                  {"lora.dropout", "0.1"},
                                  {"augment.scale_min", "2"},
                                  {"augment.jpeg_min", "0"},
                                  {"augment.blur_sigma_min", "3"},
                                  {"augment.blur_width", "4"},
                                  {"augment.blur_height", "0"}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        TrainRecipe recipe = named("paper");
        Error error = {0};
        ck_ok(train_recipe_set(&recipe, bad[i][0], bad[i][1], &error), &error);
        ck_assert_int_eq(train_recipe_check(&recipe, &error), STATUS_USAGE);
        ck_assert_ptr_eq(strstr(error.message, bad[i][0]), error.message);
    }
}
END_TEST

/* Orders of an epoch that exclude each other, and the word that the refusal begins with. */
START_TEST(pairs_are_refused_beside_another_order)
{
    static const char *const BAD[][3] = {
        {"pairs", "data.sbi=on", "pairs=on"},
        {"pairs", "sampling=class", "sampling=class"},
        {"pairs", "sampling=source", "sampling=source"},
        {"pairs", "batch_size=7", "batch_size=7"},
        {"data.sbi", "batch_size=7", "batch_size=7"},
        {"data.sbi", "sampling=class", "sampling=class"},
        {"data.sbi", "sampling=source", NULL},
        {"pairs", "drop_last=on", NULL},
    };
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        TrainRecipe recipe = named("paper");
        Error error = {0};
        char key[64];
        const size_t length = strcspn(BAD[i][1], "=");
        snprintf(key, sizeof key, "%.*s", (int)length, BAD[i][1]);
        ck_ok(train_recipe_set(&recipe, BAD[i][0], "on", &error), &error);
        ck_ok(train_recipe_set(&recipe, key, BAD[i][1] + length + 1, &error), &error);
        const Status status = train_recipe_check(&recipe, &error);
        ck_assert_msg(status == (BAD[i][2] ? STATUS_USAGE : STATUS_OK), "%s %s", BAD[i][0],
                      BAD[i][1]);
        if (BAD[i][2])
            ck_assert_msg(strstr(error.message, BAD[i][2]) == error.message, "%s", error.message);
    }
}
END_TEST

static void write_file(const char *folder, const char *text, size_t size, char path[FILE_PATH_SIZE])
{
    Error error = {0};
    ck_ok(file_join(path, folder, "recipe.txt", &error), &error);
    ck_ok(file_write(path, text, size, &error), &error);
}

/* Printing and reading gives every bit back, also under a locale that writes 0,5. */
START_TEST(prints_and_reads_the_same_bits)
{
    char folder[4096], path[FILE_PATH_SIZE], *text = NULL;
    size_t size = 0;
    support_make_folder(folder);
    setlocale(LC_ALL, "de_DE.UTF-8"); /* where it is installed */
    TrainRecipe recipe = named("gend"), back = named("paper");
    recipe.lr = 0.1 + 0.2;
    recipe.min_lr = nextafter(1e-5, 1);
    recipe.memory = 1.0 / 3;
    recipe.loss_weight[TRAIN_LOSS_UNIFORMITY] = 5e-324;
    recipe.seed = UINT64_MAX;
    snprintf(recipe.tune, sizeof recipe.tune, "*.layer_norm1.weight,*.5.*");
    FILE *const stream = open_memstream(&text, &size);
    train_recipe_print(&recipe, stream);
    fclose(stream);
    write_file(folder, text, size, path);
    Error error = {0};
    ck_ok(train_recipe_read(&back, path, &error), &error);
    ck_assert_mem_eq(&recipe, &back, sizeof recipe);
    ck_ok(train_recipe_same(&recipe, &back, &error), &error);
    free(text);
    support_remove_folder(folder);
}
END_TEST

START_TEST(reads_comments_and_line_ends)
{
    static const char text[] =
        "\xEF\xBB\xBF# a recipe\r\n\r\n  lr=1e-3 # high\r\n\tepochs =  2\r\nslerp = off";
    char folder[4096], path[FILE_PATH_SIZE];
    support_make_folder(folder);
    write_file(folder, text, sizeof text - 1, path);
    TrainRecipe recipe = named("paper");
    Error error = {0};
    ck_ok(train_recipe_read(&recipe, path, &error), &error);
    ck_assert(recipe.lr == 1e-3 && recipe.epochs == 2 && !recipe.slerp);
    support_remove_folder(folder);
}
END_TEST

typedef struct BadFile {
    const char *text;
    Status status;
    const char *says;
} BadFile;

static const BadFile bad_files[] = {
    {"lr = 1e-3\nlearn = 3\n", STATUS_USAGE, "line 2: learn: unknown recipe key"},
    {"\n\nlr 1e-3\n", STATUS_FAILED, "line 3: not of the form"},
    {"lr = 1\nlr = 2\n", STATUS_FAILED, "line 2: lr: duplicate key"},
    {"lr = 1\nrecipe = gend\n", STATUS_FAILED, "line 2: recipe = gend would reset"},
    {"recipe = gent\n", STATUS_USAGE, "line 1: recipe gent"},
    {"= 3\n", STATUS_USAGE, "line 1"},
    {"precision = int8\n", STATUS_USAGE, "use f32 or bf16"},
};

START_TEST(bad_files_name_the_line)
{
    const BadFile *const bad = &bad_files[_i];
    char folder[4096], path[FILE_PATH_SIZE];
    support_make_folder(folder);
    write_file(folder, bad->text, strlen(bad->text), path);
    TrainRecipe recipe = named("paper");
    Error error = {0};
    ck_assert_int_eq(train_recipe_read(&recipe, path, &error), bad->status);
    ck_assert_msg(strstr(error.message, bad->says) != NULL, "%s", error.message);
    ck_assert_ptr_nonnull(strstr(error.message, path));
    support_remove_folder(folder);
}
END_TEST

START_TEST(refuses_no_file_and_binary_files)
{
    char folder[4096], path[FILE_PATH_SIZE];
    support_make_folder(folder);
    write_file(folder, "lr\0 = 1\n", 8, path);
    TrainRecipe recipe = named("paper");
    Error error = {0};
    ck_assert_int_eq(train_recipe_read(&recipe, path, &error), STATUS_FAILED);
    error_clear(&error);
    ck_assert_int_eq(train_recipe_read(&recipe, folder, &error), STATUS_FAILED);
    support_remove_folder(folder);
}
END_TEST

START_TEST(resume_compares_what_matters)
{
    const TrainRecipe saved = named("cpu");
    TrainRecipe wanted = saved;
    Error error = {0};
    wanted.threads = 7;
    wanted.workers = 1;
    wanted.memory = 2;
    wanted.micro_batch = 3;
    ck_ok(train_recipe_same(&saved, &wanted, &error), &error);
    wanted.lr = nextafter(wanted.lr, 1);
    wanted.slerp = false;
    wanted.slerp_max = 0.5;
    ck_assert_int_eq(train_recipe_same(&saved, &wanted, &error), STATUS_USAGE);
    ck_assert_int_eq(error.problems, 3);
    ck_assert_str_eq(error.detail[1], "slerp was on and is now off");
    ck_assert_str_eq(error.detail[2], "slerp.max was 1 and is now 0.5");
}
END_TEST

/* Only a schedule that does not depend on the length of the run lets it change. */
START_TEST(resume_allows_another_length)
{
    static const char *const schedulers[] = {"constant", "cyclic", "cosine"};
    for (int i = 0; i < 3; i++) {
        TrainRecipe saved = named("cpu");
        Error error = {0};
        ck_ok(train_recipe_set(&saved, "scheduler", schedulers[i], &error), &error);
        TrainRecipe wanted = saved;
        wanted.epochs = 20;
        const Status status = train_recipe_same(&saved, &wanted, &error);
        ck_assert_int_eq(status, i < 2 ? STATUS_OK : STATUS_USAGE);
        if (i == 2)
            ck_assert_ptr_nonnull(strstr(error.message, "--adapter RUN"));
        wanted.seed++;
        error_clear(&error);
        ck_assert_int_eq(train_recipe_same(&saved, &wanted, &error), STATUS_USAGE);
        ck_assert_ptr_null(strstr(error.message, "--adapter RUN"));
    }
}
END_TEST

/* Every metric of frames and of videos, each with its direction; a threshold has none. */
START_TEST(monitors_have_a_direction)
{
    const char *const falling[] = {"eer", "brier", "log_loss", "ece"};
    for (int i = 0; i < 2 * METRICS_NAMES; i++) {
        const char *const metric = metrics_names[i / 2].name;
        TrainRecipe recipe = named("paper");
        TrainMonitor monitor;
        Error error = {0};
        char name[64];
        bool descends = false;
        snprintf(name, sizeof name, "val_%s_%s", metric, i % 2 ? "video" : "frame");
        if (i / 2 == METRICS_EER_THRESHOLD) {
            ck_assert(!train_monitor_parse(name, &monitor));
            continue;
        }
        for (size_t j = 0; j < sizeof falling / sizeof *falling; j++)
            descends = descends || strcmp(metric, falling[j]) == 0;
        ck_ok(train_recipe_set(&recipe, "monitor", name, &error), &error);
        ck_assert_msg(train_monitor_parse(name, &monitor), "%s", name);
        ck_assert_msg(monitor.descends == descends && monitor.video == (i % 2 == 1) &&
                          monitor.metric == i / 2,
                      "%s", name);
    }
    TrainMonitor loss;
    ck_assert(train_monitor_parse("val_loss", &loss) && loss.descends && loss.metric == -1);
}
END_TEST

/* Every path of the number reader against the library's strtod, and its grammar. */
START_TEST(numbers_are_correctly_rounded)
{
    char text[64];
    Random random = random_stream(1, RANDOM_TEST, 9, 0);
    for (int i = 0; i < 200000; i++) {
        const int digits = 1 + (int)random_below(&random, 20);
        const double value =
            (random_uniform(&random) - 0.5) * exp(120 * (random_uniform(&random) - 0.5) * (i % 3));
        snprintf(text, sizeof text, i % 2 ? "%.*g" : "%.*e", digits, value);
        double back = 0;
        ck_assert_msg(number_parse(text, strlen(text), &back) && back == strtod(text, NULL), "%s",
                      text);
    }
    const char *const good[] = {"1",
                                "-0",
                                ".5",
                                "5.",
                                "+1e5",
                                "1E-400",
                                "1e999",
                                "0e0",
                                "9007199254740993",
                                "0.000000000000000000000000000001"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        double back = 0;
        ck_assert_msg(number_parse(good[i], strlen(good[i]), &back) &&
                          back == strtod(good[i], NULL),
                      "%s", good[i]);
    }
    const char *const bad[] = {"",   ".",    "-",   "e5",  "1e", "1e+", "1 ",
                               " 1", "0x10", "1,5", "1_0", "na", "--1"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        double back = 0;
        ck_assert_msg(!number_parse(bad[i], strlen(bad[i]), &back), "%s", bad[i]);
    }
    double special = 0;
    ck_assert(number_parse("-Infinity", 9, &special) && special == (double)-INFINITY);
    ck_assert(number_parse("NaN", 3, &special) && isnan(special));
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("recipe");
    TCase *const recipes = support_case(suite, "recipes", 10);
    tcase_add_test(recipes, keys_of_the_contract);
    tcase_add_test(recipes, changes_of_a_recipe);
    tcase_add_test(recipes, synonyms_name_keys);
    tcase_add_test(recipes, built_in_recipes);
    tcase_add_test(recipes, resume_compares_what_matters);
    tcase_add_test(recipes, resume_allows_another_length);
    tcase_add_test(recipes, monitors_have_a_direction);
    TCase *const values = support_case(suite, "values", 10);
    tcase_add_loop_test(values, refuses_by_name, 0, sizeof refusals / sizeof refusals[0]);
    tcase_add_test(values, extremes_are_taken_or_refused_by_name);
    tcase_add_test(values, refuses_long_text);
    tcase_add_test(values, checks_what_no_single_key_can);
    tcase_add_test(values, augment_sets_its_parameters);
    tcase_add_test(values, pairs_are_refused_beside_another_order);
    tcase_add_test(values, numbers_are_correctly_rounded);
    TCase *const files = support_case(suite, "files", 10);
    tcase_add_test(files, prints_and_reads_the_same_bits);
    tcase_add_test(files, reads_comments_and_line_ends);
    tcase_add_loop_test(files, bad_files_name_the_line, 0, sizeof bad_files / sizeof bad_files[0]);
    tcase_add_test(files, refuses_no_file_and_binary_files);
    return support_main(suite);
}
