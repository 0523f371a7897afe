/*
 * recipe.c - see recipe.h.
 *
 * `settings` is the table of all keys. A built-in recipe is a list of differences from another one.
 */
#include "train/recipe.h"

#include "tensor/base/file.h"
#include "tensor/base/number.h"
#include "train/metrics/metrics.h"
#include "train/recipe_synonyms.h"
#include "vit/tune.h"

#include <assert.h>
#include <limits.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static const char *scheduler_name(int i)
{
    static const char *const names[] = {[TRAIN_SCHEDULER_COSINE] = "cosine",
                                        [TRAIN_SCHEDULER_CYCLIC] = "cyclic",
                                        [TRAIN_SCHEDULER_CONSTANT] = "constant"};
    return i <= TRAIN_SCHEDULER_CONSTANT ? names[i] : NULL;
}

static const char *optimizer_name(int i)
{
    static const char *const names[] = {
        [TRAIN_OPTIMIZER_ADAMW] = "adamw", [TRAIN_OPTIMIZER_SGD] = "sgd"};
    return i <= TRAIN_OPTIMIZER_SGD ? names[i] : NULL;
}

static const char *head_name(int i)
{
    return i <= VIT_HEAD_LINEAR ? vit_head_kind_name((VitHeadKind)i) : NULL;
}

bool train_monitor_parse(const char *name, TrainMonitor *monitor)
{
    if (strcmp(name, "val_loss") == 0) {
        *monitor = (TrainMonitor){.metric = -1, .descends = true};
        return true;
    }
    for (int i = 0; i < 2 * METRICS_NAMES; i++) {
        const MetricName *metric = &metrics_names[i / 2];
        const bool video = i % 2 == 1;
        char known[sizeof((TrainRecipe *)0)->monitor];
        snprintf(known, sizeof known, "val_%s_%s", metric->name, video ? "video" : "frame");
        if (metric->better != 0 && strcmp(name, known) == 0) {
            *monitor = (TrainMonitor){i / 2, video, metric->better < 0};
            return true;
        }
    }
    return false;
}

/* int8 is for inference only: it has no gradients. */
static Status check_precision(const char *value, Error *error)
{
    Precision precision;
    if (precision_parse(value, &precision) && precision != PRECISION_INT8)
        return STATUS_OK;
    return error_set(error, STATUS_USAGE,
                     "precision=%s: unknown precision for training; use f32 or bf16", value);
}

Precision train_recipe_precision(const TrainRecipe *recipe)
{
    Precision precision = PRECISION_F32;
    const bool known = precision_parse(recipe->precision, &precision);
    assert(known && "checked by train_recipe_set");
    (void)known;
    return precision;
}

static Status check_augment(const char *value, Error *error)
{
    DataAugment augment;
    return data_augment_parse(value, &augment, error);
}

static Status check_monitor(const char *value, Error *error)
{
    TrainMonitor ignored;
    if (train_monitor_parse(value, &ignored))
        return STATUS_OK;
    char names[512];
    size_t used = 0;
    for (int i = 0; i < METRICS_NAMES; i++)
        if (metrics_names[i].better != 0)
            used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", used ? ", " : "",
                                     metrics_names[i].name);
    return error_set(error, STATUS_USAGE,
                     "monitor=%s: unknown metric; use val_loss, val_METRIC_frame or "
                     "val_METRIC_video, where METRIC is one of %s",
                     value, names);
}

typedef enum Type { INTEGER, UNSIGNED_64, REAL, SWITCH, CHOICE, TEXT } Type;

typedef struct Setting {
    const char *key;
    Type type;
    size_t offset, size;                              /* of the field in TrainRecipe */
    double minimum, maximum;                          /* INTEGER, REAL */
    bool below_maximum;                               /* REAL: the maximum itself is not allowed */
    const char *(*choice)(int i);                     /* CHOICE: NULL past the last */
    Status (*check)(const char *value, Error *error); /* TEXT, SWITCH; may be NULL */
    bool free_on_resume;                              /* may change on --resume */
    const char *help;
} Setting;

#define FIELD(name) offsetof(TrainRecipe, name), sizeof(((TrainRecipe *)0)->name)
#define MANY        1e6

static const Setting settings[] = {
    {"batch_size", INTEGER, FIELD(batch_size), 1, MANY, .help = "images per optimizer step"},
    {"micro_batch", INTEGER, FIELD(micro_batch), 0, MANY, .free_on_resume = true,
     .help = "images per forward pass; 0 = as many as memory allows"},
    {"memory", REAL, FIELD(memory), 0, MANY, .free_on_resume = true,
     .help = "memory budget of the process in GiB; 0 = three quarters of the machine's, at most "
             "what is available"},
    {"epochs", INTEGER, FIELD(epochs), 1, MANY, .help = "passes over the training set"},
    {"max_steps", INTEGER, FIELD(max_steps), 0, INT_MAX,
     .help = "maximum number of steps; 0 = no limit"},
    {"lr", REAL, FIELD(lr), 0, 1e3, .help = "highest learning rate"},
    {"min_lr", REAL, FIELD(min_lr), 0, 1e3, .help = "lowest learning rate"},
    {"scheduler", CHOICE, FIELD(scheduler), .choice = scheduler_name,
     .help = "learning-rate schedule"},
    {"cycle_epochs", REAL, FIELD(cycle_epochs), 1e-3, MANY,
     .help = "epochs per cycle of scheduler=cyclic"},
    {"warmup_epochs", REAL, FIELD(warmup_epochs), 0, MANY,
     .help = "epochs of linear warm-up from min_lr to lr"},
    {"drop_last", SWITCH, FIELD(drop_last), .help = "drop an incomplete last batch of an epoch"},
    {"optimizer", CHOICE, FIELD(optimizer), .choice = optimizer_name, .help = "optimizer"},
    {"beta1", REAL, FIELD(beta1), 0, 1, .below_maximum = true,
     .help = "AdamW: decay of the first moment; SGD: momentum"},
    {"beta2", REAL, FIELD(beta2), 0, 1, .below_maximum = true,
     .help = "AdamW: decay of the second moment"},
    {"weight_decay", REAL, FIELD(weight_decay), 0, 1e3,
     .help = "weight decay of trainable matrices (head, LoRA, tune=all), not of biases and norms"},
    {"grad_clip", REAL, FIELD(grad_clip), 0, 1e9, .help = "maximum gradient norm; 0 = off"},
    {"sam.rho", REAL, FIELD(sam_rho), 0, 1e3,
     .help = "radius of sharpness-aware minimisation (two gradients per step); 0 = off"},
    {"sam.adaptive", SWITCH, FIELD(sam_adaptive),
     .help = "scale sam.rho by the magnitude of each parameter (ASAM)"},
    {"ema", REAL, FIELD(ema), 0, 1, .below_maximum = true,
     .help =
         "decay of the moving average of the parameters, which is validated and saved; 0 = off"},
    {"head", CHOICE, FIELD(head), .choice = head_name, .help = "classification head"},
#define LOSS(NAME, name, weight, text)                                                             \
    {"loss." #name, REAL, FIELD(loss_weight[TRAIN_LOSS_##NAME]), 0, 1e6, .help = text},
#define PARAMETER(name, value, low, limit, text)                                                   \
    {"loss." #name, REAL, FIELD(loss_##name), low, limit, .below_maximum = true, .help = text},
    TRAIN_LOSS_ROWS(LOSS, PARAMETER)
#undef LOSS
#undef PARAMETER
        {"slerp", SWITCH, FIELD(slerp), .help = "mix features of the same class on the sphere"},
    {"slerp.min", REAL, FIELD(slerp_min), -1, 2,
     .help = "minimum of slerp's t: 0 = own feature, below 0 = away from the partner"},
    {"slerp.max", REAL, FIELD(slerp_max), -1, 2,
     .help = "maximum of slerp's t: 1 = partner, above 1 = beyond it"},
    {"tune", TEXT, FIELD(tune), .check = vit_tune_check,
     .help = "trainable parameters, comma-separated: ln, bias, lora:R, lora:R:q+k+v+out+fc1+fc2, "
             "all, none, name patterns; the head is always trainable"},
    {"lora.alpha", REAL, FIELD(lora_alpha), 0, MANY,
     .help = "LoRA adds alpha / R times B A; 0 = R, a factor of 1"},
    {"lora.dropout", REAL, FIELD(lora_dropout), 0, 1, .below_maximum = true,
     .help = "dropout probability of the input of LoRA's A; 0 = off"},
    {"precision", TEXT, FIELD(precision), .check = check_precision,
     .help = "compute type of the encoder: f32 or bf16"},
    {"seed", UNSIGNED_64, FIELD(seed), .help = "random seed"},
    {"threads", INTEGER, FIELD(threads), 0, 1024, .free_on_resume = true,
     .help = "compute threads; 0 = one per processor"},
    {"workers", INTEGER, FIELD(workers), 0, 1024, .free_on_resume = true,
     .help = "threads that load images"},
    {"shuffle", SWITCH, FIELD(shuffle), .help = "shuffle frames in every epoch; off = list order"},
    {"pairs", SWITCH, FIELD(pairs),
     .help = "put real and fake frames of one source video into the same batch"},
    {"sampling", CHOICE, FIELD(sampling), .choice = data_sampling_name,
     .help = "frames of an epoch: each once, or balanced by class or by source"},
    {"data.sbi", SWITCH, FIELD(sbi), .help = "train on real frames only, with self-blended fakes"},
    {"augment", TEXT, FIELD(augment), .check = check_augment,
     .help =
         "augmentation preset: paper, gend, flip, off; sets all augment.* keys, so put it first"},
    {"augment.flip", REAL, FIELD(augmentation.flip), 0, 1,
     .help = "probability of a horizontal flip"},
    {"augment.rotation", REAL, FIELD(augmentation.degrees), 0, 180,
     .help = "maximum rotation in either direction, in degrees"},
    {"augment.translation", REAL, FIELD(augmentation.translate), 0, 1,
     .help = "maximum shift as a fraction of width and height"},
    {"augment.scale_min", REAL, FIELD(augmentation.scale.low), 0, 10,
     .help = "minimum scale; 0 for both minimum and maximum = off"},
    {"augment.scale_max", REAL, FIELD(augmentation.scale.high), 0, 10, .help = "maximum scale"},
    {"augment.blur", REAL, FIELD(augmentation.blur), 0, 1,
     .help = "probability of a Gaussian blur"},
    {"augment.blur_width", INTEGER, FIELD(augmentation.blur_width), 0, 99,
     .help = "width of the blur kernel in pixels, odd"},
    {"augment.blur_height", INTEGER, FIELD(augmentation.blur_height), 0, 99,
     .help = "height of the blur kernel in pixels, odd"},
    {"augment.blur_sigma_min", REAL, FIELD(augmentation.sigma.low), 0, 100,
     .help = "minimum sigma of the blur in pixels"},
    {"augment.blur_sigma_max", REAL, FIELD(augmentation.sigma.high), 0, 100,
     .help = "maximum sigma of the blur in pixels"},
    {"augment.brightness", REAL, FIELD(augmentation.brightness), 0, 1,
     .help = "maximum deviation of the brightness factor from 1; 0 = off"},
    {"augment.contrast", REAL, FIELD(augmentation.contrast), 0, 1,
     .help = "maximum deviation of the contrast factor from 1; 0 = off"},
    {"augment.jpeg_min", INTEGER, FIELD(augmentation.quality_low), 0, 100,
     .help = "minimum JPEG quality"},
    {"augment.jpeg_max", INTEGER, FIELD(augmentation.quality_high), 0, 100,
     .help = "maximum JPEG quality; 0 = off"},
    {"augment.resize", INTEGER, FIELD(augmentation.resize), 0, 8192,
     .help = "shorter edge in pixels after resizing; 0 = off"},
    {"augment.noise", REAL, FIELD(augmentation.noise), 0, 10,
     .help = "standard deviation of Gaussian noise, white = 1; 0 = off"},
    {"frames", INTEGER, FIELD(frames), 0, MANY,
     .help = "frames per video, chosen by frame_choice; 0 = all"},
    {"frame_choice", CHOICE, FIELD(frame_choice), .choice = data_frame_choice_name,
     .help = "frames of a video: evenly spaced or random"},
    {"limit", INTEGER, FIELD(limit), 0, INT_MAX,
     .help = "maximum number of training frames: random videos, class ratio kept; 0 = all"},
    {"val_frames", INTEGER, FIELD(val_frames), 0, INT_MAX,
     .help = "maximum number of validation frames: whole videos, evenly from every source; "
             "0 = all"},
    {"val_limit", INTEGER, FIELD(val_limit), 0, INT_MAX,
     .help = "maximum number of validation frames, chosen like limit; 0 = all"},
    {"monitor", TEXT, FIELD(monitor), .check = check_monitor,
     .help = "metric that selects the best epoch: val_loss, val_METRIC_frame or val_METRIC_video, "
             "such as val_map_video"},
    {"early_stopping", INTEGER, FIELD(early_stopping), 0, MANY,
     .help = "stop after this many epochs without improvement; 0 = off"},
    {"save_every", INTEGER, FIELD(save_every), 0, INT_MAX,
     .help = "steps between saved states, in addition to every epoch; 0 = none"},
    {"log.tensorboard", SWITCH, FIELD(log_tensorboard), .free_on_resume = true,
     .help = "write a TensorBoard event file into the run folder"},
    {"keep", INTEGER, FIELD(keep), 0, MANY,
     .help = "number of best epochs whose adapters are kept, besides best and last; 0 = none"},
};

enum { SETTINGS = sizeof settings / sizeof settings[0] };

/* Prints the value of a setting. TEXT is the longest type, so every value fits. */
static void print_value(const Setting *setting, const TrainRecipe *recipe,
                        char out[TRAIN_TEXT_SIZE])
{
    const char *field = (const char *)recipe + setting->offset;
    int integer = 0;
    double real = 0;
    uint64_t seed = 0;
    switch (setting->type) {
    case INTEGER:
        memcpy(&integer, field, sizeof integer);
        snprintf(out, TRAIN_TEXT_SIZE, "%d", integer);
        break;
    case CHOICE: /* enums of this project are ints: checked in put_value */
        memcpy(&integer, field, sizeof integer);
        snprintf(out, TRAIN_TEXT_SIZE, "%s", setting->choice(integer));
        break;
    case UNSIGNED_64:
        memcpy(&seed, field, sizeof seed);
        snprintf(out, TRAIN_TEXT_SIZE, "%llu", (unsigned long long)seed);
        break;
    case REAL:
        memcpy(&real, field, sizeof real);
        number_format(out, real);
        break;
    case SWITCH:
        snprintf(out, TRAIN_TEXT_SIZE, "%s", *(const bool *)field ? "on" : "off");
        break;
    case TEXT:
        snprintf(out, TRAIN_TEXT_SIZE, "%s", field);
        break;
    }
}

const char *train_recipe_key(int i)
{
    assert(i >= 0);
    return i < SETTINGS ? settings[i].key : NULL;
}

static const Setting *find_setting(const char *key)
{
    for (int i = 0; i < SETTINGS; i++)
        if (strcmp(settings[i].key, key) == 0)
            return &settings[i];
    return NULL;
}

void train_recipe_get(const TrainRecipe *recipe, const char *key, char out[TRAIN_TEXT_SIZE])
{
    const Setting *setting = find_setting(key);
    assert(recipe && setting);
    print_value(setting, recipe, out);
}

/* "cosine, cyclic or constant" */
static void list_choices(const char *(*choice)(int i), char out[TRAIN_TEXT_SIZE])
{
    size_t used = 0;
    out[0] = '\0';
    for (int i = 0; choice(i) && used < TRAIN_TEXT_SIZE; i++) {
        const char *before = i == 0 ? "" : choice(i + 1) ? ", " : " or ";
        used += (size_t)snprintf(out + used, TRAIN_TEXT_SIZE - used, "%s%s", before, choice(i));
    }
}

/* Describes the accepted values. */
static void describe_values(const Setting *setting, char out[TRAIN_TEXT_SIZE])
{
    char low[NUMBER_SIZE], high[NUMBER_SIZE];
    number_format(low, setting->minimum);
    number_format(high, setting->maximum);
    switch (setting->type) {
    case INTEGER:
        snprintf(out, TRAIN_TEXT_SIZE, "an integer from %.0f to %.0f", setting->minimum,
                 setting->maximum);
        break;
    case REAL:
        snprintf(out, TRAIN_TEXT_SIZE, "a number from %s to %s%s", low,
                 setting->below_maximum ? "below " : "", high);
        break;
    case UNSIGNED_64:
        snprintf(out, TRAIN_TEXT_SIZE, "an integer from 0 to 18446744073709551615");
        break;
    case SWITCH:
        snprintf(out, TRAIN_TEXT_SIZE, "on or off");
        break;
    case CHOICE:
        list_choices(setting->choice, out);
        break;
    case TEXT:
        snprintf(out, TRAIN_TEXT_SIZE, "1 to %zu characters", setting->size - 1);
        break;
    }
}

static bool parse_signed(const char *value, int64_t *out)
{
    const bool negative = value[0] == '-';
    uint64_t magnitude = 0;
    if (!number_parse_integer(value + negative, strlen(value + negative), &magnitude) ||
        magnitude > INT64_MAX)
        return false;
    *out = negative ? -(int64_t)magnitude : (int64_t)magnitude;
    return true;
}

static bool in_range(const Setting *setting, double value)
{
    return value >= setting->minimum &&
           (setting->below_maximum ? value < setting->maximum : value <= setting->maximum);
}

/* Parses `value` and stores it in the recipe; returns false and stores nothing if it is invalid. */
static bool put_value(const Setting *setting, TrainRecipe *recipe, const char *value)
{
    _Static_assert(sizeof(TrainScheduler) == sizeof(int) &&
                       sizeof(TrainOptimizerKind) == sizeof(int) &&
                       sizeof(VitHeadKind) == sizeof(int) && sizeof(DataSampling) == sizeof(int),
                   "choices are stored as int");
    char *field = (char *)recipe + setting->offset;
    const size_t length = strlen(value);
    int64_t integer = 0;
    double real = 0;
    switch (setting->type) {
    case INTEGER:
        if (!parse_signed(value, &integer) || !in_range(setting, (double)integer))
            return false;
        memcpy(field, &(const int){(int)integer}, sizeof(int));
        return true;
    case UNSIGNED_64: {
        uint64_t seed = 0;
        if (!number_parse_integer(value, length, &seed))
            return false;
        memcpy(field, &seed, sizeof seed);
        return true;
    }
    case REAL:
        if (!number_parse(value, length, &real) || !in_range(setting, real))
            return false;
        real += 0.0; /* -0 becomes 0, so that both print alike for the check of --resume */
        memcpy(field, &real, sizeof real);
        return true;
    case SWITCH: {
        const bool on = strcmp(value, "on") == 0;
        if (!on && strcmp(value, "off") != 0)
            return false;
        memcpy(field, &on, sizeof on);
        return true;
    }
    case CHOICE:
        for (int i = 0; setting->choice(i); i++)
            if (strcmp(setting->choice(i), value) == 0) {
                memcpy(field, &i, sizeof i);
                return true;
            }
        return false;
    case TEXT:
        if (length == 0 || length >= setting->size)
            return false;
        memset(field, 0, setting->size);
        memcpy(field, value, length);
        return true;
    }
    return false;
}

/* True if `part` is the beginning or the end of `key`, up to a '_' or '.'. */
static bool is_part(const char *part, const char *key)
{
    const size_t length = strlen(part), whole = strlen(key);
    if (length == 0 || length >= whole)
        return false;
    return (strncmp(key, part, length) == 0 && strchr("_.", key[length])) ||
           (strcmp(key + whole - length, part) == 0 && strchr("_.", key[whole - length - 1]));
}

const char *train_recipe_nearest(const char *word)
{
    const char *nearest = NULL;
    int least = 1 + (int)strnlen(word, ERROR_NAME_SIZE) / 2; /* more is not a typing error */
    for (int i = 0; i < SETTINGS; i++) {
        /* Also compared with the part after the dot: "alignmnt" finds "loss.alignment". */
        const char *key = settings[i].key, *dot = strchr(key, '.');
        int distance = is_part(word, key) ? 1 : error_distance(word, key);
        if (dot && error_distance(word, dot + 1) < distance)
            distance = error_distance(word, dot + 1);
        if (distance < least) {
            least = distance;
            nearest = key;
        }
    }
    return nearest;
}

static Status unknown_key(const char *key, Error *error)
{
    if (strcmp(key, "recipe") == 0)
        return error_set(
            error, STATUS_USAGE,
            "recipe: cannot be set after other keys; use --recipe NAME, or put it on the first "
            "line of a recipe file");
    const TrainSynonym *synonym = train_synonym(key);
    if (synonym && synonym->name)
        return error_set(error, STATUS_USAGE, "%.80s: unknown; the %s is %s", key,
                         synonym->name[0] == '-' ? "option" : "key", synonym->name);
    if (synonym)
        return error_set(error, STATUS_USAGE, "%.80s: unknown; %s", key, synonym->help);
    const char *nearest = train_recipe_nearest(key);
    if (nearest)
        return error_set(error, STATUS_USAGE, "%.80s: unknown recipe key; did you mean %s?", key,
                         nearest);
    return error_set(error, STATUS_USAGE,
                     "%.80s: unknown recipe key; lnclip train --keys lists all keys", key);
}

Status train_recipe_set(TrainRecipe *recipe, const char *key, const char *value, Error *error)
{
    assert(recipe && key && value && error);
    const Setting *setting = find_setting(key);
    if (!setting)
        return unknown_key(key, error);
    if (setting->type != TEXT || (value[0] != '\0' && strlen(value) < setting->size))
        TRY(setting->check ? setting->check(value, error) : STATUS_OK);
    if (put_value(setting, recipe, value)) {
        const bool preset = strcmp(key, "augment") == 0;
        return preset ? data_augment_parse(value, &recipe->augmentation, error) : STATUS_OK;
    }
    char accepted[TRAIN_TEXT_SIZE];
    describe_values(setting, accepted);
    return error_set(error, STATUS_USAGE, "%s=%.80s: invalid value; expected %s", key, value,
                     accepted);
}

/* Checks the keys that determine the order of an epoch (data/order.h). */
static Status check_order(const TrainRecipe *recipe, Error *error)
{
    if (recipe->pairs && recipe->sbi)
        return error_set(
            error, STATUS_USAGE,
            "pairs=on: cannot be combined with data.sbi=on, which makes its own pairs; "
            "set one of them to off");
    if (recipe->pairs && recipe->sampling != DATA_SAMPLING_ALL)
        return error_set(
            error, STATUS_USAGE,
            "sampling=%s: cannot be combined with pairs=on, which determines how often "
            "a frame is used; set sampling=all or pairs=off",
            data_sampling_name((int)recipe->sampling));
    if (recipe->sbi && recipe->sampling == DATA_SAMPLING_CLASS)
        return error_set(error, STATUS_USAGE,
                         "sampling=class: has no effect with data.sbi=on, which makes one fake per "
                         "real frame; set sampling=all or sampling=source");
    if ((recipe->pairs || recipe->sbi) && recipe->batch_size % 2 != 0)
        return error_set(error, STATUS_USAGE,
                         "batch_size=%d: is odd, but %s=on fills batches with pairs; set an even "
                         "number",
                         recipe->batch_size, recipe->pairs ? "pairs" : "data.sbi");
    return STATUS_OK;
}

/*
 * Checks key_min = low and key_max = high: 0 < low <= high, or both 0 (off) unless the range is
 * needed.
 */
static Status check_range(const char *key, double low, double high, bool needed, Error *error)
{
    if ((low == 0 && high == 0 && !needed) || (0 < low && low <= high))
        return STATUS_OK;
    return error_set(error, STATUS_USAGE,
                     "%s_min=%g: must be above 0 and at most %s_max=%g; set both, in order%s", key,
                     low, key, high, needed ? "" : ", or both to 0");
}

static Status check_odd(const char *key, int pixels, Error *error)
{
    if (pixels % 2 == 1)
        return STATUS_OK;
    return error_set(error, STATUS_USAGE,
                     "%s=%d: invalid kernel size; set an odd number, or augment.blur=0", key,
                     pixels);
}

/* Checks combinations of the keys augment.*. */
static Status check_augmentation(const DataAugment *augment, Error *error)
{
    const bool blurs = augment->blur > 0;
    TRY(check_range("augment.scale", augment->scale.low, augment->scale.high, false, error));
    TRY(check_range("augment.jpeg", augment->quality_low, augment->quality_high, false, error));
    TRY(check_range("augment.blur_sigma", augment->sigma.low, augment->sigma.high, blurs, error));
    if (!blurs)
        return STATUS_OK;
    TRY(check_odd("augment.blur_width", augment->blur_width, error));
    return check_odd("augment.blur_height", augment->blur_height, error);
}

/* Checks that a LoRA key with a value other than 0 is used with LoRA. */
static Status check_lora(const TrainRecipe *recipe, const char *key, double value, Error *error)
{
    if (value == 0 || strstr(recipe->tune, "lora"))
        return STATUS_OK;
    return error_set(error, STATUS_USAGE,
                     "%s=%g: needs LoRA, but tune=%s has none; add lora:R to tune, or set %s=0",
                     key, value, recipe->tune, key);
}

Status train_recipe_check(const TrainRecipe *recipe, Error *error)
{
    assert(recipe && error);
    if (recipe->min_lr > recipe->lr)
        return error_set(error, STATUS_USAGE, "min_lr=%g: is above lr=%g; lower min_lr or raise lr",
                         recipe->min_lr, recipe->lr);
    if (recipe->micro_batch > recipe->batch_size)
        return error_set(
            error, STATUS_USAGE,
            "micro_batch=%d: is larger than batch_size=%d; lower it, or set 0 to choose it "
            "automatically",
            recipe->micro_batch, recipe->batch_size);
    if (recipe->slerp_min > recipe->slerp_max)
        return error_set(error, STATUS_USAGE,
                         "slerp.min=%g: is above slerp.max=%g; lower slerp.min or raise slerp.max",
                         recipe->slerp_min, recipe->slerp_max);
    TRY(check_lora(recipe, "lora.alpha", recipe->lora_alpha, error));
    TRY(check_lora(recipe, "lora.dropout", recipe->lora_dropout, error));
    double most = 0;
    for (int i = 0; i < TRAIN_LOSSES; i++)
        most = fmax(most, recipe->loss_weight[i]);
    if (most <= 0)
        return error_set(error, STATUS_USAGE,
                         "loss.ce: all loss weights are 0; set at least one above 0");
    TRY(check_augmentation(&recipe->augmentation, error));
    return check_order(recipe, error);
}

static void print_settings(const TrainRecipe *recipe, bool all, FILE *stream)
{
    char value[TRAIN_TEXT_SIZE];
    fprintf(stream, "recipe = %s\n", recipe->name);
    for (int i = 0; i < SETTINGS; i++) {
        if (settings[i].free_on_resume && !all)
            continue;
        print_value(&settings[i], recipe, value);
        fprintf(stream, "%s = %s\n", settings[i].key, value);
    }
}

void train_recipe_print(const TrainRecipe *recipe, FILE *stream)
{
    print_settings(recipe, true, stream);
}

char *train_recipe_identity(const TrainRecipe *recipe)
{
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    if (!stream)
        return NULL;
    print_settings(recipe, false, stream);
    if (fclose(stream) == 0)
        return text;
    free(text);
    return NULL;
}

void train_recipe_describe(FILE *stream)
{
    char values[TRAIN_TEXT_SIZE];
    for (int i = 0; i < SETTINGS; i++) {
        describe_values(&settings[i], values);
        if (settings[i].type == TEXT)
            fprintf(stream, "  %-21s %s\n", settings[i].key, settings[i].help);
        else
            fprintf(stream, "  %-21s %s (%s)\n", settings[i].key, settings[i].help, values);
    }
}

bool train_recipe_can_be_extended(const TrainRecipe *recipe)
{
    return recipe->scheduler != TRAIN_SCHEDULER_COSINE;
}

static bool is_length(const Setting *setting)
{
    return setting->offset == offsetof(TrainRecipe, epochs) ||
           setting->offset == offsetof(TrainRecipe, max_steps);
}

Status train_recipe_same(const TrainRecipe *saved, const TrainRecipe *wanted, Error *error)
{
    assert(saved && wanted && error);
    char before[TRAIN_TEXT_SIZE], now[TRAIN_TEXT_SIZE];
    const char *first = NULL;
    bool length_only = true; /* only epochs or max_steps differ */
    for (int i = 0; i < SETTINGS; i++) {
        print_value(&settings[i], saved, before);
        print_value(&settings[i], wanted, now);
        if (settings[i].free_on_resume || strcmp(before, now) == 0 ||
            (is_length(&settings[i]) && train_recipe_can_be_extended(saved)))
            continue;
        error_detail(error, "%s was %s and is now %s", settings[i].key, before, now);
        first = first ? first : settings[i].key;
        length_only = length_only && is_length(&settings[i]);
    }
    if (!first)
        return STATUS_OK;
    if (length_only)
        return error_set(error, STATUS_USAGE,
                         "%s: cannot change on --resume with scheduler=%s, whose learning rates "
                         "depend on the length of the run; start a new run from this one, with "
                         "--adapter RUN and another --out",
                         first, scheduler_name((int)wanted->scheduler));
    return error_set(
        error, STATUS_USAGE,
        "%s: %s from the run to resume; use the saved values, or start a new run (only threads, "
        "workers, memory, micro_batch and log.tensorboard may change, and epochs and max_steps "
        "with scheduler=constant or cyclic)",
        first, error->problems == 1 ? "differs" : "and other keys differ");
}

/* ---- built-in recipes ------------------------------------------------------------------------ */

/* A key in which a built-in recipe differs from its base. `paper` is the root: it has all keys. */
typedef struct Difference {
    const char *recipe, *key, *value;
} Difference;

/*
 * Sources: the public code of arXiv 2503.19683 (paper; released: its published checkpoint) and of
 * arXiv 2508.06248 (gend; probe: its baseline, the experiment wacv-Baseline, otherwise equal to
 * gend). Chosen by this project: seed, workers, save_every, keep, all of probe-norm, and frames and
 * epochs of cpu.
 */
static const Difference differences[] = {
    {"paper", "batch_size", "128"},
    {"paper", "micro_batch", "0"},
    {"paper", "memory", "0"},
    {"paper", "epochs", "10"},
    {"paper", "max_steps", "0"},
    {"paper", "lr", "8e-5"},
    {"paper", "min_lr", "5e-5"},
    {"paper", "scheduler", "cosine"},
    {"paper", "cycle_epochs", "10"},
    {"paper", "warmup_epochs", "0"},
    {"paper", "drop_last", "off"},
    {"paper", "optimizer", "adamw"},
    {"paper", "beta1", "0.9"},
    {"paper", "beta2", "0.999"},
    {"paper", "weight_decay", "0"},
    {"paper", "grad_clip", "0"},
    {"paper", "sam.rho", "0"},
    {"paper", "sam.adaptive", "on"},
    {"paper", "ema", "0"},
    {"paper", "head", "LinearNorm"},
#define KEY(name, value)              {"paper", "loss." #name, value},
#define LOSS(NAME, name, weight, ...) KEY(name, weight)
#define PARAMETER(name, value, ...)   KEY(name, value)
    TRAIN_LOSS_ROWS(LOSS, PARAMETER)
#undef KEY
#undef LOSS
#undef PARAMETER
        {"paper", "slerp", "on"},
    {"paper", "slerp.min", "0"},
    {"paper", "slerp.max", "1"},
    {"paper", "tune", "ln"},
    {"paper", "lora.alpha", "0"},
    {"paper", "lora.dropout", "0"},
    {"paper", "precision", "bf16"},
    {"paper", "seed", "42"},
    {"paper", "threads", "0"},
    {"paper", "workers", "2"},
    {"paper", "shuffle", "on"},
    {"paper", "pairs", "off"},
    {"paper", "sampling", "all"},
    {"paper", "data.sbi", "off"},
    {"paper", "augment", "paper"},
    {"paper", "frames", "32"},
    {"paper", "frame_choice", "even"},
    {"paper", "limit", "0"},
    {"paper", "val_frames", "0"},
    {"paper", "val_limit", "0"},
    {"paper", "log.tensorboard", "off"},
    {"paper", "monitor", "val_map_video"},
    {"paper", "early_stopping", "0"},
    {"paper", "save_every", "10"},
    {"paper", "keep", "0"},
    {"released", "loss.alignment", "0.1"},
    {"released", "loss.uniformity", "0.1"},
    {"gend", "epochs", "30"},
    {"gend", "lr", "3e-4"},
    {"gend", "min_lr", "1e-5"},
    {"gend", "scheduler", "cyclic"},
    {"gend", "warmup_epochs", "1"},
    {"gend", "drop_last", "on"},
    {"gend", "loss.alignment", "0.1"},
    {"gend", "loss.uniformity", "0.5"},
    {"gend", "slerp", "off"},
    {"gend", "augment", "gend"},
    {"gend", "early_stopping", "30"},
    {"probe", "tune", "none"},
    {"probe", "head", "linear"},
    {"probe", "loss.alignment", "0"},
    {"probe", "loss.uniformity", "0"},
    {"probe-norm", "tune", "none"},
    {"cpu", "frames", "4"},
    {"cpu", "epochs", "5"},
};

enum { DIFFERENCES = sizeof differences / sizeof differences[0] };

/* The built-in recipes and their bases. */
static const struct {
    const char *name, *base;
} builtins[] = {
    {"paper", NULL},   {"released", "paper"},   {"gend", "paper"},
    {"probe", "gend"}, {"probe-norm", "paper"}, {"cpu", "paper"},
};

enum { BUILTINS = sizeof builtins / sizeof builtins[0] };

/* Applies the differences of the bases, then those of `name`; false for an unknown name. */
static bool apply(TrainRecipe *recipe, const char *name)
{
    int i = 0;
    while (i < BUILTINS && strcmp(builtins[i].name, name) != 0)
        i++;
    if (i == BUILTINS)
        return false;
    if (builtins[i].base)
        apply(recipe, builtins[i].base);
    for (int d = 0; d < DIFFERENCES; d++) {
        if (strcmp(differences[d].recipe, name) != 0)
            continue;
        Error error = {0};
        const Status status =
            train_recipe_set(recipe, differences[d].key, differences[d].value, &error);
        assert(status == STATUS_OK);
        (void)status;
    }
    return true;
}

Status train_recipe_named(TrainRecipe *recipe, const char *name, Error *error)
{
    assert(recipe && name && error);
    TrainRecipe named;
    memset(&named, 0, sizeof named);
    snprintf(named.name, sizeof named.name, "%s", name);
    if (!apply(&named, name))
        return error_set(error, STATUS_USAGE,
                         "recipe %.80s: unknown recipe; use paper, released, gend, probe, "
                         "probe-norm, cpu or a file",
                         name);
    *recipe = named;
    return STATUS_OK;
}

void train_recipe_print_changes(const TrainRecipe *recipe, FILE *stream)
{
    TrainRecipe base;
    Error unknown = {0};
    char before[TRAIN_TEXT_SIZE], now[TRAIN_TEXT_SIZE];
    const bool known = train_recipe_named(&base, recipe->name, &unknown) == STATUS_OK;
    for (int i = 0; i < SETTINGS && known; i++) {
        print_value(&settings[i], &base, before);
        print_value(&settings[i], recipe, now);
        if (strcmp(before, now) != 0)
            fprintf(stream, " %s=%s", settings[i].key, now);
    }
}

/* ---- recipe files ---------------------------------------------------------------------------- */

/* Removes spaces and tabs from both ends of [*begin, *end). */
static void trim(char **begin, char **end)
{
    while (*begin < *end && strchr(" \t\r", **begin))
        (*begin)++;
    while (*end > *begin && strchr(" \t\r", (*end)[-1]))
        (*end)--;
}

/* The end of the setting: the first '#' at the start of the line or after a space, or `end`. */
static char *before_comment(char *line, char *end)
{
    for (char *p = line; p < end; p++)
        if (*p == '#' && (p == line || p[-1] == ' ' || p[-1] == '\t'))
            return p;
    return end;
}

/* Parses one line of a recipe file and modifies it in place. `seen` marks the keys read so far. */
static Status read_line(TrainRecipe *recipe, char *line, char *end, bool seen[SETTINGS],
                        Error *error)
{
    end = before_comment(line, end);
    trim(&line, &end);
    if (line == end)
        return STATUS_OK;
    char *equals = memchr(line, '=', (size_t)(end - line));
    if (!equals || memchr(line, '\0', (size_t)(end - line)))
        return error_set(error, STATUS_FAILED,
                         "not of the form key = value; write one setting per line");
    char *key_end = equals, *value = equals + 1;
    trim(&line, &key_end);
    trim(&value, &end);
    *key_end = *end = '\0';
    if (strcmp(line, "recipe") == 0) {
        for (int i = 0; i < SETTINGS; i++)
            if (seen[i])
                return error_set(error, STATUS_FAILED,
                                 "recipe = %s would reset the keys above; move it to the top",
                                 value);
        return train_recipe_named(recipe, value, error);
    }
    if (strcmp(line, "augment") == 0)
        for (int i = 0; i < SETTINGS; i++)
            if (seen[i] && strncmp(settings[i].key, "augment.", 8) == 0)
                return error_set(error, STATUS_FAILED,
                                 "augment = %s would reset %s above; move it before that line",
                                 value, settings[i].key);
    TRY(train_recipe_set(recipe, line, value, error));
    bool *set = &seen[find_setting(line) - settings];
    if (*set)
        return error_set(error, STATUS_FAILED, "%s: duplicate key; keep one of the two lines",
                         line);
    *set = true;
    return STATUS_OK;
}

Status train_recipe_read(TrainRecipe *recipe, const char *path, Error *error)
{
    assert(recipe && path && error);
    enum { LARGEST_RECIPE = 1 << 20 };
    char *content = NULL;
    size_t size = 0;
    TRY(file_read(path, LARGEST_RECIPE, &content, &size, error));
    bool seen[SETTINGS] = {false};
    char *line = content, *end = content + size;
    if (size >= 3 && memcmp(line, "\xEF\xBB\xBF", 3) == 0)
        line += 3;
    Status status = STATUS_OK;
    for (int number = 1; line < end && status == STATUS_OK; number++) {
        char *newline = memchr(line, '\n', (size_t)(end - line));
        char *stop = newline ? newline : end;
        Error inner = {0};
        status = read_line(recipe, line, stop, seen, &inner);
        if (status != STATUS_OK)
            error_set(error, status, "%s: line %d: %s", path, number, inner.message);
        line = stop + 1;
    }
    free(content);
    return status;
}
