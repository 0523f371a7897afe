/*
 * demo.h - the parts of `lnclip demo`: the whole method in miniature.
 *
 * A small vision transformer is trained whole on what portraits show (demo_pretrain.c), saved, and
 * from then on frozen like CLIP. A linear probe and LN-tuning then learn from some families of
 * forgery and are tested on others (demo_compare.c), through the functions that `lnclip train` and
 * `lnclip eval` use. Only the size and the pretraining are the demo's own.
 */
#ifndef LNCLIP_TOOLS_DEMO_DEMO_H
#define LNCLIP_TOOLS_DEMO_DEMO_H

#include "tools/cli/cli.h"

#include "data/synth/synth.h"
#include "vit/vit.h"

/* How much of everything. */
typedef struct DemoScale {
    int videos, frames;      /* of each source of the data set; frames a video */
    int portraits, held_out; /* drawn for pretraining; of these, kept apart to measure it */
    int pretraining_epochs, probe_epochs, tuning_epochs;
} DemoScale;

typedef struct Demo {
    const CliArguments *arguments;
    const char *out; /* its folder */
    const DemoScale *scale;
    uint64_t seed;
    Threads *threads;
    volatile sig_atomic_t *stop;
} Demo;

/* Frames of the miniature: what its vision transformer sees without resizing. */
enum { DEMO_SIZE = 64 };

/* The names of what the demo leaves in its folder. */
#define DEMO_BACKBONE "backbone"
#define DEMO_DATA     "data"

/* What is learned before any forgery is seen: traits of the portrait and its camera, then
 * statistics. */
enum {
    DEMO_TRAITS = 12, /* numbers of DataSynthTraits */
    DEMO_GRID = 4,    /* cells of a side: mean brightness and detail of each are predicted */
    DEMO_TARGETS = DEMO_TRAITS + 2 * DEMO_GRID * DEMO_GRID,
};
extern const char *const demo_trait_names[DEMO_TRAITS];

typedef struct DemoPretraining {
    int frames, held_out; /* frames trained on, and kept apart to measure r2 */
    int steps;
    double seconds;
    /* Explained variance on the held-out frames: 1 is perfect, 0 the mean. */
    double r2[DEMO_TARGETS];
} DemoPretraining;

/* The shape of the miniature's encoder. */
VitConfig demo_config(void);

/*
 * Trains every parameter of `vit` to read the targets off portraits that no other part of the demo
 * shows, and saves it in `folder`. No frame is forged and no label of forgery exists here. The same
 * seed gives the same bits for any number of threads. STATUS_INTERRUPTED after a signal. Afterwards
 * *vit may only be destroyed.
 */
Status demo_pretrain(const Demo *demo, Vit *vit, const char *folder, DemoPretraining *result,
                     Error *error);

enum { DEMO_METHODS = 2 }; /* linear probe, LN-tuning */

/* Whether a family is trained on; the others are met in the test alone. */
bool demo_family_is_seen(DataSynthFamily family);

typedef struct DemoScore {
    const char *method;         /* "linear probe" */
    const char *file;           /* its adapter, within the demo's folder */
    size_t trained, parameters; /* numbers that train, and in all */
    double seen, unseen;        /* video AUROC: all real videos against those of the families */
    double family[DATA_SYNTH_FAMILIES]; /* of each family; NaN for real */
    double seconds;                     /* of training */
} DemoScore;

/*
 * Trains method `index` on the seen families of the demo's data, writes its adapter, and scores the
 * test videos of all families. Nothing is chosen by the test videos: there is one run of a fixed
 * length, and its last state counts.
 */
Status demo_method(const Demo *demo, int index, DemoScore *score, Error *error);

/* Prints method `index` as arguments of `lnclip train`: --recipe NAME KEY=VALUE... */
void demo_print_recipe(const Demo *demo, int index, FILE *stream);

#endif
