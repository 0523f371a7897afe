/*
 * augment.c - the recipes, and the order of the operations: see augment.h.
 *
 * Sources of the recipes: the public code of both papers, whose augmentation is torchvision's. GenD's
 * resizing and noise are off in its training, and so here; its tests of robustness use them.
 */
#include "data/augment/augment.h"

#include "tensor/base/c_locale.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct Recipe {
    const char *name;
    DataAugment augment;
} Recipe;

/* What both papers share; they differ in the blur. */
#define TRAINING                                                                                   \
    .flip = 0.5, .scale = {0.9, 1.1}, .degrees = 10, .translate = 0.1, .sigma = {0.1, 2},          \
    .brightness = 0.1, .contrast = 0.1, .quality_low = 40, .quality_high = 100

static const Recipe recipes[] = {
    {"off", {.flip = 0}},
    {"flip", {.flip = 0.5}},
    {"paper", {TRAINING, .blur = 1, .blur_width = 3, .blur_height = 7}},
    {"gend", {TRAINING, .blur = 0.1, .blur_width = 7, .blur_height = 7}},
};

enum { RECIPES = sizeof recipes / sizeof recipes[0] };

Status data_augment_parse(const char *name, DataAugment *augment, Error *error)
{
    assert(name && augment && error);
    for (int i = 0; i < RECIPES; i++)
        if (strcmp(recipes[i].name, name) == 0) {
            *augment = recipes[i].augment;
            return STATUS_OK;
        }
    *augment = (DataAugment){0};
    return error_set(error, STATUS_USAGE, "augment=%s: unknown value; use paper, gend, flip or off",
                     name);
}

/* One operation that data_augment_perturb knows. */
typedef struct Operation {
    const char *name;
    int step; /* of data_augment_apply, which has one operation each */
    double minimum, maximum;
    double whole_above; /* strengths beyond are whole numbers */
    const char *values; /* for messages */
    void (*set)(DataAugment *augment, double strength);
    DataFilter filter; /* of a resize */
} Operation;

static void set_jpeg(DataAugment *augment, double strength)
{
    augment->quality_low = augment->quality_high = (int)strength;
}

/* Kernels of 5, 7, 11, 13 and 19 pixels for sigma 0.5, 1, 1.5, 2 and 3, as in GenD's tests. */
static void set_blur(DataAugment *augment, double strength)
{
    augment->blur = 1;
    augment->blur_width = augment->blur_height = 2 * (int)ceil(3 * strength) + 1;
    augment->sigma = (DataRange){strength, strength};
}

static void set_resize(DataAugment *augment, double strength)
{
    if (strength <= 1)
        augment->resize_share = strength;
    else
        augment->resize = (int)strength;
}

static void set_noise(DataAugment *augment, double strength)
{
    augment->noise = strength;
}

#define RESIZE(name, filter)                                                                       \
    {                                                                                              \
        name, 2, 0.01, 8192, 1,                                                                    \
            "a share of the shorter edge from 0.01 to 1, or its pixels, an integer from 2 to "     \
            "8192",                                                                                \
            set_resize, filter                                                                     \
    }

static const Operation operations[] = {
    {"blur", 0, 0.01, 100, INFINITY, "a sigma in pixels, from 0.01 to 100", set_blur, 0},
    {"jpeg", 1, 1, 100, 0, "a quality, an integer from 1 to 100", set_jpeg, 0},
    RESIZE("resize", DATA_FILTER_BILINEAR),
    RESIZE("resize-nearest", DATA_FILTER_NEAREST),
    RESIZE("resize-box", DATA_FILTER_BOX),
    RESIZE("resize-bilinear", DATA_FILTER_BILINEAR),
    RESIZE("resize-hamming", DATA_FILTER_HAMMING),
    RESIZE("resize-bicubic", DATA_FILTER_BICUBIC),
    RESIZE("resize-lanczos", DATA_FILTER_LANCZOS),
    {"noise", 3, 1e-4, 10, INFINITY, "a standard deviation where white is 1, from 0.0001 to 10",
     set_noise, 0},
};

enum { OPERATIONS = sizeof operations / sizeof operations[0], MAX_STRENGTH = 30 /* characters */ };

/* An operation of a perturbation, and its strength as given. */
typedef struct Given {
    const Operation *operation; /* NULL: not given */
    char text[MAX_STRENGTH + 1];
    double strength;
} Given;

/* The strength after the equals sign; no blanks, no hexadecimal, no infinity. */
static bool parse_strength(const Operation *operation, const char *text, double *strength)
{
    char *end = NULL;
    *strength = strtod_l(text, &end, c_locale());
    return *text != '\0' && strspn(text, "0123456789.e-") == strlen(text) && *end == '\0' &&
           *strength >= operation->minimum && *strength <= operation->maximum &&
           (*strength <= operation->whole_above || *strength == floor(*strength));
}

/* Puts text [length], NAME=STRENGTH, where its step is in given [DATA_PERTURB_MOST]. */
static Status parse_operation(const char *text, size_t length, Given *given, Error *error)
{
    const int shown = length < 60 ? (int)length : 60;
    const char *const equals = memchr(text, '=', length);
    const size_t name = equals ? (size_t)(equals - text) : length;
    for (int i = 0; i < OPERATIONS; i++) {
        const Operation *const o = &operations[i];
        if (strlen(o->name) != name || strncmp(o->name, text, name) != 0)
            continue;
        Given *const mine = &given[o->step];
        if (mine->operation)
            return error_set(error, STATUS_USAGE,
                             "%.*s: cannot be joined to %s=%s; give one perturbation at most one "
                             "blur, one jpeg, one resize and one noise",
                             shown, text, mine->operation->name, mine->text);
        const size_t rest = equals ? length - name - 1 : 0;
        if (rest <= MAX_STRENGTH)
            memcpy(mine->text, text + length - rest, rest);
        if (rest > MAX_STRENGTH || !parse_strength(o, mine->text, &mine->strength))
            return error_set(error, STATUS_USAGE, "%.*s: is no strength of %s; give %s", shown,
                             text, o->name, o->values);
        mine->operation = o;
        return STATUS_OK;
    }
    return error_set(error, STATUS_USAGE,
                     "%.*s: unknown perturbation; use jpeg=Q, blur=S, resize=N, resize-FILTER=N "
                     "(nearest, box, bilinear, hamming, bicubic, lanczos) or noise=S",
                     shown, text);
}

/* Appends to `list` with a + between; both have room for every operation. */
static void join(char *list, size_t size, const char *text)
{
    const size_t length = strlen(list);
    snprintf(list + length, size - length, "%s%s", length > 0 ? "+" : "", text);
}

Status data_augment_perturb(const char *text, DataPerturbation *perturbation, Error *error)
{
    assert(text && perturbation && error);
    *perturbation = (DataPerturbation){0};
    Given given[DATA_PERTURB_MOST] = {0};
    for (size_t length = strcspn(text, "+");; length = strcspn(text, "+")) {
        TRY(parse_operation(text, length, given, error));
        if (text[length] == '\0')
            break;
        text += length + 1;
    }
    for (int i = 0; i < DATA_PERTURB_MOST; i++) {
        const Operation *const operation = given[i].operation;
        if (!operation)
            continue;
        join(perturbation->kind, sizeof perturbation->kind, operation->name);
        join(perturbation->text, sizeof perturbation->text, given[i].text);
        perturbation->strengths[perturbation->count++] = given[i].strength;
        operation->set(&perturbation->augment, given[i].strength);
        if (operation->set == set_resize)
            perturbation->augment.resize_filter = operation->filter;
    }
    return STATUS_OK;
}

/* What each uniform number of a frame's stream is for. Never renumber; a new operation takes the next. */
enum {
    DRAW_FLIP,
    DRAW_ANGLE,
    DRAW_SHIFT_X,
    DRAW_SHIFT_Y,
    DRAW_SCALE,
    DRAW_BLUR,
    DRAW_SIGMA,
    DRAW_ORDER,
    DRAW_BRIGHTNESS,
    DRAW_CONTRAST,
    DRAW_QUALITY,
    DRAW_NOISE,
    DRAWS
};

static double between(double low, double high, double u)
{
    return low + (high - low) * u;
}

static DataAffine draw_affine(const DataAugment *augment, const double u[DRAWS],
                              const DataImage *image)
{
    const double far_x = augment->translate * image->width;
    const double far_y = augment->translate * image->height;
    return (DataAffine){.degrees = between(-augment->degrees, augment->degrees, u[DRAW_ANGLE]),
                        .scale =
                            augment->scale.high > 0
                                ? between(augment->scale.low, augment->scale.high, u[DRAW_SCALE])
                                : 1,
                        .shift_x = (int)rint(between(-far_x, far_x, u[DRAW_SHIFT_X])),
                        .shift_y = (int)rint(between(-far_y, far_y, u[DRAW_SHIFT_Y]))};
}

static void change_colour(const DataAugment *augment, const double u[DRAWS], DataImage *image)
{
    const bool contrast_first = u[DRAW_ORDER] < 0.5;
    for (int turn = 0; turn < 2; turn++) {
        if ((turn == 0) == contrast_first && augment->contrast > 0)
            data_contrast(image,
                          1 + between(-augment->contrast, augment->contrast, u[DRAW_CONTRAST]));
        else if ((turn == 0) != contrast_first && augment->brightness > 0)
            data_brightness(
                image, 1 + between(-augment->brightness, augment->brightness, u[DRAW_BRIGHTNESS]));
    }
}

static bool has_affine(const DataAugment *augment)
{
    return augment->scale.high > 0 || augment->degrees > 0 || augment->translate > 0;
}

static bool has_blur(const DataAugment *augment)
{
    return augment->blur > 0;
}

static bool has_jpeg(const DataAugment *augment)
{
    return augment->quality_high > 0;
}

static bool has_resize(const DataAugment *augment)
{
    return augment->resize > 0 || augment->resize_share > 0;
}

/* Pixels that the shorter edge gets. */
static int resized_edge(const DataAugment *augment, int width, int height)
{
    if (augment->resize > 0)
        return augment->resize;
    const double shorter = width < height ? width : height;
    return shorter * augment->resize_share < 1 ? 1 : (int)rint(shorter * augment->resize_share);
}

bool data_augment_active(const DataAugment *augment)
{
    return augment->flip > 0 || has_affine(augment) || has_blur(augment) ||
           augment->brightness > 0 || augment->contrast > 0 || has_jpeg(augment) ||
           has_resize(augment) || augment->noise > 0;
}

size_t data_augment_bytes(const DataAugment *augment, int width, int height)
{
    assert(augment && width > 0 && height > 0);
    const size_t image = (size_t)width * (size_t)height * 3;
    size_t most = 0;
    if (has_affine(augment))
        most = image;
    if (has_blur(augment)) {
        const size_t blur = data_blur_bytes(width, augment->blur_width, augment->blur_height);
        most = blur > most ? blur : most;
    }
    if (has_jpeg(augment)) /* the decoded image, and a file that may be as large at quality 100 */
        most = 2 * image > most ? 2 * image : most;
    if (has_resize(augment)) {
        /* The result, and what lies between the passes of the resize, with blocks of 64 rows. */
        const size_t side = (size_t)resized_edge(augment, width, height),
                     shorter = (size_t)(width < height ? width : height);
        const size_t longer = (size_t)(width < height ? height : width);
        const size_t out_longer = side * longer / shorter;
        const size_t resize = (side * out_longer + (longer + 64) * out_longer + 64 * longer) * 3;
        most = resize > most ? resize : most;
    }
    return most;
}

void data_flip_horizontal(DataImage *image)
{
    for (int y = 0; y < image->height; y++) {
        uint8_t *left = image->pixels + (size_t)y * (size_t)image->width * 3;
        uint8_t *right = left + (size_t)(image->width - 1) * 3;
        for (; left < right; left += 3, right -= 3) {
            for (int c = 0; c < 3; c++) {
                const uint8_t value = left[c];
                left[c] = right[c];
                right[c] = value;
            }
        }
    }
}

Status data_augment_apply(const DataAugment *augment, Random *random, DataImage *image,
                          Error *error)
{
    assert(augment && random && image && image->pixels && error);
    double u[DRAWS];
    for (int i = 0; i < DRAWS; i++)
        u[i] = random_uniform(random);
    if (u[DRAW_FLIP] < augment->flip)
        data_flip_horizontal(image);
    if (has_affine(augment)) {
        const DataAffine affine = draw_affine(augment, u, image);
        TRY(data_affine(image, &affine, error));
    }
    if (u[DRAW_BLUR] < augment->blur)
        TRY(data_blur(image, augment->blur_width, augment->blur_height,
                      between(augment->sigma.low, augment->sigma.high, u[DRAW_SIGMA]), error));
    change_colour(augment, u, image);
    if (has_jpeg(augment)) {
        const int qualities = augment->quality_high - augment->quality_low + 1;
        TRY(data_image_jpeg_roundtrip(
            image, augment->quality_low + (int)(qualities * u[DRAW_QUALITY]), error));
    }
    if (has_resize(augment))
        TRY(data_resize_shorter(image, resized_edge(augment, image->width, image->height),
                                augment->resize_filter, error));
    if (augment->noise > 0)
        data_noise(image, augment->noise, (uint64_t)(u[DRAW_NOISE] * 0x1p53));
    return STATUS_OK;
}
