/*
 * synth.h - a synthetic face-forgery data set, drawn from nothing but a seed.
 *
 * Procedural faces (shape, skin texture, lighting, pose, sensor noise, JPEG) in the FF++ folder layout,
 * and manipulation families that alter part of the face of a source video. It stands in for data that
 * cannot be distributed; it is no substitute for it.
 */
#ifndef LNCLIP_DATA_SYNTH_H
#define LNCLIP_DATA_SYNTH_H

#include "data/image.h"

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

/* Folder name of a family: "real", "swap", "reenact", "resynthesis", "warp", "splice". */
const char *data_synth_name(DataSynthFamily family);

/*
 * What is in a frame, for pretraining on a task that is not forgery. All in [0,1] or small integers.
 */
typedef struct DataSynthTraits {
    int identity;     /* which face */
    float yaw, pitch; /* pose, -1..1 */
    float light;      /* direction of the light, -1..1 */
    float mouth;      /* opening, 0..1 */
    float skin, hair; /* tone, 0..1 */
    int glasses, beard;
} DataSynthTraits;

/*
 * Draws one frame, size x size pixels. A pure function of its arguments. `identity` selects the face,
 * `frame` its pose and expression within the video. traits may be NULL.
 */
Status data_synth_frame(DataImage *image, DataSynthFamily family, uint64_t seed, int identity,
                        int frame, int size, DataSynthTraits *traits, Error *error);

typedef struct DataSynthSettings {
    int videos; /* per source over all splits */
    int frames; /* per video */
    int size;   /* pixels of a side */
    uint64_t seed;
} DataSynthSettings;

DataSynthSettings data_synth_defaults(void);

/*
 * Writes DIR/SOURCE/VIDEO/NNN.png and DIR/lists/{train,val,test}/SOURCE.txt, identities disjoint
 * between splits. Refuses (STATUS_FAILED) a folder that is not empty. `progress` may be NULL.
 */
Status data_synth_write(const char *folder, const DataSynthSettings *settings,
                        void (*progress)(void *context, int done, int total), void *context,
                        Error *error);

#endif
