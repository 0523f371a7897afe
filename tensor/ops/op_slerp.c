/*
 * op_slerp.c - spherical interpolation between rows: a new feature on the arc between two features.
 *
 * Derivation. Row i of z and its partner are first normalised: a = x / max(|x|, eps), b likewise.
 * With c = a.b, w = acos(clamp(c)) and
 *
 *     A = sin((1-t) w) / sin(w)        B = sin(t w) / sin(w)        y = A a + B b
 *
 * The gradient g = dy reaches a and b directly and through the angle:
 *
 *     dw = <g,a> A' + <g,b> B'         A' = ((1-t) cos((1-t) w) - A cos(w)) / sin(w), B' with t
 *     dc = -dw / sin(w)                0 where c is clamped, as in PyTorch
 *     da = A g + dc b                  db = B g + dc a
 *     dx = (da - a <a,da>) / |x|       da / eps where |x| < eps; likewise for the partner
 *
 * <a,da> = A <g,a> + dc c needs only three dot products and no scratch row.
 *
 * Precision. The clamp keeps w >= 4.5e-4. The relative error of A' is at most 1e-16 / w^2, which
 * leaves nine digits in double. acos near 1 loses as many: c is exact to 1e-16, and 1 - c is at
 * least 1e-7.
 *
 * Shapes. z [..,D], partner and t [rows], y like z. What is kept: z (no copy). The rows of a batch
 * are few, so one thread processes them in order: the gradients of a row, its own and as partner of
 * other rows, are then added in a fixed order. Source: Shoemake, SIGGRAPH 1985.
 */
#include "tensor/kernels/kernels.h"
#include "tensor/ops/op.h"

#include <assert.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

static const double SLERP_NORM_EPS = 1e-12;        /* the same as PyTorch's normalize */
static const double SLERP_COSINE_LIMIT = 1 - 1e-7; /* the same as the published code */

/* The arc between x and y, and the weights of x and y at the point t. */
typedef struct Arc {
    double x_norm, y_norm; /* max(norm, eps) */
    bool x_small, y_small; /* norm < eps */
    double cosine;         /* before the clamp */
    bool clamped;
    double w;    /* the angle, after the clamp */
    double A, B; /* weights of the unit vectors of x and y */
} Arc;

static Arc arc_between(const float *x, const float *y, int D, double t)
{
    const size_t n = (size_t)D;
    const double x_norm = sqrt(kernels()->dot(x, x, n)), y_norm = sqrt(kernels()->dot(y, y, n));
    Arc arc = {.x_norm = fmax(x_norm, SLERP_NORM_EPS),
               .y_norm = fmax(y_norm, SLERP_NORM_EPS),
               .x_small = x_norm < SLERP_NORM_EPS,
               .y_small = y_norm < SLERP_NORM_EPS};
    arc.cosine = kernels()->dot(x, y, n) / (arc.x_norm * arc.y_norm);
    const double cosine = fmax(fmin(arc.cosine, SLERP_COSINE_LIMIT), -SLERP_COSINE_LIMIT);
    arc.clamped = cosine != arc.cosine;
    arc.w = acos(cosine);
    arc.A = sin((1 - t) * arc.w) / sin(arc.w);
    arc.B = sin(t * arc.w) / sin(arc.w);
    return arc;
}

typedef struct Settings {
    const int *partner; /* [rows], borrowed until backward */
    const float *t;     /* [rows], borrowed until backward */
} Settings;

/* Operands of one call. */
typedef struct Slerp {
    int rows, D;
    Settings settings;
    const float *z, *dy; /* [rows,D] */
    float *y, *dz;       /* [rows,D] */
} Slerp;

static void forward(const void *context)
{
    const Slerp *f = context;
    const int D = f->D;
    for (int i = 0; i < f->rows; i++) {
        const float *a = f->z + (ptrdiff_t)i * D;
        float *y = f->y + (ptrdiff_t)i * D;
        const int partner = f->settings.partner[i];
        assert(partner >= -1 && partner < f->rows);
        if (partner < 0) {
            memcpy(y, a, D * sizeof *y);
            continue;
        }
        const float *b = f->z + (ptrdiff_t)partner * D;
        const Arc arc = arc_between(a, b, D, (double)f->settings.t[i]);
        for (int d = 0; d < D; d++)
            y[d] = (float)(arc.A * a[d] / arc.x_norm + arc.B * b[d] / arc.y_norm);
    }
}

Tensor *op_slerp(Tape *tape, Tensor *z, const int *partner, const float *t)
{
    Tensor *y = op_output(tape, z->ndim, z->shape);
    Node *node = op_record(tape, OP_SLERP, y, &z, 1);
    const Slerp f = {.rows = tensor_rows(z),
                     .D = tensor_columns(z),
                     .settings = {partner, t},
                     .z = op_f32(tape, z),
                     .y = op_f32(tape, y)};
    if (node) {
        *(Settings *)op_settings(node, sizeof(Settings)) = f.settings;
        op_keep(tape, node, z);
    }
    op_run(tape, forward, &f);
    return y;
}

/*
 * One end x of the arc; y is the other. With a = x / x_norm, b = y / y_norm and da = weight g + dc
 * b: dx += (da - along a) / x_norm, where along = <a,da>, or 0 if the norm was clamped to eps.
 */
static void end_backward(const float *g, const float *x, double x_norm, const float *y,
                         double y_norm, double weight, double dc, double along, int D, float *dx)
{
    for (int d = 0; d < D; d++) {
        const double da = weight * g[d] + dc * y[d] / y_norm;
        dx[d] += (float)((da - along * x[d] / x_norm) / x_norm);
    }
}

static void row_backward(const float *g, const float *x, const float *y, int D, double t, float *dx,
                         float *dy)
{
    const Arc arc = arc_between(x, y, D, t);
    const double ga = kernels()->dot(g, x, D) / arc.x_norm;
    const double gb = kernels()->dot(g, y, D) / arc.y_norm;
    const double sine = sin(arc.w), cosine = cos(arc.w);
    const double slope_A = ((1 - t) * cos((1 - t) * arc.w) - arc.A * cosine) / sine;
    const double slope_B = (t * cos(t * arc.w) - arc.B * cosine) / sine;
    const double dc = arc.clamped ? 0 : -(ga * slope_A + gb * slope_B) / sine;
    const double along_x = arc.x_small ? 0 : arc.A * ga + dc * arc.cosine;
    const double along_y = arc.y_small ? 0 : arc.B * gb + dc * arc.cosine;
    end_backward(g, x, arc.x_norm, y, arc.y_norm, arc.A, dc, along_x, D, dx);
    end_backward(g, y, arc.y_norm, x, arc.x_norm, arc.B, dc, along_y, D, dy);
}

static void backward(const void *context)
{
    const Slerp *f = context;
    const int D = f->D;
    for (int i = 0; i < f->rows; i++) {
        const ptrdiff_t start = (ptrdiff_t)i * D;
        const ptrdiff_t other = (ptrdiff_t)f->settings.partner[i] * D;
        if (other < 0)
            kernels()->add(f->dy + start, f->dz + start, D);
        else
            row_backward(f->dy + start, f->z + start, f->z + other, D, (double)f->settings.t[i],
                         f->dz + start, f->dz + other);
    }
}

void op_slerp_backward(Tape *tape, Node *node)
{
    Tensor *z = node->in[0];
    const Slerp f = {.rows = tensor_rows(z),
                     .D = tensor_columns(z),
                     .settings = *(Settings *)op_settings(node, sizeof(Settings)),
                     .z = op_f32(tape, z),
                     .dy = tensor_grad(node->out),
                     .dz = op_grad(tape, z)};
    op_run(tape, backward, &f);
}
