/*
 * synth_face_private.h - the procedural portrait of the synthetic data set: face, shot, pose and
 * their rendering.
 *
 * Private to data/synth_*.c. A portrait is drawn in three steps that vary at different rates: a
 * face (one per identity), a shot (one per video: background, light, camera) and a pose (one per
 * frame). Forgeries recombine them: a swapped face is another DataFace in the same shot and pose.
 *
 * Tests: tests/test_synth.c.
 */
#ifndef LNCLIP_DATA_SYNTH_SYNTH_FACE_PRIVATE_H
#define LNCLIP_DATA_SYNTH_SYNTH_FACE_PRIVATE_H

#include "tensor/base/error.h"
#include "tensor/random.h"

#include <stdbool.h>
#include <stdint.h>

/* Lengths of a face are in units of its half-width and half-height: u and v run over -1..1. */
typedef struct DataFace {
    uint32_t texture;              /* seed of skin, hair and beard textures */
    float half_width, half_height; /* half-sides of the head, as a fraction of the frame */
    float jaw;                     /* narrowing of the lower face */
    float tone, hair;              /* 0 light .. 1 dark */
    float skin[3], hair_colour[3]; /* RGB 0..1 */
    float eye_distance, eye_height, eye_size;
    float iris[3];
    float brow, brow_tilt; /* thickness and slope */
    float nose_length, nose_width;
    float mouth_width, lip; /* half-width; fullness */
    float lip_red;
    float hairline;  /* v of the fringe */
    float roughness; /* contrast of pores and blotches */
    float freckles;
    bool glasses, beard;
} DataFace;

typedef struct DataShot {
    uint32_t texture;
    float back[2][3]; /* two colours of the background */
    float back_angle, back_scale;
    float cloth[3];
    float light; /* azimuth, -1 left .. 1 right */
    float light_height;
    float ambient, diffuse, warmth;
    float yaw, pitch, roll; /* mean pose of the video */
    float mouth;            /* mean opening */
    float blur;             /* lens blur, in pixels of a 64-pixel frame */
    float noise;            /* sensor noise, standard deviation in 0..1 */
    int quality[2];         /* JPEG quality of the recording and of the published frame */
} DataShot;

typedef struct DataPose {
    float yaw, pitch, roll; /* radians */
    float dx, dy;           /* shift of the head, as a fraction of the frame */
    float mouth;            /* opening 0..1 */
    float smile;            /* -1..1 */
    float lids;             /* 1 open */
    float gaze;             /* -1..1 */
} DataPose;

/* A frame in floating point, gamma-encoded RGB in 0..1. */
typedef struct DataCanvas {
    int size;
    float *rgb;  /* [size,size,3] */
    float *face; /* the head's front is visible, else -1 */
} DataCanvas;

Status data_canvas_create(DataCanvas *canvas, int size, Error *error);
void data_canvas_free(DataCanvas *canvas);

/*
 * Sub-streams of RANDOM_SYNTH per identity: one per family for forgeries, one per frame for poses.
 */
enum { DATA_STREAM_FACE, DATA_STREAM_SHOT, DATA_STREAM_FORGE, DATA_STREAM_POSES = 64 };

/* Pure functions of their arguments. */
DataFace data_face_draw(uint64_t seed, int identity);
DataShot data_shot_draw(uint64_t seed, int identity);
DataPose data_pose_draw(uint64_t seed, int identity, int frame, const DataShot *shot);

/* Renders the portrait, before lens and sensor, into both planes of the canvas. */
void data_face_render(const DataFace *face, const DataShot *shot, const DataPose *pose,
                      DataCanvas *canvas);

/*
 * Lattice value noise in about -1..1: `octaves` octaves, the first with one feature per unit, each
 * half as strong as the one before.
 */
float data_noise_octaves(float x, float y, int octaves, uint32_t seed);

/* An approximately normal number (variance 1) of (x, y, seed). */
float data_grain(int x, int y, uint32_t seed);

static inline float clamp01(float x)
{
    return x < 0.0f ? 0.0f : x > 1.0f ? 1.0f : x;
}

/* A number from `low` to below `high`. */
static inline float between(Random *random, double low, double high)
{
    return (float)(low + (high - low) * random_uniform(random));
}

#endif
