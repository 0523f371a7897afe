/*
 * test_attention.c - op_attention against attention in double, forward and backward, in f32 and
 * bf16.
 *
 * In bf16 the operands are rounded first, so that both compute from the same numbers. What is left
 * are the roundings that op_attention makes itself, each of at most u = 2^-9 of what is rounded: of
 * the exponentials, of o, of P, of dS and of the gradients. Bounds are taken element by element
 * from the sums of magnitudes that the roundings enter, doubled for what f32 sums and exp add.
 */
#include "tensor/kernels/kernels.h"
#include "tensor/ops/op.h"
#include "tests/support.h"

#include <math.h>
#include <string.h>

enum { ARENA_BYTES = 1 << 25 };

typedef enum Kind {
    RANDOM,
    SHARP, /* scores of some hundreds: most probabilities are 0 */
    EQUAL, /* all keys are the same, so all scores of a row are */
    TINY,  /* numbers near 1e-3: nearly equal scores */
    KINDS,
} Kind;

typedef struct Extents {
    int B, Tq, T, H, K;
} Extents;

/* One problem: operands as f32 (rounded to bf16 if type is that), and what op_attention made of
 * them. */
typedef struct Problem {
    Extents e;
    DType type;
    size_t queries, keys, scores; /* counts of q, kv and P */
    float *q, *kv, *d_o;          /* [B,Tq,D], [B,T,2D], [B,Tq,D] */
    float *o, *dq, *dkv;
    float *probabilities, *dP; /* [B,H,Tq,T] */
} Problem;

static float *numbers(size_t count)
{
    float *const memory = calloc(count, sizeof *memory);
    ck_assert_ptr_nonnull(memory);
    return memory;
}

static void round_bf16(float *x, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const uint16_t bits = dtype_bf16_from_f32(x[i]);
        dtype_to_f32(DTYPE_BF16, &bits, x + i, 1);
    }
}

static Problem problem_open(Extents e, Kind kind, DType type)
{
    const size_t D = (size_t)e.H * (size_t)e.K, B = (size_t)e.B;
    Problem p = {.e = e, .type = type};
    p.queries = B * (size_t)e.Tq * D;
    p.keys = B * (size_t)e.T * 2 * D;
    p.scores = B * (size_t)e.H * (size_t)e.Tq * (size_t)e.T;
    p.q = numbers(p.queries);
    p.kv = numbers(p.keys);
    p.d_o = numbers(p.queries);
    p.o = numbers(p.queries);
    p.dq = numbers(p.queries);
    p.dkv = numbers(p.keys);
    p.probabilities = numbers(p.scores);
    p.dP = numbers(p.scores);
    static const double scale[KINDS] = {1, 12, 1, 1e-3};
    support_fill_normal(p.q, p.queries, 1, scale[kind]);
    support_fill_normal(p.kv, p.keys, 2, scale[kind]);
    support_fill_normal(p.d_o, p.queries, 3, 1);
    for (size_t t = 0; kind == EQUAL && t < B * (size_t)e.T; t++)
        memcpy(p.kv + t * 2 * D, p.kv, D * sizeof *p.kv);
    if (type == DTYPE_BF16) {
        round_bf16(p.q, p.queries);
        round_bf16(p.kv, p.keys);
        round_bf16(p.d_o, p.queries);
    }
    return p;
}

static void problem_close(Problem *p)
{
    float *const all[] = {p->q, p->kv, p->d_o, p->o, p->dq, p->dkv, p->probabilities, p->dP};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]);
}

/* What a tensor of `type` holds, for f32 numbers, and back. */
static void *stored(DType type, const float *x, size_t n)
{
    void *const memory = malloc(n * dtype_size(type));
    ck_assert_ptr_nonnull(memory);
    if (type == DTYPE_F32)
        memcpy(memory, x, n * sizeof *x);
    else
        kernels()->to_bf16(x, memory, n);
    return memory;
}

/*
 * Runs forward and backward. Images are given in calls of `group` (0: all at once). What the
 * gradients hold beforehand is `found` everywhere; NAN leaves them to be made by the tape.
 */
static void run(Problem *p, int threads, int group, float found)
{
    const Extents *const e = &p->e;
    const int D = e->H * e->K, each = group ? group : e->B;
    SupportEngine engine;
    support_engine_open(&engine, threads, ARENA_BYTES);
    for (int image = 0; image < e->B; image += each) {
        const int count = e->B - image < each ? e->B - image : each;
        const size_t nq = (size_t)count * (size_t)e->Tq * (size_t)D;
        const size_t nk = (size_t)count * (size_t)e->T * 2 * (size_t)D;
        const size_t q_at = (size_t)(image / each) * (size_t)each * (size_t)(e->Tq * D);
        const size_t k_at = (size_t)(image / each) * (size_t)each * (size_t)(e->T * 2 * D);
        const size_t p_at = (size_t)image * (size_t)(e->H * e->Tq) * (size_t)e->T;
        void *const q_data = stored(p->type, p->q + q_at, nq);
        void *const kv_data = stored(p->type, p->kv + k_at, nk);
        Tensor q = tensor_leaf(q_data, 3, (const int[]){count, e->Tq, D});
        Tensor kv = tensor_leaf(kv_data, 3, (const int[]){count, e->T, 2 * D});
        q.dtype = kv.dtype = p->type;
        q.needs_grad = kv.needs_grad = true;
        float *const same = numbers(nk > nq ? nk : nq);
        for (size_t i = 0; i < (nk > nq ? nk : nq); i++)
            same[i] = found;
        if (!isnan(found)) {
            q.grad = stored(p->type, same, nq);
            kv.grad = stored(p->type, same, nk);
        }
        void *const given[] = {q.grad, kv.grad};
        Tensor P = tensor_leaf(p->probabilities + p_at, 4, (const int[]){count, e->H, e->Tq, e->T});
        P.needs_grad = true;
        P.grad = p->dP + p_at;
        for (size_t i = 0; i < tensor_count(&P) && !isnan(found); i++)
            tensor_grad(&P)[i] = found;
        Tensor *const o = op_attention(engine.tape, &q, &kv, e->H, &P);
        ck_assert_int_eq(o->dtype, p->type);
        dtype_to_f32(p->type, o->data, p->o + q_at, nq);
        Tensor *const root = p->type == DTYPE_F32 ? o : op_cast(engine.tape, o, DTYPE_F32);
        tape_backward(engine.tape, root, p->d_o + q_at);
        dtype_to_f32(p->type, q.grad, p->dq + q_at, nq);
        dtype_to_f32(p->type, kv.grad, p->dkv + k_at, nk);
        tape_reset(engine.tape);
        free(given[0]);
        free(given[1]);
        free(same);
        free(kv_data);
        free(q_data);
    }
    support_engine_close(&engine);
}

/* One head of one image in double, with the error each number may have. */
typedef struct Oracle {
    Extents e;
    double u;            /* the unit roundoff of the type */
    double *P, *dP, *dS; /* [Tq,T] */
    double *P_error;     /* [Tq] of P, relative */
    double *dS_error;    /* [Tq,T], absolute */
} Oracle;

/* What f32 sums, exp and log may add, relative to the magnitudes that enter. */
#define F32_ERROR 0x1p-18

static const float *query(const Problem *p, const float *x, int b, int h, int i)
{
    return x + ((size_t)b * (size_t)p->e.Tq + (size_t)i) * (size_t)(p->e.H * p->e.K) + h * p->e.K;
}

static const float *key(const Problem *p, const float *x, int b, int h, int j)
{
    return x + ((size_t)b * (size_t)p->e.T + (size_t)j) * (size_t)(2 * p->e.H * p->e.K) +
           h * p->e.K;
}

static const float *value(const Problem *p, const float *x, int b, int h, int j)
{
    return key(p, x, b, h, j) + p->e.H * p->e.K;
}

/* Sum of x y; *magnitude is the sum of |x y|. */
static double dot(const float *x, const float *y, int n, double *magnitude)
{
    double sum = 0;
    *magnitude = 0;
    for (int i = 0; i < n; i++) {
        sum += (double)x[i] * y[i];
        *magnitude += fabs((double)x[i] * y[i]);
    }
    return sum;
}

/* A number found, what it should be, and how far it may be from that before it is rounded to the
 * type. */
static void check(const Problem *p, const char *name, int b, int h, int row, int column,
                  float found, double expected, double error)
{
    const double u = p->type == DTYPE_F32 ? 0x1p-24 : 0x1p-9;
    const double bound = error + 2 * u * fabs(expected) + 1e-30;
    ck_each(fabs(found - expected) <= bound,
            "%s[%d,%d,%d,%d] = %.9g, expected %.9g within %.3g (Tq %d, T %d, H %d, K %d, %s, %s)",
            name, b, h, row, column, (double)found, expected, bound, p->e.Tq, p->e.T, p->e.H,
            p->e.K, dtype_name(p->type), kernels()->name);
}

/* P, dP and dS of one row, and their errors. */
static void oracle_row(const Oracle *o, const Problem *p, int b, int h, int i)
{
    const Extents *const e = &o->e;
    const double scale = 1 / sqrt((double)e->K);
    double *const P = o->P + (size_t)i * (size_t)e->T, *const dP = o->dP + (P - o->P);
    double *const dS = o->dS + (P - o->P), *const dS_error = o->dS_error + (P - o->P);
    double largest = -INFINITY, size, logit_error = 0, dP_error = 0;
    for (int j = 0; j < e->T; j++) {
        P[j] = scale * dot(query(p, p->q, b, h, i), key(p, p->kv, b, h, j), e->K, &size);
        largest = fmax(largest, P[j]);
        logit_error = fmax(logit_error, F32_ERROR / 8 * scale * size);
        dP[j] = dot(query(p, p->d_o, b, h, i), value(p, p->kv, b, h, j), e->K, &size);
        dP_error = fmax(dP_error, F32_ERROR / 8 * size);
    }
    double sum = 0, delta = 0, magnitude = 0;
    for (int j = 0; j < e->T; j++)
        sum += P[j] = exp(P[j] - largest);
    for (int j = 0; j < e->T; j++) {
        P[j] /= sum;
        delta += P[j] * dP[j];
        magnitude += P[j] * fabs(dP[j]);
    }
    /* An exponential and the sum of all are rounded; the sum comes to the backward through its
     * logarithm. */
    const double P_error = 2 * logit_error + 2.1 * o->u + F32_ERROR * fmax(1, fabs(largest) / 64);
    o->P_error[i] = P_error;
    for (int j = 0; j < e->T; j++) {
        dS[j] = scale * P[j] * (dP[j] - delta);
        dS_error[j] = (P_error + 1.1 * o->u) * fabs(dS[j]) +
                      scale * P[j] * (P_error * magnitude + 2 * dP_error);
    }
}

/* Row i of the probabilities, their gradient, o and dq. */
static void check_query(const Oracle *o, const Problem *p, int b, int h, int i)
{
    const Extents *const e = &o->e;
    const size_t row = (size_t)i * (size_t)e->T;
    const size_t place = ((size_t)(b * e->H + h) * (size_t)e->Tq + (size_t)i) * (size_t)e->T;
    const float *const probabilities = p->probabilities + place;
    for (int j = 0; j < e->T; j++) {
        const double own = o->P_error[i] - 2.1 * o->u; /* these are not rounded to bf16 */
        check(p, "P", b, h, i, j, probabilities[j], o->P[row + (size_t)j],
              (own + F32_ERROR) * o->P[row + (size_t)j]);
        double size;
        (void)dot(query(p, p->d_o, b, h, i), value(p, p->kv, b, h, j), e->K, &size);
        check(p, "dP", b, h, i, j, p->dP[place + (size_t)j], o->dP[row + (size_t)j],
              F32_ERROR * size);
    }
    for (int c = 0; c < e->K; c++) {
        double out = 0, out_error = 0, dq = 0, dq_error = 0;
        for (int j = 0; j < e->T; j++) {
            const double P = o->P[row + (size_t)j], dS = o->dS[row + (size_t)j];
            const double k = key(p, p->kv, b, h, j)[c], v = value(p, p->kv, b, h, j)[c];
            out += P * v;
            out_error += (o->P_error[i] + F32_ERROR) * P * fabs(v);
            dq += dS * k;
            dq_error += (o->dS_error[row + (size_t)j] + F32_ERROR * fabs(dS)) * fabs(k);
        }
        check(p, "o", b, h, i, c, query(p, p->o, b, h, i)[c], out, out_error);
        check(p, "dq", b, h, i, c, query(p, p->dq, b, h, i)[c], dq, dq_error);
    }
}

/* Row j of dk and dv. */
static void check_key(const Oracle *o, const Problem *p, int b, int h, int j)
{
    const Extents *const e = &o->e;
    for (int c = 0; c < e->K; c++) {
        double dk = 0, dk_error = 0, dv = 0, dv_error = 0;
        for (int i = 0; i < e->Tq; i++) {
            const size_t at = (size_t)i * (size_t)e->T + (size_t)j;
            const double q = query(p, p->q, b, h, i)[c], d_o = query(p, p->d_o, b, h, i)[c];
            dk += o->dS[at] * q;
            dk_error += (o->dS_error[at] + F32_ERROR * fabs(o->dS[at])) * fabs(q);
            dv += o->P[at] * d_o;
            dv_error += (o->P_error[i] + F32_ERROR) * o->P[at] * fabs(d_o);
        }
        check(p, "dk", b, h, j, c, key(p, p->dkv, b, h, j)[c], dk, dk_error);
        check(p, "dv", b, h, j, c, value(p, p->dkv, b, h, j)[c], dv, dv_error);
    }
}

static void check_problem(const Problem *p)
{
    const Extents *const e = &p->e;
    const size_t scores = (size_t)e->Tq * (size_t)e->T;
    double *const memory = calloc(4 * scores + (size_t)e->Tq, sizeof *memory);
    ck_assert_ptr_nonnull(memory);
    const Oracle o = {.e = *e,
                      .u = p->type == DTYPE_F32 ? 0 : 0x1p-9,
                      .P = memory,
                      .dP = memory + scores,
                      .dS = memory + 2 * scores,
                      .dS_error = memory + 3 * scores,
                      .P_error = memory + 4 * scores};
    for (int b = 0; b < e->B; b++) {
        for (int h = 0; h < e->H; h++) {
            for (int i = 0; i < e->Tq; i++)
                oracle_row(&o, p, b, h, i);
            for (int i = 0; i < e->Tq; i++)
                check_query(&o, p, b, h, i);
            for (int j = 0; j < e->T; j++)
                check_key(&o, p, b, h, j);
        }
    }
    free(memory);
}

static const DType types[] = {DTYPE_F32, DTYPE_BF16};

/* Blocks of rows, panels, lines and tiles: short of each, whole, and one more. */
static const Extents extents[] = {
    {1, 1, 1, 1, 8},    {2, 1, 1, 3, 64},  {1, 2, 2, 2, 32},   {1, 1, 65, 2, 64},
    {2, 65, 65, 1, 8},  {1, 7, 33, 2, 5},  {1, 96, 64, 1, 32}, {1, 97, 128, 1, 64},
    {1, 33, 31, 1, 80}, {1, 13, 20, 2, 1}, {1, 5, 9, 1, 130},  {1, 1, 257, 2, 64},
    {2, 6, 17, 2, 33},  {2, 5, 70, 2, 64},
};
enum { EXTENTS = sizeof extents / sizeof *extents };

START_TEST(equals_attention_in_double)
{
    for (int type = 0; type < 2; type++) {
        for (int kind = 0; kind < KINDS; kind++) {
            Problem p = problem_open(extents[_i], (Kind)kind, types[type]);
            run(&p, 2, 0, NAN);
            check_problem(&p);
            problem_close(&p);
        }
    }
}
END_TEST

START_TEST(equals_attention_in_double_at_full_size)
{
    Problem p = problem_open((Extents){1, 257, 257, 2, 64}, RANDOM, types[_i]);
    run(&p, 2, 0, NAN);
    check_problem(&p);
    problem_close(&p);
}
END_TEST

/* Frees `b` after comparing. */
static void expect_same_bits(const Problem *a, Problem *b)
{
    ck_assert_mem_eq(a->o, b->o, a->queries * sizeof *a->o);
    ck_assert_mem_eq(a->dq, b->dq, a->queries * sizeof *a->dq);
    ck_assert_mem_eq(a->dkv, b->dkv, a->keys * sizeof *a->dkv);
    ck_assert_mem_eq(a->probabilities, b->probabilities, a->scores * sizeof *a->probabilities);
    ck_assert_mem_eq(a->dP, b->dP, a->scores * sizeof *a->dP);
    problem_close(b);
}

START_TEST(threads_and_other_images_change_no_bit)
{
    const Extents e = {3, 35, 70, 3, 32};
    Problem all = problem_open(e, RANDOM, types[_i]);
    run(&all, 1, 0, NAN);
    const struct {
        int threads, group;
    } ways[] = {{2, 0}, {3, 0}, {1, 1}, {2, 2}};
    for (size_t way = 0; way < sizeof ways / sizeof *ways; way++) {
        Problem other = problem_open(e, RANDOM, types[_i]);
        run(&other, ways[way].threads, ways[way].group, NAN);
        expect_same_bits(&all, &other);
    }
    problem_close(&all);
}
END_TEST

/*
 * Added to zeros, a gradient has the bits of an overwritten one; added to other values the sum is
 * rounded once.
 */
START_TEST(adds_to_the_gradient_it_finds)
{
    const Extents e = {2, 35, 70, 2, 80};
    const float found = 0.75F;
    Problem overwritten = problem_open(e, RANDOM, types[_i]);
    Problem zero = problem_open(e, RANDOM, types[_i]);
    Problem more = problem_open(e, RANDOM, types[_i]);
    run(&overwritten, 2, 0, NAN);
    run(&zero, 2, 0, 0);
    run(&more, 2, 0, found);
    const double u = types[_i] == DTYPE_F32 ? 0x1p-20 : 0x1p-8;
    for (size_t i = 0; i < overwritten.queries; i++)
        ck_close(more.dq[i], overwritten.dq[i] + found, u);
    for (size_t i = 0; i < overwritten.keys; i++)
        ck_close(more.dkv[i], overwritten.dkv[i] + found, u);
    for (size_t i = 0; i < overwritten.scores; i++)
        ck_close(more.dP[i], overwritten.dP[i] + found, 0x1p-20);
    expect_same_bits(&overwritten, &zero);
    problem_close(&overwritten);
    problem_close(&more);
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("attention");
    TCase *const oracle = support_case(suite, "oracle", 120);
    tcase_add_loop_test(oracle, equals_attention_in_double, 0, EXTENTS);
    tcase_add_loop_test(oracle, equals_attention_in_double_at_full_size, 0, 2);
    TCase *const bits = support_case(suite, "bits", 60);
    tcase_add_loop_test(bits, threads_and_other_images_change_no_bit, 0, 2);
    tcase_add_loop_test(bits, adds_to_the_gradient_it_finds, 0, 2);
    return support_main(suite);
}
