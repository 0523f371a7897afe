/*
 * synth.h - a synthetic face-forgery data set, drawn from nothing but a seed.
 *
 * Procedural faces (shape, skin texture, lighting, pose, sensor noise, JPEG) in the FF++ folder
 * layout, and manipulation families that alter part of the face of a source video. It stands in for
 * data that cannot be distributed; it is no substitute for it.
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

/* Pixels of a side that can be drawn; below, a face has no features left. */
enum { DATA_SYNTH_MIN_SIZE = 32, DATA_SYNTH_MAX_SIZE = 512 };

/* Folder name of a family: "real", "swap", "reenact", "resynthesis", "warp", "splice". */
const char *data_synth_name(DataSynthFamily family);

/* What is in a frame, for pretraining on a task that is not forgery. */
typedef struct DataSynthTraits {
    int identity;               /* which face */
    float yaw, pitch;           /* pose, -1..1 */
    float light;                /* direction of the light, -1..1 */
    float mouth;                /* opening, 0..1 */
    float skin, hair;           /* tone, 0..1 */
    float roughness;            /* of the skin, 0..1 */
    float noise, blur, quality; /* of the camera: grain, softness, JPEG quality, 0..1 */
    int glasses, beard;
} DataSynthTraits;

/*
 * Draws one frame, size x size pixels: a pure function of its arguments. `identity` (>= 0) selects
 * the face and the video's light, background and camera, `frame` (>= 0) pose and expression. A fake
 * frame is the real frame of the same arguments, forged before its last compression; its source
 * face is identity ^ 1. traits (may be NULL) describe the target. *image is owned by the caller.
 * STATUS_FAILED without memory. Thread-safe.
 */
Status data_synth_frame(DataImage *image, DataSynthFamily family, uint64_t seed, int identity,
                        int frame, int size, DataSynthTraits *traits, Error *error);

typedef struct DataSynthSettings {
    int videos; /* per source over all splits, at least DATA_SYNTH_MIN_VIDEOS */
    int frames; /* per video, 1..999 */
    int size;   /* pixels of a side, DATA_SYNTH_MIN_SIZE..DATA_SYNTH_MAX_SIZE */
    uint64_t seed;
    Threads *threads; /* shares out the frames (borrowed); NULL: the caller works alone */
} DataSynthSettings;

/* Every split needs a video. */
enum { DATA_SYNTH_MIN_VIDEOS = 3, DATA_SYNTH_MAX_VIDEOS = 1000 };

/* 40 videos of 8 frames of 224 pixels, seed 0, no threads. */
DataSynthSettings data_synth_defaults(void);

/*
 * Writes DIR/SOURCE/VIDEO/NNN.png and DIR/lists/{train,val,test}/SOURCE.txt. Identity i is real
 * video "i" and the target of one fake of every family, "i_j", where j is the other one of its pair
 * (target and source, as in FF++). About 60 % train, 15 % validate, 25 % test; from six videos on
 * no pair is parted, so identities are disjoint between splits. Paths in the lists are relative to
 * the list's folder: the data set can be moved. The same settings write the same bytes for any
 * number of threads. STATUS_USAGE for settings out of range; STATUS_FAILED for a folder that is not
 * empty (nothing is touched), or when writing fails (what was written stays). `progress` may be
 * NULL; it is called on the calling thread, `done` of `total` frames written.
 */
Status data_synth_write(const char *folder, const DataSynthSettings *settings,
                        void (*progress)(void *context, int done, int total), void *context,
                        Error *error);

#endif
