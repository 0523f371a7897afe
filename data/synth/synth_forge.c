/*
 * synth_forge.c - one frame of the synthetic data set: portrait, camera, forgery, publication.
 *
 *     portrait -> lens -> sensor noise -> JPEG     the recording, of a real frame and its fakes
 *     -> forgery of a part of the face             fakes only
 *     -> faint noise -> JPEG                       publication, equal for all frames
 *
 * A fake is its own real frame with a part altered, so no property of the entire frame (size,
 * brightness, background, noise, compression) reveals the label. Only local traces do: a face that
 * is not the target's, an edge, a tint, and above all the recording's grain, which is missing or
 * foreign where pixels were redrawn. The parameters of a forgery are drawn once per video, as those
 * of a real method would be.
 */
#include "data/synth/synth.h"
#include "data/synth/synth_face_private.h"
#include "tensor/base/mem.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct Forge {
    uint64_t seed;
    int identity, frame;
    DataFace face; /* the target's face */
    DataShot shot;
    DataPose pose;
    Random random;     /* stream of (identity, family), shared by all frames of a video */
    DataCanvas canvas; /* the recording, finally the published frame */
    DataCanvas other;  /* pixels to paste, or scratch */
    float *mask;       /* [size,size] weight of `other` when pasted */
    float *scratch;    /* [size,size,3] */
    DataImage image;   /* [size,size,3] buffer for JPEG */
} Forge;

/* A centre and a size on the face, in face coordinates. */
typedef struct Region {
    float u, v, ru, rv;
} Region;

static float either(Random *random, double low, double high)
{
    const float x = between(random, low, high);
    return random_below(random, 2) ? x : -x;
}

/* ---- camera and publication ------------------------------------------------------------------ */

enum { BLUR_MAX_RADIUS = 32 };

/* Gaussian blur of one axis; the border repeats. `step` and `line` are strides in floats. */
static void blur_axis(const float *in, float *out, int size, size_t step, size_t line,
                      const float *weights, int radius)
{
    for (int row = 0; row < size; row++) {
        for (int i = 0; i < size; i++) {
            float sum[3] = {0, 0, 0};
            for (int k = -radius; k <= radius; k++) {
                const int j = i + k < 0 ? 0 : i + k >= size ? size - 1 : i + k;
                const float *pixel = in + row * line + j * step;
                const float weight = weights[k < 0 ? -k : k];
                for (int c = 0; c < 3; c++)
                    sum[c] += weight * pixel[c];
            }
            memcpy(out + row * line + i * step, sum, sizeof(sum));
        }
    }
}

/* sigma in pixels of a 64-pixel frame, so that a larger frame looks the same. */
static void blur(Forge *forge, float *rgb, float sigma)
{
    const int size = forge->canvas.size;
    const float s = sigma * (float)size / 64.0f;
    const int reach = (int)ceilf(3.0f * s);
    const int radius = reach > BLUR_MAX_RADIUS ? BLUR_MAX_RADIUS : reach;
    float weights[BLUR_MAX_RADIUS + 1], total = 0;
    for (int k = 0; k <= radius; k++) {
        weights[k] = expf(-0.5f * (float)(k * k) / (s * s));
        total += k == 0 ? weights[k] : 2 * weights[k];
    }
    for (int k = 0; k <= radius; k++)
        weights[k] /= total;
    const size_t pixel = 3, line = (size_t)size * 3;
    blur_axis(rgb, forge->scratch, size, pixel, line, weights, radius);
    blur_axis(forge->scratch, rgb, size, line, pixel, weights, radius);
}

/*
 * Adds grain of standard deviation sigma: mostly grey, partly of each channel, as sensors show it.
 */
static void add_grain(DataCanvas *canvas, float sigma, uint32_t seed)
{
    const int size = canvas->size;
    float *rgb = canvas->rgb;
    for (int row = 0; row < size; row++) {
        for (int column = 0; column < size; column++, rgb += 3) {
            const float grey = 0.8f * data_grain(column, row, seed);
            for (uint32_t c = 0; c < 3; c++)
                rgb[c] += sigma * (grey + 0.6f * data_grain(column, row, seed + 1 + c));
        }
    }
}

/* Rounds to 8 bits and passes through JPEG, in place. */
static Status compress(Forge *forge, DataCanvas *canvas, int quality, Error *error)
{
    const size_t count = (size_t)canvas->size * canvas->size * 3;
    for (size_t i = 0; i < count; i++)
        forge->image.pixels[i] = (uint8_t)(255.0f * clamp01(canvas->rgb[i]) + 0.5f);
    TRY(data_image_jpeg_roundtrip(&forge->image, quality, error));
    for (size_t i = 0; i < count; i++)
        canvas->rgb[i] = (float)forge->image.pixels[i] / 255.0f;
    return STATUS_OK;
}

/*
 * Records the canvas through lens, sensor and JPEG; `take` distinguishes recordings of one frame.
 */
static Status record(Forge *forge, DataCanvas *canvas, const DataShot *shot, uint32_t take,
                     Error *error)
{
    blur(forge, canvas->rgb, shot->blur);
    add_grain(canvas, shot->noise,
              shot->texture + 977u * (uint32_t)forge->frame + 7919u * take + 1);
    return compress(forge, canvas, shot->quality[0], error);
}

/* ---- forgeries ------------------------------------------------------------------------------- */

/* mask = 1 within the ellipse of the region, falling to 0 over `feather` of its radius beyond. */
static void mask_region(Forge *forge, const Region *region, float feather)
{
    const int size = forge->canvas.size;
    const float *uvw = forge->canvas.face;
    for (int i = 0; i < size * size; i++, uvw += 3) {
        const float x = (uvw[0] - region->u) / region->ru, y = (uvw[1] - region->v) / region->rv;
        const float t = clamp01((1.0f + feather - sqrtf(x * x + y * y)) / feather);
        forge->mask[i] = uvw[2] > 0 ? t * t * (3.0f - 2.0f * t) : 0.0f;
    }
}

/* canvas = canvas + mask (gain * other - canvas). */
static void paste(Forge *forge, const float gain[3])
{
    const int size = forge->canvas.size;
    for (int i = 0; i < size * size; i++) {
        for (int c = 0; c < 3; c++) {
            float *pixel = &forge->canvas.rgb[3 * i + c];
            *pixel += forge->mask[i] * (gain[c] * forge->other.rgb[3 * i + c] - *pixel);
        }
    }
}

/* A random region of the inner face: an eye, the nose, the mouth, a cheek or the forehead. */
static Region draw_region(Random *random, double smallest, double largest)
{
    static const float centers[7][2] = {{-0.36f, -0.12f}, {0.36f, -0.12f}, {0, 0.2f},  {0, 0.5f},
                                        {-0.42f, 0.3f},   {0.42f, 0.3f},   {0, -0.38f}};
    const uint32_t center = random_below(random, 7);
    Region region = {.u = centers[center][0], .v = centers[center][1]};
    region.ru = between(random, smallest, largest);
    region.rv = region.ru * between(random, 0.75, 1.2);
    return region;
}

/*
 * Imitates face-synthesising networks: `face` in `pose` is rendered softly into the target's shot,
 * with slightly wrong colours, and blended over the region. Draws its softness, blending and tint.
 */
static void replace(Forge *forge, const DataFace *face, const DataPose *pose, const Region *region)
{
    Random *r = &forge->random;
    const float soft = between(r, 0.7, 1.2), feather = between(r, 0.08, 0.32);
    const float all = between(r, 0.97, 1.03);
    float gain[3];
    for (int c = 0; c < 3; c++)
        gain[c] = all * between(r, 0.985, 1.015);
    data_face_render(face, &forge->shot, pose, &forge->other);
    blur(forge, forge->other.rgb, soft);
    mask_region(forge, region, feather);
    paste(forge, gain);
}

/* Another identity's inner face in the target's shot, pose and outline. */
static Status forge_swap(Forge *forge, Error *error)
{
    (void)error;
    Random *r = &forge->random;
    DataFace donor = data_face_draw(forge->seed, forge->identity ^ 1);
    const float match = between(r, 0.75, 0.95); /* quality of the colour match */
    for (int c = 0; c < 3; c++)
        donor.skin[c] += match * (forge->face.skin[c] - donor.skin[c]);
    donor.half_width = forge->face.half_width;
    donor.half_height = forge->face.half_height;
    donor.jaw = forge->face.jaw;
    donor.hairline = forge->face.hairline;
    donor.glasses = forge->face.glasses;
    Region region = {.v = 0.16f};
    region.ru = between(r, 0.52, 0.68);
    region.rv = between(r, 0.55, 0.68);
    replace(forge, &donor, &forge->pose, &region);
    return STATUS_OK;
}

/* The mouth re-drawn with another opening and smile. */
static Status forge_reenact(Forge *forge, Error *error)
{
    (void)error;
    Random *r = &forge->random;
    DataPose pose = forge->pose;
    const float change = between(r, 0.35, 0.7);
    pose.mouth = pose.mouth > 0.5f ? pose.mouth - change : pose.mouth + change;
    pose.smile = -pose.smile;
    Region region = {.v = 0.55f};
    region.ru = between(r, 0.36, 0.46);
    region.rv = between(r, 0.24, 0.32);
    replace(forge, &forge->face, &pose, &region);
    return STATUS_OK;
}

/* A region that is low-passed and given a texture that is not the skin's. */
static Status forge_resynthesis(Forge *forge, Error *error)
{
    (void)error;
    Random *r = &forge->random;
    const int size = forge->canvas.size;
    const Region region = draw_region(r, 0.34, 0.50);
    const float soft = between(r, 0.9, 1.5), feather = between(r, 0.1, 0.4);
    const float texture = between(r, 0.004, 0.012), grain_size = between(r, 0.35, 0.55);
    static const float gain[3] = {1, 1, 1};
    memcpy(forge->other.rgb, forge->canvas.rgb, (size_t)(size * size) * 3 * sizeof(float));
    blur(forge, forge->other.rgb, soft);
    const float scale = grain_size * 64.0f / (float)size;
    for (int i = 0; i < size * size; i++) {
        const float x = scale * (float)(i % size), y = scale * (float)(i / size);
        const float t = texture * data_noise_octaves(x, y, 2, forge->shot.texture + 3);
        for (int c = 0; c < 3; c++)
            forge->other.rgb[3 * i + c] += t;
    }
    mask_region(forge, &region, feather);
    paste(forge, gain);
    return STATUS_OK;
}

/* Finds the pixel (*x, *y) of the face point nearest to (u, v). */
static void locate(const DataCanvas *canvas, float u, float v, float *x, float *y)
{
    const int size = canvas->size;
    const float *uvw = canvas->face;
    float best = INFINITY;
    *x = *y = 0.5f * (float)size;
    for (int i = 0; i < size * size; i++, uvw += 3) {
        const float d = (uvw[0] - u) * (uvw[0] - u) + (uvw[1] - v) * (uvw[1] - v);
        if (uvw[2] > 0 && d < best) {
            best = d;
            *x = (float)(i % size);
            *y = (float)(i / size);
        }
    }
}

/* Bilinear sample of [size,size,3]; the border repeats. */
static void sample(const float *rgb, int size, float x, float y, float out[3])
{
    const float most = (float)(size - 1);
    const float cx = fminf(fmaxf(x, 0), most), cy = fminf(fmaxf(y, 0), most);
    const int x0 = (int)cx, y0 = (int)cy;
    const int x1 = x0 + 1 < size ? x0 + 1 : x0, y1 = y0 + 1 < size ? y0 + 1 : y0;
    const float tx = cx - (float)x0, ty = cy - (float)y0;
    for (int c = 0; c < 3; c++) {
        const float top =
            rgb[(y0 * size + x0) * 3 + c] * (1 - tx) + rgb[(y0 * size + x1) * 3 + c] * tx;
        const float low =
            rgb[(y1 * size + x0) * 3 + c] * (1 - tx) + rgb[(y1 * size + x1) * 3 + c] * tx;
        out[c] = top * (1 - ty) + low * ty;
    }
}

/*
 * A feature enlarged or shrunk, and shifted, by a smooth displacement; resampling softens the
 * grain.
 */
static Status forge_warp(Forge *forge, Error *error)
{
    (void)error;
    Random *r = &forge->random;
    const int size = forge->canvas.size;
    const Region region = draw_region(r, 0.55, 0.80);
    const float zoom = either(r, 0.15, 0.30);
    const float shift_x = either(r, 0.04, 0.12), shift_y = either(r, 0.04, 0.12);
    const float radius = region.ru * forge->face.half_width * (float)size;
    float cx, cy;
    locate(&forge->canvas, region.u, region.v, &cx, &cy);
    memcpy(forge->other.rgb, forge->canvas.rgb, (size_t)(size * size) * 3 * sizeof(float));
    for (int i = 0; i < size * size; i++) {
        const float dx = ((float)(i % size) - cx) / radius, dy = ((float)(i / size) - cy) / radius;
        const float d2 = dx * dx + dy * dy;
        if (d2 >= 1)
            continue;
        const float fall = (1 - d2) * (1 - d2);
        const float mx = radius * fall * (zoom * dx + shift_x);
        const float my = radius * fall * (zoom * dy + shift_y);
        float pixel[3];
        sample(forge->other.rgb, size, (float)(i % size) + mx, (float)(i / size) + my, pixel);
        memcpy(forge->canvas.rgb + 3 * i, pixel, sizeof(pixel));
    }
    return STATUS_OK;
}

/* A hard-edged part of another frame of the video, recorded with other noise and compression. */
static Status forge_splice(Forge *forge, Error *error)
{
    Random *r = &forge->random;
    const int size = forge->canvas.size;
    DataShot shot = forge->shot;
    const Region region = draw_region(r, 0.34, 0.52);
    shot.noise *= random_below(r, 2) ? between(r, 0.1, 0.4) : between(r, 1.8, 2.6);
    shot.quality[0] = 55 + (int)random_below(r, 20);
    const bool box = random_below(r, 2) != 0;
    static const float gain[3] = {1, 1, 1};
    DataPose pose = data_pose_draw(forge->seed, forge->identity, forge->frame + 1000, &shot);
    pose.yaw = forge->pose.yaw + 0.25f * (pose.yaw - forge->pose.yaw);
    pose.pitch = forge->pose.pitch + 0.25f * (pose.pitch - forge->pose.pitch);
    pose.roll = forge->pose.roll;
    pose.dx = forge->pose.dx; /* the forger aligns the two faces */
    pose.dy = forge->pose.dy;
    data_face_render(&forge->face, &shot, &pose, &forge->other);
    TRY(record(forge, &forge->other, &shot, 1, error));
    float cx, cy;
    locate(&forge->canvas, region.u, region.v, &cx, &cy);
    const float rx = region.ru * forge->face.half_width * (float)size;
    const float ry = region.rv * forge->face.half_height * (float)size;
    for (int i = 0; i < size * size; i++) {
        const float x = fabsf((float)(i % size) - cx) / rx, y = fabsf((float)(i / size) - cy) / ry;
        const float distance = box ? 1.15f * fmaxf(x, y) : sqrtf(x * x + y * y);
        forge->mask[i] = distance < 1 ? 1.0f : 0.0f;
    }
    paste(forge, gain);
    return STATUS_OK;
}

typedef struct Family {
    const char *name;
    Status (*apply)(Forge *forge, Error *error);
} Family;

static const Family families[DATA_SYNTH_FAMILIES] = {
    [DATA_SYNTH_REAL] = {"real", NULL},
    [DATA_SYNTH_SWAP] = {"swap", forge_swap},
    [DATA_SYNTH_REENACT] = {"reenact", forge_reenact},
    [DATA_SYNTH_RESYNTHESIS] = {"resynthesis", forge_resynthesis},
    [DATA_SYNTH_WARP] = {"warp", forge_warp},
    [DATA_SYNTH_SPLICE] = {"splice", forge_splice},
};
_Static_assert(DATA_STREAM_FORGE + DATA_SYNTH_FAMILIES <= DATA_STREAM_POSES,
               "streams of families and poses must not meet");

const char *data_synth_name(DataSynthFamily family)
{
    assert((unsigned)family < DATA_SYNTH_FAMILIES);
    return families[family].name;
}

/* ---- one frame ------------------------------------------------------------------------------- */

static Status forge_open(Forge *forge, int size, Error *error)
{
    const size_t pixels = (size_t)size * size;
    TRY(data_canvas_create(&forge->canvas, size, error));
    TRY(data_canvas_create(&forge->other, size, error));
    TRY(data_image_create(&forge->image, size, size, error));
    if (!(forge->mask = mem_new(pixels, sizeof(float), "a synthetic frame", error)) ||
        !(forge->scratch = mem_new(pixels, 3 * sizeof(float), "a synthetic frame", error)))
        return error->status;
    return STATUS_OK;
}

static void forge_close(Forge *forge)
{
    data_canvas_free(&forge->canvas);
    data_canvas_free(&forge->other);
    data_image_free(&forge->image);
    free(forge->mask);
    free(forge->scratch);
}

static Status forge_frame(Forge *forge, DataSynthFamily family, Error *error)
{
    data_face_render(&forge->face, &forge->shot, &forge->pose, &forge->canvas);
    TRY(record(forge, &forge->canvas, &forge->shot, 0, error));
    if (families[family].apply != NULL)
        TRY(families[family].apply(forge, error));
    add_grain(&forge->canvas, 0.004f,
              forge->shot.texture + 977u * (uint32_t)forge->frame + 500009u);
    return compress(forge, &forge->canvas, forge->shot.quality[1], error);
}

static void describe(const Forge *forge, DataSynthTraits *traits)
{
    const DataShot *shot = &forge->shot;
    *traits = (DataSynthTraits){
        .identity = forge->identity,
        .yaw = forge->pose.yaw / 0.65f,
        .pitch = forge->pose.pitch / 0.3f,
        .light = shot->light,
        .mouth = forge->pose.mouth,
        .skin = forge->face.tone,
        .hair = forge->face.hair,
        .roughness = (forge->face.roughness - 0.03f) / 0.06f,
        .noise = (shot->noise - 0.02f) / 0.06f,
        .blur = (shot->blur - 0.25f) / 0.65f,
        .quality = (float)(shot->quality[1] - 88) / 9.0f,
        .glasses = forge->face.glasses,
        .beard = forge->face.beard,
    };
}

Status data_synth_frame(DataImage *image, DataSynthFamily family, uint64_t seed, int identity,
                        int frame, int size, DataSynthTraits *traits, Error *error)
{
    assert((unsigned)family < DATA_SYNTH_FAMILIES && identity >= 0 && frame >= 0);
    assert(size >= DATA_SYNTH_MIN_SIZE && size <= DATA_SYNTH_MAX_SIZE);
    *image = (DataImage){0};
    Forge forge = {.seed = seed, .identity = identity, .frame = frame};
    forge.face = data_face_draw(seed, identity);
    forge.shot = data_shot_draw(seed, identity);
    forge.pose = data_pose_draw(seed, identity, frame, &forge.shot);
    forge.random =
        random_stream(seed, RANDOM_SYNTH, (uint32_t)identity, DATA_STREAM_FORGE + (uint32_t)family);
    Status status = forge_open(&forge, size, error);
    if (status == STATUS_OK)
        status = forge_frame(&forge, family, error);
    if (status == STATUS_OK) {
        *image = forge.image;
        forge.image = (DataImage){0};
        if (traits != NULL)
            describe(&forge, traits);
    }
    forge_close(&forge);
    return status;
}
