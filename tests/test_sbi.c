/*
 * test_sbi.c - self-blended images: the parts of a blend and whole blends against NumPy, SciPy and
 * Pillow (tests/golden/make_sbi.py), what stays and what changes, draws, and refusals.
 */
#include "data/augment/sbi.h"
#include "data/augment/sbi_private.h"
#include "tests/support.h"
#include "tests/support_image.h"
#include "tests/support_landmarks.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static size_t bytes_of(const DataImage *image)
{
    return (size_t)image->width * (size_t)image->height * 3;
}

static uint32_t crc_of(const DataImage *image)
{
    return support_crc32(image->pixels, bytes_of(image));
}

static DataImage copy_of(const DataImage *image)
{
    Error error = {0};
    DataImage copy;
    ck_ok(data_image_create(&copy, image->width, image->height, &error), &error);
    memcpy(copy.pixels, image->pixels, bytes_of(image));
    return copy;
}

static void blend(DataImage *image, const DataLandmarks *landmarks, uint32_t index)
{
    Error error = {0};
    Random random = random_stream(1, RANDOM_TEST, index, 0);
    ck_ok(data_self_blend(image, landmarks, &random, &error), &error);
}

/* ---- against NumPy, SciPy and Pillow ---- */

typedef struct Golden {
    char operation[16], name[16];
    int width, height;
    double p[3];
    uint32_t crc;
} Golden;

static void check_hull(const Golden *g)
{
    const DataLandmarks landmarks = support_landmarks(g->name);
    const DataAxis still = {1, 0};
    static uint8_t cells[DATA_MASK_SIDE * DATA_MASK_SIDE];
    DataRegion region;
    data_region_hull(&region, g->width, g->height, &landmarks, (int)g->p[0], still, still);
    size_t area = 0;
    for (int y = 0; y < g->height; y++)
        for (int x = 0; x < g->width; x++)
            area += cells[y * g->width + x] = x >= region.first[y] && x < region.end[y];
    ck_assert_uint_eq(area, data_region_area(&region));
    ck_assert_msg(support_crc32(cells, (size_t)(g->width * g->height)) == g->crc,
                  "hull of %s, %g points, %d x %d", g->name, g->p[0], g->width, g->height);
}

static void check_operation(const Golden *g)
{
    Error error = {0};
    DataImage image;
    support_pattern(&image, g->width, g->height);
    if (strcmp(g->operation, "hsv") == 0)
        data_hsv_shift(&image, (const int[3]){(int)g->p[0], (int)g->p[1], (int)g->p[2]});
    else if (strcmp(g->operation, "downscale") == 0)
        ck_ok(data_downscale(&image, (int)g->p[0], &error), &error);
    else
        ck_ok(data_sharpen(&image, g->p[0], g->p[1], &error), &error);
    ck_assert_msg(crc_of(&image) == g->crc, "%s %d x %d %g %g %g", g->operation, g->width,
                  g->height, g->p[0], g->p[1], g->p[2]);
    data_image_free(&image);
}

/* Sums of f32 may round to the other side here and there, but nothing may be farther off. */
static void check_blend(const Golden *g, FILE *results)
{
    DataLandmarks landmarks = {0};
    DataImage image;
    support_pattern(&image, g->width, g->height);
    if (strcmp(g->name, "none") != 0)
        landmarks = support_landmarks(g->name);
    for (int i = 0; i < landmarks.count; i++) {
        landmarks.x[i] = (float)((double)landmarks.x[i] * (g->width / 256.0));
        landmarks.y[i] = (float)((double)landmarks.y[i] * (g->height / 256.0));
    }
    blend(&image, &landmarks, (uint32_t)g->p[0]);
    int off = 0;
    for (size_t i = 0; i < bytes_of(&image); i++) {
        const int expected = getc(results);
        ck_each(abs(image.pixels[i] - expected) <= 1, "blend %g: value %zu is %d, not %d", g->p[0],
                i, image.pixels[i], expected);
        off += image.pixels[i] != expected;
    }
    ck_assert_msg(off * 1000 <= (int)bytes_of(&image), "blend %g: %d values are off", g->p[0], off);
    data_image_free(&image);
}

START_TEST(test_golden)
{
    char line[128];
    FILE *const lines = support_golden_open("sbi.txt");
    FILE *const results = support_golden_open("sbi.bin");
    int hulls = 0, operations = 0, blends = 0;
    while (fgets(line, sizeof line, lines)) {
        Golden g = {0};
        ck_assert_int_eq(sscanf(line, "%15s", g.operation), 1);
        g.crc = (uint32_t)strtoul(strrchr(line, ' '), NULL, 16);
        if (strcmp(g.operation, "hull") == 0) {
            ck_assert_int_eq(
                sscanf(line, "%*s %15s %lf %d %d", g.name, &g.p[0], &g.width, &g.height), 4);
            check_hull(&g);
            hulls++;
        } else if (strcmp(g.operation, "blend") == 0) {
            ck_assert_int_eq(
                sscanf(line, "%*s %d %d %lf %15s", &g.width, &g.height, &g.p[0], g.name), 4);
            check_blend(&g, results);
            blends++;
        } else {
            ck_assert_int_ge(sscanf(line, "%*s %d %d %lf %lf %lf", &g.width, &g.height, &g.p[0],
                                    &g.p[1], &g.p[2]),
                             3);
            check_operation(&g);
            operations++;
        }
    }
    ck_assert(hulls >= 20 && operations == 15 && blends == 32 && getc(results) == EOF);
    fclose(lines);
    fclose(results);
}
END_TEST

START_TEST(test_colours_by_hand)
{
    uint8_t pixels[] = {0, 100, 255, 19, 20, 250};
    DataImage image = {.width = 2, .height = 1, .pixels = pixels};
    data_rgb_shift(&image, (const double[3]){-19.5, 0.5, 5.9});
    ck_assert_mem_eq(pixels, ((const uint8_t[]){0, 100, 255, 0, 20, 255}), 6);
    data_linear(&image, 1.1, -0.1); /* 1.1 v - 25.5 */
    ck_assert_mem_eq(pixels, ((const uint8_t[]){0, 84, 255, 0, 0, 255}), 6);
}
END_TEST

/* ---- the hull ---- */

/* Random landmarks of one of several hard kinds; whole numbers, fractions, near a line, on one, in
 * clusters. */
static DataLandmarks hard_landmarks(Random *random, int kind)
{
    DataLandmarks landmarks = {.count = kind % 2 ? 68 : 81};
    const float far = kind < 8 ? 1.0F : 1e4F;
    const float start_x = 100.0F * (float)random_uniform(random);
    const float start_y = 100.0F * (float)random_uniform(random);
    const float step_x = 0.7F * (float)random_uniform(random);
    const float step_y = 0.7F * (float)random_uniform(random);
    for (int i = 0; i < landmarks.count; i++) {
        const float u = (float)random_uniform(random), v = (float)random_uniform(random);
        const float noise = kind / 2 % 4 == 1 ? 1e-5F : 0; /* about the last bit of a coordinate */
        float x = start_x + (float)i * step_x + noise * u;
        float y = start_y - (float)i * step_y + noise * v;
        if (kind / 2 % 4 == 2) { /* a chain that bends by about the rounding of its points */
            x = start_x - 0.125F * (float)i;
            y = start_y + 0.03125F * (float)(i * (i + 1) / 2);
        } else if (kind / 2 % 4 == 3) {
            x = floorf(8 * u) * 30;
            y = floorf(8 * v) * 30;
        }
        landmarks.x[i] = far * x;
        landmarks.y[i] = far * y;
    }
    return landmarks;
}

/* Where the lines between all pairs of the points cross row y: the hull without finding its
 * corners. */
static void brute_row(const DataLandmarks *l, DataAxis ax, DataAxis ay, int row, double span[2])
{
    span[0] = INFINITY;
    span[1] = -INFINITY;
    for (int i = 0; i < l->count; i++)
        for (int k = 0; k < l->count; k++) {
            const double x0 = ax.scale * (double)l->x[i] + ax.offset;
            const double y0 = ay.scale * (double)l->y[i] + ay.offset;
            const double x1 = ax.scale * (double)l->x[k] + ax.offset;
            const double y1 = ay.scale * (double)l->y[k] + ay.offset;
            if (y0 > row || y1 < row)
                continue;
            const double at = y0 == y1 ? x0 : x0 + (x1 - x0) * (row - y0) / (y1 - y0);
            span[0] = fmin(span[0], at);
            span[1] = fmax(span[1], at);
        }
}

/* Every row equals brute force, except where a cell's middle lies within 1e-6 of the edge. */
static void check_against_brute(const DataLandmarks *landmarks, DataAxis x, DataAxis y, int kind)
{
    enum { WIDTH = 248, HEIGHT = 217 };
    DataRegion region;
    data_region_hull(&region, WIDTH, HEIGHT, landmarks, landmarks->count, x, y);
    for (int row = 0; row < HEIGHT; row++) {
        double span[2];
        brute_row(landmarks, x, y, row, span);
        const int first = region.first[row], end = region.end[row];
        ck_each(first >= 0 && first <= end && end <= WIDTH, "kind %d row %d", kind, row);
        int inside = 0, least = 0;
        for (int cell = 0; cell < WIDTH; cell++) {
            inside += cell >= span[0] - 1e-6 && cell <= span[1] + 1e-6;
            least += cell >= span[0] + 1e-6 && cell <= span[1] - 1e-6;
        }
        ck_each(end - first >= least && end - first <= inside,
                "kind %d row %d: %d cells, expected %d to %d", kind, row, end - first, least,
                inside);
    }
}

START_TEST(test_hull_near_lines)
{
    const DataAxis still = {1, 0}, x = {248 / 133.0, 124 / 133.0 - 0.5};
    const DataAxis y = {217 / 121.0, 108.5 / 121.0 - 0.5};
    for (int i = 0; i < 160; i++) {
        Random random = random_stream(7, RANDOM_TEST, (uint32_t)i, 0);
        const DataLandmarks landmarks = hard_landmarks(&random, i % 16);
        check_against_brute(&landmarks, i % 32 < 16 ? x : still, i % 32 < 16 ? y : still, i % 16);
    }
}
END_TEST

/* Rounded in the grid's coordinates all 81 lay on both sides of the hull: it was written past its
 * end. */
START_TEST(test_hull_of_one_chain)
{
    DataLandmarks landmarks = {.count = 81};
    for (int i = 0; i < 3; i++) {
        landmarks.x[78 + i] = 11.826171875F + (float)i * 3.341796875F;
        landmarks.y[78 + i] = 0.294921875F + (float)i * -0.1484375F;
    }
    for (int i = 77; i >= 0; i--) {
        landmarks.x[i] = landmarks.x[i + 1] - 0.125F;
        landmarks.y[i] = landmarks.y[i + 1] + 0.03125F * (float)(78 - i);
    }
    const double x = 248 / 133.0, y = 217 / 121.0;
    check_against_brute(&landmarks, (DataAxis){x, 0.5 * x - 0.5}, (DataAxis){y, 0.5 * y - 0.5}, 0);
}
END_TEST

/* All equal, on one pixel row or column, huge, and far outside: a region without a cell, or all of
 * it. */
START_TEST(test_hull_degenerate)
{
    const DataAxis still = {1, 0};
    static const float EXTREMES[] = {0, -0.0F, 1e-45F, 0.5F, 255, 1e6F, -1e6F, 1e38F, -3.4e38F};
    enum { COUNT = sizeof EXTREMES / sizeof EXTREMES[0] };
    DataRegion region;
    for (int i = 0; i < COUNT * COUNT; i++) {
        DataLandmarks landmarks = {.count = 81};
        const float x = EXTREMES[i / COUNT], y = EXTREMES[i % COUNT];
        for (int k = 0; k < 81; k++) {
            landmarks.x[k] = x;
            landmarks.y[k] = y;
        }
        data_region_hull(&region, 256, 256, &landmarks, 81, still, still);
        const bool on_cell =
            x == floorf(x) && y == floorf(y) && x >= 0 && x < 256 && y >= 0 && y < 256;
        ck_assert_uint_eq(data_region_area(&region), on_cell);
        for (int k = 0; k < 81; k++) { /* the four corners of a rectangle about the origin */
            landmarks.x[k] = k & 1 ? x : -x;
            landmarks.y[k] = k & 2 ? y : -y;
        }
        data_region_hull(&region, 256, 256, &landmarks, 81, still, still);
        if (fabsf(x) > 1e5F && fabsf(y) > 1e5F)
            ck_assert_uint_eq(data_region_area(&region), 256 * 256);
    }
}
END_TEST

/* ---- the mask ---- */

START_TEST(test_mask_range)
{
    static DataMask mask;
    DataRegion region;
    data_region_ellipse(&region, 200, 230, 100, 115, 60, 80);
    double sums[4] = {0};
    for (int i = 0; i < 60; i++) {
        const DataMaskEdge edge = {.deformation = (uint64_t)i,
                                   .erosion = i % 2 ? 5 : 25,
                                   .blur = i % 4 < 2 ? 5 : 25,
                                   .sigma = 5 + i % 41};
        ck_assert(data_mask_make(&mask, &region, &edge));
        float largest = 0;
        for (int k = 0; k < 200 * 230; k++) {
            const float value = mask.values[k];
            ck_each(value >= 0 && value <= 1, "%g", (double)value);
            largest = value > largest ? value : largest;
            sums[i % 4] += (double)value;
        }
        ck_assert(largest == 1 && mask.values[115 * 200 + 100] > 0.999F);
        ck_assert(mask.values[0] == 0 && mask.values[200 * 230 - 1] == 0);
    }
    /* A square of 25 takes off 10 cells more than one of 5 on every side: pi (60 * 80 - 50 * 70) or
     * so of 15 masks. */
    ck_assert(sums[1] - sums[0] > 15 * 3500 && sums[1] - sums[0] < 15 * 5000);
    ck_assert(sums[3] - sums[2] > 15 * 3500 && sums[3] - sums[2] < 15 * 5000);
}
END_TEST

/* Shifts have a deviation of 50 / (2 sqrt(3 pi) 7) = 1.16 cells, as with noise for each pixel. */
START_TEST(test_deformation)
{
    static DataMask mask;
    DataRegion region;
    data_region_ellipse(&region, 256, 256, 128, 128, 60, 80);
    double sum = 0, squares = 0;
    int count = 0;
    for (uint64_t seed = 0; seed < 20; seed++) {
        ck_assert(data_mask_make(&mask, &region, &(const DataMaskEdge){seed, 5, 5, 5}));
        for (int axis = 0; axis < 2; axis++)
            for (int i = 0; i < DATA_MASK_LATTICE * DATA_MASK_LATTICE; i++, count++) {
                const double shift = (double)mask.shift[axis][i];
                sum += shift;
                squares += shift * shift;
            }
    }
    ck_assert(fabs(sum / count) < 0.05);
    ck_assert(fabs(sqrt(squares / count) - 1.163) < 0.03);
}
END_TEST

/* Erosion never removes everything; an empty region is reported. */
START_TEST(test_thin_regions)
{
    static DataMask mask;
    for (int radius = 1; radius < 12; radius++) {
        DataRegion region;
        data_region_ellipse(&region, 256, 192, 90, 100, radius + 1, 50);
        const DataMaskEdge edge = {7, 25, 5, 9};
        ck_assert(data_mask_make(&mask, &region, &edge));
        float largest = 0;
        for (int i = 0; i < 256 * 192; i++)
            largest = mask.values[i] > largest ? mask.values[i] : largest;
        ck_assert(largest == 1);
        data_region_clip(&region, 300, 400, 0, 191);
        ck_assert_uint_eq(data_region_area(&region), 0);
        ck_assert(!data_mask_make(&mask, &region, &edge));
    }
}
END_TEST

START_TEST(test_clip)
{
    DataRegion region;
    data_region_ellipse(&region, 100, 100, 50, 50, 40, 40);
    data_region_clip(&region, 19.5, 60, -3, 50.5);
    for (int y = 0; y < 100; y++)
        ck_assert(y <= 50 ? region.first[y] == region.end[y] ||
                                (region.first[y] >= 20 && region.end[y] <= 61)
                          : region.first[y] == region.end[y]);
    ck_assert(region.first[50] == 20 && region.end[50] == 61);
}
END_TEST

/* ---- whole blends ---- */

/* Outside of the face a fake is its real frame, pixel for pixel; inside it differs; both keep their
 * size. */
START_TEST(test_outside_stays)
{
    DataLandmarks face = support_landmarks("f8");
    for (uint32_t index = 0; index < 40; index++) {
        Error error = {0};
        DataImage fake, real;
        support_pattern(&fake, 256, 256);
        real = copy_of(&fake);
        const uint32_t before = crc_of(&fake);
        blend(&fake, index % 2 ? &face : NULL, index);
        Random random = random_stream(1, RANDOM_TEST, index, 0);
        ck_ok(data_self_blend_real(&real, &random, &error), &error);
        ck_assert(fake.width == 256 && fake.height == 256 && crc_of(&fake) != before);
        int changed = 0;
        for (int y = 0; y < 256; y++)
            for (int x = 0; x < 256; x++) {
                const size_t at = (size_t)(y * 256 + x) * 3;
                const bool differs = memcmp(fake.pixels + at, real.pixels + at, 3) != 0;
                /* No mask reaches here: the face's box, moved and resized, and half a filter's
                 * width around it. */
                const bool outside = x < 12 || x >= 244 || y < 16;
                ck_each(!differs || !outside, "blend %u: (%d, %d)", index, x, y);
                changed += differs && x > 90 && x < 166 && y > 110 && y < 190;
            }
        ck_assert_msg(changed > 3000, "blend %u: %d of 5,925 pixels differ", index, changed);
        data_image_free(&fake);
        data_image_free(&real);
    }
}
END_TEST

/* The real frame is untouched where the source is what changed: half of the draws. */
START_TEST(test_real_side)
{
    int untouched = 0;
    for (uint32_t index = 0; index < 200; index++) {
        Error error = {0};
        DataImage real;
        support_pattern(&real, 48, 40);
        const uint32_t before = crc_of(&real);
        Random random = random_stream(1, RANDOM_TEST, index, 0);
        const double side = random_uniform(&random);
        random = random_stream(1, RANDOM_TEST, index, 0);
        ck_ok(data_self_blend_real(&real, &random, &error), &error);
        ck_assert_int_eq(crc_of(&real) == before, side < 0.5);
        untouched += side < 0.5;
        data_image_free(&real);
    }
    ck_assert(untouched > 70 && untouched < 130);
}
END_TEST

START_TEST(test_draws)
{
    const DataLandmarks face = support_landmarks("f8");
    uint32_t seen[30] = {0};
    for (uint32_t index = 0; index < 30; index++) {
        for (int turn = 0; turn < 2; turn++) {
            DataImage image;
            support_pattern(&image, 256, 200);
            Error error = {0};
            Random random = random_stream(1, RANDOM_TEST, index, 0);
            ck_ok(data_self_blend(&image, turn || index % 2 ? &face : NULL, &random, &error),
                  &error);
            if (turn == 0 || index % 2 == 0)
                seen[index] = crc_of(&image); /* with landmarks the second turn is the same again */
            ck_assert(seen[index] == crc_of(&image));
            Random expected = random_stream(1, RANDOM_TEST, index, 0);
            for (int i = 0; i < 28; i++)
                random_uniform(&expected);
            ck_assert_uint_eq(random_u32(&random), random_u32(&expected));
            data_image_free(&image);
        }
        for (uint32_t k = 0; k < index; k++)
            ck_assert(seen[k] != seen[index]);
    }
}
END_TEST

/* Sizes far from square, and the smallest there are. */
START_TEST(test_sizes)
{
    static const int SIZES[][2] = {{32, 32}, {33, 257}, {32, 3000}, {2000, 32}, {511, 384}};
    for (size_t i = 0; i < sizeof SIZES / sizeof SIZES[0]; i++)
        for (uint32_t index = 0; index < 12; index++) {
            DataImage image;
            support_pattern(&image, SIZES[i][0], SIZES[i][1]);
            const uint32_t before = crc_of(&image);
            blend(&image, NULL, index);
            ck_assert(image.width == SIZES[i][0] && image.height == SIZES[i][1]);
            ck_assert(crc_of(&image) != before);
            data_image_free(&image);
        }
}
END_TEST

START_TEST(test_refusals)
{
    static const struct {
        int width, height;
        const char *landmarks, *words;
    } CASES[] = {{31, 200, NULL, "image of 31 x 200 pixels: too small"},
                 {200, 31, NULL, "too small"},
                 {1, 1, "f8", "too small"},
                 {256, 256, "away", "they enclose 0.0 %"},
                 {256, 256, "point", "they enclose 0.0 %"},
                 {256, 256, "line", "they enclose 0."},
                 {1920, 1080, "triangle", "they enclose 0.1 %"}};
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        Error error = {0};
        DataImage image;
        support_pattern(&image, CASES[i].width, CASES[i].height);
        const uint32_t before = crc_of(&image);
        DataLandmarks landmarks = {0};
        if (CASES[i].landmarks)
            landmarks = support_landmarks(CASES[i].landmarks);
        Random random = random_stream(1, RANDOM_TEST, 0, 0);
        ck_assert_int_eq(data_self_blend(&image, &landmarks, &random, &error), STATUS_FAILED);
        ck_assert_msg(strstr(error.message, CASES[i].words), "%s", error.message);
        ck_assert(crc_of(&image) == before);
        data_image_free(&image);
    }
}
END_TEST

/* Landmarks far outside, whatever they are, are clipped to the image and never read beyond it. */
START_TEST(test_wild_landmarks)
{
    for (uint32_t index = 0; index < 60; index++) {
        Error error = {0};
        Random random = random_stream(2, RANDOM_TEST, index, 0);
        DataLandmarks landmarks = {.count = index % 2 ? 68 : 81};
        const double reach = index % 3 == 0 ? 1e6 : index % 3 == 1 ? 300 : 60;
        for (int i = 0; i < landmarks.count; i++) {
            landmarks.x[i] = (float)(32 + reach * (2 * random_uniform(&random) - 1));
            landmarks.y[i] = (float)(24 + reach * (2 * random_uniform(&random) - 1));
        }
        DataImage image;
        support_pattern(&image, 64, 48);
        ck_ok(data_self_blend(&image, &landmarks, &random, &error), &error);
        data_image_free(&image);
    }
}
END_TEST

START_TEST(test_bytes)
{
    static const int SIZES[][2] = {{32, 32}, {256, 256}, {1000, 700}};
    for (size_t i = 0; i < 3; i++) {
        const size_t bytes = data_self_blend_bytes(SIZES[i][0], SIZES[i][1]);
        const size_t image = (size_t)SIZES[i][0] * (size_t)SIZES[i][1] * 3;
        ck_assert(bytes >= sizeof(DataMask) + image + image / 4 + image / 2);
        ck_assert(bytes <= sizeof(DataMask) + 3 * image + 400000);
    }
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("sbi");
    TCase *const parts = support_case(suite, "parts", 60);
    tcase_add_test(parts, test_golden);
    tcase_add_test(parts, test_colours_by_hand);
    tcase_add_test(parts, test_hull_near_lines);
    tcase_add_test(parts, test_hull_of_one_chain);
    tcase_add_test(parts, test_hull_degenerate);
    tcase_add_test(parts, test_mask_range);
    tcase_add_test(parts, test_deformation);
    tcase_add_test(parts, test_thin_regions);
    tcase_add_test(parts, test_clip);
    TCase *const blends = support_case(suite, "blends", 120);
    tcase_add_test(blends, test_outside_stays);
    tcase_add_test(blends, test_real_side);
    tcase_add_test(blends, test_draws);
    tcase_add_test(blends, test_sizes);
    tcase_add_test(blends, test_refusals);
    tcase_add_test(blends, test_wild_landmarks);
    tcase_add_test(blends, test_bytes);
    return support_main(suite);
}
