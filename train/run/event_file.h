/*
 * event_file.h - TensorBoard's event files: named scalars at a step, one record after the other.
 *
 * A record is framed as a TFRecord: length (u64), masked CRC-32C of the length, an Event in
 * protobuf's encoding, masked CRC-32C of the Event; all little-endian. An Event holds the time, the
 * step and a summary of (tag, simple_value). The first record says "brain.Event:2". docs/formats.md
 * names the tags of a run.
 *
 * Refused: reading anything else into a run. The file is for looking at; resume only cuts what is
 * newer.
 */
#ifndef LNCLIP_TRAIN_RUN_EVENT_FILE_H
#define LNCLIP_TRAIN_RUN_EVENT_FILE_H

#include "tensor/base/error.h"

#include <stdint.h>
#include <stdio.h>

typedef struct TrainEventValue {
    const char *tag;
    double value; /* written as f32; one that is not finite is left out */
} TrainEventValue;

/* The tag that marks the record of an epoch; its value is the epoch, from 0. */
#define TRAIN_EVENT_EPOCH "epoch"

/*
 * Cuts an event file to what a run of `steps` steps and `epochs` closed epochs knows: records of an
 * epoch (which begin with the tag TRAIN_EVENT_EPOCH) from epoch `epochs` on go, other records from
 * step `steps` on too, and a record that was cut off in the middle. A file that is not there is
 * fine. STATUS_FAILED if a record is damaged before the last of these steps.
 */
Status train_event_file_cut(const char *path, int64_t steps, int epochs, Error *error);

/*
 * Opens the file to append to, with the first record if it is new. The caller closes it with
 * fclose.
 */
Status train_event_file_open(FILE **stream, const char *path, Error *error);

/*
 * Appends one record: `values` [count] at `step`, and the time of day. Write errors stay with the
 * stream. At most 16 values with tags of at most 40 bytes.
 */
void train_event_file_write(FILE *stream, int64_t step, const TrainEventValue *values, int count);

/*
 * For tests. CRC-32C (Castagnoli; RFC 3720, appendix B.4), as TFRecords mask it: rotated by 15
 * bits, plus 0xa282ead8.
 */
uint32_t train_event_crc32c(const void *bytes, size_t count);
uint32_t train_event_masked(uint32_t crc);

#endif
