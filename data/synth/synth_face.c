/*
 * synth_face.c - draws a procedural portrait.
 *
 * The head is an ellipsoid. For each pixel the visible point of its surface is rotated back by the
 * pose to face coordinates (u, v), in which skin texture and features are defined, so that they
 * move, turn and foreshorten together. Edges are anti-aliased by distance; textures omit the
 * octaves that the frame cannot resolve. The result is a plausible face, not a likeness of anyone.
 */
#include "data/synth/synth_face_private.h"

#include "tensor/base/mem.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

Status data_canvas_create(DataCanvas *canvas, int size, Error *error)
{
    const size_t count = (size_t)size * size * 3;
    *canvas = (DataCanvas){.size = size};
    if ((canvas->rgb = mem_new(count, sizeof(float), "a synthetic frame", error)) &&
        (canvas->face = mem_new(count, sizeof(float), "a synthetic frame", error)))
        return STATUS_OK;
    data_canvas_free(canvas);
    return error->status;
}

void data_canvas_free(DataCanvas *canvas)
{
    free(canvas->rgb);
    free(canvas->face);
    *canvas = (DataCanvas){0};
}

/* ---- noise and interpolation ----------------------------------------------------------------- */

static uint32_t hash2(int x, int y, uint32_t seed)
{
    uint32_t h = seed ^ ((uint32_t)x * 0x9E3779B1u) ^ ((uint32_t)y * 0x85EBCA77u);
    h = (h ^ (h >> 15)) * 0x2C1B3C6Du;
    h = (h ^ (h >> 12)) * 0x297A2D39u;
    return h ^ (h >> 15);
}

static float mix(float a, float b, float t)
{
    return a + (b - a) * t;
}

static float smooth(float edge0, float edge1, float x)
{
    const float t = clamp01((x - edge0) / (edge1 - edge0));
    return t * t * (3.0f - 2.0f * t);
}

static float square(float x)
{
    return x * x;
}

/* floor(x). Without SSE4.1, floorf would be a library call. */
static int lattice(float x)
{
    const int whole = (int)x;
    return (float)whole > x ? whole - 1 : whole;
}

/* A lattice point's value in -1..1. */
static float corner(int x, int y, uint32_t seed)
{
    return (float)(int32_t)(hash2(x, y, seed) >> 8) * 0x1p-23f - 1.0f;
}

/* Lattice value noise in -1..1, about one feature per unit. */
static float noise(float x, float y, uint32_t seed)
{
    const int ix = lattice(x), iy = lattice(y);
    const float dx = x - (float)ix, dy = y - (float)iy;
    const float tx = dx * dx * (3.0f - 2.0f * dx), ty = dy * dy * (3.0f - 2.0f * dy);
    const float top = mix(corner(ix, iy, seed), corner(ix + 1, iy, seed), tx);
    const float low = mix(corner(ix, iy + 1, seed), corner(ix + 1, iy + 1, seed), tx);
    return mix(top, low, ty);
}

float data_noise_octaves(float x, float y, int octaves, uint32_t seed)
{
    float sum = 0, amplitude = 1;
    for (int o = 0; o < octaves; o++) {
        sum += amplitude * noise(x, y, seed + (uint32_t)o * 101u);
        amplitude *= 0.5f;
        x *= 2.03f;
        y *= 2.03f;
    }
    return sum;
}

/* The sum of the four bytes of a hash: mean 510, variance 4 (256^2 - 1) / 12. */
float data_grain(int x, int y, uint32_t seed)
{
    const uint32_t h = hash2(x, y, seed);
    const int sum = (int)(h & 255u) + (int)(h >> 8 & 255u) + (int)(h >> 16 & 255u) + (int)(h >> 24);
    return (float)(sum - 510) / 147.8f;
}

static bool chance(Random *random, double p)
{
    return random_uniform(random) < p;
}

/* ---- face, shot and pose --------------------------------------------------------------------- */

DataFace data_face_draw(uint64_t seed, int identity)
{
    Random random = random_stream(seed, RANDOM_SYNTH, (uint32_t)identity, DATA_STREAM_FACE);
    Random *r = &random;
    static const float pale[3] = {0.95f, 0.80f, 0.71f}, deep[3] = {0.38f, 0.25f, 0.18f};
    static const float blond[3] = {0.80f, 0.66f, 0.42f}, black[3] = {0.08f, 0.06f, 0.06f};
    static const float irises[4][3] = {
        {0.25f, 0.15f, 0.08f}, {0.35f, 0.45f, 0.55f}, {0.30f, 0.42f, 0.25f}, {0.15f, 0.10f, 0.08f}};

    DataFace face = {.texture = random_u32(r)};
    face.half_width = between(r, 0.31, 0.37);
    face.half_height = between(r, 0.40, 0.45);
    face.jaw = between(r, 0.08, 0.34);
    face.tone = between(r, 0, 1);
    face.hair = clamp01(between(r, 0, 1) + 0.35f * face.tone);
    const float hue = between(r, -0.03, 0.03);
    for (int c = 0; c < 3; c++) {
        face.skin[c] = mix(pale[c], deep[c], face.tone) + hue * (float)(1 - c);
        face.hair_colour[c] = mix(blond[c], black[c], face.hair);
    }
    face.eye_distance = between(r, 0.33, 0.42);
    face.eye_height = between(r, -0.18, -0.08);
    face.eye_size = between(r, 0.115, 0.155);
    const uint32_t iris = random_below(r, 4);
    for (int c = 0; c < 3; c++)
        face.iris[c] = irises[iris][c];
    face.brow = between(r, 0.025, 0.06);
    face.brow_tilt = between(r, -0.25, 0.25);
    face.nose_length = between(r, 0.16, 0.28);
    face.nose_width = between(r, 0.10, 0.17);
    face.mouth_width = between(r, 0.22, 0.34);
    face.lip = between(r, 0.05, 0.10);
    face.lip_red = between(r, 0.2, 0.8);
    face.hairline = between(r, -0.78, -0.48);
    face.roughness = between(r, 0.03, 0.09);
    face.freckles = chance(r, 0.3) ? between(r, 0.3, 1.0) : 0.0f;
    face.glasses = chance(r, 0.3);
    face.beard = chance(r, 0.3);
    return face;
}

DataShot data_shot_draw(uint64_t seed, int identity)
{
    Random random = random_stream(seed, RANDOM_SYNTH, (uint32_t)identity, DATA_STREAM_SHOT);
    Random *r = &random;
    DataShot shot = {.texture = random_u32(r)};
    for (int c = 0; c < 3; c++) {
        shot.back[0][c] = between(r, -0.14, 0.14);
        shot.back[1][c] = between(r, -0.14, 0.14);
        shot.cloth[c] = between(r, 0.05, 0.85);
    }
    const float grey[2] = {between(r, 0.15, 0.85), between(r, 0.15, 0.85)};
    for (int c = 0; c < 3; c++) {
        shot.back[0][c] += grey[0];
        shot.back[1][c] += grey[1];
    }
    shot.back_angle = between(r, 0, 6.2831853);
    shot.back_scale = between(r, 1.5, 9);
    shot.light = between(r, -1, 1);
    shot.light_height = between(r, 0.1, 0.8);
    shot.ambient = between(r, 0.40, 0.65);
    shot.diffuse = between(r, 0.35, 0.70);
    shot.warmth = between(r, -0.08, 0.08);
    shot.yaw = between(r, -0.45, 0.45);
    shot.pitch = between(r, -0.2, 0.2);
    shot.roll = between(r, -0.12, 0.12);
    shot.mouth = between(r, 0, 0.5);
    shot.blur = between(r, 0.25, 0.90);
    shot.noise = between(r, 0.02, 0.08);
    shot.quality[0] = 90 + (int)random_below(r, 9);
    shot.quality[1] = 88 + (int)random_below(r, 10);
    return shot;
}

DataPose data_pose_draw(uint64_t seed, int identity, int frame, const DataShot *shot)
{
    Random random =
        random_stream(seed, RANDOM_SYNTH, (uint32_t)identity, DATA_STREAM_POSES + (uint32_t)frame);
    Random *r = &random;
    DataPose pose = {0};
    pose.yaw = shot->yaw + between(r, -0.2, 0.2);
    pose.pitch = shot->pitch + between(r, -0.1, 0.1);
    pose.roll = shot->roll + between(r, -0.06, 0.06);
    pose.dx = between(r, -0.025, 0.025);
    pose.dy = between(r, -0.025, 0.025);
    pose.mouth = clamp01(shot->mouth + between(r, -0.4, 0.5));
    pose.smile = between(r, -0.6, 1.0);
    pose.lids = chance(r, 0.08) ? 0.15f : between(r, 0.75, 1.05);
    pose.gaze = between(r, -1, 1);
    return pose;
}

/* ---- rendering ------------------------------------------------------------------------------- */

/* The state of one pixel of the head. */
typedef struct Point {
    const DataFace *face;
    const DataShot *shot;
    const DataPose *pose;
    float u, v, w;    /* face coordinates; w > 0 on the front */
    float n[3];       /* surface normal in the frame of the camera */
    float texel;      /* size of a pixel in units of u */
    float turn[3][2]; /* cosine and sine of roll, yaw and pitch */
    float light[3];   /* unit vector towards the light */
    float colour[3];  /* the colour painted so far */
} Point;

/* Coverage of a shape whose signed distance (negative inside, in units of u) is given. */
static float inside(const Point *p, float distance)
{
    return clamp01(0.5f - distance / (1.3f * p->texel));
}

static void paint(Point *p, const float colour[3], float alpha)
{
    for (int c = 0; c < 3; c++)
        p->colour[c] = mix(p->colour[c], colour[c], alpha);
}

static void darken(Point *p, float factor)
{
    for (int c = 0; c < 3; c++)
        p->colour[c] *= factor;
}

/* Approximate signed distance to an axis-parallel ellipse. */
static float ellipse(float x, float y, float rx, float ry)
{
    const float r = sqrtf(square(x / rx) + square(y / ry));
    return (r - 1.0f) * (rx < ry ? rx : ry);
}

/* Number of octaves from `frequency` (per unit of u) that a frame of this resolution can show. */
static int resolved(const Point *p, float frequency, int most)
{
    int octaves = 1;
    while (octaves < most && frequency * 2.03f * p->texel < 0.9f) {
        frequency *= 2.03f;
        octaves++;
    }
    return octaves;
}

static void paint_skin(Point *p)
{
    const DataFace *f = p->face;
    const uint32_t seed = f->texture;
    const float blotch = data_noise_octaves(p->u * 2.5f, p->v * 2.5f, 2, seed);
    const float pores =
        data_noise_octaves(p->u * 9.0f, p->v * 9.0f, resolved(p, 9.0f, 4), seed + 7);
    const float cheek = expf(-8.0f * (square(fabsf(p->u) - 0.48f) + square(p->v - 0.25f)));
    const float level = 1.0f + 0.05f * blotch + f->roughness * pores;
    p->colour[0] = f->skin[0] * level + 0.05f * cheek;
    p->colour[1] = f->skin[1] * level - 0.02f * cheek;
    p->colour[2] = f->skin[2] * level - 0.01f * cheek;
    if (f->freckles > 0) {
        const float spot = noise(p->u * 14.0f, p->v * 14.0f, seed + 19);
        const float where = expf(-6.0f * (square(fabsf(p->u) - 0.35f) + square(p->v - 0.15f)));
        darken(p, 1.0f - 0.35f * f->freckles * where * smooth(0.35f, 0.75f, spot));
    }
}

static void paint_eye(Point *p, float side)
{
    static const float white[3] = {0.90f, 0.88f, 0.86f}, dark[3] = {0.07f, 0.05f, 0.05f};
    const DataFace *f = p->face;
    const float x = p->u - side * f->eye_distance, y = p->v - f->eye_height;
    if (fabsf(x) > 0.4f || fabsf(y) > 0.4f)
        return;
    const float socket = expf(-square(x / 0.2f) - square((y - 0.01f) / 0.13f));
    darken(p, 1.0f - 0.18f * socket);
    const float height = f->eye_size * 0.62f * clamp01(p->pose->lids);
    const float ball = ellipse(x, y, f->eye_size, fmaxf(height, 0.008f));
    const float open = inside(p, ball);
    paint(p, white, open);
    const float gx = x - 0.045f * p->pose->gaze;
    const float iris = sqrtf(square(gx) + square(y));
    paint(p, f->iris, open * inside(p, iris - 0.48f * f->eye_size));
    paint(p, dark, open * inside(p, iris - 0.20f * f->eye_size));
    const float glint = sqrtf(square(gx + 0.03f) + square(y + 0.03f)) - 0.022f;
    paint(p, white, open * inside(p, glint));
    /* The upper lid's line, heavier than the lower one. */
    const float lid = fabsf(ball) - (y < 0 ? 0.020f : 0.006f);
    paint(p, dark, 0.75f * inside(p, lid));

    const float bx = x * side, by = y + 0.19f + f->brow_tilt * bx + 0.9f * square(bx);
    const float brow = inside(p, ellipse(bx, by, 0.20f, f->brow));
    if (brow > 0)
        paint(p, f->hair_colour,
              brow * (0.8f + 0.2f * noise(p->u * 22.0f, p->v * 8.0f, f->texture + 31)));
}

static void paint_nose(Point *p)
{
    static const float dark[3] = {0.16f, 0.08f, 0.07f};
    const DataFace *f = p->face;
    const float y = p->v - f->nose_length;
    const float under = expf(-square(p->u / f->nose_width) - square((y - 0.05f) / 0.05f));
    darken(p, 1.0f - 0.22f * under);
    for (int side = -1; side <= 1; side += 2) {
        const float x = p->u - (float)side * 0.55f * f->nose_width;
        paint(p, dark, 0.7f * inside(p, ellipse(x, y - 0.01f, 0.035f, 0.022f)));
        const float wing =
            fabsf(ellipse(p->u - (float)side * 0.75f * f->nose_width, y + 0.02f, 0.05f, 0.055f));
        if ((float)side * p->u > 0.8f * f->nose_width)
            darken(p, 1.0f - 0.15f * inside(p, wing - 0.01f));
    }
}

static void paint_mouth(Point *p)
{
    static const float hollow[3] = {0.22f, 0.06f, 0.07f}, teeth[3] = {0.88f, 0.86f, 0.80f};
    const DataFace *f = p->face;
    const float opening = 0.13f * p->pose->mouth;
    const float half = f->mouth_width * (1.0f + 0.12f * p->pose->smile - 0.15f * p->pose->mouth);
    const float bend = 0.35f * p->pose->smile; /* corners up */
    const float x = p->u, y = p->v - 0.52f - 0.3f * opening + bend * square(x) - 0.02f * bend;
    if (fabsf(x) > 0.6f || fabsf(y) > 0.45f)
        return;
    const float bow = 1.0f - 0.25f * expf(-square(x / 0.05f)); /* the dip of the upper lip */
    const float lip = y < 0 ? f->lip * bow : f->lip * 1.2f;
    const float cover = inside(p, ellipse(x, y, half, lip + opening));
    if (cover > 0) {
        static const float red[3] = {0.70f, 0.25f, 0.28f}, shadow[3] = {0.88f, 0.80f, 0.80f};
        const float crease = 1.0f + 0.08f * noise(p->u * 26.0f, p->v * 7.0f, f->texture + 43);
        float lips[3];
        for (int c = 0; c < 3; c++)
            lips[c] = mix(f->skin[c], red[c], f->lip_red) * shadow[c] * crease;
        paint(p, lips, 0.9f * cover);
    }
    const float gap = fmaxf(opening, 0.008f);
    const float cavity = inside(p, ellipse(x, y, 0.86f * half, gap));
    paint(p, hollow, cavity);
    if (opening > 0.02f)
        paint(p, teeth, cavity * inside(p, y + 0.35f * opening));
    darken(p, 1.0f - 0.15f * expf(-square(x / 0.16f) -
                                  square((y - opening - f->lip * 1.2f - 0.05f) / 0.04f)));
}

/* Beard and the hair on the head; the beard leaves the lips free. */
static void paint_hair(Point *p)
{
    const DataFace *f = p->face;
    if (!f->beard && p->w > 0 && p->v > -0.3f && fabsf(p->u) < 0.5f)
        return;
    const float strand = data_noise_octaves(p->u * 16.0f, p->v * 4.0f, 2, f->texture + 57);
    float colour[3];
    for (int c = 0; c < 3; c++)
        colour[c] = f->hair_colour[c] * (1.0f + 0.30f * strand);
    if (f->beard) {
        const float rim = smooth(0.30f, 0.60f, p->v + 0.5f * square(p->u));
        const float lips = ellipse(p->u, p->v - 0.54f, f->mouth_width + 0.04f, 0.13f);
        paint(p, colour, (0.62f + 0.2f * strand) * rim * (1.0f - inside(p, lips)));
    }
    const float fringe = p->v - f->hairline - 0.10f * noise(p->u * 5.0f, 0.0f, f->texture + 61);
    const float side = 0.90f - fabsf(p->u) - 0.25f * smooth(0.0f, 0.6f, p->v);
    const float hair = fringe < side ? fringe : side;
    paint(p, colour, p->w > 0 ? inside(p, hair) : 1.0f - smooth(0.35f, 0.6f, p->v));
}

static void paint_glasses(Point *p)
{
    static const float frame[3] = {0.08f, 0.07f, 0.09f};
    const DataFace *f = p->face;
    if (!f->glasses || p->w <= 0)
        return;
    const float y = p->v - f->eye_height;
    float rim = fabsf(ellipse(fabsf(p->u) - f->eye_distance, y, 0.26f, 0.20f)) - 0.022f;
    if (fabsf(p->u) < f->eye_distance - 0.24f)
        rim = fabsf(y + 0.05f) - 0.022f; /* the bridge */
    paint(p, frame, 0.92f * inside(p, rim));
}

/* Lambert's law with ambient light and a highlight; the nose tilts the normal by its slope. */
static void shade(Point *p)
{
    const DataFace *f = p->face;
    const DataShot *s = p->shot;
    const float ridge = expf(-square(p->u / (0.75f * f->nose_width))) *
                        smooth(-0.25f, f->nose_length, p->v) *
                        (1.0f - smooth(f->nose_length, f->nose_length + 0.10f, p->v));
    const float n0 = p->n[0] + (p->w > 0 ? 5.0f * p->u * ridge : 0.0f);
    const float norm = 1.0f / sqrtf(square(n0) + square(p->n[1]) + square(p->n[2]) + 1e-6f);
    const float *l = p->light;
    const float cosine = (n0 * l[0] + p->n[1] * l[1] + p->n[2] * l[2]) * norm;
    const float diffuse = cosine > 0 ? cosine : 0;
    const float level = s->ambient + s->diffuse * diffuse;
    const float d8 = square(square(square(diffuse)));
    const float shine = 0.10f * d8 * d8 * d8;
    for (int c = 0; c < 3; c++)
        p->colour[c] = p->colour[c] * level * (1.0f + s->warmth * (float)(1 - c)) + shine;
}

static void paint_background(const DataShot *shot, float x, float y, float colour[3])
{
    const float along = cosf(shot->back_angle) * x + sinf(shot->back_angle) * y;
    const float wave =
        data_noise_octaves(x * shot->back_scale, y * shot->back_scale, 3, shot->texture);
    const float t = clamp01(0.5f + 0.5f * along + 0.35f * wave);
    for (int c = 0; c < 3; c++)
        colour[c] = mix(shot->back[0][c], shot->back[1][c], t);
}

/* Neck, shoulders and the hair visible behind the head. */
static void paint_behind(Point *p, float px, float py, float x, float y)
{
    const DataFace *f = p->face;
    const float light = p->shot->ambient + 0.5f * p->shot->diffuse;
    float colour[3];
    const float hair =
        inside(p, ellipse(px, py + 0.12f, 1.12f, 1.06f)) * (1 - smooth(0.2f, 0.5f, py));
    if (hair > 0) {
        const float strand = data_noise_octaves(px * 14.0f, py * 4.0f, 2, f->texture + 71);
        for (int c = 0; c < 3; c++)
            colour[c] = f->hair_colour[c] * light * (1.0f + 0.3f * strand);
        paint(p, colour, hair);
    }
    for (int c = 0; c < 3; c++)
        colour[c] = f->skin[c] * 0.75f * light;
    paint(p, colour, inside(p, fmaxf(fabsf(px) - 0.55f, 0.4f - py)));
    const float cloth = inside(p, 1.12f + 0.08f * square(px) - py);
    if (cloth > 0) {
        const float weave = data_noise_octaves(x * 20.0f, y * 20.0f, 2, p->shot->texture + 5);
        for (int c = 0; c < 3; c++)
            colour[c] = p->shot->cloth[c] * (0.75f + 0.1f * weave);
        paint(p, colour, cloth);
    }
}

static void render_pixel(Point *p, float x, float y, float uvw[3])
{
    const DataFace *f = p->face;
    const DataPose *pose = p->pose;
    const float dx = x - 0.5f - pose->dx, dy = y - 0.53f - pose->dy;
    const float *roll = p->turn[0], *yaw = p->turn[1], *pitch = p->turn[2];
    const float px = (roll[0] * dx + roll[1] * dy) / f->half_width;
    const float py = (roll[0] * dy - roll[1] * dx) / f->half_height;
    const float nx = px / (1.0f - (py > 0 ? f->jaw * py * py : 0.0f));
    const float r2 = square(nx) + square(py);
    const float cover = py > 1.2f ? 0.0f : inside(p, sqrtf(r2) - 1.0f);
    uvw[0] = uvw[1] = 0;
    uvw[2] = -1;
    if (cover < 1) {
        paint_background(p->shot, x, y, p->colour);
        paint_behind(p, px, py, x, y);
    }
    if (cover <= 0)
        return;
    const float nz = sqrtf(fmaxf(0.0f, 1.0f - r2));
    const float depth = nx * yaw[1] + nz * yaw[0];
    p->u = nx * yaw[0] - nz * yaw[1];
    p->v = py * pitch[0] - depth * pitch[1];
    p->w = py * pitch[1] + depth * pitch[0];
    p->n[0] = nx;
    p->n[1] = py;
    p->n[2] = nz;
    const float behind[3] = {p->colour[0], p->colour[1], p->colour[2]};
    paint_skin(p);
    if (p->w > 0) {
        paint_nose(p);
        paint_eye(p, -1);
        paint_eye(p, 1);
    }
    paint_hair(p);
    if (p->w > 0)
        paint_mouth(p);
    paint_glasses(p);
    shade(p);
    for (int c = 0; c < 3; c++)
        p->colour[c] = mix(behind[c], p->colour[c], cover);
    if (p->w > 0) {
        uvw[0] = p->u;
        uvw[1] = p->v;
        uvw[2] = p->w;
    }
}

void data_face_render(const DataFace *face, const DataShot *shot, const DataPose *pose,
                      DataCanvas *canvas)
{
    assert(canvas->size > 0);
    const int size = canvas->size;
    Point p = {.face = face, .shot = shot, .pose = pose};
    p.texel = 1.0f / (face->half_width * (float)size);
    const float angles[3] = {pose->roll, pose->yaw, pose->pitch};
    for (int i = 0; i < 3; i++) {
        p.turn[i][0] = cosf(angles[i]);
        p.turn[i][1] = sinf(angles[i]);
    }
    const float azimuth = 1.1f * shot->light;
    const float length = 1.0f / sqrtf(1.0f + square(shot->light_height));
    p.light[0] = sinf(azimuth) * length;
    p.light[1] = -shot->light_height * length;
    p.light[2] = cosf(azimuth) * length;
    for (int row = 0; row < size; row++) {
        for (int column = 0; column < size; column++) {
            const size_t at = ((size_t)row * size + column) * 3;
            render_pixel(&p, ((float)column + 0.5f) / (float)size,
                         ((float)row + 0.5f) / (float)size, canvas->face + at);
            for (int c = 0; c < 3; c++)
                canvas->rgb[at + c] = clamp01(p.colour[c]);
        }
    }
}
