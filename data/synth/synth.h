/*
 * synth.h - a synthetic face-forgery data set, generated from a seed alone.
 *
 * Procedural faces (shape, skin texture, lighting, pose, sensor noise, JPEG) in the FF++ folder
 * layout, and manipulation families that alter part of the face of a source video. It replaces data
 * that cannot be distributed in tests and demos; it is not a substitute for real data.
 *
 * Tests: tests/test_synth.c.
 */
#ifndef LNCLIP_DATA_SYNTH_SYNTH_H
#define LNCLIP_DATA_SYNTH_SYNTH_H

#include "data/image/image.h"
#include "tensor/threads.h"

#include <stdint.h>

typedef enum DataSynthFamily {
    DATA_SYNTH_REAL,
    DATA_SYNTH_SWAP,        /* another identity's face, blended boundary, colour mismatch */
    DATA_SYNTH_REENACT,     /* the mouth region re-drawn with another expression */
    DATA_SYNTH_RESYNTHESIS, /* a region re-synthesised: low-passed and re-textured */
    DATA_SYNTH_WARP,        /* a local geometric warp */
    DATA_SYNTH_SPLICE,      /* a hard-edged splice from another frame's noise and compression */
    DATA_SYNTH_FAMILIES,
} DataSynthFamily;

/* Supported sides of a frame in pixels; a smaller face has no features left. */
enum { DATA_SYNTH_MIN_SIZE = 32, DATA_SYNTH_MAX_SIZE = 512 };

/* Folder name of a family: "real", "swap", "reenact", "resynthesis", "warp", "splice". */
const char *data_synth_name(DataSynthFamily family);

/* The content of a frame, as targets for pretraining on a task other than forgery. */
typedef struct DataSynthTraits {
    int identity;               /* index of the face */
    float yaw, pitch;           /* pose, -1..1 */
    float light;                /* direction of the light, -1..1 */
    float mouth;                /* opening, 0..1 */
    float skin, hair;           /* tone, 0..1 */
    float roughness;            /* skin roughness, 0..1 */
    float noise, blur, quality; /* camera: grain, softness, JPEG quality, 0..1 */
    int glasses, beard;
} DataSynthTraits;

/*
 * Draws one frame of size x size pixels: a pure function of its arguments. `identity` (>= 0)
 * selects the face and the video's light, background and camera; `frame` (>= 0) selects pose and
 * expression. A fake frame is the real frame of the same arguments, forged before its last
 * compression, with the source face identity ^ 1. *traits (may be NULL) describes the target.
 * *image is owned by the caller and empty on failure. STATUS_FAILED when out of memory.
 * Thread-safe.
 */
Status data_synth_frame(DataImage *image, DataSynthFamily family, uint64_t seed, int identity,
                        int frame, int size, DataSynthTraits *traits, Error *error);

typedef struct DataSynthSettings {
    int videos; /* per source, over all splits, DATA_SYNTH_MIN_VIDEOS..DATA_SYNTH_MAX_VIDEOS */
    int frames; /* per video, 1..999 */
    int size;   /* side in pixels, DATA_SYNTH_MIN_SIZE..DATA_SYNTH_MAX_SIZE */
    uint64_t seed;
    Threads *threads; /* draw the frames in parallel (borrowed); NULL: only the caller */
} DataSynthSettings;

/* At least one video per split. */
enum { DATA_SYNTH_MIN_VIDEOS = 3, DATA_SYNTH_MAX_VIDEOS = 1000 };

/* 40 videos of 8 frames of 224 pixels, seed 0, no threads. */
DataSynthSettings data_synth_defaults(void);

/*
 * Writes DIR/SOURCE/VIDEO/NNN.png and DIR/lists/{train,val,test}/SOURCE.txt. Identity i is the real
 * video "i" and the target of one fake per family, "i_j", where j is the other identity of its pair
 * (target and source, as in FF++). About 60 % are train, 15 % val, 25 % test; with at least six
 * videos no pair is split, so identities are disjoint between splits. Paths in the lists are
 * relative to the list's folder, so the data set can be moved. The same settings write the same
 * bytes for any number of threads. STATUS_USAGE for settings out of range; STATUS_FAILED for a
 * folder that is not empty (nothing is changed), or if writing fails (files already written
 * remain). `progress` may be NULL; it is called on the calling thread after `done` of `total`
 * frames.
 */
Status data_synth_write(const char *folder, const DataSynthSettings *settings,
                        void (*progress)(void *context, int done, int total), void *context,
                        Error *error);

#endif
