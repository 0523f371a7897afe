/*
 * demo.h - the parts of `lnclip demo`, a small complete example of the method.
 *
 * All parameters of a small vision transformer are trained to describe portraits (demo_pretrain.c);
 * then it is saved and frozen, like CLIP. A linear probe and LN-tuning are trained on some forgery
 * methods and tested on all (demo_compare.c), with the functions of `lnclip train` and `lnclip
 * eval`. Only the size and the pretraining are specific to the demo.
 *
 * Tests: tests/test_demo.sh.
 */
#ifndef LNCLIP_TOOLS_DEMO_DEMO_H
#define LNCLIP_TOOLS_DEMO_DEMO_H

#include "tools/cli/cli.h"

#include "data/synth/synth.h"
#include "train/metrics/reports.h"
#include "vit/vit.h"

/* The size of the demo. */
typedef struct DemoScale {
    int videos, frames;      /* per source; per video */
    int portraits, held_out; /* for pretraining; of these, for validation */
    int pretraining_epochs, probe_epochs, tuning_epochs;
} DemoScale;

typedef struct Demo {
    const CliArguments *arguments;
    const char *out; /* output folder */
    const DemoScale *scale;
    uint64_t seed;
    Threads *threads;
    volatile sig_atomic_t *stop;
} Demo;

/* Width and height of the frames: the input size of the vision transformer. */
enum { DEMO_SIZE = 64 };

/* Names in the output folder. */
#define DEMO_BACKBONE "backbone"
#define DEMO_DATA     "data"

/* The targets of pretraining: traits of the portrait and its camera, then image statistics. */
enum {
    DEMO_TRAITS = 12, /* values of DataSynthTraits */
    DEMO_GRID = 4,    /* cells per side; mean brightness and detail of each are predicted */
    DEMO_TARGETS = DEMO_TRAITS + 2 * DEMO_GRID * DEMO_GRID,
};
extern const char *const demo_trait_names[DEMO_TRAITS];

typedef struct DemoPretraining {
    int frames, held_out; /* for training, and for measuring r2 */
    int steps;
    double seconds;
    /* Explained variance on the held-out frames; 1 is perfect. */
    double r2[DEMO_TARGETS];
} DemoPretraining;

/* The configuration of the encoder. */
VitConfig demo_config(void);

/*
 * Trains all parameters of `vit` to predict the targets from portraits that are not in the data
 * set, and saves it in `folder`. All portraits are real. The result depends on the seed, not on the
 * number of threads. STATUS_INTERRUPTED after a signal. Afterwards *vit may only be destroyed.
 */
Status demo_pretrain(const Demo *demo, Vit *vit, const char *folder, DemoPretraining *result,
                     Error *error);

enum { DEMO_METHODS = 2 }; /* linear probe, LN-tuning */

/* True if a forgery method is in the training data; the others are only in the test data. */
bool demo_family_is_seen(DataSynthFamily family);

typedef struct DemoScore {
    const char *method;                 /* "linear probe" */
    const char *file;                   /* adapter in the output folder */
    size_t trained, parameters;         /* trainable and total parameters */
    double seen, unseen;                /* video AUROC of all real against the forgeries */
    double family[DATA_SYNTH_FAMILIES]; /* of each forgery method; NaN for real */
    double seconds;                     /* of training */
    /* The scores of all test frames, as data sets "seen" and "unseen", and their metrics. */
    MetricsPredictions predictions;
    MetricsReport *reports; /* [DEMO_SETS] */
} DemoScore;

enum { DEMO_SETS = 2 };

/* Frees predictions and reports. {0} is allowed. */
void demo_score_free(DemoScore *score);

/* The intervals of the reports. */
MetricsUncertainty demo_uncertainty(const Demo *demo);

/*
 * Trains method `index` on the seen forgery methods, writes its adapter, and scores all test
 * videos. No selection on the test videos: one run of fixed length, and its last state is used.
 * Free the score with demo_score_free, also after a failure.
 */
Status demo_method(const Demo *demo, int index, DemoScore *score, Error *error);

/* Prints the arguments of `lnclip train` for method `index`: --recipe NAME KEY=VALUE... */
void demo_print_recipe(const Demo *demo, int index, FILE *stream);

#endif
