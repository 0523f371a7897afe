/*
 * augment.c - named augmentations, single operations, and their order: see augment.h.
 *
 * The named augmentations follow the public code of both papers, which uses torchvision. GenD's
 * code uses resizing and noise in its robustness tests only, so they are off here, too.
 */
#include "data/augment/augment.h"

#include "tensor/base/arithmetic.h"
#include "tensor/base/c_locale.h"
#include "tensor/base/mem.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct Recipe {
    const char *name;
    DataAugment augment;
} Recipe;

/* Settings common to both papers, which differ only in the blur. */
#define TRAINING                                                                                   \
    .flip = 0.5, .scale = {0.9, 1.1}, .degrees = 10, .translate = 0.1, .sigma = {0.1, 2},          \
    .brightness = 0.1, .contrast = 0.1, .quality_low = 40, .quality_high = 100

static const Recipe recipes[] = {
    {"off", {.flip = 0}},
    {"flip", {.flip = 0.5}},
    {"paper", {TRAINING, .blur = 1, .blur_width = 3, .blur_height = 7}},
    {"gend", {TRAINING, .blur = 0.1, .blur_width = 7, .blur_height = 7}},
};

Status data_augment_parse(const char *name, DataAugment *augment, Error *error)
{
    assert(name && augment && error);
    for (size_t i = 0; i < COUNT_OF(recipes); i++)
        if (strcmp(recipes[i].name, name) == 0) {
            *augment = recipes[i].augment;
            return STATUS_OK;
        }
    *augment = (DataAugment){0};
    return error_set(error, STATUS_USAGE, "augment=%s: unknown value; use paper, gend, flip or off",
                     name);
}

/* An operation of data_augment_perturb. */
typedef struct Operation {
    const char *name;
    int step; /* index of the step of data_augment_apply */
    double minimum, maximum;
    double whole_above; /* larger strengths must be integers */
    const char *values; /* valid values, for messages */
    void (*set)(DataAugment *augment, double strength);
    DataFilter filter; /* filter of a resize */
} Operation;

static void set_jpeg(DataAugment *augment, double strength)
{
    augment->quality_low = augment->quality_high = (int)strength;
}

/* Kernel sizes 5, 7, 11, 13, 19 for sigma 0.5, 1, 1.5, 2, 3 pixels, as in GenD's tests. */
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

enum { MAX_STRENGTH = 30 /* characters */ };

/* An operation of a perturbation and its strength. */
typedef struct Given {
    const Operation *operation; /* NULL: not given */
    char text[MAX_STRENGTH + 1];
    double strength;
} Given;

/* Parses the strength after the equals sign; blanks, hexadecimal and infinity are refused. */
static bool parse_strength(const Operation *operation, const char *text, double *strength)
{
    char *end = NULL;
    *strength = strtod_l(text, &end, c_locale());
    return *text != '\0' && strspn(text, "0123456789.e-") == strlen(text) && *end == '\0' &&
           *strength >= operation->minimum && *strength <= operation->maximum &&
           (*strength <= operation->whole_above || *strength == floor(*strength));
}

/* Parses text [length], NAME=STRENGTH, into the entry of its step in given [DATA_PERTURB_MOST]. */
static Status parse_operation(const char *text, size_t length, Given *given, Error *error)
{
    const int shown = length < 60 ? (int)length : 60;
    const char *equals = memchr(text, '=', length);
    const size_t name = equals ? (size_t)(equals - text) : length;
    for (size_t i = 0; i < COUNT_OF(operations); i++) {
        const Operation *o = &operations[i];
        if (strlen(o->name) != name || strncmp(o->name, text, name) != 0)
            continue;
        Given *mine = &given[o->step];
        if (mine->operation)
            return error_set(error, STATUS_USAGE,
                             "%.*s: cannot be combined with %s=%s; give a perturbation at most one "
                             "blur, one jpeg, one resize and one noise",
                             shown, text, mine->operation->name, mine->text);
        const size_t rest = equals ? length - name - 1 : 0;
        if (rest <= MAX_STRENGTH)
            memcpy(mine->text, text + length - rest, rest);
        if (rest > MAX_STRENGTH || !parse_strength(o, mine->text, &mine->strength))
            return error_set(error, STATUS_USAGE, "%.*s: invalid strength of %s; expected %s",
                             shown, text, o->name, o->values);
        mine->operation = o;
        return STATUS_OK;
    }
    return error_set(error, STATUS_USAGE,
                     "%.*s: unknown perturbation; use jpeg=Q, blur=S, resize=N, resize-FILTER=N "
                     "(nearest, box, bilinear, hamming, bicubic, lanczos) or noise=S",
                     shown, text);
}

/* Appends `text` to `list`, separated by "+"; the buffers have room for all operations. */
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
        const Operation *operation = given[i].operation;
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

/* ---- flip ------------------------------------------------------------------------------------ */

void data_flip_horizontal(DataImage *image)
{
    for (int y = 0; y < image->height; y++) {
        uint8_t *left = image->pixels + (size_t)y * image->width * 3;
        uint8_t *right = left + (image->width - 1) * 3;
        for (; left < right; left += 3, right -= 3) {
            for (int c = 0; c < 3; c++) {
                const uint8_t value = left[c];
                left[c] = right[c];
                right[c] = value;
            }
        }
    }
}

/* ---- rotation, scaling and shift ------------------------------------------------------------- */

/*
 * Sources: torchvision's affine for the inverse matrix (its operations are repeated in their order,
 * because every rounding shows) and Pillow's transform for the walk through the source. A row of
 * the result crosses the source along a line, so the pixels inside of the source form one interval.
 * The interval is computed first, and the loop over its pixels needs no tests.
 */

static const double PI = 3.14159265358979323846;

/* Output pixel (x, y) is source pixel (m[0] x + m[1] y + m[2], m[3] x + m[4] y + m[5]). */
typedef struct Matrix {
    double m[6];
} Matrix;

static Matrix inverse_of(const DataAffine *affine, int width, int height)
{
    const double angle = affine->degrees * (PI / 180);
    const double cosine = cos(angle) / affine->scale, sine = sin(angle) / affine->scale;
    const double center_x = width * 0.5, center_y = height * 0.5;
    const double back_x = -center_x - affine->shift_x, back_y = -center_y - affine->shift_y;
    return (Matrix){{cosine, sine, cosine * back_x + sine * back_y + center_x, -sine, cosine,
                     -sine * back_x + cosine * back_y + center_y}};
}

/* True if the mapped corner (x, y) is representable in 16.16 fixed point. */
static bool fits_fixed(const Matrix *inverse, int x, int y)
{
    const double *m = inverse->m;
    return fabs(x * m[0] + y * m[1] + m[2]) < 32768 && fabs(x * m[3] + y * m[4] + m[5]) < 32768;
}

static int64_t fixed(double value)
{
    return (int64_t)floor(value * 65536 + 0.5);
}

static int64_t floor_divide(int64_t a, int64_t b)
{
    const int64_t quotient = a / b;
    return quotient - (a % b != 0 && (a < 0) != (b < 0));
}

/* Narrows first..end to the steps i with 0 <= start + i * step < limit. */
static void clip_steps(int64_t start, int64_t step, int64_t limit, int *first, int *end)
{
    int64_t low = 0, high = *end; /* low <= i < high */
    if (step > 0) {
        low = -floor_divide(start, step);
        high = -floor_divide(start - limit, step);
    } else if (step < 0) {
        low = floor_divide(limit - start, step) + 1;
        high = floor_divide(-start, step) + 1;
    } else if (start < 0 || start >= limit) {
        high = 0;
    }
    if (low > *first)
        *first = low < *end ? (int)low : *end;
    if (high < *end)
        *end = high > *first ? (int)high : *first;
}

static void walk_fixed(const Matrix *inverse, const DataImage *in, DataImage *out)
{
    const double *m = inverse->m;
    const int width = in->width, height = in->height;
    const int64_t dx = fixed(m[0]), dy = fixed(m[3]);
    int64_t row_x = fixed(m[2] + m[0] * 0.5 + m[1] * 0.5);
    int64_t row_y = fixed(m[5] + m[3] * 0.5 + m[4] * 0.5);
    for (int y = 0; y < height; y++, row_x += fixed(m[1]), row_y += fixed(m[4])) {
        uint8_t *row = out->pixels + (size_t)y * width * 3;
        int first = 0, end = width;
        clip_steps(row_x, dx, (int64_t)width << 16, &first, &end);
        clip_steps(row_y, dy, (int64_t)height << 16, &first, &end);
        memset(row, 0, first * 3);
        memset(row + end * 3, 0, (width - end) * 3);
        int64_t at_x = row_x + first * dx, at_y = row_y + first * dy;
        for (int x = first; x < end; x++, at_x += dx, at_y += dy)
            memcpy(row + x * 3, in->pixels + ((at_y >> 16) * width + (at_x >> 16)) * 3, 3);
    }
}

/*
 * Pillow's arithmetic without rotation, and for images too large for 16.16. Positions are running
 * sums, as in Pillow.
 */
static void walk_double(const Matrix *inverse, const DataImage *in, DataImage *out)
{
    const double *m = inverse->m;
    double row_x = m[2] + m[0] * 0.5 + m[1] * 0.5, row_y = m[5] + m[3] * 0.5 + m[4] * 0.5;
    uint8_t *to = out->pixels;
    for (int y = 0; y < in->height; y++, row_x += m[1], row_y += m[4]) {
        double at_x = row_x, at_y = row_y;
        for (int x = 0; x < in->width; x++, at_x += m[0], at_y += m[3], to += 3) {
            if (at_x >= 0 && at_x < in->width && at_y >= 0 && at_y < in->height)
                memcpy(to, in->pixels + ((size_t)at_y * in->width + (size_t)at_x) * 3, 3);
            else
                memset(to, 0, 3);
        }
    }
}

Status data_affine(DataImage *image, const DataAffine *affine, Error *error)
{
    assert(image && image->pixels && affine && affine->scale > 0 && error);
    const int width = image->width, height = image->height;
    const Matrix inverse = inverse_of(affine, width, height);
    DataImage out;
    TRY(data_image_create(&out, width, height, error));
    const bool rotated = inverse.m[1] != 0 || inverse.m[3] != 0;
    if (rotated && fits_fixed(&inverse, 0, 0) && fits_fixed(&inverse, width, height) &&
        fits_fixed(&inverse, 0, height) && fits_fixed(&inverse, width, 0))
        walk_fixed(&inverse, image, &out);
    else
        walk_double(&inverse, image, &out);
    data_image_free(image);
    *image = out;
    return STATUS_OK;
}

/* ---- blur ------------------------------------------------------------------------------------ */

/*
 * The kernel is separable: rows are blurred first, each once, into a ring of as many rows as the
 * kernel is high; an output row is the weighted sum of the ring. So the image can be overwritten
 * from the top. Both sums run over shifted or stacked rows of floats, which compilers vectorise.
 * torchvision sums the two-dimensional kernel instead: results can differ by one where a sum is
 * within about 1e-4 of a half.
 */

/*
 * out[i] = sum over k < taps of weights[k] * in[k][i], for i < n. Inlined with a constant number of
 * taps.
 */
static inline void sum_lines(const float *const *in, const float *weights, int taps,
                             float *restrict out, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        float sum = weights[0] * in[0][i];
        for (int k = 1; k < taps; k++)
            sum += weights[k] * in[k][i];
        out[i] = sum;
    }
}

/* The kernel sizes of both papers get loops of their own. */
static void sum_any_lines(const float *const *in, const float *weights, int taps,
                          float *restrict out, size_t n)
{
    if (taps == 3)
        sum_lines(in, weights, 3, out, n);
    else if (taps == 7)
        sum_lines(in, weights, 7, out, n);
    else
        sum_lines(in, weights, taps, out, n);
}

static void fill_weights(float *weights, int taps, double sigma)
{
    const float deviation = (float)sigma;
    float sum = 0;
    for (int k = 0; k < taps; k++) {
        const float distance = (float)(k - taps / 2) / deviation;
        weights[k] = expf(-0.5F * (distance * distance));
        sum += weights[k];
    }
    for (int k = 0; k < taps; k++)
        weights[k] /= sum;
}

/*
 * Working memory of one blur, in one allocation that starts at `lines`. W and H: the kernel's
 * sides.
 */
typedef struct Blur {
    float *weights;      /* [W], then those of the columns [H] */
    float *padded;       /* [width + W - 1, 3] */
    float *ring;         /* [H, width, 3] rows blurred along x */
    float *sums;         /* [width, 3] */
    const float **lines; /* [max(W, H)] */
    int width, height;   /* kernel sides */
} Blur;

size_t data_blur_bytes(int image_width, int width, int height)
{
    const size_t row = (size_t)image_width * 3, w = width, h = height;
    const size_t floats = w + h + (row + 3 * (w - 1)) + h * row + row;
    return max_size(w, h) * sizeof(float *) + floats * sizeof(float);
}

/* Blurs one image row in [n,3] along x into ring row `slot`. */
static void blur_row(const Blur *blur, const uint8_t *in, int n, int slot)
{
    const int reach = blur->width / 2;
    const size_t row = (size_t)n * 3;
    float *middle = blur->padded + reach * 3, *last = middle + row - 3;
    for (size_t i = 0; i < row; i++)
        middle[i] = in[i];
    for (int i = 3; i <= 3 * reach; i += 3) {
        memcpy(middle - i, middle + i, 3 * sizeof(float));
        memcpy(last + i, last - i, 3 * sizeof(float));
    }
    for (int k = 0; k < blur->width; k++)
        blur->lines[k] = blur->padded + k * 3;
    sum_any_lines(blur->lines, blur->weights, blur->width, blur->ring + slot * row, row);
}

/* Adding 2^23 leaves the nearest integer of a value in 0..255, ties to even, in the low bits. */
static void round_row(const float *restrict in, uint8_t *restrict out, size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] = (uint8_t)float_bits(in[i] + 0x1p23F);
}

static void blur_image(const Blur *blur, DataImage *image)
{
    const int n = image->width, rows = image->height, reach = blur->height / 2;
    const size_t row_size = (size_t)n * 3;
    for (int y = -reach; y < rows; y++) {
        const int next = y + reach;
        if (next < rows)
            blur_row(blur, image->pixels + next * row_size, n, next % blur->height);
        if (y < 0)
            continue;
        for (int k = 0; k < blur->height; k++) {
            int source = abs(y - reach + k);
            if (source >= rows)
                source = 2 * (rows - 1) - source;
            blur->lines[k] = blur->ring + source % blur->height * row_size;
        }
        sum_any_lines(blur->lines, blur->weights + blur->width, blur->height, blur->sums, row_size);
        round_row(blur->sums, image->pixels + y * row_size, row_size);
    }
}

Status data_blur(DataImage *image, int width, int height, double sigma, Error *error)
{
    assert(image && image->pixels && sigma > 0 && error);
    assert(width > 0 && width % 2 == 1 && height > 0 && height % 2 == 1);
    if (image->width <= width / 2 || image->height <= height / 2)
        return error_set(
            error, STATUS_FAILED,
            "image of %d x %d pixels: too small for a blur of %d x %d; remove the image, or "
            "choose an augmentation without blur",
            image->width, image->height, width, height);
    const size_t bytes = data_blur_bytes(image->width, width, height);
    const float **lines = mem_new(1, bytes, "blurring an image", error);
    if (!lines)
        return error->status;
    const size_t row = (size_t)image->width * 3;
    Blur blur = {.lines = lines, .width = width, .height = height};
    blur.weights = (float *)(lines + max_int(width, height));
    blur.padded = blur.weights + width + height;
    blur.ring = blur.padded + row + (width - 1) * 3;
    blur.sums = blur.ring + height * row;
    fill_weights(blur.weights, width, sigma);
    fill_weights(blur.weights + width, height, sigma);
    blur_image(&blur, image);
    free(lines);
    return STATUS_OK;
}

/* ---- brightness and contrast ----------------------------------------------------------------- */

/*
 * Both are Pillow's blend of the image with a uniform grey, so each is one table of 256 values. The
 * blend is computed in f32 and truncated, as in Pillow. Factors up to 1 need no clipping.
 */

/* Replaces every value v by grey + factor * (v - grey), truncated and clipped. */
static void blend_with_grey(DataImage *image, int grey, double factor)
{
    const float share = (float)factor;
    uint8_t table[256];
    for (int value = 0; value < 256; value++) {
        const float blended = (float)grey + share * (float)(value - grey);
        table[value] = (uint8_t)(blended <= 0 ? 0 : blended >= 255 ? 255 : (int)blended);
    }
    const size_t values = (size_t)image->width * image->height * 3;
    for (size_t i = 0; i < values; i++)
        image->pixels[i] = table[image->pixels[i]];
}

void data_brightness(DataImage *image, double factor)
{
    assert(image && image->pixels && factor >= 0);
    blend_with_grey(image, 0, factor);
}

/* The mean grey value. Weights: ITU-R 601-2 in units of 2^-16, as Pillow rounds them. */
static int mean_grey(const DataImage *image)
{
    const size_t count = (size_t)image->width * image->height;
    const uint8_t *pixel = image->pixels;
    uint64_t sum = 0;
    for (size_t i = 0; i < count; i++, pixel += 3)
        sum += (19595U * pixel[0] + 38470U * pixel[1] + 7471U * pixel[2] + 0x8000U) >> 16;
    return (int)((double)sum / (double)count + 0.5);
}

void data_contrast(DataImage *image, double factor)
{
    assert(image && image->pixels && factor >= 0);
    blend_with_grey(image, mean_grey(image), factor);
}

/* ---- resize and noise ------------------------------------------------------------------------ */

Status data_resize_shorter(DataImage *image, int size, DataFilter filter, Error *error)
{
    assert(image && image->pixels && size > 0 && error);
    int width = 0, height = 0;
    if (!data_resized_shape(image->width, image->height, size, &width, &height))
        return error_set(error, STATUS_FAILED,
                         "image of %d x %d pixels: resized to %d it would exceed %d pixels; resize "
                         "to less, or remove the image",
                         image->width, image->height, size, DATA_MAX_PIXELS);
    DataImage out;
    TRY(data_image_create(&out, width, height, error));
    DataResizer resizer = {.filter = filter};
    const Status status = data_resize(&resizer, image, width, height, out.pixels, error);
    data_resizer_free(&resizer);
    if (status != STATUS_OK) {
        data_image_free(&out);
        return status;
    }
    data_image_free(image);
    *image = out;
    return STATUS_OK;
}

/*
 * Each normal number costs a logarithm and a cosine in f64. That is fast enough: noise is used in
 * robustness tests only, where the encoder takes a hundred times as long.
 */
void data_noise(DataImage *image, double sigma, uint64_t seed)
{
    assert(image && image->pixels && sigma >= 0);
    const size_t values = (size_t)image->width * image->height * 3;
    const float deviation = (float)sigma;
    Random random = random_stream(seed, RANDOM_NOISE, 0, 0);
    for (size_t i = 0; i < values; i++) {
        const float noisy =
            (float)image->pixels[i] / 255 + deviation * (float)random_normal(&random);
        const float clipped = noisy < 0 ? 0 : noisy > 1 ? 1 : noisy;
        image->pixels[i] = (uint8_t)(clipped * 255);
    }
}

/* ---- all operations -------------------------------------------------------------------------- */

/*
 * The use of each uniform number of a frame's stream. Never renumber: results would change. A new
 * operation gets the next index.
 */
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
    for (int i = 0; i < 2; i++) {
        const bool contrast = (i == 0) == contrast_first;
        if (contrast && augment->contrast > 0)
            data_contrast(image,
                          1 + between(-augment->contrast, augment->contrast, u[DRAW_CONTRAST]));
        else if (!contrast && augment->brightness > 0)
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

/* Pixels of the shorter edge after the resize. */
static int resized_edge(const DataAugment *augment, int width, int height)
{
    if (augment->resize > 0)
        return augment->resize;
    return max_int(1, (int)rint(min_int(width, height) * augment->resize_share));
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
    const size_t image = (size_t)width * height * 3;
    size_t most = 0;
    if (has_affine(augment))
        most = image;
    if (has_blur(augment))
        most = max_size(most, data_blur_bytes(width, augment->blur_width, augment->blur_height));
    /* the decoded image and its file, which may be as large at quality 100 */
    if (has_jpeg(augment))
        most = max_size(most, 2 * image);
    if (has_resize(augment)) {
        /* The result, and the rows between the two passes of the resize, in blocks of 64 rows. */
        const size_t side = resized_edge(augment, width, height), longer = max_int(width, height);
        const size_t out_longer = side * longer / min_int(width, height);
        most = max_size(most, (side * out_longer + (longer + 64) * out_longer + 64 * longer) * 3);
    }
    return most;
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
