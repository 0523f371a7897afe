/*
 * test_kernels_product.c - the kernels of the packed product that this processor can run. Sums
 * agree with sums in double (int8: exactly), and nothing outside the operands is accessed. The bits
 * of a row depend neither on its position, nor on the other rows, nor on how sums are stored. With
 * LNCLIP_TEST_TIME=1 the test also prints the speed of each kernel.
 */
#include "tests/support_guard.h"
#include "tests/support_kernels.h"

#include "tensor/dtype.h"
#include "tensor/random.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
    COLUMNS = KERNELS_COLUMNS,
    TILE = KERNELS_TILE_ROWS,
    POOL = 70, /* different rows of A */
    MAX_GROUPS = 1024,
    GROUP = 4,     /* bytes of a group along k */
    CANARY = 0xa5, /* a byte where nothing may be written */
    FENCE = 256,   /* canary bytes before the sums */
    MAX_GAP = 67,  /* most sums between rows, in addition to 64 */
};

/* One kernel of one table. */
typedef struct Subject {
    const Kernels *table;
    Precision precision;
} Subject;

enum { MAX_SUBJECTS = 32 };
static Subject subjects[MAX_SUBJECTS];

/* Collects the kernels of all ISA levels of this processor that differ from the level below. */
static int collect_subjects(void)
{
    int count = 0;
    const Kernels *below = NULL;
    for (int level = 0; level < support_levels(); level++) {
        const Kernels *const table = support_level(level);
        for (Precision p = 0; table && p < PRECISION_COUNT; p++)
            if (!below || below->product[p] != table->product[p])
                subjects[count++] = (Subject){table, p};
        below = table;
    }
    return count;
}

/* --- A problem: operands, sums in double, and the bits that one call gave --- */

static uint32_t pool[POOL][MAX_GROUPS];      /* rows of A, group after group */
static uint32_t panel[MAX_GROUPS * COLUMNS]; /* B */
static double exact[POOL][COLUMNS];          /* A B */
static double allowed[POOL][COLUMNS];        /* largest error of a sum in f32 */
static uint32_t base[POOL][COLUMNS], found[POOL][COLUMNS];

static int group_size(Precision precision)
{
    return 1 << precision; /* 1, 2 or 4 elements */
}

static float f32_of(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* Element `i` of a group of A, or of B, whose bytes are signed. */
static double number_of(Precision precision, uint32_t group, int i, bool of_b)
{
    if (precision == PRECISION_F32)
        return (double)f32_of(group);
    if (precision == PRECISION_BF16)
        return (double)f32_of(i ? group & 0xffff0000 : group << 16);
    const int byte = group >> 8 * i & 0xff;
    return of_b && byte > 127 ? byte - 256 : byte;
}

static uint32_t group_of_floats(Precision precision, float first, float second)
{
    uint32_t bits;
    memcpy(&bits, &first, sizeof bits);
    if (precision == PRECISION_BF16)
        return dtype_bf16_from_f32(first) | (uint32_t)dtype_bf16_from_f32(second) << 16;
    return bits;
}

typedef enum Kind { NORMAL, LARGEST } Kind; /* LARGEST: only the least and largest bytes */

static uint32_t random_group(Precision precision, Kind kind, Random *random)
{
    if (precision != PRECISION_INT8) {
        const float first = (float)random_normal(random);
        return group_of_floats(precision, first, (float)random_normal(random));
    }
    uint32_t group = 0;
    for (int i = 0; i < 4; i++) {
        static const uint8_t ends[] = {255, 255, 128, 127, 0, 1};
        enum { COUNT = sizeof ends };
        const uint32_t byte =
            kind == NORMAL ? random_below(random, 256) : ends[random_below(random, COUNT)];
        group |= byte << 8 * i;
    }
    return group;
}

/*
 * Fills pool and panel. With LARGEST, row 0 and columns 0 and 1 contain extreme bytes only, so that
 * sums reach the ends of their range. The last group of a longer row is zero after its first
 * element, as if K were not a multiple of the group size.
 */
static void make_operands(Precision precision, Kind kind, int groups)
{
    Random random = random_stream(20, RANDOM_TEST, (uint32_t)groups * 2 + kind, 0);
    const uint32_t all = UINT32_MAX, first = all >> (32 - 32 / group_size(precision));
    for (int k = 0; k < groups; k++) {
        const uint32_t mask = groups > 16 && k == groups - 1 ? first : all;
        uint32_t *const b = panel + (ptrdiff_t)k * COLUMNS;
        for (int row = 0; row < POOL; row++)
            pool[row][k] = random_group(precision, kind, &random) & mask;
        for (int n = 0; n < COLUMNS; n++)
            b[n] = random_group(precision, kind, &random) & mask;
        if (kind == LARGEST) {
            pool[0][k] = 0xffffffff; /* 255 */
            b[0] = 0x80808080;       /* -128 */
            b[1] = 0x7f7f7f7f;       /* 127 */
        }
    }
}

/*
 * The sums in double, and the bound that holds for any order of summation in f32: each of k - 1
 * sums and products is off by at most half a unit in the last place of the sum of magnitudes.
 */
static void sum_in_double(Precision precision, int groups)
{
    const int size = group_size(precision);
    for (int row = 0; row < POOL; row++) {
        for (int n = 0; n < COLUMNS; n++) {
            double sum = 0, magnitude = 0;
            for (int k = 0; k < groups; k++) {
                for (int i = 0; i < size; i++) {
                    const double product = number_of(precision, pool[row][k], i, false) *
                                           number_of(precision, panel[k * COLUMNS + n], i, true);
                    sum += product;
                    magnitude += fabs(product);
                }
            }
            exact[row][n] = sum;
            allowed[row][n] =
                precision == PRECISION_INT8 ? 0 : 0x1p-24 * (groups * size + 1) * magnitude;
        }
    }
}

/* --- One call of a kernel, between guard pages --- */

typedef struct Call {
    Subject subject;
    int groups, rows, columns;
    int shift;   /* row r of A is row r + shift of the pool */
    bool store;  /* pass the sums to `store`, else leave them in memory */
    bool at_end; /* A ends at a guard page, else begins after one */
    int gap;     /* sums between rows, in addition to 64; rows of A then have gaps too */
} Call;

/* The parameters of a call, for messages. Static. */
static const char *describe(const Call *call)
{
    static char text[200];
    snprintf(text, sizeof text,
             "%s %s: groups %d, rows %d, columns %d, row 0 is %d, %s, A %s, gap %d",
             call->subject.table->name, precision_name(call->subject.precision), call->groups,
             call->rows, call->columns, call->shift, call->store ? "stored" : "raw",
             call->at_end ? "at end" : "at begin", call->gap);
    return text;
}

static SupportGuarded guard_a, guard_b, guard_sums;

static void open_guards(void)
{
    guard_a = support_guarded((POOL + TILE) * (MAX_GROUPS + MAX_GAP) * GROUP, 64);
    guard_b = support_guarded(sizeof panel, 64);
    guard_sums = support_guarded((POOL * (COLUMNS + MAX_GAP) + KERNELS_SUMS) * GROUP + FENCE, 64);
}

static void close_guards(void)
{
    support_guarded_free(&guard_a);
    support_guarded_free(&guard_b);
    support_guarded_free(&guard_sums);
}

static const uint32_t *pool_row(const Call *call, int row)
{
    return pool[(row + call->shift) % POOL];
}

/* Lays A out as the kernel reads it; sets *lda. */
static const void *place_a(const Call *call, ptrdiff_t *lda)
{
    const int groups = call->groups;
    if (call->subject.precision == PRECISION_F32) {
        const int tiles = (call->rows + TILE - 1) / TILE;
        uint32_t *const a = support_guarded_place(&guard_a, (size_t)(tiles * TILE * groups) * GROUP,
                                                  GROUP, call->at_end);
        for (int row = 0; row < tiles * TILE; row++)
            for (int k = 0; k < groups; k++)
                a[(row / TILE * groups + k) * TILE + row % TILE] =
                    row < call->rows ? pool_row(call, row)[k] : 0;
        *lda = 0;
        return a;
    }
    *lda = (ptrdiff_t)(groups + call->gap) * GROUP;
    const size_t span = (size_t)((call->rows - 1) * *lda + groups * GROUP);
    char *const a = support_guarded_place(&guard_a, span, GROUP, call->at_end);
    for (int row = 0; row < call->rows; row++) {
        if (row > 0) /* the gap before the row must not be read */
            memset(a + row * *lda - call->gap * GROUP, 0x7f, (size_t)(call->gap * GROUP));
        memcpy(a + row * *lda, pool_row(call, row), (size_t)groups * GROUP);
    }
    return a;
}

/* The context of record_store; Epilogue.c points to it. */
typedef struct Stored {
    const Call *call;
    const char *sums;
    int seen[POOL]; /* number of times that each row was stored */
} Stored;

static void record_store(const Epilogue *epilogue, int row, int count, const void *sums)
{
    Stored *const stored = epilogue->c;
    const Call *const call = stored->call;
    const ptrdiff_t place = (const char *)sums - stored->sums;
    ck_each(row >= 0 && count >= 1 && row + count <= call->rows && place >= 0 &&
                place + count * COLUMNS * GROUP <= KERNELS_SUMS * GROUP,
            "%s: rows %d..%d stored, %td bytes into the place for sums", describe(call), row,
            row + count - 1, place);
    for (int r = row; r < row + count; r++) {
        stored->seen[r]++;
        memcpy(found[r], (const uint32_t *)sums + (r - row) * COLUMNS,
               (size_t)call->columns * sizeof **found);
    }
}

static void check_untouched(const Call *call, const char *sums, const char *from, const char *to)
{
    for (; from < to; from++)
        ck_each((unsigned char)*from == CANARY, "%s: wrote %td bytes from the first sum",
                describe(call), from - sums);
}

/*
 * Checks that nothing but the sums was written. With `store` the whole buffer of sums may be
 * overwritten.
 */
static void check_canaries(const Call *call, const char *sums, size_t span, ptrdiff_t ld)
{
    check_untouched(call, sums, sums - FENCE, sums);
    for (int row = 1; !call->store && row < call->rows; row++)
        check_untouched(call, sums, sums + ((row - 1) * ld + COLUMNS) * GROUP,
                        sums + row * ld * GROUP);
    check_untouched(call, sums, sums + span, support_guarded_end(&guard_sums));
}

/* Runs the kernel and copies the requested sums to `found`. */
static void run(const Call *call)
{
    const ptrdiff_t ld = COLUMNS + call->gap;
    const size_t span =
        (call->store ? KERNELS_SUMS : (size_t)((call->rows - 1) * ld + COLUMNS)) * GROUP;
    char *const sums = support_guarded_place(&guard_sums, span, 64, true);
    const char *const end = support_guarded_end(&guard_sums);
    memset(sums - FENCE, CANARY, (size_t)(end - sums) + FENCE);
    const size_t b_bytes = (size_t)call->groups * COLUMNS * GROUP;
    void *const b = support_guarded_place(&guard_b, b_bytes, 64, true);
    memcpy(b, panel, b_bytes);
    Stored stored = {.call = call, .sums = sums};
    const Epilogue epilogue = {.columns = call->columns, .c = &stored};
    KernelProduct product = {.rows = call->rows,
                             .columns = call->columns,
                             .groups = call->groups,
                             .b = b,
                             .store = call->store ? record_store : NULL,
                             .epilogue = call->store ? &epilogue : NULL,
                             .sums = sums,
                             .ld_sums = ld,
                             .prefetch = call->rows % 3 ? end : NULL,
                             .prefetch_bytes = call->rows % 3 ? 3000 : 0};
    product.a = place_a(call, &product.lda);
    call->subject.table->product[call->subject.precision](&product);
    check_canaries(call, sums, span, ld);
    for (int row = 0; row < call->rows; row++) {
        if (call->store)
            ck_each(stored.seen[row] == 1, "%s: row %d stored %d times", describe(call), row,
                    stored.seen[row]);
        else
            memcpy(found[row], (const uint32_t *)(void *)sums + row * ld,
                   (size_t)call->columns * sizeof **found);
    }
}

/* Checks that the sums of a call are bit-identical to those in `base`. */
static void check_bits(const Call *call)
{
    for (int row = 0; row < call->rows; row++) {
        const uint32_t *const wanted = base[(row + call->shift) % POOL];
        if (memcmp(found[row], wanted, (size_t)call->columns * sizeof *wanted) == 0)
            continue;
        for (int n = 0; n < call->columns; n++)
            ck_each(found[row][n] == wanted[n],
                    "%s: sum [%d,%d] is %08x, among all rows it is %08x", describe(call), row, n,
                    found[row][n], wanted[n]);
    }
}

/* Runs all rows and columns at once into `base`. */
static void run_base(Subject subject, int groups)
{
    const Call call = {
        .subject = subject, .groups = groups, .rows = POOL, .columns = COLUMNS, .at_end = true};
    run(&call);
    memcpy(base, found, sizeof base);
}

static double sum_of(Precision precision, uint32_t bits)
{
    return precision == PRECISION_INT8 ? (double)(int32_t)bits : (double)f32_of(bits);
}

static void check_base(Subject subject, int groups)
{
    sum_in_double(subject.precision, groups);
    for (int row = 0; row < POOL; row++)
        for (int n = 0; n < COLUMNS; n++) {
            const double sum = sum_of(subject.precision, base[row][n]);
            ck_each(fabs(sum - exact[row][n]) <= allowed[row][n],
                    "%s %s, groups %d: sum [%d,%d] is %.9g, exactly %.9g", subject.table->name,
                    precision_name(subject.precision), groups, row, n, sum, exact[row][n]);
        }
}

/* --- The tests --- */

/* Numbers of groups; rows of bf16 and int8 are whole cache lines. */
static const int F32_GROUPS[] = {1, 2, 3, 4, 5, 7, 8, 16, 31, 133, 1024};
static const int LINE_GROUPS[] = {16, 32, 48, 80, 112, 528};

static int groups_at(Precision precision, int i)
{
    const int count = precision == PRECISION_F32 ? (int)(sizeof F32_GROUPS / sizeof *F32_GROUPS)
                                                 : (int)(sizeof LINE_GROUPS / sizeof *LINE_GROUPS);
    return i >= count ? 0 : precision == PRECISION_F32 ? F32_GROUPS[i] : LINE_GROUPS[i];
}

START_TEST(sums_are_those_of_double)
{
    const Subject subject = subjects[_i];
    open_guards();
    for (int i = 0; groups_at(subject.precision, i); i++) {
        const int groups = groups_at(subject.precision, i);
        for (Kind kind = NORMAL; kind <= (subject.precision == PRECISION_INT8 ? LARGEST : NORMAL);
             kind++) {
            make_operands(subject.precision, kind, groups);
            run_base(subject, groups);
            check_base(subject, groups);
        }
    }
    close_guards();
}
END_TEST

START_TEST(every_size_gives_the_same_bits_and_stays_inside)
{
    static const int gaps[] = {0, 16, 3, 64, MAX_GAP};
    const Subject subject = subjects[_i];
    open_guards();
    for (int i = 0; groups_at(subject.precision, i); i++) {
        const int groups = groups_at(subject.precision, i);
        make_operands(subject.precision, NORMAL, groups);
        run_base(subject, groups);
        int variety = 0;
        /* All combinations of rows and columns where that is cheap. */
        for (int rows = 1; rows <= POOL; rows += groups > 100 ? 1 + rows / 6 : 1)
            for (int columns = 1; columns <= COLUMNS; columns += i == 0 ? 1 : 21, variety++) {
                const Call call = {.subject = subject,
                                   .groups = groups,
                                   .rows = rows,
                                   .columns = columns,
                                   .shift = variety * 11 % POOL,
                                   .store = variety & 1,
                                   .at_end = variety & 2,
                                   .gap = gaps[variety % 5]};
                run(&call);
                check_bits(&call);
            }
    }
    close_guards();
}
END_TEST

START_TEST(a_row_that_is_not_finite_spoils_no_other)
{
    const Subject subject = subjects[_i];
    if (subject.precision == PRECISION_INT8)
        return; /* int8 has no such values */
    open_guards();
    const int groups = 48;
    make_operands(subject.precision, NORMAL, groups);
    run_base(subject, groups);
    for (int row = 0; row < POOL; row++) {
        static const float values[] = {INFINITY, NAN, -INFINITY};
        const int k = row % 4 ? row * 7 % groups : groups - 1;
        const uint32_t kept = pool[row][k];
        pool[row][k] = group_of_floats(subject.precision, values[row % 3], 1);
        const Call call = {.subject = subject,
                           .groups = groups,
                           .rows = POOL,
                           .columns = COLUMNS,
                           .store = row & 1};
        run(&call);
        for (int n = 0; n < COLUMNS; n++)
            ck_each(!isfinite(f32_of(found[row][n])) &&
                        (isnan(values[row % 3]) ? isnan(f32_of(found[row][n])) : true),
                    "%s: row %d with %g in group %d: sum %d is %g", describe(&call), row,
                    (double)values[row % 3], k, n, (double)f32_of(found[row][n]));
        memcpy(found[row], base[row], sizeof base[row]);
        check_bits(&call);
        pool[row][k] = kept;
    }
    close_guards();
}
END_TEST

static bool same(float a, float b)
{
    return isnan(a) ? isnan(b) : a == b;
}

/* The value with which a bf16 instruction may replace a subnormal operand or result. */
static float without_subnormal(float value)
{
    return fabsf(value) < FLT_MIN ? 0 : value;
}

static bool product_is_right(Precision precision, float x, float y, float sum)
{
    const float rounded = (float)((double)x * y); /* once: it is exact in double */
    if (precision == PRECISION_F32)
        return same(sum, rounded);
    return same(sum, rounded) || same(sum, without_subnormal(rounded)) ||
           same(sum, without_subnormal(x) * without_subnormal(y));
}

START_TEST(extreme_numbers_pass)
{
    static const float extreme[] = {0.0f, -0.0f,    1e-40f,    -1e-45f, FLT_MIN, 3e38f,
                                    1.0f, INFINITY, -INFINITY, NAN,     1e19f,   -2.5f};
    enum { COUNT = sizeof extreme / sizeof *extreme, GROUPS = 32 };
    const Subject subject = subjects[_i];
    if (subject.precision == PRECISION_INT8)
        return; /* sums_are_those_of_double covers int8 */
    open_guards();
    /* Each sum has one nonzero product, so the result does not depend on the order of summation. */
    for (int i = 0; i < COUNT; i++) {
        const int k = i * 5 % GROUPS;
        memset(pool, 0, sizeof pool);
        memset(panel, 0, sizeof panel);
        for (int row = 0; row < POOL; row++)
            pool[row][k] = group_of_floats(subject.precision, extreme[(row + i) % COUNT], 0);
        for (int n = 0; n < COLUMNS; n++)
            panel[k * COLUMNS + n] = group_of_floats(subject.precision, extreme[n % COUNT], 0);
        run_base(subject, GROUPS);
        for (int row = 0; row < POOL; row++)
            for (int n = 0; n < COLUMNS; n++) {
                const float x = (float)number_of(subject.precision, pool[row][k], 0, false);
                const float y =
                    (float)number_of(subject.precision, panel[k * COLUMNS + n], 0, true);
                ck_each(product_is_right(subject.precision, x, y, f32_of(base[row][n])),
                        "%s %s: %g times %g at group %d is %g", subject.table->name,
                        precision_name(subject.precision), (double)x, (double)y, k,
                        (double)f32_of(base[row][n]));
            }
    }
    close_guards();
}
END_TEST

/* --- Speed, on request --- */

static void ignore_store(const Epilogue *epilogue, int row, int count, const void *sums)
{
    (void)epilogue;
    (void)row;
    (void)count;
    (void)sums;
}

/* A kernel, and the product that it computes repeatedly. */
typedef struct Timed {
    Subject subject;
    const KernelProduct *product;
} Timed;

static void run_timed(void *context)
{
    const Timed *const timed = context;
    timed->subject.table->product[timed->subject.precision](timed->product);
}

/* The best of some rounds of 20 ms, in GFLOP/s (a product and a sum are two). */
static double speed_of(Subject subject, const KernelProduct *product)
{
    const double work =
        2e-9 * product->rows * product->columns * product->groups * group_size(subject.precision);
    Timed timed = {subject, product};
    return work / support_seconds_of(run_timed, &timed, 8, 0.02);
}

START_TEST(speed)
{
    if (!support_speed_wanted())
        return;
    static const int all_rows[] = {1, 6, 16, 32, 64, 264}, all_k[] = {256, 1024, 4096};
    enum { MAX_ROWS = 264, MAX_K = 4096 };
    const Subject subject = subjects[_i];
    const int size = group_size(subject.precision);
    const size_t a_bytes = (size_t)MAX_ROWS * MAX_K * GROUP / (size_t)size;
    char *const a = aligned_alloc(64, a_bytes);
    char *const b = aligned_alloc(64, (size_t)MAX_K * COLUMNS * GROUP / (size_t)size);
    float *const sums = aligned_alloc(64, KERNELS_SUMS * sizeof(float));
    float *const c = aligned_alloc(64, (size_t)MAX_ROWS * COLUMNS * sizeof(float));
    memset(a, 1, a_bytes);
    memset(b, 1, (size_t)MAX_K * COLUMNS * GROUP / (size_t)size);
    for (size_t i = 0; i < sizeof all_rows / sizeof *all_rows; i++) {
        for (size_t j = 0; j < sizeof all_k / sizeof *all_k; j++) {
            static const float ones[COLUMNS];
            static const int32_t zeros[MAX_ROWS];
            static const float scales[MAX_ROWS];
            const bool integers = subject.precision == PRECISION_INT8;
            const Epilogue epilogue = {.columns = COLUMNS,
                                       .ld = COLUMNS,
                                       .type = subject.precision == PRECISION_F32 ? DTYPE_F32
                                                                                  : DTYPE_BF16,
                                       .bias = ones,
                                       .row_scale = integers ? scales : NULL,
                                       .column_scale = ones,
                                       .row_zero = zeros,
                                       .column_sum = zeros,
                                       .c = c};
            KernelProduct product = {.rows = all_rows[i],
                                     .columns = COLUMNS,
                                     .groups = all_k[j] / size,
                                     .a = a,
                                     .lda = (ptrdiff_t)all_k[j] / size * GROUP,
                                     .b = b,
                                     .store = ignore_store,
                                     .epilogue = &epilogue,
                                     .sums = sums};
            const double alone = speed_of(subject, &product);
            product.store = subject.table->epilogue;
            printf("%-12s %-5s rows %3d, k %4d: %7.1f GFLOP/s, with epilogue %7.1f\n",
                   subject.table->name, precision_name(subject.precision), all_rows[i], all_k[j],
                   alone, speed_of(subject, &product));
        }
    }
    fflush(stdout);
    free(a);
    free(b);
    free(sums);
    free(c);
}
END_TEST

int main(void)
{
    const int count = collect_subjects();
    Suite *const suite = suite_create("kernels_product");
    TCase *const products = support_case(suite, "products", 240);
    tcase_add_loop_test(products, sums_are_those_of_double, 0, count);
    tcase_add_loop_test(products, every_size_gives_the_same_bits_and_stays_inside, 0, count);
    tcase_add_loop_test(products, a_row_that_is_not_finite_spoils_no_other, 0, count);
    tcase_add_loop_test(products, extreme_numbers_pass, 0, count);
    TCase *const times = support_case(suite, "speed", 600);
    tcase_add_loop_test(times, speed, 0, count);
    return support_main(suite);
}
