/*
 * run_record.h - what a run was made with, in the metadata of its adapters: so that a file found years later can
 * say where it comes from.
 *
 * The program, its revision, the machine, and the lists as they were named, with hashes and counts. No time of
 * day and no number of threads: two runs of a recipe on one machine leave the same bytes.
 */
#ifndef LNCLIP_TRAIN_RUN_RUN_RECORD_H
#define LNCLIP_TRAIN_RUN_RUN_RECORD_H

#include "train/run/origin.h"
#include "train/train.h"

typedef struct TrainRunRecord {
    char *json; /* {"lnclip", "revision", "machine", "train", "val"}: see docs/formats.md */
    char *val;  /* the validation lists in words; NULL without validation */
} TrainRunRecord;

/*
 * Describes the run of `job`. STATUS_FAILED without memory; *record is {0} then. Owned by the caller:
 * train_run_record_free, which accepts {0}.
 */
Status train_run_record_create(TrainRunRecord *record, const TrainJob *job,
                               const TrainOrigin *origin, Error *error);
void train_run_record_free(TrainRunRecord *record);

/* The revision this program was built from: "0123456789ab", "0123456789ab-dirty", or "unknown". Static. */
const char *train_revision(void);

/* The name of this machine's processor; "unknown" where /proc does not tell. */
void train_processor(char *out, size_t size);

#endif
