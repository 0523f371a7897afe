/*
 * run_record.h - the provenance of a run: model, recipe, lists, program and machine.
 *
 * Hashes of model, recipe and lists let --resume check that nothing has changed. The metadata of
 * adapters holds the same facts as text and JSON: program, revision, machine, paths of the lists.
 * The record has no time and no thread count, so two runs of a recipe on one machine write
 * identical bytes.
 *
 * Tests: tests/test_train_resume.c.
 */
#ifndef LNCLIP_TRAIN_RUN_RUN_RECORD_H
#define LNCLIP_TRAIN_RUN_RUN_RECORD_H

#include "tensor/base/hash.h"
#include "tensor/safetensors.h"
#include "train/train.h"

typedef struct TrainRecord {
    char base[HASH_TEXT_SIZE];         /* fingerprint of the encoder */
    char network[2 * VIT_CONFIG_TEXT]; /* architecture and preprocessing, not stored in tensors */
    char frozen[HASH_TEXT_SIZE];       /* hash of frozen parameters that an adapter may change */
    char recipe[HASH_TEXT_SIZE];       /* hash of all keys that can change a completed step */
    char train[HASH_TEXT_SIZE];        /* hash of the training list */
    char val[HASH_TEXT_SIZE];          /* hash of the validation list; "" without one */
    const char *decoders;              /* names and versions of the image decoders; static */
    char *json;      /* {"lnclip", "revision", "machine", "train", "val"}: see docs/formats.md */
    char *val_words; /* the validation lists in words; NULL without validation */
} TrainRecord;

/*
 * Creates the record of `job`; call it after vit_tune. STATUS_FAILED if out of memory; *record is
 * {0} then. The caller frees it by train_record_free, which accepts {0}.
 */
Status train_record_create(TrainRecord *record, const TrainJob *job, Error *error);
void train_record_free(TrainRecord *record);

/* The facts that identify a run, as metadata borrowed from *record. The recipe comes last. */
enum { TRAIN_RECORD_KEYS = 7 };
void train_record_metadata(const TrainRecord *record, SafeTensorsMetadata keys[TRAIN_RECORD_KEYS]);

/*
 * The git revision of this program: "0123456789ab", "0123456789ab-dirty" or "unknown". A static
 * string.
 */
const char *train_revision(void);

/* The name of this machine's processor; "unknown" if /proc does not give it. */
void train_processor(char *out, size_t size);

#endif
