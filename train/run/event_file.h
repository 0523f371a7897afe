/*
 * event_file.h - TensorBoard event files: a sequence of records of named scalars at a step.
 *
 * A record is a TFRecord: length (u64), masked CRC-32C of the length, an Event encoded as protobuf,
 * masked CRC-32C of the Event; all little-endian. An Event holds time, step and a summary of (tag,
 * simple_value). The first record holds "brain.Event:2". docs/formats.md lists the tags of a run.
 *
 * The file is for viewing only. A run never reads values from it; on resume it removes newer
 * records.
 *
 * Tests: tests/test_event_file.c.
 */
#ifndef LNCLIP_TRAIN_RUN_EVENT_FILE_H
#define LNCLIP_TRAIN_RUN_EVENT_FILE_H

#include "tensor/base/error.h"

#include <stdint.h>
#include <stdio.h>

typedef struct TrainEventValue {
    const char *tag;
    double value; /* written as f32; skipped if not finite */
} TrainEventValue;

/* First tag of the record of an epoch; its value is the epoch, from 1. */
#define TRAIN_EVENT_EPOCH "epoch"

/*
 * Removes the records that are newer than a run of `steps` completed steps and `epochs` completed
 * epochs: records of epochs > `epochs`, other records of steps >= `steps`, and an incomplete last
 * record. A missing file is not an error. STATUS_FAILED if a record before step `steps` is damaged,
 * or the file cannot be read or written.
 */
Status train_event_file_cut(const char *path, int64_t steps, int epochs, Error *error);

/*
 * Opens the file for appending and writes the first record if it is new. The caller closes *stream
 * with fclose. STATUS_FAILED if it cannot be opened.
 */
Status train_event_file_open(FILE **stream, const char *path, Error *error);

/*
 * Appends one record: `values` [count] at `step`, with the time of day. At most 16 values, tags of
 * at most 40 bytes. Write errors are left to ferror(stream).
 */
void train_event_file_write(FILE *stream, int64_t step, const TrainEventValue *values, int count);

/*
 * For tests. CRC-32C (Castagnoli; RFC 3720, appendix B.4), and its TFRecord mask: rotated by 15
 * bits, plus 0xa282ead8.
 */
uint32_t train_event_crc32c(const void *bytes, size_t count);
uint32_t train_event_masked(uint32_t crc);

#endif
