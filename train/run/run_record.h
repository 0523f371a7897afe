/*
 * run_record.h - what a run is made from and made with: the one record behind all its files.
 *
 * Hashes of model, recipe and lists prove that a run resumes with what it was started with. In
 * words and JSON the same facts go into the metadata of adapters, so that a file found years later
 * says where it comes from: the program, its revision, the machine, and the lists as they were
 * named. No time of day and no number of threads: two runs of a recipe on one machine leave the
 * same bytes.
 */
#ifndef LNCLIP_TRAIN_RUN_RUN_RECORD_H
#define LNCLIP_TRAIN_RUN_RUN_RECORD_H

#include "tensor/base/hash.h"
#include "tensor/safetensors.h"
#include "train/train.h"

typedef struct TrainRecord {
    char base[HASH_TEXT_SIZE];         /* fingerprint of the encoder */
    char network[2 * VIT_CONFIG_TEXT]; /* how it is computed and fed, which no tensor says */
    char frozen[HASH_TEXT_SIZE];       /* of the frozen LayerNorms: an adapter may have set them */
    char recipe[HASH_TEXT_SIZE];       /* of every key that can change a result */
    char train[HASH_TEXT_SIZE];        /* of the training list */
    char val[HASH_TEXT_SIZE];          /* of the validation list; "" without one */
    const char *decoders;              /* names and versions of the image decoders; static */
    char *json;      /* {"lnclip", "revision", "machine", "train", "val"}: see docs/formats.md */
    char *val_words; /* the validation lists in words; NULL without validation */
} TrainRecord;

/*
 * Describes the run of `job`; call it after vit_tune. STATUS_FAILED without memory; *record is {0}
 * then. Owned by the caller: train_record_free, which accepts {0}.
 */
Status train_record_create(TrainRecord *record, const TrainJob *job, Error *error);
void train_record_free(TrainRecord *record);

/* The hashes and facts that identify a run, as metadata. The recipe comes last. */
enum { TRAIN_RECORD_KEYS = 7 };
void train_record_metadata(const TrainRecord *record, SafeTensorsMetadata keys[TRAIN_RECORD_KEYS]);

/*
 * The revision this program was built from: "0123456789ab", "0123456789ab-dirty", or "unknown".
 * Static.
 */
const char *train_revision(void);

/* The name of this machine's processor; "unknown" where /proc has no such entry. */
void train_processor(char *out, size_t size);

#endif
